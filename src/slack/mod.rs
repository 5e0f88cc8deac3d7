//! The client of Slack, and the only one: seven methods of its Web API.
//!
//! Invariants: every request leaves through the egress gate, and none that holds a secret; what
//! changes something is sent once, and a message that is to stand once is looked for first, by the
//! key in its metadata; what Slack would refuse for its length is cut before; others' words are
//! escaped where the blocks are made, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::core::fault::ErrorKind;
use crate::core::leak::{KnownSecrets, SecretsBefore};
use crate::core::slack::SlackPlace;
use crate::egress::{Egress, EgressError};

mod blocks;
mod signature;

pub use blocks::{DrawnCard, draw};
pub use signature::{SigningSecret, WeakSigningSecretError};

/// Where Slack is, and who we are there.
#[derive(Debug, Clone)]
pub struct SlackConfig {
    /// `https://slack.com/api/`
    pub api: Url,
    /// The bot's token, `xoxb-…`.
    pub token: SecretString,
    /// What must never leave.
    pub known_secrets: Arc<KnownSecrets>,
}

/// Slack, as Gander uses it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slack {
    config: Arc<SlackConfig>,
    egress: Egress,
}

/// Why Slack did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SlackError {
    /// No answer. What was asked may or may not have happened.
    #[error("no answer from Slack to {method}")]
    NoAnswer {
        method: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host is not among those that the configuration allows.
    #[error("{method} was not sent to Slack")]
    Denied {
        method: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// We must wait.
    #[error("Slack asks us to wait {after_seconds} s before {method}")]
    Limited { method: &'static str, after_seconds: u64 },
    /// Slack itself failed.
    #[error("Slack answered {status} to {method}")]
    ServerFailed { method: &'static str, status: u16 },
    /// Slack refused.
    #[error("Slack refused {method}: {why}")]
    Refused {
        method: &'static str,
        /// Slack's own word, such as `channel_not_found`.
        why: String,
    },
    /// What was to be sent holds a secret.
    #[error("what was to be sent to Slack holds {secret}, so it was not sent")]
    Withheld {
        /// Its name, never its value.
        secret: String,
    },
}

impl SlackError {
    /// What this means for the work that met it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoAnswer { .. } | Self::ServerFailed { .. } => {
                ErrorKind::Retry { after_seconds: None }
            }
            Self::Limited { after_seconds, .. } => {
                ErrorKind::Retry { after_seconds: Some(*after_seconds) }
            }
            Self::Denied { .. } | Self::Refused { .. } => ErrorKind::Permanent,
            Self::Withheld { .. } => ErrorKind::Withheld,
        }
    }
}

/// A message of a thread.
#[derive(Debug, Clone, Deserialize)]
pub struct ThreadMessage {
    /// Its time, by which it is named.
    pub ts: String,
    /// The thread it stands in, if it stands in one.
    #[serde(default)]
    pub thread_ts: Option<String>,
    /// Who wrote it, if a person did.
    #[serde(default)]
    pub user: Option<String>,
    /// By which program it was written.
    #[serde(default)]
    pub bot_id: Option<String>,
    /// Its text, with Slack's escapes.
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    metadata: Option<MessageMetadata>,
}

#[derive(Debug, Clone, Deserialize)]
struct MessageMetadata {
    #[serde(default)]
    event_payload: Marked,
}

/// By what a message of ours is found again.
#[derive(Debug, Clone, Default, Deserialize)]
struct Marked {
    #[serde(default)]
    key: String,
}

/// What Slack says of somebody.
#[derive(Debug, Clone, Deserialize)]
pub struct SlackProfile {
    /// Their workspace.
    #[serde(default)]
    pub team_id: String,
    /// Whether the account is no longer in use.
    #[serde(default)]
    pub deleted: bool,
    /// Whether it is a program's.
    #[serde(default)]
    pub is_bot: bool,
    /// Its name. It proves nothing.
    #[serde(default)]
    pub real_name: String,
}

#[derive(Deserialize)]
struct Posted {
    ts: String,
}

#[derive(Deserialize)]
struct Replies {
    messages: Vec<ThreadMessage>,
}

#[derive(Deserialize)]
struct Profiled {
    user: SlackProfile,
}

const ANSWER_LIMIT: usize = 4 * 1024 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait where Slack does not say.
const USUAL_WAIT: u64 = 30;

impl Slack {
    /// A client; nothing is sent yet.
    pub fn new(config: SlackConfig, egress: Egress) -> Self {
        Self { config: Arc::new(config), egress }
    }

    /// Posts into a thread, unless a message with this key is there. Returns the message's time.
    ///
    /// # Errors
    /// When Slack does not do as asked.
    pub async fn post_once(
        &self,
        place: &SlackPlace,
        key: &str,
        card: &DrawnCard,
    ) -> Result<String, SlackError> {
        let there = self.replies(&place.channel, &place.thread).await?;
        let is_it = |message: &&ThreadMessage| {
            message.bot_id.is_some()
                && message.metadata.as_ref().is_some_and(|it| it.event_payload.key == key)
        };
        if let Some(message) = there.iter().find(is_it) {
            return Ok(message.ts.clone());
        }
        let body = json!({
            "channel": place.channel, "thread_ts": place.thread,
            "text": card.text, "blocks": card.blocks, "unfurl_links": false, "unfurl_media": false,
            "metadata": {"event_type": "gander", "event_payload": {"key": key}},
        });
        let posted: Posted = self.post("chat.postMessage", &body).await?;
        Ok(posted.ts)
    }

