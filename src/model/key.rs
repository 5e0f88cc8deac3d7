//! The key to a provider, and what the provider says when it refuses.
//!
//! Invariants: the key is in none of the words we pass on.

use std::time::Duration;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::ModelError;

/// A key that can be sent, and that can be taken out of what others say.
pub(super) struct Key(SecretString);

impl Key {
    pub(super) fn new(secret: &SecretString) -> Result<Self, &'static str> {
        let key = secret.expose_secret().trim();
        if key.is_empty() {
            return Err("the model key is empty");
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the model key has characters in it that no key has");
        }
        Ok(Self(SecretString::from(key)))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Somebody else's words, fit to be shown: one short line without the key.
    pub(super) fn quote(&self, words: &str) -> String {
        const LONGEST: usize = 300;
        let clean = words.replace(self.expose(), "[key]");
        let mut line: String =
            clean.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        line.truncate(line.trim_end().len());
        if line.is_empty() { "(it gives no reason)".to_owned() } else { line }
    }
}

/// A provider's answer of a bad status, as an error.
pub(super) fn refusal(
    status: u16,
    headers: &HeaderMap,
    body: &str,
    model: &str,
    key: &Key,
) -> ModelError {
    let words = serde_json::from_str::<Value>(body).ok();
    let words = words.as_ref().and_then(|body| {
        let error = body.get("error")?;
        error.get("message").or(Some(error))?.as_str()
    });
    let detail = key.quote(words.unwrap_or(body));
    ModelError::of_status(status, retry_after(headers), model, detail)
}

/// How long the provider asks us to wait: in seconds or milliseconds. A date is not understood,
/// since this module has no clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds =
        number("retry-after-ms").map(|millis| millis / 1000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(&SecretString::from(" sk-very-secret\n")).unwrap_or_else(|_| unreachable!())
    }

    #[test]
    fn what_a_provider_says_is_one_short_line_without_the_key() {
        assert_eq!(key().quote("bad key\r\n sk-very-secret "), "bad key   [key]");
        assert_eq!(key().quote("  \n"), "(it gives no reason)");
        assert_eq!(key().quote(&"x".repeat(5000)).len(), 300);
    }

    #[test]
    fn a_key_is_trimmed_and_must_be_one() {
        assert_eq!(key().expose(), "sk-very-secret");
        for bad in ["", " \n", "two words", "a\u{0}b", "ключ"] {
            assert!(Key::new(&SecretString::from(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_wait_a_provider_asks_for_is_understood() {
        for (name, value, seconds) in [
            ("retry-after", "7", Some(7.0)),
            ("retry-after", "0.5", Some(0.5)),
            ("retry-after-ms", "1500", Some(1.5)),
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("retry-after", "-1", None),
            ("retry-after", "1e300", None),
            ("retry-after", "NaN", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(retry_after(&headers).map(|wait| wait.as_secs_f64()), seconds, "{value}");
        }
    }
}
