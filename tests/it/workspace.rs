//! Stories about files: what is exported, what comes back, and what a hostile tree cannot do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // Helpers of tests are tests.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use gander::agent::files::{FileError, Root};
use gander::core::id::{Branch, Sha};
use gander::core::patch::{Change, FileMode, Patch};
use gander::core::path::RepoPath;
use gander::core::path_rules::PathRules;
use gander::workspace::diff;
use gander::workspace::mirror::{EntryMode, History, Mirror, MirrorError, Source, Want};
use gander::workspace::patch::{self, Caps, PatchError};
use gander::workspace::tree::{ExportError, Workspace};
use secrecy::SecretString;
use url::Url;

use crate::alone::told_alone;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

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

    fn git_from(&self, file: &str, arguments: &[&str]) -> String {
        let input = File::open(self.path().join(file)).unwrap();
        let output = git_command(&self.path(), arguments).stdin(input).output().unwrap();
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

fn git_in(directory: &Path, arguments: &[&str]) -> Output {
    git_command(directory, arguments).output().unwrap()
}

#[allow(clippy::disallowed_methods)] // People's own git, not the product's.
fn git_command(directory: &Path, arguments: &[&str]) -> std::process::Command {
    let mut git = std::process::Command::new("git");
    git.args(arguments)
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
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z");
    git
}

/// Every path below a directory with what it is: a file's bits and content, a link's target.
fn everything(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap();
            let content = if kind.is_symlink() {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else if kind.is_file() {
                fs::read(&path).unwrap()
            } else {
                waiting.push(path.clone());
                Vec::new()
            };
            let name = path.strip_prefix(root).unwrap().to_owned();
            found.insert(name, (kind.permissions().mode(), content));
        }
    }
    found
}

fn write(content: &str, replaces: Option<&Sha>) -> Change {
    let replaces = replaces.cloned();
    Change::Write { mode: FileMode::File, content: content.into(), replaces }
}

fn patch_of<const N: usize>(changes: [(&str, Change); N]) -> Patch {
    Patch { changes: changes.into_iter().map(|(name, change)| (path(name), change)).collect() }
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
    assert_eq!(mode, FileMode::Executable);
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

#[tokio::test]
async fn only_the_ignore_rules_of_the_commit_count() {
    let project = Project::new();
    project.has(".gitignore", "*.tmp\nbuild/\n").has("sub/.gitignore", "!keep.tmp\n/local\n");
    project.has("build/tracked", "x").has("a", "a");
    project.commit();
    let tree = project.exported().await;
    for new in ["x.tmp", "sub/keep.tmp", "sub/local", "sub/deep/local", "build/new", "hidden/by-me"]
    {
        let file = tree.path().join(new);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "new").unwrap();
    }
    // What the agent writes hides nothing.
    fs::write(tree.path().join("hidden/.gitignore"), "*\n").unwrap();
    fs::write(tree.path().join("build/tracked"), "changed").unwrap();
    let changes = tree.changes().unwrap();
    let names: Vec<&str> = changes.patch.changes.keys().map(RepoPath::as_str).collect();
    assert_eq!(
        names,
        ["build/tracked", "hidden/.gitignore", "hidden/by-me", "sub/deep/local", "sub/keep.tmp"]
    );
    assert_eq!(changes.left_out, ["build/new", "sub/local", "x.tmp"]);
}

