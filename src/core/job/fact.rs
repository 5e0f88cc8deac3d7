//! What can be learnt about a job.

use strum::{EnumDiscriminants, VariantArray};

use super::{
    Base, Declined, JobStep, OnLines, PlanNews, Prepared, Proposal, PullSnapshot, ReviseRequest,
    RuleOverride, TakenReviews, Thread, UnfinishedAttempt, Update,
};
use crate::core::budget::Money;
use crate::core::evidence::Evidence;
use crate::core::github::PullRef;
use crate::core::id::{Login, Sha};
use crate::core::judgement::SecondOpinion;
use crate::core::patch::PatchDigest;

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(name(JobFactKind), derive(VariantArray, Hash), allow(missing_docs))]
#[allow(missing_docs)]
pub enum JobFact {
    /// No other live job stands on the subject.
    TurnCame,
    /// The rules allow it, and the base is known.
    Prepared(Prepared),
    /// They do not.
    Declined(Declined),
    /// Something became of this plan.
    OfPlan { version: u32, news: PlanNews },
    /// The agent handed in a change in this attempt.
    Proposed {
        round: u32,
        attempt: u32,
        proposal: Proposal,
        cost: Money,
        /// So many notes of people the agent had been given by then.
        notes_read: usize,
    },
    /// The agent ended without a change, saying why.
    NothingToFix { round: u32, attempt: u32, why: String, cost: Money, notes_read: usize },
    /// The agent ended without an answer.
    AttemptFailed { round: u32, attempt: u32, left: UnfinishedAttempt, cost: Money },
    /// The checks cannot be run here, with or without a change.
    CannotCheck { round: u32, attempt: u32, why: String, cost: Money },
    /// The patch was checked.
    Verified(Evidence),
    /// Another model was asked what it thinks of the change.
    Judged { round: u32, patch: PatchDigest, opinion: SecondOpinion, cost: Money },
    /// The pull request stands.
    Published { pull: PullRef },
    /// A person's commit is on the branch: the round goes on from there.
    HeadMoved { head: Sha },
    /// Pushing the change would run workflows with secrets.
    /// Or what the change was verified by is to be looked at first.
    Held {
        patch: PatchDigest,
        /// What CI would do with it.
        risks: Vec<String>,
        /// What a person has to say yes to.
        touches: Vec<String>,
        files: Vec<String>,
        diff: String,
    },
    /// The change is for the author of a fork to take.
    Suggested { patch: PatchDigest, files: Vec<String>, diff: String, on_lines: OnLines },
    /// A person lets exactly this change out.
    Go { patch: PatchDigest },
    /// A person lets a rule's findings through.
    Overridden(RuleOverride),
    /// The pull request was looked at.
    Seen(PullSnapshot),
    /// A person asks for changes by command.
    Asked(ReviseRequest),
    /// A person tells the agent something while it works.
    Noted(ReviseRequest),
    /// A person wants the base merged in.
    UpdateAsked(ReviseRequest),
    /// A maintainer takes up somebody's waiting reviews.
    Taken(TakenReviews),
    /// What a round is to do is known.
    RoundReady { round: u32, base: Base, task: String, threads: Vec<Thread>, budget: Money },
    /// The base is merged into the pull request, in our mirror.
    UpdateReady { round: u32, base: Base, update: Box<Update>, budget: Money },
    /// A round cannot begin.
    RoundRefused { round: u32, why: Declined },
    /// A round's threads are answered.
    Answered { round: u32 },
    /// Gander's own checks ran on a head that a person made.
    HeadChecked { head: Sha, failed: Option<String> },
    /// GitHub would not run a flaky check again.
    RerunRefused,
    /// GitHub merged the approved head.
    Merged { by: Option<Login> },
    /// It did not.
    NotMerged { why: String },
    /// People closed the pull request or the issue.
    Closed { by: Option<Login>, merged: bool },
    /// A person said stop; `None`: whoever runs the server.
    Cancelled { by: Option<Login> },
    /// The money is gone.
    OutOfBudget { why: String, cost: Money },
    /// What was to leave holds a secret.
    Withheld { why: String },
    /// A step failed for good.
    Broke { step: JobStep, why: String },
}

impl JobFact {
    /// In a few words, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TurnCame => "its turn came",
            Self::Prepared(_) => "prepared",
            Self::Declined(_) => "declined",
            Self::OfPlan { news, .. } => news.name(),
            Self::Proposed { .. } => "a change was proposed",
            Self::NothingToFix { .. } => "nothing to fix",
            Self::AttemptFailed { .. } => "the attempt failed",
            Self::CannotCheck { .. } => "the checks cannot be run",
            Self::Verified(_) => "checked",
            Self::Judged { .. } => "judged",
            Self::Published { .. } => "published",
            Self::HeadMoved { .. } => "a person pushed meanwhile",
            Self::Held { .. } => "held back",
            Self::Suggested { .. } => "shown to the author",
            Self::Go { .. } => "let out by a person",
            Self::Overridden(_) => "a rule was overridden",
            Self::Seen(_) => "looked at",
            Self::Asked(_) => "changes were asked for",
            Self::Noted(_) => "a person said something",
            Self::UpdateAsked(_) => "an update was asked for",
            Self::UpdateReady { .. } => "the base is merged in",
            Self::Taken(_) => "a review was taken up",
            Self::RoundReady { .. } => "a round is ready",
            Self::RoundRefused { .. } => "a round was refused",
            Self::Answered { .. } => "answered",
            Self::HeadChecked { .. } => "a person's commit was checked",
            Self::RerunRefused => "GitHub runs nothing again",
            Self::Merged { .. } => "merged",
            Self::NotMerged { .. } => "not merged",
            Self::Closed { .. } => "closed by people",
            Self::Cancelled { .. } => "cancelled",
            Self::OutOfBudget { .. } => "out of budget",
            Self::Withheld { .. } => "a secret was about to leave",
            Self::Broke { .. } => "broke",
        }
    }
}
