//! The files of a checkout and of a build.
//!
//! Invariants: no symbolic link is followed, by the kernel's word and not by looking first; what is
//! hashed is what is copied.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use sha2::{Digest as _, Sha256};

use super::ActionError;
use crate::core::manifest::{Artifact, Digest, FileName, MANIFEST, SUMS};
use crate::core::policy::{RULES_PATH, Rules};
use crate::sandbox::Identity;

/// More files than any checkout that is worked on has.
const MOST: usize = 500_000;
/// Bytes of a file that is read as text.
const LONGEST: u64 = 8 << 20;

/// Every path below a directory but git's own, in order, as `a/b`. Links are named, not followed.
pub(super) fn paths(tree: &Path) -> Result<Vec<String>, ActionError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let here = tree.join(&directory);
        let failed = |error| ActionError::Disk(here.clone(), error);
        for entry in std::fs::read_dir(&here).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = directory.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                if path != Path::new(".git") {
                    open.push(path);
                }
            } else if let Some(path) = path.to_str() {
                found.push(path.to_owned());
            }
            if found.len() > MOST {
                let words = format!("the checkout has more than {MOST} files");
                return Err(ActionError::Checkout(words));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The rules in a checkout; the defaults where it has none.
pub(super) fn rules(tree: &Path) -> Result<Rules, ActionError> {
    let text = match text(tree, RULES_PATH) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Rules::default()),
        Err(error) => return Err(unreadable(RULES_PATH, &error)),
    };
    Rules::parse(&text).map_err(|bad| {
        let repo = format!("{RULES_PATH}, line {}, column {}", bad.line, bad.column);
        ActionError::Rules(format!("{repo}: {}", bad.problem))
    })
}

/// The text of a file of the checkout, if it is one: a link leads elsewhere, a pipe never ends.
pub(super) fn text(tree: &Path, path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    open(tree, path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(std::io::Error::other(format!("it has more than {LONGEST} bytes")));
    }
    Ok(text)
}

/// The text of a file that the workflow file names, if it is no larger than that.
pub(super) fn bounded(path: &Path, most: u64) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(std::io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(text)
}

/// Why a file of the checkout is of no use.
pub(super) fn unreadable(path: &str, error: &std::io::Error) -> ActionError {
    ActionError::Checkout(format!("`{path}` cannot be read: {}", why(error)))
}

fn why(error: &std::io::Error) -> String {
    match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::LOOP) => {
            "it is a symbolic link, or below one, and no regular file".to_owned()
        }
        Some(rustix::io::Errno::XDEV) => "it leads out of the checkout".to_owned(),
        _ => error.to_string(),
    }
}

/// Writes a file that was not there.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> Result<(), ActionError> {
    let path = directory.join(name);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| ActionError::Disk(path, error))
}

/// Makes a user the owner of a directory and of everything in it. Links are given, not followed.
///
/// # Errors
/// For the first path that cannot be given.
pub fn give_tree(tree: &Path, to: Identity) -> Result<(), ActionError> {
    let mut open = vec![tree.to_owned()];
    while let Some(path) = open.pop() {
        let failed = |error| ActionError::Disk(path.clone(), error);
        std::os::unix::fs::lchown(&path, Some(to.uid), Some(to.gid)).map_err(failed)?;
        if path.is_dir() && !path.is_symlink() {
            for entry in std::fs::read_dir(&path).map_err(failed)? {
                open.push(entry.map_err(failed)?.path());
            }
        }
    }
    Ok(())
}

/// A file below a directory that no link leads to.
fn open(tree: &Path, path: &str) -> std::io::Result<File> {
    let root: OwnedFd = File::open(tree)?.into();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file: File = rustix::fs::openat2(&root, path, flags, Mode::empty(), inside)?.into();
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(std::io::Error::other("it is not a regular file"))
}

/// Copies a file of the checkout under a plain name, and says what was copied.
pub(super) fn take(
    tree: &Path,
    path: &str,
    name: FileName,
    into: &Path,
) -> Result<Artifact, ActionError> {
    let refused = |error: std::io::Error| {
        ActionError::Artifact(format!("`{path}` cannot be released: {}", why(&error)))
    };
    let mut from = open(tree, path).map_err(refused)?;
    let target = into.join(name.as_str());
    let failed = |error| ActionError::Disk(target.clone(), error);
    let options = std::fs::OpenOptions::new().write(true).create_new(true).open(&target);
    let mut to = options.map_err(failed)?;
    let mut hash = Sha256::new();
    let (mut size, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let read = from.read(&mut buffer).map_err(refused)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hash.update(chunk);
        to.write_all(chunk).map_err(failed)?;
        size += u64::try_from(read).unwrap_or(u64::MAX);
    }
    let sha256 = digest(&hex::encode(hash.finalize()))?;
    Ok(Artifact { name, size, sha256 })
}

/// The whole of a build's file.
pub(super) fn content(directory: &Path, name: &str) -> Result<Vec<u8>, ActionError> {
    let failed = |error| ActionError::Disk(directory.join(name), error);
    let mut bytes = Vec::new();
    open(directory, name).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// What a build left: its files as they are now, and the text of its manifest.
pub(super) fn built(directory: &Path) -> Result<(Vec<Artifact>, String), ActionError> {
    let failed = |error| ActionError::Disk(directory.to_owned(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name == MANIFEST || name == SUMS {
            continue;
        }
        let known: FileName = name.parse().map_err(|bad| {
            ActionError::Manifest(format!("among the files of the build is another one: {bad}"))
        })?;
        let bytes = content(directory, &name)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        files.push(Artifact { name: known, size, sha256: Digest::of(&bytes) });
    }
    files.sort();
    let manifest = content(directory, MANIFEST)?;
    Ok((files, String::from_utf8_lossy(&manifest).into_owned()))
}

fn digest(text: &str) -> Result<Digest, ActionError> {
    text.parse().map_err(|bad| ActionError::Manifest(format!("{bad}")))
}
