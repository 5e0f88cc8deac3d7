//! Runs the failed jobs of a run of a workflow again.

use crate::core::job::{Job, JobFact};
use crate::forge::Rerun;
use crate::worker::{Context, WorkError};

/// Runs failed jobs again. `None`: they run.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    run: u64,
    attempt: u32,
) -> Result<Option<JobFact>, WorkError> {
    match ctx.forge.rerun_failed(&job.repo, run, attempt).await? {
        Rerun::Begun => Ok(None),
        Rerun::Refused(why) => {
            tracing::warn!(repo = %job.repo.name, run, why, "GitHub does not run it again");
            Ok(Some(JobFact::RerunRefused))
        }
    }
}
