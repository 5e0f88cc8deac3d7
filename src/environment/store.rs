//! Where fetched packages are kept.
//!
//! Invariants: a kept environment was made under a name of its own and got this one when it was
//! whole; what decided it is in its name; the ones that were used longest ago go.

use std::path::{Path, PathBuf};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use sha2::{Digest, Sha256};

use super::{Environment, FetchPlan};
use crate::sandbox::ShownDirectory;

/// So many environments are kept.
const MOST_KEPT: usize = 50;
/// What is known of a kept environment, in its directory.
const RECORD: &str = "environment.json";
/// Directories that tools write to inside `node_modules`.
const WRITTEN_BY_TOOLS: [&str; 4] = [".cache", ".vite", ".vite-temp", ".vitest"];

/// The place of one environment.
pub(super) struct KeptEnvironment(PathBuf);

/// An environment that is being made.
pub(super) struct Making {
    directory: tempfile::TempDir,
    /// Where it will be.
    kept: PathBuf,
}

impl KeptEnvironment {
    pub(super) fn of(directory: &Path, plan: &FetchPlan, sandbox: &str) -> Self {
        let all = serde_json::json!({
            "gander": env!("CARGO_PKG_VERSION"),
            "sandbox": sandbox,
            "plan": plan,
        });
        let digest = Sha256::digest(all.to_string().as_bytes());
        Self(directory.join(hex::encode(digest)))
    }

    /// What is kept there, if anything is.
    pub(super) fn read(&self) -> Option<Environment> {
        let record = self.0.join(RECORD);
        let environment = serde_json::from_slice(&std::fs::read(&record).ok()?).ok()?;
        // Its time says when it was last used.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let now = Timestamps { last_access: now, last_modification: now };
        if let Ok(file) = std::fs::File::open(&record) {
            let _ = rustix::fs::futimens(file, &now);
        }
        Some(environment)
    }

    pub(super) fn begin(&self) -> std::io::Result<Making> {
        let above = self.0.parent().unwrap_or(&self.0);
        std::fs::create_dir_all(above)?;
        let directory = tempfile::Builder::new().prefix("making-").tempdir_in(above)?;
        let making = Making { directory, kept: self.0.clone() };
        std::fs::create_dir(making.packages())?;
        Ok(making)
    }
}

impl Making {
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
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
        self.path().join("packages")
    }

    /// Keeps each `node_modules` of the tree, to be shown in the trees of runs.
    pub(super) fn adopt_node_modules(&self) -> std::io::Result<Vec<ShownDirectory>> {
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
        let kept = self.path().join("node_modules");
        std::fs::create_dir(&kept)?;
        let mut shown = Vec::new();
        for (number, inside) in found.iter().enumerate() {
            let ours = kept.join(number.to_string());
            std::fs::rename(self.tree().join(inside), &ours)?;
            for name in WRITTEN_BY_TOOLS {
                std::fs::create_dir_all(ours.join(name))?;
            }
            shown.push(ShownDirectory {
                host_dir: ours,
                mount_at: format!("/work/{}", inside.display()),
                writable: false,
                programs: None,
                temporary: WRITTEN_BY_TOOLS.map(str::to_owned).into(),
            });
        }
        Ok(shown)
    }

    /// Gives it its name. Where another was faster, that one counts.
    pub(super) fn finish(self, environment: Environment) -> std::io::Result<Environment> {
        for done in [self.tree(), self.sources()] {
            if done.exists() {
                std::fs::remove_dir_all(done)?;
            }
        }
        let moved = |mut shown: ShownDirectory| {
            if let Ok(inside) = shown.host_dir.strip_prefix(self.path()) {
                shown.host_dir = self.kept.join(inside);
            }
            shown
        };
        let shown = environment.shown.into_iter().map(moved).collect();
        let environment = Environment { shown, ..environment };
        std::fs::write(self.path().join(RECORD), serde_json::to_vec(&environment)?)?;
        if std::fs::rename(self.path(), &self.kept).is_err() && !self.kept.join(RECORD).exists() {
            // What is there was never finished.
            std::fs::remove_dir_all(&self.kept)?;
            std::fs::rename(self.path(), &self.kept)?;
        }
        let _ = self.directory.keep();
        forget_old(self.kept.parent().unwrap_or(&self.kept))?;
        Ok(environment)
    }
}

/// Removes those that were used longest ago.
fn forget_old(above: &Path) -> std::io::Result<()> {
    let mut all: Vec<_> = std::fs::read_dir(above)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let used = std::fs::metadata(path.join(RECORD)).ok()?.modified().ok()?;
            Some((used, path))
        })
        .collect();
    all.sort();
    let old = all.len().saturating_sub(MOST_KEPT);
    all.iter().take(old).try_for_each(|(_, path)| std::fs::remove_dir_all(path))
}
