//! Talking to a model provider: a loopback server that really speaks the protocols, and what an
//! operator may rely on when the provider misbehaves.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "the helpers of a test are tests too"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gander::core::fault::ErrorKind;
use gander::core::picture::Picture;
use gander::egress::{Egress, EgressPolicy, PinnedHost, PrivateAddresses};
use gander::model::{
    Message, Model, ModelError, ModelReply, ModelSettings, PATIENCE, Part, Provider, Request, Stop,
    ToolResult, ToolSpec, Usage, connect,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const KEY: &str = "sk-ant-the-operators-secret";

// ---------------------------------------------------------------- the provider

/// A model provider on loopback: gives its answers in turn and remembers what it was asked.
struct FakeProvider {
    url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

struct Asked {
    path: String,
    headers: Vec<(String, String)>,
    body: Value,
}

enum Answer {
    /// Raw bytes; then the connection is closed.
    Bytes(String),
    /// Nothing, for ever.
    Silence,
}

impl FakeProvider {
    async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<Answer> = answers.into_iter().collect();
        tokio::spawn(serve(listener, answers, Arc::clone(&asked)));
        Self { url, asked }
    }

    fn settings(&self, provider: Provider) -> ModelSettings {
        ModelSettings {
            sees: true,
            provider,
            model: "claude-sonnet-4-5".to_owned(),
            base_url: Some(self.url.clone()),
            key: SecretString::from(KEY),
            price: None,
            patience: PATIENCE,
        }
    }

    fn model(&self) -> Box<dyn Model> {
        connect(&self.settings(Provider::Anthropic), &egress_to(&self.url)).unwrap()
    }

    fn compatible_model(&self) -> Box<dyn Model> {
        connect(&self.settings(Provider::OpenAi), &egress_to(&self.url)).unwrap()
    }

    fn asked(&self, at: usize) -> Value {
        self.asked.lock().unwrap()[at].body.clone()
    }
}

async fn serve(listener: TcpListener, answers: Vec<Answer>, asked: Arc<Mutex<Vec<Asked>>>) {
    for answer in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        asked.lock().unwrap().push(request);
        match answer {
            Answer::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Answer::Silence => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        let read = stream.read(&mut more).await.unwrap();
        bytes.extend_from_slice(&more[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
        if body.len() >= length {
            let body = serde_json::from_str(body).unwrap_or(Value::Null);
            return Asked { path, headers, body };
        }
    }
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n";

/// A stream of events that ends when the connection does.
fn stream(events: &[Value]) -> Answer {
    let events: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect();
    Answer::Bytes(format!("{STREAM_HEAD}\r\n{events}"))
}

fn refusal(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    ))
}

fn error_body(kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
}

fn started() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "usage": {
        "input_tokens": 25, "output_tokens": 1,
        "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 50,
    }}})
}

fn block(index: u64, start: Value, deltas: &[Value]) -> Vec<Value> {
    let mut events =
        vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
    events.extend(
        deltas
            .iter()
            .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
    );
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}

fn text(index: u64, pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<_> =
        pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
    block(index, json!({"type": "text", "text": ""}), &deltas)
}

fn thinking(index: u64, words: &str, signature: &str) -> Vec<Value> {
    block(
        index,
        json!({"type": "thinking", "thinking": "", "signature": ""}),
        &[
            json!({"type": "thinking_delta", "thinking": words}),
            json!({"type": "signature_delta", "signature": signature}),
        ],
    )
}

fn tool_use(index: u64, id: &str, name: &str, json_pieces: &[&str]) -> Vec<Value> {
    let deltas: Vec<_> = json_pieces
        .iter()
        .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
        .collect();
    block(index, json!({"type": "tool_use", "id": id, "name": name, "input": {}}), &deltas)
}

fn ended(reason: &str) -> Vec<Value> {
    vec![
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
               "usage": {"output_tokens": 42}}),
        json!({"type": "message_stop"}),
    ]
}

fn answer(blocks: impl IntoIterator<Item = Vec<Value>>, reason: &str) -> Answer {
    let mut events = vec![started(), json!({"type": "ping"})];
    events.extend(blocks.into_iter().flatten());
    events.extend(ended(reason));
    stream(&events)
}

// ---------------------------------------------------------------- the asking side

fn egress_to(url: &Url) -> Egress {
    let hosts = [PinnedHost::of_url(url).unwrap()].into();
    Egress::new(EgressPolicy { hosts, private_addresses: PrivateAddresses::AllowLoopback }).unwrap()
}

