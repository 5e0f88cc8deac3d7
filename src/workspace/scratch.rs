//! Trees that are thrown away, and the trash for what does not go.
//!
//! Invariants: a tree that a job is done with is gone from the scratch directory, in bounded time
//! and off the threads that serve; nothing about removing is ever fatal. What could not be removed
//! lies in the trash, is tried again, and counts: with too much of it no new tree is made.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, OFlags};
use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use super::remove::{names, open_up, remove};

/// How long a job waits for its tree to be removed; the rest is for the trash.
const REMOVAL: Duration = Duration::from_secs(20);
/// How long emptying the trash may take.
const EMPTYING: Duration = Duration::from_secs(10 * 60);
/// Bytes in the trash with which no new tree is made.
const MOST_TRASH: u64 = 4 << 30;
/// What an entry costs beside its content.
const ENTRY: u64 = 4096;
/// How deep the trash is looked into, and what everything below counts for.
const DEEPEST: usize = 32;
const BELOW: u64 = 64 << 20;

/// Where trees are made, and where what is left of them goes.
#[derive(Debug, Clone)]
pub struct Scratch {
    directory: PathBuf,
    trash: PathBuf,
    /// In bytes.
    most_trash: u64,
}

/// A new directory; dropping it throws it away.
#[derive(Debug)]
pub struct ScratchTree {
    path: PathBuf,
    scratch: Scratch,
    is_thrown_away: bool,
}

/// Why there is no new tree.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ScratchError {
    /// The system said no.
    #[error("no directory can be made in {}", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Too much could not be removed.
    #[error(
        "{} holds more than {} MiB that could not be removed, so nothing new is begun: see why \
         (the log names it), and empty it by hand",
        path.display(),
        limit >> 20
    )]
    TrashFull {
        /// The trash.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
}

impl Scratch {
    /// Below a directory of ours.
    pub fn below(data: &Path) -> Self {
        let (directory, trash) = (data.join("scratch"), data.join("trash"));
        Self { directory, trash, most_trash: MOST_TRASH }
    }

    /// Makes an empty directory with a name of its own.
    ///
    /// # Errors
    /// When the disk refuses, or the trash is full.
    pub async fn make(&self, prefix: &'static str) -> Result<ScratchTree, ScratchError> {
        let scratch = self.clone();
        let made = tokio::task::spawn_blocking(move || scratch.make_now(prefix)).await;
        made.unwrap_or_else(|error| Err(self.failed(error.into())))
    }

    /// Moves away what a former run left. Takes no time to speak of, and never fails: what cannot
    /// even be moved stays, and is in nobody's way.
    pub fn start_over(&self) {
        if self.directory.symlink_metadata().is_ok()
            && let Err(error) = self.move_to_trash(&self.directory)
        {
            let path = self.directory.display();
            tracing::warn!(%path, %error, "what a former run left could not be moved away");
        }
    }

