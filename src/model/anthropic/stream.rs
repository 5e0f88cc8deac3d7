//! One streamed answer, put together from its events.
//!
//! Invariants: blocks keep the order they came in; a block of a kind this code does not know is
//! kept as it is; the work is proportional to the bytes that come.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::{ModelReply, Part, Stop, Usage};

/// An answer while it comes.
#[derive(Default)]
pub(super) struct StreamedReply {
    events: EventReader,
    blocks: BTreeMap<u64, Block>,
    usage: WireUsage,
    stop_reason: Option<String>,
}

/// Whether more is to come.
#[derive(PartialEq, Eq)]
pub(super) enum StreamProgress {
    GoesOn,
    Ended,
}

/// Why an answer does not come to its end.
pub(super) enum Broken {
    /// It makes no sense.
    Unreadable(String),
    /// The provider says so: with the status the same error has when there is no answer at all.
    Refused { status: u16, words: String },
}

fn unreadable(detail: &str) -> Broken {
    Broken::Unreadable(detail.to_owned())
}

struct Block {
    fields: Map<String, Value>,
    /// The input of a tool call, as far as it came.
    json: String,
    ended: bool,
}

impl StreamedReply {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// When they make no sense, or the provider ends the answer with an error.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<StreamProgress, Broken> {
        for data in self.events.read(chunk) {
            if self.take_event(&data)? == StreamProgress::Ended {
                return Ok(StreamProgress::Ended);
            }
        }
        Ok(StreamProgress::GoesOn)
    }

    fn take_event(&mut self, data: &[u8]) -> Result<StreamProgress, Broken> {
        let event = serde_json::from_slice(data)
            .map_err(|error| unreadable(&format!("an event of its stream is broken: {error}")))?;
        match event {
            StreamEvent::MessageStart { message } => self.count(&message.usage),
            StreamEvent::ContentBlockStart { index, content_block } => {
                self.blocks.insert(index, Block::new(content_block));
            }
            StreamEvent::ContentBlockDelta { index, delta } => self
                .blocks
                .get_mut(&index)
                .ok_or_else(|| unreadable("it goes on with a block that never began"))?
                .append(delta),
            StreamEvent::ContentBlockStop { index } => {
                if let Some(block) = self.blocks.get_mut(&index) {
                    block.ended = true;
                }
            }
            StreamEvent::MessageDelta { delta, usage } => {
                self.count(&usage.unwrap_or_default());
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
            }
            StreamEvent::MessageStop => return Ok(StreamProgress::Ended),
            StreamEvent::Error { error } => {
                return Err(Broken::Refused { status: error.status(), words: error.message });
            }
            StreamEvent::Other => {}
        }
        Ok(StreamProgress::GoesOn)
    }

    /// Counts are totals so far: the later one wins.
    fn count(&mut self, usage: &WireUsage) {
        let old = std::mem::take(&mut self.usage);
        self.usage = WireUsage {
            input_tokens: usage.input_tokens.or(old.input_tokens),
            output_tokens: usage.output_tokens.or(old.output_tokens),
            cache_read_input_tokens: usage.cache_read_input_tokens.or(old.cache_read_input_tokens),
            cache_creation_input_tokens: usage
                .cache_creation_input_tokens
                .or(old.cache_creation_input_tokens),
        };
    }

    /// The whole answer, once it has ended; its opaque parts belong to `author`.
    ///
    /// # Errors
    /// When it lacks what every answer has.
    pub(super) fn into_reply(self, author: &str) -> Result<ModelReply, Broken> {
        let (Some(input_tokens), Some(output_tokens)) =
            (self.usage.input_tokens, self.usage.output_tokens)
        else {
            return Err(unreadable("it does not say how many tokens it took"));
        };
        let usage = Usage {
            input_tokens,
            output_tokens,
            cache_read_tokens: self.usage.cache_read_input_tokens.unwrap_or(0),
            cache_write_tokens: self.usage.cache_creation_input_tokens.unwrap_or(0),
        };
        let stop = match self.stop_reason.as_deref() {
            None => return Err(unreadable("it does not say why it ended")),
            Some("end_turn" | "stop_sequence") => Stop::EndTurn,
            Some("tool_use") => Stop::ToolUse,
            Some("max_tokens" | "model_context_window_exceeded") => Stop::MaxTokens,
            Some("refusal") => Stop::Refused,
            Some(other) => Stop::Other(other.to_owned()),
        };
        let parts = self.blocks.into_values().filter_map(|block| block.into_part(author)).collect();
        Ok(ModelReply { parts, usage, stop })
    }
}