fn tools() -> Vec<ToolSpec> {
    ["read", "test"]
        .map(|name| ToolSpec {
            name: name.to_owned(),
            description: format!("how to {name}"),
            parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        })
        .into()
}

async fn ask(model: &dyn Model, messages: &[Message]) -> Result<ModelReply, ModelError> {
    let request = Request {
        attempt: 1,
        round: 0,
        system: "You fix bugs.",
        tools: &tools(),
        messages,
        pictures: &[],
        max_output_tokens: 2000,
    };
    model.respond(&request).await
}

fn opening() -> Vec<Message> {
    vec![Message::User("panic on an empty list".to_owned())]
}

fn result(call_id: &str, text: &str) -> ToolResult {
    ToolResult { call_id: call_id.to_owned(), text: text.to_owned(), is_error: false }
}

/// How many places of a JSON document are marked for the provider's cache.
fn marks(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            usize::from(fields.contains_key("cache_control"))
                + fields.values().map(marks).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(marks).sum(),
        _ => 0,
    }
}

fn without_marks(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("cache_control");
            fields.values_mut().for_each(|field| *field = without_marks(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_marks(item.take())),
        _ => {}
    }
    value
}

// ---------------------------------------------------------------- Anthropic

#[tokio::test]
async fn a_model_that_thinks_and_uses_two_tools_gets_its_own_words_back_unchanged() {
    let provider = FakeProvider::answering([
        answer(
            [
                thinking(0, "where is it?", "c2lnMQ=="),
                text(1, &["let me ", "look"]),
                tool_use(2, "toolu_a", "read", &["{\"pa", "th\": \"src/", "lib.rs\"}"]),
                thinking(3, "", "c2lnMg=="),
                tool_use(4, "toolu_b", "test", &[]),
            ],
            "tool_use",
        ),
        answer([text(0, &["done"])], "end_turn"),
    ])
    .await;
    let model = provider.model();

    let first = ask(&*model, &opening()).await.unwrap();
    let call = |id: &str, name: &str, arguments| Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments,
    };
    assert_eq!(first.stop, Stop::ToolUse);
    assert_eq!(first.parts.len(), 5);
    assert_eq!(first.parts[1], Part::Text("let me look".to_owned()));
    assert_eq!(first.parts[2], call("toolu_a", "read", json!({"path": "src/lib.rs"})));
    assert_eq!(first.parts[4], call("toolu_b", "test", json!({})));
    assert_eq!(
        first.usage,
        Usage {
            input_tokens: 25,
            output_tokens: 42,
            cache_read_tokens: 1000,
            cache_write_tokens: 50
        }
    );

    // The transcript is stored and loaded between the turns.
    let stored = serde_json::to_string(&Message::Assistant(first.parts)).unwrap();
    let mut messages = opening();
    messages.push(serde_json::from_str(&stored).unwrap());
    let failed = ToolResult { is_error: true, ..result("toolu_b", "1 test failed") };
    messages.push(Message::ToolResults(vec![result("toolu_a", "fn f() {}"), failed]));
    messages.push(Message::User("You have three turns left.".to_owned()));
    let second = ask(&*model, &messages).await.unwrap();
    assert_eq!(second.parts, [Part::Text("done".to_owned())]);
    assert_eq!(second.stop, Stop::EndTurn);

    let body = provider.asked(1);
    assert_eq!(marks(&body), 4, "tools, system, and the last two turns of ours: {body:#}");
    assert_eq!(
        without_marks(body["messages"].clone()),
        json!([
            {"role": "user", "content": [{"type": "text", "text": "panic on an empty list"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "where is it?", "signature": "c2lnMQ=="},
                {"type": "text", "text": "let me look"},
                {"type": "tool_use", "id": "toolu_a", "name": "read",
                 "input": {"path": "src/lib.rs"}},
                {"type": "thinking", "thinking": "", "signature": "c2lnMg=="},
                {"type": "tool_use", "id": "toolu_b", "name": "test", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_a", "content": "fn f() {}"},
                {"type": "tool_result", "tool_use_id": "toolu_b", "content": "1 test failed",
                 "is_error": true},
                {"type": "text", "text": "You have three turns left."},
            ]},
        ])
    );
    assert_eq!(body["system"][0]["text"], "You fix bugs.");
    assert_eq!(body["tools"][1]["input_schema"]["type"], "object");
    assert_eq!(body["max_tokens"], 2000);
    assert_eq!(body["stream"], true);
}

