//! The Web API: one method, one function.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{BOT, SlackMessage, SlackShared, blocks};

/// What Slack answers: its word for what is wrong, or what was asked for.
type Answer = Result<Value, &'static str>;

pub(super) fn spawn(listener: TcpListener, shared: Arc<SlackShared>, stop: CancellationToken) {
    let router =
        Router::new().route("/api/{method}", axum::routing::any(answer)).with_state(shared);
    let server =
        axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    tokio::spawn(async move { server.await });
}

async fn answer(
    State(shared): State<Arc<SlackShared>>,
    Path(method): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = shared.lock();
    state.bodies.push(String::from_utf8_lossy(&body).into_owned());
    if state.limited > 0 {
        state.limited -= 1;
        state.calls.push(format!("{method}: 429"));
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")], "").into_response();
    }
    drop(state);
    let bearer = format!("Bearer {}", shared.spec.bot_token);
    let known = headers.get("authorization").is_some_and(|it| it.as_bytes() == bearer.as_bytes());
    let json: Value = match (body.is_empty(), serde_json::from_slice(&body)) {
        (true, _) => json!(query),
        (false, Ok(json)) => json,
        (false, Err(_)) => json!({}),
    };
    let answered = match (known, method.as_str()) {
        (false, _) => Err("invalid_auth"),
        (true, "chat.postMessage") => post(&shared, &json, None),
        (true, "chat.postEphemeral") => match json["user"].as_str() {
            Some(user) => post(&shared, &json, Some(user)),
            None => Err("user_not_found"),
        },
        (true, "chat.update") => update(&shared, &json),
        // Slack does not read JSON here.
        (true, "conversations.replies") if body.is_empty() => replies(&shared, &json),
        (true, "users.info") if body.is_empty() => user(&shared, &json),
        (true, "conversations.replies" | "users.info") => Err("invalid_arguments"),
        (true, "views.open") => open(&shared, &json),
        (true, other) => {
            let text = format!("this Slack has no method {other}");
            return (StatusCode::NOT_IMPLEMENTED, text).into_response();
        }
    };
    let (said, shape) = match answered {
        Ok(mut shape) => {
            shape["ok"] = json!(true);
            ("ok", shape)
        }
        Err(word) => (word, json!({"ok": false, "error": word})),
    };
    shared.lock().calls.push(format!("{method}: {said}"));
    axum::Json(shape).into_response()
}

fn checked(shape: &Value) -> Result<(), &'static str> {
    let text = shape["text"].as_str().unwrap_or_default();
    let has_blocks = shape["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty());
    if text.is_empty() && !has_blocks {
        return Err("no_text");
    }
    if text.chars().count() > 40_000 {
        return Err("msg_too_long");
    }
    match has_blocks && blocks::refused(&shape["blocks"]).is_some() {
        true => Err("invalid_blocks"),
        false => Ok(()),
    }
}

fn post(shared: &SlackShared, shape: &Value, only_for: Option<&str>) -> Answer {
    checked(shape)?;
    let now = shared.now();
    let mut state = shared.lock();
    let channel = shape["channel"].as_str().ok_or("channel_not_found")?;
    let ts = state.ts(now);
    let thread = shape["thread_ts"].as_str();
    if thread.is_some_and(|thread| !state.messages.iter().any(|it| it.ts == thread)) {
        return Err("thread_not_found");
    }
    state.messages.push(SlackMessage {
        channel: channel.to_owned(),
        ts: ts.clone(),
        thread_ts: thread.map(str::to_owned),
        user: None,
        text: shape["text"].as_str().unwrap_or_default().to_owned(),
        blocks: shape["blocks"].clone(),
        metadata: shape["metadata"].clone(),
        only_for: only_for.map(str::to_owned),
        edited: false,
    });
    Ok(match only_for {
        Some(_) => json!({"message_ts": ts}),
        None => json!({"channel": channel, "ts": ts, "message": {"ts": ts}}),
    })
}

fn update(shared: &SlackShared, shape: &Value) -> Answer {
    checked(shape)?;
    let mut state = shared.lock();
    let (channel, ts) = (&shape["channel"], &shape["ts"]);
    let mut ours =
        state.messages.iter_mut().filter(|it| it.user.is_none() && it.only_for.is_none());
    let there = ours.find(|it| *channel == *it.channel && *ts == *it.ts);
    let there = there.ok_or("message_not_found")?;
    there.text = shape["text"].as_str().unwrap_or_default().to_owned();
    there.blocks = shape["blocks"].clone();
    there.edited = true;
    Ok(json!({"channel": channel, "ts": ts, "text": there.text}))
}

fn replies(shared: &SlackShared, query: &Value) -> Answer {
    let state = shared.lock();
    let (channel, ts) = (&query["channel"], &query["ts"]);
    let with_metadata = query["include_all_metadata"] == "true";
    let seen = state.messages.iter().filter(|it| *channel == *it.channel && it.only_for.is_none());
    let of_thread =
        seen.filter(|it| *ts == *it.ts || it.thread_ts.as_ref().is_some_and(|t| *ts == **t));
    let shapes: Vec<Value> = of_thread
        .map(|it| {
            let mut shape = json!({"type": "message", "ts": it.ts, "text": it.text});
            match &it.user {
                Some(user) => shape["user"] = json!(user),
                None => {
                    shape["user"] = json!(BOT);
                    shape["bot_id"] = json!("B0GANDER");
                }
            }
            if let Some(thread) = &it.thread_ts {
                shape["thread_ts"] = json!(thread);
            }
            if with_metadata && it.metadata.is_object() {
                shape["metadata"] = it.metadata.clone();
            }
            shape
        })
        .collect();
    match shapes.is_empty() {
        true => Err("thread_not_found"),
        false => Ok(json!({"messages": shapes, "has_more": false})),
    }
}

fn user(shared: &SlackShared, query: &Value) -> Answer {
    let state = shared.lock();
    let id = query["user"].as_str().unwrap_or_default();
    let account = state.people.get(id).ok_or("user_not_found")?;
    let (name, team) = (&account.name, &account.team);
    Ok(json!({"user": {
        "id": id, "team_id": team, "name": name, "real_name": name, "deleted": account.deleted,
        "is_bot": false,
    }}))
}

fn open(shared: &SlackShared, shape: &Value) -> Answer {
    let now = shared.now();
    let mut state = shared.lock();
    let trigger = shape["trigger_id"].as_str().unwrap_or_default();
    match state.triggers.remove(trigger) {
        None => return Err("invalid_trigger_id"),
        Some(until) if until < now => return Err("expired_trigger_id"),
        Some(_) => {}
    }
    let view = &shape["view"];
    let title = view["title"]["text"].as_str().unwrap_or_default().chars().count();
    let metadata = view["private_metadata"].as_str().unwrap_or_default().chars().count();
    if title == 0 || title > 24 || metadata > 3000 || blocks::refused(&view["blocks"]).is_some() {
        return Err("invalid_arguments");
    }
    state.windows.push(view.clone());
    Ok(json!({"view": view}))
}
