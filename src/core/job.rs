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
//! What holds, shown by the walk at the bottom: publishing only ever follows a green verdict on
//! exactly that patch; merging only ever follows a person's approval of exactly that head; every
//! ending is shown and told to whoever asked; `Done` absorbs; a fact that comes late, twice or out of
//! order changes nothing.

use serde::{Deserialize, Serialize};

use super::budget::Money;
use super::event::Place;
use super::evidence::{Evidence, Verdict};
use super::id::{Branch, CommentId, JobId, Login, Number, PatchDigest, Sha};
use super::policy::Rules;

mod order;
mod review;
mod rounds;
mod sight;

pub use order::*;
pub use review::*;
pub use sight::*;

/// The long-lived work for one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Names it for ever.
    pub id: JobId,
    /// Where.
    pub place: Place,
    /// The issue it is about.
    pub subject: Number,
    /// What was asked, by whom.
    pub order: Order,
    /// Where it stands.
    pub stage: Stage,
    /// The branch it goes into, and the commit that the present round builds on, once known.
    pub base: Option<Base>,
    /// The repository's rules, as they were when the job began.
    pub rules: Option<Rules>,
    /// What the agent proposed last.
    pub proposal: Option<Proposal>,
    /// What was found out about that.
    pub evidence: Option<Evidence>,
    /// The pull request, once there is one.
    pub pull: Option<Pull>,
    /// What the model has cost so far.
    pub spent: Money,
    /// The most it may cost.
    pub budget: Money,
    /// What is remembered of the pull request's review.
    #[serde(default)]
    pub review: Review,
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

/// The pull request that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Pull {
    pub number: Number,
    pub branch: Branch,
    pub head: Sha,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Stage {
    /// Waits for its turn on the subject.
    Queued,
    /// Rules are read, the base is fetched.
    Preparing,
    /// The agent works.
    Fixing { round: u32, attempt: u32 },
    /// The patch is checked in its own tree.
    Verifying { round: u32, attempt: u32 },
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
    Done(Ending),
}

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and soon gone")]
#[allow(missing_docs)]
pub enum Fact {
    /// No other live job stands on the subject.
    TurnCame,
    /// The rules allow it, and the base is known.
    Prepared { base: Base, rules: Rules, budget: Money },
    /// They do not.
    Declined(Declined),
    /// The agent handed in a change in this attempt.
    Proposed { round: u32, attempt: u32, proposal: Proposal, cost: Money },
    /// The agent ended without a change, saying why.
    NothingToFix { round: u32, attempt: u32, why: String, cost: Money },
    /// The agent ended without an answer.
    AttemptFailed { round: u32, attempt: u32, why: String, cost: Money },
    /// The patch was checked.
    Verified(Evidence),
    /// The pull request stands.
    Published { pull: Pull },
    /// A person's commit is on the branch: the round goes on from there.
    HeadMoved { head: Sha },
    /// Pushing the change would run workflows with secrets.
    Held { patch: PatchDigest, risks: Vec<String>, files: Vec<String>, diff: String },
    /// A person lets exactly this change out.
    Go { patch: PatchDigest },
    /// The pull request was looked at.
    Seen(Box<Sight>),
    /// A person asks for changes by command.
    Asked(Ask),
    /// A maintainer takes up somebody's waiting reviews.
    Taken(Taken),
    /// What a round is to do is known.
    RoundReady { round: u32, base: Base, task: String, threads: Vec<Thread>, budget: Money },
    /// A round cannot begin.
    RoundRefused { round: u32, why: Declined },
    /// A round's threads are answered.
    Answered { round: u32 },
    /// Gander's own checks ran on a head that a person made.
    HeadChecked { head: Sha, failed: Option<String> },
    /// GitHub merged the approved head.
    Merged { by: Option<Login> },
    /// It did not.
    NotMerged { why: String },
    /// People closed the pull request or the issue.
    Closed { by: Option<Login>, merged: bool },
    /// A person said stop.
    Cancelled { by: Login },
    /// The money is gone.
    OutOfBudget { why: String, cost: Money },
    /// A step failed for good.
    Broke { step: Effect, why: String },
}

/// What to do next. Every one is idempotent, so doing it twice is doing it once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Effect {
    /// React to the command.
    Acknowledge,
    /// React to a command that was given during the review.
    React { comment: CommentId },
    /// Read the rules, fetch the base.
    Prepare,
    /// Run the agent.
    Fix { round: u32, attempt: u32 },
    /// Check the patch in its own tree.
    Verify { round: u32, attempt: u32 },
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

