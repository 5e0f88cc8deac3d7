//! JUnit XML, as pytest writes it.
//!
//! Invariants: it is the repository's own code that may have written it, so it is data of unknown
//! worth: what cannot be read, or has a test without a name, is no report at all.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::cause::{cause, cause_in};
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// One `<testcase>` that is being read.
#[derive(Default)]
struct TestCase {
    class: String,
    name: String,
    file: Option<String>,
    result: Option<TestResult>,
}

/// pytest's report with `junit_family=xunit1`, which names files. Its ids are those by which pytest
/// can be asked for a test.
pub(super) fn read_pytest(report: &[u8]) -> Option<TestResults> {
    let mut results = TestResults::default();
    let mut reader = Reader::from_str(std::str::from_utf8(report).ok()?);
    let mut case: Option<TestCase> = None;
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Start(tag) if tag.name().as_ref() == "testcase" => case = Some(begin(&tag)?),
            Event::Empty(tag) if tag.name().as_ref() == "testcase" => {
                add(&mut results, begin(&tag)?)?;
            }
            Event::Start(tag) | Event::Empty(tag) => {
                if let Some(case) = &mut case {
                    case.take(&tag)?;
                }
            }
            Event::Text(text) => {
                if let Some(case) = &mut case {
                    case.happened_in(&text);
                }
            }
            Event::End(tag) if tag.name().as_ref() == "testcase" => {
                add(&mut results, case.take()?)?;
            }
            _ => {}
        }
    }
    (case.is_none() && !results.is_empty()).then_some(results)
}

fn begin(tag: &BytesStart<'_>) -> Option<TestCase> {
    let mut case = TestCase::default();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
        match attribute.key.as_ref() {
            "classname" => case.class = value,
            "name" => case.name = value,
            "file" => case.file = Some(value),
            _ => {}
        }
    }
    (!case.name.is_empty()).then_some(case)
}

impl TestCase {
    /// The end of a traceback says in which file it happened: `src/a.py:7: IndexError`.
    fn happened_in(&mut self, traceback: &str) {
        let last = traceback.lines().rev().find(|line| !line.trim().is_empty());
        let place = last.and_then(|line| line.split_once(':')).map(|(file, _)| file);
        let failure = self.result.as_mut().and_then(|result| result.failure.as_mut());
        if let (Some(failure), Some(place)) = (failure, place.filter(|it| it.ends_with(".py"))) {
            let own = failure.message.clone();
            if matches!(failure.cause, FailureCause::Missing(_)) {
                failure.cause = cause_in(&own, Some(place));
            }
        }
    }

    /// What stands in it: of several the worst counts.
    fn take(&mut self, tag: &BytesStart<'_>) -> Option<()> {
        let (mut message, mut kind) = (String::new(), String::new());
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned();
            match attribute.key.as_ref() {
                "message" => message = value,
                "type" => kind = value,
                _ => {}
            }
        }
        // How pytest came to the values names objects by their addresses.
        let explains = |line: &&str| {
            let rest = line.trim_start().strip_prefix('+');
            rest.is_some_and(|rest| rest.trim_start().starts_with("where "))
        };
        let told = message.lines().filter(|line| !explains(line));
        let message = told.collect::<Vec<_>>().join("\n");
        let result = match tag.name().as_ref() {
            "failure" => TestResult::failed(cause(&message), &message),
            // `failed on teardown with "RuntimeError: td"`, `collection failure`
            "error" => {
                let inner = message.split_once("with \"").map_or(&*message, |(_, inner)| inner);
                TestResult::failed(cause(inner), &message)
            }
            "skipped" if kind == "pytest.xfail" => TestResult::in_state(TestState::ExpectedFailure),
            "skipped" => TestResult::in_state(TestState::Skipped),
            _ => return Some(()),
        };
        if self.result.as_ref().is_none_or(|there| there.state < result.state) {
            self.result = Some(result);
        }
        Some(())
    }
}

fn add(results: &mut TestResults, case: TestCase) -> Option<()> {
    let id = pytest_id(&case);
    let result = case.result.unwrap_or_else(|| TestResult::in_state(TestState::Passed));
    // A test that was run again is there twice, and both look as if they had passed.
    let again = results.get(&id).is_some_and(|it| it.state == TestState::Passed);
    let retried = again && result.state == TestState::Passed;
    results.add(id.clone(), result)?;
    if retried {
        results.was_retried(&id);
    }
    Some(())
}

