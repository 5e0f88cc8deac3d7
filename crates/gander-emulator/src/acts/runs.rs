//! The life of workflow runs: queued, begun, and ended job by job.
//!
//! Invariants: each job is a check run of GitHub's own App, in the suite of its run; a job that is
//! run again is a new check run in the same suite, as on GitHub.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::checks::{CheckChange, new_suite, start_check_in, update_check};
use crate::Trouble;
use crate::hooks::{self, Event};
use crate::jobs::actions_app;
use crate::shapes::{repository_page, runs as shapes};
use crate::state::{Artifact, Job, JobStep, State, TestMerge, WorkflowRun};

/// A run to start.
#[derive(Clone, Default)]
pub(crate) struct NewRun {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) event: String,
    pub(crate) payload: Value,
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) head_branch: Option<String>,
    pub(crate) head_sha: String,
    pub(crate) merge: Option<TestMerge>,
    pub(crate) actor: u64,
}

/// How a job ended.
pub(crate) struct JobEnded {
    pub(crate) conclusion: String,
    pub(crate) steps: Vec<JobStep>,
    pub(crate) log: String,
    pub(crate) annotations: Vec<Value>,
}

/// What a run looks like before it begins.
pub(crate) fn draft_run(
    state: &mut State,
    repository: u64,
    new: NewRun,
) -> Result<WorkflowRun, Trouble> {
    let app = actions_app(state);
    let (id, now) = (state.ids.workflow_run(), state.now());
    let suite = new_suite(state, repository, app, &new.head_sha, new.head_branch.as_deref())?;
    let known = state.repository(repository)?;
    let number = known.runs.iter().filter(|run| run.path == new.path).count() as u64 + 1;
    Ok(WorkflowRun {
        id,
        name: new.name,
        path: new.path,
        title: new.title,
        event: new.event,
        payload: new.payload,
        inputs: new.inputs,
        head_branch: new.head_branch,
        head_sha: new.head_sha,
        merge: new.merge,
        number,
        attempt: 1,
        actor: new.actor,
        suite,
        status: "queued".to_owned(),
        conclusion: None,
        jobs: Vec::new(),
        created_at: now,
        started_at: now,
        updated_at: now,
    })
}

/// Puts a run at the end of the queue.
pub(crate) fn queue_run(
    state: &mut State,
    repository: u64,
    run: WorkflowRun,
) -> Result<u64, Trouble> {
    let id = run.id;
    state.repository_mut(repository)?.runs.push(run);
    announce_run(state, repository, id, "requested")?;
    Ok(id)
}

/// Starts a run with all its jobs, which nobody runs for real; says its number.
pub(crate) fn start_run(
    state: &mut State,
    repository: u64,
    new: NewRun,
    jobs: &[&str],
) -> Result<u64, Trouble> {
    let run = draft_run(state, repository, new)?;
    let id = queue_run(state, repository, run)?;
    set_in_progress(state, repository, id)?;
    for name in jobs {
        begin_job(state, repository, id, name, "ubuntu-latest")?;
    }
    announce_run(state, repository, id, "in_progress")?;
    Ok(id)
}

/// Somebody runs jobs of a run again that is over.
pub(crate) fn rerun_jobs(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: u64,
    jobs: &[&str],
) -> Result<(), Trouble> {
    let now = state.now();
    let run = find_run(state, repository, id)?;
    if run.status != "completed" {
        return Err(Trouble::Refused("This workflow run is already running".to_owned()));
    }
    if let Some(name) = jobs.iter().find(|name| !run.jobs.iter().any(|job| job.name == **name)) {
        return Err(Trouble::unknown("job", name));
    }
    "in_progress".clone_into(&mut run.status);
    (run.conclusion, run.attempt) = (None, run.attempt + 1);
    (run.started_at, run.updated_at) = (now, now);
    let text = format!("ran workflow {} again", run.name);
    state.tell(repository, Some(actor), text);
    for name in jobs {
        begin_job(state, repository, id, name, "ubuntu-latest")?;
    }
    announce_run(state, repository, id, "in_progress")
}

/// A run that was queued begins.
pub(crate) fn begin_run(state: &mut State, repository: u64, id: u64) -> Result<(), Trouble> {
    set_in_progress(state, repository, id)?;
    announce_run(state, repository, id, "in_progress")
}

fn set_in_progress(state: &mut State, repository: u64, id: u64) -> Result<(), Trouble> {
    let now = state.now();
    let run = find_run(state, repository, id)?;
    "in_progress".clone_into(&mut run.status);
    (run.started_at, run.updated_at) = (now, now);
    let (actor, text) = (run.actor, format!("started workflow {}", run.name));
    state.tell(repository, Some(actor), text);
    Ok(())
}

