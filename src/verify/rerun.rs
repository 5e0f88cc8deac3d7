//! Commands that are run again: for other trees, for some of their tests, or several times.
//!
//! Invariants: each run is in a fresh tree over the same build as the check itself, so that what
//! one run leaves no other finds; only repeats of one and the same run share a tree.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Candidate, Checker, CommandVerifier, Finding, Verifier, VerifyContext, VerifyError};
use crate::core::evidence::CheckOutcome;
use crate::core::patch::Patch;

/// What running again needs.
#[derive(Clone, Copy)]
pub(super) struct Rerun<'a> {
    /// Makes trees; its verifiers are not used.
    pub(super) checker: &'a Checker,
    /// What commands need.
    pub(super) means: &'a VerifyContext,
    /// Where all of the output is kept.
    pub(super) log: &'a str,
    /// Whether runners are asked for reports by arguments, too.
    pub(super) by_arguments: bool,
    /// Time one run may take: what the check itself may, if that is less.
    pub(super) time: Duration,
    /// Ends it early.
    pub(super) stop: &'a CancellationToken,
}

impl Rerun<'_> {
    /// What `run` comes to with a patch, in a tree of its own. It builds what the check's own line
    /// builds.
    pub(super) async fn once(
        &self,
        run: &str,
        line: &str,
        patch: &Patch,
    ) -> Result<Finding, VerifyError> {
        let checker = Checker {
            verifiers: Arc::new([Box::new(self.verifier(run, line)) as Box<dyn Verifier>]),
            keeps: None,
            ..self.checker.clone()
        };
        let checked = checker.check(patch, self.stop).await?.checks.pop();
        let inconclusive = || CheckOutcome::Inconclusive("it was not run".to_owned()).into();
        Ok(checked.map_or_else(inconclusive, |check| Finding {
            outcome: check.outcome,
            tests: check.tests,
            failed_tests: check.failed_tests,
            results: check.results,
        }))
    }

    /// Runs these in turns in one tree until one of them is not `fine`, so many ran, or the time is
    /// over. How many ran, and what the one came to that was not.
    pub(super) async fn repeatedly(
        &self,
        runs: &[String],
        line: &str,
        patch: &Patch,
        (times, until): (u32, Duration),
        fine: impl Fn(&Finding) -> bool + Send,
    ) -> Result<(u32, Option<Finding>), VerifyError> {
        let fresh = self.checker.scratch.make("verify-").await?;
        let directory = fresh.path().to_owned();
        let repeating = async {
            let workspace = self.checker.lay(&directory.join("tree"), patch).await?;
            let first = self.verifier(line, line);
            let place = directory.join("build");
            let build = self.checker.build_directory(&workspace, &first, place).await?;
            let started = Instant::now();
            let mut ran = 0;
            for run in runs.iter().cycle().take(times as usize) {
                if ran > 0 && started.elapsed() >= until {
                    break;
                }
                let reports = directory.join(format!("reports-{ran}"));
                let broken = |source| VerifyError::Disk { path: reports.clone(), source };
                std::fs::create_dir(&reports).map_err(broken)?;
                let found = self
                    .verifier(run, line)
                    .check(&Candidate {
                        workspace: &workspace,
                        patch,
                        build: build.as_ref().map(|build| &*build.path),
                        reports: &reports,
                        stop: self.stop,
                    })
                    .await?;
                ran += 1;
                if !fine(&found) {
                    return Ok((ran, Some(found)));
                }
            }
            Ok((ran, None))
        };
        let repeated = repeating.await;
        fresh.throw_away().await;
        repeated
    }

    fn verifier(&self, run: &str, line: &str) -> CommandVerifier {
        CommandVerifier {
            builds_as: line.to_owned(),
            asks_by_arguments: self.by_arguments,
            time: self.time.min(self.means.time),
            ..self.means.command(run, self.log)
        }
    }
}
