//! Reads the rules and the issue, and fetches the base.

use crate::core::budget::CostEstimate;
use crate::core::conventions::Conventions;
use crate::core::event::SKIP_LABEL;
use crate::core::id::Timestamp;
use crate::core::job::{Base, Declined, Job, JobFact, JobStage, JobStep, Kind, Prepared, Reverted};
use crate::core::other_work::{OtherWork, closes};
use crate::core::patch::PatchDigest;
use crate::core::policy::{LimitRules, RULES_PATH, Rules};
use crate::core::task::Task;
use crate::forge::{BranchHead, RecentHistory};
use crate::store::{LONGEST_PAUSE_SECONDS, Stored};
use crate::worker::budget::{day_budget, holds_its_budget, job_budget, may_come_back};
use crate::worker::commit::{Learnt, TaskOutcome};
use crate::worker::steps::job::revert;
use crate::worker::steps::job::{ordered_by, permission_lost};
use crate::worker::{Context, WorkError, conventions, others_pull};

/// A change by its digest, with its bytes.
type KeptPatch = (PatchDigest, Vec<u8>);

/// Jobs of the last 90 days say what one usually comes to, in milliseconds.
const LOOKED_BACK: i64 = 90 * 24 * 60 * 60 * 1000;

pub(in crate::worker) async fn run(ctx: &Context, job: &Job) -> Result<TaskOutcome, WorkError> {
    Ok(match prepared(ctx, job).await? {
        Ok(Preparation::Waits { seconds }) => {
            // Anew, and no further try of this one: waiting for others is no failure.
            let task = Task::Step { job_id: job.id.clone(), step: JobStep::Prepare };
            let due = ctx.clock.steady().plus_seconds(seconds);
            ctx.store.enqueue(&task, due).await?;
            TaskOutcome::Done
        }
        Ok(Preparation::Done(fact, patch)) => {
            let id = job.id.clone();
            TaskOutcome::Learnt(Box::new(Learnt::OfJob { id, fact, patch }))
        }
        Err(why) => TaskOutcome::of_job(job, JobFact::Declined(why)),
    })
}

/// What it works with, and a change that is kept for it; or why there is nothing to be done.
async fn prepared(ctx: &Context, job: &Job) -> Result<Result<Preparation, Declined>, WorkError> {
    let forge = &ctx.forge;
    let (issue, repository) =
        tokio::join!(forge.issue(&job.repo, job.subject), ctx.repository(&job.repo));
    let (repository, issue) = (repository?, issue?);
    let reverts = job.order.kind == Kind::Revert;
    let Some(issue) = issue.filter(|issue| reverts || issue.state == "open") else {
        return Ok(Err(Declined::SubjectClosed));
    };
    if issue.labels.iter().any(|label| label.name.eq_ignore_ascii_case(SKIP_LABEL)) {
        return Ok(Err(Declined::Skipped));
    }
    let actor = ordered_by(job);
    let (text, has) = tokio::try_join!(
        forge.file(&job.repo, &repository.default_branch, RULES_PATH),
        forge.permission(&job.repo, &actor)
    )?;
    let rules = match Rules::parse(&text.unwrap_or_default()) {
        Ok(rules) => ctx.bounded(rules),
        Err(bad) => {
            return Ok(Err(Declined::BadConfig { problem: bad.to_string() }));
        }
    };
    let lost = permission_lost(&actor, &rules, has);
    let limit = match lost {
        None => over_limits(ctx, job, &rules).await?,
        Some(lost) => Limit::Declined(lost),
    };
    match limit {
        Limit::Within => {}
        Limit::Declined(declined) => return Ok(Err(declined)),
        Limit::Waits { seconds } => return Ok(Ok(Preparation::Waits { seconds })),
    }
    let (history, others) = history_and_others(ctx, job).await?;
    if !others.is_empty() {
        return Ok(Err(Declined::OtherWork(others)));
    }
    let (base, others_pull) = match job.order.on_pull {
        true => match others_pull::read(ctx, job).await? {
            Ok((base, pull)) => (base, Some(Box::new(pull))),
            Err(declined) => return Ok(Err(declined)),
        },
        false => match base_of(ctx, job, &rules, &repository.default_branch).await? {
            Ok(base) => (base, None),
            Err(declined) => return Ok(Err(declined)),
        },
    };
    ctx.mirror(job, &base.sha).await?;
    let (reverts, patch) = match reverts {
        true => match reverted(ctx, job, (&rules, &base)).await? {
            Ok((reverts, kept)) => {
                let patch = (reverts.patch.clone(), kept);
                (Some(Box::new(reverts)), Some(patch))
            }
            Err(declined) => return Ok(Err(declined)),
        },
        false => (None, None),
    };
    if let Some(pull) = &others_pull {
        ctx.mirror(job, &pull.target).await?;
    }
    let Some(conventions) =
        conventions_of(ctx, job, &repository.default_branch, &base, &history).await?
    else {
        return Ok(Err(Declined::EmptyRepository));
    };
    let conventions = Box::new(conventions);
    let budget = job_budget(ctx, job, &rules);
    let since = Timestamp(ctx.clock.now().0 - LOOKED_BACK);
    let estimate = CostEstimate::of(ctx.store.past_costs(job.repo.repo_id, since).await?);
    let prepared = Prepared { base, rules, budget, estimate, others_pull, reverts, conventions };
    Ok(Ok(Preparation::Done(Box::new(JobFact::Prepared(prepared)), patch)))
}

