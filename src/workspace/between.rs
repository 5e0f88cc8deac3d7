//! What lies between two commits, as a change.
//!
//! Invariants: only files count; links and submodules that changed are left out, and their number
//! is told.

use std::collections::BTreeMap;

use super::diff::{BaseFile, BaseFiles};
use super::mirror::{EntryMode, Mirror, MirrorError, TreeEntry};
use crate::core::id::Sha;
use crate::core::patch::{Change, FileMode, Patch};
use crate::core::path::RepoPath;

/// The change from one commit to another.
#[derive(Debug, Default)]
pub struct Between {
    /// Its files.
    pub patch: Patch,
    /// What those of them were that were there.
    pub base: BaseFiles,
    /// How many others changed: links, submodules, and paths that no repository should have.
    pub left_out: usize,
}

/// Reads both commits, and the contents that differ. Blocks the thread.
///
/// # Errors
/// When the mirror is damaged.
pub fn between(
    mirror: &Mirror,
    old: &[TreeEntry],
    new: &[TreeEntry],
) -> Result<Between, MirrorError> {
    let (old, new) = (by_path(old), by_path(new));
    let mut found = Between::default();
    let mut wanted: Vec<(RepoPath, Option<&TreeEntry>, Option<&TreeEntry>)> = Vec::new();
    for path in old.keys().chain(new.keys().filter(|path| !old.contains_key(*path))) {
        let (before, after) = (old.get(path).copied(), new.get(path).copied());
        let same = |a: &TreeEntry, b: &TreeEntry| a.oid == b.oid && a.mode == b.mode;
        if before.zip(after).is_some_and(|(before, after)| same(before, after)) {
            continue;
        }
        let files = [before, after].into_iter().flatten().all(|entry| is_file(entry.mode));
        match RepoPath::from_bytes(path) {
            Ok(path) if files => wanted.push((path, before, after)),
            _ => found.left_out += 1,
        }
    }
    let oids = wanted.iter().flat_map(|(_, before, after)| [before, after]).flatten();
    let oids: Vec<Sha> = oids.map(|entry| entry.oid.clone()).collect();
    let mut blobs = mirror.blobs(oids.into_iter())?;
    let mut next = || -> Result<Vec<u8>, MirrorError> {
        blobs.next_blob()?.ok_or(MirrorError::Damaged("a file's content is missing"))?.into_bytes()
    };
    for (path, before, after) in wanted {
        let replaces = before.map(|entry| entry.oid.clone());
        if let Some(before) = before {
            found.base.insert(path.clone(), BaseFile { mode: before.mode, content: next()? });
        }
        let change = match (after, replaces) {
            (Some(after), replaces) => {
                let executable = after.mode == EntryMode::Executable;
                let mode = if executable { FileMode::Executable } else { FileMode::File };
                Change::Write { mode, content: next()?, replaces }
            }
            (None, Some(replaces)) => Change::Delete { replaces },
            (None, None) => continue,
        };
        found.patch.changes.insert(path, change);
    }
    Ok(found)
}

fn by_path(entries: &[TreeEntry]) -> BTreeMap<&[u8], &TreeEntry> {
    entries.iter().map(|entry| (&*entry.path, entry)).collect()
}

fn is_file(mode: EntryMode) -> bool {
    matches!(mode, EntryMode::File | EntryMode::Executable)
}