#[tokio::test]
async fn the_export_is_the_blobs_whatever_the_attributes_say() {
    let project = Project::new();
    project
        .has(".gitattributes", "*.txt text eol=crlf\n*.id ident export-subst filter=evil\n*.u working-tree-encoding=UTF-16\nhidden export-ignore\n")
        .has("a.txt", "one\ntwo\n")
        .has("b.id", "$Id$ $Format:%H$\n")
        .has("c.bin", [0, 1, 2, 255, 13, 10])
        .has("hidden", "still here")
        .has("empty", "")
        .has("deep/er/than/that", "x")
        .has("run.sh", "#!/bin/sh\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(project.path().join("run.sh"), executable).unwrap();
    // As it came into the repository, before any attribute had a say.
    project.git(&["config", "filter.evil.smudge", "sed s/Id/EVIL/"]);
    project.git(&["config", "filter.evil.clean", "cat"]);
    let before = everything(&project.path());
    project.commit();
    let tree = project.exported().await;
    let exported = everything(tree.path());
    for name in ["a.txt", "b.id", "c.bin", "hidden", "empty", "deep/er/than/that"] {
        assert_eq!(exported[Path::new(name)].1, before[Path::new(name)].1, "{name}");
    }
    assert_eq!(exported[Path::new("run.sh")].0 & 0o777, 0o755);
    assert_eq!(exported[Path::new("a.txt")].0 & 0o777, 0o644);
    assert!(tree.changes().unwrap().patch.is_empty());
    for entry in tree.entries() {
        let blob = git_in(&project.path(), &["cat-file", "blob", entry.oid.as_str()]).stdout;
        assert_eq!(exported[Path::new(OsStr::from_bytes(&entry.path))].1, blob);
    }
    assert!(!tree.path().join(".git").exists());
}

#[tokio::test]
async fn nothing_that_a_tree_says_to_git_is_ever_run() {
    let project = Project::new();
    let canary = project.directory.path().join("canary");
    let run = format!("touch {}", canary.display());
    project.has("a.txt", "a\n").has("sub/b.txt", "b\n");
    let other = project.commit();
    project.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{other},module")]);
    project.has(".gitmodules", "[submodule \"module\"]\n path = module\n url = ext::sh -c touch\n");
    project.git(&["add", ".gitmodules"]);
    project.git(&["commit", "-q", "-m", "module"]);
    // A person's own repository may carry hooks and programs as well.
    project.git(&["config", "core.fsmonitor", &run]);
    project.git(&["config", "uploadpack.packObjectsHook", &run]);
    let (mirror, commit) = project.fetched().await;
    let tree = project.export(&mirror, &commit, "tree").await.unwrap();
    assert!(tree.path().join("module").is_dir(), "a submodule is an empty directory");

    for place in ["", "sub"] {
        let git = tree.path().join(place).join(".git");
        fs::create_dir_all(git.join("hooks")).unwrap();
        fs::write(
            git.join("config"),
            format!(
                "[core]\n fsmonitor = {run}\n sshCommand = {run}\n hooksPath = hooks\n\
                 [diff]\n external = {run}\n[filter \"x\"]\n clean = {run}\n smudge = {run}\n\
                 [credential]\n helper = !{run}\n"
            ),
        )
        .unwrap();
        for hook in ["post-checkout", "pre-commit", "post-index-change", "reference-transaction"] {
            let file = git.join("hooks").join(hook);
            fs::write(&file, format!("#!/bin/sh\n{run}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    fs::write(tree.path().join(".gitattributes"), "* filter=x diff=x\n").unwrap();
    fs::write(tree.path().join("sub/b.txt"), "changed\n").unwrap();
    let changes = tree.changes().unwrap();
    let names: Vec<&str> = changes.patch.changes.keys().map(RepoPath::as_str).collect();
    assert_eq!(names, [".gitattributes", "sub/b.txt"]);
    let base = diff::base_files(&mirror, tree.entries(), &changes.patch).unwrap();
    assert!(!diff::unified(&changes.patch, &base).is_empty());
    project.export(&mirror, &commit, "fresh").await.unwrap().apply(&changes.patch).unwrap();
    assert!(!canary.exists(), "something in the tree was run");

    fs::write(tree.path().join("module/file"), "x").unwrap();
    let refusal = tree.changes().unwrap_err().to_string();
    assert!(refusal.starts_with("module/file is inside a submodule"), "{refusal}");
}

#[tokio::test]
async fn links_are_made_but_nobody_follows_them() {
    let project = Project::new();
    project.has("dir/file", "inside").has("secret-elsewhere", "");
    symlink("/", project.path().join("slash")).unwrap();
    symlink("../..", project.path().join("dir/up")).unwrap();
    symlink("/proc/self/root", project.path().join("magic")).unwrap();
    symlink("file", project.path().join("dir/good")).unwrap();
    project.commit();
    let tree = project.exported().await;
    assert_eq!(fs::read_link(tree.path().join("slash")).unwrap(), Path::new("/"));
    assert!(tree.changes().unwrap().patch.is_empty());

    let root = Root::new(tree.root().try_clone().unwrap());
    for bad in [
        "slash/etc/passwd",
        "dir/up/project/dir/file",
        "magic/etc/passwd",
        "dir/good",
        "slash",
        "magic/proc/self/environ",
    ] {
        let refusal = root.read(&path(bad)).unwrap_err();
        assert!(matches!(refusal, FileError::NotAFile { .. }), "{bad}: {refusal}");
        assert!(root.write(&path(bad), b"x").is_err(), "{bad}");
        assert!(root.list(Some(&path(bad))).is_err(), "{bad}");
    }
    assert!(root.create(&path("slash/tmp/gander-escaped"), b"x").is_err());
    assert!(root.rename(&path("dir/file"), &path("slash/tmp/gander-escaped")).is_err());
    assert!(root.delete(&path("slash/etc/passwd")).is_err());
    assert!(!Path::new("/tmp/gander-escaped").exists());

    symlink("/etc/passwd", tree.path().join("new-link")).unwrap();
    let refusal = tree.changes().unwrap_err().to_string();
    assert!(refusal.starts_with("new-link cannot be part of a change"), "{refusal}");
    fs::remove_file(tree.path().join("new-link")).unwrap();

    fs::rename(tree.path().join("dir"), tree.path().join("dir2")).unwrap();
    symlink("dir2", tree.path().join("dir")).unwrap();
    let refusal = tree.changes().unwrap_err().to_string();
    assert!(
        refusal.starts_with("dir cannot be part of a change: it is a symbolic link"),
        "{refusal}"
    );
    fs::remove_file(tree.path().join("dir")).unwrap();
    fs::rename(tree.path().join("dir2"), tree.path().join("dir")).unwrap();

    fs::remove_file(tree.path().join("slash")).unwrap();
    symlink("/etc", tree.path().join("slash")).unwrap();
    let refusal = tree.changes().unwrap_err().to_string();
    assert!(
        refusal.contains("slash cannot be part of a change: it is a changed symbolic"),
        "{refusal}"
    );
    fs::remove_file(tree.path().join("slash")).unwrap();
    let changes = tree.changes().unwrap();
    assert!(matches!(changes.patch.changes[&path("slash")], Change::Delete { .. }));
}

#[tokio::test]
async fn swapping_a_directory_for_a_link_while_we_look_wins_nothing() {
    let project = Project::new();
    project.has("dir/file", "inside");
    project.commit();
    let tree = project.exported().await;
    let outside = project.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "SECRET").unwrap();
    let (place, aside) = (tree.path().join("dir"), project.directory.path().join("aside"));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    symlink(&outside, &aside).unwrap();
    let racer = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let (here, swap) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
            rustix::fs::renameat_with(here, &place, here, &aside, swap).unwrap();
        }
    });
    let root = Root::new(tree.root().try_clone().unwrap());
    let mut read = 0;
    for round in 0..20_000 {
        if let Ok(content) = root.read(&path("dir/file")) {
            assert_eq!(content, "inside");
            read += 1;
        }
        let _ = root.create(&path("dir/new"), b"mine");
        let _ = root.delete(&path("dir/new"));
        if round % 100 == 0
            && let Ok(changes) = tree.changes()
        {
            let shown = format!("{:?}", changes.patch);
            assert!(!shown.contains("SECRET"), "{shown}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    racer.join().unwrap();
    assert!(read > 0, "the race left nothing to read");
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["file"], "something was written outside");
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"SECRET");
}

#[tokio::test]
async fn pipes_sockets_and_second_names_are_refused_by_name_and_nothing_hangs() {
    let project = Project::new();
    project.has("a", "a").has("b", "b").has(".gitignore", "ignored/\n");
    project.commit();
    let tree = project.exported().await;
    let root = Root::new(tree.root().try_clone().unwrap());
    let at = |name: &str| tree.path().join(name);
    let refused = |name: &str, what: &str| {
        let refusal = tree.changes().unwrap_err().to_string();
        assert!(refusal.contains(&format!("{name} cannot be part")), "{refusal}");
        assert!(refusal.contains(what), "{refusal}");
        let refusal = root.read(&path(name)).unwrap_err().to_string();
        assert!(refusal.contains(what), "{refusal}");
        fs::remove_file(at(name)).unwrap();
    };
    let fifo = |name: &str| {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at(name),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
    };
    fifo("pipe");
    refused("pipe", "a named pipe");
    fs::remove_file(at("a")).unwrap();
    fifo("a");
    refused("a", "a named pipe");
    fs::write(at("a"), "a").unwrap();
    let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    refused("socket", "a socket");
    drop(socket);
    let outside = project.directory.path().join("outside");
    fs::write(&outside, "SECRET").unwrap();
    fs::hard_link(&outside, at("second")).unwrap();
    refused("second", "a hard link");
    fs::remove_file(at("b")).unwrap();
    fs::hard_link(&outside, at("b")).unwrap();
    assert!(root.write(&path("b"), b"x").is_err());
    refused("b", "a hard link");
    fs::write(at("b"), "b").unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"SECRET");

    fs::create_dir(at("ignored")).unwrap();
    fifo("ignored/pipe");
    assert!(tree.changes().unwrap().patch.is_empty(), "what is ignored may be anything");
}

#[tokio::test]
async fn names_that_are_no_text_are_exported_byte_for_byte_and_cannot_change() {
    let project = Project::new();
    let odd = OsStr::from_bytes(b"caf\xe9\n.txt");
    project.has(odd, "latin").has("plain", "x").has("CON", "device").has("tail. ", "dots");
    project.commit();
    let tree = project.exported().await;
    assert_eq!(fs::read(tree.path().join(odd)).unwrap(), b"latin");
    assert!(tree.changes().unwrap().patch.is_empty());
    fs::write(tree.path().join(odd), "other").unwrap();
    let refusal = tree.changes().unwrap_err().to_string();
    assert!(refusal.contains("not valid UTF-8"), "{refusal}");
    assert!(!refusal.contains('\n'));
    fs::remove_file(tree.path().join(odd)).unwrap();
    assert!(tree.changes().is_err(), "its deletion cannot be written down either");
    fs::write(tree.path().join(odd), "latin").unwrap();
    fs::write(tree.path().join(OsStr::from_bytes(b"new\xff")), "x").unwrap();
    assert!(matches!(tree.changes(), Err(PatchError::BadPath { .. })));
}

#[tokio::test]
async fn a_file_of_two_hundred_megabytes_passes_through_without_filling_memory() {
    let story = "workspace::a_file_of_two_hundred_megabytes_passes_through_without_filling_memory";
    if told_alone(story) {
        return;
    }
    let project = Project::new();
    fs::create_dir_all(project.path()).unwrap();
    File::create(project.path().join("huge")).unwrap().set_len(200 << 20).unwrap();
    project.git(&["config", "core.bigFileThreshold", "1m"]);
    project.has("early", "old").has("small", "x");
    project.commit();
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = peak();
    let tree = project.exported().await;
    assert_eq!(fs::metadata(tree.path().join("huge")).unwrap().len(), 200 << 20);
    assert!(tree.changes().unwrap().patch.is_empty());
    let grown = peak() - before;
    assert!(grown < 80 * 1024, "memory grew by {grown} kB");

    // Written long before the export ended, so its times are trusted. They tell who hides, too.
    let early = tree.path().join("early");
    let time = fs::metadata(&early).unwrap().modified().unwrap();
    fs::write(&early, "new").unwrap();
    File::options().write(true).open(&early).unwrap().set_modified(time).unwrap();
    let changes = tree.changes().unwrap();
    assert_eq!(changes.patch.changes.keys().collect::<Vec<_>>(), [&path("early")]);

    let huge = File::options().append(true).open(tree.path().join("huge")).unwrap();
    huge.set_len((200 << 20) + 1).unwrap();
    let refusal = tree.changes().unwrap_err().to_string();
    assert!(refusal.contains("larger than") && refusal.contains("huge"), "{refusal}");
    let root = Root::new(tree.root().try_clone().unwrap());
    assert!(matches!(root.read(&path("huge")), Err(FileError::TooLarge { .. })));
}

#[tokio::test]
async fn a_nearly_full_disk_is_left_to_others_and_named() {
    let project = Project::new();
    project.has("a", "a");
    let commit = project.commit();
    let here = project.path();
    let bare = project.directory.path().join("cache/1.git");
    let packs = || fs::read_dir(bare.join("objects/pack")).unwrap().count();
    // As if all that is free were to be left.
    let full = project.mirror().await.leaving(u64::MAX);
    let refusal = fetch(&full, Source::Path(&here), Want::Head).await.unwrap_err();
    assert!(matches!(refusal, MirrorError::NoRoom(_)), "{refusal}");
    assert!(refusal.to_string().contains("make room where"), "{refusal}");
    assert_eq!(packs(), 0, "what had come takes no room");
    // Someone makes room.
    let (mirror, fetched) = project.fetched().await;
    assert_eq!(fetched, commit);
    // It fills up again before the files are written.
    let refusal = project.export(&full, &commit, "tree").await.err().unwrap();
    assert!(matches!(refusal, ExportError::Mirror(MirrorError::NoRoom(_))), "{refusal}");
    assert!(!project.directory.path().join("tree").exists());
    assert!(project.export(&mirror, &commit, "tree").await.is_ok());
}

#[tokio::test]
async fn an_empty_repository_and_a_missing_branch_are_told_apart() {
    let project = Project::new();
    let mirror = project.mirror().await;
    let here = project.path();
    let main: Branch = "main".parse().unwrap();
    for want in [Want::Head, Want::Branch(&main)] {
        let refusal = fetch(&mirror, Source::Path(&here), want).await.unwrap_err();
        assert!(matches!(refusal, MirrorError::Empty), "{refusal}");
    }
    project.has("a", "a");
    let commit = project.commit();
    assert_eq!(fetch(&mirror, Source::Path(&here), Want::Branch(&main)).await.unwrap(), commit);
    let other: Branch = "other".parse().unwrap();
    let refusal = fetch(&mirror, Source::Path(&here), Want::Branch(&other)).await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the repository has no branch other; it may have been renamed or deleted"
    );
    let nowhere = project.directory.path().join("nowhere");
    let refusal = fetch(&mirror, Source::Path(&nowhere), Want::Head).await.unwrap_err();
    assert!(matches!(refusal, MirrorError::Git(_)), "{refusal}");
    // The branch `other` is gone, and `other/thing` may take its name.
    project.git(&["branch", "other"]);
    fetch(&mirror, Source::Path(&here), Want::Branch(&other)).await.unwrap();
    project.git(&["branch", "-D", "other"]);
    project.git(&["branch", "other/thing"]);
    let thing: Branch = "other/thing".parse().unwrap();
    let complete = project.directory.path().join("cache/1.git/gander-complete");
    fs::write(&complete, "this very mirror").unwrap();
    fetch(&mirror, Source::Path(&here), Want::Branch(&thing)).await.unwrap();
    assert_eq!(fs::read(&complete).unwrap(), b"this very mirror", "all was fetched anew");
}

