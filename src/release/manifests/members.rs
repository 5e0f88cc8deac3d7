//! Which directories belong to a workspace.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The directories that a root names, and those that it leaves out.
pub(super) struct Members {
    inside: GlobSet,
    outside: GlobSet,
}

impl Members {
    /// By patterns such as `packages/*`, which may begin with `./` and end with `/`.
    pub(super) fn new<'p>(
        inside: impl IntoIterator<Item = &'p str>,
        outside: impl IntoIterator<Item = &'p str>,
    ) -> Self {
        Self { inside: globs(inside), outside: globs(outside) }
    }

    /// Whether a directory is one of them.
    pub(super) fn has(&self, directory: &str) -> bool {
        self.inside.is_match(directory) && !self.leaves_out(directory)
    }

    /// Whether a directory, or one above it, is left out.
    pub(super) fn leaves_out(&self, directory: &str) -> bool {
        let mut above = directory.match_indices('/').map(|(at, _)| &directory[..at]);
        self.outside.is_match(directory) || above.any(|above| self.outside.is_match(above))
    }
}

fn globs<'p>(patterns: impl IntoIterator<Item = &'p str>) -> GlobSet {
    let mut globs = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        if let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() {
            globs.add(glob);
        }
    }
    globs.build().unwrap_or_else(|_| GlobSet::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_by_patterns_and_left_out_with_all_below() {
        let members = Members::new(["./packages/*", "libs/**", "["], ["libs/old", "packages/b/"]);
        for (directory, is_one) in [
            ("packages/a", true),
            ("packages/a/deep", false),
            ("packages/b", false),
            ("libs/a/deep", true),
            ("libs/old/deep", false),
            ("site", false),
        ] {
            assert_eq!(members.has(directory), is_one, "{directory}");
        }
    }
}
