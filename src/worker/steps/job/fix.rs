//! Runs the agent once.

use tokio_util::sync::CancellationToken;

use crate::core::budget::Budget;
use crate::core::evidence::Evidence;
use crate::core::fault::ErrorKind;
use crate::core::job::{Job, JobFact, UnfinishedAttempt};
use crate::core::patch::Patch;
use crate::worker::attempt::{self, Attempt, AttemptEnd, FormerAttempt, JobContext};
use crate::worker::commit::{Learnt, TaskOutcome};
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, patches};

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    round: u32,
    number: u32,
    stop: &CancellationToken,
) -> Result<TaskOutcome, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let attempt = Attempt {
        round,
        number,
        budget: Budget::new(job.budget().saturating_sub(job.spent)),
        former: former(ctx, job).await?,
        stop,
    };
    let result = attempt::attempt(&about(job, rules, base), ctx, &attempt).await?;
    let cost = result.cost;
    let mut kept = None;
    let fact = match result.end {
        AttemptEnd::Proposed(patch, proposal) => {
            kept = Some((proposal.patch.clone(), to_bytes(&patch)?));
            JobFact::Proposed { round, attempt: number, proposal, cost }
        }
        AttemptEnd::NothingToFix(why) => {
            JobFact::NothingToFix { round, attempt: number, why, cost }
        }
        AttemptEnd::Failed(why, patch) => {
            let digest = patch.as_ref().map(Patch::digest);
            if let (Some(digest), Some(patch)) = (&digest, &patch) {
                kept = Some((digest.clone(), to_bytes(patch)?));
            }
            let left = UnfinishedAttempt { why, patch: digest };
            JobFact::AttemptFailed { round, attempt: number, left, cost }
        }
        AttemptEnd::OutOfBudget(why) => JobFact::OutOfBudget { why: format!("{why}."), cost },
        AttemptEnd::Stopped => {
            let text = "the attempt was stopped from outside".to_owned();
            return Err(WorkError { kind: ErrorKind::Retry { after_seconds: None }, text });
        }
    };
    Ok(TaskOutcome::Learnt(Box::new(Learnt::OfJob { id: job.id.clone(), fact, patch: kept })))
}

fn to_bytes(patch: &Patch) -> Result<Vec<u8>, WorkError> {
    serde_json::to_vec(patch).map_err(|error| WorkError::permanent(&error))
}

/// What the attempt before left: a change that was not good enough, or none at all.
async fn former(ctx: &JobContext, job: &Job) -> Result<Option<FormerAttempt>, WorkError> {
    let (digest, why) = match (&job.unfinished, job.proposal()) {
        (Some(left), _) => (left.patch.as_ref(), left.why.clone()),
        (None, Some(proposal)) => (Some(&proposal.patch), failures(job.evidence())),
        (None, None) => return Ok(None),
    };
    let patch = match digest {
        Some(digest) => patches::kept(ctx.store.as_ref(), digest).await?,
        None => None,
    };
    Ok(Some(FormerAttempt { patch, why }))
}

fn failures(evidence: Option<&Evidence>) -> String {
    let all = evidence.into_iter().flat_map(Evidence::failures);
    let all: Vec<String> = all.map(|(name, why)| format!("{name}\n{why}")).collect();
    match all.is_empty() {
        true => "It was not checked to its end.".to_owned(),
        false => all.join("\n\n"),
    }
}