#[tokio::test]
async fn a_mirror_serves_many_at_once_and_mends_itself() {
    let project = Project::new();
    project.has("a", "one");
    let first = project.commit();
    project.has("a", "two");
    let second = project.commit();
    let (mirror, here) = (project.mirror().await, project.path());
    let main: Branch = "main".parse().unwrap();
    let jobs = (0..6).map(|_| fetch(&mirror, Source::Path(&here), Want::Branch(&main)));
    for done in futures_util::future::join_all(jobs).await {
        assert_eq!(done.unwrap(), second);
    }
    assert!(fetch(&mirror, Source::Path(&here), Want::Commit(&first)).await.is_ok());
    let nowhere = project.directory.path().join("nowhere");
    let known = fetch(&mirror, Source::Path(&nowhere), Want::Commit(&first)).await;
    assert_eq!(known.unwrap(), first, "a known commit needs no network");
    assert_eq!(mirror.read_file(&first, &path("a"), 10).unwrap().unwrap(), b"one");
    assert_eq!(mirror.read_file(&second, &path("b"), 10).unwrap(), None);
    assert!(matches!(
        mirror.read_file(&second, &path("a"), 2),
        Err(MirrorError::TooLarge { size: 3, limit: 2, .. })
    ));

    let full = mirror.fetch(
        Source::Path(&here),
        Want::Branch(&main),
        History::Full,
        Duration::from_secs(60),
    );
    assert_eq!(full.await.unwrap(), second);
    let bare = project.directory.path().join("cache/1.git");
    let log = git_in(&bare, &["--git-dir=.", "rev-list", "--count", second.as_str()]);
    assert_eq!(log.stdout, b"2\n");
    fetch(&mirror, Source::Path(&here), Want::Branch(&main)).await.unwrap();
    let log = git_in(&bare, &["--git-dir=.", "rev-list", "--count", second.as_str()]);
    assert_eq!(log.stdout, b"2\n", "history that is here stays");

    // Half made: killed before it was complete. Damaged: the objects are gone.
    fs::remove_file(bare.join("HEAD")).unwrap();
    let again = fetch(&project.mirror().await, Source::Path(&here), Want::Head).await;
    assert_eq!(again.unwrap(), second);
    fs::remove_dir_all(bare.join("objects")).unwrap();
    fs::create_dir(bare.join("objects")).unwrap();
    let again = fetch(&mirror, Source::Path(&here), Want::Head).await;
    assert_eq!(again.unwrap(), second);
    fs::write(bare.join("config"), "[half a section").unwrap();
    let again = fetch(&mirror, Source::Path(&here), Want::Head).await;
    assert_eq!(again.unwrap(), second);
    assert_eq!(project.export(&mirror, &second, "tree").await.unwrap().entries().len(), 1);
    fs::remove_dir_all(bare.join("objects")).unwrap();
    fs::create_dir(bare.join("objects")).unwrap();
    assert!(project.export(&mirror, &second, "broken").await.is_err());
}

