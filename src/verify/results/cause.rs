//! What kind of failure a message tells of.
//!
//! Invariants: what says nothing is no test's reason; what says something that is not known is an
//! exception, by the name that stands before its colon.

use crate::core::test_results::FailureCause;
use crate::verify::test_files::is_of_tests;

/// Exceptions that say that something is not there.
const MISSING: &[&str] = &[
    "NameError",
    "ImportError",
    "ModuleNotFoundError",
    "AttributeError",
    "ReferenceError",
    "NotImplementedError",
    "ERR_MODULE_NOT_FOUND",
    "MODULE_NOT_FOUND",
];
/// What a wrong call says in Python and JavaScript, where the name is only `TypeError`.
const WRONG_CALLS: &[&str] = &[
    "is not a function",
    "is not a constructor",
    "is not defined",
    "unexpected keyword argument",
    "positional argument",
    "required keyword-only argument",
    "Cannot find module",
    "Cannot find package",
    "not yet implemented",
    "not implemented",
];
const NOT_LOADED: &[&str] = &["SyntaxError", "IndentationError", "TabError", "collection failure"];
/// What a machine, or time, is to blame for as a rule.
const SURROUNDINGS: &[&str] = &[
    "FileNotFoundError",
    "PermissionError",
    "ConnectionError",
    "ConnectionRefusedError",
    "OSError",
    "TimeoutError",
    "gaierror",
    "ENOENT",
    "EACCES",
    "ECONNREFUSED",
    "EAI_AGAIN",
    "ENOTFOUND",
    "Timeout",
];
const TIMEOUTS: &[&str] = &["Timeout of ", "Exceeded timeout of ", "Test timed out in "];

/// Of a message that most often begins with the name of an exception.
pub(super) fn cause(message: &str) -> FailureCause {
    let message = message.trim_start();
    let Some(first) = message.lines().next() else {
        return FailureCause::Surroundings(String::new());
    };
    let name = name(first);
    if name == "AssertionError"
        || name == "JestAssertionError"
        || name == "Failed"
        || first.contains("ERR_ASSERTION")
        || first.starts_with("assert")
        || first.starts_with("expect(")
        || first.starts_with("test did not panic as expected")
    {
        return FailureCause::Assertion;
    }
    if NOT_LOADED.contains(&name) || NOT_LOADED.iter().any(|it| first.starts_with(it)) {
        return FailureCause::NotLoaded;
    }
    if MISSING.contains(&name) || WRONG_CALLS.iter().any(|words| first.contains(words)) {
        return FailureCause::Missing(name.to_owned());
    }
    if SURROUNDINGS.contains(&name) || TIMEOUTS.iter().any(|words| first.starts_with(words)) {
        return FailureCause::Surroundings(name.to_owned());
    }
    FailureCause::Exception(name.to_owned())
}

/// The same, where it is known in which file it happened: what is missing inside the project's own
/// code is its fault and no test's. Of modules that are not there that does not tell.
pub(super) fn cause_in(message: &str, place: Option<&str>) -> FailureCause {
    match cause(message) {
        FailureCause::Missing(name)
            if !name.contains("MODULE_NOT_FOUND")
                && !["ImportError", "ModuleNotFoundError", "NotImplementedError"]
                    .contains(&&*name)
                && place.is_some_and(is_project_code) =>
        {
            FailureCause::Exception(name)
        }
        cause => cause,
    }
}

/// Whether a file is of the project and none of its tests.
pub(super) fn is_project_code(place: &str) -> bool {
    let foreign = ["node:", "node_modules/", "site-packages/", "/lib/python", "/usr/"];
    !is_of_tests(place) && !foreign.iter().any(|part| place.contains(part))
}

/// Where something was missing, an import may be what is taken back: that is missing, too, though
/// it is in the project's own code.
pub fn says_more_than_missing(cause: &FailureCause) -> bool {
    match cause {
        FailureCause::Assertion => true,
        FailureCause::Exception(name) => {
            !MISSING.contains(&&**name)
                && !["TypeError", "NoMethodError", "Error"].contains(&&**name)
        }
        FailureCause::Missing(_) | FailureCause::NotLoaded | FailureCause::Surroundings(_) => false,
    }
}

