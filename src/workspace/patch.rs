//! The rules that a change must pass before anyone sees it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::confined::ConfinedError;
use super::mirror::{EntryMode, TreeEntry};
use crate::core::patch::{Change, FileMode, Patch};
use crate::core::path::{PathError, RepoPath, collision};
use crate::core::tier::{PathClass, PathRules, classify};

/// How large a patch may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Files written or deleted.
    pub files: usize,
    /// Bytes of all new contents together.
    pub bytes: u64,
}

/// A changed path that people should look at, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// The path.
    pub path: RepoPath,
    /// For people.
    pub reason: String,
}

/// A change that will not be taken. Each says which path and why.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// A path no repository of ours may contain.
    #[error("{path:?} cannot be part of a change: {problem}")]
    BadPath {
        /// As far as it can be shown.
        path: String,
        /// The rule it breaks.
        problem: PathError,
    },
    /// A path that only people change.
    #[error("{path} must not be changed: {rule}; undo this change")]
    Protected {
        /// The path.
        path: RepoPath,
        /// The rule.
        rule: &'static str,
    },
    /// A symbolic link, socket, second name or the like.
    #[error(
        "{path} cannot be part of a change: it is {what}; only regular files can be; remove it"
    )]
    NotAFile {
        /// As far as it can be shown.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A file inside another repository's place.
    #[error("{path} is inside a submodule; submodules cannot be changed; remove it")]
    InSubmodule {
        /// As far as it can be shown.
        path: String,
    },
    /// Too many files.
    #[error("the change touches {count} files; at most {limit} are taken")]
    TooManyFiles {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many bytes.
    #[error("the change is larger than {limit} bytes{}", at.as_ref().map(|p| format!(" (at {p})")).unwrap_or_default())]
    TooLarge {
        /// The file that went over it, where it was one.
        at: Option<String>,
        /// The limit in bytes.
        limit: u64,
    },
    /// More files or deeper directories than can be looked through.
    #[error("the tree cannot be looked through: {0}")]
    TreeTooBig(&'static str),
    /// Two spellings of one name.
    #[error("{path} and {other} are the same file to some file systems; choose another name")]
    Collision {
        /// The changed path, or a directory of it.
        path: String,
        /// The other spelling.
        other: String,
    },
    /// A file where a directory is, or the other way round.
    #[error("{path} would be a file and a directory at once")]
    FileAndDirectory {
        /// The path.
        path: RepoPath,
    },
    /// The patch was made for other content.
    #[error("{path} is not what this patch was made for; make the patch again on this commit")]
    BaseDiffers {
        /// The path.
        path: RepoPath,
    },
    /// Reading or writing failed.
    #[error("could not {doing} {path}")]
    Io {
        /// The verb.
        doing: &'static str,
        /// As far as it can be shown.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Default for Caps {
    fn default() -> Self {
        Self { files: 100, bytes: 1024 * 1024 }
    }
}

/// Holds a patch against the rules; `base` is every entry of the commit it was made on. What it
/// returns is allowed but worth a look, by path.
///
/// # Errors
/// The first rule that is broken.
pub fn check(
    patch: &Patch,
    base: &[TreeEntry],
    rules: &PathRules,
    caps: Caps,
) -> Result<Vec<Flag>, PatchError> {
    if patch.changes.len() > caps.files {
        let count = patch.changes.len();
        return Err(PatchError::TooManyFiles { count, limit: caps.files });
    }
    if patch.changes.values().map(Change::size).sum::<u64>() > caps.bytes {
        return Err(PatchError::TooLarge { at: None, limit: caps.bytes });
    }
    for path in patch.changes.keys() {
        if let PathClass::Never(rule) = classify(path, rules) {
            return Err(PatchError::Protected { path: path.clone(), rule });
        }
    }
    check_names(patch, base)?;
    Ok(flags(patch, base, rules))
}

fn check_names(patch: &Patch, base: &[TreeEntry]) -> Result<(), PatchError> {
    let is_written = |change: &Change| matches!(change, Change::Write { .. });
    let written: BTreeSet<&RepoPath> = patch
        .changes
        .iter()
        .filter_map(|(path, change)| is_written(change).then_some(path))
        .collect();
    let changed: BTreeSet<&str> = patch.changes.keys().map(RepoPath::as_str).collect();
    let tree: Vec<&str> = base
        .iter()
        .filter_map(|entry| std::str::from_utf8(&entry.path).ok())
        .filter(|path| !changed.contains(path))
        .collect();
    let known: BTreeSet<&str> =
        tree.iter().copied().chain(written.iter().map(|path| path.as_str())).collect();
    for path in &written {
        let below = format!("{path}/");
        let is_directory =
            known.range(below.as_str()..).next().is_some_and(|n| n.starts_with(&below));
        let mut parents = std::iter::successors(path.parent(), RepoPath::parent);
        if is_directory || parents.any(|parent| known.contains(parent.as_str())) {
            return Err(PatchError::FileAndDirectory { path: (*path).clone() });
        }
    }
    match collision(written.into_iter(), tree.into_iter()) {
        Some((path, other)) => Err(PatchError::Collision { path, other }),
        None => Ok(()),
    }
}

fn flags(patch: &Patch, base: &[TreeEntry], rules: &PathRules) -> Vec<Flag> {
    let before: BTreeMap<&[u8], EntryMode> =
        base.iter().map(|entry| (entry.path.as_slice(), entry.mode)).collect();
    let top_level: BTreeSet<&[u8]> =
        base.iter().filter_map(|entry| entry.path.split(|byte| *byte == b'/').next()).collect();
    let mut flags = Vec::new();
    for (path, change) in &patch.changes {
        let mut flag = |reason: &str| {
            flags.push(Flag { path: path.clone(), reason: reason.to_owned() });
        };
        if let PathClass::Flag(reason) = classify(path, rules) {
            flag(reason);
        }
        let first = path.components().next().unwrap_or_default();
        if first.starts_with('.') && first != path.as_str() && !top_level.contains(first.as_bytes())
        {
            flag("is in a new hidden directory");
        }
        let mode_before = before.get(path.as_str().as_bytes()).copied();
        match change {
            Change::Delete { .. } if path.looks_like_a_test() => flag("deletes a test"),
            Change::Delete { .. } => {}
            Change::Write { mode, content, .. } => {
                if *mode == FileMode::Executable && mode_before != Some(EntryMode::Executable) {
                    flag("can be run now");
                }
                if mode_before == Some(EntryMode::Symlink) {
                    flag("was a symbolic link");
                }
                if is_binary(content) {
                    flag("is not text");
                }
            }
        }
    }
    flags
}

/// Git's own rule: a NUL in the first 8,000 bytes.
pub fn is_binary(content: &[u8]) -> bool {
    content.iter().take(8000).any(|byte| *byte == 0)
}

/// A path as far as it can be shown to people.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What stands in the way of reading or writing `path`.
pub(super) fn refused(doing: &'static str, path: &[u8], problem: ConfinedError) -> PatchError {
    let path = shown(path);
    match problem {
        ConfinedError::Special(what) => PatchError::NotAFile { path, what },
        ConfinedError::TooLarge { limit } => PatchError::TooLarge { at: Some(path), limit },
        ConfinedError::Io(source) => PatchError::Io { doing, path, source },
    }
}
