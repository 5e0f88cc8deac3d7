//! A job over several runs of a workflow, where no server remembers it.
//!
//! Invariants: it is the server's own job, with the same commands, consent, facts, steps and
//! verdicts. What is under way is what our own comments on its page keep, and nothing else. A part
//! of a run does what its token is for, and hands the rest over. What is handed over was made
//! beside a repository's code: before it is pushed, its paths are held against the rules once more,
//! and the page is asked whether anybody stopped it.

use std::time::Duration;

use super::commit::OutcomeWriter;
use super::fault::WorkError;
use super::steps::job::perform_locally;
use super::steps::job::plan;
use super::{Context, JobContext, LocalEnd, Worker, patches};
use crate::core::command::Verb;
use crate::core::delivery::{Id, Payload};
use crate::core::event::{CommandEvent, Event, Touched};
use crate::core::github::{RepoRef, Role};
use crate::core::id::{DeliveryId, JobId, Number};
use crate::core::job::{Job, JobFact, JobStage, JobStep};
use crate::core::kept::KeptJob;
use crate::core::machine::Machine;
use crate::core::patch::Patch;
use crate::core::path_rules::{PathClass, PathRules, classify};
use crate::core::policy::{RULES_PATH, Rules};
use crate::core::report;
use crate::core::task::{CommandReply, Task};
use crate::store::Stored;
use crate::worker::commit::{Learnt, TaskOutcome};
use crate::worker::workflow::handing_over::{carrier, handed_over, take_over};
use crate::worker::workflow::places::{TaskPlace, is_work, places, present_step};

mod handing_over;
mod places;

pub use handing_over::Handover;

/// What a run goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPart {
    /// The agent works.
    Work,
    /// What is there is pushed, or taken back.
    Push,
    /// It is over.
    Nothing,
}

/// What follows from something that somebody said.
#[derive(Debug)]
pub struct Decided {
    /// What the run goes on with.
    pub next: NextPart,
    /// The issue that it is about.
    pub subject: Number,
    /// Whether what another run is at is not wanted any more.
    pub stops: bool,
    /// For the next part.
    pub handover: Handover,
}

/// Which part of a run with a token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunPart {
    Deciding,
    Pushing,
}

impl RunPart {
    fn place_of(self, task: &Task) -> TaskPlace {
        let (deciding, pushing) = places(task);
        match self {
            Self::Deciding => deciding,
            Self::Pushing => pushing,
        }
    }
}

/// So long a part waits for GitHub, in milliseconds.
const PATIENCE: i64 = 5 * 60 * 1000;

/// Decides what follows from an event, and answers it.
///
/// # Errors
/// When GitHub did not do as asked.
pub async fn decide(
    ctx: &Context,
    event: &str,
    mut payload: Payload,
) -> Result<Decided, WorkError> {
    // Nobody installed anything here.
    payload.installation = Some(Id { id: 0 });
    let said = Event::of(event, &payload, &ctx.settings.address);
    let Some((repo, subject)) = subject_of(ctx, &said).await? else {
        let handover = Handover::default();
        return Ok(Decided { next: NextPart::Nothing, subject: Number(0), stops: false, handover });
    };
    let before = kept_on(ctx, &repo, subject).await?;
    take_over(ctx.store.as_ref(), &ctx.clock, &before, &[]).await?;
    let mut left = Vec::new();
    for kept in before.iter().filter(|kept| kept.job.stage.is_in_review()) {
        let look = Task::Step { job_id: kept.job.id.clone(), step: JobStep::Look };
        ctx.store.enqueue(&look, ctx.clock.steady()).await?;
    }
    settle(ctx, RunPart::Deciding, &mut left).await?;
    let jobs = ctx.store.jobs_on(repo.repo_id, subject).await?;
    let refused = match &said {
        Event::Asked(asked) => refusal(ctx, asked, subject, &jobs).await?,
        Event::Touched { .. }
        | Event::Remarked(_)
        | Event::RunEnded { .. }
        | Event::Closed { .. }
        | Event::Nothing(_) => None,
    };
    let task = match refused {
        Some(reply) => reply,
        None => delivery(event, payload)?,
    };
    ctx.store.enqueue(&task, ctx.clock.steady()).await?;
    settle(ctx, RunPart::Deciding, &mut left).await?;
    let jobs = show_changed(ctx, (&repo, subject), &before, RunPart::Deciding, &mut left).await?;
    let now_over = |kept: &KeptJob| {
        kept.job.stage.is_ours()
            && jobs.iter().any(|it| it.machine.id == kept.job.id && it.machine.is_done())
    };
    let stops = before.iter().any(now_over);
    let next = next_part(&jobs, &left);
    let handover = handed_over(ctx.store.as_ref(), &jobs, left).await?;
    Ok(Decided { next, subject, stops, handover })
}

