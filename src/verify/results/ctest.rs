//! What ctest prints: a line for each test, and a closing one.
//!
//! Invariants: as many tests as each line says there are, or nothing is known. Its JUnit report is
//! not asked for: in 3.25.1 a test whose program is not there fails the run and is `skipped` in it.

use std::collections::BTreeSet;

use super::Marks;
use super::commands::starts;
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// Ways to start it in which it runs no test, or prints no closing line.
const OTHERWISE: &[&str] =
    &["--version", "--help", "-N", "--show-only", "--print-labels", "--quiet", "-Q", "--build-and"];

/// Lines of what one test said.
const MOST_SAID: usize = 40;

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

/// One line of a test: `2/3 Test #2: mean.red ....***Failed    0.00 sec`.
struct TestLine<'a> {
    /// How many there are; not said where it is tried again.
    of: Option<usize>,
    name: &'a str,
    status: &'a str,
}

impl<'a> TestLine<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (counted, rest) = line.split_once("Test ")?;
        let of = match counted.trim() {
            "" => None,
            counted => Some(counted.split_once('/')?.1.parse().ok()?),
        };
        let (number, rest) = rest.trim_start().strip_prefix('#')?.split_once(": ")?;
        number.parse::<usize>().ok()?;
        let (name, status) = rest.split_once(" ...")?;
        let status = status.trim_start_matches('.').trim();
        Some(Self { of, name, status })
    }

    /// `said`: what stands under it, where `--output-on-failure` shows it.
    fn result(&self, said: &str) -> Option<TestResult> {
        let is = |word: &str| self.status.contains(word);
        if self.status.starts_with("Passed") {
            return Some(TestResult::in_state(TestState::Passed));
        }
        if is("***Skipped") || is("***Not Run (Disabled)") {
            return Some(TestResult::in_state(TestState::Skipped));
        }
        let what = self.status.trim_start_matches('*').trim_end_matches(" sec");
        let what = what.rsplit_once("  ").map_or(what, |(what, _)| what).trim();
        let cause = match () {
            () if is("***Not Run") || said.contains("error while loading shared libraries") => {
                FailureCause::NotLoaded
            }
            () if is("***Timeout") => FailureCause::Surroundings("Timeout".to_owned()),
            () if is("***Exception") && !said.contains("ssertion") => {
                FailureCause::Exception(what.trim_end_matches(':').to_owned())
            }
            // A test of ctest's is a program, and says by its exit status that something is wrong.
            () if is("***Failed") || is("***Exception") => FailureCause::Assertion,
            () => return None,
        };
        let said = if said.is_empty() { what } else { said };
        Some(TestResult::failed(cause, said))
    }
}

/// What each test came to.
pub(super) fn tests(lines: &[&str]) -> Option<TestResults> {
    let mut results = TestResults::default();
    let (mut of, mut seen) = (0, BTreeSet::new());
    for (at, line) in lines.iter().enumerate() {
        let Some(test) = TestLine::read(line) else { continue };
        let below = lines.get(at + 1..).unwrap_or_default().iter();
        let goes_on = |line: &&&str| {
            !line.trim_start().starts_with("Start ")
                && TestLine::read(line).is_none()
                && closing(line).is_none()
        };
        let said: Vec<&str> = below.take_while(goes_on).take(MOST_SAID).copied().collect();
        results.add(test.name.to_owned(), test.result(&said.join("\n"))?)?;
        // `--repeat until-pass:N`
        if !seen.insert(test.name) {
            results.was_retried(test.name);
        }
        of = test.of.unwrap_or(of);
    }
    (seen.len() == of && !results.is_empty()).then_some(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = include_str!("recorded/ctest.txt");

    #[test]
    fn each_test_is_told_by_its_line_and_by_what_it_said() {
        let results = super::tests(&SAID.lines().collect::<Vec<_>>()).unwrap();
        let cause = |name: &str| results.get(name).unwrap().failure.clone().unwrap().cause;
        let state = |name: &str| results.get(name).unwrap().state;
        assert_eq!(results.len(), 9);
        assert_eq!(state("mean.two"), TestState::Passed);
        assert_eq!(state("mean with a name"), TestState::Passed);
        assert_eq!(state("mean.skipped"), TestState::Skipped);
        assert_eq!(state("mean.off"), TestState::Skipped);
        assert_eq!(state("mean.will_fail"), TestState::Passed);
        assert_eq!(cause("mean.red"), FailureCause::Assertion);
        assert_eq!(
            results.get("mean.red").unwrap().failure.as_ref().unwrap().message,
            "expected 2, was 1"
        );
        assert_eq!(cause("mean.assert"), FailureCause::Assertion, "it aborts");
        assert_eq!(cause("mean.gone"), FailureCause::NotLoaded);
        assert_eq!(cause("mean.slow"), FailureCause::Surroundings("Timeout".to_owned()));
    }

    #[test]
    fn a_test_that_is_tried_again_and_a_run_that_ends_early_are_seen() {
        let again = [
            "1/1 Test #1: flaky ............................***Failed    0.00 sec",
            "    Test #1: flaky ............................   Passed    0.00 sec",
        ];
        let results = super::tests(&again).unwrap();
        assert_eq!(results.get("flaky").unwrap().state, TestState::Failed);
        let one = "1/2 Test #1: a ............................   Passed    0.00 sec";
        assert_eq!(super::tests(&[one]), None);
    }
}
