//! Check suites, check runs and commit statuses.

use serde_json::{Value, json};

use crate::Trouble;
use crate::hooks::{self, Event};
use crate::shapes::{checks as shapes, commits};
use crate::state::{CheckRun, CheckSuite, State, Status};

/// What a check run is made with, or what changes on it; absent fields stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckChange {
    pub(crate) name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) conclusion: Option<String>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) actions: Option<Vec<Value>>,
    pub(crate) started_at: Option<i64>,
    pub(crate) completed_at: Option<i64>,
}

/// Gives every App that may write checks a suite for a new commit, and asks it to start.
pub(super) fn open_suites(
    state: &mut State,
    repository: u64,
    branch: &str,
    sha: &str,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let apps: Vec<u64> = state
        .installations
        .values()
        .filter(|one| one.repositories.contains(&repository) && one.suspended_at.is_none())
        .filter(|one| one.permissions.get("checks").is_some_and(|level| level == "write"))
        .map(|one| one.app)
        .collect();
    for app in apps {
        let suite = suite_for(state, repository, app, sha, Some(branch))?;
        announce_suite(state, repository, suite, "requested", actor, Some(app))?;
    }
    Ok(())
}

pub(super) fn suite_for(
    state: &mut State,
    repository: u64,
    app: u64,
    sha: &str,
    branch: Option<&str>,
) -> Result<u64, Trouble> {
    let known = state.repository(repository)?;
    let found = known.check_suites.iter().find(|suite| suite.app == app && suite.head_sha == sha);
    if let Some(suite) = found {
        return Ok(suite.id);
    }
    let of_branch = known
        .refs
        .iter()
        .find(|(name, tip)| *tip == sha && name.starts_with("refs/heads/"))
        .and_then(|(name, _)| name.strip_prefix("refs/heads/").map(str::to_owned));
    new_suite(state, repository, app, sha, branch.or(of_branch.as_deref()))
}

/// A suite beside those that the App has on the commit already, as each run of a workflow has.
pub(super) fn new_suite(
    state: &mut State,
    repository: u64,
    app: u64,
    sha: &str,
    branch: Option<&str>,
) -> Result<u64, Trouble> {
    let (id, now) = (state.ids.check_suite(), state.now());
    state.repository_mut(repository)?.check_suites.push(CheckSuite {
        id,
        app,
        head_sha: sha.to_owned(),
        head_branch: branch.map(str::to_owned),
        created_at: now,
        updated_at: now,
    });
    Ok(id)
}

/// Starts a check run on a commit.
pub(crate) fn start_check(
    state: &mut State,
    repository: u64,
    app: u64,
    sha: &str,
    change: CheckChange,
) -> Result<u64, Trouble> {
    let suite = suite_for(state, repository, app, sha, None)?;
    start_check_in(state, repository, suite, change)
}

/// Starts a check run in a suite.
pub(super) fn start_check_in(
    state: &mut State,
    repository: u64,
    suite: u64,
    change: CheckChange,
) -> Result<u64, Trouble> {
    let (app, head_sha) = {
        let suites = &state.repository(repository)?.check_suites;
        let known = suites.iter().find(|known| known.id == suite);
        let known = known.ok_or_else(|| Trouble::unknown("check suite", suite))?;
        (known.app, known.head_sha.clone())
    };
    let (id, now) = (state.ids.check_run(), state.now());
    let name = change.name.clone().unwrap_or_default();
    state.repository_mut(repository)?.check_runs.push(CheckRun {
        id,
        suite,
        app,
        head_sha,
        name: name.clone(),
        status: "queued".to_owned(),
        conclusion: None,
        details_url: None,
        external_id: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
        actions: Vec::new(),
        started_at: now,
        completed_at: None,
    });
    let actor = state.apps.get(&app).map(|app| app.bot);
    apply(state, repository, id, change)?;
    let status = status_of(state, repository, id)?;
    if status.1.is_none() {
        state.tell(repository, actor, format!("started check {name}"));
    }
    announce_run(state, repository, id, "created")?;
    if let Some(conclusion) = status.1 {
        finished(state, repository, id, &name, &conclusion)?;
    }
    Ok(id)
}

/// Changes a check run.
pub(crate) fn update_check(
    state: &mut State,
    repository: u64,
    id: u64,
    change: CheckChange,
) -> Result<(), Trouble> {
    let before = status_of(state, repository, id)?;
    apply(state, repository, id, change)?;
    let after = status_of(state, repository, id)?;
    match after.1.clone() {
        Some(conclusion) if before.1 != after.1 => {
            finished(state, repository, id, &after.0, &conclusion)
        }
        _ => Ok(()),
    }
}

fn finished(
    state: &mut State,
    repository: u64,
    id: u64,
    name: &str,
    conclusion: &str,
) -> Result<(), Trouble> {
    let run = find_run(state, repository, id)?;
    let (suite, actor) = (run.suite, state.apps.get(&run.app).map(|app| app.bot));
    state.tell(repository, actor, format!("finished check {name}: {conclusion}"));
    announce_run(state, repository, id, "completed")?;
    complete_suite_if_done(state, repository, suite, actor)
}

/// Tells that a suite is complete, once all its runs are.
fn complete_suite_if_done(
    state: &mut State,
    repository: u64,
    suite: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    if shapes::standing(state.repository(repository)?, suite).0 != "completed" {
        return Ok(());
    }
    announce_suite(state, repository, suite, "completed", actor, None)
}

