//! Check runs: which of those on a commit count.
//!
//! What holds: runs are told apart by suite, App and name, so no workflow speaks for another. Within
//! a suite a run replaces an earlier one of its name only if that had ended before it began, and is
//! not known to be of the same attempt: jobs of one run may have one name. What cannot be told apart
//! counts.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

use super::payload::{CheckRun, CheckRuns};
use super::{Call, Forge, ForgeError, JSON, Scope, repo_path};
use crate::core::event::RepoRef;
use crate::core::id::{CheckRunId, Sha};

/// A run that counts.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    /// The run.
    pub(super) run: CheckRun,
    /// Those that it is there instead of.
    pub(super) replaced: Vec<CheckRun>,
}

/// To which attempt of its workflow run a job belongs, where that is known.
type Attempts = BTreeMap<CheckRunId, u64>;

#[derive(Deserialize)]
struct Job {
    #[serde(default)]
    run_attempt: Option<u64>,
}

#[derive(Deserialize)]
struct WorkflowRuns {
    workflow_runs: Vec<WorkflowRun>,
}

#[derive(Deserialize)]
struct WorkflowRun {
    #[serde(default)]
    workflow_id: Option<u64>,
}

impl Forge {
    /// The check runs of a commit that count, the newest first.
    pub(super) async fn counted_runs(
        &self,
        place: &RepoRef,
        scope: Scope,
        sha: &Sha,
        doing: &str,
    ) -> Result<Vec<Counted>, ForgeError> {
        let first =
            format!("{}/commits/{sha}/check-runs?filter=all&per_page=100", repo_path(place));
        let mut next = Some(first);
        let mut runs: Vec<CheckRun> = Vec::new();
        while let Some(path) = next.take() {
            let call = Call { method: Method::GET, path, body: None, accept: JSON, doing };
            let answer = self.call(place, scope, call).await?;
            runs.extend(answer.json::<CheckRuns>(doing)?.check_runs);
            next = self.next_page(&answer, doing)?;
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        // A run that came while we turned the pages moves one to the next page.
        runs.dedup_by_key(|run| run.id);
        let attempts = self.attempts(place, scope, &runs).await?;
        Ok(counting(runs, &attempts))
    }

    /// The number of the workflow that a check suite belongs to. `None`: to none, or GitHub does not
    /// say.
    pub async fn workflow_of(
        &self,
        place: &RepoRef,
        suite: Option<u64>,
    ) -> Result<Option<u64>, ForgeError> {
        let Some(suite) = suite else { return Ok(None) };
        let path = format!("{}/actions/runs?check_suite_id={suite}&per_page=1", repo_path(place));
        let doing = "asking which workflow a check is of";
        let answer = self.get::<WorkflowRuns>(place, Scope::Watch, path, doing).await;
        let runs = told(answer)?.map(|answer| answer.workflow_runs).unwrap_or_default();
        Ok(runs.first().and_then(|run| run.workflow_id))
    }

    /// Asked only where it decides: where a run would take back what an earlier one said.
    async fn attempts(
        &self,
        place: &RepoRef,
        scope: Scope,
        runs: &[CheckRun],
    ) -> Result<Attempts, ForgeError> {
        let nothing = Attempts::new();
        let mut attempts = Attempts::new();
        for (at, older) in runs.iter().enumerate().filter(|(_, run)| !run.is_green()) {
            if !runs[..at].iter().any(|newer| replaces(newer, older, &nothing)) {
                continue;
            }
            for run in runs.iter().filter(|run| run.is_job() && of_one_name(run, older)) {
                if attempts.contains_key(&run.id) {
                    continue;
                }
                // A check run of GitHub Actions carries the number of its job.
                let path = format!("{}/actions/jobs/{}", repo_path(place), run.id);
                let doing = "asking which attempt a job is of";
                let job = told(self.get::<Job>(place, scope, path, doing).await)?;
                if let Some(attempt) = job.and_then(|job| job.run_attempt) {
                    attempts.insert(run.id, attempt);
                }
            }
        }
        Ok(attempts)
    }
}

impl CheckRun {
    /// The number of its suite, of which each run of a workflow has one.
    pub(super) fn suite(&self) -> Option<u64> {
        self.check_suite.as_ref().map(|suite| suite.id)
    }

    /// The number of the App that reported it.
    pub(super) fn app_id(&self) -> Option<u64> {
        self.app.as_ref().map(|app| app.id)
    }