impl Job {
    /// A new job that waits for its turn.
    pub fn new(id: JobId, place: Place, subject: Number, order: Order) -> Self {
        Self {
            id,
            place,
            subject,
            order,
            stage: Stage::Queued,
            base: None,
            rules: None,
            proposal: None,
            evidence: None,
            pull: None,
            spent: Money::ZERO,
            budget: Money::ZERO,
            review: Review::default(),
        }
    }

    /// A new job that takes up what `former` left: its request, and its last change with what
    /// was found out about that.
    pub fn again(id: JobId, former: &Self, order: Order) -> Self {
        Self {
            proposal: former.proposal.clone(),
            evidence: former.evidence.clone(),
            ..Self::new(id, former.place.clone(), former.subject, order)
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

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    /// Whether it holds its subject: neither waiting for its turn nor over.
    pub fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Queued | Stage::Done(_))
    }
}

/// The job after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(job: &Job, fact: &Fact) -> Option<(Job, Vec<Effect>)> {
    let mut next = job.clone();
    let effects = match (&job.stage, fact) {
        (Stage::Done(_), _) => return None,

        (stage, Fact::Closed { by, merged: true })
            if job.pull.is_some() || matches!(stage, Stage::Publishing { .. }) =>
        {
            next.end(Ending::Merged { by: by.clone() })
        }
        (_, Fact::Closed { by, merged: false }) => next.end(Ending::Closed { by: by.clone() }),
        // It may have happened already: what GitHub says next decides.
        (Stage::Merging { .. }, Fact::Cancelled { .. }) => return None,
        (_, Fact::Cancelled { by }) => next.end(Ending::Cancelled { by: by.clone() }),
        (stage, Fact::Broke { step, why }) if stage.awaits(step) => next.broke(stage, step, why)?,

        (Stage::Queued, Fact::TurnCame) => {
            next.stage = Stage::Preparing;
            vec![Effect::Show, Effect::Prepare]
        }
        (Stage::Publishing { round: 2.. }, Fact::Declined(why)) => {
            next.no_commit(Outcome::Refused(why.clone()))
        }
        (Stage::Preparing | Stage::Publishing { .. }, Fact::Declined(why)) => {
            next.end(Ending::Declined(why.clone()))
        }
        (Stage::Preparing, Fact::Prepared { base, rules, budget }) => {
            next.base = Some(base.clone());
            next.rules = Some(rules.clone());
            next.budget = *budget;
            next.fix(1, 1)
        }
        (&Stage::Fixing { round, attempt }, fact) => next.after_attempt(round, attempt, fact)?,
        (&Stage::Verifying { round, attempt }, Fact::Verified(evidence)) => {
            next.after_checks(round, attempt, evidence)?
        }
        (&Stage::Publishing { round }, fact) => next.after_publishing(round, fact)?,
        (&Stage::Holding { round }, Fact::Go { patch }) if job.proposes(patch) => {
            next.review.go = Some(patch.clone());
            next.stage = Stage::Publishing { round };
            vec![Effect::Show, Effect::Publish { round }]
        }
        (stage, fact) => next.reviewed(&stage.clone(), fact)?,
    };
    Some((next, effects))
}

impl Stage {
    /// Whether Gander itself is at work, so that its own failures are facts about the job.
    fn is_ours(&self) -> bool {
        !matches!(self, Self::Queued | Self::Holding { .. } | Self::InReview { .. } | Self::Done(_))
    }

    /// Whether it goes on with what this step learns.
    fn awaits(&self, step: &Effect) -> bool {
        match (self, step) {
            (Self::Preparing, Effect::Prepare)
            | (Self::InReview { .. }, Effect::CheckHead { .. }) => true,
            (Self::Fixing { round: r, attempt: a }, Effect::Fix { round, attempt })
            | (Self::Verifying { round: r, attempt: a }, Effect::Verify { round, attempt }) => {
                (r, a) == (round, attempt)
            }
            (Self::Publishing { round: r }, Effect::Publish { round })
            | (Self::Starting { round: r }, Effect::Start { round })
            | (Self::Answering { round: r }, Effect::Answer { round }) => r == round,
            (Self::Merging { head: h, .. }, Effect::Merge { head }) => h == head,
            _ => false,
        }
    }

    /// The round it is in, if it is in one.
    pub fn round(&self) -> Option<u32> {
        match self {
            Self::Fixing { round, .. }
            | Self::Verifying { round, .. }
            | Self::Publishing { round }
            | Self::Holding { round }
            | Self::InReview { round }
            | Self::Starting { round }
            | Self::Answering { round }
            | Self::Merging { round, .. } => Some(*round),
            Self::Queued | Self::Preparing | Self::Done(_) => None,
        }
    }
}

