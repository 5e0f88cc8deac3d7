//! A change as suggestions on lines of a pull request, which its author takes with a click.
//!
//! Invariants: a suggestion replaces whole lines that the pull request's diff shows, no line is in
//! two of them, and what is suggested is what people see of it; whether all of them together are
//! the change is told.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Instant;

use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};

use super::diff::{BaseFile, BaseFiles, SEARCHING, lines_of};
use super::mirror::EntryMode;
use crate::core::patch::{Change, FileMode, Patch, is_binary};
use crate::core::path::RepoPath;
use crate::core::text::shows_as_it_is;

/// More than these help nobody.
const MOST: usize = 20;
/// Bytes of one suggestion.
const LONGEST: usize = 10_000;

/// The lines of each file that a pull request's diff shows, as the pull request leaves them, from
/// 1.
pub type ShownLines = BTreeMap<String, Vec<RangeInclusive<usize>>>;

/// Some lines, and what is to stand there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The file.
    pub path: RepoPath,
    /// From which line to which, both included.
    pub lines: RangeInclusive<usize>,
    /// Whole lines; empty where they only go.
    pub instead: String,
}

/// What can be suggested of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// In the order of files and lines.
    pub all: Vec<Suggestion>,
    /// Whether there is more to the change.
    pub partial: bool,
}

/// The lines that a file's diff shows, from its text as GitHub gives it.
pub fn shown_lines(patch: &str) -> Vec<RangeInclusive<usize>> {
    let headers = patch.lines().filter(|line| line.starts_with("@@ "));
    let range = |line: &str| {
        let new = line.split(' ').find_map(|word| word.strip_prefix('+'))?;
        let (first, count) = new.split_once(',').unwrap_or((new, "1"));
        let (first, count): (usize, usize) = (first.parse().ok()?, count.parse().ok()?);
        (count > 0).then(|| first..=first + count - 1)
    };
    headers.filter_map(range).collect()
}

/// What can be suggested of a change to the head of a pull request.
pub fn suggestions(patch: &Patch, head: &BaseFiles, shown: &ShownLines) -> Suggestions {
    let mut found = Suggestions::default();
    for (path, change) in &patch.changes {
        let shown = shown.get(path.as_str()).map_or(&[][..], Vec::as_slice);
        let Some((old, new)) = head.get(path).and_then(|file| texts(file, change)) else {
            found.partial = true;
            continue;
        };
        let mut free = 1;
        for (lines, instead) in replacements(&lines_of(old), &lines_of(new)) {
            let is_shown =
                shown.iter().any(|it| it.contains(lines.start()) && it.contains(lines.end()));
            let plain = instead.filter(|text| text.len() <= LONGEST && shows_as_it_is(text));
            match plain {
                Some(instead) if is_shown && *lines.start() >= free && found.all.len() < MOST => {
                    free = lines.end() + 1;
                    found.all.push(Suggestion { path: path.clone(), lines, instead });
                }
                _ => found.partial = true,
            }
        }
    }
    found
}

/// A file's text before and after, where only the text changes.
fn texts<'t>(file: &'t BaseFile, change: &'t Change) -> Option<(&'t [u8], &'t [u8])> {
    let Change::Write { content, mode, .. } = change else { return None };
    let same = match file.mode {
        EntryMode::File => *mode == FileMode::File,
        EntryMode::Executable => *mode == FileMode::Executable,
        EntryMode::Symlink | EntryMode::Submodule => false,
    };
    (same && !is_binary(&file.content) && !is_binary(content)).then_some((&file.content, content))
}

