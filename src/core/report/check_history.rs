//! Words on what the repository's checks came to lately.

use std::fmt::Write as _;

use super::waiting::code;
use crate::core::check_history::{CheckSummary, MOST_RESULTS, REMEMBERED_DAYS};

/// So many checks are shown.
const MOST_SHOWN: usize = 20;

/// The answer to `status checks`. `results`: how many all of it is made from.
pub fn check_history(checks: &[CheckSummary], results: usize) -> String {
    let days = REMEMBERED_DAYS;
    if results == 0 {
        return format!("No check has ended here in the last {days} days that Gander heard of.");
    }
    let span = match results < MOST_RESULTS {
        true => format!("the last {days} days"),
        false => format!("the last {MOST_RESULTS} results, at most {days} days old"),
    };
    if checks.is_empty() {
        let s = if results == 1 { "" } else { "s" };
        return format!("No check was red in {span}, {results} result{s} in all.");
    }
    let mut text = format!("**Checks that were red** in {span}, on all branches:\n\n");
    text.push_str("| check | red | red and green on one commit | red today |\n|---|---|---|---|\n");
    for check in checks.iter().take(MOST_SHOWN) {
        let CheckSummary { name, results, red, both, red_today } = check;
        let today = match red_today {
            0 => "no".to_owned(),
            places => format!("on {places} branch{}", if *places == 1 { "" } else { "es" }),
        };
        let name = code(name).replace('|', "/");
        let _ = writeln!(text, "| `{name}` | {red} of {results} | {both} | {today} |");
    }
    if let Some(more) = checks.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "\nAnd {more} more.");
    }
    text.push_str(
        "\nOne that was red and green on one commit may be flaky: where it is red on a pull request of \
         Gander's, GitHub is asked whether it is, and then it is run again before anything is \
         changed for it.\n",
    );
    text
}
