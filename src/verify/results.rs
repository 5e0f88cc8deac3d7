//! What is read from the output of known test runners.
//!
//! - Whether a command that exited 0 ran its tests, and ran them to their end. Exit code 0 alone
//!   does not say so: a test, or code that it reaches, may end the process. So the known runners
//!   have to have printed what they only print when they are through: their *end mark*.
//! - Which tests failed, so that a run without them, or of one of them, can be asked for.
//! - What each test came to, so that one and the same test can be looked at with a change and
//!   without it.
//! - Which packages were not there, so that nobody is blamed for a run that could not begin.
//!
//! Of any other runner the exit code is all that is known.
//!
//! Invariants: what is read here never makes a red result green. The one thing that is read out of
//! a failing exit code is a runner's own code for "there was no test", and it counts only beside an
//! end mark that says the same.

use std::collections::BTreeSet;

use super::distill::without_escapes;
use crate::core::test_results::TestResults;
use commands::CommandList;
use reports::Reports;

mod cargo;
mod cargo_tests;
pub mod cause;
mod commands;
mod ctest;
mod go;
mod gotestsum;
mod indented;
mod javascript;
mod jest;
mod junit;
mod nextest;
mod php;
mod python;
pub mod reports;
mod rspec;
pub mod select;
mod tape;
mod unittest;

/// What is known of a command that has ended.
pub struct EndedCommand<'a> {
    /// Its lines.
    pub line: &'a str,
    /// `package.json` at the top of the tree, as it was before the run: what `npm test` means.
    pub package_json: Option<&'a str>,
    /// Both of its streams, in the order in which they came.
    pub output: &'a str,
    /// Bytes that are missing in `output`.
    pub cut_bytes: u64,
    /// Its exit code.
    pub code: i32,
}

/// What a run of tests came to, as far as an exit code does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestRun {
    /// The exit code decides.
    AsExitCode,
    /// By its runners' own account there was no test to run.
    NoTest,
    /// The exit code says no more than that the last runner had no test. Those before it had some,
    /// and they passed.
    OthersPassed,
    /// It exited 0, and its runner did not get to its end. In words for people.
    EndedEarly(String),
    /// It exited 0, and so much of its output was cut that its runner's end cannot be seen. In
    /// words for people.
    Unseen(String),
    /// It exited 0, and its runner's own end mark counts failures. In words for people.
    HidesFailures(String),
}

/// Of more failed tests than this not all are known: nothing is done with so many one by one.
const MOST_FAILED: usize = 5_000;
/// What is longer than this, in bytes, is no name of a test.
const LONGEST_NAME: usize = 1_000;
/// So many packages that are not there are told.
const MOST_MISSING: usize = 1_000;

/// A test runner whose end can be seen.
struct Runner {
    /// As people call it.
    name: &'static str,
    /// What it prints when it is through, in words for people.
    mark: &'static str,
    /// Whether a simple command starts it in a way that prints the mark. Where this is not known,
    /// nothing is demanded.
    starts: fn(&[String]) -> bool,
    /// What its output shows.
    read: fn(&[&str]) -> Marks,
    /// Its own exit code for "there was no test".
    none: Option<i32>,
    /// The tests that its output says failed.
    failed: fn(&[&str]) -> FailedTests,
    /// Packages that its output says are not there.
    missing: fn(&[&str]) -> BTreeSet<String>,
    /// What each of its tests came to. `None`: that is not known.
    tests: fn(&RunnerOutput<'_>) -> Option<TestResults>,
}

/// What a runner told of its tests.
struct RunnerOutput<'a> {
    lines: &'a [&'a str],
    reports: &'a Reports,
}

/// The failed tests of a run.
#[derive(Debug, Default)]
struct FailedTests {
    /// By name.
    names: BTreeSet<String>,
    /// How many there are by the runner's own count; a file that cannot be loaded is one.
    count: u64,
}

/// What output shows of one runner.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Marks {
    /// Runs that were begun. 0 where a beginning cannot be seen.
    begun: usize,
    /// Runs that came to their end.
    ended: usize,
    /// Tests that ran in those; skipped ones did not.
    tests: u64,
    /// Of them, those that passed, as far as that is counted.
    passed: u64,
    /// Failures that the ends count, in all.
    failures: u64,
    /// Those that the last end counts.
    last_failures: u64,
    /// Whether something else was run whose tests cannot be counted.
    more: bool,
}

