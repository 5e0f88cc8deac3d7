//! RSpec's closing line, and its JSON report, which `SPEC_OPTS` asks for.
//!
//! Invariants: as with every report, the repository's own code may have written it: what does not
//! have the shape is no report. An example that ended the process has a closing line and a complete
//! report behind it, in which its status is empty.

use serde::Deserialize;

use super::Marks;
use super::cause::{cause, is_project_code};
use super::commands::starts;
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// Ways to start it in which it runs no example.
const OTHERWISE: &[&str] = &["--version", "-v", "--help", "-h", "--init", "--dry-run", "--bisect"];
/// What RSpec's own expectations raise.
const EXPECTATIONS: &[&str] =
    &["ExpectationNotMetError", "MultipleExpectationsNotMetError", "MockExpectationError"];

#[derive(Deserialize)]
struct RspecReport {
    examples: Vec<RspecExample>,
}

#[derive(Deserialize)]
struct RspecExample {
    full_description: String,
    file_path: String,
    status: String,
    exception: Option<Raised>,
}

#[derive(Deserialize)]
struct Raised {
    class: String,
    message: String,
    backtrace: Option<Vec<String>>,
}

/// Whether a simple command starts RSpec so that it prints its closing line.
pub(super) fn starts_rspec(words: &[String]) -> bool {
    starts(words, &["rspec"]) && !words.iter().any(|word| OTHERWISE.contains(&&**word))
}

/// Finds `3 examples, 1 failure, 1 pending`.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for counts in lines.iter().filter_map(|line| closing(line)) {
        let Counts { examples, failures, pending, errors } = counts;
        marks.ended += 1;
        marks.tests += examples.saturating_sub(pending);
        marks.passed += examples.saturating_sub(pending + failures);
        marks.failed(failures + errors);
    }
    marks
}

#[derive(Default)]
struct Counts {
    examples: u64,
    failures: u64,
    pending: u64,
    errors: u64,
}

fn closing(line: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    for (at, item) in line.split(", ").enumerate() {
        let (number, word) = super::counted(item)?;
        match (at, word) {
            (0, "example" | "examples") => counts.examples = number,
            (1, "failure" | "failures") => counts.failures = number,
            (_, "pending") => counts.pending = number,
            (_, word) if word.ends_with("occurred outside of examples") => counts.errors = number,
            _ => return None,
        }
    }
    line.contains(" failure").then_some(counts)
}

/// Whether an example began and has no end, although the report is whole.
pub(super) fn was_ended_by_an_example(report: &[u8]) -> bool {
    let report: Option<RspecReport> = serde_json::from_slice(report).ok();
    report.is_some_and(|report| report.examples.iter().any(|it| it.status.is_empty()))
}

/// Its ids are `spec/mean_spec.rb > mean of nothing is shared`.
pub(super) fn tests(report: &[u8]) -> Option<TestResults> {
    let report: RspecReport = serde_json::from_slice(report).ok()?;
    let mut results = TestResults::default();
    for example in report.examples {
        let file = example.file_path.trim_start_matches("./");
        let id = format!("{file} > {}", example.full_description);
        let result = match (&*example.status, &example.exception) {
            ("passed", _) => TestResult::in_state(TestState::Passed),
            ("pending", _) => TestResult::in_state(TestState::Skipped),
            ("failed", Some(raised)) => raised.result(),
            _ => return None,
        };
        results.add(id, result)?;
    }
    (!results.is_empty()).then_some(results)
}

impl Raised {
    fn result(&self) -> TestResult {
        let name = self.class.rsplit("::").next().unwrap_or(&self.class);
        let said = self.message.trim();
        let cause = match name {
            _ if EXPECTATIONS.contains(&name) => FailureCause::Assertion,
            "SyntaxError" => FailureCause::NotLoaded,
            "LoadError" => FailureCause::Missing(name.to_owned()),
            // What is not there inside the project's own code is its fault and no test's.
            "NoMethodError" | "NameError" if !self.place().is_some_and(is_project_code) => {
                FailureCause::Missing(name.to_owned())
            }
            // A signature that is not there yet.
            "ArgumentError" if said.starts_with("wrong number of arguments") => {
                FailureCause::Missing(name.to_owned())
            }
            "NoMethodError" | "NameError" => FailureCause::Exception(name.to_owned()),
            // `Expected pending 'later' to fail. No error was raised.`
            "PendingExampleFixedError" => FailureCause::Assertion,
            name => cause(&format!("{name}: {said}")),
        };
        TestResult::failed(cause, &format!("{name}: {said}"))
    }

    /// The first file that is not a library's: `./lib/mean.rb:1:in 'mean'`.
    fn place(&self) -> Option<&str> {
        let lines = self.backtrace.iter().flatten();
        let mut files = lines.filter_map(|line| line.get(..line.find(".rb:")? + 3));
        files.find(|file| !file.contains("/gems/") && !file.contains("/lib/ruby/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = include_str!("recorded/rspec.txt");

    /// What stands between the two marks of a recording is the report.
    fn report() -> &'static str {
        SAID.split_once("--- report\n").unwrap().1
    }

    #[test]
    fn the_closing_line_counts_what_ran_and_what_failed() {
        let marks = read(&SAID.lines().collect::<Vec<_>>());
        let wanted = Marks {
            ended: 1,
            tests: 9,
            passed: 4,
            failures: 5,
            last_failures: 5,
            ..Marks::default()
        };
        assert_eq!(marks, wanted);
        let outside = "0 examples, 0 failures, 1 error occurred outside of examples";
        assert_eq!(read(&[outside]).failures, 1);
        assert_eq!(read(&["1 example, 0 failures"]).tests, 1);
        for other in ["2 examples", "3 examples, 2 more", "see 1 example, 0 failures", ""] {
            assert_eq!(read(&[other]), Marks::default(), "{other}");
        }
    }

    #[test]
    fn the_report_names_each_example_and_why_it_failed() {
        let results = super::tests(report().as_bytes()).unwrap();
        let get = |name: &str| results.get(&format!("spec/mean_spec.rb > {name}")).unwrap();
        let cause = |name: &str| get(name).failure.clone().unwrap().cause;
        assert_eq!(get("mean is the middle").state, TestState::Passed);
        assert_eq!(cause("mean is red"), FailureCause::Assertion);
        assert!(get("mean is red").failure.as_ref().unwrap().message.contains("expected: 3"));
        let missing = FailureCause::Missing("NoMethodError".to_owned());
        assert_eq!(cause("mean needs what is missing"), missing);
        let divided = FailureCause::Exception("ZeroDivisionError".to_owned());
        assert_eq!(cause("mean raises"), divided);
        let own = FailureCause::Exception("NoMethodError".to_owned());
        assert_eq!(cause("mean meets nothing in the code itself"), own);
        assert_eq!(get("mean is skipped").state, TestState::Skipped);
        assert_eq!(get("mean is pending").state, TestState::Skipped);
        assert_eq!(cause("mean is pending and green"), FailureCause::Assertion);
        assert!(!was_ended_by_an_example(report().as_bytes()));
    }

    #[test]
    fn an_example_that_ended_the_process_is_seen_by_its_empty_status() {
        let report = br#"{"examples": [{"full_description": "exit ends", "status": "",
            "file_path": "./spec/exit_spec.rb", "exception": null}]}"#;
        assert!(was_ended_by_an_example(report));
        assert_eq!(super::tests(report), None);
        assert_eq!(super::tests(b""), None);
    }
}
