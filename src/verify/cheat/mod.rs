//! Rules that find cheats in a change: what makes checks green without mending anything.
//!
//! Each rule is one file, and reads the syntax of both versions of each changed file. What it finds
//! is shown to people. What a rule that blocks finds makes a change red, too, until it is gone or a
//! maintainer overrides that rule; what tests came to decides elsewhere.
//!
//! Invariants: a rule looks at what a change adds or takes away, and never at what was there
//! before; what it says is a place and a reason; nothing is run, and the time is bounded by the
//! size of the change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aho_corasick::AhoCorasick;
use serde::Serialize;
use similar::{DiffOp, DiffTag};

use self::facts::{RowText, SourceFacts, TestFacts};
use self::pairs::paired;
use self::parallel::side_by_side;
use self::reader::read;
use super::test_files::{is_code, is_of_tests};
use crate::core::patch::{Change, Patch, is_binary};
use crate::core::path::RepoPath;
use crate::workspace::diff::{BaseFiles, line_operations};

mod answer_special_cased;
mod assertion_loosened;
mod assertion_not_run;
mod assertion_removed;
mod body;
mod cases_removed;
mod check_removed;
mod checks_the_runner;
mod clock_tampered;
mod equality_overloaded;
mod expectation_bent;
mod expectation_recorded;
mod facts;
mod failure_swallowed;
mod function_stubbed;
mod generated_edited;
mod language;
mod layout;
mod literals;
mod no_assertion;
mod not_read;
mod output_silenced;
mod page;
mod pairs;
mod parallel;
mod process_exit;
mod reader;
mod retries_enabled;
mod runner_tampered;
mod snapshot_alone;
mod suppression_added;
mod tautology;
mod test_cut_short;
mod test_filtered;
mod test_focused;
mod test_removed;
mod test_skipped;
mod threshold_relaxed;
mod tolerance_widened;
mod unit_mocked;
mod version_lowered;

pub use page::rules_page;

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheatFinding {
    /// The rule, by name.
    pub rule: &'static str,
    /// What follows.
    pub severity: Severity,
    /// The file.
    pub path: String,
    /// The line, from 1; in the changed file, or in the old one of what is gone.
    pub line: usize,
    /// What is said of it.
    pub reason: String,
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// People are shown it.
    Flag,
    /// The change is red until it is gone.
    Block,
}

impl CheatFinding {
    /// The same, where it is told and stops nothing.
    fn told_only(self) -> Self {
        Self { severity: Severity::Flag, ..self }
    }
}

/// A rule.
pub struct CheatRule {
    /// As people name it.
    pub name: &'static str,
    /// What follows from what it finds, at most.
    pub severity: Severity,
    /// What it finds, in a sentence.
    pub finds: &'static str,
    check: fn(&ChangedSources) -> Vec<CheatFinding>,
    /// Changes that it finds. The first is shown.
    pub fires: &'static [RuleExample],
    /// Changes that it does not, though they look like it. The first is shown.
    pub passes: &'static [RuleExample],
}

impl CheatRule {
    /// What this one finds.
    pub fn find(&self, sources: &ChangedSources) -> Vec<CheatFinding> {
        (self.check)(sources)
    }
}

/// A change for one rule: of each file its path, and its text before and after; empty: not there.
pub type RuleExample = &'static [(&'static str, &'static str, &'static str)];

/// So many rows before a test may belong to it.
const JUST_BEFORE: usize = 5;

