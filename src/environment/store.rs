//! Where fetched packages are kept.
//!
//! Invariants: an environment is made in a scratch directory and gets its place here when it is
//! whole and of bounded size; what decided it is in its name; of those that nobody holds, the ones
//! that were used longest ago go, and what cannot be removed is in nobody's way.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use sha2::{Digest, Sha256};

use super::{Environment, EnvironmentError, FetchPlan};
use crate::sandbox::ShownDirectory;
use crate::workspace::remove::remove_aside;
use crate::workspace::scratch::{Scratch, ScratchTree};

/// So many environments are kept.
const MOST_KEPT: usize = 50;
/// So many bytes one may have, and all of them together.
const LARGEST: u64 = 8 << 30;
const MOST_BYTES: u64 = 24 << 30;
/// With less room than this on the disk, kept packages go.
const SPARE: u64 = 2 << 30;
/// How long the removal of one is waited for.
const REMOVAL: Duration = Duration::from_secs(20);
/// What is known of a kept environment, in its directory.
const RECORD: &str = "environment.json";
/// Directories that tools write to inside `node_modules`.
const WRITTEN_BY_TOOLS: [&str; 4] = [".cache", ".vite", ".vite-temp", ".vitest"];

/// A kept environment that nobody may remove for as long as this is held.
#[derive(Debug, Clone)]
pub(super) struct HeldRecord(#[expect(dead_code, reason = "its lock ends with it")] Arc<File>);

impl PartialEq for HeldRecord {
    /// Who holds it says nothing about what it is.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for HeldRecord {}

/// The place of one environment.
pub(super) struct KeptEnvironment(PathBuf);

/// An environment that is being made.
pub(super) struct Making {
    scratch: ScratchTree,
    /// Where it will be.
    kept: PathBuf,
}

impl KeptEnvironment {
    /// `owner`: the commit whose code has a hand in it, if any has.
    pub(super) fn of(directory: &Path, plan: &FetchPlan, owner: &str, sandbox: &str) -> Self {
        let all = serde_json::json!({
            "gander": env!("CARGO_PKG_VERSION"),
            "owner": owner,
            "sandbox": sandbox,
            "plan": plan,
        });
        let digest = Sha256::digest(all.to_string().as_bytes());
        Self(directory.join(hex::encode(digest)))
    }

    /// What is kept there, if anything is. It stays for as long as somebody holds it.
    pub(super) fn read(&self) -> Option<Environment> {
        let path = self.0.join(RECORD);
        let mut record = File::open(&path).ok()?;
        record.try_lock_shared().ok()?;
        // It may have been given up before it was locked.
        let is_same = record.metadata().ok()?.ino() == std::fs::metadata(&path).ok()?.ino();
        let mut text = String::new();
        record.read_to_string(&mut text).ok().filter(|_| is_same)?;
        let environment: Environment = serde_json::from_str(&text).ok()?;
        // Its time says when it was last used.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let now = Timestamps { last_access: now, last_modification: now };
        let _ = rustix::fs::futimens(&record, &now);
        Some(Environment { held: vec![HeldRecord(Arc::new(record))], ..environment })
    }

    pub(super) async fn begin(&self, scratch: &Scratch) -> Result<Making, EnvironmentError> {
        let scratch = scratch.make("packages-").await?;
        let making = Making { scratch, kept: self.0.clone() };
        std::fs::create_dir_all(making.packages())?;
        Ok(making)
    }
}

impl Making {
    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
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
        self.made().join("packages")
    }

    /// What will be kept.
    fn made(&self) -> PathBuf {
        self.path().join("made")
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
        let kept = self.made().join("node_modules");
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
        let made = self.made();
        let size = tokio::task::spawn_blocking(move || size_of(&made)).await;
        let bytes = size.map_err(io::Error::other)??;
        if bytes > LARGEST {
            let why = format!(
                "the packages take {} MiB, and no more than {} are kept",
                bytes >> 20,
                LARGEST >> 20
            );
            return Err(EnvironmentError::Failed(why));
        }
        let moved = |mut shown: ShownDirectory| {
            if let Ok(inside) = shown.host_dir.strip_prefix(self.made()) {
                shown.host_dir = self.kept.join(inside);
            }
            shown
        };
        let shown = environment.shown.into_iter().map(moved).collect();
        let environment = Environment { shown, bytes, ..environment };
        std::fs::write(self.made().join(RECORD), serde_json::to_vec(&environment)?)?;
        let above = self.kept.parent().unwrap_or(&self.kept).to_owned();
        std::fs::create_dir_all(&above)?;
        let moved = std::fs::rename(self.made(), &self.kept);
        if !self.kept.join(RECORD).exists() {
            moved?;
        }
        let kept = KeptEnvironment(self.kept);
        self.scratch.throw_away().await;
        let gone = || io::Error::other("what was just fetched is gone");
        let environment = kept.read().ok_or_else(gone)?;
        forget_old(&above).await;
        Ok(environment)
    }
}

fn is_short_of_room(above: &Path) -> bool {
    let disk = rustix::fs::statvfs(above);
    disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SPARE)
}

