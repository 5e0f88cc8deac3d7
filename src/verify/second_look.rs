//! A red command, looked at once more: which of its failures are the change's.
//!
//! Tests that fail without the change too, and tests that pass at one time and fail at another, say
//! nothing about the change. Names of tests come from the output of the repository's own code, so
//! they only choose what is run again. What such a run came to is told by its exit status.
//!
//! Invariants: it clears a red command only if that passes without the tests that decide nothing; a
//! test that fails without the change every time is left out, and so is one that wavers and that the
//! change does not touch; where the failed tests are not all known, the command stays red.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::results::select;
use super::{Checker, CommandVerifier, Verifier, VerifyContext, VerifyError};
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence};
use crate::core::patch::{Change, Patch};

/// How often a test is run alone.
const REPEATS: usize = 3;
/// With more new failures than these nobody asks whether they waver.
const MOST_SUSPECTS: usize = 5;

/// What a second look needs.
pub struct SecondLook<'a> {
    /// Makes trees with the change; its verifiers are not used.
    pub checker: &'a Checker,
    /// Makes those without it; the same.
    pub before: &'a Checker,
    /// What commands need.
    pub means: &'a VerifyContext,
    /// What the commands came to without the change.
    pub base: &'a [Check],
    /// The change.
    pub patch: &'a Patch,
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

impl SecondLook<'_> {
    /// The same evidence, with each red command cleared that is red for no reason of the change's.
    ///
    /// # Errors
    /// When a command could not be run again.
    pub async fn at(&self, mut evidence: Evidence) -> Result<Evidence, VerifyError> {
        for check in &mut evidence.checks {
            let is_red = matches!(check.outcome, CheckOutcome::Failed(_));
            if check.kind == CheckKind::Command
                && is_red
                && let Some(cleared) = self.cleared(check).await?
            {
                check.outcome = cleared;
            }
        }
        Ok(evidence)
    }

    /// What a red command comes to without the tests that decide nothing, if it passes then.
    async fn cleared(&self, check: &Check) -> Result<Option<CheckOutcome>, VerifyError> {
        let (Some(failed), Some(before)) = (&check.failed_tests, self.failed_before(check)) else {
            return Ok(None);
        };
        let (old, new): (Vec<&String>, Vec<&String>) =
            failed.iter().partition(|name| before.contains(*name));
        if new.len() > MOST_SUSPECTS || new.iter().any(|name| touches(self.patch, name)) {
            return Ok(None);
        }
        let mut flaky = Vec::new();
        for name in new {
            if !self.wavers(&check.name, name).await? {
                return Ok(None);
            }
            flaky.push(name.clone());
        }
        let red_before: Vec<String> = old.into_iter().cloned().collect();
        // What failed before and passes now has to go on passing, so it is not left out.
        let all = [&red_before[..], &flaky].concat();
        let Some(line) = select::without(&check.name, &all) else { return Ok(None) };
        let passes = self.with(&[line], all.len()).await?;
        let cleared = CheckOutcome::OnlyKnownFailures { red_before, flaky };
        Ok((passes == [true]).then_some(cleared))
    }

    /// The tests that failed without it: none where the command passed, `None` where they
    /// are not all known.
    fn failed_before(&self, check: &Check) -> Option<BTreeSet<String>> {
        let same = self.base.iter().find(|it| it.kind == check.kind && it.name == check.name)?;
        match &same.outcome {
            CheckOutcome::Passed => Some(BTreeSet::new()),
            CheckOutcome::Failed(_) => same.failed_tests.clone(),
            CheckOutcome::NoTestRun
            | CheckOutcome::OnlyKnownFailures { .. }
            | CheckOutcome::Inconclusive(_)
            | CheckOutcome::EndedEarly(_) => None,
        }
    }

    /// Whether a test passes at one time and fails at another: with the change, or without it.
    async fn wavers(&self, line: &str, name: &str) -> Result<bool, VerifyError> {
        let Some(alone) = select::alone(line, name) else { return Ok(false) };
        let lines = vec![alone; REPEATS];
        let with = self.with(&lines, 0).await?;
        let mixed = |runs: &[bool]| runs.contains(&true) && runs.contains(&false);
        if mixed(&with) {
            return Ok(true);
        }
        let without = self.passes(self.before, &Patch::default(), &lines, 0).await?;
        if mixed(&without) {
            return Ok(true);
        }
        // Alone it always passes: it wavers if all together may pass, too.
        let alone_green = with.iter().all(|passed| *passed);
        Ok(alone_green && self.with(&[line.to_owned()], 0).await? == [true])
    }

    async fn with(&self, lines: &[String], left_out: usize) -> Result<Vec<bool>, VerifyError> {
        self.passes(self.checker, self.patch, lines, left_out).await
    }

    /// Whether these commands pass, one after the other in one fresh tree.
    async fn passes(
        &self,
        trees: &Checker,
        patch: &Patch,
        lines: &[String],
        left_out: usize,
    ) -> Result<Vec<bool>, VerifyError> {
        let verifiers: Vec<Box<dyn Verifier>> = lines
            .iter()
            .map(|line| {
                let command = self.means.command(line, "second-look.log");
                Box::new(CommandVerifier { left_out, ..command }) as Box<dyn Verifier>
            })
            .collect();
        let checker = Checker { verifiers: Arc::from(verifiers), ..trees.clone() };
        let evidence = checker.check(patch, self.stop).await?;
        Ok(evidence.checks.iter().map(|it| it.outcome == CheckOutcome::Passed).collect())
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
