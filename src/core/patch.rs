//! A change, as data.
//!
//! Invariants: a patch names its base content per file, so it cannot be laid over something else by
//! accident; equal patches have equal digests and no others do.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::id::Sha;
use super::path::RepoPath;

/// What becomes of some files of one commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// By path.
    pub changes: BTreeMap<RepoPath, Change>,
}

/// What becomes of one file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is there afterwards, with this content.
    Write {
        /// Whether it can be run.
        mode: FileMode,
        /// Byte for byte.
        #[serde(with = "as_base64")]
        content: Vec<u8>,
        /// The blob that was there before; `None` for a new file.
        replaces: Option<Sha>,
    },
    /// It is gone afterwards.
    Delete {
        /// The blob that was there before.
        replaces: Sha,
    },
}

/// The two modes a patch can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileMode {
    /// 100644
    File,
    /// 100755
    Executable,
}

/// Names one exact patch: the SHA-256 of its canonical bytes, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatchDigest(String);

/// Text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the 64 hex digits of a patch digest")]
pub struct PatchDigestError;

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Both in one: what this and then `next` come to, where `next` was made on top of this.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        for (path, change) in next.changes {
            let original = match self.changes.remove(&path) {
                None => {
                    self.changes.insert(path, change);
                    continue;
                }
                Some(Change::Write { replaces, .. }) => replaces,
                Some(Change::Delete { replaces }) => Some(replaces),
            };
            match (change, original) {
                (Change::Write { mode, content, .. }, replaces) => {
                    self.changes.insert(path, Change::Write { mode, content, replaces });
                }
                (Change::Delete { .. }, Some(replaces)) => {
                    self.changes.insert(path, Change::Delete { replaces });
                }
                // It came and went.
                (Change::Delete { .. }, None) => {}
            }
        }
        self
    }

    /// The name of exactly this patch.
    pub fn digest(&self) -> PatchDigest {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(b"gander patch 1");
        for (path, change) in &self.changes {
            field(path.as_str().as_bytes());
            match change {
                Change::Write { mode, content, replaces } => {
                    field(match mode {
                        FileMode::File => b"file",
                        FileMode::Executable => b"executable",
                    });
                    field(replaces.as_ref().map_or("", Sha::as_str).as_bytes());
                    field(content);
                }
                Change::Delete { replaces } => {
                    field(b"delete");
                    field(replaces.as_str().as_bytes());
                    field(b"");
                }
            }
        }
        PatchDigest::of_bytes(hash.finalize().into())
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { mode, content, .. } => write!(f, "Write({mode:?}, {content:.60?})"),
            Self::Delete { .. } => f.write_str("Delete"),
        }
    }
}

impl Change {
    /// Bytes of new content.
    pub fn size(&self) -> u64 {
        match self {
            Self::Write { content, .. } => content.len() as u64,
            Self::Delete { .. } => 0,
        }
    }
}

/// Git's own rule: a NUL in the first 8,000 bytes.
pub fn is_binary(content: &[u8]) -> bool {
    content.iter().take(8000).any(|byte| *byte == 0)
}

impl PatchDigest {
    /// Of a SHA-256.
    pub fn of_bytes(digest: [u8; 32]) -> Self {
        Self(hex::encode(digest))
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PatchDigest {
    type Err = PatchDigestError;
    fn from_str(text: &str) -> Result<Self, PatchDigestError> {
        let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text.to_owned())) } else { Err(PatchDigestError) }
    }
}

impl TryFrom<String> for PatchDigest {
    type Error = PatchDigestError;
    fn try_from(text: String) -> Result<Self, PatchDigestError> {
        text.parse()
    }
}

impl From<PatchDigest> for String {
    fn from(digest: PatchDigest) -> String {
        digest.0
    }
}

impl fmt::Display for PatchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

mod as_base64 {
    use super::{BASE64, Engine};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sha(digit: &str) -> Sha {
        digit.repeat(40).parse().unwrap()
    }

    fn write(content: &[u8], mode: FileMode, replaces: Option<Sha>) -> Change {
        Change::Write { mode, content: content.to_vec(), replaces }
    }

    #[test]
    fn two_patches_in_one_are_what_both_in_turn_come_to() {
        let path = |name: &str| -> RepoPath { name.parse().unwrap() };
        let file = |content: &[u8], replaces| write(content, FileMode::File, replaces);
        let patch = |changes: Vec<(&str, Change)>| Patch {
            changes: changes.into_iter().map(|(name, change)| (path(name), change)).collect(),
        };
        let (old, new) = (sha("1"), sha("2"));
        let gone = |replaces: &Sha| Change::Delete { replaces: replaces.clone() };
        let first = patch(vec![
            ("kept", file(b"a", Some(old.clone()))),
            ("edited twice", file(b"a", Some(old.clone()))),
            ("edited, then gone", file(b"a", Some(old.clone()))),
            ("came, then went", file(b"a", None)),
            ("gone, then back", gone(&old)),
        ]);
        let second = patch(vec![
            ("edited twice", file(b"b", Some(new.clone()))),
            ("edited, then gone", gone(&new)),
            ("came, then went", gone(&new)),
            ("gone, then back", file(b"b", None)),
            ("later", file(b"b", Some(old.clone()))),
        ]);
        let both = patch(vec![
            ("kept", file(b"a", Some(old.clone()))),
            ("edited twice", file(b"b", Some(old.clone()))),
            ("edited, then gone", gone(&old)),
            ("gone, then back", file(b"b", Some(old.clone()))),
            ("later", file(b"b", Some(old))),
        ]);
        assert_eq!(first.then(second), both);
    }

    #[test]
    fn equal_patches_have_equal_digests_and_no_others_do() {
        let one = |path: &str, change| Patch { changes: [(path.parse().unwrap(), change)].into() };
        let patches = [
            Patch::default(),
            one("a", write(b"x", FileMode::File, None)),
            one("b", write(b"x", FileMode::File, None)),
            one("a", write(b"y", FileMode::File, None)),
            one("a", write(b"x", FileMode::Executable, None)),
            one("a", write(b"x", FileMode::File, Some(sha("1")))),
            one("a", write(b"x", FileMode::File, Some(sha("2")))),
            one("a", write(b"", FileMode::File, Some(sha("1")))),
            one("a", Change::Delete { replaces: sha("1") }),
            one("a", Change::Delete { replaces: sha("2") }),
        ];
        let digests: BTreeSet<PatchDigest> = patches.iter().map(Patch::digest).collect();
        assert_eq!(digests.len(), patches.len());
        for patch in patches {
            let stored = serde_json::to_string(&patch).unwrap();
            let loaded: Patch = serde_json::from_str(&stored).unwrap();
            assert_eq!(loaded.digest(), patch.digest(), "{stored}");
        }
        // Stored evidence names patches by digest: the way it is made must not drift.
        assert_eq!(
            one("a", write(b"x", FileMode::File, None)).digest().as_str(),
            "82dfa4e7025e20f54f876460ad687bb63bf74893eb854dcff26a880a6d10d516"
        );
    }

    #[test]
    fn a_stored_patch_cannot_bring_in_a_path_that_a_new_one_could_not() {
        let stored = r#"{"changes":{"../x":{"delete":{"replaces":"1111111111111111111111111111111111111111"}}}}"#;
        assert!(serde_json::from_str::<Patch>(stored).is_err());
        assert!(serde_json::from_str::<Patch>(&stored.replace("../x", "x")).is_ok());
    }
}