/// A job of a run begins; says its number.
pub(crate) fn begin_job(
    state: &mut State,
    repository: u64,
    run: u64,
    name: &str,
    runs_on: &str,
) -> Result<u64, Trouble> {
    let started_at = state.now();
    let known = find_run(state, repository, run)?;
    let (suite, attempt) = (known.suite, known.attempt);
    let page = repository_page(state, repository, &format!("/actions/runs/{run}"));
    let change = CheckChange {
        name: Some(name.to_owned()),
        status: Some("in_progress".to_owned()),
        details_url: Some(page),
        ..CheckChange::default()
    };
    let id = start_check_in(state, repository, suite, change)?;
    find_run(state, repository, run)?.jobs.push(Job {
        id,
        name: name.to_owned(),
        attempt,
        runs_on: runs_on.to_owned(),
        status: "in_progress".to_owned(),
        conclusion: None,
        started_at,
        completed_at: None,
        steps: Vec::new(),
        log: String::new(),
    });
    Ok(id)
}

/// Ends a job of a run that nobody runs for real, and with the last one the run.
pub(crate) fn end_job(
    state: &mut State,
    repository: u64,
    run: u64,
    name: &str,
    end: JobEnded,
) -> Result<(), Trouble> {
    let mut jobs = find_run(state, repository, run)?.jobs.iter();
    let job = jobs.find(|job| job.name == name && job.status != "completed");
    let job = job.ok_or_else(|| Trouble::unknown("job", name))?.id;
    finish_job(state, repository, run, job, end)?;
    match find_run(state, repository, run)?.verdict() {
        Some(word) => finish_run(state, repository, run, word),
        None => Ok(()),
    }
}

/// A job is over.
pub(crate) fn finish_job(
    state: &mut State,
    repository: u64,
    run: u64,
    id: u64,
    end: JobEnded,
) -> Result<(), Trouble> {
    let now = state.now();
    let known = find_run(state, repository, run)?;
    known.updated_at = now;
    let job = known.jobs.iter_mut().find(|job| job.id == id);
    let job = job.ok_or_else(|| Trouble::unknown("job", id))?;
    "completed".clone_into(&mut job.status);
    job.conclusion = Some(end.conclusion.clone());
    (job.completed_at, job.steps, job.log) = (Some(now), end.steps, end.log);
    let change = CheckChange {
        conclusion: Some(end.conclusion),
        annotations: end.annotations,
        ..CheckChange::default()
    };
    update_check(state, repository, id, change)
}

/// A run is over.
pub(crate) fn finish_run(
    state: &mut State,
    repository: u64,
    id: u64,
    conclusion: &str,
) -> Result<(), Trouble> {
    let now = state.now();
    let run = find_run(state, repository, id)?;
    "completed".clone_into(&mut run.status);
    run.conclusion = Some(conclusion.to_owned());
    run.updated_at = now;
    let (actor, text) = (run.actor, format!("finished workflow {}: {conclusion}", run.name));
    state.tell(repository, Some(actor), text);
    announce_run(state, repository, id, "completed")
}

fn find_run(state: &mut State, repository: u64, id: u64) -> Result<&mut WorkflowRun, Trouble> {
    let mut runs = state.repository_mut(repository)?.runs.iter_mut();
    runs.find(|run| run.id == id).ok_or_else(|| Trouble::unknown("workflow run", id))
}

fn announce_run(state: &mut State, repository: u64, id: u64, action: &str) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let run = known.runs.iter().find(|run| run.id == id);
    let run = run.ok_or_else(|| Trouble::unknown("workflow run", id))?;
    let payload = json!({
        "workflow_run": shapes::run(state, known, run),
        "workflow": shapes::workflow(state, known, run),
    });
    let (name, actor) = ("workflow_run", Some(run.actor));
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    Ok(())
}

/// Keeps an artifact of a run; `None` when the run has one of this name already.
pub(crate) fn keep_artifact(
    state: &mut State,
    repository: u64,
    run: u64,
    name: &str,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Option<Artifact>, Trouble> {
    let mut digest = Sha256::new();
    for (path, bytes) in &files {
        digest.update(format!("{path}\0{}\0", bytes.len()));
        digest.update(bytes);
    }
    let (id, created_at) = (state.ids.artifact(), state.now());
    let digest = hex::encode(digest.finalize());
    let kept = &mut state.repository_mut(repository)?.artifacts;
    if kept.iter().any(|other| other.run == run && other.name == name) {
        return Ok(None);
    }
    let artifact = Artifact { id, run, name: name.to_owned(), files, digest, created_at };
    kept.push(artifact.clone());
    Ok(Some(artifact))
}
