//! The rules about what happens to a change once it is made: who approves, how it is merged, where
//! it is pushed.
//!
//! Invariants: everything has a default, and no default lets anything through that a stricter value
//! would stop without a person having said so.

use serde::{Deserialize, Serialize};

use super::values;
use crate::core::github::Role;

/// The roles that can be asked for. Anything weaker than write cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LeastRole {
    Write,
    Maintain,
    Admin,
}

/// `[approval]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Approving {
    /// The least permission whose approval counts. On a personal repository the owner's counts.
    pub role: LeastRole,
    /// Whether whoever asked for the change may approve it.
    pub requester: Requester,
}

/// Whether whoever asked for a change or pushed some of it may approve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requester {
    /// Only while no other person has the role.
    IfAlone,
    /// Somebody else has to.
    Never,
    /// Like anybody with the role.
    Allowed,
}

/// `[merge]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Merge {
    /// What makes Gander merge.
    pub on: MergeOn,
    pub method: MergeMethod,
}

/// What makes Gander merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeOn {
    /// An approving review, or the command.
    #[default]
    Review,
    /// The command alone.
    Command,
    /// Nothing: people use GitHub's button.
    Never,
}

/// GitHub's ways to merge.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum MergeMethod {
    Merge,
    #[default]
    Squash,
    Rebase,
}

impl MergeMethod {
    /// GitHub's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}

/// `[update]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateRules {
    /// What makes Gander merge the base into its pull request.
    pub on: UpdateOn,
}

/// What makes Gander merge the base into its pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdateOn {
    /// The command.
    #[default]
    Command,
    /// The command, or a base that moved into a conflict.
    Conflict,
}

/// `[publish]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Publish {
    /// Whether a verified change is pushed at once. Not given: held where one of the repository's
    /// workflows would run on it with secrets.
    pub mode: Option<PublishMode>,
    /// Whether `go` is needed for every push to a pull request, or for its first.
    pub ack: Ack,
}

/// Whether a verified change is pushed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishMode {
    /// At once.
    Branch,
    /// After `/gander go`.
    Hold,
}

/// How often `go` is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ack {
    /// For every push.
    #[default]
    Each,
    /// For the first push of a pull request.
    Once,
}

/// `[checks]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckRules {
    /// Names of checks that must be green, beside those GitHub's branch rules name.
    #[serde(deserialize_with = "values::checks_required")]
    pub required: Vec<String>,
}

impl Default for Approving {
    fn default() -> Self {
        Self { role: LeastRole::Maintain, requester: Requester::IfAlone }
    }
}

impl Default for Merge {
    fn default() -> Self {
        Self { on: MergeOn::Review, method: MergeMethod::default() }
    }
}

impl From<LeastRole> for Role {
    fn from(role: LeastRole) -> Self {
        match role {
            LeastRole::Write => Self::Write,
            LeastRole::Maintain => Self::Maintain,
            LeastRole::Admin => Self::Admin,
        }
    }
}
