//! Where a job stands.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::JobEnding;
use crate::core::id::Sha;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs)]
pub enum JobStage {
    /// Waits for its turn on the subject.
    Queued,
    /// Rules are read, the base is fetched.
    Preparing,
    /// The agent makes a plan.
    Planning { version: u32 },
    /// The plan waits for a person's `go`. Holds no worker.
    PlanReady { version: u32 },
    /// The agent works.
    Fixing { round: u32, attempt: u32 },
    /// The patch is checked in its own tree.
    Verifying { round: u32, attempt: u32 },
    /// Another model is asked what it thinks of the verified change.
    Judging { round: u32 },
    /// Branch, commit and pull request are made.
    Publishing { round: u32 },
    /// The change is verified, and waits for a person's `go` before it is pushed.
    Holding { round: u32 },
    /// People look at it. Holds no worker.
    InReview { round: u32 },
    /// A round begins: what is asked for is read, the head is fetched.
    Starting { round: u32 },
    /// A round ends: threads are answered.
    Answering { round: u32 },
    /// It is approved, and GitHub is asked to merge exactly this commit.
    Merging { round: u32, head: Sha },
    /// Over.
    Done(JobEnding),
}

impl JobStage {
    /// In a few words, for the log.
    pub fn name(&self) -> String {
        match self {
            Self::Queued => "queued".to_owned(),
            Self::Preparing => "preparing".to_owned(),
            Self::Planning { version } => format!("making plan {version}"),
            Self::PlanReady { version } => format!("plan {version} waits"),
            Self::Fixing { attempt, .. } => format!("fixing, attempt {attempt}"),
            Self::Verifying { attempt, .. } => format!("verifying, attempt {attempt}"),
            Self::Judging { .. } => "judging".to_owned(),
            Self::Publishing { .. } => "publishing".to_owned(),
            Self::Holding { .. } => "held back".to_owned(),
            Self::Starting { round } => format!("starting round {round}"),
            Self::Answering { round } => format!("answering, round {round}"),
            Self::Merging { .. } => "merging".to_owned(),
            Self::InReview { .. } => "in review".to_owned(),
            Self::Done(_) => "done".to_owned(),
        }
    }

    /// Whether Gander itself is at work, so that its own failures are facts about the job.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Queued
            | Self::PlanReady { .. }
            | Self::Holding { .. }
            | Self::InReview { .. }
            | Self::Done(_) => false,
            Self::Preparing
            | Self::Planning { .. }
            | Self::Fixing { .. }
            | Self::Verifying { .. }
            | Self::Judging { .. }
            | Self::Publishing { .. }
            | Self::Starting { .. }
            | Self::Answering { .. }
            | Self::Merging { .. } => true,
        }
    }

    /// Whether nobody waits to see it: Gander is at work, and asked for nothing. That a round was
    /// taken up is told at once.
    pub fn may_pass_unseen(&self) -> bool {
        self.is_ours() && !matches!(self, Self::Starting { .. })
    }

    /// Whether people look at the pull request.
    pub fn is_in_review(&self) -> bool {
        matches!(self, Self::InReview { .. })
    }

    /// The head that is being merged.
    pub fn merging(&self) -> Option<&Sha> {
        if let Self::Merging { head, .. } = self { Some(head) } else { None }
    }

    /// How it ended, if it is over.
    pub fn ending(&self) -> Option<&JobEnding> {
        if let Self::Done(ending) = self { Some(ending) } else { None }
    }

    /// The round it is in, if it is in one.
    pub fn round(&self) -> Option<u32> {
        match self {
            Self::Fixing { round, .. }
            | Self::Verifying { round, .. }
            | Self::Judging { round }
            | Self::Publishing { round }
            | Self::Holding { round }
            | Self::InReview { round }
            | Self::Starting { round }
            | Self::Answering { round }
            | Self::Merging { round, .. } => Some(*round),
            Self::Queued
            | Self::Preparing
            | Self::Planning { .. }
            | Self::PlanReady { .. }
            | Self::Done(_) => None,
        }
    }
}
