//! `POST /github/webhook`: verify, record, answer.
//!
//! Invariants: what the headers show to be no delivery of GitHub's is refused before its body is
//! read; the signature is checked over the raw bytes, as they come, before anything is parsed; what
//! is answered with 202 is on disk; what cannot be taken or stored is answered with 503, so that
//! GitHub keeps it as failed and the sweep fetches it later.

use std::net::IpAddr;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

use super::admission::Admitted;
use super::{AppState, BODY_LIMIT};
use crate::core::delivery::{Content, Delivery};
use crate::core::id::{DeliveryId, HookId};
use crate::metrics::DeliveryResult;
use crate::server::secrets::BodyCheck;
use crate::store::Accepted;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connected(pub(super) IpAddr);

type Answer = (StatusCode, &'static str);

const BUSY: Answer = (StatusCode::SERVICE_UNAVAILABLE, "too much at once; send it again later\n");
const TOO_LARGE: Answer = (StatusCode::PAYLOAD_TOO_LARGE, "GitHub sends no more than 25 MiB\n");
const KNOWN: Answer = (StatusCode::ACCEPTED, "known already\n");
const UNSIGNED: Answer = (StatusCode::UNAUTHORIZED, "the signature is missing or wrong\n");

pub(super) async fn receive(
    State(intake): State<AppState>,
    Extension(Connected(address)): Extension<Connected>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let answer = take_in(&intake, address, &headers, body).await;
    let (status, why) = answer;
    intake.metrics.delivered(result_of(answer));
    if status.is_client_error() || answer == BUSY {
        tell_of_refusal(&intake, status, why);
    }
    answer
}

fn result_of(answer: Answer) -> DeliveryResult {
    match answer.0 {
        StatusCode::ACCEPTED if answer == KNOWN => DeliveryResult::Known,
        StatusCode::ACCEPTED => DeliveryResult::Accepted,
        StatusCode::TOO_MANY_REQUESTS => DeliveryResult::Limited,
        StatusCode::SERVICE_UNAVAILABLE => DeliveryResult::Unavailable,
        _ => DeliveryResult::Refused,
    }
}

/// In one line for many, where there are many.
fn tell_of_refusal(intake: &AppState, status: StatusCode, why: &str) {
    if let Some(refused) = intake.admission.refused(intake.clock.now()) {
        let (status, why) = (status.as_u16(), why.trim());
        tracing::warn!(refused, status, why, "deliveries were refused; this is the last of them");
    }
}

async fn take_in(intake: &AppState, from: IpAddr, headers: &HeaderMap, body: Body) -> Answer {
    let signature = only(headers, "x-hub-signature-256");
    let Some(mut check) = signature.and_then(|it| intake.secrets.begin(it)) else {
        return UNSIGNED;
    };
    let Some((id, hook, event)) = named(headers) else {
        return (
            StatusCode::BAD_REQUEST,
            "X-GitHub-Delivery, X-GitHub-Hook-ID or X-GitHub-Event is missing or malformed\n",
        );
    };
    if is_form(headers) {
        return (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "set the webhook's content type to application/json, in the App's settings\n",
        );
    }
    match only(headers, "content-length").map(str::parse::<usize>) {
        None | Some(Err(_)) => {
            return (StatusCode::LENGTH_REQUIRED, "a delivery of GitHub's has a length\n");
        }
        Some(Ok(length)) if length > BODY_LIMIT => return TOO_LARGE,
        Some(Ok(_)) => {}
    }
    let peer = intake.admission.peer(from, headers);
    let Some(mut admitted) = intake.admission.begin(peer) else { return BUSY };
    let pieces = match read(body, &mut admitted, &mut check).await {
        Ok(pieces) => pieces,
        Err(answer) => return answer,
    };
    if !check.holds() {
        return UNSIGNED;
    }
    admitted.was_signed();
    record(intake, Delivery::read(id, hook, event, &pieces.concat())).await
}

/// The body in pieces, held against its signature as they come.
async fn read(
    mut body: Body,
    admitted: &mut Admitted,
    check: &mut BodyCheck<'_>,
) -> Result<Vec<Bytes>, Answer> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let cut = (StatusCode::BAD_REQUEST, "the body did not come to its end\n");
        let Ok(piece) = frame.map_err(|_| cut)?.into_data() else { continue };
        length += piece.len();
        if length > BODY_LIMIT {
            return Err(TOO_LARGE);
        }
        if !admitted.takes(piece.len()) {
            return Err(BUSY);
        }
        check.update(&piece);
        pieces.push(piece);
    }
    Ok(pieces)
}

async fn record(intake: &AppState, delivery: Delivery) -> Answer {
    if let Content::Quarantined(why) = &delivery.content {
        tracing::warn!(delivery = %delivery.id, why, "a delivery was quarantined");
    }
    let wanted = delivery.is_wanted(&intake.address);
    if !intake.fairness.admits(delivery.installation()) {
        tracing::warn!(delivery = %delivery.id, "one installation sends too much; turned away");
        return (StatusCode::TOO_MANY_REQUESTS, "this installation sends too much just now\n");
    }
    match intake.store.accept(&delivery, wanted, intake.clock.steady()).await {
        Ok(Accepted::New) => {
            if wanted {
                intake.wake.notify_one();
            }
            (StatusCode::ACCEPTED, "accepted\n")
        }
        Ok(Accepted::Known) => KNOWN,
        Err(error) => {
            tracing::error!(%error, delivery = %delivery.id, "a delivery could not be stored");
            (StatusCode::SERVICE_UNAVAILABLE, "cannot be stored just now\n")
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

fn named(headers: &HeaderMap) -> Option<(DeliveryId, HookId, &str)> {
    let id = only(headers, "x-github-delivery")?.parse().ok()?;
    let hook = only(headers, "x-github-hook-id")?.parse().ok()?;
    let event = only(headers, "x-github-event")?;
    // There is a `projects_v2_item`.
    let plain =
        event.len() <= 64 && event.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    (plain && !event.is_empty()).then_some((id, HookId(hook), event))
}

/// A header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}
