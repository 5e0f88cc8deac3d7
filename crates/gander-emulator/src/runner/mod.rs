//! A small runner: it executes what a workflow file says, as real processes.
//!
//! Invariants: a job runs in fresh directories, with an environment that holds nothing of this
//! machine but the search path, and with a token of exactly the permissions that the file gives
//! it. What the runner does not know fails loudly, before anything runs. Runs and jobs go one
//! after the other. Unlike on GitHub, what a step leaves running in the background ends with it.

mod artifacts;
mod attest;
mod bench;
mod checkout;
mod commands;
mod files;
mod job;
mod journal;
mod plan;
mod process;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

pub use self::commands::JobAnnotation;
use self::job::JobOrder;
use self::plan::Plan;
use super::shapes::runs::sight;
use super::state::WorkflowRun;
use super::workflow::{Job, Sight, Standing};
use super::{Emulator, Trouble, acts};

/// An action of others that the runner does itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// `actions/checkout`
    Checkout,
    /// `actions/upload-artifact`
    UploadArtifact,
    /// `actions/download-artifact`
    DownloadArtifact,
    /// `actions/attest`
    Attest,
}

/// What a runner works with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Where composite actions lie, by what stands behind `uses:`, as `./action` or
    /// `acme/gander/action@HASH`.
    pub actions: BTreeMap<String, PathBuf>,
    /// The actions of others, each with a full commit hash under which it is known.
    pub foreign: Vec<(Foreign, String)>,
    /// Where jobs get their directories. Must exist.
    pub work: PathBuf,
    /// Where programs are looked for: the `PATH` of every job.
    pub path: OsString,
    /// How far what signs for jobs lags behind the emulator's clock: that may be ahead of the time
    /// at which signatures are looked at.
    pub signs_behind: Duration,
    /// The repository's secrets.
    pub secrets: BTreeMap<String, String>,
    /// Before a job of one of these names begins, the runs that wait by then are executed: so that
    /// what people do while a run is under way is heard before that job.
    pub gives_way_before: BTreeSet<String>,
}

/// What became of a run.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct RunReport {
    /// `owner/name`
    pub repository: String,
    pub run_id: u64,
    /// Its title.
    pub title: String,
    /// How it ended: `success`, `failure`, `cancelled`, `skipped` or `startup_failure`.
    pub conclusion: String,
    /// What the runner could not do, with its line. Never what the workflow did wrong itself.
    pub fault: Option<String>,
    /// Its jobs, in the order they ran.
    pub jobs: Vec<JobReport>,
}

/// What became of a job.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// How the workflow file calls it.
    pub id: String,
    /// How people see it.
    pub name: String,
    /// `success`, `failure`, `cancelled` or `skipped`.
    pub conclusion: String,
    /// Its steps.
    pub steps: Vec<StepReport>,
    /// All output, masked.
    pub log: String,
    /// What was said about the code.
    pub annotations: Vec<JobAnnotation>,
    /// The summary, in Markdown.
    pub summary: String,
    /// What it hands on.
    pub outputs: BTreeMap<String, String>,
}

/// What became of a step.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// How people see it.
    pub name: String,
    /// What happened: `success`, `failure`, `cancelled` or `skipped`.
    pub outcome: String,
    /// What it counts as.
    pub conclusion: String,
}

/// Executes the runs that wait in an emulator.
#[derive(Clone)]
pub struct Runner {
    emulator: Emulator,
    setup: Setup,
}

impl RunReport {
    /// A job, by its name in the workflow file.
    pub fn job(&self, id: &str) -> Option<&JobReport> {
        self.jobs.iter().find(|job| job.id == id)
    }
}

impl Runner {
    /// A runner for one emulator.
    pub fn new(emulator: &Emulator, setup: Setup) -> Self {
        Self { emulator: emulator.clone(), setup }
    }

    /// From now on pushes and pull requests start workflows in the emulator, too, as on GitHub.
    /// Without a runner nobody would ever end them, so the emulator does not do it by itself.
    pub fn hears_pushes(&self) {
        self.emulator.lock().workflows_hear = true;
    }

    /// Executes runs until none waits, oldest first. Of runs that wait for the same concurrency
    /// group only the newest is kept, as on GitHub.
    ///
    /// # Errors
    /// When the emulator or the disk fails. What a workflow does wrong stands in its report.
    pub async fn run_queued(&self) -> Result<Vec<RunReport>, Trouble> {
        let mut reports = Vec::new();
        self.run_all(&mut reports).await?;
        Ok(reports)
    }

    async fn run_all(&self, reports: &mut Vec<RunReport>) -> Result<(), Trouble> {
        loop {
            let waiting = self.waiting();
            if waiting.is_empty() {
                return Ok(());
            }
            let plans: Vec<_> = waiting
                .into_iter()
                .map(|(repository, run)| {
                    let plan = self.plan(repository, &run);
                    let group =
                        plan.as_ref().ok().and_then(|plan| self.group(repository, &run, plan));
                    (repository, run, plan, group)
                })
                .collect();
            let groups: Vec<_> = plans.iter().map(|(_, _, _, group)| group.clone()).collect();
            for (at, (repository, run, plan, group)) in plans.into_iter().enumerate() {
                // Another gave way to it.
                if self.waiting().iter().all(|(_, waiting)| waiting.id != run.id) {
                    continue;
                }
                let again =
                    |groups: &[Option<(u64, String)>]| group.is_some() && groups.contains(&group);
                let overtaken = again(&groups[..at]) && again(&groups[at + 1..]);
                let report = match plan {
                    Ok(_) if overtaken => self.give_up(repository, &run, "cancelled", None)?,
                    Ok(plan) => self.execute(repository, run, &plan, reports).await?,
                    Err(fault) => self.give_up(repository, &run, "startup_failure", Some(fault))?,
                };
                reports.push(report);
            }
        }
    }

