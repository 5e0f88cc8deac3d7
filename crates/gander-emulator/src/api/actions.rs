//! Dispatches, runs of workflows, their jobs, logs and artifacts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, counted, route};
use crate::acts;
use crate::level::Level;
use crate::shapes::{self, runs as run_shapes};
use crate::state::{Job, WorkflowRun};

const READ: Access = Access::Scope("actions", Level::Read);
const WRITE: Access = Access::Scope("actions", Level::Write);
const DISPATCH: Access = Access::Scope("contents", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("POST", "/repos/{owner}/{repo}/dispatches", DISPATCH, dispatch),
    route(
        "POST",
        "/repos/{owner}/{repo}/actions/workflows/{file}/dispatches",
        WRITE,
        dispatch_workflow,
    ),
    route("GET", "/repos/{owner}/{repo}/actions/workflows/{file}/runs", READ, runs_of_workflow),
    route("GET", "/repos/{owner}/{repo}/actions/runs/{id}/artifacts", READ, artifacts),
    route("GET", "/repos/{owner}/{repo}/actions/runs", READ, list),
    route("GET", "/repos/{owner}/{repo}/actions/runs/{id}", READ, show),
    route("GET", "/repos/{owner}/{repo}/actions/runs/{id}/jobs", READ, jobs),
    route("POST", "/repos/{owner}/{repo}/actions/runs/{id}/rerun-failed-jobs", WRITE, rerun_failed),
    route("GET", "/repos/{owner}/{repo}/actions/jobs/{id}", READ, show_job),
    route("GET", "/repos/{owner}/{repo}/actions/jobs/{id}/logs", READ, logs),
];

/// The largest payload of a dispatch, in bytes.
const LARGEST: usize = 64 * 1024;

fn dispatch(call: &mut Call<'_>) -> Outcome {
    let event_type = call.required("event_type")?;
    if event_type.is_empty() || event_type.chars().count() > 100 {
        return Err(Refusal::new(422, "Invalid request.\n\nevent_type is too long or empty."));
    }
    let payload = match &call.body["client_payload"] {
        Value::Null => Value::Object(serde_json::Map::new()),
        payload @ Value::Object(keys) if keys.len() <= 10 => payload.clone(),
        Value::Object(keys) => {
            let says = format!(
                "Invalid request.\n\nNo more than 10 properties are allowed; {} were supplied.",
                keys.len()
            );
            return Err(Refusal::new(422, &says));
        }
        other => {
            let says = format!(
                "Invalid request.\n\nFor 'properties/client_payload', {other} is not an object."
            );
            return Err(Refusal::new(422, &says));
        }
    };
    if payload.to_string().len() > LARGEST {
        return Err(Refusal::new(422, "client_payload is too large."));
    }
    let actor = call.actor()?;
    acts::dispatch(call.state, call.repository_id(), actor, &event_type, &payload)?;
    Ok(Answer::nothing())
}

fn dispatch_workflow(call: &mut Call<'_>) -> Outcome {
    let branch = call.required("ref")?;
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned();
    let mut inputs = BTreeMap::new();
    for (name, value) in call.body["inputs"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        inputs.insert(name.clone(), value);
    }
    let (actor, file) = (call.actor()?, call.param("file").to_owned());
    acts::dispatch_workflow(call.state, call.repository_id(), actor, &file, &branch, &inputs)?;
    Ok(Answer::nothing())
}

fn list(call: &mut Call<'_>) -> Outcome {
    listed(call, |_| true)
}

/// The runs of a file; one that is there and never ran has none.
fn runs_of_workflow(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let asked = call.param("file");
    let is_meant = |path: &str| {
        path.rsplit('/').next() == Some(asked) || run_shapes::workflow_id(path).to_string() == asked
    };
    let tip = known.refs.get(&format!("refs/heads/{}", known.default_branch));
    let path = format!(".github/workflows/{asked}");
    let there = tip.is_some_and(|tip| known.git.entry(tip, &path).is_some());
    if !there && !known.runs.iter().any(|run| is_meant(&run.path)) {
        return Err(Refusal::not_found());
    }
    listed(call, |run| is_meant(&run.path))
}

