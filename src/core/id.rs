//! Names and numbers of the outside world, parsed once at the edge.
//!
//! Invariants: a value of one of these types is well formed. None of them can be made from a
//! string without its constructor, so model or user text never becomes a branch name, a path or
//! an argument by accident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text that is not what its type promises. Says what was expected and shows what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct MalformedIdError {
    expected: &'static str,
    got: String,
}

impl MalformedIdError {
    pub(super) fn new(expected: &'static str, got: &str) -> Self {
        let got = got.chars().take(80).collect();
        Self { expected, got }
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, as GitHub writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = MalformedIdError;
            fn from_str(text: &str) -> Result<Self, MalformedIdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(MalformedIdError::new($expected, text))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedIdError;
            fn try_from(text: String) -> Result<Self, MalformedIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A repository, by the number that survives renames.
    RepoId
);
number!(
    /// One installation of the App.
    InstallationId
);
number!(
    /// An account, by the number that survives renames.
    UserId
);
number!(
    /// An issue or pull request within its repository.
    Number
);
number!(
    /// A comment on an issue or pull request.
    CommentId
);
number!(
    /// A check run.
    CheckRunId
);
number!(
    /// A review of a pull request.
    ReviewId
);
number!(
    /// A run of a workflow.
    RunId
);
number!(
    /// The webhook (one per App) that sent a delivery.
    HookId
);

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

text!(
    /// A full object name: 40 (or, in a SHA-256 repository, 64) lower-case hex digits.
    Sha,
    "a full commit SHA",
    |text| matches!(text.len(), 40 | 64) && is_hex(text)
);

impl Sha {
    /// No commit: what git writes where there is none.
    pub fn nowhere() -> Self {
        Self("0".repeat(40))
    }

    /// The twelve digits people are shown.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

text!(
    /// GitHub's GUID of one delivery.
    DeliveryId,
    "a delivery GUID",
    |text| text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
);

text!(
    /// An account name. Apps end in `[bot]`.
    Login,
    "a login",
    |text| {
        let name = text.strip_suffix("[bot]").unwrap_or(text);
        !name.is_empty()
            && name.len() <= 100
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }
);

text!(
    /// A branch that git and GitHub accept, and that cannot be mistaken for an option or a full ref.
    Branch,
    "a branch name",
    |text| {
        !text.is_empty()
            && text.len() <= 200
            && text != "HEAD"
            && text != "@"
            && !text.starts_with(['-', '/', '.'])
            && !text.starts_with("refs/")
            && !text.ends_with(['/', '.'])
            && !text.ends_with(".lock")
            && !text.contains("..")
            && !text.contains("//")
            && !text.contains("/.")
            && !text.contains(".lock/")
            && !text.contains("@{")
            && text.chars().all(|c| {
                !c.is_control() && !c.is_whitespace() && !"~^:?*[\\".contains(c)
            })
    }
);

text!(
    /// Twelve characters that name a job for ever: its branch, markers and directory.
    JobId,
    "a job id",
    |text| text.len() == 12 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
);

text!(
    /// Twelve characters that name a release for ever.
    ReleaseId,
    "a release id",
    |text| text.len() == 12 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
);

impl Branch {
    /// The branch of one release into `base`. Its parts leave no room for a bad name.
    pub fn of_release(base: &Self, release: &ReleaseId) -> Self {
        let base: String = base.0.chars().take(60).collect();
        Self(format!("gander/release-{}-{release}", base.replace('/', "-")))
    }

    /// The branch of one job. Its parts leave no room for a bad name.
    pub fn of_job(subject: Number, job: &JobId) -> Self {
        Self(format!("gander/{subject}-{job}"))
    }
}

impl JobId {
    /// The id that belongs to what started the job: the same trigger always gives the same id.
    pub fn of_trigger(trigger: &str) -> Self {
        Self(twelve_of(trigger))
    }
}

impl ReleaseId {
    /// The id that belongs to what started the release.
    pub fn of_trigger(trigger: &str) -> Self {
        Self(twelve_of(&format!("release/{trigger}")))
    }
}

fn twelve_of(trigger: &str) -> String {
    use sha2::{Digest, Sha256};
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = Sha256::digest(trigger.as_bytes());
    digest.iter().take(12).map(|b| ALPHABET[usize::from(b % 32)] as char).collect()
}

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    owner: String,
    name: String,
}

impl RepoName {
    /// The account the repository belongs to.
    pub fn owner(&self) -> &str {
        &self.owner
    }
    /// The repository's own name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for RepoName {
    type Err = MalformedIdError;
    fn from_str(text: &str) -> Result<Self, MalformedIdError> {
        let good = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part != "."
                && part != ".."
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match text.split_once('/') {
            Some((owner, name)) if good(owner) && good(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(MalformedIdError::new("owner/name", text)),
        }
    }
}

impl TryFrom<String> for RepoName {
    type Error = MalformedIdError;
    fn try_from(text: String) -> Result<Self, MalformedIdError> {
        text.parse()
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> String {
        name.to_string()
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A moment, in milliseconds since 1970 UTC. Comes from the clock at the edge, never from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment, `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_that_git_would_misread_are_refused() {
        for bad in [
            "",
            "-f",
            "HEAD",
            "refs/heads/main",
            "a..b",
            "a b",
            "a\u{3000}b",
            "x.lock",
            "a//b",
            "/a",
            "a/",
            "a^",
            "a:b",
            ".a",
            "a/.b",
            "@",
            "a@{1}",
            "a\nb",
        ] {
            assert!(bad.parse::<Branch>().is_err(), "{bad:?} was accepted");
        }
        for good in ["main", "gander/12-abc", "release/1.x", "feature_ü"] {
            assert!(good.parse::<Branch>().is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn a_trigger_always_gives_the_same_well_formed_job_id() {
        let id = JobId::of_trigger("1/comment/7");
        assert_eq!(id, JobId::of_trigger("1/comment/7"));
        assert_ne!(id, JobId::of_trigger("1/comment/8"));
        assert_eq!(id.as_str().parse::<JobId>().unwrap(), id);
    }

    #[test]
    fn every_release_branch_is_one_that_git_accepts() {
        let id = ReleaseId::of_trigger("1/comment/7");
        assert_ne!(id.as_str(), JobId::of_trigger("1/comment/7").as_str());
        for base in ["main", "release/1.x", &"ü/".repeat(50).as_str()[..149], "a.b"] {
            let branch = Branch::of_release(&base.parse().unwrap(), &id);
            assert_eq!(branch.as_str().parse::<Branch>().unwrap(), branch);
            assert!(branch.as_str().starts_with("gander/release-"));
        }
    }

    #[test]
    fn malformed_names_say_what_was_expected() {
        assert_eq!(
            "acme".parse::<RepoName>().unwrap_err().to_string(),
            "expected owner/name, got \"acme\""
        );
        assert!("acme/..".parse::<RepoName>().is_err());
        assert!("dependabot[bot]".parse::<Login>().is_ok());
        assert!("d34db33f".parse::<Sha>().is_err());
    }
}
