//! What `go test` prints: a line for each package, with tabs between its parts; with `-json` an
//! event a line.
//!
//! Invariants: of packages only how many passed is known, so single tests are known of events only;
//! what a test prints stands inside of an event and cannot be one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::cause::cause;
use super::{FailedTests, Marks};
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// So much of what a test says is looked at, in bytes.
const MOST_SAID: usize = 20_000;

/// A line of `go test -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoEvent {
    action: String,
    package: Option<String>,
    test: Option<String>,
    output: Option<String>,
    /// Go 1.27 says `frame` of its own lines and `error` of what `t.Error` says.
    output_type: Option<String>,
    /// What is built, where that is what the event is about.
    import_path: Option<String>,
    failed_build: Option<String>,
}

fn events<'l>(lines: &'l [&str]) -> impl Iterator<Item = GoEvent> + 'l {
    let begins = |line: &&&str| line.starts_with("{\"") && line.contains("\"Action\":\"");
    lines.iter().filter(begins).filter_map(|line| serde_json::from_str(line).ok())
}

/// Finds `ok   example.com/a 0.002s`, which ends with `[no tests to run]` if none ran, and
/// `?    example.com/a [no test files]`; or the events that say so.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for line in lines {
        let tested = line.starts_with("ok  \t");
        let no_files = line.starts_with("?   \t") && line.ends_with("[no test files]");
        marks.ended += usize::from(tested || no_files);
        marks.tests += u64::from(tested && !line.ends_with("[no tests to run]"));
        marks.passed = marks.tests;
        // It counts packages, not tests.
        marks.more |= tested && !line.ends_with("[no tests to run]");
    }
    marks.failures = lines.iter().filter(|line| line.starts_with("FAIL\t")).count() as u64;
    for event in events(lines) {
        let (passed, failed) = (event.action == "pass", event.action == "fail");
        match event.test {
            Some(_) => {
                marks.tests += u64::from(passed || failed);
                marks.passed += u64::from(passed);
            }
            None => {
                marks.ended += usize::from(passed || failed || event.action == "skip");
                marks.failures += u64::from(failed);
            }
        }
    }
    marks.begun = marks.ended;
    marks.last_failures = marks.failures;
    marks
}

/// What stands under one test, or one package.
#[derive(Default)]
struct SaidOfTest {
    state: Option<TestState>,
    begun: bool,
    /// Whether it failed and was run again, as gotestsum does.
    retried: bool,
    /// What `t.Error` says, and all that it printed.
    errors: String,
    printed: String,
    failed_build: Option<String>,
}

/// What the events say of each test: `example.com/widget::TestMean/of_nothing`.
pub(super) fn tests(lines: &[&str]) -> Option<TestResults> {
    let mut told: BTreeMap<(String, Option<String>), SaidOfTest> = BTreeMap::new();
    let mut builds: BTreeMap<String, String> = BTreeMap::new();
    for event in events(lines) {
        if let Some(path) = event.import_path {
            let said = builds.entry(path).or_default();
            add(said, event.output.as_deref().unwrap_or_default());
            continue;
        }
        let Some(package) = event.package else { continue };
        let told = told.entry((package, event.test)).or_default();
        match &*event.action {
            "run" | "start" => {
                told.retried |= told.state == Some(TestState::Failed);
                told.begun = true;
            }
            "pass" => told.state = Some(TestState::Passed),
            "skip" => told.state = Some(TestState::Skipped),
            "fail" => {
                told.state = Some(TestState::Failed);
                told.failed_build = event.failed_build;
            }
            "output" => {
                let said = event.output.as_deref().unwrap_or_default();
                match event.output_type.as_deref() {
                    Some("frame") => {}
                    Some("error") => add(&mut told.errors, said),
                    _ => add(&mut told.printed, said),
                }
            }
            _ => {}
        }
    }
    let mut results = TestResults::default();
    for ((package, test), told) in &told {
        match test {
            Some(test) => {
                // One that began and has no end died with its process.
                let state = told.state.unwrap_or(TestState::Failed);
                if told.state.is_none() && !told.begun {
                    continue;
                }
                let result = match state {
                    TestState::Failed => told.failed(),
                    state => TestResult::in_state(state),
                };
                let id = format!("{package}::{test}");
                results.add(id.clone(), result)?;
                if told.retried {
                    results.was_retried(&id);
                }
            }
            None => {
                let Some(build) = &told.failed_build else { continue };
                let said = builds.get(build).map_or("", |said| &**said);
                let said = said.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
                results.add(package.clone(), TestResult::failed(FailureCause::NotLoaded, said))?;
            }
        }
    }
    (!results.is_empty()).then_some(results)
}

fn add(said: &mut String, more: &str) {
    if said.len() < MOST_SAID {
        said.push_str(more);
    }
}

impl SaidOfTest {
    /// `    a_test.go:14: Mean = 2; want 3` is an assertion: Go has no others.
    fn failed(&self) -> TestResult {
        let own = |line: &&str| !line.starts_with("=== ") && !line.trim_start().starts_with("--- ");
        let all = if self.errors.is_empty() { &self.printed } else { &self.errors };
        let said: Vec<&str> = all.lines().filter(own).collect();
        let panic = self.printed.lines().find_map(|line| line.strip_prefix("panic: "));
        if let Some(panic) = panic {
            let panic = panic.split(" [recovered").next().unwrap_or(panic);
            let cause = match cause(panic) {
                FailureCause::Missing(name) => FailureCause::Missing(name),
                _ if panic.starts_with("test timed out") => {
                    FailureCause::Surroundings("timed out".to_owned())
                }
                _ => FailureCause::Exception("panic".to_owned()),
            };
            return TestResult::failed(cause, &format!("panic: {panic}"));
        }
        let said = said.iter().map(|line| without_place(line.trim())).collect::<Vec<_>>();
        let said = said.join("\n").trim().to_owned();
        match (self.state, said.is_empty()) {
            (None, _) => {
                TestResult::failed(FailureCause::Surroundings(String::new()), "it did not end")
            }
            // One below it failed, or it says nothing.
            (Some(_), true) => TestResult::failed(FailureCause::Surroundings(String::new()), ""),
            (Some(_), false) => TestResult::failed(FailureCause::Assertion, &said),
        }
    }
}

