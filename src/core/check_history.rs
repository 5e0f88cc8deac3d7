//! What a repository's checks came to lately: by it a flaky check is known.
//!
//! Invariants: it is written from signed webhooks and only says where to look. Nothing is approved,
//! merged or repaired because of it; all that follows is that a check is run again, or that a
//! person is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::CheckState;
use super::delivery::{Payload, WebhookCheckRun};
use super::id::{Number, RepoId, Sha, Timestamp};

/// So far back a check is remembered.
pub const REMEMBERED_DAYS: i64 = 14;
/// Red on so many other pull requests within a day, a check is broken for everybody.
pub const BROKEN_FOR_EVERYBODY: usize = 5;
/// So many results are read at once.
pub const MOST_RESULTS: usize = 5000;

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// Where GitHub tries pull requests together; none of them is any of these.
const MERGE_QUEUE: &str = "gh-readonly-queue/";
/// Names of checks and branches are kept up to so many characters.
const LONGEST_NAME: usize = 200;

/// What a check came to, once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckResult {
    pub repo_id: RepoId,
    pub name: String,
    /// The App that reported it; `None` for a commit status.
    pub app: Option<u64>,
    /// GitHub's number of its suite: each run of a workflow has one.
    pub suite: Option<u64>,
    pub sha: Sha,
    /// Where it ran: `#12` for a pull request, else a branch, else the commit.
    pub place: String,
    /// Whether it failed; else it passed. What came to neither is not kept.
    pub red: bool,
    /// When it ended.
    pub at: Timestamp,
}

impl CheckResult {
    /// Reads it from a webhook. `None`: that tells of no result.
    pub fn of(event: &str, payload: &Payload, now: Timestamp) -> Option<Self> {
        let repo_id = RepoId(payload.repository.as_ref()?.id);
        match event {
            "check_run" => Self::of_run(repo_id, payload.check_run.as_ref()?, now),
            "status" => {
                let red = is_red(CheckState::of_status(payload.state.as_deref()?))?;
                let sha: Sha = payload.sha.as_deref()?.parse().ok()?;
                let branch = payload.branches.iter().flatten().next().map(|it| it.name.as_str());
                let place = kept_name(branch.unwrap_or(sha.short()));
                let name = kept_name(payload.context.as_deref()?);
                let at = now;
                Some(Self { repo_id, name, app: None, suite: None, sha, place, red, at })
            }
            _ => None,
        }
    }

    fn of_run(repo_id: RepoId, run: &WebhookCheckRun, now: Timestamp) -> Option<Self> {
        let state = CheckState::of_run(run.status.as_deref(), run.conclusion.as_deref());
        let red = is_red(state)?;
        let sha: Sha = run.head_sha.parse().ok()?;
        let suite = run.check_suite.as_ref();
        let pull = run.pull_requests.iter().flatten().next();
        let pull = pull.map(|pull| format!("#{}", pull.number));
        let branch = suite.and_then(|suite| suite.head_branch.clone());
        // A name that would pose as a pull request is none.
        let branch = branch.filter(|branch| !branch.starts_with('#'));
        let place = kept_name(&pull.or(branch).unwrap_or_else(|| sha.short().to_owned()));
        // A delivery may come late; none comes from the future.
        let ended = run.completed_at.as_deref().and_then(moment).map_or(now, |at| at.min(now));
        Some(Self {
            repo_id,
            name: kept_name(run.name.as_deref()?),
            app: run.app.as_ref().map(|app| app.id),
            suite: suite.map(|suite| suite.id),
            sha,
            place,
            red,
            at: ended,
        })
    }

    fn is_of(&self, name: &str, app: Option<u64>) -> bool {
        self.name == kept_name(name) && self.app == app
    }
}

/// `None`: it came to neither.
fn is_red(state: CheckState) -> Option<bool> {
    match state {
        CheckState::Red => Some(true),
        CheckState::Green => Some(false),
        CheckState::Pending | CheckState::CutOff | CheckState::Skipped => None,
    }
}

/// A name of a check or place, as it is kept.
pub fn kept_name(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

fn moment(text: &str) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp(moment.timestamp_millis()))
}

/// A check on a pull request, to be held against what it came to elsewhere.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct CheckInQuestion<'a> {
    pub name: &'a str,
    pub app: Option<u64>,
    /// The head of the pull request.
    pub sha: &'a Sha,
    /// The pull request and its branch, as results name them.
    pub own_places: [&'a str; 2],
    /// The branch it goes into.
    pub base: &'a str,
}

