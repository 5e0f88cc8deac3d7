//! `POST /github/webhook`: verify, record, answer.
//!
//! Invariants: the signature is checked over the raw bytes before anything is parsed; what is
//! answered with 202 is on disk; what cannot be stored is answered with 503, so that GitHub keeps
//! it as failed and the sweep fetches it later.

use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, StatusCode};

use super::AppState;
use crate::core::delivery::{Content, Delivery};
use crate::core::id::{DeliveryId, HookId};
use crate::store::Accepted;

pub(super) async fn receive(
    State(intake): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let signed = only(&headers, "x-hub-signature-256")
        .is_some_and(|signature| intake.secrets.verify(&body, signature));
    if !signed {
        tracing::warn!("a delivery without a valid signature was refused");
        return (StatusCode::UNAUTHORIZED, "the signature is missing or wrong\n");
    }
    let Some((id, hook, event)) = named(&headers) else {
        return (
            StatusCode::BAD_REQUEST,
            "X-GitHub-Delivery, X-GitHub-Hook-ID or X-GitHub-Event is missing or malformed\n",
        );
    };
    let delivery = Delivery::read(id, hook, event, &body);
    if let Content::Quarantined(why) = &delivery.content {
        tracing::warn!(delivery = %delivery.id, why, "a delivery was quarantined");
    }
    let wanted = delivery.is_wanted(&intake.address);
    if !intake.fairness.admits(delivery.installation()) {
        tracing::warn!(delivery = %delivery.id, "one installation sends too much; turned away");
        return (StatusCode::TOO_MANY_REQUESTS, "this installation sends too much just now\n");
    }
    match intake.store.accept(&delivery, wanted, intake.clock.now()).await {
        Ok(Accepted::New) => {
            if wanted {
                intake.wake.notify_one();
            }
            (StatusCode::ACCEPTED, "accepted\n")
        }
        Ok(Accepted::Known) => (StatusCode::ACCEPTED, "known already\n"),
        Err(error) => {
            tracing::error!(%error, delivery = %delivery.id, "a delivery could not be stored");
            (StatusCode::SERVICE_UNAVAILABLE, "cannot be stored just now\n")
        }
    }
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
