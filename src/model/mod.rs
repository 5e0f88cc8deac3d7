//! The language model, as the agent sees it: one conversation in, one reply out.
//!
//! Invariants: nothing of a provider's wire format leaves this module; what must round-trip
//! verbatim (signed thinking) travels as [`Part::Opaque`]. `respond` makes one attempt: waiting
//! and trying again belong to the worker, which asks [`ModelError::kind`]. No error, log line or
//! debug output carries the key.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::budget::Money;
use crate::core::fault::ErrorKind;
use crate::core::picture::{PICTURE_TOKENS, Picture};

mod anthropic;
mod compatible;
mod guarded;
mod key;
mod metered;
mod price;
pub mod protocol;
mod providers;
mod scripted;

pub use guarded::Guarded;
pub use metered::Metered;
pub use price::Price;
pub use providers::{ModelSettings, PATIENCE, Provider, connect};
pub use scripted::{
    ScriptError, Scripted, ScriptedCall, ScriptedFailure, ScriptedTurn, StreamFault,
};

/// A language model that can be talked to.
#[async_trait]
pub trait Model: Send + Sync {
    /// The name people are shown, e.g. `claude-sonnet-4-5`.
    fn name(&self) -> &str;

    /// What its tokens cost.
    fn price(&self) -> Price;

    /// Whether it sees pictures.
    fn sees(&self) -> bool {
        false
    }

    /// Asks for the next reply. Makes one attempt.
    ///
    /// # Errors
    /// A [`ModelError`]; its `kind` says whether asking again may help.
    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError>;
}

/// One question to the model: the whole conversation so far.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which try of the job this is, from 1; [`Self::OF_JUDGE`] where a try is judged.
    pub attempt: u32,
    /// Which round of review this is.
    pub round: u32,
    /// Who the model is and what it must do.
    pub system: &'a str,
    /// The tools it may call.
    pub tools: &'a [ToolSpec],
    /// The conversation, oldest first; ends with a user's turn.
    pub messages: &'a [Message],
    /// What it is shown with the first message. Empty for a model that does not see.
    pub pictures: &'a [Picture],
    /// The longest reply that is wanted, in tokens.
    pub max_output_tokens: u32,
}

impl Request<'_> {
    /// The number of the try that is none: a second opinion.
    pub const OF_JUDGE: u32 = 0;
    /// The number of the try that is none: a plan; its version is the round.
    pub const OF_PLAN: u32 = u32::MAX;

    /// What the reply may cost at most, to be reserved before it is asked for: nothing comes from
    /// the cache, the reply is as long as it may be, and two bytes make a token (three to four is
    /// usual). A rough bound: what a reply really took stands in its [`Usage`].
    pub fn cost_ceiling(&self, price: &Price) -> Money {
        const BYTES_PER_TOKEN: u64 = 2;
        let tools = self.tools.iter().map(|tool| {
            tool.name.len() + tool.description.len() + tool.parameters.to_string().len()
        });
        let messages = self.messages.iter().map(Message::size);
        let bytes = self.system.len() + tools.sum::<usize>() + messages.sum::<usize>();
        let seen = self.pictures.len() as u64 * PICTURE_TOKENS;
        let tokens = bytes as u64 / BYTES_PER_TOKEN + 1 + seen;
        let read = Usage { input_tokens: tokens, ..Usage::default() };
        let read_and_kept = Usage { cache_write_tokens: tokens, ..Usage::default() };
        let written = Usage { output_tokens: self.max_output_tokens.into(), ..Usage::default() };
        price.cost(&read).max(price.cost(&read_and_kept)) + price.cost(&written)
    }
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// When and how to use it.
    pub description: String,
    /// JSON Schema of the arguments; an object.
    pub parameters: Value,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// What we tell the model.
    User(String),
    /// What the model answered: the parts of a [`Reply`], unchanged.
    Assistant(Vec<Part>),
    /// The results of all tool calls of the turn before.
    ToolResults(Vec<ToolResult>),
}

impl Message {
    /// In bytes, as far as the model reads it.
    fn size(&self) -> usize {
        match self {
            Self::User(text) => text.len(),
            Self::Assistant(parts) => parts.iter().map(Part::size).sum(),
            Self::ToolResults(results) => results.iter().map(|result| result.text.len()).sum(),
        }
    }
}

