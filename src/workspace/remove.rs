//! Removing a tree, whatever a hostile program made of it.
//!
//! Invariants: no symbolic link is followed; directories nobody may enter are opened up on the way;
//! however deep the tree is, a handful of descriptors is enough and no call nests; the time grows
//! with the number of entries. Directories inside are moved up to the top, so that the top never has
//! more than one level below what is being looked at.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode, RenameFlags};
use rustix::io::Errno;

use super::patience::Patience;

/// What the owner of a directory needs to empty and to move it.
const OPEN_TO_OWNER: RawMode = 0o700;

/// Removes a file or a directory with all that is in it. Blocks. Nothing being there is fine.
///
/// # Errors
/// The first thing that could not be removed, or [`io::ErrorKind::TimedOut`] when patience was over;
/// the rest of the tree is still there then, in another order.
pub fn remove(tree: &Path, patience: &Patience) -> io::Result<()> {
    let (Some(parent), Some(name)) = (tree.parent(), tree.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = match std::fs::File::open(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(other) => return Err(other.into()),
    }
    let top = open_up(&parent, name.as_encoded_bytes())?;
    let mut emptying = Emptying {
        top: &top,
        patience,
        prefix: format!(".{}", uuid::Uuid::new_v4().simple()),
        moved: 0,
        removed: 0,
        refused: None,
    };
    while emptying.pass()? {}
    Ok(rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?)
}

/// The same, aside from the caller's thread.
///
/// # Errors
/// As above.
pub async fn remove_aside(tree: &Path, time: Duration) -> io::Result<()> {
    let tree = tree.to_owned();
    let removing = tokio::task::spawn_blocking(move || remove(&tree, &Patience::of(time)));
    removing.await.map_err(io::Error::from).flatten()
}

/// A directory, with all rights for its owner. Links are not followed.
pub(super) fn open_up(parent: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let readable = OFlags::RDONLY | flags;
    let directory = match rustix::fs::openat(&parent, name, readable, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let handle = rustix::fs::openat(&parent, name, OFlags::PATH | flags, Mode::empty())?;
            // The kernel changes the mode of what a handle is on by this name only.
            let itself = format!("/proc/self/fd/{}", handle.as_raw_fd());
            rustix::fs::chmod(itself, Mode::from_raw_mode(OPEN_TO_OWNER))?;
            rustix::fs::openat(&parent, name, readable, Mode::empty())?
        }
        opened => opened?,
    };
    if rustix::fs::fstat(&directory)?.st_mode & OPEN_TO_OWNER != OPEN_TO_OWNER {
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(OPEN_TO_OWNER))?;
    }
    Ok(directory)
}

/// The names in a directory, without those of itself and its parent.
pub(super) fn names(
    directory: BorrowedFd<'_>,
) -> io::Result<impl Iterator<Item = io::Result<NamedEntry>> + use<>> {
    let entries = Dir::read_from(directory)?;
    Ok(entries.filter_map(|entry| match entry {
        Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => None,
        Ok(entry) => Some(Ok(NamedEntry {
            name: entry.file_name().to_bytes().to_vec(),
            kind: entry.file_type(),
        })),
        Err(errno) => Some(Err(errno.into())),
    }))
}

/// A name in a directory.
pub(super) struct NamedEntry {
    pub(super) name: Vec<u8>,
    pub(super) kind: FileType,
}

struct Emptying<'a> {
    top: &'a OwnedFd,
    patience: &'a Patience,
    prefix: String,
    moved: u64,
    /// Or moved up, since the pass began.
    removed: u64,
    refused: Option<io::Error>,
}

