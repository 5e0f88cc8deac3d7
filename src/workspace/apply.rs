//! Laying a patch on an exported tree.
//!
//! Invariants: a patch is laid whole or not at all. New files are complete before the first of them
//! is moved into place, old ones are kept until all is done, and every step can be taken back.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode as Bits, RenameFlags};

use super::changes;
use super::confined::{self, ConfinedError, split};
use super::patch::{PatchError, refused};
use super::tree::Workspace;
use crate::core::patch::{Change, FileMode, Patch};
use crate::core::path::RepoPath;

impl Workspace {
    /// Lays a patch on the tree. After an error the tree is as it was. Blocks while it writes.
    ///
    /// # Errors
    /// [`PatchRefusal::BaseDiffers`] when the patch was made for other content.
    pub fn apply(&self, patch: &Patch) -> Result<(), PatchError> {
        for (path, change) in &patch.changes {
            self.check_base(path, change)?;
        }
        let staging = Staging::make(&self.root)?;
        let mut done = Vec::new();
        let result = staging.write(patch).and_then(|()| self.lay(patch, &staging, &mut done));
        if result.is_err() {
            for step in done.into_iter().rev() {
                step.undo(&self.root, &staging.directory);
            }
        }
        staging.remove();
        if result.is_ok() {
            self.origins.laid(patch.changes.keys());
        }
        result
    }

    fn check_base(&self, path: &RepoPath, change: &Change) -> Result<(), PatchError> {
        let differs = || PatchError::BaseDiffers { path: path.clone() };
        let expected = match change {
            Change::Write { replaces, .. } => replaces.as_ref(),
            Change::Delete { replaces } => Some(replaces),
        };
        let at = self.base.by_path.get(path.as_str().as_bytes()).copied();
        if at.map(|at| &self.base.entries[at].oid) != expected {
            return Err(differs());
        }
        match at {
            Some(at) if changes::is_as_exported(self, at)? => Ok(()),
            Some(_) => Err(differs()),
            None => Ok(()),
        }
    }

    /// Deletes first, so that a file can take the place of a directory that the patch empties.
    fn lay(
        &self,
        patch: &Patch,
        staging: &Staging<'_>,
        done: &mut Vec<ApplyStep>,
    ) -> Result<(), PatchError> {
        let root = &self.root;
        for (number, (path, change)) in patch.changes.iter().enumerate() {
            let path = path.as_str().as_bytes();
            let replaces = match change {
                Change::Write { replaces, .. } => replaces.is_some(),
                Change::Delete { .. } => true,
            };
            if replaces {
                let aside = format!("old{number}");
                rename(root, path, &staging.directory, aside.as_bytes())
                    .map_err(|e| refused("remove", path, e))?;
                done.push(ApplyStep::Aside { aside, path: path.to_vec() });
            }
            if matches!(change, Change::Delete { .. }) {
                self.remove_empty_parents(path, done);
            }
        }
        for (number, (path, change)) in patch.changes.iter().enumerate() {
            let path = path.as_str().as_bytes();
            if matches!(change, Change::Write { .. }) {
                let mut made = Vec::new();
                let parents = confined::make_parents(root, path, &mut made);
                done.extend(made.into_iter().map(ApplyStep::Made));
                parents.map_err(|e| refused("make a directory for", path, e))?;
                rename(&staging.directory, format!("new{number}").as_bytes(), root, path)
                    .map_err(|e| refused("write", path, e))?;
                done.push(ApplyStep::Placed(path.to_vec()));
            }
        }
        Ok(())
    }

    /// Git knows no empty directories, so neither does the tree.
    fn remove_empty_parents(&self, path: &[u8], done: &mut Vec<ApplyStep>) {
        let mut directory = split(path).0;
        while !directory.is_empty() && remove_directory(&self.root, directory).is_ok() {
            done.push(ApplyStep::Emptied(directory.to_vec()));
            directory = split(directory).0;
        }
    }
}

/// One step of laying a patch, and how to take it back.
enum ApplyStep {
    Aside { aside: String, path: Vec<u8> },
    Emptied(Vec<u8>),
    Made(Vec<u8>),
    Placed(Vec<u8>),
}

impl ApplyStep {
    /// What fails here failed for the same reason as what is being undone.
    fn undo(self, root: &File, staging: &OwnedFd) {
        match self {
            ApplyStep::Aside { aside, path } => {
                let _ = rename(staging, aside.as_bytes(), root, &path);
            }
            ApplyStep::Emptied(path) => {
                let (parent, name) = split(&path);
                if let Ok(parent) = confined::open_directory(root, parent) {
                    let _ = rustix::fs::mkdirat(parent, name, Bits::from_raw_mode(0o755));
                }
            }
            ApplyStep::Made(path) => {
                let _ = remove_directory(root, &path);
            }
            ApplyStep::Placed(path) => {
                let (parent, name) = split(&path);
                if let Ok(parent) = confined::open_directory(root, parent) {
                    let _ = rustix::fs::unlinkat(parent, name, AtFlags::empty());
                }
            }
        }
    }
}

/// A directory inside the tree where new files wait and old ones are kept until all is done.
struct Staging<'a> {
    root: &'a File,
    name: String,
    directory: OwnedFd,
}

impl<'a> Staging<'a> {
    fn make(root: &'a File) -> Result<Self, PatchError> {
        let failed = |problem| refused("prepare", b".", problem);
        for number in 0..100 {
            let name = format!(".gander-apply-{number}");
            match rustix::fs::mkdirat(root, name.as_str(), Bits::from_raw_mode(0o700)) {
                Ok(()) => {
                    let directory =
                        confined::open_directory(root, name.as_bytes()).map_err(failed)?;
                    return Ok(Self { root, name, directory });
                }
                Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        Err(failed(ConfinedError::Io(std::io::ErrorKind::AlreadyExists.into())))
    }

    fn write(&self, patch: &Patch) -> Result<(), PatchError> {
        for (number, (path, change)) in patch.changes.iter().enumerate() {
            if let Change::Write { mode, content, .. } = change {
                let bits = if *mode == FileMode::Executable { 0o755 } else { 0o644 };
                let name = format!("new{number}");
                confined::create_file(&self.directory, name.as_bytes(), Bits::from_raw_mode(bits))
                    .and_then(|mut file| Ok(file.write_all(content)?))
                    .map_err(|problem| refused("write", path.as_str().as_bytes(), problem))?;
            }
        }
        Ok(())
    }

    /// What cannot be removed shows up as a change and is refused there.
    fn remove(self) {
        if let Ok(names) = rustix::fs::Dir::read_from(&self.directory) {
            for entry in names.flatten() {
                let _ = rustix::fs::unlinkat(&self.directory, entry.file_name(), AtFlags::empty());
            }
        }
        let _ = remove_directory(self.root, self.name.as_bytes());
    }
}

/// Moves a file between two confined places, never over something.
fn rename(from: impl AsFd, old: &[u8], to: impl AsFd, new: &[u8]) -> Result<(), ConfinedError> {
    let (old_parent, old_name) = split(old);
    let (new_parent, new_name) = split(new);
    let old_parent = confined::open_directory(from, old_parent)?;
    let new_parent = confined::open_directory(to, new_parent)?;
    let never_over = RenameFlags::NOREPLACE;
    Ok(rustix::fs::renameat_with(old_parent, old_name, new_parent, new_name, never_over)?)
}

fn remove_directory(root: &File, path: &[u8]) -> Result<(), ConfinedError> {
    let (parent, name) = split(path);
    let parent = confined::open_directory(root, parent)?;
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}
