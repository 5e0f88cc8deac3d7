//! Reviews of pull requests, and who is asked for one.

use serde_json::{Value, json};

use super::issues::check_texts;
use super::pulls::pull;
use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::Trouble;
use crate::acts::{self, NewReview, Note};
use crate::level::Level;
use crate::shapes::{pulls, reviews as shapes, user};
use crate::state::{Review, Side, Spot};

const READ: Access = Access::Scope("pull_requests", Level::Read);
const WRITE: Access = Access::Scope("pull_requests", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews", READ, list),
    route("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews", WRITE, create),
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews/{id}", READ, show),
    route("PUT", "/repos/{owner}/{repo}/pulls/{number}/reviews/{id}", WRITE, update),
    route("PUT", "/repos/{owner}/{repo}/pulls/{number}/reviews/{id}/dismissals", WRITE, dismiss),
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", READ, reviewers),
    route("POST", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", WRITE, ask),
    route("DELETE", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", WRITE, unask),
];

fn list(call: &mut Call<'_>) -> Outcome {
    pull(call)?;
    let (known, number) = (call.repository()?, call.number("number")?);
    let mine = known.reviews.iter().filter(|review| review.pull == number);
    Ok(call.page(mine.map(|review| shapes::review(call.state, known, review)).collect()))
}

/// The review that the path names, of the pull request that it names.
pub(super) fn find<'c>(call: &'c Call<'_>) -> Result<&'c Review, Refusal> {
    let (number, id) = (call.number("number")?, call.number("id")?);
    let mut all = call.repository()?.reviews.iter();
    let found = all.find(|review| review.id == id && review.pull == number);
    found.ok_or_else(Refusal::not_found)
}

fn shape(call: &Call<'_>, id: u64) -> Result<Value, Refusal> {
    let known = call.repository()?;
    let review = known.reviews.iter().find(|review| review.id == id);
    Ok(shapes::review(call.state, known, review.ok_or_else(Refusal::not_found)?))
}

fn show(call: &mut Call<'_>) -> Outcome {
    let id = find(call)?.id;
    Ok(Answer::ok(shape(call, id)?))
}

/// Which lines a comment of the body names.
pub(super) fn spot(given: &Value) -> Result<Spot, Refusal> {
    let side = |name: &str| match given[name].as_str() {
        None | Some("RIGHT") => Ok(Side::Right),
        Some("LEFT") => Ok(Side::Left),
        Some(_) => Err(Refusal::invalid("PullRequestReviewComment", "side")),
    };
    if given["position"].is_u64() {
        return Err(Refusal::new(501, "The emulator knows comments by line only, not by position"));
    }
    let path = given["path"].as_str().ok_or_else(|| Refusal::missing("path"))?;
    let line = given["line"].as_u64().ok_or_else(|| Refusal::missing("line"))?;
    let start_line = given["start_line"].as_u64();
    Ok(Spot { path: path.to_owned(), line, side: side("side")?, start_line })
}

fn create(call: &mut Call<'_>) -> Outcome {
    pull(call)?;
    let (number, body) = (call.number("number")?, call.text("body").unwrap_or_default());
    check_texts("PullRequestReview", None, Some(&body))?;
    let mut notes = Vec::new();
    for given in call.body["comments"].as_array().into_iter().flatten() {
        let body = given["body"].as_str().ok_or_else(|| Refusal::missing("body"))?.to_owned();
        notes.push(Note { spot: spot(given)?, body });
    }
    let verdict = match call.body["event"].as_str() {
        Some("APPROVE") => "APPROVED",
        Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
        Some("COMMENT") => "COMMENTED",
        None | Some("PENDING") => {
            return Err(Refusal::new(501, "The emulator has no pending reviews"));
        }
        Some(_) => return Err(Refusal::invalid("PullRequestReview", "event")),
    };
    if body.trim().is_empty() && notes.is_empty() && verdict != "APPROVED" {
        return Err(unprocessable("Review body can not be blank"));
    }
    let commit = commit_of(call, call.text("commit_id"))?;
    let new = NewReview { author: call.actor()?, verdict, body, commit, notes };
    match acts::review(call.state, call.repository_id(), number, new) {
        Ok(id) => Ok(Answer::ok(shape(call, id)?)),
        Err(Trouble::Refused(words)) => Err(unprocessable(&words)),
        Err(other) => Err(other.into()),
    }
}

/// The commit that was reviewed, which must be one of the pull request.
pub(super) fn commit_of(call: &Call<'_>, given: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(sha) = given else { return Ok(None) };
    let (known, pull) = (call.repository()?, pull(call)?);
    let full = known.git.resolve(&sha, "commit").filter(|full| *full == sha);
    let inside = |sha: &String| known.git.is_ancestor(sha, &pull.head_sha);
    match full.filter(inside) {
        Some(sha) => Ok(Some(sha)),
        None => {
            Err(Refusal::custom("PullRequestReview", "commit_id is not part of the pull request"))
        }
    }
}

/// How GitHub refuses what concerns a review.
pub(super) fn unprocessable(words: &str) -> Refusal {
    Refusal::plain("Unprocessable Entity", words)
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (id, body, actor) = (find(call)?.id, call.required("body")?, call.actor()?);
    check_texts("PullRequestReview", None, Some(&body))?;
    acts::edit_review(call.state, call.repository_id(), id, Some(actor), &body)?;
    Ok(Answer::ok(shape(call, id)?))
}

fn dismiss(call: &mut Call<'_>) -> Outcome {
    let (id, actor) = (find(call)?.id, call.actor()?);
    call.required("message")?;
    match acts::dismiss_review(call.state, call.repository_id(), id, Some(actor)) {
        Ok(()) => Ok(Answer::ok(shape(call, id)?)),
        Err(Trouble::Refused(words)) => Err(unprocessable(&words)),
        Err(other) => Err(other.into()),
    }
}

fn reviewers(call: &mut Call<'_>) -> Outcome {
    let asked = &pull(call)?.requested_reviewers;
    let users: Vec<_> = asked.iter().map(|id| user(call.state, Some(*id))).collect();
    Ok(Answer::ok(json!({ "users": users, "teams": [] })))
}

/// Only those with a role can be asked, and never the author.
fn ask(call: &mut Call<'_>) -> Outcome {
    let (repository, number, actor) = (call.repository_id(), call.number("number")?, call.actor()?);
    pull(call)?;
    let author = call.state.issue(repository, number)?.author;
    let mut asked = Vec::new();
    for login in call.texts("reviewers") {
        let account = call.state.account_named(&login).map(|account| account.id);
        if account.is_some() && account == author {
            let words = "Review cannot be requested from pull request author.";
            return Err(Refusal::new(422, words));
        }
        let known = call.repository()?;
        let fits = account.filter(|id| known.owner == *id || known.roles.contains_key(id));
        let words = "Reviews may only be requested from collaborators. One or more of the users \
                     or teams you specified is not a collaborator of this repository.";
        asked.push(fits.ok_or_else(|| Refusal::new(422, words))?);
    }
    acts::request_reviewers(call.state, repository, number, Some(actor), &asked)?;
    Ok(Answer::created(simple(call, number)?))
}

fn unask(call: &mut Call<'_>) -> Outcome {
    let (repository, number, actor) = (call.repository_id(), call.number("number")?, call.actor()?);
    pull(call)?;
    let logins = call.texts("reviewers");
    let accounts = logins.iter().filter_map(|login| call.state.account_named(login));
    let accounts: Vec<u64> = accounts.map(|account| account.id).collect();
    acts::unrequest_reviewers(call.state, repository, number, Some(actor), &accounts)?;
    Ok(Answer::ok(simple(call, number)?))
}

fn simple(call: &Call<'_>, number: u64) -> Result<Value, Refusal> {
    let issue = call.state.issue(call.repository_id(), number)?;
    let shape = pulls::simple(call.state, call.repository()?, issue);
    shape.ok_or_else(Refusal::not_found)
}
