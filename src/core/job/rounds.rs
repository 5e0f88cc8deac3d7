//! How a job goes through publishing, rounds and merging.
//!
//! Invariants: whatever becomes of a round, the pull request stays, people are told, and the job goes
//! back to waiting for them; a change that is held back goes on only by a person's word on that very
//! change.

use super::{Ending, Fact, HeadProof, Job, Outcome, PushedRound, Stage, Step, Waiting};
use crate::core::id::Sha;

/// So many characters of a model's words are kept of each round.
const LONGEST_KEPT: usize = 1000;

impl Job {
    /// What follows while the change is being pushed.
    pub(super) fn after_publishing(&mut self, round: u32, fact: &Fact) -> Option<Vec<Step>> {
        match fact {
            Fact::Published { pull } => {
                self.review.proof =
                    Some(HeadProof { head: pull.head.clone(), ours: true, failed: None });
                self.pull = Some(pull.clone());
                self.review.held.clear();
                self.review.held_files.clear();
                self.keep_pushed(round);
                if round == 1 {
                    self.review.waiting = Some(Waiting::Review);
                    self.stage = Stage::InReview { round };
                    return Some(vec![Step::Show, Step::Announce, Step::Look]);
                }
                Some(self.answer(round, Outcome::Pushed { head: pull.head.clone() }))
            }
            // A person was faster: begin the round again on top of what they did.
            Fact::HeadMoved { head } if round > 1 => {
                self.pull.as_mut()?.head = head.clone();
                self.review.foreign = true;
                self.review.proof = None;
                self.stage = Stage::Starting { round };
                Some(vec![Step::Show, Step::Start { round }])
            }
            Fact::Held { patch, risks, files, diff } if self.proposes(patch) => {
                self.review.risks.clone_from(risks);
                self.review.held_files.clone_from(files);
                self.review.held.clone_from(diff);
                self.stage = Stage::Holding { round };
                Some(vec![Step::Show, Step::Announce])
            }
            Fact::TurnCame
            | Fact::Prepared { .. }
            | Fact::Declined(_)
            | Fact::Proposed { .. }
            | Fact::NothingToFix { .. }
            | Fact::AttemptFailed { .. }
            | Fact::Verified(_)
            | Fact::HeadMoved { .. }
            | Fact::Held { .. }
            | Fact::Go { .. }
            | Fact::Seen(_)
            | Fact::Asked(_)
            | Fact::Taken(_)
            | Fact::RoundReady { .. }
            | Fact::RoundRefused { .. }
            | Fact::Answered { .. }
            | Fact::HeadChecked { .. }
            | Fact::Merged { .. }
            | Fact::NotMerged { .. }
            | Fact::Closed { .. }
            | Fact::Cancelled { .. }
            | Fact::OutOfBudget { .. }
            | Fact::Broke { .. } => self.asked_meanwhile(fact),
        }
    }

    fn keep_pushed(&mut self, round: u32) {
        let Some(proposal) = &self.proposal else { return };
        let summary = proposal.summary.chars().take(LONGEST_KEPT).collect();
        self.review.pushed.push(PushedRound { round, size: proposal.size, summary });
    }

