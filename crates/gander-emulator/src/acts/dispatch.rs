//! What starts workflows: dispatches, and where the emulator was told so pushes and pull requests.
//!
//! Invariants: a run starts only from a file on the commit that GitHub would take it from, and
//! only if that file listens; what a job does with its own token starts nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::mergeable::try_merge;
use super::runs::{NewRun, draft_run, queue_run};
use crate::Trouble;
use crate::git::Depth;
use crate::hooks::{self, Event};
use crate::jobs::actions_app;
use crate::shapes::{self, runs as run_shapes};
use crate::state::{State, TestMerge};
use crate::workflow::{Cover, InputSpec, Triggers};

const FOLDER: &str = ".github/workflows";

/// Somebody calls for the workflows that listen to `event_type`.
pub(crate) fn dispatch(
    state: &mut State,
    repository: u64,
    actor: u64,
    event_type: &str,
    client_payload: &Value,
) -> Result<(), Trouble> {
    let branch = state.repository(repository)?.default_branch.clone();
    state.tell(repository, Some(actor), format!("dispatched {event_type}"));
    let payload = json!({ "branch": branch, "client_payload": client_payload });
    let event = Event {
        name: "repository_dispatch",
        action: Some(event_type),
        repository,
        actor: Some(actor),
        payload: payload.clone(),
        only: None,
    };
    hooks::fire(state, &event);
    let mut payload = around(state, repository, actor, payload);
    payload["action"] = json!(event_type);
    let tip = tip_of(state, repository, &branch)?;
    for (path, text) in workflow_files(state, repository, &tip)? {
        let cover = match Cover::read(&text) {
            Ok(cover) if !cover.triggers.hears(event_type) => continue,
            // A run that cannot start tells what is wrong with its file.
            other => other.ok(),
        };
        let new = NewRun {
            title: event_type.to_owned(),
            event: "repository_dispatch".to_owned(),
            payload: payload.clone(),
            path,
            head_branch: Some(branch.clone()),
            head_sha: tip.clone(),
            actor,
            ..NewRun::default()
        };
        queue(state, repository, cover.as_ref(), new)?;
    }
    Ok(())
}

/// Somebody starts one workflow by hand, on a branch; says the run's number.
pub(crate) fn dispatch_workflow(
    state: &mut State,
    repository: u64,
    actor: u64,
    file: &str,
    branch: &str,
    given: &BTreeMap<String, String>,
) -> Result<u64, Trouble> {
    let known = state.repository(repository)?;
    let default = known.default_branch.clone();
    let on_default = workflow_files(state, repository, &tip_of(state, repository, &default)?)?;
    let named = |path: &str| path.rsplit('/').next() == Some(file);
    if !on_default.iter().any(|(path, _)| named(path)) {
        return Err(Trouble::unknown("workflow", file));
    }
    if !known.refs.contains_key(&format!("refs/heads/{branch}")) {
        return Err(Trouble::Refused(format!("No ref found for: {branch}")));
    }
    let sha = tip_of(state, repository, branch)?;
    let mut found = workflow_files(state, repository, &sha)?.into_iter();
    let found = found.find(|(path, _)| named(path));
    let (path, text) = found.ok_or_else(|| Trouble::unknown("workflow", file))?;
    let cover = Cover::read(&text).map_err(|fault| Trouble::Refused(format!("{path}: {fault}")))?;
    let Some(specs) = &cover.triggers.workflow_dispatch else {
        let says = "Workflow does not have 'workflow_dispatch' trigger";
        return Err(Trouble::Refused(says.to_owned()));
    };
    let inputs = InputSpec::settle(specs, given).map_err(Trouble::Refused)?;
    state.tell(repository, Some(actor), format!("started {file} on {branch}"));
    let payload =
        json!({ "inputs": inputs, "ref": format!("refs/heads/{branch}"), "workflow": path });
    let payload = around(state, repository, actor, payload);
    let new = NewRun {
        title: cover.name.clone().unwrap_or_else(|| path.clone()),
        event: "workflow_dispatch".to_owned(),
        payload,
        inputs,
        path,
        head_branch: Some(branch.to_owned()),
        head_sha: sha,
        actor,
        ..NewRun::default()
    };
    queue(state, repository, Some(&cover), new)
}

/// A payload with what every event holds.
fn around(state: &State, repository: u64, actor: u64, mut payload: Value) -> Value {
    payload["repository"] = shapes::repository(state, repository);
    payload["sender"] = shapes::user(state, Some(actor));
    if let Some(organization) = shapes::organization_of(state, repository) {
        payload["organization"] = organization;
    }
    payload
}

/// Something was pushed to a branch.
pub(crate) fn heard_push(
    state: &mut State,
    repository: u64,
    branch: &str,
    sha: &str,
    actor: Option<u64>,
    payload: &Value,
) -> Result<(), Trouble> {
    let Some(actor) = starter(state, actor) else { return Ok(()) };
    let title = state.repository(repository)?.git.commit(sha)?.message;
    let new = NewRun {
        title: title.lines().next().unwrap_or_default().to_owned(),
        event: "push".to_owned(),
        payload: around(state, repository, actor, payload.clone()),
        head_branch: Some(branch.to_owned()),
        head_sha: sha.to_owned(),
        actor,
        ..NewRun::default()
    };
    queue_all(state, repository, &new, |triggers| triggers.hears_push(branch))
}

