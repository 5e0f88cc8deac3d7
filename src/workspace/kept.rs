//! Directories that are made once and used by many jobs: fetched packages, builds.
//!
//! Invariants: one is made in a scratch directory and gets its place when it is whole and of
//! bounded size; what decided it is in its name; one in which anything was changed since is not
//! used again; of those that nobody holds, the ones that were used longest ago go, and what cannot
//! be removed is in nobody's way.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::patience::Patience;
use super::remove::{remove, remove_aside};
use super::scratch::{Scratch, ScratchError, ScratchTree};

/// With less room than this on the disk, what is kept goes.
const SPARE: u64 = 2 << 30;
/// How long the removal of one is waited for.
const REMOVAL: Duration = Duration::from_secs(20);
/// What is known of a kept directory, inside it.
const RECORD: &str = "kept.json";
/// Entries that one may have.
const MOST_ENTRIES: usize = 2_000_000;

/// Where directories of one kind are kept.
#[derive(Debug, Clone)]
pub struct KeptStore {
    directory: PathBuf,
    bounds: KeptBounds,
}

/// How many may be kept, and how large they may be.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct KeptBounds {
    pub many: usize,
    /// All of them together, in bytes.
    pub bytes: u64,
    /// One of them, in bytes.
    pub largest: u64,
}

/// The place of one.
#[derive(Debug, Clone)]
pub struct KeptPlace {
    store: KeptStore,
    path: PathBuf,
}

/// One that is there, for as long as this is held.
#[derive(Debug)]
pub struct KeptDirectory<T> {
    /// Where it is.
    pub path: PathBuf,
    /// What its maker wrote down.
    pub what: T,
    /// What it takes on the disk.
    pub bytes: u64,
    /// Keeps it from being removed.
    pub held: HeldRecord,
}

/// A kept directory that nobody may remove for as long as this is held.
#[derive(Debug, Clone)]
pub struct HeldRecord(#[expect(dead_code, reason = "its lock ends with it")] Arc<File>);

impl PartialEq for HeldRecord {
    /// Who holds it says nothing about what it is.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for HeldRecord {}

/// One that is being made.
#[derive(Debug)]
pub struct Making {
    scratch: ScratchTree,
    place: KeptPlace,
}

/// What stands in the record.
#[derive(Serialize, Deserialize)]
struct Record<T> {
    bytes: u64,
    /// Of all entries, as they were when it was finished.
    stamp: String,
    what: T,
}

/// Why a directory could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// No place to make it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// More than one may take, in bytes: it, and the bound.
    #[error("it takes {} MiB, and no more than {} are kept", .0 >> 20, .1 >> 20)]
    TooLarge(u64, u64),
    /// What is known of it cannot be written down.
    #[error("its record cannot be written")]
    Record(#[from] serde_json::Error),
    /// The disk.
    #[error("the directory of what is kept cannot be used")]
    Disk(#[from] io::Error),
}

impl KeptStore {
    /// In this directory.
    pub fn new(directory: PathBuf, bounds: KeptBounds) -> Self {
        Self { directory, bounds }
    }

    /// The place of what this decides.
    pub fn place(&self, key: &serde_json::Value) -> KeptPlace {
        let digest = Sha256::digest(key.to_string().as_bytes());
        KeptPlace { store: self.clone(), path: self.directory.join(hex::encode(digest)) }
    }

    /// Which of all that are kept is the best by this order, if it gives one. Nothing is held, and
    /// nothing is looked at but what their makers wrote down. Blocks.
    pub fn best<T: DeserializeOwned, O: Ord>(
        &self,
        order: impl Fn(&T) -> Option<O>,
    ) -> Option<KeptPlace> {
        let all = self.all::<T>().filter_map(|it| Some((order(&it.what)?, it.path)));
        let (_, path) = all.max_by(|one, other| one.0.cmp(&other.0))?;
        Some(KeptPlace { store: self.clone(), path })
    }

    fn all<T: DeserializeOwned>(&self) -> impl Iterator<Item = ListedDirectory<T>> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten();
        entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let record = path.join(RECORD);
            let used = std::fs::metadata(&record).ok()?;
            let used = (used.mtime(), used.mtime_nsec());
            let Record { bytes, what, .. } =
                serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
            Some(ListedDirectory { path, used, bytes, what })
        })
    }

    /// Removes those that were used longest ago, until the rest is within bounds and the disk has
    /// room. What somebody holds stays.
    pub async fn forget_old(&self) {
        let mut all: Vec<_> = self.all::<serde::de::IgnoredAny>().collect();
        all.sort_by(|one, other| (one.used, &one.path).cmp(&(other.used, &other.path)));
        let mut bytes: u64 = all.iter().map(|listed| listed.bytes).sum();
        let mut many = all.len();
        for ListedDirectory { path, bytes: its, .. } in all {
            let is_within = many <= self.bounds.many && bytes <= self.bounds.bytes;
            if is_within && !is_short_of_room(&self.directory) {
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
                tracing::warn!(path = %path.display(), %error, "it could not be removed");
            }
        }
    }
}