/// The runs that are asked for, newest first.
fn listed(call: &Call<'_>, wanted: impl Fn(&WorkflowRun) -> bool) -> Outcome {
    let known = call.repository()?;
    let same = |name: &str, value: &str| call.query(name).is_none_or(|asked| asked == value);
    let created = call.query("created").map(Period::parse).transpose()?;
    let fits = |run: &&WorkflowRun| {
        wanted(run)
            && same("event", &run.event)
            && same("branch", run.head_branch.as_deref().unwrap_or_default())
            && same("head_sha", &run.head_sha)
            && same("check_suite_id", &run.suite.to_string())
            && same("actor", &call.state.login(Some(run.actor)))
            && (same("status", &run.status)
                || run.conclusion.as_ref().is_some_and(|word| same("status", word)))
            && created.as_ref().is_none_or(|period| period.holds(run.created_at))
    };
    let found = known.runs.iter().rev().filter(fits);
    let found = found.map(|run| run_shapes::run(call.state, known, run)).collect();
    Ok(counted(call, "workflow_runs", found))
}

/// From when to when, both included, in milliseconds.
struct Period {
    from: i64,
    to: i64,
}

impl Period {
    /// `>=2026-01-01`, `2026-01-01..2026-01-31`, `2026-01-01T10:00:00Z`, …
    fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::invalid("WorkflowRun", "created");
        let (mut from, mut to) = (i64::MIN, i64::MAX);
        if let Some((first, last)) = text.split_once("..") {
            if first != "*" {
                from = moments(first).ok_or_else(bad)?.0;
            }
            if last != "*" {
                to = moments(last).ok_or_else(bad)?.1;
            }
            return Ok(Self { from, to });
        }
        let start = text.find(|c: char| c.is_ascii_digit()).ok_or_else(bad)?;
        let (sign, rest) = text.split_at(start);
        let (first, last) = moments(rest).ok_or_else(bad)?;
        match sign {
            "" => (from, to) = (first, last),
            ">=" => from = first,
            ">" => from = last + 1,
            "<=" => to = last,
            "<" => to = first - 1,
            _ => return Err(bad()),
        }
        Ok(Self { from, to })
    }

    fn holds(&self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// The first and the last millisecond of a day or a second.
fn moments(text: &str) -> Option<(i64, i64)> {
    if let Ok(moment) = chrono::DateTime::parse_from_rfc3339(text) {
        let at = moment.timestamp() * 1000;
        return Some((at, at + 999));
    }
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let at = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
    Some((at, at + 86_399_999))
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
    let every = call.query("filter") == Some("all");
    let jobs: Vec<&Job> =
        if every { run.jobs.iter().collect() } else { run.latest_jobs().collect() };
    let all = jobs.into_iter().map(|job| run_shapes::job(call.state, known, run, job)).collect();
    Ok(counted(call, "jobs", all))
}

/// Runs those jobs again that did not pass, if the run is over.
fn rerun_failed(call: &mut Call<'_>) -> Outcome {
    let run = find(call)?;
    if run.status != "completed" {
        return Err(Refusal::new(403, "This workflow is already running"));
    }
    let failed = run.latest_jobs().filter(|job| job.conclusion.as_deref() != Some("success"));
    let failed: Vec<String> = failed.map(|job| job.name.clone()).collect();
    if failed.is_empty() {
        return Err(Refusal::new(403, "This workflow run cannot be retried"));
    }
    let (id, actor) = (run.id, call.actor()?);
    let failed: Vec<&str> = failed.iter().map(String::as_str).collect();
    acts::rerun_jobs(call.state, call.repository_id(), id, actor, &failed)?;
    Ok(Answer::created(json!({})))
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

fn artifacts(call: &mut Call<'_>) -> Outcome {
    let (known, run) = (call.repository()?, find(call)?);
    let named = call.query("name");
    let found = known.artifacts.iter().filter(|artifact| artifact.run == run.id);
    let found = found.filter(|artifact| named.is_none_or(|name| name == artifact.name));
    let found = found.map(|one| run_shapes::artifact(call.state, known, run, one)).collect();
    Ok(counted(call, "artifacts", found))
}
