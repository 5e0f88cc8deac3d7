//! What others do about an issue already: an open pull request that closes it, a branch of its own.
//!
//! Invariants: read as GitHub reads closing keywords; what is not sure is not named.

use serde::{Deserialize, Serialize};

use super::id::{Login, Number};

/// What others do about an issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OtherWork {
    /// Open pull requests that close it, and who opened each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pulls: Vec<(Number, Login)>,
    /// Branches that are named after it, as GitHub's *create a branch* does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
}

impl OtherWork {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pulls.is_empty() && self.branches.is_empty()
    }
}

/// Words by which a pull request closes an issue.
const CLOSES: &[&str] =
    &["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// Whether a text closes the issue `number` of the repository `name` (`owner/name`).
pub fn closes(text: &str, name: &str, number: Number) -> bool {
    let mut after_keyword = false;
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| "()[],.;*_".contains(c)).to_lowercase();
        if after_keyword && is_issue(&word, &name.to_lowercase(), number) {
            return true;
        }
        after_keyword = CLOSES.contains(&word.trim_end_matches(':'));
    }
    false
}

/// `#12`, `owner/name#12`, `https://…/owner/name/issues/12`
fn is_issue(word: &str, name: &str, number: Number) -> bool {
    let own = word.strip_prefix('#').or_else(|| word.strip_prefix(name)?.strip_prefix('#'));
    let by_address = || {
        let rest = word.strip_prefix("https://")?.split_once('/')?.1;
        rest.strip_prefix(name)?.strip_prefix("/issues/")
    };
    own.or_else(by_address).is_some_and(|it| it.parse() == Ok(number.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_keywords_are_read_as_github_does() {
        let says = |text: &str| closes(text, "Acme/widgets", Number(12));
        for text in [
            "Fixes #12",
            "x\n\ncloses: #12.",
            "This resolves acme/Widgets#12, and more",
            "(fix https://github.com/acme/widgets/issues/12)",
            "**Closes** #12",
        ] {
            assert!(says(text), "{text}");
        }
        for text in
            ["See #12", "Fixes #123", "fixes other/widgets#12", "prefixes #12", "Fixes", "#12"]
        {
            assert!(!says(text), "{text}");
        }
    }
}
