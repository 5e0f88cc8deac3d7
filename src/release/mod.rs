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

use std::collections::BTreeSet;

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

    /// The commit that it takes back, by the words that git and Gander write.
    pub fn reverted_commit(&self) -> Option<Sha> {
        let says = self.message.lines().find_map(|line| line.strip_prefix("This reverts commit "));
        says?.get(..40)?.parse().ok()
    }

    /// Whether it takes something back, whatever that is.
    pub fn is_revert(&self) -> bool {
        let title = self.title();
        let begins = |start: &str| title.starts_with(start);
        begins("revert:")
            || begins("revert(")
            || begins("Revert \"")
            || self.reverted_commit().is_some()
    }

    /// Whether it only joins others, which are told of themselves.
    pub fn is_merge(&self) -> bool {
        ["Merge pull request #", "Merge branch ", "Merge remote-tracking branch "]
            .iter()
            .any(|start| self.title().starts_with(start))
    }
}

/// The changes, oldest first, without those that were taken back among them, and without what took
/// them back: of both nothing is left.
pub fn without_reverted(changes: Vec<ReleasedCommit>) -> Vec<ReleasedCommit> {
    let mut gone: BTreeSet<Sha> = BTreeSet::new();
    // The newest first: what was taken back itself takes nothing back.
    for change in changes.iter().rev().filter(|it| it.is_revert()) {
        let back = change.reverted_commit().filter(|_| !gone.contains(&change.sha));
        if let Some(back) = back.filter(|sha| changes.iter().any(|it| it.sha == *sha)) {
            gone.extend([back, change.sha.clone()]);
        }
    }
    changes.into_iter().filter(|change| !gone.contains(&change.sha)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_before_the_release_is_in_none_and_a_revert_of_a_revert_brings_it_back() {
        let commit = |digit: char, message: String| ReleasedCommit {
            sha: digit.to_string().repeat(40).parse().unwrap(),
            ..change(&message, 0, "mona")
        };
        let back = |digit: char| {
            format!("revert: x\n\nThis reverts commit {}.\n", digit.to_string().repeat(40))
        };
        let shas = |all: &[ReleasedCommit]| {
            let all = without_reverted(all.to_vec());
            all.iter().map(|it| it.sha.as_str()[..1].to_owned()).collect::<String>()
        };
        let (fix, other) = (commit('a', "fix: x".into()), commit('b', "feat: y".into()));
        assert_eq!(shas(&[fix.clone(), other.clone(), commit('c', back('a'))]), "b");
        let again = [fix, other, commit('c', back('a')), commit('d', back('c'))];
        assert_eq!(shas(&again), "ab");
        // What is out already is taken back by this release.
        assert_eq!(shas(&[commit('c', back('e'))]), "c");
    }

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