    /// What follows in the stages that people or GitHub move.
    pub(super) fn reviewed(&mut self, stage: &Stage, fact: &Fact) -> Option<Vec<Step>> {
        match (stage, fact) {
            (&Stage::InReview { round }, Fact::Seen(pull)) => self.seen(round, pull),
            (Stage::InReview { .. }, Fact::HeadChecked { head, failed }) => {
                self.head_checked(head, failed.clone())
            }
            (
                &Stage::Starting { round },
                Fact::RoundReady { round: r, base, task, threads, budget },
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
            (&Stage::Starting { round }, Fact::RoundRefused { round: r, why }) if *r == round => {
                Some(self.no_commit(Outcome::Refused(why.clone())))
            }
            (&Stage::Answering { round }, Fact::Answered { round: r }) if *r == round => {
                Some(self.answered(round))
            }
            (Stage::Merging { .. }, Fact::Merged { by }) => {
                Some(self.end(Ending::Merged { by: by.clone() }))
            }
            (Stage::Merging { .. }, Fact::Seen(pull)) => self.seen_while_merging(pull),
            (Stage::Merging { .. }, Fact::NotMerged { why }) => Some(self.not_merged(why)),
            (Stage::InReview { .. }, Fact::Asked(_) | Fact::Taken(_)) => {
                self.asked_meanwhile(fact)?;
                Some(vec![Step::Look])
            }
            (_, fact) => self.asked_meanwhile(fact),
        }
    }

    /// What people ask for while Gander is at work waits for the next round.
    pub(super) fn asked_meanwhile(&mut self, fact: &Fact) -> Option<Vec<Step>> {
        self.pull.as_ref()?;
        match fact {
            Fact::Asked(ask) if !self.review.asks.contains(ask) => {
                self.review.asks.push(ask.clone());
                Some(vec![Step::Show])
            }
            Fact::Taken(taken) if !self.review.taken.contains(taken) => {
                self.review.taken.push(taken.clone());
                Some(vec![Step::Show])
            }
            Fact::TurnCame
            | Fact::Prepared { .. }
            | Fact::Declined(_)
            | Fact::Proposed { .. }
            | Fact::NothingToFix { .. }
            | Fact::AttemptFailed { .. }
            | Fact::Verified(_)
            | Fact::Published { .. }
            | Fact::HeadMoved { .. }
            | Fact::Held { .. }
            | Fact::Go { .. }
            | Fact::Seen(_)
            | Fact::Asked(_)
            | Fact::Taken(_)
            | Fact::RoundReady { .. }
            | Fact::RoundRefused { .. }
            | Fact::Answered { .. }
            | Fact::HeadChecked { .. }
            | Fact::Merged { .. }
            | Fact::NotMerged { .. }
            | Fact::Closed { .. }
            | Fact::Cancelled { .. }
            | Fact::OutOfBudget { .. }
            | Fact::Broke { .. } => None,
        }
    }

    /// `None`: the head is another by now, or this is known of it.
    pub(super) fn head_checked(&mut self, head: &Sha, failed: Option<String>) -> Option<Vec<Step>> {
        let current = self.pull.as_ref().is_some_and(|pull| pull.head == *head);
        let known = self.review.proof.as_ref().is_some_and(|proof| proof.head == *head);
        if !current || known {
            return None;
        }
        self.review.proof = Some(HeadProof { head: head.clone(), ours: false, failed });
        Some(vec![Step::Look])
    }

    /// The round ends without a commit.
    pub(super) fn no_commit(&mut self, outcome: Outcome) -> Vec<Step> {
        match self.stage.round() {
            Some(round) => self.answer(round, outcome),
            None => Vec::new(),
        }
    }

    fn answer(&mut self, round: u32, outcome: Outcome) -> Vec<Step> {
        if let Some(now) = &mut self.review.round {
            now.outcome = Some(outcome);
        }
        self.stage = Stage::Answering { round };
        vec![Step::Show, Step::Answer { round }]
    }

    pub(super) fn answered(&mut self, round: u32) -> Vec<Step> {
        let pushed = self
            .review
            .round
            .as_ref()
            .is_some_and(|round| matches!(round.outcome, Some(Outcome::Pushed { .. })));
        self.review.waiting =
            Some(if pushed { Waiting::Review } else { Waiting::RoundFailed { round } });
        self.stage = Stage::InReview { round };
        vec![Step::Show, Step::Announce, Step::Look]
    }

    pub(super) fn not_merged(&mut self, why: &str) -> Vec<Step> {
        let Stage::Merging { round, head } = self.stage.clone() else { return Vec::new() };
        let blocked = Waiting::Blocked { head, why: why.to_owned() };
        self.review.waiting = Some(blocked);
        self.review.approved_by.clear();
        self.stage = Stage::InReview { round };
        vec![Step::Show, Step::Explain, Step::Look]
    }
}
