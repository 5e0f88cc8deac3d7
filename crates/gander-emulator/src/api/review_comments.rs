//! Comments on lines of a pull request, and replies to them.

use serde_json::Value;

use super::issues::check_texts;
use super::pulls::pull;
use super::reviews::{commit_of, find, spot};
use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::Trouble;
use crate::acts::{self, NewReview, Note};
use crate::level::Level;
use crate::shapes::reviews as shapes;
use crate::state::ReviewComment;

const READ: Access = Access::Scope("pull_requests", Level::Read);
const WRITE: Access = Access::Scope("pull_requests", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews/{id}/comments", READ, of_review),
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/comments", READ, list),
    route("POST", "/repos/{owner}/{repo}/pulls/{number}/comments", WRITE, create),
    route("POST", "/repos/{owner}/{repo}/pulls/{number}/comments/{id}/replies", WRITE, reply),
    route("GET", "/repos/{owner}/{repo}/pulls/comments/{id}", READ, show),
    route("PATCH", "/repos/{owner}/{repo}/pulls/comments/{id}", WRITE, update),
];

fn collect(
    call: &Call<'_>,
    wanted: impl Fn(&ReviewComment) -> bool,
) -> Result<Vec<Value>, Refusal> {
    let known = call.repository()?;
    let found = known.review_comments.values().filter(|comment| wanted(comment));
    Ok(found.map(|comment| shapes::comment(call.state, known, comment)).collect())
}

/// Without `subject_type`, which only the other lists have.
fn of_review(call: &mut Call<'_>) -> Outcome {
    let id = find(call)?.id;
    let found = collect(call, |comment| comment.review == id)?;
    Ok(call.page(found))
}

fn list(call: &mut Call<'_>) -> Outcome {
    pull(call)?;
    let number = call.number("number")?;
    let since =
        call.query("since").and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let since = since.map_or(i64::MIN, |since| since.timestamp_millis());
    let wanted = |one: &ReviewComment| one.pull == number && one.updated_at >= since;
    let mut found = collect(call, wanted)?;
    if call.query("sort").is_some() && call.query("direction") != Some("asc") {
        found.reverse();
    }
    Ok(call.page(found))
}

fn shape(call: &Call<'_>, id: u64) -> Result<Value, Refusal> {
    let known = call.repository()?;
    let comment = known.review_comments.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(shapes::comment(call.state, known, comment))
}

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shape(call, call.number("id")?)?))
}

fn text(call: &Call<'_>) -> Result<String, Refusal> {
    let body = call.required("body")?;
    check_texts("PullRequestReviewComment", None, Some(&body))?;
    if body.trim().is_empty() {
        return Err(Refusal::custom("PullRequestReviewComment", "body can't be blank"));
    }
    Ok(body)
}

/// One comment, in a review of its own.
fn create(call: &mut Call<'_>) -> Outcome {
    pull(call)?;
    let (number, body, actor) = (call.number("number")?, text(call)?, call.actor()?);
    if let Some(to) = call.body["in_reply_to"].as_u64() {
        return answer_to(call, to, &body);
    }
    let sha = call.required("commit_id")?;
    let notes = vec![Note { spot: spot(&call.body)?, body }];
    let commit = commit_of(call, Some(sha))?;
    let verdict = "COMMENTED";
    let new = NewReview { author: actor, verdict, body: String::new(), commit, notes };
    let review = match acts::review(call.state, call.repository_id(), number, new) {
        Ok(review) => review,
        Err(Trouble::Refused(_)) => {
            let words = "pull_request_review_thread.line must be part of the diff";
            return Err(Refusal::custom("PullRequestReviewComment", words));
        }
        Err(other) => return Err(other.into()),
    };
    let mut comments = call.repository()?.review_comments.values();
    let id = comments.find(|comment| comment.review == review).map(|comment| comment.id);
    Ok(Answer::created_at(shape(call, id.ok_or_else(Refusal::not_found)?)?))
}

fn reply(call: &mut Call<'_>) -> Outcome {
    let (id, body) = (call.number("id")?, text(call)?);
    answer_to(call, id, &body)
}

/// Replies to a comment of the pull request that the path names, not to a reply.
fn answer_to(call: &mut Call<'_>, id: u64, body: &str) -> Outcome {
    let (number, actor) = (call.number("number")?, call.actor()?);
    let comment = call.repository()?.review_comments.get(&id);
    let fits = |one: &&ReviewComment| one.pull == number && one.in_reply_to.is_none();
    comment.filter(fits).ok_or_else(Refusal::not_found)?;
    let reply = acts::reply(call.state, call.repository_id(), id, actor, body)?;
    Ok(Answer::created_at(shape(call, reply)?))
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (id, actor) = (call.number("id")?, Some(call.actor()?));
    shape(call, id)?;
    let body = text(call)?;
    acts::edit_review_comment(call.state, call.repository_id(), id, actor, &body)?;
    Ok(Answer::ok(shape(call, id)?))
}
