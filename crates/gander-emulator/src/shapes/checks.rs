//! Check runs, check suites and commit statuses as JSON.

use serde_json::{Value, json};

use super::{
    app, commits, moment, node_id, optional_moment, pulls, repository_page, repository_url, user,
    web,
};
use crate::state::{CheckRun, CheckSuite, Repository, State, Status};

pub(crate) fn run(state: &State, repository: &Repository, run: &CheckRun) -> Value {
    let id = repository.id;
    let url = repository_url(state, id, &format!("/check-runs/{}", run.id));
    let page = repository_page(state, id, &format!("/runs/{}", run.id));
    let slug = state.apps.get(&run.app).map(|app| app.slug.clone()).unwrap_or_default();
    let details = run.details_url.clone();
    json!({
        "id": run.id,
        "name": run.name,
        "node_id": node_id("CheckRun", run.id),
        "head_sha": run.head_sha,
        "external_id": run.external_id.clone().unwrap_or_default(),
        "url": url,
        "html_url": page,
        "details_url": details.unwrap_or_else(|| web(state, &format!("/apps/{slug}"))),
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": moment(run.started_at),
        "completed_at": optional_moment(run.completed_at),
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": run.annotations.len(),
            "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": { "id": run.suite },
        "app": state.apps.get(&run.app).map(|known| app(state, known)),
        "pull_requests": pull_requests(state, repository, &run.head_sha),
    })
}

/// What a check run says about lines of a file; what was not given is null.
pub(crate) fn annotation(
    state: &State,
    repository: &Repository,
    run: &CheckRun,
    given: &Value,
) -> Value {
    let path = given["path"].as_str().unwrap_or_default();
    let place = format!("/blob/{}/{}", run.head_sha, commits::escape_path(path));
    let mut shape = json!({ "blob_href": repository_page(state, repository.id, &place) });
    for name in [
        "path",
        "start_line",
        "end_line",
        "start_column",
        "end_column",
        "annotation_level",
        "title",
        "message",
        "raw_details",
    ] {
        shape[name] = given[name].clone();
    }
    shape
}

/// What a suite is, from its newest runs: `queued`, `in_progress` or `completed`, and how it ended.
pub(crate) fn standing(
    repository: &Repository,
    suite: u64,
) -> (&'static str, Option<&'static str>) {
    let runs = repository.latest_in_suite(suite);
    if runs.is_empty() {
        return ("queued", None);
    }
    if runs.iter().any(|run| run.status != "completed") {
        return ("in_progress", None);
    }
    let ended = |word: &str| runs.iter().any(|run| run.conclusion.as_deref() == Some(word));
    let conclusion = ["failure", "timed_out", "cancelled", "action_required"]
        .into_iter()
        .find(|word| ended(word))
        .unwrap_or(if ended("success") { "success" } else { "neutral" });
    ("completed", Some(conclusion))
}

pub(crate) fn suite(state: &State, repository: &Repository, suite: &CheckSuite) -> Value {
    let url = repository_url(state, repository.id, &format!("/check-suites/{}", suite.id));
    let (status, conclusion) = standing(repository, suite.id);
    let commit = repository.git.commit(&suite.head_sha).ok();
    let before = commit.as_ref().and_then(|commit| commit.parents.first().cloned());
    let runs = repository.latest_in_suite(suite.id).len();
    json!({
        "id": suite.id,
        "node_id": node_id("CheckSuite", suite.id),
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": status,
        "conclusion": conclusion,
        "url": url,
        "before": before,
        "after": suite.head_sha,
        "pull_requests": pull_requests(state, repository, &suite.head_sha),
        "app": state.apps.get(&suite.app).map(|known| app(state, known)),
        "created_at": moment(suite.created_at),
        "updated_at": moment(suite.updated_at),
        "latest_check_runs_count": runs,
        "check_runs_url": format!("{url}/check-runs"),
        "head_commit": commit.as_ref().map(commits::simple),
        "repository": super::repository(state, repository.id),
    })
}

/// The open pull requests of this repository whose head is this commit.
pub(super) fn pull_requests(state: &State, repository: &Repository, sha: &str) -> Vec<Value> {
    repository
        .issues
        .values()
        .filter(|issue| issue.open)
        .filter(|issue| {
            issue.pull.as_ref().is_some_and(|pull| {
                pull.head_sha == sha && pull.head_repository == Some(repository.id)
            })
        })
        .filter_map(|issue| pulls::minimal(state, repository, issue))
        .collect()
}

pub(crate) fn status(state: &State, repository: &Repository, status: &Status) -> Value {
    let url = repository_url(state, repository.id, &format!("/statuses/{}", status.sha));
    json!({
        "url": url,
        "avatar_url": web(state, &format!("/avatars/{}", status.creator)),
        "id": status.id,
        "node_id": node_id("StatusContext", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": moment(status.at),
        "updated_at": moment(status.at),
        "creator": user(state, Some(status.creator)),
    })
}
