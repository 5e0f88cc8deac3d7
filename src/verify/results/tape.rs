//! What tape prints: TAP in which a test is a comment and each of its assertions a line. Measured
//! with tape 5.10.2.
//!
//! Invariants: as many assertions as the plan at the end says, or nothing is known; a test is worth
//! what the worst of its assertions is.

use super::Marks;
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// A summary is tape's where two spaces stand in `# pass  2`; node's has one.
const PASSED: &str = "# pass  ";

/// Whether the summary that this line begins, `# tests 3`, is tape's.
pub(super) fn is_summary(lines: &[&str], at: usize) -> bool {
    lines.get(at + 1).is_some_and(|line| line.starts_with(PASSED))
}

/// Finds `# tests 3`, `# pass  2` and `# fail  1`, which count assertions.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("# tests ") && is_summary(lines, at) {
            let of = |begin: &str| {
                let mut rest = lines.iter().skip(at + 1).take(2);
                let number = rest.find_map(|line| line.strip_prefix(begin)?.trim().parse().ok());
                number.unwrap_or(0_u64)
            };
            let (passed, failed) = (of(PASSED), of("# fail  "));
            marks.ended += 1;
            marks.tests += passed + failed;
            marks.passed += passed;
            marks.failed(failed);
        }
    }
    marks
}

/// What each test came to. `None`: there are several runs, or the lines do not add up.
pub(super) fn tests(lines: &[&str]) -> Option<TestResults> {
    let is_plan = |line: &&str| line.strip_prefix("1..").is_some_and(|n| n.parse::<u64>().is_ok());
    let end = lines.iter().position(is_plan)?;
    let (shown, rest) = lines.split_at(end);
    if rest.iter().skip(1).any(is_plan) {
        return None;
    }
    let planned: u64 = rest.first()?.strip_prefix("1..")?.parse().ok()?;
    let mut results = TestResults::default();
    let (mut title, mut seen) = ("", 0);
    for (at, line) in shown.iter().enumerate() {
        if let Some(named) = line.strip_prefix("# ") {
            title = named;
            continue;
        }
        let (held, said) = match (line.strip_prefix("not ok "), line.strip_prefix("ok ")) {
            (Some(said), _) => (false, said),
            (None, Some(said)) => (true, said),
            (None, None) => continue,
        };
        let (number, said) = said.split_once(' ').unwrap_or((said, ""));
        if number.parse::<u64>().is_err() {
            continue;
        }
        seen += 1;
        let result = match held {
            _ if said.contains("# SKIP") => TestResult::in_state(TestState::Skipped),
            _ if said.contains("# TODO") => TestResult::in_state(TestState::ExpectedFailure),
            true => TestResult::in_state(TestState::Passed),
            false => {
                let told = details(shown.get(at + 1..).unwrap_or_default());
                TestResult::failed(FailureCause::Assertion, &format!("{said}{told}"))
            }
        };
        results.add(title.to_owned(), result)?;
    }
    (seen == planned && !results.is_empty()).then_some(results)
}

/// `; expected: 2; actual: 1`. A value may begin on the next line, after `|-`.
fn details(rest: &[&str]) -> String {
    let block = rest.iter().map(|line| line.trim()).take_while(|line| *line != "...").take(40);
    let mut told = String::new();
    let mut block = block.peekable();
    while let Some(line) = block.next() {
        if line.starts_with("expected: ") || line.starts_with("actual: ") {
            let value = line.strip_suffix("|-").unwrap_or(line);
            let below = if value == line { None } else { block.peek().copied() };
            told.push_str(&format!("; {value}{}", below.unwrap_or_default()));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = include_str!("recorded/tape.txt");

    fn lines(said: &str) -> Vec<&str> {
        said.lines().filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn a_test_is_worth_what_its_worst_assertion_is() {
        use TestState::{Failed, Passed};
        let results = super::tests(&lines(SAID)).unwrap();
        let states: Vec<_> = results.iter().map(|(id, it)| (id, it.state)).collect();
        assert_eq!(
            states,
            [("adds", Passed), ("red one", Failed)],
            "one that is skipped leaves no trace"
        );
        let failure = results.get("red one").unwrap().failure.clone().unwrap();
        assert_eq!(failure.cause, FailureCause::Assertion);
        assert_eq!(failure.message, "should be two; expected: 2; actual:   1");
        let below =
            ["  ---", "    expected: |-", "      undefined", "    actual:   |-", "      [E]"];
        assert_eq!(details(&below), "; expected: undefined; actual:   [E]");
        let marks = read(&lines(SAID));
        assert_eq!((marks.ended, marks.tests, marks.passed, marks.failures), (1, 4, 3, 1));
    }

    #[test]
    fn a_run_that_was_cut_or_is_there_twice_makes_nothing_known() {
        assert_eq!(super::tests(&lines(&SAID.replace("1..4", "1..5"))), None);
        assert_eq!(super::tests(&lines(&SAID.replace("1..4", ""))), None);
        assert_eq!(super::tests(&lines(&SAID.repeat(2))), None);
    }
}