/// The merged pull request that it takes back.
async fn reverted(
    ctx: &Context,
    job: &Job,
    base: (&Rules, &Base),
) -> Result<Result<(Reverted, Vec<u8>), Declined>, WorkError> {
    match revert::merged_pull(ctx, job).await? {
        Ok((pull, commit)) => revert::reverse_patch(ctx, job, base, (&pull, &commit)).await,
        Err(declined) => Ok(Err(declined)),
    }
}

/// The branch that the change goes into, and where it stands.
async fn base_of(
    ctx: &Context,
    job: &Job,
    rules: &Rules,
    default_branch: &str,
) -> Result<Result<Base, Declined>, WorkError> {
    let branch = match job.order.base.as_ref().or(rules.base.as_ref()) {
        Some(branch) => branch.clone(),
        None => default_branch.parse().map_err(|bad| WorkError::permanent(&bad))?,
    };
    Ok(match ctx.forge.branch_head(&job.repo, &branch).await? {
        BranchHead::At(sha) => Ok(Base { branch, sha }),
        BranchHead::EmptyRepository => Err(Declined::EmptyRepository),
        BranchHead::Missing => Err(Declined::NoSuchBranch { branch }),
    })
}

/// What the repository did lately, and what others do about the issue, unless a person said to work
/// all the same.
async fn history_and_others(
    ctx: &Context,
    job: &Job,
) -> Result<(RecentHistory, OtherWork), WorkError> {
    let forge = &ctx.forge;
    let own = job.order.on_pull || job.order.kind == Kind::Revert;
    if job.order.despite_others || own {
        return Ok((forge.recent_history(&job.repo).await?, OtherWork::default()));
    }
    let (history, branches) = tokio::try_join!(
        forge.recent_history(&job.repo),
        forge.branches_named_after(&job.repo, job.subject)
    )?;
    let name = job.repo.name.to_string();
    let closing = history.open.iter().filter(|it| closes(&it.text, &name, job.subject));
    let others = OtherWork {
        pulls: closing.map(|it| (it.number, it.by.clone())).collect(),
        branches: branches.into_iter().filter(|it| !history.done_branches.contains(it)).collect(),
    };
    Ok((history, others))
}