/// Fetches the commits that the work needs: afterwards it does without a token.
///
/// # Errors
/// When one of them cannot be had.
pub async fn fetch(ctx: &Context, handover: &Handover) -> Result<(), WorkError> {
    for KeptJob { job, .. } in &handover.kept {
        let Some(base) = job.base() else { continue };
        ctx.mirror(job, &base.sha).await?;
        if let Some(pull) = job.others_pull() {
            ctx.mirror(job, &pull.target).await?;
        }
        if let Some((begins_at, _)) = job.pushed_since() {
            ctx.mirror(job, begins_at).await?;
        }
    }
    Ok(())
}

/// Does the work: the agent, the checks, the proof. With how it ended, for a report.
///
/// # Errors
/// When what was handed over cannot be used. What the work itself meets ends its job.
pub async fn work(
    ctx: &JobContext,
    handover: Handover,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<(Handover, Option<LocalEnd>), WorkError> {
    let (store, clock) = (ctx.store.as_ref(), &ctx.clock);
    take_over(store, clock, &handover.kept, &handover.tasks).await?;
    let (mut left, mut attempts) = (Vec::new(), 0);
    while let Some(claim) = store.claim(clock.steady()).await? {
        let writer = OutcomeWriter::alone(store, clock, &claim.lease);
        let Some((id, step)) = step_of(&claim.task).filter(|(_, step)| is_work(step)) else {
            left.push(claim.task.clone());
            writer.acknowledge().await?;
            continue;
        };
        let job = store.job(id).await?.map(|stored| stored.machine);
        let Some(job) = job.filter(|job| job.stage.awaits(step)) else {
            writer.acknowledge().await?;
            continue;
        };
        if let JobStep::Fix { attempt, .. } = step {
            attempts = *attempt;
        }
        let outcome = match worked(ctx, progress, &job, step).await {
            Ok(outcome) => outcome,
            Err(fault) => {
                progress(&fault.text);
                TaskOutcome::of_job(&job, JobFact::Broke { step: step.clone(), why: fault.text })
            }
        };
        writer.write(outcome).await?;
    }
    let mut jobs = Vec::new();
    for kept in &handover.kept {
        jobs.extend(store.job(&kept.job.id).await?);
    }
    let end = match jobs.first() {
        Some(Stored { machine: job, .. }) => {
            let verified = matches!(job.stage, JobStage::Publishing { .. });
            let patch = match verified {
                true => Some(patches::proposed(store, job).await?),
                false => patches::last(store, job).await?,
            };
            Some(LocalEnd { job: job.clone(), attempts, patch })
        }
        None => None,
    };
    Ok((handed_over(store, &jobs, left).await?, end))
}

async fn worked(
    ctx: &JobContext,
    progress: &(dyn Fn(&str) + Sync),
    job: &Job,
    step: &JobStep,
) -> Result<TaskOutcome, WorkError> {
    let prepared = job.prepared.as_ref().ok_or_else(|| WorkError::bug("it was not prepared"))?;
    if let &JobStep::Plan { version } = step {
        progress("making a plan");
        let stop = tokio_util::sync::CancellationToken::new();
        return Ok(TaskOutcome::of_job(job, plan::run(ctx, job, version, &stop).await?));
    }
    perform_locally(ctx, prepared, progress, job, step).await
}

/// Pushes what was handed over, or takes it back, and tells people. `page`: of the run, for what
/// was not done. The jobs as they stand afterwards.
///
/// # Errors
/// When GitHub did not do as asked: running it again goes on where it stopped.
pub async fn push(ctx: &Context, handover: &Handover, page: &str) -> Result<Vec<Job>, WorkError> {
    let Some(first) = handover.kept.first() else { return Ok(Vec::new()) };
    let place = (&first.job.repo, first.job.subject);
    let on_page = kept_on(ctx, place.0, place.1).await?;
    let mut jobs = Vec::new();
    for kept in &handover.kept {
        let there = on_page.iter().find(|there| there.job.id == kept.job.id);
        match there {
            // Over by its own end, as a job that was cancelled and is now taken back.
            Some(there) if there.job.is_done() && !kept.job.is_done() => {
                tracing::warn!(job = %kept.job.id, "it was stopped meanwhile: nothing is pushed");
            }
            Some(_) => jobs.push(kept.clone()),
            None => tracing::warn!(job = %kept.job.id, "its comment is gone: nothing is pushed"),
        }
    }
    let about = |task: &&Task| {
        let about = task.about();
        about.is_none_or(|about| jobs.iter().any(|kept| kept.job.id.as_str() == about))
    };
    let tasks: Vec<Task> = handover.tasks.iter().filter(about).cloned().collect();
    take_over(ctx.store.as_ref(), &ctx.clock, &jobs, &tasks).await?;
    for kept in &jobs {
        if let Some(why) = refused_path(ctx, kept).await? {
            broke(ctx, &kept.job, why).await?;
        } else if is_undone(&kept.job, &tasks) {
            broke(ctx, &kept.job, report::ended_early(page)).await?;
        }
    }
    let mut left = Vec::new();
    settle(ctx, RunPart::Pushing, &mut left).await?;
    for task in left {
        // A person pushed meanwhile, and there is nobody here who would begin anew.
        if let Some((id, _)) = step_of(&task)
            && let Some(stored) = ctx.store.job(id).await?
        {
            let why = "somebody pushed to the branch meanwhile: ask again";
            broke(ctx, &stored.machine, why.to_owned()).await?;
        }
    }
    let mut left = Vec::new();
    let jobs = show_changed(ctx, place, &on_page, RunPart::Pushing, &mut left).await?;
    Ok(jobs.into_iter().map(|stored| stored.machine).collect())
}

/// Whether its work was to be done, and was not.
fn is_undone(job: &Job, tasks: &[Task]) -> bool {
    let mut steps = tasks.iter().filter_map(step_of);
    steps.any(|(id, step)| *id == job.id && is_work(step) && job.stage.awaits(step))
}

/// The job learns that its present step cannot be done.
async fn broke(ctx: &Context, job: &Job, why: String) -> Result<(), WorkError> {
    let Some(step) = present_step(&job.stage) else { return Ok(()) };
    let fact = Box::new(JobFact::Broke { step, why });
    let learnt = Learnt::OfJob { id: job.id.clone(), fact, patch: None };
    let (store, now) = (ctx.store.as_ref(), ctx.clock.steady());
    let claim = carrier(store, &ctx.clock).await?;
    let writer = OutcomeWriter::alone(store, &ctx.clock, &claim.lease);
    writer.learn(&learnt).await?;
    let show = Task::Step { job_id: job.id.clone(), step: JobStep::Show };
    store.enqueue(&show, now).await?;
    Ok(())
}

/// The first path that no change may touch, by the rules as they are now.
async fn refused_path(ctx: &Context, kept: &KeptJob) -> Result<Option<String>, WorkError> {
    let KeptJob { job, patches } = kept;
    let Some(proposal) = job.proposal().filter(|_| !job.is_done()) else { return Ok(None) };
    let is_it = |patch: &&Patch| patch.digest() == proposal.patch;
    let Some(patch) = patches.iter().find(is_it) else { return Ok(None) };
    let branch = ctx.repository(&job.repo).await?.default_branch;
    let text = ctx.forge.file(&job.repo, &branch, RULES_PATH).await?;
    let rules =
        Rules::parse(&text.unwrap_or_default()).map_err(|bad| WorkError::permanent(&bad))?;
    let paths = PathRules::new(&rules.paths.protected, &rules.paths.flagged)
        .map_err(|bad| WorkError::permanent(&bad))?;
    let never = patch.changes.keys().find_map(|path| match classify(path, &paths) {
        PathClass::Never(rule) => Some(format!("{path} must not be changed: {rule}")),
        PathClass::Flag(_) | PathClass::Plain => None,
    });
    let (most, bytes) = (rules.limits.files as usize, u64::from(rules.limits.patch_kib) * 1024);
    let large = patch.changes.values().map(crate::core::patch::Change::size).sum::<u64>() > bytes;
    Ok(never.or_else(|| {
        let too_much = patch.changes.len() > most || large;
        too_much.then(|| "the change is larger than `[limits]` allows".to_owned())
    }))
}

/// The page that what was said is about: the issue of a pull request of ours, or the page itself.
async fn subject_of(ctx: &Context, said: &Event) -> Result<Option<(RepoRef, Number)>, WorkError> {
    let (repo, number, on_pull) = match said {
        Event::Asked(asked) => (&asked.repo, asked.number, asked.on_pull),
        Event::Touched { repo, what: Touched::Pull(number) } => (repo, *number, true),
        Event::Touched { .. }
        | Event::Remarked(_)
        | Event::RunEnded { .. }
        | Event::Closed { .. }
        | Event::Nothing(_) => return Ok(None),
    };
    if on_pull && let Some(pull) = ctx.forge.pull(repo, number).await? {
        let here = pull.head.repo.as_ref().is_some_and(|from| from.id == repo.repo_id.0);
        let named = pull.head.branch.strip_prefix("gander/");
        let subject = named.and_then(|rest| rest.split_once('-')?.0.parse().ok());
        if let Some(subject) = subject.filter(|_| here) {
            return Ok(Some((repo.clone(), Number(subject))));
        }
    }
    Ok(Some((repo.clone(), number)))
}

/// The jobs that our own comments on a page keep.
async fn kept_on(
    ctx: &Context,
    repo: &RepoRef,
    subject: Number,
) -> Result<Vec<KeptJob>, WorkError> {
    let ours = ctx.forge.own_words(repo, subject, " -->").await?;
    let is_its = |(body, kept): &(&String, KeptJob)| {
        let marker = report::marker(kept.job.id.as_str(), "status");
        body.trim_end().ends_with(&marker)
            && kept.job.repo.repo_id == repo.repo_id
            && kept.job.subject == subject
    };
    let all = ours.iter().filter_map(|body| Some((body, KeptJob::in_comment(body)?)));
    let mut kept: Vec<KeptJob> = all.filter(is_its).map(|(_, kept)| kept).collect();
    // It may have been renamed since.
    kept.iter_mut().for_each(|kept| kept.job.repo.clone_from(repo));
    Ok(kept)
}

/// The answer where a command does not go without a server, or not now. Who may not command is
/// answered as on a server.
async fn refusal(
    ctx: &Context,
    asked: &CommandEvent,
    subject: Number,
    jobs: &[Stored<Job>],
) -> Result<Option<Task>, WorkError> {
    let Ok(command) = &asked.said else { return Ok(None) };
    let prefix = &ctx.settings.address.prefix;
    let at_work = || jobs.iter().find(|it| it.machine.stage.is_ours());
    let open = || jobs.iter().find(|it| !it.machine.is_done());
    let busy = |job: Option<&Stored<Job>>| Some(report::under_way(&job?.machine, prefix));
    // By its branch it is ours, and no comment of ours says so.
    let is_its =
        |it: &Stored<Job>| it.machine.pull.as_ref().map(|it| it.number) == Some(asked.number);
    let is_lost = subject != asked.number && !jobs.iter().any(is_its);
    let asks_only =
        matches!(command.verb, Verb::Cancel | Verb::Status | Verb::Explain | Verb::Help);
    let text = match command.verb {
        Verb::Cancel | Verb::Status | Verb::Explain | Verb::Help => None,
        Verb::Note
        | Verb::Approve
        | Verb::Release
        | Verb::Override
        | Verb::Update
        | Verb::Revert => Some(report::not_without_server(command.verb, prefix)),
        Verb::Fix | Verb::Build => busy(open()),
        Verb::Retry if !asked.on_pull => busy(open()),
        Verb::Retry | Verb::Revise | Verb::Take | Verb::Go => busy(at_work()),
    };
    let lost = (is_lost && !asks_only).then(|| report::not_known(subject, prefix));
    let Some(text) = lost.or(text).filter(|_| asked.by.person) else { return Ok(None) };
    if ctx.forge.permission(&asked.repo, &asked.by).await? < Role::Write {
        return Ok(None);
    }
    Ok(Some(Task::Reply(Box::new(CommandReply {
        repo: asked.repo.clone(),
        number: asked.number,
        comment_id: asked.comment_id(),
        thread_comment_id: asked.said_in.thread_comment_id(),
        key: asked.key.clone(),
        text,
    }))))
}

fn delivery(event: &str, payload: Payload) -> Result<Task, WorkError> {
    let id: DeliveryId =
        "00000000-0000-0000-0000-000000000000".parse().map_err(|bad| WorkError::permanent(&bad))?;
    Ok(Task::Delivery { id, event: event.to_owned(), payload: Box::new(payload) })
}

/// Shows every job that is not as it was.
async fn show_changed(
    ctx: &Context,
    (repo, subject): (&RepoRef, Number),
    before: &[KeptJob],
    part: RunPart,
    left: &mut Vec<Task>,
) -> Result<Vec<Stored<Job>>, WorkError> {
    let jobs = ctx.store.jobs_on(repo.repo_id, subject).await?;
    for job in jobs.iter().map(|stored| &stored.machine) {
        if before.iter().all(|kept| kept.job != *job) {
            let show = Task::Step { job_id: job.id.clone(), step: JobStep::Show };
            ctx.store.enqueue(&show, ctx.clock.steady()).await?;
        }
    }
    settle(ctx, part, left).await?;
    Ok(jobs)
}

fn next_part(jobs: &[Stored<Job>], left: &[Task]) -> NextPart {
    let is_due = |(id, step): &(&JobId, &JobStep)| {
        let job = jobs.iter().find(|stored| stored.machine.id == **id);
        let waits = job.is_some_and(|stored| stored.machine.stage.awaits(step));
        waits || matches!(step, JobStep::Undo | JobStep::CleanUp)
    };
    let due: Vec<_> = left.iter().filter_map(step_of).filter(is_due).collect();
    if due.iter().any(|(_, step)| is_work(step)) {
        return NextPart::Work;
    }
    if due.is_empty() { NextPart::Nothing } else { NextPart::Push }
}

fn step_of(task: &Task) -> Option<(&JobId, &JobStep)> {
    let Task::Step { job_id, step } = task else { return None };
    Some((job_id, step))
}

/// Does what this part does, until nothing is left of it.
async fn settle(ctx: &Context, part: RunPart, left: &mut Vec<Task>) -> Result<(), WorkError> {
    let (store, clock) = (ctx.store.as_ref(), &ctx.clock);
    let worker = Worker::new(ctx.clone());
    let until = clock.steady().0 + PATIENCE;
    loop {
        let now = clock.steady();
        let claim = match store.claim(now).await? {
            Some(claim) => claim,
            None => {
                let Some(due) = store.next_due().await? else { return Ok(()) };
                let Some(claim) = store.claim(due).await? else { return Ok(()) };
                // What was only put off, as more might follow, is done now: nothing more does.
                if part.place_of(&claim.task) == TaskPlace::Here && claim.tries > 0 {
                    if due.0 > until {
                        let text =
                            "GitHub asks to wait for longer than this run does: run it again";
                        return Err(WorkError::later(text.to_owned()));
                    }
                    let pause = u64::try_from(due.0 - now.0).unwrap_or(0);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                claim
            }
        };
        let place = part.place_of(&claim.task);
        if place == TaskPlace::Here {
            worker.do_alone(claim).await?;
            continue;
        }
        OutcomeWriter::alone(store, clock, &claim.lease).acknowledge().await?;
        left.extend((place == TaskPlace::Later).then_some(claim.task));
    }
}