#[tokio::test]
async fn bad_keys_and_addresses_never_reach_git() {
    let directory = tempfile::tempdir().unwrap();
    for key in ["", "../x", "a/b", ".hidden", "-x y"] {
        let refusal = Mirror::open(directory.path(), key).await.unwrap_err();
        assert!(matches!(refusal, MirrorError::BadKey(_)), "{key}");
    }
    let mirror = Mirror::open(directory.path(), "7").await.unwrap();
    let token = SecretString::from("ghs_secret");
    for (bad, token) in [
        ("ssh://example.org/x", None),
        ("ext::sh -c x", None),
        ("file:///etc", None),
        ("https://user:pass@example.org/x", None),
        ("http://example.org/x", Some(&token)),
    ] {
        let url = Url::parse(bad).unwrap();
        let source = Source::Url { url: &url, addresses: &[LOCAL], token };
        let refusal = fetch(&mirror, source, Want::Head).await.unwrap_err();
        assert!(matches!(refusal, MirrorError::BadUrl(_)), "{bad}: {refusal}");
        assert!(!refusal.to_string().contains("pass"));
    }
}

#[tokio::test]
async fn the_token_reaches_its_server_and_leaves_no_other_trace() {
    let directory = tempfile::tempdir().unwrap();
    let mirror = Mirror::open(&directory.path().join("cache"), "7").await.unwrap();
    let token = SecretString::from("ghs_0123456789secret");
    let encoded = "eC1hY2Nlc3MtdG9rZW46Z2hzXzAxMjM0NTY3ODlzZWNyZXQ=";
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let redirect = format!("http://{}/steal", other.local_addr().unwrap());
    let server = SlowServer::start(format!(
        "HTTP/1.1 302 Found\r\nLocation: {redirect}\r\nContent-Length: 0\r\n\r\n"
    ));
    let url = Url::parse(&format!("http://{}/acme/app.git", server.address)).unwrap();
    let watching = tokio::task::spawn_blocking(move || {
        let request = server.requests.recv().unwrap();
        let processes = command_lines();
        // It asks again to learn why it was refused.
        (0..4).for_each(|_| server.answer.send(()).unwrap());
        (request, processes, server)
    });
    let source = Source::Url { url: &url, addresses: &[], token: Some(&token) };
    let failure = fetch(&mirror, source, Want::Head).await.unwrap_err();
    let (request, processes, server) = watching.await.unwrap();
    assert!(request.contains(&format!("Authorization: Basic {encoded}")), "{request}");
    assert!(request.starts_with("GET /acme/app.git/info/refs"), "{request}");
    let program = format!("User-Agent: gander/{}\r\n", env!("CARGO_PKG_VERSION"));
    assert!(request.contains(&program), "GitHub is told who asks: {request}");
    assert!(processes.iter().any(|line| line.contains("acme/app.git")), "nobody was fetching");
    for line in &processes {
        assert!(!line.contains("ghs_0123") && !line.contains(encoded), "{line}");
    }
    let failure = format!("{failure:?}");
    assert!(!failure.contains("ghs_0123") && !failure.contains(encoded), "{failure}");
    for (file, (_, content)) in everything(directory.path()) {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("ghs_0123") && !text.contains(encoded), "{}", file.display());
    }
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "the redirect was followed");
    drop(server);
}

