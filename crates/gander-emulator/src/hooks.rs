//! Webhooks: what is queued, how it is sent, and the log that Apps can read.
//!
//! Invariants: only an App that is installed on the repository and subscribed to the event hears
//! of it; a payload shows the world as it was when the thing happened; this is the only file of
//! the emulator that makes an HTTP client.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use url::Url;

use super::deliveries::{Delivery, DeliveryFault, DeliveryView, Outcome};
use super::state::State;
use super::{Emulator, Shared, Trouble, shapes};

/// GitHub waits this long for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happened, for the Apps that want to know.
pub(crate) struct Event<'a> {
    pub(crate) name: &'a str,
    pub(crate) action: Option<&'a str>,
    pub(crate) repository: u64,
    pub(crate) actor: Option<u64>,
    /// What the payload holds besides repository, sender and installation.
    pub(crate) payload: Value,
    /// Only for this App.
    pub(crate) only: Option<u64>,
}

/// Queues an event for every App that is to hear of it.
pub(crate) fn fire(state: &mut State, event: &Event<'_>) {
    let wanted: Vec<(u64, u64)> = state
        .installations
        .values()
        .filter(|installation| {
            installation.suspended_at.is_none()
                && installation.repositories.contains(&event.repository)
                && event.only.is_none_or(|app| app == installation.app)
                && installation.events.iter().any(|name| name == event.name)
        })
        .map(|installation| (installation.app, installation.id))
        .collect();
    for (app, installation) in wanted {
        let mut payload = Map::new();
        if let Some(action) = event.action {
            payload.insert("action".into(), json!(action));
        }
        if let Value::Object(extra) = &event.payload {
            payload.extend(extra.clone());
        }
        if !payload.contains_key("repository") {
            let mut repository = shapes::repository(state, event.repository);
            repository["custom_properties"] = json!({});
            payload.insert("repository".into(), repository);
        }
        if let Some(organization) = shapes::organization_of(state, event.repository) {
            payload.insert("organization".into(), organization);
        }
        payload.insert("sender".into(), shapes::user(state, event.actor));
        payload.insert("installation".into(), shapes::installation_stub(installation));
        let address = Address {
            app,
            installation: Some(installation),
            repository: Some(event.repository),
            event: event.name,
            action: event.action,
        };
        queue(state, &address, Value::Object(payload));
    }
}

/// Whom a delivery is for and what it is about.
pub(crate) struct Address<'a> {
    pub(crate) app: u64,
    pub(crate) installation: Option<u64>,
    pub(crate) repository: Option<u64>,
    pub(crate) event: &'a str,
    pub(crate) action: Option<&'a str>,
}

/// Queues one delivery, unless the App has no webhook that is active.
pub(crate) fn queue(state: &mut State, address: &Address<'_>, mut payload: Value) {
    let Some(app) = state.apps.get(&address.app) else { return };
    if app.webhook_url.is_none() || !app.webhook_active {
        return;
    }
    shapes::told::shorten(address.event, address.action, &mut payload);
    state.profile.apply_to_webhook(&mut payload, (address.event, address.action));
    let guid = uuid::Uuid::new_v4().to_string();
    let id = state.ids.delivery();
    state.hooks.queue.push_back(state.hooks.log.len());
    state.hooks.log.push(Delivery {
        id,
        guid,
        app: address.app,
        event: address.event.to_owned(),
        action: address.action.map(str::to_owned),
        installation: address.installation,
        repository: address.repository,
        payload,
        redelivery: false,
        request_headers: Vec::new(),
        outcome: None,
        lost: false,
    });
}

/// Queues a past delivery of an App again; `false` when there is none.
pub(crate) fn redeliver(state: &mut State, app: u64, id: u64) -> bool {
    let past = state.hooks.log.iter().find(|delivery| delivery.app == app && delivery.id == id);
    let Some(mut again) = past.cloned() else { return false };
    again.id = state.ids.delivery();
    again.redelivery = true;
    again.outcome = None;
    again.request_headers.clear();
    state.hooks.queue.push_back(state.hooks.log.len());
    state.hooks.log.push(again);
    true
}

/// The client that sends webhooks: plain HTTP, no proxy, no redirects, GitHub's patience.
pub(crate) fn client() -> Result<reqwest::Client, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Trouble::Key)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    #[allow(clippy::disallowed_methods, reason = "the emulator's one HTTP client is made here")]
    let builder = reqwest::Client::builder();
    builder
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(Trouble::WebhookClient)
}

/// A delivery that is ready to leave.
struct Parcel {
    position: usize,
    url: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fault: Option<DeliveryFault>,
}

