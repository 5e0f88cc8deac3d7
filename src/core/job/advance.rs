//! What a job does next: its first round, and where later rounds begin.

use super::{Job, JobEnding, JobFact, JobStage, JobStep, RoundOutcome};
use crate::core::evidence::{Evidence, Verdict};
use crate::core::id::JobId;
use crate::core::machine::Machine;

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
}

fn first_failure(evidence: &Evidence) -> String {
    match evidence.failures().next() {
        Some((name, why)) => format!("{name}: {why}"),
        None => "no check could be run".to_owned(),
    }
}
