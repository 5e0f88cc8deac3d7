//! A provider of models on loopback: it knows one key and one model.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub const KEY: &str = "sk-ant-the-operators-own-key";
pub const MODEL: &str = "claude-sonnet-4-5";

/// Answers until the story is over.
pub async fn start() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    url
}

async fn answer(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    let (key, body) = loop {
        let mut more = [0; 4096];
        let read = stream.read(&mut more).await.unwrap();
        bytes.extend_from_slice(&more[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let length: usize = header("content-length").unwrap().parse().unwrap();
        if body.len() >= length {
            let body: Value = serde_json::from_str(body).unwrap();
            break (header("x-api-key").unwrap_or_default().to_owned(), body);
        }
    };
    let answer = if key != KEY {
        refusal(401, "authentication_error", "invalid x-api-key")
    } else if body["model"] != MODEL {
        refusal(404, "not_found_error", "there is no such model")
    } else {
        reply(&body)
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
}

fn refusal(status: u16, kind: &str, message: &str) -> String {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn reply(asked: &Value) -> String {
    assert!(asked["max_tokens"].as_u64().unwrap() <= 16, "a word is enough: {asked}");
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant",
            "usage": {"input_tokens": 9, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": "yes"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ];
    let lines =
        events.iter().map(|it| format!("event: {}\ndata: {it}\n\n", it["type"].as_str().unwrap()));
    let body: String = lines.collect();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
}
