//! What pytest and unittest print.

use super::commands::starts;
use super::{Marks, counted, sum};

/// Ways to start pytest in which it prints no closing line.
const WITHOUT_CLOSING_LINE: &[&str] =
    &["--version", "-V", "--help", "-h", "--fixtures", "--markers", "no:terminal", "-pno:terminal"];
const PYTEST_RAN: &[&str] = &["passed", "failed", "xfailed", "xpassed", "error", "errors"];

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
        marks.tests += number.saturating_sub(skipped.unwrap_or(0));
    }
    marks
}
