//! The store in a PostgreSQL database, which several machines work with at once.
//!
//! Invariants: whoever takes a task locks its row first and passes over those that others have
//! locked; a lane has one head, which an index sees to, and only heads are taken; whatever changes a
//! lane has locked it, all lanes of one transaction in the same order, so that none waits for
//! another in a circle. A statement that goes unanswered is given up with its connection, and the
//! server gives up a transaction that goes on with nothing: neither holds anybody longer than a
//! lease.
//!
//! Time: a moment that is handed in is one of the queue's time, which is the database's own
//! (`clock`): each machine reads it by the difference to its own clock, learnt anew all the time.
//! In the database no moment counts that its clock has not reached (`queue_time`). So a machine
//! whose time runs ahead takes over nothing early, and one that lags loses its leases early, which
//! the fencing numbers make harmless. Decision 0027 says why it is not the other way round.
//!
//! A text in a column holds no NUL, which PostgreSQL does not store: U+FFFD stands in its place.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::Notify;

use super::rows::Arrival;
use super::{
    Accepted, Claim, Commit, DatabaseState, JobQuery, KeptSince, Lease, ListedJob, LogLine,
    LogPlace, NumberedLine, Store, StoreError, StoreFigures, Stored, WaitingTask,
};
use crate::clock::Clock;
use crate::core::audit::{AuditEntry, AuditHead, AuditRow};
use crate::core::budget::{Accounts, Money, Payer};
use crate::core::check_history::CheckResult;
use crate::core::delivery::Delivery;
use crate::core::github::RepoRef;
use crate::core::id::{DeliveryId, JobId, Number, ReleaseId, RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::judgement::JudgeRecord;
use crate::core::patch::PatchDigest;
use crate::core::release::Release;
use crate::core::slack::SlackRecord;
use crate::core::task::{Sweep, Task};

mod accept;
mod audit;
mod check_results;
mod commit;
mod connect;
mod database_time;
mod migrations;
mod news;
mod operator;
mod queue;
mod read;
mod release;
mod slack;

pub(super) use connect::{options, prepare};
use database_time::DatabaseTime;

/// How long a statement may take, its way included.
const PATIENCE: Duration = Duration::from_secs(8);
/// When a commit is tried again that found the database away: its work may have taken minutes.
const TRIED_AGAIN_AFTER: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// The store that several machines share.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
    time: Arc<DatabaseTime>,
    /// Something was queued here: others are to be told.
    queued: Arc<Notify>,
    /// Somebody queued something.
    heard: Arc<Notify>,
}

impl Postgres {
    /// Reaches the server, brings the tables up to date, and learns the database's time.
    /// `address` is `postgres://USER[:PASSWORD]@HOST/DATABASE[?sslmode=…]`.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached, `Unsuitable` when it, the user or the
    /// database is none that can be used.
    pub async fn open(address: &str, clock: &Clock) -> Result<Self, StoreError> {
        let options = options(address)?;
        prepare(&options).await?;
        Self::reached(options, clock).await
    }

    /// The same beside a server that works with the database: its tables are left as they are.
    ///
    /// # Errors
    /// The same, and `Unsuitable` when the tables are those of another version of Gander.
    pub async fn beside(address: &str, clock: &Clock) -> Result<Self, StoreError> {
        let options = options(address)?;
        connect::look_beside(&options).await?;
        Self::reached(options, clock).await
    }

    async fn reached(options: PgConnectOptions, clock: &Clock) -> Result<Self, StoreError> {
        let pool = connect::pool(options);
        let time = Arc::new(DatabaseTime::learnt(&pool, clock.clone()).await?);
        tokio::spawn(database_time::follow(pool.clone(), Arc::downgrade(&time)));
        let store = Self { pool, time, queued: Arc::default(), heard: Arc::default() };
        tokio::spawn(news::tell(store.pool.clone(), Arc::downgrade(&store.queued)));
        tokio::spawn(news::hear(store.pool.clone(), Arc::downgrade(&store.heard)));
        Ok(store)
    }

    /// How a database stands to this version. It is not changed, and may be in use.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn look(address: &str) -> Result<DatabaseState, StoreError> {
        connect::look(&options(address)?).await
    }

    /// The clock whose steady time is the database's.
    pub fn clock(&self) -> Clock {
        let time = Arc::clone(&self.time);
        self.time.machine().clone().with_steady(move || time.now())
    }

    async fn connection(&self) -> Result<PoolConnection<sqlx::Postgres>, StoreError> {
        self.pool.acquire().await.map_err(failed)
    }
}

/// Asks something on a connection of the store, in bounded time.
macro_rules! ask {
    ($store:expr, $file:ident::$question:ident($($argument:expr),*)) => {{
        let mut connection = $store.connection().await?;
        let answer = bounded($file::$question(&mut connection, $($argument),*)).await;
        given_back(connection, answer)
    }};
}

