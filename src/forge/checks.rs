//! Checks: how they stand on a commit.
//!
//! Invariants: every run that counts is told, however many have one name: which do is said in
//! `runs.rs`; Gander's own never does.

use http::Method;
use serde::Deserialize;

use super::payload::CheckOutput;
use super::runs::Counted;
use super::{ApiCall, Forge, ForgeError, RAW, Scope, found, payload, repo_path};
use crate::core::checks::CheckState;
use crate::core::github::RepoRef;
use crate::core::id::{RunId, Sha};

/// A run of a check on one commit, or a commit status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReportedCheck {
    pub name: String,
    /// The App that reported it; `None` for a commit status.
    pub app: Option<u64>,
    /// How it stands.
    pub state: CheckState,
    /// GitHub's number of the check run, by which its log is found.
    pub run: Option<u64>,
    /// GitHub's number of its suite: each run of a workflow has one.
    pub suite: Option<u64>,
    /// Its own words.
    pub summary: String,
    /// Where GitHub shows it.
    pub page: Option<String>,
    /// How often it came to red, with the runs that it replaced.
    pub reds: u32,
    /// Whether it is red, and a run that it replaced was green.
    pub wavered: bool,
    /// Whether it came to both on this commit, in whatever order.
    pub came_to_both: bool,
}

/// A job of a workflow run that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// As its workflow file names it.
    pub name: String,
    /// What it said of that, each as `title: message`, without what the runner adds by itself.
    pub errors: Vec<String>,
}

#[derive(Deserialize)]
struct RunJobs {
    jobs: Vec<RunJob>,
}

#[derive(Deserialize)]
struct RunJob {
    id: u64,
    name: String,
    #[serde(default)]
    conclusion: Option<String>,
}

/// So many failed jobs of a run are asked what they said.
const MOST_FAILED_JOBS: usize = 5;
/// How the runner itself says that a command failed.
const RUNNERS_OWN: &str = "Process completed with exit code";

impl Forge {
    /// Every check run that counts and every status on a commit, but our own.
    pub async fn checks(
        &self,
        repo: &RepoRef,
        sha: &Sha,
    ) -> Result<Vec<ReportedCheck>, ForgeError> {
        let doing = "reading the checks of a commit";
        let (counted, statuses) = tokio::try_join!(
            self.counted_runs(repo, Scope::Watch, sha, doing),
            self.statuses(repo, sha, doing)
        )?;
        let others = counted.into_iter().filter(|it| !self.is_this_app(it.run.app_id()));
        let mut states: Vec<ReportedCheck> = others
            .map(|counted| {
                let (reds, came_to_both) = (counted.reds(), counted.came_to_both());
                let Counted { run, was_green, .. } = counted;
                ReportedCheck {
                    app: run.app_id(),
                    state: run.state(),
                    run: Some(run.id.0),
                    suite: run.suite(),
                    summary: run.output.as_ref().map(CheckOutput::words).unwrap_or_default(),
                    page: run.html_url.clone(),
                    reds,
                    wavered: run.state() == CheckState::Red && was_green,
                    came_to_both,
                    name: run.name,
                }
            })
            .collect();
        states.extend(statuses.into_iter().map(|status| ReportedCheck {
            state: CheckState::of_status(&status.state),
            name: status.context,
            app: None,
            run: None,
            suite: None,
            summary: status.description.unwrap_or_default(),
            page: None,
            reds: 0,
            wavered: false,
            came_to_both: false,
        }));
        Ok(states)
    }

    /// The newest status of each context.
    async fn statuses(
        &self,
        repo: &RepoRef,
        sha: &Sha,
        doing: &str,
    ) -> Result<Vec<payload::CommitStatus>, ForgeError> {
        let mut next = Some(format!("{}/commits/{sha}/status?per_page=100", repo_path(repo)));
        let mut statuses = Vec::new();
        while let Some(path) = next.take() {
            let call = ApiCall::new(Method::GET, path, doing);
            let answer = self.call(repo, Scope::Watch, call).await?;
            statuses.extend(answer.json::<payload::CombinedStatus>(doing)?.statuses);
            next = self.next_page(&answer, doing)?;
        }
        Ok(statuses)
    }

    /// The log of a red check that GitHub Actions ran: `None` where there is none to be had.
    pub async fn check_log(&self, repo: &RepoRef, run: u64) -> Result<Option<String>, ForgeError> {
        // A check run of GitHub Actions carries the number of its job.
        let path = format!("{}/actions/jobs/{run}/logs", repo_path(repo));
        let doing = "reading the log of a check";
        let log = self.download(repo, Scope::Watch, path, RAW, doing).await?;
        Ok(log.map(|log| String::from_utf8_lossy(&log).into_owned()))
    }

    /// What a check points at, line by line: `path:line: message`.
    pub async fn annotations(&self, repo: &RepoRef, run: u64) -> Result<Vec<String>, ForgeError> {
        let all = self.annotations_of(repo, run).await?;
        Ok(all
            .into_iter()
            .map(|it| format!("{}:{}: {}", it.path, it.start_line, it.message.unwrap_or_default()))
            .collect())
    }

    /// The jobs that failed in the latest attempt of a workflow run, and why as they say it.
    pub async fn failed_jobs(
        &self,
        repo: &RepoRef,
        run: RunId,
    ) -> Result<Vec<FailedJob>, ForgeError> {
        let path = format!("{}/actions/runs/{run}/jobs?per_page=100", repo_path(repo));
        let doing = "reading the jobs of a run";
        let answer: Option<RunJobs> = found(self.get(repo, Scope::Watch, path, doing).await)?;
        let jobs = answer.map(|it| it.jobs).unwrap_or_default();
        let failed = |job: &RunJob| {
            job.conclusion.as_deref().is_some_and(|it| ["failure", "timed_out"].contains(&it))
        };
        let mut all = Vec::new();
        for job in jobs.into_iter().filter(failed).take(MOST_FAILED_JOBS) {
            // A check run of GitHub Actions carries the number of its job.
            let said = self.annotations_of(repo, job.id).await?;
            let errors = said.into_iter().filter(|it| {
                let own = it.message.as_deref().is_none_or(|it| it.starts_with(RUNNERS_OWN));
                it.annotation_level.as_deref() == Some("failure") && !own
            });
            let errors = errors.map(|it| match (it.title, it.message.unwrap_or_default()) {
                (Some(title), message) if !title.is_empty() => format!("{title}: {message}"),
                (_, message) => message,
            });
            all.push(FailedJob { name: job.name, errors: errors.collect() });
        }
        Ok(all)
    }

    async fn annotations_of(
        &self,
        repo: &RepoRef,
        run: u64,
    ) -> Result<Vec<payload::Annotation>, ForgeError> {
        let path = format!("{}/check-runs/{run}/annotations?per_page=50", repo_path(repo));
        let doing = "reading what a check points at";
        let call = ApiCall::new(Method::GET, path, doing);
        let Some(answer) = found(self.call(repo, Scope::Watch, call).await)? else {
            return Ok(Vec::new());
        };
        answer.json(doing)
    }
}
