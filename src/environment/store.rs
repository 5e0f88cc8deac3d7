//! Where fetched packages are kept.
//!
//! Invariants: what decided an environment is in its name, and code of a commit had a hand only in
//! that commit's.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Environment, EnvironmentError, FetchPlan};
use crate::sandbox::ShownDirectory;
use crate::workspace::kept::{KeepError, KeptBounds, KeptDirectory, KeptPlace, KeptStore, Making};
use crate::workspace::scratch::Scratch;

const BOUNDS: KeptBounds = KeptBounds { many: 50, bytes: 24 << 30, largest: 8 << 30 };
/// Directories that tools write to inside `node_modules`.
const WRITTEN_BY_TOOLS: [&str; 4] = [".cache", ".vite", ".vite-temp", ".vitest"];

/// All that are kept below this directory.
pub(super) fn all(directory: &Path) -> KeptStore {
    KeptStore::new(directory.to_owned(), BOUNDS)
}

/// What had a hand in an environment, beside its plan.
#[derive(Serialize)]
pub(super) struct MadeBy<'a> {
    /// The commit whose code ran, if any did.
    pub(super) owner: &'a str,
    pub(super) sandbox: &'a str,
    /// Their directories: another version makes other packages.
    pub(super) toolchains: &'a [String],
}

/// The place of one environment.
pub(super) struct KeptEnvironment(KeptPlace);

/// An environment that is being made.
pub(super) struct MakingEnvironment(Making);

impl KeptEnvironment {
    pub(super) fn of(directory: &Path, plan: &FetchPlan, by: &MadeBy<'_>) -> Self {
        let key = serde_json::json!({
            "gander": env!("CARGO_PKG_VERSION"),
            "by": by,
            "plan": plan,
        });
        Self(all(directory).place(&key))
    }

    /// What is kept there, if anything is. It stays for as long as somebody holds it.
    pub(super) fn read(&self) -> Option<Environment> {
        self.0.read().map(held)
    }

    pub(super) async fn begin(
        &self,
        scratch: &Scratch,
    ) -> Result<MakingEnvironment, EnvironmentError> {
        let making = MakingEnvironment(self.0.begin(scratch).await?);
        std::fs::create_dir(making.packages())?;
        Ok(making)
    }
}

fn held(kept: KeptDirectory<Environment>) -> Environment {
    Environment { held: vec![kept.held], ..kept.what }
}

impl MakingEnvironment {
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the package manager finds as its project.
    pub(super) fn tree(&self) -> PathBuf {
        self.path().join("tree")
    }

    /// All files of the commit.
    pub(super) fn sources(&self) -> PathBuf {
        self.path().join("sources")
    }

    /// Where it puts packages.
    pub(super) fn packages(&self) -> PathBuf {
        self.0.made().join("packages")
    }

    /// Keeps each `node_modules` of the tree, to be shown in the trees of runs.
    pub(super) fn adopt_node_modules(&self) -> io::Result<Vec<ShownDirectory>> {
        let mut found = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            for entry in std::fs::read_dir(self.tree().join(&below))? {
                let entry = entry?;
                if !entry.file_type()?.is_dir() {
                    continue;
                }
                match entry.file_name() == "node_modules" {
                    true => found.push(below.join("node_modules")),
                    false => open.push(below.join(entry.file_name())),
                }
            }
        }
        found.sort();
        let kept = self.0.made().join("node_modules");
        std::fs::create_dir(&kept)?;
        let mut shown = Vec::new();
        for (number, inside) in found.iter().enumerate() {
            let ours = kept.join(number.to_string());
            std::fs::rename(self.tree().join(inside), &ours)?;
            let mut temporary = Vec::new();
            for name in WRITTEN_BY_TOOLS {
                let made = std::fs::create_dir(ours.join(name));
                let is_there = std::fs::symlink_metadata(ours.join(name))?.is_dir();
                if made.is_ok() || is_there {
                    temporary.push(name.to_owned());
                }
            }
            shown.push(ShownDirectory {
                host_dir: ours,
                mount_at: format!("/work/{}", inside.display()),
                writable: false,
                programs: None,
                temporary,
                above: None,
            });
        }
        Ok(shown)
    }

    /// Gives it its place. Where another was faster, that one counts.
    pub(super) async fn finish(
        self,
        environment: Environment,
    ) -> Result<Environment, EnvironmentError> {
        let (made, place) = (self.0.made(), self.0.place().to_owned());
        let moved = |mut shown: ShownDirectory| {
            if let Ok(inside) = shown.host_dir.strip_prefix(&made) {
                shown.host_dir = place.join(inside);
            }
            shown
        };
        let shown = environment.shown.into_iter().map(moved).collect();
        Ok(held(self.0.finish(Environment { shown, ..environment }).await?))
    }
}

