//! What a release plan says; only the release gate makes one.

use super::{Mark, ReleasePlan, ReleasePull, ReleaseSeen};
use crate::core::approval::Approval;
use crate::core::manifest::Artifact;
use crate::core::target::ReleaseTarget;

impl ReleasePlan {
    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }
    /// The version, without a prefix.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// The section of the changelog.
    pub fn notes(&self) -> &str {
        &self.notes
    }
    /// Where the tag goes, and with which files.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }
    /// The files.
    pub fn files(&self) -> &[Artifact] {
        &self.files
    }
    /// The package registries that it is brought to, as the rules at the commit say.
    pub fn targets(&self) -> &[ReleaseTarget] {
        &self.targets
    }
    /// Whether it is the latest of the repository. `None`: GitHub decides.
    pub fn latest(&self) -> Option<bool> {
        self.latest
    }
    /// The pull request that it is the merge of.
    pub fn pull(&self) -> &ReleasePull {
        &self.pull
    }
    /// Whose consent this rests on.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }
    /// What a run before this one left.
    pub fn found(&self) -> Option<&ReleaseSeen> {
        self.found.as_ref()
    }
    /// Whether the tag is there.
    pub fn tagged(&self) -> bool {
        self.tagged
    }
    /// Whether the version is one before a release: `2.0.0-rc.1`.
    pub fn prerelease(&self) -> bool {
        self.version.split('+').next().unwrap_or_default().contains('-')
    }
}
