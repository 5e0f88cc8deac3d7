//! What `go test` prints: a line for each package, with tabs between its parts.

use std::collections::BTreeSet;

use super::{FailedTests, Marks};

/// Finds `ok   example.com/a 0.002s`, which ends with `[no tests to run]` if none ran, and
/// `?    example.com/a [no test files]`.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for line in lines {
        let tested = line.starts_with("ok  \t");
        let no_files = line.starts_with("?   \t") && line.ends_with("[no test files]");
        marks.ended += usize::from(tested || no_files);
        marks.tests += u64::from(tested && !line.ends_with("[no tests to run]"));
        marks.passed = marks.tests;
        // It counts packages, not tests.
        marks.more |= tested && !line.ends_with("[no tests to run]");
    }
    marks.begun = marks.ended;
    marks.failures = lines.iter().filter(|line| line.starts_with("FAIL\t")).count() as u64;
    marks.last_failures = marks.failures;
    marks
}

/// Finds `--- FAIL: TestAdd (0.00s)`. A package that could not be built, or that panicked, fails in
/// no test of its own.
pub(super) fn failed(lines: &[&str]) -> FailedTests {
    let named = lines.iter().filter_map(|line| line.strip_prefix("--- FAIL: "));
    let names: Vec<&str> = named.map(|rest| rest.split(' ').next().unwrap_or(rest)).collect();
    let broken = lines.iter().any(|line| {
        let failed = line.starts_with("FAIL\t");
        failed && (line.ends_with("[build failed]") || line.ends_with("[setup failed]"))
            || line.starts_with("panic: ")
    });
    // A name that another package has, too, leaves open which test is meant, and a test that passed
    // is not named.
    let packages =
        lines.iter().filter(|line| line.starts_with("ok  \t") || line.starts_with("FAIL\t"));
    let count = names.len() as u64 + u64::from(broken || !names.is_empty() && packages.count() > 1);
    FailedTests { names: names.into_iter().map(str::to_owned).collect(), count }
}

/// The modules that could not be had. Measured with Go 1.27.3.
pub(super) fn missing(lines: &[&str]) -> BTreeSet<String> {
    let asked_network = |line: &&str| {
        line.contains("dial tcp") || line.contains("module lookup disabled by GOPROXY=off")
    };
    let module = |line: &&str| {
        let line = line.trim_start_matches("go: ");
        let word = line.split([' ', ':']).find(|word| word.contains('.') && word.contains('/'));
        let word = word.unwrap_or(line);
        word.split('@').next().unwrap_or(word).to_owned()
    };
    lines.iter().copied().filter(asked_network).map(|line| module(&line)).collect()
}
