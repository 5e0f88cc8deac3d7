//! Small text files of a commit, for whoever only wants to know what they say.
//!
//! Invariants: what is not there, is too large or has a path that no repository may have is none;
//! a file is read once, and all by one process.

use std::collections::BTreeMap;

use super::mirror::{Blobs, Mirror, MirrorError};
use crate::core::id::Sha;
use crate::core::path::RepoPath;

/// Reads the small text files of one commit.
pub struct TextReader {
    mirror: Mirror,
    commit: Sha,
    /// Bytes of the largest that is read.
    limit: u64,
    blobs: Option<Blobs>,
    known: BTreeMap<String, Option<String>>,
}

impl TextReader {
    /// For files of no more bytes than this. Nothing is started before the first is read.
    pub fn new(mirror: &Mirror, commit: &Sha, limit: u64) -> Self {
        let (mirror, commit) = (mirror.clone(), commit.clone());
        Self { mirror, commit, limit, blobs: None, known: BTreeMap::new() }
    }

    /// The text of a file; `None` when there is none, or it is too large. Blocks the thread.
    ///
    /// # Errors
    /// When the mirror is damaged.
    pub fn read(&mut self, path: &str) -> Result<Option<String>, MirrorError> {
        if let Some(text) = self.known.get(path) {
            return Ok(text.clone());
        }
        let Ok(name) = path.parse::<RepoPath>() else { return Ok(None) };
        let blobs = match &mut self.blobs {
            Some(blobs) => blobs,
            none => none.insert(self.mirror.answers()?),
        };
        let text = match blobs.ask(&format!("{}:{name}", self.commit))? {
            Some(blob) if blob.size <= self.limit => {
                Some(String::from_utf8_lossy(&blob.into_bytes()?).into_owned())
            }
            Some(_) | None => None,
        };
        self.known.insert(path.to_owned(), text.clone());
        Ok(text)
    }
}
