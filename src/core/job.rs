//! The job: where the work for one subject stands, and what to do next.
//!
//! ```text
//! Queued ─► Preparing ─► Fixing ─► Verifying ─green─► Publishing ─► InReview ─► Merging ─► Done(Merged)
//!               │          │ ▲ ▲      │ red             │    ▲          │  ▲
//!               ▼          ▼ │ └──────┘ (attempts left) ▼    │ go       │  └── Answering ◄─ Publishing
//!             Done       Done└── Starting ◄──────────┐ Holding          └─► Starting (a round)
//! ```
//!
//! A round begins in `Starting`, goes through fixing, verifying and publishing like the first, and
//! ends in `Answering`; whatever becomes of it, the pull request stays.
//!
//! Invariants, shown by the walk at the bottom: publishing only ever follows a green verdict on
//! exactly that patch; merging only ever follows a person's approval of exactly that head; every
//! ending is shown and told to whoever asked; `Done` absorbs; a fact that comes late, twice or out of
//! order changes nothing.

#![warn(clippy::wildcard_enum_match_arm)]

use serde::{Deserialize, Serialize};

use super::budget::{Accounts, Money};
use super::evidence::{Evidence, Verdict};
use super::github::PullRef;
use super::github::RepoRef;
use super::id::{Branch, JobId, Number, Sha};
use super::machine::Machine;
use super::patch::PatchDigest;
use super::policy::Rules;

mod fact;
mod order;
mod review;
mod rounds;
mod snapshot;
mod stage;
mod step;

pub use fact::*;
pub use order::*;
pub use review::*;
pub use snapshot::*;
pub use stage::*;
pub use step::*;

/// The long-lived work for one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Names it for ever.
    pub id: JobId,
    /// Where.
    pub place: RepoRef,
    /// The issue it is about.
    pub subject: Number,
    /// What was asked, by whom.
    pub order: JobOrder,
    /// Where it stands.
    pub stage: JobStage,
    /// The branch it goes into, and the commit that the present round builds on, once known.
    pub base: Option<Base>,
    /// The repository's rules, as they were when the job began.
    pub rules: Option<Rules>,
    /// What the agent proposed last.
    pub proposal: Option<Proposal>,
    /// What was found out about that.
    pub evidence: Option<Evidence>,
    /// The pull request, once there is one.
    pub pull: Option<PullRef>,
    /// What the model has cost so far.
    pub spent: Money,
    /// The most it may cost.
    pub budget: Money,
    /// What is remembered of the pull request's review.
    #[serde(default)]
    pub review: ReviewState,
}

/// A branch at a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Base {
    pub branch: Branch,
    pub sha: Sha,
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
}

impl Machine for Job {
    type Id = JobId;
    type Fact = JobFact;
    type Step = JobStep;

    fn id(&self) -> &JobId {
        &self.id
    }

    fn advance(&self, fact: &JobFact) -> Option<(Self, Vec<JobStep>)> {
        advance(self, fact)
    }

    fn turn() -> JobFact {
        JobFact::TurnCame
    }

    fn is_queued(&self) -> bool {
        self.stage == JobStage::Queued
    }

    fn is_done(&self) -> bool {
        match self.stage {
            JobStage::Done(_) => true,
            JobStage::Queued
            | JobStage::Preparing
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Publishing { .. }
            | JobStage::Holding { .. }
            | JobStage::InReview { .. }
            | JobStage::Starting { .. }
            | JobStage::Answering { .. }
            | JobStage::Merging { .. } => false,
        }
    }
}

impl Job {
    /// A new job that waits for its turn.
    pub fn new(id: JobId, place: RepoRef, subject: Number, order: JobOrder) -> Self {
        Self {
            id,
            place,
            subject,
            order,
            stage: JobStage::Queued,
            base: None,
            rules: None,
            proposal: None,
            evidence: None,
            pull: None,
            spent: Money::ZERO,
            budget: Money::ZERO,
            review: ReviewState::default(),
        }
    }

    /// A new job that takes up what `former` left: its request, and its last change with what
    /// was found out about that.
    pub fn again(id: JobId, former: &Self, order: JobOrder) -> Self {
        Self {
            proposal: former.proposal.clone(),
            evidence: former.evidence.clone(),
            ..Self::new(id, former.place.clone(), former.subject, order)
        }
    }

