//! Runs the failed jobs of a run of a workflow again.

use crate::core::id::Sha;
use crate::core::job::{Job, JobFact};
use crate::forge::RerunAnswer;
use crate::publish::talk;
use crate::worker::commit::TaskOutcome;
use crate::worker::{Context, WorkError};

/// Runs failed jobs again.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    head: &Sha,
    (run, attempt): (u64, u32),
) -> Result<TaskOutcome, WorkError> {
    let is_head = job.pull.as_ref().is_some_and(|pull| pull.head == *head);
    if !is_head || !job.stage.is_in_review() {
        return Ok(TaskOutcome::Done);
    }
    match talk::ask_for_another_run(&ctx.forge, job, run, attempt).await? {
        RerunAnswer::Begun => Ok(TaskOutcome::Done),
        RerunAnswer::Refused(why) => {
            tracing::warn!(repo = %job.repo.name, run, why, "GitHub does not run it again");
            Ok(TaskOutcome::of_job(job, JobFact::RerunRefused))
        }
    }
}
