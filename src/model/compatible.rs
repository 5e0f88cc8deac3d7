//! OpenAI's chat completions, and whatever speaks like them, through genai.
//!
//! Invariants: genai's types stay here; its errors are never shown, since they carry whole
//! bodies, but read for what they mean.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent, ContentPart, MessageContent,
    StopReason, StreamEnd, Tool, ToolCall, ToolResponse,
};
use genai::resolver::{AuthData, Endpoint};
use genai::webc::StreamTimeout;
use genai::{ModelIden, ServiceTarget};
use serde_json::Value;
use url::Url;

use super::key::{Key, refusal};
use super::protocol::{as_object, make_ids_unique};
use super::{Message, Model, ModelError, ModelReply, Part, Price, Request, Stop, Usage, protocol};
use crate::core::picture::Picture;
use crate::egress::{self, Egress};

pub(super) struct Compatible {
    client: genai::Client,
    base_url: String,
    model: String,
    key: Key,
    sees: bool,
    price: Price,
    options: ChatOptions,
}

impl Compatible {
    pub(super) fn new(
        egress: &Egress,
        base_url: &Url,
        model: String,
        key: Key,
        price: Price,
        patience: Duration,
        sees: bool,
    ) -> Result<Self, ModelError> {
        let client = genai::Client::builder()
            .with_reqwest(egress.client())
            .build()
            .map_err(|error| ModelError::Unusable { detail: key.quote(&error.to_string()) })?;
        let options = ChatOptions::default()
            .with_capture_content(true)
            .with_capture_tool_calls(true)
            .with_capture_usage(true)
            .with_stream_header_timeout(patience)
            .with_stream_read_timeout(patience);
        Ok(Self { client, base_url: base_url.to_string(), model, key, sees, price, options })
    }

    fn target(&self) -> ServiceTarget {
        ServiceTarget {
            endpoint: Endpoint::from_owned(self.base_url.as_str()),
            auth: AuthData::from_single(self.key.expose()),
            model: ModelIden::new(AdapterKind::OpenAI, self.model.as_str()),
        }
    }

    async fn ask(&self, request: &Request<'_>) -> Result<StreamEnd, genai::Error> {
        let options = self.options.clone().with_max_tokens(request.max_output_tokens);
        let chat = conversation(request);
        let answer = self.client.exec_chat_stream(self.target(), chat, Some(&options)).await?;
        let mut events = answer.stream;
        while let Some(event) = events.next().await {
            if let ChatStreamEvent::End(end) = event? {
                return Ok(end);
            }
        }
        Err(genai::Error::Internal(CUT.to_owned()))
    }

    fn meaning(&self, error: &genai::Error) -> ModelError {
        use genai::Error as Theirs;
        match error {
            Theirs::HttpError { status, body, headers, .. } => {
                refusal(status.as_u16(), headers, body, &self.model, &self.key)
            }
            Theirs::WebStream { error, .. } => self.broken_stream(error.as_ref()),
            Theirs::WebModelCall { webc_error: genai::webc::Error::Reqwest(error), .. } => {
                self.broken_stream(error)
            }
            Theirs::ChatResponse { body, .. } => {
                let words = body.get("message").and_then(Value::as_str).unwrap_or_default();
                ModelError::ServerFailed { status: 500, detail: self.key.quote(words) }
            }
            Theirs::StreamParse { serde_error, .. } if serde_error.is_eof() => {
                ModelError::StreamCut
            }
            Theirs::StreamParse { serde_error, .. } => malformed(&serde_error.to_string()),
            Theirs::JsonValueExt(_) | Theirs::SerdeJson(_) => {
                malformed("something is missing in it")
            }
            Theirs::Internal(what) if what == CUT => ModelError::StreamCut,
            other => ModelError::Protocol(self.key.quote(&other.to_string())),
        }
    }

    /// genai boxes what went wrong under a stream: a refusal, a timeout or a broken connection.
    fn broken_stream(&self, error: &(dyn std::error::Error + 'static)) -> ModelError {
        if let Some(denied) = egress::denied_by(error) {
            return ModelError::Unusable { detail: denied.to_string() };
        }
        if let Some(error) = error.downcast_ref::<genai::Error>() {
            return self.meaning(error);
        }
        if error.is::<StreamTimeout>() {
            return ModelError::TimedOut;
        }
        match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_timeout() => ModelError::TimedOut,
            Some(error) if error.is_body() || error.is_decode() => ModelError::StreamCut,
            Some(_) => {
                ModelError::Unreachable { detail: "there is no connection to it".to_owned() }
            }
            None => malformed("it is not text"),
        }
    }
}

