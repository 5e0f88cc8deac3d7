//! Runs of workflows, their jobs and logs.

use serde_json::Value;

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, counted, route};
use crate::emulator::level::Level;
use crate::emulator::shapes::{self, runs as run_shapes};
use crate::emulator::state::{Job, WorkflowRun};

const READ: Access = Access::Scope("actions", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/actions/runs", READ, list),
    route("GET", "/repos/{owner}/{repo}/actions/runs/{id}", READ, show),
    route("GET", "/repos/{owner}/{repo}/actions/runs/{id}/jobs", READ, jobs),
    route("GET", "/repos/{owner}/{repo}/actions/jobs/{id}", READ, show_job),
    route("GET", "/repos/{owner}/{repo}/actions/jobs/{id}/logs", READ, logs),
];

/// Newest first.
fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let asked = |name: &str, value: &str| call.query(name).is_none_or(|asked| asked == value);
    let wanted = |run: &&WorkflowRun| {
        let (status, conclusion) = run.standing();
        let ends = call.query("status").is_none_or(|asked| {
            asked == status || conclusion.is_some_and(|conclusion| conclusion == asked)
        });
        ends && asked("head_sha", &run.head_sha)
            && asked("branch", run.head_branch.as_deref().unwrap_or_default())
            && asked("event", &run.event)
            && asked("actor", &call.state.login(Some(run.actor)))
            && asked("check_suite_id", &run.suite.to_string())
    };
    let found: Vec<Value> = known
        .runs
        .iter()
        .rev()
        .filter(wanted)
        .map(|run| run_shapes::run(call.state, known, run))
        .collect();
    Ok(counted(call, "workflow_runs", found))
}

fn find<'c>(call: &'c Call<'_>) -> Result<&'c WorkflowRun, Refusal> {
    let id = call.number("id")?;
    call.repository()?.runs.iter().find(|run| run.id == id).ok_or_else(Refusal::not_found)
}

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(run_shapes::run(call.state, call.repository()?, find(call)?)))
}

fn jobs(call: &mut Call<'_>) -> Outcome {
    let (known, run) = (call.repository()?, find(call)?);
    let all = run.jobs.iter().map(|job| run_shapes::job(call.state, known, run, job)).collect();
    Ok(counted(call, "jobs", all))
}

fn find_job<'c>(call: &'c Call<'_>) -> Result<(&'c WorkflowRun, &'c Job), Refusal> {
    let id = call.number("id")?;
    let mut all =
        call.repository()?.runs.iter().flat_map(|run| run.jobs.iter().map(move |job| (run, job)));
    all.find(|(_, job)| job.id == id).ok_or_else(Refusal::not_found)
}

fn show_job(call: &mut Call<'_>) -> Outcome {
    let (run, job) = find_job(call)?;
    Ok(Answer::ok(run_shapes::job(call.state, call.repository()?, run, job)))
}

/// A log is there once its job has ended; it lies elsewhere, for a minute.
fn logs(call: &mut Call<'_>) -> Outcome {
    let (_, job) = find_job(call)?;
    if job.status != "completed" {
        return Err(Refusal::not_found());
    }
    let (log, now) = (job.log.clone().into_bytes(), call.state.now());
    let path = call.state.downloads.offer("text/plain; charset=utf-8", log, now);
    let place = shapes::web(call.state, &path);
    let headers = vec![("location".to_owned(), place)];
    Ok(Answer { status: 302, headers, content: Content::Empty })
}
