//! Places outside the manifests that say the version as well, so that people can look at them.
//!
//! Invariants: nothing here is ever changed; a place counts when its line speaks of a version or
//! names a package, and does not tell of the past.

use std::collections::BTreeSet;

/// A file larger than this is data.
pub const LARGEST_FILE: u64 = 256 * 1024;

/// Directories of others' code, and of examples of all kinds.
const ELSEWHERE: &[&str] = &[
    ".git",
    "__fixtures__",
    "__snapshots__",
    "__tests__",
    "fixtures",
    "node_modules",
    "spec",
    "target",
    "test",
    "testdata",
    "tests",
    "third_party",
    "vendor",
];
/// Files that tell of every version there was.
const HISTORY: &[&str] = &["change", "history", "news", "release", "upgrad", "migrat"];
/// Words of a line that tells of the past.
const PAST: &[&str] = &[
    "added",
    "before",
    "changed in",
    "deprecated",
    "fixed in",
    "introduced",
    "new in",
    "prior to",
    "removed",
    "since",
    "until",
];

/// Whether such a file is looked through.
pub fn is_read(path: &str, size: u64) -> bool {
    let lower = path.to_ascii_lowercase();
    let (directory, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let is_lock = name.ends_with(".lock")
        || name.ends_with("-lock.json")
        || name.ends_with("-lock.yaml")
        || ["npm-shrinkwrap.json", "go.sum"].contains(&name);
    size <= LARGEST_FILE
        && !is_lock
        && !HISTORY.iter().any(|start| name.starts_with(start))
        && !directory.split('/').any(|part| ELSEWHERE.contains(&part))
}

/// The first line of a file that says this version of one of these packages, counted from one.
pub fn line_of(text: &[u8], version: &str, names: &BTreeSet<String>) -> Option<usize> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0'))?;
    if !text.contains(version) {
        return None;
    }
    let says = |line: &str| {
        if !says(line, version) {
            return false;
        }
        let lower = line.to_lowercase();
        let speaks = lower.contains("version") || names.iter().any(|name| lower.contains(&**name));
        speaks && !PAST.iter().any(|word| lower.contains(word))
    };
    text.lines().position(says).map(|at| at + 1)
}

/// Whether a line has exactly this version in it, and not a longer one.
fn says(line: &str, version: &str) -> bool {
    line.match_indices(version).any(|(at, _)| {
        let before = line[..at].trim_end_matches(['v', 'V']).chars().next_back();
        let mut after = line[at + version.len()..].chars();
        let next = after.next();
        // `1.1.0.` may end a sentence.
        let goes_on = match next {
            Some('.') => after.next().is_some_and(char::is_alphanumeric),
            Some(next) => next.is_alphanumeric() || next == '+' || next == '-',
            None => false,
        };
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '.');
        begins && !goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> bool {
        let names = BTreeSet::from(["widgets".to_owned()]);
        line_of(format!("first\n{line}\n").as_bytes(), "1.1.0", &names) == Some(2)
    }

    #[test]
    fn places_that_people_forget_are_found() {
        for line in [
            "__version__ = \"1.1.0\"",
            "widgets = \"1.1.0\"",
            "npm install widgets@1.1.0",
            "image: ghcr.io/mona/widgets:v1.1.0",
            "The current version is 1.1.0.",
            "appVersion: 1.1.0",
        ] {
            assert!(found(line), "{line}");
        }
    }

    #[test]
    fn other_versions_and_the_past_are_not_meant() {
        for line in [
            "serde = \"1.1.0\"",
            "version = \"11.1.0\"",
            "version = \"1.1.01\"",
            "version = \"1.1.0-rc.1\"",
            "version = \"2.1.1.0\"",
            ".. versionadded:: 1.1.0",
            "Deprecated since version 1.1.0",
        ] {
            assert!(!found(line), "{line}");
        }
    }

    #[test]
    fn logs_locks_tests_and_others_code_are_not_read() {
        for path in ["README.md", "src/widgets/__init__.py", "CITATION.cff", "docs/conf.py"] {
            assert!(is_read(path, 10), "{path}");
        }
        for path in ["CHANGELOG.md", "fuzz/Cargo.lock", "tests/a.rs", "a/node_modules/b/c.js"] {
            assert!(!is_read(path, 10), "{path}");
        }
        assert!(!is_read("data.json", LARGEST_FILE + 1));
        let binary = b"version 1.1.0\n\0";
        assert_eq!(line_of(binary, "1.1.0", &BTreeSet::new()), None);
    }
}
