//! JUnit XML, as pytest and PHPUnit write it.
//!
//! Invariants: it is the repository's own code that may have written it, so it is data of unknown
//! worth: what cannot be read, or has a test without a name, is no report at all.

use std::path::Path;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::cause::{cause, cause_in, is_project_code};
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// One `<testcase>`.
#[derive(Default)]
struct TestCase {
    class: String,
    name: String,
    file: Option<String>,
    /// What stands in it: `<failure>`, `<error>`, `<skipped>` and more.
    notes: Vec<Note>,
}

/// One element in a `<testcase>`.
#[derive(Default)]
struct Note {
    tag: String,
    message: String,
    kind: String,
    text: String,
}

/// All cases of a report. `None`: it is none, or was cut.
fn test_cases(report: &[u8]) -> Option<Vec<TestCase>> {
    let mut cases = Vec::new();
    let mut reader = Reader::from_str(std::str::from_utf8(report).ok()?);
    let mut open: Option<TestCase> = None;
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Start(tag) if tag.name().as_ref() == "testcase" => open = Some(begin(&tag)?),
            Event::Empty(tag) if tag.name().as_ref() == "testcase" => cases.push(begin(&tag)?),
            Event::Start(tag) | Event::Empty(tag) => {
                if let Some(case) = &mut open {
                    case.notes.push(note(&tag)?);
                }
            }
            Event::Text(text) => {
                if let Some(note) = open.as_mut().and_then(|case| case.notes.last_mut()) {
                    note.text.push_str(&text);
                }
            }
            Event::GeneralRef(name) => {
                let note = open.as_mut().and_then(|case| case.notes.last_mut());
                if let (Some(note), Some(character)) = (note, referred(&name)) {
                    note.text.push(character);
                }
            }
            Event::End(tag) if tag.name().as_ref() == "testcase" => cases.push(open.take()?),
            _ => {}
        }
    }
    (open.is_none() && !cases.is_empty()).then_some(cases)
}

fn begin(tag: &BytesStart<'_>) -> Option<TestCase> {
    let mut case = TestCase::default();
    for (key, value) in attributes(tag)? {
        match &*key {
            "classname" => case.class = value,
            "name" => case.name = value,
            "file" => case.file = Some(value),
            _ => {}
        }
    }
    (!case.name.is_empty()).then_some(case)
}

fn note(tag: &BytesStart<'_>) -> Option<Note> {
    let mut note = Note { tag: tag.name().as_ref().to_owned(), ..Note::default() };
    for (key, value) in attributes(tag)? {
        match &*key {
            "message" => note.message = value,
            "type" => note.kind = value,
            _ => {}
        }
    }
    Some(note)
}

fn attributes(tag: &BytesStart<'_>) -> Option<Vec<(String, String)>> {
    let read = tag.attributes().map(|attribute| {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        Some((attribute.key.as_ref().to_owned(), value.into_owned()))
    });
    read.collect()
}

