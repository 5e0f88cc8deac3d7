//! What the project's own checks came to on the files of a release, in words.

use super::code;
use crate::core::release::{ReleaseCheckOutcome, ReleaseChecks, VersionPlan};
use crate::core::text::inline;

/// The row of the pull request's table. Where the base moved since, it says what was checked.
pub(super) fn checked_row(checks: &ReleaseChecks, plan: &VersionPlan) -> String {
    let words = match (&checks.problem, checks.commands.is_empty()) {
        (Some(problem), _) => format!("not yet: {}", inline(problem, 300)),
        (None, true) => "not yet: no command was found that tests anything here".to_owned(),
        (None, false) => {
            let all: Vec<String> = checks.commands.iter().map(command_words).collect();
            all.join("; ")
        }
    };
    let at = match checks.base == plan.base {
        true => String::new(),
        false => format!(" (on `{}`)", checks.base.short()),
    };
    format!("| checked | {words}{at} |\n")
}

fn command_words((line, outcome): &(String, ReleaseCheckOutcome)) -> String {
    // A command may have several lines.
    let line = code(&line.replace('\n', "; ").replace('|', "\\|"));
    match outcome {
        ReleaseCheckOutcome::Passed => format!("{line} passes"),
        ReleaseCheckOutcome::NoTestRun => format!("{line} passes, and ran no test"),
        ReleaseCheckOutcome::RedBefore => format!("{line} fails, as it does without these files"),
        ReleaseCheckOutcome::NotRun(why) => {
            format!("{line} could not be run: {}", inline(why, 300))
        }
    }
}