impl Job {
    fn proposes(&self, patch: &PatchDigest) -> bool {
        self.proposal.as_ref().is_some_and(|proposal| proposal.patch == *patch)
    }

    fn fix(&mut self, round: u32, attempt: u32) -> Vec<Effect> {
        self.stage = Stage::Fixing { round, attempt };
        vec![Effect::Show, Effect::Fix { round, attempt }]
    }

    /// A step of Gander's own failed for good: before there is a pull request that ends the job.
    fn broke(&mut self, stage: &Stage, step: &Effect, why: &str) -> Option<Vec<Effect>> {
        let why = why.to_owned();
        if let Effect::CheckHead { head } = step {
            return self.head_checked(head, Some(why));
        }
        Some(match stage {
            Stage::Merging { .. } => self.not_merged(&why),
            Stage::Answering { round } => self.answered(*round),
            stage if stage.round().is_some_and(|round| round > 1) => {
                self.no_commit(Outcome::Failed { why })
            }
            _ => self.end(Ending::Failed { why }),
        })
    }

    fn after_attempt(&mut self, round: u32, attempt: u32, fact: &Fact) -> Option<Vec<Effect>> {
        let of_this_attempt = |r: &u32, a: &u32| (*r, *a) == (round, attempt);
        match fact {
            Fact::Proposed { round: r, attempt: a, proposal, cost } if of_this_attempt(r, a) => {
                self.spent = self.spent + *cost;
                self.proposal = Some(proposal.clone());
                self.evidence = None;
                self.stage = Stage::Verifying { round, attempt };
                Some(vec![Effect::Show, Effect::Verify { round, attempt }])
            }
            Fact::NothingToFix { round: r, attempt: a, why, cost } if of_this_attempt(r, a) => {
                self.spent = self.spent + *cost;
                let why = why.clone();
                Some(match round {
                    1 => self.end(Ending::NothingToFix { why }),
                    _ => self.no_commit(Outcome::NoChange { why }),
                })
            }
            Fact::AttemptFailed { round: r, attempt: a, why, cost } if of_this_attempt(r, a) => {
                self.spent = self.spent + *cost;
                Some(self.try_again_or_give_up(round, attempt, why.clone()))
            }
            Fact::OutOfBudget { why, cost } => {
                self.spent = self.spent + *cost;
                let why = why.clone();
                Some(match round {
                    1 => self.end(Ending::OutOfBudget { why }),
                    _ => self.no_commit(Outcome::OutOfBudget { why }),
                })
            }
            fact => self.asked_meanwhile(fact),
        }
    }

    fn after_checks(
        &mut self,
        round: u32,
        attempt: u32,
        evidence: &Evidence,
    ) -> Option<Vec<Effect>> {
        let base = self.base.as_ref().map(|base| &base.sha);
        if !self.proposes(&evidence.patch) || base != Some(&evidence.base) {
            return None;
        }
        self.evidence = Some(evidence.clone());
        Some(match evidence.verdict() {
            Verdict::Green(_) => {
                self.stage = Stage::Publishing { round };
                vec![Effect::Show, Effect::Publish { round }]
            }
            Verdict::Red => self.try_again_or_give_up(round, attempt, first_failure(evidence)),
            // Another attempt of the model would not mend what could not be run.
            Verdict::Unknown => match round {
                1 => self.end(Ending::Failed { why: first_failure(evidence) }),
                _ => self.no_commit(Outcome::Failed { why: first_failure(evidence) }),
            },
        })
    }

    fn try_again_or_give_up(&mut self, round: u32, attempt: u32, why: String) -> Vec<Effect> {
        if attempt < self.attempts_allowed() {
            self.fix(round, attempt + 1)
        } else if round == 1 {
            self.end(Ending::GaveUp { why })
        } else {
            self.no_commit(Outcome::GaveUp { why })
        }
    }

    fn end(&mut self, ending: Ending) -> Vec<Effect> {
        let merged = matches!(ending, Ending::Merged { .. });
        let people_did_it = merged || matches!(ending, Ending::Closed { .. });
        let may_stand_half_done =
            self.stage.is_ours() && self.stage != Stage::Preparing || self.pull.is_some();
        let mut effects = Vec::new();
        if may_stand_half_done {
            effects.push(if merged { Effect::CleanUp } else { Effect::Undo });
        }
        effects.push(Effect::Show);
        // Whoever asked for something meanwhile is told that it comes too late.
        if !people_did_it || !self.review.asks.is_empty() {
            effects.push(Effect::Announce);
        }
        if self.stage != Stage::Queued {
            effects.push(Effect::StartNext);
        }
        self.review.waiting = None;
        self.stage = Stage::Done(ending);
        effects
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
