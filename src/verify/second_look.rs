//! A red command, looked at once more: which of its failures are the change's.
//!
//! Tests that fail without the change too, and tests that pass at one time and fail at another, say
//! nothing about the change. Names of tests come from the output of the repository's own code, so
//! they only choose what is run again. What such a run came to is told by its exit status.
//!
//! Invariants: it clears a red command only if that passes without the tests that decide nothing
//! and runs all others; a test that fails without the change is left out, and so is one that passes
//! and fails with it, unless the change touches it; one that never passes with the change is not,
//! nor one that wavers alone with it and never without it; where the failed tests are not all
//! known, the command stays red.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::rerun::Rerun;
use super::results::select;
use super::{Checker, Finding, VerifyContext, VerifyError};
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence};
use crate::core::patch::{Change, Patch};

/// How often a test is run alone, each time in a tree of its own.
const REPEATS: usize = 3;
/// How often one that wavers then has to pass without the change before that is blamed. One that
/// fails every other time does so in 3 of 100 cases.
const REPEATS_WITHOUT: usize = 5;
/// With more new failures than these nobody asks whether they waver.
const MOST_SUSPECTS: usize = 5;

/// What a second look needs.
pub struct SecondLook<'a> {
    /// Makes trees with the change; its verifiers are not used.
    pub checker: &'a Checker,
    /// What commands need.
    pub means: &'a VerifyContext,
    /// What the commands came to without it.
    pub base: &'a [Check],
    /// The change.
    pub patch: &'a Patch,
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

/// What a second look shows of a red command.
enum Seen {
    /// It fails in these tests only, and passes without them.
    OnlyKnownFailures { red_before: Vec<String>, flaky: Vec<String> },
    /// Its failures are the change's.
    OfTheChange,
    /// It stays red, though some of its failures are old: why.
    Unclear(String),
}

fn unclear(why: &str) -> Seen {
    Seen::Unclear(why.to_owned())
}

