//! What the checks of a change came to.
//!
//! Invariants: green checks are called passed and no more, and where none of the project's own
//! commands ran, that is said with it.

use std::fmt::Write as _;

use super::{headline, strip_marks};
use crate::core::evidence::{CheckKind, CheckOutcome, Verdict};
use crate::core::job::Job;

/// Title and summary of the check run on the commit.
pub fn check_run(job: &Job) -> (String, String) {
    let mut summary = checks_table(job);
    if passed_without_commands(job) {
        summary = format!("{}.\n\n{summary}", outcome_words(false));
    }
    (strip_marks(&headline(job)), summary)
}

/// What green checks come to. More than this is not known.
pub fn outcome_words(ran_commands: bool) -> &'static str {
    if ran_commands { "Checks passed" } else { "Checks passed, no test was run" }
}

/// Whether the checks are green because there was nothing to run.
pub(super) fn passed_without_commands(job: &Job) -> bool {
    let evidence = job.evidence();
    evidence.is_some_and(|it| !it.ran_commands() && it.verdict() == Verdict::Green)
}

/// The step of the checklist.
pub(super) fn checked_step(job: &Job) -> String {
    let step = "check it in a fresh copy";
    match passed_without_commands(job) {
        true => format!("{step}: {}", outcome_words(false).replacen('C', "c", 1)),
        false => step.to_owned(),
    }
}

/// Every check, how it ended and how long it took.
pub(super) fn checks_table(job: &Job) -> String {
    let mut text = String::from("| check | result | time |\n|---|---|---|\n");
    for check in job.evidence().into_iter().flat_map(|evidence| &evidence.checks) {
        let result = match &check.outcome {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed(_) => "**failed**",
            CheckOutcome::Inconclusive(_) => "inconclusive",
        };
        let name = match check.kind {
            CheckKind::Rule => check.name.clone(),
            CheckKind::Command => format!("`{}`", check.name.replace(['`', '|', '\n'], " ")),
        };
        let seconds = check.millis / 1000;
        let tenths = check.millis % 1000 / 100;
        let _ = writeln!(text, "| {name} | {result} | {seconds}.{tenths} s |");
    }
    text
}
