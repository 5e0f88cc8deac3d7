//! What `cargo test` prints: libtest, once for each target.

use std::collections::{BTreeSet, HashMap};

use super::{FailedTests, LONGEST_NAME, Marks, counted};

/// Whether a simple command starts cargo-nextest.
pub(super) fn starts_nextest(words: &[String]) -> bool {
    words.first().is_some_and(|it| it == "cargo") && words.get(1).is_some_and(|it| it == "nextest")
}

/// Pairs `running N tests` with the `test result:` that adds up to it. Two runs at once may have
/// mixed their lines, so the order of the pairs does not count.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks { more: has_other_harness(lines), ..Marks::default() };
    // How many runs of so many tests have not ended yet.
    let mut open: HashMap<u64, usize> = HashMap::new();
    for number in lines.iter().filter_map(|line| running(line)) {
        marks.begun += 1;
        *open.entry(number).or_default() += 1;
    }
    for (all, ran) in lines.iter().filter_map(|line| result(line)) {
        let Some(open) = open.get_mut(&all).filter(|open| **open > 0) else { continue };
        *open -= 1;
        marks.ended += 1;
        marks.tests += ran;
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
    let unclear = shown(&failed.names, lines).values().any(|lines| *lines != 1);
    failed.count += u64::from(unclear);
    let broken = lines.iter().any(|line| line.starts_with("error: could not compile "));
    failed.count += u64::from(broken || lines.iter().any(|line| was_killed(line)));
    failed
}

/// On how many lines `test NAME ... ` stands, for each of these names. Each line is read once,
/// however many names there are; one that is too long is on none.
fn shown<'n>(names: &'n BTreeSet<String>, lines: &[&str]) -> HashMap<&'n str, usize> {
    const BEGIN: &str = "test ";
    const END: &str = " ... ";
    let mut shown: HashMap<&str, usize> = names.iter().map(|name| (&**name, 0)).collect();
    for line in lines {
        let mut on_line = BTreeSet::new();
        for (at, _) in line.match_indices(BEGIN) {
            let rest = &line.as_bytes()[at + BEGIN.len()..];
            let rest = &rest[..rest.len().min(LONGEST_NAME + END.len())];
            let Some(end) = memchr::memmem::find(rest, END.as_bytes()) else { continue };
            let start = at + BEGIN.len();
            on_line.extend(line.get(start..start + end));
        }
        for name in on_line {
            if let Some(lines) = shown.get_mut(name) {
                *lines += 1;
            }
        }
    }
    shown
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
pub(super) fn running(line: &str) -> Option<u64> {
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

/// What the line of a target's end counts: passed, failed, ignored.
pub(super) fn result_counts(line: &str) -> Option<[u64; 3]> {
    let (_, counts) = line.split_once("test result: ")?;
    let all: Vec<(u64, &str)> = counts.split(['.', ';']).filter_map(counted).collect();
    let of = |word: &str| all.iter().find(|it| it.1 == word).map(|it| it.0);
    Some([of("passed")?, of("failed")?, of("ignored")?])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_number_of_failed_tests_is_read_once() {
        let names: Vec<String> = (0..200_000).map(|i| format!("tests::t{i}")).collect();
        let mut said: Vec<String> =
            names.iter().map(|name| format!("test {name} ... FAILED")).collect();
        said.push("failures:".to_owned());
        said.extend(names.iter().map(|name| format!("    {name}")));
        said.push("test result: FAILED. 0 passed; 200000 failed; 0 ignored".to_owned());
        let lines: Vec<&str> = said.iter().map(String::as_str).collect();
        let failed = failed(&lines);
        assert_eq!((failed.names.len(), failed.count), (200_000, 200_000));
        let long = "test ".repeat(1 << 18);
        let shown = shown(&failed.names, &[&long, "test tests::t1 ... ok", "test tests::t1 ... "]);
        assert_eq!((shown["tests::t1"], shown["tests::t2"]), (2, 0));
    }

    #[test]
    fn a_hostile_number_of_runs_is_paired_in_one_reading() {
        let begun = (0..200_000).map(|i| format!("running {i} tests"));
        let ended = (0..200_000).rev().map(|i| format!("test result: ok. {i} passed; 0 failed"));
        let said: Vec<String> = begun.chain(ended).collect();
        let lines: Vec<&str> = said.iter().map(String::as_str).collect();
        let marks = read(&lines);
        assert_eq!((marks.begun, marks.ended), (200_000, 200_000));
    }
}
