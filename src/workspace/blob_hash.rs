//! Git's name for a content, in the repository's own hash.

use sha2::Digest;

use crate::core::id::Sha;

/// A hash that is being made.
pub(super) enum BlobHash {
    Sha1(Box<sha1::Sha1>),
    Sha256(Box<sha2::Sha256>),
}

impl BlobHash {
    /// `like` is any object of the same repository.
    pub(super) fn new(like: &Sha, size: u64) -> Self {
        let mut hash = if like.as_str().len() == 40 {
            Self::Sha1(Box::default())
        } else {
            Self::Sha256(Box::default())
        };
        hash.update(format!("blob {size}\0").as_bytes());
        hash
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    /// In lower-case hex.
    pub(super) fn name(self) -> String {
        match self {
            Self::Sha1(hash) => hex::encode(hash.finalize()),
            Self::Sha256(hash) => hex::encode(hash.finalize()),
        }
    }

    /// The name of a whole content.
    pub(super) fn of(content: &[u8], like: &Sha) -> String {
        let mut hash = Self::new(like, content.len() as u64);
        hash.update(content);
        hash.name()
    }
}
