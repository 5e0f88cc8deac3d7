//! What a pull request waits for while people look at it.

use serde::{Deserialize, Serialize};

use super::{MissingChecks, Obstacle, RunAgain};
use crate::core::approval::NotApproved;
use crate::core::id::{Number, Sha};

/// What a pull request waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum WaitingFor {
    /// For somebody to look.
    Review,
    /// For Gander's own checks of a commit that a person made.
    HeadCheck,
    /// Approved; for checks.
    Checks { names: Vec<String> },
    /// Approved; required checks did not run, or nobody reports them.
    MissingChecks(MissingChecks),
    /// A setting on GitHub keeps it from being merged, approved or not.
    Setting(Obstacle),
    /// What was said is not an approval.
    Consent(NotApproved),
    /// A check is red, and Gander does not repair it.
    Red { check: String, why: NoRepair },
    /// Gander's own checks fail on a person's commit.
    HeadRed { head: Sha, why: String },
    /// All rounds were made.
    RoundsUsed { limit: u32 },
    /// A round ended without a commit.
    RoundFailed { round: u32 },
    /// It cannot be merged as it stands.
    Conflict,
    /// GitHub does not merge it.
    Blocked { head: Sha, why: String },
    /// Approved and green; the rules leave merging to people.
    Button,
    /// Approved by a review, and the rules want the command.
    Command,
    /// The rules cannot be read.
    BadRules { problem: String },
    /// GitHub does not show the pull request.
    Github { why: String },
    /// For a label to be taken off.
    Skipped,
}

/// Why red CI is not repaired.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NoRepair {
    RedOnBase,
    NeverOnBase,
    ForEverybody {
        pulls: Vec<Number>,
    },
    Flaky {
        why: String,
        #[serde(default)]
        again: RunAgain,
        /// Where GitHub shows it.
        #[serde(default)]
        page: Option<String>,
    },
    NotOurs,
    RepairsUsed {
        limit: u32,
    },
}

impl WaitingFor {
    /// Whether a person has to be told on the pull request.
    pub fn needs_words(&self) -> bool {
        !matches!(
            self,
            Self::Review
                | Self::HeadCheck
                | Self::Checks { .. }
                | Self::Consent(NotApproved::Nobody)
                | Self::RoundFailed { .. }
        ) && !self.is_run_again()
    }

    /// Whether people would learn nothing new: the same is red for the same reason, whatever else
    /// speaks for it by now.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let (Self::Red { check, why }, Self::Red { check: other_check, why: other_why }) =
            (self, other)
        else {
            return self == other;
        };
        let same = match (why, other_why) {
            (NoRepair::ForEverybody { .. }, NoRepair::ForEverybody { .. }) => true,
            (NoRepair::Flaky { again, .. }, NoRepair::Flaky { again: other, .. }) => again == other,
            (one, other) => one == other,
        };
        same && check == other_check
    }

    /// Whether a red check is run again, and nobody has to do anything.
    fn is_run_again(&self) -> bool {
        let Self::Red { why: NoRepair::Flaky { again, .. }, .. } = self else { return false };
        matches!(again, RunAgain::ByUs { .. } | RunAgain::Later)
    }
}
