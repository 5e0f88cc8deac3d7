//! `/healthz`: the process answers. `/readyz`: it can also remember.

use axum::extract::State;
use http::StatusCode;

use super::AppState;

pub(super) async fn alive() -> &'static str {
    "ok\n"
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
