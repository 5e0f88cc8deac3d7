//! A change in parts: its tests and the rest, and the rest hunk by hunk.
//!
//! Invariants: laid on the base, the tests and the rest together are the change; a line that might
//! be of the program counts to the rest; the change without one of its parts differs from it in
//! that part only.

use std::ops::Range;

use similar::DiffTag;

use super::test_files::test_lines;
use super::test_map::TestMap;
use crate::core::patch::{Change, FileMode, Patch, is_binary};
use crate::core::path::RepoPath;
use crate::workspace::diff::{BaseFile, BaseFiles, line_operations, lines_of};
use crate::workspace::mirror::EntryMode;

/// A change, divided.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SplitPatch {
    /// What of it is tests.
    pub tests: Patch,
    /// What of it is not.
    pub rest: Patch,
}

/// One part of the rest.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) struct ChangePart {
    pub path: RepoPath,
    /// Its first line in the changed file, from 1.
    pub line: u32,
    pub added: u32,
    pub removed: u32,
    /// The change without it.
    pub without: Patch,
}

/// Divides a change.
pub(super) fn split(patch: &Patch, base: &BaseFiles, map: &TestMap) -> SplitPatch {
    let mut split = SplitPatch::default();
    for (path, change) in &patch.changes {
        if map.holds(path.as_str()) {
            split.tests.changes.insert(path.clone(), change.clone());
            continue;
        }
        let Some(file) = EditedFile::of(path, change, base) else {
            split.rest.changes.insert(path.clone(), change.clone());
            continue;
        };
        for (into, of_tests) in [(&mut split.tests, true), (&mut split.rest, false)] {
            let chosen = |piece: &Piece| piece.is_test == of_tests;
            // The rest is what a file's mode belongs to.
            if file.pieces.iter().any(chosen) || !of_tests && file.changes_mode() {
                let change = file.with(chosen, !of_tests);
                into.changes.insert(path.clone(), change);
            }
        }
    }
    split
}

/// Files that people read and no program does.
const WORDS: &[&str] = &["md", "markdown", "rst", "txt", "adoc"];

/// The parts of the rest of a change, the largest first. What only people read is none.
pub(super) fn parts(patch: &Patch, base: &BaseFiles, map: &TestMap) -> Vec<ChangePart> {
    let parts = parts_where(patch, base, map, false);
    // Where there is nothing else, it is what the program reads.
    if parts.is_empty() { parts_where(patch, base, map, true) } else { parts }
}

fn parts_where(
    patch: &Patch,
    base: &BaseFiles,
    map: &TestMap,
    only_words: bool,
) -> Vec<ChangePart> {
    let mut parts = Vec::new();
    for (path, change) in &patch.changes {
        let language = path.as_str().rsplit_once('.').map_or("", |it| it.1);
        if map.holds(path.as_str()) || only_words != WORDS.contains(&language) {
            continue;
        }
        let Some(file) = EditedFile::of(path, change, base) else {
            let mut without = patch.clone();
            without.changes.remove(path);
            let lines = |bytes: &[u8]| count(lines_of(bytes).len());
            let added = match change {
                Change::Write { content, .. } => lines(content),
                Change::Delete { .. } => 0,
            };
            let removed = base.get(path).map_or(0, |file| lines(&file.content));
            parts.push(ChangePart { path: path.clone(), line: 1, added, removed, without });
            continue;
        };
        for piece in file.pieces.iter().filter(|piece| !piece.is_test) {
            let mut without = patch.clone();
            let others = |other: &Piece| other != piece;
            if file.pieces.len() == 1 && !file.changes_mode() {
                without.changes.remove(path);
            } else {
                without.changes.insert(path.clone(), file.with(others, true));
            }
            let (added, removed) = (count(piece.new.len()), count(piece.old.len()));
            let line = count(piece.new.start + 1);
            parts.push(ChangePart { path: path.clone(), line, added, removed, without });
        }
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.added + part.removed));
    parts
}

fn count(lines: usize) -> u32 {
    u32::try_from(lines).unwrap_or(u32::MAX)
}

/// Lines that are replaced by others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    old: Range<usize>,
    new: Range<usize>,
    is_test: bool,
}

/// A text that was there before and is there afterwards.
struct EditedFile<'a> {
    base: &'a BaseFile,
    mode: FileMode,
    change: &'a Change,
    old: Vec<&'a [u8]>,
    new: Vec<&'a [u8]>,
    pieces: Vec<Piece>,
}

impl<'a> EditedFile<'a> {
    /// `None`: it is new, gone, or no text.
    fn of(path: &RepoPath, change: &'a Change, base: &'a BaseFiles) -> Option<Self> {
        let Change::Write { content, mode, .. } = change else { return None };
        let base = base.get(path).filter(|it| it.mode != EntryMode::Symlink)?;
        if is_binary(content) || is_binary(&base.content) {
            return None;
        }
        let (old, new) = (lines_of(&base.content), lines_of(content));
        let pieces = pieces(path.as_str(), &old, &new);
        Some(Self { base, mode: *mode, change, old, new, pieces })
    }

