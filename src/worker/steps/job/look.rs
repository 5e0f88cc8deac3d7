//! One look at a pull request: what GitHub shows now, as a fact.
//!
//! What holds: nothing here is remembered from a webhook. Permissions are asked for at this moment, by
//! account number; what programs say is no voice; Gander's own checks are no evidence.

use std::collections::BTreeMap;

use crate::core::approval::{Approval, NotApproved, Question, Stand, Voice, Word, approves, judge};
use crate::core::command::{Address, Role};
use crate::core::event::{Actor, RepoRef, SKIP_LABEL};
use crate::core::id::{Branch, Number, ReviewId, Sha, Timestamp, UserId};
use crate::core::job::{ChangeRequest, Ci, Job, PullState, RedBecause, Sight, Step};
use crate::core::policy::{RULES_PATH, Requester, Rules};
use crate::core::task::Task;
use crate::forge::payload::{Comment, PullDetail, Review, ReviewComment, User};
use crate::forge::{CheckState, Contributors, PullBranch, State};
use crate::worker::ci::{Checks, Head, checks};
use crate::worker::{Context, Fault};

/// Roles asked for in one look.
type Roles = BTreeMap<UserId, Role>;

/// What the job's pull request shows. `None`: it has none.
pub(in crate::worker) async fn run(ctx: &Context, job: &Job) -> Result<Option<Sight>, Fault> {
    let Some(pull) = &job.pull else { return Ok(None) };
    let (forge, place) = (&ctx.forge, &job.place);
    let (detail, repository) =
        tokio::try_join!(forge.pull(place, pull.number), forge.repository(place))?;
    let Some(detail) = detail else { return Ok(Some(gone(ctx, job))) };
    if detail.state != "open" {
        return Ok(Some(Sight { state: ended(&detail), ..gone(ctx, job) }));
    }
    let head = detail.head.sha.clone();
    let base = detail.base.branch.parse().map_err(|bad| Fault::permanent(&bad))?;
    let text = forge.file(place, &repository.default_branch, RULES_PATH).await?;
    let rules = Rules::parse(&text.unwrap_or_default()).map_err(|bad| bad.to_string());
    let in_force = rules.clone().unwrap_or_default();
    let (reviews, comments) =
        tokio::try_join!(forge.reviews(place, pull.number), forge.comments(place, pull.number))?;
    let mut roles = Roles::new();
    let least = in_force.approval.role.into();
    let head_named = (&head, &ctx.settings.address);
    let said = (&*reviews, &*comments);
    let voices = voices(ctx, place, head_named, said, (least, &mut roles)).await?;
    let digest = in_force.binding();
    let now = ctx.clock.now();
    let since = match &job.review.binding {
        Some(bound) if bound.base == base && bound.rules == digest => bound.since,
        Some(_) => now,
        None => Timestamp(0),
    };
    let contributors = contributors(ctx, place, &detail, &voices).await?;
    let question = Question {
        repo: place.repo,
        pull: pull.number,
        head: &head,
        base: &base,
        rules: &digest,
        role: least,
        requester: in_force.approval.requester,
        asked_by: &[job.order.by],
        pushed_by: &contributors.people,
        pushers_known: contributors.all_known,
        holders: None,
        since,
    };
    let consent = consent(ctx, place, question, &voices).await?;
    let ci = ci(ctx, job, &detail, (&base, &in_force), now).await?;
    let requests = requests(ctx, place, pull.number, &reviews, &mut roles).await?;
    Ok(Some(Sight {
        at: now,
        state: PullState::Open,
        head,
        base,
        rules,
        rules_digest: digest,
        requests,
        ci,
        consent,
        since,
        mergeable: detail.mergeable,
        clean: is_clean(&detail),
        skipped: is_skipped(&detail),
    }))
}

/// What is shown by a pull request that is not there any more.
fn gone(ctx: &Context, job: &Job) -> Sight {
    let pull = job.pull.as_ref();
    let nowhere = || Sha::nowhere();
    Sight {
        at: ctx.clock.now(),
        state: PullState::Closed { by: None },
        head: pull.map_or_else(nowhere, |pull| pull.head.clone()),
        base: job.base.as_ref().map_or_else(|| job.branch(), |base| base.branch.clone()),
        rules: Ok(Rules::default()),
        rules_digest: String::new(),
        requests: Vec::new(),
        ci: Ci::Green,
        consent: Err(NotApproved::Nobody),
        since: Timestamp(0),
        mergeable: None,
        clean: false,
        skipped: false,
    }
}

