//! `/healthz`: the process answers, and says what an operator has to look at. `/readyz`: it can
//! also remember.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;

use super::AppState;
use crate::core::task::{SWEEP_IS_LATE, Sweep, hours_late};

pub(super) async fn alive(State(intake): State<AppState>) -> String {
    // Whether this process lives does not wait for a database that does not answer.
    let last = intake.store.last_swept(Sweep::MissedDeliveries);
    let last = tokio::time::timeout(Duration::from_secs(1), last).await;
    let last = last.ok().and_then(Result::ok).flatten();
    let late = last.and_then(|last| hours_late(last, intake.clock.steady()));
    late.map_or_else(
        || "ok\n".to_owned(),
        |hours| format!("ok, but: {SWEEP_IS_LATE} ({hours} h)\n"),
    )
}

pub(super) async fn ready(State(intake): State<AppState>) -> (StatusCode, &'static str) {
    match intake.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be written\n")
        }
    }
}