/// Each place that differs, with what is to stand there: `None` where it cannot be suggested.
fn replacements(old: &[&[u8]], new: &[&[u8]]) -> Vec<(RangeInclusive<usize>, Option<String>)> {
    let until = Some(Instant::now() + SEARCHING);
    let changed = capture_diff_slices_deadline(Algorithm::Myers, old, new, until);
    let changed = changed.into_iter().filter(|it| it.tag() != DiffTag::Equal);
    let replacement = |operation: similar::DiffOp| {
        let (mut from, mut to) = (operation.old_range(), operation.new_range());
        if from.is_empty() && from.start > 0 {
            // Nothing stands there yet: the line before it stays.
            from.start -= 1;
            to.start -= 1;
        } else if from.is_empty() {
            from.end += 1;
            to.end += 1;
        }
        let there = old.get(from.clone()).unwrap_or_default();
        let text = new.get(to).unwrap_or_default();
        // What has another end of line than the usual one cannot be told in a comment.
        let usual = |line: &&[u8]| line.ends_with(b"\n") && !line.ends_with(b"\r\n");
        let tells = !there.is_empty() && there.iter().chain(text).all(usual);
        let text = tells.then(|| String::from_utf8(text.concat()).ok()).flatten();
        (from.start + 1..=from.end, text)
    };
    changed.map(replacement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "one\ntwo\nthree\nfour\nfive\n";

    fn suggested(old: &str, new: &str, shown: &str) -> Suggestions {
        let path: RepoPath = "a.txt".parse().unwrap();
        let change = Change::Write { content: new.into(), mode: FileMode::File, replaces: None };
        let patch = Patch { changes: [(path.clone(), change)].into() };
        let file = BaseFile { mode: EntryMode::File, content: old.into() };
        let shown = [("a.txt".to_owned(), shown_lines(shown))].into();
        suggestions(&patch, &[(path, file)].into(), &shown)
    }

    /// Taken one after the other, from the last.
    fn taken(old: &str, suggestions: &Suggestions) -> String {
        let mut lines: Vec<&str> = old.split_inclusive('\n').collect();
        for it in suggestions.all.iter().rev() {
            lines.splice(it.lines.start() - 1..*it.lines.end(), [it.instead.as_str()]);
        }
        lines.concat()
    }

    #[test]
    fn taken_together_they_are_the_change() {
        for new in [
            "one\n2\nthree\nfour\nfive\n",
            "zero\none\ntwo\nthree\nfour\nfive\n",
            "one\ntwo\nthree\nfour\nfive\nsix\n",
            "one\nfour\nfive\n",
            "1\ntwo\nx\nthree\ny\nfour\n",
            "one\ntwo\nthree\n3½\nfour\nfive\n",
        ] {
            let found = suggested(OLD, new, "@@ -0,0 +1,5 @@");
            assert!(!found.partial && !found.all.is_empty(), "{new:?}: {found:?}");
            assert_eq!(taken(OLD, &found), new);
        }
    }

    #[test]
    fn what_the_diff_does_not_show_or_a_comment_cannot_tell_is_left_out_and_said() {
        let both = suggested(OLD, "1\ntwo\nthree\nfour\n5\n", "@@ -1,3 +1,3 @@ f\n one");
        assert_eq!((both.all.len(), both.partial), (1, true));
        assert_eq!(both.all[0].lines, 1..=1);
        for (what, old, new) in [
            ("no end of line", "one\ntwo", "one\n2"),
            ("other ends of lines", "one\r\n", "two\r\n"),
            ("invisible", "one\n", "o\u{200b}ne\n"),
            ("an empty file", "", "one\n"),
            ("not text", "one\n", "\0\n"),
        ] {
            let found = suggested(old, new, "@@ -0,0 +1,9 @@");
            assert_eq!((found.all.len(), found.partial), (0, true), "{what}: {found:?}");
        }
    }

    #[test]
    fn a_header_tells_the_lines_of_the_new_side() {
        let patch =
            "@@ -1,4 +1,6 @@ fn a()\n a\n+@@ -1 +7 @@\n@@ -20 +23 @@\n-x\n+y\n@@ -30,2 +32,0 @@";
        assert_eq!(shown_lines(patch), [1..=6, 23..=23]);
    }
}
