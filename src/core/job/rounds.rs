//! How a job goes through publishing, rounds and merging.
//!
//! Invariants: whatever becomes of a round, the pull request stays, people are told, and the job
//! goes back to waiting for them; a change that is held back goes on only by a person's word on
//! that very change.

use serde::{Deserialize, Serialize};

use super::{
    Base, Declined, HeadProof, Job, JobEnding, JobFact, JobStage, JobStep, NoUpdate, RoundOutcome,
    Thread, WaitingFor,
};
use crate::core::budget::Money;
use crate::core::github::PullRef;
use crate::core::id::Sha;
use crate::core::judgement::Judgement;
use crate::core::patch::PatchDigest;
use crate::core::proof::Proof;

/// So many characters of a model's words are kept of each round.
const LONGEST_KEPT: usize = 1000;

/// What a round pushed, for the text of the pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PushedRound {
    pub round: u32,
    /// Files changed, lines added, lines removed.
    pub size: (u32, u32, u32),
    /// The model's words about it, shortened.
    pub summary: String,
    /// What was shown of it beyond green checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The change, and the commit that it was made on. Rows of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<(Sha, PatchDigest)>,
    /// Whether it merged the base in: its change is the whole pull request, on the new base.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merges_base: bool,
    /// Whether a second opinion warned of it. `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned: Option<bool>,
}

impl Job {
    pub(super) fn published(&mut self, pull: &PullRef) -> Option<Vec<JobStep>> {
        let JobStage::Publishing { round } = self.stage else { return None };
        if self.order.on_pull {
            return Some(self.end(JobEnding::Pushed { head: pull.head.clone() }));
        }
        self.review.proof = Some(HeadProof { head: pull.head.clone(), ours: true, failed: None });
        self.pull = Some(pull.clone());
        self.review.held.clear();
        self.review.held_files.clear();
        self.keep_pushed(round);
        self.late_notes_ask();
        if round == 1 {
            self.review.waiting = Some(WaitingFor::Review);
            self.stage = JobStage::InReview { round };
            return Some(vec![JobStep::Show, JobStep::Announce, JobStep::Look]);
        }
        Some(self.answer(round, RoundOutcome::Pushed { head: pull.head.clone() }))
    }

    /// A person was faster: the round begins again on top of what they did.
    pub(super) fn head_moved(&mut self, head: &Sha) -> Option<Vec<JobStep>> {
        if self.order.on_pull {
            return self.others_pull_moved();
        }
        let JobStage::Publishing { round: round @ 2.. } = self.stage else { return None };
        self.pull.as_mut()?.head = head.clone();
        self.review.foreign = true;
        self.review.proof = None;
        self.stage = JobStage::Starting { round };
        Some(vec![JobStep::Show, JobStep::Start { round }])
    }

    pub(super) fn held(&mut self, fact: &JobFact) -> Option<Vec<JobStep>> {
        let JobFact::Held { patch, risks, touches, files, diff } = fact else { return None };
        let JobStage::Publishing { round } = self.stage else { return None };
        if !self.proposes(patch) {
            return None;
        }
        self.review.risks.clone_from(risks);
        self.review.touches.clone_from(touches);
        self.review.held_files.clone_from(files);
        diff.clone_into(&mut self.review.held);
        self.stage = JobStage::Holding { round };
        Some(vec![JobStep::Show, JobStep::Announce])
    }

    /// A person lets out the change that is held back, and no other.
    pub(super) fn let_out(&mut self, patch: &PatchDigest) -> Option<Vec<JobStep>> {
        let JobStage::Holding { round } = self.stage else { return None };
        if !self.proposes(patch) {
            return None;
        }
        self.review.go = Some(patch.clone());
        self.review.allowed.append(&mut self.review.touches);
        self.stage = JobStage::Publishing { round };
        Some(vec![JobStep::Show, JobStep::Publish { round }])
    }

    fn keep_pushed(&mut self, round: u32) {
        let Some(proposal) = self.proposal() else { return };
        let summary = proposal.summary.chars().take(LONGEST_KEPT).collect();
        let size = proposal.size;
        let proof = self.evidence().and_then(|evidence| evidence.proof.clone());
        let patch = self.base().map(|base| (base.sha.clone(), proposal.patch.clone()));
        let opinion = self.change.as_ref().and_then(|change| change.opinion.as_ref()?.given());
        let warned = opinion.map(Judgement::warns);
        let merges_base = self.update().is_some();
        let changed = proposal.reading.iter().map(|file| file.path.clone());
        let changed: Vec<String> = changed.collect();
        self.planning.changed.extend(changed);
        self.review.pushed.push(PushedRound {
            round,
            size,
            summary,
            proof,
            patch,
            merges_base,
            warned,
        });
    }

    /// Where the pull request begins, and what was pushed since, if all of that is Gander's.
    pub fn pushed_since(&self) -> Option<(&Sha, Vec<&PatchDigest>)> {
        if self.review.foreign {
            return None;
        }
        let pushed = &self.review.pushed;
        let begins = pushed.iter().rposition(|round| round.merges_base).unwrap_or(0);
        let pushed = pushed[begins..].iter().map(|round| round.patch.as_ref());
        let pushed = pushed.collect::<Option<Vec<_>>>()?;
        let (begins_at, _) = pushed.first()?;
        Some((begins_at, pushed.iter().map(|(_, patch)| patch).collect()))
    }

    pub(super) fn round_ready(
        &mut self,
        round: u32,
        base: &Base,
        (task, threads): (&str, &[Thread]),
        budget: Money,
    ) -> Option<Vec<JobStep>> {
        self.only_at(&JobStage::Starting { round })?;
        self.review.round.as_mut()?.begins_with(base, task, threads);
        let pull = self.pull.as_mut()?;
        self.review.foreign |= pull.head != base.sha;
        pull.head = base.sha.clone();
        let prepared = self.prepared.as_mut()?;
        prepared.base = base.clone();
        prepared.budget = budget;
        (self.change, self.unfinished, self.doubt) = (None, None, None);
        Some(self.fix(round, 1))
    }

    /// `None`: the head is another by now, or this is known of it.
    pub(super) fn head_checked(
        &mut self,
        head: &Sha,
        failed: Option<String>,
    ) -> Option<Vec<JobStep>> {
        let current =
            self.stage.is_in_review() && self.pull.as_ref().is_some_and(|pull| pull.head == *head);
        let known = self.review.proof.as_ref().is_some_and(|proof| proof.head == *head);
        if !current || known {
            return None;
        }
        self.review.proof = Some(HeadProof { head: head.clone(), ours: false, failed });
        Some(vec![JobStep::Look])
    }

    /// The round ends without a commit.
    pub(super) fn no_commit(&mut self, outcome: RoundOutcome) -> Vec<JobStep> {
        self.late_notes_ask();
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
        let outcome = self.review.round.as_ref().and_then(|round| round.outcome.as_ref());
        let well = matches!(
            outcome,
            Some(
                RoundOutcome::Pushed { .. }
                    | RoundOutcome::Refused(Declined::Update(NoUpdate::UpToDate))
            )
        );
        self.review.waiting =
            Some(if well { WaitingFor::Review } else { WaitingFor::RoundFailed { round } });
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
