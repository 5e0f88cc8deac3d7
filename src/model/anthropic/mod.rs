//! Anthropic's Messages API, spoken directly.
//!
//! Not through genai, because that cannot keep the order of an answer: it moves every thinking
//! block to the front, both when it reads a stream and when it sends the conversation back. The
//! signature of a thinking block covers its place, so an answer such as `[thinking, tool_use,
//! thinking, tool_use]` would come back changed, and the provider refuses the whole conversation
//! from then on. It also cannot say that a tool failed.
//!
//! Invariants: blocks go back in the order and with the content they came; an answer counts only
//! when it came to its end.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, header};
use http_body_util::{BodyExt, BodyStream, Limited};
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

use self::stream::{Broken, StreamProgress, StreamedReply};
use super::key::{Key, refusal};
use super::protocol::{as_object, make_ids_unique};
use super::{Message, Model, ModelError, ModelReply, Part, Price, Request, ToolResult, protocol};
use crate::core::picture::Picture;
use crate::egress::{Egress, EgressError};

mod stream;

const API_VERSION: &str = "2023-06-01";
/// No honest answer is longer, in bytes on the wire.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How much of a refusal is read.
const LONGEST_REFUSAL: usize = 64 * 1024;

pub(super) struct Anthropic {
    egress: Egress,
    url: String,
    model: String,
    /// Whose the opaque parts are: thinking is only understood by the model that thought it.
    author: String,
    key: Key,
    sees: bool,
    price: Price,
    patience: Duration,
}

impl Anthropic {
    pub(super) fn new(
        egress: Egress,
        base_url: &Url,
        model: String,
        key: Key,
        price: Price,
        patience: Duration,
        sees: bool,
    ) -> Result<Self, ModelError> {
        let url = base_url
            .join("messages")
            .map_err(|error| ModelError::Unusable { detail: error.to_string() })?;
        let author = format!("anthropic/{model}");
        Ok(Self { egress, url: url.into(), model, author, key, sees, price, patience })
    }

    async fn post(&self, body: &Value) -> Result<http::Response<reqwest::Body>, ModelError> {
        let malformed = |error: http::Error| ModelError::Protocol(error.to_string());
        let mut key =
            HeaderValue::from_str(self.key.expose()).map_err(|error| malformed(error.into()))?;
        key.set_sensitive(true);
        let request = http::Request::post(&self.url)
            .header("x-api-key", key)
            .header("anthropic-version", API_VERSION)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(reqwest::Body::from(body.to_string()))
            .map_err(malformed)?;
        match timeout(self.patience, self.egress.send(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.no_answer(&error)),
            Err(_) => Err(ModelError::TimedOut),
        }
    }

    fn no_answer(&self, error: &EgressError) -> ModelError {
        match error {
            EgressError::TimedOut { .. } => ModelError::TimedOut,
            EgressError::Denied(denied) => ModelError::Unusable { detail: denied.to_string() },
            EgressError::Setup(_) | EgressError::Request { .. } => {
                ModelError::Protocol(error.to_string())
            }
            EgressError::NoSuchName { host, source } => {
                ModelError::Unreachable { detail: format!("{host}: {source}") }
            }
            EgressError::Unreachable { host, source } => {
                let detail = format!("{host}: {}", root_cause(source));
                ModelError::Unreachable { detail: self.key.quote(&detail) }
            }
        }
    }

    async fn refusal(&self, response: http::Response<reqwest::Body>) -> ModelError {
        let (head, body) = response.into_parts();
        // A refusal is one even when its words do not arrive.
        let words =
            match timeout(self.patience, Limited::new(body, LONGEST_REFUSAL).collect()).await {
                Ok(Ok(body)) => body.to_bytes(),
                _ => Bytes::new(),
            };
        let words = String::from_utf8_lossy(&words);
        refusal(head.status.as_u16(), &head.headers, &words, &self.model, &self.key)
    }

    async fn read(&self, body: reqwest::Body) -> Result<StreamedReply, ModelError> {
        let mut frames = BodyStream::new(body);
        let mut answer = StreamedReply::default();
        let mut length = 0;
        loop {
            let frame = match timeout(self.patience, frames.next()).await {
                Err(_) => return Err(ModelError::TimedOut),
                Ok(None) => return Err(ModelError::StreamCut),
                Ok(Some(Err(error))) if error.is_timeout() => return Err(ModelError::TimedOut),
                Ok(Some(Err(_))) => return Err(ModelError::StreamCut),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(chunk) = frame.into_data() else { continue };
            length += chunk.len();
            if length > LONGEST_ANSWER {
                return Err(malformed("it does not end"));
            }
            match answer.take(&chunk) {
                Ok(StreamProgress::GoesOn) => {}
                Ok(StreamProgress::Ended) => return Ok(answer),
                Err(broken) => return Err(self.broken(broken)),
            }
        }
    }

    fn broken(&self, broken: Broken) -> ModelError {
        match broken {
            Broken::Unreadable(detail) => ModelError::Malformed { detail: self.key.quote(&detail) },
            Broken::Refused { status, words } => {
                ModelError::of_status(status, None, &self.model, self.key.quote(&words))
            }
        }
    }
}

#[async_trait]
impl Model for Anthropic {
    fn name(&self) -> &str {
        &self.model
    }