/// A piece of what the model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text(String),
    /// A wish to use a tool.
    ToolCall {
        /// Pairs the call with its result.
        id: String,
        /// The tool, as the model wrote it: it may not exist.
        name: String,
        /// Usually an object. A plain string where the model wrote broken or cut off JSON.
        arguments: Value,
    },
    /// Something that only the provider understands and wants back as it is.
    Opaque {
        /// Whose it is; nobody else is sent it.
        provider: String,
        /// What it is.
        payload: Value,
    },
}

impl Part {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::ToolCall { name, arguments, .. } => name.len() + arguments.to_string().len(),
            Self::Opaque { payload, .. } => payload.to_string().len(),
        }
    }
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call it belongs to.
    pub call_id: String,
    /// What the model reads.
    pub text: String,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReply {
    /// In the order they came; may be empty.
    pub parts: Vec<Part>,
    /// What it took.
    pub usage: Usage,
    /// Why it ended.
    pub stop: Stop,
}

/// Tokens used by one reply. No token is counted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Read at the full price: neither from the cache nor written to it.
    pub input_tokens: u64,
    /// Written by the model, thinking included.
    pub output_tokens: u64,
    /// Read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Read, and stored in the provider's cache.
    pub cache_write_tokens: u64,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It said all it wanted.
    EndTurn,
    /// It waits for tools.
    ToolUse,
    /// It hit the limit of output; the last part may be cut off.
    MaxTokens,
    /// It will not answer this.
    Refused,
    /// Something newer than this code.
    Other(String),
}

/// Why there is no reply. `detail` is the provider's own words: short, and without the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum ModelError {
    /// 429.
    #[error("the model provider limits how much we may ask: {detail}")]
    RateLimited {
        /// How long it asked us to wait.
        after: Option<Duration>,
        /// What it said.
        detail: String,
    },
    /// 529, 503: too many others ask.
    #[error("the model provider is overloaded (status {status}): {detail}")]
    Overloaded {
        /// The HTTP status.
        status: u16,
        /// How long it asked us to wait.
        after: Option<Duration>,
        /// What it said.
        detail: String,
    },
    /// Any other 5xx.
    #[error("the model provider failed (status {status}): {detail}")]
    ServerFailed {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// No answer, or a silent stream.
    #[error("the model did not answer in time")]
    TimedOut,
    /// No connection.
    #[error("the model provider cannot be reached: {detail}")]
    Unreachable { detail: String },
    /// The answer ended before its end.
    #[error("the model's answer was cut off on its way to us")]
    StreamCut,
    /// The answer makes no sense.
    #[error("the model provider's answer cannot be read: {detail}")]
    Malformed { detail: String },
    /// 401, 403.
    #[error(
        "the model provider refuses our key (status {status}): {detail}. \
         Check the model key in the operator's settings"
    )]
    BadKey {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// 404.
    #[error(
        "the model provider does not know the model {model}: {detail}. \
         Check the model's name and base URL in the operator's settings"
    )]
    UnknownModel {
        /// The name we asked for.
        model: String,
        /// What it said.
        detail: String,
    },
    /// The conversation is longer than the model can read.
    #[error("the conversation has become too long for the model: {detail}")]
    ContextTooLong {
        /// What the provider said.
        detail: String,
    },
    /// Any other 4xx.
    #[error("the model provider refuses the request (status {status}): {detail}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// The operator's settings cannot work.
    #[error("the settings of the model cannot be used: {detail}")]
    Unusable { detail: String },
    /// We asked something that no conversation allows.
    #[error("the request to the model is not well formed: {0}")]
    Protocol(String),
    /// What was to be sent holds a secret.
    #[error("what was to be sent to the model's provider holds {secret}, so it was not sent")]
    Withheld {
        /// Its name, never its value.
        secret: String,
    },
    /// The script has no such turn.
    #[error("{0}")]
    Script(ScriptError),
}

