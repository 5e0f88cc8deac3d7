//! Checks the proposed change in a tree of its own.

use tokio_util::sync::CancellationToken;

use crate::core::job::{Job, JobFact};
use crate::worker::checks::CheckedChange;
use crate::worker::job_context::JobContext;
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, checks, patches};

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    round: u32,
    number: u32,
    stop: &CancellationToken,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let patch = patches::proposed(ctx.store.as_ref(), job).await?;
    let logs = ctx.records.join(format!("r{round}-a{number}"));
    let input = about(job, rules, base);
    let with_packages = checks::with_packages(&input, ctx, stop).await?;
    let ctx = &with_packages.map_err(WorkError::later)?;
    let change = CheckedChange { job: &input, ctx, patch: &patch, logs: &logs, stop };
    let evidence = change.check().await?;
    // Most often it is known by now.
    let base = checks::without_change(&input, ctx, &logs.join("base"), stop).await?;
    Ok(JobFact::Verified(change.held_against(evidence, &base).await?))
}