    fn price(&self) -> Price {
        self.price
    }

    fn sees(&self) -> bool {
        self.sees
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        protocol::check(request).map_err(ModelError::Protocol)?;
        let response = self.post(&body(&self.model, &self.author, request)).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Err(malformed("it is not a stream of events"));
        }
        let mut reply = self
            .read(response.into_body())
            .await?
            .into_reply(&self.author)
            .map_err(|broken| self.broken(broken))?;
        make_ids_unique(&mut reply.parts, request.messages);
        Ok(reply)
    }
}

fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn malformed(detail: &str) -> ModelError {
    ModelError::Malformed { detail: detail.to_owned() }
}

/// The request as the provider reads it. Four places are marked for its cache: the tools and the
/// system text, which never change within a job, and the last two turns of ours, so that each
/// request finds what the one before has written.
fn body(model: &str, author: &str, request: &Request<'_>) -> Value {
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.parameters,
            })
        })
        .collect();
    if let Some(last) = tools.last_mut() {
        mark_for_cache(last);
    }
    let mut turns = turns(request.messages, author);
    if let Some(first) = turns.first_mut() {
        first.blocks.splice(0..0, request.pictures.iter().map(picture_block));
    }
    for turn in turns.iter_mut().rev().filter(|turn| turn.role == MessageRole::User).take(2) {
        if let Some(last) = turn.blocks.last_mut() {
            mark_for_cache(last);
        }
    }
    let mut body = json!({
        "model": model,
        "max_tokens": request.max_output_tokens,
        "stream": true,
        "messages": turns.into_iter().map(MessageTurn::into_json).collect::<Vec<_>>(),
    });
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    if !request.system.trim().is_empty() {
        let mut system = json!({"type": "text", "text": request.system});
        mark_for_cache(&mut system);
        body["system"] = json!([system]);
    }
    body
}

fn mark_for_cache(block: &mut Value) {
    block["cache_control"] = json!({"type": "ephemeral"});
}

struct MessageTurn {
    role: MessageRole,
    blocks: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MessageRole {
    User,
    Assistant,
}

impl MessageTurn {
    fn into_json(self) -> Value {
        let role = match self.role {
            MessageRole::User => "user",
            MessageRole::Assistant => "assistant",
        };
        json!({"role": role, "content": self.blocks})
    }
}

/// The conversation in strictly alternating turns. An answer without content is left out, since
/// the provider refuses to see one again.
fn turns(messages: &[Message], author: &str) -> Vec<MessageTurn> {
    let mut turns: Vec<MessageTurn> = Vec::new();
    for message in messages {
        let (role, blocks): (_, Vec<Value>) = match message {
            Message::User(text) => (MessageRole::User, vec![json!({"type": "text", "text": text})]),
            Message::ToolResults(results) => {
                (MessageRole::User, results.iter().map(result_block).collect())
            }
            Message::Assistant(parts) => (
                MessageRole::Assistant,
                parts.iter().filter_map(|part| part_block(part, author)).collect(),
            ),
        };
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(MessageTurn { role, blocks }),
        }
    }
    turns
}

fn picture_block(picture: &Picture) -> Value {
    let (kind, data) = (picture.media_type(), picture.base64());
    json!({"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}})
}

fn result_block(result: &ToolResult) -> Value {
    let mut block = json!({"type": "tool_result", "tool_use_id": result.call_id});
    if !result.text.is_empty() {
        block["content"] = result.text.as_str().into();
    }
    if result.is_error {
        block["is_error"] = true.into();
    }
    block
}

fn part_block(part: &Part, author: &str) -> Option<Value> {
    match part {
        Part::Text(text) if text.trim().is_empty() => None,
        Part::Text(text) => Some(json!({"type": "text", "text": text})),
        Part::ToolCall { id, name, arguments } => Some(json!({
            "type": "tool_use",
            "id": id,
            "name": name,
            "input": as_object(arguments),
        })),
        Part::Opaque { provider, payload } => (provider == author).then(|| payload.clone()),
    }
}
