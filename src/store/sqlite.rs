//! The store in one SQLite file.
//!
//! Invariants: there is one writer. What waits for it is written in one transaction with one
//! fsync, and nobody has an answer before that; the channel to it is no memory, since nothing is
//! acknowledged from it. Reads go past the writer and see what is committed.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

use super::looked::{DatabaseState, TAKEN, stands};
use super::rows::Arrival;
use super::{
    Accepted, Claim, Commit, JobQuery, KeptSince, Lease, ListedJob, LogLine, LogPlace,
    NumberedLine, Store, StoreError, StoreFigures, Stored, WaitingTask,
};
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
mod beside;
mod change;
mod check_results;
pub(super) mod migrations;
mod operator;
mod read;
mod release;
mod slack;
mod waiting;
mod writer;

pub(super) use audit::add as add_to_audit;
pub(super) use beside::look_at as look_beside;
use change::{ClaimRequest, QueueChange};
use waiting::PendingRequest;
use writer::{AtClose, ForgottenRepository, Removal, WriterRequest};

/// How long to wait for another process that writes. GitHub gives us ten seconds in all.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Seldom, because a checkpoint makes everybody wait: at 128 MiB.
const CHECKPOINT_PAGES: &str = "32768";
/// Grown into only under load. A GUID or digest may belong on any page of its index.
const WRITER_CACHE_KIBIBYTES: &str = "-4000";
const READER_CACHE_KIBIBYTES: &str = "-1000";
const READERS: u32 = 2;
/// How many writes may wait before those who ask wait for a place.
const WAITING_WRITES: usize = 1024;

/// The default store: everything in one file, for one machine.
#[derive(Debug)]
pub struct Sqlite {
    writes: mpsc::Sender<WriterRequest>,
    reads: SqlitePool,
}

