//! Commands on Gander's pull request, and hints that something about one may be different.
//!
//! Invariants: a hint only queues a look; what a command asks for is written into the job, so that
//! it is not lost while a round is made; a command that fits nothing is answered with what would.

use crate::core::approval::{approves, names_commit};
use crate::core::command::{Address, Verb};
use crate::core::event::{CommandEvent, SaidIn, Touched};
use crate::core::github::{RepoRef, Role};
use crate::core::id::{CommentId, JobId, Number, Sha, Timestamp};
use crate::core::job::{
    Declined, Job, JobEnding, JobFact, JobOrder, JobStage, JobStep, MOST_PLANS, PlanNews,
    ReviseRequest, TakenReviews,
};
use crate::core::machine::Machine;
use crate::core::policy::{Decision, authorize};
use crate::core::report;
use crate::core::task::Task;
use crate::forge::moment;
use crate::store::{Commit, Stored, Write};
use crate::worker::commit::{TaskOutcome, advanced};
use crate::worker::route::release::look_at_release_of;
use crate::worker::route::{again, jobs_on, needed, refuse, reply};
use crate::worker::{Context, WorkError};

/// Lets every open pull request concerned be looked at.
pub(in crate::worker) async fn touched(
    ctx: &Context,
    repo: &RepoRef,
    what: &Touched,
) -> Result<TaskOutcome, WorkError> {
    let jobs = ctx.store.open_jobs(Some(repo.repo_id)).await?;
    let concerned = jobs.into_iter().filter(|stored| concerns(&stored.machine, what));
    let tasks: Vec<Task> = concerned.map(|stored| look(stored.machine.id)).collect();
    Ok(match tasks.is_empty() {
        true => TaskOutcome::Done,
        false => TaskOutcome::Ready(Box::new(Commit { tasks, ..Commit::default() })),
    })
}

/// `revise words`: one more round.
pub(in crate::worker) async fn revise(
    ctx: &Context,
    asked: &CommandEvent,
    words: &str,
    has: Role,
) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    if let Some((stored, version)) = plan_ready(&jobs) {
        let least = needed(ctx, &stored.machine).await?;
        if let Decision::Denied(why) = authorize(&asked.by, has, least) {
            return Ok(refuse(ctx, asked, Verb::Revise, &why));
        }
        let prefix = &ctx.settings.address.prefix;
        if version >= MOST_PLANS {
            return Ok(reply(asked, report::too_many_plans(prefix)));
        }
        let ask = request_of(asked, words);
        return Ok(noted(
            asked,
            stored,
            &JobFact::OfPlan { version, news: PlanNews::Refused(ask) },
        ));
    }
    let Some(stored) = in_review(&jobs, asked.number) else {
        return Ok(no_pull_here(ctx, asked, "revise"));
    };
    Ok(noted(asked, stored, &JobFact::Asked(request_of(asked, words))))
}

/// What a person asks for by command.
pub(in crate::worker) fn request_of(asked: &CommandEvent, words: &str) -> ReviseRequest {
    ReviseRequest {
        by_id: asked.by.id,
        login: asked.by.login.clone(),
        words: words.trim().to_owned(),
        comment_id: asked.comment_id().or(asked.said_in.thread_comment_id()),
    }
}

/// The job whose plan waits for a person, and which plan that is.
pub(in crate::worker) fn plan_ready(jobs: &[Stored<Job>]) -> Option<(&Stored<Job>, u32)> {
    jobs.iter().find_map(|stored| {
        let JobStage::PlanReady { version } = stored.machine.stage else { return None };
        Some((stored, version))
    })
}

/// `update`: merges the base into the pull request.
pub(in crate::worker) async fn update(
    ctx: &Context,
    asked: &CommandEvent,
) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    let open = jobs.iter().find(|it| !it.machine.is_done() && it.machine.pull.is_some());
    let Some(stored) = open else { return Ok(no_pull_here(ctx, asked, "update")) };
    Ok(noted(asked, stored, &JobFact::UpdateAsked(request_of(asked, ""))))
}

