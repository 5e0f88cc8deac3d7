//! What libtest says of each test, and under which target.

use std::collections::BTreeMap;

use super::cargo::{result_counts, running};
use super::cause::cause;
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// One target that is being read.
#[derive(Default)]
struct Target {
    /// What stands before the names of its tests.
    prefix: String,
    states: BTreeMap<String, (TestState, u64)>,
    /// A test whose line something else was printed into.
    open: Option<String>,
    /// What the failed ones said.
    messages: BTreeMap<String, String>,
}

/// `None`: a target's lines do not add up to what it counts, or there is no target.
pub(super) fn read(lines: &[&str]) -> Option<TestResults> {
    let mut results = TestResults::default();
    let mut target = Target::default();
    let (mut ended, mut message): (usize, Option<String>) = (0, None);
    for line in lines {
        if let Some(prefix) = prefix(line) {
            target = Target { prefix, ..Target::default() };
        } else if running(line).is_some() {
            target = Target { prefix: target.prefix, ..Target::default() };
        } else if let Some(counts) = result_counts(line) {
            target.close(counts, &mut results)?;
            target = Target { prefix: target.prefix, ..Target::default() };
            ended += 1;
            message = None;
        } else if let Some(name) =
            line.strip_prefix("---- ").and_then(|it| it.strip_suffix(" stdout ----"))
        {
            message = Some(name.to_owned());
        } else if *line == "failures:" {
            message = None;
        } else if let Some(name) = &message {
            let text = target.messages.entry(name.clone()).or_default();
            if text.len() < 2_000 {
                text.push_str(line);
                text.push('\n');
            }
        } else {
            target.line(line);
        }
    }
    (ended > 0).then_some(results)
}

/// `     Running unittests src/lib.rs (target/debug/deps/widget-0123456789abcdef)` and
/// `   Doc-tests widget`: where the tests that follow are from.
fn prefix(line: &str) -> Option<String> {
    if let Some((_, name)) = line.split_once("Doc-tests ") {
        return Some(format!("{name} doc test "));
    }
    let (_, rest) = line.split_once("Running ")?;
    let (what, program) = rest.strip_suffix(')')?.split_once(" (")?;
    let program = program.rsplit_once("/deps/")?.1;
    let own = program.rsplit_once('-').map_or(program, |(name, _)| name);
    Some(match what.strip_prefix("unittests ") {
        Some("src/lib.rs") => format!("{own}::"),
        Some(path) => format!("{path}::"),
        None => format!("{what}::"),
    })
}

impl Target {
    /// `test tests::a ... ok`, or the end of one that was printed into.
    fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test ")
            && let Some((name, said)) = rest.rsplit_once(" ... ")
        {
            let name = name.strip_suffix(" - should panic").unwrap_or(name);
            match state(said) {
                Some(state) => self.put(name.to_owned(), state),
                None => self.open = Some(name.to_owned()),
            }
        } else if let Some(state) = state(line)
            && let Some(name) = self.open.take()
        {
            self.put(name, state);
        }
    }

    fn put(&mut self, name: String, state: TestState) {
        let there = self.states.entry(name).or_insert((state, 0));
        *there = (there.0.max(state), there.1 + 1);
    }

    /// Adds its tests, if they are as many as it counts: passed, failed, ignored.
    fn close(&mut self, counts: [u64; 3], results: &mut TestResults) -> Option<()> {
        let of = |wanted| -> u64 {
            self.states.values().filter(|it| it.0 == wanted).map(|it| it.1).sum()
        };
        let seen = [of(TestState::Passed), of(TestState::Failed), of(TestState::Skipped)];
        if seen != counts {
            return None;
        }
        for (name, (state, _)) in std::mem::take(&mut self.states) {
            let result = match state {
                TestState::Failed => {
                    let (cause, message) = failure(self.messages.get(&name).map_or("", |it| it));
                    TestResult::failed(cause, &message)
                }
                state => TestResult::in_state(state),
            };
            results.add(format!("{}{}", self.prefix, without_line(&name)), result)?;
        }
        Some(())
    }
}

fn state(said: &str) -> Option<TestState> {
    match said {
        "ok" => Some(TestState::Passed),
        "FAILED" => Some(TestState::Failed),
        _ if said == "ignored" || said.starts_with("ignored, ") => Some(TestState::Skipped),
        _ => None,
    }
}

/// A doc test's name holds the line that it begins on, which moves: `src/lib.rs - add (line 2)`.
/// What is only compiled says so after that: `src/lib.rs - add (line 2) - compile`.
fn without_line(name: &str) -> String {
    let parts = name.split_once(" (line ").and_then(|(before, rest)| {
        let (number, after) = rest.split_once(')')?;
        number.parse::<u64>().ok().map(|_| format!("{before}{after}"))
    });
    parts.unwrap_or_else(|| name.to_owned())
}

