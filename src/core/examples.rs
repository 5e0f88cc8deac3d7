//! The files that people put into a repository themselves, and the links that do it in one tap.
//!
//! Invariants: a link only fills in GitHub's own page for a new file, so nothing is written before
//! a person presses GitHub's button; the hashes of our Action and program are whole or visibly
//! missing.

use super::id::{Branch, RepoName};
use super::setup::Hub;

/// What stands where the commit of our own Action belongs, until somebody says it.
pub const ACTION_MISSING: &str = "REPLACE-WITH-FULL-SHA";

/// What stands where the digest of our program belongs, until somebody says it.
pub const DIGEST_MISSING: &str = "REPLACE-WITH-SHA256";

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// The rules of a repository.
    Rules,
    /// The workflow that tests.
    Test,
    /// The workflow that releases.
    Release,
    /// The workflow that works without a server.
    Fix,
}

/// What only the person who trusts it can say: which Action, and which program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pins<'a> {
    /// The commit of our Action.
    pub action: Option<&'a str>,
    /// The SHA-256 of the archive with our program.
    pub digest: Option<&'a str>,
}

/// A hash that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not {expected}")]
pub struct HashError {
    got: String,
    expected: &'static str,
}

impl Example {
    /// Those of a server's repositories, in the order people need them.
    pub const ALL: [Self; 3] = [Self::Rules, Self::Test, Self::Release];

    /// Where it stands in a repository.
    pub fn path(self) -> &'static str {
        match self {
            Self::Rules => super::policy::RULES_PATH,
            Self::Test => ".github/workflows/gander-test.yml",
            Self::Release => ".github/workflows/gander-release.yml",
            Self::Fix => ".github/workflows/gander-fix.yml",
        }
    }

    /// What it is for, in one line.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Rules => "Rules for this repository. Optional: everything has a default.",
            Self::Test => "Runs the tests in GitHub Actions, with readable results.",
            Self::Release => "Tests, builds and publishes a release that was approved.",
            Self::Fix => "Fixes issues in GitHub Actions, where no server runs.",
        }
    }

    /// Its text as it stands in our repository.
    pub fn text(self) -> &'static str {
        match self {
            Self::Rules => include_str!("../../action/examples/gander.toml"),
            Self::Test => include_str!("../../action/examples/gander-test.yml"),
            Self::Release => include_str!("../../action/examples/gander-release.yml"),
            Self::Fix => include_str!("../../action/examples/gander-fix.yml"),
        }
    }

    /// Its text with the hashes in it that are given.
    ///
    /// # Errors
    /// When one of them is not whole.
    pub fn filled(self, pins: Pins<'_>) -> Result<String, HashError> {
        let mut text = self.text().to_owned();
        for (given, length, mark, expected) in [
            (pins.action, 40, ACTION_MISSING, "the full hash of a commit: 40 hex digits"),
            (pins.digest, 64, DIGEST_MISSING, "a SHA-256: 64 hex digits, as in SHA256SUMS"),
        ] {
            let Some(hash) = given else { continue };
            let digits = hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if hash.len() != length || !digits {
                return Err(HashError { got: hash.chars().take(80).collect(), expected });
            }
            text = text.replace(mark, hash);
        }
        Ok(text)
    }

    /// Whether a person still has to fill something in.
    pub fn is_open(self) -> bool {
        [ACTION_MISSING, DIGEST_MISSING].iter().any(|mark| self.text().contains(mark))
    }

    /// GitHub's page for a new file, with path and content filled in.
    pub fn link(self, hub: &Hub, repository: &RepoName, branch: &Branch) -> String {
        let mut url = hub.page(&["/", repository.owner(), "/", repository.name(), "/new/"]);
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(branch.as_str().split('/'));
        }
        url.query_pairs_mut()
            .append_pair("filename", self.path())
            .append_pair("value", self.text());
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_rules_are_rules_that_change_nothing() {
        let rules = super::super::policy::Rules::parse(Example::Rules.text());
        assert_eq!(rules.unwrap(), super::super::policy::Rules::default());
        let bare = |line: &str| line.strip_prefix("# ").map(str::to_owned);
        let shown: String = Example::Rules
            .text()
            .lines()
            .skip(3)
            .filter_map(bare)
            .map(|line| line + "\n")
            .collect();
        let rules = super::super::policy::Rules::parse(&shown).unwrap();
        assert_ne!(rules, super::super::policy::Rules::default());
    }

    #[test]
    fn a_link_holds_path_and_content_and_stays_short_enough_for_github() {
        let hub: Hub = "https://github.com".parse().unwrap();
        let (repository, branch) = ("acme/stats".parse().unwrap(), "release/1.x".parse().unwrap());
        for example in Example::ALL {
            let link = example.link(&hub, &repository, &branch);
            assert!(link.len() < 8_000, "{}: {} bytes", example.path(), link.len());
            let url = url::Url::parse(&link).unwrap();
            assert_eq!(url.path(), "/acme/stats/new/release/1.x");
            let given: Vec<_> = url.query_pairs().into_owned().collect();
            assert_eq!(given[0], ("filename".to_owned(), example.path().to_owned()));
            assert_eq!(given[1], ("value".to_owned(), example.text().to_owned()));
        }
    }

    #[test]
    fn a_workflow_shows_which_hash_is_missing_until_it_is_given_in_full() {
        let (sha, digest) = ("0123456789abcdef".repeat(3), "0123456789abcdef".repeat(4));
        let sha = &sha[..40];
        for example in [Example::Test, Example::Release, Example::Fix] {
            assert!(example.is_open());
            let action = Pins { action: Some(sha), digest: None };
            let filled = example.filled(action).unwrap();
            assert!(
                filled.contains(&format!("/action@{sha} ")) && !filled.contains(ACTION_MISSING)
            );
            assert!(filled.contains(DIGEST_MISSING));
            let both = Pins { action: Some(sha), digest: Some(&digest) };
            let filled = example.filled(both).unwrap();
            assert!(filled.contains(&format!("sha256: {digest}")) && !filled.contains("REPLACE"));
            for bad in ["", "main", "v1", "0123456", &sha.to_uppercase(), "../x\n"] {
                assert!(
                    example.filled(Pins { action: Some(bad), digest: None }).is_err(),
                    "{bad:?}"
                );
                assert!(
                    example.filled(Pins { action: None, digest: Some(bad) }).is_err(),
                    "{bad:?}"
                );
            }
        }
        assert!(!Example::Rules.is_open());
    }
}