#[tokio::test]
async fn git_connects_where_the_egress_rules_say_and_looks_up_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let mirror = Mirror::open(&directory.path().join("cache"), "7").await.unwrap();
    let server = SlowServer::start("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into());
    // No name server knows it.
    let port = server.address.port();
    let url = Url::parse(&format!("http://git.invalid:{port}/acme/app.git")).unwrap();
    (0..4).for_each(|_| server.answer.send(()).unwrap());
    let source = Source::Url { url: &url, addresses: &[LOCAL], token: None };
    fetch(&mirror, source, Want::Head).await.unwrap_err();
    let request = server.requests.try_recv().expect("git did not come");
    assert!(request.contains(&format!("Host: git.invalid:{port}")), "{request}");
    let nowhere = Source::Url { url: &url, addresses: &[], token: None };
    let refusal = fetch(&mirror, nowhere, Want::Head).await.unwrap_err();
    assert!(matches!(refusal, MirrorError::BadUrl(_)), "{refusal}");
}

#[tokio::test]
async fn a_fetch_that_is_given_up_leaves_no_process_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mirror = Mirror::open(&directory.path().join("cache"), "7").await.unwrap();
    let server = SlowServer::start(String::new());
    let url = Url::parse(&format!("http://{}/given/up.git", server.address)).unwrap();
    let fetching = |limit| {
        let source = Source::Url { url: &url, addresses: &[], token: None };
        mirror.fetch(source, Want::Head, History::Tip, limit)
    };
    let (requests, requested) = (server.requests, tokio::sync::oneshot::channel());
    std::thread::spawn(move || requested.0.send(requests.recv().unwrap()));
    tokio::select! {
        done = fetching(Duration::from_secs(60)) => panic!("it ended: {done:?}"),
        _ = requested.1 => {}
    }
    let alive = || command_lines().into_iter().any(|line| line.contains("given/up.git"));
    for _ in 0..2000 {
        if !alive() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(!alive(), "git outlived its fetch");

    let refusal = fetching(Duration::from_millis(50)).await.unwrap_err();
    let cause = std::error::Error::source(&refusal).unwrap().to_string();
    assert!(cause.starts_with("git took longer than"), "{cause}");
    server.answer.send(()).unwrap();
}

/// Takes one connection, tells what came, and answers when it is told to.
struct SlowServer {
    address: std::net::SocketAddr,
    requests: mpsc::Receiver<String>,
    answer: mpsc::Sender<()>,
}

impl SlowServer {
    fn start(response: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requested, requests) = mpsc::channel();
        let (answer, answered) = mpsc::channel();
        std::thread::spawn(move || {
            let mut open: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
                        _ => break,
                    }
                }
                let _ = requested.send(String::from_utf8_lossy(&request).into_owned());
                if response.is_empty() {
                    open.push(stream);
                    continue;
                }
                if answered.recv().is_err() {
                    return;
                }
                let _ = stream.write_all(response.as_bytes());
            }
        });
        Self { address, requests, answer }
    }
}

/// What every process of this machine was started with.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

#[tokio::test]
async fn a_patch_is_laid_whole_or_not_at_all() {
    let project = Project::new();
    project.has("a", "a").has("dir/b", "b").has("dir/c", "c").has("other/d", "d");
    project.commit();
    let (mirror, commit) = project.fetched().await;
    let tree = project.export(&mirror, &commit, "tree").await.unwrap();
    let oid = |name: &str| {
        &tree.entries().iter().find(|entry| entry.path == name.as_bytes()).unwrap().oid
    };
    let before = everything(tree.path());
    let delete = |name: &str| Change::Delete { replaces: oid(name).clone() };

    // In the middle of it a directory stands where a file must go.
    let stuck = patch_of([
        ("a", write("new a", Some(oid("a")))),
        ("dir/b", delete("dir/b")),
        ("dir/c", delete("dir/c")),
        ("new/deep/file", write("x", None)),
        ("other", write("not a directory", None)),
    ]);
    let refusal = tree.apply(&stuck).unwrap_err();
    assert!(matches!(refusal, PatchError::Io { .. }), "{refusal}");
    assert_eq!(everything(tree.path()), before, "the tree is not as it was");

    let elsewhere = patch_of([("a", write("new", Some(oid("dir/b"))))]);
    let refusal = tree.apply(&elsewhere).unwrap_err();
    assert!(matches!(refusal, PatchError::BaseDiffers { .. }), "{refusal}");
    let unexpected = patch_of([("a", write("new", None))]);
    assert!(matches!(tree.apply(&unexpected), Err(PatchError::BaseDiffers { .. })));
    fs::write(tree.path().join("a"), "z").unwrap();
    let changed = patch_of([("a", write("new", Some(oid("a"))))]);
    assert!(matches!(tree.apply(&changed), Err(PatchError::BaseDiffers { .. })));
    fs::write(tree.path().join("a"), "a").unwrap();
    assert_eq!(everything(tree.path()), before);

    // A file takes the place of a directory, and a directory that of a file.
    let swap = patch_of([
        ("a", delete("a")),
        ("a/b", write("below a", None)),
        ("dir", write("was a directory", None)),
        ("dir/b", delete("dir/b")),
        ("dir/c", delete("dir/c")),
    ]);
    patch::check(&swap, tree.entries(), &PathRules::default(), Caps::default()).unwrap();
    tree.apply(&swap).unwrap();
    assert_eq!(fs::read(tree.path().join("a/b")).unwrap(), b"below a");
    assert_eq!(tree.changes().unwrap().patch, swap);
    let stored = serde_json::to_string(&swap).unwrap();
    let loaded: Patch = serde_json::from_str(&stored).unwrap();
    assert_eq!(loaded.digest(), swap.digest());
}