/// Of what a failed test printed.
pub(super) fn failure(said: &str) -> (FailureCause, String) {
    if said.contains("Couldn't compile the test.") || said.starts_with("error[E") {
        return (FailureCause::NotLoaded, said.to_owned());
    }
    let mut lines = said.lines().skip_while(|line| !line.contains(" panicked at "));
    let panicked = lines.next();
    let told: Vec<&str> = lines.take_while(|line| !line.starts_with("note: ")).collect();
    let told = told.join("\n");
    match panicked {
        Some(_) if !told.is_empty() => {
            let cause = match cause(&told) {
                FailureCause::Exception(_) => FailureCause::Exception("panic".to_owned()),
                other => other,
            };
            (cause, told)
        }
        // Before Rust 1.73 the words stood in the same line: `panicked at 'x', src/lib.rs:7:9`.
        Some(line) => {
            let told = line.split_once(" panicked at '").map_or(line, |(_, told)| told);
            let told = told.rsplit_once("', ").map_or(told, |(told, _)| told);
            let cause = match cause(told) {
                FailureCause::Exception(_) => FailureCause::Exception("panic".to_owned()),
                other => other,
            };
            (cause, told.to_owned())
        }
        None if said.contains("test did not panic as expected") => {
            (FailureCause::Assertion, said.to_owned())
        }
        None => (cause(said.strip_prefix("Error: ").unwrap_or(said)), said.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
     Running unittests src/lib.rs (/tmp/build/cargo/debug/deps/widget-0123456789abcdef)
running 3 tests
test tests::adds ... ok
test tests::same ... FAILED
test tests::slow ... ignored, takes long
failures:
---- tests::same stdout ----
thread 'tests::same' (71) panicked at src/lib.rs:9:9:
assertion `left == right` failed: no
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
failures:
    tests::same
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/a.rs (/tmp/build/cargo/debug/deps/a-0123456789abcdef)
running 2 tests
test same ... something printed
ok
test bad - should panic ... FAILED
failures:
---- bad stdout ----
note: test did not panic as expected at tests/a.rs:3:4
failures:
    bad
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests widget
running 2 tests
test src/lib.rs - add (line 12) ... ok
test src/lib.rs - add_all (line 20) - compile ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s";

    #[test]
    fn each_test_is_told_under_its_target_and_doc_tests_without_their_line() {
        let lines: Vec<&str> = SAID.lines().collect();
        let results = read(&lines).unwrap();
        let all: Vec<_> = results.iter().map(|(id, it)| (id, it.state)).collect();
        assert_eq!(
            all,
            [
                ("tests/a.rs::bad", TestState::Failed),
                ("tests/a.rs::same", TestState::Passed),
                ("widget doc test src/lib.rs - add", TestState::Passed),
                ("widget doc test src/lib.rs - add_all - compile", TestState::Passed),
                ("widget::tests::adds", TestState::Passed),
                ("widget::tests::same", TestState::Failed),
                ("widget::tests::slow", TestState::Skipped),
            ]
        );
        let failure = results.get("widget::tests::same").unwrap().failure.clone().unwrap();
        assert_eq!(failure.cause, FailureCause::Assertion);
        assert_eq!(failure.message, "assertion `left == right` failed: no\n  left: 1\n right: 2");
        let bad = results.get("tests/a.rs::bad").unwrap().failure.clone().unwrap();
        assert_eq!(bad.cause, FailureCause::Assertion);
    }

    #[test]
    fn lines_that_do_not_add_up_to_what_a_target_counts_are_no_results() {
        for (there, gone) in [("test tests::adds ... ok\n", ""), ("ok\ntest bad", "test bad")] {
            let said = SAID.replacen(there, gone, 1);
            assert_eq!(read(&said.lines().collect::<Vec<_>>()), None, "without {there:?}");
        }
        assert_eq!(read(&["running 0 tests"]), None);
    }

    #[test]
    fn a_panic_of_the_code_is_a_reason_and_an_example_that_does_not_compile_is_none() {
        let panic = "thread 'a' panicked at src/lib.rs:2:5:\nattempt to divide by zero\nnote: run";
        let old = "thread 'a' panicked at 'attempt to divide by zero', src/lib.rs:2:5\nnote: run";
        for said in [panic, old] {
            let (cause, message) = failure(said);
            assert_eq!(cause, FailureCause::Exception("panic".to_owned()));
            assert_eq!(message, "attempt to divide by zero");
        }
        assert_eq!(failure("error[E0425]: cannot find").0, FailureCause::NotLoaded);
    }
}
