//! Check runs: which of those on a commit count.
//!
//! Invariants: runs are told apart by suite, App and name, so no workflow speaks for another.
//! Within a suite a run replaces an earlier one of its name only if that had ended before it began,
//! and for jobs, of which several in one run may have one name, only if GitHub says that it is of a
//! later attempt. What cannot be told apart counts. One that was skipped does not, where another
//! run of the same workflow is green: a workflow for several events may do a part of its jobs at
//! each.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::Deserialize;

use super::payload::{CheckRun, CheckRuns};
use super::{ApiCall, Forge, ForgeError, Scope, repo_path};
use crate::core::checks::CheckState;
use crate::core::github::RepoRef;
use crate::core::id::{CheckRunId, Sha};

/// A run that counts.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    /// The run.
    pub(super) run: CheckRun,
    /// Those that it is there instead of.
    replaced: Vec<CheckRun>,
    /// Whether what it is there instead of was certainly green: of jobs that have one name nobody
    /// says which of them was run again.
    pub(super) was_green: bool,
    /// The same of red.
    was_red: bool,
    /// Whether a later one may be this job run again, and GitHub does not say.
    pub(super) maybe_run_again: bool,
}

/// To which attempt of its workflow run a job belongs, where that is known.
type Attempts = BTreeMap<CheckRunId, u64>;

#[derive(Deserialize)]
struct WorkflowJob {
    #[serde(default)]
    run_attempt: Option<u64>,
}