/// Everything people have said about this head that could be consent or its opposite.
pub(in crate::worker) async fn voices(
    ctx: &Context,
    place: &RepoRef,
    (head, address): (&Sha, &Address),
    (reviews, comments): (&[Review], &[Comment]),
    (least, roles): (Role, &mut Roles),
) -> Result<Vec<Voice>, Fault> {
    let mut voices = Vec::new();
    for review in reviews {
        let stand = match review.state.as_str() {
            "APPROVED" => Stand::Approves,
            "CHANGES_REQUESTED" => Stand::Objects,
            "DISMISSED" => Stand::TakenBack,
            _ => continue,
        };
        let (Some(by), Some(commit)) = (actor(review.user.as_ref()), &review.commit_id) else {
            continue;
        };
        let role = role(ctx, place, &by, roles).await?;
        let at = moment(review.submitted_at.as_deref());
        let word = Word::Review(ReviewId(review.id));
        voices.push(Voice { by, role, stand, commit: commit.clone(), word, at });
    }
    for comment in comments {
        let body = comment.body.as_deref().unwrap_or_default();
        let names_head = approves(body, address, head);
        let Some(by) = actor(comment.user.as_ref()).filter(|_| names_head) else { continue };
        let role = role(ctx, place, &by, roles).await?;
        // REST's times are whole seconds; whose word does not count need not be asked about.
        let edited = match (role >= least, &comment.node_id) {
            (false, _) => comment.created_at != comment.updated_at,
            (true, None) => true,
            (true, Some(node)) => ctx.forge.was_edited(place, comment.id, node).await?,
        };
        voices.push(Voice {
            by,
            role,
            stand: Stand::Approves,
            commit: head.clone(),
            word: Word::Comment { id: comment.id, edited },
            at: moment(comment.created_at.as_deref()),
        });
    }
    Ok(voices)
}

/// Who had a hand in a pull request, which nobody needs to know while nobody approves it.
pub(in crate::worker) async fn contributors(
    ctx: &Context,
    place: &RepoRef,
    detail: &PullDetail,
    voices: &[Voice],
) -> Result<Contributors, Fault> {
    if voices.iter().all(|voice| voice.stand != Stand::Approves) {
        return Ok(Contributors::default());
    }
    let (branch, head) = (&*detail.head.branch, &detail.head.sha);
    let (opened_by, opened_at) = (detail.user.as_ref(), detail.created_at.as_deref());
    let pull = PullBranch { number: detail.number, branch, head, opened_by, opened_at };
    Ok(ctx.forge.contributors(place, pull).await?)
}

/// Judges; who else has the role is only found out when it matters.
pub(in crate::worker) async fn consent(
    ctx: &Context,
    place: &RepoRef,
    question: Question<'_>,
    voices: &[Voice],
) -> Result<Result<Approval, NotApproved>, Fault> {
    let judged = judge(&question, voices);
    let depends = question.requester != Requester::Allowed
        && match &judged {
            Err(
                NotApproved::SecondNeeded { .. }
                | NotApproved::Requester { .. }
                | NotApproved::Pusher { .. },
            ) => true,
            Ok(_)
            | Err(
                NotApproved::Nobody
                | NotApproved::OtherCommit { .. }
                | NotApproved::NotAPerson { .. }
                | NotApproved::NeedsRole { .. }
                | NotApproved::NobodyLeft { .. }
                | NotApproved::Before { .. }
                | NotApproved::Edited { .. }
                | NotApproved::Objection { .. },
            ) => false,
        };
    if !depends {
        return Ok(judged);
    }
    let holders = ctx.forge.people_with(place, question.role).await?;
    Ok(judge(&Question { holders: Some(&holders), ..question }, voices))
}

async fn role(
    ctx: &Context,
    place: &RepoRef,
    actor: &Actor,
    roles: &mut Roles,
) -> Result<Role, Fault> {
    if !actor.person {
        return Ok(Role::None);
    }
    if let Some(role) = roles.get(&actor.id) {
        return Ok(*role);
    }
    let role = ctx.forge.permission(place, actor).await?;
    roles.insert(actor.id, role);
    Ok(role)
}