struct ListedDirectory<T> {
    path: PathBuf,
    /// When it was last used: seconds, nanoseconds.
    used: (i64, i64),
    bytes: u64,
    what: T,
}

impl KeptPlace {
    /// What is kept there, if anything is, and it is as it was made. It stays for as long as
    /// somebody holds it. Blocks for a time in proportion to its entries.
    pub fn read<T: DeserializeOwned>(&self) -> Option<KeptDirectory<T>> {
        let path = self.path.join(RECORD);
        let mut record = File::open(&path).ok()?;
        record.try_lock_shared().ok()?;
        // It may have been given up before it was locked.
        let is_same = record.metadata().ok()?.ino() == std::fs::metadata(&path).ok()?.ino();
        let mut text = String::new();
        record.read_to_string(&mut text).ok().filter(|_| is_same)?;
        let Record { bytes, stamp, what } = serde_json::from_str(&text).ok()?;
        if look(&self.path).map(|seen| seen.stamp).ok().as_ref() != Some(&stamp) {
            self.give_up();
            return None;
        }
        // Its time says when it was last used.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let now = Timestamps { last_access: now, last_modification: now };
        let _ = rustix::fs::futimens(&record, &now);
        Some(KeptDirectory {
            path: self.path.clone(),
            what,
            bytes,
            held: HeldRecord(Arc::new(record)),
        })
    }

    /// Whether something is kept there, as far as a name tells.
    pub fn is_taken(&self) -> bool {
        self.path.join(RECORD).exists()
    }

    /// Somebody changed it. Whoever works with it now finds nothing there, which is better than
    /// what they would find.
    fn give_up(&self) {
        let path = self.path.display();
        tracing::warn!(%path, "what is kept there was changed by somebody, and is not used");
        let aside = self.path.with_extension(uuid::Uuid::new_v4().simple().to_string());
        let gone = std::fs::rename(&self.path, &aside)
            .and_then(|()| remove(&aside, &Patience::of(REMOVAL)));
        if let Err(error) = gone {
            tracing::warn!(path = %aside.display(), %error, "it could not be removed");
        }
    }

    /// A directory in which to make it.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn begin(&self, scratch: &Scratch) -> Result<Making, KeepError> {
        let scratch = scratch.make("keeping-").await?;
        let making = Making { scratch, place: self.clone() };
        std::fs::create_dir(making.made())?;
        Ok(making)
    }
}

impl Making {
    /// Where it is made: for what will not be kept.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// What will be kept.
    pub fn made(&self) -> PathBuf {
        self.path().join("made")
    }

    /// Where that will be.
    pub fn place(&self) -> &Path {
        &self.place.path
    }

    /// Gives it its place. Where another was faster, that one counts.
    ///
    /// # Errors
    /// When it is too large, or the disk refuses; nothing of it is kept then.
    pub async fn finish<T>(self, what: T) -> Result<KeptDirectory<T>, KeepError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let Self { scratch, place } = self;
        let (made, there) = (scratch.path().join("made"), place.clone());
        let moving = move || {
            let DirectoryLook { bytes, stamp } = look(&made)?;
            let largest = there.store.bounds.largest;
            if bytes > largest {
                return Err(KeepError::TooLarge(bytes, largest));
            }
            let record = serde_json::to_vec(&Record { bytes, stamp, what })?;
            std::fs::write(made.join(RECORD), record)?;
            std::fs::create_dir_all(&there.store.directory)?;
            let moved = std::fs::rename(made, &there.path);
            if !there.is_taken() {
                moved?;
            }
            let gone = || io::Error::other("what was just made is gone");
            Ok(there.read().ok_or_else(gone)?)
        };
        let kept = tokio::task::spawn_blocking(moving).await.map_err(io::Error::other)?;
        scratch.throw_away().await;
        place.store.forget_old().await;
        kept
    }
}

/// What a look at all entries comes to.
struct DirectoryLook {
    bytes: u64,
    /// Nobody can write to any of them and keep it: the system notes when a file was changed, and
    /// lets nobody set that.
    stamp: String,
}

