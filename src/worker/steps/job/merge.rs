//! Merges an approved head. Whether to merge is decided on a look made now, not on the one that
//! suggested it.

use crate::core::job::{Job, JobFact};
use crate::core::report;
use crate::core::text::listed;
use crate::publish::{self, Merging};
use crate::store::Claim;
use crate::worker::steps::job::look;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    claim: &Claim,
) -> Result<JobFact, WorkError> {
    ctx.still_held(claim).await?;
    let merged = merge(ctx, job).await;
    ctx.forge.revoke_push_token(&job.repo).await;
    merged
}

/// Merges, if what is seen now still allows it; else what is seen decides.
async fn merge(ctx: &Context, job: &Job) -> Result<JobFact, WorkError> {
    let Some(seen) = Box::pin(look::run(ctx, job)).await? else {
        return Ok(JobFact::NotMerged { why: "there is no pull request".to_owned() });
    };
    let Some((pull, approval)) = job.merges(&seen) else { return Ok(JobFact::Seen(seen)) };
    let method = pull.rules.as_ref().map(|rules| rules.merge.method).unwrap_or_default();
    let (title, message) = report::merge_message(job, &ctx.report_context(job));
    Ok(match publish::merge(&ctx.forge, &job.repo, approval, method, &title, &message).await? {
        Merging::Done { by, .. } => JobFact::Merged { by },
        // GitHub's words are only shown. Somebody may have pushed meanwhile.
        Merging::Refused { why } => match Box::pin(look::run(ctx, job)).await? {
            Some(again) if job.merges(&again).is_none() => JobFact::Seen(again),
            _ => JobFact::NotMerged { why: with_asks(why, &pull.terms.asks) },
        },
    })
}

/// GitHub's words, and what the branch's rules ask for that only GitHub can judge.
pub(in crate::worker) fn with_asks(why: String, asks: &[String]) -> String {
    if asks.is_empty() {
        return why;
    }
    let why = why.trim_end_matches(['.', ' ', '\n']);
    format!("{why}. The rules of the branch ask for {}.", listed(asks))
}
