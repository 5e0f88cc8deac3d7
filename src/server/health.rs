//! `/healthz`: the process answers, and says what an operator has to look at. `/readyz`: it can
//! also remember.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;

use super::AppState;
use crate::clock::day_and_time;
use crate::core::task::{SWEEP_IS_LATE, Sweep, hours_late};

pub(super) async fn alive(State(intake): State<AppState>) -> String {
    // Whether this process lives does not wait for a database that does not answer.
    let last = intake.store.last_swept(Sweep::MissedDeliveries);
    let asked = async { tokio::join!(last, intake.store.paused()) };
    let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
    let (last, paused) = answer.map_or((None, None), |(last, paused)| (last.ok(), paused.ok()));
    let late = last.flatten().and_then(|last| hours_late(last, intake.clock.steady()));
    let late = late.map(|hours| format!("{SWEEP_IS_LATE} ({hours} h)"));
    let paused = paused.flatten().map(|since| format!("paused since {}", day_and_time(since)));
    let but: Vec<String> = [paused, late].into_iter().flatten().collect();
    match but.is_empty() {
        true => "ok\n".to_owned(),
        false => format!("ok, but: {}\n", but.join("; ")),
    }
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
