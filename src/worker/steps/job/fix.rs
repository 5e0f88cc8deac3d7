//! Runs the agent once.

use tokio_util::sync::CancellationToken;

use crate::core::budget::Budget;
use crate::core::fault::ErrorKind;
use crate::core::job::{Job, JobFact};
use crate::worker::attempt::{self, Attempt, AttemptEnd, JobContext};
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
    let former = match job.proposal() {
        Some(proposal) => patches::kept(ctx.store.as_ref(), &proposal.patch).await?,
        None => None,
    };
    let attempt = Attempt {
        round,
        number,
        budget: Budget::new(job.budget().saturating_sub(job.spent)),
        former: former.as_ref().map(|patch| (patch, job.evidence())),
        stop,
    };
    let result = attempt::attempt(&about(job, rules, base), ctx, &attempt).await?;
    let cost = result.cost;
    let mut kept = None;
    let fact = match result.end {
        AttemptEnd::Proposed(patch, proposal) => {
            let bytes = serde_json::to_vec(&patch).map_err(|error| WorkError::permanent(&error))?;
            kept = Some((proposal.patch.clone(), bytes));
            JobFact::Proposed { round, attempt: number, proposal, cost }
        }
        AttemptEnd::NothingToFix(why) => {
            JobFact::NothingToFix { round, attempt: number, why, cost }
        }
        AttemptEnd::Failed(why) => JobFact::AttemptFailed { round, attempt: number, why, cost },
        AttemptEnd::OutOfBudget(why) => JobFact::OutOfBudget { why: format!("{why}."), cost },
        AttemptEnd::Stopped => {
            let text = "the attempt was stopped from outside".to_owned();
            return Err(WorkError { kind: ErrorKind::Retry { after_seconds: None }, text });
        }
    };
    Ok(TaskOutcome::Learnt(Box::new(Learnt::OfJob { id: job.id.clone(), fact, patch: kept })))
}