/// Standing requests for changes by people: of each person the last review that says yes or no.
async fn requests(
    ctx: &Context,
    place: &RepoRef,
    number: Number,
    reviews: &[Review],
    roles: &mut Roles,
) -> Result<Vec<ChangeRequest>, Fault> {
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
    let comments = ctx.forge.review_comments(place, number).await?;
    let mut requests = Vec::new();
    for review in standing {
        let Some(by) = actor(review.user.as_ref()) else { continue };
        let role = role(ctx, place, &by, roles).await?;
        let at = moment(review.submitted_at.as_deref());
        let points = points(review, &comments);
        requests.push(ChangeRequest { review: ReviewId(review.id), by, role, at, points });
    }
    requests.sort_by_key(|request| request.review);
    Ok(requests)
}

/// How the checks that must be green stand, and whose fault a red one seems to be.
async fn ci(
    ctx: &Context,
    job: &Job,
    pull: &PullDetail,
    (base, rules): (&Branch, &Rules),
    now: Timestamp,
) -> Result<Ci, Fault> {
    let (place, sha) = (&job.place, &pull.head.sha);
    let since = match &job.review.head_since {
        Some((known, since)) if known == sha => *since,
        _ => now,
    };
    let wake = Task::Step { job: job.id.clone(), step: Step::Wake };
    Ok(match checks(ctx, &Head { place, sha, base, rules }, since, &wake).await? {
        Checks::Green => Ci::Green,
        Checks::Pending { names } => Ci::Pending { names },
        Checks::Red(red) => {
            let because = because(ctx, place, &pull.base.sha, &red).await?;
            Ci::Red { check: red.name, because }
        }
    })
}

async fn because(
    ctx: &Context,
    place: &RepoRef,
    base: &Sha,
    red: &CheckState,
) -> Result<RedBecause, Fault> {
    if red.wavered {
        let why = "it passed on this very commit before".to_owned();
        return Ok(RedBecause::Flaky { why });
    }
    if red.state == State::CutOff {
        let why = "it was cut off before it had a result".to_owned();
        return Ok(RedBecause::Flaky { why });
    }
    let mut there = ctx.forge.checks(place, base).await?;
    there.retain(|it| it.name == red.name && it.app == red.app);
    if !there.iter().any(|it| it.state == State::Red) {
        return Ok(RedBecause::Change);
    }
    let there = of_same_workflow(ctx, place, red, there).await?;
    let all_red = !there.is_empty() && there.iter().all(|it| it.state == State::Red);
    Ok(if all_red { RedBecause::AlsoOnBase } else { RedBecause::Change })
}

/// Of checks with one name those of the same workflow, and those of which GitHub does not say.
async fn of_same_workflow(
    ctx: &Context,
    place: &RepoRef,
    red: &CheckState,
    checks: Vec<CheckState>,
) -> Result<Vec<CheckState>, Fault> {
    let forge = &ctx.forge;
    let Some(of) = forge.workflow_of(place, red.suite).await? else { return Ok(checks) };
    let mut same = Vec::new();
    for check in checks {
        if forge.workflow_of(place, check.suite).await?.is_none_or(|other| other == of) {
            same.push(check);
        }
    }
    Ok(same)
}

/// Whether GitHub says that nothing stands in the way of merging.
pub(in crate::worker) fn is_clean(detail: &PullDetail) -> bool {
    matches!(detail.mergeable_state.as_deref(), Some("clean" | "unstable" | "has_hooks"))
}

pub(in crate::worker) fn is_skipped(detail: &PullDetail) -> bool {
    detail.labels.iter().any(|label| label.name.eq_ignore_ascii_case(SKIP_LABEL))
}

fn ended(detail: &PullDetail) -> PullState {
    let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
    if detail.merged { PullState::Merged { by } } else { PullState::Closed { by: None } }
}

fn points(review: &Review, comments: &[ReviewComment]) -> u32 {
    let own = comments.iter().filter(|comment| {
        comment.pull_request_review_id == Some(review.id) && comment.in_reply_to_id.is_none()
    });
    let threads = u32::try_from(own.count()).unwrap_or(u32::MAX);
    let words = review.body.as_deref().is_some_and(|body| !body.trim().is_empty());
    threads.saturating_add(u32::from(words))
}

pub(in crate::worker) fn actor(user: Option<&User>) -> Option<Actor> {
    let user = user?;
    Some(Actor { id: user.id, login: user.login.parse().ok()?, person: user.kind == "User" })
}

pub(in crate::worker) fn moment(text: Option<&str>) -> Timestamp {
    let parsed = text.and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    Timestamp(parsed.map_or(0, |at| at.timestamp_millis()))
}