fn next_parcel(state: &mut State) -> Option<Parcel> {
    let fault = match state.hooks.plans.front() {
        // Nothing to overtake yet: the plan waits.
        Some(DeliveryFault::Reorder) if state.hooks.queue.len() < 2 => None,
        _ if state.hooks.queue.is_empty() => None,
        _ => state.hooks.plans.pop_front(),
    };
    if fault == Some(DeliveryFault::Reorder) {
        state.hooks.queue.swap(0, 1);
    }
    let position = state.hooks.queue.pop_front()?;
    let delivery = state.hooks.log.get(position)?;
    let app = state.apps.get(&delivery.app)?;
    let url = app.webhook_url.clone()?;
    let body = delivery.payload.to_string().into_bytes();
    let secret = app.webhook_secret.as_bytes();
    let mut headers = vec![
        ("Accept".to_owned(), "*/*".to_owned()),
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("User-Agent".to_owned(), "GitHub-Hookshot/b0c5e77".to_owned()),
        ("X-GitHub-Delivery".to_owned(), delivery.guid.clone()),
        ("X-GitHub-Event".to_owned(), delivery.event.clone()),
        ("X-GitHub-Hook-ID".to_owned(), app.hook_id.to_string()),
        ("X-GitHub-Hook-Installation-Target-ID".to_owned(), app.id.to_string()),
        ("X-GitHub-Hook-Installation-Target-Type".to_owned(), "integration".to_owned()),
    ];
    headers.extend(state.profile.webhook_headers(&state.web));
    if !secret.is_empty() {
        let old: Option<Hmac<sha1::Sha1>> = Hmac::new_from_slice(secret).ok();
        let new: Option<Hmac<sha2::Sha256>> = Hmac::new_from_slice(secret).ok();
        if let (Some(old), Some(new)) = (old, new) {
            let old = hex::encode(old.chain_update(&body).finalize().into_bytes());
            let new = hex::encode(new.chain_update(&body).finalize().into_bytes());
            headers.push(("X-Hub-Signature".to_owned(), format!("sha1={old}")));
            headers.push(("X-Hub-Signature-256".to_owned(), format!("sha256={new}")));
        }
    }
    Some(Parcel { position, url, headers, body, fault })
}

async fn post(client: &reqwest::Client, parcel: &Parcel, at: i64) -> Outcome {
    let mut request = client.post(parcel.url.clone()).body(parcel.body.clone());
    for (name, value) in &parcel.headers {
        request = request.header(name, value);
    }
    match request.send().await {
        Ok(response) => {
            let status = response.status();
            let headers = response
                .headers()
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect();
            let body = response.text().await.unwrap_or_default();
            let words = if status.is_success() { "OK" } else { "Invalid HTTP Response: " };
            let status_words =
                if status.is_success() { words.to_owned() } else { format!("{words}{status}") };
            Outcome { at, status_code: status.as_u16(), status: status_words, headers, body }
        }
        Err(error) if error.is_timeout() => unanswered(at, 504, "timed out"),
        Err(_) => unanswered(at, 502, "failed to connect to host"),
    }
}

fn unanswered(at: i64, status_code: u16, status: &str) -> Outcome {
    Outcome { at, status_code, status: status.to_owned(), headers: Vec::new(), body: String::new() }
}

async fn deliver_one(shared: &Shared) -> Option<DeliveryView> {
    let (parcel, at) = {
        let mut state = shared.lock();
        let at = state.now();
        (next_parcel(&mut state)?, at)
    };
    let outcome = match parcel.fault {
        Some(DeliveryFault::Drop | DeliveryFault::Lose) => {
            unanswered(at, 502, "failed to connect to host")
        }
        Some(DeliveryFault::Duplicate) => {
            post(&shared.webhooks, &parcel, at).await;
            post(&shared.webhooks, &parcel, at).await
        }
        Some(DeliveryFault::Reorder) | None => post(&shared.webhooks, &parcel, at).await,
    };
    let mut state = shared.lock();
    let delivery = state.hooks.log.get_mut(parcel.position)?;
    delivery.lost = parcel.fault == Some(DeliveryFault::Lose);
    delivery.request_headers = parcel.headers;
    delivery.outcome = Some(outcome);
    Some(view(delivery))
}

fn view(delivery: &Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id,
        guid: delivery.guid.clone(),
        event: delivery.event.clone(),
        action: delivery.action.clone(),
        request_headers: delivery.request_headers.clone(),
        payload: delivery.payload.clone(),
        redelivery: delivery.redelivery,
        status: delivery.outcome.as_ref().map(|outcome| outcome.status_code),
    }
}

impl Emulator {
    /// Every delivery so far, sent or waiting, oldest first.
    pub fn deliveries(&self) -> Vec<DeliveryView> {
        self.lock().hooks.log.iter().map(view).collect()
    }

    /// How many deliveries wait.
    pub fn waiting_deliveries(&self) -> usize {
        self.lock().hooks.queue.len()
    }

    /// Plans what goes wrong with the next delivery that has no plan yet.
    pub fn plan_delivery(&self, fault: DeliveryFault) {
        self.lock().hooks.plans.push_back(fault);
    }

    /// Whether every planned delivery fault has struck.
    pub fn delivery_plans_left(&self) -> usize {
        self.lock().hooks.plans.len()
    }

    /// Sends the delivery that waited longest; `None` when none waits.
    pub async fn deliver_next(&self) -> Option<DeliveryView> {
        deliver_one(&self.shared).await
    }

    /// Sends deliveries until none waits, those included that come up meanwhile.
    pub async fn deliver_all(&self) -> Vec<DeliveryView> {
        let mut sent = Vec::new();
        while let Some(delivery) = self.deliver_next().await {
            sent.push(delivery);
        }
        sent
    }

    /// From now on, sends deliveries as they come, in order, until the emulator stops.
    pub fn auto_deliver(&self) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let stop = shared.stop.clone();
            let work = async {
                loop {
                    let queued = shared.queued.notified();
                    while deliver_one(&shared).await.is_some() {}
                    queued.await;
                }
            };
            stop.run_until_cancelled(work).await;
        });
    }
}