/// A provider's cache as Anthropic describes it: what stands before a mark is kept, and is found
/// again by a request whose beginning is the same, up to twenty blocks before one of its own marks.
/// Beginnings of less than 1,024 tokens are not kept. Bytes stand for tokens, four to one.
#[derive(Default)]
struct ProviderCache {
    kept: std::collections::HashSet<String>,
}

impl ProviderCache {
    const LOOKED_BACK: usize = 20;
    const SHORTEST: usize = 4 * 1024;

    /// How many bytes the request has, and how many of them are found.
    fn reads(&mut self, body: &Value) -> (usize, usize) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut blocks = list(&body["tools"]);
        blocks.extend(list(&body["system"]));
        for message in list(&body["messages"]) {
            blocks.extend(list(&message["content"]));
        }
        let (mut beginning, mut beginnings, mut marked) = (String::new(), Vec::new(), Vec::new());
        for (at, block) in blocks.into_iter().enumerate() {
            if marks(&block) > 0 {
                marked.push(at);
            }
            beginning.push_str(&without_marks(block).to_string());
            beginnings.push(beginning.clone());
        }
        let looked_at =
            marked.iter().flat_map(|mark| mark.saturating_sub(Self::LOOKED_BACK)..=*mark);
        let found = looked_at.filter(|at| self.kept.contains(&beginnings[*at])).max();
        let read = found.map_or(0, |at| beginnings[at].len());
        let long = marked.into_iter().filter(|at| beginnings[*at].len() >= Self::SHORTEST);
        self.kept.extend(long.map(|at| beginnings[at].clone()));
        (beginning.len(), read)
    }
}

#[tokio::test]
async fn of_forty_turns_nine_tenths_come_from_the_providers_cache() {
    const TURNS: usize = 40;
    let used = |turn: usize| {
        let id = format!("toolu_{turn}");
        answer([tool_use(0, &id, "read", &["{\"path\": \"src/lib.rs\"}"])], "tool_use")
    };
    let provider = FakeProvider::answering((0..TURNS).map(used)).await;
    let model = provider.model();
    let mut messages = vec![Message::User("A task of usual length. ".repeat(300))];
    for turn in 0..TURNS {
        let reply = ask(&*model, &messages).await.unwrap();
        messages.push(Message::Assistant(reply.parts));
        let shown = format!("{turn}| fn f() -> usize {{ {turn} }}\n").repeat(60);
        messages.push(Message::ToolResults(vec![result(&format!("toolu_{turn}"), &shown)]));
        // What people say meanwhile does not undo it.
        if turn % 10 == 9 {
            messages.push(Message::User("A maintainer says this while you work.".to_owned()));
        }
    }
    let mut cache = ProviderCache::default();
    let turns = (0..TURNS).map(|turn| cache.reads(&provider.asked(turn)));
    let (all, read) = turns.fold((0, 0), |(all, read), it| (all + it.0, read + it.1));
    let share = 100 * read / all;
    println!("{share} % of {} tokens", all / 4);
    assert!(share >= 90, "{share} % of the input came from the cache");
}

#[test]
fn what_a_usual_job_begins_with_takes_less_than_three_thousand_tokens() {
    use gander::agent::prompt::{self, Brief, PlanBrief};
    use gander::core::conventions::{Conventions, Guides};
    use gander::core::job::Kind;
    // As long as guides may be, and an issue of twenty lines.
    let guide = ("CONTRIBUTING.md".to_owned(), "Run the tests before you commit.\n".repeat(400));
    let guides = Guides::of(vec![guide], Vec::new());
    let conventions = Conventions { guides, ..Conventions::default() };
    let body = "It fails with the message below when the list of items is empty.\n".repeat(20);
    let task = prompt::task(&Brief {
        kind: Kind::Fix,
        title: "A panic on an empty list",
        body: &body,
        attached: 0,
        request: "please keep the name",
        instructions: "Keep to the style of the file.",
        conventions: &conventions,
        issue: 12,
        checks: &["cargo test --locked".to_owned()],
        listing: "Cargo.lock\nCargo.toml\nREADME.md\nsrc/\ntests/",
        round: None,
        pull: None,
        update: None,
        plan: PlanBrief::None,
        notes: &[],
        failures: None,
    });
    // Four characters to a token is what providers say of English.
    let tokens = (prompt::SYSTEM.len() + task.len()) / 4;
    println!("{tokens} tokens");
    assert!(task.contains("From CONTRIBUTING.md"), "the guides are missing");
    assert!(tokens <= 3_000, "{tokens} tokens before the first turn");
}

