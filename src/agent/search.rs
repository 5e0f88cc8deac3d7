//! `search`: lines that match a pattern, in all files below a path.
//!
//! Invariants: every file is searched to its end, whatever its size and encoding, or the answer
//! says which was not. It asks between any two steps whether it is still wanted. A step is bounded
//! by constants: a pattern may only become so large, and a file is read and searched in pieces.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use serde::Deserialize;

use super::ToolFault;
use super::arguments::{directory, told};
use super::aside::too_long;
use super::files::{FileError, Listed, Root};
use crate::core::path::RepoPath;
use crate::workspace::patience::Patience;

/// Matches `search` shows.
const SEARCH_MATCHES: usize = 100;
/// Files and directories `search` looks into; no tree that is exported has more.
const SEARCH_ENTRIES: usize = 1_000_000;
/// What a pattern may become, and what is searched at a time: the worst of both takes a second.
const PATTERN_BYTES: usize = 1024 * 1024;
const PIECE: usize = 8 * 1024;
/// What is read at a time.
const BLOCK: u64 = 1024 * 1024;
/// Of a line that is longer than a piece, what the next piece has once more: a match at the cut.
const OVERLAP: usize = 512;
/// Characters of a matching line, and how many of them stand before the match.
const MATCH_WIDTH: usize = 300;
const BEFORE_MATCH: usize = 100;
/// What of a file tells whether it is text; a NUL further on tells it of the rest.
const BEGINNING: usize = 64 * 1024;
/// Files that are named because they are not text, or could not be searched.
const MOST_NAMED: usize = 5;

/// What the model asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArguments {
    pattern: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    ignore_case: bool,
}

/// One search.
struct Hunt<'a> {
    root: &'a Root,
    patience: &'a Patience,
    matcher: RegexMatcher,
    found: String,
    matches: usize,
    /// Files that match and are not text.
    binary: Named,
    /// Files that were not searched, with the reason.
    left: Named,
}

/// Some names, and how many there are.
#[derive(Default)]
struct Named {
    names: Vec<String>,
    count: usize,
}

/// How far one file is searched.
#[derive(Default)]
struct FilePosition {
    /// Line breaks so far.
    breaks: u64,
    /// The last line that was shown, counted from one.
    shown: u64,
    /// The end of what was searched of the current line.
    begun: Vec<u8>,
    /// A NUL was seen.
    is_binary: bool,
}

/// Finds lines in all files below a path.
///
/// # Errors
/// For the model: the pattern or the path cannot be used, or it takes too long.
pub(super) fn search(
    root: &Root,
    arguments: &SearchArguments,
    patience: &Patience,
) -> Result<String, ToolFault> {
    let start = directory(&arguments.path, root.top())?;
    let matcher = matcher(arguments)?;
    let (found, binary, left) = (String::new(), Named::default(), Named::default());
    let mut hunt = Hunt { root, patience, matcher, found, matches: 0, binary, left };
    hunt.below(start.as_ref())?;
    Ok(hunt.told())
}

fn matcher(arguments: &SearchArguments) -> Result<RegexMatcher, ToolFault> {
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(arguments.ignore_case)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES);
    let matcher = builder
        .build(&arguments.pattern)
        .map_err(|error| ToolFault::ForModel(format!("The pattern cannot be used: {error}")))?;
    // It refuses only what needs a line break to match.
    builder.line_terminator(Some(b'\n')).build(&arguments.pattern).map_err(|_| {
        ToolFault::ForModel(
            "The pattern has a line break, and this looks at one line at a time. Search for one of \
             the lines."
                .to_owned(),
        )
    })?;
    Ok(matcher)
}

