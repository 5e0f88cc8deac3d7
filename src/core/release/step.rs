//! What can be done for a release.
//!
//! Invariants: every step is idempotent, so doing it twice is doing it once; what the queue has to
//! know of it stands here and nowhere else.

use serde::{Deserialize, Serialize};
use strum::{EnumDiscriminants, VariantArray};

use crate::core::id::Sha;
use crate::core::machine::{Lane, Repeats, StepSpec, WorkerSlot};

/// What to do next. Every one is idempotent, so doing it twice is doing it once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, EnumDiscriminants)]
#[strum_discriminants(name(ReleaseStepKind), derive(VariantArray, Hash), allow(missing_docs))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReleaseStep {
    /// React to the command.
    Acknowledge,
    /// Work out version, changelog and manifests.
    Plan { orders: u32 },
    /// Run the project's own checks on its files.
    Check { orders: u32 },
    /// Make or move branch, commit and pull request.
    Propose { orders: u32 },
    /// Merge the base into the branch.
    Refresh { base: Sha },
    /// Look at the pull request, its base and its approvals as they are now.
    Look,
    /// Merge it, if the consent still stands.
    Merge { head: Sha },
    /// Start the publishing run, unless there is one of this name.
    Dispatch { attempt: u32 },
    /// Look how the run goes, and whether the release is out.
    Follow { attempt: u32 },
    /// Bring status comment and pull request up to date.
    Show,
    /// Post the one comment that notifies whoever asked.
    Announce,
    /// Tell the fixed issues in which version they are.
    TellIssues,
    /// After cancelling: close the pull request and remove the branch.
    Undo,
    /// After merging: remove the branch.
    CleanUp,
    /// Let the next release on the branch begin.
    StartNext,
}

impl ReleaseStep {
    /// What the queue has to know of it.
    pub fn spec(&self) -> StepSpec {
        match self {
            Self::Check { .. } => StepSpec::awaited(WorkerSlot::Taken).beginning(),
            Self::Plan { .. } | Self::Propose { .. } | Self::Refresh { .. } => {
                StepSpec::awaited(WorkerSlot::None)
            }
            Self::Merge { .. } | Self::Dispatch { .. } => {
                StepSpec::awaited(WorkerSlot::None).urgent()
            }
            Self::Follow { .. } => {
                StepSpec { lane: Lane::Follow, ..StepSpec::awaited(WorkerSlot::None) }
            }
            Self::Look => StepSpec::unawaited(Lane::Main, Repeats::Coalesce).told(),
            Self::Undo | Self::CleanUp | Self::StartNext => {
                StepSpec::unawaited(Lane::Main, Repeats::KeepBoth)
            }
            Self::Show => StepSpec::unawaited(Lane::Messages, Repeats::Coalesce),
            Self::TellIssues => StepSpec::unawaited(Lane::Messages, Repeats::KeepBoth),
            Self::Acknowledge | Self::Announce => {
                StepSpec::unawaited(Lane::Messages, Repeats::KeepBoth).urgent()
            }
        }
    }
}
