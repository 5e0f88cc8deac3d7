//! One job, from its condition to its outputs.
//!
//! Invariants: the job's token lives exactly as long as the job, and can do what the file says; an
//! output that holds a masked value is not handed on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::bench::{ARCHITECTURE, Bench, Folders, Frame};
use super::commands::JobAnnotation;
use super::journal::Journal;
use super::plan::Plan;
use super::{JobReport, Setup, step};
use crate::acts::{self, JobEnded};
use crate::state::{JobStep, WorkflowRun};
use crate::workflow::{Job, Permissions, Sight, Standing};
use crate::{Emulator, Trouble};

/// A job to be done.
pub(crate) struct JobOrder<'a> {
    pub(crate) repository: u64,
    pub(crate) run: &'a WorkflowRun,
    pub(crate) job: &'a Job,
    pub(crate) plan: &'a Plan,
    /// What it sees, and how it went with what it needs.
    pub(crate) sight: Sight,
}

/// How long a job may take that does not say.
const DEFAULT_MINUTES: f64 = 360.0;

/// Does a job; also says what the runner could not do.
pub(crate) async fn run(
    emulator: &Emulator,
    setup: &Setup,
    order: JobOrder<'_>,
) -> Result<(JobReport, Option<String>), Trouble> {
    let job = order.job;
    let name = job.name.as_ref().map(|name| name.fill(&order.sight)).transpose();
    let mut report = JobReport {
        id: job.id.clone(),
        name: job.id.clone(),
        conclusion: "skipped".to_owned(),
        steps: Vec::new(),
        log: String::new(),
        annotations: Vec::new(),
        summary: String::new(),
        outputs: BTreeMap::new(),
    };
    let wanted = name.and_then(|name| Ok((name, job.condition.holds(&order.sight)?)));
    let mut fault = None;
    let holds = match wanted {
        Ok((name, holds)) => {
            report.name = name.unwrap_or(report.name);
            holds
        }
        Err(says) => {
            "failure".clone_into(&mut report.conclusion);
            fault = Some(format!("{} job `{}`: {says}", order.run.path, job.id));
            false
        }
    };
    let (repository, run) = (order.repository, order.run.id);
    let begin =
        |name: &str| acts::begin_job(&mut emulator.lock(), repository, run, name, &job.runs_on);
    let id = begin(&report.name)?;
    emulator.shared.queued.notify_one();
    if holds {
        fault = work(emulator, setup, order, &mut report).await?;
    }
    let steps = report
        .steps
        .iter()
        .map(|step| JobStep { name: step.name.clone(), conclusion: step.conclusion.clone() });
    let steps = steps.collect();
    let annotations = report.annotations.iter().map(annotation).collect();
    let (conclusion, log) = (report.conclusion.clone(), report.log.clone());
    let end = JobEnded { conclusion, steps, log, annotations };
    acts::finish_job(&mut emulator.lock(), repository, run, id, end)?;
    emulator.shared.queued.notify_one();
    Ok((report, fault))
}

async fn work(
    emulator: &Emulator,
    setup: &Setup,
    order: JobOrder<'_>,
    report: &mut JobReport,
) -> Result<Option<String>, Trouble> {
    let (job, plan) = (order.job, order.plan);
    let granted = job.permissions.as_ref().or(plan.workflow.permissions.as_ref());
    let granted = granted.cloned().unwrap_or_else(default_permissions);
    let full_name = {
        let state = emulator.lock();
        state.full_name(state.repository(order.repository)?)
    };
    let token = emulator.job_token(&full_name, &granted)?;
    let minutes = job.minutes.unwrap_or(DEFAULT_MINUTES);
    let root = setup.work.join(format!("{}-{}-{}", order.run.id, order.run.attempt, job.id));
    let mut bench = Bench {
        emulator,
        setup,
        plan,
        run: order.run,
        repository: order.repository,
        token: token.clone(),
        granted,
        folders: Folders::create(&root, &full_name)?,
        sight: order.sight,
        env: BTreeMap::new(),
        paths: Vec::new(),
        journal: Journal::default(),
        summary: String::new(),
        standing: Standing::default(),
        deadline: Instant::now() + Duration::from_secs_f64((minutes * 60.0).min(1e9)),
        fault: None,
        reports: Vec::new(),
        begun: 0,
    };
    furnish(&mut bench, &job.id)?;
    let mut frame = Frame {
        steps: Map::new(),
        inputs: None,
        env: BTreeMap::new(),
        action: None,
        failed: false,
        deadline: None,
    };
    match fill_env(&mut bench, job) {
        Ok(()) => step::run_all(&mut bench, &mut frame, &job.steps).await?,
        Err(says) => {
            bench.journal.error(&says);
            bench.standing.failed = true;
        }
    }
    outputs(&mut bench, &frame, job, report);
    emulator.end_job(&token);
    report.conclusion = match bench.standing {
        Standing { failed: true, .. } => "failure",
        Standing { cancelled: true, .. } => "cancelled",
        Standing { .. } => "success",
    }
    .to_owned();
    report.steps = bench.reports;
    report.log = bench.journal.log;
    report.annotations = bench.journal.annotations;
    report.summary = bench.summary;
    Ok(bench.fault)
}

