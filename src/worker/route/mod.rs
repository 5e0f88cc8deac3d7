//! From a delivery to a decision: who asked for what, may they, and what follows.
//!
//! Invariants: permission is asked of GitHub at this moment, by account number; a refusal is
//! answered once and changes nothing; programs are never answered, so two of them cannot talk
//! each other into a loop.

mod notes;
mod overrides;
mod readback;
pub(in crate::worker) mod release;
pub(in crate::worker) mod review;

use crate::clock::day_and_time;
use crate::core::budget::MergedCosts;
use crate::core::check_history::{CheckResult, REMEMBERED_DAYS, summaries};
use crate::core::command::{Command, Verb};
use crate::core::delivery::Payload;
use crate::core::event::{ClosedSubject, CommandEvent, Event, IssueText, SaidIn, Touched};
use crate::core::fault::ErrorKind;
use crate::core::github::{RepoRef, Role};
use crate::core::id::{JobId, Login, Number};
use crate::core::job::{Job, JobFact, JobOrder, JobStage, JobStep, Kind};
use crate::core::machine::Machine;
use crate::core::policy::{Decision, Denied, RULES_PATH, Rules, authorize};
use crate::core::report::{self, CannotStart};
use crate::core::task::{CommandReply, Task};
use crate::forge::payload::PullDetail;
use crate::store::{Commit, Stored, Write};
use crate::worker::commit::{TaskOutcome, advanced};
use crate::worker::route::notes::{note, remark};
use crate::worker::route::overrides::override_rule;
use crate::worker::route::readback::{Shown, shown};
use crate::worker::route::release::{
    cancel_release, failed_release_merged, release_command, release_on_merge, release_touched,
    run_ended,
};
use crate::worker::route::review::{
    approve, go, in_review, plan_ready, revise, take, touched, update,
};
use crate::worker::{Context, WorkError};

/// So often a command is looked for that GitHub does not show, a second, then two, then four apart.
const MOST_LOOKS: u32 = 3;

/// `looks`: how often it was looked at before.
pub(in crate::worker) async fn decide(
    ctx: &Context,
    event: &str,
    payload: &Payload,
    looks: u32,
) -> Result<TaskOutcome, WorkError> {
    let result = CheckResult::of(event, payload, ctx.clock.now());
    let event = Event::of(event, payload, &ctx.settings.address);
    if let Some(repo) = event.repo() {
        follow_to(ctx, repo).await?;
    }
    match event {
        Event::Asked(asked) => {
            let answered = command(ctx, &asked, looks).await?;
            // A review is a command and a review: what it says of the change counts as well.
            if matches!(asked.said_in, SaidIn::Review(_)) {
                let what = Touched::Pull(asked.number);
                let job = touched(ctx, &asked.repo, &what).await?;
                let release = release_touched(ctx, &asked.repo, &what).await?;
                return Ok(answered.and(job.and(release)));
            }
            Ok(answered)
        }
        Event::Remarked(said) => remark(ctx, &said, looks).await,
        Event::Touched { repo, what } => {
            let job = touched(ctx, &repo, &what).await?;
            let both = job.and(release_touched(ctx, &repo, &what).await?);
            // What a check of ours comes to says nothing about the repository's.
            let others = result.filter(|result| !ctx.forge.is_this_app(result.app));
            Ok(both.remembering(others))
        }
        Event::RunEnded { repo } => run_ended(ctx, &repo).await,
        Event::Closed { repo, number, by, what } => {
            let job = closed(ctx, &repo, number, by, what).await?;
            let touched = release_touched(ctx, &repo, &Touched::Pull(number)).await?;
            let ordered = match what {
                ClosedSubject::Merged => {
                    let failed = failed_release_merged(ctx, &repo, number).await?;
                    failed.and(release_on_merge(ctx, &repo, number, None).await?)
                }
                ClosedSubject::Issue | ClosedSubject::Pull => TaskOutcome::Done,
            };
            Ok(job.and(ordered.and(touched)))
        }
        Event::Nothing(why) => {
            tracing::debug!(why, "nothing to do");
            Ok(TaskOutcome::Done)
        }
    }
}

