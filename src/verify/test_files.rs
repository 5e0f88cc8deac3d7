//! Which changes are in tests, by the conventions of the languages.
//!
//! It is narrower than what is flagged as a test, where a doubt costs a look and not a verdict.
//!
//! Invariants: a file of the program is none of the tests because of its name alone; a change in a
//! file that holds both is in tests only if it changes the part that is tests. Fewer tests than
//! before are the fault of any other change, and are shown to people with these.

use super::rust_code::rust_tests;
use crate::core::patch::{Change, Patch};
use crate::workspace::diff::BaseFiles;

/// Directories in which everything belongs to the tests.
const DIRECTORIES: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "testdata",
    "test-data",
    "test_data",
    "__snapshots__",
    "snapshots",
    "golden",
    "goldens",
    "__fixtures__",
    "fixtures",
];
/// Ends of the names of files that hold what tests expect.
const EXPECTED: &[&str] = &["snap", "golden", "approved"];
/// Files that are the tests of what they stand beside.
const NAMES: &[&str] = &["test", "tests", "conftest"];
/// How the other names of tests begin and end, in most languages.
const BEGINS: &[&str] = &["test_", "test-", "test."];
const ENDS: &[&str] = &["_test", "-test", ".test", "_tests"];
/// Languages in which tests are called specs, too.
const WITH_SPECS: &[&str] = &["rb", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "lua"];
const SPEC_ENDS: &[&str] = &[".spec", "_spec", "-spec", "Spec"];
/// Languages in which a file has the name of its class.
const WITH_CLASSES: &[&str] = &["java", "kt", "scala", "groovy", "cs", "php", "swift"];
const CLASS_ENDS: &[&str] = &["Test", "Tests", "TestCase", "Spec", "IT"];

/// Files of these are code, so that a change in tests brings tests and not only what they read.
const CODE: &[&str] = &[
    "rs", "py", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "go", "rb", "php", "java",
    "kt", "c", "cc", "cpp", "h", "hpp", "cs", "swift", "scala", "lua", "sh", "vue", "svelte", "ex",
    "exs", "zig", "pyx", "dart", "clj", "hs", "ml", "sql",
];

/// Whether a change edits tests that were there, so that fewer of them may run for its own reason.
/// Tests that are only added take none away.
pub fn edits_tests(patch: &Patch, base: &BaseFiles) -> bool {
    patch.changes.iter().any(|(path, change)| {
        let Some(file) = base.get(path) else { return false };
        let after = match change {
            Change::Write { content, .. } => &content[..],
            Change::Delete { .. } => &[],
        };
        let path = path.as_str();
        let before = tests_inside(path, &file.content);
        is_of_tests(path) || !before.is_empty() && before != tests_inside(path, after)
    })
}

/// Whether all of a file belongs to the tests.
pub fn is_of_tests(path: &str) -> bool {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, language) = name.rsplit_once('.').unwrap_or((name, ""));
    let begins = |with: &[&str]| with.iter().any(|it| stem.starts_with(it));
    let ends = |with: &[&str]| with.iter().any(|it| stem.ends_with(it));
    let specs = WITH_SPECS.contains(&language);
    directories.split('/').any(|it| DIRECTORIES.contains(&it) || specs && it == "spec")
        || NAMES.contains(&stem)
        || EXPECTED.contains(&language)
        || begins(BEGINS)
        || ends(ENDS)
        || specs && ends(SPEC_ENDS)
        || WITH_CLASSES.contains(&language) && ends(CLASS_ENDS)
}

/// Whether a file is code, by its name.
pub fn is_code(path: &str) -> bool {
    CODE.contains(&path.rsplit_once('.').map_or("", |it| it.1))
}

/// The lines of a file that are tests, without the space around them.
fn tests_inside(path: &str, content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let lines: Vec<&str> = text.lines().collect();
    let marked = test_lines(path, &lines);
    lines.iter().zip(marked).filter(|it| it.1).map(|(line, _)| line.trim().to_owned()).collect()
}

