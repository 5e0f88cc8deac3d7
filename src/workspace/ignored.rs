//! What a repository's `.gitignore` files leave out.
//!
//! Invariants: the files are those of the base commit, read as data; what stands in the tree now
//! has no say.

use std::collections::HashMap;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::FileType;

use super::confined;

/// The base commit's `.gitignore` files, as data.
pub(super) struct Ignored {
    by_directory: HashMap<Vec<u8>, Gitignore>,
}

impl Ignored {
    pub(super) fn new(files: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let mut by_directory = HashMap::new();
        for (directory, rules) in files {
            // Paths are matched relative to the file's own directory, so its root is empty.
            let mut builder = GitignoreBuilder::new("");
            for line in String::from_utf8_lossy(&rules).lines() {
                // A line git could not read either ignores nothing.
                let _ = builder.add_line(None, line);
            }
            if let Ok(rules) = builder.build() {
                by_directory.insert(directory, rules);
            }
        }
        Self { by_directory }
    }

    /// The nearest file that has an opinion decides, as in git.
    pub(super) fn covers(&self, path: &[u8], kind: FileType) -> bool {
        let is_directory = kind == FileType::Directory;
        let mut directory = confined::split(path).0;
        loop {
            if let Some(rules) = self.by_directory.get(directory) {
                let start = if directory.is_empty() { 0 } else { directory.len() + 1 };
                let relative = String::from_utf8_lossy(&path[start..]);
                match rules.matched(relative.as_ref(), is_directory) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            if directory.is_empty() {
                return false;
            }
            directory = confined::split(directory).0;
        }
    }
}
