//! Runs of workflows and their jobs as JSON.

use serde_json::{Value, json};

use super::{checks, commits, moment, node_id, optional_moment};
use super::{repository, repository_page, repository_url, user};
use crate::emulator::state::{Job, Repository, State, WorkflowRun};

/// The number of a workflow: GitHub's comes from its file, too.
pub(crate) fn workflow_id(path: &str) -> u64 {
    // FNV-1a, short enough for a number in JSON.
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    u64::from(path.bytes().fold(2_166_136_261, fold))
}

pub(crate) fn run(state: &State, known: &Repository, run: &WorkflowRun) -> Value {
    let id = known.id;
    let url = repository_url(state, id, &format!("/actions/runs/{}", run.id));
    let (status, conclusion) = run.standing();
    let commit = known.git.commit(&run.head_sha).ok();
    let workflow = format!("/actions/workflows/{}", workflow_id(&run.path));
    let mut home = repository(state, id);
    // A run shows a short repository.
    for name in ["allow_forking", "is_template", "web_commit_signoff_required", "visibility"] {
        home.as_object_mut().map(|home| home.remove(name));
    }
    json!({
        "id": run.id,
        "name": run.name,
        "node_id": node_id("WorkflowRun", run.id),
        "check_suite_id": run.suite,
        "check_suite_node_id": node_id("CheckSuite", run.suite),
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "display_title": run.title,
        "run_number": run.number,
        "run_attempt": run.attempt,
        "event": run.event,
        "status": status,
        "conclusion": conclusion,
        "workflow_id": workflow_id(&run.path),
        "url": url,
        "html_url": repository_page(state, id, &format!("/actions/runs/{}", run.id)),
        "pull_requests": checks::pull_requests(state, known, &run.head_sha),
        "created_at": moment(run.created_at),
        "updated_at": moment(run.updated_at),
        "run_started_at": moment(run.created_at),
        "actor": user(state, Some(run.actor)),
        "triggering_actor": user(state, Some(run.actor)),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": repository_url(state, id, &format!("/check-suites/{}", run.suite)),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": repository_url(state, id, &workflow),
        "head_commit": commit.as_ref().map(commits::simple),
        "repository": home,
        "head_repository": home,
    })
}

pub(crate) fn job(state: &State, known: &Repository, run: &WorkflowRun, job: &Job) -> Value {
    let id = known.id;
    let url = repository_url(state, id, &format!("/actions/jobs/{}", job.id));
    let page = format!("/actions/runs/{}/job/{}", run.id, job.id);
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_url": repository_url(state, id, &format!("/actions/runs/{}", run.id)),
        "run_attempt": run.attempt,
        "node_id": node_id("CheckRun", job.id),
        "head_sha": run.head_sha,
        "head_branch": run.head_branch,
        "workflow_name": run.name,
        "url": url,
        "html_url": repository_page(state, id, &page),
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": moment(run.created_at),
        "started_at": moment(job.started_at),
        "completed_at": optional_moment(job.completed_at),
        "name": job.name,
        "steps": [],
        "check_run_url": repository_url(state, id, &format!("/check-runs/{}", job.id)),
        "labels": ["ubuntu-latest"],
        "runner_id": null,
        "runner_name": null,
        "runner_group_id": null,
        "runner_group_name": null,
    })
}

/// The workflow of a run, as webhooks show it.
pub(crate) fn workflow(state: &State, known: &Repository, run: &WorkflowRun) -> Value {
    let (id, number) = (known.id, workflow_id(&run.path));
    let page = format!("/blob/{}/{}", known.default_branch, run.path);
    let file = run.path.rsplit('/').next().unwrap_or_default();
    json!({
        "id": number,
        "node_id": node_id("Workflow", number),
        "name": run.name,
        "path": run.path,
        "state": "active",
        "created_at": moment(known.created_at),
        "updated_at": moment(known.created_at),
        "url": repository_url(state, id, &format!("/actions/workflows/{number}")),
        "html_url": repository_page(state, id, &page),
        "badge_url": repository_page(state, id, &format!("/actions/workflows/{file}/badge.svg")),
    })
}
