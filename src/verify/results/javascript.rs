//! What jest, mocha, vitest and node's own runner print.

use std::collections::BTreeSet;

use super::commands::starts;
use super::{Marks, counted, sum, tape};

/// Ways to start a runner in which it prints no summary, or another one than usual.
const JEST_OTHERWISE: &[&str] = &[
    "--version",
    "-v",
    "--help",
    "-h",
    "--showConfig",
    "--listTests",
    "--init",
    "--clearCache",
    "--json",
    "--reporters",
];
const MOCHA_OTHERWISE: &[&str] =
    &["--version", "-V", "--help", "-h", "-R", "--reporter", "--list-reporters", "--list-files"];

/// What jest says instead of its summary where it finds no test and is content with that.
const NO_JEST_TEST: &[&str] =
    &["No tests found, exiting with code 0", "No tests found related to files changed"];

/// How the name of a file ends that node runs as a test.
const SOURCES: &[&str] = &[".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"];

/// Whether a simple command starts jest so that it prints its summary.
pub(super) fn starts_jest(words: &[String]) -> bool {
    starts(words, &["jest"]) && !has_option(words, JEST_OTHERWISE)
}

/// Whether a simple command starts mocha so that it prints its summary.
pub(super) fn starts_mocha(words: &[String]) -> bool {
    starts(words, &["mocha", "_mocha"]) && !has_option(words, MOCHA_OTHERWISE)
}

/// Whether a simple command starts vitest, and leaves open how it reports.
pub(super) fn starts_vitest(words: &[String]) -> bool {
    let otherwise = words.iter().any(|word| ["bench", "list", "--help"].contains(&&**word));
    starts(words, &["vitest"]) && !otherwise && !has_option(words, &["--reporter", "--outputFile"])
}

/// Whether a simple command starts node's own runner so that it prints its summary.
pub(super) fn starts_node(words: &[String]) -> bool {
    let other_reporter = words.iter().any(|word| {
        let reporter = word.strip_prefix("--test-reporter");
        reporter.is_some_and(|which| !["=spec", "=tap"].contains(&which))
    });
    let tests = words.iter().any(|word| word == "--test");
    starts(words, &["node", "nodejs"]) && tests && !other_reporter
}

fn has_option(words: &[String], options: &[&str]) -> bool {
    words.iter().any(|word| options.contains(&word.split('=').next().unwrap_or(word)))
}

/// Finds `Tests:       1 failed, 2 skipped, 3 passed, 6 total`.
pub(super) fn read_jest(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    // A file that cannot be loaded is counted before the tests, and only there.
    let mut suites = 0;
    for line in lines {
        if line.contains("process.exit called with \"") {
            marks.begun = 1;
        }
        if let Some(counts) = line.strip_prefix("Test Suites: ") {
            suites = sum(counts, ", ", &["failed"]).unwrap_or(0);
        }
        let ran = match line.strip_prefix("Tests: ") {
            Some(counts) => {
                marks.passed += sum(counts, ", ", &["passed"]).unwrap_or(0);
                marks.failed(suites + sum(counts, ", ", &["failed"]).unwrap_or(0));
                sum(counts, ", ", &["passed", "failed"])
            }
            None => NO_JEST_TEST.iter().any(|begin| line.starts_with(begin)).then_some(0),
        };
        add(&mut marks, ran);
    }
    marks
}

/// Finds `3 passing (12ms)` and `1 failing`.
pub(super) fn read_mocha(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for line in lines {
        match counted(line) {
            Some((ran, word)) if word == "passing" || word.starts_with("passing (") => {
                add(&mut marks, Some(ran));
                marks.failed(0);
                marks.passed += ran;
            }
            Some((ran, "failing")) => {
                marks.tests += ran;
                marks.failed(ran);
            }
            _ => {}
        }
    }
    marks
}