    /// Moves away what runs of others left that ended before this time, in seconds since 1970.
    pub fn clear_before(&self, seconds: i64) {
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let is_old = entry.metadata().is_ok_and(|found| found.mtime() < seconds);
            if is_old && let Err(error) = self.move_to_trash(&entry.path()) {
                let path = entry.path();
                tracing::warn!(path = %path.display(), %error, "could not be moved away");
            }
        }
    }

    /// Tries again to remove what lies in the trash, and says what stays.
    pub async fn empty_trash(&self, stop: &CancellationToken) {
        let (scratch, stop) = (self.clone(), stop.child_token());
        let _stop_when_dropped = stop.clone().drop_guard();
        let emptying = tokio::task::spawn_blocking(move || {
            scratch.empty_trash_now(&Patience::new(EMPTYING, &stop));
        });
        if let Err(error) = emptying.await {
            tracing::error!(%error, "emptying the trash broke");
        }
    }

    fn make_now(&self, prefix: &str) -> Result<ScratchTree, ScratchError> {
        if self.trash_is_full() {
            self.empty_trash_now(&Patience::of(REMOVAL));
            if self.trash_is_full() {
                let (path, limit) = (self.trash.clone(), self.most_trash);
                return Err(ScratchError::TrashFull { path, limit });
            }
        }
        make_private(&self.directory).map_err(|error| self.failed(error))?;
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(&self.directory);
        let path = made.map_err(|error| self.failed(error))?.keep();
        Ok(ScratchTree { path, scratch: self.clone(), is_thrown_away: false })
    }

    fn failed(&self, source: io::Error) -> ScratchError {
        ScratchError::Make { path: self.directory.clone(), source }
    }

    fn throw_away(&self, tree: &Path) {
        let Err(error) = remove(tree, &Patience::of(REMOVAL)) else { return };
        let path = tree.display();
        match self.move_to_trash(tree) {
            Ok(()) => tracing::warn!(%path, %error, "could not be removed; it is in the trash"),
            Err(moving) => tracing::warn!(%path, %error, %moving, "could not be removed"),
        }
    }

    fn move_to_trash(&self, tree: &Path) -> io::Result<()> {
        make_private(&self.trash)?;
        let name = tree.file_name().unwrap_or_default().to_string_lossy();
        let place = self.trash.join(format!("{}-{name}", uuid::Uuid::new_v4().simple()));
        if let Some(parent) = tree.parent() {
            // Who moves a directory has to be allowed to write to it.
            let name = tree.file_name().unwrap_or_default();
            let opened = std::fs::File::open(parent)
                .and_then(|parent| open_up(parent, name.as_encoded_bytes()));
            // If that fails so does the move, and says so.
            drop(opened);
        }
        std::fs::rename(tree, place)
    }

    fn empty_trash_now(&self, patience: &Patience) {
        for entry in std::fs::read_dir(&self.trash).into_iter().flatten().flatten() {
            if let Err(error) = remove(&entry.path(), patience) {
                let path = entry.path();
                tracing::warn!(path = %path.display(), %error, "still cannot be removed");
            }
        }
    }

    fn trash_is_full(&self) -> bool {
        // What cannot be looked at is not known to be little.
        weighs_more_than(&self.trash, self.most_trash).unwrap_or(true)
    }
}

impl ScratchTree {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, as far as that goes.
    pub async fn throw_away(mut self) {
        self.is_thrown_away = true;
        let (scratch, path) = (self.scratch.clone(), self.path.clone());
        if let Err(error) = tokio::task::spawn_blocking(move || scratch.throw_away(&path)).await {
            tracing::error!(%error, path = %self.path.display(), "a removal broke");
        }
    }
}

impl Drop for ScratchTree {
    fn drop(&mut self) {
        if self.is_thrown_away {
            return;
        }
        let (scratch, path) = (self.scratch.clone(), std::mem::take(&mut self.path));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || scratch.throw_away(&path))),
            Err(_) => scratch.throw_away(&path),
        }
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Counts no further than needed. Somebody may be emptying it: what is gone meanwhile weighs
/// nothing.
fn weighs_more_than(directory: &Path, limit: u64) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, rustix::fs::Mode::empty());
    let Some(top) = unless_gone(opened.map_err(io::Error::from))? else { return Ok(false) };
    let mut weight = 0;
    let mut open = vec![(names(top.as_fd())?, top)];
    loop {
        let depth = open.len();
        let Some((entries, directory)) = open.last_mut() else { return Ok(false) };
        // A directory that is removed while it is read ends with an error.
        let Some(entry) = unless_gone(entries.next().transpose())?.flatten() else {
            open.pop();
            continue;
        };
        let name = entry.name.as_slice();
        let stat = rustix::fs::statat(&*directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let Some(stat) = unless_gone(stat.map_err(io::Error::from))? else { continue };
        weight += ENTRY + stat.st_blocks.unsigned_abs() * 512;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if depth > DEEPEST {
                weight += BELOW;
            } else if let Some(below) = unless_gone(open_up(&*directory, name))? {
                open.push((names(below.as_fd())?, below));
            }
        }
        if weight > limit {
            return Ok(true);
        }
    }
}

