//! Test runners that show suites and tests by indentation: TAP, node's own reporter and mocha's.
//!
//! Invariants: what a test prints may look like a suite, so a run is believed only where its lines
//! add up to what it counts at its end.

use std::collections::BTreeSet;

use super::cause::{cause_in, first_frame};
use crate::core::test_results::{FailureCause, TestResult, TestResults, TestState};

/// A path of titles, by how far each is indented.
#[derive(Default)]
struct Titles(Vec<(usize, String)>);

impl Titles {
    /// The id of a test with this title, which stands this deep.
    fn id(&mut self, depth: usize, title: &str) -> String {
        self.0.retain(|(at, _)| *at < depth);
        let above = self.0.iter().map(|(_, title)| &**title);
        above.chain([title]).collect::<Vec<_>>().join(" > ")
    }

    fn enter(&mut self, depth: usize, title: &str) {
        self.0.retain(|(at, _)| *at < depth);
        self.0.push((depth, title.to_owned()));
    }
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// TAP with subtests as node writes it: a suite is named before it begins and has its own line
/// after it.
pub(super) fn read_tap(lines: &[&str]) -> Option<TestResults> {
    let mut results = TestResults::default();
    let mut titles = Titles::default();
    let mut suites: BTreeSet<String> = BTreeSet::new();
    for (at, line) in lines.iter().enumerate() {
        let (depth, said) = (depth(line), line.trim_start());
        if let Some(title) = said.strip_prefix("# Subtest: ") {
            // What stood this deep is over, so it was a test and not a suite.
            titles.enter(depth, title);
            continue;
        }
        let (held, rest) = match (said.strip_prefix("not ok "), said.strip_prefix("ok ")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => continue,
        };
        let Some((number, title)) = rest.split_once(" - ") else { continue };
        if number.parse::<u32>().is_err() {
            continue;
        }
        let (title, directive) = title.split_once(" # ").unwrap_or((title, ""));
        let id = titles.id(depth, title);
        let details = Details::of(lines.get(at + 1..).unwrap_or_default(), depth);
        if details.is_suite || suites.contains(&id) {
            continue;
        }
        // Whatever holds others is a suite: its own line repeats what they came to.
        if let Some((above, _)) = id.rsplit_once(" > ") {
            suites.insert(above.to_owned());
        }
        let directive = directive.to_ascii_uppercase();
        let result = match held {
            _ if directive.starts_with("SKIP") => TestResult::in_state(TestState::Skipped),
            _ if directive.starts_with("TODO") => TestResult::in_state(TestState::ExpectedFailure),
            true if super::javascript::is_a_file(title) => continue,
            true => TestResult::in_state(TestState::Passed),
            false if super::javascript::is_a_file(title) => not_loaded(&details.error),
            false => {
                let message = format!("{}: {}", details.name, details.error);
                let message = message.trim_start_matches(": ");
                let place = details.place.as_deref();
                TestResult::failed(cause_in(message, place), message)
            }
        };
        results.add(id, result)?;
    }
    (!results.is_empty()).then_some(results)
}

/// A file that could not be loaded, or whose process failed, is one red test of the file's name.
fn not_loaded(message: &str) -> TestResult {
    TestResult::failed(FailureCause::NotLoaded, message)
}

/// What stands under a line of TAP, between `---` and `...`.
#[derive(Default)]
struct Details {
    error: String,
    name: String,
    /// Where it happened.
    place: Option<String>,
    is_suite: bool,
}

impl Details {
    fn of(rest: &[&str], at: usize) -> Self {
        let mut details = Self::default();
        let (mut in_error, mut in_stack) = (false, false);
        if rest.first().is_none_or(|line| line.trim() != "---") {
            return details;
        }
        for line in rest.iter().skip(1).take_while(|line| line.trim() != "...").take(60) {
            let own = depth(line) == at + 2;
            let said = line.trim();
            if own {
                (in_error, in_stack) = (false, said.starts_with("stack: "));
            }
            if let Some(error) = said.strip_prefix("error: ").filter(|_| own) {
                in_error = error.starts_with('|');
                if !in_error {
                    details.error = error.trim_matches('\'').to_owned();
                }
            } else if let Some(name) = said.strip_prefix("name: ").filter(|_| own) {
                details.name = name.trim_matches('\'').to_owned();
            } else if own && (said == "type: 'suite'" || said == "failureType: 'subtestsFailed'") {
                details.is_suite = true;
            } else if in_stack && !own {
                // The first one only: what stands below a test's own body called that.
                in_stack = false;
                details.place = first_frame(&format!("at {said}")).map(str::to_owned);
            } else if in_error {
                details.error.push_str(said);
                details.error.push('\n');
            }
        }
        details
    }
}

/// Marks of node's spec reporter and of mocha's.
const PASSED: &[&str] = &["✔ ", "✓ ", "√ "];

/// What mocha's spec reporter prints: `  suite`, `    ✔ test`, `    1) red test`, `    - pending`,
/// and the reasons after `N failing`.
pub(super) fn read_mocha(lines: &[&str]) -> Option<TestResults> {
    let ends = |line: &&&str| is_count(line, "passing");
    let end = lines.iter().position(|line| ends(&line))?;
    if lines.iter().skip(end + 1).any(|line| is_count(line, "passing")) {
        return None;
    }
    let (shown, rest) = lines.split_at(end);
    let mut results = TestResults::default();
    let mut titles = Titles::default();
    let mut seen = [0_u64; 3];
    for line in shown {
        let (depth, said) = (depth(line), line.trim());
        if depth < 2 {
            continue;
        }
        let passed = PASSED.iter().find_map(|mark| said.strip_prefix(mark));
        let failed = said.split_once(") ").filter(|(n, _)| n.parse::<u32>().is_ok());
        let (title, result, kind) = match (passed, failed, said.strip_prefix("- ")) {
            (Some(title), ..) => (without_time(title), TestResult::in_state(TestState::Passed), 0),
            (None, Some((number, title)), _) => {
                let (message, place) = mocha_reason(rest, number);
                (title, TestResult::failed(cause_in(&message, place), &message), 1)
            }
            (None, None, Some(title)) => (title, TestResult::in_state(TestState::Skipped), 2),
            (None, None, None) => {
                titles.enter(depth, said);
                continue;
            }
        };
        seen[kind] += 1;
        results.add(titles.id(depth, title), result)?;
    }
    let counts = ["passing", "failing", "pending"].map(|word| {
        let counted = rest.iter().find(|line| is_count(line, word));
        counted.and_then(|line| super::counted(line)).map_or(0, |it| it.0)
    });
    (seen == counts && !results.is_empty()).then_some(results)
}

fn is_count(line: &str, word: &str) -> bool {
    let counted = super::counted(line);
    counted.is_some_and(|(_, said)| said == word || said.starts_with(&format!("{word} (")))
}

/// `adds (52ms)` without the time that slow ones are shown with.
fn without_time(title: &str) -> &str {
    match title.rsplit_once(" (") {
        Some((before, time)) => match time.strip_suffix("ms)").map(str::parse::<f64>) {
            Some(Ok(_)) => before,
            _ => title,
        },
        None => title,
    }
}

/// The words under `  1) suite`, after its last title line, which ends in a colon.
fn mocha_reason<'l>(rest: &[&'l str], number: &str) -> (String, Option<&'l str>) {
    let begin = format!("{number}) ");
    let mut block = rest.iter().skip_while(|line| !line.trim_start().starts_with(&begin));
    let mut said = Vec::new();
    // A test outside of all suites has no other title line.
    let mut titles = block.next().is_some_and(|line| !line.trim_end().ends_with(':'));
    let mut place = None;
    for line in block.by_ref().take(60) {
        let line = line.trim();
        let next = line.split_once(") ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        if next || line.starts_with("at ") {
            place = first_frame(line);
            break;
        }
        if !titles {
            said.push(line);
        }
        titles &= !line.ends_with(':');
    }
    let said = said.join("\n");
    (said.strip_prefix("Uncaught ").unwrap_or(&said).to_owned(), place)
}

