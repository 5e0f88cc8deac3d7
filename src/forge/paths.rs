//! Paths of GitHub's API.
//!
//! Invariants: what stands in a path is encoded, so that no name leads elsewhere.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::core::github::RepoRef;
use crate::core::id::RepoId;

/// All but what may stand in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A path of several segments, such as a branch name or a file's path.
pub(super) fn segments(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Whether a path is of the repository with this number, whatever its name is by now.
pub(super) fn is_of(path: &str, id: RepoId) -> bool {
    let rest = path.strip_prefix(by_number(id).as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Where GitHub's redirects of renamed and transferred repositories lead.
pub(super) fn by_number(id: RepoId) -> String {
    format!("/repositories/{id}")
}

pub(super) fn repo_path(repo: &RepoRef) -> String {
    format!("/repos/{}/{}", segment(repo.name.owner()), segment(repo.name.name()))
}