/// A line without the file and the line that it was said at.
fn without_place(said: &str) -> &str {
    let place = said.split_once(": ").filter(|(place, _)| {
        let line = place.rsplit_once(".go:").map(|(_, line)| line);
        line.is_some_and(|line| line.parse::<u32>().is_ok())
    });
    place.map_or(said, |(_, said)| said)
}

/// Finds `--- FAIL: TestAdd (0.00s)`. A package that could not be built, or that panicked, fails in
/// no test of its own.
pub(super) fn failed(lines: &[&str]) -> FailedTests {
    let named = lines.iter().filter_map(|line| line.strip_prefix("--- FAIL: "));
    let names: Vec<&str> = named.map(|rest| rest.split(' ').next().unwrap_or(rest)).collect();
    let broken = lines.iter().any(|line| {
        let failed = line.starts_with("FAIL\t");
        failed && (line.ends_with("[build failed]") || line.ends_with("[setup failed]"))
            || line.starts_with("panic: ")
    });
    // A name that another package has, too, leaves open which test is meant, and a test that passed
    // is not named.
    let packages =
        lines.iter().filter(|line| line.starts_with("ok  \t") || line.starts_with("FAIL\t"));
    let count = names.len() as u64 + u64::from(broken || !names.is_empty() && packages.count() > 1);
    FailedTests { names: names.into_iter().map(str::to_owned).collect(), count }
}

/// The modules that could not be had. Measured with Go 1.27.3.
pub(super) fn missing(lines: &[&str]) -> BTreeSet<String> {
    let asked_network = |line: &&str| {
        line.contains("dial tcp") || line.contains("module lookup disabled by GOPROXY=off")
    };
    let module = |line: &&str| {
        let line = line.trim_start_matches("go: ");
        let word = line.split([' ', ':']).find(|word| word.contains('.') && word.contains('/'));
        let word = word.unwrap_or(line);
        word.split('@').next().unwrap_or(word).to_owned()
    };
    lines.iter().copied().filter(asked_network).map(|line| module(&line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = include_str!("recorded/go.txt");

    fn lines(said: &str) -> Vec<&str> {
        said.lines().filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn events_say_what_each_test_came_to_and_why() {
        use TestState::{Failed, Passed, Skipped};
        let results = super::tests(&lines(SAID)).unwrap();
        let states: Vec<_> = results.iter().map(|(id, it)| (id, it.state)).collect();
        assert_eq!(
            states,
            [
                ("example.com/widget/broken", Failed),
                ("example.com/widget/sub::TestFirst", Passed),
                ("example.com/widget/sub::TestPanics", Failed),
                ("example.com/widget::ExampleMean", Passed),
                ("example.com/widget::TestLater", Skipped),
                ("example.com/widget::TestMean", Passed),
                ("example.com/widget::TestRed", Failed),
                ("example.com/widget::TestTable", Failed),
                ("example.com/widget::TestTable/one_and_two", Passed),
                ("example.com/widget::TestTable/red", Failed),
            ]
        );
        let failure = |id: &str| {
            let id = format!("example.com/widget{id}");
            let failure = results.get(&id).unwrap().failure.clone().unwrap();
            (failure.cause, failure.message)
        };
        let missing = "broken/broken_test.go:5:33: undefined: missing";
        assert_eq!(failure("/broken"), (FailureCause::NotLoaded, missing.to_owned()));
        let wanted = "Mean = 2; want 3".to_owned();
        assert_eq!(failure("::TestRed"), (FailureCause::Assertion, wanted));
        assert_eq!(failure("::TestTable/red").0, FailureCause::Assertion);
        assert!(!failure("::TestTable").0.is_of_the_test(""), "it says nothing itself");
        let (cause, said) = failure("/sub::TestPanics");
        assert_eq!(cause, FailureCause::Exception("panic".to_owned()));
        assert_eq!(said, "panic: runtime error: index out of range [3] with length 0");
    }

    #[test]
    fn packages_and_events_are_counted_and_a_printed_event_is_none() {
        let marks = read(&lines(SAID));
        assert_eq!((marks.ended, marks.tests, marks.passed, marks.failures), (3, 8, 4, 3));
        assert!(!marks.more);
        let plain = "ok  \texample.com/widget\t0.002s\nFAIL\texample.com/widget/sub\t0.005s\n";
        let marks = read(&lines(plain));
        assert!(marks.more && marks.failures == 1);
        assert_eq!(super::tests(&lines(plain)), None);
    }

    #[test]
    fn a_test_that_has_no_end_died_with_its_process() {
        let said = "\
{\"Action\":\"run\",\"Package\":\"w\",\"Test\":\"TestA\"}
{\"Action\":\"output\",\"Package\":\"w\",\"Test\":\"TestA\",\"Output\":\"half a word\"}
{\"Action\":\"fail\",\"Package\":\"w\"}
";
        let results = super::tests(&lines(said)).unwrap();
        let result = results.get("w::TestA").unwrap();
        assert_eq!(result.state, TestState::Failed);
        assert!(!result.failure.as_ref().unwrap().cause.is_of_the_test(""));
    }
}
