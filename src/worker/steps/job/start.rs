//! A round after the first: what it is about, and its answers.
//!
//! Invariants: only words of people with write access, or of those whom such a person has taken up,
//! reach the model.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::core::checks::CheckState;
use crate::core::github::{Actor, RepoRef, Role};
use crate::core::id::{Number, ReviewId, Timestamp, UserId};
use crate::core::job::{Base, Cause, Job, JobFact, Round, Thread};
use crate::core::text::boxed;
use crate::forge::payload::{Review, ReviewComment};
use crate::forge::{ReportedCheck, actor, moment};
use crate::verify::distill;
use crate::worker::budget::{cannot_pay, round_budget};
use crate::worker::steps::job::{permission_lost, rules_and_base};
use crate::worker::{Context, WorkError};

/// Who is heard; of some only what was said up to then.
type Heard = BTreeMap<UserId, Option<Timestamp>>;

/// Characters of a check's log that the model gets to see.
const LOG_CAP: usize = 12_000;

/// Reads what a round is about.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    round: u32,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let now = round_of(job)?;
    let pull = job.pull.as_ref().ok_or_else(|| WorkError::bug("a round without a pull request"))?;
    let asker = Actor { id: now.by_id, login: now.login.clone(), person: true };
    let has = ctx.forge.permission(&job.repo, &asker).await?;
    let refused = match permission_lost(&asker, rules, has) {
        None => cannot_pay(ctx, job, rules).await?,
        lost => lost,
    };
    if let Some(why) = refused {
        return Ok(JobFact::RoundRefused { round, why });
    }
    let detail = ctx.forge.pull(&job.repo, pull.number).await?;
    let Some(detail) = detail else {
        return Ok(JobFact::Closed { by: None, merged: false });
    };
    if detail.state != "open" {
        let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
        return Ok(JobFact::Closed { by, merged: detail.merged });
    }
    let (task, threads) = match &now.cause {
        Cause::People => asked_for(ctx, job, now, pull.number).await?,
        Cause::Update { .. } => return Err(WorkError::bug("an update is begun elsewhere")),
        Cause::Ci { check, green_on_base } => {
            (red_check(ctx, job, check, *green_on_base).await?, Vec::new())
        }
    };
    ctx.mirror(job, &detail.head.sha).await?;
    let budget = job.spent + round_budget(ctx, job, rules);
    let base = Base { branch: base.branch.clone(), sha: detail.head.sha };
    Ok(JobFact::RoundReady { round, base, task, threads, budget })
}

/// What people asked for: words, reviews, and threads with the code they stand on.
async fn asked_for(
    ctx: &Context,
    job: &Job,
    round: &Round,
    number: Number,
) -> Result<(String, Vec<Thread>), WorkError> {
    let forge = &ctx.forge;
    let (reviews, comments, open) = tokio::try_join!(
        forge.reviews(&job.repo, number),
        forge.review_comments(&job.repo, number),
        forge.threads(&job.repo, number)
    )?;
    let mut text = String::new();
    for words in &round.words {
        let _ = write!(text, "A maintainer asks:\n{words}\n\n");
    }
    let heard = heard(ctx, job, round, &reviews, &comments).await?;
    let of_round = |review: &&Review| round.reviews.contains(&ReviewId(review.id));
    for review in reviews.iter().filter(of_round) {
        let body = review.body.as_deref().unwrap_or_default().trim();
        if !body.is_empty() && words_count(ctx, &job.repo, review, &heard).await? {
            let _ = write!(text, "A reviewer says:\n{body}\n\n");
        }
    }
    let mut threads = Vec::new();
    for thread in open.iter().filter(|thread| !thread.is_resolved) {
        let Some(first) = thread.first() else { continue };
        let said: Vec<&ReviewComment> = comments
            .iter()
            .filter(|it| it.thread() == first)
            .filter(|it| is_heard(&heard, it))
            .collect();
        let in_review = said.iter().any(|it| {
            it.pull_request_review_id.is_some_and(|id| round.reviews.contains(&ReviewId(id)))
        });
        // A command is about everything that is still open.
        if said.is_empty() || (!in_review && round.words.is_empty()) {
            continue;
        }
        let path = thread.path.clone();
        threads.push(Thread { id: thread.id.clone(), comment: first, path });
        let _ = write!(text, "{}", thread_text(threads.len(), &said));
    }
    Ok((text.trim().to_owned(), threads))
}

