//! Answers each thread of a round, resolves what is settled, and asks the reviewers again.

use std::collections::BTreeSet;

use crate::core::job::{Job, JobFact, RoundOutcome};
use crate::publish;
use crate::worker::steps::job::start::round_of;
use crate::worker::{Context, WorkError, patches};

/// Answers each thread, resolves what is settled, and asks the reviewers again.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    number: u32,
) -> Result<JobFact, WorkError> {
    let (round, answered) = (round_of(job)?, JobFact::Answered { round: number });
    let Some(outcome @ (RoundOutcome::Pushed { .. } | RoundOutcome::NoChange { .. })) =
        &round.outcome
    else {
        return Ok(answered);
    };
    let changed: BTreeSet<String> = match (outcome, job.proposal()) {
        (RoundOutcome::Pushed { .. }, Some(_)) => {
            let patch = patches::proposed(ctx.store.as_ref(), job).await?;
            patch.changes.keys().map(|path| path.as_str().to_owned()).collect()
        }
        _ => BTreeSet::new(),
    };
    publish::round::answer(&ctx.forge, job, round, number, &changed).await?;
    Ok(answered)
}
