//! How a run ended that did not come to its tests.
//!
//! Invariants: a crash or an endless run is a test's reason only where the issue speaks of it.

use crate::core::evidence::CheckOutcome;

/// What the reason of a run says, and the words by which an issue speaks of it.
const ENDS: &[(&str, &[&str])] = &[
    (
        "took longer than",
        &[
            "hang",
            "endless",
            "infinite",
            "forever",
            "never end",
            "never return",
            "never stop",
            "never finish",
            "does not end",
            "does not return",
            "does not terminate",
            "stuck",
            "freez",
            "deadlock",
            "timeout",
            "times out",
        ],
    ),
    ("overflow", &["overflow", "recursion", "recursive"]),
    ("SIGABRT", &["abort", "sigabrt", "crash"]),
    ("signal 6", &["abort", "sigabrt", "crash"]),
    ("SIGSEGV", &["segfault", "sigsegv", "segmentation", "crash"]),
    ("signal 11", &["segfault", "sigsegv", "segmentation", "crash"]),
    ("egmentation fault", &["segfault", "sigsegv", "segmentation", "crash"]),
    ("out of memory", &["memory"]),
    ("of memory that a run has", &["memory"]),
];

/// The line of a red run that says most of how it ended.
pub(super) fn ended_with(outcome: &CheckOutcome) -> String {
    let said = outcome.reason().unwrap_or("the run ended before it");
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let names_error = |line: &&str| error_names(line).next().is_some();
    let sign = ["took longer than", "of memory that a run has", "overflow", "signal", "panicked"];
    let sign = sign.iter().find_map(|sign| lines().find(|line| line.contains(sign)));
    let line = sign.or_else(|| lines().find(names_error));
    let line = line.or_else(|| lines().find(|line| line.contains("rror")));
    let line = line.or_else(|| lines().next()).unwrap_or_default();
    // That setting is of the check itself: this run had its own bound.
    line.replace(" (`[verify] minutes`)", "")
}

/// Whether the issue speaks of such an end.
pub(super) fn is_named_end(said: &str, issue: &str) -> bool {
    let folded = issue.to_lowercase();
    let of_a_kind = ENDS
        .iter()
        .any(|(sign, words)| said.contains(sign) && words.iter().any(|word| folded.contains(word)));
    of_a_kind || error_names(said).any(|name| issue.contains(name))
}

/// `RangeError` of `RangeError: no`: names at the beginning of what is said.
fn error_names(line: &str) -> impl Iterator<Item = &str> {
    let before = line.split(": ").take(2).map(|part| part.trim_start_matches("Uncaught "));
    before.filter(|word| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        // That is no end of a run, but of what loads it.
        let of_loading = word.ends_with("SyntaxError");
        let named = word.ends_with("Error") || word.ends_with("Exception");
        plain && named && !of_loading && word.len() > 5
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_how_it_ended_is_found() {
        let said = |why: &str| ended_with(&CheckOutcome::Failed(why.to_owned()));
        let source = "exit code 1\n    if (!xs.length) throw new RangeError('none')\n\
                      RangeError: none\n    at mean (a.js:1)";
        assert_eq!(said(source), "RangeError: none");
        let slow = "took longer than 3 minutes (`[verify] minutes`) and was killed\nrunning 1 test";
        assert_eq!(said(slow), "took longer than 3 minutes and was killed");
        let overflow = "exit code 101\nthread 'main' has overflowed its stack\nerror: test failed";
        assert_eq!(said(overflow), "thread 'main' has overflowed its stack");
        assert_eq!(said("exit code 2\nsay nothing"), "exit code 2");
    }

    #[test]
    fn an_end_is_a_reason_only_where_the_issue_speaks_of_it() {
        for (said, issue) in [
            ("took longer than 3 minutes and was killed", "`next` hangs on an empty list"),
            ("thread 'main' has overflowed its stack", "Stack overflow on deep input"),
            ("RangeError: none", "mean([]) ends with a RangeError"),
            ("signal: 11, SIGSEGV: invalid memory reference", "It crashes"),
        ] {
            assert!(is_named_end(said, issue), "{said}");
            assert!(!is_named_end(said, "The mean of nothing is wrong"), "{said}");
        }
        assert!(!is_named_end("error: could not compile", "It ends with an error"));
    }
}