/// What is under way learns where its repository is now: it may have been renamed, or belong to
/// another installation.
async fn follow_to(ctx: &Context, repo: &RepoRef) -> Result<(), WorkError> {
    let jobs = ctx.store.open_jobs(Some(repo.repo_id)).await?;
    let releases = ctx.store.open_releases(Some(repo.repo_id)).await?;
    let mut known = jobs.iter().map(|stored| &stored.machine.repo);
    let mut known_too = releases.iter().map(|stored| &stored.machine.repo);
    if known.any(|it| it != repo) || known_too.any(|it| it != repo) {
        ctx.store.relocate(repo).await?;
    }
    Ok(())
}

pub(in crate::worker) async fn command(
    ctx: &Context,
    asked: &CommandEvent,
    looks: u32,
) -> Result<TaskOutcome, WorkError> {
    if !asked.by.person {
        return Ok(TaskOutcome::Done);
    }
    let permission = async {
        let has = ctx.forge.permission(&asked.repo, &asked.by).await;
        has.map_err(WorkError::from)
    };
    let (has, shown) = tokio::try_join!(permission, shown(ctx, asked))?;
    let prefix = &ctx.settings.address.prefix;
    let (said_at, said, place) = match shown {
        Shown::Same { at, said, place } => (at, said, place),
        // Under a key of its own: a forged delivery must not use up that of the true one.
        Shown::Edited if has >= Role::Write => {
            let key = format!("{}/edited", asked.key);
            return Ok(reply_once(asked, key, report::edited_since(prefix)));
        }
        // GitHub's answers may lag behind its webhooks.
        Shown::Nothing if looks < MOST_LOOKS => {
            let text = "GitHub does not show this command yet".to_owned();
            return Err(WorkError { kind: ErrorKind::Retry { after_seconds: None }, text });
        }
        Shown::Edited | Shown::Nothing => {
            tracing::warn!(key = asked.key, "GitHub does not show this command");
            return Ok(TaskOutcome::Done);
        }
    };
    let command = match &said {
        Ok(command) => command,
        // Only someone who could have meant it is told of the slip.
        Err(_) if has < Role::Write => return Ok(TaskOutcome::Done),
        Err(bad) => return Ok(reply(asked, report::bad_command(bad, prefix))),
    };
    if let Decision::Denied(why) = authorize(&asked.by, has, command.verb.spec().who) {
        return Ok(refuse(ctx, asked, command.verb, &why));
    }
    match command.verb {
        Verb::Fix => start(ctx, asked, command, Kind::Fix).await,
        Verb::Build => start(ctx, asked, command, Kind::Build).await,
        Verb::Revise if begins_on_others(ctx, asked).await? => {
            start(ctx, asked, command, Kind::Fix).await
        }
        Verb::Revise => revise(ctx, asked, &command.request, has).await,
        Verb::Note => note(ctx, asked, &command.request, place.as_deref(), has).await,
        Verb::Take => take(ctx, asked, &command.request, said_at).await,
        Verb::Approve => approve(ctx, asked, &command.request).await,
        Verb::Go => go(ctx, asked, &command.request, (said_at, has)).await,
        Verb::Override => override_rule(ctx, asked, &command.request, has).await,
        Verb::Release => release_command(ctx, asked, command.clone(), has).await,
        Verb::Retry => retry(ctx, asked, command, has).await,
        Verb::Update => update(ctx, asked).await,
        Verb::Revert => revert(ctx, asked, command).await,
        Verb::Cancel => cancel(ctx, asked).await,
        Verb::Status if is_about_checks(&command.request) => {
            let text = check_history(ctx, asked).await?;
            Ok(answer(ctx, asked, has, text))
        }
        Verb::Status => {
            let jobs = jobs_on(ctx, asked).await?.into_iter().map(|stored| stored.machine);
            let jobs: Vec<Job> = jobs.collect();
            let merged = match jobs.last() {
                Some(job) => Some(merged_costs(ctx, job).await?),
                None => None,
            };
            Ok(answer(ctx, asked, has, report::status_reply(&jobs, merged, prefix)))
        }
        Verb::Explain => explain(ctx, asked, has).await,
        Verb::Help => Ok(answer(ctx, asked, has, report::help(prefix))),
    }
}

/// What the pull requests came to that were merged lately.
async fn merged_costs(ctx: &Context, job: &Job) -> Result<MergedCosts, WorkError> {
    const DAYS: u32 = 90;
    let since = ctx.clock.now().plus_seconds(-i64::from(DAYS) * 24 * 60 * 60);
    let (pulls, spent) = ctx.store.merged_pulls(job.repo.repo_id, since).await?;
    Ok(MergedCosts { days: DAYS, pulls, spent })
}