/// All of them, in the order of the alphabet.
pub const RULES: &[CheatRule] = &[
    answer_special_cased::RULE,
    assertion_loosened::RULE,
    assertion_not_run::RULE,
    assertion_removed::RULE,
    cases_removed::RULE,
    check_removed::RULE,
    checks_the_runner::RULE,
    clock_tampered::RULE,
    equality_overloaded::RULE,
    expectation_bent::RULE,
    expectation_recorded::RULE,
    failure_swallowed::RULE,
    function_stubbed::RULE,
    generated_edited::RULE,
    no_assertion::RULE,
    not_read::RULE,
    output_silenced::RULE,
    process_exit::RULE,
    retries_enabled::RULE,
    runner_tampered::RULE,
    snapshot_alone::RULE,
    suppression_added::RULE,
    tautology::RULE,
    test_cut_short::RULE,
    test_filtered::RULE,
    test_focused::RULE,
    test_removed::RULE,
    test_skipped::RULE,
    threshold_relaxed::RULE,
    tolerance_widened::RULE,
    unit_mocked::RULE,
    version_lowered::RULE,
];

/// The rule whose findings hold a change where its runner takes the end of a process for success.
pub const PROCESS_EXIT: &str = process_exit::RULE.name;

/// What all rules find in a change, rule by rule.
pub fn find_cheats(patch: &Patch, base: &BaseFiles) -> Vec<CheatFinding> {
    let sources = ChangedSources::of(patch, base);
    let found = side_by_side(RULES, |rule| rule.find(&sources));
    found.into_iter().flatten().collect()
}

/// The changed files, as rules see them.
pub struct ChangedSources {
    files: Vec<ChangedSource>,
    /// Names of the tests that are there with the change, and what stands in them.
    test_names: BTreeSet<String>,
    test_bodies: BTreeSet<String>,
    /// What is asserted where it was not before.
    assertions: BTreeSet<String>,
    /// Finds calls of functions of the program that are gone.
    gone: Option<AhoCorasick>,
}

/// One of them. Binary ones are left out.
struct ChangedSource {
    path: String,
    before: SourceFacts,
    after: SourceFacts,
    /// Lines that came, with their rows in the changed file.
    added: Vec<RowText>,
    added_rows: BTreeSet<usize>,
    /// Lines that went, with their rows in the old one.
    removed: Vec<RowText>,
    /// Lines that others took the place of, as they were and as they are; in the order of rows.
    replaced: Vec<(RowText, RowText)>,
    /// Of each row of the changed file, whether a test stands there.
    in_bodies: Vec<bool>,
    /// The same of tests that were there before, by their names.
    in_kept: Vec<bool>,
    is_new: bool,
    is_gone: bool,
    /// The first lines of the old file.
    head: String,
}

impl ChangedSources {
    /// Reads both versions of each.
    pub fn of(patch: &Patch, base: &BaseFiles) -> Self {
        let source = |&(path, change): &(&RepoPath, &Change)| {
            let before = base.get(path).map(|file| &file.content[..]);
            let after = match change {
                Change::Write { content, .. } => Some(&content[..]),
                Change::Delete { .. } => None,
            };
            let binary = [before, after].into_iter().flatten().any(is_binary);
            (!binary).then(|| ChangedSource::of(path.as_str(), before, after))
        };
        let changes: Vec<(&RepoPath, &Change)> = patch.changes.iter().collect();
        let files: Vec<ChangedSource> =
            side_by_side(&changes, source).into_iter().flatten().collect();
        let collected = files.iter().filter(|file| file.is_collected(patch));
        let tests = collected.clone().flat_map(|file| &file.after.tests);
        let test_names = tests.clone().map(|test| test.name.clone()).collect();
        let moved = |file: &ChangedSource| -> Vec<String> {
            let all = file.after.tests.iter().flat_map(|test| &test.assertions);
            all.filter(|it| file.is_added(it.row)).map(|it| it.text.clone()).collect()
        };
        let assertions = collected.flat_map(moved).collect();
        let test_bodies = tests.filter_map(|test| Some(body(&test.text)?.to_owned())).collect();
        let gone = AhoCorasick::new(functions_gone(&files)).ok();
        Self { files, test_names, test_bodies, assertions, gone }
    }