/// `None` where there is nothing of that name any more.
fn unless_gone<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_tree_is_gone_after_its_use_however_it_ended() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(data.path());
        for is_told in [true, false] {
            let tree = scratch.make("x-").await.unwrap();
            let closed = tree.path().join("closed/inside");
            fs::create_dir_all(&closed).unwrap();
            let none = fs::Permissions::from_mode(0o0);
            fs::set_permissions(closed.parent().unwrap(), none).unwrap();
            if is_told {
                tree.throw_away().await;
            } else {
                let path = tree.path().to_owned();
                drop(tree);
                while path.exists() {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(fs::read_dir(data.path().join("scratch")).unwrap().count(), 0);
        }
        assert!(!data.path().join("trash").exists());
    }

    #[tokio::test]
    async fn what_a_former_run_left_never_keeps_the_next_from_starting() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(data.path());
        scratch.start_over();
        let left = data.path().join("scratch/agent-1/tree");
        fs::create_dir_all(&left).unwrap();
        for closed in ["scratch/agent-1/tree", "scratch/agent-1", "scratch"] {
            let none = fs::Permissions::from_mode(0o0);
            fs::set_permissions(data.path().join(closed), none).unwrap();
        }
        scratch.start_over();
        assert!(!data.path().join("scratch").exists(), "moved away at once");
        assert_eq!(fs::read_dir(data.path().join("trash")).unwrap().count(), 1);
        scratch.empty_trash(&CancellationToken::new()).await;
        assert_eq!(fs::read_dir(data.path().join("trash")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_killed_run_left_goes_when_it_is_old_and_what_is_in_use_stays() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(data.path());
        let now = scratch.make("x-").await.unwrap();
        let old = scratch.make("x-").await.unwrap();
        super::super::copy::set_time(old.path(), 1_000, 0).unwrap();
        scratch.clear_before(2_000);
        assert!(now.path().exists() && !old.path().exists());
        scratch.empty_trash(&CancellationToken::new()).await;
        assert_eq!(fs::read_dir(data.path().join("trash")).unwrap().count(), 0);
    }

    #[test]
    fn a_trash_that_is_being_emptied_is_not_full() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(data.path());
        fs::create_dir(&scratch.trash).unwrap();
        let (trash, done) = (scratch.trash.clone(), CancellationToken::new());
        let over = done.clone();
        let emptying = std::thread::spawn(move || {
            while !over.is_cancelled() {
                fs::create_dir_all(trash.join("left/inside")).unwrap();
                fs::write(trash.join("left/inside/file"), "1").unwrap();
                remove(&trash.join("left"), &Patience::of(REMOVAL)).unwrap();
            }
        });
        let full = (0..20_000).filter(|_| scratch.trash_is_full()).count();
        done.cancel();
        emptying.join().unwrap();
        assert_eq!(full, 0);
    }

    #[tokio::test]
    async fn what_cannot_be_removed_goes_to_the_trash_and_too_much_of_it_ends_new_work() {
        if rustix::process::geteuid().is_root() {
            return; // Root can remove everything.
        }
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch { most_trash: 1 << 20, ..Scratch::below(data.path()) };
        let tree = scratch.make("x-").await.unwrap();
        fs::write(tree.path().join("file"), vec![7; 2 << 20]).unwrap();
        scratch.move_to_trash(tree.path()).unwrap();
        // Nothing can be taken out of it.
        let trash = data.path().join("trash");
        let lock = |mode| fs::set_permissions(&trash, fs::Permissions::from_mode(mode)).unwrap();
        let file = trash.join("file");
        fs::write(&file, vec![7; 2 << 20]).unwrap();
        lock(0o500);
        let refused = scratch.make("y-").await.unwrap_err();
        assert!(refused.to_string().contains("trash holds more than 1 MiB"), "{refused}");
        assert!(file.exists());
        lock(0o700);
        scratch.make("z-").await.unwrap().throw_away().await;
        assert_eq!(fs::read_dir(&trash).unwrap().count(), 0, "once it can be emptied, it is");
    }
}
