//! A second opinion on a green change, where the rules ask for one.
//!
//! Invariants: it comes between a green verdict and publishing, and whatever comes of it, the job
//! goes on to publishing; each change is judged once.

use super::{Job, JobEnding, JobFact, JobStage, JobStep};
use crate::core::judgement::{JudgedPull, PullFate, SecondOpinion};
use crate::core::policy::JudgeMode;

impl Job {
    /// A change that may be published: judged first, where the rules say so.
    pub(super) fn publish(&mut self, round: u32) -> Vec<JobStep> {
        self.doubt = None;
        let asked_for = self.rules().is_some_and(|rules| rules.judge.mode == JudgeMode::Warn);
        let judged = self.change.as_ref().is_some_and(|change| change.opinion.is_some());
        if !asked_for || judged {
            return self.published_next(round);
        }
        self.stage = JobStage::Judging { round };
        vec![JobStep::Show, JobStep::Judge { round }]
    }

    /// What the model says of exactly this change.
    pub(super) fn judged(&mut self, fact: &JobFact) -> Option<Vec<JobStep>> {
        let &JobFact::Judged { round, ref patch, ref opinion, cost } = fact else { return None };
        if self.stage != (JobStage::Judging { round }) {
            return None;
        }
        let change = self.change.as_mut().filter(|change| change.proposal.patch == *patch)?;
        change.opinion = Some(opinion.clone());
        self.spent = self.spent + cost;
        Some(self.published_next(round))
    }

    /// A model that cannot be asked stops nothing.
    pub(super) fn not_judged(&mut self, round: u32, why: &str) -> Vec<JobStep> {
        if let Some(change) = &mut self.change {
            change.opinion = Some(SecondOpinion::Missing(why.to_owned()));
        }
        self.published_next(round)
    }

    fn published_next(&mut self, round: u32) -> Vec<JobStep> {
        self.stage = JobStage::Publishing { round };
        vec![JobStep::Show, JobStep::Publish { round }]
    }

    /// What was said of its pull request, and what became of that. `None`: nobody was asked.
    pub fn judged_pull(&self) -> Option<JudgedPull> {
        let pushed = &self.review.pushed;
        let first = pushed.iter().position(|round| round.warned == Some(true));
        let at = first.or_else(|| pushed.iter().position(|round| round.warned.is_some()))?;
        let changed_since = at + 1 < pushed.len() || self.review.foreign;
        let fate = self.stage.ending().map(|ending| match ending {
            JobEnding::Merged { .. } if !changed_since => PullFate::AsItWas,
            JobEnding::Merged { .. }
            | JobEnding::Closed { .. }
            | JobEnding::Pushed { .. }
            | JobEnding::Suggested
            | JobEnding::Declined(_)
            | JobEnding::NothingToFix { .. }
            | JobEnding::NotReproducible { .. }
            | JobEnding::GaveUp { .. }
            | JobEnding::OutOfBudget { .. }
            | JobEnding::CannotCheck { .. }
            | JobEnding::Cancelled { .. }
            | JobEnding::Withheld { .. }
            | JobEnding::Failed { .. } => PullFate::Otherwise,
        });
        Some(JudgedPull { warned: first.is_some(), fate })
    }
}
