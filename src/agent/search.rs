//! `search`: lines that match a pattern, in all files below a path.
//!
//! Invariants: every file is searched to its end, whatever its size and encoding, or the answer
//! says which was not. It asks between any two steps whether it is still wanted. A step is bounded
//! by constants: a pattern may only become so large, and a file is read and searched in pieces.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

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
/// Files that are searched before it is told of them, and the fewest that are worth a thread.
const BATCH: usize = 512;
const LEAST_OF_A_THREAD: usize = 16;
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
    files: FileHunt<'a>,
    entries: usize,
    found: String,
    matches: usize,
    /// Files that match and are not text.
    binary: Named,
    /// Files that were not searched, with the reason.
    left: Named,
}

/// The search in any one file; several go on side by side.
struct FileHunt<'a> {
    root: &'a Root,
    patience: &'a Patience,
    matcher: RegexMatcher,
    /// Finds something in a piece of whole lines wherever the other does in one of them, and maybe
    /// elsewhere. `None`: the pattern looks at the ends of the text, which for a piece are others.
    of_pieces: Option<RegexMatcher>,
}

/// What stands next in the order in which people and models are told.
enum SearchEntry {
    File(RepoPath),
    /// Something that is not searched, and why.
    Left(String),
}

/// What the search in one file came to.
#[derive(Default)]
struct FileFindings {
    /// A line for each match.
    found: String,
    matches: usize,
    /// It matches, and is not text.
    binary: bool,
    /// Why it was not searched to its end.
    left: Option<FileError>,
    /// It was given up.
    too_long: bool,
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
    let files = FileHunt {
        root,
        patience,
        matcher: matcher(arguments)?,
        of_pieces: matcher_of_pieces(arguments),
    };
    let (found, binary, left) = (String::new(), Named::default(), Named::default());
    let mut hunt = Hunt { files, entries: 0, found, matches: 0, binary, left };
    match start.as_ref().map(|path| (path, root.open(path))) {
        Some((path, Ok(_))) => hunt.searched(&[SearchEntry::File(path.clone())])?,
        Some((_, Err(FileError::IsADirectory { .. }))) | None => {
            hunt.below(root.list(start.as_ref()).map_err(told)?)?;
        }
        Some((_, Err(refusal))) => return Err(told(refusal)),
    }
    Ok(hunt.told())
}

