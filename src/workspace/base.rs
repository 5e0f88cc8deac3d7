//! A commit as it was exported: its entries, and what is needed to see what became of them.
//!
//! Invariants: all of it is the commit's; what stands in the tree now has no say.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use rustix::fs::Stat;

use super::attributes::Attributes;
use super::confined::split;
use super::ignored::Ignored;
use super::mirror::{Mirror, TreeEntry};

/// The entries of an exported commit, in git's order, and what git's own files say about them.
pub struct BaseTree {
    pub(super) entries: Vec<TreeEntry>,
    /// Beside `entries`.
    pub(super) stamps: Vec<Stamp>,
    pub(super) by_path: HashMap<Vec<u8>, usize>,
    pub(super) directories: BTreeSet<Vec<u8>>,
    pub(super) ignored: Ignored,
    pub(super) attributes: Arc<Attributes>,
    /// When the last file was written.
    pub(super) finished: (i64, i64),
    /// Where the contents are.
    pub(super) mirror: Mirror,
}

/// The commit's files that tell git about others, by the directory they are in. Left out, they
/// would let something into a commit that git would not, so a commit with too many is refused.
#[derive(Default)]
pub(super) struct RuleFiles {
    ignores: Vec<(Vec<u8>, Vec<u8>)>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    /// Lines and wildcards: what they take in memory, read.
    signs: usize,
}

/// So many bytes they may have in all, and so many lines and wildcards. A wildcard takes some
/// kilobytes.
const MOST_RULES: usize = 4 << 20;
const MOST_SIGNS: usize = 50_000;

/// What the system said about a file when it was written. Nobody can write to it and keep all of
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: i64,
    modified: (i64, i64),
    pub(super) changed: (i64, i64),
    mode: u32,
}

impl BaseTree {
    pub(super) fn new(
        mirror: Mirror,
        entries: Vec<TreeEntry>,
        stamps: Vec<Stamp>,
        rules: RuleFiles,
    ) -> Self {
        let by_path = entries.iter().enumerate().map(|(at, e)| (e.path.clone(), at)).collect();
        let mut directories = BTreeSet::new();
        for entry in &entries {
            let mut directory = split(&entry.path).0;
            while !directory.is_empty() && directories.insert(directory.to_vec()) {
                directory = split(directory).0;
            }
        }
        let finished = stamps.iter().map(|stamp| stamp.changed).max().unwrap_or_default();
        let ignored = Ignored::new(rules.ignores);
        let attributes = Arc::new(Attributes::new(rules.attributes));
        Self { entries, stamps, by_path, directories, ignored, attributes, finished, mirror }
    }

    /// What git makes of contents.
    pub fn attributes(&self) -> &Arc<Attributes> {
        &self.attributes
    }
}

impl Deref for BaseTree {
    type Target = [TreeEntry];

    fn deref(&self) -> &[TreeEntry] {
        &self.entries
    }
}

impl<'a> IntoIterator for &'a BaseTree {
    type Item = &'a TreeEntry;
    type IntoIter = std::slice::Iter<'a, TreeEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl RuleFiles {
    pub(super) fn has_a_place_for(name: &[u8]) -> bool {
        matches!(name, b".gitignore" | b".gitattributes")
    }

    /// # Errors
    /// When there are too many; in words for people.
    pub(super) fn take(&mut self, path: &[u8], content: Vec<u8>) -> Result<(), &'static str> {
        self.bytes += content.len();
        self.signs += 1 + content.iter().filter(|byte| b"\n*?[".contains(byte)).count();
        if self.bytes > MOST_RULES || self.signs > MOST_SIGNS {
            return Err(
                "its .gitignore and .gitattributes files have more than 4 MiB, or more than 50,000 \
                 lines and wildcards",
            );
        }
        let (directory, name) = split(path);
        let files = if name == b".gitignore" { &mut self.ignores } else { &mut self.attributes };
        files.push((directory.to_vec(), content));
        Ok(())
    }
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
            mode: stat.st_mode,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_with_rules_without_end_is_refused_and_said_so() {
        for (content, fits) in [("x".repeat(1 << 20), 4), ("*.a\n".repeat(5_000), 4)] {
            let mut rules = RuleFiles::default();
            let mut take =
                |i: usize| rules.take(format!("{i}/.gitignore").as_bytes(), content.clone().into());
            assert!((0..fits).all(|i| take(i).is_ok()));
            let refusal = take(fits).unwrap_err();
            assert!(refusal.contains("have more than 4 MiB"), "{refusal}");
        }
    }
}
