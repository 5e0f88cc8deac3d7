//! What the project's own checks come to on the files of a release, before it is proposed.
//!
//! Invariants: a release is kept from being proposed only by what passes without its files and
//! fails with them; what could not be run, and what was red before, is told and decides nothing.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::core::evidence::{Check, CheckKind, CheckOutcome};
use crate::core::id::Sha;

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReleaseChecks {
    /// The commit of the base branch that the files were laid over.
    pub base: Sha,
    /// Each command, in the order in which they ran.
    pub commands: Vec<(String, ReleaseCheckOutcome)>,
    /// Why nothing could be checked.
    pub problem: Option<String>,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCheckOutcome {
    /// It passes.
    Passed,
    /// It passes, and says that no test was run.
    NoTestRun,
    /// It fails as it did without the files of the release.
    RedBefore,
    /// It could not be run, for this reason.
    NotRun(String),
}

impl ReleaseChecks {
    /// Nothing could be checked.
    pub fn impossible(base: Sha, problem: String) -> Self {
        Self { base, commands: Vec::new(), problem: Some(problem) }
    }

    /// What the commands came to with the files of a release and without them.
    ///
    /// # Errors
    /// When one of them fails for these files.
    pub fn of(base: Sha, with: &[Check], without: &[Check]) -> Result<Self, Refusal> {
        let commands = with.iter().filter(|check| check.kind == CheckKind::Command);
        let outcomes = commands.map(|check| {
            let before = without.iter().find(|it| it.kind == check.kind && it.name == check.name);
            Ok((check.name.clone(), outcome_of(check, before)?))
        });
        Ok(Self { base, commands: outcomes.collect::<Result<_, _>>()?, problem: None })
    }
}

fn outcome_of(check: &Check, before: Option<&Check>) -> Result<ReleaseCheckOutcome, Refusal> {
    Ok(match &check.outcome {
        CheckOutcome::Passed => ReleaseCheckOutcome::Passed,
        CheckOutcome::NoTestRun => ReleaseCheckOutcome::NoTestRun,
        CheckOutcome::OnlyKnownFailures { .. } => ReleaseCheckOutcome::RedBefore,
        CheckOutcome::Inconclusive(why) | CheckOutcome::EndedEarly(why) => {
            ReleaseCheckOutcome::NotRun(why.clone())
        }
        CheckOutcome::Failed(why) if !is_as_before(check, before) => {
            return Err(Refusal::ChecksFail { command: check.name.clone(), why: why.clone() });
        }
        CheckOutcome::Failed(_) => ReleaseCheckOutcome::RedBefore,
    })
}

/// Whether it failed without the release, too, and nothing tells that other tests fail now.
fn is_as_before(check: &Check, before: Option<&Check>) -> bool {
    before.is_some_and(|before| {
        let was_red = matches!(before.outcome, CheckOutcome::Failed(_));
        let known = check.failed_tests.as_ref().zip(before.failed_tests.as_ref());
        was_red && known.is_none_or(|(now, before)| now.is_subset(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: CheckOutcome, failed: Option<&[&str]>) -> Check {
        let failed_tests = failed.map(|all| all.iter().map(|it| (*it).to_owned()).collect());
        let kind = CheckKind::Command;
        Check { kind, failed_tests, ..Check::of_rule("make test", outcome) }
    }

    fn red(failed: Option<&[&str]>) -> Check {
        check(CheckOutcome::Failed("it fails".into()), failed)
    }

    #[test]
    fn only_what_fails_for_its_files_keeps_a_release_back() {
        let base = || "a".repeat(40).parse().unwrap();
        let of = |with: Check, without: Check| {
            let checks = ReleaseChecks::of(base(), &[with], &[without]);
            checks.map(|mut it| it.commands.remove(0).1)
        };
        let green = || check(CheckOutcome::Passed, None);
        let refused =
            || Refusal::ChecksFail { command: "make test".into(), why: "it fails".into() };
        assert_eq!(of(green(), green()), Ok(ReleaseCheckOutcome::Passed));
        assert_eq!(of(green(), red(None)), Ok(ReleaseCheckOutcome::Passed));
        assert_eq!(of(red(None), green()), Err(refused()));
        assert_eq!(of(red(None), red(None)), Ok(ReleaseCheckOutcome::RedBefore));
        assert_eq!(
            of(red(Some(&["a"])), red(Some(&["a", "b"]))),
            Ok(ReleaseCheckOutcome::RedBefore)
        );
        assert_eq!(of(red(Some(&["a", "c"])), red(Some(&["a", "b"]))), Err(refused()));
        let unknown = check(CheckOutcome::Inconclusive("no cargo".into()), None);
        assert_eq!(of(unknown, green()), Ok(ReleaseCheckOutcome::NotRun("no cargo".into())));
        let rule = Check::of_rule("patch rules", CheckOutcome::Failed("too large".into()));
        assert_eq!(ReleaseChecks::of(base(), &[rule], &[]).unwrap().commands, []);
    }
}