/// A pattern that says which line breaks it means, or means the ends of the text, is not read here.
fn matcher_of_pieces(arguments: &SearchArguments) -> Option<RegexMatcher> {
    if ["(?", r"\A", r"\z"].iter().any(|it| arguments.pattern.contains(it)) {
        return None;
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(arguments.ignore_case)
        .multi_line(true)
        .line_terminator(Some(b'\n'))
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES);
    builder.build(&arguments.pattern).ok()
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
    /// Searches all below what stands in a directory, some files at a time.
    fn below(&mut self, names: Vec<Listed>) -> Result<(), ToolFault> {
        let (mut waiting, mut batch) = (children(names), Vec::new());
        while let Some(next) = waiting.pop() {
            if self.files.patience.is_over() {
                return Err(too_long());
            }
            self.entries += 1;
            match next {
                Child::Directory(path) => match self.files.root.list(Some(&path)) {
                    Ok(names) => waiting.extend(children(names)),
                    Err(refusal) => batch.push(SearchEntry::Left(refusal.to_string())),
                },
                Child::File(path) => batch.push(SearchEntry::File(path)),
                Child::Unnamed(name) => {
                    batch.push(SearchEntry::Left(format!("{name}: its name cannot be a path.")));
                }
            }
            let enough = self.entries >= SEARCH_ENTRIES && !waiting.is_empty();
            if batch.len() >= BATCH || enough || waiting.is_empty() {
                self.searched(&std::mem::take(&mut batch))?;
            }
            if self.matches > SEARCH_MATCHES {
                return Ok(());
            }
            if enough {
                self.left.add(format!("whatever comes after the first {SEARCH_ENTRIES} files."));
                return Ok(());
            }
        }
        Ok(())
    }

    /// Searches files side by side, and tells of them in their order.
    fn searched(&mut self, batch: &[SearchEntry]) -> Result<(), ToolFault> {
        let (files, next) = (&self.files, AtomicUsize::new(0));
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                match batch.get(at) {
                    Some(SearchEntry::File(path)) => done.push((at, files.in_file(path))),
                    Some(SearchEntry::Left(_)) => {}
                    None => return done,
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut all: Vec<Option<FileFindings>> = batch.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let others = 1..threads.min(batch.len().div_ceil(LEAST_OF_A_THREAD));
            let others: Vec<_> = others.map(|_| scope.spawn(work)).collect();
            let theirs = others.into_iter().flat_map(|other| other.join().unwrap_or_default());
            work().into_iter().chain(theirs).for_each(|(at, findings)| all[at] = Some(findings));
        });
        for (entry, findings) in batch.iter().zip(all) {
            match (entry, findings) {
                (SearchEntry::File(path), Some(findings)) => self.tell_of(path, findings)?,
                (SearchEntry::Left(why), _) => self.left.add(why.clone()),
                (SearchEntry::File(path), None) => self.left.add(path.to_string()),
            }
            if self.matches > SEARCH_MATCHES {
                self.found.push_str(
                    "[more matches were not shown: search in a directory, or more exactly]\n",
                );
                break;
            }
        }
        Ok(())
    }

    fn tell_of(&mut self, path: &RepoPath, findings: FileFindings) -> Result<(), ToolFault> {
        if findings.too_long {
            return Err(too_long());
        }
        let room = SEARCH_MATCHES - self.matches;
        self.matches += findings.matches;
        self.found.extend(findings.found.split_inclusive('\n').take(room));
        if self.matches > SEARCH_MATCHES {
            return Ok(());
        }
        if findings.binary {
            self.binary.add(path.to_string());
        }
        match findings.left {
            // Its file system does not say in a list what is a directory.
            Some(FileError::IsADirectory { .. }) => match self.files.root.list(Some(path)) {
                Ok(names) => return self.below(names),
                Err(refusal) => self.left.add(refusal.to_string()),
            },
            // Gone since it was listed.
            Some(FileError::Missing { .. }) | None => {}
            Some(refusal) => self.left.add(refusal.to_string()),
        }
        Ok(())
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

impl FileHunt<'_> {
    fn in_file(&self, path: &RepoPath) -> FileFindings {
        let mut findings = FileFindings::default();
        match self.root.open(path) {
            Ok(file) => self.in_open_file(path, file, &mut findings),
            Err(refusal) => findings.left = Some(refusal),
        }
        findings
    }

    /// Piece by piece, since the search in one piece cannot be ended, and takes as long as pattern
    /// and text multiplied when a pattern is made for that.
    fn in_open_file(&self, path: &RepoPath, mut file: File, findings: &mut FileFindings) {
        let mut position = FilePosition::default();
        let expected = file.metadata().map_or(0, |it| it.len()).min(BLOCK - 1);
        // With room for one more, so that the end is seen without a second look.
        let mut held = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
        loop {
            let read = match (&mut file).take(BLOCK).read_to_end(&mut held) {
                Ok(read) => read,
                Err(source) => {
                    let path = path.to_string();
                    findings.left = Some(FileError::Io { path, verb: "read", source });
                    return;
                }
            };
            let is_end = (read as u64) < BLOCK;
            let usable = if is_end { held.len() } else { whole_lines(&held) };
            let beginning = &held[..held.len().min(BEGINNING)];
            position.is_binary |= position.breaks == 0 && has_nul(beginning);
            for piece in pieces(&held[..usable]) {
                if self.patience.is_over() {
                    findings.too_long = true;
                    return;
                }
                let found_all = self.in_piece(path, piece, &mut position, findings);
                if found_all || findings.matches > SEARCH_MATCHES {
                    return;
                }
            }
            held.drain(..usable);
            if is_end {
                return;
            }
        }
    }

    /// Whether nothing more is to be found in the file.
    fn in_piece(
        &self,
        path: &RepoPath,
        piece: &[u8],
        position: &mut FilePosition,
        findings: &mut FileFindings,
    ) -> bool {
        position.is_binary |= has_nul(piece);
        if position.begun.is_empty() && self.has_nothing(piece) {
            position.breaks += memchr::memchr_iter(b'\n', piece).count() as u64;
            return false;
        }
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
                    findings.binary = true;
                    return true;
                }
                position.shown = number;
                findings.matches += 1;
                let _ = writeln!(findings.found, "{path}:{number}| {}", around(line, at));
                if findings.matches > SEARCH_MATCHES {
                    return true;
                }
            }
            if part.ends_with(b"\n") {
                position.breaks += 1;
                position.begun.clear();
            } else {
                position.begun = whole[end_of(&whole)..].to_vec();
            }
        }
        false
    }

    /// Whether one look tells that no line of a piece matches. Where lines end in two characters,
    /// or are no UTF-8, each is looked at.
    fn has_nothing(&self, piece: &[u8]) -> bool {
        let Some(matcher) = &self.of_pieces else { return false };
        piece.ends_with(b"\n")
            && memchr::memchr(b'\r', piece).is_none()
            && std::str::from_utf8(piece).is_ok()
            && matcher.is_match(piece).is_ok_and(|found| !found)
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
}