/// A place where a check is red.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RedElsewhere {
    pub sha: Sha,
    pub suite: Option<u64>,
    /// The pull request, where the webhook named one.
    pub pull: Option<Number>,
}

/// Other commits on which a check seems to have come to both, the newest first. Jobs of one name in
/// one run look the same, so this only says where to look.
pub fn came_to_both<'a>(
    results: &'a [CheckResult],
    of: &CheckInQuestion<'_>,
) -> Vec<(&'a Sha, Timestamp)> {
    let elsewhere = |it: &&CheckResult| it.is_of(of.name, of.app) && it.sha != *of.sha;
    let both = on_both(results.iter().filter(elsewhere));
    let mut both: Vec<_> = both.into_iter().collect();
    both.sort_by_key(|(_, last)| std::cmp::Reverse(*last));
    both
}

/// Commits on which a check was red and green within one suite, and when it ended there last.
fn on_both<'a>(results: impl Iterator<Item = &'a CheckResult>) -> BTreeMap<&'a Sha, Timestamp> {
    let mut suites: BTreeMap<_, Vec<&CheckResult>> = BTreeMap::new();
    for result in results {
        suites.entry((&result.sha, result.suite)).or_default().push(result);
    }
    let came_to = |all: &[&CheckResult], red| all.iter().any(|it| it.red == red);
    let both = suites.into_iter().filter(|(_, all)| came_to(all, true) && came_to(all, false));
    both.filter_map(|((sha, _), all)| Some((sha, all.iter().map(|it| it.at).max()?))).collect()
}

