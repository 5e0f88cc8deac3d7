//! `/metrics`, on an address of its own: what this process counted, and what stands in the store.
//!
//! Invariants: the store is asked at most every ten seconds, however often somebody reads; a store
//! that does not answer takes nothing from what was counted.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::core::id::Timestamp;
use crate::core::task::Sweep;
use crate::metrics::{Metrics, MetricsText, dollars};
use crate::store::{Store, StoreError, StoreFigures};

/// What it is made of.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct MetricsState {
    pub metrics: Arc<Metrics>,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
}

/// What was read of the store, and when.
type LastReading = Arc<Mutex<Option<(Timestamp, String)>>>;

/// How long that is told.
const READ_EVERY_SECONDS: i64 = 10;
/// How long the store is waited for.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How far back money and merges are counted.
const DAYS: i64 = 30;

/// Answers until `shutdown`.
///
/// # Errors
/// When nothing can be heard any more.
pub async fn serve_metrics(
    listener: TcpListener,
    state: MetricsState,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let router =
        Router::new().route("/metrics", get(metrics)).with_state((state, LastReading::default()));
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn metrics(
    State((state, read)): State<(MetricsState, LastReading)>,
) -> ([(http::HeaderName, &'static str); 1], String) {
    let mut text = state.metrics.text();
    text.push_str(&of_store(&state, &read).await);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

async fn of_store(state: &MetricsState, read: &LastReading) -> String {
    let mut read = read.lock().await;
    let now = state.clock.steady();
    if let Some((at, text)) = &*read
        && now.0 - at.0 < READ_EVERY_SECONDS * 1000
    {
        return text.clone();
    }
    let asked = tokio::time::timeout(STORE_ANSWERS_WITHIN, ask(state, now)).await;
    let text = match asked {
        Ok(Ok(text)) => text,
        Ok(Err(_)) | Err(_) => store_up(false),
    };
    *read = Some((now, text.clone()));
    text
}

fn store_up(answers: bool) -> String {
    let mut text = MetricsText::default();
    text.family("gander_store_up", "gauge", "Whether the database answers.");
    text.sample("gander_store_up", &[], u8::from(answers));
    text.0
}

async fn ask(state: &MetricsState, now: Timestamp) -> Result<String, StoreError> {
    let figures = state.store.figures(now, now.plus_seconds(-DAYS * 24 * 60 * 60)).await?;
    let paused = state.store.paused().await?.is_some();
    let swept = state.store.last_swept(Sweep::MissedDeliveries).await?;
    let mut text = MetricsText(store_up(true));
    text.family("gander_build_info", "gauge", "The running version.");
    text.sample("gander_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("gander_paused", "gauge", "Whether nothing new begins.");
    text.sample("gander_paused", &[], u8::from(paused));
    if let Some(swept) = swept {
        let name = "gander_missed_deliveries_compared_seconds";
        text.family(name, "gauge", "Since GitHub's log of deliveries was last compared with ours.");
        text.sample(name, &[], seconds(swept, now));
    }
    write_figures(&mut text, &figures, now);
    Ok(text.0)
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.0 - from.0).max(0) / 1000
}

fn write_figures(text: &mut MetricsText, figures: &StoreFigures, now: Timestamp) {
    text.family("gander_queue_tasks", "gauge", "Tasks that wait, are at work, or are put off.");
    for (state, many) in
        [("waiting", figures.waiting), ("taken", figures.taken), ("later", figures.later)]
    {
        text.sample("gander_queue_tasks", &[("state", state)], many);
    }
    let oldest = figures.oldest_due.map_or(0, |due| seconds(due, now));
    text.family(
        "gander_queue_oldest_seconds",
        "gauge",
        "How long the oldest that waits has waited.",
    );
    text.sample("gander_queue_oldest_seconds", &[], oldest);
    text.family("gander_jobs", "gauge", "Jobs that are not over, by their stage.");
    for (stage, many) in &figures.jobs {
        text.sample("gander_jobs", &[("stage", stage)], many);
    }
    let spent = dollars(figures.spent.micros());
    text.family("gander_spent_30d_dollars", "gauge", "What all jobs came to in 30 days.");
    text.sample("gander_spent_30d_dollars", &[], spent);
    text.family("gander_merged_30d_pulls", "gauge", "Pull requests that were merged in 30 days.");
    text.sample("gander_merged_30d_pulls", &[], figures.merged);
    let merged = u32::try_from(figures.merged).unwrap_or(u32::MAX);
    if merged > 0 {
        let name = "gander_cost_per_merged_pull_30d_dollars";
        text.family(name, "gauge", "What all jobs came to, for each that was merged.");
        text.sample(name, &[], spent / f64::from(merged));
    }
}