/// `tests/test_a.py::TestX::test_m` of the class `tests.test_a.TestX`. A file that could not be
/// collected has no class, and is named with dots.
fn pytest_id(case: &TestCase) -> String {
    let Some(file) = case.file.as_ref().filter(|_| !case.class.is_empty()) else {
        return match &case.result {
            Some(TestResult { failure: Some(failure), .. })
                if failure.cause == FailureCause::NotLoaded =>
            {
                format!("{}.py", case.name.replace('.', "/"))
            }
            _ => format!("{}::{}", case.class, case.name),
        };
    };
    let module = file.trim_end_matches(".py").replace('/', ".");
    let class = case.class.strip_prefix(&module).unwrap_or_default();
    let class: Vec<&str> = class.split('.').filter(|part| !part.is_empty()).collect();
    let parts = [&[&**file], &class[..], &[&*case.name]].concat();
    parts.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pytests_report_is_read_by_the_ids_that_pytest_takes() {
        let report = br#"<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_red" file="tests/test_a.py" line="1" time="0.001"><failure message="AssertionError: nope&#10;assert 1 == 2">def test_red()</failure></testcase>
<testcase classname="tests.test_a" name="test_p[c::d]" file="tests/test_a.py" line="4" time="0.0" />
<testcase classname="tests.test_a.TestX.TestY" name="test_n" file="tests/test_a.py" line="9" />
<testcase classname="tests.test_a" name="test_xf" file="tests/test_a.py"><skipped type="pytest.xfail" message="" /></testcase>
<testcase classname="tests.test_a" name="test_sk" file="tests/test_a.py"><skipped type="pytest.skip" message="x" /></testcase>
<testcase classname="tests.test_a" name="test_td" file="tests/test_a.py"><error message="failed on teardown with &quot;RuntimeError: td&quot;"/></testcase>
<testcase classname="tests.test_a" name="test_re" file="tests/test_a.py" /><testcase classname="tests.test_a" name="test_re" file="tests/test_a.py" />
<testcase classname="tests.test_a" name="test_own" file="tests/test_a.py"><failure message="AttributeError: no x">E  no

src/pkg/a.py:7: AttributeError</failure></testcase>
<testcase classname="" name="tests.test_new"><error message="collection failure">no</error></testcase>
</testsuite></testsuites>"#;
        let results = read_pytest(report).unwrap();
        let state = |id: &str| results.get(id).unwrap_or_else(|| panic!("{id}")).state;
        assert_eq!(state("tests/test_a.py::test_red"), TestState::Failed);
        assert_eq!(state("tests/test_a.py::test_p[c::d]"), TestState::Passed);
        assert_eq!(state("tests/test_a.py::TestX::TestY::test_n"), TestState::Passed);
        assert_eq!(state("tests/test_a.py::test_xf"), TestState::ExpectedFailure);
        assert_eq!(state("tests/test_a.py::test_sk"), TestState::Skipped);
        let failure = |id: &str| results.get(id).unwrap().failure.clone().unwrap();
        let teardown = failure("tests/test_a.py::test_td");
        assert_eq!(teardown.cause, FailureCause::Exception("RuntimeError".to_owned()));
        assert_eq!(failure("tests/test_new.py").cause, FailureCause::NotLoaded);
        let own = FailureCause::Exception("AttributeError".to_owned());
        assert_eq!(failure("tests/test_a.py::test_own").cause, own);
        assert!(results.is_retried("tests/test_a.py::test_re"));
        assert_eq!(
            failure("tests/test_a.py::test_red").message,
            "AssertionError: nope\nassert 1 == 2"
        );
    }

    #[test]
    fn what_is_cut_or_has_a_test_without_a_name_is_no_report() {
        for bad in [
            "",
            "<testsuites><testsuite></testsuite></testsuites>",
            "<testsuites><testcase classname=\"a\" name=\"b\">",
            "<testsuites><testcase classname=\"\" name=\"\"/></testsuites>",
        ] {
            assert_eq!(read_pytest(bad.as_bytes()), None, "{bad}");
        }
    }
}
