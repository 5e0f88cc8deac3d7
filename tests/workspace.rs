//! Stories about files: what is exported, what comes back, and what a hostile tree cannot do.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use gander::core::id::{Branch, Sha};
use gander::core::path::{PathRules, RepoPath};
use gander::workspace::mirror::{EntryMode, History, Mirror, MirrorError, Source, Want};
use gander::workspace::patch::{self, Caps, Change, Mode, Patch, PatchRefusal};
use gander::workspace::tree::{ExportError, Workspace};

/// A repository that people work in, with real git.
struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(project.path()).unwrap();
        project.git(&["init", "-q", "-b", "main"]);
        project
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = git_in(&self.path(), arguments);
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn has(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn commit(&self) -> Sha {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "work"]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    async fn mirror(&self) -> Mirror {
        Mirror::open(&self.directory.path().join("cache"), "1").await.unwrap()
    }

    async fn fetched(&self) -> (Mirror, Sha) {
        let mirror = self.mirror().await;
        let commit = fetch(&mirror, Source::Path(&self.path()), Want::Head).await.unwrap();
        (mirror, commit)
    }

    async fn exported(&self) -> Workspace {
        let (mirror, commit) = self.fetched().await;
        self.export(&mirror, &commit, "tree").await.unwrap()
    }

    async fn export(
        &self,
        mirror: &Mirror,
        commit: &Sha,
        name: &str,
    ) -> Result<Workspace, ExportError> {
        Workspace::export(mirror, commit, &self.directory.path().join(name)).await
    }
}

async fn fetch(mirror: &Mirror, source: Source<'_>, want: Want<'_>) -> Result<Sha, MirrorError> {
    mirror.fetch(source, want, History::Tip, Duration::from_secs(60)).await
}

#[allow(clippy::disallowed_methods)] // People's own git, not the product's.
fn git_in(directory: &Path, arguments: &[&str]) -> Output {
    std::process::Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.org")
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .output()
        .unwrap()
}

fn path(text: &str) -> RepoPath {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_change_in_the_tree_comes_back_as_data_and_fits_a_fresh_export() {
    let project = Project::new();
    project.has("src/lib.rs", "old\n").has("gone/a.txt", "a").has("run.sh", "#!/bin/sh\n");
    project.has("same.txt", "same").has(".gitignore", "*.log\n/out/\n").has("kept.log", "kept");
    project.commit();
    let (mirror, commit) = project.fetched().await;
    let tree = project.export(&mirror, &commit, "tree").await.unwrap();
    assert!(tree.changes().unwrap().patch.is_empty());

    fs::write(tree.path().join("src/lib.rs"), "new\n").unwrap();
    fs::remove_dir_all(tree.path().join("gone")).unwrap();
    fs::set_permissions(tree.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(tree.path().join("new/deep")).unwrap();
    fs::write(tree.path().join("new/deep/file"), b"\0binary").unwrap();
    fs::write(tree.path().join("kept.log"), "changed").unwrap();
    fs::write(tree.path().join("noise.log"), "ignored").unwrap();
    for dropping in ["out", "target", "web/node_modules", "src/__pycache__", ".git"] {
        fs::create_dir_all(tree.path().join(dropping)).unwrap();
        fs::write(tree.path().join(dropping).join("x"), "ignored").unwrap();
    }

    let changes = tree.changes().unwrap();
    let names: Vec<&str> = changes.patch.changes.keys().map(RepoPath::as_str).collect();
    assert_eq!(names, ["gone/a.txt", "kept.log", "new/deep/file", "run.sh", "src/lib.rs"]);
    assert!(matches!(changes.patch.changes[&path("gone/a.txt")], Change::Delete { .. }));
    let Change::Write { mode, .. } = changes.patch.changes[&path("run.sh")] else { panic!() };
    assert_eq!(mode, Mode::Executable);
    assert_eq!(
        changes.left_out,
        [".git/", "noise.log", "out/", "src/__pycache__/", "target/", "web/node_modules/"]
    );

    let fresh = project.export(&mirror, &commit, "fresh").await.unwrap();
    fresh.apply(&changes.patch).unwrap();
    assert_eq!(fs::read(fresh.path().join("new/deep/file")).unwrap(), b"\0binary");
    assert!(!fresh.path().join("gone").exists());
    let again = fresh.changes().unwrap();
    assert_eq!(again.patch, changes.patch);
    assert_eq!(again.patch.digest(), changes.patch.digest());
}
