//! Merging: pull requests, branches, and a base into its pull request.

use serde_json::json;

use super::pulls::pull;
use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::acts::{self, Merge, MergeWish, Merged};
use crate::level::Level;
use crate::shapes::{commits, repository_url};
use crate::{Trouble, rules};

const WRITE: Access = Access::Scope("contents", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge", WRITE, merge),
    route(
        "GET",
        "/repos/{owner}/{repo}/pulls/{number}/merge",
        Access::Scope("pull_requests", Level::Read),
        is_merged,
    ),
    route(
        "PUT",
        "/repos/{owner}/{repo}/pulls/{number}/update-branch",
        Access::Scope("pull_requests", Level::Write),
        update,
    ),
    route("POST", "/repos/{owner}/{repo}/merges", WRITE, merge_branches),
];

fn is_merged(call: &mut Call<'_>) -> Outcome {
    match pull(call)?.merged_at {
        Some(_) => Ok(Answer::nothing()),
        None => Err(Refusal::not_found()),
    }
}

/// An App without the permission `workflows` may not bring in what runs on its behalf.
fn guard_workflows(call: &Call<'_>, base: &str, head: &str) -> Result<(), Refusal> {
    if call.token().is_none_or(|token| token.allows("workflows", Level::Write)) {
        return Ok(());
    }
    let git = &call.repository()?.git;
    let start = git.merge_base(base, head).unwrap_or_else(|| base.to_owned());
    let inside = |path: &str| path.starts_with(".github/workflows/");
    for change in git.diff(&start, head)? {
        if inside(&change.path) || change.previous.as_deref().is_some_and(inside) {
            return Err(Refusal::forbidden("workflows", Level::Write));
        }
    }
    Ok(())
}

fn merge(call: &mut Call<'_>) -> Outcome {
    let (repository, number, actor) = (call.repository_id(), call.number("number")?, call.actor()?);
    let known = pull(call)?;
    let (head, base) = (known.head_sha.clone(), known.base_sha.clone());
    if call.text("sha").is_some_and(|sha| sha != head) {
        let words = "Head branch was modified. Review and try the merge again.";
        return Err(Refusal::new(409, words));
    }
    let how = match call.body["merge_method"].as_str() {
        None | Some("merge") => Merge::Commit,
        Some("squash") => Merge::Squash,
        Some("rebase") => Merge::Rebase,
        Some(_) => return Err(Refusal::invalid("PullRequest", "merge_method")),
    };
    guard_workflows(call, &base, &head)?;
    let (title, message) = (call.text("commit_title"), call.text("commit_message"));
    match acts::merge(call.state, repository, number, actor, MergeWish { how, title, message }) {
        Ok(sha) => {
            let message = "Pull Request successfully merged";
            Ok(Answer::ok(json!({ "sha": sha, "merged": true, "message": message })))
        }
        Err(Trouble::Refused(words)) => Err(Refusal::new(405, &words)),
        Err(other) => Err(other.into()),
    }
}

fn merge_branches(call: &mut Call<'_>) -> Outcome {
    let (base, head, actor) = (call.required("base")?, call.required("head")?, call.actor()?);
    let known = call.filled_repository()?;
    let tip = known.refs.get(&format!("refs/heads/{base}")).cloned();
    let tip = tip.ok_or_else(|| Refusal::new(404, "Base does not exist"))?;
    let from = known.git.resolve(&head, "commit");
    let from = from.ok_or_else(|| Refusal::new(404, "Head does not exist"))?;
    // The merge commit has no checks yet, whatever its parents have.
    if let Some(words) = rules::why_no_push(known, &base, "") {
        return Err(Refusal::new(403, &words));
    }
    guard_workflows(call, &tip, &from)?;
    let message = call.text("commit_message");
    match acts::merge_branches(call.state, call.repository_id(), actor, (&base, &head), message)? {
        Merged::Nothing => Ok(Answer::nothing()),
        Merged::Conflict => Err(Refusal::new(409, "Merge conflict")),
        Merged::Commit(sha) => {
            let known = call.repository()?;
            let commit = known.git.commit(&sha)?;
            Ok(Answer::created(commits::full(call.state, known, &commit)?))
        }
    }
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (repository, number, actor) = (call.repository_id(), call.number("number")?, call.actor()?);
    let known = pull(call)?;
    if call.text("expected_head_sha").is_some_and(|sha| sha != known.head_sha) {
        let words = "expected head sha didn't match current head ref.";
        return Err(Refusal::new(422, words));
    }
    if !call.state.issue(repository, number)?.open {
        return Err(Refusal::new(422, "Cannot update a closed pull request"));
    }
    match acts::update_branch(call.state, repository, number, actor)? {
        Merged::Nothing => Err(Refusal::new(422, "There are no new commits on the base branch.")),
        Merged::Conflict => Err(Refusal::new(422, "merge conflict between base and head")),
        Merged::Commit(_) => {
            let url = repository_url(call.state, repository, &format!("/pulls/{number}"));
            let message = "Updating pull request branch.";
            Ok(Answer::json(202, json!({ "message": message, "url": url })))
        }
    }
}
