//! Sending signed requests to whoever receives them.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;

use super::{SlackSpec, SlackWorkspace};

/// A request that is to be sent.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    path: &'static str,
    kind: &'static str,
    body: String,
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Waiting {
    pub(super) fn event(body: &Value) -> Self {
        Self { path: "events", kind: "application/json", body: body.to_string() }
    }

    pub(super) fn interaction(payload: &Value) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("payload", &payload.to_string());
        Self { path: "interactivity", kind: FORM, body: form.finish() }
    }

    pub(super) fn command(fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        Self { path: "commands", kind: FORM, body: form.finish() }
    }
}

/// The signature of a body at a time, in seconds.
pub(super) fn signature(spec: &SlackSpec, at: &str, body: &str) -> String {
    let mac: Option<Hmac<sha2::Sha256>> = Hmac::new_from_slice(spec.signing_secret.as_bytes()).ok();
    let signed = format!("v0:{at}:{body}");
    mac.map_or_else(String::new, |mac| {
        format!("v0={}", hex::encode(mac.chain_update(signed).finalize().into_bytes()))
    })
}

impl SlackWorkspace {
    /// Sends what waits, in order. Returns the answers' statuses.
    pub async fn deliver_all(&self) -> Vec<u16> {
        let mut statuses = Vec::new();
        loop {
            let next = self.shared.lock().waiting.pop_front();
            let Some(next) = next else { return statuses };
            let at = self.shared.now().div_euclid(1000).to_string();
            let signed = signature(&self.shared.spec, &at, &next.body);
            statuses.push(self.send(&next, &at, None, &signed).await);
            self.shared.lock().sent.push(next);
        }
    }

    /// Sends the last request again, as Slack does when it heard nothing: signed anew.
    pub async fn repeats_last(&self) -> u16 {
        let Some(last) = self.shared.lock().sent.last().cloned() else { return 0 };
        let at = (self.shared.now().div_euclid(1000) + 1).to_string();
        let signed = signature(&self.shared.spec, &at, &last.body);
        self.send(&last, &at, Some("1"), &signed).await
    }

    /// Somebody who listened sends the last request again after so many seconds, with the time and
    /// signature it had `ago`; `changed`: with another body.
    pub async fn replays_last(&self, ago: i64, changed: impl Fn(&str) -> String) -> u16 {
        let Some(last) = self.shared.lock().sent.last().cloned() else { return 0 };
        let at = (self.shared.now().div_euclid(1000) - ago).to_string();
        let signed = signature(&self.shared.spec, &at, &last.body);
        let forged = Waiting { body: changed(&last.body), ..last };
        self.send(&forged, &at, None, &signed).await
    }

    /// Somebody who has the signing secret sends this payload as an interaction.
    pub async fn sends_interaction(&self, payload: &Value) -> u16 {
        let waiting = Waiting::interaction(payload);
        let at = self.shared.now().div_euclid(1000).to_string();
        let signed = signature(&self.shared.spec, &at, &waiting.body);
        self.send(&waiting, &at, None, &signed).await
    }

    /// The same as an event.
    pub async fn sends_event(&self, body: &Value) -> u16 {
        let waiting = Waiting::event(body);
        let at = self.shared.now().div_euclid(1000).to_string();
        let signed = signature(&self.shared.spec, &at, &waiting.body);
        self.send(&waiting, &at, None, &signed).await
    }

    async fn send(&self, what: &Waiting, at: &str, retry: Option<&str>, signed: &str) -> u16 {
        let receiver = self.shared.lock().receiver.clone();
        let Some(url) = receiver.and_then(|url| url.join(what.path).ok()) else { return 0 };
        let mut request = self
            .client
            .post(url)
            .header("content-type", what.kind)
            .header("x-slack-request-timestamp", at)
            .header("x-slack-signature", signed)
            .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .body(what.body.clone());
        if let Some(retry) = retry {
            request = request.header("x-slack-retry-num", retry);
        }
        match request.send().await {
            Ok(answer) => answer.status().as_u16(),
            Err(_) => 0,
        }
    }
}
