//! What `cargo test` prints: libtest, once for each target.

use std::collections::BTreeSet;

use super::{FailedTests, Marks, counted};

/// Whether a simple command starts cargo-nextest.
pub(super) fn starts_nextest(words: &[String]) -> bool {
    words.first().is_some_and(|it| it == "cargo") && words.get(1).is_some_and(|it| it == "nextest")
}

/// Pairs `running N tests` with the `test result:` that adds up to it. Two runs at once may have
/// mixed their lines, so the order of the pairs does not count.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut begun: Vec<u64> = lines.iter().filter_map(|line| running(line)).collect();
    let results: Vec<(u64, u64)> = lines.iter().filter_map(|line| result(line)).collect();
    let mut marks =
        Marks { begun: begun.len(), more: has_other_harness(lines), ..Marks::default() };
    for (all, ran) in results {
        if let Some(at) = begun.iter().position(|it| *it == all) {
            begun.swap_remove(at);
            marks.ended += 1;
            marks.tests += ran;
        }
    }
    for line in lines {
        if let Some((_, counts)) = line.split_once("test result: ") {
            let passed = counts.split(['.', ';']).filter_map(counted).find(|it| it.1 == "passed");
            marks.passed += passed.map_or(0, |it| it.0);
            marks.failures += u64::from(counts.starts_with("FAILED"));
        }
    }
    // Its targets are one run.
    marks.last_failures = marks.failures;
    marks
}

/// Finds the names under the last `failures:` before each `test result: FAILED`, and what that line
/// counts. A target that could not be built has neither.
pub(super) fn failed(lines: &[&str]) -> FailedTests {
    let mut failed = FailedTests::default();
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if *line == "failures:" {
            names.clear();
        } else if let Some(name) = line.strip_prefix("    ") {
            names.push(name);
        } else if line.starts_with("test result: FAILED. ") {
            let counts = line.split(['.', ';']).filter_map(counted);
            failed.count += counts.filter(|it| it.1 == "failed").map(|it| it.0).sum::<u64>();
            failed.names.extend(names.drain(..).map(str::to_owned));
        }
    }
    // A name that two targets have leaves open which test is meant. A test that killed its process
    // is counted nowhere.
    let shown = |name: &String| {
        let line = format!("test {name} ... ");
        lines.iter().filter(|it| it.contains(&line)).count()
    };
    failed.count += u64::from(failed.names.iter().any(|name| shown(name) != 1));
    let broken = lines.iter().any(|line| line.starts_with("error: could not compile "));
    failed.count += u64::from(broken || lines.iter().any(|line| was_killed(line)));
    failed
}

/// `process didn't exit successfully: `…` (signal: 6, SIGABRT: process abort signal)`.
fn was_killed(line: &str) -> bool {
    line.contains("process didn't exit successfully: ") && line.contains("(signal: ")
}

/// What cargo could not get without a network. It prints no name that can be relied upon in all
/// versions, so the line is what is named. Measured with cargo 1.95.0.
pub(super) fn missing(lines: &[&str]) -> BTreeSet<String> {
    let offline = |line: &&&str| {
        line.contains("you're using offline mode (--offline)")
            || line.contains("but --offline was specified")
            || line.contains("in the offline mode (--offline)")
            || line.contains("Could not resolve host")
    };
    let error = |line: &&&str| line.starts_with("error: ");
    match lines.iter().find(offline) {
        Some(_) => lines.iter().find(error).map(|line| package(line)).into_iter().collect(),
        None => BTreeSet::new(),
    }
}

/// The package in `` error: no matching package named `x` found `` and its like; else the line.
fn package(line: &str) -> String {
    let named = line.split('`').nth(1).filter(|name| !name.is_empty());
    named.unwrap_or(line.trim_start_matches("error: ")).to_owned()
}

/// `running 3 tests`, which may stand on the line of a test that was cut off.
fn running(line: &str) -> Option<u64> {
    let (before, after) = line.rsplit_once("running ")?;
    let begins = before.is_empty() || before.starts_with("test ") && before.ends_with(" ... ");
    let (number, word) = counted(after)?;
    (begins && ["test", "tests"].contains(&word)).then_some(number)
}

/// All tests of `test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; …`,
/// and those that ran. What was filtered out is not in `running N tests` either.
fn result(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.split_once("test result: ")?;
    let (_, counts) = counts.split_once(". ")?;
    let (mut all, mut ran) = (0, 0);
    for (number, word) in counts.split(';').filter_map(counted) {
        let runs = ["passed", "failed", "measured"].contains(&word);
        ran += if runs { number } else { 0 };
        all += if runs || word == "ignored" { number } else { 0 };
    }
    Some((all, ran))
}

/// Whether cargo started a target that is not libtest's: what that one tests is its own affair.
fn has_other_harness(lines: &[&str]) -> bool {
    let mut target = false;
    for line in lines {
        let starts = line.contains("Running ") && line.contains("/deps/") && line.ends_with(')');
        if target && (starts || line.contains("Doc-tests ")) {
            return true;
        }
        target = starts || target && running(line).is_none();
    }
    target
}