/// Measured with cargo 1.95.0, pytest 7.2.1 and 9.2.0, Python 3.11.7, jest 30.5.2, mocha 12.0.3,
/// vitest 4.1.12 and 5.1.2, tape 5.10.2, PHPUnit 9.6.7, RSpec 3.12.0, ctest 3.25.1, gotestsum
/// 1.8.2, Go 1.27.3 and node 20.20.2 and 24.21.0, without a terminal. A test that ended its process
/// with status 0 ended the whole command with 0 in each of them but vitest and Go, and the mark
/// below was missing. There are three exceptions: pytest's own exit call does print the mark, and a
/// line after it; node's summary comes in any case, and the file that ended early is one passed
/// test in it; Ruby's own exit call leaves RSpec an example without a result. Python 3.12 gave
/// unittest its code for "no test", as its documentation says.
const RUNNERS: &[Runner] = &[
    Runner {
        name: "cargo test",
        mark: "a `test result:` line that adds up for each `running N tests`",
        // A target with a harness of its own prints neither.
        starts: |_| false,
        read: cargo::read,
        none: None,
        failed: cargo::failed,
        missing: cargo::missing,
        tests: |told| cargo_tests::read(told.lines),
    },
    Runner {
        name: "pytest",
        mark: "its closing line (`… in N s`) as the end of its run",
        starts: python::starts_pytest,
        read: python::read_pytest,
        none: Some(5),
        failed: python::failed_pytest,
        missing: python::missing,
        tests: |told| junit::read_pytest(told.reports.pytest.as_deref()?),
    },
    Runner {
        name: "unittest",
        mark: "`Ran N tests`",
        starts: python::starts_unittest,
        read: python::read_unittest,
        none: Some(5),
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| unittest::read(told.lines),
    },
    Runner {
        name: "jest",
        mark: "its `Tests:` line",
        starts: javascript::starts_jest,
        read: javascript::read_jest,
        none: None,
        failed: |_| FailedTests::default(),
        missing: javascript::missing,
        tests: |told| jest::read(told.reports.jest.as_deref()?, &told.reports.tree),
    },
    Runner {
        name: "mocha",
        mark: "`N passing`",
        starts: javascript::starts_mocha,
        read: javascript::read_mocha,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| indented::read_mocha(told.lines),
    },
    Runner {
        name: "node --test",
        mark: "its summary (`tests N`, `pass N`)",
        starts: javascript::starts_node,
        read: javascript::read_node,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| {
            indented::read_tap(told.lines).or_else(|| indented::read_node_spec(told.lines))
        },
    },
    Runner {
        name: "tape",
        mark: "its summary (`# tests N`, `# pass  N`)",
        starts: |words| commands::starts(words, &["tape"]),
        read: tape::read,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| tape::tests(told.lines),
    },
    Runner {
        name: "vitest",
        mark: "its `Tests` line",
        // It makes an early end a failure by itself.
        starts: |_| false,
        read: javascript::read_vitest,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| jest::read(told.reports.vitest.as_deref()?, &told.reports.tree),
    },
    Runner {
        name: "PHPUnit",
        mark: "its closing line (`OK (N tests, …)`, `Tests: N, …`)",
        starts: php::starts_phpunit,
        read: php::read,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| junit::read_phpunit(told.reports.phpunit.as_deref()?, &told.reports.tree),
    },
    Runner {
        name: "RSpec",
        mark: "its closing line (`N examples, …`), and a result of each example",
        starts: rspec::starts_rspec,
        read: rspec::read,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| rspec::tests(told.reports.rspec.as_deref()?),
    },
    Runner {
        name: "ctest",
        mark: "`N% tests passed, …`",
        starts: ctest::starts_ctest,
        read: ctest::read,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| ctest::tests(told.lines),
    },
    Runner {
        name: "gotestsum",
        mark: "its summary (`DONE N tests`)",
        starts: gotestsum::starts_gotestsum,
        read: gotestsum::read,
        none: None,
        failed: |_| FailedTests::default(),
        missing: |_| BTreeSet::new(),
        tests: |told| gotestsum::tests(told.reports.gotestsum.as_deref()?),
    },
    Runner {
        name: "go test",
        mark: "a line for each package",
        // It makes an early end a failure by itself.
        starts: |_| false,
        read: go::read,
        none: None,
        failed: go::failed,
        missing: go::missing,
        tests: |told| go::tests(told.lines),
    },
];