impl From<KeepError> for EnvironmentError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::TooLarge(..) => {
                Self::Failed(format!("the packages cannot be kept: {error}"))
            }
            KeepError::Scratch(error) => error.into(),
            KeepError::Record(error) => error.into(),
            KeepError::Disk(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(content: &str) -> FetchPlan {
        FetchPlan {
            manager: "cargo",
            from: Vec::new(),
            files: [("Cargo.lock".to_owned(), content.into())].into(),
            fetch: Vec::new(),
            build: Vec::new(),
            env: Vec::new(),
            programs: None,
        }
    }

    fn by(owner: &str) -> MadeBy<'_> {
        MadeBy { owner, sandbox: "none", toolchains: &[] }
    }

    #[tokio::test]
    async fn what_was_not_finished_is_not_there_and_another_lock_file_is_another_environment() {
        let above = tempfile::tempdir().unwrap();
        let (scratch, kept_in) = (Scratch::below(above.path()), above.path().join("kept"));
        let kept = |content: &str| KeptEnvironment::of(&kept_in, &plan(content), &by(""));
        let owned = KeptEnvironment::of(&kept_in, &plan("a"), &by("another commit"));
        let making = kept("a").begin(&scratch).await.unwrap();
        std::fs::create_dir(making.tree()).unwrap();
        std::fs::write(making.packages().join("half"), "").unwrap();
        assert_eq!(kept("a").read(), None, "it is being made");
        drop(making);
        assert_eq!(kept("a").read(), None, "it was given up");
        let making = kept("a").begin(&scratch).await.unwrap();
        let shown = ShownDirectory {
            host_dir: making.packages(),
            mount_at: "/packages/cargo".to_owned(),
            writable: false,
            programs: None,
            temporary: Vec::new(),
            above: None,
        };
        let made = Environment { shown: vec![shown], ..Environment::default() };
        let made = making.finish(made).await.unwrap();
        assert!(made.shown[0].host_dir.is_dir(), "it is where it says");
        assert_eq!(kept("a").read(), Some(made));
        assert_eq!(kept("b").read(), None);
        assert_eq!(owned.read(), None, "code of another commit may have been at it");
        assert_eq!(std::fs::read_dir(&kept_in).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn each_node_modules_is_shown_where_it_was() {
        let above = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(above.path());
        let kept = KeptEnvironment::of(&above.path().join("kept"), &plan(""), &by(""));
        let making = kept.begin(&scratch).await.unwrap();
        for inside in ["node_modules/a/node_modules/b", "packages/x/node_modules/c"] {
            std::fs::create_dir_all(making.tree().join(inside)).unwrap();
        }
        let shown = making.adopt_node_modules().unwrap();
        let places: Vec<&str> = shown.iter().map(|it| &*it.mount_at).collect();
        assert_eq!(places, ["/work/node_modules", "/work/packages/x/node_modules"]);
        assert!(shown[0].host_dir.join("a/node_modules/b").is_dir());
        assert!(shown.iter().all(|it| !it.writable && it.host_dir.join(".cache").is_dir()));
    }
}
