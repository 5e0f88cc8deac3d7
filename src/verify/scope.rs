//! How far a change reaches: what it adds, and which of its files the issue says nothing of.
//!
//! Invariants: nothing is called far where the issue names no file of the change; what is said is
//! for people, and decides nothing by itself.

use std::collections::BTreeSet;

use similar::DiffTag;

use super::test_files::{is_code, is_of_tests, test_lines};
use crate::core::patch::{Change, Patch, is_binary};
use crate::workspace::diff::{BaseFiles, line_operations, lines_of};

/// The lines of code that a change adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// To the program.
    pub source: u32,
    /// To its tests.
    pub tests: u32,
}

impl Growth {
    /// Of a change. What is no code is not counted, and nor are empty lines.
    pub fn of(patch: &Patch, base: &BaseFiles) -> Self {
        let mut growth = Self::default();
        for (path, change) in patch.changes.iter().filter(|it| is_code(it.0.as_str())) {
            let Change::Write { content, .. } = change else { continue };
            let old = base.get(path).map(|file| &file.content[..]).unwrap_or_default();
            if is_binary(content) || is_binary(old) {
                continue;
            }
            let text = String::from_utf8_lossy(content);
            let lines: Vec<&str> = text.lines().collect();
            let of_tests = is_of_tests(path.as_str());
            let marked = test_lines(path.as_str(), &lines);
            for row in added(old, content) {
                let blank = lines.get(row).is_none_or(|line| line.trim().is_empty());
                let test = of_tests || marked.get(row).copied().unwrap_or_default();
                let count = if test { &mut growth.tests } else { &mut growth.source };
                *count += u32::from(!blank);
            }
        }
        growth
    }
}

/// The rows of a new text that are not in an old one.
fn added(old: &[u8], new: &[u8]) -> Vec<usize> {
    let came = line_operations(&lines_of(old), &lines_of(new))
        .into_iter()
        .filter(|it| it.tag() != DiffTag::Equal);
    came.flat_map(|it| it.new_range()).collect()
}

/// So short words of an issue name nothing.
const SHORTEST: usize = 4;
/// So common ones neither.
const COMMON: &[&str] = &[
    "self", "this", "that", "with", "from", "return", "returns", "test", "tests", "line", "lines",
    "code", "file", "files", "when", "then", "none", "null", "true", "false", "error", "value",
    "values", "should", "import", "class", "const", "function", "public", "static", "void", "else",
    "string", "number", "list", "data", "name", "type", "into", "have", "does", "will", "what",
    "which", "there", "also", "only", "some",
];

/// Changed files of the program in which nothing is that the issue names. Empty where it names none
/// of the change.
pub fn far_files(patch: &Patch, base: &BaseFiles, issue: &str) -> Vec<String> {
    let said = words(issue);
    let mut far = Vec::new();
    let mut is_named = false;
    for (path, change) in &patch.changes {
        let name = path.as_str();
        let Some(old) = base.get(path) else { continue };
        if !is_code(name) || is_of_tests(name) || is_binary(&old.content) {
            continue;
        }
        let new = match change {
            Change::Write { content, .. } => &content[..],
            Change::Delete { .. } => &[],
        };
        let stem = name.rsplit('/').next().and_then(|it| it.split('.').next()).unwrap_or(name);
        let mut inside = words(&String::from_utf8_lossy(&old.content));
        inside.extend(words(&String::from_utf8_lossy(new)));
        inside.insert(stem.to_lowercase());
        match inside.is_disjoint(&said) {
            true => far.push(format!("{name}: nothing is in it that the issue names")),
            false => is_named = true,
        }
    }
    if is_named { far } else { Vec::new() }
}

/// The names in a text, in small letters.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words = words.filter(|word| word.len() >= SHORTEST).map(str::to_lowercase);
    words.filter(|word| !COMMON.contains(&&**word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::patch::FileMode;
    use crate::workspace::diff::BaseFile;
    use crate::workspace::mirror::EntryMode;

    fn change(files: &[(&str, &str, &str)]) -> (Patch, BaseFiles) {
        let (mut patch, mut base) = (Patch::default(), BaseFiles::new());
        for (path, before, after) in files {
            let path: crate::core::path::RepoPath = path.parse().unwrap();
            let content = after.as_bytes().to_vec();
            let write = Change::Write { mode: FileMode::File, content, replaces: None };
            patch.changes.insert(path.clone(), write);
            if !before.is_empty() {
                let content = before.as_bytes().to_vec();
                base.insert(path, BaseFile { mode: EntryMode::File, content });
            }
        }
        (patch, base)
    }

    #[test]
    fn lines_of_tests_and_of_the_program_are_counted_apart_and_words_not_at_all() {
        let unit = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\n";
        let (patch, base) = change(&[
            ("src/a.rs", "fn a() {}\n", unit),
            ("src/b.rs", "", "fn b() {\n    c();\n}\n"),
            ("tests/c.rs", "", "fn c() {}\n"),
            ("README.md", "", "Words\n"),
        ]);
        assert_eq!(Growth::of(&patch, &base), Growth { source: 3, tests: 6 });
    }

    #[test]
    fn a_file_is_far_only_where_another_of_the_change_is_named() {
        let (patch, base) = change(&[
            ("src/mean.py", "def mean(n):\n    pass\n", "def mean(n):\n    return 1\n"),
            ("src/colour.py", "def paint(n):\n    pass\n", "def paint(n):\n    return 1\n"),
        ]);
        let far = far_files(&patch, &base, "mean([]) fails");
        assert_eq!(far, ["src/colour.py: nothing is in it that the issue names"]);
        assert_eq!(far_files(&patch, &base, "It is wrong"), [""; 0]);
        assert_eq!(far_files(&patch, &base, "mean and paint are slow"), [""; 0]);
    }
}
