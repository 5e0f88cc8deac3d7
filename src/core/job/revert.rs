//! A merged pull request is taken back by another one.
//!
//! Invariants: what is taken back is what that pull request brought to its branch and nothing else,
//! as git's own merge has it; the first attempt is that change as it is, made by nobody who reads.

use serde::{Deserialize, Serialize};

use super::{Job, UnfinishedAttempt};
use crate::core::id::{Branch, Sha};
use crate::core::patch::PatchDigest;

/// What is taken back, before anybody has touched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// The commit that the pull request was merged as, the last one of several.
    pub commit: Sha,
    /// The reverse patch, as a change on the base.
    pub patch: PatchDigest,
}

/// Why a pull request cannot be taken back so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NoRevert {
    /// It is open, or was closed without being merged.
    NotMerged,
    /// What it was merged as is not on the branch.
    NotOnBranch { branch: Branch },
    /// These changed since.
    Conflicts { paths: Vec<String> },
    /// It has several commits, and GitHub does not say which on the branch they became.
    Unclear,
    /// Nothing of it is left.
    NothingLeft,
    /// It brought what Gander may not write: which rule says so.
    ByPeople(String),
    /// So many links or submodules, which Gander does not write.
    Links(usize),
}

impl Job {
    /// What the job takes back.
    pub fn reverts(&self) -> Option<&Reverted> {
        self.prepared.as_ref()?.reverts.as_deref()
    }

    /// Whether the change is the reverse patch as git makes it, so that no model wrote any of it.
    pub fn is_as_git_made_it(&self) -> bool {
        self.reverts().zip(self.proposal()).is_some_and(|(it, proposal)| it.patch == proposal.patch)
    }

    /// The first attempt begins with the reverse patch.
    pub(super) fn begin_with_reverse_patch(&mut self) {
        let patch = self.reverts().map(|it| it.patch.clone());
        let why = String::new();
        self.unfinished = patch.map(|patch| UnfinishedAttempt { why, patch: Some(patch) });
    }
}
