//! Which files hold tests, by the conventions of the languages.
//!
//! Invariants: in doubt a file holds tests: then what becomes of them is shown to people, and not
//! taken for the fault of a change elsewhere.

use super::detect::is_pytest_file;
use crate::core::patch::{Change, Patch};
use crate::workspace::diff::BaseFiles;

/// Words that a path of tests is made of.
const WORDS: &[&str] = &["test", "tests", "testing", "spec", "specs", "testdata", "conftest"];
/// What stands in a file of the program that has tests in it: Rust's unit and doc tests, Python's
/// doc tests.
const INSIDE: &[&str] = &["#[test]", "#[cfg(test)]", "::test]", "/// ```", "//! ```", ">>> "];

/// Whether a change touches tests, in what was there before or in what is there with it.
pub fn changes_tests(patch: &Patch, base: &BaseFiles) -> bool {
    patch.changes.iter().any(|(path, change)| {
        let before = base.get(path).map(|file| file.content.as_slice());
        let after = match change {
            Change::Write { content, .. } => Some(content.as_slice()),
            Change::Delete { .. } => None,
        };
        is_of_tests(path.as_str()) || [before, after].into_iter().flatten().any(has_tests)
    })
}

fn is_of_tests(path: &str) -> bool {
    let mut words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let camel = |word: &str| ["Test", "Tests", "Spec"].iter().any(|end| word.ends_with(end));
    is_pytest_file(path)
        || words.any(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()) || camel(word))
}

fn has_tests(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content);
    INSIDE.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::patch::FileMode;
    use crate::workspace::diff::BaseFile;
    use crate::workspace::mirror::EntryMode;

    fn touches(path: &str, before: &str, after: Option<&str>) -> bool {
        let path: crate::core::path::RepoPath = path.parse().unwrap();
        let oid = "a".repeat(40).parse().unwrap();
        let change = match after {
            Some(text) => {
                Change::Write { mode: FileMode::File, content: text.into(), replaces: Some(oid) }
            }
            None => Change::Delete { replaces: oid },
        };
        let file = BaseFile { mode: EntryMode::File, content: before.into() };
        let base = BaseFiles::from([(path.clone(), file)]);
        changes_tests(&Patch { changes: [(path, change)].into() }, &base)
    }

    #[test]
    fn tests_are_found_where_their_languages_have_them() {
        for path in [
            "tests/a.rs",
            "pkg/test_a.py",
            "src/__tests__/a.js",
            "src/a.test.ts",
            "a_test.go",
            "spec/a_spec.rb",
            "src/WidgetTest.java",
            "conftest.py",
        ] {
            assert!(touches(path, "x", Some("y")), "{path}");
        }
        let unit = "fn a() {}\n#[cfg(test)]\nmod tests {}\n";
        assert!(touches("src/lib.rs", unit, Some("fn a() {}\n")), "they were taken out");
        assert!(touches("src/lib.rs", "fn a() {}\n", Some(unit)), "they came");
        assert!(touches("src/old.rs", unit, None), "their file is gone");
        assert!(touches("src/lib.rs", "/// ```\n/// a()\n/// ```\n", Some("")), "a doc test");
    }

    #[test]
    fn words_that_only_sound_like_it_are_no_tests() {
        for (path, text) in [
            ("src/latest.py", "the latest specific attestation"),
            ("lib/inspect.js", "exports.f = 1"),
            ("src/contest.rs", "fn contest() {}"),
        ] {
            assert!(!touches(path, "x", Some(text)), "{path}");
        }
    }
}
