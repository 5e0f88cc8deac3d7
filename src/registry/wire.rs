//! One request to a registry, and its answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::RegistryError;
use crate::core::text::inline;
use crate::egress::Egress;

/// Bytes of an answer that are read. Lists of all versions of a package grow to this.
const ANSWER_LIMIT: usize = 64 << 20;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes a second that the slowest way there carries.
const SLOWEST: u64 = 256 * 1024;
/// Characters of a registry's words that are shown.
const WORDS_CAP: usize = 400;

/// How requests of one registry leave.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) registry: String,
    pub(super) egress: Egress,
}

/// A request.
pub(super) struct Ask<'a> {
    /// As in "while ...".
    pub(super) doing: &'a str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    pub(super) kind: &'a str,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
}

impl<'a> Ask<'a> {
    pub(super) fn get(doing: &'a str, url: Url) -> Self {
        Self {
            doing,
            method: Method::GET,
            url,
            accept: "application/json",
            kind: "",
            authorization: None,
            body: Vec::new(),
        }
    }

    pub(super) fn json(doing: &'a str, method: Method, url: Url, body: &serde_json::Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { method, kind: "application/json", body, ..Self::get(doing, url) }
    }

    pub(super) fn bearer(self, token: &SecretString) -> Self {
        Self { authorization: Some(format!("Bearer {}", token.expose_secret())), ..self }
    }
}

/// What came back.
pub(super) struct RegistryAnswer {
    registry: String,
    doing: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What the registry was shown, which no words may hold.
    shown: Option<String>,
}

impl Wire {
    /// Sends a request once. An answer of any status is an answer.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<RegistryAnswer, RegistryError> {
        let (registry, doing) = (self.registry.clone(), ask.doing.to_owned());
        let unreadable = |why: String| RegistryError::Unreadable {
            registry: registry.clone(),
            doing: doing.clone(),
            why,
        };
        let mut request = http::Request::builder()
            .method(ask.method)
            .uri(ask.url.as_str())
            .header(ACCEPT, ask.accept);
        if !ask.kind.is_empty() {
            request = request.header(CONTENT_TYPE, ask.kind);
        }
        let shown = ask.authorization.clone();
        if let Some(text) = ask.authorization {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| RegistryError::BadCredential { registry: registry.clone() })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let sending = Duration::from_secs(ask.body.len() as u64 / SLOWEST);
        let request = request.body(reqwest::Body::from(ask.body));
        let request = request.map_err(|bad| unreadable(bad.to_string()))?;
        let exchange = async {
            let sent = self.egress.send(request).await.map_err(|source| {
                RegistryError::NoAnswer { registry: registry.clone(), doing: doing.clone(), source }
            })?;
            let (parts, body) = sent.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            // The reason may be a URL with a credential of a mirror in it.
            let body = body.map_err(|_| RegistryError::CutOff {
                registry: registry.clone(),
                doing: doing.clone(),
            })?;
            Ok((parts, body.to_bytes()))
        };
        let Ok(answer) = tokio::time::timeout(ANSWER_TIMEOUT + sending, exchange).await else {
            return Err(RegistryError::TimedOut { registry, doing });
        };
        let (parts, body) = answer?;
        let (status, headers) = (parts.status, parts.headers);
        Ok(RegistryAnswer { registry, doing, status, headers, body, shown })
    }
}

impl Wire {
    /// The credential that a request is answered with.
    pub(super) async fn token(&self, ask: Ask<'_>) -> Result<SecretString, RegistryError> {
        #[derive(serde::Deserialize)]
        struct TokenAnswer {
            token: SecretString,
        }
        let said: TokenAnswer = self.ask(ask).await?.accepted()?.json()?;
        Ok(said.token)
    }
}

impl RegistryAnswer {
    /// The answer, if its status says yes.
    pub(super) fn accepted(self) -> Result<Self, RegistryError> {
        if self.status.is_success() { Ok(self) } else { Err(self.refused()) }
    }

    /// `None` where there is no such thing.
    pub(super) fn found(self) -> Result<Option<Self>, RegistryError> {
        match self.status {
            // A sparse index may say any of these of a name that it does not have.
            StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => Ok(None),
            _ => self.accepted().map(Some),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, RegistryError> {
        let read = serde_json::from_slice(&self.body);
        // What stands there may be a credential.
        read.map_err(|bad| {
            let (line, column) = (bad.line(), bad.column());
            self.unreadable(format!("something else is expected at line {line}, column {column}"))
        })
    }

    pub(super) fn unreadable(&self, why: String) -> RegistryError {
        RegistryError::Unreadable {
            registry: self.registry.clone(),
            doing: self.doing.clone(),
            why,
        }
    }

    fn without_credential(&self, words: &str) -> String {
        let shown = self.shown.as_deref().and_then(|text| text.rsplit(' ').next());
        match shown.filter(|secret| !secret.is_empty()) {
            Some(secret) => words.replace(secret, "…"),
            None => words.to_owned(),
        }
    }

    fn refused(&self) -> RegistryError {
        let text = String::from_utf8_lossy(&self.body);
        let after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let now = self.headers.get(DATE).and_then(|value| value.to_str().ok());
        RegistryError::Refused {
            registry: self.registry.clone(),
            doing: self.doing.clone(),
            status: self.status.as_u16(),
            words: inline(&self.without_credential(&reason(&text)), WORDS_CAP),
            after_seconds: after.and_then(|after| seconds(after, now)),
        }
    }
}

/// What `Retry-After` asks for: seconds, or a moment, which is held against the answer's own clock.
fn seconds(after: &str, now: Option<&str>) -> Option<u64> {
    after.parse().ok().or_else(|| {
        let read = |text: &str| chrono::DateTime::parse_from_rfc2822(text).ok();
        let left = read(after)?.signed_duration_since(read(now?)?).num_seconds();
        Some(u64::try_from(left).unwrap_or(0) + 1)
    })
}

/// The sentence in a refusal: crates.io's `errors[].detail`, npm's `error`, `PyPI`'s `message`.
fn reason(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["/errors/0/message", "/errors/0/detail", "/error", "/message", "/reason"];
    let found = places.iter().find_map(|place| json.pointer(place)?.as_str());
    found.unwrap_or(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_moment() {
        let now = Some("Mon, 30 Nov 2026 12:00:00 GMT");
        assert_eq!(seconds("30", None), Some(30));
        assert_eq!(seconds("Mon, 30 Nov 2026 12:10:00 GMT", now), Some(601));
        assert_eq!(seconds("Mon, 30 Nov 2026 11:10:00 GMT", now), Some(1));
        assert_eq!(seconds("Mon, 30 Nov 2026 12:10:00 GMT", None), None);
        assert_eq!(seconds("soon", now), None);
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        assert_eq!(reason(r#"{"errors": [{"detail": "no"}]}"#), "no");
        assert_eq!(reason(r#"{"error": "no"}"#), "no");
        assert_eq!(reason(" plain\n"), "plain");
    }
}