    fn mode_before(&self) -> FileMode {
        match self.base.mode {
            EntryMode::Executable => FileMode::Executable,
            EntryMode::File | EntryMode::Submodule | EntryMode::Symlink => FileMode::File,
        }
    }

    fn changes_mode(&self) -> bool {
        self.mode != self.mode_before()
    }

    /// The file with these pieces changed and all others as they were.
    fn with(&self, chosen: impl Fn(&Piece) -> bool, new_mode: bool) -> Change {
        let mut content = Vec::new();
        let mut at = 0;
        for piece in &self.pieces {
            let same = self.old.get(at..piece.old.start).unwrap_or_default();
            same.iter().for_each(|line| content.extend_from_slice(line));
            let lines = match chosen(piece) {
                true => self.new.get(piece.new.clone()),
                false => self.old.get(piece.old.clone()),
            };
            lines.unwrap_or_default().iter().for_each(|line| content.extend_from_slice(line));
            at = piece.old.end;
        }
        let rest = self.old.get(at..).unwrap_or_default();
        rest.iter().for_each(|line| content.extend_from_slice(line));
        let mode = if new_mode { self.mode } else { self.mode_before() };
        let replaces = match self.change {
            Change::Write { replaces, .. } => replaces.clone(),
            Change::Delete { replaces } => Some(replaces.clone()),
        };
        Change::Write { mode, content, replaces }
    }
}

/// What differs, in order; each piece is of the tests or not.
fn pieces(path: &str, old: &[&[u8]], new: &[&[u8]]) -> Vec<Piece> {
    let marks = |lines: &[&[u8]]| {
        let text: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        let lines: Vec<&str> = text.iter().map(|line| line.trim_end_matches('\n')).collect();
        let tests = test_lines(path, &lines);
        // An empty line is of whatever stands around it.
        let mark = |(line, test): (&&str, bool)| (!line.trim().is_empty()).then_some(test);
        lines.iter().zip(tests).map(mark).collect::<Vec<Option<bool>>>()
    };
    let (before, after) = (marks(old), marks(new));
    let mut pieces = Vec::new();
    for operation in line_operations(old, new).iter().filter(|it| it.tag() != DiffTag::Equal) {
        let (old, new) = (operation.old_range(), operation.new_range());
        let gone = before.get(old.clone()).unwrap_or_default();
        let came = after.get(new.clone()).unwrap_or_default();
        match (runs(gone).as_slice(), runs(came).as_slice()) {
            // All of one kind.
            (olds, news) if olds.iter().chain(news).all(|run| run.1) => {
                pieces.push(Piece { old, new, is_test: !(olds.is_empty() && news.is_empty()) });
            }
            (olds, news) if olds.len() <= 1 && news.len() > 1 => {
                let goes_with = olds.first().is_some_and(|run| run.1);
                let mut open = Some(old.clone());
                for (run, is_test) in news {
                    let own = (*is_test == goes_with).then(|| open.take()).flatten();
                    // Before its turn nothing is replaced yet, and afterwards all of it is.
                    let at = if open.is_some() { old.start } else { old.end };
                    let own = own.unwrap_or(at..at);
                    let new = new.start + run.start..new.start + run.end;
                    pieces.push(Piece { old: own, new, is_test: *is_test });
                }
            }
            (olds, []) if olds.len() > 1 => {
                for (run, is_test) in olds {
                    let range = old.start + run.start..old.start + run.end;
                    pieces.push(Piece { old: range, new: new.clone(), is_test: *is_test });
                }
            }
            _ => pieces.push(Piece { old, new, is_test: false }),
        }
    }
    pieces
}

/// Neighbouring lines of one kind; those of no kind go with what stands before them.
fn runs(marks: &[Option<bool>]) -> Vec<(Range<usize>, bool)> {
    let mut runs: Vec<(Range<usize>, bool)> = Vec::new();
    let mut waiting = 0;
    for (at, mark) in marks.iter().enumerate() {
        match (mark, runs.last_mut()) {
            (None, None) => waiting += 1,
            (None, Some(last)) => last.0.end = at + 1,
            (Some(kind), Some(last)) if last.1 == *kind => last.0.end = at + 1,
            (Some(kind), _) => {
                let start = if runs.is_empty() { at - waiting } else { at };
                runs.push((start..at + 1, *kind));
            }
        }
    }
    runs
}

/// Whether some of these tests stand in the place of others.
pub(super) fn replaces_tests(tests: &Patch) -> bool {
    tests.changes.values().any(|change| match change {
        Change::Write { replaces, .. } => replaces.is_some(),
        Change::Delete { .. } => true,
    })
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
