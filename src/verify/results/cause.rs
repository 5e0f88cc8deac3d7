//! What kind of failure a message tells of.
//!
//! Invariants: what is not known is an exception by the name that stands before its colon; a doubt
//! makes it weaker, never stronger.

use crate::core::test_results::FailureCause;

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
    let first = message.lines().next().unwrap_or_default();
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
        ] {
            assert_eq!(cause(message), wanted, "{message}");
        }
    }
}