#[tokio::test]
async fn the_key_travels_in_its_own_header_and_nowhere_else() {
    let provider = FakeProvider::answering([answer([text(0, &["hi"])], "end_turn")]).await;
    ask(&*provider.model(), &opening()).await.unwrap();
    let asked = provider.asked.lock().unwrap();
    let asked = &asked[0];
    assert_eq!(asked.path, "/v1/messages");
    assert!(!asked.body.to_string().contains(KEY));
    let carriers: Vec<_> = asked
        .headers
        .iter()
        .filter(|(_, value)| value.contains(KEY))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(carriers, ["x-api-key"]);
}

#[tokio::test]
async fn a_provider_that_repeats_the_key_does_not_put_it_into_our_errors() {
    let repeat = format!("your key {KEY} is bad");
    let provider = FakeProvider::answering([
        refusal(401, "", &error_body("authentication_error", &repeat)),
        refusal(500, "", &repeat),
        stream(&[
            started(),
            json!({"type": "error", "error": {"type": "api_error", "message": repeat}}),
        ]),
        stream(&[json!({"type": "message_start", "message": KEY})]),
    ])
    .await;
    let model = provider.model();
    for _ in 0..4 {
        let error = ask(&*model, &opening()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(KEY), "{shown}");
    }
}

#[tokio::test]
async fn every_refusal_says_what_happened_and_whether_to_try_again() {
    let retry = |after_seconds| ErrorKind::Retry { after_seconds };
    let stops = ErrorKind::Permanent;
    for (status, headers, kind, sentence) in [
        (
            401,
            "",
            stops,
            "the model provider refuses our key (status 401): no. Check the model key in the \
             operator's settings",
        ),
        (
            404,
            "",
            stops,
            "the model provider does not know the model claude-sonnet-4-5: no. Check the model's \
             name and base URL in the operator's settings",
        ),
        (400, "", stops, "the model provider refuses the request (status 400): no"),
        (413, "", stops, "the conversation has become too long for the model: no"),
        (
            302,
            "location: /v2\r\n",
            stops,
            "the model provider refuses the request (status 302): no",
        ),
        (
            429,
            "retry-after: 17\r\n",
            retry(Some(17)),
            "the model provider limits how much we may ask: no",
        ),
        (429, "", retry(None), "the model provider limits how much we may ask: no"),
        (
            529,
            "retry-after-ms: 2500\r\n",
            retry(Some(3)),
            "the model provider is overloaded (status 529): no",
        ),
        (500, "", retry(None), "the model provider failed (status 500): no"),
    ] {
        let body = error_body("some_error", "no");
        let provider = FakeProvider::answering([refusal(status, headers, &body)]).await;
        let error = ask(&*provider.model(), &opening()).await.unwrap_err();
        assert_eq!(error.to_string(), sentence, "{status}");
        assert_eq!(error.kind(), kind, "{status}");
        assert!(!error.may_be_billed(), "{status}");
    }
}

