//! What CI does: checks of other Apps with all they say, and runs of workflows.

use serde_json::{Value, json};

use super::{Actor, CheckOutcome};
use crate::acts::{self, CheckChange, JobEnded, NewRun};
use crate::{Emulator, Trouble};

/// What a check says about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation<'a> {
    /// The file.
    pub path: &'a str,
    /// The line, counted from 1.
    pub line: u64,
    /// `notice`, `warning` or `failure`.
    pub level: &'a str,
    /// What it says.
    pub message: &'a str,
}

/// A check run with what it reports.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct CheckReport<'a> {
    pub name: &'a str,
    /// Where it is.
    pub outcome: CheckOutcome<'a>,
    /// Its headline.
    pub title: &'a str,
    /// What it says.
    pub summary: &'a str,
    /// What it says about lines.
    pub annotations: &'a [Annotation<'a>],
}

/// A run of a workflow to start.
#[derive(Debug, Clone, Copy)]
pub struct WorkflowSpec<'a> {
    /// The name of the workflow.
    pub name: &'a str,
    /// Its file, as `.github/workflows/ci.yml`.
    pub path: &'a str,
    /// What started it, as `push`.
    pub event: &'a str,
    /// The branch it is for, if it is for one.
    pub branch: Option<&'a str>,
    /// The commit it is for.
    pub sha: &'a str,
    /// The names of its jobs.
    pub jobs: &'a [&'a str],
}

/// How a job ended.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct JobEnd<'a> {
    pub name: &'a str,
    /// As `success` or `failure`.
    pub conclusion: &'a str,
    /// Everything it wrote.
    pub log: &'a str,
    /// What it says about lines.
    pub annotations: &'a [Annotation<'a>],
}

fn annotations(given: &[Annotation<'_>]) -> Vec<Value> {
    let shape = |one: &Annotation<'_>| {
        json!({
            "path": one.path,
            "start_line": one.line,
            "end_line": one.line,
            "annotation_level": one.level,
            "message": one.message,
        })
    };
    given.iter().map(shape).collect()
}

impl Actor {
    /// As the bot of an App (`SLUG[bot]`): starts, or updates, the check run of this name on a
    /// commit; says its number.
    ///
    /// # Errors
    /// When nobody of this name is an App.
    pub fn reports_check(
        &self,
        repository: &str,
        sha: &str,
        report: &CheckReport<'_>,
    ) -> Result<u64, Trouble> {
        let change = CheckChange {
            title: Some(report.title.to_owned()),
            summary: Some(report.summary.to_owned()),
            annotations: annotations(report.annotations),
            ..CheckChange::default()
        };
        self.change_check(repository, sha, report.name, report.outcome, change)
    }

    pub(super) fn change_check(
        &self,
        repository: &str,
        sha: &str,
        name: &str,
        outcome: CheckOutcome<'_>,
        change: CheckChange,
    ) -> Result<u64, Trouble> {
        let (status, conclusion) = match outcome {
            CheckOutcome::InProgress => ("in_progress", None),
            CheckOutcome::Completed(word) => ("completed", Some(word.to_owned())),
        };
        let (name, status) = (Some(name.to_owned()), Some(status.to_owned()));
        let change = CheckChange { name: name.clone(), status, conclusion, ..change };
        self.act(repository, |state, id, me| {
            let app = state.apps.values().find(|app| app.bot == me).map(|app| app.id);
            let app = app.ok_or_else(|| Trouble::unknown("App", self.login()))?;
            let known = state.repository(id)?.check_runs.iter().rev().find(|run| {
                run.app == app
                    && Some(&run.name) == name.as_ref()
                    && run.head_sha == sha
                    && run.status != "completed"
            });
            match known.map(|run| run.id) {
                Some(run) => acts::update_check(state, id, run, change).map(|()| run),
                None => acts::start_check(state, id, app, sha, change),
            }
        })
    }

    /// Starts a workflow by what this person did; all its jobs run. Says the number of the run.
    ///
    /// # Errors
    /// When the repository is unknown.
    pub fn starts_workflow(
        &self,
        repository: &str,
        spec: &WorkflowSpec<'_>,
    ) -> Result<u64, Trouble> {
        self.act(repository, |state, id, me| {
            let commit = state.repository(id)?.git.commit(spec.sha)?;
            let new = NewRun {
                name: spec.name.to_owned(),
                path: spec.path.to_owned(),
                title: commit.message.lines().next().unwrap_or_default().to_owned(),
                event: spec.event.to_owned(),
                head_branch: spec.branch.map(str::to_owned),
                head_sha: spec.sha.to_owned(),
                actor: me,
                ..NewRun::default()
            };
            acts::start_run(state, id, new, spec.jobs)
        })
    }

    /// Runs jobs of a run again that is over; they run until [`Emulator::job_ends`].
    ///
    /// # Errors
    /// When there is no such run or job, or the run is not over.
    pub fn reruns_jobs(&self, repository: &str, run: u64, jobs: &[&str]) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::rerun_jobs(state, id, run, me, jobs))
    }
}

impl Emulator {
    /// Begins one more job of a run that is not over; it may have the name of another.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn job_begins(&self, repository: &str, run: u64, name: &str) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        let done = acts::begin_job(&mut state, id, run, name, "ubuntu-latest");
        self.shared.queued.notify_one();
        done.map(drop)
    }

    /// Ends a job of a run; the run ends with its last job.
    ///
    /// # Errors
    /// When there is no such run or job.
    pub fn job_ends(&self, repository: &str, run: u64, end: &JobEnd<'_>) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        let ended = JobEnded {
            conclusion: end.conclusion.to_owned(),
            steps: Vec::new(),
            log: end.log.to_owned(),
            annotations: annotations(end.annotations),
        };
        let done = acts::end_job(&mut state, id, run, end.name, ended);
        self.shared.queued.notify_one();
        done
    }
}
