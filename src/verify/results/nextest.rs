//! What `cargo nextest run` prints: a line for each test, with its number, and the words of those
//! that failed. Measured with cargo-nextest 0.9.151.
//!
//! Invariants: each number comes once, and as many as its summary counts, or nothing is known: what
//! a test prints is shown, too, and may look like such a line.

use std::collections::BTreeMap;

use super::cargo_tests::failure;
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// One line of a test that ended.
struct Ended<'l> {
    /// From 1.
    number: u32,
    of: u32,
    /// `widget::it red`: its target and its name.
    test: &'l str,
    state: TestState,
    /// How it ended, in nextest's word: `FAIL`, `ABRT`, `TIMEOUT`.
    word: &'l str,
    /// Whether it was tried before.
    again: bool,
}

/// `None`: its lines do not add up.
pub(super) fn read(lines: &[&str]) -> Option<TestResults> {
    let end = lines.iter().position(|line| line.trim_start().starts_with("Summary ["))?;
    let (shown, summary) = lines.split_at(end);
    let (ran, _) = summary.first()?.split_once(']')?.1.trim().split_once(" test")?;
    let ran: u32 = ran.parse().ok()?;
    let mut seen: BTreeMap<u32, (String, TestResult)> = BTreeMap::new();
    let mut retried = Vec::new();
    for (at, line) in shown.iter().enumerate() {
        let Some(ended) = ended(line) else { continue };
        let id = ended.test.replacen(' ', "::", 1);
        let result = match ended.state {
            TestState::Failed => said_of(shown.get(at + 1..).unwrap_or_default(), ended.word),
            state => TestResult::in_state(state),
        };
        if ended.again && ended.state == TestState::Passed {
            retried.push(id.clone());
        }
        if ended.of != ran || seen.insert(ended.number, (id, result)).is_some() {
            return None;
        }
    }
    if seen.len() != usize::try_from(ran).ok()? {
        return None;
    }
    let mut results = TestResults::default();
    for (id, result) in seen.into_values() {
        results.add(id, result)?;
    }
    retried.iter().for_each(|id| results.was_retried(id));
    (!results.is_empty()).then_some(results)
}

/// `        PASS [   0.019s] (1/7) widget tests::good`, `  TRY 2 FAIL [   0.016s] (2/6) …`. One
/// that will be tried again has no number yet.
fn ended<'l>(line: &'l str) -> Option<Ended<'l>> {
    let (word, rest) = line.trim_start().split_once(" [")?;
    let (number, test) = rest.split_once("] (")?.1.split_once(") ")?;
    let (number, of) = number.split_once('/')?;
    let (number, of) = (number.trim().parse().ok()?, of.trim().parse().ok()?);
    let (again, word) = match word.strip_prefix("TRY ") {
        Some(tried) => (true, tried.split_once(' ')?.1),
        None => (false, word),
    };
    let state = match word {
        "PASS" | "LEAK" => TestState::Passed,
        "SLOW" => return None,
        _ => TestState::Failed,
    };
    Some(Ended { number, of, test, state, word, again })
}

/// What stands under the line of a failed test, up to the next such line.
fn said_of(rest: &[&str], word: &str) -> TestResult {
    let own = rest.iter().take_while(|line| ended(line).is_none()).take(400);
    let said = own.map(|line| line.strip_prefix("    ").unwrap_or(line));
    let said = said.collect::<Vec<_>>().join("\n");
    // libtest's own words, and where the program's begin.
    let of_program = said.split_once("\n  stderr ").map_or(&*said, |(_, rest)| rest);
    let of_program = of_program.split_once('\n').map_or("", |(_, rest)| rest);
    if word != "FAIL" || of_program.is_empty() {
        return TestResult::failed(FailureCause::Surroundings(word.to_owned()), word);
    }
    let (cause, message) = failure(of_program);
    TestResult::failed(cause, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = include_str!("recorded/nextest.txt");

    fn lines(said: &str) -> Vec<&str> {
        said.lines().filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn each_test_is_known_by_its_target_and_name() {
        use TestState::{Failed, Passed};
        let results = read(&lines(SAID)).unwrap();
        let states: Vec<_> = results.iter().map(|(id, it)| (id, it.state)).collect();
        assert_eq!(
            states,
            [
                ("widget::it::aborts", Failed),
                ("widget::it::exits", Passed),
                ("widget::it::wavers", Passed),
                ("widget::tests::does_not_panic", Failed),
                ("widget::tests::good", Passed),
                ("widget::tests::index", Failed),
                ("widget::tests::red", Failed),
            ]
        );
        let cause = |id: &str| results.get(id).unwrap().failure.clone().unwrap().cause;
        assert_eq!(cause("widget::tests::red"), FailureCause::Assertion);
        assert_eq!(cause("widget::tests::does_not_panic"), FailureCause::Assertion);
        assert_eq!(cause("widget::tests::index"), FailureCause::Exception("panic".to_owned()));
        assert_eq!(cause("widget::it::aborts"), FailureCause::Surroundings("ABRT".to_owned()));
        assert!(results.is_retried("widget::it::wavers"));
    }

    #[test]
    fn lines_that_a_test_prints_make_nothing_known() {
        let forged = SAID.replace(
            "    thread 'tests::red'",
            "        PASS [   0.001s] (3/7) widget tests::red\n    thread 'tests::red'",
        );
        assert_ne!(forged, SAID);
        assert_eq!(read(&lines(&forged)), None);
        assert_eq!(read(&lines(&SAID.replace("7 tests run", "8 tests run"))), None);
        assert_eq!(read(&lines("error: no tests to run\n")), None);
    }
}
