//! Check runs and commit statuses.

use serde_json::{Value, json};

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, commits, counted, route};
use crate::acts::{self, CheckChange};
use crate::level::Level;
use crate::shapes::{self, checks, repository_url};
use crate::state::{CheckRun, Status};

const READ: Access = Access::Scope("checks", Level::Read);
const WRITE: Access = Access::Scope("checks", Level::Write);
const READ_STATUSES: Access = Access::Scope("statuses", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("POST", "/repos/{owner}/{repo}/check-runs", WRITE, create),
    route("PATCH", "/repos/{owner}/{repo}/check-runs/{id}", WRITE, update),
    route("GET", "/repos/{owner}/{repo}/check-runs/{id}", READ, show),
    route("GET", "/repos/{owner}/{repo}/check-runs/{id}/annotations", READ, annotations),
    route("GET", "/repos/{owner}/{repo}/commits/{ref...}/check-runs", READ, list),
    route("GET", "/repos/{owner}/{repo}/commits/{ref...}/check-suites", READ, suites),
    route("GET", "/repos/{owner}/{repo}/commits/{ref...}/status", READ_STATUSES, combined),
    route("GET", "/repos/{owner}/{repo}/commits/{ref...}/statuses", READ_STATUSES, statuses),
    route(
        "POST",
        "/repos/{owner}/{repo}/statuses/{sha}",
        Access::Scope("statuses", Level::Write),
        post_status,
    ),
];

const CONCLUSIONS: [&str; 8] = [
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "stale",
    "timed_out",
];

fn change(call: &Call<'_>) -> Result<CheckChange, Refusal> {
    let output = &call.body["output"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let moment = |field: &str| {
        let text = call.body[field].as_str()?;
        let parsed = chrono::DateTime::parse_from_rfc3339(text).ok()?;
        Some(parsed.timestamp_millis())
    };
    let status = call.text("status");
    let conclusion = call.text("conclusion");
    let known_status =
        status.as_deref().is_none_or(|word| matches!(word, "queued" | "in_progress" | "completed"));
    if !known_status {
        return Err(Refusal::invalid("CheckRun", "status"));
    }
    if conclusion.as_deref().is_some_and(|word| !CONCLUSIONS.contains(&word)) {
        return Err(Refusal::invalid("CheckRun", "conclusion"));
    }
    if status.as_deref() == Some("completed") && conclusion.is_none() {
        return Err(Refusal::missing("conclusion"));
    }
    if output.is_object() && (output["title"].is_null() || output["summary"].is_null()) {
        return Err(Refusal::missing(if output["title"].is_null() { "title" } else { "summary" }));
    }
    for field in ["summary", "text"] {
        if output[field].as_str().is_some_and(|text| text.len() > 65_535) {
            let words = format!("Only 65535 characters are allowed in {field}");
            return Err(Refusal::new(422, &format!("Invalid request.\n\n{words}")));
        }
    }
    let annotations = output["annotations"].as_array().cloned().unwrap_or_default();
    if annotations.len() > 50 {
        let words = "Invalid request.\n\nNo more than 50 items are allowed; annotations";
        return Err(Refusal::new(422, words));
    }
    let actions = call.body["actions"].as_array().cloned();
    if actions.as_ref().is_some_and(|actions| actions.len() > 3) {
        let words = "Invalid request.\n\nNo more than 3 items are allowed; actions";
        return Err(Refusal::new(422, words));
    }
    Ok(CheckChange {
        name: call.text("name"),
        status,
        conclusion,
        details_url: call.text("details_url"),
        external_id: call.text("external_id"),
        title: text(&output["title"]),
        summary: text(&output["summary"]),
        text: text(&output["text"]),
        annotations,
        actions,
        started_at: moment("started_at"),
        completed_at: moment("completed_at"),
    })
}

fn create(call: &mut Call<'_>) -> Outcome {
    call.required("name")?;
    let (sha, app) = (call.required("head_sha")?, call.app()?.id);
    let change = change(call)?;
    let commit = call.repository()?.git.resolve(&sha, "commit");
    if commit.as_deref() != Some(sha.as_str()) {
        return Err(Refusal::new(422, &format!("No commit found for SHA: {sha}")));
    }
    let id = acts::start_check(call.state, call.repository_id(), app, &sha, change)?;
    Ok(Answer::created(shape(call, id)?))
}

fn find<'c>(call: &'c Call<'_>, id: u64) -> Result<&'c CheckRun, Refusal> {
    let mut runs = call.repository()?.check_runs.iter();
    runs.find(|run| run.id == id).ok_or_else(Refusal::not_found)
}

fn shape(call: &Call<'_>, id: u64) -> Result<Value, Refusal> {
    Ok(checks::run(call.state, call.repository()?, find(call, id)?))
}

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shape(call, call.number("id")?)?))
}

