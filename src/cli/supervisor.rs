//! What is told to systemd, where it started this program and wants to know.
//!
//! Invariants: the watchdog hears of us only while the worker works: when nobody looks at the queue
//! any more, systemd starts the program again.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;

/// Tells that webhooks are taken, and that work begins.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// Tells that what is under way is being handed back.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells the watchdog, if there is one, again and again that the worker works. `pulse` grows while
/// it does.
pub(super) async fn watch(pulse: watch::Receiver<u64>) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    beat(pulse, patience / 4, || tell(NotifyState::Watchdog)).await;
}

async fn beat(mut pulse: watch::Receiver<u64>, pause: Duration, alive: impl Fn()) {
    // It ends with the worker.
    while pulse.changed().await.is_ok() {
        alive();
        tokio::time::sleep(pause).await;
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how it goes");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_watchdog_hears_of_us_only_while_the_worker_works() {
        let (worker, pulse) = watch::channel(0);
        let heard = AtomicU64::new(0);
        let beating = beat(pulse, Duration::ZERO, || {
            heard.fetch_add(1, Ordering::SeqCst);
        });
        tokio::pin!(beating);
        let patience = Duration::from_millis(20);
        for looks in 1..4 {
            worker.send_modify(|beats| *beats += 1);
            assert!(tokio::time::timeout(patience, &mut beating).await.is_err());
            assert_eq!(heard.load(Ordering::SeqCst), looks, "once for each sign of life");
        }
        assert!(tokio::time::timeout(patience, &mut beating).await.is_err());
        assert_eq!(heard.load(Ordering::SeqCst), 3, "a worker that stands still is not alive");
        drop(worker);
        beating.await;
    }
}
