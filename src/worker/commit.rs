//! What follows from a task, as one commit: the changed job or release, its next tasks, money, log.
//!
//! Invariants: jobs and releases are advanced and written the same way; a fact that changes nothing
//! leads to no commit.

use super::{audit, budget};
use crate::clock::Clock;
use crate::core::audit::AuditEntry;
use crate::core::check_history::CheckResult;
use crate::core::id::{JobId, ReleaseId};
use crate::core::job::{self, Job};
use crate::core::machine::Machine;
use crate::core::patch::PatchDigest;
use crate::core::release::{self, Release};
use crate::core::task::Task;
use crate::metrics::Metrics;
use crate::store::{Commit, Lease, LedgerEntry, Store, StoreError, Stored, Write};

/// A stage that is over sooner is not shown: GitHub counts changes, and people wait for others.
const SHOWN_AFTER_SECONDS: i64 = 10;
/// A job that changes while its fact is written is read again; this often at most.
const MOST_CONFLICTS: u32 = 20;

/// What performing a task led to.
pub(super) enum TaskOutcome {
    /// Something was learnt.
    Learnt(Box<Learnt>),
    /// A commit that is ready to be written.
    Ready(Box<Commit>),
    /// Nothing follows.
    Done,
}

/// A fact, and what it is about.
pub(super) enum Learnt {
    /// About a job, with the patch it speaks of, if that is to be kept.
    OfJob { id: JobId, fact: Box<job::JobFact>, patch: Option<(PatchDigest, Vec<u8>)> },
    /// About a release.
    OfRelease { id: ReleaseId, fact: Box<release::ReleaseFact> },
}

/// How a machine's changes are written.
pub(super) trait Persisted: Machine {
    /// The task that a step becomes.
    fn task(&self, step: Self::Step) -> Task;
    /// For how many seconds it can wait, as something that spares it may follow.
    fn can_wait(&self, step: &Self::Step) -> Option<i64>;
    /// The line for its log.
    fn line(fact: &Self::Fact, after: &Self) -> String;
    /// Money that moved.
    fn money(before: &Self, after: &Self) -> Vec<LedgerEntry>;
    /// What the audit log says of the change.
    fn audit(before: &Self, after: &Self, fact: &Self::Fact) -> Vec<AuditEntry>;
    /// The commit that holds it as changed from `version`, and nothing else.
    fn written(self, version: i64) -> Commit;
}

impl TaskOutcome {
    /// A fact about a job.
    pub(super) fn of_job(job: &Job, fact: job::JobFact) -> Self {
        let fact = Box::new(fact);
        Self::Learnt(Box::new(Learnt::OfJob { id: job.id.clone(), fact, patch: None }))
    }

    /// A fact about a release.
    pub(super) fn of_release(release: &Release, fact: release::ReleaseFact) -> Self {
        let fact = Box::new(fact);
        Self::Learnt(Box::new(Learnt::OfRelease { id: release.id.clone(), fact }))
    }

    /// A commit, if there is one.
    pub(super) fn ready(commit: Option<Commit>) -> Self {
        commit.map_or(Self::Done, |commit| Self::Ready(Box::new(commit)))
    }

    /// With what a check came to, whatever else follows.
    pub(super) fn remembering(self, check: Option<CheckResult>) -> Self {
        match (self, check) {
            (Self::Ready(commit), Some(check)) => {
                Self::Ready(Box::new(Commit { check: Some(check), ..*commit }))
            }
            (Self::Done, Some(check)) => {
                Self::Ready(Box::new(Commit { check: Some(check), ..Commit::default() }))
            }
            (as_it_is, _) => as_it_is,
        }
    }

