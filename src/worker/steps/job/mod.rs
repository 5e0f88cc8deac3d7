//! The steps of a job: one file each, and the table that finds them.

pub(in crate::worker) mod announce;
pub(in crate::worker) mod answer;
pub(in crate::worker) mod check_head;
pub(in crate::worker) mod clean_up;
pub(in crate::worker) mod explain;
pub(in crate::worker) mod fix;
pub(in crate::worker) mod hold;
pub(in crate::worker) mod judge;
pub(in crate::worker) mod look;
pub(in crate::worker) mod merge;
pub(in crate::worker) mod plan;
pub(in crate::worker) mod prepare;
pub(in crate::worker) mod publish;
pub(in crate::worker) mod rerun;
mod revert;
pub(in crate::worker) mod start;
pub(in crate::worker) mod suggest;
pub(in crate::worker) mod undo;
pub(in crate::worker) mod update;
pub(in crate::worker) mod verify;

use tokio_util::sync::CancellationToken;

use crate::core::fault::ErrorKind;
use crate::core::github::{Actor, Role};
use crate::core::id::JobId;
use crate::core::job::{Base, Cause, Declined, Job, JobFact, JobStep, Prepared};
use crate::core::machine::OnFailure;
use crate::core::policy::{Decision, Denied, RULES_PATH, Rules, authorize};
use crate::core::report::ReportContext;
use crate::core::task::Task;
use crate::publish::{surface, talk};
use crate::store::{Claim, Commit};
use crate::worker::commit::TaskOutcome;
use crate::worker::job_context::{AttemptInput, JobContext};
use crate::worker::pictures::with_pictures;
use crate::worker::slack::cards_of;
use crate::worker::steps::done;
use crate::worker::{Context, WorkError, patches};

