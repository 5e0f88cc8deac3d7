//! One request to a registry, and its answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
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

/// A credential that lives for minutes.
#[derive(serde::Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) token: SecretString,
}

/// What came back.
pub(super) struct RegistryAnswer {
    registry: String,
    doing: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
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
        if let Some(text) = ask.authorization {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| RegistryError::BadCredential { registry: registry.clone() })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(reqwest::Body::from(ask.body));
        let request = request.map_err(|bad| unreadable(bad.to_string()))?;
        let exchange = async {
            let sent = self.egress.send(request).await.map_err(|source| {
                RegistryError::NoAnswer { registry: registry.clone(), doing: doing.clone(), source }
            })?;
            let (parts, body) = sent.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            // The reason may be a URL with a credential of a mirror in it.
            let body = body.map_err(|_| unreadable("it broke off, or has no end".to_owned()))?;
            Ok((parts, body.to_bytes()))
        };
        let Ok(answer) = tokio::time::timeout(ANSWER_TIMEOUT, exchange).await else {
            return Err(RegistryError::TimedOut { registry, doing });
        };
        let (parts, body) = answer?;
        Ok(RegistryAnswer { registry, doing, status: parts.status, headers: parts.headers, body })
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
        serde_json::from_slice(&self.body).map_err(|bad| self.unreadable(bad.to_string()))
    }

    pub(super) fn unreadable(&self, why: String) -> RegistryError {
        RegistryError::Unreadable {
            registry: self.registry.clone(),
            doing: self.doing.clone(),
            why,
        }
    }

    fn refused(&self) -> RegistryError {
        let text = String::from_utf8_lossy(&self.body);
        let after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        RegistryError::Refused {
            registry: self.registry.clone(),
            doing: self.doing.clone(),
            status: self.status.as_u16(),
            words: inline(&reason(&text), WORDS_CAP),
            after_seconds: after.and_then(|value| value.parse().ok()),
        }
    }
}

/// The sentence in a refusal: crates.io's `errors[].detail`, npm's `error`, `PyPI`'s `message`.
fn reason(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["/errors/0/detail", "/errors/0/description", "/error", "/message", "/reason"];
    let found = places.iter().find_map(|place| json.pointer(place)?.as_str());
    found.unwrap_or(text).trim().to_owned()
}