impl Hunt<'_> {
    fn below(&mut self, start: Option<&RepoPath>) -> Result<(), ToolFault> {
        let mut entries = 0;
        let mut waiting = vec![start.cloned()];
        while let Some(path) = waiting.pop() {
            if self.patience.is_over() {
                return Err(too_long());
            }
            entries += 1;
            match path.as_ref().map(|path| (path, self.root.open(path))) {
                Some((path, Ok(file))) => self.in_file(path, file)?,
                Some((_, Err(FileError::IsADirectory { .. }))) | None => {
                    match self.root.list(path.as_ref()) {
                        Ok(names) => waiting.extend(self.children(names)),
                        Err(refusal) if path.as_ref() == start => return Err(told(refusal)),
                        Err(refusal) => self.left.add(refusal.to_string()),
                    }
                }
                Some((path, Err(refusal))) if Some(path) == start => return Err(told(refusal)),
                // Gone since it was listed.
                Some((_, Err(FileError::Missing { .. }))) => {}
                Some((_, Err(refusal))) => self.left.add(refusal.to_string()),
            }
            if self.matches > SEARCH_MATCHES {
                self.found.push_str(
                    "[more matches were not shown: search in a directory, or more exactly]\n",
                );
                break;
            }
            if entries >= SEARCH_ENTRIES && !waiting.is_empty() {
                self.left.add(format!("whatever comes after the first {SEARCH_ENTRIES} files."));
                break;
            }
        }
        Ok(())
    }

    /// Last first, so that a stack gives them back in order.
    fn children(&mut self, names: Vec<Listed>) -> Vec<Option<RepoPath>> {
        let mut paths = Vec::with_capacity(names.len());
        for child in names.into_iter().rev().filter(|child| !child.is_link) {
            match child.path {
                Some(path) => paths.push(Some(path)),
                None => self.left.add(format!("{}: its name cannot be a path.", child.name)),
            }
        }
        paths
    }

    /// Piece by piece, since the search in one piece cannot be ended, and takes as long as pattern
    /// and text multiplied when a pattern is made for that.
    fn in_file(&mut self, path: &RepoPath, mut file: File) -> Result<(), ToolFault> {
        let mut position = FilePosition::default();
        let mut held = Vec::new();
        loop {
            let read = match (&mut file).take(BLOCK).read_to_end(&mut held) {
                Ok(read) => read,
                Err(error) => {
                    self.left.add(format!("{path} ({error})."));
                    return Ok(());
                }
            };
            let is_end = (read as u64) < BLOCK;
            let usable = if is_end { held.len() } else { whole_lines(&held) };
            let beginning = &held[..held.len().min(BEGINNING)];
            position.is_binary |= position.breaks == 0 && beginning.contains(&0);
            for piece in pieces(&held[..usable]) {
                let found_all = self.in_piece(path, piece, &mut position)?;
                if found_all || self.matches > SEARCH_MATCHES {
                    return Ok(());
                }
            }
            held.drain(..usable);
            if is_end {
                return Ok(());
            }
        }
    }

    /// Whether nothing more is to be found in the file.
    fn in_piece(
        &mut self,
        path: &RepoPath,
        piece: &[u8],
        position: &mut FilePosition,
    ) -> Result<bool, ToolFault> {
        if self.patience.is_over() {
            return Err(too_long());
        }
        position.is_binary |= piece.contains(&0);
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let number = position.breaks + 1;
            let whole: Cow<'_, [u8]> = if position.begun.is_empty() {
                part.into()
            } else {
                [&position.begun, part].concat().into()
            };
            let line = without_break(&whole);
            let place = if position.shown == number { None } else { self.place_in(line) };
            if let Some(at) = place {
                if position.is_binary {
                    self.binary.add(path.to_string());
                    return Ok(true);
                }
                position.shown = number;
                self.matches += 1;
                if self.matches > SEARCH_MATCHES {
                    return Ok(true);
                }
                let _ = writeln!(self.found, "{path}:{number}| {}", around(line, at));
            }
            if part.ends_with(b"\n") {
                position.breaks += 1;
                position.begun.clear();
            } else {
                position.begun = whole[end_of(&whole)..].to_vec();
            }
        }
        Ok(false)
    }

    /// Where the pattern is: in the bytes as they are, or as they are shown if they are no UTF-8.
    fn place_in(&self, line: &[u8]) -> Option<usize> {
        let place = |text: &[u8]| {
            self.matcher.find(text).unwrap_or_default().map(|found| found.start().min(line.len()))
        };
        place(line).or_else(|| match String::from_utf8_lossy(line) {
            Cow::Borrowed(_) => None,
            Cow::Owned(shown) => place(shown.as_bytes()),
        })
    }

    fn told(self) -> String {
        let mut text = self.found;
        if text.is_empty() {
            text.push_str("No line matches.");
        }
        for (what, named) in
            [("matches, but is not text", self.binary), ("not searched", self.left)]
        {
            if named.count > 0 {
                let more = named.count - named.names.len();
                let more = if more == 0 { String::new() } else { format!("; and {more} more") };
                let line_end = if text.ends_with('\n') { "" } else { "\n" };
                let _ = writeln!(text, "{line_end}[{what}: {}{more}]", named.names.join("; "));
            }
        }
        text
    }
}