/// A pull request was opened, opened again, or has another head. Those from forks wait for a
/// person's leave, which nobody gives in the emulator; those that conflict start nothing.
pub(crate) fn heard_pull_request(
    state: &mut State,
    repository: u64,
    number: u64,
    action: &str,
    actor: Option<u64>,
    payload: &Value,
) -> Result<(), Trouble> {
    let Some(actor) = starter(state, actor) else { return Ok(()) };
    if !matches!(action, "opened" | "reopened" | "synchronize") {
        return Ok(());
    }
    try_merge(state, repository, number)?;
    let title = state.issue(repository, number)?.title.clone();
    let pull = state.pull(repository, number)?.clone();
    let Some(commit) = pull.test_merge.filter(|_| pull.head_repository == Some(repository)) else {
        return Ok(());
    };
    state.repository(repository)?.git.point_ref(&format!("refs/pull/{number}/merge"), &commit)?;
    let mut payload = around(state, repository, actor, payload.clone());
    payload["action"] = json!(action);
    let base_branch = pull.base_branch.clone();
    let new = NewRun {
        title,
        event: "pull_request".to_owned(),
        payload,
        head_branch: Some(pull.head_branch),
        head_sha: pull.head_sha,
        merge: Some(TestMerge { pull: number, commit, base_branch }),
        actor,
        ..NewRun::default()
    };
    queue_all(state, repository, &new, |triggers| triggers.hears_pull_request(&pull.base_branch))
}

/// Somebody said something. What stands on an issue, or in the thread of a pull request, is heard
/// by the default branch; what stands in a review is heard by the pull request as it would be
/// merged, and from forks, who wait for a person's leave, not at all.
pub(crate) fn heard_said(
    state: &mut State,
    repository: u64,
    (event, action): (&str, &str),
    pull: Option<u64>,
    actor: Option<u64>,
    payload: &Value,
) -> Result<(), Trouble> {
    let Some(actor) = starter(state, actor) else { return Ok(()) };
    let mut payload = around(state, repository, actor, payload.clone());
    payload["action"] = json!(action);
    let mut new = NewRun { event: event.to_owned(), payload, actor, ..NewRun::default() };
    match pull {
        None => {
            let branch = state.repository(repository)?.default_branch.clone();
            new.head_sha = tip_of(state, repository, &branch)?;
            (new.title, new.head_branch) = (event.to_owned(), Some(branch));
        }
        Some(number) => {
            try_merge(state, repository, number)?;
            new.title = state.issue(repository, number)?.title.clone();
            let known = state.pull(repository, number)?.clone();
            let merged = known.test_merge.filter(|_| known.head_repository == Some(repository));
            let Some(commit) = merged else { return Ok(()) };
            let name = format!("refs/pull/{number}/merge");
            state.repository(repository)?.git.point_ref(&name, &commit)?;
            (new.head_branch, new.head_sha) = (Some(known.head_branch), known.head_sha);
            let base_branch = known.base_branch;
            new.merge = Some(TestMerge { pull: number, commit, base_branch });
        }
    }
    queue_all(state, repository, &new, |triggers| triggers.hears_said(event, action))
}

/// Whoever starts workflows by what they did, if that starts any.
fn starter(state: &mut State, actor: Option<u64>) -> Option<u64> {
    if !state.workflows_hear {
        return None;
    }
    let app = actions_app(state);
    let own = state.apps.get(&app).map(|app| app.bot);
    actor.filter(|actor| Some(*actor) != own)
}

/// Queues every workflow of a commit that hears.
fn queue_all(
    state: &mut State,
    repository: u64,
    new: &NewRun,
    hears: impl Fn(&Triggers) -> bool,
) -> Result<(), Trouble> {
    let commit = new.merge.as_ref().map_or(&new.head_sha, |merge| &merge.commit);
    for (path, text) in workflow_files(state, repository, commit)? {
        let cover = match Cover::read(&text) {
            Ok(cover) if !hears(&cover.triggers) => continue,
            // A run that cannot start tells what is wrong with its file.
            other => other.ok(),
        };
        queue(state, repository, cover.as_ref(), NewRun { path, ..new.clone() })?;
    }
    Ok(())
}

/// Where a branch stands; nowhere is an empty text.
fn tip_of(state: &State, repository: u64, branch: &str) -> Result<String, Trouble> {
    let tip = state.repository(repository)?.refs.get(&format!("refs/heads/{branch}"));
    Ok(tip.cloned().unwrap_or_default())
}

/// Path and text of every workflow file in a commit.
fn workflow_files(
    state: &State,
    repository: u64,
    sha: &str,
) -> Result<Vec<(String, String)>, Trouble> {
    let known = state.repository(repository)?;
    let Some(folder) = known.git.entry(sha, FOLDER) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in known.git.list(&folder.sha, Depth::OneLevel)? {
        let named = entry.path.ends_with(".yml") || entry.path.ends_with(".yaml");
        if entry.kind == "blob" && named {
            let text = known.git.read("blob", &entry.sha).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            found.push((format!("{FOLDER}/{}", entry.path), text));
        }
    }
    Ok(found)
}

/// Queues a run, under the name that its file gives it. Without a cover the file cannot be read.
fn queue(
    state: &mut State,
    repository: u64,
    cover: Option<&Cover>,
    mut new: NewRun,
) -> Result<u64, Trouble> {
    let named = cover.and_then(|cover| cover.name.clone());
    new.name = named.unwrap_or_else(|| new.path.clone());
    let mut run = draft_run(state, repository, new)?;
    if let Some(template) = cover.and_then(|cover| cover.run_name.as_ref()) {
        let sight = run_shapes::sight(state, state.repository(repository)?, &run);
        let title = template.fill(&sight).map_err(Trouble::Refused)?;
        if !title.trim().is_empty() {
            run.title = title.trim().to_owned();
        }
    }
    queue_run(state, repository, run)
}