fn is_about_checks(words: &str) -> bool {
    let first = words.split_whitespace().next().unwrap_or_default();
    ["check", "checks"].iter().any(|name| first.eq_ignore_ascii_case(name))
}

/// `status checks`: what the repository's checks came to lately.
async fn check_history(ctx: &Context, asked: &CommandEvent) -> Result<String, WorkError> {
    let now = ctx.clock.now();
    let since = now.plus_seconds(-REMEMBERED_DAYS * 24 * 60 * 60);
    let results = ctx.store.check_results(asked.repo.repo_id, since, None).await?;
    Ok(report::check_history(&summaries(&results, now), results.len()))
}

/// `explain`: the rules and facts behind the last decision.
async fn explain(ctx: &Context, asked: &CommandEvent, has: Role) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    let open = jobs.iter().find(|stored| stored.machine.is_live());
    let Some(stored) = open.or(jobs.last()) else {
        let prefix = &ctx.settings.address.prefix;
        return Ok(reply(asked, report::nothing_to(Verb::Explain, prefix)));
    };
    let job = &stored.machine;
    let log = ctx.store.log(&job.id).await?;
    let log: Vec<_> = log.into_iter().map(|line| (day_and_time(line.at), line.text)).collect();
    Ok(answer(ctx, asked, has, report::rules_and_facts(job, &log, &ctx.report_context(job))))
}

async fn start(
    ctx: &Context,
    asked: &CommandEvent,
    command: &Command,
    kind: Kind,
) -> Result<TaskOutcome, WorkError> {
    if let Some(why) = cannot_start(ctx, asked).await? {
        return Ok(cannot(ctx, asked, command.verb, why));
    }
    let id = JobId::of_trigger(&asked.key);
    let mut order = order(ctx, asked, command, kind);
    if asked.on_pull && order.issue == IssueText::default() {
        order.issue = pull_text(ctx, asked).await?;
    }
    Ok(begin(asked, Job::new(id, asked.repo.clone(), asked.number, order)))
}

/// Takes back a merged pull request, whoever opened it.
async fn revert(
    ctx: &Context,
    asked: &CommandEvent,
    command: &Command,
) -> Result<TaskOutcome, WorkError> {
    let pull = match asked.on_pull {
        true => ctx.forge.pull(&asked.repo, asked.number).await?,
        false => None,
    };
    let Some(pull) = pull.filter(|it| it.merged) else {
        return Ok(cannot(ctx, asked, Verb::Revert, CannotStart::NotMerged));
    };
    if ctx.store.release_of_pull(asked.repo.repo_id, asked.number).await?.is_some() {
        return Ok(cannot(ctx, asked, Verb::Revert, CannotStart::Released));
    }
    if jobs_on(ctx, asked).await?.iter().any(|stored| !stored.machine.is_done()) {
        return Ok(cannot(ctx, asked, Verb::Revert, CannotStart::JobUnderWay));
    }
    let mut order = order(ctx, asked, command, Kind::Revert);
    let (title, body) = (pull.title, pull.body.unwrap_or_default());
    (order.on_pull, order.issue) = (false, IssueText { title, body });
    // Where it was merged, unless another branch is named.
    order.base = order.base.or_else(|| pull.base.branch.parse().ok());
    let id = JobId::of_trigger(&asked.key);
    Ok(begin(asked, Job::new(id, asked.repo.clone(), asked.number, order)))
}

/// Takes up the last job that ended here.
async fn retry(
    ctx: &Context,
    asked: &CommandEvent,
    command: &Command,
    has: Role,
) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    if asked.on_pull && in_review(&jobs, asked.number).is_some() {
        let again = "Try again from where it stands.";
        let words = if command.request.is_empty() { again } else { &command.request };
        return revise(ctx, asked, words, has).await;
    }
    if jobs.iter().any(|stored| !stored.machine.is_done()) {
        return Ok(cannot(ctx, asked, Verb::Retry, CannotStart::JobUnderWay));
    }
    let Some(Stored { machine: former, .. }) = jobs.last() else {
        let prefix = &ctx.settings.address.prefix;
        return Ok(reply(asked, report::nothing_to(Verb::Retry, prefix)));
    };
    if asked.closed && !asked.on_pull {
        return Ok(cannot(ctx, asked, Verb::Retry, CannotStart::Closed));
    }
    let words = [former.order.request.as_str(), command.request.as_str()];
    let words: Vec<&str> = words.into_iter().filter(|words| !words.is_empty()).collect();
    let order = JobOrder {
        by_id: asked.by.id,
        login: asked.by.login.clone(),
        request: words.join("\n"),
        ..former.order.clone()
    };
    Ok(again(ctx, asked, former, order))
}

