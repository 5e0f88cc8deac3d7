//! The job: where the work for one subject stands, and what to do next.
//!
//! ```text
//! Queued ─► Preparing ─► Fixing ─► Verifying ─green─► Publishing ─► InReview ─► Merging ─► Done(Merged)
//!               │          │ ▲ ▲      │ red             │    ▲          │  ▲
//!               ▼          ▼ │ └──────┘ (attempts left) ▼    │ go       │  └── Answering ◄─ Publishing
//!             Done       Done└── Starting ◄──────────┐ Holding          └─► Starting (a round)
//! ```
//!
//! With `plan=first` a plan is made between preparing and fixing, and waits for a person's word.
//! Where the rules ask for a second opinion, `Judging` stands between verifying and publishing.
//! A round begins in `Starting`, goes through fixing, verifying and publishing like the first, and
//! ends in `Answering`; whatever becomes of it, the pull request stays.
//!
//! Invariants, shown by the walk (`job_walk.rs`): publishing only ever follows a green verdict on
//! exactly that patch; merging only ever follows a person's approval of exactly that head; every
//! ending is shown and told to whoever asked; `Done` absorbs; a fact that comes late, twice or out
//! of order changes nothing.

#![warn(clippy::wildcard_enum_match_arm)]

use serde::{Deserialize, Serialize};

use super::budget::{Accounts, CostEstimate, Money};
use super::conventions::{Conventions, Guides, TitleStyle};
use super::evidence::Evidence;
use super::github::{PullRef, RepoRef};
use super::id::{Branch, JobId, Number, Sha};
use super::judgement::SecondOpinion;
use super::patch::PatchDigest;
use super::policy::Rules;

mod advance;
mod doubt;
mod fact;
mod judged;
mod next_round;
mod notes;
mod obstacle;
mod order;
mod others_pull;
mod plan;
mod revert;
mod review;
mod rounds;
mod snapshot;
mod stage;
mod step;
mod update;
mod waiting;

pub use super::kind::Kind;
pub use advance::advance;
pub use doubt::*;
pub use fact::*;
pub use notes::MOST_NOTES;
pub use obstacle::*;
pub use order::*;
pub use others_pull::*;
pub use plan::*;
pub use revert::*;
pub use review::*;
pub use rounds::PushedRound;
pub use snapshot::*;
pub use stage::*;
pub use step::*;
pub use update::*;
pub use waiting::*;

/// The long-lived work for one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Job {
    /// Names it for ever.
    pub id: JobId,
    pub repo: RepoRef,
    /// The issue it is about.
    pub subject: Number,
    /// What was asked, by whom.
    pub order: JobOrder,
    /// Where it stands.
    pub stage: JobStage,
    /// What it works with, from `Fixing` on.
    pub prepared: Option<Prepared>,
    /// How far its plan is, where one is made first.
    #[serde(default)]
    pub planning: Planning,
    /// What the agent proposed last, from `Verifying` on. A new round begins without one.
    pub change: Option<ProposedChange>,
    /// The job whose last change it takes up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<JobId>,
    /// What the attempt before left, where it ended without a change.
    #[serde(default)]
    pub unfinished: Option<UnfinishedAttempt>,
    /// A green change that was sent back once, as no test shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// What people said while the present round was made, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ReviseRequest>,
    /// So many of them the agent was given before it handed in its last change.
    #[serde(default)]
    pub notes_read: usize,
    /// The pull request, once there is one.
    pub pull: Option<PullRef>,
    /// What the model has cost so far.
    pub spent: Money,
    /// What is remembered of the pull request's review.
    #[serde(default)]
    pub review: ReviewState,
}

/// What a job works with: known all at once, when it was prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The branch it goes into, and the commit that the present round builds on.
    pub base: Base,
    /// The repository's rules, as they were last read.
    pub rules: Rules,
    /// The most the job may cost.
    pub budget: Money,
    /// What jobs of the repository usually come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<CostEstimate>,
    /// The pull request that it is about, if others opened that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_pull: Option<Box<OthersPull>>,
    /// The merged pull request that it takes back, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<Box<Reverted>>,
    /// The ways of the repository.
    #[serde(default)]
    pub conventions: Box<Conventions>,
}

/// A proposed change, and what was found out about exactly that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedChange {
    /// What the agent handed in.
    pub proposal: Proposal,
    /// What its checks said, once they ran.
    pub evidence: Option<Evidence>,
    /// What a model thinks of it, where the rules ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<SecondOpinion>,
}

/// What an attempt left that ended without a change: the next one takes it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedAttempt {
    /// Why it ended.
    pub why: String,
    /// What stood in its tree, if that can be read.
    pub patch: Option<PatchDigest>,
}

/// A branch at a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Base {
    pub branch: Branch,
    pub sha: Sha,
}

/// A changed file, as a reviewer meets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FileToRead {
    pub path: String,
    /// Lines that come.
    pub added: u32,
    /// Lines that go.
    pub removed: u32,
}