/// The ways of the repository, by its default branch. `None`: that has no commit.
async fn conventions_of(
    ctx: &Context,
    job: &Job,
    default_branch: &str,
    base: &Base,
    history: &RecentHistory,
) -> Result<Option<Conventions>, WorkError> {
    // The head of a pull request is no authority on the ways of the repository.
    let commit = match base.branch.as_str() == default_branch && !job.order.on_pull {
        true => base.sha.clone(),
        false => {
            let branch = default_branch.parse().map_err(|bad| WorkError::permanent(&bad))?;
            match ctx.forge.branch_head(&job.repo, &branch).await? {
                BranchHead::At(commit) => commit,
                BranchHead::EmptyRepository | BranchHead::Missing => return Ok(None),
            }
        }
    };
    ctx.mirror(job, &commit).await?;
    conventions::of_repository(ctx, job, &commit, history).await.map(Some)
}

/// How long a job waits for each that goes before it, in seconds: a look costs requests.
const PAUSE: i64 = 60;

/// What the limits say to one more job.
enum Limit {
    Within,
    Declined(Declined),
    /// They may say otherwise when others are over, whom it waits for.
    Waits {
        seconds: i64,
    },
}

/// What comes of preparing a job.
enum Preparation {
    Done(Box<JobFact>, Option<KeptPatch>),
    Waits { seconds: i64 },
}

async fn over_limits(ctx: &Context, job: &Job, rules: &Rules) -> Result<Limit, WorkError> {
    let writes = job.order.model.as_ref().or(rules.agent.model.as_ref());
    for model in writes.into_iter().chain(&rules.judge.model) {
        let allowed = ctx.models.iter().map(|model| model.name().to_owned());
        let allowed: Vec<String> = allowed.collect();
        if !allowed.contains(model) {
            let model = model.clone();
            return Ok(Limit::Declined(Declined::ModelNotAllowed { model, allowed }));
        }
    }
    if job.order.on_pull {
        let declined = day_budget(ctx, job, rules, job_budget(ctx, job, rules)).await?;
        return Ok(declined.map_or(Limit::Within, Limit::Declined));
    }
    let open = ctx.store.open_jobs(Some(job.repo.repo_id)).await?;
    let under_way = ctx.store.jobs_under_way(job.repo.repo_id).await?;
    let place = under_way.iter().position(|it| it.machine.id == job.id);
    let opens = |(at, it): &(usize, &Stored<Job>)| {
        let before = place.is_none_or(|place| *at < place);
        let prepares = it.machine.stage == JobStage::Preparing && before;
        !it.machine.order.on_pull && (prepares || holds_its_budget(&it.machine))
    };
    // Each of those may still open one; what is held back is opened without another look.
    let may_open: Vec<_> = under_way.iter().enumerate().filter(opens).map(|(_, it)| it).collect();
    let held = |it: &&Stored<Job>| matches!(it.machine.stage, JobStage::Holding { .. });
    let open: Vec<_> = open.iter().chain(under_way.iter().filter(held)).collect();
    let theirs = |all: &[&Stored<Job>]| {
        let by = job.order.by_id;
        all.iter().filter(|it| it.machine.order.by_id == by).count()
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let LimitRules { open_pulls, open_per_reviewer, .. } = rules.limits;
    let (all, of_theirs) = (count(open.len()), count(theirs(&open)));
    if all >= open_pulls {
        return Ok(Limit::Declined(Declined::TooManyOpenPulls { open: all, limit: open_pulls }));
    }
    if of_theirs >= open_per_reviewer {
        let (login, limit) = (job.order.login.clone(), open_per_reviewer);
        return Ok(Limit::Declined(Declined::TooManyForReviewer { open: of_theirs, limit, login }));
    }
    let pause = PAUSE.saturating_mul(may_open.len().max(1).try_into().unwrap_or(PAUSE));
    let wait = Limit::Waits { seconds: pause.min(LONGEST_PAUSE_SECONDS) };
    if all + count(may_open.len()) >= open_pulls
        || of_theirs + count(theirs(&may_open)) >= open_per_reviewer
    {
        return Ok(wait);
    }
    let budget = job_budget(ctx, job, rules);
    let declined = day_budget(ctx, job, rules, budget).await?;
    if let Some(Declined::DayBudget { of, limit }) = declined
        && may_come_back(ctx, job, &under_way, (of, limit), budget).await?
    {
        return Ok(wait);
    }
    Ok(declined.map_or(Limit::Within, Limit::Declined))
}