    /// Whose money it spends: the person is whoever the present round is made for.
    pub fn accounts(&self) -> Accounts {
        let person = self.review.round.as_ref().map_or(self.order.by_id, |round| round.by_id);
        Accounts {
            repo_id: self.place.repo_id,
            installation_id: self.place.installation_id,
            person_id: person,
        }
    }

    /// The branch that belongs to this job and to no other.
    pub fn branch(&self) -> Branch {
        Branch::of_job(self.subject, &self.id)
    }

    /// Tries in a round.
    pub fn attempts_allowed(&self) -> u32 {
        self.rules.as_ref().map_or(1, |rules| rules.agent.attempts)
    }
}

/// The job after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(job: &Job, fact: &JobFact) -> Option<(Job, Vec<JobStep>)> {
    let mut next = job.clone();
    let steps = match (&job.stage, fact) {
        (JobStage::Done(_), _) => return None,

        (stage, JobFact::Closed { by, merged: true })
            if job.pull.is_some() || matches!(stage, JobStage::Publishing { .. }) =>
        {
            next.end(JobEnding::Merged { by: by.clone() })
        }
        (_, JobFact::Closed { by, merged: false }) => {
            next.end(JobEnding::Closed { by: by.clone() })
        }
        // It may have happened already: what GitHub says next decides.
        (JobStage::Merging { .. }, JobFact::Cancelled { .. }) => return None,
        (_, JobFact::Cancelled { by }) => next.end(JobEnding::Cancelled { by: by.clone() }),
        (stage, JobFact::Broke { step, why }) if stage.awaits(step) => {
            next.broke(stage, step, why)?
        }

        (JobStage::Queued, JobFact::TurnCame) => {
            next.stage = JobStage::Preparing;
            vec![JobStep::Show, JobStep::Prepare]
        }
        (JobStage::Publishing { round: 2.. }, JobFact::Declined(why)) => {
            next.no_commit(RoundOutcome::Refused(why.clone()))
        }
        (JobStage::Preparing | JobStage::Publishing { .. }, JobFact::Declined(why)) => {
            next.end(JobEnding::Declined(why.clone()))
        }
        (JobStage::Preparing, JobFact::Prepared { base, rules, budget }) => {
            next.base = Some(base.clone());
            next.rules = Some(rules.clone());
            next.budget = *budget;
            next.fix(1, 1)
        }
        (&JobStage::Fixing { round, attempt }, fact) => next.after_attempt(round, attempt, fact)?,
        (&JobStage::Verifying { round, attempt }, JobFact::Verified(evidence)) => {
            next.after_checks(round, attempt, evidence)?
        }
        (&JobStage::Publishing { round }, fact) => next.after_publishing(round, fact)?,
        (&JobStage::Holding { round }, JobFact::Go { patch }) if job.proposes(patch) => {
            next.review.go = Some(patch.clone());
            next.stage = JobStage::Publishing { round };
            vec![JobStep::Show, JobStep::Publish { round }]
        }
        (stage, fact) => next.reviewed(&stage.clone(), fact)?,
    };
    Some((next, steps))
}

impl Job {
    fn proposes(&self, patch: &PatchDigest) -> bool {
        self.proposal.as_ref().is_some_and(|proposal| proposal.patch == *patch)
    }

    fn fix(&mut self, round: u32, attempt: u32) -> Vec<JobStep> {
        self.stage = JobStage::Fixing { round, attempt };
        vec![JobStep::Show, JobStep::Fix { round, attempt }]
    }

    /// A step of Gander's own failed for good: before there is a pull request that ends the job.
    fn broke(&mut self, stage: &JobStage, step: &JobStep, why: &str) -> Option<Vec<JobStep>> {
        let why = why.to_owned();
        if let JobStep::CheckHead { head } = step {
            return self.head_checked(head, Some(why));
        }
        Some(match stage {
            JobStage::Merging { .. } => self.not_merged(&why),
            JobStage::Answering { round } => self.answered(*round),
            stage if stage.round().is_some_and(|round| round > 1) => {
                self.no_commit(RoundOutcome::Failed { why })
            }
            JobStage::Queued
            | JobStage::Preparing
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Publishing { .. }
            | JobStage::Holding { .. }
            | JobStage::InReview { .. }
            | JobStage::Starting { .. }
            | JobStage::Done(_) => self.end(JobEnding::Failed { why }),
        })
    }