/// What a token may do when the file does not say, in a new repository.
fn default_permissions() -> Permissions {
    ["contents", "packages"].map(|name| (name.to_owned(), "read".to_owned())).into()
}

/// Puts in place what is there before the first step.
fn furnish(bench: &mut Bench<'_>, job: &str) -> Result<(), Trouble> {
    let token = bench.token.clone();
    bench.journal.mask(&token);
    bench.setup.secrets.values().for_each(|secret| bench.journal.mask(secret));
    let runner = json!({
        "arch": ARCHITECTURE,
        "environment": "github-hosted",
        "name": "GitHub Actions 1",
        "os": "Linux",
        "temp": bench.folders.temp,
        "tool_cache": bench.folders.tools,
    });
    let contexts = &mut bench.sight.contexts;
    contexts.insert("runner".to_owned(), runner);
    let mut secrets = json!(bench.setup.secrets);
    secrets["GITHUB_TOKEN"] = json!(token);
    contexts.insert("secrets".to_owned(), secrets);
    let event_path = bench.folders.temp.join("_github_workflow/event.json");
    if let Some(github) = contexts.get_mut("github") {
        github["token"] = json!(token);
        github["job"] = json!(job);
        github["workspace"] = json!(bench.folders.workspace);
        github["event_path"] = json!(event_path);
    }
    let disk = |source| Trouble::Disk { doing: "write the event", source };
    if let Some(folder) = event_path.parent() {
        std::fs::create_dir_all(folder).map_err(disk)?;
    }
    std::fs::write(&event_path, bench.run.payload.to_string()).map_err(disk)
}

fn fill_env(bench: &mut Bench<'_>, job: &Job) -> Result<(), String> {
    for (name, value) in bench.plan.workflow.env.iter().chain(&job.env) {
        let value = value.fill(&bench.sight)?;
        bench.env.insert(name.clone(), value);
    }
    Ok(())
}

fn outputs(bench: &mut Bench<'_>, frame: &Frame, job: &Job, report: &mut JobReport) {
    let env = bench.env.clone();
    let sight = bench.sight(frame, &env);
    for (name, template) in &job.outputs {
        match template.fill(&sight) {
            Ok(value) if bench.journal.holds_a_mask(&value) => {
                let says = format!("##[warning]Skip output '{name}' since it may contain secret.");
                bench.journal.write(&says);
            }
            Ok(value) => {
                report.outputs.insert(name.clone(), value);
            }
            Err(says) => {
                bench.journal.error(&says);
                bench.standing.failed = true;
            }
        }
    }
}

/// As a check run holds it.
fn annotation(annotation: &JobAnnotation) -> Value {
    let line = annotation.line.unwrap_or(1);
    json!({
        "path": annotation.file.as_deref().unwrap_or(".github"),
        "start_line": line,
        "end_line": annotation.end_line.unwrap_or(line),
        "start_column": annotation.column,
        "end_column": annotation.end_column,
        "annotation_level": annotation.level,
        "message": annotation.message,
        "title": annotation.title,
        "raw_details": null,
    })
}
