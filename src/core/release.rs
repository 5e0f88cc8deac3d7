//! The release: where the making of one version stands, and what to do next.
//!
//! ```text
//! Queued ─► Planning ─► Proposing ─► Proposed ─approved─► Merging ─► Dispatching ─► Publishing ─► Done
//!              ▲            ▲            │ base moved,        │ head or base moved,
//!              └────────────┴────────────┴─ another order ────┘ blocked
//! ```
//!
//! Invariants, shown by the walk (`release/walk.rs`): merging only follows an [`Approval`] of
//! exactly that head; dispatching only follows a merge; from an approval to its merge no commit is
//! made, and one that is made voids it; what people wrote on the release branch is never replaced;
//! every ending is shown; after the end only a failure goes on, by a retry, a merge by hand, or by
//! being out after all; a fact that comes late, twice or out of order changes nothing.

#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::approval::{MergeAttempt, NotApproved};
use super::changelog::is_version;
use super::github::{PullRef, RepoRef};
use super::id::{Branch, CommentId, Login, Number, ReleaseId, RunId, Sha, Timestamp, UserId};
use super::job::{MissingChecks, Obstacle};
use super::machine::Machine;
use super::policy::{MergeOn, ReleaseScope, ScopeError};
use super::release_tools::FoundTool;
use super::target::ReleaseTarget;

mod advance;
mod checks;
mod fact;
mod step;

pub use advance::advance;
pub use checks::{ReleaseCheckOutcome, ReleaseChecks};
pub use fact::*;
pub use step::*;

/// The making of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Release {
    /// Names it for ever.
    pub id: ReleaseId,
    pub repo: RepoRef,
    /// The issue or pull request on which its status is shown.
    pub subject: Number,
    /// The branch it is made from.
    pub base: Branch,
    /// What was asked last, by whom.
    pub order: ReleaseOrder,
    /// How often something was asked of it. A plan for an earlier order counts no more.
    pub orders: u32,
    /// Where it stands.
    pub stage: ReleaseStage,
    /// What is to be released.
    pub plan: Option<VersionPlan>,
    /// The release pull request, once there is one.
    pub pull: Option<PullRef>,
    /// Whether people have committed to its branch: what they wrote stays.
    pub edited: bool,
    /// Why it does not go on at this moment, though it stands.
    pub blocked: Option<Blocked>,
    /// What GitHub was last asked on to merge it.
    #[serde(default)]
    pub tried: Option<MergeAttempt>,
    /// The moved base that was last followed, or tried to.
    #[serde(default)]
    pub followed: Option<Sha>,
    /// The commit that is released.
    pub merged: Option<Merged>,
    /// How often publishing was begun.
    pub tries: u32,
    /// The run that publishes.
    #[serde(rename = "run")]
    pub run_id: Option<RunId>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ReleaseOrder {
    /// Whose permission counts.
    #[serde(rename = "by")]
    pub by_id: UserId,
    /// Whom to mention.
    pub login: Login,
    pub at: Timestamp,
    /// The comment that asked, if it was one.
    #[serde(rename = "comment")]
    pub comment_id: Option<CommentId>,
    /// How far the version goes, if that was said.
    pub bump: Option<Bump>,
    /// Whether it follows from a merge, and not from a command.
    #[serde(default)]
    pub on_merge: bool,
    /// The package that it is about, where the repository has several with versions of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

impl ReleaseOrder {
    /// Whether it says which version.
    pub fn names_version(&self) -> bool {
        matches!(self.bump, Some(Bump::To(_)))
    }
}

/// How far a version goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(missing_docs)]
pub enum Bump {
    Major,
    Minor,
    Patch,
    /// Exactly there.
    To(String),
}

/// A word that is neither a step nor a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected major, minor, patch or a version such as 1.2.0")]
pub struct BumpError;

/// What is released.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VersionPlan {
    /// The commit of the base branch that it is made on.
    pub base: Sha,
    /// `1.2.0`. Once people edit the pull request, what `CHANGELOG.md` says there.
    pub version: String,
    /// Its tag.
    pub tag: String,
    /// What is released of the repository.
    #[serde(default, skip_serializing_if = "ReleaseScope::is_whole")]
    pub scope: ReleaseScope,
    /// The tag of the release before.
    pub last: Option<String>,
    /// Whether there may be one all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last_unknown: bool,
    /// The version in the manifests that moves to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves_from: Option<String>,
    /// Why it is that version, in our words.
    pub why: String,
    /// `2026-01-31`, which stands in the changelog.
    pub date: String,
    /// The changelog's new section, without its heading.
    pub notes: String,
    /// The files that change.
    pub files: Vec<String>,
    /// Files that hold a version and are left as they are, each with the reason.
    pub left: Vec<String>,
    /// The issues that are fixed by it.
    pub fixes: Vec<Number>,
    /// Paths that changed since the release before and that people should look at, each with the
    /// reason.
    #[serde(default)]
    pub flagged: Vec<String>,
    /// On what the repository merges.
    #[serde(default)]
    pub merge_on: MergeOn,
    /// The package registries that it is brought to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ReleaseTarget>,
    /// What the project's own checks came to on its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<ReleaseChecks>,
}

