//! Connections: how many, how slow, and how they end.
//!
//! Invariants: a peer that sends its request slowly, or not at all, is let go after `patience`;
//! there are never more connections than files we may open; a shutdown finishes what was begun.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at a time; a further one waits in the kernel's queue.
const MOST: usize = 768;
/// How long a shutdown waits for requests under way.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    shutdown: CancellationToken,
) {
    // HTTP/1 only, as webhooks come: telling versions apart would wait for ever for a first byte.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MOST));
    let next = async || {
        let place = Arc::clone(&places).acquire_owned().await;
        (listener.accept().await, place)
    };
    loop {
        let (accepted, place) = tokio::select! {
            next = next() => next,
            () = shutdown.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Mostly "too many open files": some will be closed in a moment.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Small answers should not wait for more to say.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    if tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}
