//! Proof that a delivery comes from GitHub: HMAC-SHA256 over the raw body.
//!
//! Invariants: all secrets are tried every time and compared in constant time, so neither the
//! answer's time nor its order tells which one is live; there is no server without a secret.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use secrecy::{ExposeSecret, SecretString};

/// The shortest secret that is taken.
const SHORTEST: usize = 16;

/// The webhook secrets that are live: the current one, and while it is being changed the former.
#[derive(Debug)]
pub struct WebhookSecrets {
    current: SecretString,
    previous: Option<SecretString>,
    matched_previous: AtomicU64,
}

/// A secret that anyone could guess.
#[derive(Debug, thiserror::Error)]
#[error(
    "the webhook secret is missing or shorter than {SHORTEST} characters; make one with \
     `openssl rand -hex 32`, and set it here and in the App's settings"
)]
pub struct WeakSecretError;

impl WebhookSecrets {
    /// Takes the secrets.
    ///
    /// # Errors
    /// When one of them is empty or short.
    pub fn new(
        current: SecretString,
        previous: Option<SecretString>,
    ) -> Result<Self, WeakSecretError> {
        let strong = |secret: &SecretString| secret.expose_secret().trim().len() >= SHORTEST;
        if !strong(&current) || !previous.as_ref().is_none_or(strong) {
            return Err(WeakSecretError);
        }
        Ok(Self { current, previous, matched_previous: AtomicU64::new(0) })
    }

    /// The signature that GitHub would send with a body.
    pub fn signature_of(&self, body: &[u8]) -> String {
        let mut hash = hash_with(&self.current);
        hash.update(body);
        format!("sha256={}", hex::encode(hash.sign()))
    }

    /// Begins to hold a body against `signature` (`sha256=` and 64 hex digits). `None`: that is no
    /// signature.
    pub fn begin(&self, signature: &str) -> Option<BodyCheck<'_>> {
        let claimed = signature.strip_prefix("sha256=").and_then(decode)?;
        let previous = self.previous.as_ref().map(hash_with);
        Some(BodyCheck { secrets: self, claimed, current: hash_with(&self.current), previous })
    }
}

/// A body on its way, and the signature that was claimed for it.
pub struct BodyCheck<'a> {
    secrets: &'a WebhookSecrets,
    claimed: Vec<u8>,
    current: Context,
    previous: Option<Context>,
}

impl BodyCheck<'_> {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.current.update(piece);
        self.previous.iter_mut().for_each(|hash| hash.update(piece));
    }

    /// Whether a live secret signed all of it.
    pub fn holds(self) -> bool {
        let matches =
            |hash: Context| verify_slices_are_equal(hash.sign().as_ref(), &self.claimed).is_ok();
        let current = matches(self.current);
        let previous = self.previous.is_some_and(matches);
        if previous && !current {
            let count = self.secrets.matched_previous.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::info!(count, "a delivery was signed with the previous webhook secret");
        }
        current | previous
    }
}

fn hash_with(secret: &SecretString) -> Context {
    Context::with_key(&Key::new(HMAC_SHA256, secret.expose_secret().as_bytes()))
}

/// GitHub writes lower-case hex; anything else is not GitHub.
fn decode(text: &str) -> Option<Vec<u8>> {
    let lower = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| hex::decode(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    use super::*;

    impl WebhookSecrets {
        fn verify(&self, body: &[u8], signature: &str) -> bool {
            self.begin(signature).is_some_and(|mut check| {
                body.chunks(5).for_each(|piece| check.update(piece));
                check.holds()
            })
        }
    }

    #[test]
    fn githubs_published_example_verifies_and_nothing_near_it_does() {
        let secret = SecretString::from("It's a Secret to Everybody");
        let secrets = WebhookSecrets::new(secret, None).unwrap();
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(secrets.verify(b"Hello, World!", good));
        assert!(!secrets.verify(b"Hello, World?", good));
        assert!(!secrets.verify(b"Hello, World!", &good.to_uppercase()));
        assert!(!secrets.verify(b"Hello, World!", &good[..good.len() - 1]));
        assert!(!secrets.verify(b"Hello, World!", "sha256="));
        assert!(!secrets.verify(b"Hello, World!", &good["sha256=".len()..]));
    }

    #[test]
    fn while_a_secret_is_changed_both_are_good_and_afterwards_only_the_new() {
        let sign = |secret: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(b"body");
            format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
        };
        let (old, new) = ("an old secret of some length", "a new secret of some length");
        let changing = WebhookSecrets::new(new.into(), Some(old.into())).unwrap();
        assert!(changing.verify(b"body", &sign(old)) && changing.verify(b"body", &sign(new)));
        let changed = WebhookSecrets::new(new.into(), None).unwrap();
        assert!(!changed.verify(b"body", &sign(old)));
    }

    #[test]
    fn there_is_no_server_without_a_real_secret() {
        for weak in ["", "   ", "secret", "                    "] {
            assert!(WebhookSecrets::new(weak.into(), None).is_err(), "{weak:?}");
        }
    }
}