/// What stands in a directory.
enum Child {
    Directory(RepoPath),
    File(RepoPath),
    /// Its name cannot be part of a path.
    Unnamed(String),
}

/// Last first, so that a stack gives them back in order.
fn children(names: Vec<Listed>) -> Vec<Child> {
    let child = |it: Listed| match it.path {
        Some(path) if it.name.ends_with('/') => Child::Directory(path),
        Some(path) => Child::File(path),
        None => Child::Unnamed(it.name),
    };
    names.into_iter().rev().filter(|it| !it.is_link).map(child).collect()
}

fn has_nul(content: &[u8]) -> bool {
    memchr::memchr(0, content).is_some()
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

    /// The look at pieces only saves time.
    fn found_without_it(directory: &tempfile::TempDir, arguments: &SearchArguments) -> String {
        let root = Root::new(std::fs::File::open(directory.path()).unwrap());
        let patience = Patience::of(Duration::from_secs(60));
        let matcher = matcher(arguments).unwrap_or_else(|_| panic!("{}", arguments.pattern));
        let files = FileHunt { root: &root, patience: &patience, matcher, of_pieces: None };
        let (found, binary, left) = (String::new(), Named::default(), Named::default());
        let mut hunt = Hunt { files, entries: 0, found, matches: 0, binary, left };
        hunt.below(root.list(None).unwrap()).unwrap_or_else(|_| panic!("{}", arguments.pattern));
        hunt.told()
    }

    proptest! {
        #[test]
        fn what_is_found_is_the_same_whether_pieces_are_looked_at_or_only_lines(
            files in proptest::collection::vec("[ab \\r\\n\\x00é_.-]{0,60}", 1..6),
            pattern in r"(\^|\\b|\\B|\[\^a\]|)(a|b|\.|\\s|\\w|\\W|é|\[\^\\w\]|a\+b\?|_)(\$|\\b|\\B|\.\*|\\s\*|b\||)",
            ignore_case in proptest::bool::ANY,
        ) {
            let directory = tempfile::tempdir().unwrap();
            for (n, text) in files.iter().enumerate() {
                let bytes = if n == 2 { [text.as_bytes(), b"\xe9 a\n"].concat() } else { text.as_bytes().to_vec() };
                std::fs::write(directory.path().join(format!("f{n}")), bytes).unwrap();
            }
            let arguments = SearchArguments { pattern, path: String::new(), ignore_case };
            let root = Root::new(std::fs::File::open(directory.path()).unwrap());
            if let Ok(found) = search(&root, &arguments, &Patience::of(Duration::from_secs(60))) {
                prop_assert_eq!(found, found_without_it(&directory, &arguments));
            }
        }

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
