//! Runs of workflows, their jobs and artifacts as JSON, and what a run's expressions see.

use serde_json::{Map, Value, json};

use super::{
    api, checks, commits, moment, node_id, optional_moment, repository, repository_page,
    repository_url, user,
};
use crate::state::{Artifact, Job, Repository, State, WorkflowRun};
use crate::workflow::{Sight, Standing};

/// The number of a workflow: GitHub's comes from its file, too.
pub(crate) fn workflow_id(path: &str) -> u64 {
    // FNV-1a, short enough for a number in JSON.
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    u64::from(path.bytes().fold(2_166_136_261, fold))
}

pub(crate) fn run(state: &State, known: &Repository, run: &WorkflowRun) -> Value {
    let id = known.id;
    let url = repository_url(state, id, &format!("/actions/runs/{}", run.id));
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
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": workflow_id(&run.path),
        "url": url,
        "html_url": repository_page(state, id, &format!("/actions/runs/{}", run.id)),
        "pull_requests": checks::pull_requests(state, known, &run.head_sha),
        "created_at": moment(run.created_at),
        "updated_at": moment(run.updated_at),
        "run_started_at": moment(run.started_at),
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
    let steps: Vec<Value> = job
        .steps
        .iter()
        .zip(1..)
        .map(|(step, number)| {
            json!({
                "name": step.name,
                "number": number,
                "status": "completed",
                "conclusion": step.conclusion,
                "started_at": moment(job.started_at),
                "completed_at": optional_moment(job.completed_at),
            })
        })
        .collect();
    let page = format!("/actions/runs/{}/job/{}", run.id, job.id);
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_url": repository_url(state, id, &format!("/actions/runs/{}", run.id)),
        "run_attempt": job.attempt,
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
        "steps": steps,
        "check_run_url": repository_url(state, id, &format!("/check-runs/{}", job.id)),
        "labels": [job.runs_on],
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

pub(crate) fn artifact(
    state: &State,
    repository: &Repository,
    run: &WorkflowRun,
    artifact: &Artifact,
) -> Value {
    /// Artifacts are kept for ninety days.
    const LIFE: i64 = 90 * 24 * 3_600_000;
    let url = repository_url(state, repository.id, &format!("/actions/artifacts/{}", artifact.id));
    json!({
        "id": artifact.id,
        "node_id": node_id("Artifact", artifact.id),
        "name": artifact.name,
        "size_in_bytes": artifact.size(),
        "url": url,
        "archive_download_url": format!("{url}/zip"),
        "expired": false,
        "created_at": moment(artifact.created_at),
        "expires_at": moment(artifact.created_at + LIFE),
        "updated_at": moment(artifact.created_at),
        "digest": format!("sha256:{}", artifact.digest),
        "workflow_run": {
            "id": run.id,
            "repository_id": repository.id,
            "head_repository_id": repository.id,
            "head_branch": run.head_branch,
            "head_sha": run.head_sha,
        },
    })
}

/// What every expression of a run sees: `github`, without what belongs to a job, and `inputs`.
pub(crate) fn sight(state: &State, repository: &Repository, run: &WorkflowRun) -> Sight {
    let name = state.full_name(repository);
    let reference = run.reference();
    let short = reference.trim_start_matches("refs/heads/").trim_start_matches("refs/pull/");
    let (base, head) = match &run.merge {
        Some(merge) => (&*merge.base_branch, run.head_branch.as_deref().unwrap_or_default()),
        None => ("", ""),
    };
    let web = state.web.as_str().trim_end_matches('/');
    let github = json!({
        "actor": state.login(Some(run.actor)),
        "actor_id": run.actor.to_string(),
        "api_url": api(state, ""),
        "base_ref": base,
        "event": run.payload,
        "event_name": run.event,
        "graphql_url": format!("{web}/api/graphql"),
        "head_ref": head,
        "ref": reference,
        "ref_name": short,
        "ref_protected": false,
        "ref_type": "branch",
        "repository": name,
        "repository_id": repository.id.to_string(),
        "repository_owner": state.login(Some(repository.owner)),
        "repository_owner_id": repository.owner.to_string(),
        "repository_visibility": if repository.private { "private" } else { "public" },
        "retention_days": "90",
        "run_attempt": run.attempt.to_string(),
        "run_id": run.id.to_string(),
        "run_number": run.number.to_string(),
        "server_url": web,
        "sha": run.commit(),
        "triggering_actor": state.login(Some(run.actor)),
        "workflow": run.name,
        "workflow_ref": format!("{name}/{}@{reference}", run.path),
        "workflow_sha": run.commit(),
    });
    let mut contexts = Map::new();
    contexts.insert("github".to_owned(), github);
    contexts.insert("inputs".to_owned(), json!(run.inputs));
    Sight { contexts, standing: Standing::default() }
}