/// Looks at all entries below but the record. One that cannot be looked at is an error.
fn look(directory: &Path) -> io::Result<DirectoryLook> {
    let (mut bytes, mut entries, mut open) = (0, 0, vec![PathBuf::new()]);
    let mut stamp = Sha256::new();
    while let Some(below) = open.pop() {
        let mut names: Vec<_> = std::fs::read_dir(directory.join(&below))?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<_>>()?;
        names.sort();
        entries += names.len();
        if entries > MOST_ENTRIES {
            return Err(io::Error::other("it has too many files"));
        }
        for name in names {
            let path = below.join(name);
            if path == Path::new(RECORD) {
                continue;
            }
            let metadata = std::fs::symlink_metadata(directory.join(&path))?;
            stamp.update(path.as_os_str().as_bytes());
            stamp.update([0]);
            stamp.update(metadata.mode().to_le_bytes());
            if metadata.is_dir() {
                open.push(path);
                continue;
            }
            bytes += metadata.len();
            stamp.update(metadata.len().to_le_bytes());
            for part in
                [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()]
            {
                stamp.update(part.to_le_bytes());
            }
        }
    }
    Ok(DirectoryLook { bytes, stamp: hex::encode(stamp.finalize()) })
}

fn is_short_of_room(above: &Path) -> bool {
    let disk = rustix::fs::statvfs(above);
    disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SPARE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOUNDS: KeptBounds = KeptBounds { many: 5, bytes: 1 << 20, largest: 1 << 10 };

    fn store(above: &Path) -> (KeptStore, Scratch) {
        (KeptStore::new(above.join("kept"), BOUNDS), Scratch::below(above))
    }

    async fn keep(place: &KeptPlace, scratch: &Scratch, content: &str) -> KeptDirectory<u32> {
        let making = place.begin(scratch).await.unwrap();
        std::fs::write(making.made().join("a"), content).unwrap();
        making.finish(7).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_not_finished_is_not_there_and_another_key_is_another_place() {
        let above = tempfile::tempdir().unwrap();
        let (store, scratch) = store(above.path());
        let place = store.place(&json!("a"));
        let making = place.begin(&scratch).await.unwrap();
        std::fs::write(making.made().join("half"), "").unwrap();
        assert!(place.read::<u32>().is_none(), "it is being made");
        drop(making);
        assert!(place.read::<u32>().is_none(), "it was given up");
        let made = keep(&place, &scratch, "whole").await;
        assert_eq!(std::fs::read_to_string(made.path.join("a")).unwrap(), "whole");
        assert_eq!(place.read::<u32>().unwrap().what, 7);
        assert!(store.place(&json!("b")).read::<u32>().is_none());
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
    async fn one_changed_byte_a_new_file_or_other_rights_and_it_is_not_used_again() {
        use std::os::unix::fs::PermissionsExt;
        type Harm = fn(&Path);
        let harms: [(&str, Harm); 4] = [
            ("a byte", |at| {
                let file = File::options().write(true).open(at.join("a")).unwrap();
                let before = file.metadata().unwrap().modified().unwrap();
                std::os::unix::fs::FileExt::write_at(&file, b"W", 0).unwrap();
                file.set_modified(before).unwrap();
            }),
            ("a file more", |at| std::fs::write(at.join("b"), "").unwrap()),
            ("a file less", |at| std::fs::remove_file(at.join("a")).unwrap()),
            ("rights", |at| {
                let rights = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(at.join("a"), rights).unwrap();
            }),
        ];
        for (what, harm) in harms {
            let above = tempfile::tempdir().unwrap();
            let (store, scratch) = store(above.path());
            let place = store.place(&json!(what));
            let made = keep(&place, &scratch, "whole").await;
            assert!(place.read::<u32>().is_some(), "{what}: it is as it was made");
            harm(&made.path);
            assert!(place.read::<u32>().is_none(), "{what}");
            assert_eq!(std::fs::read_dir(above.path().join("kept")).unwrap().count(), 0, "{what}");
            keep(&place, &scratch, "again").await;
            assert!(place.read::<u32>().is_some(), "{what}: it can be made again");
        }
    }

    #[tokio::test]
    async fn what_is_held_stays_and_of_the_rest_the_longest_unused_goes() {
        let above = tempfile::tempdir().unwrap();
        let (store, scratch) = store(above.path());
        let mut all = Vec::new();
        for number in 0..BOUNDS.many + 3 {
            let place = store.place(&json!(number));
            let kept = keep(&place, &scratch, "").await;
            all.push((place, (number < 2).then_some(kept)));
        }
        let there: Vec<usize> = (0..all.len()).filter(|at| all[*at].0.is_taken()).collect();
        assert_eq!(there.len(), BOUNDS.many);
        assert_eq!(there[..2], [0, 1], "they are held");
        assert_eq!(there.last(), Some(&(all.len() - 1)), "it is the newest");
    }

    #[tokio::test]
    async fn one_that_is_too_large_is_not_kept_and_says_so() {
        let above = tempfile::tempdir().unwrap();
        let (store, scratch) = store(above.path());
        let place = store.place(&json!(0));
        let making = place.begin(&scratch).await.unwrap();
        std::fs::write(making.made().join("a"), vec![1; 2 << 10]).unwrap();
        let refused = making.finish(7_u32).await.unwrap_err();
        assert!(refused.to_string().contains("no more than 0 are kept"), "{refused}");
        assert!(!place.is_taken());
    }
}