/// How runners of JavaScript call the body of a test.
const BODIES: &[&str] =
    &["Context.<anonymous> ", "TestContext.<anonymous> ", "Object.<anonymous> "];

/// The file of the first line of a JavaScript stack: `at f (/work/tree/lib/a.js:3:7)`. None of a
/// test's own body, wherever that stands.
pub(super) fn first_frame(said: &str) -> Option<&str> {
    let line = said.lines().map(str::trim).find_map(|line| line.strip_prefix("at "))?;
    if BODIES.iter().any(|body| line.starts_with(body)) {
        return None;
    }
    let place = line.rsplit_once('(').map_or(line, |(_, place)| place);
    let place = place.trim_end_matches(')').trim_start_matches("file://");
    let (place, _) = place.rsplit_once(':')?;
    Some(place.rsplit_once(':').map_or(place, |(file, _)| file))
}

/// `IndexError` of `IndexError: …`, of `mod.IndexError: …` and of `AssertionError [ERR_X]: …`.
/// Nothing where there is none.
fn name(first: &str) -> &str {
    let before = first.split_once(':').map_or(first, |(before, _)| before);
    let word = before.trim().split([' ', '(']).next().unwrap_or_default();
    let own = word.rsplit('.').next().unwrap_or(word);
    let letters = !own.is_empty() && own.chars().all(|c| c.is_alphanumeric() || c == '_');
    if letters { own } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_inside_the_project_is_its_own_fault() {
        let said = "AttributeError: 'Logger' object has no attribute '_write'";
        let exception = FailureCause::Exception("AttributeError".to_owned());
        let missing = FailureCause::Missing("AttributeError".to_owned());
        assert_eq!(cause_in(said, Some("src/pkg/output.py")), exception);
        for place in [None, Some("tests/test_output.py"), Some("/usr/lib/python3/x.py")] {
            assert_eq!(cause_in(said, place), missing, "{place:?}");
        }
        let module = cause_in("ModuleNotFoundError: No module named 'x'", Some("src/a.py"));
        assert_eq!(module, FailureCause::Missing("ModuleNotFoundError".to_owned()));
        for (said, place) in [
            ("x\n    at f (/work/tree/lib/a.js:3:7)\n    at g (b.js:1:1)", "/work/tree/lib/a.js"),
            ("at file:///work/tree/v/a.test.js:2:48", "/work/tree/v/a.test.js"),
        ] {
            assert_eq!(first_frame(said), Some(place));
        }
        assert_eq!(first_frame("at Context.<anonymous> (/work/tree/specs/a.js:3:7)"), None);
    }

    #[test]
    fn a_failure_is_called_by_what_it_says() {
        let exception = |name: &str| FailureCause::Exception(name.to_owned());
        let missing = |name: &str| FailureCause::Missing(name.to_owned());
        for (message, wanted) in [
            ("AssertionError: nope\nassert 1 == 2", FailureCause::Assertion),
            ("assert 1 == 2", FailureCause::Assertion),
            ("AssertionError [ERR_ASSERTION]: 2 !== 3", FailureCause::Assertion),
            ("expect(received).toBe(expected) // Object.is equality", FailureCause::Assertion),
            ("Failed: DID NOT RAISE <class 'ValueError'>", FailureCause::Assertion),
            ("assertion `left == right` failed", FailureCause::Assertion),
            ("IndexError: list index out of range", exception("IndexError")),
            ("widget.errors.Odd: no", exception("Odd")),
            ("NameError: name 'x' is not defined", missing("NameError")),
            ("TypeError: x is not a function", missing("TypeError")),
            ("TypeError: f() got an unexpected keyword argument 'a'", missing("TypeError")),
            ("TypeError: unsupported operand type(s)", exception("TypeError")),
            ("SyntaxError: invalid syntax", FailureCause::NotLoaded),
            (
                "FileNotFoundError: [Errno 2] No such file",
                FailureCause::Surroundings("FileNotFoundError".to_owned()),
            ),
            ("Timeout of 2000ms exceeded.", FailureCause::Surroundings("Timeout".to_owned())),
            ("not yet implemented: soon", missing("not")),
            (" \n", FailureCause::Surroundings(String::new())),
        ] {
            assert_eq!(cause(message), wanted, "{message}");
        }
    }
}
