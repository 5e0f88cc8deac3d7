//! Connections: how many, how slow, and how they end.
//!
//! Invariants: a peer that sends its request slowly, or not at all, is let go after `patience`;
//! there are never more connections than files we may open, nor more of one peer than its places;
//! where all are taken, the one that has been silent longest makes room; a shutdown finishes what
//! was begun.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::response::Response;
use axum::{BoxError, Router};
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::admission::{Admission, network_of};
use super::webhook::Connected;

/// Connections at a time.
const MOST: usize = 768;
/// Of them, from one address; a proxy's are those of many.
const MOST_OF_ONE: usize = 32;
/// How long a shutdown waits for requests under way.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What connections have to keep to.
pub(super) struct Limits {
    /// How long a header or a piece of a body may take to come.
    pub(super) patience: Duration,
    /// Who is whose proxy.
    pub(super) admission: Arc<Admission>,
}

/// All open connections, the oldest first.
#[derive(Default)]
struct OpenConnections(Mutex<BTreeMap<u64, Connection>>);

struct Connection {
    /// `None`: a proxy's.
    peer: Option<IpAddr>,
    /// Whether no request of it is under way.
    silent: bool,
    close: CancellationToken,
}

/// A connection's place, free again when this is dropped.
struct Place {
    open: Arc<OpenConnections>,
    id: u64,
}

impl OpenConnections {
    /// A place for a connection, where there is one or a silent connection makes room.
    fn enter(
        self: &Arc<Self>,
        id: u64,
        peer: Option<IpAddr>,
    ) -> Option<(Place, CancellationToken)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = all.values().filter(|it| peer.is_some() && it.peer == peer).count();
        let room = match (of_peer >= MOST_OF_ONE, all.len() >= MOST) {
            (true, _) => make_room(&mut all, |it| it.peer == peer),
            (false, true) => make_room(&mut all, |_| true),
            (false, false) => true,
        };
        if !room {
            return None;
        }
        let close = CancellationToken::new();
        all.insert(id, Connection { peer, silent: true, close: close.clone() });
        Some((Place { open: Arc::clone(self), id }, close))
    }

    fn set_silent(&self, id: u64, silent: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = all.get_mut(&id) {
            connection.silent = silent;
        }
    }
}

/// Closes the oldest silent connection among these.
fn make_room(all: &mut BTreeMap<u64, Connection>, among: impl Fn(&Connection) -> bool) -> bool {
    let oldest = all.iter().find(|(_, it)| it.silent && among(it)).map(|(id, _)| *id);
    let closed = oldest.and_then(|id| all.remove(&id));
    closed.is_some_and(|connection| {
        connection.close.cancel();
        true
    })
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Serves until `shutdown`.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // HTTP/1 only, as webhooks come: telling versions apart would wait for ever for a first byte.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.patience);
    let graceful = GracefulShutdown::new();
    let open = Arc::new(OpenConnections::default());
    for id in 0.. {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok((stream, address)) => (stream, address.ip()),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Mostly "too many open files": some will be closed in a moment.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let peer = (!limits.admission.is_proxy(address)).then(|| network_of(address));
        let Some((place, close)) = open.enter(id, peer) else { continue };
        let (connected, open) = (Connected(address), Arc::clone(&open));
        let service = OfConnection { router: router.clone(), connected, open, id };
        // Small answers should not wait for more to say.
        let _ = TcpStream::set_nodelay(&stream, true);
        let connection = builder
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                () = close.cancelled() => {}
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
            }
            drop(place);
        });
    }
    if tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

/// The router for one connection: tells its requests where they come from, and when it is silent.
#[derive(Clone)]
struct OfConnection {
    router: Router,
    connected: Connected,
    open: Arc<OpenConnections>,
    id: u64,
}

impl<B> Service<Request<B>> for OfConnection
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router always is.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.connected);
        let (answering, open, id) = (self.router.call(request), Arc::clone(&self.open), self.id);
        open.set_silent(id, false);
        Box::pin(async move {
            let answer = answering.await;
            open.set_silent(id, true);
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    #[test]
    fn a_peer_has_its_places_and_its_oldest_silent_connection_makes_room_for_its_next() {
        let open = Arc::new(OpenConnections::default());
        let mut held: Vec<_> =
            (0..MOST_OF_ONE as u64).map(|id| open.enter(id, ip(1)).unwrap()).collect();
        open.set_silent(0, false);
        held.push(open.enter(100, ip(1)).unwrap());
        assert!(!held[0].1.is_cancelled() && held[1].1.is_cancelled(), "the first one is busy");
        (0..=100).for_each(|id| open.set_silent(id, false));
        assert!(open.enter(101, ip(1)).is_none(), "all of them are at work");
        assert!(open.enter(102, ip(2)).is_some() && open.enter(103, None).is_some());
    }

    #[test]
    fn when_all_places_are_taken_the_one_that_is_silent_longest_goes() {
        let open = Arc::new(OpenConnections::default());
        let held: Vec<_> = (0..MOST as u64).map(|id| open.enter(id, None).unwrap()).collect();
        let more = open.enter(5_000, ip(1)).unwrap();
        assert!(held[0].1.is_cancelled() && !held[1].1.is_cancelled());
        drop((held, more));
        assert!(open.0.lock().unwrap().is_empty(), "each gives its place back");
    }
}
