//! Comments on issues and pull requests, and reactions to both.

use serde_json::Value;

use super::issues::check_texts;
use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::acts;
use crate::level::Level;
use crate::shapes::issues as shapes;
use crate::state::{Comment, Target};

const READ: Access = Access::Thread(Level::Read);
const WRITE: Access = Access::Thread(Level::Write);
const READ_ONE: Access = Access::CommentThread(Level::Read);
const WRITE_ONE: Access = Access::CommentThread(Level::Write);
const READ_LINE: Access = Access::Scope("pull_requests", Level::Read);
const WRITE_LINE: Access = Access::Scope("pull_requests", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/issues/{number}/comments", READ, list),
    route("POST", "/repos/{owner}/{repo}/issues/{number}/comments", WRITE, create),
    route(
        "GET",
        "/repos/{owner}/{repo}/issues/comments",
        Access::Scope("issues", Level::Read),
        list_all,
    ),
    route("GET", "/repos/{owner}/{repo}/issues/comments/{id}", READ_ONE, show),
    route("PATCH", "/repos/{owner}/{repo}/issues/comments/{id}", WRITE_ONE, update),
    route("DELETE", "/repos/{owner}/{repo}/issues/comments/{id}", WRITE_ONE, delete),
    route("GET", "/repos/{owner}/{repo}/issues/{number}/reactions", READ, reactions),
    route("POST", "/repos/{owner}/{repo}/issues/{number}/reactions", WRITE, react),
    route("DELETE", "/repos/{owner}/{repo}/issues/{number}/reactions/{reaction}", WRITE, unreact),
    route("GET", "/repos/{owner}/{repo}/issues/comments/{id}/reactions", READ_ONE, reactions),
    route("POST", "/repos/{owner}/{repo}/issues/comments/{id}/reactions", WRITE_ONE, react),
    route(
        "DELETE",
        "/repos/{owner}/{repo}/issues/comments/{id}/reactions/{reaction}",
        WRITE_ONE,
        unreact,
    ),
    route("GET", "/repos/{owner}/{repo}/pulls/comments/{line}/reactions", READ_LINE, reactions),
    route("POST", "/repos/{owner}/{repo}/pulls/comments/{line}/reactions", WRITE_LINE, react),
];

fn list(call: &mut Call<'_>) -> Outcome {
    let number = call.number("number")?;
    call.state.issue(call.repository_id(), number)?;
    let since = since(call);
    let wanted = |comment: &Comment| comment.issue == number && comment.updated_at >= since;
    let found = collect(call, wanted)?;
    Ok(call.page(found))
}

fn list_all(call: &mut Call<'_>) -> Outcome {
    let since = since(call);
    let found = collect(call, |comment| comment.updated_at >= since)?;
    Ok(call.page(found))
}

fn since(call: &Call<'_>) -> i64 {
    let since =
        call.query("since").and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    since.map_or(i64::MIN, |since| since.timestamp_millis())
}

fn collect(call: &Call<'_>, wanted: impl Fn(&Comment) -> bool) -> Result<Vec<Value>, Refusal> {
    let known = call.repository()?;
    let found = known.comments.values().filter(|comment| wanted(comment));
    Ok(found.map(|comment| shapes::comment(call.state, known, comment)).collect())
}

fn create(call: &mut Call<'_>) -> Outcome {
    let number = call.number("number")?;
    call.state.issue(call.repository_id(), number)?;
    let body = text(call)?;
    let author = Some(call.actor()?);
    let id = acts::comment(call.state, call.repository_id(), number, author, &body)?;
    Ok(Answer::created_at(shape(call, id)?))
}

fn text(call: &Call<'_>) -> Result<String, Refusal> {
    let body = call.required("body")?;
    check_texts("IssueComment", None, Some(&body))?;
    if body.trim().is_empty() {
        return Err(Refusal::custom("IssueComment", "body can't be blank"));
    }
    Ok(body)
}

fn shape(call: &Call<'_>, id: u64) -> Result<Value, Refusal> {
    let known = call.repository()?;
    let comment = known.comments.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(shapes::comment(call.state, known, comment))
}

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shape(call, call.number("id")?)?))
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (id, actor) = (call.number("id")?, Some(call.actor()?));
    shape(call, id)?;
    let body = text(call)?;
    acts::edit_comment(call.state, call.repository_id(), id, actor, &body)?;
    Ok(Answer::ok(shape(call, id)?))
}

fn delete(call: &mut Call<'_>) -> Outcome {
    let (id, actor) = (call.number("id")?, Some(call.actor()?));
    acts::delete_comment(call.state, call.repository_id(), id, actor)?;
    Ok(Answer::nothing())
}

fn target(call: &Call<'_>) -> Result<Target, Refusal> {
    if !call.param("line").is_empty() {
        let id = call.number("line")?;
        let known = call.repository()?.review_comments.get(&id);
        return known.map(|known| Target::ReviewComment(known.id)).ok_or_else(Refusal::not_found);
    }
    if call.param("number").is_empty() {
        let id = call.number("id")?;
        shape(call, id)?;
        return Ok(Target::Comment(id));
    }
    let number = call.number("number")?;
    call.state.issue(call.repository_id(), number)?;
    Ok(Target::Issue(number))
}

fn reactions(call: &mut Call<'_>) -> Outcome {
    let target = target(call)?;
    let content = call.query("content");
    let found = call
        .repository()?
        .reactions
        .iter()
        .filter(|reaction| reaction.target == target)
        .filter(|reaction| content.is_none_or(|content| content == reaction.content))
        .map(|reaction| shapes::reaction(call.state, reaction))
        .collect();
    Ok(call.page(found))
}

fn react(call: &mut Call<'_>) -> Outcome {
    let (target, content, actor) = (target(call)?, call.required("content")?, call.actor()?);
    if !shapes::REACTIONS.contains(&content.as_str()) {
        return Err(Refusal::invalid("Reaction", "content"));
    }
    let (id, new) = acts::react(call.state, call.repository_id(), target, actor, &content)?;
    let known = call.repository()?.reactions.iter().find(|reaction| reaction.id == id);
    let shape = shapes::reaction(call.state, known.ok_or_else(Refusal::not_found)?);
    Ok(if new { Answer::created(shape) } else { Answer::ok(shape) })
}

fn unreact(call: &mut Call<'_>) -> Outcome {
    let (target, id, actor) = (target(call)?, call.number("reaction")?, call.actor()?);
    let known = call.repository()?.reactions.iter().find(|reaction| reaction.id == id);
    let mine = known.is_some_and(|known| known.target == target && known.user == actor);
    if !mine || !acts::unreact(call.state, call.repository_id(), id)? {
        return Err(Refusal::not_found());
    }
    Ok(Answer::nothing())
}
