//! The tools that make releases, as repositories have them set up.
//!
//! Invariants: a tool is found by a file that only it reads; what it would do is its own to say, so
//! nothing of that is worked out here.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::id::Branch;

/// One of the known tools.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the tools' names
pub enum ReleaseTool {
    ReleasePlease,
    Changesets,
    ReleasePlz,
    SemanticRelease,
    GoReleaser,
}

/// A tool, and the file that says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FoundTool {
    pub tool: ReleaseTool,
    pub file: String,
}

impl ReleaseTool {
    /// As it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReleasePlease => "release-please",
            Self::Changesets => "changesets",
            Self::ReleasePlz => "release-plz",
            Self::SemanticRelease => "semantic-release",
            Self::GoReleaser => "GoReleaser",
        }
    }

    /// The files that it is set up by.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::ReleasePlease => &["release-please-config.json", ".release-please-manifest.json"],
            Self::Changesets => &[".changeset/config.json"],
            Self::ReleasePlz => &["release-plz.toml", ".release-plz.toml"],
            Self::SemanticRelease => &[
                ".releaserc",
                ".releaserc.json",
                ".releaserc.yaml",
                ".releaserc.yml",
                ".releaserc.js",
                ".releaserc.cjs",
                ".releaserc.mjs",
                "release.config.js",
                "release.config.cjs",
                "release.config.mjs",
                "release.config.ts",
            ],
            Self::GoReleaser => &[
                ".goreleaser.yaml",
                ".goreleaser.yml",
                "goreleaser.yaml",
                "goreleaser.yml",
                ".config/goreleaser.yaml",
                ".config/goreleaser.yml",
            ],
        }
    }

    /// How a release begins with it, as the rest of a sentence.
    pub fn how(self) -> &'static str {
        match self {
            Self::ReleasePlease | Self::Changesets | Self::ReleasePlz => {
                "keeps a release pull request open and releases when that is merged"
            }
            Self::SemanticRelease => "releases by itself when the branch moves",
            Self::GoReleaser => "releases when a tag is pushed",
        }
    }

    /// The branch of its release pull request into another, where that has one name.
    pub fn pull_branch(self, base: &Branch) -> Option<Branch> {
        let name = match self {
            Self::ReleasePlease => format!("release-please--branches--{base}"),
            Self::Changesets => format!("changeset-release/{base}"),
            Self::ReleasePlz | Self::SemanticRelease | Self::GoReleaser => return None,
        };
        name.parse().ok()
    }
}

/// The first tool that is set up, by the paths of all files.
pub fn find_tool<'p>(paths: impl IntoIterator<Item = &'p str>) -> Option<FoundTool> {
    let mut found: Vec<FoundTool> = Vec::new();
    for path in paths {
        let reads = |tool: &&ReleaseTool| tool.files().contains(&path);
        if let Some(tool) = ReleaseTool::VARIANTS.iter().find(reads) {
            found.push(FoundTool { tool: *tool, file: path.to_owned() });
        }
    }
    found.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_known_by_its_own_files_and_by_nothing_else() {
        let found = |paths: &[&'static str]| find_tool(paths.iter().copied());
        let tool = |paths: &[&'static str]| found(paths).map(|it| (it.tool.name(), it.file));
        assert_eq!(found(&["Cargo.toml", "docs/release-plz.toml", "package.json"]), None);
        for (path, name) in [
            (".release-please-manifest.json", "release-please"),
            (".changeset/config.json", "changesets"),
            ("release-plz.toml", "release-plz"),
            (".releaserc.yml", "semantic-release"),
            (".goreleaser.yaml", "GoReleaser"),
        ] {
            assert_eq!(tool(&["README.md", path]), Some((name, path.to_owned())));
        }
        // What decides the version comes before what packs the files.
        let both = tool(&[".goreleaser.yml", "release-please-config.json"]);
        assert_eq!(both.unwrap().0, "release-please");
        let main = "main".parse().unwrap();
        let branch = ReleaseTool::Changesets.pull_branch(&main).unwrap();
        assert_eq!(branch.as_str(), "changeset-release/main");
    }
}