/// A merge of the release pull request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Merged {
    pub commit: Sha,
    pub by: Option<Login>,
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReleaseStage {
    /// The release before it on this branch is not over.
    Queued,
    /// Version, changelog and manifests are worked out.
    Planning,
    /// The project's own checks run on its files.
    Checking { plan: Box<VersionPlan> },
    /// Branch, commit and pull request are made.
    Proposing,
    /// The moved base is merged into a branch that people have edited.
    Refreshing { base: Sha },
    /// People look at it. Holds no worker.
    Proposed,
    /// It is approved and being merged.
    Merging { head: Sha },
    /// The publishing run is being started.
    Dispatching,
    /// It runs. Holds no worker.
    Publishing,
    /// Over.
    Done(ReleaseEnding),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReleaseEnding {
    /// It is out.
    Published { url: String },
    /// It can be taken up where it stopped.
    Failed { why: String },
    /// The rules do not allow it.
    Refused(Refusal),
    /// People closed the pull request.
    Closed { by: Option<Login> },
    /// A person said `cancel`.
    Cancelled { by: Login },
    /// Nothing changed since the release before.
    NothingToRelease { last: Option<String> },
}

/// Why no version is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Refusal {
    /// It is not known which package is meant.
    WhichPackage(ScopeError),
    /// It does not come after the last one.
    NotHigher { version: String, last: String },
    /// That version was released, or its tag was set by hand.
    TagExists { tag: String },
    /// The tag's pattern and the version make no tag that git accepts.
    BadTag { version: String },
    /// The changelog has it, though it was never released.
    InChangelog { version: String },
    /// The repository's file cannot be read as rules.
    BadConfig { problem: String },
    /// The repository makes its releases with a tool of its own, and none that is known.
    OwnTool,
    /// It does, with this one.
    ExistingTool {
        tool: FoundTool,
        /// Its open release pull request.
        pull: Option<Number>,
    },
    /// It has this one, and nobody said which of the two makes releases.
    WhichTool(FoundTool),
    /// Whoever asked may not any more.
    PermissionLost { login: Login, why: String },
    /// This check of the project passes without the files of the release, and fails with them.
    ChecksFail { command: String, why: String },
    /// The package's directory is not there.
    NoDirectory { directory: String },
    /// There is no such branch, or no commit at all.
    NoCommit { branch: Branch },
    /// Tags with versions exist, and none is of the pattern: the release before is not known.
    OtherTags {
        /// The first few.
        tags: Vec<String>,
        pattern: String,
        /// The pattern that most of them follow, if any.
        meant: Option<String>,
    },
    /// Tags of the pattern exist, and none was found in the branch's history.
    LastNotFound {
        /// The highest few.
        tags: Vec<String>,
        /// Whether the history is longer than what was looked through.
        cut: bool,
    },
}

/// Why it does not go on, though it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Blocked {
    /// The base moved, and does not go together with what people wrote on the branch.
    Conflict,
    /// The newest section of `CHANGELOG.md` on the branch has no version that can be released.
    NoVersion,
    /// There is no consent to this head.
    NotApproved(NotApproved),
    /// It is approved, and GitHub refuses the merge, in these words.
    Refused { why: String },
    /// A setting on GitHub keeps it from being merged, approved or not.
    Setting(Obstacle),
    /// It is approved; required checks did not run, or nobody reports them.
    MissingChecks(MissingChecks),
    /// Something that we see keeps it from being merged, approved or not.
    InTheWay { why: String },
    /// It is approved, and this repository merges on a command.
    Command,
    /// It is approved, and this repository leaves merging to people.
    Button,
    /// The base moved to where nothing is left that was not released.
    NothingLeft,
    /// The last order could not be followed: what stood before still stands.
    Order(Refusal),
}

impl Blocked {
    /// Whether it is over when nothing stands in the way of the merge any more.
    pub(super) fn ends_when_free(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::InTheWay { .. }
            | Self::Setting(_)
            | Self::MissingChecks(_)
            | Self::NotApproved(_)
            | Self::Command
            | Self::Button => true,
            Self::Conflict | Self::NoVersion | Self::NothingLeft | Self::Order(_) => false,
        }
    }
}

/// A version, and the tag it has.
pub type NamedVersion = (String, String);

impl Machine for Release {
    type Id = ReleaseId;
    type Fact = ReleaseFact;
    type Step = ReleaseStep;

    fn id(&self) -> &ReleaseId {
        &self.id
    }

    fn advance(&self, fact: &ReleaseFact) -> Option<(Self, Vec<ReleaseStep>)> {
        advance(self, fact)
    }