impl Sqlite {
    /// Opens the file and brings its tables up to date. A new file, and the directories above
    /// it, can be read by their owner only.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be made or opened, `Corrupt` when it is no database or
    /// was written by a newer version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        create(path).map_err(|cause| StoreError::Unavailable(Box::new(cause)))?;
        let options = options(path);
        let writer = SqlitePoolOptions::new().max_connections(1);
        let writing = options.clone().pragma("cache_size", WRITER_CACHE_KIBIBYTES);
        let writer = writer.connect_with(writing).await.map_err(failed)?;
        migrations::all().run(&writer).await.map_err(not_migrated)?;
        let connection = writer.acquire().await.map_err(failed)?.detach();
        Ok(Self::of(connection, options, AtClose::FoldLog))
    }

    /// Opens the file as it is, beside a server that may work with it at this moment.
    ///
    /// # Errors
    /// `Unsuitable` when there is no such file, or it was made by another version of Gander.
    pub async fn beside(path: &Path) -> Result<Self, StoreError> {
        beside::look_at(path).await?;
        let options = options(path);
        let connection = options.connect().await.map_err(failed)?;
        Ok(Self::of(connection, options, AtClose::LeaveLog))
    }

    fn of(connection: SqliteConnection, options: SqliteConnectOptions, at_close: AtClose) -> Self {
        let reads = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(2 * BUSY_TIMEOUT)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(
                options.pragma("cache_size", READER_CACHE_KIBIBYTES).read_only(true),
            );
        let (writes, inbox) = mpsc::channel(WAITING_WRITES);
        tokio::spawn(writer::run(connection, inbox, at_close));
        Self { writes, reads }
    }

    /// How the file stands to this version. It is not changed, and may be in use.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn look(path: &Path) -> Result<DatabaseState, StoreError> {
        if !path.exists() {
            return Ok(DatabaseState::New);
        }
        let mut connection = options(path)
            .read_only(true)
            .create_if_missing(false)
            .connect()
            .await
            .map_err(failed)?;
        let taken = sqlx::query_as::<_, (i64, Vec<u8>)>(TAKEN).fetch_all(&mut connection).await;
        Ok(stands(&taken.map_err(failed)?, &migrations::all()))
    }

    async fn change(&self, change: QueueChange) -> Result<(), StoreError> {
        self.written(change, WriterRequest::Change).await
    }

    /// Hands a request to the writer and waits until its outcome is on disk.
    async fn written<R, A>(
        &self,
        request: R,
        write: fn(PendingRequest<R, A>) -> WriterRequest,
    ) -> Result<A, StoreError> {
        let closed = || StoreError::Unavailable("the database was closed".into());
        let (answer, outcome) = oneshot::channel();
        let waiting = PendingRequest::new(request, answer);
        self.writes.send(write(waiting)).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn accept(
        &self,
        delivery: &Delivery,
        wanted: bool,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.written(Arrival::of(delivery, wanted, now)?, WriterRequest::Accept).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.reads.close().await;
        self.written((), WriterRequest::Close).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.change(QueueChange::Nothing).await
    }

    async fn claim(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        self.written(ClaimRequest { now, slotted: true }, WriterRequest::Claim).await
    }

    async fn claim_unslotted(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        self.written(ClaimRequest { now, slotted: false }, WriterRequest::Claim).await
    }

    async fn heartbeat(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        self.change(QueueChange::Heartbeat { lease: lease.clone(), now }).await
    }

    async fn commit(
        &self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let commit = Box::new(commit.clone());
        self.change(QueueChange::Commit { lease: lease.clone(), commit, now }).await
    }

    async fn postpone(&self, lease: &Lease, due: Timestamp, fault: &str) -> Result<(), StoreError> {
        let fault = fault.to_owned();
        self.change(QueueChange::Postpone { lease: lease.clone(), due, fault }).await
    }

    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError> {
        self.change(QueueChange::HandBack { lease: lease.clone() }).await
    }

    async fn enqueue(&self, task: &Task, due: Timestamp) -> Result<(), StoreError> {
        self.change(QueueChange::Enqueue { task: task.clone(), due }).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Stored<Job>>, StoreError> {
        read::job(&self.reads, id).await
    }

    async fn jobs_on(&self, repo: RepoId, number: Number) -> Result<Vec<Stored<Job>>, StoreError> {
        read::jobs_on(&self.reads, repo, number).await
    }

    async fn relocate(&self, repo: &RepoRef) -> Result<(), StoreError> {
        self.change(QueueChange::Relocate { repo: repo.clone() }).await
    }

    async fn judge_record(&self, repo: RepoId) -> Result<JudgeRecord, StoreError> {
        read::judge_record(&self.reads, repo).await
    }

    async fn open_jobs(&self, repo: Option<RepoId>) -> Result<Vec<Stored<Job>>, StoreError> {
        read::open_jobs(&self.reads, repo).await
    }

    async fn jobs_under_way(&self, repo: RepoId) -> Result<Vec<Stored<Job>>, StoreError> {
        read::jobs_under_way(&self.reads, repo).await
    }

    async fn release(&self, id: &ReleaseId) -> Result<Option<Stored<Release>>, StoreError> {
        release::release(&self.reads, id).await
    }

    async fn open_releases(
        &self,
        repo: Option<RepoId>,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        release::open(&self.reads, repo).await
    }

    async fn release_of_pull(
        &self,
        repo: RepoId,
        pull: Number,
    ) -> Result<Option<Stored<Release>>, StoreError> {
        release::of_pull(&self.reads, repo, pull).await
    }

    async fn last_releases(
        &self,
        repo: RepoId,
        most: u32,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        release::last(&self.reads, repo, most).await
    }

    async fn release_log(&self, id: &ReleaseId) -> Result<Vec<LogLine>, StoreError> {
        read::log(&self.reads, id.as_str()).await
    }

    async fn patch(&self, digest: &PatchDigest) -> Result<Option<Vec<u8>>, StoreError> {
        read::patch(&self.reads, digest).await
    }

    async fn spent(
        &self,
        payer: Payer,
        accounts: &Accounts,
        since: Timestamp,
    ) -> Result<Money, StoreError> {
        read::spent(&self.reads, payer, accounts, since).await
    }

    async fn past_costs(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<Vec<Money>, StoreError> {
        read::past_costs(&self.reads, repo_id, since).await
    }

    async fn merged_pulls(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<(u32, Money), StoreError> {
        read::merged_pulls(&self.reads, repo_id, since).await
    }

    async fn check_results(
        &self,
        repo: RepoId,
        since: Timestamp,
        name: Option<&str>,
    ) -> Result<Vec<CheckResult>, StoreError> {
        check_results::since(&self.reads, repo, since, name).await
    }

    async fn slack(&self, key: &str, now: Timestamp) -> Result<Option<SlackRecord>, StoreError> {
        slack::record(&self.reads, key, now).await
    }

    async fn slack_threads(&self, repo: RepoId, number: Number) -> Result<Vec<String>, StoreError> {
        slack::threads(&self.reads, repo, number).await
    }

    async fn known(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        read::known(&self.reads, ids).await
    }

    async fn log(&self, job: &JobId) -> Result<Vec<LogLine>, StoreError> {
        read::log(&self.reads, job.as_str()).await
    }

    async fn bring_near(&self, now: Timestamp) -> Result<(), StoreError> {
        self.change(QueueChange::BringNear { now }).await
    }

    async fn swept(&self, sweep: Sweep, at: Timestamp) -> Result<(), StoreError> {
        self.change(QueueChange::Swept { sweep, at }).await
    }

    async fn last_swept(&self, sweep: Sweep) -> Result<Option<Timestamp>, StoreError> {
        read::last_swept(&self.reads, sweep).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        read::next_due(&self.reads).await
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        read::queue_length(&self.reads).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        // Piece by piece, so that a delivery that arrives meanwhile does not wait for all of it.
        loop {
            match self.written(Removal::Old(before), WriterRequest::Remove).await? {
                0 => return Ok(forgotten),
                rows => forgotten += rows,
            }
        }
    }

    async fn list_jobs(&self, which: &JobQuery, most: u32) -> Result<Vec<ListedJob>, StoreError> {
        operator::list_jobs(&self.reads, which, most).await
    }

    async fn waiting(&self, lanes: &[String]) -> Result<Vec<WaitingTask>, StoreError> {
        operator::waiting(&self.reads, lanes).await
    }

    async fn log_lines(
        &self,
        from: LogPlace,
        job: Option<&JobId>,
    ) -> Result<Vec<NumberedLine>, StoreError> {
        operator::log_lines(&self.reads, from, job).await
    }

    async fn set_pause(
        &self,
        since: Option<Timestamp>,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change(QueueChange::Pause { since, audit: audit.clone(), now }).await
    }

    async fn paused(&self) -> Result<Option<Timestamp>, StoreError> {
        operator::paused(&self.reads).await
    }

    async fn record(&self, entries: &[AuditEntry], now: Timestamp) -> Result<(), StoreError> {
        self.change(QueueChange::Record { entries: entries.to_vec(), now }).await
    }

    async fn audit_rows(&self, after: i64, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        audit::rows(&self.reads, after, most).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        audit::head(&self.reads).await
    }

    async fn figures(&self, now: Timestamp, since: Timestamp) -> Result<StoreFigures, StoreError> {
        operator::figures(&self.reads, now, since).await
    }

    async fn repositories(&self) -> Result<Vec<RepoRef>, StoreError> {
        operator::repositories(&self.reads).await
    }

    async fn thin(&self, kept: &KeptSince) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            match self.written(Removal::NotKept(*kept), WriterRequest::Remove).await? {
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
        let forgotten = ForgottenRepository { repo, audit: audit.clone(), now };
        self.written(forgotten, WriterRequest::ForgetRepository).await
    }
}

fn create(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    // SQLite gives its log the permissions of the file it belongs to.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("fullfsync", "1")
        .disable_statement_logging()
}

async fn fold_log_and_close(mut connection: SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)
}

async fn execute(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await.map(drop).map_err(failed)
}

/// What a failure of the driver means for whoever asked.
pub(super) fn failed(cause: sqlx::Error) -> StoreError {
    const CORRUPT: u32 = 11;
    const CONSTRAINT: u32 = 19;
    const NOT_A_DATABASE: u32 = 26;
    let what = match &cause {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().and_then(|code| code.parse::<u32>().ok());
            match code.map(|code| code & 0xff) {
                Some(CORRUPT | NOT_A_DATABASE) => "its file",
                Some(CONSTRAINT) => "rows that contradict each other",
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

fn not_migrated(cause: MigrateError) -> StoreError {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => failed(cause),
        cause => StoreError::Corrupt { what: "its list of migrations", source: Box::new(cause) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_committed_survives_a_power_cut_and_checkpoints_are_rare() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gander.db");
        create(&path).unwrap();
        let mut connection = options(&path).connect().await.unwrap();
        for (setting, expected) in
            [("PRAGMA synchronous", 2), ("PRAGMA wal_autocheckpoint", 32_768)]
        {
            let row: (i64,) = sqlx::query_as(setting).fetch_one(&mut connection).await.unwrap();
            assert_eq!(row.0, expected, "{setting}");
        }
        let row: (String,) =
            sqlx::query_as("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.0, "wal");
    }
}