/// `take @LOGIN`: that person's waiting reviews count like a maintainer's.
pub(in crate::worker) async fn take(
    ctx: &Context,
    asked: &CommandEvent,
    words: &str,
    at: Timestamp,
) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    let Some(stored) = in_review(&jobs, asked.number) else {
        return Ok(no_pull_here(ctx, asked, "take"));
    };
    let named = words.split_whitespace().next().unwrap_or_default();
    let named = named.trim_matches('`').trim_start_matches('@');
    let waiting = &stored.machine.review.outsiders;
    let same = |login: &str| login.eq_ignore_ascii_case(named);
    let Some(outsider) = waiting.iter().find(|it| same(it.login.as_str())) else {
        let waiting: Vec<String> = waiting.iter().map(|it| it.login.as_str().to_owned()).collect();
        let prefix = &ctx.settings.address.prefix;
        return Ok(reply(asked, report::nothing_to_take(named, &waiting, prefix)));
    };
    let taken = TakenReviews {
        login: outsider.login.clone(),
        until: at,
        by_id: asked.by.id,
        by_login: asked.by.login.clone(),
    };
    Ok(noted(asked, stored, &JobFact::Taken(taken)))
}

/// `approve SHA`: the comment itself is the approval, and is read where it stands.
pub(in crate::worker) async fn approve(
    ctx: &Context,
    asked: &CommandEvent,
    words: &str,
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let jobs = jobs_on(ctx, asked).await?;
    let address = &ctx.settings.address;
    let (look, address) = match in_review(&jobs, asked.number) {
        Some(stored) => (look(stored.machine.id.clone()), address.clone()),
        None => match look_at_release_of(ctx, asked).await? {
            Some(look) => (look, address.without_mention()),
            None => return Ok(reply(asked, report::approve_how(None, None, prefix))),
        },
    };
    let detail = ctx.forge.pull(&asked.repo, asked.number).await?;
    let head = detail.map(|detail| detail.head.sha);
    let said = words.split_whitespace().next();
    if !head.as_ref().is_some_and(|head| names_commit(words, head)) {
        return Ok(reply(asked, report::approve_how(head.as_ref(), said, prefix)));
    }
    if let Some(head) = &head
        && !will_count(ctx, asked, head, &address).await?
    {
        return Ok(reply(asked, report::approve_where(head, prefix)));
    }
    let tasks = vec![look];
    let once = Some(asked.key.clone());
    Ok(TaskOutcome::Ready(Box::new(Commit { once, tasks, ..Commit::default() })))
}

/// Whether `approve` was said where it is looked for: in a comment, or in an approving review.
async fn will_count(
    ctx: &Context,
    asked: &CommandEvent,
    head: &Sha,
    address: &Address,
) -> Result<bool, WorkError> {
    let (forge, repo) = (&ctx.forge, &asked.repo);
    if let Some(id) = asked.comment_id() {
        let said = forge.comment(repo, id).await?.and_then(|it| it.body);
        return Ok(said.is_some_and(|said| approves(&said, address, head)));
    }
    let SaidIn::Review(id) = asked.said_in else { return Ok(false) };
    let review = forge.one_review(repo, asked.number, id).await?;
    Ok(review.is_some_and(|review| review.state == "APPROVED"))
}

/// `go`: pushes the change that is shown, or works by the plan that is shown.
pub(in crate::worker) async fn go(
    ctx: &Context,
    asked: &CommandEvent,
    words: &str,
    (at, has): (Timestamp, Role),
) -> Result<TaskOutcome, WorkError> {
    let jobs = jobs_on(ctx, asked).await?;
    if let Some((stored, version)) = plan_ready(&jobs) {
        let least = needed(ctx, &stored.machine).await?;
        if let Decision::Denied(why) = authorize(&asked.by, has, least) {
            return Ok(refuse(ctx, asked, Verb::Go, &why));
        }
        if !was_told_before(ctx, &stored.machine, at, asked.comment_id()).await? {
            let prefix = &ctx.settings.address.prefix;
            return Ok(reply(asked, report::go_too_early(prefix)));
        }
        let ask = request_of(asked, words);
        return Ok(noted(asked, stored, &JobFact::OfPlan { version, news: PlanNews::Agreed(ask) }));
    }
    let held = jobs.iter().find(|it| matches!(it.machine.stage, JobStage::Holding { .. }));
    if let Some(stored) = held
        && !was_told_before(ctx, &stored.machine, at, asked.comment_id()).await?
    {
        let prefix = &ctx.settings.address.prefix;
        return Ok(reply(asked, report::go_too_early(prefix)));
    }
    let commit = held.and_then(|stored| {
        let patch = stored.machine.proposal()?.patch.clone();
        let commit = advanced(stored, &JobFact::Go { patch })?;
        Some(with_words(commit, asked, words))
    });
    let Some(mut commit) = commit else {
        return Ok(match jobs.last().map(|stored| &stored.machine) {
            Some(former) if waits_for_others(former) && !asked.closed => {
                let order = JobOrder {
                    by_id: asked.by.id,
                    login: asked.by.login.clone(),
                    despite_others: true,
                    ..former.order.clone()
                };
                again(ctx, asked, former, order)
            }
            _ => reply(asked, report::nothing_held(&ctx.settings.address.prefix)),
        });
    };
    commit.once = Some(asked.key.clone());
    Ok(TaskOutcome::Ready(Box::new(commit)))
}

