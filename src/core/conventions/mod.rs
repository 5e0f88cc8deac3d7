//! The ways of a repository: how its pull requests are titled and described, what it tells those
//! who work on it, whether commits are signed off, and where a change is noted.
//!
//! Invariants: all of it is found on the default branch, and none of it configures Gander; where
//! nothing is found, the pull request is as it would be anywhere.

use serde::{Deserialize, Serialize};

mod fragments;
mod guides;
mod sign_off;
mod template;
mod title;

pub use fragments::{FragmentTool, Fragments, fragments};
pub use guides::{Guide, Guides, guide_paths, nested_paths};
pub use sign_off::{SignOff, commits_are_signed, file_that_asks, text_asks};
pub use template::{FilledTemplate, KnownOfChange, PullTemplate, fill, template_path};
pub use title::{TitleForm, TitleStyle, type_of};

/// What was found of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conventions {
    /// How titles are written.
    #[serde(default)]
    pub titles: TitleStyle,
    /// What is told to those who work on it.
    #[serde(default)]
    pub guides: Guides,
    /// What a pull request is described by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PullTemplate>,
    /// Why commits are signed off, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_off: Option<SignOff>,
    /// Gander's own name and address, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Where changes are noted one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragments: Option<Fragments>,
}

/// Files of tools that read nothing but Conventional Commits.
const READERS: &[&str] = &[
    "release-please-config.json",
    ".release-please-manifest.json",
    ".releaserc",
    "release.config.",
    "commitlint.config.",
    ".commitlintrc",
    ".cz.",
    "cz.toml",
    "cz.json",
    ".versionrc",
    "cliff.toml",
];

/// Whether a tool of the repository reads nothing but Conventional Commits.
pub fn reads_conventional<'a>(mut paths: impl Iterator<Item = &'a str>) -> bool {
    paths.any(|path| READERS.iter().any(|it| path.starts_with(it)) && !path.contains('/'))
}