    /// One commit for two things that follow from one delivery.
    pub(super) fn and(self, then: Self) -> Self {
        match (self, then) {
            (Self::Ready(mut first), Self::Ready(then)) => {
                let then = *then;
                first.tasks.extend(then.tasks);
                first.later.extend(then.later);
                first.once = first.once.or(then.once);
                first.job = first.job.or(then.job);
                first.release = first.release.or(then.release);
                first.audit.extend(then.audit);
                Self::Ready(first)
            }
            (Self::Done, then) => then,
            (first, _) => first,
        }
    }
}

impl Learnt {
    /// What follows, from what is stored now. `None`: nothing.
    async fn follows(&self, store: &dyn Store) -> Result<Option<Commit>, StoreError> {
        Ok(match self {
            Self::OfJob { id, fact, patch } => {
                let commit = store.job(id).await?.and_then(|stored| advanced(&stored, fact));
                commit.map(|commit| Commit { patch: patch.clone(), ..commit })
            }
            Self::OfRelease { id, fact } => {
                store.release(id).await?.and_then(|stored| advanced(&stored, fact))
            }
        })
    }
}

/// Writes what follows from one task.
pub(super) struct OutcomeWriter<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) clock: &'a Clock,
    pub(super) lease: &'a Lease,
    /// What the task changed on GitHub.
    pub(super) audit: Vec<AuditEntry>,
    /// What this process counts, if anybody reads it.
    pub(super) metrics: Option<&'a Metrics>,
}

impl<'a> OutcomeWriter<'a> {
    /// For a store that is gone with the process: nobody reads an audit log or a count of it.
    pub(super) fn alone(store: &'a dyn Store, clock: &'a Clock, lease: &'a Lease) -> Self {
        Self { store, clock, lease, audit: Vec::new(), metrics: None }
    }
}

impl OutcomeWriter<'_> {
    pub(super) async fn write(&self, outcome: TaskOutcome) -> Result<(), StoreError> {
        match outcome {
            TaskOutcome::Done => self.acknowledge().await,
            TaskOutcome::Ready(commit) => self.commit(&self.with_audit(*commit)).await,
            TaskOutcome::Learnt(learnt) => self.learn(&learnt).await,
        }
    }

    /// Nothing follows.
    pub(super) async fn acknowledge(&self) -> Result<(), StoreError> {
        let commit = self.with_audit(Commit::default());
        self.store.commit(self.lease, &commit, self.clock.steady()).await
    }

    /// What was changed is told though the task is not done.
    pub(super) async fn record(&self) -> Result<(), StoreError> {
        match self.audit.is_empty() {
            true => Ok(()),
            false => self.store.record(&self.audit, self.clock.steady()).await,
        }
    }

    fn with_audit(&self, commit: Commit) -> Commit {
        let audit = audit::in_order(&self.audit, &commit);
        Commit { audit, ..commit }
    }

    /// Writes what a fact changes, reading it anew while others change the same.
    pub(super) async fn learn(&self, learnt: &Learnt) -> Result<(), StoreError> {
        for _ in 0..MOST_CONFLICTS {
            let Some(commit) = learnt.follows(self.store).await? else {
                return self.acknowledge().await;
            };
            let commit = self.with_audit(commit);
            match self.store.commit(self.lease, &commit, self.clock.steady()).await {
                Err(StoreError::Conflict) => {}
                Ok(()) => {
                    self.tell(&commit);
                    return Ok(());
                }
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        match self.store.commit(self.lease, commit, self.clock.steady()).await {
            // Answered before under another delivery: this one has no consequence.
            Err(StoreError::AlreadyDone) => self.acknowledge().await,
            // Somebody changed the job meanwhile: decide again on what is there now.
            Err(StoreError::Conflict) => {
                let now = self.clock.steady();
                self.record().await?;
                self.store.postpone(self.lease, now, "the job changed meanwhile").await
            }
            Ok(()) => {
                self.tell(commit);
                Ok(())
            }
            other => other,
        }
    }
}

impl OutcomeWriter<'_> {
    fn tell(&self, commit: &Commit) {
        tell(commit);
        if let (Some(metrics), Some(Write::New(job) | Write::Change(job, _))) =
            (self.metrics, &commit.job)
            && let Some(ending) = job.stage.ending()
        {
            metrics.ended(ending.into());
        }
    }
}