/// Words behind `go` ask for the next round.
fn with_words(commit: Commit, asked: &CommandEvent, words: &str) -> Commit {
    let Some(Write::Change(job, version)) = commit.job.clone().filter(|_| !words.trim().is_empty())
    else {
        return commit;
    };
    let let_out = Stored { machine: job, version };
    match advanced(&let_out, &JobFact::Noted(request_of(asked, words))) {
        Some(noted) => {
            let tasks = [commit.tasks, noted.tasks].concat();
            Commit { job: noted.job, tasks, ..commit }
        }
        None => commit,
    }
}

/// Whether a job ended because others are at its issue.
fn waits_for_others(job: &Job) -> bool {
    matches!(job.stage, JobStage::Done(JobEnding::Declined(Declined::OtherWork(_))))
}

/// Whether people had been shown this very change when they said `go`: by GitHub's clock, and
/// within a second by the order of its numbers.
async fn was_told_before(
    ctx: &Context,
    job: &Job,
    at: Timestamp,
    comment: Option<CommentId>,
) -> Result<bool, WorkError> {
    let marker = report::announcement_marker(job);
    let thread = report::announced_on(job);
    let told = ctx.forge.find_comment(&job.repo, thread, &marker).await?;
    Ok(told.is_some_and(|told| {
        let told = (moment(told.created_at.as_deref()).unwrap_or(Timestamp(0)), told.id);
        told < (at, comment.unwrap_or(CommentId(u64::MAX)))
    }))
}

pub(in crate::worker) fn noted(
    asked: &CommandEvent,
    stored: &Stored<Job>,
    fact: &JobFact,
) -> TaskOutcome {
    let Some(mut commit) = advanced(stored, fact) else { return TaskOutcome::Done };
    commit.once = Some(asked.key.clone());
    let step = match asked.said_in {
        SaidIn::Comment(comment) => Some(JobStep::React { comment }),
        SaidIn::Thread(comment) => Some(JobStep::ReactInThread { comment }),
        SaidIn::Review(_) | SaidIn::Label | SaidIn::Slack => None,
    };
    let task = |step| Task::Step { job_id: stored.machine.id.clone(), step };
    commit.tasks.extend(step.map(task));
    TaskOutcome::Ready(Box::new(commit))
}

fn no_pull_here(ctx: &Context, asked: &CommandEvent, verb: &str) -> TaskOutcome {
    let prefix = &ctx.settings.address.prefix;
    reply(asked, report::no_pull_here(verb, prefix))
}

/// The open job whose pull request has this number.
pub(in crate::worker) fn in_review(jobs: &[Stored<Job>], number: Number) -> Option<&Stored<Job>> {
    jobs.iter().find(|stored| {
        !stored.machine.is_done()
            && stored.machine.pull.as_ref().is_some_and(|pull| pull.number == number)
    })
}

fn concerns(job: &Job, what: &Touched) -> bool {
    let Some(pull) = &job.pull else { return false };
    match what {
        Touched::Pull(number) => pull.number == *number,
        Touched::Commit(sha) => pull.head == *sha,
        Touched::Branch(branch) => job.base().is_some_and(|base| base.branch == *branch),
    }
}

pub(in crate::worker) fn look(job: JobId) -> Task {
    Task::Step { job_id: job, step: JobStep::Look }
}
