//! Directories that git takes for a repository of their own: one with `HEAD`, `objects/` and
//! `refs/` beside each other needs no `.git` above it, and whoever runs git below it obeys its
//! settings and hooks.
//!
//! Invariants: looked for in the tree as it would be, so that it does not matter which part was
//! there before; names are compared as any file system would.

use std::collections::{BTreeMap, BTreeSet};

use super::path::{RepoPath, as_windows_reads_it, fold};

/// What makes a directory a repository.
#[derive(Debug, Clone, Copy, Default)]
struct RepositoryParts {
    head: bool,
    objects: bool,
    refs: bool,
    /// A file that says where the other two are.
    common: bool,
}

/// What git reads in a repository, folded.
const READ_BY_GIT: &[&str] = &[
    "head",
    "objects",
    "refs",
    "commondir",
    "packed-refs",
    "config",
    "config.worktree",
    "hooks",
    "info",
    "worktrees",
    "modules",
    "index",
];

/// The first of the written paths that is part of a bare repository. `after` are all paths of the
/// tree as it would be.
pub fn in_bare_repository<'a, 'b>(
    written: impl Iterator<Item = &'a RepoPath>,
    after: impl Iterator<Item = &'b str>,
) -> Option<&'a RepoPath> {
    let mut suspects: BTreeMap<String, Vec<&RepoPath>> = BTreeMap::new();
    for path in written {
        for (directory, part) in places(path.as_str()) {
            if READ_BY_GIT.contains(&&*part) {
                suspects.entry(directory).or_default().push(path);
            }
        }
    }
    if suspects.is_empty() {
        return None;
    }
    let mut seen: BTreeMap<String, RepositoryParts> = BTreeMap::new();
    for path in after.filter(|path| may_be_part(path)) {
        for (directory, part) in places(path) {
            if suspects.contains_key(&directory) {
                seen.entry(directory).or_default().add(&part);
            }
        }
    }
    let complete = seen.into_iter().filter(|(_, parts)| parts.are_complete());
    let complete: BTreeSet<String> = complete.map(|(directory, _)| directory).collect();
    suspects.into_iter().find(|(directory, _)| complete.contains(directory))?.1.first().copied()
}

/// Every directory above, the top being the empty one, with what of it the path is in; folded.
fn places(path: &str) -> Vec<(String, String)> {
    let folded = fold(path);
    let parts: Vec<&str> = folded.split('/').map(as_windows_reads_it).collect();
    (0..parts.len()).map(|at| (parts[..at].join("/"), parts[at].to_owned())).collect()
}

/// Cheap, and never false for a part: most paths of a tree are none.
fn may_be_part(path: &str) -> bool {
    let begins = |part: &str| {
        let ascii = part.as_bytes();
        ["head", "objects", "refs", "commondir"].iter().any(|name| {
            ascii.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
        })
    };
    !path.is_ascii() || path.contains('~') || path.split('/').any(begins)
}

impl RepositoryParts {
    fn add(&mut self, part: &str) {
        match part {
            "head" => self.head = true,
            "objects" => self.objects = true,
            "refs" => self.refs = true,
            "commondir" => self.common = true,
            _ => {}
        }
    }

    fn are_complete(self) -> bool {
        self.head && (self.common || self.objects && self.refs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first path of `new` that is refused on top of `base`.
    fn refused<'a>(base: &[&str], new: &[&'a str]) -> Option<&'a str> {
        let written: Vec<RepoPath> = new.iter().map(|path| path.parse().unwrap()).collect();
        let after = base.iter().copied().chain(new.iter().copied());
        let found = in_bare_repository(written.iter(), after)?;
        new.iter().copied().find(|path| *path == found.as_str())
    }

    #[test]
    fn whichever_part_is_new_the_repository_is_not_completed() {
        let parts = ["x/HEAD", "x/objects/keep", "x/refs/heads/main"];
        for (at, new) in parts.iter().enumerate() {
            let base: Vec<&str> =
                parts.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, part)| *part).collect();
            assert_eq!(refused(&base, &[new]), Some(*new));
            assert_eq!(refused(&base[..1], &[new]), None, "{base:?} {new}");
        }
        assert!(refused(&[], &parts).is_some());
        assert!(refused(&[], &["HEAD", "objects/a", "refs/a"]).is_some(), "at the top");
        assert!(refused(&[], &["a/b/head", "a/b/Objects/x", "a/b/REFS/x"]).is_some());
        assert!(refused(&["x/HEAD"], &["x/commondir"]).is_some(), "the rest may be elsewhere");
    }

    #[test]
    fn the_settings_of_one_that_is_there_are_not_written_either() {
        let there = ["x/HEAD", "x/objects/a", "x/refs/a"];
        assert_eq!(refused(&there, &["x/config"]), Some("x/config"));
        assert_eq!(refused(&there, &["x/hooks/post-checkout"]), Some("x/hooks/post-checkout"));
        assert_eq!(refused(&there, &["x/readme.md"]), None);
        assert_eq!(refused(&there, &["y/config"]), None);
    }

    #[test]
    fn names_that_only_sound_like_it_are_free() {
        let there = ["src/head.rs", "src/objects/mod.rs", "docs/refs.md"];
        assert_eq!(refused(&there, &["src/refs/mod.rs", "config/app.toml", "hooks/x"]), None);
        assert_eq!(refused(&["a/HEAD", "b/objects/x"], &["c/refs/x"]), None);
    }
}