impl Emptying<'_> {
    /// Goes once through what stands at the top. `false`: nothing stood there.
    fn pass(&mut self) -> io::Result<bool> {
        let mut seen = false;
        self.removed = 0;
        for entry in names(self.top.as_fd())? {
            seen = true;
            let entry = entry?;
            if !self.is_done_with(self.top, &entry)? {
                let emptied = self.empty(&entry.name);
                self.count(emptied)?;
            }
        }
        match self.refused.take() {
            // Everything that could go is gone.
            Some(refused) if seen && self.removed == 0 => Err(refused),
            _ => Ok(seen),
        }
    }

    /// Removes the files in a directory, and moves the directories in it up.
    fn empty(&mut self, name: &[u8]) -> io::Result<()> {
        let directory = open_up(self.top, name)?;
        for entry in names(directory.as_fd())? {
            let entry = entry?;
            if !self.is_done_with(&directory, &entry)? {
                let raised = self.raise(&directory, &entry.name);
                self.count(raised)?;
            }
        }
        Ok(rustix::fs::unlinkat(self.top, name, AtFlags::REMOVEDIR)?)
    }

    fn raise(&mut self, directory: &OwnedFd, name: &[u8]) -> io::Result<()> {
        // Who moves a directory has to be allowed to write to it.
        drop(open_up(directory, name)?);
        loop {
            self.moved += 1;
            let free = format!("{}-{}", self.prefix, self.moved);
            let never_over = RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(directory, name, self.top, free, never_over) {
                Err(Errno::EXIST) => {}
                moved => return Ok(moved?),
            }
        }
    }

    /// `false`: it is a directory with something in it.
    fn is_done_with(&mut self, directory: &OwnedFd, entry: &NamedEntry) -> io::Result<bool> {
        if self.patience.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let name = entry.name.as_slice();
        if entry.kind != FileType::Directory {
            match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
                Err(Errno::ISDIR) => {}
                unlinked => {
                    self.count(unlinked.map_err(Into::into))?;
                    return Ok(true);
                }
            }
        }
        match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
            Ok(()) => self.removed += 1,
            Err(_) => return Ok(false),
        }
        Ok(true)
    }

    /// One refusal does not keep the rest.
    fn count(&mut self, done: io::Result<()>) -> io::Result<()> {
        match done {
            Ok(()) => self.removed += 1,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => drop(self.refused.get_or_insert(error)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tokio_util::sync::CancellationToken;

    use super::*;

    fn patience() -> Patience {
        Patience::of(Duration::from_secs(300))
    }

    /// So many directories in each other; no path leads to the last, so each is made from the last.
    fn nested(top: &Path, depth: usize) {
        fs::create_dir_all(top).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut last = rustix::fs::open(top, flags, Mode::empty()).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&last, "d", Mode::from_raw_mode(0o755)).unwrap();
            last = rustix::fs::openat(&last, "d", flags, Mode::empty()).unwrap();
        }
        rustix::fs::mkdirat(&last, "closed", Mode::from_raw_mode(0o0)).unwrap();
    }

    #[test]
    fn a_tree_of_any_depth_is_removed_with_a_handful_of_descriptors() {
        #[expect(
            clippy::disallowed_methods,
            reason = "a bound of the process is not for all tests"
        )]
        let status = std::process::Command::new("prlimit")
            .arg("--nofile=64")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "workspace::remove::tests::a_deep_tree_is_removed", "--ignored"])
            .status();
        assert!(status.unwrap().success());
    }

    /// Not a story: the one above, within the bound.
    #[test]
    #[ignore = "started by the test above"]
    fn a_deep_tree_is_removed() {
        let around = tempfile::tempdir().unwrap();
        let tree = around.path().join("tree");
        nested(&tree, 15_000);
        nested(&tree.join("d/d/other"), 3_000);
        remove(&tree, &patience()).unwrap();
        assert_eq!(fs::read_dir(around.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_nobody_may_enter_is_opened_up_and_no_link_is_followed() {
        let around = tempfile::tempdir().unwrap();
        let (tree, kept) = (around.path().join("tree"), around.path().join("kept"));
        fs::create_dir_all(&kept).unwrap();
        fs::write(kept.join("file"), "kept").unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o500)).unwrap();
        for inside in ["a/b/c", "a/b/d", "e/f"] {
            fs::create_dir_all(tree.join(inside)).unwrap();
            fs::write(tree.join(inside).join("file"), "").unwrap();
            symlink(&kept, tree.join(inside).join("link")).unwrap();
        }
        symlink(&kept, tree.join("link")).unwrap();
        for (closed, mode) in [("a/b/c", 0), ("a/b", 0o400), ("e/f", 0o100), ("e", 0o200), ("", 0)]
        {
            let closed = tree.join(closed);
            fs::set_permissions(closed, fs::Permissions::from_mode(mode)).unwrap();
        }
        remove(&tree, &patience()).unwrap();
        assert!(!tree.exists());
        let mode = fs::metadata(&kept).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, fs::read(kept.join("file")).unwrap()), (0o500, b"kept".to_vec()));
        let link = around.path().join("link");
        symlink(&kept, &link).unwrap();
        remove(&link, &patience()).unwrap();
        assert!(kept.join("file").exists() && !link.is_symlink());
        remove(&link, &patience()).unwrap();
    }

    #[test]
    fn a_removal_ends_when_it_is_stopped_and_the_next_one_takes_it_up() {
        let around = tempfile::tempdir().unwrap();
        let tree = around.path().join("tree");
        nested(&tree, 100);
        let stop = CancellationToken::new();
        stop.cancel();
        let stopped = remove(&tree, &Patience::new(Duration::from_secs(300), &stop)).unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::TimedOut);
        assert!(tree.exists());
        remove(&tree, &patience()).unwrap();
        assert!(!tree.exists());
    }
}
