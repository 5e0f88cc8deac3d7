//! `search`: lines that match a pattern, in all files below a path.
//!
//! Invariants: it asks between any two steps whether it is still wanted. A step is bounded by
//! constants: a pattern may only become so large, a file is read up to a limit and searched in
//! pieces, and a directory is listed up to a limit.

use std::fmt::Write as _;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::SearcherBuilder;
use grep_searcher::sinks::UTF8;
use serde::Deserialize;

use super::ToolFault;
use super::arguments::{directory, told};
use super::aside::too_long;
use super::files::{FileError, Root};
use crate::core::path::RepoPath;
use crate::workspace::patience::Patience;

/// Matches `search` shows.
const SEARCH_MATCHES: usize = 100;
/// Files and directories `search` looks into.
const SEARCH_ENTRIES: usize = 200_000;
/// What a pattern may become, and what is searched at a time: the worst of both takes a second.
const PATTERN_BYTES: usize = 1024 * 1024;
const PIECE: usize = 8 * 1024;
/// Characters of a matching line.
const MATCH_WIDTH: usize = 300;

/// What of a file tells whether it is text.
const BEGINNING: usize = 64 * 1024;

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
    let start = directory(&arguments.path)?;
    let matcher = RegexMatcherBuilder::new()
        .case_insensitive(arguments.ignore_case)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build(&arguments.pattern)
        .map_err(|error| ToolFault::ForModel(format!("The pattern cannot be used: {error}")))?;
    let mut hunt = Hunt { root, patience, matcher, found: String::new(), matches: 0 };
    hunt.below(start.as_ref())?;
    if hunt.found.is_empty() { Ok("No line matches.".to_owned()) } else { Ok(hunt.found) }
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
            match path.as_ref().map(|path| self.root.read_bytes(path)) {
                Some(Ok(content)) => {
                    let Some(path) = &path else { continue };
                    self.in_file(path, &content)?;
                }
                Some(Err(FileError::IsADirectory { .. })) | None => {
                    waiting.extend(below(self.root, path.as_ref())?);
                }
                Some(Err(refusal)) if path.as_ref() == start => return Err(told(refusal)),
                Some(Err(_)) => {}
            }
            if self.matches > SEARCH_MATCHES || entries >= SEARCH_ENTRIES {
                self.found.push_str(
                    "[more matches were not shown: search in a directory, or more exactly]\n",
                );
                break;
            }
        }
        Ok(())
    }

    /// Piece by piece, since one call of the searcher cannot be ended, and takes as long as pattern
    /// and text multiplied when a pattern is made for that.
    fn in_file(&mut self, path: &RepoPath, content: &[u8]) -> Result<(), ToolFault> {
        let mut searcher = SearcherBuilder::new().line_number(true).build();
        if content[..content.len().min(BEGINNING)].contains(&0) {
            return Ok(());
        }
        let mut lines_before = 0;
        for piece in pieces(content) {
            if self.patience.is_over() {
                return Err(too_long());
            }
            if piece.contains(&0) {
                break;
            }
            let (found, matches) = (&mut self.found, &mut self.matches);
            let lines = UTF8(|number, line| {
                *matches += 1;
                if *matches <= SEARCH_MATCHES {
                    let line: String = line.trim_end().chars().take(MATCH_WIDTH).collect();
                    let _ = writeln!(found, "{path}:{}| {line}", lines_before + number);
                }
                Ok(*matches <= SEARCH_MATCHES)
            });
            // What is not UTF-8 is not searched further; there is nothing to tell the model about it.
            let searched = searcher.search_slice(&self.matcher, piece, lines);
            if searched.is_err() || self.matches > SEARCH_MATCHES {
                break;
            }
            lines_before += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        Ok(())
    }
}

/// Whole lines, some at a time; only a line that is longer than a piece is cut.
fn pieces(mut content: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let most = content.len().min(PIECE);
        let end = match content[..most].iter().rposition(|byte| *byte == b'\n') {
            Some(line_end) if most < content.len() => line_end + 1,
            // Not within a character.
            _ => (most.saturating_sub(3)..=most)
                .rev()
                .find(|end| content.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80))
                .unwrap_or(most),
        };
        let (piece, rest) = content.split_at(end);
        content = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Files and directories right below, last first, so that a stack gives them back in order.
fn below(root: &Root, path: Option<&RepoPath>) -> Result<Vec<Option<RepoPath>>, ToolFault> {
    let listed = root.list(path).map_err(told)?;
    let children = listed.iter().rev().filter(|child| !child.name.ends_with('@'));
    let paths = children.filter_map(|child| {
        let name = child.name.trim_end_matches('/');
        let full = path.map_or(name.to_owned(), |path| format!("{path}/{name}"));
        full.parse().ok().map(Some)
    });
    Ok(paths.collect())
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
