//! The one place that asks the machine what time it is.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::core::id::Timestamp;

/// Time as a value: the machine's in production, the world's in tests.
#[derive(Clone)]
pub struct Clock {
    wall: Now,
    steady: Now,
}

type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn system() -> Self {
        let wall = || Timestamp(chrono::Utc::now().timestamp_millis());
        let (begin, since) = (wall(), Instant::now());
        let elapsed = move || i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        let steady = move || Timestamp(begin.0.saturating_add(elapsed()));
        Self { wall: Arc::new(wall), steady: Arc::new(steady) }
    }

    /// A clock that shows what `now` returns, and never jumps.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let now: Now = Arc::new(now);
        Self { wall: Arc::clone(&now), steady: now }
    }

    /// The same, but shows people and GitHub what `wall` returns.
    #[must_use]
    pub fn with_wall(self, wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { wall: Arc::new(wall), ..self }
    }

    /// The same, but the queue's time is what `steady` returns.
    #[must_use]
    pub fn with_steady(self, steady: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { steady: Arc::new(steady), ..self }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        (self.wall)()
    }

    /// The time of the queue: what is due when, and how long a lease holds. It began as the present
    /// moment when the program did, and goes on evenly, also when somebody sets the machine's
    /// clock.
    pub fn steady(&self) -> Timestamp {
        (self.steady)()
    }

    /// `12:03 UTC`, for people.
    pub fn time_of_day(&self) -> String {
        let minutes = self.now().0.div_euclid(60_000).rem_euclid(24 * 60);
        format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
    }

    /// The last midnight UTC, when daily budgets are full again.
    pub fn midnight(&self) -> Timestamp {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        Timestamp(self.now().0.div_euclid(DAY) * DAY)
    }
}

/// `2026-03-01 12:03 UTC`, for people.
pub fn day_and_time(at: Timestamp) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-03-01T12:03:09Z`, for programs.
pub fn rfc_3339(at: Timestamp) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}