/// Does one step of a job.
pub(in crate::worker) async fn perform(
    ctx: &Context,
    id: &JobId,
    step: &JobStep,
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<TaskOutcome, WorkError> {
    let Some(stored) = ctx.store.job(id).await? else {
        return Err(WorkError::bug("a task names a job that does not exist"));
    };
    let job = &stored.machine;
    let awaited = step.spec().failure == OnFailure::Awaited;
    if awaited && !job.stage.awaits(step) {
        // The job has moved on meanwhile: there is nothing left to do for this task.
        return Ok(TaskOutcome::Done);
    }
    // The steps' futures are large: each stands on the heap, not in the worker's stack.
    match step {
        JobStep::Prepare => Box::pin(prepare::run(ctx, job)).await,
        &JobStep::Fix { round, attempt } => {
            let ctx = with_pictures(ctx, job, rules_and_base(job)?.1).await?;
            Box::pin(fix::run(&ctx, job, round, attempt, stop)).await
        }
        &JobStep::Plan { version } => {
            let ctx = with_pictures(ctx, job, rules_and_base(job)?.1).await?;
            learnt(job, Box::pin(plan::run(&ctx, job, version, stop)).await)
        }
        &JobStep::Verify { round, attempt } => {
            let ctx = ctx.of_job(job, rules_and_base(job)?.1).await?;
            learnt(job, Box::pin(verify::run(&ctx, job, round, attempt, stop)).await)
        }
        &JobStep::Judge { round } => {
            let ctx = ctx.of_job(job, rules_and_base(job)?.1).await?;
            learnt(job, Box::pin(judge::run(&ctx, job, round, stop)).await)
        }
        JobStep::Publish { .. } => learnt(job, Box::pin(publish::run(ctx, job, claim)).await),
        &JobStep::Start { round } => Box::pin(begin(ctx, job, round)).await,
        &JobStep::Answer { round } => learnt(job, Box::pin(answer::run(ctx, job, round)).await),
        JobStep::CheckHead { head } => {
            learnt(job, Box::pin(check_head::run(ctx, job, head, stop)).await)
        }
        JobStep::Merge { .. } => learnt(job, Box::pin(merge::run(ctx, job, claim)).await),
        // Elsewhere nothing follows from a look, so GitHub is not asked.
        JobStep::Look if !job.stage.is_in_review() => Ok(TaskOutcome::Done),
        JobStep::Look => {
            let seen = Box::pin(look::run(ctx, job)).await?;
            Ok(seen.map_or(TaskOutcome::Done, |seen| TaskOutcome::of_job(job, JobFact::Seen(seen))))
        }
        JobStep::Wake => Ok(look_again(job)),
        JobStep::Acknowledge => done(talk::acknowledge_order(&ctx.forge, job).await),
        JobStep::React { comment } => {
            let comment = Some(*comment);
            done(talk::acknowledge(&ctx.forge, &job.repo, job.subject, comment).await)
        }
        JobStep::ReactInThread { comment } => {
            done(talk::acknowledge_in_thread(&ctx.forge, &job.repo, *comment).await)
        }
        JobStep::Show => show_everywhere(ctx, job).await,
        JobStep::Announce => done(match Box::pin(announce::run(ctx, job)).await {
            Err(fault) if is_over_and_withheld(job, &fault) => {
                Box::pin(announce::run(ctx, &job.withholding(fault.text))).await
            }
            said => said,
        }),
        JobStep::Rerun { head, run, attempt } => rerun::run(ctx, job, head, (*run, *attempt)).await,
        JobStep::Explain => done(Box::pin(explain::run(ctx, job)).await),
        JobStep::RefuseRound { limit } => {
            done(Box::pin(explain::refuse_round(ctx, job, *limit)).await)
        }
        JobStep::Undo => done(undo::run(ctx, job).await),
        JobStep::CleanUp => done(Box::pin(clean_up::run(ctx, job)).await),
        // A task of its own: `Task::NextOn`.
        JobStep::StartNext => Ok(TaskOutcome::Done),
    }
}

/// Begins a round.
async fn begin(ctx: &Context, job: &Job, round: u32) -> Result<TaskOutcome, WorkError> {
    match &start::round_of(job)?.cause {
        Cause::Update { .. } => update::run(ctx, job, round).await,
        Cause::People | Cause::Ci { .. } => learnt(job, start::run(ctx, job, round).await),
    }
}

/// So many lines of why an attempt failed are told at once; the rest stands in its log.
const PROGRESS_LINES: usize = 3;

/// Does one step of a job that needs no GitHub. The others are passed over.
pub(in crate::worker) async fn perform_locally(
    ctx: &JobContext,
    prepared: &Prepared,
    progress: &(dyn Fn(&str) + Sync),
    job: &Job,
    step: &JobStep,
) -> Result<TaskOutcome, WorkError> {
    let stop = CancellationToken::new();
    match step {
        JobStep::Prepare => Ok(TaskOutcome::of_job(job, JobFact::Prepared(prepared.clone()))),
        &JobStep::Fix { round, attempt } => {
            let all = job.attempts_allowed();
            let why = job.evidence().and_then(|evidence| evidence.failures().next());
            let left = job.unfinished.as_ref().map(|left| left.why.clone());
            if let Some(why) = left.or(why.map(|(name, why)| format!("{name}: {why}"))) {
                let first: Vec<&str> = why.lines().take(PROGRESS_LINES).collect();
                progress(&format!("that was not good enough: {}", first.join("; ")));
            }
            progress(&format!("attempt {attempt} of {all}"));
            fix::run(ctx, job, round, attempt, &stop).await
        }
        &JobStep::Verify { round, attempt } => {
            progress("checking the change in a fresh copy");
            let fact = verify::run(ctx, job, round, attempt, &stop).await?;
            Ok(TaskOutcome::of_job(job, fact))
        }
        &JobStep::Judge { round } => {
            progress("asking for a second opinion");
            Ok(TaskOutcome::of_job(job, judge::run(ctx, job, round, &stop).await?))
        }
        // Here GitHub would be needed, or a person's word.
        JobStep::Plan { .. }
        | JobStep::Publish { .. }
        | JobStep::Acknowledge
        | JobStep::React { .. }
        | JobStep::ReactInThread { .. }
        | JobStep::Show
        | JobStep::Announce
        | JobStep::Undo
        | JobStep::Look
        | JobStep::Wake
        | JobStep::Start { .. }
        | JobStep::CheckHead { .. }
        | JobStep::Answer { .. }
        | JobStep::Rerun { .. }
        | JobStep::Explain
        | JobStep::RefuseRound { .. }
        | JobStep::Merge { .. }
        | JobStep::CleanUp
        | JobStep::StartNext => Ok(TaskOutcome::Done),
    }
}

/// On GitHub, and then in the threads that are about it.
async fn show_everywhere(ctx: &Context, job: &Job) -> Result<TaskOutcome, WorkError> {
    match Box::pin(show(ctx, job)).await {
        Err(fault) if is_over_and_withheld(job, &fault) => {
            Box::pin(show(ctx, &job.withholding(fault.text))).await?;
        }
        shown => shown?,
    }
    cards_of(ctx, job).await
}

async fn show(ctx: &Context, job: &Job) -> Result<(), WorkError> {
    let unverified = patches::unverified(ctx, job).await;
    let kept = match ctx.forge.is_of_workflow() {
        true => patches::kept_line(ctx.store.as_ref(), job).await?,
        false => String::new(),
    };
    let setting = ReportContext { unverified, kept, ..ctx.report_context(job) };
    Ok(surface::show(&ctx.forge, job, &setting).await?)
}

/// A job that is over learns nothing more: what is told of it has to do without the secret.
fn is_over_and_withheld(job: &Job, fault: &WorkError) -> bool {
    fault.kind == ErrorKind::Withheld && job.stage.ending().is_some()
}

fn learnt(job: &Job, fact: Result<JobFact, WorkError>) -> Result<TaskOutcome, WorkError> {
    fact.map(|fact| TaskOutcome::of_job(job, fact))
}

pub(in crate::worker) fn rules_and_base(job: &Job) -> Result<(&Rules, &Base), WorkError> {
    match &job.prepared {
        Some(prepared) => Ok((&prepared.rules, &prepared.base)),
        None => Err(WorkError::bug("the job was not prepared")),
    }
}

pub(in crate::worker) fn about<'a>(
    job: &'a Job,
    rules: &'a Rules,
    base: &'a Base,
) -> AttemptInput<'a> {
    let round = job.review.round.as_ref().filter(|_| job.stage.round() > Some(1));
    AttemptInput {
        kind: job.order.kind,
        issue: &job.order.issue,
        request: &job.order.request,
        number: job.subject,
        rules,
        conventions: job.conventions(),
        base: &base.sha,
        round: round.filter(|it| it.update.is_none()).map(|round| round.task.as_str()),
        others_pull: job.others_pull().map(|pull| pull.about.as_str()),
        update: job.update(),
        reverts: job.reverts().filter(|_| job.stage.round() <= Some(1)),
        planning: &job.planning,
        notes: &job.notes,
        overrides: &job.order.overrides,
    }
}

