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
    "as of",
    "before",
    "changed in",
    "deprecated",
    "dropped",
    "e.g.",
    "example",
    "fixed in",
    "from v",
    "introduced",
    "new in",
    "prior to",
    "removed",
    "renamed",
    "since",
    "until",
    "versionchanged",
];
/// Files of code that hold the version of the whole.
const OF_THE_WHOLE: &[&str] = &["__about__", "__init__", "conf", "setup", "version"];

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
pub fn line_of(path: &str, text: &[u8], version: &str, names: &BTreeSet<String>) -> Option<usize> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0'))?;
    // In a directory or file of that version it belongs where it is.
    if !text.contains(version) || path.contains(version) {
        return None;
    }
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let by_its_name = name.contains("version") || name.starts_with(".release-please");
    let is_code = name.ends_with(".py") && !OF_THE_WHOLE.iter().any(|it| name.contains(it));
    let says = |line: &str| {
        if !says(line, version) {
            return false;
        }
        let lower = line.to_lowercase();
        let named = |text: &str| names.iter().any(|name| text.contains(&**name));
        // `serde = { version = "1.1.0" }` is another's, unless its name is ours.
        let others = requirement(&lower).is_some_and(|package| !named(package));
        // `version="1.1.0",` among the arguments of a call says when something came.
        let argument = is_code && lower.trim().starts_with("version=") && lower.ends_with(',');
        // Pinned by its hash, with the version as a comment.
        let pinned = lower.contains("uses:") && has_hash(&lower);
        let speaks = by_its_name || lower.contains("version") || named(&lower);
        speaks && !others && !argument && !pinned && !PAST.iter().any(|word| lower.contains(word))
    };
    text.lines().position(says).map(|at| at + 1)
}

/// The package of a line such as `serde = { version = "1.1.0", optional = true }`.
fn requirement(line: &str) -> Option<&str> {
    let (package, rest) = line.split_once(['=', ':'])?;
    let table = rest.trim_start().starts_with('{') && rest.contains("version =");
    table.then(|| package.trim().trim_matches('"'))
}

fn has_hash(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 40)
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
        found_in("docs/page.py", line)
    }

    fn found_in(path: &str, line: &str) -> bool {
        let names = BTreeSet::from(["widgets".to_owned()]);
        line_of(path, format!("first\n{line}\n").as_bytes(), "1.1.0", &names) == Some(2)
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
            "widgets = { version = \"1.1.0\" }",
            "module.exports = { version: '1.1.0' }",
            "uses: acme/widgets@COMMIT # v1.1.0",
        ] {
            assert!(found(line), "{line}");
        }
        for (path, line) in [
            ("setup.py", "    version=\"1.1.0\","),
            (".release-please-manifest.json", "  \".\": \"1.1.0\""),
            ("src/version.go", "const V = \"1.1.0\""),
        ] {
            assert!(found_in(path, line), "{path}: {line}");
        }
        assert!(!found_in("schema/v1.1.0/a.json", "\"version\": \"1.1.0\""));
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
            ".. versionchanged:: 1.1.0",
            "serde = { version = \"1.1.0\", optional = true }",
            "    version=\"1.1.0\",",
            "uses: acme/widgets@0123456789abcdef0123456789abcdef01234567 # v1.1.0",
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
        assert_eq!(line_of("a", binary, "1.1.0", &BTreeSet::new()), None);
    }
}