impl Block {
    fn new(fields: Map<String, Value>) -> Self {
        Self { fields, json: String::new(), ended: false }
    }

    fn append(&mut self, delta: Delta) {
        let (field, more) = match delta {
            Delta::Text { text } => ("text", text),
            Delta::Thinking { thinking } => ("thinking", thinking),
            Delta::Signature { signature } => ("signature", signature),
            Delta::Input { partial_json } => {
                self.json.push_str(&partial_json);
                return;
            }
            Delta::Other => return,
        };
        match self.fields.get_mut(field) {
            Some(Value::String(text)) => text.push_str(&more),
            _ => {
                self.fields.insert(field.to_owned(), more.into());
            }
        }
    }

    fn into_part(mut self, author: &str) -> Option<Part> {
        let text = |name: &str| {
            self.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        match text("type").as_str() {
            "text" => Some(text("text")).filter(|text| !text.is_empty()).map(Part::Text),
            "tool_use" => {
                let (id, name) = (text("id"), text("name"));
                Some(Part::ToolCall { id, name, arguments: self.arguments() })
            }
            _ => {
                if !self.json.is_empty() {
                    let input = self.arguments();
                    self.fields.insert("input".to_owned(), input);
                }
                let payload = Value::Object(self.fields);
                Some(Part::Opaque { provider: author.to_owned(), payload })
            }
        }
    }

    /// A string where the JSON is broken or was cut off.
    fn arguments(&mut self) -> Value {
        if self.json.is_empty() && self.ended {
            // Some calls come whole, or need no arguments.
            return match self.fields.remove("input") {
                Some(Value::Object(input)) => Value::Object(input),
                _ => json!({}),
            };
        }
        serde_json::from_str(&self.json)
            .unwrap_or_else(|_| Value::String(std::mem::take(&mut self.json)))
    }
}

/// The data of server-sent events. Their names are not needed: the data says its type itself.
#[derive(Default)]
struct EventReader {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl EventReader {
    /// The events that `chunk` completes.
    fn read(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.trim_ascii_end();
            if line.is_empty() && !self.data.is_empty() {
                events.push(std::mem::take(&mut self.data));
            } else if let Some(data) = line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(data.trim_ascii_start());
            }
        }
        events
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StreamEvent {
    MessageStart {
        message: StartedMessage,
    },
    ContentBlockStart {
        index: u64,
        content_block: Map<String, Value>,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: MessageEnd,
        usage: Option<WireUsage>,
    },
    MessageStop,
    Error {
        error: WireError,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct StartedMessage {
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageEnd {
    stop_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct WireUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

impl WireError {
    /// The status that the same error has when it comes before the stream.
    fn status(&self) -> u16 {
        match self.kind.as_str() {
            "invalid_request_error" => 400,
            "authentication_error" => 401,
            "billing_error" => 402,
            "permission_error" => 403,
            "not_found_error" => 404,
            "request_too_large" => 413,
            "rate_limit_error" => 429,
            "timeout_error" => 504,
            "overloaded_error" => 529,
            _ => 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const STREAM: &str = concat!(
        "event: message_start\r\n",
        "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\r\n\r\n",
        ": a comment\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":0,",
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "data:{\"type\":\"content_block_delta\",\"index\":0,",
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"größer\"}}\n\n",
        "data: {\"type\":\"something_newer\",\"index\":0}\n\n",
        "data: {\"type\":\"message_delta\",\n",
        "data: \"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
    );

    #[test]
    fn an_answer_is_the_same_however_its_bytes_are_cut() {
        for size in 1..STREAM.len() {
            let mut answer = StreamedReply::default();
            let mut ended = false;
            for chunk in STREAM.as_bytes().chunks(size) {
                ended = matches!(answer.take(chunk), Ok(StreamProgress::Ended));
            }
            assert!(ended, "in pieces of {size}");
            let reply = answer.into_reply("me").unwrap_or_else(|_| unreachable!());
            assert_eq!(reply.parts, [Part::Text("größer".to_owned())], "in pieces of {size}");
            assert_eq!(reply.usage.input_tokens + reply.usage.output_tokens, 7);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_bytes_make_it_panic(chunks in prop::collection::vec("(data: )?\\PC{0,40}\n{0,2}", 0..8)) {
            let mut answer = StreamedReply::default();
            for chunk in chunks {
                let _ = answer.take(chunk.as_bytes());
            }
            let _ = answer.into_reply("me");
        }
    }
}
