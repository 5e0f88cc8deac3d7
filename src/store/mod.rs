//! Where everything is remembered: one queue, one write.
//!
//! Invariants, for every implementation (tests/it/store_contract.rs): an accepted delivery is kept
//! as durably as the store keeps anything before `accept` returns; a task is never held by two
//! workers, and tasks of one lane are done in order; all that follows from a task is written in one
//! transaction with its removal; a worker that lost its lease can write nothing any more.

use async_trait::async_trait;

use crate::core::audit::{AuditEntry, AuditHead, AuditRow};
use crate::core::budget::{Accounts, Money, Payer};
use crate::core::check_history::CheckResult;
use crate::core::delivery::Delivery;
use crate::core::fault::ErrorKind;
use crate::core::github::RepoRef;
use crate::core::id::{DeliveryId, JobId, Number, ReleaseId, RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::judgement::JudgeRecord;
use crate::core::patch::PatchDigest;
use crate::core::release::Release;
use crate::core::slack::{SlackEntry, SlackRecord};
use crate::core::task::{Sweep, Task};

mod backup;
mod looked;
mod memory;
mod moving;
mod operator;
mod postgres;
mod rows;
mod sqlite;
mod steps;

pub use backup::{BackupContent, back_up, restore};
pub use looked::DatabaseState;
pub use memory::Memory;
pub use moving::{MovedRows, move_all};
pub use operator::{
    JobQuery, KeptSince, ListedJob, LogPlace, NumberedLine, StoreFigures, WaitingTask,
};
pub use postgres::Postgres;
pub use sqlite::Sqlite;

/// Durable memory.
#[async_trait]
pub trait Store: Send + Sync {
    /// Records a verified delivery. When this returns, it is durable.
    ///
    /// Known by its GUID (with the hook id) or by its body: [`Accepted::Known`], nothing changes.
    /// A quarantined delivery is recorded but never queued; so is one that is not `wanted`.
    async fn accept(
        &self,
        delivery: &Delivery,
        wanted: bool,
        now: Timestamp,
    ) -> Result<Accepted, StoreError>;

    /// Whether a write would succeed just now: makes a tiny one.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes what was begun and lets go. Whatever is asked afterwards is `Unavailable`.
    async fn close(&self) -> Result<(), StoreError>;

    /// Takes the first due task whose lane is free, for `LEASE_SECONDS`.
    async fn claim(&self, now: Timestamp) -> Result<Option<Claim>, StoreError>;

    /// The same, of tasks that take none of the worker's slots.
    async fn claim_unslotted(&self, now: Timestamp) -> Result<Option<Claim>, StoreError>;

    /// Prolongs a lease. [`StoreError::LeaseLost`] when someone else has it, or the task is gone.
    async fn heartbeat(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError>;

    /// Writes all that follows from a task, and removes the task, or does nothing at all.
    async fn commit(
        &self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Gives the task back, to be tried again at `due`; counts one more try.
    async fn postpone(&self, lease: &Lease, due: Timestamp, fault: &str) -> Result<(), StoreError>;

    /// Gives the task back as if it had never been taken (shutdown).
    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Queues a task from outside a task (a sweep's first run). Level-triggered ones are queued
    /// once.
    async fn enqueue(&self, task: &Task, due: Timestamp) -> Result<(), StoreError>;

    /// The job with this id, and its version.
    async fn job(&self, id: &JobId) -> Result<Option<Stored<Job>>, StoreError>;

    /// All jobs on an issue, or whose pull request has this number; oldest first.
    async fn jobs_on(&self, repo: RepoId, number: Number) -> Result<Vec<Stored<Job>>, StoreError>;

    /// Lets every job and release of this repository know it under this name and installation.
    async fn relocate(&self, repo: &RepoRef) -> Result<(), StoreError>;

    /// What became of the repository's pull requests that were judged.
    async fn judge_record(&self, repo: RepoId) -> Result<JudgeRecord, StoreError>;

    /// All jobs with an open pull request: of one repository, or of all.
    async fn open_jobs(&self, repo: Option<RepoId>) -> Result<Vec<Stored<Job>>, StoreError>;

    /// The jobs of a repository that are under way and have no pull request, oldest first.
    async fn jobs_under_way(&self, repo: RepoId) -> Result<Vec<Stored<Job>>, StoreError>;

    /// The release with this id, and its version.
    async fn release(&self, id: &ReleaseId) -> Result<Option<Stored<Release>>, StoreError>;

    /// The releases that are not over, oldest first, of one repository or of all: of each base
    /// branch at most one that is under way and one that waits.
    async fn open_releases(&self, repo: Option<RepoId>)
    -> Result<Vec<Stored<Release>>, StoreError>;

    /// The release of this pull request.
    async fn release_of_pull(
        &self,
        repo: RepoId,
        pull: Number,
    ) -> Result<Option<Stored<Release>>, StoreError>;

    /// The newest releases of a repository, newest first, at most so many.
    async fn last_releases(
        &self,
        repo: RepoId,
        most: u32,
    ) -> Result<Vec<Stored<Release>>, StoreError>;

    /// The log of one release, oldest first.
    async fn release_log(&self, id: &ReleaseId) -> Result<Vec<LogLine>, StoreError>;

    /// A patch by its digest.
    async fn patch(&self, digest: &PatchDigest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Money that one of the accounts has reserved and spent since a moment.
    async fn spent(
        &self,
        payer: Payer,
        accounts: &Accounts,
        since: Timestamp,
    ) -> Result<Money, StoreError>;

    /// What each job of a repository came to that cost anything since a moment, the newest 100
    /// first, without those that are under way.
    async fn past_costs(&self, repo_id: RepoId, since: Timestamp)
    -> Result<Vec<Money>, StoreError>;

    /// How many of the repository's pull requests were merged that cost anything since a moment,
    /// and what all jobs came to since then, without those under way.
    async fn merged_pulls(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<(u32, Money), StoreError>;

    /// What the repository's checks came to since a moment, the newest first, at most
    /// [`MOST_RESULTS`](crate::core::check_history::MOST_RESULTS): of one name, or of all.
    async fn check_results(
        &self,
        repo: RepoId,
        since: Timestamp,
        name: Option<&str>,
    ) -> Result<Vec<CheckResult>, StoreError>;

    /// What is remembered of Slack under a key, unless its time is over.
    async fn slack(&self, key: &str, now: Timestamp) -> Result<Option<SlackRecord>, StoreError>;

    /// The keys of the threads on Slack that are about an issue.
    async fn slack_threads(&self, repo: RepoId, number: Number) -> Result<Vec<String>, StoreError>;

    /// Which of these deliveries were accepted, so that a sweep fetches only the others.
    async fn known(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError>;

    /// The log of one job: what it learnt and when, oldest first.
    async fn log(&self, job: &JobId) -> Result<Vec<LogLine>, StoreError>;

    /// After a start, when the clock may have been set while nobody looked: nothing is due later
    /// than [`LONGEST_PAUSE_SECONDS`] from now, and no lease is longer than one.
    async fn bring_near(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Notes that a sweep was done, all of it, at this moment.
    async fn swept(&self, sweep: Sweep, at: Timestamp) -> Result<(), StoreError>;

    /// When a sweep was last done, all of it, or first begun. `None`: never.
    async fn last_swept(&self, sweep: Sweep) -> Result<Option<Timestamp>, StoreError>;

    /// When the next task is due, if any waits; `None` when the queue is empty or all is leased.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How many tasks stand in the queue, leased ones included.
    async fn queue_length(&self) -> Result<u64, StoreError>;

    /// Forgets deliveries, act keys and results of checks older than `before`, and of Slack what
    /// was to be kept until then. Jobs, ledger and log are kept.
    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError>;

    // ---- for whoever runs the server

    /// Jobs, the newest first, at most so many.
    async fn list_jobs(&self, which: &JobQuery, most: u32) -> Result<Vec<ListedJob>, StoreError>;

    /// What stands in these lanes of the queue, in order.
    async fn waiting(&self, lanes: &[String]) -> Result<Vec<WaitingTask>, StoreError>;

    /// Lines of the log of one job or of all, oldest first, at most 1,000.
    async fn log_lines(
        &self,
        from: LogPlace,
        job: Option<&JobId>,
    ) -> Result<Vec<NumberedLine>, StoreError>;

    /// From now on nothing new begins: only what the operator asks for, and the fetching of missed
    /// deliveries. `None`: it goes on.
    async fn set_pause(
        &self,
        since: Option<Timestamp>,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Since when nothing new begins.
    async fn paused(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Writes rows into the audit log that belong to no commit.
    async fn record(&self, entries: &[AuditEntry], now: Timestamp) -> Result<(), StoreError>;

    /// The rows of the audit log after this one, in order, at most so many.
    async fn audit_rows(&self, after: i64, most: u32) -> Result<Vec<AuditRow>, StoreError>;

    /// The last row of the audit log, as it was noted when it was written.
    async fn audit_head(&self) -> Result<AuditHead, StoreError>;

    /// What stands in the store, in numbers; money and merges since a moment.
    async fn figures(&self, now: Timestamp, since: Timestamp) -> Result<StoreFigures, StoreError>;

    /// Every repository that a job or release is about, by its newest name.
    async fn repositories(&self) -> Result<Vec<RepoRef>, StoreError>;

    /// Removes what is older than it is kept; returns how many jobs and entries of the ledger.
    async fn thin(&self, kept: &KeptSince) -> Result<u64, StoreError>;

    /// Removes all that is known of a repository, and what the audit log says of it. Returns the
    /// ids of its jobs. [`StoreError::Conflict`] while one of them, or a release, is not over.
    async fn forget_repository(
        &self,
        repo: RepoId,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError>;

    /// Waits until another process may have queued something. A hint: it comes late, for nothing,
    /// or never, as where no other process can.
    async fn news(&self) {
        std::future::pending::<()>().await;
    }
}

/// How long a claimed task is held without a heartbeat.
pub const LEASE_SECONDS: i64 = 20;
/// How long a task that failed waits at most before it is tried again.
pub const LONGEST_PAUSE_SECONDS: i64 = 600;

/// Whether a delivery was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It was; it is durable now.
    New,
    /// It had been accepted before, under this GUID or another.
    Known,
}

/// A taken task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The right to write its outcome.
    pub lease: Lease,
    /// What to do.
    pub task: Task,
    /// How often it was tried before.
    pub tries: u32,
    /// How often whoever had it was gone without a word: killed, or stuck.
    pub abandoned: u32,
}

/// The right to write what follows from one task. Void as soon as somebody else claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task's row.
    pub task: i64,
    /// Grows with every claim of the row.
    pub fence: i64,
}

/// A job or release, and the version a change must build on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<M> {
    /// The job or release.
    pub machine: M,
    /// Grows with every change.
    pub version: i64,
}

/// All that follows from one task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The act that is hereby answered. Answered before: [`StoreError::AlreadyDone`].
    pub once: Option<String>,
    /// The new or changed job.
    pub job: Option<Write<Job>>,
    /// The new or changed release.
    pub release: Option<Write<Release>>,
    /// What to do next, in this order.
    pub tasks: Vec<Task>,
    /// What can wait for so many seconds. One of a kind that is brought up to date by the last of
    /// several is done once, and at once as soon as one of them cannot wait.
    pub later: Vec<(Task, i64)>,
    /// Money reserved (positive) or given back (negative).
    pub ledger: Vec<LedgerEntry>,
    /// A patch to keep.
    pub patch: Option<(PatchDigest, Vec<u8>)>,
    /// What a check came to.
    pub check: Option<CheckResult>,
    /// What it changed, for the audit log.
    pub audit: Vec<AuditEntry>,
    /// What is to be remembered of Slack.
    pub slack: Vec<SlackEntry>,
    /// One line for the log of the job, or of the release.
    pub log: Option<String>,
}

impl Commit {
    /// Whose log its line belongs to, if it writes a job or release.
    fn about(&self) -> Option<String> {
        if let Some(Write::New(job) | Write::Change(job, _)) = &self.job {
            return Some(job.id.to_string());
        }
        let (Write::New(release) | Write::Change(release, _)) = self.release.as_ref()?;
        Some(release.id.to_string())
    }
}

/// A job or release to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write<M> {
    /// A new one. One with this id exists: [`StoreError::AlreadyDone`]; another release waits on
    /// the branch: [`StoreError::Conflict`].
    New(M),
    /// A change of the version that was read. Changed meanwhile, or another one on the same subject
    /// or branch is live and this one would become so: [`StoreError::Conflict`].
    Change(M, i64),
}

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LedgerEntry {
    pub job_id: JobId,
    pub accounts: Accounts,
    /// In millionths of a dollar; negative: given back.
    pub micros: i64,
    pub what: String,
}

/// One line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LogLine {
    pub at: Timestamp,
    pub text: String,
}

/// Why nothing was written or read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    /// Somebody else has the task, or it is gone.
    #[error("the lease was lost: another worker has this task, or it was withdrawn")]
    LeaseLost,
    /// The job changed since it was read.
    #[error("the job changed meanwhile")]
    Conflict,
    /// The act was answered, or the job exists.
    #[error("this was done before")]
    AlreadyDone,
    /// Locked, full or out of reach: may pass.
    #[error("the database cannot be used just now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server, the user or the database is none that can be used: what is wrong, and the next
    /// step.
    #[error("this database cannot be used: {0}")]
    Unsuitable(String),
    /// Its content is not what we wrote.
    #[error("the database holds something unreadable in {what}")]
    Corrupt {
        /// The table or field.
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// What this means for the work that met it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable(_) | Self::Conflict => ErrorKind::Retry { after_seconds: None },
            Self::LeaseLost | Self::AlreadyDone | Self::Unsuitable(_) => ErrorKind::Permanent,
            Self::Corrupt { .. } => ErrorKind::Bug,
        }
    }
}