/// Whose words the model may read: people with write access; of those taken up what stood there
/// when that was said.
async fn heard(
    ctx: &Context,
    job: &Job,
    round: &Round,
    reviews: &[Review],
    comments: &[ReviewComment],
) -> Result<Heard, WorkError> {
    let users = reviews
        .iter()
        .filter_map(|review| actor(review.user.as_ref()))
        .chain(comments.iter().filter_map(|comment| actor(comment.user.as_ref())));
    let people: BTreeMap<UserId, Actor> =
        users.filter(|it| it.person).map(|it| (it.id, it)).collect();
    let mut heard = Heard::new();
    for (id, person) in people {
        if ctx.forge.permission(&job.repo, &person).await? >= Role::Write {
            heard.insert(id, None);
            continue;
        }
        let of_round = round.reviewers.contains(&person.login);
        let taken = job.review.taken.iter().filter(|it| of_round && it.login == person.login);
        if let Some(until) = taken.map(|it| it.until).max() {
            heard.insert(id, Some(until));
        }
    }
    Ok(heard)
}

/// Whether the words of a review are those of somebody heard, as they stood when that was said.
async fn words_count(
    ctx: &Context,
    repo: &RepoRef,
    review: &Review,
    heard: &Heard,
) -> Result<bool, WorkError> {
    let by = review.user.as_ref().and_then(|user| heard.get(&user.id));
    let Some(until) = by else { return Ok(false) };
    let Some(until) = until else { return Ok(true) };
    let edited = ctx.forge.review_edited(repo, review).await?;
    Ok(edited.is_none_or(|at| moment(Some(&at)).is_some_and(|at| at <= *until)))
}

/// What a red check says: its own summary, what it points at, and what matters of its log.
async fn red_check(
    ctx: &Context,
    job: &Job,
    check: &str,
    green_on_base: bool,
) -> Result<String, WorkError> {
    let Some(pull) = &job.pull else { return Ok(String::new()) };
    let states = ctx.forge.checks(&job.repo, &pull.head).await?;
    let red = states.iter().filter(|it| it.name == check && it.state == CheckState::Red);
    let red = red.min_by_key(|it| it.wavered);
    let without = if green_on_base { "green without it" } else { "never ran without it" };
    let text = format!("The check \"{check}\" is red on this change, and {without}.\n");
    let Some(red) = red else { return Ok(text) };
    Ok(text + &told_by(ctx, &job.repo, red).await?)
}

/// What a check says of itself.
pub(in crate::worker) async fn told_by(
    ctx: &Context,
    repo: &RepoRef,
    red: &ReportedCheck,
) -> Result<String, WorkError> {
    let forge = &ctx.forge;
    let mut text = format!("\n{}\n", distill::distill(&red.summary, LOG_CAP / 4));
    if let Some(run) = red.run {
        for line in forge.annotations(repo, run).await? {
            let _ = writeln!(text, "{line}");
        }
        // A log that cannot be had is no reason not to try.
        match forge.check_log(repo, run).await {
            Ok(Some(log)) => {
                let _ = write!(text, "\n{}\n", distill::distill(&log, LOG_CAP));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the log of a check cannot be read"),
        }
    }
    Ok(text)
}

fn is_heard(heard: &Heard, comment: &ReviewComment) -> bool {
    let by = comment.user.as_ref().and_then(|user| heard.get(&user.id));
    by.is_some_and(|until| match (until, comment.updated_at.as_deref()) {
        (None, _) => true,
        (Some(until), Some(at)) => moment(Some(at)).is_some_and(|at| at <= *until),
        (Some(_), None) => false,
    })
}

pub(in crate::worker) fn round_of(job: &Job) -> Result<&Round, WorkError> {
    job.review.round.as_ref().ok_or_else(|| WorkError::bug("a round that is about nothing"))
}

fn thread_text(number: usize, said: &[&ReviewComment]) -> String {
    let mut text = String::new();
    if let Some(first) = said.first() {
        let _ = writeln!(text, "Thread {number}, at {}:", first.place());
        if let Some(hunk) = &first.diff_hunk {
            let lines: Vec<&str> = hunk.lines().collect();
            let shown = &lines[lines.len().saturating_sub(8)..];
            let _ = writeln!(text, "{}", boxed(&shown.join("\n"), usize::MAX));
        }
    }
    for comment in said {
        let _ = writeln!(text, "> {}", comment.body.as_deref().unwrap_or_default().trim());
    }
    text.push('\n');
    text
}
