//! The rules that a change must pass before anyone sees it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::attributes::{Conversion, has_dos_line};
use super::base::BaseTree;
use super::blob_hash::BlobHash;
use super::confined::{ConfinedError, shown};
use super::diff;
use super::mirror::{EntryMode, MirrorError, TreeEntry};
use crate::core::bare_repository::in_bare_repository;
use crate::core::id::Sha;
use crate::core::patch::{Change, FileMode, Patch, is_binary};
use crate::core::path::{PathError, RepoPath, collision};
use crate::core::path_rules::{PathClass, PathRules, classify};
use crate::core::policy::RULES_PATH;

/// How large a patch may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Files written or deleted.
    pub files: usize,
    /// Bytes of all files together, as [`diff::size`] counts them.
    pub bytes: u64,
}

/// A changed path that people should look at, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Flag {
    pub path: RepoPath,
    /// For people.
    pub reason: String,
}

/// A change that will not be taken. Each says which path and why.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
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
    Protected { path: RepoPath, rule: &'static str },
    /// A symbolic link, socket, second name or the like.
    #[error(
        "{path} cannot be part of a change: it is {what}; only regular files can be; remove it"
    )]
    NotAFile {
        /// As far as it can be shown.
        path: String,
        /// What it is.
        what: String,
    },
    /// Git would keep something else.
    #[error("{path} must not be written here: {conversion}; mend that, or undo this change")]
    Converted { path: RepoPath, conversion: Conversion },
    /// A file inside another repository's place.
    #[error("{path} is inside a submodule; submodules cannot be changed; remove it")]
    InSubmodule {
        /// As far as it can be shown.
        path: String,
    },
    /// Too many files.
    #[error(
        "the change touches {count} files; at most {limit} are taken; make it smaller, or raise \
         `limits.files` in `{RULES_PATH}`"
    )]
    TooManyFiles {
        /// How many.
        count: usize,
        limit: usize,
    },
    /// Too many bytes.
    #[error(
        "the change is larger than {limit} bytes: it has {size}, and most of them in {largest}; \
         make it smaller, or raise `limits.patch_kib` in `{RULES_PATH}`"
    )]
    TooLarge {
        /// The file with the largest part of it.
        largest: RepoPath,
        /// In bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// More bytes than can be held in memory.
    #[error(
        "the change cannot be read back: with {path} its files are larger than {limit} bytes \
         together, which is more than is ever taken; make it smaller"
    )]
    TooLargeToHold {
        /// The file that went over it, as far as it can be shown.
        path: String,
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
    FileAndDirectory { path: RepoPath },
    /// The patch was made for other content.
    #[error("{path} is not what this patch was made for; make the patch again on this commit")]
    BaseDiffers { path: RepoPath },
    /// The mirror could not deliver.
    #[error("could not read what the change replaces")]
    Base(#[from] MirrorError),
    /// Reading or writing failed.
    #[error("could not {doing} {path}")]
    Io {
        doing: &'static str,
        /// As far as it can be shown.
        path: String,
        #[source]
        source: std::io::Error,
    },
}

impl PatchError {
    /// Whether the patch is larger than is taken.
    pub fn is_about_size(&self) -> bool {
        matches!(self, Self::TooManyFiles { .. } | Self::TooLarge { .. })
    }

    /// Whether it speaks of one entry of the tree, and the rest can be read.
    pub(super) fn is_of_one_entry(&self) -> bool {
        matches!(self, Self::BadPath { .. } | Self::NotAFile { .. } | Self::InSubmodule { .. })
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self { files: 100, bytes: 1024 * 1024 }
    }
}

/// Holds a patch against the rules; `base` is the commit it was made on. What it returns is allowed
/// but worth a look, by path. Reads old contents where it depends on them; that blocks shortly.
///
/// # Errors
/// The first rule that is broken.
pub fn check(
    patch: &Patch,
    base: &BaseTree,
    rules: &PathRules,
    caps: Caps,
) -> Result<Vec<Flag>, PatchError> {
    check_caps(patch, base, caps)?;
    for path in patch.changes.keys() {
        if let PathClass::Never(rule) = classify(path, rules) {
            return Err(PatchError::Protected { path: path.clone(), rule });
        }
    }
    check_names(patch, base)?;
    check_conversions(patch, base)?;
    Ok(flags(patch, base, rules))
}

/// Whether a patch is no larger than is taken.
///
/// # Errors
/// What of it is too large.
pub fn check_caps(patch: &Patch, base: &BaseTree, caps: Caps) -> Result<(), PatchError> {
    if patch.changes.len() > caps.files {
        let count = patch.changes.len();
        return Err(PatchError::TooManyFiles { count, limit: caps.files });
    }
    check_size(patch, base, caps.bytes)
}

fn check_size(patch: &Patch, base: &BaseTree, limit: u64) -> Result<(), PatchError> {
    // No file counts with more than its new content.
    if patch.changes.values().map(Change::size).sum::<u64>() <= limit {
        return Ok(());
    }
    let files = diff::base_files(&base.mirror, base, patch)?;
    let sizes = diff::sizes(patch, &files);
    let size = sizes.values().sum::<u64>();
    match sizes.into_iter().max_by_key(|(_, size)| *size) {
        Some((largest, _)) if size > limit => {
            Err(PatchError::TooLarge { largest: largest.clone(), size, limit })
        }
        _ => Ok(()),
    }
}

fn check_names(patch: &Patch, base: &[TreeEntry]) -> Result<(), PatchError> {
    let is_written = |change: &Change| matches!(change, Change::Write { .. });
    let written: BTreeSet<&RepoPath> = patch
        .changes
        .iter()
        .filter_map(|(path, change)| is_written(change).then_some(path))
        .collect();
    let changed: BTreeSet<&str> = patch.changes.keys().map(RepoPath::as_str).collect();
    let before: Vec<&str> =
        base.iter().filter_map(|entry| std::str::from_utf8(&entry.path).ok()).collect();
    let stays = before.iter().copied().filter(|path| !changed.contains(path));
    let after: BTreeSet<&str> = stays.chain(written.iter().map(|path| path.as_str())).collect();
    for path in &written {
        let below = format!("{path}/");
        let is_directory =
            after.range(below.as_str()..).next().is_some_and(|n| n.starts_with(&below));
        let mut parents = std::iter::successors(path.parent(), RepoPath::parent);
        if is_directory || parents.any(|parent| after.contains(parent.as_str())) {
            return Err(PatchError::FileAndDirectory { path: (*path).clone() });
        }
    }
    if let Some(path) = in_bare_repository(written.iter().copied(), after.iter().copied()) {
        let rule = "with what is beside it, git takes its directory for a repository, and obeys it";
        return Err(PatchError::Protected { path: path.clone(), rule });
    }
    match collision(written.into_iter(), before.into_iter(), after.into_iter()) {
        Some((path, other)) => Err(PatchError::Collision { path, other }),
        None => Ok(()),
    }
}

/// A commit takes contents as they are, so what git would convert on the way is refused. A file
/// that only moves or changes its mode keeps what git made of it.
fn check_conversions(patch: &Patch, base: &BaseTree) -> Result<(), PatchError> {
    for (path, change) in &patch.changes {
        let Change::Write { content, replaces, .. } = change else { continue };
        let had_dos_lines = || replaces.as_ref().is_some_and(|oid| has_dos_lines(base, oid));
        match base.attributes.conversion(path, content, had_dos_lines) {
            None => {}
            Some(Conversion::Filter(_) | Conversion::Encoding(_))
                if is_of_the_base(path, content, base) => {}
            Some(conversion) => {
                return Err(PatchError::Converted { path: path.clone(), conversion });
            }
        }
    }
    Ok(())
}

/// Unreadable counts as none: that is the stricter answer.
fn has_dos_lines(base: &BaseTree, oid: &Sha) -> bool {
    let content = || {
        base.mirror.blobs(std::iter::once(oid.clone())).ok()?.next_blob().ok()??.into_bytes().ok()
    };
    content().is_some_and(|content| has_dos_line(&content))
}

/// Whether the base has this content at a path that git treats like this one.
fn is_of_the_base(path: &RepoPath, content: &[u8], base: &BaseTree) -> bool {
    let Some(first) = base.first() else { return false };
    let name = BlobHash::of(content, &first.oid);
    let here = base.attributes.by_program(path.as_str());
    base.iter()
        .filter(|entry| entry.oid.as_str() == name)
        .any(|entry| base.attributes.by_program(&String::from_utf8_lossy(&entry.path)) == here)
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
            Change::Write { mode, content, replaces } => {
                if replaces.is_some() && path.looks_like_a_test() {
                    flag("changes a test that was there");
                }
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

/// What stands in the way of reading or writing `path`.
pub(super) fn refused(doing: &'static str, path: &[u8], problem: ConfinedError) -> PatchError {
    let path = shown(path);
    match problem {
        ConfinedError::Special(what) => PatchError::NotAFile { path, what: what.to_owned() },
        ConfinedError::TooLarge { limit } => PatchError::TooLargeToHold { path, limit },
        ConfinedError::Io(source) => PatchError::Io { doing, path, source },
    }
}
