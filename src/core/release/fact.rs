//! What can be learnt about a release.

use strum::{EnumDiscriminants, VariantArray};

use super::{
    Blocked, Merged, NamedVersion, Refusal, ReleaseChecks, ReleaseOrder, ReleaseStep, VersionPlan,
};
use crate::core::approval::{Approval, MergeAttempt};
use crate::core::github::PullRef;
use crate::core::id::{Login, Number, RunId, Sha};

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(name(ReleaseFactKind), derive(VariantArray, Hash), allow(missing_docs))]
#[allow(missing_docs)]
pub enum ReleaseFact {
    /// No other release is under way on the branch.
    TurnCame,
    /// Somebody asked again.
    Ordered(ReleaseOrder),
    /// What is to be released, for this order.
    Planned { orders: u32, plan: VersionPlan },
    /// The project's own checks do not speak against its files.
    Checked { orders: u32, checks: ReleaseChecks },
    /// Nothing changed since the last one.
    NothingToRelease { orders: u32, last: Option<String> },
    /// The rules do not allow it.
    Refused { orders: u32, why: Refusal },
    /// The pull request stands, with this head.
    Proposed { orders: u32, pull: PullRef },
    /// The moved base was merged into the branch, whose changelog names this version.
    Refreshed { base: Sha, head: Sha, version: Option<NamedVersion> },
    /// It could not be.
    Stuck { base: Sha },
    /// The branch has another head, by people, with the version its changelog names.
    HeadMoved { pull: Number, head: Sha, version: Option<NamedVersion> },
    /// The base branch has another head.
    BaseMoved { base: Sha },
    /// There is consent to a head, and GitHub would be asked to merge it on this.
    Approved(Approval, MergeAttempt),
    /// It was not merged.
    NotMerged { head: Sha, why: Blocked },
    /// Nothing keeps this head from being approved and merged.
    Free { head: Sha },
    /// The pull request is merged, by us or by people.
    Merged(Merged),
    /// People closed it.
    Closed { by: Option<Login> },
    /// A person said `cancel`.
    Cancelled { by: Login },
    /// The publishing run was asked for.
    Dispatched { attempt: u32 },
    /// It was seen.
    RunSeen { attempt: u32, run: RunId },
    /// GitHub shows the release.
    Published { attempt: u32, url: String },
    /// The run ended, and there is no release.
    RunFailed { attempt: u32, why: String },
    /// A person wants a failed one taken up.
    Retried { by: Login },
    /// A step failed for good.
    Broke { step: ReleaseStep, why: String },
}

impl ReleaseFact {
    /// In a few words, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TurnCame => "its turn came",
            Self::Ordered(_) => "ordered anew",
            Self::Planned { .. } => "planned",
            Self::Checked { .. } => "checked",
            Self::NothingToRelease { .. } => "nothing to release",
            Self::Refused { .. } => "refused",
            Self::Proposed { .. } => "proposed",
            Self::Refreshed { .. } => "brought up to date",
            Self::Stuck { .. } => "not brought up to date",
            Self::HeadMoved { .. } => "people pushed",
            Self::BaseMoved { .. } => "its base moved",
            Self::Approved(..) => "approved",
            Self::NotMerged { .. } => "not merged",
            Self::Free { .. } => "free to be approved",
            Self::Merged(_) => "merged",
            Self::Closed { .. } => "closed by people",
            Self::Cancelled { .. } => "cancelled",
            Self::Dispatched { .. } => "its run was asked for",
            Self::RunSeen { .. } => "its run was seen",
            Self::Published { .. } => "published",
            Self::RunFailed { .. } => "its run failed",
            Self::Retried { .. } => "taken up again",
            Self::Broke { .. } => "broke",
        }
    }
}
