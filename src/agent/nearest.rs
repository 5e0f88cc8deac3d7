//! Showing parts of a file to the model: by line numbers, and the part nearest to a text that is
//! not there. Only ever shown, never changed.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// Lines of the file shown with a refusal, and how much of a line.
const MOST_SHOWN: usize = 40;
const WIDEST_SHOWN: usize = 300;
/// Votes counted for where a text would start; more of them cost time and say nothing new.
const MOST_VOTES: usize = 200_000;

/// Lines `first..=last` (counted from one) as they are shown to the model: `12| text`.
pub fn numbered(text: &str, first: usize, last: usize) -> String {
    let mut shown = String::new();
    let count = last.saturating_sub(first).saturating_add(1);
    for (at, line) in text.lines().enumerate().skip(first.saturating_sub(1)).take(count) {
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "{}| {line}", at + 1);
    }
    shown
}

/// The line with its break, cut where it is very wide.
pub(super) fn shortened(line: &str) -> String {
    let cut: String = line.chars().take(WIDEST_SHOWN).collect();
    let end = if cut.len() < line.len() { "…\n" } else { "\n" };
    cut + end
}

/// The lines of the file that have most in common with the wanted ones. Only ever shown.
pub(super) struct NearestRegion {
    first: usize,
    last: usize,
}

impl NearestRegion {
    pub(super) fn of(text: &str, wanted: &[&str]) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let offset = Self::by_equal_lines(&lines, wanted)
            .or_else(|| Self::by_likeliest_line(&lines, wanted))?;
        let start = usize::try_from(offset).unwrap_or(0);
        let end = usize::try_from(offset + wanted.len().cast_signed()).unwrap_or(0);
        let first = start.saturating_sub(2) + 1;
        let last = (end + 2).min(lines.len()).min(first + MOST_SHOWN - 1);
        (first <= last).then_some(Self { first, last })
    }

    /// Each wanted line votes for where the text would start; a rare line is worth more.
    fn by_equal_lines(lines: &[&str], wanted: &[&str]) -> Option<isize> {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.trim().len() > 3) {
            places.entry(line.trim()).or_default().push(at);
        }
        let mut votes: HashMap<isize, f64> = HashMap::new();
        let mut counted = 0;
        for (nth, line) in wanted.iter().enumerate() {
            let at = places.get(line.trim()).map_or(&[][..], Vec::as_slice);
            counted += at.len().min(200);
            if counted > MOST_VOTES {
                break;
            }
            for place in at.iter().take(200) {
                let offset = place.cast_signed() - nth.cast_signed();
                *votes.entry(offset).or_default() += 1.0 / (at.len() as f64).sqrt();
            }
        }
        let better =
            |a: &(isize, f64), b: &(isize, f64)| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0));
        votes.into_iter().max_by(better).map(|(offset, _)| offset)
    }

    /// Where the longest wanted line has its likeliest counterpart, by pairs of characters.
    fn by_likeliest_line(lines: &[&str], wanted: &[&str]) -> Option<isize> {
        let (nth, longest) = wanted.iter().enumerate().max_by_key(|(_, line)| line.trim().len())?;
        let pairs = |line: &str| -> HashSet<(char, char)> {
            let line = line.trim();
            line.chars().take(WIDEST_SHOWN).zip(line.chars().skip(1)).collect()
        };
        let ours = pairs(longest);
        let length = longest.trim().len();
        let mut best = (0.45, None);
        let near = |line: &str| line.len() >= length / 2 && line.trim().len() <= length * 2;
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| near(line)) {
            let theirs = pairs(line);
            let common = ours.intersection(&theirs).count() as f64;
            let likeness = 2.0 * common / (ours.len() + theirs.len()).max(1) as f64;
            if likeness > best.0 {
                best = (likeness, Some(at.cast_signed() - nth.cast_signed()));
            }
        }
        best.1
    }

    pub(super) fn shown(&self, text: &str) -> String {
        let region = numbered(text, self.first, self.last);
        let mut shown = format!("Nearest are lines {} to {}:\n", self.first, self.last);
        region.lines().for_each(|line| shown.push_str(&shortened(line)));
        shown.push_str("Copy the old text from there, every character of it. Nothing was done.");
        shown
    }
}