fn annotations(call: &mut Call<'_>) -> Outcome {
    let (known, run) = (call.repository()?, find(call, call.number("id")?)?);
    let all = run.annotations.iter();
    Ok(call.page(all.map(|one| checks::annotation(call.state, known, run, one)).collect()))
}

/// Only the App that made a check run may change it.
fn update(call: &mut Call<'_>) -> Outcome {
    let (id, app) = (call.number("id")?, call.app()?.id);
    if find(call, id)?.app != app {
        return Err(Refusal::new(
            403,
            &format!(
                "Invalid app_id `{app}` - check run can only be modified by the GitHub App that \
                 created it."
            ),
        ));
    }
    let change = change(call)?;
    acts::update_check(call.state, call.repository_id(), id, change)?;
    Ok(Answer::ok(shape(call, id)?))
}

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let sha = commits::find(known, call.param("ref"))?.sha;
    let (name, status) = (call.query("check_name"), call.query("status"));
    let app: Option<u64> = call.query("app_id").and_then(|text| text.parse().ok());
    let every = call.query("filter") == Some("all");
    let mut runs: Vec<&CheckRun> = known
        .check_runs
        .iter()
        .filter(|run| run.head_sha == sha && (every || known.is_latest(run)))
        .filter(|run| name.is_none_or(|name| name == run.name))
        .filter(|run| status.is_none_or(|status| status == run.status))
        .filter(|run| app.is_none_or(|app| app == run.app))
        .collect();
    runs.reverse();
    let runs = runs.into_iter().map(|run| checks::run(call.state, known, run)).collect();
    Ok(counted(call, "check_runs", runs))
}

fn suites(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let sha = commits::find(known, call.param("ref"))?.sha;
    let suites = known.check_suites.iter().filter(|suite| suite.head_sha == sha);
    let suites = suites.map(|suite| checks::suite(call.state, known, suite)).collect();
    Ok(counted(call, "check_suites", suites))
}

/// The newest status of each context, newest first, a page of them.
fn combined(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let sha = commits::find(known, call.param("ref"))?.sha;
    let mut newest: Vec<&Status> = Vec::new();
    for status in known.statuses.iter().rev().filter(|status| status.sha == sha) {
        if !newest.iter().any(|other| other.context == status.context) {
            newest.push(status);
        }
    }
    let any = |word: &str| newest.iter().any(|status| status.state == word);
    let state = if any("failure") || any("error") {
        "failure"
    } else if newest.is_empty() || any("pending") {
        "pending"
    } else {
        "success"
    };
    let shapes: Vec<Value> = newest
        .iter()
        .map(|status| {
            let mut shape = checks::status(call.state, known, status);
            shape.as_object_mut().map(|shape| shape.remove("creator"));
            shape
        })
        .collect();
    let url =
        |tail: &str| json!(repository_url(call.state, known.id, &format!("/commits/{sha}{tail}")));
    let mut answer = counted(call, "statuses", shapes);
    if let Content::Json(body) = &mut answer.content {
        body["state"] = json!(state);
        body["sha"] = json!(sha);
        body["repository"] = shapes::repository(call.state, known.id);
        body["commit_url"] = url("");
        body["url"] = url("/status");
    }
    Ok(answer)
}

fn statuses(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let sha = commits::find(known, call.param("ref"))?.sha;
    let found = known.statuses.iter().rev().filter(|status| status.sha == sha);
    Ok(call.page(found.map(|status| checks::status(call.state, known, status)).collect()))
}

fn post_status(call: &mut Call<'_>) -> Outcome {
    let (sha, state) = (call.param("sha").to_owned(), call.required("state")?);
    if !matches!(state.as_str(), "error" | "failure" | "pending" | "success") {
        return Err(Refusal::invalid("Status", "state"));
    }
    commits::find(call.filled_repository()?, &sha)?;
    let new = acts::NewStatus {
        sha,
        context: call.text("context").unwrap_or_else(|| "default".to_owned()),
        state,
        description: call.text("description"),
        target_url: call.text("target_url"),
        creator: call.actor()?,
    };
    let id = acts::post_status(call.state, call.repository_id(), new)?;
    let known = call.repository()?;
    let status = known.statuses.iter().find(|status| status.id == id);
    let status = status.ok_or_else(Refusal::not_found)?;
    Ok(Answer::created_at(checks::status(call.state, known, status)))
}
