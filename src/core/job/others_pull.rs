//! A pull request that Gander did not open: it gets one commit, or a patch to take, and no more.
//!
//! Invariants: what a person's branch holds is never overwritten; the job ends with what it pushed
//! or showed, and never merges, closes or follows that pull request; from a fork nothing counts but
//! its files.

use serde::{Deserialize, Serialize};

use super::{Job, JobEnding, JobFact, JobStage, JobStep};
use crate::core::id::{Branch, Sha};

/// A pull request that Gander did not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OthersPull {
    /// The branch that it comes from.
    pub branch: Branch,
    /// The commit of the branch that it goes into.
    pub target: Sha,
    /// The repository that it comes from, if that is another.
    pub fork: Option<String>,
    /// What it changes and what is red on it, for the agent.
    pub about: String,
}

/// What of a change is suggested on lines of the pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnLines {
    /// How many suggestions there are.
    pub count: u32,
    /// Whether there is more to the change.
    pub partial: bool,
}

impl Job {
    /// The pull request of others that it is about, once prepared.
    pub fn others_pull(&self) -> Option<&OthersPull> {
        self.prepared.as_ref()?.others_pull.as_deref()
    }

    /// Somebody pushed meanwhile: what the pull request is about is read again, and the change is
    /// tried on that.
    pub(super) fn others_pull_moved(&mut self) -> Option<Vec<JobStep>> {
        self.others_pull()?;
        self.only_at(&JobStage::Publishing { round: 1 })?;
        Some(self.prepare())
    }

    /// It comes from a fork: the change is shown, for its author to take.
    pub(super) fn suggested(&mut self, fact: &JobFact) -> Option<Vec<JobStep>> {
        let JobFact::Suggested { patch, files, diff, on_lines } = fact else { return None };
        self.only_at(&JobStage::Publishing { round: 1 })?;
        if !self.proposes(patch) {
            return None;
        }
        self.review.held_files.clone_from(files);
        diff.clone_into(&mut self.review.held);
        self.review.on_lines = *on_lines;
        Some(self.end(JobEnding::Suggested))
    }
}
