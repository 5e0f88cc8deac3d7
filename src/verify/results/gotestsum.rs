//! What gotestsum prints of `go test`; the events that it had of it stand in a file that
//! `GOTESTSUM_JSONFILE` asks for.

use super::Marks;
use super::commands::starts;
use crate::core::test_results::TestResults;

/// Ways to start it in which it runs no test, or prints no summary.
const OTHERWISE: &[&str] =
    &["--version", "--help", "-h", "help", "tool", "--watch", "--no-summary", "--hide-summary"];

/// Whether a simple command starts gotestsum so that it prints its summary.
pub(super) fn starts_gotestsum(words: &[String]) -> bool {
    let otherwise = words.iter().any(|word| OTHERWISE.iter().any(|it| word.starts_with(it)));
    starts(words, &["gotestsum"]) && !otherwise
}

/// Finds `DONE 3 tests, 1 skipped, 1 failure in 0.755s`. A package that could not be built is one
/// of its failures.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for (tests, skipped, failures) in lines.iter().filter_map(|line| done(line)) {
        marks.ended += 1;
        marks.tests += tests.saturating_sub(skipped);
        marks.passed += tests.saturating_sub(skipped + failures);
        marks.failed(failures);
    }
    marks
}

/// Tests, and of them those that were skipped and that failed.
fn done(line: &str) -> Option<(u64, u64, u64)> {
    let (counts, time) = line.strip_prefix("DONE ")?.rsplit_once(" in ")?;
    time.strip_suffix('s')?;
    let (mut tests, mut skipped, mut failures, mut again) = (None, 0, 0, false);
    for item in counts.split(", ") {
        let (number, word) = super::counted(item)?;
        match word {
            "test" | "tests" => tests = Some(number),
            "skipped" => skipped = number,
            "failure" | "failures" | "error" | "errors" => failures += number,
            "run" | "runs" => again = true,
            _ => return None,
        }
    }
    // After `--rerun-fails` it counts each time that a test failed, also of those that passed then.
    Some((tests?, skipped, if again { 0 } else { failures }))
}

/// What each test came to, by the events.
pub(super) fn tests(events: &[u8]) -> Option<TestResults> {
    let lines: Vec<&str> = std::str::from_utf8(events).ok()?.lines().collect();
    super::go::tests(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_results::TestState;

    const SAID: &str = include_str!("recorded/gotestsum.txt");

    #[test]
    fn the_summary_counts_and_the_events_name_each_test() {
        let (shown, events) = SAID.split_once("--- report\n").unwrap();
        let marks = read(&shown.lines().collect::<Vec<_>>());
        assert_eq!((marks.ended, marks.tests, marks.failures), (1, 2, 1));
        let results = super::tests(events.as_bytes()).unwrap();
        let state = |name: &str| results.get(&format!("example.com/w::{name}")).unwrap().state;
        assert_eq!(state("TestMean"), TestState::Passed);
        assert_eq!(state("TestRed"), TestState::Failed);
        assert_eq!(state("TestSkipped"), TestState::Skipped);
        assert_eq!(done("DONE 2 runs, 4 tests, 1 failure in 0.8s"), Some((4, 0, 0)));
        assert_eq!(done("DONE in 2s"), None);
    }
}
