//! One look at a pull request: what GitHub shows now, as a fact.
//!
//! Invariants: nothing here is remembered from a webhook. Permissions are asked for at this moment,
//! by account number; what programs say is no vote; Gander's own checks are no evidence.

use std::collections::BTreeMap;

use crate::core::approval::ApprovalCriteria;
use crate::core::event::SKIP_LABEL;
use crate::core::github::{PullRef, RepoRef};
use crate::core::id::{Number, ReviewId, Timestamp, UserId};
use crate::core::job::{
    ChangeRequest, Ci, Job, JobStep, OpenPull, PullEnd, PullSnapshot, RedBecause,
};
use crate::core::policy::{RULES_PATH, Rules};
use crate::core::task::Task;
use crate::forge::payload::{PullDetail, Review, ReviewComment};
use crate::forge::{Ballot, ReportedCheck, Roles, actor, moment};
use crate::worker::ci::{Head, HeadChecks, checks};
use crate::worker::consent::{consent, contributors};
use crate::worker::red_check::because;
use crate::worker::{Context, WorkError};

/// So many red checks are held against the base.
const MOST_REDS: usize = 4;

/// What the job's pull request shows. `None`: it has none.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
) -> Result<Option<PullSnapshot>, WorkError> {
    let Some(pull) = &job.pull else { return Ok(None) };
    let (forge, repo) = (&ctx.forge, &job.repo);
    let (detail, repository) = tokio::join!(forge.pull(repo, pull.number), ctx.repository(repo));
    let (repository, detail) = (repository?, detail?);
    let Some(detail) = detail else {
        return Ok(Some(PullSnapshot::Ended(PullEnd::Closed { by: None })));
    };
    if detail.state != "open" {
        return Ok(Some(PullSnapshot::Ended(ended(&detail))));
    }
    let head = detail.head.sha.clone();
    let base = detail.base.branch.parse().map_err(|bad| WorkError::permanent(&bad))?;
    let text = forge.file(repo, &repository.default_branch, RULES_PATH).await?;
    let rules = Rules::parse(&text.unwrap_or_default()).map_err(|bad| bad.to_string());
    let rules = rules.map(|rules| ctx.bounded(rules));
    let in_force = rules.clone().unwrap_or_default();
    let (reviews, comments, asks, settings) = tokio::try_join!(
        forge.reviews(repo, pull.number),
        forge.comments(repo, pull.number),
        forge.branch_rules(repo, &base),
        forge.merge_settings(repo, pull.number)
    )?;
    let terms = asks.merge_terms(&detail, settings.as_ref());
    let mut roles = Roles::new();
    let least = in_force.approval.role.into();
    let about = Ballot { head: &head, address: &ctx.settings.address, least };
    let votes = forge.votes(repo, &about, &reviews, &comments, &mut roles).await?;
    let digest = in_force.binding();
    let now = ctx.clock.now();
    let since = match &job.review.binding {
        Some(bound) if bound.base == base && bound.rules == digest => bound.since,
        Some(_) => now,
        None => Timestamp(0),
    };
    let contributors = contributors(ctx, repo, &detail, &votes).await?;
    let criteria = ApprovalCriteria {
        repo_id: repo.repo_id,
        pull: pull.number,
        head: &head,
        base: &base,
        rules: &digest,
        role: least,
        requester: in_force.approval.requester,
        asked_by: &[job.order.by_id],
        pushed_by: &contributors.people,
        pushers_known: contributors.all_known,
        holders: None,
        since,
        flagged: &[],
    };
    let consent = consent(ctx, repo, criteria, &votes).await?;
    let checked = Head { repo, sha: &detail.head.sha, asks: &asks, rules: &in_force };
    let ci = ci(ctx, job, &detail, &checked, now).await?;
    let requests = requests(ctx, repo, pull.number, &reviews, &mut roles).await?;
    let mergeable = mergeable(ctx, job, pull, &detail).await?;
    Ok(Some(PullSnapshot::Open(Box::new(OpenPull {
        at: now,
        head,
        base,
        rules,
        rules_digest: digest,
        requests,
        ci,
        consent,
        since,
        mergeable,
        clean: is_clean(&detail),
        terms,
        skipped: is_skipped(&detail),
    }))))
}

