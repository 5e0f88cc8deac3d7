//! What Python's unittest says of each test when it is asked to be verbose.

use super::cause::cause_in;
use super::counted;
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// `None`: the lines do not add up to what it counts, or there was no run.
pub(super) fn read(lines: &[&str]) -> Option<TestResults> {
    let mut results = TestResults::default();
    // A test whose line is not over: its first docstring line, or what it prints, may follow.
    let mut open: Option<String> = None;
    let (mut seen, mut ran) = (0, None);
    // A red test whose tearing down fails as well has a second line.
    let mut red: Option<String> = None;
    for (at, line) in lines.iter().enumerate() {
        if let Some(count) = line.strip_prefix("Ran ").and_then(|it| it.split_once(" in ")) {
            ran = ran.or(counted(count.0).map(|it| it.0));
            continue;
        }
        if let Some((kind, named)) = line.split_once(": ")
            && ["FAIL", "ERROR"].contains(&kind)
            && let Some(id) = id(named)
        {
            let message = message(lines.get(at + 1..).unwrap_or_default());
            let cause = match id.contains("unittest.loader._FailedTest") {
                true => FailureCause::NotLoaded,
                false => {
                    let place = place(lines.get(at + 1..).unwrap_or_default());
                    cause_in(&message, place.filter(|place| !is_module_of(&id, place)))
                }
            };
            results.add(id, TestResult::failed(cause, &message))?;
            continue;
        }
        let (named, said) = line.rsplit_once(" ... ").unwrap_or((line, line));
        if let Some(id) = id(named) {
            open = Some(id);
        }
        if let Some(state) = state(said)
            && let Some(id) = open.take()
        {
            let again = state == TestState::Failed && red.as_ref() == Some(&id);
            seen += u64::from(!again);
            red = Some(id.clone()).filter(|_| state == TestState::Failed);
            // Its reason comes later, and is as bad.
            let result = match state {
                TestState::Failed => TestResult { state, failure: None },
                state => TestResult::in_state(state),
            };
            results.add(id, result)?;
        }
    }
    (ran? == seen && seen > 0).then_some(results)
}

fn state(said: &str) -> Option<TestState> {
    match said {
        "ok" => Some(TestState::Passed),
        "FAIL" | "ERROR" | "unexpected success" => Some(TestState::Failed),
        "expected failure" => Some(TestState::ExpectedFailure),
        _ if said.starts_with("skipped ") => Some(TestState::Skipped),
        _ => None,
    }
}

/// `mod.Class.test_a` of `test_a (mod.Class.test_a)`, as of 3.11, and of `test_a (mod.Class)`.
fn id(named: &str) -> Option<String> {
    let (name, rest) = named.split_once(" (")?;
    let inside = rest.split_once(')')?.0;
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.<>".contains(c))
    };
    if !plain(name) || !plain(inside) || !inside.contains('.') {
        return None;
    }
    Some(match inside.rsplit_once('.') {
        Some((_, last)) if last == name => inside.to_owned(),
        _ => format!("{inside}.{name}"),
    })
}

/// The exception at the end of the traceback that follows.
fn message(rest: &[&str]) -> String {
    let block = rest.iter().skip(1).take_while(|line| !line.starts_with("======"));
    let block = block.take_while(|line| !line.starts_with("Ran "));
    let mut last = Vec::new();
    for line in block {
        let own = !line.starts_with([' ', '\t', '-']) && !line.starts_with("Traceback ");
        if own && line.split([':', ' ']).next().is_some_and(is_exception) {
            last.clear();
        }
        if own {
            last.push(*line);
        }
    }
    last.join("\n")
}

/// The last file that the traceback names: `  File "/work/tree/widget.py", line 9, in f`.
fn place<'l>(rest: &[&'l str]) -> Option<&'l str> {
    let block = rest.iter().skip(1).take_while(|line| !line.starts_with("======"));
    let named = block.filter_map(|line| line.trim_start().strip_prefix("File \""));
    named.filter_map(|rest| Some(rest.split_once('"')?.0)).last()
}

/// Whether a test of this id stands in that file.
fn is_module_of(id: &str, place: &str) -> bool {
    let module = place.trim_end_matches(".py").replace('/', ".");
    let ends = module.match_indices('.').map(|(at, _)| &module[at + 1..]).chain([&*module]);
    ends.into_iter().any(|end| id.strip_prefix(end).is_some_and(|rest| rest.starts_with('.')))
}

fn is_exception(word: &str) -> bool {
    let own = word.rsplit('.').next().unwrap_or(word);
    own.starts_with(char::is_uppercase) && own.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_is_told_with_its_class_in_every_version() {
        let said = "\
test_a (test_widget.T.test_a) ... ok
test_b (test_widget.T) ... FAIL
test_c (test_widget.T.test_c)
It has a first line. ... ERROR
test_d (test_widget.T.test_d) ... printed
ok
test_s (test_widget.T.test_s) ... skipped 'not here'
test_n (unittest.loader._FailedTest.test_n) ... ERROR
======================================================================
ERROR: test_c (test_widget.T.test_c)
It has a first line.
----------------------------------------------------------------------
Traceback (most recent call last):
  File \"/work/tree/test_widget.py\", line 9, in test_c
    widget.nothing()
AttributeError: module 'widget' has no attribute 'nothing'
======================================================================
FAIL: test_b (test_widget.T)
----------------------------------------------------------------------
Traceback (most recent call last):
AssertionError: 1 != 2
----------------------------------------------------------------------
Ran 6 tests in 0.001s";
        let lines: Vec<&str> = said.lines().collect();
        let results = read(&lines).unwrap();
        let failure = |id: &str| results.get(id).unwrap().failure.clone();
        assert_eq!(results.get("test_widget.T.test_d").unwrap().state, TestState::Passed);
        assert_eq!(results.get("test_widget.T.test_s").unwrap().state, TestState::Skipped);
        assert_eq!(results.get("test_widget.T.test_b").unwrap().state, TestState::Failed);
        let missing = FailureCause::Missing("AttributeError".to_owned());
        assert_eq!(failure("test_widget.T.test_c").unwrap().cause, missing);
        assert_eq!(failure("test_widget.T.test_b").unwrap().message, "AssertionError: 1 != 2");
        assert_eq!(results.len(), 6);
        assert_eq!(read(&lines[1..]), None, "one less than it counts");
        assert!(is_module_of("pkg.testcalc.T.test_a", "/work/tree/pkg/testcalc.py"));
        assert!(!is_module_of("testcalc.T.test_a", "/work/tree/calc.py"));
    }
}
