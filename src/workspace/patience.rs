//! How long work that blocks its thread may go on.
//!
//! Invariants: nothing waits for such work longer than this, and work that asks often enough ends
//! soon after nobody wants it any more.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// A bound in time, and a way to end it earlier.
#[derive(Debug, Clone)]
pub struct Patience {
    stop: CancellationToken,
    until: Instant,
}

impl Patience {
    /// From now on, unless stopped.
    pub fn new(time: Duration, stop: &CancellationToken) -> Self {
        Self { stop: stop.clone(), until: Instant::now() + time }
    }

    /// From now on.
    pub fn of(time: Duration) -> Self {
        Self::new(time, &CancellationToken::new())
    }

    /// Whether to give up.
    pub fn is_over(&self) -> bool {
        self.stop.is_cancelled() || Instant::now() >= self.until
    }
}
