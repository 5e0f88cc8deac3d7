//! Small text files of a commit, for whoever only wants to know what they say.
//!
//! Invariants: what is not there, is too large or has a path that no repository may have is none.

use super::mirror::{Mirror, MirrorError};
use crate::core::id::Sha;

/// The text of a file of a commit; `None` when there is none, or it has more bytes than this.
///
/// # Errors
/// When the mirror is damaged.
pub fn read_text(
    mirror: &Mirror,
    commit: &Sha,
    path: &str,
    limit: u64,
) -> Result<Option<String>, MirrorError> {
    let Ok(path) = path.parse() else { return Ok(None) };
    match mirror.read_file(commit, &path, limit) {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(MirrorError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
