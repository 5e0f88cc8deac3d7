//! How a job goes through publishing, rounds and merging.
//!
//! Invariants: whatever becomes of a round, the pull request stays, people are told, and the job goes
//! back to waiting for them; a change that is held back goes on only by a person's word on that very
//! change.

use super::{
    HeadProof, Job, JobEnding, JobFact, JobStage, JobStep, PushedRound, RoundOutcome, WaitingFor,
};
use crate::core::id::Sha;

/// So many characters of a model's words are kept of each round.
const LONGEST_KEPT: usize = 1000;

impl Job {
    /// What follows while the change is being pushed.
    pub(super) fn after_publishing(&mut self, round: u32, fact: &JobFact) -> Option<Vec<JobStep>> {
        match fact {
            JobFact::Published { pull } => {
                self.review.proof =
                    Some(HeadProof { head: pull.head.clone(), ours: true, failed: None });
                self.pull = Some(pull.clone());
                self.review.held.clear();
                self.review.held_files.clear();
                self.keep_pushed(round);
                if round == 1 {
                    self.review.waiting = Some(WaitingFor::Review);
                    self.stage = JobStage::InReview { round };
                    return Some(vec![JobStep::Show, JobStep::Announce, JobStep::Look]);
                }
                Some(self.answer(round, RoundOutcome::Pushed { head: pull.head.clone() }))
            }
            // A person was faster: begin the round again on top of what they did.
            JobFact::HeadMoved { head } if round > 1 => {
                self.pull.as_mut()?.head = head.clone();
                self.review.foreign = true;
                self.review.proof = None;
                self.stage = JobStage::Starting { round };
                Some(vec![JobStep::Show, JobStep::Start { round }])
            }
            JobFact::Held { patch, risks, files, diff } if self.proposes(patch) => {
                self.review.risks.clone_from(risks);
                self.review.held_files.clone_from(files);
                self.review.held.clone_from(diff);
                self.stage = JobStage::Holding { round };
                Some(vec![JobStep::Show, JobStep::Announce])
            }
            JobFact::TurnCame
            | JobFact::Prepared { .. }
            | JobFact::Declined(_)
            | JobFact::Proposed { .. }
            | JobFact::NothingToFix { .. }
            | JobFact::AttemptFailed { .. }
            | JobFact::Verified(_)
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
            | JobFact::OutOfBudget { .. }
            | JobFact::Broke { .. } => self.asked_meanwhile(fact),
        }
    }

    fn keep_pushed(&mut self, round: u32) {
        let Some(proposal) = &self.proposal else { return };
        let summary = proposal.summary.chars().take(LONGEST_KEPT).collect();
        self.review.pushed.push(PushedRound { round, size: proposal.size, summary });
    }

    /// What follows in the stages that people or GitHub move.
    pub(super) fn reviewed(&mut self, stage: &JobStage, fact: &JobFact) -> Option<Vec<JobStep>> {
        match (stage, fact) {
            (&JobStage::InReview { round }, JobFact::Seen(pull)) => self.seen(round, pull),
            (JobStage::InReview { .. }, JobFact::HeadChecked { head, failed }) => {
                self.head_checked(head, failed.clone())
            }
            (
                &JobStage::Starting { round },
                JobFact::RoundReady { round: r, base, task, threads, budget },
            ) if *r == round => {
                let now = self.review.round.as_mut()?;
                now.from = Some(base.sha.clone());
                now.task.clone_from(task);
                now.threads.clone_from(threads);
                now.outcome = None;
                let pull = self.pull.as_mut()?;
                self.review.foreign |= pull.head != base.sha;
                pull.head = base.sha.clone();
                self.base = Some(base.clone());
                self.budget = *budget;
                self.proposal = None;
                self.evidence = None;
                Some(self.fix(round, 1))
            }
            (&JobStage::Starting { round }, JobFact::RoundRefused { round: r, why })
                if *r == round =>
            {
                Some(self.no_commit(RoundOutcome::Refused(why.clone())))
            }
            (&JobStage::Answering { round }, JobFact::Answered { round: r }) if *r == round => {
                Some(self.answered(round))
            }
            (JobStage::Merging { .. }, JobFact::Merged { by }) => {
                Some(self.end(JobEnding::Merged { by: by.clone() }))
            }
            (JobStage::Merging { .. }, JobFact::Seen(pull)) => self.seen_while_merging(pull),
            (JobStage::Merging { .. }, JobFact::NotMerged { why }) => Some(self.not_merged(why)),
            (JobStage::InReview { .. }, JobFact::Asked(_) | JobFact::Taken(_)) => {
                self.asked_meanwhile(fact)?;
                Some(vec![JobStep::Look])
            }
            (_, fact) => self.asked_meanwhile(fact),
        }
    }

    /// What people ask for while Gander is at work waits for the next round.
    pub(super) fn asked_meanwhile(&mut self, fact: &JobFact) -> Option<Vec<JobStep>> {
        self.pull.as_ref()?;
        match fact {
            JobFact::Asked(ask) if !self.review.asks.contains(ask) => {
                self.review.asks.push(ask.clone());
                Some(vec![JobStep::Show])
            }
            JobFact::Taken(taken) if !self.review.taken.contains(taken) => {
                self.review.taken.push(taken.clone());
                Some(vec![JobStep::Show])
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
            | JobFact::OutOfBudget { .. }
            | JobFact::Broke { .. } => None,
        }
    }

    /// `None`: the head is another by now, or this is known of it.
    pub(super) fn head_checked(
        &mut self,
        head: &Sha,
        failed: Option<String>,
    ) -> Option<Vec<JobStep>> {
        let current = self.pull.as_ref().is_some_and(|pull| pull.head == *head);
        let known = self.review.proof.as_ref().is_some_and(|proof| proof.head == *head);
        if !current || known {
            return None;
        }
        self.review.proof = Some(HeadProof { head: head.clone(), ours: false, failed });
        Some(vec![JobStep::Look])
    }

    /// The round ends without a commit.
    pub(super) fn no_commit(&mut self, outcome: RoundOutcome) -> Vec<JobStep> {
        match self.stage.round() {
            Some(round) => self.answer(round, outcome),
            None => Vec::new(),
        }
    }

    fn answer(&mut self, round: u32, outcome: RoundOutcome) -> Vec<JobStep> {
        if let Some(now) = &mut self.review.round {
            now.outcome = Some(outcome);
        }
        self.stage = JobStage::Answering { round };
        vec![JobStep::Show, JobStep::Answer { round }]
    }

    pub(super) fn answered(&mut self, round: u32) -> Vec<JobStep> {
        let pushed = self
            .review
            .round
            .as_ref()
            .is_some_and(|round| matches!(round.outcome, Some(RoundOutcome::Pushed { .. })));
        self.review.waiting =
            Some(if pushed { WaitingFor::Review } else { WaitingFor::RoundFailed { round } });
        self.stage = JobStage::InReview { round };
        vec![JobStep::Show, JobStep::Announce, JobStep::Look]
    }

    pub(super) fn not_merged(&mut self, why: &str) -> Vec<JobStep> {
        let JobStage::Merging { round, head } = self.stage.clone() else { return Vec::new() };
        let blocked = WaitingFor::Blocked { head, why: why.to_owned() };
        self.review.waiting = Some(blocked);
        self.review.approved_by.clear();
        self.stage = JobStage::InReview { round };
        vec![JobStep::Show, JobStep::Explain, JobStep::Look]
    }
}