async fn bounded<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        let text = format!("the database did not answer within {} s", PATIENCE.as_secs());
        Err(StoreError::Unavailable(text.into()))
    })
}

/// A connection on which anything went wrong is not used again.
fn given_back<T>(
    mut connection: PoolConnection<sqlx::Postgres>,
    answer: Result<T, StoreError>,
) -> Result<T, StoreError> {
    if let Err(StoreError::Unavailable(_)) = answer {
        connection.close_on_drop();
    }
    answer
}

impl Postgres {
    async fn commit_once(
        &self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        ask!(self, commit::commit(lease, commit, now))
    }
}

#[async_trait]
impl Store for Postgres {
    async fn accept(
        &self,
        delivery: &Delivery,
        wanted: bool,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let arrival = Arrival::of(delivery, wanted, now)?;
        let accepted = ask!(self, accept::record(&arrival))?;
        if accepted == Accepted::New && arrival.work.is_some() {
            self.queued.notify_one();
        }
        Ok(accepted)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        ask!(self, queue::ping())
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.pool.is_closed() {
            return Err(StoreError::Unavailable("the database was closed".into()));
        }
        self.pool.close().await;
        Ok(())
    }

    async fn claim(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        ask!(self, queue::claim(now, true))
    }

    async fn claim_unslotted(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        ask!(self, queue::claim(now, false))
    }

    async fn heartbeat(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        ask!(self, queue::heartbeat(lease, now))
    }

    /// Tried again where the database was away. One that was made though its answer was lost is
    /// then told as a lost lease: nothing is made twice.
    async fn commit(
        &self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut pauses = TRIED_AGAIN_AFTER.iter();
        loop {
            match self.commit_once(lease, commit, now).await {
                Err(StoreError::Unavailable(_)) if !self.pool.is_closed() => {
                    let Some(pause) = pauses.next() else { break };
                    tokio::time::sleep(*pause).await;
                }
                Ok(()) => {
                    self.queued.notify_one();
                    return Ok(());
                }
                refused => return refused,
            }
        }
        self.commit_once(lease, commit, now).await
    }

    async fn postpone(&self, lease: &Lease, due: Timestamp, fault: &str) -> Result<(), StoreError> {
        ask!(self, queue::postpone(lease, due, fault))
    }

    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError> {
        ask!(self, queue::hand_back(lease))?;
        self.queued.notify_one();
        Ok(())
    }

    async fn enqueue(&self, task: &Task, due: Timestamp) -> Result<(), StoreError> {
        ask!(self, queue::enqueue_alone(task, due))?;
        self.queued.notify_one();
        Ok(())
    }

    async fn job(&self, id: &JobId) -> Result<Option<Stored<Job>>, StoreError> {
        ask!(self, read::job(id))
    }

    async fn jobs_on(&self, repo: RepoId, number: Number) -> Result<Vec<Stored<Job>>, StoreError> {
        ask!(self, read::jobs_on(repo, number))
    }

    async fn relocate(&self, repo: &RepoRef) -> Result<(), StoreError> {
        ask!(self, commit::relocate(repo))
    }

    async fn judge_record(&self, repo: RepoId) -> Result<JudgeRecord, StoreError> {
        ask!(self, read::judge_record(repo))
    }

    async fn jobs_under_way(&self, repo: RepoId) -> Result<Vec<Stored<Job>>, StoreError> {
        ask!(self, read::jobs_under_way(repo))
    }

    async fn open_jobs(&self, repo: Option<RepoId>) -> Result<Vec<Stored<Job>>, StoreError> {
        ask!(self, read::open_jobs(repo))
    }

    async fn release(&self, id: &ReleaseId) -> Result<Option<Stored<Release>>, StoreError> {
        ask!(self, release::release(id))
    }

    async fn open_releases(
        &self,
        repo: Option<RepoId>,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        ask!(self, release::open(repo))
    }

    async fn release_of_pull(
        &self,
        repo: RepoId,
        pull: Number,
    ) -> Result<Option<Stored<Release>>, StoreError> {
        ask!(self, release::of_pull(repo, pull))
    }

    async fn last_releases(
        &self,
        repo: RepoId,
        most: u32,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        ask!(self, release::last(repo, most))
    }

    async fn release_log(&self, id: &ReleaseId) -> Result<Vec<LogLine>, StoreError> {
        ask!(self, read::log(id.as_str()))
    }

    async fn patch(&self, digest: &PatchDigest) -> Result<Option<Vec<u8>>, StoreError> {
        ask!(self, read::patch(digest))
    }

