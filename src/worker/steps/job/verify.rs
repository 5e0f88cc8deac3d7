//! Checks the proposed change in a tree of its own.

use tokio_util::sync::CancellationToken;

use crate::core::job::{Job, JobFact};
use crate::core::patch::Patch;
use crate::worker::attempt::{self, JobContext};
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, patches};

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
    let evidence = attempt::check(&input, ctx, &patch, &logs, stop).await?;
    if !evidence.wants_base() {
        return Ok(JobFact::Verified(evidence));
    }
    // The change may be at fault, or the base may be no better.
    let logs = logs.join("base");
    let without = attempt::check(&input, ctx, &Patch::default(), &logs, stop).await?;
    Ok(JobFact::Verified(evidence.held_against(&without.checks)))
}