/// Which lines of a file are tests: Rust's unit tests and the examples in its documentation, and
/// Python's examples.
pub(super) fn test_lines(path: &str, lines: &[&str]) -> Vec<bool> {
    match path.rsplit_once('.').map_or("", |(_, language)| language) {
        "rs" => rust_tests(lines).lines,
        "py" | "pyi" => python_examples(lines),
        _ => vec![false; lines.len()],
    }
}

/// `>>> add(1, 2)`, and what stands under it up to an empty line.
fn python_examples(lines: &[&str]) -> Vec<bool> {
    let mut inside = false;
    let is_example = |line: &&str| {
        let line = line.trim();
        inside = line.starts_with(">>> ") || inside && !line.is_empty();
        inside
    };
    lines.iter().map(is_example).collect()
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
        edits_tests(&Patch { changes: [(path, change)].into() }, &base)
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
            "pkg/tests.py",
            "src/test/java/Any.java",
            "spec/support/any.rb",
            "tests/data/any.json",
            "golden/page.html",
            "src/ui/button.snap",
        ] {
            assert!(touches(path, "x", Some("y")), "{path}");
        }
        let unit = "fn a() {}\n#[cfg(test)]\nmod tests {}\n";
        assert!(touches("src/lib.rs", unit, Some("fn a() {}\n")), "they were taken out");
        assert!(!touches("src/lib.rs", "fn a() {}\n", Some(unit)), "they only came");
        assert!(touches("src/old.rs", unit, None), "their file is gone");
        assert!(touches("src/lib.rs", "/// ```\n/// a()\n/// ```\n", Some("")), "a doc test");
        assert!(touches("a.py", "def f():\n    '''\n    >>> f()\n    1\n    '''\n", Some("")));
    }

    #[test]
    fn a_change_beside_the_tests_of_its_file_is_not_in_tests() {
        let with = |code: &str| {
            format!(
                "{code}\n\n#[cfg(test)]\nmod tests {{\n    use super::*;\n\n    #[test]\n    \
                 fn adds() {{\n        if true {{\n        }}\n    }}\n}}\n\n/// ```\n/// a();\n\
                 /// ```\npub fn a() {{}}\n"
            )
        };
        let before = with("fn b() {\n    1\n}");
        assert!(!touches("src/lib.rs", &before, Some(&with("/// More.\nfn b() {\n    2\n}"))));
        assert!(!touches("src/lib.rs", &before, Some(&before.replace("pub fn a", "fn a"))));
        assert!(!touches(
            "src/lib.rs",
            &before,
            Some(&before.replace("#[cfg(test)]", "\n#[cfg(test)]"))
        ));
        for (old, new) in
            [("if true", "if false"), ("#[test]", "#[test]\n    #[ignore]"), ("/// a()", "/// b()")]
        {
            assert!(touches("src/lib.rs", &before, Some(&before.replace(old, new))), "{new}");
        }
        let python = "def f():\n    '''\n    >>> f()\n    1\n\n    Words.\n    '''\n    return 1\n";
        assert!(!touches("a.py", python, Some(&python.replace("return 1", "return 2"))));
    }

    #[test]
    fn words_that_only_sound_like_it_are_no_tests() {
        for (path, text) in [
            ("src/latest.py", "the latest specific attestation"),
            ("lib/inspect.js", "exports.f = 1"),
            ("src/contest.rs", "fn contest() {}"),
            ("spec.py", ""),
            ("pkg/testing.py", ""),
            ("inspect_spec.py", ""),
            ("tests_util.py", ""),
            ("specs/m.py", ""),
            ("lib/spec.js", ""),
            ("src/Latest.java", ""),
        ] {
            assert!(!touches(path, "x", Some(text)), "{path}");
        }
    }
}
