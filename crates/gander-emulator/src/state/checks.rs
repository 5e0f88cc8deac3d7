//! Check suites, check runs and commit statuses.
//!
//! Invariants: each run of a workflow has a suite of its own, and whatever else an App reports on a
//! commit shares one; a newer run of a name replaces the older one of its suite, and no other.

use serde_json::Value;

use super::Repository;

#[derive(Clone)]
pub(crate) struct CheckSuite {
    pub(crate) id: u64,
    pub(crate) app: u64,
    pub(crate) head_sha: String,
    pub(crate) head_branch: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Clone)]
pub(crate) struct CheckRun {
    pub(crate) id: u64,
    pub(crate) suite: u64,
    pub(crate) app: u64,
    pub(crate) head_sha: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) actions: Vec<Value>,
    pub(crate) started_at: i64,
    pub(crate) completed_at: Option<i64>,
}

#[derive(Clone)]
pub(crate) struct Status {
    pub(crate) id: u64,
    pub(crate) sha: String,
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    pub(crate) creator: u64,
    /// The App that posted it, when it was one.
    pub(crate) app: Option<u64>,
    pub(crate) at: i64,
}

impl Repository {
    /// The check runs of a suite that no newer one of the suite replaces, oldest first.
    pub(crate) fn latest_in_suite(&self, suite: u64) -> Vec<&CheckRun> {
        self.check_runs.iter().filter(|run| run.suite == suite && self.is_latest(run)).collect()
    }

    /// The check runs on a commit that no newer one of their suite replaces, oldest first.
    pub(crate) fn latest_on(&self, sha: &str) -> Vec<&CheckRun> {
        self.check_runs.iter().filter(|run| run.head_sha == sha && self.is_latest(run)).collect()
    }

    /// Whether no newer run of this name is in its suite.
    pub(crate) fn is_latest(&self, run: &CheckRun) -> bool {
        let newer = |other: &CheckRun| {
            other.suite == run.suite && other.name == run.name && other.id > run.id
        };
        !self.check_runs.iter().any(newer)
    }
}