#[tokio::test]
async fn a_patch_is_held_against_the_rules_before_anyone_sees_it() {
    let project = Project::new();
    project.has("README.md", "x").has("src/a.rs", "x").has("tests/t.rs", "x");
    project.has(".config/known", "x");
    symlink("src", project.path().join("docs")).unwrap();
    project.commit();
    let tree = project.exported().await;
    let entry =
        |name: &str| tree.entries().iter().find(|entry| entry.path == name.as_bytes()).unwrap();
    assert_eq!(entry("docs").mode, EntryMode::Symlink);
    let check =
        |patch: &Patch| patch::check(patch, tree.entries(), &PathRules::default(), Caps::default());
    let refusal = |changes: [(&str, Change); 1]| check(&patch_of(changes)).unwrap_err().to_string();
    for name in [".github/workflows/x.yml", ".GitHub/x", "CODEOWNERS", ".gitmodules"] {
        let refusal = refusal([(name, write("x", None))]);
        assert!(refusal.starts_with(&format!("{name} must not be changed")), "{refusal}");
    }
    assert!(refusal([("readme.MD", write("x", None))]).contains("same file"));
    assert!(refusal([("SRC/b.rs", write("x", None))]).contains("same file"));
    assert!(refusal([("src", write("x", None))]).contains("a file and a directory"));
    assert!(refusal([("docs/x", write("x", None))]).contains("a file and a directory"));
    let large = "x".repeat((1 << 20) + 1);
    assert!(refusal([("large", write(&large, None))]).contains("larger than 1048576"));
    let many = (0..101).map(|n| (path(&format!("n{n}")), write("", None))).collect();
    let many = check(&Patch { changes: many }).unwrap_err().to_string();
    assert!(many.starts_with("the change touches 101 files; at most 100 are taken"), "{many}");
    // A new spelling is fine when the old one goes.
    let moved = patch_of([
        ("README.md", Change::Delete { replaces: entry("README.md").oid.clone() }),
        ("readme.md", write("x", None)),
    ]);
    assert!(check(&moved).unwrap().is_empty());

    let executable = Change::Write { mode: FileMode::Executable, content: vec![0], replaces: None };
    let flagged = check(&patch_of([
        (".config/known", write("y", Some(&entry(".config/known").oid))),
        (".new/dir", write("x", None)),
        ("Cargo.toml", write("x", None)),
        ("docs", write("x", Some(&entry("docs").oid))),
        ("run", executable),
        ("tests/t.rs", Change::Delete { replaces: entry("tests/t.rs").oid.clone() }),
    ]))
    .unwrap();
    let told: Vec<String> = flagged.iter().map(|f| format!("{} {}", f.path, f.reason)).collect();
    assert_eq!(
        told,
        [
            ".new/dir is in a new hidden directory",
            "Cargo.toml names the project's dependencies",
            "docs was a symbolic link",
            "run can be run now",
            "run is not text",
            "tests/t.rs deletes a test",
        ]
    );
    let tests = [
        ("tests/t.rs", write("y", Some(&entry("tests/t.rs").oid))),
        ("tests/new.rs", write("x", None)),
    ];
    let told = check(&patch_of(tests)).unwrap();
    let told: Vec<String> = told.iter().map(|f| format!("{} {}", f.path, f.reason)).collect();
    assert_eq!(told, ["tests/t.rs changes a test that was there"]);
    let parts = ["x/HEAD", "x/objects/a", "x/refs/a"].map(|path| (path, write("x", None)));
    let refused = check(&patch_of(parts)).unwrap_err().to_string();
    assert!(refused.contains("takes its directory for a repository"), "{refused}");
}

