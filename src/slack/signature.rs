//! Proof that a request comes from Slack: HMAC-SHA256 over `v0:TIMESTAMP:BODY`.
//!
//! Invariants: compared in constant time; good for five minutes; that it is good once is the
//! store's to say.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use secrecy::{ExposeSecret, SecretString};

use crate::core::id::Timestamp;

/// How far a request's time may be from ours.
const SECONDS: i64 = 300;
/// Slack's own have 32 characters.
const SHORTEST: usize = 16;

/// What Slack signs with.
#[derive(Debug, Clone)]
pub struct SigningSecret(SecretString);

/// A secret that anyone could guess.
#[derive(Debug, thiserror::Error)]
#[error(
    "Slack's signing secret is missing or shorter than {SHORTEST} characters: copy it from the App's \
     page on Slack, under Basic Information"
)]
pub struct WeakSigningSecretError;

impl SigningSecret {
    /// Takes the secret.
    ///
    /// # Errors
    /// When it is empty or short.
    pub fn new(secret: SecretString) -> Result<Self, WeakSigningSecretError> {
        match secret.expose_secret().trim().len() >= SHORTEST {
            true => Ok(Self(secret)),
            false => Err(WeakSigningSecretError),
        }
    }

    /// Whether Slack signed this body at this time, which is not long ago.
    pub fn holds(&self, timestamp: &str, signature: &str, body: &[u8], now: Timestamp) -> bool {
        let Ok(seconds) = timestamp.parse::<i64>() else { return false };
        let recent = (now.0.div_euclid(1000) - seconds).abs() <= SECONDS;
        let lower = |text: &&str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let claimed = signature.strip_prefix("v0=").filter(lower);
        let Some(claimed) = claimed.and_then(|text| hex::decode(text).ok()) else { return false };
        let key = Key::new(HMAC_SHA256, self.0.expose_secret().as_bytes());
        let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
        let matches = verify_slices_are_equal(sign(&key, &signed).as_ref(), &claimed).is_ok();
        matches & recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's own documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands\
%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    #[test]
    fn slacks_own_example_holds_for_five_minutes_and_nothing_else_does() {
        let secret = SigningSecret::new(SECRET.into()).unwrap();
        let at = |seconds: i64| Timestamp((1_531_420_618 + seconds) * 1000);
        assert!(secret.holds("1531420618", SIGNATURE, BODY, at(0)));
        assert!(secret.holds("1531420618", SIGNATURE, BODY, at(300)));
        assert!(secret.holds("1531420618", SIGNATURE, BODY, at(-300)));
        for (time, signature, body, now) in [
            ("1531420618", SIGNATURE, BODY, at(301)),
            ("1531420618", SIGNATURE, BODY, at(-301)),
            ("1531420619", SIGNATURE, BODY, at(0)),
            ("1531420618", SIGNATURE, &BODY[1..], at(0)),
            ("1531420618", &SIGNATURE[3..], BODY, at(0)),
            ("1531420618", &SIGNATURE[..66], BODY, at(0)),
            ("", SIGNATURE, BODY, at(0)),
        ] {
            assert!(!secret.holds(time, signature, body, now), "{time} {signature}");
        }
        let upper = SIGNATURE.replace("a2114d", "A2114D");
        assert!(!secret.holds("1531420618", &upper, BODY, at(0)));
        assert!(SigningSecret::new("short".into()).is_err());
    }
}
