//! What a release changes: the next version, the changelog's section, the manifests. Pure over the
//! files and commits handed in.
//!
//! Invariants: nothing but the version and the new section changes, byte for byte; a file that does
//! not hold a plain version is left as it is and named; the same input gives the same change.

pub mod changelog;
mod conventional;
mod edit;
pub mod manifests;
pub mod mentions;
pub mod version;

use crate::core::id::{Login, Number, Sha};

/// One commit since the last release, as GitHub tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleasedCommit {
    pub sha: Sha,
    /// Its whole message.
    pub message: String,
    /// The pull request it came with.
    pub pull: Option<Number>,
    /// Who wrote it, if GitHub knows the account.
    pub author: Option<Login>,
    /// Whether a model wrote it.
    pub by_model: bool,
}

impl ReleasedCommit {
    /// The first line.
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default().trim()
    }

    /// Whether it only joins others, which are told of themselves.
    pub fn is_merge(&self) -> bool {
        ["Merge pull request #", "Merge branch ", "Merge remote-tracking branch "]
            .iter()
            .any(|start| self.title().starts_with(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A commit as the stories beside need it.
    pub(super) fn change(message: &str, pull: u64, author: &str) -> ReleasedCommit {
        ReleasedCommit {
            sha: "a".repeat(40).parse().unwrap(),
            message: message.to_owned(),
            pull: (pull > 0).then_some(Number(pull)),
            author: author.parse().ok(),
            by_model: message.contains("\nAssisted-by: Gander "),
        }
    }

    #[test]
    fn what_only_joins_others_is_told_by_its_title() {
        assert!(change("Merge pull request #1 from a/b\n\nfeat: x", 1, "mona").is_merge());
        assert!(!change("Merge the two lists", 1, "mona").is_merge());
    }
}