    fn turn() -> ReleaseFact {
        ReleaseFact::TurnCame
    }

    fn is_queued(&self) -> bool {
        self.stage == ReleaseStage::Queued
    }

    fn is_done(&self) -> bool {
        match self.stage {
            ReleaseStage::Done(_) => true,
            ReleaseStage::Queued
            | ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Proposing
            | ReleaseStage::Refreshing { .. }
            | ReleaseStage::Proposed
            | ReleaseStage::Merging { .. }
            | ReleaseStage::Dispatching
            | ReleaseStage::Publishing => false,
        }
    }
}

impl Release {
    /// A new one that waits for its turn.
    pub fn new(
        id: ReleaseId,
        repo: RepoRef,
        subject: Number,
        base: Branch,
        order: ReleaseOrder,
    ) -> Self {
        Self {
            id,
            repo,
            subject,
            base,
            order,
            orders: 1,
            stage: ReleaseStage::Queued,
            plan: None,
            pull: None,
            edited: false,
            blocked: None,
            tried: None,
            followed: None,
            merged: None,
            tries: 0,
            run_id: None,
        }
    }

    /// Whether of the two only one can be under way.
    pub fn is_in_line_with(&self, other: &Self) -> bool {
        self.base == other.base && self.order.package == other.order.package
    }

    /// The branch that belongs to it and to no other.
    pub fn branch(&self) -> Branch {
        Branch::of_release(&self.base, &self.id)
    }

    /// Names one try of publishing to the workflow: `12.1`.
    pub fn dispatch_id(&self, attempt: u32) -> Option<String> {
        self.pull.as_ref().map(|pull| format!("{}.{attempt}", pull.number))
    }

    /// The step that Gander itself is at, whose failure is a fact about the release.
    pub fn step(&self) -> Option<ReleaseStep> {
        let (orders, attempt) = (self.orders, self.tries);
        match &self.stage {
            ReleaseStage::Planning => Some(ReleaseStep::Plan { orders }),
            ReleaseStage::Checking { .. } => Some(ReleaseStep::Check { orders }),
            ReleaseStage::Proposing => Some(ReleaseStep::Propose { orders }),
            ReleaseStage::Refreshing { base } => Some(ReleaseStep::Refresh { base: base.clone() }),
            ReleaseStage::Merging { head } => Some(ReleaseStep::Merge { head: head.clone() }),
            ReleaseStage::Dispatching => Some(ReleaseStep::Dispatch { attempt }),
            ReleaseStage::Publishing => Some(ReleaseStep::Follow { attempt }),
            ReleaseStage::Queued | ReleaseStage::Proposed | ReleaseStage::Done(_) => None,
        }
    }

    /// Whether it waits for people or a run, whose doings may have been missed.
    pub fn waits_for_others(&self) -> bool {
        match self.stage {
            ReleaseStage::Proposed | ReleaseStage::Publishing => true,
            ReleaseStage::Queued
            | ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Proposing
            | ReleaseStage::Refreshing { .. }
            | ReleaseStage::Merging { .. }
            | ReleaseStage::Dispatching
            | ReleaseStage::Done(_) => false,
        }
    }

    /// Whether another order can still change it.
    pub fn takes_orders(&self) -> bool {
        match self.stage {
            ReleaseStage::Queued => true,
            ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Proposing
            | ReleaseStage::Proposed => !self.edited,
            ReleaseStage::Refreshing { .. }
            | ReleaseStage::Merging { .. }
            | ReleaseStage::Dispatching
            | ReleaseStage::Publishing
            | ReleaseStage::Done(_) => false,
        }
    }
}

impl ReleaseStage {
    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Checking { .. } => "checking",
            Self::Proposing => "proposing",
            Self::Refreshing { .. } => "refreshing",
            Self::Proposed => "proposed",
            Self::Merging { .. } => "merging",
            Self::Dispatching => "dispatching",
            Self::Publishing => "publishing",
            Self::Done(_) => "done",
        }
    }
}

impl FromStr for Bump {
    type Err = BumpError;
    fn from_str(text: &str) -> Result<Self, BumpError> {
        match text.to_ascii_lowercase().as_str() {
            "major" => Ok(Self::Major),
            "minor" => Ok(Self::Minor),
            "patch" => Ok(Self::Patch),
            _ => {
                let version = text.strip_prefix('v').unwrap_or(text);
                is_version(version).then(|| Self::To(version.to_owned())).ok_or(BumpError)
            }
        }
    }
}

impl TryFrom<String> for Bump {
    type Error = BumpError;
    fn try_from(text: String) -> Result<Self, BumpError> {
        text.parse()
    }
}

impl From<Bump> for String {
    fn from(bump: Bump) -> Self {
        bump.to_string()
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Patch => "patch",
            Self::To(version) => version,
        })
    }
}