/// What node's spec reporter prints: `✔ test (1.2ms)`, `▶ suite`, `✖ red (2ms)`, and all red ones
/// again, with their reasons, after `✖ failing tests:`.
pub(super) fn read_node_spec(lines: &[&str]) -> Option<TestResults> {
    const FAILING: &str = "✖ failing tests:";
    let end = lines.iter().position(|line| *line == FAILING).unwrap_or(lines.len());
    let (shown, rest) = lines.split_at(end);
    let mut results = TestResults::default();
    let mut titles = Titles::default();
    let mut suites: BTreeSet<String> = BTreeSet::new();
    for line in shown {
        let (depth, said) = (depth(line), line.trim());
        if let Some(title) = said.strip_prefix("▶ ") {
            // A suite's name comes again at its end, with its time.
            if title == without_time(title) {
                titles.enter(depth, title);
                suites.insert(titles.id(depth + 1, "").trim_end_matches(" > ").to_owned());
            }
            continue;
        }
        let passed = PASSED.iter().find_map(|mark| said.strip_prefix(mark));
        let failed = said.strip_prefix("✖ ");
        let skipped = said.strip_prefix("﹣ ");
        let Some(title) = passed.or(failed).or(skipped) else { continue };
        let (title, directive) = title.rsplit_once(" # ").unwrap_or((title, ""));
        let title = without_time(title);
        if passed.is_some() && super::javascript::is_a_file(title) {
            continue;
        }
        let id = titles.id(depth, title);
        if suites.contains(&id) {
            continue;
        }
        let result = match directive {
            _ if skipped.is_some() || directive.starts_with("SKIP") => {
                TestResult::in_state(TestState::Skipped)
            }
            _ if directive.starts_with("TODO") => TestResult::in_state(TestState::ExpectedFailure),
            _ if passed.is_some() => TestResult::in_state(TestState::Passed),
            _ => {
                let (message, place) = spec_reason(rest, title);
                match super::javascript::is_a_file(title) {
                    true => not_loaded(&message),
                    false => TestResult::failed(cause_in(&message, place), &message),
                }
            }
        };
        results.add(id, result)?;
    }
    (!results.is_empty()).then_some(results)
}

fn spec_reason<'l>(rest: &[&'l str], title: &str) -> (String, Option<&'l str>) {
    let named =
        |line: &&&str| line.trim().strip_prefix("✖ ").is_some_and(|it| without_time(it) == title);
    let block = rest.iter().skip_while(|line| !named(line)).skip(1);
    let said = block.map(|line| line.trim()).take_while(|line| !line.starts_with("✖ "));
    let said: Vec<&str> = said.take(40).collect();
    let place = said.iter().find_map(|line| first_frame(line));
    let own = said.into_iter().take_while(|line| !line.starts_with("at ")).take(20);
    (own.collect::<Vec<_>>().join("\n"), place)
}

#[cfg(test)]
#[path = "indented_tests.rs"]
mod tests;
