//! Opening files below a directory, whatever someone puts in the way.
//!
//! Invariants: no call here follows a symbolic link, leaves the directory, waits for a FIFO or
//! hands out a file that has a second name. The kernel decides (`openat2`), so there is no moment
//! between looking and opening.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};

/// A path that does not lead to something usable, with the reason in plain words.
#[derive(Debug, thiserror::Error)]
pub enum ConfinedError {
    /// Something that is no regular file.
    #[error("it is {0}")]
    Special(&'static str),
    /// More bytes than the caller takes.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The system said no.
    #[error("the system refused")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for ConfinedError {
    fn from(errno: rustix::io::Errno) -> Self {
        match errno {
            rustix::io::Errno::LOOP => Self::Special("a symbolic link, or below one"),
            rustix::io::Errno::XDEV => Self::Special("outside the workspace"),
            // What opening a socket answers.
            rustix::io::Errno::NXIO => Self::Special("a socket"),
            other => Self::Io(other.into()),
        }
    }
}

/// A directory below `root`; the empty path is `root` itself.
pub fn open_directory(root: impl AsFd, path: &[u8]) -> Result<OwnedFd, ConfinedError> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(root, path, flags, Mode::empty())
}

/// A regular file with one name, for reading, and what the system says about it.
pub fn open_file(root: impl AsFd, path: &[u8]) -> Result<(File, Stat), ConfinedError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(root, path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_nlink > 1 => {
            Err(ConfinedError::Special("a hard link: the same file has another name"))
        }
        FileType::RegularFile => Ok((file.into(), stat)),
        other => Err(ConfinedError::Special(describe(other))),
    }
}

/// A new regular file; fails when anything is there.
pub fn create_file(root: impl AsFd, path: &[u8], mode: Mode) -> Result<File, ConfinedError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = open(root, path, flags, mode)?;
    // The process's umask must not decide what a repository's files look like.
    rustix::fs::fchmod(&file, mode)?;
    Ok(file.into())
}

/// All of a file, at most `limit` bytes, even if it grows while it is read.
pub fn read_all(file: &mut File, limit: u64) -> Result<Vec<u8>, ConfinedError> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(ConfinedError::TooLarge { limit }) } else { Ok(bytes) }
}

/// What is at the path itself, without following it; `None` when nothing is.
pub fn look(root: impl AsFd, path: &[u8]) -> Result<Option<Stat>, ConfinedError> {
    let (directory, name) = split(path);
    let directory = match open_directory(root, directory) {
        Ok(directory) => directory,
        Err(ConfinedError::Io(e)) if is_absence(&e) => return Ok(None),
        Err(other) => return Err(other),
    };
    match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Makes the directories that lead to `path` and are missing; `made` learns which, outermost first,
/// also when it fails half-way.
pub fn make_parents(
    root: impl AsFd,
    path: &[u8],
    made: &mut Vec<Vec<u8>>,
) -> Result<(), ConfinedError> {
    for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let (parent, name) = split(&path[..at]);
        let parent = open_directory(&root, parent)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => made.push(path[..at].to_vec()),
            Err(rustix::io::Errno::EXIST) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

/// The directory part (empty at the root) and the name.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// A path or name as far as it can be shown to people.
pub fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Whether this error says that nothing is there.
pub fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What people call a kind of file.
pub fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "no regular file",
    }
}

fn open(root: impl AsFd, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, ConfinedError> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    // EAGAIN says that a directory moved while the kernel walked; a racing process must not win
    // more than a few rounds.
    for _ in 0..16 {
        match rustix::fs::openat2(&root, path, flags | OFlags::NOFOLLOW, mode, beneath) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
    Err(ConfinedError::Io(io::ErrorKind::WouldBlock.into()))
}
