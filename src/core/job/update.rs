//! The base branch is merged into the pull request.
//!
//! Invariants: what is pushed is a merge of the very head and the very base that were read, and its
//! change is known and verified on that base; nothing that the base brought is lost where nobody
//! contested it (`worker/update.rs`).

use serde::{Deserialize, Serialize};

use super::{Cause, Job, JobFact, JobStage, JobStep, OpenPull, ReviseRequest, UnfinishedAttempt};
use crate::core::id::Sha;
use crate::core::patch::PatchDigest;
use crate::core::policy::UpdateOn;

/// A merge of the base into the pull request, before anybody has touched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The head that the base is merged into.
    pub head: Sha,
    /// The best commit that both come from.
    pub origin: Sha,
    /// The whole pull request as a change on the new base; files in conflict hold both sides.
    pub merged: PatchDigest,
    /// The paths in conflict.
    pub conflicts: Vec<String>,
    /// What each side did to them, for the agent.
    pub task: String,
}

/// Why a base cannot be merged in, or need not be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoUpdate {
    /// The pull request holds the base already.
    UpToDate,
    /// The two share no commit.
    Unrelated,
    /// Directories that were renamed are in conflict.
    Directories,
    /// Its base holds the whole change already.
    NothingLeft,
    /// The branch holds what Gander may not write, as people may: which rule says so.
    ByPeople(String),
    /// So many links or submodules are changed, which Gander does not write.
    Links(usize),
}

impl Job {
    /// The merge that the present round makes.
    pub fn update(&self) -> Option<&Update> {
        let round = self.review.round.as_ref().filter(|_| self.stage.round() > Some(1))?;
        round.update.as_ref()
    }

    pub(super) fn update_asked(&mut self, ask: &ReviseRequest) -> Option<Vec<JobStep>> {
        self.pull.as_ref()?;
        if self.review.update.as_ref() == Some(ask) {
            return None;
        }
        self.review.update = Some(ask.clone());
        Some(vec![if self.stage.is_in_review() { JobStep::Look } else { JobStep::Show }])
    }

    /// Whether the base is to be merged in now. By itself it is tried once on each head.
    pub(super) fn update_due(&self, seen: &OpenPull) -> Option<Cause> {
        let rules = self.rules()?;
        if self.review.update.is_some() {
            return Some(Cause::Update { asked: true });
        }
        let may = rules.update.on == UpdateOn::Conflict
            && self.review.updates < rules.limits.rounds
            && self.review.update_tried.as_ref() != Some(&seen.head);
        (may && seen.mergeable == Some(false)).then_some(Cause::Update { asked: false })
    }

    /// The merge stands. Without a conflict it only has to be checked.
    pub(super) fn update_ready(&mut self, fact: &JobFact) -> Option<Vec<JobStep>> {
        let &JobFact::UpdateReady { round, ref base, ref update, budget } = fact else {
            return None;
        };
        self.only_at(&JobStage::Starting { round })?;
        let pull = self.pull.as_mut()?;
        self.review.foreign |= pull.head != update.head;
        pull.head = update.head.clone();
        let now = self.review.round.as_mut()?;
        now.from = Some(update.head.clone());
        now.update = Some(Update::clone(update));
        now.outcome = None;
        let prepared = self.prepared.as_mut()?;
        prepared.base = base.clone();
        prepared.budget = budget;
        (self.change, self.doubt) = (None, None);
        let (why, patch) = (String::new(), Some(update.merged.clone()));
        self.unfinished = Some(UnfinishedAttempt { why, patch });
        Some(self.fix(round, 1))
    }
}
