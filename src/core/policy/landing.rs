//! The rules about what happens to a change once it is made: who approves, how it is merged, where
//! it is pushed, what is released.
//!
//! Invariants: everything has a default, and no default lets anything through that a stricter value
//! would stop without a person having said so.

use serde::{Deserialize, Serialize};

use super::values;
use crate::core::github::Role;
use crate::core::target::ReleaseTarget;

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

/// `[release]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseRules {
    /// What opens or updates the release pull request.
    pub on: ReleaseOn,
    /// Who makes releases here: Gander, or what the repository has already. `None`: Gander, unless
    /// there is another.
    pub with: Option<ReleaseWith>,
    /// The tag, with `{version}` in it.
    #[serde(deserialize_with = "values::release_tag")]
    pub tag: String,
    /// Shell lines that build what is released.
    #[serde(deserialize_with = "values::release_build")]
    pub build: Vec<String>,
    /// What is released, as glob patterns.
    #[serde(deserialize_with = "values::release_artifacts")]
    pub artifacts: Vec<String>,
    /// Whether a list of the packages that lockfiles pin is one of its files.
    pub sbom: bool,
    /// The package registries that it is brought to, besides GitHub's own page.
    #[serde(deserialize_with = "values::release_targets")]
    pub targets: Vec<ReleaseTarget>,
    /// Hours after which an approval no longer starts a publication, if sooner than the workflow
    /// says.
    #[serde(deserialize_with = "values::release_approval_hours")]
    pub approval_hours: Option<u32>,
}

/// What opens or updates the release pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseOn {
    /// `/gander release`.
    Command,
    /// Every merge of a pull request of Gander's, too.
    Merge,
}

/// Who makes releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseWith {
    /// Gander.
    Own,
    /// A tool the repository has already.
    Existing,
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

impl Default for ReleaseRules {
    fn default() -> Self {
        Self {
            on: ReleaseOn::Command,
            with: None,
            tag: "v{version}".to_owned(),
            build: Vec::new(),
            artifacts: Vec::new(),
            sbom: false,
            targets: Vec::new(),
            approval_hours: None,
        }
    }
}

impl ReleaseRules {
    /// The tag of a version. `None`: the pattern does not make a tag git accepts.
    pub fn tag_of(&self, version: &str) -> Option<String> {
        tag_of(&self.tag, version)
    }
}

pub(super) fn tag_of(pattern: &str, version: &str) -> Option<String> {
    let tag = pattern.replacen("{version}", version, 1);
    tag.parse::<crate::core::id::Branch>().is_ok().then_some(tag)
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
