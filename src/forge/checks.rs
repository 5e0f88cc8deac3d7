//! Checks: which must be green, and how they stand on a commit.
//!
//! What holds: a check is told from another by its name *and* the App that reported it; of several
//! runs of one check the newest counts; Gander's own never does.

use http::Method;

use super::{Call, Forge, ForgeError, JSON, RAW, Scope, found, payload, repo_path, segments};
use crate::core::event::Place;
use crate::core::id::{Branch, Sha};

/// A check that branch rules name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequiredCheck {
    /// Its name.
    pub name: String,
    /// The App that has to report it, if the rule says so.
    pub app: Option<u64>,
}

/// A check on one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckState {
    /// Its name.
    pub name: String,
    /// The App that reported it; `None` for a commit status.
    pub app: Option<u64>,
    /// How it stands.
    pub state: State,
    /// GitHub's number of the check run, by which its log is found.
    pub run: Option<u64>,
    /// Its own words.
    pub summary: String,
    /// Whether an earlier run of it on the same commit ended otherwise.
    pub wavered: bool,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does not speak yet.
    Pending,
    /// It passed.
    Green,
    /// It failed.
    Red,
    /// It was cut off: timed out, cancelled, never started.
    CutOff,
    /// It did not run, or says neither: no evidence.
    Skipped,
}

impl Forge {
    /// What branch rules and branch protection ask for.
    pub async fn required_checks(
        &self,
        place: &Place,
        branch: &Branch,
    ) -> Result<Vec<RequiredCheck>, ForgeError> {
        let branch = segments(branch.as_str());
        let rules = format!("{}/rules/branches/{branch}?per_page=100", repo_path(place));
        let summary = format!("{}/branches/{branch}", repo_path(place));
        let doing = "reading which checks are required";
        let (rules, summary) = tokio::join!(
            self.list::<payload::BranchRule>(place, Scope::Read, rules, doing),
            self.get::<payload::BranchSummary>(place, Scope::Read, summary, doing)
        );
        let mut required: Vec<RequiredCheck> = found(rules)?
            .unwrap_or_default()
            .into_iter()
            .flat_map(payload::BranchRule::checks)
            .map(|check| RequiredCheck { name: check.context, app: check.integration_id })
            .collect();
        let protection = found(summary)?.and_then(|branch| branch.protection);
        let named = protection.and_then(|it| it.required_status_checks).unwrap_or_default();
        let by_app = named.checks.into_iter().map(|check| RequiredCheck {
            name: check.context,
            app: check.app_id.and_then(|id| u64::try_from(id).ok()),
        });
        required.extend(by_app);
        for name in named.contexts {
            if !required.iter().any(|check| check.name == name) {
                required.push(RequiredCheck { name, app: None });
            }
        }
        required.sort();
        required.dedup();
        Ok(required)
    }

    /// Every check and status on a commit but our own, the newest of each.
    pub async fn checks(&self, place: &Place, sha: &Sha) -> Result<Vec<CheckState>, ForgeError> {
        let doing = "reading the checks of a commit";
        let mut runs: Vec<payload::CheckRun> = Vec::new();
        for page in 1..=10 {
            let path = format!(
                "{}/commits/{sha}/check-runs?filter=all&per_page=100&page={page}",
                repo_path(place)
            );
            let answer: payload::CheckRuns = self.get(place, Scope::Watch, path, doing).await?;
            let full = answer.check_runs.len() == 100;
            runs.extend(answer.check_runs);
            if !full {
                break;
            }
        }
        let path = format!("{}/commits/{sha}/status?per_page=100", repo_path(place));
        let statuses: payload::CombinedStatus = self.get(place, Scope::Watch, path, doing).await?;
        let ours = self.inner.config.app_id;
        runs.retain(|run| run.app.as_ref().is_none_or(|app| app.id != ours));
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        let mut states: Vec<CheckState> = Vec::new();
        for run in &runs {
            let app = run.app.as_ref().map(|app| app.id);
            let state = state_of(run);
            match states.iter_mut().find(|it| it.name == run.name && it.app == app) {
                Some(newer) => newer.wavered |= newer.state == State::Red && state == State::Green,
                None => states.push(CheckState {
                    name: run.name.clone(),
                    app,
                    state,
                    run: Some(run.id.0),
                    summary: run.output.as_ref().map_or_else(String::new, payload::Output::words),
                    wavered: false,
                }),
            }
        }
        states.extend(statuses.statuses.into_iter().map(|status| CheckState {
            state: match status.state.as_str() {
                "success" => State::Green,
                "pending" => State::Pending,
                _ => State::Red,
            },
            name: status.context,
            app: None,
            run: None,
            summary: status.description.unwrap_or_default(),
            wavered: false,
        }));
        Ok(states)
    }

    /// The log of a red check that GitHub Actions ran: `None` where there is none to be had.
    pub async fn check_log(&self, place: &Place, run: u64) -> Result<Option<String>, ForgeError> {
        // A check run of GitHub Actions carries the number of its job.
        let path = format!("{}/actions/jobs/{run}/logs", repo_path(place));
        let doing = "reading the log of a check";
        let call = Call { method: Method::GET, path, body: None, accept: RAW, doing };
        let Some(answer) = found(self.call(place, Scope::Watch, call).await)? else {
            return Ok(None);
        };
        Ok(Some(String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// What a check points at, line by line: `path:line: message`.
    pub async fn annotations(&self, place: &Place, run: u64) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/check-runs/{run}/annotations?per_page=50", repo_path(place));
        let doing = "reading what a check points at";
        let call = Call { method: Method::GET, path, body: None, accept: JSON, doing };
        let found = found(self.call(place, Scope::Watch, call).await)?;
        let Some(answer) = found else { return Ok(Vec::new()) };
        let all: Vec<payload::Annotation> = answer.json(doing)?;
        Ok(all
            .into_iter()
            .map(|it| format!("{}:{}: {}", it.path, it.start_line, it.message.unwrap_or_default()))
            .collect())
    }
}

fn state_of(run: &payload::CheckRun) -> State {
    if run.status.as_deref() != Some("completed") {
        return State::Pending;
    }
    match run.conclusion.as_deref() {
        Some("success") => State::Green,
        Some("failure" | "action_required") => State::Red,
        Some("timed_out" | "cancelled" | "startup_failure" | "stale") => State::CutOff,
        _ => State::Skipped,
    }
}