/// Whether GitHub could merge it. It begins to find out when it is first asked, and tells nobody:
/// so it is asked again at the end of a look. Where that is too early, the next sweep looks.
async fn mergeable(
    ctx: &Context,
    job: &Job,
    pull: &PullRef,
    detail: &PullDetail,
) -> Result<Option<bool>, WorkError> {
    if detail.mergeable.is_some() {
        return Ok(detail.mergeable);
    }
    let again = ctx.forge.pull(&job.repo, pull.number).await?;
    Ok(again.filter(|again| again.head.sha == detail.head.sha).and_then(|it| it.mergeable))
}

/// Standing requests for changes by people: of each person the last review that says yes or no.
async fn requests(
    ctx: &Context,
    repo: &RepoRef,
    number: Number,
    reviews: &[Review],
    roles: &mut Roles,
) -> Result<Vec<ChangeRequest>, WorkError> {
    let mut last: BTreeMap<UserId, &Review> = BTreeMap::new();
    let decides = |review: &&Review| review.state != "COMMENTED" && review.state != "PENDING";
    for review in reviews.iter().filter(decides) {
        if let Some(by) = actor(review.user.as_ref()).filter(|by| by.person) {
            last.insert(by.id, review);
        }
    }
    let standing: Vec<&Review> =
        last.into_values().filter(|review| review.state == "CHANGES_REQUESTED").collect();
    if standing.is_empty() {
        return Ok(Vec::new());
    }
    let comments = ctx.forge.review_comments(repo, number).await?;
    let mut requests = Vec::new();
    for review in standing {
        let Some(by) = actor(review.user.as_ref()) else { continue };
        let role = ctx.forge.role(repo, &by, roles).await?;
        // Without a time it was not said before anybody took it up.
        let at = moment(review.submitted_at.as_deref()).unwrap_or(Timestamp(i64::MAX));
        let points = points(review, &comments);
        requests.push(ChangeRequest { review_id: ReviewId(review.id), by, role, at, points });
    }
    requests.sort_by_key(|request| request.review_id);
    Ok(requests)
}

/// How the checks that must be green stand, and whose fault a red one seems to be.
async fn ci(
    ctx: &Context,
    job: &Job,
    pull: &PullDetail,
    head: &Head<'_>,
    now: Timestamp,
) -> Result<Ci, WorkError> {
    let since = match &job.review.head_since {
        Some((known, since)) if known == head.sha => *since,
        _ => now,
    };
    let wake = Task::Step { job_id: job.id.clone(), step: JobStep::Wake };
    Ok(match checks(ctx, head, since, &wake).await? {
        HeadChecks::Green => Ci::Green,
        HeadChecks::Pending { names } => Ci::Pending { names },
        HeadChecks::Missing(checks) => Ci::Missing(checks),
        HeadChecks::Red(reds) => blamed(ctx, job, pull, &reds).await?,
    })
}

/// Of red checks the first that this change is to blame for, else the first.
async fn blamed(
    ctx: &Context,
    job: &Job,
    pull: &PullDetail,
    reds: &[ReportedCheck],
) -> Result<Ci, WorkError> {
    let mut first = None;
    for red in reds.iter().take(MOST_REDS) {
        let because = because(ctx, job, pull, red).await?;
        let ours = matches!(because, RedBecause::Change | RedBecause::Touched);
        let told = Ci::Red { check: red.name.clone(), page: red.page.clone(), because };
        if ours {
            return Ok(told);
        }
        first = first.or(Some(told));
    }
    Ok(first.unwrap_or(Ci::Green))
}

/// Whether GitHub says that nothing stands in the way of merging.
pub(in crate::worker) fn is_clean(detail: &PullDetail) -> bool {
    matches!(detail.mergeable_state.as_deref(), Some("clean" | "unstable" | "has_hooks"))
}

pub(in crate::worker) fn is_skipped(detail: &PullDetail) -> bool {
    detail.labels.iter().any(|label| label.name.eq_ignore_ascii_case(SKIP_LABEL))
}

fn ended(detail: &PullDetail) -> PullEnd {
    let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
    if detail.merged { PullEnd::Merged { by } } else { PullEnd::Closed { by: None } }
}

fn points(review: &Review, comments: &[ReviewComment]) -> u32 {
    let own = comments.iter().filter(|comment| {
        comment.pull_request_review_id == Some(review.id) && comment.in_reply_to_id.is_none()
    });
    let threads = u32::try_from(own.count()).unwrap_or(u32::MAX);
    let words = review.body.as_deref().is_some_and(|body| !body.trim().is_empty());
    threads.saturating_add(u32::from(words))
}