#[derive(Deserialize)]
struct SuiteRuns {
    workflow_runs: Vec<SuiteRun>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SuiteRun {
    pub(super) id: u64,
    #[serde(default)]
    workflow_id: Option<u64>,
    #[serde(default)]
    pub(super) status: Option<String>,
    /// From 1.
    #[serde(default)]
    pub(super) run_attempt: Option<u64>,
}

impl Forge {
    /// The check runs of a commit that count, the newest first.
    pub(super) async fn counted_runs(
        &self,
        repo: &RepoRef,
        scope: Scope,
        sha: &Sha,
        doing: &str,
    ) -> Result<Vec<Counted>, ForgeError> {
        let first = format!("{}/commits/{sha}/check-runs?filter=all&per_page=100", repo_path(repo));
        let mut next = Some(first);
        let mut runs: Vec<CheckRun> = Vec::new();
        while let Some(path) = next.take() {
            let call = ApiCall::new(Method::GET, path, doing);
            let answer = self.call(repo, scope, call).await?;
            runs.extend(answer.json::<CheckRuns>(doing)?.check_runs);
            next = self.next_page(&answer, doing)?;
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        // A run that came while we turned the pages moves one to the next page.
        runs.dedup_by_key(|run| run.id);
        let attempts = self.attempts(repo, scope, &runs).await?;
        self.without_made_up_for(repo, scope, counting(runs, &attempts)).await
    }

    /// The number of the workflow that a check suite belongs to. `None`: to none, or GitHub does
    /// not say.
    pub async fn workflow_of(
        &self,
        repo: &RepoRef,
        suite: Option<u64>,
    ) -> Result<Option<u64>, ForgeError> {
        let Some(suite) = suite else { return Ok(None) };
        self.workflow_of_suite(repo, Scope::Watch, suite).await
    }

    async fn workflow_of_suite(
        &self,
        repo: &RepoRef,
        scope: Scope,
        suite: u64,
    ) -> Result<Option<u64>, ForgeError> {
        Ok(self.run_of_suite(repo, scope, suite).await?.and_then(|run| run.workflow_id))
    }

    /// The run of a workflow that a check suite stands for. `None`: none, or GitHub does not say.
    pub(super) async fn run_of_suite(
        &self,
        repo: &RepoRef,
        scope: Scope,
        suite: u64,
    ) -> Result<Option<SuiteRun>, ForgeError> {
        let path = format!("{}/actions/runs?check_suite_id={suite}&per_page=1", repo_path(repo));
        let doing = "asking which workflow a check is of";
        let answer = self.get::<SuiteRuns>(repo, scope, path, doing).await;
        let runs = told(answer)?.map(|answer| answer.workflow_runs).unwrap_or_default();
        Ok(runs.into_iter().next())
    }

    /// Without those that were skipped where another run of the same workflow is green.
    async fn without_made_up_for(
        &self,
        repo: &RepoRef,
        scope: Scope,
        mut counted: Vec<Counted>,
    ) -> Result<Vec<Counted>, ForgeError> {
        let mut workflows: BTreeMap<u64, Option<u64>> = BTreeMap::new();
        let mut made_up_for = BTreeSet::new();
        for (run, suites) in skipped_beside_green(&counted) {
            for suite in suites {
                if let Entry::Vacant(unknown) = workflows.entry(suite) {
                    unknown.insert(self.workflow_of_suite(repo, scope, suite).await?);
                }
            }
            let [skipped, green] = suites.map(|suite| workflows.get(&suite).copied().flatten());
            if skipped.is_some() && skipped == green {
                made_up_for.insert(run);
            }
        }
        counted.retain(|it| !made_up_for.contains(&it.run.id));
        Ok(counted)
    }

    /// Asked only where it decides: where a job may take back what an earlier one said.
    async fn attempts(
        &self,
        repo: &RepoRef,
        scope: Scope,
        runs: &[CheckRun],
    ) -> Result<Attempts, ForgeError> {
        let mut attempts = Attempts::new();
        for (at, older) in runs.iter().enumerate() {
            let differs =
                |newer: &CheckRun| !older.is_green() || (newer.is_completed() && !newer.is_green());
            let mut newer = runs[..at].iter().filter(|newer| differs(newer));
            if !newer.any(|newer| began_after(newer, older)) {
                continue;
            }
            for run in runs.iter().filter(|run| run.is_job() && of_one_name(run, older)) {
                if attempts.contains_key(&run.id) {
                    continue;
                }
                // A check run of GitHub Actions carries the number of its job.
                let path = format!("{}/actions/jobs/{}", repo_path(repo), run.id);
                let doing = "asking which attempt a job is of";
                let job = told(self.get::<WorkflowJob>(repo, scope, path, doing).await)?;
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

    /// How it stands.
    pub(super) fn state(&self) -> CheckState {
        CheckState::of_run(self.status.as_deref(), self.conclusion.as_deref())
    }

    fn is_completed(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    fn is_green(&self) -> bool {
        self.is_completed() && self.conclusion.as_deref() == Some("success")
    }

    fn is_skipped(&self) -> bool {
        self.is_completed() && self.conclusion.as_deref() == Some("skipped")
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
        if let Some(newer) = counted.iter_mut().find(fits) {
            newer.replaced.push(run);
            continue;
        }
        let is_untold = |newer: &Counted| {
            let told = attempt.is_some() && attempts.contains_key(&newer.run.id);
            run.is_job() && began_after(&newer.run, &run) && !told
        };
        let maybe_run_again = counted.iter().any(is_untold);
        let (replaced, was_green, was_red) = (Vec::new(), false, false);
        counted.push(Counted { run, replaced, was_green, was_red, maybe_run_again });
    }
    let was: Vec<[bool; 2]> = counted
        .iter()
        .map(|it| [CheckState::Green, CheckState::Red].map(|was| it.was(was, &counted, attempts)))
        .collect();
    for (counted, [was_green, was_red]) in counted.iter_mut().zip(was) {
        (counted.was_green, counted.was_red) = (was_green, was_red);
    }
    counted
}

impl Counted {
    /// Whether all runs of one attempt before came to this, of which this is one run again.
    fn was(&self, state: CheckState, counted: &[Counted], attempts: &Attempts) -> bool {
        let all = || counted.iter().flat_map(|it| it.replaced.iter().chain([&it.run]));
        let differs =
            |run: &CheckRun| run.is_completed() && !run.is_skipped() && run.state() != state;
        let has_other_twin = |old: &CheckRun| {
            let attempt = attempts.get(&old.id);
            let mut twins = all().filter(|run| of_one_name(run, old));
            attempt.is_some() && twins.any(|it| attempts.get(&it.id) == attempt && differs(it))
        };
        self.replaced.iter().any(|old| old.state() == state && !has_other_twin(old))
    }

    /// How often it came to red, with the runs that it replaced.
    pub(super) fn reds(&self) -> u32 {
        let all = self.replaced.iter().chain([&self.run]);
        all.fold(0, |reds, run| reds + u32::from(run.state() == CheckState::Red))
    }

    /// Whether it came to both on this commit, in whatever order.
    pub(super) fn came_to_both(&self) -> bool {
        let now = |state| self.run.state() == state;
        let red = self.was_red || now(CheckState::Red);
        red && (self.was_green || now(CheckState::Green))
    }
}

fn replaces(newer: &CheckRun, older: &CheckRun, attempts: &Attempts) -> bool {
    let of_later_attempt = match (attempts.get(&newer.id), attempts.get(&older.id)) {
        (Some(newer), Some(older)) => newer > older,
        // Others than jobs have no attempts.
        _ => !newer.is_job() && !older.is_job(),
    };
    began_after(newer, older) && of_later_attempt
}

/// Whether one began when the other, of the same name, had ended.
fn began_after(newer: &CheckRun, older: &CheckRun) -> bool {
    if !of_one_name(newer, older) || !older.is_completed() {
        return false;
    }
    match (moment(&older.completed_at), moment(&newer.started_at)) {
        (Some(ended), Some(began)) => ended <= began,
        _ => false,
    }
}

/// Each run that was skipped, with its suite and another in which a run of its name is green.
fn skipped_beside_green(counted: &[Counted]) -> Vec<(CheckRunId, [u64; 2])> {
    let mut beside = Vec::new();
    for Counted { run: skipped, .. } in counted.iter().filter(|it| it.run.is_skipped()) {
        for Counted { run: green, .. } in counted.iter().filter(|it| it.run.is_green()) {
            let same = skipped.name == green.name && skipped.app_id() == green.app_id();
            if let (true, Some(one), Some(other)) = (same, skipped.suite(), green.suite())
                && one != other
            {
                beside.push((skipped.id, [one, other]));
            }
        }
    }
    beside
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

    /// The same, as a job of GitHub Actions.
    fn job(of: (u64, Option<u64>, &str, &str), conclusion: &str) -> CheckRun {
        let page = "https://github.com/acme/widgets/actions/runs/5/job/6".to_owned();
        CheckRun { details_url: Some(page), ..run(of, conclusion) }
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
    fn a_job_replaces_only_one_of_an_attempt_before_its_own() {
        let runs = || {
            let one = job((1, Some(7), "00:00", "05:00"), "failure");
            vec![one, job((2, Some(7), "06:00", "07:00"), "success")]
        };
        assert_eq!(count(runs(), &[(1, 1), (2, 1)]), [2, 1]);
        assert_eq!(count(runs(), &[(1, 1), (2, 2)]), [2]);
        for untold in [&[(1, 1)][..], &[(2, 2)], &[]] {
            assert_eq!(count(runs(), untold), [2, 1], "{untold:?}");
        }
    }

    #[test]
    fn one_job_that_is_run_again_replaces_one_of_two_with_its_name() {
        let runs = |upto: usize| {
            let one = job((1, Some(7), "00:00", "05:00"), "failure");
            let other = job((2, Some(7), "00:00", "06:00"), "success");
            let again = [3, 4].map(|id| job((id, Some(7), "07:00", "08:00"), "success"));
            [one, other].into_iter().chain(again).take(upto).collect()
        };
        let attempts = [(1, 1), (2, 1), (3, 2), (4, 2)];
        assert_eq!(count(runs(3), &attempts), [3, 1], "whose it is, nobody says");
        assert_eq!(count(runs(4), &attempts), [4, 3]);
    }
}