    fn waiting(&self) -> Vec<(u64, WorkflowRun)> {
        let state = self.emulator.lock();
        let all = state.repositories.values();
        let all = all.flat_map(|known| known.runs.iter().map(|run| (known.id, run)));
        let queued = all.filter(|(_, run)| run.status == "queued");
        let mut queued: Vec<_> = queued.map(|(id, run)| (id, run.clone())).collect();
        queued.sort_by_key(|(_, run)| run.id);
        queued
    }

    fn plan(&self, repository: u64, run: &WorkflowRun) -> Result<Plan, String> {
        let text = {
            let state = self.emulator.lock();
            let known = state.repository(repository).map_err(|trouble| trouble.to_string())?;
            let entry = known.git.entry(run.commit(), &run.path);
            entry.and_then(|entry| known.git.read("blob", &entry.sha))
        };
        let text = text.ok_or_else(|| format!("{} is not there", run.path))?;
        Plan::new(&self.setup, &run.path, &String::from_utf8_lossy(&text))
    }

    /// What the run's jobs see.
    fn sight(&self, repository: u64, run: &WorkflowRun) -> Result<Sight, Trouble> {
        let state = self.emulator.lock();
        Ok(sight(&state, state.repository(repository)?, run))
    }

    fn group(&self, repository: u64, run: &WorkflowRun, plan: &Plan) -> Option<(u64, String)> {
        let sight = self.sight(repository, run).ok()?;
        let group = plan.workflow.concurrency.as_ref()?.fill(&sight).ok()?;
        Some((repository, group.to_lowercase()))
    }

    fn report(
        &self,
        repository: u64,
        run: &WorkflowRun,
        conclusion: &str,
    ) -> Result<RunReport, Trouble> {
        let mut state = self.emulator.lock();
        acts::finish_run(&mut state, repository, run.id, conclusion)?;
        self.emulator.shared.queued.notify_one();
        Ok(RunReport {
            repository: state.full_name(state.repository(repository)?),
            run_id: run.id,
            title: run.title.clone(),
            conclusion: conclusion.to_owned(),
            fault: None,
            jobs: Vec::new(),
        })
    }

    /// Ends a run that does not start.
    fn give_up(
        &self,
        repository: u64,
        run: &WorkflowRun,
        conclusion: &str,
        fault: Option<String>,
    ) -> Result<RunReport, Trouble> {
        Ok(RunReport { fault, ..self.report(repository, run, conclusion)? })
    }

    async fn execute(
        &self,
        repository: u64,
        run: WorkflowRun,
        plan: &Plan,
        others: &mut Vec<RunReport>,
    ) -> Result<RunReport, Trouble> {
        acts::begin_run(&mut self.emulator.lock(), repository, run.id)?;
        self.emulator.shared.queued.notify_one();
        let base = self.sight(repository, &run)?;
        let mut jobs: Vec<JobReport> = Vec::new();
        let mut fault = None;
        for job in &plan.workflow.jobs {
            if self.setup.gives_way_before.contains(&job.id) {
                Box::pin(self.run_all(others)).await?;
            }
            let mut sight = base.clone();
            sight.contexts.insert("needs".to_owned(), needs(job, &jobs));
            sight.standing = standing(job, &plan.workflow.jobs, &jobs);
            let order = JobOrder { repository, run: &run, job, plan, sight };
            let (report, says) = job::run(&self.emulator, &self.setup, order).await?;
            fault = fault.or(says);
            jobs.push(report);
        }
        let ended = |word: &str| jobs.iter().any(|job| job.conclusion == word);
        let conclusion = ["failure", "cancelled", "success", "skipped"];
        let conclusion = conclusion.into_iter().find(|word| ended(word)).unwrap_or("success");
        let report = self.report(repository, &run, conclusion)?;
        Ok(RunReport { fault, jobs, ..report })
    }
}

/// What the jobs that this one needs came to.
fn needs(job: &Job, done: &[JobReport]) -> Value {
    let mut needs = Map::new();
    for report in done.iter().filter(|report| job.needs.contains(&report.id)) {
        let outcome = json!({ "result": report.conclusion, "outputs": report.outputs });
        needs.insert(report.id.clone(), outcome);
    }
    Value::Object(needs)
}

/// How it went with all that a job needs, directly or not.
fn standing(job: &Job, jobs: &[Job], done: &[JobReport]) -> Standing {
    let mut needed: BTreeSet<&str> = job.needs.iter().map(String::as_str).collect();
    // Jobs stand behind what they need, so one look backwards finds all.
    for other in jobs.iter().rev() {
        if needed.contains(&*other.id) {
            needed.extend(other.needs.iter().map(String::as_str));
        }
    }
    let ended = |word: &str| {
        done.iter().any(|report| needed.contains(&*report.id) && report.conclusion == word)
    };
    Standing {
        failed: ended("failure"),
        cancelled: false,
        skipped: ended("skipped") || ended("cancelled"),
    }
}
