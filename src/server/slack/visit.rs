//! `GET /slack/linked`: somebody comes back from GitHub, which says who they are there.
//!
//! Invariants: a visit counts once; who they are is asked of GitHub with the visit's own verifier;
//! the page shows a code, which counts only on Slack and only from whoever began the visit there:
//! so nobody links an account by luring its owner here.

use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use data_encoding::BASE32_NOPAD;
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use crate::core::delivery::Delivery;
use crate::core::slack::{SlackAct, SlackRecord, visit_key};
use crate::server::AppState;
use crate::server::setup::pages::{MessagePage, Style, guarded, message, page, security_policy};
use crate::store::Accepted;

#[derive(Deserialize)]
pub(super) struct Return {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Bytes of a code: nobody guesses it in the ten minutes that it is good for.
const BYTES_OF_CODE: usize = 10;

const AGAIN: &str = "Say \"link\" to Gander on Slack, and begin anew.";

pub(super) async fn guard(request: Request, next: Next) -> Response {
    guarded(security_policy(""), request, next).await
}

pub(super) async fn linked(State(intake): State<AppState>, Query(back): Query<Return>) -> Response {
    let over = |why: &str| message(StatusCode::BAD_REQUEST, "Not linked", why, AGAIN);
    let identify = intake.slack.as_ref().and_then(|door| door.identify.clone());
    let Some(identify) = identify else { return over("This server links no accounts.") };
    let visit = intake.store.slack(&visit_key(&back.state), intake.clock.now()).await;
    let visit = match visit {
        Ok(Some(SlackRecord::Visit(visit))) => visit,
        Ok(_) => return over("This visit is none, or it took more than ten minutes."),
        Err(error) => {
            tracing::error!(%error, "a visit could not be looked up");
            let next = "Load this page again in a minute.";
            return message(StatusCode::SERVICE_UNAVAILABLE, "Just a moment", "", next);
        }
    };
    let person = match identify(visit.verifier, back.code).await {
        Ok(person) if person.person => person,
        Ok(_) => return over("That account is no person's."),
        Err(why) => return over(&why),
    };
    let bytes = Uuid::new_v4().into_bytes();
    let code = BASE32_NOPAD.encode(bytes.get(..BYTES_OF_CODE).unwrap_or_default());
    let act = SlackAct::Identified {
        by: visit.by,
        user_id: person.id,
        login: person.login.clone(),
        code: code.clone(),
    };
    let id = format!("identified/{}", back.state);
    let Some(delivery) = Delivery::of_slack(&id, &id, act) else { return over("It has no name.") };
    match intake.store.accept(&delivery, true, intake.clock.steady()).await {
        Ok(Accepted::New) => intake.wake.notify_one(),
        Ok(Accepted::Known) => return over("This visit was used already."),
        Err(error) => {
            tracing::error!(%error, "a visit could not be stored");
            return over("It could not be stored just now.");
        }
    }
    let title = format!("You are {} on GitHub", person.login);
    let command = format!("/gander link {code}");
    let shown = MessagePage {
        style: Style,
        title: &title,
        why: "If you began this on Slack yourself, say this there within ten minutes. If somebody \
              else sent you here, close the page and tell nobody the code: it would let them act \
              as you.",
        next: "Say on Slack:",
        command: Some(&command),
        again: false,
    };
    page(StatusCode::OK, &shown)
}