    /// Files that hold tests, or belong to them.
    fn of_tests(&self) -> impl Iterator<Item = &ChangedSource> {
        self.files.iter().filter(|file| file.is_of_tests())
    }

    /// Files of the program.
    fn of_program(&self) -> impl Iterator<Item = &ChangedSource> {
        self.files.iter().filter(|file| !is_of_tests(&file.path) && file.is_code())
    }

    /// Whether more of the program changes than its comments and its tests.
    fn changes_program(&self) -> bool {
        self.of_program().filter(|file| !file.is_setting()).any(|file| {
            let (before, after) = (file.before.code, file.after.code);
            let unknown = before == 0 && after == 0;
            file.is_new || file.is_gone || unknown || before != after
        })
    }

    /// Whether a test is about code that is gone with it.
    fn is_of_removed_code(&self, test: &TestFacts) -> bool {
        let inside = body(&test.text).unwrap_or_default();
        self.gone.as_ref().is_some_and(|calls| calls.is_match(inside))
    }

    /// Whether a test is there with the change, under its name or another.
    fn has_test(&self, test: &TestFacts) -> bool {
        let kept = |it: &&RowText| self.assertions.contains(&it.text);
        self.test_names.contains(&test.name)
            || body(&test.text).is_some_and(|body| self.test_bodies.contains(body))
            // Most of what it asserts stands in another.
            || !test.assertions.is_empty()
                && test.assertions.iter().filter(kept).count() * 2 > test.assertions.len()
            || self.is_of_removed_code(test)
    }
}

/// Functions of the program that are there no more under any name of theirs.
fn functions_gone(files: &[ChangedSource]) -> Vec<String> {
    let program = files.iter().filter(|file| !is_of_tests(&file.path));
    let names = |facts: &SourceFacts| -> BTreeSet<String> {
        facts.functions.iter().map(|it| it.name.clone()).collect()
    };
    let after: BTreeSet<String> = files.iter().flat_map(|file| names(&file.after)).collect();
    let before: BTreeSet<String> = program.flat_map(|file| names(&file.before)).collect();
    let long = |name: &&String| name.len() > 3 && !after.contains(*name);
    before.iter().filter(long).map(|name| format!("{name}(")).collect()
}

/// What stands behind the name of a test.
fn body(text: &str) -> Option<&str> {
    Some(text.split_once(['(', '{'])?.1)
}

