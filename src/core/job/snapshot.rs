//! What one look at a pull request shows.
//!
//! Invariants: it is read anew each time and never stored, so nothing in it can be stale; all that
//! is kept is what a merge was last asked for on.

use serde::{Deserialize, Serialize};

use crate::core::approval::{Approval, NotApproved};
use crate::core::github::{Actor, Role};
use crate::core::id::{Branch, Login, Number, ReviewId, Sha, Timestamp};
use crate::core::policy::Rules;

use super::MergeTerms;

/// What one look at a pull request shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullSnapshot {
    /// It is over.
    Ended(PullEnd),
    /// It is open.
    Open(Box<OpenPull>),
}

/// How a pull request ended, and by whose hand, if GitHub says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PullEnd {
    Closed { by: Option<Login> },
    Merged { by: Option<Login> },
}

/// What is known of an open pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OpenPull {
    /// When it was looked at.
    pub at: Timestamp,
    pub head: Sha,
    /// The branch it goes into.
    pub base: Branch,
    /// The rules in force, or what is wrong with them.
    pub rules: Result<Rules, String>,
    /// Names the rules that approvals are bound to.
    pub rules_digest: String,
    /// Standing requests for changes.
    pub requests: Vec<ChangeRequest>,
    /// The checks on the head.
    pub ci: Ci,
    /// Whether somebody consents to this head.
    pub consent: Result<Approval, NotApproved>,
    /// Words said before this did not count for that.
    pub since: Timestamp,
    /// Whether GitHub could merge it: `None` while it does not know.
    pub mergeable: Option<bool>,
    /// Whether GitHub says that nothing stands in the way.
    pub clean: bool,
    /// On what terms GitHub merges it.
    pub terms: MergeTerms,
    /// Whether the label stands on it that keeps Gander away.
    pub skipped: bool,
}

/// A review that asks for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ChangeRequest {
    pub review_id: ReviewId,
    pub by: Actor,
    pub role: Role,
    pub at: Timestamp,
    pub points: u32,
}

/// The checks that must be green, on the head.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ci {
    Green,
    Pending {
        names: Vec<String>,
    },
    /// Nothing runs any more, and required checks are missing.
    Missing(MissingChecks),
    Red {
        check: String,
        /// Where GitHub shows it.
        page: Option<String>,
        because: RedBecause,
    },
}

/// Required checks that may never come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MissingChecks {
    /// They were skipped, or are neutral: no evidence.
    pub not_run: Vec<String>,
    /// Nobody has reported them for long.
    pub silent: Vec<String>,
}

/// Whose fault a red check seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RedBecause {
    /// Green on the base.
    Change,
    /// It never ran on the base, and points at what this change touched.
    Touched,
    /// It never ran on the base: nobody knows whether this change caused it.
    NeverOnBase,
    AlsoOnBase,
    /// Red on so many other pull requests that it is broken for everybody.
    ForEverybody {
        pulls: Vec<Number>,
    },
    Flaky {
        why: String,
        again: RunAgain,
    },
}

/// How a flaky check is run again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RunAgain {
    /// By us: this run of a workflow, which was made `attempt` times so far.
    ByUs { run: u64, attempt: u32 },
    /// By us, once its run is over.
    Later,
    /// It was run again as often as we do that.
    Spent,
    /// By a person.
    #[default]
    ByPerson,
}

/// A run of a workflow is run again at most so often on one commit.
pub const MOST_RERUNS: u32 = 3;

/// What an approval is bound to beside its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ApprovalBinding {
    pub base: Branch,
    pub rules: String,
    /// Words said before do not count.
    pub since: Timestamp,
}
