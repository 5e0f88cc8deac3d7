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
use url::Url;

use crate::clock::Clock;
use crate::core::command::Address;
use crate::metrics::Metrics;
use crate::store::Store;

mod admission;
mod checklist;
mod connections;
mod fairness;
mod health;
mod metrics;
mod operator;
mod secrets;
pub mod setup;
mod slack;
mod webhook;

pub use admission::Admission;
pub use checklist::{Examine, LiveChecklist, Tell};
pub use fairness::Fairness;
pub use metrics::{MetricsState, serve_metrics};
pub use operator::{OperatorPage, operator_link};
pub use secrets::{WeakSecretError, WebhookSecrets};
pub use slack::{Identify, SlackDoor};

/// GitHub sends no more than this.
const BODY_LIMIT: usize = 25 * 1024 * 1024;
/// How long a header or a piece of a body may take to come.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// GitHub gives up after ten seconds; so do we.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server works with.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct AppState {
    pub store: Arc<dyn Store>,
    /// Proofs that a delivery comes from GitHub.
    pub secrets: Arc<WebhookSecrets>,
    /// Where people see GitHub.
    pub web: Arc<Url>,
    /// How people address Gander.
    pub address: Arc<Address>,
    /// One installation cannot crowd out the others.
    pub fairness: Arc<Fairness>,
    /// Strangers cannot fill it.
    pub admission: Arc<Admission>,
    /// How long a header or a piece of a body may take to come.
    pub patience: Duration,
    /// Whose requests are taken from Slack, where that is configured.
    pub slack: Option<Arc<SlackDoor>>,
    pub clock: Clock,
    /// Wakes the worker.
    pub wake: Arc<Notify>,
    /// What the operator may look at, if anything.
    pub operator: Option<OperatorPage>,
    /// What this process counts.
    pub metrics: Arc<Metrics>,
}

/// Answers until `shutdown`; requests under way are finished.
pub async fn serve(listener: TcpListener, intake: AppState, shutdown: CancellationToken) {
    let limits =
        connections::Limits { patience: intake.patience, admission: Arc::clone(&intake.admission) };
    connections::serve(listener, router(intake), limits, shutdown).await;
}

/// All pages and endpoints.
pub fn router(intake: AppState) -> Router {
    // A GitHub whose address makes no link has no such page.
    let setup = intake.web.as_str().parse().map_or_else(|_| Router::new(), setup::files::routes);
    let operator = intake.operator.clone();
    let operator = operator.map_or_else(Router::new, |page| operator::routes(page, &intake.web));
    // Where Slack is not configured, there is no such address.
    let slack = intake.slack.as_ref().map_or_else(Router::new, |_| slack::routes());
    Router::new()
        .merge(setup)
        .merge(operator)
        .merge(slack)
        .route("/github/webhook", post(webhook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyTimeoutLayer::new(intake.patience))
        .layer(TimeoutLayer::with_status_code(http::StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .with_state(intake)
}