#[tokio::test]
async fn git_takes_our_diff_and_arrives_at_the_same_tree() {
    let project = Project::new();
    let long: String = (1..60).map(|n| format!("line {n}\n")).collect();
    project
        .has("long.txt", &long)
        .has("no-newline", "a\nb")
        .has("gets-newline", "a\nb")
        .has("loses-newline", "a\nb\n")
        .has("gone", "bye\n")
        .has("gone-empty", "")
        .has("run", "#!/bin/sh\n")
        .has("both", "x\n")
        .has("crlf", "a\r\nb\r\n")
        .has("latin", b"caf\xe9\n")
        .has("with space/and \"quotes\"", "q\n")
        .has("é", "accent\n");
    symlink("gone", project.path().join("link")).unwrap();
    project.commit();
    let (mirror, commit) = project.fetched().await;
    let tree = project.export(&mirror, &commit, "tree").await.unwrap();
    let at = |name: &str| tree.path().join(name);
    let longer = long.replace("line 5\n", "").replace("line 30\n", "line 30\nline 30a\n");
    fs::write(at("long.txt"), longer + "last").unwrap();
    fs::write(at("no-newline"), "a\nc").unwrap();
    fs::write(at("gets-newline"), "a\nb\n").unwrap();
    fs::write(at("loses-newline"), "a\nb").unwrap();
    fs::remove_file(at("gone")).unwrap();
    fs::remove_file(at("gone-empty")).unwrap();
    fs::set_permissions(at("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(at("both"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("both"), "y\n").unwrap();
    fs::write(at("crlf"), "a\r\nc\r\n").unwrap();
    fs::write(at("latin"), b"caf\xe8\n").unwrap();
    fs::write(at("with space/and \"quotes\""), "r\n").unwrap();
    fs::write(at("é"), "other\n").unwrap();
    fs::write(at("new"), "brand\nnew\n").unwrap();
    fs::write(at("new empty"), "").unwrap();
    fs::remove_file(at("link")).unwrap();
    fs::write(at("link"), "now a file\n").unwrap();

    let patch = tree.changes().unwrap().patch;
    let base = diff::base_files(&mirror, tree.entries(), &patch).unwrap();
    let text = diff::unified(&patch, &base);
    let file = project.directory.path().join("change.patch");
    fs::write(&file, &text).unwrap();
    project.git(&["apply", "--check", "--whitespace=nowarn", file.to_str().unwrap()]);
    project.git(&["apply", "--index", "--whitespace=nowarn", file.to_str().unwrap()]);
    let applied = project.git(&["write-tree"]);
    project.git(&["reset", "-q", "--hard"]);
    for (name, change) in &patch.changes {
        let file = project.path().join(name.as_str());
        let _ = fs::remove_file(&file);
        if let Change::Write { mode, content, .. } = change {
            fs::write(&file, content).unwrap();
            let bits = if *mode == FileMode::Executable { 0o755 } else { 0o644 };
            fs::set_permissions(&file, fs::Permissions::from_mode(bits)).unwrap();
        }
    }
    project.git(&["add", "-A"]);
    assert_eq!(applied, project.git(&["write-tree"]), "{}", String::from_utf8_lossy(&text));

    let binary = patch_of([(
        "image",
        Change::Write { mode: FileMode::File, content: vec![0, 1], replaces: None },
    )]);
    let text = diff::unified(&binary, &BTreeMap::new());
    assert_eq!(text, b"# left out, as it is not text: image\n");
}

#[tokio::test]
async fn git_takes_a_patch_of_binary_files_forwards_and_backwards() {
    let project = Project::new();
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    project.has("changed.png", &noise).has("gone.png", [0, 1, 2]).has("tool", b"\0ELF");
    project.has("was.bin", [0; 300]).has("was.txt", "text\n").has("empty.bin", "");
    project.has("with space/b.bin", [0, 9]).has("text", "a\n");
    project.commit();
    let (mirror, commit) = project.fetched().await;
    let tree = project.export(&mirror, &commit, "tree").await.unwrap();
    let at = |name: &str| tree.path().join(name);
    let mut other = noise.clone();
    other[50_000] ^= 0xff;
    fs::write(at("changed.png"), &other).unwrap();
    fs::remove_file(at("gone.png")).unwrap();
    fs::set_permissions(at("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("was.bin"), "text now\n").unwrap();
    fs::write(at("was.txt"), b"\0").unwrap();
    fs::set_permissions(at("was.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("empty.bin"), [0, 0]).unwrap();
    fs::write(at("with space/b.bin"), [0; 53]).unwrap();
    fs::write(at("new.bin"), noise.repeat(3)).unwrap();
    fs::write(at("text"), "b\n").unwrap();

    let patch = tree.changes().unwrap().patch;
    let base = diff::base_files(&mirror, tree.entries(), &patch).unwrap();
    let text = diff::applicable(&patch, &base, &commit).unwrap();
    let file = project.directory.path().join("change.patch");
    fs::write(&file, &text).unwrap();
    project.git(&["apply", "--index", file.to_str().unwrap()]);
    let applied = everything(&project.path());
    for (name, (mode, content)) in everything(tree.path()) {
        let found = applied.get(&name).unwrap_or_else(|| panic!("no {}", name.display()));
        assert_eq!(found.0 & 0o100, mode & 0o100, "{}", name.display());
        assert!(found.1 == content, "{}", name.display());
    }
    assert!(!project.path().join("gone.png").exists());
    project.git(&["apply", "--index", "-R", file.to_str().unwrap()]);
    assert_eq!(project.git(&["status", "--porcelain"]), "", "not as it was");

    // What is only new names no object of the repository, whatever its names look like.
    for format in ["sha1", "sha256"] {
        let project = Project::new();
        fs::remove_dir_all(project.path().join(".git")).unwrap();
        project.git(&["init", "-q", "-b", "main", &format!("--object-format={format}")]);
        let commit = project.has("a", "a").commit();
        let new = patch_of([("only/new.bin", write("\0", None))]);
        let file = project.directory.path().join("change.patch");
        fs::write(&file, diff::applicable(&new, &BTreeMap::new(), &commit).unwrap()).unwrap();
        project.git(&["apply", "--index", file.to_str().unwrap()]);
        assert_eq!(fs::read(project.path().join("only/new.bin")).unwrap(), b"\0", "{format}");
    }
}

#[tokio::test]
async fn the_size_of_a_change_is_what_it_adds_and_removes() {
    let project = Project::new();
    let lock: String = (0..60_000).map(|n| format!("package {n} 1.0.{n} of it\n")).collect();
    assert!(lock.len() > 1_600_000, "{}", lock.len());
    project.has("web/package-lock.json", &lock).has("image", vec![0; 1_100_000]);
    project.commit();
    let tree = project.exported().await;
    let oid = |name: &str| {
        &tree.entries().iter().find(|entry| entry.path == name.as_bytes()).unwrap().oid
    };
    let check =
        |patch: &Patch| patch::check(patch, tree.entries(), &PathRules::default(), Caps::default());
    let name = "web/package-lock.json";
    let bumped = lock.replace("package 7 1.0.7 of it", "package 7 1.0.8 of it");
    check(&patch_of([(name, write(&bumped, Some(oid(name))))])).unwrap();
    let executable = Change::Write {
        mode: FileMode::Executable,
        content: vec![0; 1_100_000],
        replaces: Some(oid("image").clone()),
    };
    check(&patch_of([("image", executable)])).unwrap();

    for (content, replaces, name) in [
        (lock.replace("of it", "of that"), Some(oid(name)), name),
        (lock.clone(), None, "other.lock"),
        ("\0".repeat(1_200_000), Some(oid("image")), "image"),
    ] {
        let change = patch_of([("small", write("x", None)), (name, write(&content, replaces))]);
        let refusal = check(&change).unwrap_err().to_string();
        assert!(refusal.contains("larger than 1048576 bytes"), "{refusal}");
        assert!(refusal.contains(name), "{refusal}");
        assert!(refusal.contains("limits.patch_kib"), "{refusal}");
    }
    let many = (0..101).map(|n| (path(&format!("n{n}")), write("", None))).collect();
    let refusal = check(&Patch { changes: many }).unwrap_err().to_string();
    assert!(refusal.contains("limits.files"), "{refusal}");
}

#[tokio::test]
async fn two_spellings_in_the_base_block_only_what_adds_to_them() {
    let project = Project::new();
    project.has("README.md", "x").has("readme.md", "y").has("Src/a.rs", "x").has("src/b.rs", "x");
    project.commit();
    let tree = project.exported().await;
    let oid = |name: &str| {
        &tree.entries().iter().find(|entry| entry.path == name.as_bytes()).unwrap().oid
    };
    let check =
        |patch: &Patch| patch::check(patch, tree.entries(), &PathRules::default(), Caps::default());
    for changes in [
        [("README.md", write("new", Some(oid("README.md"))))],
        [("readme.md", Change::Delete { replaces: oid("readme.md").clone() })],
        [("Src/a.rs", write("new", Some(oid("Src/a.rs"))))],
        [("Src/c.rs", write("new", None))],
    ] {
        check(&patch_of(changes)).unwrap();
    }
    for added in ["ReadMe.md", "SRC/c.rs", "Src/A.rs"] {
        let refusal = check(&patch_of([(added, write("x", None))])).unwrap_err();
        assert!(matches!(refusal, PatchError::Collision { .. }), "{added}: {refusal}");
    }
    // Each directory has its own spelling of the new name.
    let both = patch_of([("Src/n.rs", write("x", None)), ("src/N.rs", write("x", None))]);
    assert!(matches!(check(&both), Err(PatchError::Collision { .. })));
}

#[tokio::test]
async fn a_file_that_git_converts_may_move_or_go_and_is_not_written() {
    let project = Project::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    project.has(".gitattributes", "*.bin filter=lfs -text\n*.txt text\n").has("a.bin", pointer);
    project.has("dos.txt", "a\r\nb\r\n").has("unix.txt", "a\n").has("plain", "a\n");
    project.commit();
    // As it came in before the attribute did.
    let dos = project.git(&["hash-object", "-w", "--no-filters", "dos.txt"]);
    project.git(&["update-index", "--cacheinfo", &format!("100644,{dos},dos.txt")]);
    project.git(&["commit", "-q", "-m", "dos"]);
    let (mirror, commit) = project.fetched().await;
    let changed = async |name: &str, change: &dyn Fn(&Path)| {
        let tree = project.export(&mirror, &commit, name).await.unwrap();
        change(tree.path());
        let patch = tree.changes().unwrap().patch;
        assert!(!patch.is_empty(), "{name}");
        patch::check(&patch, tree.entries(), &PathRules::default(), Caps::default())
    };
    let has = |name: &'static str, content: &'static str| {
        move |tree: &Path| fs::write(tree.join(name), content).unwrap()
    };
    let moves = |tree: &Path| fs::rename(tree.join("a.bin"), tree.join("b.bin")).unwrap();
    changed("moves", &moves).await.unwrap();
    changed("goes", &|tree| fs::remove_file(tree.join("a.bin")).unwrap()).await.unwrap();
    let runs = |tree: &Path| {
        fs::set_permissions(tree.join("a.bin"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    changed("runs", &runs).await.unwrap();
    changed("stays-dos", &has("dos.txt", "a\r\nc\r\n")).await.unwrap();
    changed("plain", &has("plain", "a\r\n")).await.unwrap();
    for (name, content, why) in [
        ("a.bin", "content", "filter=lfs"),
        ("new.bin", "content", "filter=lfs"),
        ("unix.txt", "a\r\n", "CRLF"),
        ("new.txt", "a\r\n", "CRLF"),
    ] {
        let refusal = changed(&format!("bad-{name}"), &has(name, content)).await.unwrap_err();
        assert!(matches!(refusal, PatchError::Converted { .. }), "{refusal}");
        let refusal = refusal.to_string();
        assert!(refusal.starts_with(name) && refusal.contains(why), "{refusal}");
    }
}

#[tokio::test]
async fn what_commands_leave_behind_is_no_part_of_the_change() {
    let project = Project::new();
    project.has("src/lib.py", "x\n").has("web/dist/kept.js", "x\n");
    project.commit();
    let tree = project.exported().await;
    let left = [
        ".coverage",
        ".coverage.host.1.2",
        "coverage.xml",
        "core.4711",
        "src/lib.py.orig",
        "src/lib.py.rej",
        "src/lib.pyc",
        "htmlcov/index.html",
        "dist/x.whl",
        "pkg/build/lib/x.py",
        "x.egg-info/PKG-INFO",
        ".mypy_cache/x",
        ".ruff_cache/x",
        ".tox/x",
        "src/__pycache__/x.pyc",
    ];
    let made = ["out.json", ".coveragerc", "core.py", "src/original", "web/dist/new.js"];
    for name in left.iter().chain(&made) {
        let file = tree.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "left behind").unwrap();
    }
    fs::write(tree.path().join("web/dist/kept.js"), "changed\n").unwrap();
    let changes = tree.changes().unwrap();
    let mut expected: Vec<&str> = made.to_vec();
    expected.push("web/dist/kept.js");
    expected.sort_unstable();
    let names: Vec<&str> = changes.patch.changes.keys().map(RepoPath::as_str).collect();
    assert_eq!(names, expected);
    for gone in [".coverage", "core.4711", "dist/", "pkg/build/", "x.egg-info/", "htmlcov/"] {
        assert!(changes.left_out.iter().any(|name| name == gone), "{gone}: {:?}", changes.left_out);
    }
    let by_commands: Vec<&str> = changes.by_commands.iter().map(RepoPath::as_str).collect();
    let mut made = made.to_vec();
    made.sort_unstable();
    assert_eq!(by_commands, made, "all of them, as no edit told of any");

    for number in 0..60 {
        fs::write(tree.path().join(format!("{number}.orig")), "").unwrap();
    }
    let wanted = ["0.orig", "dist/wanted", "node_modules/mine/a.js"].map(path);
    for wanted in &wanted {
        let file = tree.path().join(wanted.as_str());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "by an edit").unwrap();
        tree.origins().edited(wanted).unwrap();
    }
    let changes = tree.changes().unwrap();
    for wanted in &wanted {
        assert!(changes.patch.changes.contains_key(wanted), "{wanted}");
        assert!(!changes.by_commands.contains(wanted), "{wanted}");
    }
    assert!(!changes.patch.changes.contains_key(&path("dist/x.whl")));
    let last = changes.left_out.last().unwrap();
    assert!(last.starts_with("and ") && last.ends_with(" more"), "{last}");
}

#[tokio::test]
async fn a_commit_that_no_honest_git_makes_is_refused() {
    let project = Project::new();
    let blob = {
        project.has("x", "x");
        project.git(&["hash-object", "-w", "x"])
    };
    for (name, why) in [("..", "leads out"), (".git", "own directory"), (".GIT", "own directory")] {
        let listing = format!("100644 blob {blob}\t{name}\n");
        fs::write(project.path().join("x"), listing).unwrap();
        let tree = project.git_from("x", &["mktree"]);
        let commit = project.git(&["commit-tree", &tree, "-m", "hostile"]);
        project.git(&["update-ref", "refs/heads/main", &commit]);
        let (mirror, commit) = project.fetched().await;
        let refusal = project.export(&mirror, &commit, "tree").await.err().unwrap().to_string();
        assert!(refusal.contains(why), "{name}: {refusal}");
    }
    assert!(!project.directory.path().join("x").exists());
}

#[tokio::test]
async fn a_commit_with_a_hundred_million_files_is_too_large_at_the_first_look() {
    let project = Project::new();
    project.has("x", "x");
    let mut below = format!("100644 blob {}", project.git(&["hash-object", "-w", "x"]));
    for _ in 0..8 {
        let listing: String = (0..10).map(|n| format!("{below}\t{n}\n")).collect();
        fs::write(project.path().join("x"), listing).unwrap();
        below = format!("040000 tree {}", project.git_from("x", &["mktree"]));
    }
    let tree = below.rsplit(' ').next().unwrap();
    let commit = project.git(&["commit-tree", tree, "-m", "bomb"]);
    project.git(&["update-ref", "refs/heads/main", &commit]);
    let (mirror, commit) = project.fetched().await;
    let refused = project.export(&mirror, &commit, "tree").await.err().unwrap();
    let ExportError::Mirror(MirrorError::Git(git)) = refused else { panic!("{refused:?}") };
    assert!(git.is_too_large(), "{git}");
}
