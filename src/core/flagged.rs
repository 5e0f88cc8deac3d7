//! Which paths of a release people should look at, by what changed since the release before it.
//!
//! Invariants: in doubt a path is named: where GitHub does not list all files, where a name cannot
//! be read, and where its lines are not shown. What only moves the version is no change here, since
//! every release does that.

use super::changelog::is_version;
use super::path::RepoPath;
use super::path_rules::{PathClass, PathRules, classify};
use super::text::first_of;

/// More than people would read.
const MOST_KEPT: usize = 50;

/// What changed since the release before, as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SinceRelease {
    /// There is none before, so there is nothing to compare with.
    First,
    /// There are tags of versions, and none of those tried is part of the history.
    NotFound,
    /// These files.
    Changed {
        files: Vec<SinceReleaseFile>,
        /// Whether these are all: GitHub lists three hundred at most.
        complete: bool,
    },
}

/// A file that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SinceReleaseFile {
    pub path: String,
    /// Its name before, if it was renamed.
    pub renamed_from: Option<String>,
    pub removed: bool,
    /// Its changed lines as a unified diff. `None`: GitHub does not show them.
    pub diff: Option<String>,
}

/// The paths that people should look at before `version` is released, each with the reason:
/// `Makefile: changes how the project is built`.
pub fn flagged(since: &SinceRelease, version: &str, rules: &PathRules) -> Vec<String> {
    let (files, complete) = match since {
        SinceRelease::First => return Vec::new(),
        SinceRelease::NotFound => {
            return vec!["what changed is not known: no tag of a version is in its history".into()];
        }
        SinceRelease::Changed { files, complete } => (files, *complete),
    };
    let mut found = Vec::new();
    for file in files {
        let names = std::iter::once(&file.path).chain(&file.renamed_from);
        let reason = names.filter_map(|name| reason(name, rules)).next();
        let reason = reason.or_else(|| file.removed.then(|| deleted_test(&file.path)).flatten());
        let moves_version = file.diff.as_deref().is_some_and(|it| only_moves_version(it, version));
        if let Some(reason) = reason.filter(|_| !moves_version || file.renamed_from.is_some()) {
            found.push(format!("{}: {reason}", file.path));
        }
    }
    let mut found = first_of(&found, MOST_KEPT);
    if !complete {
        found.push("more files changed than GitHub lists".to_owned());
    }
    found
}

fn reason(path: &str, rules: &PathRules) -> Option<&'static str> {
    match path.parse::<RepoPath>().map(|path| classify(&path, rules)) {
        Ok(PathClass::Plain) => None,
        Ok(PathClass::Flag(reason) | PathClass::Never(reason)) => Some(reason),
        Err(_) => Some("has a name that no patch may have"),
    }
}

fn deleted_test(path: &str) -> Option<&'static str> {
    path.parse::<RepoPath>().is_ok_and(|path| path.looks_like_a_test()).then_some("deletes a test")
}

/// Whether all changed lines are the same but for one version, which is `version` now.
fn only_moves_version(diff: &str, version: &str) -> bool {
    let lines = |sign: char| {
        let of_sign = diff.lines().filter_map(move |line| line.strip_prefix(sign));
        of_sign.collect::<Vec<_>>()
    };
    let (before, after) = (lines('-'), lines('+'));
    let old = before.first().zip(after.first()).and_then(|(before, after)| {
        let (start, end) = after.split_once(version)?;
        before.strip_prefix(start)?.strip_suffix(end).filter(|old| is_version(old))
    });
    let moved = |old: &str| {
        let moved = before.iter().map(|line| line.replace(old, version));
        before.len() == after.len() && moved.zip(&after).all(|(moved, after)| moved == *after)
    };
    old.is_some_and(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, diff: &str) -> SinceReleaseFile {
        let diff = Some(diff.to_owned());
        SinceReleaseFile { path: path.to_owned(), renamed_from: None, removed: false, diff }
    }

    fn named(files: Vec<SinceReleaseFile>) -> Vec<String> {
        flagged(&SinceRelease::Changed { files, complete: true }, "1.2.0", &PathRules::default())
    }

    const BUMP: &str = "@@ -1,4 +1,4 @@\n [package]\n-version = \"1.1.0\"\n+version = \"1.2.0\"\n";

    #[test]
    fn what_people_should_look_at_is_named_with_its_reason_and_the_rest_is_not() {
        let files = ["src/lib.rs", "README.md", "Makefile", ".github/workflows/ci.yml", "x/../y"];
        let found = named(files.map(|path| file(path, "@@ @@\n-a\n+b\n")).into());
        assert_eq!(
            found,
            [
                "Makefile: changes how the project is built",
                ".github/workflows/ci.yml: GitHub's own settings and workflows are written by people",
                "x/../y: has a name that no patch may have",
            ]
        );
    }

    #[test]
    fn a_test_that_is_gone_and_the_old_name_of_a_renamed_file_count() {
        let test = SinceReleaseFile { removed: true, ..file("tests/a.rs", "@@ @@\n-a\n") };
        let renamed_from = Some("build.rs".to_owned());
        let moved = SinceReleaseFile { renamed_from, ..file("src/built.rs", "") };
        assert_eq!(
            named(vec![test, moved, file("tests/b.rs", "@@ @@\n-a\n+b\n")]),
            ["tests/a.rs: deletes a test", "src/built.rs: changes how the project is built"]
        );
    }

    #[test]
    fn moving_the_version_alone_is_what_every_release_does() {
        let twice =
            format!("{BUMP}@@ -9 +9 @@\n-b = {{ v = \"=1.1.0\" }}\n+b = {{ v = \"=1.2.0\" }}\n");
        for diff in [BUMP, &twice] {
            assert_eq!(named(vec![file("Cargo.toml", diff)]), [""; 0], "{diff}");
        }
        let more = format!("{BUMP}+evil = \"1.2.0\"\n");
        let other = format!("{BUMP}@@ -9 +9 @@\n-serde = \"1.0.1\"\n+serde = \"1.0.2\"\n");
        let elsewhere = BUMP.replace("1.2.0", "1.3.0");
        let word = BUMP.replace("1.1.0", "path");
        for diff in [&more, &other, &elsewhere, &word, "", "@@ @@\n+version = \"1.2.0\"\n"] {
            assert_eq!(named(vec![file("Cargo.toml", diff)]).len(), 1, "{diff}");
        }
        let hidden = SinceReleaseFile { diff: None, ..file("Cargo.lock", "") };
        assert_eq!(named(vec![hidden]).len(), 1, "its lines are not shown");
    }

    #[test]
    fn of_very_many_only_the_first_are_kept_and_how_many_more_there_are() {
        let many = (0..300).map(|n| file(&format!("p{n}/Makefile"), "@@ @@\n-a\n+b\n"));
        let found = named(many.collect());
        assert_eq!((found.len(), found[50].as_str()), (51, "and 250 more"));
    }

    #[test]
    fn where_not_all_is_known_that_is_said() {
        let said = |since: &SinceRelease| flagged(since, "1.2.0", &PathRules::default());
        let cut = SinceRelease::Changed { files: Vec::new(), complete: false };
        assert_eq!(said(&cut), ["more files changed than GitHub lists"]);
        assert!(said(&SinceRelease::NotFound)[0].starts_with("what changed is not known"));
        assert_eq!(said(&SinceRelease::First), [""; 0]);
    }
}
