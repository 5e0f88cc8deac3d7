//! Which files of one change are tests, by more than their names.
//!
//! Invariants: what counts is what ran and what the files say, so that a change to a test counts as
//! one wherever that stands; a file of the program that holds none stays one.

use std::collections::BTreeSet;

use super::rust_code::rust_tests;
use super::test_files::is_of_tests;
use super::test_ids::is_in_file;
use crate::core::patch::{Change, Patch};
use crate::workspace::diff::BaseFiles;

/// The changed files that are tests although their names do not say so.
#[derive(Debug, Default)]
pub(super) struct TestMap(BTreeSet<String>);

/// Files of JavaScript and TypeScript.
const JAVASCRIPT: &[&str] = &["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"];
/// What begins a test or a suite there.
const CALLS: &[&str] = &["describe", "it", "test", "suite", "specify", "context"];
/// Files in which people read examples that are run.
const WORDS: &[&str] = &["md", "markdown"];

impl TestMap {
    /// Of a change. `ids`: of the tests that ran without it or with it. `read`: a file of the base.
    pub(super) fn of<E>(
        patch: &Patch,
        base: &BaseFiles,
        ids: &[&str],
        mut read: impl FnMut(&str) -> Result<Option<String>, E>,
    ) -> Result<Self, E> {
        let mut found = BTreeSet::new();
        let examples = ids.iter().any(|id| id.contains(" doc test "));
        for (path, change) in &patch.changes {
            let name = path.as_str();
            let language = name.rsplit_once('.').map_or("", |(_, language)| language);
            let texts = [base.get(path).map(|file| &file.content[..]), written(change)];
            let mut texts = texts.into_iter().flatten().map(String::from_utf8_lossy);
            let is_test = ids.iter().any(|id| is_in_file(id, name))
                || JAVASCRIPT.contains(&language) && texts.any(|text| calls_a_runner(&text))
                || WORDS.contains(&language) && examples && texts.any(|text| text.contains("```"))
                || language == "rs" && is_module_of_tests(name, patch, &mut read)?;
            if is_test && !is_of_tests(name) {
                found.insert(name.to_owned());
            }
        }
        Ok(Self(found))
    }

    /// Whether all of a file belongs to the tests.
    pub(super) fn holds(&self, path: &str) -> bool {
        is_of_tests(path) || self.0.contains(path)
    }
}

fn written(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Write { content, .. } => Some(content),
        Change::Delete { .. } => None,
    }
}

/// Whether a line begins a test: `it('adds', …`, `describe.each(…`.
fn calls_a_runner(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        CALLS.iter().any(|call| {
            let rest = line.strip_prefix(call).unwrap_or_default();
            let argument = rest.strip_prefix('(').map_or("", str::trim_start);
            argument.starts_with(['\'', '"', '`']) || rest.starts_with(".each(")
        })
    })
}

/// Whether a module above this file, or the file's own, is only built for tests.
fn is_module_of_tests<E>(
    path: &str,
    patch: &Patch,
    read: &mut impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<bool, E> {
    let stem = path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")).unwrap_or(path);
    let mut end = stem.len();
    while let Some(at) = stem.get(..end).and_then(|above| above.rfind('/')) {
        let (directory, name) = (&stem[..at], &stem[at + 1..end]);
        let parents = ["lib.rs", "main.rs", "mod.rs"].map(|it| format!("{directory}/{it}"));
        for parent in parents.iter().chain([&format!("{directory}.rs")]) {
            let texts = [read(parent)?, in_patch(parent, patch)];
            for text in texts.into_iter().flatten() {
                let lines: Vec<&str> = text.lines().collect();
                let below = path.strip_prefix(&format!("{directory}/"));
                let means = |module: &String| module == name || Some(&**module) == below;
                if rust_tests(&lines).modules.iter().any(means) {
                    return Ok(true);
                }
            }
        }
        end = at;
    }
    Ok(false)
}

fn in_patch(path: &str, patch: &Patch) -> Option<String> {
    let change = patch.changes.iter().find(|(changed, _)| changed.as_str() == path)?.1;
    written(change).map(|content| String::from_utf8_lossy(content).into_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::core::patch::FileMode;

    fn is_test(path: &str, text: &str, ids: &[&str]) -> bool {
        let content = text.as_bytes().to_vec();
        let change = Change::Write { mode: FileMode::File, content, replaces: None };
        let patch = Patch { changes: [(path.parse().unwrap(), change)].into() };
        let read = |path: &str| {
            let lib = "#[cfg(test)]\nmod fixtures;\n#[cfg(test)]\n#[path = \"checks/own.rs\"]\nmod own;\n\
                       mod product;\n";
            Ok::<_, Infallible>((path == "src/lib.rs").then(|| lib.to_owned()))
        };
        let map = TestMap::of(&patch, &BaseFiles::new(), ids, read).unwrap();
        map.holds(path)
    }

    #[test]
    fn a_file_is_a_test_if_a_test_of_it_ran() {
        assert!(is_test("testcalc.py", "", &["testcalc.TestMean.test_a"]));
        assert!(is_test("checks/mean.js", "", &["checks/mean.js > mean > of two"]));
        assert!(is_test("calc.txt", "", &["calc.txt::calc.txt"]));
        assert!(!is_test("calc.py", "", &["testcalc.TestMean.test_a", "calc_more.TestX.test_a"]));
    }

    #[test]
    fn a_file_is_a_test_if_it_says_so() {
        assert!(is_test("specs/mean.js", "describe('mean', () => {\n  it('x', f);\n});\n", &[]));
        assert!(is_test("specs/mean.ts", "  test.each([1])('x', f);\n", &[]));
        assert!(!is_test("lib/mean.js", "const it = iterate(test(x));\nit(next);\n", &[]));
        for path in ["src/fixtures.rs", "src/fixtures/deep.rs", "src/checks/own.rs"] {
            assert!(is_test(path, "", &[]), "{path}");
        }
        assert!(!is_test("src/product.rs", "", &[]));
        let words = "# Widget\n```\nadd(1, 2);\n```\n";
        assert!(is_test("README.md", words, &["widget doc test src/lib.rs - "]));
        assert!(!is_test("README.md", words, &["widget::tests::a"]));
    }
}
