//! Runs the agent once, and beside it the checks on the base.
//!
//! Invariants: where the checks cannot be run at all, that ends the attempt, most often before the
//! model is asked; what the model has cost by then is counted.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::budget::Budget;
use crate::core::evidence::{Check, Evidence, cannot_run};
use crate::core::fault::ErrorKind;
use crate::core::job::{Doubtful, Job, JobFact, UnfinishedAttempt};
use crate::core::patch::Patch;
use crate::core::proof::ProofOutcome;
use crate::worker::attempt::{self, Attempt, AttemptEnd, AttemptResult, FormerAttempt};
use crate::worker::commit::{Learnt, TaskOutcome};
use crate::worker::job_context::{AttemptInput, JobContext};
use crate::worker::notes::Notes;
use crate::worker::packages::with_packages;
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, checks, patches};

/// So long the model waits for the checks on the base: a command that cannot be run at all most
/// often says so at once.
const HEAD_START: Duration = Duration::from_secs(20);

/// What the attempt and the checks beside it came to.
enum Tried {
    Ended(AttemptResult),
    /// The checks cannot be run: why, and what the attempt was like by then, if it had begun.
    CannotRun(String, Option<AttemptResult>),
}

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    round: u32,
    number: u32,
    stop: &CancellationToken,
) -> Result<TaskOutcome, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let (tell, known) = watch::channel(Vec::new());
    // Whoever ends this future ends both.
    let stop = stop.child_token();
    let _stop_when_dropped = stop.clone().drop_guard();
    let notes = Notes::of(job, ctx.store.clone());
    let attempt = Attempt {
        round,
        number,
        budget: Budget::new(job.budget().saturating_sub(job.spent)),
        former: former(ctx, job).await?,
        base: known,
        notes: Some(&notes),
        stop: &stop,
    };
    let input = about(job, rules, base);
    let tried = match with_packages(&input, ctx, &Patch::default(), &stop).await? {
        Ok(ctx) => try_beside_base(&input, &ctx, &attempt, &tell).await?,
        Err(why) => Tried::CannotRun(why, None),
    };
    let result = match tried {
        Tried::Ended(result) => result,
        Tried::CannotRun(why, begun) => {
            let cost = begun.map(|result| result.cost).unwrap_or_default();
            let fact = JobFact::CannotCheck { round, attempt: number, why, cost };
            return Ok(TaskOutcome::of_job(job, fact));
        }
    };
    // A merge without a conflict, or the reverse of one, was made by nobody who reads.
    let merges = job.update().is_some_and(|it| it.conflicts.is_empty());
    let unasked = number == 1 && (merges || input.reverts.is_some());
    let notes_read = if unasked { 0 } else { notes.read() };
    outcome(job, (round, number), notes_read, result)
}

/// Runs the agent while the checks run on the base.
async fn try_beside_base(
    input: &AttemptInput<'_>,
    ctx: &JobContext,
    attempt: &Attempt<'_>,
    tell: &watch::Sender<Vec<Check>>,
) -> Result<Tried, WorkError> {
    let logs = ctx.records.join(format!("r{}-a{}", attempt.round, attempt.number)).join("base");
    // It works here while the agent waits for its model.
    let base = ctx.slot.kept(checks::without_change(input, ctx, &logs, attempt.stop));
    tokio::pin!(base);
    let early = tokio::time::timeout(HEAD_START, &mut base).await;
    if let Ok(base) = early {
        let base = base?;
        if let Some(why) = cannot_run(&base) {
            return Ok(Tried::CannotRun(why, None));
        }
        tell.send_replace(base);
        return Ok(Tried::Ended(attempt::attempt(input, ctx, attempt).await?));
    }
    let stop_agent = attempt.stop.child_token();
    let beside = Attempt { stop: &stop_agent, ..attempt.clone() };
    let agent = attempt::attempt(input, ctx, &beside);
    tokio::pin!(agent);
    let base = tokio::select! {
        base = &mut base => base,
        result = &mut agent => {
            let result = result?;
            // Judging the change takes what the base came to: it is kept for that.
            if matches!(result.end, AttemptEnd::Proposed(..)) && let Ok(base) = base.await
                && let Some(why) = cannot_run(&base)
            {
                return Ok(Tried::CannotRun(why, Some(result)));
            }
            return Ok(Tried::Ended(result));
        }
    };
    match base {
        Ok(base) => match cannot_run(&base) {
            Some(why) => {
                stop_agent.cancel();
                return Ok(Tried::CannotRun(why, Some(agent.await?)));
            }
            None => drop(tell.send_replace(base)),
        },
        // The check of the change meets the same, and says so.
        Err(fault) => tracing::warn!(fault = %fault.text, "the base could not be checked"),
    }
    Ok(Tried::Ended(agent.await?))
}