    fn after_attempt(&mut self, round: u32, attempt: u32, fact: &JobFact) -> Option<Vec<JobStep>> {
        let of_this_attempt = |r: &u32, a: &u32| (*r, *a) == (round, attempt);
        match fact {
            JobFact::Proposed { round: r, attempt: a, proposal, cost } if of_this_attempt(r, a) => {
                self.spent = self.spent + *cost;
                self.proposal = Some(proposal.clone());
                self.evidence = None;
                self.stage = JobStage::Verifying { round, attempt };
                Some(vec![JobStep::Show, JobStep::Verify { round, attempt }])
            }
            JobFact::NothingToFix { round: r, attempt: a, why, cost } if of_this_attempt(r, a) => {
                self.spent = self.spent + *cost;
                let why = why.clone();
                Some(match round {
                    1 => self.end(JobEnding::NothingToFix { why }),
                    _ => self.no_commit(RoundOutcome::NoChange { why }),
                })
            }
            JobFact::AttemptFailed { round: r, attempt: a, why, cost } if of_this_attempt(r, a) => {
                self.spent = self.spent + *cost;
                Some(self.try_again_or_give_up(round, attempt, why.clone()))
            }
            JobFact::OutOfBudget { why, cost } => {
                self.spent = self.spent + *cost;
                let why = why.clone();
                Some(match round {
                    1 => self.end(JobEnding::OutOfBudget { why }),
                    _ => self.no_commit(RoundOutcome::OutOfBudget { why }),
                })
            }
            JobFact::TurnCame
            | JobFact::Prepared { .. }
            | JobFact::Declined(_)
            | JobFact::Proposed { .. }
            | JobFact::NothingToFix { .. }
            | JobFact::AttemptFailed { .. }
            | JobFact::Verified(_)
            | JobFact::Published { .. }
            | JobFact::HeadMoved { .. }
            | JobFact::Held { .. }
            | JobFact::Go { .. }
            | JobFact::Seen(_)
            | JobFact::Asked(_)
            | JobFact::Taken(_)
            | JobFact::RoundReady { .. }
            | JobFact::RoundRefused { .. }
            | JobFact::Answered { .. }
            | JobFact::HeadChecked { .. }
            | JobFact::Merged { .. }
            | JobFact::NotMerged { .. }
            | JobFact::Closed { .. }
            | JobFact::Cancelled { .. }
            | JobFact::Broke { .. } => self.asked_meanwhile(fact),
        }
    }

    fn after_checks(
        &mut self,
        round: u32,
        attempt: u32,
        evidence: &Evidence,
    ) -> Option<Vec<JobStep>> {
        let base = self.base.as_ref().map(|base| &base.sha);
        if !self.proposes(&evidence.patch) || base != Some(&evidence.base) {
            return None;
        }
        self.evidence = Some(evidence.clone());
        Some(match evidence.verdict() {
            Verdict::Green => {
                self.stage = JobStage::Publishing { round };
                vec![JobStep::Show, JobStep::Publish { round }]
            }
            Verdict::Red => self.try_again_or_give_up(round, attempt, first_failure(evidence)),
            // Another attempt of the model would not mend what could not be run.
            Verdict::Unknown => match round {
                1 => self.end(JobEnding::Failed { why: first_failure(evidence) }),
                _ => self.no_commit(RoundOutcome::Failed { why: first_failure(evidence) }),
            },
        })
    }

    fn try_again_or_give_up(&mut self, round: u32, attempt: u32, why: String) -> Vec<JobStep> {
        if attempt < self.attempts_allowed() {
            self.fix(round, attempt + 1)
        } else if round == 1 {
            self.end(JobEnding::GaveUp { why })
        } else {
            self.no_commit(RoundOutcome::GaveUp { why })
        }
    }

    fn end(&mut self, ending: JobEnding) -> Vec<JobStep> {
        let merged = matches!(ending, JobEnding::Merged { .. });
        let people_did_it = merged || matches!(ending, JobEnding::Closed { .. });
        let may_stand_half_done =
            self.stage.is_ours() && self.stage != JobStage::Preparing || self.pull.is_some();
        let mut steps = Vec::new();
        if may_stand_half_done {
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

fn first_failure(evidence: &Evidence) -> String {
    match evidence.failures().next() {
        Some((name, why)) => format!("{name}: {why}"),
        None => "no check could be run".to_owned(),
    }
}

#[cfg(test)]
#[path = "job_walk.rs"]
mod tests;