impl ChangedSource {
    fn of(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Self {
        let old = String::from_utf8_lossy(before.unwrap_or_default());
        let new = String::from_utf8_lossy(after.unwrap_or_default());
        let (old_lines, new_lines): (Vec<&str>, Vec<&str>) =
            (old.lines().collect(), new.lines().collect());
        let (mut added, mut removed, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
        for operation in operations(&old_lines, &new_lines) {
            if operation.tag() != DiffTag::Equal {
                let gone = rows(&old_lines, operation.old_range());
                let came = rows(&new_lines, operation.new_range());
                replaced.extend(paired(&gone, &came));
                removed.extend(gone);
                added.extend(came);
            }
        }
        let facts = read(path, &new);
        let mut in_bodies = vec![false; new_lines.len()];
        for test in &facts.tests {
            let last = test.rows.end.min(in_bodies.len());
            in_bodies.get_mut(test.rows.start..last).unwrap_or_default().fill(true);
        }
        let before_facts = read(path, &old);
        let old_names: BTreeSet<&str> = before_facts.tests.iter().map(|it| &*it.name).collect();
        let mut in_kept = vec![false; new_lines.len()];
        for test in facts.tests.iter().filter(|it| old_names.contains(&*it.name)) {
            // With what stands just before it, and is no part of another.
            let start = test.rows.start;
            let free = |row: &usize| in_bodies.get(*row) == Some(&false);
            let before = (start.saturating_sub(JUST_BEFORE)..start).rev().take_while(free).count();
            let last = test.rows.end.min(in_kept.len());
            in_kept.get_mut(start - before..last).unwrap_or_default().fill(true);
        }
        Self {
            path: path.to_owned(),
            before: before_facts,
            after: facts,
            added_rows: added.iter().map(|line: &RowText| line.row).collect(),
            added,
            removed,
            replaced,
            in_bodies,
            in_kept,
            is_new: before.is_none(),
            is_gone: after.is_none(),
            head: old_lines.into_iter().take(5).collect::<Vec<_>>().join("\n"),
        }
    }

    /// Whether runners look for tests here, or did not before either.
    fn is_collected(&self, patch: &Patch) -> bool {
        let by_name = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            match name.rsplit_once('.').map_or("", |(_, end)| end) {
                "py" => stem.starts_with("test") || stem.ends_with("_test") || stem == "conftest",
                "go" => stem.ends_with("_test") && !path.contains("testdata/"),
                "java" => {
                    let ends = ["Test", "Tests", "TestCase", "IT", "ITCase"];
                    stem.starts_with("Test") || ends.iter().any(|it| stem.ends_with(it))
                }
                // Below `tests/` only its own files are programs.
                "rs" => match path.rsplit_once("tests/") {
                    Some((_, rest)) => !rest.contains('/') || stem == "main" || stem == "mod",
                    None => true,
                },
                "js" | "ts" | "jsx" | "tsx" | "mjs" | "cjs" | "mts" | "cts" => is_of_tests(path),
                _ => true,
            }
        };
        let gone = patch.changes.iter().filter(|it| matches!(it.1, Change::Delete { .. }));
        let same_end = |path: &str| path.rsplit('.').next() == self.path.rsplit('.').next();
        let mut gone = gone.map(|it| it.0.as_str()).filter(|path| same_end(path));
        // What its name says of a test no longer, or its place.
        let named = |path: &str| path.contains(".spec.") || path.contains(".test.");
        let placed = |path: &str| path.contains("src/") && path.contains("est/");
        let less =
            |path: &str| named(path) && !named(&self.path) || placed(path) && !placed(&self.path);
        let lost = gone.clone().any(|path| by_name(path) && less(path));
        !self.is_new || by_name(&self.path) && !lost || !gone.any(by_name)
    }

    fn is_of_tests(&self) -> bool {
        is_of_tests(&self.path) || !self.before.tests.is_empty() || !self.after.tests.is_empty()
    }

    fn is_code(&self) -> bool {
        is_code(&self.path)
    }

    fn is_added(&self, row: usize) -> bool {
        self.added_rows.contains(&row)
    }

    /// Whether a row of the changed file belongs to tests.
    fn is_in_test(&self, row: usize) -> bool {
        is_of_tests(&self.path) || self.is_in_body(row)
    }

    /// The line that a row of the changed file took the place of.
    fn was(&self, row: usize) -> Option<&RowText> {
        let at = self.replaced.binary_search_by_key(&row, |it| it.1.row).ok()?;
        self.replaced.get(at).map(|it| &it.0)
    }

    /// A row of the old file, or the last of the changed one where that is shorter.
    fn row_near(&self, old: usize) -> usize {
        old.min(self.in_bodies.len().saturating_sub(1))
    }

    /// Whether a row of the changed file is in the body of a test.
    fn is_in_body(&self, row: usize) -> bool {
        self.in_bodies.get(row).copied().unwrap_or_default()
    }

    /// Whether a row of the changed file is inside of a test that was there before.
    fn is_in_kept(&self, row: usize) -> bool {
        self.in_kept.get(row).copied().unwrap_or_default()
    }

    /// Whether a row of the old file is inside of a test.
    fn was_in_test(&self, row: usize) -> bool {
        self.before.tests.iter().any(|test| test.rows.contains(&row))
    }

    /// Whether a row is inside of a test, or just before one.
    fn is_about_test(&self, row: usize) -> bool {
        is_of_tests(&self.path) || self.stands_before_test(row)
    }

    fn stands_before_test(&self, row: usize) -> bool {
        (row..=row + JUST_BEFORE).any(|row| self.is_in_body(row))
    }

    /// The tests that were there and still are, as they were and as they are.
    fn kept_tests(&self) -> impl Iterator<Item = (&TestFacts, &TestFacts)> {
        let now: BTreeMap<&str, &TestFacts> =
            self.after.tests.iter().rev().map(|test| (&*test.name, test)).collect();
        self.before.tests.iter().filter_map(move |old| Some((old, *now.get(&*old.name)?)))
    }

    /// Whether it tells runners, builders or CI what to do.
    fn is_setting(&self) -> bool {
        const NAMES: &[&str] = &[
            "makefile",
            "gnumakefile",
            "justfile",
            "tox.ini",
            "setup.cfg",
            "pyproject.toml",
            "pytest.ini",
            ".coveragerc",
            "package.json",
            "cargo.toml",
            "nextest.toml",
            "pom.xml",
            "build.gradle",
            "build.gradle.kts",
            "conftest.py",
            "noxfile.py",
            "taskfile.yml",
            ".mocharc",
            "jest.config",
            "vitest.config",
            "vite.config",
            "playwright.config",
            "cypress.config",
            "wdio.conf",
            "ava.config",
            "jsconfig",
            "karma.conf",
            "babel.config",
            "rollup.config",
            "webpack.config",
            "eslint.config",
            "tsconfig",
            "codecov.yml",
            ".nycrc",
            ".c8rc",
            "maven.config",
            "junit-platform.properties",
            "jest.setup",
            "vitest.setup",
            "setuptests",
            "surefire",
        ];
        let name = self.path.rsplit('/').next().unwrap_or(&self.path).to_lowercase();
        NAMES.iter().any(|it| name.starts_with(it)) || self.is_script()
    }

    /// Whether a shell or CI runs its lines.
    fn is_script(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        let of_ci = ["ci", "pipeline", "workflow", "travis", "appveyor"];
        let of_ci = self.path.starts_with('.')
            || name.starts_with('.')
            || of_ci.iter().any(|it| self.path.to_lowercase().contains(it));
        ["sh", "bash", "mk"].contains(&end)
            || ["Makefile", "makefile", "GNUmakefile", "justfile", "package.json"].contains(&name)
            || ["yml", "yaml"].contains(&end) && of_ci
    }

    fn finding(&self, rule: &CheatRule, row: usize, reason: String) -> CheatFinding {
        let (path, line) = (self.path.clone(), row + 1);
        CheatFinding { rule: rule.name, severity: rule.severity, path, line, reason }
    }
}

fn operations(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let old: Vec<&[u8]> = old.iter().map(|line| line.as_bytes()).collect();
    let new: Vec<&[u8]> = new.iter().map(|line| line.as_bytes()).collect();
    line_operations(&old, &new)
}

fn rows(lines: &[&str], range: Range<usize>) -> Vec<RowText> {
    let row = |row: usize| Some(RowText { row, text: (*lines.get(row)?).to_owned() });
    range.filter_map(row).collect()
}

/// Those of the texts of a file that it has more often than before.
fn new_texts(before: &[RowText], after: Vec<RowText>) -> Vec<RowText> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for it in before {
        *known.entry(&it.text).or_default() += 1;
    }
    let is_new = |it: &RowText| match known.get_mut(&*it.text) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    };
    after.into_iter().filter(is_new).collect()
}

fn texts<'a>(of: impl IntoIterator<Item = &'a RowText>) -> BTreeSet<&'a str> {
    of.into_iter().map(|it| &*it.text).collect()
}

/// A text for people: no longer than a line.
fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    let cut = text.char_indices().nth(LONGEST).map(|(at, _)| &text[..at]);
    cut.map_or_else(|| text.to_owned(), |start| format!("{start}…"))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
