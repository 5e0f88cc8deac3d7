//! `POST /slack/…`: verify, record, answer within three seconds.
//!
//! Invariants: the signature is checked over the raw bytes before anything is parsed; App and
//! workspace are the pinned ones; a signature is good once and what Slack repeats is one act, by
//! the store's word and not by memory; what is answered with 200 is on disk.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::AppState;
use super::webhook::Connected;
use crate::core::delivery::Delivery;
use crate::core::github::Actor;
use crate::core::setup::LINKED;
use crate::core::slack::{SlackBody, SlackPins, SlackRead, SlackRefusal, read};
use crate::slack::SigningSecret;
use crate::store::Accepted;

mod visit;

/// Whose requests are taken.
pub struct SlackDoor {
    /// What they are signed with.
    pub secret: SigningSecret,
    /// For which App, from which workspace.
    pub pins: SlackPins,
    /// Asks GitHub whose a code is. `None`: nobody can show who they are.
    pub identify: Option<Identify>,
}

/// Exchanges a code for the person who gave it, with the verifier of their visit; else what GitHub
/// said.
pub type Identify =
    Arc<dyn Fn(String, String) -> BoxFuture<'static, Result<Actor, String>> + Send + Sync>;

/// Slack sends no more than this.
const LONGEST: usize = 1024 * 1024;

type SlackAnswer = (StatusCode, String);

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/slack/events", post(events))
        .route("/slack/interactivity", post(interactivity))
        .route("/slack/commands", post(commands))
        .route(LINKED, get(visit::linked).layer(from_fn(visit::guard)))
}

async fn events(
    State(intake): State<AppState>,
    Extension(from): Extension<Connected>,
    headers: HeaderMap,
    body: Body,
) -> SlackAnswer {
    receive(SlackBody::Event, &intake, from.0, &headers, body).await
}

async fn interactivity(
    State(intake): State<AppState>,
    Extension(from): Extension<Connected>,
    headers: HeaderMap,
    body: Body,
) -> SlackAnswer {
    receive(SlackBody::Interaction, &intake, from.0, &headers, body).await
}

async fn commands(
    State(intake): State<AppState>,
    Extension(from): Extension<Connected>,
    headers: HeaderMap,
    body: Body,
) -> SlackAnswer {
    receive(SlackBody::Command, &intake, from.0, &headers, body).await
}

async fn receive(
    kind: SlackBody,
    intake: &AppState,
    from: IpAddr,
    headers: &HeaderMap,
    body: Body,
) -> SlackAnswer {
    let Some(door) = &intake.slack else { return plain(StatusCode::NOT_FOUND, "") };
    let peer = intake.admission.peer(from, headers);
    let busy = || plain(StatusCode::SERVICE_UNAVAILABLE, "too much at once; send it again later");
    let Some(mut admitted) = intake.admission.begin(peer) else { return busy() };
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "Slack sends no more than 1 MiB");
    };
    if !admitted.takes(body.len()) {
        return busy();
    }
    match verified(kind, intake, door, headers, &body) {
        Ok((SlackRead::Challenge(challenge), _)) => (StatusCode::OK, challenge),
        // Also what nobody handles is answered at once.
        Ok((SlackRead::Nothing, _)) => plain(StatusCode::OK, ""),
        Ok((SlackRead::Act { id, act }, signature)) => {
            admitted.was_signed();
            match Delivery::of_slack(&id, &signature, act) {
                Some(delivery) => record(intake, &delivery).await,
                None => plain(StatusCode::BAD_REQUEST, "it has no name"),
            }
        }
        Err(answer) => {
            if let Some(refused) = intake.admission.refused(intake.clock.now()) {
                let (status, why) = (answer.0.as_u16(), answer.1.as_str());
                tracing::warn!(refused, status, why, "requests to /slack were refused");
            }
            answer
        }
    }
}

/// What the request says, and the signature that was good for it.
fn verified(
    kind: SlackBody,
    intake: &AppState,
    door: &Arc<SlackDoor>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(SlackRead, String), SlackAnswer> {
    let only = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let first = all.next()?.to_str().ok()?;
        all.next().is_none().then_some(first)
    };
    let unsigned = || {
        let why = "the signature is missing, wrong, or more than five minutes old";
        plain(StatusCode::UNAUTHORIZED, why)
    };
    let (Some(at), Some(signature)) =
        (only("x-slack-request-timestamp"), only("x-slack-signature"))
    else {
        return Err(unsigned());
    };
    if !door.secret.holds(at, signature, body, intake.clock.now()) {
        return Err(unsigned());
    }
    let json = json_of(kind, body).ok_or_else(|| refused(SlackRefusal::Unreadable))?;
    let read = read(kind, &json, &door.pins).map_err(refused)?;
    Ok((read, format!("{at}:{signature}")))
}

/// The JSON of a body: an event is it, an interaction has it in a field, a command is fields.
fn json_of(kind: SlackBody, body: &Bytes) -> Option<Vec<u8>> {
    let mut fields = url::form_urlencoded::parse(body);
    match kind {
        SlackBody::Event => Some(body.to_vec()),
        SlackBody::Interaction => {
            fields.find(|(name, _)| name == "payload").map(|(_, json)| json.into_owned().into())
        }
        SlackBody::Command => {
            let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned().into()));
            serde_json::to_vec(&Value::Object(fields.collect::<Map<_, _>>())).ok()
        }
    }
}

fn refused(why: SlackRefusal) -> SlackAnswer {
    let status = match why {
        SlackRefusal::Foreign => StatusCode::UNAUTHORIZED,
        SlackRefusal::Unreadable | SlackRefusal::ResponseUrl => StatusCode::BAD_REQUEST,
    };
    plain(status, &why.to_string())
}

async fn record(intake: &AppState, delivery: &Delivery) -> SlackAnswer {
    match intake.store.accept(delivery, true, intake.clock.steady()).await {
        Ok(Accepted::New) => {
            intake.wake.notify_one();
            plain(StatusCode::OK, "")
        }
        Ok(Accepted::Known) => plain(StatusCode::OK, ""),
        Err(error) => {
            tracing::error!(%error, "what came from Slack could not be stored");
            plain(StatusCode::SERVICE_UNAVAILABLE, "cannot be stored just now")
        }
    }
}

fn plain(status: StatusCode, text: &str) -> SlackAnswer {
    (status, text.to_owned())
}
