//! What the checks of a change came to.
//!
//! Invariants: green checks are called passed unless a test was seen to need the change, and where
//! no test was run, because
//! there is no command or because the commands ran none, that is said with it.

use std::fmt::Write as _;

use super::{LONGEST_SUMMARY, LONGEST_TITLE, headline, outcome_words, strip_marks};
use crate::core::evidence::{CheckKind, CheckOutcome, Evidence, GreenOutcome, TestsRun, Verdict};
use crate::core::job::Job;
use crate::core::policy::RULES_PATH;
use crate::core::text::{first_of, inline, listed, within};

/// So many tests are named in a list.
const MOST_TESTS: usize = 20;
/// Checks that are shown one by one.
const MOST_CHECKS: usize = 50;
/// Characters that are shown of a command.
const LONGEST_NAME: usize = 200;

/// Title and summary of the check run on the commit.
pub fn check_run(job: &Job) -> (String, String) {
    let mut summary = checks_table(job);
    let green = job.evidence().filter(|it| it.verdict() == Verdict::Green);
    match green.map(Evidence::outcome) {
        Some(GreenOutcome::ChecksPassed) | None => {}
        Some(said) => summary = format!("{}.\n\n{summary}", outcome_words(said)),
    }
    // GitHub counts bytes here, of which a character has four at most.
    let summary = match summary.len() <= LONGEST_SUMMARY {
        true => summary,
        false => within(&summary, LONGEST_SUMMARY / 4),
    };
    let title = strip_marks(&headline(job)).chars().take(LONGEST_TITLE).collect();
    (title, summary)
}

/// The same for the reader of a pull request, with the next step.
pub fn why_no_test(tests: TestsRun) -> Option<String> {
    let why = match tests {
        TestsRun::Ran => return None,
        TestsRun::NoCommand => "Gander found no test command in this project.",
        TestsRun::NoneRan => {
            "The commands below ran and succeeded, but by their own account they ran no test."
        }
    };
    let mends = "names one that runs tests";
    Some(format!("{why} `[verify] commands` in `{RULES_PATH}` {mends}."))
}

/// The step of the checklist.
pub(super) fn checked_step(job: &Job) -> String {
    let step = "check it in a fresh copy";
    let green = job.evidence().filter(|it| it.verdict() == Verdict::Green);
    match green.map(Evidence::outcome) {
        Some(GreenOutcome::Proven) => format!("{step}: proven"),
        Some(GreenOutcome::NothingRan) => format!("{step}: checks passed, no test was run"),
        Some(GreenOutcome::ChecksPassed) | None => step.to_owned(),
    }
}

/// Every check, how it ended and how long it took.
pub(super) fn checks_table(job: &Job) -> String {
    let mut text = String::from("| check | result | time |\n|---|---|---|\n");
    let checks = job.evidence().map_or(&[][..], |evidence| &evidence.checks);
    // What is not green comes first where not all are shown.
    let mut shown: Vec<_> = checks.iter().collect();
    if checks.len() > MOST_CHECKS {
        shown.sort_by_key(|check| matches!(check.outcome, CheckOutcome::Passed));
    }
    for check in shown.into_iter().take(MOST_CHECKS) {
        let result: &str = match &check.outcome {
            CheckOutcome::Passed if check.ran_fewer_tests() => &format!(
                "passed, **{} tests, {} without the change**",
                check.tests.unwrap_or(0),
                check.tests_before.unwrap_or(0)
            ),
            CheckOutcome::Passed => "passed",
            CheckOutcome::NoTestRun => "passed, no test was run",
            CheckOutcome::OnlyKnownFailures { .. } => "passed without the tests below",
            CheckOutcome::Failed(_) => "**failed**",
            CheckOutcome::Inconclusive(_) => "inconclusive",
            CheckOutcome::EndedEarly(_) => "inconclusive: the run ended early",
        };
        let name = match check.kind {
            CheckKind::Rule => check.name.clone(),
            CheckKind::Command => {
                let name = check.name.replace(['`', '|', '\n'], " ");
                let cut = name.char_indices().nth(LONGEST_NAME).map(|(end, _)| &name[..end]);
                cut.map_or_else(|| format!("`{name}`"), |start| format!("`{start}` …"))
            }
        };
        let seconds = check.millis / 1000;
        let tenths = check.millis % 1000 / 100;
        let _ = writeln!(text, "| {name} | {result} | {seconds}.{tenths} s |");
    }
    if let Some(more) = checks.len().checked_sub(MOST_CHECKS).filter(|more| *more > 0) {
        let _ = writeln!(text, "| and {more} more | | |");
    }
    text.push_str(&left_out(job));
    let packages = job.evidence().map_or(&[][..], |evidence| &evidence.packages);
    if !packages.is_empty() {
        let packages = packages.iter().map(|it| inline(it, LONGEST_NAME));
        let _ = writeln!(text, "\nPackages were fetched: {}.", listed(packages));
    }
    let tools = job.evidence().map_or(&[][..], |evidence| &evidence.tools);
    if !tools.is_empty() {
        let tools = tools.iter().map(|it| inline(it, LONGEST_NAME));
        let _ = writeln!(text, "\nChecked with {}.", listed(tools));
    }
    text
}

/// The tests that decide nothing, by name, and why.
fn left_out(job: &Job) -> String {
    let (mut old, mut wavering) = (Vec::new(), Vec::new());
    for check in job.evidence().into_iter().flat_map(|evidence| &evidence.checks) {
        if let CheckOutcome::OnlyKnownFailures { red_before, flaky } = &check.outcome {
            old.extend(red_before);
            wavering.extend(flaky);
        }
    }
    let mut text = String::new();
    for (tests, why) in [
        (old, "Fails without this change, too"),
        (wavering, "Flaky: fails at one time and passes at another"),
    ] {
        if !tests.is_empty() {
            let named: Vec<String> = tests.iter().map(|name| inline(name, 200)).collect();
            let _ = write!(text, "\n{why}: {}.\n", first_of(&named, MOST_TESTS).join(", "));
        }
    }
    text
}
