//! What people ask for and say while Gander is at work.
//!
//! Invariants: each attempt of a round is given all notes of that round, in order; what comes too
//! late for the change that was handed in is what the next round is about, so that no note is lost.

use super::{Job, JobStage, JobStep, ReviseRequest, TakenReviews};

/// So many notes a round takes.
pub const MOST_NOTES: usize = 30;

impl Job {
    /// Whether the agent is at work on it, or will be without anybody asking for more.
    pub fn takes_notes(&self) -> bool {
        match self.stage {
            JobStage::Queued
            | JobStage::Preparing
            | JobStage::Planning { .. }
            | JobStage::PlanReady { .. }
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Judging { .. }
            | JobStage::Publishing { .. }
            | JobStage::Holding { .. }
            | JobStage::Starting { .. } => true,
            JobStage::InReview { .. }
            | JobStage::Answering { .. }
            | JobStage::Merging { .. }
            | JobStage::Done(_) => false,
        }
    }

    /// What people ask for while Gander is at work waits for the next round.
    pub(super) fn asked(&mut self, request: &ReviseRequest) -> Option<Vec<JobStep>> {
        if self.review.asks.contains(request) {
            return None;
        }
        self.review.asks.push(request.clone());
        self.asked_of_pull()
    }

    /// As for [`Self::asked`], when a maintainer takes up somebody's reviews.
    pub(super) fn taken(&mut self, reviews: &TakenReviews) -> Option<Vec<JobStep>> {
        if self.review.taken.contains(reviews) {
            return None;
        }
        self.review.taken.push(reviews.clone());
        self.asked_of_pull()
    }

    fn asked_of_pull(&self) -> Option<Vec<JobStep>> {
        self.pull.as_ref()?;
        Some(vec![if self.stage.is_in_review() { JobStep::Look } else { JobStep::Show }])
    }

    /// Where nothing is at work, a note is a request for one more round.
    pub(super) fn noted(&mut self, note: &ReviseRequest) -> Option<Vec<JobStep>> {
        if !self.takes_notes() {
            return self.asked(note);
        }
        if self.notes.contains(note) || self.notes.len() >= MOST_NOTES {
            return None;
        }
        self.notes.push(note.clone());
        Some(vec![JobStep::Show])
    }

    /// The round is over: what the agent was not given asks for the next one.
    pub(super) fn late_notes_ask(&mut self) {
        let read = self.notes_read.min(self.notes.len());
        let late = self.notes.split_off(read);
        self.notes.clear();
        self.notes_read = 0;
        self.review.asks.extend(late);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{JobFact, RoundOutcome, advance};
    use super::*;
    use crate::core::id::{CommentId, UserId};

    fn note(id: u64) -> ReviseRequest {
        let (login, words) = ("mona".parse().unwrap(), format!("note {id}"));
        ReviseRequest { by_id: UserId(2), login, words, comment_id: Some(CommentId(id)) }
    }

    #[test]
    fn what_the_agent_was_not_given_asks_for_the_next_round() {
        let mut job = super::super::tests::new_job();
        job.stage = JobStage::Verifying { round: 1, attempt: 1 };
        for id in 1..=3 {
            job = advance(&job, &JobFact::Noted(note(id))).unwrap().0;
        }
        assert!(advance(&job, &JobFact::Noted(note(3))).is_none(), "told twice");
        job.notes_read = 2;
        job.no_commit(RoundOutcome::Failed { why: String::new() });
        assert_eq!(job.review.asks, [note(3)]);
        assert!(job.notes.is_empty());
    }
}
