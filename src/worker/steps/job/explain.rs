//! Says on the pull request why it does not go on, or that no round is left.

use crate::core::job::Job;
use crate::core::report;
use crate::publish::talk;
use crate::worker::{Context, WorkError};

/// Says on the pull request why it does not go on.
pub(in crate::worker) async fn run(ctx: &Context, job: &Job) -> Result<(), WorkError> {
    match report::explanation(job, &ctx.report_context(job)) {
        Some(text) => say_once(ctx, job, &text).await,
        None => Ok(()),
    }
}

/// Says on the pull request that no round is left.
pub(in crate::worker) async fn refuse_round(
    ctx: &Context,
    job: &Job,
    limit: u32,
) -> Result<(), WorkError> {
    say_once(ctx, job, &report::no_round_left(job, limit, &ctx.report_context(job))).await
}

/// One text for each situation, once.
async fn say_once(ctx: &Context, job: &Job, text: &str) -> Result<(), WorkError> {
    let Some(pull) = &job.pull else { return Ok(()) };
    let marker = report::marker(job.id.as_str(), &report::situation(job, text));
    let signed = report::signed(text, &marker);
    Ok(talk::say_once_of(&ctx.forge, job, pull.number, &signed, &marker).await?)
}