    /// Rewrites a message of ours. Notifies nobody.
    ///
    /// # Errors
    /// When Slack does not do as asked.
    pub async fn update(
        &self,
        channel: &str,
        ts: &str,
        card: &DrawnCard,
    ) -> Result<(), SlackError> {
        let body = json!({"channel": channel, "ts": ts, "text": card.text, "blocks": card.blocks});
        self.post::<Posted>("chat.update", &body).await.map(drop)
    }

    /// Tells one person something in a thread, or in the channel, that nobody else sees.
    ///
    /// # Errors
    /// When Slack does not do as asked.
    pub async fn tell(
        &self,
        place: &SlackPlace,
        to: &str,
        card: &DrawnCard,
    ) -> Result<(), SlackError> {
        let mut body = json!({
            "channel": place.channel, "user": to, "text": card.text, "blocks": card.blocks,
        });
        // A slash command stands in no thread.
        if !place.thread.is_empty() {
            body["thread_ts"] = json!(place.thread);
        }
        self.post::<serde::de::IgnoredAny>("chat.postEphemeral", &body).await.map(drop)
    }

    /// Opens a window with one field. `metadata` comes back with what is written there.
    ///
    /// # Errors
    /// When Slack does not do as asked; three seconds after the press it does not any more.
    pub async fn ask_in_window(&self, trigger: &str, metadata: &str) -> Result<(), SlackError> {
        let body = json!({"trigger_id": trigger, "view": blocks::window(metadata)});
        self.post::<serde::de::IgnoredAny>("views.open", &body).await.map(drop)
    }

    /// The messages of a thread, the newest thousand, oldest first; of a message that stands in
    /// one, itself.
    ///
    /// # Errors
    /// When Slack does not answer.
    pub async fn replies(&self, channel: &str, ts: &str) -> Result<Vec<ThreadMessage>, SlackError> {
        let query =
            [("channel", channel), ("ts", ts), ("limit", "1000"), ("include_all_metadata", "true")];
        Ok(self.get::<Replies>("conversations.replies", &query).await?.messages)
    }

    /// What Slack says of somebody now.
    ///
    /// # Errors
    /// When Slack does not answer.
    pub async fn profile(&self, user: &str) -> Result<SlackProfile, SlackError> {
        Ok(self.get::<Profiled>("users.info", &[("user", user)]).await?.user)
    }

    async fn post<T: for<'de> Deserialize<'de>>(
        &self,
        method: &'static str,
        body: &Value,
    ) -> Result<T, SlackError> {
        let text = body.to_string();
        self.withhold(&text)?;
        let request = self.request(method, Method::POST, "");
        let request = request
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(reqwest::Body::from(text));
        self.send(method, request).await
    }

    async fn get<T: for<'de> Deserialize<'de>>(
        &self,
        method: &'static str,
        query: &[(&str, &str)],
    ) -> Result<T, SlackError> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = self.request(method, Method::GET, &format!("?{}", query.join("&")));
        self.send(method, request.body(reqwest::Body::from(""))).await
    }

    fn request(&self, method: &str, verb: Method, query: &str) -> http::request::Builder {
        let api = self.config.api.as_str().trim_end_matches('/');
        let bearer =
            HeaderValue::from_str(&format!("Bearer {}", self.config.token.expose_secret()));
        let request = http::Request::builder().method(verb).uri(format!("{api}/{method}{query}"));
        match bearer {
            Ok(mut bearer) => {
                bearer.set_sensitive(true);
                request.header(AUTHORIZATION, bearer)
            }
            Err(_) => request,
        }
    }

    async fn send<T: for<'de> Deserialize<'de>>(
        &self,
        method: &'static str,
        request: Result<http::Request<reqwest::Body>, http::Error>,
    ) -> Result<T, SlackError> {
        let no_answer = |source| SlackError::NoAnswer { method, source };
        let request = request.map_err(|error| no_answer(error.into()))?;
        let exchange = async {
            let (parts, body) = self.egress.send(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((parts, body))
        };
        let (parts, body) = match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let denied = matches!(error.downcast_ref(), Some(EgressError::Denied(_)));
                return Err(match denied {
                    true => SlackError::Denied { method, source: error },
                    false => no_answer(error),
                });
            }
            Err(late) => return Err(no_answer(late.into())),
        };
        if parts.status == StatusCode::TOO_MANY_REQUESTS {
            let said = parts.headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
            let after_seconds = said.unwrap_or(USUAL_WAIT);
            return Err(SlackError::Limited { method, after_seconds });
        }
        if !parts.status.is_success() {
            return Err(SlackError::ServerFailed { method, status: parts.status.as_u16() });
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|e| no_answer(e.into()))?;
        if answer["ok"] != true {
            let why = answer["error"].as_str().unwrap_or("no reason given").to_owned();
            return Err(match why.as_str() {
                "ratelimited" => SlackError::Limited { method, after_seconds: USUAL_WAIT },
                "internal_error" | "fatal_error" | "service_unavailable" => {
                    SlackError::ServerFailed { method, status: 200 }
                }
                _ => SlackError::Refused { method, why },
            });
        }
        serde_json::from_value(answer).map_err(|error| no_answer(error.into()))
    }

    /// Refuses what holds a secret of ours, or what looks like one of others.
    fn withhold(&self, body: &str) -> Result<(), SlackError> {
        if let Some(name) = self.config.known_secrets.found_in(body.as_bytes()) {
            return Err(SlackError::Withheld { secret: name.to_owned() });
        }
        match SecretsBefore::default().first_new_in(body.as_bytes()) {
            Some(name) => Err(SlackError::Withheld { secret: format!("what looks like {name}") }),
            None => Ok(()),
        }
    }
}