    fn is_completed(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    fn is_green(&self) -> bool {
        self.is_completed() && self.conclusion.as_deref() == Some("success")
    }

    /// Whether it says that it is a job of GitHub Actions.
    fn is_job(&self) -> bool {
        self.details_url.as_deref().is_some_and(|url| url.contains("/actions/runs/"))
    }
}

/// `None` where there is nothing, or this token may not know.
fn told<T>(answer: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Of runs with the newest first those that count.
fn counting(runs: Vec<CheckRun>, attempts: &Attempts) -> Vec<Counted> {
    let mut counted: Vec<Counted> = Vec::new();
    for run in runs {
        let attempt = attempts.get(&run.id);
        // A job that is run again is one of those that had its name in the attempt before.
        let has_its_own = |newer: &Counted| {
            let others = newer.replaced.iter();
            attempt.is_some() && others.map(|it| attempts.get(&it.id)).any(|it| it == attempt)
        };
        let fits =
            |newer: &&mut Counted| replaces(&newer.run, &run, attempts) && !has_its_own(newer);
        match counted.iter_mut().find(fits) {
            Some(newer) => newer.replaced.push(run),
            None => counted.push(Counted { run, replaced: Vec::new() }),
        }
    }
    counted
}

fn replaces(newer: &CheckRun, older: &CheckRun, attempts: &Attempts) -> bool {
    if !of_one_name(newer, older) || !older.is_completed() {
        return false;
    }
    let of_one_attempt = match (attempts.get(&newer.id), attempts.get(&older.id)) {
        (Some(newer), Some(older)) => newer <= older,
        _ => false,
    };
    let one_after_the_other = match (moment(&older.completed_at), moment(&newer.started_at)) {
        (Some(ended), Some(began)) => ended <= began,
        _ => false,
    };
    one_after_the_other && !of_one_attempt
}

/// Whether two runs are of one suite, and have one name there.
fn of_one_name(one: &CheckRun, other: &CheckRun) -> bool {
    let of_one_suite = one.suite().is_some() && one.suite() == other.suite();
    of_one_suite && one.name == other.name && one.app_id() == other.app_id()
}

fn moment(text: &Option<String>) -> Option<i64> {
    let moment = chrono::DateTime::parse_from_rfc3339(text.as_deref()?).ok()?;
    Some(moment.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(id, suite, from, to)`; all of one name. A run without an end is running.
    fn run((id, suite, from, to): (u64, Option<u64>, &str, &str), conclusion: &str) -> CheckRun {
        let at = |time: &str| (!time.is_empty()).then(|| format!("2026-01-05T12:{time}Z"));
        let ended = !to.is_empty();
        serde_json::from_value(serde_json::json!({
            "id": id,
            "name": "test",
            "status": if ended { "completed" } else { "in_progress" },
            "conclusion": ended.then_some(conclusion),
            "started_at": at(from),
            "completed_at": at(to),
            "check_suite": suite.map(|id| serde_json::json!({ "id": id })),
            "app": { "id": 15_368 },
        }))
        .unwrap()
    }

    /// The numbers of those that count.
    fn count(mut runs: Vec<CheckRun>, attempts: &[(u64, u64)]) -> Vec<u64> {
        runs.reverse();
        let attempts = attempts.iter().map(|(run, attempt)| (CheckRunId(*run), *attempt)).collect();
        counting(runs, &attempts).into_iter().map(|it| it.run.id.0).collect()
    }

    #[test]
    fn a_run_replaces_what_had_ended_in_its_own_suite_and_nothing_else() {
        let old = run((1, Some(7), "00:00", "05:00"), "failure");
        let later = ("06:00", "07:00");
        let new = |suite, (from, to)| run((2, suite, from, to), "success");
        for (what, newer, counts) in [
            ("run again", new(Some(7), later), vec![2]),
            ("running again", new(Some(7), ("06:00", "")), vec![2]),
            ("of another suite", new(Some(8), later), vec![2, 1]),
            ("of no suite", new(None, later), vec![2, 1]),
            ("side by side", new(Some(7), ("04:59", "07:00")), vec![2, 1]),
            ("nobody knows when", new(Some(7), ("", "07:00")), vec![2, 1]),
        ] {
            assert_eq!(count(vec![old.clone(), newer], &[]), counts, "{what}");
        }
        let [a, b] = [1, 2].map(|id| run((id, None, "00:00", "00:01"), "success"));
        assert_eq!(count(vec![a, b], &[]), [2, 1], "neither says its suite");
        let running = run((1, Some(7), "00:00", ""), "");
        assert_eq!(count(vec![running, new(Some(7), later)], &[]), [2, 1], "it still runs");
    }

    #[test]
    fn jobs_of_one_attempt_do_not_replace_each_other() {
        let runs = || {
            let one = run((1, Some(7), "00:00", "05:00"), "failure");
            vec![one, run((2, Some(7), "06:00", "07:00"), "success")]
        };
        assert_eq!(count(runs(), &[(1, 1), (2, 1)]), [2, 1]);
        assert_eq!(count(runs(), &[(1, 1), (2, 2)]), [2]);
        assert_eq!(count(runs(), &[(1, 1)]), [2]);
    }

    #[test]
    fn one_job_that_is_run_again_replaces_one_of_two_with_its_name() {
        let runs = |upto: usize| {
            let one = run((1, Some(7), "00:00", "05:00"), "failure");
            let other = run((2, Some(7), "00:00", "06:00"), "success");
            let again = [3, 4].map(|id| run((id, Some(7), "07:00", "08:00"), "success"));
            [one, other].into_iter().chain(again).take(upto).collect()
        };
        let attempts = [(1, 1), (2, 1), (3, 2), (4, 2)];
        assert_eq!(count(runs(3), &attempts), [3, 1], "whose it is, nobody says");
        assert_eq!(count(runs(4), &attempts), [4, 3]);
    }
}
