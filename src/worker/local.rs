//! One job on a repository of this machine, up to a change that could be published.
//!
//! Invariants: it is the server's own job, with the same facts, steps and verdicts; what only tells
//! people on GitHub of it is passed over, and it ends where GitHub would be needed.

use super::commit::{OutcomeWriter, TaskOutcome};
use super::job_context::JobContext;
use super::steps::job::perform_locally;
use super::turn::next_job;
use super::{WorkError, patches};
use crate::clock::Clock;
use crate::core::job::{Job, JobFact, JobStage, Prepared};
use crate::core::patch::Patch;
use crate::core::task::Task;
use crate::store::{Claim, Commit, Write};

/// A job, and what it works with.
#[allow(missing_docs)]
pub struct LocalJob<'a> {
    /// What was asked.
    pub job: Job,
    /// What it is made with.
    pub ctx: &'a JobContext,
    /// What it begins with.
    pub prepared: Prepared,
    pub clock: Clock,
    /// Told of each step that takes its time.
    pub progress: &'a (dyn Fn(&str) + Sync),
}

/// How a local job ended.
pub struct LocalEnd {
    /// As it stands now: verified and about to be published, or done.
    pub job: Job,
    /// How often the model tried.
    pub attempts: u32,
    /// The change that was verified or, where none was, the last that was tried.
    pub patch: Option<Patch>,
}

/// A step that could not be done.
pub struct LocalFault {
    /// Why.
    pub fault: WorkError,
    /// The last change that was tried by then.
    pub patch: Option<Patch>,
}

impl LocalJob<'_> {
    /// Works on the job until it is verified or over.
    ///
    /// # Errors
    /// The first step that could not be done. Nothing is tried again: whoever waits is told.
    pub async fn run(self) -> Result<LocalEnd, LocalFault> {
        let (store, id) = (self.ctx.store.clone(), self.job.id.clone());
        match self.work().await {
            Ok(end) => Ok(end),
            Err(fault) => {
                let job = store.job(&id).await.ok().flatten();
                let patch = match &job {
                    Some(job) => patches::last(store.as_ref(), &job.machine).await.ok().flatten(),
                    None => None,
                };
                Err(LocalFault { fault, patch })
            }
        }
    }

    async fn work(self) -> Result<LocalEnd, WorkError> {
        let store = self.ctx.store.as_ref();
        let (id, mut attempts) = (self.job.id.clone(), 0);
        let queued = Task::NextOn { repo_id: self.job.repo.repo_id, number: self.job.subject };
        store.enqueue(&queued, self.clock.steady()).await?;
        while let Some(claim) = store.claim(self.clock.steady()).await? {
            let (clock, lease) = (&self.clock, &claim.lease);
            let writer = OutcomeWriter { store, clock, lease, audit: Vec::new(), metrics: None };
            let Some(stored) = store.job(&id).await? else {
                let job = Some(Write::New(self.job.clone()));
                let commit = Commit { job, tasks: vec![queued.clone()], ..Commit::default() };
                writer.write(TaskOutcome::ready(Some(commit))).await?;
                continue;
            };
            if let JobStage::Fixing { attempt, .. } = stored.machine.stage {
                attempts = attempt;
            }
            let outcome = match self.perform(&stored.machine, &claim).await {
                // What was green before the extra attempt is not lost by it.
                Err(fault) if stored.machine.doubt.is_some() => {
                    broken(&stored.machine, &claim, fault)?
                }
                outcome => outcome?,
            };
            writer.write(outcome).await?;
        }
        let job = store.job(&id).await?.ok_or_else(|| WorkError::bug("the job is gone"))?.machine;
        let verified = matches!(job.stage, JobStage::Publishing { .. });
        let patch = match verified {
            true => Some(patches::proposed(store, &job).await?),
            false => patches::last(store, &job).await?,
        };
        Ok(LocalEnd { job, attempts, patch })
    }

    async fn perform(&self, job: &Job, claim: &Claim) -> Result<TaskOutcome, WorkError> {
        let ctx = self.ctx;
        let step = match &claim.task {
            Task::NextOn { repo_id: repo, number } => {
                return Ok(next_job(ctx.store.as_ref(), *repo, *number).await?);
            }
            Task::Step { step, .. } if job.stage.awaits(step) => step,
            Task::Step { .. }
            | Task::Delivery { .. }
            | Task::Release { .. }
            | Task::ReleaseOf { .. }
            | Task::NextRelease { .. }
            | Task::Reply(_)
            | Task::Sweep(_)
            | Task::Operator(_)
            | Task::Slack(_) => return Ok(TaskOutcome::Done),
        };
        perform_locally(ctx, &self.prepared, self.progress, job, step).await
    }
}

/// A step that could not be done, as what the job learns of it.
fn broken(job: &Job, claim: &Claim, fault: WorkError) -> Result<TaskOutcome, WorkError> {
    let Task::Step { step, .. } = &claim.task else { return Err(fault) };
    tracing::warn!(fault = %fault.text, "the extra attempt could not be made");
    Ok(TaskOutcome::of_job(job, JobFact::Broke { step: step.clone(), why: fault.text }))
}
