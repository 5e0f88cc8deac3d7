//! What can be done for a job.
//!
//! Invariants: every step is idempotent, so doing it twice is doing it once; what the queue has to
//! know of it, and which stage waits for it, stands here and nowhere else.

use serde::{Deserialize, Serialize};
use strum::{EnumDiscriminants, VariantArray};

use super::JobStage;
use crate::core::id::{CommentId, Sha};
use crate::core::machine::{Lane, Repeats, StepSpec, WorkerSlot};

/// What to do next. Every one is idempotent, so doing it twice is doing it once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, EnumDiscriminants)]
#[strum_discriminants(name(JobStepKind), derive(VariantArray, Hash), allow(missing_docs))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum JobStep {
    /// React to the command.
    Acknowledge,
    /// React to a command that was given during the review.
    React { comment: CommentId },
    /// The same, to one that stands on lines of the pull request.
    ReactInThread { comment: CommentId },
    /// Read the rules, fetch the base.
    Prepare,
    /// Let the agent make a plan.
    Plan { version: u32 },
    /// Run the agent.
    Fix { round: u32, attempt: u32 },
    /// Check the patch in its own tree.
    Verify { round: u32, attempt: u32 },
    /// Ask a model what it thinks of the change.
    Judge { round: u32 },
    /// Make branch, commit and pull request.
    Publish { round: u32 },
    /// Bring the status comment, labels and check run up to date.
    Show,
    /// Post the one comment that notifies whoever asked.
    Announce,
    /// Take back what stands half-done: a branch without a pull request, an open pull request.
    Undo,
    /// Look at the pull request, and say what it shows.
    Look,
    /// Look again: queued for later.
    Wake,
    /// Read what a round is about.
    Start { round: u32 },
    /// Run the checks on a head that a person made.
    CheckHead { head: Sha },
    /// Answer the threads of a round, and ask the reviewers again.
    Answer { round: u32 },
    /// Run the failed jobs of a run of a workflow again, which was made so often so far.
    Rerun { head: Sha, run: u64, attempt: u32 },
    /// Say on the pull request why it does not go on.
    Explain,
    /// Say on the pull request that no round is left for what was asked.
    RefuseRound { limit: u32 },
    /// Merge exactly this commit.
    Merge { head: Sha },
    /// After merging: remove the branch, close the issue.
    CleanUp,
    /// Let the next queued job on the subject begin.
    StartNext,
}

impl JobStep {
    /// What the queue has to know of it.
    pub fn spec(&self) -> StepSpec {
        match self {
            Self::Prepare => StepSpec::awaited(WorkerSlot::Taken).beginning(),
            Self::Plan { .. }
            | Self::Fix { .. }
            | Self::Verify { .. }
            | Self::Judge { .. }
            | Self::Publish { .. }
            | Self::Start { .. }
            | Self::Answer { .. }
            | Self::CheckHead { .. } => StepSpec::awaited(WorkerSlot::Taken),
            Self::Merge { .. } => StepSpec::awaited(WorkerSlot::Taken).urgent(),
            Self::Look => StepSpec::unawaited(Lane::Main, Repeats::Coalesce).told(),
            Self::Rerun { .. } => StepSpec::unawaited(Lane::Main, Repeats::Coalesce).told(),
            Self::Undo | Self::CleanUp | Self::StartNext => {
                StepSpec::unawaited(Lane::Main, Repeats::KeepBoth)
            }
            Self::RefuseRound { .. } => StepSpec::unawaited(Lane::Main, Repeats::KeepBoth).urgent(),
            Self::Show => StepSpec::unawaited(Lane::Messages, Repeats::Coalesce),
            Self::Acknowledge | Self::Announce | Self::Explain => {
                StepSpec::unawaited(Lane::Messages, Repeats::KeepBoth).urgent()
            }
            Self::React { comment } => {
                StepSpec::unawaited(Lane::Reaction(*comment), Repeats::KeepBoth).urgent()
            }
            Self::ReactInThread { comment } => {
                StepSpec::unawaited(Lane::Reaction(*comment), Repeats::KeepBoth).urgent()
            }
            Self::Wake => StepSpec::unawaited(Lane::Wake, Repeats::Coalesce),
        }
    }
}

impl JobStage {
    /// Whether it goes on with what this step learns.
    pub fn awaits(&self, step: &JobStep) -> bool {
        match step {
            JobStep::Prepare => *self == Self::Preparing,
            &JobStep::Plan { version } => *self == Self::Planning { version },
            &JobStep::Fix { round, attempt } => *self == Self::Fixing { round, attempt },
            &JobStep::Verify { round, attempt } => *self == Self::Verifying { round, attempt },
            &JobStep::Judge { round } => *self == Self::Judging { round },
            &JobStep::Publish { round } => *self == Self::Publishing { round },
            &JobStep::Start { round } => *self == Self::Starting { round },
            &JobStep::Answer { round } => *self == Self::Answering { round },
            JobStep::CheckHead { .. } => self.is_in_review(),
            JobStep::Merge { head } => self.merging() == Some(head),
            JobStep::Acknowledge
            | JobStep::React { .. }
            | JobStep::ReactInThread { .. }
            | JobStep::Show
            | JobStep::Announce
            | JobStep::Undo
            | JobStep::Look
            | JobStep::Wake
            | JobStep::Rerun { .. }
            | JobStep::Explain
            | JobStep::RefuseRound { .. }
            | JobStep::CleanUp
            | JobStep::StartNext => false,
        }
    }
}
