//! The one place that asks the machine what time it is.

use std::fmt;
use std::sync::Arc;

use crate::core::id::Timestamp;

/// Time as a value: the machine's in production, the world's in tests.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn system() -> Self {
        Self(Arc::new(|| Timestamp(chrono::Utc::now().timestamp_millis())))
    }

    /// A clock that shows what `now` returns.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        (self.0)()
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

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}
