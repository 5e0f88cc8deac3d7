//! What a build made, bound to the one run that made it.
//!
//! Invariants: a file's name is plain, so it is the same in a directory, in a list of sums and as
//! an asset; two files never share a name, not even in another case; the order is the names'.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{MalformedIdError, Number, RepoId, RunId, Sha};

/// The manifest's own name.
pub const MANIFEST: &str = "gander-manifest.json";
/// The list of sums, as `sha256sum --check` reads it.
pub const SUMS: &str = "SHA256SUMS";
/// What says how a release came about.
pub const STATEMENT_FILE: &str = "gander-release.intoto.json";
/// The same, signed.
pub const BUNDLE_FILE: &str = "gander-release.sigstore.json";

/// Whether a file of a release is none of the build's but says how it came about.
pub fn is_provenance(name: &str) -> bool {
    [STATEMENT_FILE, BUNDLE_FILE].contains(&name)
}

/// `<release pull request>.<try>`: one try at publishing one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId {
    /// The release pull request.
    pub pull: Number,
    /// Counts from one.
    pub attempt: u64,
}

/// One run of a workflow, and how often it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAttempt {
    /// GitHub's number.
    pub id: RunId,
    /// Counts from one.
    pub attempt: u64,
}

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BuildManifest {
    #[serde(rename = "repository")]
    pub repository_id: RepoId,
    /// From which commit.
    pub commit: Sha,
    /// The release pull request.
    pub pull: Number,
    #[serde(rename = "release")]
    pub release_id: ReleaseId,
    /// In which run.
    pub run: RunAttempt,
    /// What it is to be called.
    pub tag: String,
    /// The files, by name.
    pub files: Vec<Artifact>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its plain name.
    pub name: FileName,
    /// In bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: Digest,
}

/// A name that is no path, no option, not hidden and the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

/// A SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl BuildManifest {
    /// The list of sums.
    pub fn sums(&self) -> String {
        self.files.iter().map(|file| format!("{}  {}\n", file.sha256, file.name)).collect()
    }

    /// Names exactly these files with exactly this content, whatever run made them.
    pub fn digest(&self) -> Digest {
        Digest::of(self.sums().as_bytes())
    }

    /// The first name that stands twice.
    pub fn twice(&self) -> Option<&FileName> {
        let mut seen = BTreeSet::new();
        self.files.iter().map(|file| &file.name).find(|name| !seen.insert(name.folded()))
    }
}

impl FileName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What file systems without upper case make of it.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl Digest {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(hex::encode(sha2::Sha256::digest(bytes)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = MalformedIdError;
    fn from_str(text: &str) -> Result<Self, MalformedIdError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        let good = !text.is_empty()
            && text.len() <= 120
            && text.bytes().all(plain)
            && !text.starts_with(['.', '-'])
            && !text.ends_with('.')
            && ![MANIFEST, SUMS, STATEMENT_FILE, BUNDLE_FILE]
                .iter()
                .any(|taken| text.eq_ignore_ascii_case(taken));
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(MalformedIdError::new(
            "a file name of letters, digits and `._+-` that is not taken",
            text,
        ))
    }
}

impl FromStr for Digest {
    type Err = MalformedIdError;
    fn from_str(text: &str) -> Result<Self, MalformedIdError> {
        let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(MalformedIdError::new("a SHA-256 in lower-case hex", text))
    }
}

impl FromStr for ReleaseId {
    type Err = MalformedIdError;
    fn from_str(text: &str) -> Result<Self, MalformedIdError> {
        let number = |part: &str| part.parse::<u64>().ok().filter(|it| it.to_string() == part);
        let parts = text.split_once('.');
        let parts = parts.and_then(|(pull, attempt)| Some((number(pull)?, number(attempt)?)));
        match parts {
            Some((pull, attempt)) => Ok(Self { pull: Number(pull), attempt }),
            None => Err(MalformedIdError::new("a release such as 12.1", text)),
        }
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {
        $(impl TryFrom<String> for $name {
            type Error = MalformedIdError;
            fn try_from(text: String) -> Result<Self, MalformedIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(it: $name) -> String {
                it.to_string()
            }
        })*
    };
}

as_text!(FileName, Digest, ReleaseId);

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pull, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_something_else_is_no_file_of_a_release() {
        for bad in [
            "",
            ".",
            "..",
            ".env",
            "-rf",
            "a/b",
            "a\\b",
            "a b",
            "a\nb",
            "ä",
            "a.",
            "SHA256SUMS",
            "sha256sums",
            "gander-manifest.json",
            "a:b",
            "%2e",
        ] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "tool-1.0+x_y.tar.gz".parse::<FileName>().unwrap().as_str(),
            "tool-1.0+x_y.tar.gz"
        );
    }

    #[test]
    fn a_release_is_named_by_its_pull_request_and_try() {
        let id: ReleaseId = "12.1".parse().unwrap();
        assert_eq!((id.pull, id.attempt, id.to_string()), (Number(12), 1, "12.1".to_owned()));
        for bad in ["12", "12.", ".1", "12.1.1", "012.1", "+1.1", "12.x"] {
            assert!(bad.parse::<ReleaseId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn two_names_that_differ_in_case_only_are_one() {
        let file = |name: &str| Artifact {
            name: name.parse().unwrap(),
            size: 1,
            sha256: Digest::of(name.as_bytes()),
        };
        let manifest = BuildManifest {
            repository_id: RepoId(1),
            commit: "a".repeat(40).parse().unwrap(),
            pull: Number(12),
            release_id: "12.1".parse().unwrap(),
            run: RunAttempt { id: RunId(7), attempt: 1 },
            tag: "v1.0.0".to_owned(),
            files: vec![file("tool"), file("b"), file("Tool")],
        };
        assert_eq!(manifest.twice().unwrap().as_str(), "Tool");
        assert!(manifest.sums().lines().all(|line| line.split("  ").count() == 2));
    }
}
