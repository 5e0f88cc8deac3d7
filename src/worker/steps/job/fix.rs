//! Runs the agent once.

use tokio_util::sync::CancellationToken;

use crate::core::fault::FaultKind;
use crate::core::job::{Fact, Job};
use crate::worker::attempt::{self, Attempt, AttemptEnd, JobContext};
use crate::worker::commit::{Learnt, Outcome};
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{Fault, patches};

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    (round, number): (u32, u32),
    stop: &CancellationToken,
) -> Result<Outcome, Fault> {
    let (rules, base) = rules_and_base(job)?;
    let former = match &job.proposal {
        Some(proposal) => patches::kept(ctx.store.as_ref(), &proposal.patch).await?,
        None => None,
    };
    let attempt = Attempt {
        round,
        number,
        budget: job.budget.saturating_sub(job.spent),
        former: former.as_ref().map(|patch| (patch, job.evidence.as_ref())),
        stop,
    };
    let result = attempt::attempt(&about(job, rules, base), ctx, &attempt).await?;
    let cost = result.cost;
    let mut kept = None;
    let fact = match result.end {
        AttemptEnd::Proposed(patch, proposal) => {
            let bytes = serde_json::to_vec(&patch).map_err(|error| Fault::permanent(&error))?;
            kept = Some((proposal.patch.clone(), bytes));
            Fact::Proposed { round, attempt: number, proposal, cost }
        }
        AttemptEnd::NothingToFix(why) => Fact::NothingToFix { round, attempt: number, why, cost },
        AttemptEnd::Failed(why) => Fact::AttemptFailed { round, attempt: number, why, cost },
        AttemptEnd::OutOfBudget(why) => Fact::OutOfBudget { why: format!("{why}."), cost },
        AttemptEnd::Stopped => {
            let text = "the attempt was stopped from outside".to_owned();
            return Err(Fault { kind: FaultKind::Retry { after_seconds: None }, text });
        }
    };
    Ok(Outcome::Learnt(Box::new(Learnt::OfJob { id: job.id.clone(), fact, patch: kept })))
}