/// Where else than here and on the base it is red within the last day, with nothing green anywhere
/// since: the newest of each place. `results` come newest first.
pub fn red_elsewhere_today(
    results: &[CheckResult],
    of: &CheckInQuestion<'_>,
    now: Timestamp,
) -> Vec<RedElsewhere> {
    let since = now.plus_seconds(-DAY_SECONDS);
    let own = |it: &CheckResult| it.sha == *of.sha || of.own_places.contains(&it.place.as_str());
    let of_it = results.iter().filter(|it| it.is_of(of.name, of.app) && !own(it));
    let red = of_it.take_while(|it| it.red && it.at >= since);
    let mut known = BTreeSet::new();
    let places = red.filter(|it| it.place != of.base && !it.place.starts_with(MERGE_QUEUE));
    let newest = places.filter(|it| known.insert(it.place.as_str()));
    let elsewhere = newest.map(|it| RedElsewhere {
        sha: it.sha.clone(),
        suite: it.suite,
        pull: it.place.strip_prefix('#').and_then(|number| number.parse().ok()).map(Number),
    });
    elsewhere.collect()
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckSummary {
    pub name: String,
    /// How often it ended, and how often red.
    pub results: usize,
    pub red: usize,
    /// Commits on which it was red and green.
    pub both: usize,
    /// Places where it was red within the last day.
    pub red_today: usize,
}

/// Of each check that was ever red what it came to, the least reliable first.
pub fn summaries(results: &[CheckResult], now: Timestamp) -> Vec<CheckSummary> {
    let mut checks: BTreeMap<(&str, Option<u64>), Vec<&CheckResult>> = BTreeMap::new();
    for result in results {
        checks.entry((&result.name, result.app)).or_default().push(result);
    }
    let since = now.plus_seconds(-DAY_SECONDS);
    let summary = |((name, app), all): ((&str, Option<u64>), Vec<&CheckResult>)| {
        let today = all.iter().filter(|it| it.red && it.at >= since);
        CheckSummary {
            name: name.to_owned(),
            results: all.len(),
            red: all.iter().filter(|it| it.red).count(),
            // Of a status nobody knows whether it was run again or told anew.
            both: if app.is_some() { on_both(all.iter().copied()).len() } else { 0 },
            red_today: today.map(|it| it.place.as_str()).collect::<BTreeSet<_>>().len(),
        }
    };
    let mut all: Vec<_> = checks.into_iter().map(summary).filter(|it| it.red > 0).collect();
    all.sort_by_key(|it| std::cmp::Reverse((it.both, it.red)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const THERE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn sha(text: &str) -> Sha {
        text.parse().unwrap()
    }

    /// Of `test`, at this hour.
    fn result(at: &str, suite: u64, place: &str, red: bool, hour: i64) -> CheckResult {
        CheckResult {
            repo_id: RepoId(1),
            name: "test".to_owned(),
            app: Some(2),
            suite: Some(suite),
            sha: sha(at),
            place: place.to_owned(),
            red,
            at: Timestamp(0).plus_seconds(hour * 60 * 60),
        }
    }

    fn question(head: &Sha) -> CheckInQuestion<'_> {
        CheckInQuestion {
            name: "test",
            app: Some(2),
            sha: head,
            own_places: ["#9", "gander/9"],
            base: "main",
        }
    }

    #[test]
    fn a_check_came_to_both_only_within_one_suite_of_another_commit() {
        let head = sha(HERE);
        for (what, results, both) in [
            ("run again", [(THERE, 7, true), (THERE, 7, false)], 1),
            ("two workflows", [(THERE, 7, true), (THERE, 8, false)], 0),
            ("here, which is what is asked about", [(HERE, 7, true), (HERE, 7, false)], 0),
            ("red twice", [(THERE, 7, true), (THERE, 7, true)], 0),
        ] {
            let results = results.map(|(at, suite, red)| result(at, suite, "#3", red, 1));
            assert_eq!(came_to_both(&results, &question(&head)).len(), both, "{what}");
        }
    }

    #[test]
    fn of_other_places_each_counts_once_for_a_day_and_what_was_before_a_green_one_does_not() {
        let head = sha(HERE);
        let now = Timestamp(0).plus_seconds(30 * 60 * 60);
        let results = [
            result(THERE, 1, "#3", true, 29),
            result(THERE, 6, "main", true, 29),
            result(THERE, 7, "#9", true, 29),
            result(HERE, 8, "somewhere", true, 29),
            result(HERE, 8, "gander/9", false, 29),
            result(THERE, 9, "gh-readonly-queue/main/pr-4", true, 29),
            result(THERE, 2, "#3", true, 28),
            result(THERE, 3, "topic", true, 27),
            result(THERE, 5, "#6", false, 26),
            result(THERE, 4, "#5", true, 25),
        ];
        let pulls = |results: &[CheckResult], now| {
            let found = red_elsewhere_today(results, &question(&head), now);
            found.into_iter().map(|it| it.pull.map(|pull| pull.0)).collect::<Vec<_>>()
        };
        assert_eq!(pulls(&results, now), [Some(3), None]);
        assert_eq!(pulls(&results, now.plus_seconds(DAY_SECONDS)), []);
    }

    #[test]
    fn only_a_result_is_read_from_a_webhook_and_of_a_pull_request_its_number() {
        let read = |event: &str, body: &str| {
            let payload: Payload = serde_json::from_str(body).unwrap();
            CheckResult::of(event, &payload, Timestamp(1_000_000_000_000))
        };
        let run = |conclusion: &str, pulls: &str| {
            format!(
                r#"{{"repository":{{"id":1,"full_name":"acme/widgets"}},"check_run":{{"id":5,
                "name":"test","head_sha":"{THERE}","status":"completed","conclusion":{conclusion},
                "completed_at":"2001-01-01T00:00:00Z","app":{{"id":2}},
                "check_suite":{{"id":7,"head_branch":"topic"}},"pull_requests":{pulls}}}}}"#
            )
        };
        let red = read("check_run", &run(r#""failure""#, r#"[{"number":3}]"#)).unwrap();
        assert_eq!((red.place.as_str(), red.red, red.at.0), ("#3", true, 978_307_200_000));
        let green = read("check_run", &run(r#""success""#, "[]")).unwrap();
        assert_eq!((green.place.as_str(), green.red), ("topic", false));
        for neither in [r#""cancelled""#, r#""skipped""#, "null"] {
            assert_eq!(read("check_run", &run(neither, "[]")), None);
        }
        let status = |state: &str| {
            format!(
                r#"{{"repository":{{"id":1,"full_name":"acme/widgets"}},"sha":"{THERE}",
                "state":"{state}","context":"lint","branches":[{{"name":"main"}}]}}"#
            )
        };
        assert_eq!(read("status", &status("error")).unwrap().place, "main");
        assert_eq!(read("status", &status("pending")), None);
    }
}