/// A job that takes up a former one.
pub(in crate::worker) fn again(
    ctx: &Context,
    asked: &CommandEvent,
    former: &Job,
    order: JobOrder,
) -> TaskOutcome {
    let order = JobOrder { at: ctx.clock.now(), comment_id: asked.comment_id(), ..order };
    let id = JobId::of_trigger(&asked.key);
    begin(asked, Job { repo: asked.repo.clone(), ..Job::again(id, former, order) })
}

async fn cancel(ctx: &Context, asked: &CommandEvent) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    let fact = JobFact::Cancelled { by: Some(asked.by.login.clone()) };
    // The one at work first; what waits behind it is stopped by the next `cancel`.
    let open = jobs.iter().find(|stored| stored.machine.is_live());
    let open = open.or_else(|| jobs.iter().find(|stored| !stored.machine.is_done()));
    let Some(open) = open else { return cancel_release(ctx, asked).await };
    if matches!(open.machine.stage, JobStage::Merging { .. }) {
        return Ok(reply(asked, report::being_merged(&open.machine)));
    }
    let Some(mut commit) = advanced(open, &fact) else {
        let prefix = &ctx.settings.address.prefix;
        return Ok(reply(asked, report::nothing_to(Verb::Cancel, prefix)));
    };
    commit.once = Some(asked.key.clone());
    Ok(TaskOutcome::Ready(Box::new(commit)))
}

async fn closed(
    ctx: &Context,
    repo: &RepoRef,
    number: Number,
    by: Option<Login>,
    what: ClosedSubject,
) -> Result<TaskOutcome, WorkError> {
    let jobs = ctx.store.jobs_on(repo.repo_id, number).await?;
    let concerned = jobs.iter().find(|stored| concerns(&stored.machine, number, what));
    let fact = JobFact::Closed { by, merged: what == ClosedSubject::Merged };
    Ok(match concerned.and_then(|stored| advanced(stored, &fact)) {
        Some(commit) => TaskOutcome::Ready(Box::new(commit)),
        None => TaskOutcome::Done,
    })
}

pub(in crate::worker) async fn jobs_on(
    ctx: &Context,
    asked: &CommandEvent,
) -> Result<Vec<Stored<Job>>, WorkError> {
    Ok(ctx.store.jobs_on(asked.repo.repo_id, asked.number).await?)
}

fn order(ctx: &Context, asked: &CommandEvent, command: &Command, kind: Kind) -> JobOrder {
    JobOrder {
        kind,
        by_id: asked.by.id,
        login: asked.by.login.clone(),
        at: ctx.clock.now(),
        comment_id: asked.comment_id(),
        request: command.request.clone(),
        issue: asked.issue.clone(),
        budget: command.budget,
        base: command.base.clone(),
        model: command.model.clone(),
        on_pull: asked.on_pull,
        plan_first: command.plan_first,
        despite_others: false,
        overrides: Vec::new(),
    }
}

/// Who may say what the agent does. Before the rules are known by the job they are asked for.
async fn needed(ctx: &Context, job: &Job) -> Result<Role, WorkError> {
    let least = Verb::Note.spec().who;
    if let Some(rules) = job.rules() {
        return Ok(Role::from(rules.trigger.role).max(least));
    }
    let branch = ctx.repository(&job.repo).await?.default_branch;
    let text = ctx.forge.file(&job.repo, &branch, RULES_PATH).await?;
    let rules = Rules::parse(&text.unwrap_or_default());
    // Rules that cannot be read stop the job, and until then nobody is heard but its
    // administrators.
    Ok(rules.map_or(Role::Admin, |rules| Role::from(rules.trigger.role)).max(least))
}

fn cannot(ctx: &Context, asked: &CommandEvent, verb: Verb, why: CannotStart) -> TaskOutcome {
    let prefix = &ctx.settings.address.prefix;
    reply(asked, report::cannot_start(verb, why, prefix))
}

