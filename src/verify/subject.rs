//! A command with the results of its tests, with a change and without it.
//!
//! Invariants: what is not known of the base is no result.

use std::borrow::Cow;
use std::time::Duration;

use super::split::replaces_tests;
use super::test_ids::{names_its_file, stands_in};
use crate::core::evidence::Check;
use crate::core::patch::Patch;
use crate::core::test_results::{TestResults, TestState};

/// So many tests are run again, and shown.
pub(super) const MOST_TESTS: usize = 20;

/// One command with the results of its tests with the change.
pub(super) struct Subject<'a> {
    pub(super) line: &'a str,
    pub(super) with: Cow<'a, TestResults>,
    /// As they were without it, where that is known.
    pub(super) before: Option<Cow<'a, TestResults>>,
    /// Whether they are only known by asking its runner by arguments.
    pub(super) by_arguments: bool,
    /// What repeats and parts may take.
    pub(super) time: Duration,
}

/// Whether a command starts a runner that tells of single tests if it is asked by arguments.
pub(super) fn is_asked(check: &Check) -> bool {
    const ASKED: &[&str] =
        &["npm", "npx", "pnpm", "yarn", "jest", "vitest", "mocha", "go", "phpunit"];
    check.results.is_none() && check.name.split([' ', '/']).any(|word| ASKED.contains(&word))
}

/// Whether a test that fails on the base is gone, or does not run any more: that shows no bug, and
/// no absence of one.
pub(super) fn takes_red_tests_away(subject: &Subject<'_>) -> bool {
    let red = subject.before.iter().flat_map(|before| before.in_state(TestState::Failed));
    let ran = |id: &str| subject.with.get(id).is_some_and(|it| it.state != TestState::Skipped);
    red.into_iter().any(|id| !ran(id))
}

/// The tests of a change that pass with it: those that are new, and those in files that it changes.
pub(super) fn own_tests<'s>(subject: &'s Subject<'_>, tests: &Patch) -> Vec<&'s str> {
    let is_new = |id: &str| subject.before.as_ref().is_some_and(|before| before.get(id).is_none());
    let changed = |id: &str| stands_in(id, tests);
    subject.with.in_state(TestState::Passed).filter(|id| is_new(id) || changed(id)).collect()
}

/// Tests that fail on the base, and pass there as soon as the change edits them.
pub(super) fn bent(
    subject: &Subject<'_>,
    with_tests_only: Option<&TestResults>,
    tests: &Patch,
) -> Vec<String> {
    let (Some(before), Some(now)) = (&subject.before, with_tests_only) else { return Vec::new() };
    // Some ids do not say in which file they stand.
    let replaces = replaces_tests(tests);
    let edited = |id: &&str| stands_in(id, tests) || replaces && !names_its_file(id);
    let passes = |id: &&str| now.get(id).is_some_and(|it| it.state == TestState::Passed);
    let red = before.in_state(TestState::Failed).filter(edited).filter(passes);
    red.take(MOST_TESTS).map(str::to_owned).collect()
}
