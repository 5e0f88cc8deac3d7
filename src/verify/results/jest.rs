//! The JSON reports of jest and vitest, which have one shape.
//!
//! Invariants: as with every report, the repository's own code may have written it: what does not
//! have the shape is no report.

use std::path::Path;

use serde::Deserialize;

use super::cause::{cause_in, first_frame};
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonReport {
    test_results: Vec<TestFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestFile {
    name: String,
    status: String,
    #[serde(default)]
    message: String,
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    title: String,
    status: String,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
    #[serde(default)]
    invocations: Option<u32>,
}

/// Its ids are `src/a.test.js > suite > title`, with the path from `tree` on.
pub(super) fn read(report: &[u8], tree: &Path) -> Option<TestResults> {
    let report: JsonReport = serde_json::from_slice(report).ok()?;
    let mut results = TestResults::default();
    for file in report.test_results {
        let path = Path::new(&file.name);
        let path = path.strip_prefix(tree).unwrap_or(path).to_string_lossy().into_owned();
        if file.assertion_results.is_empty() && file.status == "failed" {
            let failed = TestResult::failed(FailureCause::NotLoaded, &file.message);
            results.add(path.clone(), failed)?;
        }
        for test in file.assertion_results {
            let titles = std::iter::once(&path).chain(&test.ancestor_titles).chain([&test.title]);
            let id = titles.map(String::as_str).collect::<Vec<_>>().join(" > ");
            let (result, retried) = test.result()?;
            results.add(id.clone(), result)?;
            if retried {
                results.was_retried(&id);
            }
        }
    }
    (!results.is_empty()).then_some(results)
}

impl Assertion {
    /// With whether it passed only when it was run again: jest counts that, and vitest keeps what
    /// the first run said.
    fn result(self) -> Option<(TestResult, bool)> {
        let said = self.failure_messages.unwrap_or_default();
        let again = self.invocations.is_some_and(|times| times > 1);
        Some(match self.status.as_str() {
            "passed" => (TestResult::in_state(TestState::Passed), again || !said.is_empty()),
            "failed" => {
                let message = said.first().map_or("", |it| it);
                // jest shows the assertion behind `Error: `.
                let own = message.strip_prefix("Error: ").filter(|own| own.starts_with("expect"));
                let own = own.unwrap_or(message);
                let own = own.split_once("\n    at ").map_or(own, |(own, _)| own);
                (TestResult::failed(cause_in(own, first_frame(message)), own), false)
            }
            "pending" | "skipped" | "todo" | "disabled" => {
                (TestResult::in_state(TestState::Skipped), false)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_file_suite_and_test_and_shows_what_was_run_again() {
        let report = br#"{"numFailedTests": 1, "testResults": [
            {"name": "/work/tree/src/a.test.js", "status": "failed", "message": "", "assertionResults": [
                {"ancestorTitles": ["sums"], "title": "adds", "status": "failed", "invocations": 1,
                 "failureMessages": ["Error: expect(received).toBe(expected) // Object.is equality\n\nExpected: 3"]},
                {"ancestorTitles": [], "title": "again", "status": "passed", "invocations": 2, "failureMessages": []},
                {"ancestorTitles": [], "title": "later", "status": "todo", "failureMessages": []}]},
            {"name": "/work/tree/b.test.js", "status": "failed", "message": "Cannot find module './b'",
             "assertionResults": []}]}"#;
        let results = read(report, Path::new("/work/tree")).unwrap();
        let adds = results.get("src/a.test.js > sums > adds").unwrap();
        assert_eq!(adds.failure.as_ref().unwrap().cause, FailureCause::Assertion);
        assert!(results.is_retried("src/a.test.js > again"));
        assert_eq!(results.get("src/a.test.js > later").unwrap().state, TestState::Skipped);
        let broken = results.get("b.test.js").unwrap().failure.clone().unwrap();
        assert_eq!(broken.cause, FailureCause::NotLoaded);
        assert_eq!(read(b"{\"testResults\": []}", Path::new("/")), None);
        assert_eq!(read(b"[]", Path::new("/")), None);
    }
}