impl ModelError {
    /// The error that an HTTP status of the provider stands for.
    fn of_status(status: u16, after: Option<Duration>, model: &str, detail: String) -> Self {
        match status {
            429 => Self::RateLimited { after, detail },
            503 | 529 => Self::Overloaded { status, after, detail },
            408 => Self::TimedOut,
            401 | 403 => Self::BadKey { status, detail },
            404 => Self::UnknownModel { model: model.to_owned(), detail },
            413 => Self::ContextTooLong { detail },
            500.. => Self::ServerFailed { status, detail },
            _ => Self::Rejected { status, detail },
        }
    }

    /// Whether the provider may bill the call although we have no reply. If so, what was
    /// reserved for it counts as spent.
    pub fn may_be_billed(&self) -> bool {
        matches!(self, Self::TimedOut | Self::StreamCut | Self::Malformed { .. })
    }

    /// Whether the provider does not take what it was asked.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::ContextTooLong { .. })
    }

    /// What it means for the work.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::RateLimited { after, .. } | Self::Overloaded { after, .. } => {
                // Rounded up: asking a moment too early is refused again.
                let after_seconds =
                    after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
                ErrorKind::Retry { after_seconds }
            }
            Self::ServerFailed { .. }
            | Self::TimedOut
            | Self::Unreachable { .. }
            | Self::StreamCut
            | Self::Malformed { .. } => ErrorKind::Retry { after_seconds: None },
            Self::BadKey { .. }
            | Self::UnknownModel { .. }
            | Self::ContextTooLong { .. }
            | Self::Rejected { .. }
            | Self::Unusable { .. }
            | Self::Script(_) => ErrorKind::Permanent,
            Self::Withheld { .. } => ErrorKind::Withheld,
            Self::Protocol(_) => ErrorKind::Bug,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_ceiling_of_a_call_covers_everything_the_model_reads_and_may_write() {
        let arguments = json!({"path": "x".repeat(2000)});
        let call = Part::ToolCall { id: "a".into(), name: "read".into(), arguments };
        let payload = json!({"signature": "x".repeat(2000)});
        let thought = Part::Opaque { provider: "p".into(), payload };
        let result = ToolResult { call_id: "a".into(), text: "x".repeat(2000), is_error: false };
        let messages = [
            Message::User("x".repeat(2000)),
            Message::Assistant(vec![Part::Text("x".repeat(2000)), thought, call]),
            Message::ToolResults(vec![result]),
        ];
        let tools = [ToolSpec {
            name: "read".into(),
            description: "x".repeat(2000),
            parameters: json!({"title": "x".repeat(2000)}),
        }];
        let system = "x".repeat(2000);
        let request = Request {
            attempt: 1,
            round: 0,
            system: &system,
            tools: &tools,
            messages: &messages,
            pictures: &[],
            max_output_tokens: 1000,
        };
        let dollar = Money::from_micros(1_000_000);
        let only_reading = Price { input: dollar, ..Price::default() };
        let micros = request.cost_ceiling(&only_reading).micros();
        assert!((8000..8100).contains(&micros), "eight texts of 2000 bytes: {micros}");
        let caching_costs_more = Price { cache_write: dollar + dollar, ..only_reading };
        assert_eq!(request.cost_ceiling(&caching_costs_more).micros(), 2 * micros);
        let writing_too = Price { output: dollar, ..only_reading };
        assert_eq!(request.cost_ceiling(&writing_too).micros(), micros + 1000);
    }

    #[test]
    fn a_conversation_survives_being_written_down() {
        let messages = vec![
            Message::User("hi".into()),
            Message::Assistant(vec![
                Part::Text("hm".into()),
                Part::ToolCall { id: "a".into(), name: "read".into(), arguments: json!({"n": 1}) },
                Part::Opaque { provider: "p".into(), payload: json!({"signature": "c2ln"}) },
            ]),
            Message::ToolResults(vec![ToolResult {
                call_id: "a".into(),
                text: "no".into(),
                is_error: true,
            }]),
        ];
        let written = serde_json::to_string(&messages).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Message>>(&written).unwrap(), messages);
        let stop = Stop::Other("pause_turn".into());
        let written = serde_json::to_string(&stop).unwrap();
        assert_eq!(serde_json::from_str::<Stop>(&written).unwrap(), stop);
    }
}