impl Named {
    fn add(&mut self, name: String) {
        self.count += 1;
        if self.names.len() < MOST_NAMED {
            self.names.push(name);
        }
    }
}

fn without_break(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The line as it is shown: what is around the match, where it is too long for one look.
fn around(line: &[u8], at: usize) -> String {
    let before = String::from_utf8_lossy(&line[..at]).chars().count();
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end();
    let skipped = if line.chars().count() > MATCH_WIDTH && before > BEFORE_MATCH {
        before - BEFORE_MATCH
    } else {
        0
    };
    let start = if skipped > 0 { "…" } else { "" };
    let end = if line.chars().count() > skipped + MATCH_WIDTH { "…" } else { "" };
    let middle: String = line.chars().skip(skipped).take(MATCH_WIDTH).collect();
    format!("{start}{middle}{end}")
}

/// Where the part of an unfinished line begins that is searched once more.
fn end_of(line: &[u8]) -> usize {
    let start = line.len().saturating_sub(OVERLAP);
    (start..line.len()).find(|at| line[*at] & 0xc0 != 0x80).unwrap_or(start)
}

/// How much of a block ends with a line; all of it, but for half a character, if no line ends.
fn whole_lines(block: &[u8]) -> usize {
    let line_end = block.iter().rposition(|byte| *byte == b'\n');
    line_end.map_or_else(|| character_end(block, block.len()), |at| at + 1)
}

/// The last place up to `most` that is not within a character.
fn character_end(content: &[u8], most: usize) -> usize {
    (most.saturating_sub(3)..=most)
        .rev()
        .find(|end| *end < content.len() && content[*end] & 0xc0 != 0x80)
        .unwrap_or(most)
}

/// Whole lines, some at a time; only a line that is longer than a piece is cut.
fn pieces(mut content: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = content.len().min(PIECE);
        let end = match content[..most].iter().rposition(|byte| *byte == b'\n') {
            Some(line_end) if most < content.len() => line_end + 1,
            _ if most == content.len() => most,
            _ => character_end(content, most),
        };
        let (piece, rest) = content.split_at(end);
        content = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_pattern_made_to_take_long_is_ended_with_its_time() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("big"), "    same\n".repeat(100_000)).unwrap();
        let root = Root::new(std::fs::File::open(directory.path()).unwrap());
        for pattern in [
            r"(?-u:[a-z ]{0,30}){150}\d",
            r"((a?){200}){40}\z",
            r"((a?){20}){40}\z",
            "(x+x+)+y",
            r"\w{1,20}\d",
        ] {
            let begun = Instant::now();
            let arguments = SearchArguments {
                pattern: pattern.to_owned(),
                path: String::new(),
                ignore_case: true,
            };
            let ended = search(&root, &arguments, &Patience::of(Duration::from_secs(2)));
            println!("{pattern}: {:?} after {:?}", ended.is_ok(), begun.elapsed());
            assert!(begun.elapsed() < Duration::from_secs(60), "{pattern}: {:?}", begun.elapsed());
        }
    }

    fn searched(directory: &tempfile::TempDir, pattern: &str, path: &str) -> String {
        let root = Root::new(std::fs::File::open(directory.path()).unwrap());
        let arguments = SearchArguments {
            pattern: pattern.to_owned(),
            path: path.to_owned(),
            ignore_case: false,
        };
        match search(&root, &arguments, &Patience::of(Duration::from_secs(60))) {
            Ok(found) => found,
            Err(ToolFault::ForModel(words)) => panic!("{words}"),
            Err(ToolFault::EndsAttempt(words)) => panic!("{words}"),
            Err(ToolFault::Fatal(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn every_match_is_found_however_many_names_a_directory_has() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..5000 {
            let word = if number % 100 == 0 { "needle" } else { "hay" };
            std::fs::write(directory.path().join(format!("f{number}")), word).unwrap();
        }
        let found = searched(&directory, "needle", "");
        assert_eq!(found.lines().count(), 50, "{found}");
    }

    #[test]
    fn a_file_that_is_large_or_no_utf8_or_partly_binary_is_searched_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("latin"), b"caf\xe9 needle\nmore\nneedle, caf\xe9\n").unwrap();
        assert_eq!(
            searched(&directory, "needle", "latin"),
            "latin:1| caf\u{fffd} needle\nlatin:3| needle, caf\u{fffd}\n"
        );
        assert_eq!(searched(&directory, "caf.$", "latin"), "latin:3| needle, caf\u{fffd}\n");
        assert!(searched(&directory, r"(?-u:\xe9) needle", "latin").starts_with("latin:1|"));
        let large = "hay and more of it\n".repeat(200_000) + "a needle\n";
        std::fs::write(at("large"), large).unwrap();
        assert_eq!(searched(&directory, "needle", "large"), "large:200001| a needle\n");
        let late = "hay\n".repeat(30_000) + "\0\nneedle\n";
        std::fs::write(at("late"), late).unwrap();
        let found = searched(&directory, "needle", "late");
        assert_eq!(found, "No line matches.\n[matches, but is not text: late]\n");
        std::fs::write(at("dos"), "needle\r\n").unwrap();
        assert_eq!(searched(&directory, "needle$", "dos"), "dos:1| needle\n");
        std::fs::write(at("wide"), "x".repeat(20_000) + "needle" + &"x".repeat(20_000)).unwrap();
        let wide = searched(&directory, "needle", "wide");
        assert!(wide.contains("needle") && wide.contains('…') && wide.len() < 1000, "{wide}");
        let straddles = "x".repeat(PIECE - 3) + "needle";
        std::fs::write(at("wide"), straddles).unwrap();
        assert!(searched(&directory, "needle", "wide").starts_with("wide:1|"));
    }

    #[test]
    fn what_is_not_searched_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("icon@"), "needle\n").unwrap();
        assert_eq!(searched(&directory, "needle", ""), "icon@:1| needle\n");
        std::fs::write(at("back\\slash"), "needle\n").unwrap();
        std::fs::hard_link(at("icon@"), at("second")).unwrap();
        let found = searched(&directory, "needle", "");
        assert!(found.contains("not searched") && found.contains("back\\slash"), "{found}");
        assert!(found.contains("second"), "{found}");
    }

    #[test]
    fn a_pattern_over_several_lines_is_refused_rather_than_found_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(std::fs::File::open(directory.path()).unwrap());
        let arguments = SearchArguments {
            pattern: r"one\ntwo".to_owned(),
            path: String::new(),
            ignore_case: false,
        };
        let refused = search(&root, &arguments, &Patience::of(Duration::from_secs(60)));
        let Err(ToolFault::ForModel(words)) = refused else { panic!("{refused:?}") };
        assert!(words.contains("one line at a time"), "{words}");
    }

    proptest! {
        #[test]
        fn pieces_are_the_content_in_order_and_part_lines_only_where_one_is_too_long(
            lines in proptest::collection::vec(("[aé€😀]{0,3}", 1..6000_usize), 0..40),
        ) {
            let content: String = lines.iter().map(|(text, n)| text.repeat(*n) + "\n").collect();
            let parts: Vec<&[u8]> = pieces(content.as_bytes()).collect();
            prop_assert_eq!(parts.concat(), content.as_bytes());
            for part in parts {
                prop_assert!(part.len() <= PIECE && std::str::from_utf8(part).is_ok());
                prop_assert!(part.ends_with(b"\n") || part.len() > PIECE - 4 || !part.contains(&b'\n'));
            }
        }
    }
}