/// What an ended command printed, as its runners mean it.
pub struct TestOutput<'a> {
    ended: &'a EndedCommand<'a>,
    plain: String,
    /// What each of [`RUNNERS`] shows.
    marks: Vec<Marks>,
}

impl Marks {
    /// One more end, with so many failures.
    fn failed(&mut self, failures: u64) {
        self.failures += failures;
        self.last_failures = failures;
    }
}

impl<'a> TestOutput<'a> {
    /// Reads it.
    pub fn of(ended: &'a EndedCommand<'a>) -> Self {
        let plain = without_escapes(ended.output);
        let lines = lines_of(&plain);
        let marks = RUNNERS.iter().map(|runner| (runner.read)(&lines)).collect();
        Self { ended, plain, marks }
    }

    /// What the run came to.
    pub fn run(&self) -> TestRun {
        let EndedCommand { line, package_json, cut_bytes, code, .. } = *self.ended;
        let commands = CommandList::of(line, package_json);
        if code != 0 {
            return match self.only_without_tests(&commands) {
                true if self.ran_any() => TestRun::OthersPassed,
                true => TestRun::NoTest,
                false => TestRun::AsExitCode,
            };
        }
        // Where each command is a runner's, nothing else has begun: a test may print anything.
        let all_known = commands.are_all(|words| RUNNERS.iter().any(|it| (it.starts)(words)));
        for (runner, marks) in self.seen() {
            let started = commands.count(runner.starts);
            let due = if all_known && started == 0 { 0 } else { started.max(marks.begun) };
            if marks.ended < due && cut_bytes > 0 {
                return TestRun::Unseen(unseen(runner, cut_bytes));
            }
            if marks.ended < due {
                return TestRun::EndedEarly(ended_early(runner));
            }
            // What a test prints of runs of its own comes before the end of the run that it is in.
            let failures = if started > 1 { marks.failures } else { marks.last_failures };
            if failures > 0 {
                return TestRun::HidesFailures(hides_failures(runner, failures));
            }
        }
        let any_end = self.marks.iter().any(|marks| marks.ended > 0);
        match any_end && cut_bytes == 0 && !self.ran_any() {
            true => TestRun::NoTest,
            false => TestRun::AsExitCode,
        }
    }

    /// Where a run that exited with 0 and printed its end mark was ended by a test all the same, by
    /// its report. In words for people.
    pub fn ended_within(&self, reports: &Reports) -> Option<String> {
        let ended = reports.rspec.as_deref().is_some_and(rspec::was_ended_by_an_example);
        let rspec = RUNNERS.iter().find(|runner| runner.name == "RSpec");
        rspec.filter(|_| ended && self.ended.code == 0).map(ended_early)
    }

    /// How many tests ran, by the count of the runners that are known by what they printed. `None`:
    /// not all of it is there, or something ran beside them whose tests cannot be counted.
    pub fn tests(&self) -> Option<u64> {
        let counted = self.ended.cut_bytes == 0 && !self.marks.iter().any(|marks| marks.more);
        counted.then(|| self.marks.iter().map(|marks| marks.tests).sum())
    }

    /// Whether it shows a test that ran.
    pub fn shows_tests(&self) -> bool {
        self.marks.iter().any(|marks| marks.tests > 0)
    }

    /// The tests that failed in a red run. `None`: it is not sure that these are all that is wrong.
    pub fn failed_tests(&self) -> Option<BTreeSet<String>> {
        if self.ended.cut_bytes > 0 {
            return None;
        }
        let lines = self.lines();
        let (mut names, mut count) = (BTreeSet::new(), 0);
        for runner in RUNNERS {
            let failed = (runner.failed)(&lines);
            names.extend(failed.names);
            count += failed.count;
        }
        let bounded = names.len() <= MOST_FAILED && names.iter().all(|it| it.len() <= LONGEST_NAME);
        (bounded && count > 0 && names.len() as u64 == count).then_some(names)
    }

