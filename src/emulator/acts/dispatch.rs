//! Dispatches: somebody calls for workflows, and those that listen are queued.
//!
//! What holds: a run starts only from a file on the branch that GitHub would take it from, and
//! only if that file listens.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::runs::{NewRun, draft_run, queue_run};
use crate::emulator::Trouble;
use crate::emulator::git::Depth;
use crate::emulator::hooks::{self, Event};
use crate::emulator::shapes::{self, runs as run_shapes};
use crate::emulator::state::State;
use crate::emulator::workflow::{Cover, InputSpec};

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
    for (path, text, sha) in workflow_files(state, repository, &branch)? {
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
            head_sha: sha,
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
    let on_default = workflow_files(state, repository, &default)?;
    let named = |path: &str| path.rsplit('/').next() == Some(file);
    if !on_default.iter().any(|(path, ..)| named(path)) {
        return Err(Trouble::unknown("workflow", file));
    }
    if !known.refs.contains_key(&format!("refs/heads/{branch}")) {
        return Err(Trouble::Refused(format!("No ref found for: {branch}")));
    }
    let found = workflow_files(state, repository, branch)?.into_iter();
    let found = found.into_iter().find(|(path, ..)| named(path));
    let (path, text, sha) = found.ok_or_else(|| Trouble::unknown("workflow", file))?;
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

/// Path, text and commit of every workflow file on a branch.
fn workflow_files(
    state: &State,
    repository: u64,
    branch: &str,
) -> Result<Vec<(String, String, String)>, Trouble> {
    let known = state.repository(repository)?;
    let Some(sha) = known.refs.get(&format!("refs/heads/{branch}")) else { return Ok(Vec::new()) };
    let Some(folder) = known.git.entry(sha, FOLDER) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in known.git.list(&folder.sha, Depth::OneLevel)? {
        let named = entry.path.ends_with(".yml") || entry.path.ends_with(".yaml");
        if entry.kind == "blob" && named {
            let text = known.git.read("blob", &entry.sha).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            found.push((format!("{FOLDER}/{}", entry.path), text, sha.clone()));
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
