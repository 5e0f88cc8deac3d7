//! What PHPUnit prints.

use super::Marks;
use super::commands::starts;

/// Ways to start it in which it runs no test, or prints no closing line.
const OTHERWISE: &[&str] = &[
    "--version",
    "--help",
    "-h",
    "--list",
    "--no-output",
    "--no-results",
    "--teamcity",
    "--generate",
];

/// Whether a simple command starts PHPUnit so that it prints its closing line.
pub(super) fn starts_phpunit(words: &[String]) -> bool {
    let otherwise = words.iter().any(|word| OTHERWISE.iter().any(|it| word.starts_with(it)));
    starts(words, &["phpunit"]) && !otherwise
}

/// Finds `OK (3 tests, 3 assertions)`, or `Tests: 3, Assertions: 2, Skipped: 1.`, or `No tests
/// executed!`. Its first line is no sign of a run: it is all that `--version` prints.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for line in lines {
        if let Some(ran) = closing(line) {
            marks.ended += 1;
            marks.tests += ran;
            marks.passed += if line.starts_with("OK (") { ran } else { 0 };
            marks.failed(listed(line, "Failures: ") + listed(line, "Errors: "));
        }
    }
    marks
}

fn closing(line: &str) -> Option<u64> {
    if line == "No tests executed!" {
        return Some(0);
    }
    if let Some(counts) = line.strip_prefix("OK (") {
        return counts.split_once(" test")?.0.parse().ok();
    }
    let counts = line.strip_prefix("Tests: ").filter(|counts| counts.contains("Assertions: "))?;
    let (all, rest) = counts.split_once(',')?;
    Some(all.parse::<u64>().ok()?.saturating_sub(listed(rest, "Skipped: ")))
}

/// The number after a word.
fn listed(counts: &str, word: &str) -> u64 {
    let after = counts.split_once(word).map_or("", |(_, after)| after);
    after.split([',', '.']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