#[tokio::test]
async fn a_provider_that_gives_up_in_the_middle_is_asked_again_later() {
    let begun = || [started()].into_iter().chain(text(0, &["half a"])).collect::<Vec<_>>();
    let with_error = |kind: &str| {
        let mut events = begun();
        events.push(json!({"type": "error", "error": {"type": kind, "message": "sorry"}}));
        stream(&events)
    };
    let chunked = Answer::Bytes(format!(
        "{STREAM_HEAD}transfer-encoding: chunked\r\n\r\n40\r\ndata: {{\"type\":\"ping\"}}\n"
    ));
    let half_an_event = Answer::Bytes(format!("{STREAM_HEAD}\r\ndata: {{\"type\":\"mess"));
    for (answer, expected) in [
        (with_error("overloaded_error"), "the model provider is overloaded (status 529): sorry"),
        (with_error("rate_limit_error"), "the model provider limits how much we may ask: sorry"),
        (with_error("api_error"), "the model provider failed (status 500): sorry"),
        (stream(&begun()), "the model's answer was cut off on its way to us"),
        (chunked, "the model's answer was cut off on its way to us"),
        (half_an_event, "the model's answer was cut off on its way to us"),
    ] {
        let provider = FakeProvider::answering([answer]).await;
        let error = ask(&*provider.model(), &opening()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(matches!(error.kind(), ErrorKind::Retry { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_answer() {
    let broken_event = Answer::Bytes(format!("{STREAM_HEAD}\r\ndata: {{\"type\": nonsense\n\n"));
    let page = refusal(200, "content-type: text/html\r\n", "<html>a proxy's page</html>");
    let no_usage: Vec<Value> = ended("end_turn");
    let no_reason = [started(), json!({"type": "message_stop"})];
    let no_beginning = [json!({"type": "content_block_delta", "index": 7,
               "delta": {"type": "text_delta", "text": "x"}})];
    for (answer, why) in [
        (broken_event, "an event of its stream is broken"),
        (page, "it is not a stream of events"),
        (stream(&no_usage), "it does not say how many tokens it took"),
        (stream(&no_reason), "it does not say why it ended"),
        (stream(&no_beginning), "it goes on with a block that never began"),
    ] {
        let provider = FakeProvider::answering([answer]).await;
        let error = ask(&*provider.model(), &opening()).await.unwrap_err();
        let expected = format!("the model provider's answer cannot be read: {why}");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Retry { after_seconds: None });
        assert!(error.may_be_billed());
    }
}

#[tokio::test]
async fn a_silent_provider_is_not_waited_for_for_ever() {
    let provider = FakeProvider::answering([Answer::Silence]).await;
    let mut settings = provider.settings(Provider::Anthropic);
    settings.patience = Duration::from_millis(30);
    let model = connect(&settings, &egress_to(&provider.url)).unwrap();
    let error = ask(&*model, &opening()).await.unwrap_err();
    assert_eq!(error, ModelError::TimedOut);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let provider = FakeProvider { url: url.clone(), asked: Arc::default() };
    let error = ask(&*provider.model(), &opening()).await.unwrap_err();
    let expected = "the model provider cannot be reached: 127.0.0.1: Connection refused";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert_eq!(error.kind(), ErrorKind::Retry { after_seconds: None });
}

#[tokio::test]
async fn a_call_that_was_cut_off_or_is_no_json_reaches_us_as_text_and_goes_back_as_an_object() {
    let mut cut = tool_use(1, "toolu_b", "read", &["{\"path\": \"sr"]);
    cut.pop();
    let provider = FakeProvider::answering([
        answer([tool_use(0, "toolu_a", "read", &["{'path'}"]), cut], "max_tokens"),
        answer([text(0, &["ok"])], "end_turn"),
    ])
    .await;
    let model = provider.model();
    let first = ask(&*model, &opening()).await.unwrap();
    assert_eq!(first.stop, Stop::MaxTokens);
    let arguments: Vec<_> = first
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall { arguments, .. } => arguments.clone(),
            other => panic!("not a call: {other:?}"),
        })
        .collect();
    assert_eq!(arguments, [json!("{'path'}"), json!("{\"path\": \"sr")]);
    let mut messages = opening();
    messages.push(Message::Assistant(first.parts));
    messages.push(Message::ToolResults(vec![result("toolu_a", "no"), result("toolu_b", "")]));
    ask(&*model, &messages).await.unwrap();
    let body = provider.asked(1);
    assert!(body["messages"][1]["content"][0]["input"].is_object(), "{body:#}");
    assert!(body["messages"][2]["content"][1].get("content").is_none(), "{body:#}");
}

#[tokio::test]
async fn blocks_newer_than_us_survive_and_other_models_are_not_sent_them() {
    let newer = block(0, json!({"type": "redacted_thinking", "data": "b3BhcXVl"}), &[]);
    let provider = FakeProvider::answering([
        answer([newer, text(1, &["hm"])], "pause_turn"),
        answer([text(0, &["ok"])], "end_turn"),
        answer([text(0, &["ok"])], "end_turn"),
    ])
    .await;
    let first = ask(&*provider.model(), &opening()).await.unwrap();
    assert_eq!(first.stop, Stop::Other("pause_turn".to_owned()));
    let mut messages = opening();
    messages.push(Message::Assistant(first.parts));
    messages.push(Message::User("go on".to_owned()));
    ask(&*provider.model(), &messages).await.unwrap();
    let content = &provider.asked(1)["messages"][1]["content"];
    assert_eq!(content[0], json!({"type": "redacted_thinking", "data": "b3BhcXVl"}));

    let mut settings = provider.settings(Provider::Anthropic);
    settings.model = "claude-opus-5".to_owned();
    let other = connect(&settings, &egress_to(&provider.url)).unwrap();
    ask(&*other, &messages).await.unwrap();
    let content = &provider.asked(2)["messages"][1]["content"];
    assert_eq!(*content, json!([{"type": "text", "text": "hm"}]));
}

#[tokio::test]
async fn a_model_that_said_nothing_or_refused_can_be_talked_to_again() {
    let provider =
        FakeProvider::answering([answer([], "refusal"), answer([text(0, &["ok"])], "end_turn")])
            .await;
    let model = provider.model();
    let first = ask(&*model, &opening()).await.unwrap();
    assert_eq!((first.stop, first.parts.len()), (Stop::Refused, 0));
    let mut messages = opening();
    messages.push(Message::Assistant(first.parts));
    messages.push(Message::User("please".to_owned()));
    ask(&*model, &messages).await.unwrap();
    let turns = provider.asked(1)["messages"].as_array().unwrap().len();
    assert_eq!(turns, 1, "an answer without content is refused by the provider");
}

#[tokio::test]
async fn a_conversation_that_breaks_the_rules_is_our_bug_and_is_not_sent() {
    let provider = FakeProvider::answering([]).await;
    let messages = [Message::ToolResults(vec![result("a", "b")])];
    for model in [provider.model(), provider.compatible_model()] {
        let error = ask(&*model, &messages).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bug);
    }
    assert!(provider.asked.lock().unwrap().is_empty());
}

// ---------------------------------------------------------------- OpenAI-compatible

fn chat_stream(chunks: &[Value], done: &str) -> Answer {
    let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    Answer::Bytes(format!("{STREAM_HEAD}\r\n{events}{done}"))
}

fn chat_chunk(delta: Value, finish: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk",
           "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn chat_usage() -> Value {
    json!({"choices": [], "usage": {"prompt_tokens": 1100, "completion_tokens": 9,
           "total_tokens": 1109, "prompt_tokens_details": {"cached_tokens": 1000}}})
}

#[tokio::test]
async fn a_compatible_provider_gets_tools_results_and_its_key_as_it_expects_them() {
    let call = |arguments: &str, first: bool| {
        let mut call = json!({"index": 0, "function": {"arguments": arguments}});
        if first {
            call["id"] = "call_0".into();
            call["function"]["name"] = "read".into();
        }
        chat_chunk(json!({"tool_calls": [call]}), Value::Null)
    };
    let turn = || {
        let chunks = [
            chat_chunk(json!({"role": "assistant", "content": "let me look"}), Value::Null),
            call("", true),
            call("{\"path\":", false),
            call(" \"a.rs\"}", false),
            chat_chunk(json!({}), json!("tool_calls")),
            chat_usage(),
        ];
        chat_stream(&chunks, "data: [DONE]\n\n")
    };
    let provider = FakeProvider::answering([turn(), turn()]).await;
    let model = provider.compatible_model();
    let first = ask(&*model, &opening()).await.unwrap();
    assert_eq!(first.stop, Stop::ToolUse);
    assert_eq!(first.usage.input_tokens, 100);
    assert_eq!(first.usage.cache_read_tokens, 1000);
    assert_eq!(first.usage.output_tokens, 9);
    let Part::ToolCall { id, arguments, .. } = &first.parts[1] else { panic!("{first:?}") };
    assert_eq!((id.as_str(), arguments), ("call_0", &json!({"path": "a.rs"})));

    let mut messages = opening();
    messages.push(Message::Assistant(first.parts));
    let failed = ToolResult { is_error: true, ..result("call_0", "no such file") };
    messages.push(Message::ToolResults(vec![failed]));
    let second = ask(&*model, &messages).await.unwrap();
    let Part::ToolCall { id, .. } = &second.parts[1] else { panic!("{second:?}") };
    assert_ne!(id, "call_0", "the provider counts from zero each time; we do not");

    let body = provider.asked(1);
    let roles: Vec<_> =
        body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(body["messages"][2]["tool_calls"][0]["id"], "call_0");
    assert_eq!(body["messages"][3]["tool_call_id"], "call_0");
    assert_eq!(body["messages"][3]["content"], "Error: no such file");
    assert_eq!(body["tools"][0]["function"]["name"], "read");

    let asked = provider.asked.lock().unwrap();
    assert_eq!(asked[0].path, "/v1/chat/completions");
    let carriers: Vec<_> = asked[0].headers.iter().filter(|(_, v)| v.contains(KEY)).collect();
    assert_eq!(carriers, [&("authorization".to_owned(), format!("Bearer {KEY}"))]);
}

/// With the first turn, before its words, as either protocol has it.
#[tokio::test]
async fn a_model_that_sees_is_shown_pictures_with_the_first_turn() {
    let picture = Picture::read(b"GIF89a\x80\x02\xe0\x01rest".to_vec()).unwrap();
    let request = |messages| Request {
        attempt: 1,
        round: 0,
        system: "You fix bugs.",
        tools: &[],
        messages,
        pictures: std::slice::from_ref(&picture),
        max_output_tokens: 2000,
    };
    let refusal = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let refusals = [refusal, refusal].map(|bytes| Answer::Bytes(bytes.to_owned()));
    let provider = FakeProvider::answering(refusals).await;
    let messages = opening();
    for model in [provider.model(), provider.compatible_model()] {
        assert!(model.sees());
        model.respond(&request(&messages)).await.expect_err("it is refused");
    }
    let first = |at| without_marks(provider.asked(at)["messages"].clone());
    let data = "R0lGODlhgALgAXJlc3Q=";
    assert_eq!(
        first(0)[0]["content"],
        json!([
            {"type": "image",
             "source": {"type": "base64", "media_type": "image/gif", "data": data}},
            {"type": "text", "text": "panic on an empty list"},
        ])
    );
    assert_eq!(
        first(1)[1]["content"],
        json!([
            {"type": "image_url", "image_url": {"url": format!("data:image/gif;base64,{data}")}},
            {"type": "text", "text": "panic on an empty list"},
        ])
    );
}

#[tokio::test]
async fn a_compatible_provider_fails_in_the_same_words() {
    let words = chat_chunk(json!({"content": "half a"}), Value::Null);
    let refused = json!({"error": {"message": format!("slow down, {KEY}")}}).to_string();
    let page = Answer::Bytes(format!("{STREAM_HEAD}\r\ndata: <html>\n\n"));
    let half_an_event = Answer::Bytes(format!("{STREAM_HEAD}\r\ndata: {{\"choices\": [{{"));
    let no_usage = [chat_chunk(json!({"content": "hi"}), json!("stop"))];
    let retry = |after_seconds| ErrorKind::Retry { after_seconds };
    for (answer, sentence, kind) in [
        (
            refusal(429, "retry-after: 3\r\n", &refused),
            "the model provider limits how much we may ask: slow down, [key]",
            retry(Some(3)),
        ),
        (
            refusal(401, "", &refused),
            "the model provider refuses our key (status 401): slow down, [key]. Check the model \
             key in the operator's settings",
            ErrorKind::Permanent,
        ),
        (
            chat_stream(std::slice::from_ref(&words), ""),
            "the model's answer was cut off on its way to us",
            retry(None),
        ),
        (
            chat_stream(&[words.clone(), json!({"error": {"message": KEY}})], ""),
            "the model provider failed (status 500): [key]",
            retry(None),
        ),
        (half_an_event, "the model's answer was cut off on its way to us", retry(None)),
        (
            page,
            "the model provider's answer cannot be read: expected value at line 1 column 1",
            retry(None),
        ),
        (
            chat_stream(&no_usage, "data: [DONE]\n\n"),
            "the model provider's answer cannot be read: it does not say how many tokens it took",
            retry(None),
        ),
    ] {
        let provider = FakeProvider::answering([answer]).await;
        let error = ask(&*provider.compatible_model(), &opening()).await.unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert_eq!(error.kind(), kind, "{sentence}");
        assert!(!format!("{error:?}").contains(KEY));
    }
}

#[tokio::test]
async fn a_silent_or_absent_compatible_provider_is_told_apart() {
    let provider = FakeProvider::answering([Answer::Silence]).await;
    let mut settings = provider.settings(Provider::OpenAi);
    settings.patience = Duration::from_millis(30);
    let model = connect(&settings, &egress_to(&provider.url)).unwrap();
    assert_eq!(ask(&*model, &opening()).await.unwrap_err(), ModelError::TimedOut);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let absent = FakeProvider { url, asked: Arc::default() };
    let error = ask(&*absent.compatible_model(), &opening()).await.unwrap_err();
    assert!(matches!(error, ModelError::Unreachable { .. }), "{error}");
}

// ---------------------------------------------------------------- where it may connect to

#[tokio::test]
async fn a_model_at_an_address_the_operator_did_not_allow_is_refused_before_anything_is_sent() {
    let provider = FakeProvider::answering([]).await;
    let settings = provider.settings(Provider::Anthropic);
    let hosts = [PinnedHost::of_url(&provider.url).unwrap()];
    for (hosts, private_addresses, why) in [
        (
            vec!["api.anthropic.com".parse().unwrap()],
            PrivateAddresses::AllowLoopback,
            "is not among the hosts that the configuration allows",
        ),
        (hosts.to_vec(), PrivateAddresses::Refuse, "may not be reached by http: use https"),
    ] {
        let policy = EgressPolicy { hosts: hosts.into_iter().collect(), private_addresses };
        let egress = Egress::new(policy).unwrap();
        let Err(error) = connect(&settings, &egress) else { panic!("it was allowed") };
        assert!(error.to_string().ends_with(why), "{error}");
        assert_eq!(error.kind(), ErrorKind::Permanent);
    }
    let mut private = settings;
    private.base_url = Some("https://169.254.169.254/".parse().unwrap());
    let hosts = ["169.254.169.254".parse().unwrap()].into();
    let egress =
        Egress::new(EgressPolicy { hosts, private_addresses: PrivateAddresses::Allow }).unwrap();
    let Err(error) = connect(&private, &egress) else { panic!("it was allowed") };
    assert!(error.to_string().contains("which is not on the internet"), "{error}");
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused_without_being_shown() {
    let provider = FakeProvider::answering([]).await;
    for bad in ["", "two\nlines-of-secret"] {
        let mut settings = provider.settings(Provider::Anthropic);
        settings.key = SecretString::from(bad);
        let Err(error) = connect(&settings, &egress_to(&provider.url)) else { panic!("accepted") };
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = FakeProvider::answering([answer([text(0, &["stolen"])], "end_turn")]).await;
    let location = format!("location: {}\r\n", elsewhere.url);
    let provider = FakeProvider::answering([refusal(307, &location, "")]).await;
    let hosts = [&provider.url, &elsewhere.url].map(|url| PinnedHost::of_url(url).unwrap()).into();
    let policy = EgressPolicy { hosts, private_addresses: PrivateAddresses::AllowLoopback };
    let egress = Egress::new(policy).unwrap();
    let model = connect(&provider.settings(Provider::Anthropic), &egress).unwrap();
    let error = ask(&*model, &opening()).await.unwrap_err();
    assert!(matches!(error, ModelError::Rejected { status: 307, .. }), "{error}");
    assert!(elsewhere.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_gate_itself_sends_only_to_pinned_hosts() {
    let provider = FakeProvider::answering([refusal(204, "", "")]).await;
    let egress = egress_to(&provider.url);
    let to = |url: &str| http::Request::get(url).body(reqwest::Body::default()).unwrap();
    let answer = egress.send(to(&format!("{}path", provider.url))).await.unwrap();
    assert_eq!(answer.status(), 204);
    // A literal address is never resolved, so only the gate itself stands before it.
    let stranger = FakeProvider::answering([refusal(204, "", "")]).await;
    for url in [format!("{}?token=abc", stranger.url), "https://evil.example/?token=abc".into()] {
        let refused = egress.send(to(&url)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Permanent);
        let shown = format!("{refused} {refused:?}");
        assert!(shown.contains("NotPinned") && !shown.contains("abc"), "{shown}");
    }
    assert!(stranger.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn https_is_spoken_and_a_server_that_cannot_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let greeting = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap()
    });
    let request = http::Request::get(url.as_str()).body(reqwest::Body::default()).unwrap();
    let error = egress_to(&url).send(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retry { after_seconds: None });
    const TLS_HANDSHAKE: u8 = 22;
    assert_eq!(greeting.await.unwrap(), TLS_HANDSHAKE);
}

/// Runs itself again with proxies in the environment, since a process reads them once.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the environment is what is tested")]
async fn proxies_in_the_environment_are_ignored() {
    const INNER: &str = "GANDER_TEST_INNER";
    if std::env::var(INNER).is_err() {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let mut inner = tokio::process::Command::new(std::env::current_exe().unwrap());
        let story = "model::proxies_in_the_environment_are_ignored";
        inner.args(["--exact", story]).env(INNER, "1");
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"] {
            inner.env(name, &address);
        }
        inner.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("REQUEST_METHOD");
        let output = inner.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    for provider_kind in [Provider::Anthropic, Provider::OpenAi] {
        // Nobody answers at the proxy: whoever asks it waits until patience ends.
        let provider = FakeProvider::answering([refusal(401, "", "no")]).await;
        let mut settings = provider.settings(provider_kind);
        settings.patience = Duration::from_secs(5);
        let model = connect(&settings, &egress_to(&provider.url)).unwrap();
        let error = ask(&*model, &opening()).await.unwrap_err();
        assert!(matches!(error, ModelError::BadKey { .. }), "{error}");
    }
}
