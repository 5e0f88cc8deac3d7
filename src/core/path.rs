//! Paths inside a repository.
//!
//! Invariants: a [`RepoPath`] stays inside the repository and out of git's own directory on every
//! file system git runs on.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A file's path from the root of its repository: UTF-8, `/`-separated, with no way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a path cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing was given.
    #[error("the path is empty")]
    Empty,
    /// It starts at the root of the machine.
    #[error("the path is absolute; give it relative to the repository's root")]
    Absolute,
    /// `.`, `..`, or two slashes in a row.
    #[error("the path has an empty, `.` or `..` part")]
    Dots,
    /// Longer than git and Linux take.
    #[error("the path is longer than 4096 bytes, or a part of it than 255")]
    TooLong,
    /// NUL, newline and their kin.
    #[error("the path has a control character")]
    Control,
    /// `\` separates directories on some systems.
    #[error("the path has a backslash; use `/`")]
    Backslash,
    /// `.git`, or what some file system takes for it.
    #[error("the path goes into git's own directory")]
    GitDirectory,
    /// Bytes that are no UTF-8.
    #[error("the path is not valid UTF-8")]
    NotUtf8,
}

/// Directories of tests, folded.
const TEST_DIRECTORIES: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "__snapshots__",
    "spec",
    "specs",
    "testing",
    "testdata",
    "e2e",
    "cypress",
    "androidtest",
];
/// How names of tests end, folded, where the ending says it.
const TEST_SUFFIXES: &[&str] = &[".snap", ".bats", ".feature", ".phpt", ".t"];

impl RepoPath {
    /// The path as git writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From the bytes of a directory entry or a tree.
    ///
    /// # Errors
    /// When the path breaks one of the rules.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PathError> {
        std::str::from_utf8(bytes).map_err(|_| PathError::NotUtf8)?.parse()
    }

    /// The parts between the slashes; at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The directory it is in; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Whether people keep tests, or what tests compare with, under such a path.
    pub fn looks_like_a_test(&self) -> bool {
        let folded = fold(&self.0);
        let (directories, name) = folded.rsplit_once('/').unwrap_or(("", &folded));
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let in_tests = directories.split('/').any(|part| TEST_DIRECTORIES.contains(&part));
        let begins = ["test_", "test-"].iter().any(|start| stem.starts_with(start));
        let ends = ["test", "tests", "spec", "specs", "unittest"].iter().any(|word| {
            stem.strip_suffix(word)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(['_', '-']))
        });
        let inside = [".test.", ".tests.", ".spec.", ".e2e.", ".cy."];
        in_tests
            || stem == "conftest"
            || begins
            || ends
            || inside.iter().any(|part| name.contains(part))
            || TEST_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || self.name().split('.').next().is_some_and(|stem| {
                let integration = stem.strip_suffix("IT");
                ["Test", "Tests", "Spec", "TestCase"].iter().any(|end| stem.ends_with(end))
                    || integration.is_some_and(|it| it.ends_with(|c: char| c.is_lowercase()))
            })
    }
}

impl FromStr for RepoPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.len() > 4096 {
            return Err(PathError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        if text.contains('\\') {
            return Err(PathError::Backslash);
        }
        for part in text.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(PathError::Dots);
            }
            if part.len() > 255 {
                return Err(PathError::TooLong);
            }
            if is_git_directory(part) {
                return Err(PathError::GitDirectory);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RepoPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first path that a change adds and that some file system would take for another path of the
/// final tree, be it as a whole or in one of its directories. `base` is every path before the
/// change, `tree` every path after it.
pub fn collision<'a>(
    written: impl Iterator<Item = &'a RepoPath>,
    base: impl Iterator<Item = &'a str>,
    tree: impl Iterator<Item = &'a str>,
) -> Option<(String, String)> {
    let mut added: BTreeSet<&str> = written.flat_map(|path| prefixes(path.as_str())).collect();
    for path in base {
        for prefix in prefixes(path) {
            added.remove(prefix);
        }
    }
    let mut spelling: HashMap<String, &str> = HashMap::new();
    for prefix in added {
        match spelling.insert(fold(prefix), prefix) {
            Some(other) if other != prefix => return Some((prefix.into(), other.into())),
            _ => {}
        }
    }
    if spelling.is_empty() {
        return None;
    }
    for path in tree {
        for prefix in prefixes(path) {
            match spelling.get(&fold(prefix)) {
                Some(added) if *added != prefix => {
                    return Some(((*added).to_owned(), prefix.to_owned()));
                }
                _ => {}
            }
        }
    }
    None
}

fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain(std::iter::once(path))
}