/// The character that `&lt;` stands for. Others than XML's own five are not looked up.
fn referred(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// pytest's report with `junit_family=xunit1`, which names files. Its ids are those by which pytest
/// can be asked for a test.
pub(super) fn read_pytest(report: &[u8]) -> Option<TestResults> {
    let mut results = TestResults::default();
    for case in test_cases(report)? {
        let result = case.worst(|note| of_pytest(note, case.file.as_deref()));
        let id = pytest_id(&case, &result);
        // A test that was run again is there twice, and both look as if they had passed.
        let again = results.get(&id).is_some_and(|it| it.state == TestState::Passed);
        let retried = again && result.state == TestState::Passed;
        results.add(id.clone(), result)?;
        if retried {
            results.was_retried(&id);
        }
    }
    Some(results)
}

impl TestCase {
    /// What it came to: of several notes the worst counts.
    fn worst(&self, read: impl Fn(&Note) -> Option<TestResult>) -> TestResult {
        let mut worst = TestResult::in_state(TestState::Passed);
        for result in self.notes.iter().filter_map(read) {
            if worst.state < result.state {
                worst = result;
            }
        }
        worst
    }
}

/// `own`: the file of the test.
fn of_pytest(note: &Note, own: Option<&str>) -> Option<TestResult> {
    // How pytest came to the values names objects by their addresses.
    let explains = |line: &&str| {
        let rest = line.trim_start().strip_prefix('+');
        rest.is_some_and(|rest| rest.trim_start().starts_with("where "))
    };
    let told = note.message.lines().filter(|line| !explains(line));
    let message = told.collect::<Vec<_>>().join("\n");
    // The end of a traceback says in which file it happened: `src/a.py:7: IndexError`.
    let last = note.text.lines().rev().find(|line| !line.trim().is_empty());
    let place = last.and_then(|line| line.split_once(':')).map(|(file, _)| file);
    let place = place.filter(|it| it.ends_with(".py") && Some(*it) != own);
    Some(match &*note.tag {
        "failure" => TestResult::failed(cause_in(&message, place), &message),
        // pytest's own end, or that of a process under xdist, is no word on a test.
        "error" if message == "internal error" || was_crashed(&message) => {
            TestResult::failed(FailureCause::Surroundings("crashed".to_owned()), &message)
        }
        // `failed on teardown with "RuntimeError: td"`, `collection failure`
        "error" => {
            let inner = message.split_once("with \"").map_or(&*message, |(_, inner)| inner);
            TestResult::failed(cause(inner), &message)
        }
        "skipped" if note.kind == "pytest.xfail" => {
            TestResult::in_state(TestState::ExpectedFailure)
        }
        "skipped" => TestResult::in_state(TestState::Skipped),
        _ => return None,
    })
}

/// `failed on setup with "worker 'gw0' crashed while running 'test_a.py::test_x'"`
fn was_crashed(message: &str) -> bool {
    message.contains("\"worker 'gw") && message.contains(" crashed while running ")
}

/// `tests/test_a.py::TestX::test_m` of the class `tests.test_a.TestX`. A file that could not be
/// collected has no class, and is named with dots.
fn pytest_id(case: &TestCase, result: &TestResult) -> String {
    let Some(file) = case.file.as_ref().filter(|_| !case.class.is_empty()) else {
        let cause = result.failure.as_ref().map(|failure| &failure.cause);
        return match cause {
            Some(FailureCause::NotLoaded) => format!("{}.py", case.name.replace('.', "/")),
            _ => format!("{}::{}", case.class, case.name),
        };
    };
    let module = file.trim_end_matches(".py").replace('/', ".");
    let class = case.class.strip_prefix(&module).unwrap_or_default();
    let class: Vec<&str> = class.split('.').filter(|part| !part.is_empty()).collect();
    let parts = [&[&**file], &class[..], &[&*case.name]].concat();
    parts.join("::")
}

/// PHPUnit's report. Its ids are `tests/MeanTest.php::testPairs[#0]`, with the path from `tree` on.
pub(super) fn read_phpunit(report: &[u8], tree: &Path) -> Option<TestResults> {
    let mut results = TestResults::default();
    for case in test_cases(report)? {
        let file = Path::new(case.file.as_deref().unwrap_or(&case.class));
        let file = file.strip_prefix(tree).unwrap_or(file).display();
        // Which set of data has which number moves with a change.
        let id = match case.name.split_once(" with data set ") {
            Some((name, set)) => format!("{file}::{name}[{}]", set.trim_matches('"')),
            None => format!("{file}::{}", case.name),
        };
        results.add(id, case.worst(|note| of_phpunit(note, tree)))?;
    }
    Some(results)
}

/// PHPUnit 9.6.7 calls a test without assertions an error, and one that uses what is to go a
/// warning, and exits with 0 for both.
fn of_phpunit(note: &Note, tree: &Path) -> Option<TestResult> {
    let kind = note.kind.rsplit('\\').next().unwrap_or(&note.kind);
    // The name of the test, what it says, and the places: those in the project's code first.
    let body = note.text.split_once('\n').map_or("", |(_, body)| body);
    let is_place = |line: &&str| line.starts_with('/') && line.contains(".php:");
    let said: Vec<&str> = body.lines().take_while(|line| !is_place(line)).collect();
    let said = said.join("\n").trim().to_owned();
    let place = body.lines().find(is_place).and_then(|line| line.rsplit_once(':'));
    let place = place.and_then(|(file, _)| Path::new(file).strip_prefix(tree).ok()?.to_str());
    Some(match (&*note.tag, kind) {
        ("error", "RiskyTestError") => return None,
        ("skipped", _) => TestResult::in_state(TestState::Skipped),
        ("failure", _) => TestResult::failed(FailureCause::Assertion, &said),
        ("error", "ParseError") => TestResult::failed(FailureCause::NotLoaded, &said),
        ("error", "Error") => TestResult::failed(missing_in(&said, place), &said),
        ("error", _) => TestResult::failed(FailureCause::Exception(kind.to_owned()), &said),
        _ => return None,
    })
}

/// What is not there inside the project's own code is its fault and no test's.
fn missing_in(said: &str, place: Option<&str>) -> FailureCause {
    let is_missing = said.contains(" undefined ") || said.ends_with("not found");
    match is_missing && !place.is_some_and(is_project_code) {
        true => FailureCause::Missing("Error".to_owned()),
        false => FailureCause::Exception("Error".to_owned()),
    }
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
<testcase classname="pytest" name="internal"><error message="internal error">no</error></testcase>
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
        assert!(!failure("pytest::internal").cause.is_of_the_test(""));
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

    #[test]
    fn phpunits_report_is_read_by_file_and_test() {
        let said = include_str!("recorded/phpunit.txt");
        let (_, report) = said.split_once("--- report\n").unwrap();
        let results = read_phpunit(report.as_bytes(), Path::new("/work/tree")).unwrap();
        let get = |name: &str| results.get(&format!("tests/MeanTest.php::{name}")).unwrap();
        let cause = |name: &str| get(name).failure.clone().unwrap().cause;
        assert_eq!(get("testOfTwo").state, TestState::Passed);
        assert_eq!(get("testAssertsNothing").state, TestState::Passed, "as its exit status has it");
        assert_eq!(get("testSkipped").state, TestState::Skipped);
        assert_eq!(get("testIncomplete").state, TestState::Skipped);
        assert_eq!(get("testPairs[#0]").state, TestState::Passed);
        assert_eq!(cause("testPairs[named one]"), FailureCause::Assertion);
        assert_eq!(
            get("testRed").failure.as_ref().unwrap().message,
            "the middle <&>\nFailed asserting that 2 is identical to 3."
        );
        let divided = FailureCause::Exception("DivisionByZeroError".to_owned());
        assert_eq!(cause("testRaises"), divided);
        assert_eq!(cause("testNeedsWhatIsMissing"), FailureCause::Missing("Error".to_owned()));
        let own = FailureCause::Exception("Error".to_owned());
        assert_eq!(cause("testMeetsWhatIsMissingInTheCodeItself"), own);
        assert_eq!(read_phpunit(b"", Path::new("/")), None, "a test ended the process");
    }
}
