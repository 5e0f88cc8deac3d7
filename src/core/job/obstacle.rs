//! What GitHub's settings have to say against merging, before anybody asks for it.
//!
//! Invariants: an obstacle is what no approval mends. It is judged anew at each look, so mending
//! the setting is enough; what GitHub does not show is in nobody's way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::core::policy::MergeMethod;

/// On what terms GitHub merges a pull request, as far as it says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MergeTerms {
    pub draft: bool,
    /// Whether its base only takes in what went through a merge queue.
    pub queue: bool,
    /// The ways to merge that repository and branch allow. `None`: GitHub does not say.
    pub methods: Option<BTreeSet<MergeMethod>>,
    /// Whether GitHub wants the base's newest commit in it first.
    pub behind: bool,
    /// What the branch's rules ask for beside checks and approvals, each with what to do. GitHub
    /// alone knows whether it is met.
    pub asks: Vec<String>,
}

/// What keeps a pull request from being merged, approved or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Obstacle {
    Draft,
    MergeQueue,
    /// The way to merge that the rules name is not allowed.
    Method {
        method: MergeMethod,
        allowed: Vec<MergeMethod>,
    },
    /// The base has to be merged into it first.
    Behind,
}

impl MergeTerms {
    /// What keeps it from being merged this way.
    pub fn obstacle(&self, method: MergeMethod) -> Option<Obstacle> {
        if self.draft {
            return Some(Obstacle::Draft);
        }
        if self.queue {
            return Some(Obstacle::MergeQueue);
        }
        if let Some(allowed) = self.methods.as_ref().filter(|allowed| !allowed.contains(&method)) {
            let allowed = allowed.iter().copied().collect();
            return Some(Obstacle::Method { method, allowed });
        }
        self.behind.then_some(Obstacle::Behind)
    }
}