/// One spelling for all that case-insensitive, normalising or ignoring file systems confuse.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen: String = text.chars().filter(|c| !is_ignorable(*c)).nfc().collect();
    seen.to_uppercase().to_lowercase().nfc().collect()
}

/// Code points HFS+ leaves out of comparisons.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{00ad}' | '\u{200b}')
}

/// NTFS drops trailing dots and spaces and reads what follows a colon as a stream.
pub(super) fn as_windows_reads_it(part: &str) -> &str {
    part.split(':').next().unwrap_or(part).trim_end_matches(['.', ' '])
}

fn is_git_directory(part: &str) -> bool {
    let folded = fold(part);
    let name = as_windows_reads_it(&folded);
    name == ".git" || is_short_name(name, "git")
}

/// `git~1`, the 8.3 name Windows gives to `.git`.
pub(super) fn is_short_name(name: &str, of: &str) -> bool {
    name.strip_prefix(of)
        .and_then(|rest| rest.strip_prefix('~'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_cannot_leave_the_repository_or_enter_gits_directory() {
        use PathError::*;
        let long = "a/".repeat(2048) + "b";
        let wide = "x".repeat(256);
        for (bad, why) in [
            ("", Empty),
            ("/etc/passwd", Absolute),
            ("..", Dots),
            ("a/../b", Dots),
            ("a/.", Dots),
            ("a//b", Dots),
            ("a/", Dots),
            ("./a", Dots),
            ("a\0b", Control),
            ("a\nb", Control),
            ("a\u{85}b", Control),
            (".github/workflows\\x.yml", Backslash),
            (&long, TooLong),
            (&wide, TooLong),
            (".git", GitDirectory),
            (".git/config", GitDirectory),
            ("sub/.GIT/hooks/x", GitDirectory),
            (".g\u{200c}it/config", GitDirectory),
            ("git~1/config", GitDirectory),
            ("GIT~1", GitDirectory),
            (".git./x", GitDirectory),
            (".git /x", GitDirectory),
            (".git::$INDEX_ALLOCATION/x", GitDirectory),
            (".g\u{131}t", GitDirectory),
            (".git. . ", GitDirectory),
        ] {
            assert_eq!(bad.parse::<RepoPath>(), Err(why), "{bad:?}");
        }
        assert_eq!(RepoPath::from_bytes(b"a\xff"), Err(NotUtf8));
        for good in ["a", "a/b c/d", ".gitignore", "git", "git~x", ".gitx", "ü/日本", "...", "a:b"]
        {
            assert!(good.parse::<RepoPath>().is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn two_spellings_of_one_name_collide_as_files_and_as_directories() {
        let found = |written: &[&str], base: &[&str]| {
            let written: Vec<RepoPath> = written.iter().map(|p| path(p)).collect();
            let tree = base.iter().copied().chain(written.iter().map(RepoPath::as_str));
            collision(written.iter(), base.iter().copied(), tree)
        };
        assert!(found(&["readme.md"], &["README.md"]).is_some());
        assert!(found(&["Src/a.rs"], &["src/b.rs"]).is_some());
        assert!(found(&["caf\u{e9}"], &["cafe\u{301}"]).is_some());
        assert!(found(&["a/X", "a/x"], &[]).is_some());
        assert!(found(&["a/x"], &["a/y", "B/c", "b/d"]).is_none(), "old collisions are not ours");
        let twins = ["README.md", "readme.md", "Src/a.rs", "src/b.rs"];
        for one_of_them in ["README.md", "Src/a.rs", "Src/new.rs"] {
            assert!(found(&[one_of_them], &twins).is_none(), "{one_of_them} adds no spelling");
        }
        assert!(found(&["Readme.md"], &twins).is_some());
    }

    #[test]
    fn tests_are_known_by_their_paths() {
        for test in [
            "tests/a.rs",
            "src/foo_test.go",
            "pkg/test_x.py",
            "a.spec.ts",
            "b.test.js",
            "src/test/java/A.java",
            "FooTest.java",
            "conftest.py",
            "web/__tests__/a.js",
            "web/__snapshots__/a.js.snap",
            "src/a.snap",
            "pkg/testdata/golden.txt",
            "check.bats",
            "t/basic.t",
            "test-a.js",
            "a-spec.js",
            "login.cy.ts",
            "OrderIT.java",
            "FooTestCase.php",
            "app/tests.py",
        ] {
            assert!(path(test).looks_like_a_test(), "{test}");
        }
        for other in [
            "src/contest.rs",
            "latest/a.rs",
            "src/attestation.py",
            "fastest.c",
            "src/audit.rs",
            "AUDIT.md",
            "docs/testing.md",
            "src/inspect.js",
            "a.ts",
        ] {
            assert!(!path(other).looks_like_a_test(), "{other}");
        }
    }
}
