//! Copies a directory as it is: contents, links, rights and times.
//!
//! Invariants: no symbolic link is followed; what is neither file, directory nor link is refused;
//! names of one file stay names of one file. Nobody else writes to either side meanwhile.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

/// Copies `from` to `to`, which must not exist. Blocks. Where the file system can share contents,
/// they take no room.
///
/// # Errors
/// What could not be copied; the rest is there then.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut open, mut directories) = (vec![PathBuf::new()], Vec::new());
    let mut names: HashMap<u64, PathBuf> = HashMap::new();
    while let Some(below) = open.pop() {
        let metadata = std::fs::symlink_metadata(from.join(&below))?;
        std::fs::create_dir(to.join(&below))?;
        for entry in std::fs::read_dir(from.join(&below))? {
            let path = below.join(entry?.file_name());
            let (source, target) = (from.join(&path), to.join(&path));
            let metadata = std::fs::symlink_metadata(&source)?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            if kind.is_symlink() {
                std::os::unix::fs::symlink(std::fs::read_link(&source)?, &target)?;
                continue;
            }
            if !kind.is_file() {
                return Err(io::Error::other(format!("{} is no file", source.display())));
            }
            match names.get(&metadata.ino()) {
                Some(copied) => std::fs::hard_link(copied, &target)?,
                None => {
                    std::fs::copy(&source, &target)?;
                    set_time(&target, metadata.mtime(), metadata.mtime_nsec())?;
                    if metadata.nlink() > 1 {
                        names.insert(metadata.ino(), target);
                    }
                }
            }
        }
        directories.push((below, metadata));
    }
    // Last: what is put into a directory changes its time, and its rights may forbid that.
    for (below, metadata) in directories.into_iter().rev() {
        std::fs::set_permissions(to.join(&below), metadata.permissions())?;
        set_time(&to.join(&below), metadata.mtime(), metadata.mtime_nsec())?;
    }
    Ok(())
}

/// Sets when something was last changed.
pub(super) fn set_time(path: &Path, seconds: i64, nanoseconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_has_the_contents_links_rights_and_times() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/file"), "x").unwrap();
        fs::set_permissions(from.join("a/b/file"), fs::Permissions::from_mode(0o555)).unwrap();
        fs::hard_link(from.join("a/b/file"), from.join("again")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
        set_time(&from.join("a/b/file"), 1_000, 5).unwrap();
        set_time(&from.join("a"), 2_000, 0).unwrap();
        copy(&from, &to).unwrap();
        let of = |path: &str| fs::symlink_metadata(to.join(path)).unwrap();
        assert_eq!(fs::read_to_string(to.join("again")).unwrap(), "x");
        assert_eq!(of("again").ino(), of("a/b/file").ino());
        assert_eq!((of("again").mode() & 0o777, of("again").mtime()), (0o555, 1_000));
        assert_eq!(of("a").mtime(), 2_000);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
    }

    #[test]
    fn what_is_no_file_is_not_copied() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("from");
        fs::create_dir(&from).unwrap();
        rustix::fs::mkfifoat(CWD, from.join("pipe"), 0o600.into()).unwrap();
        assert!(copy(&from, &place.path().join("to")).is_err());
    }
}
