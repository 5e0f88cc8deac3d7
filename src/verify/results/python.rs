//! What pytest and unittest print.

use std::collections::BTreeSet;

use super::commands::starts;
use super::{FailedTests, Marks, counted, sum};

/// Ways to start pytest in which it prints no closing line.
const WITHOUT_CLOSING_LINE: &[&str] =
    &["--version", "-V", "--help", "-h", "--fixtures", "--markers", "no:terminal", "-pno:terminal"];
const UNITTEST_FAILED: &[&str] = &["failures", "errors", "unexpected successes"];
const PYTEST_FAILED: &[&str] = &["failed", "error", "errors"];
const PYTEST_RAN: &[&str] = &["passed", "failed", "xfailed", "xpassed"];

/// Whether a simple command starts pytest so that it prints its closing line.
pub(super) fn starts_pytest(words: &[String]) -> bool {
    let quiet: usize = words.iter().map(|word| quietness(word)).sum();
    let silent = words.iter().any(|word| WITHOUT_CLOSING_LINE.contains(&word.as_str()));
    starts(words, &["pytest", "py.test"]) && quiet < 2 && !silent
}

/// How often a word asks for less: at twice there is no closing line.
fn quietness(word: &str) -> usize {
    match word.strip_prefix('-') {
        Some("-quiet") => 1,
        Some(letters) if letters.bytes().all(|letter| letter == b'q') => letters.len(),
        _ => 0,
    }
}

/// Finds the closing lines: `1 passed in 0.01s`, alone or between `=`. A run that pytest's own exit
/// call ended has one too, and a line of its own after it.
pub(super) fn read_pytest(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    let (mut headers, mut exits) = (0, 0);
    for line in lines {
        headers += usize::from(line.starts_with("===") && line.contains(" test session starts "));
        exits += usize::from(line.starts_with("!!!") && line.contains(" _pytest.outcomes.Exit: "));
        if let Some(ran) = closing(line) {
            marks.ended += 1;
            marks.tests += ran;
            marks.passed += listed(line, &["passed", "xpassed"]);
            marks.failed(listed(line, PYTEST_FAILED));
        }
    }
    marks.begun = headers.max(marks.ended);
    marks.ended = marks.ended.saturating_sub(exits);
    marks
}

fn closing(line: &str) -> Option<u64> {
    let inside = line.trim_matches(|c| c == '=' || c == ' ');
    // pytest-pretty and pytest-sugar have a line of their own in its place.
    if let Some(rest) = inside.strip_prefix("Results (") {
        return rest.strip_suffix("):").filter(|time| is_time(time)).map(|_| 1);
    }
    let (counts, time) = inside.rsplit_once(" in ")?;
    if !is_time(time) {
        return None;
    }
    match counts {
        "no tests ran" | "no tests collected" => Some(0),
        // `3/5 tests collected (2 deselected)`, and nothing was to run.
        counts if counts.contains(" tests collected") || counts.contains(" test collected") => {
            Some(0)
        }
        counts => sum(counts, ", ", PYTEST_RAN),
    }
}

/// How many a closing line lists under these words.
fn listed(line: &str, words: &[&str]) -> u64 {
    let inside = line.trim_matches(|c| c == '=' || c == ' ');
    let counts = inside.rsplit_once(" in ").map_or("", |(counts, _)| counts);
    sum(counts, ", ", words).unwrap_or(0)
}

/// `0.01s`, `61.02s (0:01:01)`, `0.12 seconds`.
fn is_time(text: &str) -> bool {
    let number = text.split_once(['s', ' ']).map_or("", |(number, _)| number);
    number.contains('.') && number.parse::<f64>().is_ok()
}

/// Whether a simple command starts unittest.
pub(super) fn starts_unittest(words: &[String]) -> bool {
    let help = words.iter().any(|word| word == "-h" || word == "--help");
    starts(words, &["unittest"]) && words.iter().any(|word| word == "-m") && !help
}

/// Finds `Ran 3 tests in 0.001s`; `OK (skipped=1)` after it takes one away.
pub(super) fn read_unittest(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for (at, line) in lines.iter().enumerate() {
        let Some((count, _)) = line.strip_prefix("Ran ").and_then(|rest| rest.split_once(" in "))
        else {
            continue;
        };
        let Some((number, "test" | "tests")) = counted(count) else { continue };
        let rest = lines.get(at + 1..).unwrap_or_default();
        let end = rest.iter().find(|line| !line.is_empty());
        let skipped = end.and_then(|line| line.split_once("skipped="));
        let skipped = skipped.and_then(|(_, after)| after.split([',', ')']).next()?.parse().ok());
        marks.ended += 1;
        let ran = number.saturating_sub(skipped.unwrap_or(0));
        marks.tests += ran;
        // `FAILED (failures=1, errors=2)`
        let red = end.map_or(0, |line| {
            let counts = line.split(['(', ',', ')']).filter_map(|it| it.trim().split_once('='));
            let red = counts.filter(|it| UNITTEST_FAILED.contains(&it.0));
            red.filter_map(|it| it.1.parse::<u64>().ok()).sum()
        });
        marks.passed += ran.saturating_sub(red);
        marks.failed(red);
    }
    marks
}

/// Finds `FAILED tests/test_a.py::test_x - assert …` and `ERROR …` in the summary, and how many the
/// closing line counts. A file that cannot be loaded is named as one.
pub(super) fn failed_pytest(lines: &[&str]) -> FailedTests {
    let named = |line: &&str| {
        let (rest, of_file) = match line.strip_prefix("FAILED ") {
            Some(rest) => (rest, false),
            None => (line.strip_prefix("ERROR ")?, true),
        };
        let name = rest.split(" - ").next().unwrap_or(rest);
        (name.contains("::") || of_file && name.ends_with(".py")).then(|| name.to_owned())
    };
    let names: BTreeSet<String> = lines.iter().filter_map(named).collect();
    let closing = lines.iter().filter(|line| closing(line).is_some());
    FailedTests { names, count: closing.map(|line| listed(line, PYTEST_FAILED)).sum() }
}

/// The modules that could not be imported. Of `a.b` it is only said that `a` has no such part.
pub(super) fn missing(lines: &[&str]) -> BTreeSet<String> {
    let named = lines.iter().filter_map(|line| {
        let (_, rest) = line.split_once("No module named ")?;
        let name = rest.trim_start_matches(['\'', '"']).split(['\'', '"', ' ', ';']).next()?;
        (!name.is_empty() && !name.contains('.')).then(|| name.to_owned())
    });
    named.collect()
}
