//! What the commands come to with a change, but for the hooks and settings that it brings.
//!
//! Invariants: it is shown to people and decides nothing; each command runs in a fresh tree.

use tokio_util::sync::CancellationToken;

use super::rerun::Rerun;
use super::{Checker, VerifyContext, VerifyError};
use crate::core::evidence::{CheckKind, CheckOutcome, Evidence};
use crate::core::patch::Patch;

/// Where the output of these runs is kept.
const LOG: &str = "base-settings.log";
/// Characters of a reason.
const LONGEST_REASON: usize = 200;

/// What is needed for it.
pub struct UnderBaseSettings<'a> {
    /// Makes trees; its verifiers are not used.
    pub checker: &'a Checker,
    /// What commands need.
    pub means: &'a VerifyContext,
    /// What they came to with all of the change.
    pub with: &'a Evidence,
    /// All of the change but its hooks and settings.
    pub rest: &'a Patch,
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

impl UnderBaseSettings<'_> {
    /// What each command comes to, in words: `pytest -q: passed`.
    ///
    /// # Errors
    /// When one could not be run.
    pub async fn run(&self) -> Result<Vec<String>, VerifyError> {
        let &Self { checker, means, stop, .. } = self;
        let time = means.time;
        let rerun = Rerun { checker, means, log: LOG, by_arguments: false, time, stop };
        let mut told = Vec::new();
        for check in self.with.checks.iter().filter(|it| it.kind == CheckKind::Command) {
            let found = rerun.once(&check.name, &check.name, self.rest).await?;
            told.push(format!("{}: {}", check.name.replace('\n', "; "), words(&found.outcome)));
        }
        Ok(told)
    }
}

fn words(outcome: &CheckOutcome) -> String {
    let said = |why: &str| {
        let line = why.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        line.chars().take(LONGEST_REASON).collect::<String>()
    };
    match outcome {
        CheckOutcome::Passed | CheckOutcome::OnlyKnownFailures { .. } => "passed".to_owned(),
        CheckOutcome::NoTestRun => "passed, and no test was run".to_owned(),
        CheckOutcome::Failed(why) => format!("failed ({})", said(why)),
        CheckOutcome::EndedEarly(why) | CheckOutcome::Inconclusive(why) => {
            format!("came to nothing ({})", said(why))
        }
    }
}
