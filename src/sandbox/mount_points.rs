//! Where directories are shown inside a tree that commands have written to.
//!
//! Invariants: a mount point is a directory of the tree itself, reached without following a link:
//! whoever mounts there mounts nowhere else. Nobody writes to a tree while a run in it begins.

use std::io;
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Makes this directory of the tree, if it is not there. `false`: something else stands in its way.
///
/// # Errors
/// When the tree cannot be read or written.
pub(super) fn make(tree: &Path, inside: &Path) -> io::Result<bool> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let mut directory = rustix::fs::open(tree, flags, Mode::empty())?;
    for part in inside.components() {
        let Component::Normal(name) = part else { return Ok(false) };
        match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        directory = match rustix::fs::openat2(&directory, name, flags, Mode::empty(), within) {
            Ok(opened) => opened,
            Err(Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_never_reached_through_a_link() {
        let above = tempfile::tempdir().unwrap();
        let (tree, other) = (above.path().join("tree"), above.path().join("other"));
        std::fs::create_dir_all(tree.join("there")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&other, tree.join("link")).unwrap();
        std::os::unix::fs::symlink("there", tree.join("near")).unwrap();
        std::fs::write(tree.join("file"), "").unwrap();
        let makes = |inside: &str| make(&tree, Path::new(inside)).unwrap();
        assert!(makes("node_modules") && makes("there/node_modules") && makes("new/node_modules"));
        for inside in ["link", "link/node_modules", "near", "near/x", "file", "file/x", "../other"]
        {
            assert!(!makes(inside), "{inside}");
        }
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    }
}
