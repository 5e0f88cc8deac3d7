//! Runs of workflows: started, and ended job by job.
//!
//! What holds: each job is a check run of GitHub's own App, as on GitHub.

use serde_json::{Value, json};

use super::checks::{CheckChange, start_check, suite_for, update_check};
use crate::emulator::Trouble;
use crate::emulator::hooks::{self, Event};
use crate::emulator::shapes::runs as shapes;
use crate::emulator::state::{AccountKind, App, Job, State, WorkflowRun};

/// The number of the App that runs workflows, on the real GitHub as here.
const ACTIONS_APP: u64 = 15_368;

/// A run to start.
pub(crate) struct NewRun {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) event: String,
    pub(crate) head_branch: Option<String>,
    pub(crate) head_sha: String,
    pub(crate) actor: u64,
    /// The jobs by name, in order.
    pub(crate) jobs: Vec<String>,
}

/// How a job ended.
pub(crate) struct NewJob {
    pub(crate) name: String,
    pub(crate) conclusion: String,
    pub(crate) log: String,
    pub(crate) annotations: Vec<Value>,
}

/// The App that runs workflows; made when it is first asked for.
fn actions_app(state: &mut State) -> u64 {
    if state.apps.contains_key(&ACTIONS_APP) {
        return ACTIONS_APP;
    }
    let owner = state.add_account("github", AccountKind::Organization);
    let bot = state.add_account("github-actions[bot]", AccountKind::Bot);
    let created_at = state.now();
    let app = App {
        id: ACTIONS_APP,
        client_id: "Iv1.05c79e9ad1f6bdfa".to_owned(),
        slug: "github-actions".to_owned(),
        name: "github-actions".to_owned(),
        owner,
        bot,
        // Nobody holds its key.
        public_key: Vec::new(),
        webhook_url: None,
        webhook_secret: String::new(),
        setup_url: None,
        hook_id: 0,
        permissions: [("checks".to_owned(), "write".to_owned())].into(),
        events: Vec::new(),
        created_at,
    };
    state.apps.insert(ACTIONS_APP, app);
    ACTIONS_APP
}

/// Starts a run with all its jobs; says its number.
pub(crate) fn start_run(state: &mut State, repository: u64, new: NewRun) -> Result<u64, Trouble> {
    let app = actions_app(state);
    let (id, now) = (state.ids.workflow_run(), state.now());
    let suite = suite_for(state, repository, app, &new.head_sha, new.head_branch.as_deref())?;
    let known = state.repository(repository)?;
    let number = known.runs.iter().filter(|run| run.path == new.path).count() as u64 + 1;
    let (actor, sha, name) = (new.actor, new.head_sha.clone(), new.name.clone());
    state.tell(repository, Some(actor), format!("started workflow {name}"));
    state.repository_mut(repository)?.runs.push(WorkflowRun {
        id,
        name: new.name,
        path: new.path,
        title: new.title,
        event: new.event,
        head_branch: new.head_branch,
        head_sha: new.head_sha,
        number,
        attempt: 1,
        actor,
        suite,
        jobs: Vec::new(),
        created_at: now,
        updated_at: now,
    });
    announce_run(state, repository, id, "requested", actor)?;
    for name in new.jobs {
        let url = crate::emulator::shapes::repository_page(
            state,
            repository,
            &format!("/actions/runs/{id}"),
        );
        let change = CheckChange {
            name: Some(name.clone()),
            status: Some("in_progress".to_owned()),
            details_url: Some(url),
            ..CheckChange::default()
        };
        let check = start_check(state, repository, app, &sha, change)?;
        let job = Job {
            id: check,
            name,
            status: "in_progress".to_owned(),
            conclusion: None,
            started_at: now,
            completed_at: None,
            log: String::new(),
        };
        find_run(state, repository, id)?.jobs.push(job);
    }
    announce_run(state, repository, id, "in_progress", actor)?;
    Ok(id)
}

/// Ends a job, and with the last one the run.
pub(crate) fn end_job(
    state: &mut State,
    repository: u64,
    run: u64,
    end: NewJob,
) -> Result<(), Trouble> {
    let now = state.now();
    let known = find_run(state, repository, run)?;
    let job = known.jobs.iter_mut().find(|job| job.name == end.name);
    let job = job.ok_or_else(|| Trouble::unknown("job", &end.name))?;
    job.status = "completed".to_owned();
    job.conclusion = Some(end.conclusion.clone());
    (job.completed_at, job.log) = (Some(now), end.log);
    let check = job.id;
    known.updated_at = now;
    let (actor, name) = (known.actor, known.name.clone());
    let standing = known.standing();
    let change = CheckChange {
        conclusion: Some(end.conclusion),
        annotations: end.annotations,
        ..CheckChange::default()
    };
    update_check(state, repository, check, change)?;
    if let ("completed", Some(word)) = standing {
        state.tell(repository, Some(actor), format!("finished workflow {name}: {word}"));
        announce_run(state, repository, run, "completed", actor)?;
    }
    Ok(())
}

fn find_run(state: &mut State, repository: u64, id: u64) -> Result<&mut WorkflowRun, Trouble> {
    let mut runs = state.repository_mut(repository)?.runs.iter_mut();
    runs.find(|run| run.id == id).ok_or_else(|| Trouble::unknown("workflow run", id))
}

fn announce_run(
    state: &mut State,
    repository: u64,
    id: u64,
    action: &str,
    actor: u64,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let run = known.runs.iter().find(|run| run.id == id);
    let run = run.ok_or_else(|| Trouble::unknown("workflow run", id))?;
    let payload = json!({
        "workflow_run": shapes::run(state, known, run),
        "workflow": shapes::workflow(state, known, run),
    });
    let event = Event {
        name: "workflow_run",
        action: Some(action),
        repository,
        actor: Some(actor),
        payload,
        only: None,
    };
    hooks::fire(state, &event);
    Ok(())
}