/// One line for the operator of each thing that was learnt, with the same fields everywhere.
fn tell(commit: &Commit) {
    let learnt = commit.log.as_deref().unwrap_or("changed");
    if let Some(Write::New(job) | Write::Change(job, _)) = &commit.job {
        tracing::info!(
            repo = %job.repo.name,
            job = %job.id,
            issue = job.subject.0,
            pull = job.pull.as_ref().map(|pull| pull.number.0),
            spent = %job.spent,
            stage = job.stage.name(),
            "{learnt}"
        );
    }
    if let Some(Write::New(release) | Write::Change(release, _)) = &commit.release {
        tracing::info!(
            repo = %release.repo.name,
            release = %release.id,
            issue = release.subject.0,
            pull = release.pull.as_ref().map(|pull| pull.number.0),
            stage = release.stage.name(),
            "{learnt}"
        );
    }
}

/// The commit that follows from a fact. `None`: it changes nothing.
pub(super) fn advanced<M: Persisted>(stored: &Stored<M>, fact: &M::Fact) -> Option<Commit> {
    let before = &stored.machine;
    let (after, steps) = before.advance(fact)?;
    let (mut tasks, mut later) = (Vec::new(), Vec::new());
    for step in steps {
        match after.can_wait(&step) {
            Some(seconds) => later.push((after.task(step), seconds)),
            None => tasks.push(after.task(step)),
        }
    }
    let (log, ledger) = (M::line(fact, &after), M::money(before, &after));
    let audit = M::audit(before, &after, fact);
    Some(Commit { log: Some(log), ledger, tasks, later, audit, ..after.written(stored.version) })
}

impl Persisted for Job {
    fn task(&self, step: job::JobStep) -> Task {
        if step == job::JobStep::StartNext {
            return Task::NextOn { repo_id: self.repo.repo_id, number: self.subject };
        }
        Task::Step { job_id: self.id.clone(), step }
    }

    fn can_wait(&self, step: &job::JobStep) -> Option<i64> {
        let passes = *step == job::JobStep::Show && self.stage.may_pass_unseen();
        passes.then_some(SHOWN_AFTER_SECONDS)
    }

    fn line(fact: &job::JobFact, after: &Self) -> String {
        format!("{} → {}", fact.name(), after.stage.name())
    }

    fn money(before: &Self, after: &Self) -> Vec<LedgerEntry> {
        budget::ledger_entry(before, after).into_iter().collect()
    }

    fn audit(before: &Self, after: &Self, fact: &job::JobFact) -> Vec<AuditEntry> {
        audit::of_job_change(before, after, fact).into_iter().collect()
    }

    fn written(self, version: i64) -> Commit {
        Commit { job: Some(Write::Change(self, version)), ..Commit::default() }
    }
}

impl Persisted for Release {
    fn task(&self, step: release::ReleaseStep) -> Task {
        if step == release::ReleaseStep::StartNext {
            return Task::NextRelease { repo_id: self.repo.repo_id, base: self.base.clone() };
        }
        Task::Release { release_id: self.id.clone(), step }
    }

    fn can_wait(&self, _: &release::ReleaseStep) -> Option<i64> {
        None
    }

    fn line(fact: &release::ReleaseFact, after: &Self) -> String {
        format!("{} → {}", fact.name(), after.stage.name())
    }

    fn money(_: &Self, _: &Self) -> Vec<LedgerEntry> {
        Vec::new()
    }

    fn audit(before: &Self, after: &Self, fact: &release::ReleaseFact) -> Vec<AuditEntry> {
        audit::of_release_change(before, after, fact).into_iter().collect()
    }

    fn written(self, version: i64) -> Commit {
        Commit { release: Some(Write::Change(self, version)), ..Commit::default() }
    }
}