fn outcome(
    job: &Job,
    (round, number): (u32, u32),
    notes_read: usize,
    result: AttemptResult,
) -> Result<TaskOutcome, WorkError> {
    let cost = result.cost;
    let mut kept = None;
    let fact = match result.end {
        AttemptEnd::Proposed(patch, proposal) => {
            kept = Some((proposal.patch.clone(), to_bytes(&patch)?));
            JobFact::Proposed { round, attempt: number, proposal, cost, notes_read }
        }
        AttemptEnd::NothingToFix(why) => {
            JobFact::NothingToFix { round, attempt: number, why, cost, notes_read }
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
    let fact = Box::new(fact);
    Ok(TaskOutcome::Learnt(Box::new(Learnt::OfJob { id: job.id.clone(), fact, patch: kept })))
}

fn to_bytes(patch: &Patch) -> Result<Vec<u8>, WorkError> {
    serde_json::to_vec(patch).map_err(|error| WorkError::permanent(&error))
}

/// What the attempt before left: a change that was not good enough, or none at all.
async fn former(ctx: &JobContext, job: &Job) -> Result<Option<FormerAttempt>, WorkError> {
    let (digest, why) = match (&job.unfinished, job.proposal()) {
        (None, Some(proposal)) if job.doubt.is_some() => (Some(&proposal.patch), doubtful(job)),
        (Some(left), _) => (left.patch.as_ref(), left.why.clone()),
        (None, Some(proposal)) => (Some(&proposal.patch), failures(job.evidence())),
        (None, None) => return Ok(None),
    };
    // Whatever an attempt left, the next one begins with the merge at least.
    let digest = digest.or_else(|| job.update().map(|update| &update.merged));
    let patch = match digest {
        Some(digest) => patches::kept(ctx.store.as_ref(), digest).await?,
        None => None,
    };
    Ok(Some(FormerAttempt { patch, why }))
}

/// What the model is told of a green change that no test shows.
fn doubtful(job: &Job) -> String {
    let because = job.doubt.as_ref().map(|doubt| doubt.because);
    match because {
        Some(Doubtful::GreenOnBase) => format!(
            "The checks pass, but they show nothing: Gander laid only the tests of your change on \
             commit {}, without the rest of it, and all of them passed. So they do not show the \
             bug of the issue. Write a test that fails without your change, for the reason that \
             the issue gives. If the bug is not there any more, finish with `nothing_to_fix`.",
            job.base().map_or_else(String::new, |base| base.sha.short().to_owned())
        ),
        Some(Doubtful::NoTest) if tests_not_run(job) => "The checks pass, but they do not run the \
             tests of your change: put those where the check commands find them, under names that \
             they look for, and not skipped."
            .to_owned(),
        Some(Doubtful::NoTest) | None => "The checks pass, but no test shows that the change is \
             needed: none fails without it. Add one that does, beside the tests that the project \
             has. If no test can show this bug, finish again and say why in `no_test`."
            .to_owned(),
    }
}

fn tests_not_run(job: &Job) -> bool {
    let proof = job.evidence().and_then(|evidence| evidence.proof.as_ref());
    proof.is_some_and(|proof| proof.outcome == ProofOutcome::TestsNotRun)
}

fn failures(evidence: Option<&Evidence>) -> String {
    let all = evidence.into_iter().flat_map(Evidence::failures);
    let all: Vec<String> = all.map(|(name, why)| format!("{name}\n{why}")).collect();
    match all.is_empty() {
        true => "It was not checked to its end.".to_owned(),
        false => all.join("\n\n"),
    }
}
