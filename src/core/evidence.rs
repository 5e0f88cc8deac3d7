//! What was checked, and what follows from it.
//!
//! Invariants: a [`VerifiedPatch`] is made only here, by folding evidence, and is never
//! deserialised; after a restart it is folded again from the stored evidence.

use serde::{Deserialize, Serialize};

use super::id::Sha;
use super::patch::{Patch, PatchDigest};

/// One verifier's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The verifier, in people's words: `patch rules`, or the command line that ran.
    pub name: String,
    /// Whether it ran code of the project, or only looked at the patch.
    pub kind: CheckKind,
    /// What came out.
    pub outcome: CheckOutcome,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What a check is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Looked at the patch: necessary, and no test.
    Rule,
    /// Ran the project's own commands.
    Command,
}

/// A check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// It does not; the text is the distilled reason.
    Failed(String),
    /// It could not be found out; speaks neither for the change nor against it.
    Inconclusive(String),
}

/// Everything found out about one patch on one base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The commit the patch was applied to.
    pub base: Sha,
    /// The patch, exactly.
    pub patch: PatchDigest,
    /// All results, in the order they were obtained.
    pub checks: Vec<Check>,
}

/// What the evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it: may be published.
    Green,
    /// At least one check failed: another attempt.
    Red,
    /// Nothing failed, but something that should have been run could not be.
    Unknown,
}

/// A patch that may be published. Only [`Evidence::verified`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedPatch {
    base: Sha,
    patch: Patch,
    ran_commands: bool,
}

impl VerifiedPatch {
    /// The commit it was verified on.
    pub fn base(&self) -> &Sha {
        &self.base
    }
    /// The patch that was verified.
    pub fn patch(&self) -> &Patch {
        &self.patch
    }
    /// Whether any of the project's own commands ran; if not, the pull request says so.
    pub fn ran_commands(&self) -> bool {
        self.ran_commands
    }
}

impl Evidence {
    /// Folds all results into a verdict. No evidence at all is not a green one.
    pub fn verdict(&self) -> Verdict {
        if self.checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Failed(_))) {
            return Verdict::Red;
        }
        let inconclusive = |check: &Check| matches!(check.outcome, CheckOutcome::Inconclusive(_));
        if self.checks.is_empty() || self.checks.iter().any(inconclusive) {
            return Verdict::Unknown;
        }
        Verdict::Green
    }

    /// The patch as a verified one. `None`: the verdict is not green, or speaks of another patch.
    pub fn verified(&self, patch: Patch) -> Option<VerifiedPatch> {
        let holds = self.verdict() == Verdict::Green && patch.digest() == self.patch;
        let (base, ran_commands) = (self.base.clone(), self.ran_commands());
        holds.then_some(VerifiedPatch { base, patch, ran_commands })
    }

    /// Whether any of the project's own commands ran.
    pub fn ran_commands(&self) -> bool {
        self.checks.iter().any(|check| check.kind == CheckKind::Command)
    }

    /// What failed and why, for the next attempt and for people.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.checks.iter().filter_map(|check| match &check.outcome {
            CheckOutcome::Failed(why) | CheckOutcome::Inconclusive(why) => {
                Some((check.name.as_str(), why.as_str()))
            }
            CheckOutcome::Passed => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(outcomes: &[(CheckKind, CheckOutcome)]) -> Evidence {
        Evidence {
            base: "a".repeat(40).parse().unwrap(),
            patch: PatchDigest::of_bytes([0xbb; 32]),
            checks: outcomes
                .iter()
                .map(|(kind, outcome)| Check {
                    name: "check".to_owned(),
                    kind: *kind,
                    outcome: outcome.clone(),
                    millis: 1,
                })
                .collect(),
        }
    }

    #[test]
    fn one_failure_outweighs_any_number_of_passes() {
        let red = evidence(&[
            (CheckKind::Rule, CheckOutcome::Passed),
            (CheckKind::Command, CheckOutcome::Passed),
            (CheckKind::Command, CheckOutcome::Failed("1 test".into())),
        ]);
        assert_eq!(red.verdict(), Verdict::Red);
    }

    #[test]
    fn silence_and_doubt_are_not_green() {
        assert_eq!(evidence(&[]).verdict(), Verdict::Unknown);
        let doubt = evidence(&[
            (CheckKind::Command, CheckOutcome::Passed),
            (CheckKind::Command, CheckOutcome::Inconclusive("timed out".into())),
        ]);
        assert_eq!(doubt.verdict(), Verdict::Unknown);
    }

    #[test]
    fn a_verified_patch_is_the_patch_that_was_checked_and_says_whether_commands_ran() {
        let patch = Patch::default();
        let on = |patch: &Patch, outcome| Evidence {
            patch: patch.digest(),
            ..evidence(&[(CheckKind::Rule, outcome)])
        };
        let verified = on(&patch, CheckOutcome::Passed).verified(patch.clone()).unwrap();
        assert_eq!((verified.patch(), verified.ran_commands()), (&patch, false));
        let red = on(&patch, CheckOutcome::Failed("1 test".into()));
        assert_eq!(red.verified(patch.clone()), None, "red");
        let of_another = evidence(&[(CheckKind::Rule, CheckOutcome::Passed)]);
        assert_eq!(of_another.verified(patch), None, "another patch");
    }
}