impl SecondLook<'_> {
    /// The same evidence, with each red command cleared that is red for no reason of the change's.
    /// Where one is not, though it failed before, too, its reason says why.
    ///
    /// # Errors
    /// When a command could not be run again.
    pub async fn at(&self, mut evidence: Evidence) -> Result<Evidence, VerifyError> {
        for check in &mut evidence.checks {
            let CheckOutcome::Failed(why) = &check.outcome else { continue };
            if check.kind != CheckKind::Command {
                continue;
            }
            let why = why.clone();
            check.outcome = match self.look(check).await? {
                Seen::OnlyKnownFailures { red_before, flaky } => {
                    CheckOutcome::OnlyKnownFailures { red_before, flaky }
                }
                Seen::OfTheChange => CheckOutcome::Failed(why),
                Seen::Unclear(more) => CheckOutcome::Failed(format!("{why}\n\n{more}")),
            };
        }
        Ok(evidence)
    }

    /// Looks at one red command.
    async fn look(&self, check: &Check) -> Result<Seen, VerifyError> {
        let (Some(failed), Some(before)) = (&check.failed_tests, self.failed_before(check)) else {
            // One that exits with 0 has no failures.
            return Ok(match self.is_red_before(check) && !check.ran_fewer_tests() {
                true => unclear(
                    "It is not known which of its failures are old ones: not all failures are \
                     tests whose names are known.",
                ),
                false => Seen::OfTheChange,
            });
        };
        if check.ran_fewer_tests() {
            return Ok(unclear("It also runs fewer tests than without the change."));
        }
        let (old, new): (Vec<&String>, Vec<&String>) =
            failed.iter().partition(|name| before.contains(*name));
        if new.len() > MOST_SUSPECTS || new.iter().any(|name| touches(self.patch, name)) {
            return Ok(Seen::OfTheChange);
        }
        for name in &new {
            if !self.wavers(&check.name, name).await? {
                return Ok(Seen::OfTheChange);
            }
        }
        let names = |tests: Vec<&String>| tests.into_iter().cloned().collect::<Vec<_>>();
        self.without(check, names(old), names(new)).await
    }

    /// What a red command comes to without the tests that decide nothing. What failed before and
    /// passes now has to go on passing, so it is not left out.
    async fn without(
        &self,
        check: &Check,
        red_before: Vec<String>,
        flaky: Vec<String>,
    ) -> Result<Seen, VerifyError> {
        let all = [&red_before[..], &flaky].concat();
        let Some(line) = select::without(&check.name, &all) else {
            return Ok(unclear(
                "It is not known how to run this command without those tests. Of doc tests it \
                 never is: their names hold the number of a line.",
            ));
        };
        let run = self.run(&line, &check.name, self.patch).await?;
        // Of a file that cannot be loaded no test ran before either.
        let tests = all.iter().filter(|name| !name.ends_with(".py")).count() as u64;
        let left_out_no_more = match (check.tests, run.tests) {
            (Some(full), Some(now)) => now + tests >= full,
            _ => true,
        };
        Ok(match run.outcome {
            CheckOutcome::Passed if left_out_no_more => {
                Seen::OnlyKnownFailures { red_before, flaky }
            }
            CheckOutcome::Passed => unclear(
                "Run without those tests, it leaves out others, too: pytest takes a name for the \
                 beginning of one.",
            ),
            CheckOutcome::NoTestRun => unclear("Run without those tests, it has no test left."),
            CheckOutcome::OnlyKnownFailures { .. } => Seen::OfTheChange,
            CheckOutcome::Failed(why)
            | CheckOutcome::Inconclusive(why)
            | CheckOutcome::EndedEarly(why) => {
                Seen::Unclear(format!("Run without those tests:\n{why}"))
            }
        })
    }

    /// The tests that failed without it: none where the command passed, `None` where they
    /// are not all known.
    fn failed_before(&self, check: &Check) -> Option<BTreeSet<String>> {
        let same = self.before(check)?;
        match &same.outcome {
            CheckOutcome::Passed => Some(BTreeSet::new()),
            CheckOutcome::Failed(_) => same.failed_tests.clone(),
            CheckOutcome::NoTestRun
            | CheckOutcome::OnlyKnownFailures { .. }
            | CheckOutcome::Inconclusive(_)
            | CheckOutcome::EndedEarly(_) => None,
        }
    }

    fn before(&self, check: &Check) -> Option<&Check> {
        self.base.iter().find(|it| it.kind == check.kind && it.name == check.name)
    }

    fn is_red_before(&self, check: &Check) -> bool {
        self.before(check).is_some_and(|it| matches!(it.outcome, CheckOutcome::Failed(_)))
    }

    /// Whether a test that failed with the change passes at another time, and it is not the change
    /// that makes it waver. One that never passes is not cleared, whatever it does without it.
    async fn wavers(&self, line: &str, name: &str) -> Result<bool, VerifyError> {
        let Some(alone) = select::alone(line, name) else { return Ok(false) };
        let mut passed = 0;
        for _ in 0..REPEATS {
            passed += usize::from(self.passes(&alone, line, self.patch).await?);
        }
        match passed {
            0 => Ok(false),
            // Alone it always passes: it wavers if all together may pass, too.
            REPEATS => Ok(self.passes(line, line, self.patch).await?),
            _ => Ok(!self.always_passes_without(&alone, line).await?),
        }
    }

    async fn always_passes_without(&self, alone: &str, line: &str) -> Result<bool, VerifyError> {
        let nothing = Patch::default();
        for _ in 0..REPEATS_WITHOUT {
            if !self.passes(alone, line, &nothing).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn passes(&self, run: &str, line: &str, patch: &Patch) -> Result<bool, VerifyError> {
        let run = self.run(run, line, patch).await?;
        Ok(run.outcome == CheckOutcome::Passed)
    }

    /// What a command comes to in a tree of its own.
    async fn run(&self, run: &str, line: &str, patch: &Patch) -> Result<Finding, VerifyError> {
        let (checker, means, stop) = (self.checker, self.means, self.stop);
        let log = "second-look.log";
        let rerun = Rerun { checker, means, log, by_arguments: false, time: means.time, stop };
        rerun.once(run, line, patch).await
    }
}

/// Whether a change touches a test: by its file's path, or by a file that speaks of its name.
fn touches(patch: &Patch, name: &str) -> bool {
    let own = name.rsplit("::").next().unwrap_or(name);
    let own = own.split('[').next().unwrap_or(own);
    patch.changes.iter().any(|(path, change)| {
        name.starts_with(path.as_str())
            || match change {
                Change::Write { content, .. } => {
                    !own.is_empty() && String::from_utf8_lossy(content).contains(own)
                }
                Change::Delete { .. } => false,
            }
    })
}