fn find_run(state: &State, repository: u64, id: u64) -> Result<&CheckRun, Trouble> {
    let runs = &state.repository(repository)?.check_runs;
    runs.iter().find(|run| run.id == id).ok_or_else(|| Trouble::unknown("check run", id))
}

/// The name of a run and how it ended, if it did.
fn status_of(state: &State, repository: u64, id: u64) -> Result<(String, Option<String>), Trouble> {
    let run = find_run(state, repository, id)?;
    Ok((run.name.clone(), run.conclusion.clone()))
}

fn apply(state: &mut State, repository: u64, id: u64, change: CheckChange) -> Result<(), Trouble> {
    let now = state.now();
    let runs = &mut state.repository_mut(repository)?.check_runs;
    let run = runs.iter_mut().find(|run| run.id == id);
    let run = run.ok_or_else(|| Trouble::unknown("check run", id))?;
    if let Some(name) = change.name {
        run.name = name;
    }
    if let Some(status) = change.status {
        if status != "completed" {
            (run.conclusion, run.completed_at) = (None, None);
        }
        run.status = status;
    }
    if let Some(conclusion) = change.conclusion {
        run.status = "completed".to_owned();
        run.conclusion = Some(conclusion);
        run.completed_at = Some(change.completed_at.unwrap_or(now));
    }
    run.started_at = change.started_at.unwrap_or(run.started_at);
    for (field, value) in [
        (&mut run.details_url, change.details_url),
        (&mut run.external_id, change.external_id),
        (&mut run.title, change.title),
        (&mut run.summary, change.summary),
        (&mut run.text, change.text),
    ] {
        if value.is_some() {
            *field = value;
        }
    }
    run.annotations.extend(change.annotations);
    if let Some(actions) = change.actions {
        run.actions = actions;
    }
    Ok(())
}

fn announce_run(state: &mut State, repository: u64, id: u64, action: &str) -> Result<(), Trouble> {
    let run = find_run(state, repository, id)?;
    let actor = state.apps.get(&run.app).map(|app| app.bot);
    let known = state.repository(repository)?;
    let mut shape = shapes::run(state, known, run);
    if let Some(suite) = known.check_suites.iter().find(|suite| suite.id == run.suite) {
        shape["check_suite"] = webhook_suite(state, repository, suite);
        for name in ["head_commit", "latest_check_runs_count", "check_runs_url"] {
            shape["check_suite"].as_object_mut().map(|suite| suite.remove(name));
        }
    }
    let payload = json!({ "check_run": shape });
    let name = "check_run";
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    Ok(())
}

fn webhook_suite(state: &State, repository: u64, suite: &CheckSuite) -> Value {
    let Some(known) = state.repositories.get(&repository) else { return Value::Null };
    let mut shape = shapes::suite(state, known, suite);
    if let Some(shape) = shape.as_object_mut() {
        shape.remove("repository");
    }
    shape
}

fn announce_suite(
    state: &mut State,
    repository: u64,
    id: u64,
    action: &str,
    actor: Option<u64>,
    only: Option<u64>,
) -> Result<(), Trouble> {
    let suites = &state.repository(repository)?.check_suites;
    let suite = suites.iter().find(|suite| suite.id == id);
    let suite = suite.ok_or_else(|| Trouble::unknown("check suite", id))?;
    let payload = json!({ "check_suite": webhook_suite(state, repository, suite) });
    let name = "check_suite";
    let event = Event { name, action: Some(action), repository, actor, payload, only };
    hooks::fire(state, &event);
    Ok(())
}

/// A commit status, as older CI systems post them.
pub(crate) struct NewStatus {
    pub(crate) sha: String,
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    pub(crate) creator: u64,
}

pub(crate) fn post_status(
    state: &mut State,
    repository: u64,
    new: NewStatus,
) -> Result<u64, Trouble> {
    let (id, at) = (state.ids.status(), state.now());
    let actor = Some(new.creator);
    let app = state.apps.values().find(|app| app.bot == new.creator).map(|app| app.id);
    state.tell(repository, actor, format!("reported {}: {}", new.context, new.state));
    state.repository_mut(repository)?.statuses.push(Status {
        id,
        sha: new.sha,
        context: new.context,
        state: new.state,
        description: new.description,
        target_url: new.target_url,
        creator: new.creator,
        app,
        at,
    });
    let known = state.repository(repository)?;
    let status = known.statuses.last().map(|status| shapes::status(state, known, status));
    let mut payload = status.unwrap_or_default();
    let sha = known.statuses.last().map(|status| status.sha.clone()).unwrap_or_default();
    let commit = known.git.commit(&sha)?;
    let at_tip = known.refs.iter().filter(|(_, tip)| **tip == sha);
    let branches: Vec<Value> = at_tip
        .filter_map(|(name, _)| name.strip_prefix("refs/heads/"))
        .map(|branch| commits::branch(state, known, branch, &sha))
        .collect();
    for name in ["url", "node_id", "creator"] {
        payload.as_object_mut().map(|fields| fields.remove(name));
    }
    for (name, value) in [
        ("sha", json!(sha)),
        ("name", json!(state.full_name(known))),
        ("commit", commits::listed(state, known, &commit)),
        ("branches", json!(branches)),
    ] {
        payload[name] = value;
    }
    let event = Event { name: "status", action: None, repository, actor, payload, only: None };
    hooks::fire(state, &event);
    Ok(id)
}
