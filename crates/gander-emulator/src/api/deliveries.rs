//! The App's log of webhooks.

use serde_json::{Map, Value, json};

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::deliveries::{Delivery, Outcome as Sent};
use crate::hooks;
use crate::shapes::{api, moment};

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/app/hook/config", Access::App, config),
    route("GET", "/app/hook/deliveries", Access::App, list),
    route("GET", "/app/hook/deliveries/{id}", Access::App, show),
    route("POST", "/app/hook/deliveries/{id}/attempts", Access::App, again),
];

fn config(call: &mut Call<'_>) -> Outcome {
    let app = call.app()?;
    let url = app.webhook_url.as_ref().ok_or_else(Refusal::not_found)?.as_str();
    let mut shape = json!({ "content_type": "json", "insecure_ssl": "0", "url": url });
    if !app.webhook_secret.is_empty() {
        shape["secret"] = json!("********");
    }
    Ok(Answer::ok(shape))
}

/// Newest first, page by page with a cursor.
fn list(call: &mut Call<'_>) -> Outcome {
    let app = call.app()?.id;
    let size = call.query("per_page").and_then(|text| text.parse().ok()).unwrap_or(30);
    let size: usize = std::cmp::Ord::clamp(size, 1, 100);
    let below = match call.query("cursor") {
        None => u64::MAX,
        Some(cursor) => cursor
            .strip_prefix("v1_")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| Refusal::new(400, "Invalid cursor"))?,
    };
    let wanted = call.query("status").map(str::to_owned);
    let fits = |sent: &Sent| match wanted.as_deref() {
        Some("success") => sent.status_code < 400,
        Some("failure") => sent.status_code >= 400,
        _ => true,
    };
    let found: Vec<Value> = call
        .state
        .hooks
        .log
        .iter()
        .rev()
        .filter(|delivery| delivery.app == app && !delivery.lost && delivery.id < below)
        .filter_map(|delivery| Some((delivery, delivery.outcome.as_ref()?)))
        .filter(|(_, sent)| fits(sent))
        .take(size + 1)
        .map(|(delivery, sent)| item(delivery, sent))
        .collect();
    let mut answer = Answer::ok(json!(found.iter().take(size).collect::<Vec<_>>()));
    if found.len() > size
        && let Some(last) = found.get(size - 1)
    {
        let link = call.link(&[("cursor", format!("v1_{}", last["id"]))]);
        answer.headers.push(("link".to_owned(), format!("<{link}>; rel=\"next\"")));
    }
    Ok(answer)
}

fn item(delivery: &Delivery, sent: &Sent) -> Value {
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": moment(sent.at),
        "redelivery": delivery.redelivery,
        "duration": 0.05,
        "status": sent.status,
        "status_code": sent.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": null,
    })
}

fn show(call: &mut Call<'_>) -> Outcome {
    let (app, id) = (call.app()?.id, call.number("id")?);
    let mut log = call.state.hooks.log.iter();
    let delivery = log.find(|delivery| delivery.app == app && delivery.id == id && !delivery.lost);
    let (delivery, sent) = delivery
        .and_then(|delivery| Some((delivery, delivery.outcome.as_ref()?)))
        .ok_or_else(Refusal::not_found)?;
    let headers = |pairs: &[(String, String)]| -> Value {
        Value::Object(
            pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>(),
        )
    };
    let mut shape = item(delivery, sent);
    shape["url"] = json!(api(call.state, &format!("/app/hook/deliveries/{id}")));
    shape["request"] = json!({
        "headers": headers(&delivery.request_headers),
        "payload": delivery.payload,
    });
    shape["response"] = json!({ "headers": headers(&sent.headers), "payload": sent.body });
    Ok(Answer::ok(shape))
}

fn again(call: &mut Call<'_>) -> Outcome {
    let (app, id) = (call.app()?.id, call.number("id")?);
    if !hooks::redeliver(call.state, app, id) {
        return Err(Refusal::not_found());
    }
    Ok(Answer::json(202, json!({})))
}
