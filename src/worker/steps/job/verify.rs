//! Checks the proposed change in a tree of its own.

use tokio_util::sync::CancellationToken;

use crate::core::job::{Job, JobFact};
use crate::core::patch::Patch;
use crate::verify::ProofDepth;
use crate::worker::checks::CheckedChange;
use crate::worker::job_context::JobContext;
use crate::worker::packages::with_packages;
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, checks, packages, patches};

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
    let of_change = match with_packages(&input, ctx, &patch, stop).await? {
        Ok(of_change) => of_change,
        Err(why) => return Ok(JobFact::Verified(packages::cannot_be_had(&input, &patch, why))),
    };
    let change = CheckedChange { job: &input, ctx: &of_change, patch: &patch, logs: &logs, stop };
    let evidence = change.check().await?;
    // Most often it is known by now.
    let of_base = with_packages(&input, ctx, &Patch::default(), stop).await?;
    let of_base = of_base.map_err(WorkError::later)?;
    let base = checks::without_change(&input, &of_base, &logs.join("base"), stop).await?;
    let evidence = change.held_against(evidence, &base).await?;
    let evidence = change.proven(evidence, &base, ProofDepth::Whole).await?;
    Ok(JobFact::Verified(evidence.without_results()))
}