    /// What each test came to. `None`: that is not known of all runners that ran.
    pub fn results(&self, reports: &Reports) -> Option<TestResults> {
        if self.ended.cut_bytes > 0 {
            return None;
        }
        let lines = self.lines();
        let commands = CommandList::of(self.ended.line, self.ended.package_json);
        // In what it shows of failed tests stands libtest's own summary.
        if commands.is_one_command() && commands.last().is_some_and(cargo::starts_nextest) {
            return nextest::read(&lines);
        }
        let told = RunnerOutput { lines: &lines, reports };
        let mut all = TestResults::default();
        for (runner, marks) in self.seen().filter(|(_, marks)| marks.ended > 0 || marks.more) {
            // Of several runs of one runner the last report is all that is left.
            let reports_once =
                ["pytest", "jest", "vitest", "PHPUnit", "RSpec"].contains(&runner.name);
            if marks.more || reports_once && marks.ended > 1 {
                return None;
            }
            if marks.tests > 0 || marks.failures > 0 {
                all.extend((runner.tests)(&told)?)?;
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// Whether it shows a test that passed.
    pub fn shows_passed_tests(&self) -> bool {
        self.marks.iter().any(|marks| marks.passed > 0)
    }

    /// Packages that a red run says are not there, the first [`MOST_MISSING`].
    pub fn missing(&self) -> BTreeSet<String> {
        let lines = self.lines();
        RUNNERS.iter().flat_map(|runner| (runner.missing)(&lines)).take(MOST_MISSING).collect()
    }

    fn lines(&self) -> Vec<&str> {
        lines_of(&self.plain)
    }

    fn seen(&self) -> impl Iterator<Item = (&'static Runner, &Marks)> {
        RUNNERS.iter().zip(&self.marks)
    }

    fn ran_any(&self) -> bool {
        self.marks.iter().any(|marks| marks.tests > 0 || marks.more)
    }

    /// Whether the last command failed for nothing but that it had no test.
    fn only_without_tests(&self, commands: &CommandList) -> bool {
        let (code, Some(last)) = (self.ended.code, commands.last()) else { return false };
        // cargo-nextest 0.9.151 exits 4 for this, prints no mark to find, and is only believed when
        // nothing else can have exited.
        if commands.is_one_command() && code == 4 && cargo::starts_nextest(last) {
            return true;
        }
        // As many ends as commands, or it was an earlier one that failed, or one that was cut off.
        self.seen().any(|(runner, marks)| {
            runner.none == Some(code)
                && (runner.starts)(last)
                && marks.ended >= commands.count(runner.starts).max(marks.begun)
                && marks.tests == 0
        })
    }
}

fn ended_early(runner: &Runner) -> String {
    let Runner { name, mark, .. } = runner;
    format!(
        "the run ended early: the command exited with 0, but {name} did not print {mark}. Most \
         often a test, or code that it calls, ends the whole process: take that out. If {name} is \
         set up to print something else here, let it print its usual summary, or name another \
         command under `[verify] commands`"
    )
}

fn hides_failures(runner: &Runner, failures: u64) -> String {
    let name = runner.name;
    format!(
        "the command exited with 0, but {name} counts {failures} failed at its end. Something \
         replaces its exit code: code that ends the process, or a `|`, `&&` or `;` in the command"
    )
}

fn unseen(runner: &Runner, cut_bytes: u64) -> String {
    let Runner { name, mark, .. } = runner;
    format!(
        "the command exited with 0, but {cut_bytes} bytes of its output were more than Gander \
         keeps, and in the rest {name} did not print {mark}: so it is not known whether all tests \
         ran. Let the command print less"
    )
}

/// The lines that are not empty: those say nothing, and a place for each would take many times the
/// output.
fn lines_of(plain: &str) -> Vec<&str> {
    plain.lines().map(without_member).filter(|line| !line.is_empty()).collect()
}

/// A line without the name of the workspace member that pnpm and yarn put before it.
fn without_member(line: &str) -> &str {
    let line = line.trim_end();
    let named = line.split_once(" test: ").or_else(|| line.strip_prefix('[')?.split_once("]: "));
    match named {
        Some((member, rest)) if !member.is_empty() && !member.contains(char::is_whitespace) => rest,
        _ => line,
    }
}

/// A number and the word after it, as in `3 passed`.
fn counted(text: &str) -> Option<(u64, &str)> {
    let (number, word) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, word.trim()))
}

/// How many of `3 passed, 1 skipped` are counted under one of these words. `None`: it is no such
/// list.
fn sum(list: &str, separator: &str, words: &[&str]) -> Option<u64> {
    let mut sum = 0;
    for item in list.split(separator) {
        let (number, word) = counted(item)?;
        // `2 subtests passed`
        let word = word.rsplit(' ').next().unwrap_or(word);
        sum += if words.contains(&word) { number } else { 0 };
    }
    Some(sum)
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