/// The bytes of all files below. One that cannot be looked at is an error.
fn size_of(directory: &Path) -> io::Result<u64> {
    let (mut sum, mut open) = (0, vec![directory.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            sum += metadata.len();
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(sum)
}

/// Removes those that were used longest ago, until the rest is within bounds and the disk has room.
/// What somebody holds stays.
pub(super) async fn forget_old(above: &Path) {
    let entries = std::fs::read_dir(above).into_iter().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let record = path.join(RECORD);
            let used = std::fs::metadata(&record).ok()?.modified().ok()?;
            let environment: Environment =
                serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
            Some((used, path, environment.bytes))
        })
        .collect();
    all.sort();
    let mut bytes: u64 = all.iter().map(|(.., bytes)| bytes).sum();
    let mut many = all.len();
    for (_, path, its) in all {
        if many <= MOST_KEPT && bytes <= MOST_BYTES && !is_short_of_room(above) {
            break;
        }
        let record = File::open(path.join(RECORD));
        if !record.as_ref().is_ok_and(|record| record.try_lock().is_ok()) {
            continue;
        }
        (many, bytes) = (many - 1, bytes.saturating_sub(its));
        // First it stops to count, whatever comes of removing it.
        let _ = std::fs::remove_file(path.join(RECORD));
        drop(record);
        if let Err(error) = remove_aside(&path, REMOVAL).await {
            tracing::warn!(path = %path.display(), %error, "old packages could not be removed");
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

    #[tokio::test]
    async fn what_was_not_finished_is_not_there_and_another_lock_file_is_another_environment() {
        let above = tempfile::tempdir().unwrap();
        let (scratch, kept_in) = (Scratch::below(above.path()), above.path().join("kept"));
        let kept = |content: &str| KeptEnvironment::of(&kept_in, &plan(content), "", "none");
        let owned = KeptEnvironment::of(&kept_in, &plan("a"), "another commit", "none");
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
        let left = || std::fs::read_dir(above.path().join("scratch")).map_or(0, Iterator::count);
        // What was given up is removed aside.
        for _ in 0..500 {
            if left() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(left(), 0, "nothing else is left");
    }

    #[tokio::test]
    async fn packages_that_a_job_holds_are_not_removed_for_others() {
        let above = tempfile::tempdir().unwrap();
        let (scratch, kept_in) = (Scratch::below(above.path()), above.path().join("kept"));
        let mut all = Vec::new();
        for number in 0..MOST_KEPT + 3 {
            let plan = plan(&number.to_string());
            let kept = KeptEnvironment::of(&kept_in, &plan, "", "none");
            let making = kept.begin(&scratch).await.unwrap();
            std::fs::create_dir(making.tree()).unwrap();
            let made = making.finish(Environment::default()).await.unwrap();
            all.push((kept, (number < 2).then_some(made)));
        }
        let is_there = |number: usize| all[number].0.0.join(RECORD).exists();
        assert!(is_there(0) && is_there(1), "they are held");
        assert!(is_there(MOST_KEPT + 2), "it is the newest");
        assert_eq!((0..MOST_KEPT + 3).filter(|number| is_there(*number)).count(), MOST_KEPT);
    }

    #[tokio::test]
    async fn each_node_modules_is_shown_where_it_was() {
        let above = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(above.path());
        let kept = KeptEnvironment::of(&above.path().join("kept"), &plan(""), "", "none");
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
