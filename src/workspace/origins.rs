//! Who made the files of a tree: an edit of the agent, a patch that was laid, or a command.
//!
//! Invariants: what an edit wrote is known in all later attempts of the same job, also after a
//! crash; what nobody told of here was made by a command.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::path::RepoPath;

/// The name of the file, among the records of a job, that [`Origins::continue_in`] is given.
pub const RECORD: &str = "edited-paths";

/// What is known about the origin of files.
#[derive(Debug, Default)]
pub struct Origins(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    edited: BTreeSet<RepoPath>,
    laid: BTreeSet<RepoPath>,
    record: Option<PathBuf>,
}

impl Origins {
    /// Goes on from what is kept in this file, and keeps there what comes.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn continue_in(&self, record: &Path) -> io::Result<()> {
        let paths = paths_in(record)?;
        let mut known = self.known();
        known.edited.extend(paths);
        known.record = Some(record.to_owned());
        Ok(())
    }

    /// Goes on, too, from what another job's record says of the files that were laid here.
    ///
    /// # Errors
    /// When that cannot be read, or kept.
    pub fn take_over(&self, record: &Path) -> io::Result<()> {
        for path in paths_in(record)? {
            let is_laid = self.known().laid.contains(&path);
            if is_laid {
                self.edited(&path)?;
            }
        }
        Ok(())
    }

    /// An edit wrote this file.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn edited(&self, path: &RepoPath) -> io::Result<()> {
        let mut known = self.known();
        if !known.edited.insert(path.clone()) {
            return Ok(());
        }
        let Some(record) = &known.record else { return Ok(()) };
        if let Some(directory) = record.parent() {
            std::fs::create_dir_all(directory)?;
        }
        // One write: a crash leaves whole lines.
        let mut file = OpenOptions::new().append(true).create(true).open(record)?;
        file.write_all(format!("{path}\n").as_bytes())
    }

    /// A patch that was handed in before holds these files.
    pub(super) fn laid<'a>(&self, paths: impl Iterator<Item = &'a RepoPath>) {
        self.known().laid.extend(paths.cloned());
    }

    /// Whether an edit wrote this file.
    pub fn is_edited(&self, path: &RepoPath) -> bool {
        self.known().edited.contains(path)
    }

    /// Whether somebody wants this file, whatever its name.
    pub(super) fn keeps(&self, path: &RepoPath) -> bool {
        let known = self.known();
        known.edited.contains(path) || known.laid.contains(path)
    }

    /// Whether somebody wants a file below this directory.
    pub(super) fn keeps_below(&self, directory: &[u8]) -> bool {
        let Ok(directory) = std::str::from_utf8(directory) else { return false };
        let known = self.known();
        known.edited.iter().chain(&known.laid).any(|path| {
            path.as_str().strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn paths_in(record: &Path) -> io::Result<Vec<RepoPath>> {
    match std::fs::read_to_string(record) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_edit_wrote_is_known_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let record = directory.path().join("records").join(RECORD);
        let path = |text: &str| text.parse::<RepoPath>().unwrap();
        for name in ["dist/a b", "ü/x"] {
            let origins = Origins::default();
            origins.continue_in(&record).unwrap();
            origins.edited(&path(name)).unwrap();
            origins.edited(&path(name)).unwrap();
        }
        let origins = Origins::default();
        origins.continue_in(&record).unwrap();
        assert!(origins.is_edited(&path("dist/a b")) && origins.is_edited(&path("ü/x")));
        assert!(origins.keeps_below(b"dist") && !origins.keeps_below(b"dis"));
        assert!(!origins.is_edited(&path("dist/a")));
        assert_eq!(std::fs::read_to_string(&record).unwrap(), "dist/a b\nü/x\n");
    }
}
