//! Rules that find cheats in a change: what makes checks green without mending anything.
//!
//! Each rule is one file, and reads the syntax of both versions of each changed file. What it finds
//! is shown to people; what tests came to decides, elsewhere.
//!
//! Invariants: a rule looks at what a change adds or takes away, and never at what was there
//! before; what it says is a place and a reason; nothing is run, and the time is bounded by the
//! size of the change.

use similar::DiffTag;

use self::facts::{RowText, SourceFacts};
use super::test_files::is_of_tests;
use crate::core::patch::{Change, Patch, is_binary};
use crate::workspace::diff::{BaseFiles, line_operations};

mod assertion_loosened;
mod assertion_removed;
mod checks_the_runner;
mod expectation_bent;
mod facts;
mod failure_swallowed;
mod generated_edited;
mod language;
mod page;
mod process_exit;
mod retries_enabled;
mod snapshot_alone;
mod suppression_added;
mod tautology;
mod test_focused;
mod test_removed;
mod test_skipped;
mod threshold_relaxed;
mod version_lowered;

pub use page::rules_page;

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheatFinding {
    /// The rule, by name.
    pub rule: &'static str,
    /// The file.
    pub path: String,
    /// The line, from 1; in the changed file, or in the old one of what is gone.
    pub line: usize,
    /// What is said of it.
    pub reason: String,
}

/// A rule.
pub struct CheatRule {
    /// As people name it.
    pub name: &'static str,
    /// What it finds, in a sentence.
    pub finds: &'static str,
    check: fn(&ChangedSources) -> Vec<CheatFinding>,
    /// Changes that it finds. The first is shown.
    pub fires: &'static [RuleExample],
    /// Changes that it does not, though they look like it. The first is shown.
    pub passes: &'static [RuleExample],
}

/// A change for one rule: of each file its path, and its text before and after; empty: not there.
pub type RuleExample = &'static [(&'static str, &'static str, &'static str)];

/// All of them, in the order of the alphabet.
pub const RULES: &[CheatRule] = &[
    assertion_loosened::RULE,
    assertion_removed::RULE,
    checks_the_runner::RULE,
    expectation_bent::RULE,
    failure_swallowed::RULE,
    generated_edited::RULE,
    process_exit::RULE,
    retries_enabled::RULE,
    snapshot_alone::RULE,
    suppression_added::RULE,
    tautology::RULE,
    test_focused::RULE,
    test_removed::RULE,
    test_skipped::RULE,
    threshold_relaxed::RULE,
    version_lowered::RULE,
];

/// The rule whose findings hold a change where its runner takes the end of a process for success.
pub const PROCESS_EXIT: &str = process_exit::RULE.name;

/// What all rules find in a change, rule by rule.
pub fn find_cheats(patch: &Patch, base: &BaseFiles) -> Vec<CheatFinding> {
    let sources = ChangedSources::of(patch, base);
    RULES.iter().flat_map(|rule| (rule.check)(&sources)).collect()
}

/// The changed files, as rules see them.
struct ChangedSources {
    files: Vec<ChangedSource>,
}

/// One of them. Binary ones are left out.
struct ChangedSource {
    path: String,
    before: SourceFacts,
    after: SourceFacts,
    /// Lines that came, with their rows in the changed file.
    added: Vec<RowText>,
    /// Lines that went, with their rows in the old one.
    removed: Vec<RowText>,
    is_new: bool,
    is_gone: bool,
    /// The first lines of the old file.
    head: String,
}

impl ChangedSources {
    fn of(patch: &Patch, base: &BaseFiles) -> Self {
        let source = |(path, change): (&crate::core::path::RepoPath, &Change)| {
            let before = base.get(path).map(|file| &file.content[..]);
            let after = match change {
                Change::Write { content, .. } => Some(&content[..]),
                Change::Delete { .. } => None,
            };
            let binary = [before, after].into_iter().flatten().any(is_binary);
            (!binary).then(|| ChangedSource::of(path.as_str(), before, after))
        };
        Self { files: patch.changes.iter().filter_map(source).collect() }
    }

