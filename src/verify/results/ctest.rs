//! What ctest prints.

use super::Marks;
use super::commands::starts;

/// Ways to start it in which it runs no test, or prints no closing line.
const OTHERWISE: &[&str] =
    &["--version", "--help", "-N", "--show-only", "--print-labels", "--quiet", "-Q", "--build-and"];

/// Whether a simple command starts ctest so that it prints its closing line.
pub(super) fn starts_ctest(words: &[String]) -> bool {
    let otherwise = words.iter().any(|word| OTHERWISE.iter().any(|it| word.starts_with(it)));
    starts(words, &["ctest"]) && !otherwise
}

/// Finds `100% tests passed, 0 tests failed out of 3`, or `No tests were found!!!`, with which it
/// exits 0, too.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for line in lines {
        if let Some((failed, all)) = closing(line) {
            marks.ended += 1;
            marks.tests += all;
            marks.passed += all.saturating_sub(failed);
            marks.failed(failed);
        }
    }
    marks
}

/// Failed tests, and all.
fn closing(line: &str) -> Option<(u64, u64)> {
    if line == "No tests were found!!!" {
        return Some((0, 0));
    }
    let (percent, rest) = line.split_once("% tests passed, ")?;
    percent.trim().parse::<u64>().ok()?;
    let (failed, all) = rest.split_once(" tests failed out of ")?;
    Some((failed.parse().ok()?, all.trim().parse().ok()?))
}
