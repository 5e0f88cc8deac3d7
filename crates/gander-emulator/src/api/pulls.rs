//! Pull requests.

use serde_json::Value;

use super::issues::check_texts;
use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::Trouble;
use crate::acts::{self, NewPull, Presence};
use crate::level::Level;
use crate::shapes::{commits, pulls as shapes};
use crate::state::{Issue, Pull};

const READ: Access = Access::Scope("pull_requests", Level::Read);
const WRITE: Access = Access::Scope("pull_requests", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/pulls", READ, list),
    route("POST", "/repos/{owner}/{repo}/pulls", WRITE, create),
    route("GET", "/repos/{owner}/{repo}/pulls/{number}", READ, show),
    route("PATCH", "/repos/{owner}/{repo}/pulls/{number}", WRITE, update),
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/files", READ, files),
    route("GET", "/repos/{owner}/{repo}/pulls/{number}/commits", READ, list_commits),
];

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let state = call.query("state").unwrap_or("open");
    let head = call.query("head").filter(|head| head.contains(':'));
    let base = call.query("base");
    let wanted = |issue: &Issue, pull: &Pull| {
        let standing = match state {
            "all" => true,
            "closed" => !issue.open,
            _ => issue.open,
        };
        let from = pull.head_repository.and_then(|id| call.state.repositories.get(&id));
        let from = call.state.login(from.map(|from| from.owner));
        let label = format!("{from}:{}", pull.head_branch);
        standing
            && head.is_none_or(|head| head == label)
            && base.is_none_or(|base| base == pull.base_branch)
    };
    let mut found: Vec<Value> = known
        .issues
        .values()
        .filter(|issue| issue.pull.as_ref().is_some_and(|pull| wanted(issue, pull)))
        .filter_map(|issue| shapes::simple(call.state, known, issue))
        .collect();
    if call.query("direction") != Some("asc") {
        found.reverse();
    }
    Ok(call.page(found))
}

fn create(call: &mut Call<'_>) -> Outcome {
    let (head, base) = (call.required("head")?, call.required("base")?);
    let (title, body) = (call.required("title")?, call.text("body"));
    check_texts("PullRequest", Some(&title), body.as_deref())?;
    let here = call.repository_id();
    let (owner, branch) = match head.split_once(':') {
        Some((owner, branch)) => (Some(owner.to_owned()), branch.to_owned()),
        None => (None, head),
    };
    let from = match owner {
        None => here,
        Some(owner) => {
            let same = call.state.login(Some(call.repository()?.owner));
            if owner.eq_ignore_ascii_case(&same) {
                here
            } else {
                let mut forks = call.state.repositories.values();
                let fork = forks.find(|fork| {
                    fork.fork_of == Some(here)
                        && call.state.login(Some(fork.owner)).eq_ignore_ascii_case(&owner)
                });
                fork.ok_or_else(|| Refusal::invalid("PullRequest", "head"))?.id
            }
        }
    };
    let new = NewPull {
        author: call.actor()?,
        title,
        body,
        head_repository: from,
        head_branch: branch,
        base_branch: base,
        draft: call.body["draft"].as_bool().unwrap_or(false),
    };
    match acts::why_no_pull(call.state, here, &new)? {
        None => {}
        Some(("", words)) => return Err(Refusal::custom("PullRequest", &words)),
        Some((field, _)) => return Err(Refusal::invalid("PullRequest", field)),
    }
    let number = acts::open_pull(call.state, here, new)?;
    Ok(Answer::created_at(shape(call, number)?))
}

fn shape(call: &Call<'_>, number: u64) -> Result<Value, Refusal> {
    let issue = call.state.issue(call.repository_id(), number)?;
    Ok(shapes::full(call.state, call.repository()?, issue)?)
}

fn show(call: &mut Call<'_>) -> Outcome {
    let number = call.number("number")?;
    let answer = Answer::ok(shape(call, number)?);
    acts::try_merge(call.state, call.repository_id(), number)?;
    Ok(answer)
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (repository, number) = (call.repository_id(), call.number("number")?);
    let actor = Some(call.actor()?);
    shape(call, number)?;
    let title = call.text("title");
    let body = call.body.get("body").map(|body| body.as_str().map(str::to_owned));
    check_texts("PullRequest", title.as_deref(), body.as_ref().and_then(Option::as_deref))?;
    if let Some(base) = call.text("base") {
        let known = call.repository()?.refs.contains_key(&format!("refs/heads/{base}"));
        if !known || !call.state.issue(repository, number)?.open {
            return Err(Refusal::invalid("PullRequest", "base"));
        }
        acts::retarget(call.state, repository, number, actor, &base)?;
    }
    acts::edit_issue(call.state, repository, number, actor, (title, body))?;
    match call.body["state"].as_str() {
        None => {}
        Some("open") if call.state.issue(repository, number)?.open => {}
        Some("open") => match acts::reopen_pull(call.state, repository, number, actor) {
            Err(Trouble::Refused(words)) => return Err(Refusal::custom("PullRequest", &words)),
            done => done?,
        },
        Some("closed") => {
            let closed = Presence::Closed("completed".to_owned());
            acts::set_presence(call.state, repository, number, actor, &closed)?;
        }
        Some(_) => return Err(Refusal::invalid("PullRequest", "state")),
    }
    Ok(Answer::ok(shape(call, number)?))
}

/// The pull request that the path names.
pub(super) fn pull<'c>(call: &'c Call<'_>) -> Result<&'c Pull, Refusal> {
    let issue = call.state.issue(call.repository_id(), call.number("number")?)?;
    issue.pull.as_ref().ok_or_else(Refusal::not_found)
}

fn files(call: &mut Call<'_>) -> Outcome {
    let (known, pull) = (call.repository()?, pull(call)?);
    let start = known.git.merge_base(&pull.base_sha, &pull.head_sha);
    let start = start.unwrap_or_else(|| pull.base_sha.clone());
    let changes = known.git.diff(&start, &pull.head_sha)?;
    Ok(call.page(commits::files(call.state, known, &pull.head_sha, &changes)))
}

fn list_commits(call: &mut Call<'_>) -> Outcome {
    let (known, pull) = (call.repository()?, pull(call)?);
    let mut found = Vec::new();
    for sha in known.git.commits_between(&pull.base_sha, &pull.head_sha)? {
        found.push(commits::listed(call.state, known, &known.git.commit(&sha)?));
    }
    Ok(call.page(found))
}