/// A stranger is told once a day on each issue, however often they try.
fn refuse(ctx: &Context, asked: &CommandEvent, verb: Verb, why: &Denied) -> TaskOutcome {
    let day = ctx.clock.midnight().0;
    let key = format!("{}/{}/refused/{}/{day}", asked.repo.repo_id, asked.number, asked.by.id);
    reply_once(asked, key, report::denied(verb, why))
}

/// Those who may command are answered each time, others once an hour.
fn answer(ctx: &Context, asked: &CommandEvent, has: Role, text: String) -> TaskOutcome {
    if has >= Role::Write {
        return reply(asked, text);
    }
    let hour = ctx.clock.now().0.div_euclid(3_600_000);
    let key = format!("{}/{}/answered/{}/{hour}", asked.repo.repo_id, asked.number, asked.by.id);
    reply_once(asked, key, text)
}

pub(in crate::worker) fn reply(asked: &CommandEvent, text: String) -> TaskOutcome {
    reply_once(asked, asked.key.clone(), text)
}

fn begin(asked: &CommandEvent, job: Job) -> TaskOutcome {
    // Its turn before what is shown: so nobody is told that it waits where it does not.
    let tasks = vec![
        Task::Step { job_id: job.id.clone(), step: JobStep::Acknowledge },
        Task::NextOn { repo_id: job.repo.repo_id, number: job.subject },
        Task::Step { job_id: job.id.clone(), step: JobStep::Show },
    ];
    TaskOutcome::Ready(Box::new(Commit {
        once: Some(asked.key.clone()),
        log: Some(format!("asked for by {}", asked.by.login)),
        job: Some(Write::New(job)),
        tasks,
        ..Commit::default()
    }))
}

fn reply_once(asked: &CommandEvent, key: String, text: String) -> TaskOutcome {
    let reply = CommandReply {
        repo: asked.repo.clone(),
        number: asked.number,
        comment_id: asked.comment_id(),
        thread_comment_id: asked.said_in.thread_comment_id(),
        key: key.clone(),
        text,
    };
    TaskOutcome::Ready(Box::new(Commit {
        once: Some(key),
        tasks: vec![Task::Reply(Box::new(reply))],
        ..Commit::default()
    }))
}

/// The words of a pull request, where the webhook did not bring them.
async fn pull_text(ctx: &Context, asked: &CommandEvent) -> Result<IssueText, WorkError> {
    let pull = ctx.forge.pull(&asked.repo, asked.number).await?;
    let text = |it: PullDetail| IssueText { title: it.title, body: it.body.unwrap_or_default() };
    Ok(pull.map(text).unwrap_or_default())
}

/// Whether `revise` stands on a pull request of others, where no plan waits for it.
async fn begins_on_others(ctx: &Context, asked: &CommandEvent) -> Result<bool, WorkError> {
    let plans = plan_ready(&jobs_on(ctx, asked).await?).is_some();
    Ok(asked.on_pull && !plans && cannot_start(ctx, asked).await?.is_none())
}

/// On a pull request of Gander's own a round is asked for by other words.
async fn cannot_start(
    ctx: &Context,
    asked: &CommandEvent,
) -> Result<Option<CannotStart>, WorkError> {
    if asked.closed {
        let pull = asked.on_pull;
        return Ok(Some(if pull { CannotStart::PullClosed } else { CannotStart::Closed }));
    }
    if !asked.on_pull {
        return Ok(None);
    }
    let jobs = jobs_on(ctx, asked).await?;
    let is_its =
        |it: &Stored<Job>| it.machine.pull.as_ref().is_some_and(|pull| pull.number == asked.number);
    let release = ctx.store.release_of_pull(asked.repo.repo_id, asked.number).await?;
    let ours = jobs.iter().any(is_its) || release.is_some();
    Ok(ours.then_some(CannotStart::OnPull))
}

/// Closing the issue stops the work until there is a pull request; after that, the pull request
/// decides (merging it closes the issue by itself).
fn concerns(job: &Job, number: Number, what: ClosedSubject) -> bool {
    if job.is_done() {
        return false;
    }
    match what {
        // One that waits finds it closed when its turn comes, and tells whoever asked.
        ClosedSubject::Issue => job.subject == number && job.pull.is_none() && job.is_live(),
        ClosedSubject::Pull | ClosedSubject::Merged => {
            job.pull.as_ref().is_some_and(|pull| pull.number == number)
        }
    }
}