/// Finds `      Tests  3 passed | 1 skipped (4)`, and before it the files that failed, which is all
/// that is said of one that cannot be loaded.
pub(super) fn read_vitest(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    let mut files = 0;
    for line in lines {
        let line = line.trim_start();
        let of = |begin: &str| Some(line.strip_prefix(begin)?.rsplit_once(" (")?.0);
        if let Some(counts) = of("Test Files  ") {
            files = sum(counts, " | ", &["failed"]).unwrap_or(0);
        }
        let ran = match of("Tests  ").or_else(|| (line == "Tests  no tests").then_some("")) {
            Some(counts) => {
                marks.passed += sum(counts, " | ", &["passed"]).unwrap_or(0);
                marks.failed(files.max(sum(counts, " | ", &["failed"]).unwrap_or(0)));
                files = 0;
                match counts {
                    "" => Some(0),
                    counts => sum(counts, " | ", &["passed", "failed"]),
                }
            }
            None => line.starts_with("No test files found, exiting with code 0").then_some(0),
        };
        add(&mut marks, ran);
    }
    marks
}

fn add(marks: &mut Marks, ran: Option<u64>) {
    if let Some(ran) = ran {
        marks.ended += 1;
        marks.tests += ran;
    }
}

/// Finds `# tests 3` or `ℹ tests 3`, and `pass`, `fail` and `cancelled` after it.
///
/// A file in which no test ran, or whose process ended early, counts as one test of the file's
/// name that passed. It is none.
pub(super) fn read_node(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    let (mut files, mut others) = (0, false);
    for (at, line) in lines.iter().enumerate() {
        files += u64::from(is_passed_file(line));
        let Some(said) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
            continue;
        };
        let Some((key, Ok(number))) =
            said.split_once(' ').map(|(k, n)| (k, n.trim().parse::<u64>()))
        else {
            continue;
        };
        if key == "tests" {
            others = tape::is_summary(lines, at);
        }
        match key {
            _ if others => {}
            "tests" => {
                marks.ended += 1;
                marks.failed(0);
            }
            "pass" => {
                marks.tests += number;
                marks.passed += number;
            }
            "fail" | "cancelled" => {
                marks.tests += number;
                marks.failures += number;
                marks.last_failures += number;
            }
            _ => {}
        }
    }
    marks.tests = marks.tests.saturating_sub(files);
    marks.passed = marks.passed.saturating_sub(files);
    marks
}

/// `ok 2 - /work/b.test.js` or `✔ b.test.js (138.3ms)`.
fn is_passed_file(line: &str) -> bool {
    let name = match line.strip_prefix("✔ ") {
        Some(named) => named.rsplit_once(" (").map(|(name, _)| name),
        None => line.strip_prefix("ok ").and_then(|rest| Some(rest.split_once(" - ")?.1)),
    };
    name.is_some_and(is_a_file)
}

/// Whether a test is named like a file: node's word for one in which no test ran.
pub(super) fn is_a_file(name: &str) -> bool {
    !name.contains(char::is_whitespace) && SOURCES.iter().any(|end| name.ends_with(end))
}

/// The packages that could not be found: node's own words, jest's, and those of vitest. Files of
/// the project are named with a path.
pub(super) fn missing(lines: &[&str]) -> BTreeSet<String> {
    const BEFORE: &[&str] =
        &["Cannot find module '", "Cannot find package '", "Failed to resolve import \""];
    let named = lines.iter().filter_map(|line| {
        let rest = BEFORE.iter().find_map(|words| Some(line.split_once(words)?.1))?;
        let name = rest.split(['\'', '"']).next()?;
        let is_path = name.starts_with(['.', '/', '#']) || name.contains(':');
        let parts = if name.starts_with('@') { 2 } else { 1 };
        let package: Vec<&str> = name.split('/').take(parts).collect();
        (!is_path && !name.is_empty()).then(|| package.join("/"))
    });
    named.collect()
}
