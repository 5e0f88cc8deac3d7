//! Which round comes next, and how it begins.
//!
//! Invariants: everything people ask for at once is one round; a red check is repaired only while
//! nobody asks for anything; each request is taken up once.

use super::{
    Cause, ChangeRequest, Ci, Job, JobStage, JobStep, OpenPull, RedBecause, Round, TakenReviews,
};
use crate::core::github::Role;
use crate::core::id::{Login, UserId};

impl Job {
    /// Whose permission a request for changes counts with: its author's, or whoever took it up.
    pub(super) fn takes(&self, request: &ChangeRequest) -> Option<(UserId, Login)> {
        if request.by.person && request.role >= Role::Write {
            return Some((request.by.id, request.by.login.clone()));
        }
        let taken = |it: &&TakenReviews| it.login == request.by.login && request.at <= it.until;
        self.review.taken.iter().find(taken).map(|it| (it.by_id, it.by_login.clone()))
    }

    /// The round that is due, if any: everything people ask for at once, else a repair.
    pub(super) fn next_round(&self, seen: &OpenPull, repairs: u32) -> Option<Round> {
        let open = seen.requests.iter().filter(|it| !self.review.answered.contains(&it.review_id));
        let batch: Vec<_> = open.filter_map(|it| Some((it, self.takes(it)?))).collect();
        let by_command = self.review.asks.first().map(|ask| (ask.by_id, ask.login.clone()));
        let by_review = batch.first().map(|(_, by)| by.clone());
        let new = |cause, (by, login): (UserId, Login)| Round {
            cause,
            by_id: by,
            login,
            reviews: batch.iter().map(|(it, _)| it.review_id).collect(),
            reviewers: batch.iter().map(|(it, _)| it.by.login.clone()).collect(),
            words: self.review.asks.iter().map(|ask| ask.words.clone()).collect(),
            from: None,
            threads: Vec::new(),
            update: None,
            task: String::new(),
            outcome: None,
        };
        if let Some(cause) = self.update_due(seen) {
            let asked = self.review.update.as_ref().map(|ask| (ask.by_id, ask.login.clone()));
            let by = asked.unwrap_or_else(|| (self.order.by_id, self.order.login.clone()));
            let none = (Vec::new(), Vec::new(), Vec::new());
            let (reviews, reviewers, words) = none;
            return Some(Round { reviews, reviewers, words, ..new(cause, by) });
        }
        if let Some(by) = by_command.or(by_review) {
            return Some(new(Cause::People, by));
        }
        let ours = self.review.proof.as_ref().is_some_and(|it| it.ours && it.head == seen.head);
        match &seen.ci {
            Ci::Red {
                check,
                because: because @ (RedBecause::Change | RedBecause::Touched),
                ..
            } if ours && self.review.repairs < repairs => {
                let by = (self.order.by_id, self.order.login.clone());
                let green_on_base = *because == RedBecause::Change;
                Some(new(Cause::Ci { check: check.clone(), green_on_base }, by))
            }
            Ci::Green | Ci::Pending { .. } | Ci::Missing(_) | Ci::Red { .. } => None,
        }
    }

    pub(super) fn begin_round(&mut self, round: u32, next: Round) -> Vec<JobStep> {
        if matches!(next.cause, Cause::Ci { .. }) {
            self.review.repairs += 1;
        }
        if matches!(next.cause, Cause::Update { .. }) {
            self.review.updates += 1;
            self.review.update = None;
            self.review.update_tried = self.pull.as_ref().map(|pull| pull.head.clone());
        } else {
            self.review.asks.clear();
        }
        self.review.answered.extend(next.reviews.iter().copied());
        self.review.round = Some(next);
        self.review.waiting = None;
        self.stage = JobStage::Starting { round };
        vec![JobStep::Show, JobStep::Start { round }]
    }
}
