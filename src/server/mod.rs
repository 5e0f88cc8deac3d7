//! The HTTP side: records what GitHub sends and says how we are. Does no work.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::clock::Clock;
use crate::core::command::Address;
use crate::store::Store;

mod health;
mod secrets;
mod webhook;

pub use secrets::{WeakSecret, WebhookSecrets};

/// GitHub sends no more than this.
const BODY_LIMIT: usize = 25 * 1024 * 1024;
/// A body that stops coming for this long is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(8);
/// GitHub gives up after ten seconds; so do we.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server works with.
#[derive(Clone)]
pub struct Intake {
    /// The memory.
    pub store: Arc<dyn Store>,
    /// Proofs that a delivery comes from GitHub.
    pub secrets: Arc<WebhookSecrets>,
    /// How people address Gander.
    pub address: Arc<Address>,
    /// The time.
    pub clock: Clock,
    /// Wakes the worker.
    pub wake: Arc<Notify>,
}

/// Answers until `shutdown`; requests under way are finished.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    listener: TcpListener,
    intake: Intake,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(intake)).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

/// All pages and endpoints.
pub fn router(intake: Intake) -> Router {
    Router::new()
        .route("/github/webhook", post(webhook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(TimeoutLayer::with_status_code(http::StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .with_state(intake)
}
