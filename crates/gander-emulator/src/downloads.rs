//! Short-lived addresses: what the API redirects to for a log or an archive.
//!
//! Invariants: an address works without credentials, for one minute, and cannot be guessed.

use std::collections::BTreeMap;

/// Where they stand, below the address for people.
pub(crate) const PREFIX: &str = "/_downloads/";

/// How long an address works, in milliseconds.
const LIFE: i64 = 60_000;

#[derive(Default)]
pub(crate) struct Downloads(BTreeMap<String, Download>);

struct Download {
    kind: String,
    content: Vec<u8>,
    expires_at: i64,
}

impl Downloads {
    /// Puts content of a media type under a new address; says its path.
    pub(crate) fn offer(&mut self, kind: &str, content: Vec<u8>, now: i64) -> String {
        self.offer_as("", kind, content, now)
    }

    /// The same under an address that ends in a name.
    pub(crate) fn offer_as(
        &mut self,
        name: &str,
        kind: &str,
        content: Vec<u8>,
        now: i64,
    ) -> String {
        self.0.retain(|_, known| now < known.expires_at);
        let path = format!("{PREFIX}{}{name}", uuid::Uuid::new_v4().simple());
        let download = Download { kind: kind.to_owned(), content, expires_at: now + LIFE };
        self.0.insert(path.clone(), download);
        path
    }

    /// What stands at a path: its media type and the content.
    pub(crate) fn fetch(&self, path: &str, now: i64) -> Option<(String, Vec<u8>)> {
        let known = self.0.get(path).filter(|known| now < known.expires_at)?;
        Some((known.kind.clone(), known.content.clone()))
    }
}