    /// Files that hold tests, or belong to them.
    fn of_tests(&self) -> impl Iterator<Item = &ChangedSource> {
        self.files.iter().filter(|file| file.is_of_tests())
    }

    /// Files of the program.
    fn of_program(&self) -> impl Iterator<Item = &ChangedSource> {
        self.files.iter().filter(|file| !is_of_tests(&file.path) && file.is_code())
    }

    /// Whether a test of this name is there with the change, or one with this text.
    fn has_test(&self, name: &str, text: &str) -> bool {
        let body = |text: &str| text.split_once(['(', '{']).map(|it| it.1.to_owned());
        let wanted = body(text);
        self.files
            .iter()
            .flat_map(|file| &file.after.tests)
            .any(|test| test.name == name || body(&test.text) == wanted)
    }
}

impl ChangedSource {
    fn of(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Self {
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"")).into_owned();
        let (old, new) = (text(before), text(after));
        let lines = |text: &'_ str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        let (old_lines, new_lines) = (lines(&old), lines(&new));
        let bytes = |lines: &'_ [String]| -> Vec<Vec<u8>> {
            lines.iter().map(|line| line.as_bytes().to_vec()).collect()
        };
        let (old_bytes, new_bytes) = (bytes(&old_lines), bytes(&new_lines));
        let old_refs: Vec<&[u8]> = old_bytes.iter().map(Vec::as_slice).collect();
        let new_refs: Vec<&[u8]> = new_bytes.iter().map(Vec::as_slice).collect();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for operation in line_operations(&old_refs, &new_refs) {
            if operation.tag() == DiffTag::Equal {
                continue;
            }
            let of = |lines: &[String], range: std::ops::Range<usize>| -> Vec<RowText> {
                let text = |row: usize| lines.get(row).cloned().unwrap_or_default();
                range.map(|row| RowText { row, text: text(row) }).collect()
            };
            removed.extend(of(&old_lines, operation.old_range()));
            added.extend(of(&new_lines, operation.new_range()));
        }
        Self {
            path: path.to_owned(),
            before: SourceFacts::of(path, &old),
            after: SourceFacts::of(path, &new),
            added,
            removed,
            is_new: before.is_none(),
            is_gone: after.is_none(),
            head: old_lines.into_iter().take(5).collect::<Vec<_>>().join("\n"),
        }
    }

    fn is_of_tests(&self) -> bool {
        is_of_tests(&self.path) || !self.before.tests.is_empty() || !self.after.tests.is_empty()
    }

    fn is_code(&self) -> bool {
        super::test_files::is_code(&self.path)
    }

    fn is_added(&self, row: usize) -> bool {
        self.added.iter().any(|line| line.row == row)
    }

    /// Whether a row of the changed file is inside of a test.
    fn is_in_test(&self, row: usize) -> bool {
        is_of_tests(&self.path) || self.after.tests.iter().any(|test| test.rows.contains(&row))
    }

    fn finding(&self, rule: &'static str, row: usize, reason: String) -> CheatFinding {
        CheatFinding { rule, path: self.path.clone(), line: row + 1, reason }
    }

    /// A finding for each of these texts that the changed file has more often than the old one.
    fn more(
        &self,
        rule: &'static str,
        (before, after): (Vec<RowText>, Vec<RowText>),
        reason: impl Fn(&str) -> String,
    ) -> Vec<CheatFinding> {
        let mut known: Vec<String> = before.into_iter().map(|it| it.text).collect();
        let is_new = |it: &RowText| match known.iter().position(|text| *text == it.text) {
            Some(at) => {
                known.swap_remove(at);
                false
            }
            None => true,
        };
        let new = after.into_iter().filter(is_new).collect::<Vec<_>>();
        new.into_iter().map(|it| self.finding(rule, it.row, reason(&it.text))).collect()
    }
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