/// What the agent handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The patch, exactly.
    pub patch: PatchDigest,
    /// The model's words about it: shown only as quoted machine text.
    pub summary: String,
    /// Paths a person should look at, each with the reason; found by rules, not by the model.
    pub flags: Vec<String>,
    /// Files changed, lines added, lines removed.
    pub size: (u32, u32, u32),
    /// What the model says to each thread of the round.
    #[serde(default)]
    pub answers: Vec<ThreadAnswer>,
    /// Its files, those first that a reviewer has to read most closely.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reading: Vec<FileToRead>,
    /// What of the repository it is about, as its titles have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Why it brings no test, in the model's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_test: Option<String>,
}

impl Job {
    /// A new job that waits for its turn.
    pub fn new(id: JobId, repo: RepoRef, subject: Number, order: JobOrder) -> Self {
        Self {
            id,
            repo,
            subject,
            order,
            stage: JobStage::Queued,
            prepared: None,
            planning: Planning::default(),
            change: None,
            follows: None,
            unfinished: None,
            doubt: None,
            notes: Vec::new(),
            notes_read: 0,
            pull: None,
            spent: Money::ZERO,
            review: ReviewState::default(),
        }
    }

    /// A new job that takes up what `former` left: its request, and its last change with what
    /// was found out about that.
    pub fn again(id: JobId, former: &Self, order: JobOrder) -> Self {
        Self {
            planning: former.planning.clone(),
            change: former.change.clone(),
            unfinished: former.unfinished.clone(),
            follows: Some(former.id.clone()),
            ..Self::new(id, former.repo.clone(), former.subject, order)
        }
    }

    /// Whose money it spends: the person is whoever the present round is made for.
    pub fn accounts(&self) -> Accounts {
        let person = self.review.round.as_ref().map_or(self.order.by_id, |round| round.by_id);
        Accounts {
            repo_id: self.repo.repo_id,
            installation_id: self.repo.installation_id,
            person_id: person,
        }
    }

    /// The branch that belongs to this job and to no other.
    pub fn branch(&self) -> Branch {
        Branch::of_job(self.subject, &self.id)
    }

    /// The branch it goes into and the commit it builds on, once prepared.
    pub fn base(&self) -> Option<&Base> {
        self.prepared.as_ref().map(|prepared| &prepared.base)
    }

    /// The ways of the repository; nobody's before they are known.
    pub fn conventions(&self) -> &Conventions {
        const NONE: &Conventions = &Conventions {
            titles: TitleStyle::USUAL,
            guides: Guides { whole: Vec::new(), nested: Vec::new() },
            template: None,
            sign_off: None,
            signature: None,
            fragments: None,
        };
        self.prepared.as_ref().map_or(NONE, |prepared| &prepared.conventions)
    }

    /// The repository's rules, once prepared.
    pub fn rules(&self) -> Option<&Rules> {
        self.prepared.as_ref().map(|prepared| &prepared.rules)
    }

    /// The most it may cost: nothing before it is prepared.
    pub fn budget(&self) -> Money {
        self.prepared.as_ref().map_or(Money::ZERO, |prepared| prepared.budget)
    }

    /// What the agent proposed last.
    pub fn proposal(&self) -> Option<&Proposal> {
        self.change.as_ref().map(|change| &change.proposal)
    }

    /// What the checks said of that.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.change.as_ref()?.evidence.as_ref()
    }

    /// Tries in a round.
    pub fn attempts_allowed(&self) -> u32 {
        // The reverse patch as git makes it is no attempt of a model's.
        let unasked = u32::from(self.prepared.as_ref().is_some_and(|it| it.reverts.is_some()));
        self.rules().map_or(1, |rules| rules.agent.attempts + unasked)
    }
}

impl Job {
    fn proposes(&self, patch: &PatchDigest) -> bool {
        self.proposal().is_some_and(|proposal| proposal.patch == *patch)
    }

    /// `None` at any other stage.
    fn only_at(&self, stage: &JobStage) -> Option<()> {
        (self.stage == *stage).then_some(())
    }

    fn prepare(&mut self) -> Vec<JobStep> {
        self.stage = JobStage::Preparing;
        vec![JobStep::Show, JobStep::Prepare]
    }

    fn fix(&mut self, round: u32, attempt: u32) -> Vec<JobStep> {
        // An attempt begins with all that was said before it.
        self.notes_read = self.notes.len();
        self.stage = JobStage::Fixing { round, attempt };
        vec![JobStep::Show, JobStep::Fix { round, attempt }]
    }

    fn end(&mut self, ending: JobEnding) -> Vec<JobStep> {
        let merged = matches!(ending, JobEnding::Merged { .. });
        let people_did_it = merged || matches!(ending, JobEnding::Closed { .. });
        let before_any_change =
            matches!(self.stage, JobStage::Preparing | JobStage::Planning { .. });
        let may_stand_half_done = self.stage.is_ours() && !before_any_change || self.pull.is_some();
        let mut steps = Vec::new();
        self.late_notes_ask();
        if may_stand_half_done && !self.order.on_pull {
            steps.push(if merged { JobStep::CleanUp } else { JobStep::Undo });
        }
        steps.push(JobStep::Show);
        // Whoever asked for something meanwhile is told that it comes too late.
        if !people_did_it || !self.review.asks.is_empty() {
            steps.push(JobStep::Announce);
        }
        if self.stage != JobStage::Queued {
            steps.push(JobStep::StartNext);
        }
        self.review.waiting = None;
        self.stage = JobStage::Done(ending);
        steps
    }
}

#[cfg(test)]
#[path = "job_walk.rs"]
mod tests;
