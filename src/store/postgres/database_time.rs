//! The database's time, as this machine knows it: its own even time and the difference.

use std::sync::Weak;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgPool;

use super::{failed, queue};
use crate::clock::Clock;
use crate::core::id::Timestamp;
use crate::store::StoreError;

/// How often the difference is learnt anew.
const LEARNT_EVERY: Duration = Duration::from_secs(15);
/// An answer that took longer says too little about the moment it was given.
const LONGEST_WAY: i64 = 1000;
/// The database's clock was set back when it is this much behind what was expected.
const SET_BACK: i64 = 5000;

/// In milliseconds.
#[derive(Debug)]
pub(super) struct DatabaseTime {
    machine: Clock,
    ahead: AtomicI64,
}

impl DatabaseTime {
    pub(super) async fn learnt(pool: &PgPool, machine: Clock) -> Result<Self, StoreError> {
        let (ahead, _) = difference(pool, &machine).await?;
        Ok(Self { machine, ahead: AtomicI64::new(ahead) })
    }

    /// This machine's own clock.
    pub(super) fn machine(&self) -> &Clock {
        &self.machine
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.machine.steady().0.saturating_add(self.ahead.load(Ordering::Relaxed)))
    }
}

/// How far the database's clock is ahead, and how long the answer took: the moment it tells lies
/// somewhere within.
async fn difference(pool: &PgPool, machine: &Clock) -> Result<(i64, i64), StoreError> {
    let mut connection = pool.acquire().await.map_err(failed)?;
    let asked = machine.steady().0;
    let now: i64 = sqlx::query_scalar(
        "SELECT floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let way = machine.steady().0 - asked;
    Ok((now - asked - way / 2, way))
}

/// Follows the database's clock until the store is gone. Where that was set back, nothing is left
/// to wait for the former time.
pub(super) async fn follow(pool: PgPool, time: Weak<DatabaseTime>) {
    while !pool.is_closed() {
        tokio::select! {
            () = tokio::time::sleep(LEARNT_EVERY) => {}
            () = pool.close_event() => return,
        }
        let Some(time) = time.upgrade() else { return };
        // Where the database is away, whoever works says so.
        let Ok((ahead, way)) = difference(&pool, &time.machine).await else { continue };
        if way > LONGEST_WAY {
            continue;
        }
        let before = time.ahead.swap(ahead, Ordering::Relaxed);
        if ahead < before - SET_BACK {
            tracing::warn!(by = before - ahead, "the database's clock was set back (ms)");
            if let Ok(mut connection) = pool.acquire().await {
                // Told again by every machine, and at each start.
                let _ = queue::bring_near(&mut connection, time.now()).await;
            }
        }
    }
}