pub(in crate::worker) fn ordered_by(job: &Job) -> Actor {
    Actor { id: job.order.by_id, login: job.order.login.clone(), person: true }
}

/// Whose wish the present round is.
pub(in crate::worker) fn asked_by(job: &Job) -> Actor {
    match (&job.review.round, job.stage.round()) {
        (Some(round), Some(2..)) => {
            Actor { id: round.by_id, login: round.login.clone(), person: true }
        }
        _ => ordered_by(job),
    }
}

/// Whether whoever asked for this may still, by the repository's own rule.
pub(in crate::worker) fn permission_lost(
    actor: &Actor,
    rules: &Rules,
    has: Role,
) -> Option<Declined> {
    let why = match authorize(actor, has, Role::from(rules.trigger.role)) {
        Decision::Allowed => return None,
        Decision::Denied(Denied::NeedsRole { needed, has }) => {
            format!(
                "{needed} access is needed (`[trigger]` in `{RULES_PATH}`), and it is {has} now."
            )
        }
        Decision::Denied(Denied::NotAPerson) => "the account is not a person's.".to_owned(),
    };
    Some(Declined::PermissionLost { login: actor.login.clone(), why })
}

fn look_again(job: &Job) -> TaskOutcome {
    let tasks = vec![Task::Step { job_id: job.id.clone(), step: JobStep::Look }];
    TaskOutcome::ready(Some(Commit { tasks, ..Commit::default() }))
}