#[async_trait]
impl Model for Compatible {
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
        let end = self.ask(request).await.map_err(|error| self.meaning(&error))?;
        let mut reply = reply(end)?;
        make_ids_unique(&mut reply.parts, request.messages);
        Ok(reply)
    }
}

/// Marks a stream that ended before its answer did, on its way out of [`Compatible::ask`].
const CUT: &str = "the stream ended before the answer did";

fn malformed(detail: &str) -> ModelError {
    ModelError::Malformed { detail: detail.to_owned() }
}

fn conversation(request: &Request<'_>) -> ChatRequest {
    let mut messages: Vec<ChatMessage> = request.messages.iter().filter_map(chat_message).collect();
    if let Some(first) = messages.first_mut() {
        let pictures = request.pictures.iter().map(picture_part);
        let parts: Vec<ContentPart> = pictures.chain(first.content.clone().into_parts()).collect();
        first.content = MessageContent::from(parts);
    }
    let tools = request.tools.iter().map(|tool| {
        Tool::new(tool.name.as_str())
            .with_description(tool.description.as_str())
            .with_schema(tool.parameters.clone())
    });
    let mut chat = ChatRequest::new(messages);
    if !request.system.trim().is_empty() {
        chat = chat.with_system(request.system);
    }
    if !request.tools.is_empty() {
        chat = chat.with_tools(tools);
    }
    chat
}

fn picture_part(picture: &Picture) -> ContentPart {
    ContentPart::from_binary_base64(picture.media_type(), picture.base64(), None)
}

fn chat_message(message: &Message) -> Option<ChatMessage> {
    match message {
        Message::User(text) => Some(ChatMessage::user(text.as_str())),
        Message::ToolResults(results) => {
            let results = results.iter().map(|result| {
                // The protocol has no field for failures.
                let failed = if result.is_error { "Error: " } else { "" };
                ToolResponse::new(result.call_id.as_str(), format!("{failed}{}", result.text))
            });
            Some(ChatMessage::tool(MessageContent::from(results.collect::<Vec<_>>())))
        }
        Message::Assistant(parts) => {
            let parts: Vec<ContentPart> = parts.iter().filter_map(content_part).collect();
            (!parts.is_empty()).then(|| ChatMessage::assistant(parts))
        }
    }
}

fn content_part(part: &Part) -> Option<ContentPart> {
    match part {
        Part::Text(text) => Some(ContentPart::Text(text.clone())),
        Part::ToolCall { id, name, arguments } => Some(ContentPart::ToolCall(ToolCall {
            call_id: id.clone(),
            fn_name: name.clone(),
            fn_arguments: as_object(arguments),
            thought_signatures: None,
        })),
        Part::Opaque { .. } => None,
    }
}

fn reply(end: StreamEnd) -> Result<ModelReply, ModelError> {
    let count = |tokens: Option<i32>| u64::try_from(tokens.unwrap_or(0)).unwrap_or(0);
    let usage = end
        .captured_usage
        .filter(|usage| usage.prompt_tokens.is_some() && usage.completion_tokens.is_some())
        .ok_or_else(|| malformed("it does not say how many tokens it took"))?;
    let details = usage.prompt_tokens_details.unwrap_or_default();
    let cache_read_tokens = count(details.cached_tokens);
    let cache_write_tokens = count(details.cache_creation_tokens);
    // Their count of the prompt includes what the cache gave and took.
    let input_tokens =
        count(usage.prompt_tokens).saturating_sub(cache_read_tokens + cache_write_tokens);
    let usage = Usage {
        input_tokens,
        output_tokens: count(usage.completion_tokens),
        cache_read_tokens,
        cache_write_tokens,
    };
    let parts: Vec<Part> = end
        .captured_content
        .into_iter()
        .flat_map(MessageContent::into_parts)
        .filter_map(part)
        .collect();
    let stop = match end.captured_stop_reason {
        None => return Err(malformed("it does not say why it ended")),
        Some(StopReason::Completed(_) | StopReason::StopSequence(_)) => Stop::EndTurn,
        Some(StopReason::ToolCall(_)) => Stop::ToolUse,
        Some(StopReason::MaxTokens(_)) => Stop::MaxTokens,
        Some(StopReason::ContentFilter(_)) => Stop::Refused,
        Some(StopReason::Other(reason)) => Stop::Other(reason),
    };
    Ok(ModelReply { parts, usage, stop })
}

fn part(part: ContentPart) -> Option<Part> {
    match part {
        ContentPart::Text(text) if !text.is_empty() => Some(Part::Text(text)),
        ContentPart::ToolCall(call) => {
            let arguments = match call.fn_arguments {
                Value::String(empty) if empty.is_empty() => serde_json::json!({}),
                arguments => arguments,
            };
            Some(Part::ToolCall { id: call.call_id, name: call.fn_name, arguments })
        }
        _ => None,
    }
}