    async fn spent(
        &self,
        payer: Payer,
        accounts: &Accounts,
        since: Timestamp,
    ) -> Result<Money, StoreError> {
        ask!(self, read::spent(payer, accounts, since))
    }

    async fn past_costs(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<Vec<Money>, StoreError> {
        ask!(self, read::past_costs(repo_id, since))
    }

    async fn merged_pulls(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<(u32, Money), StoreError> {
        ask!(self, read::merged_pulls(repo_id, since))
    }

    async fn check_results(
        &self,
        repo: RepoId,
        since: Timestamp,
        name: Option<&str>,
    ) -> Result<Vec<CheckResult>, StoreError> {
        ask!(self, check_results::since(repo, since, name))
    }

    async fn slack(&self, key: &str, now: Timestamp) -> Result<Option<SlackRecord>, StoreError> {
        ask!(self, slack::record(key, now))
    }

    async fn slack_threads(&self, repo: RepoId, number: Number) -> Result<Vec<String>, StoreError> {
        ask!(self, slack::threads(repo, number))
    }

    async fn known(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        ask!(self, read::known(ids))
    }

    async fn log(&self, job: &JobId) -> Result<Vec<LogLine>, StoreError> {
        ask!(self, read::log(job.as_str()))
    }

    async fn bring_near(&self, now: Timestamp) -> Result<(), StoreError> {
        ask!(self, queue::bring_near(now))
    }

    async fn swept(&self, sweep: Sweep, at: Timestamp) -> Result<(), StoreError> {
        ask!(self, queue::swept(sweep, at))
    }

    async fn last_swept(&self, sweep: Sweep) -> Result<Option<Timestamp>, StoreError> {
        ask!(self, read::last_swept(sweep))
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        ask!(self, read::next_due())
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        ask!(self, read::queue_length())
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        // Piece by piece, so that none takes longer than a statement may.
        loop {
            match ask!(self, queue::forget(before))? {
                0 => return Ok(forgotten),
                rows => forgotten += rows,
            }
        }
    }

    async fn list_jobs(&self, which: &JobQuery, most: u32) -> Result<Vec<ListedJob>, StoreError> {
        ask!(self, operator::list_jobs(which, most))
    }

    async fn waiting(&self, lanes: &[String]) -> Result<Vec<WaitingTask>, StoreError> {
        ask!(self, operator::waiting(lanes))
    }

    async fn log_lines(
        &self,
        from: LogPlace,
        job: Option<&JobId>,
    ) -> Result<Vec<NumberedLine>, StoreError> {
        ask!(self, operator::log_lines(from, job))
    }

    async fn set_pause(
        &self,
        since: Option<Timestamp>,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        ask!(self, operator::set_pause(since, audit, now))?;
        self.queued.notify_one();
        Ok(())
    }

    async fn paused(&self) -> Result<Option<Timestamp>, StoreError> {
        ask!(self, operator::paused())
    }

    async fn record(&self, entries: &[AuditEntry], now: Timestamp) -> Result<(), StoreError> {
        ask!(self, audit::record(entries, now))
    }

    async fn audit_rows(&self, after: i64, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        ask!(self, audit::rows(after, most))
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        ask!(self, audit::head())
    }

    async fn figures(&self, now: Timestamp, since: Timestamp) -> Result<StoreFigures, StoreError> {
        ask!(self, operator::figures(now, since))
    }

    async fn repositories(&self) -> Result<Vec<RepoRef>, StoreError> {
        ask!(self, operator::repositories())
    }

    async fn thin(&self, kept: &KeptSince) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            match ask!(self, operator::thin(kept))? {
                0 => return Ok(removed),
                rows => removed += rows,
            }
        }
    }

    async fn forget_repository(
        &self,
        repo: RepoId,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        ask!(self, operator::forget_repository(repo, audit, now))
    }

    async fn news(&self) {
        self.heard.notified().await;
    }
}

/// What a failure of the driver means for whoever asked.
pub(super) fn failed(cause: sqlx::Error) -> StoreError {
    let what = match &cause {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            // Classes of PostgreSQL's error codes; what is none of these may pass.
            match code.get(..2) {
                Some("22" | "42") => "its tables",
                Some("23") => "rows that contradict each other",
                Some("XX") => "its files",
                _ => return StoreError::Unavailable(Box::new(cause)),
            }
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::TypeNotFound { .. } => "a column",
        _ => return StoreError::Unavailable(Box::new(cause)),
    };
    StoreError::Corrupt { what, source: Box::new(cause) }
}

/// A row that may be there once is there.
fn second_of_its_kind(cause: sqlx::Error) -> StoreError {
    match &cause {
        sqlx::Error::Database(refusal) if refusal.is_unique_violation() => StoreError::Conflict,
        _ => failed(cause),
    }
}

/// As it can be stored.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}
