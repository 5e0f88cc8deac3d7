//! Places where whole lines are, with the same white space more or less ahead of each.
//!
//! Invariants: white space at line ends aside, nothing else may differ; the new text moves along.
//! Looking takes time in proportion to both texts together, never to their product.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{LARGEST_RESULT, MOST_PLACES, is_blank, without_last_break};

/// A place where every line is `old`'s line with the same white space added or taken away.
pub(super) struct Shifted<'a> {
    pub(super) first_line: usize,
    pub(super) shift: Shift<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift<'a> {
    Added(&'a str),
    Removed(&'a str),
}

pub(super) fn shifted_places<'a>(text: &'a str, old: &'a str) -> Vec<Shifted<'a>> {
    places_of_lines(text, old, |_| true)
}

/// The first lines of the places where only white space at line ends differs, counted from zero.
pub(super) fn unshifted_places(text: &str, old: &str) -> Vec<usize> {
    let places = places_of_lines(text, old, |shift| shift == Shift::Added(""));
    places.into_iter().map(|place| place.first_line).collect()
}

/// Costs as much as both texts are long, whatever is in them: lines are compared by number, and what
/// must agree from line to line stays the same when all of them are shifted.
fn places_of_lines<'a>(
    text: &'a str,
    old: &'a str,
    allowed: impl Fn(Shift<'_>) -> bool,
) -> Vec<Shifted<'a>> {
    let wanted: Vec<Line<'_>> = without_last_break(old).split('\n').map(Line::of).collect();
    let Some(anchor) = wanted.iter().position(|line| !line.is_blank()) else {
        return Vec::new();
    };
    let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
    let mut numbers = Numbers::default();
    let pattern = numbers.of_each(&wanted[anchor..]);
    let text = numbers.of_each(&lines);
    let mut blanks_before = 0;
    let mut blank_enough = Vec::with_capacity(lines.len());
    for line in &lines {
        blank_enough.push(blanks_before >= anchor);
        blanks_before = if line.is_blank() { blanks_before + 1 } else { 0 };
    }
    // What stands before the first line is no part of the place.
    let places = occurrences(&pattern[1..], &text).filter_map(|after| {
        let at = after.checked_sub(1)?;
        let shift = Shift::between(wanted[anchor], lines[at])?;
        let fits = blank_enough[at] && allowed(shift);
        fits.then(|| Shifted { first_line: at - anchor, shift })
    });
    places.take(MOST_PLACES).collect()
}

/// A line without the white space at its end, parted into what shifts and what does not.
#[derive(Clone, Copy)]
struct Line<'a> {
    indentation: &'a str,
    words: &'a str,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        if is_blank(line) {
            return Self { indentation: "", words: "" };
        }
        let line = line.trim_end();
        let words = line.trim_start_matches([' ', '\t']);
        Self { indentation: &line[..line.len() - words.len()], words }
    }

    fn is_blank(self) -> bool {
        self.words.is_empty()
    }
}

/// Words, and how the indentation differs from that of the line before, which no shift of both
/// changes.
type ShiftStep<'a> = (&'a str, &'a str, &'a str);

/// Equal steps have equal numbers.
#[derive(Default)]
struct Numbers<'a>(HashMap<ShiftStep<'a>, usize>);

impl<'a> Numbers<'a> {
    fn of_each(&mut self, lines: &[Line<'a>]) -> Vec<usize> {
        let mut before = "";
        let mut numbers = Vec::with_capacity(lines.len());
        for line in lines {
            let mut step = (line.words, "", "");
            if !line.is_blank() {
                let here = line.indentation;
                let common = before.bytes().zip(here.bytes()).take_while(|(a, b)| a == b).count();
                step = (line.words, &before[common..], &here[common..]);
                before = here;
            }
            let next = self.0.len();
            numbers.push(*self.0.entry(step).or_insert(next));
        }
        numbers
    }
}

/// Where `part` is in `whole`, also where it overlaps with itself (Knuth, Morris and Pratt).
fn occurrences<'a>(part: &'a [usize], whole: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    // How much of the part's beginning ends here.
    let mut borders = vec![0; part.len()];
    let mut length = 0;
    for at in 1..part.len() {
        while length > 0 && part[at] != part[length] {
            length = borders[length - 1];
        }
        length += usize::from(part[at] == part[length]);
        borders[at] = length;
    }
    let mut length = 0;
    // An empty part is also behind the last.
    (0..=whole.len()).filter_map(move |at| {
        if part.is_empty() {
            return Some(at);
        }
        let next = whole.get(at)?;
        while length > 0 && (length == part.len() || part[length] != *next) {
            length = borders[length - 1];
        }
        length += usize::from(part[length] == *next);
        (length == part.len()).then(|| at + 1 - length)
    })
}

impl<'a> Shift<'a> {
    /// `None` when the lines differ in more than that.
    fn between(old: Line<'a>, line: Line<'a>) -> Option<Self> {
        if old.words != line.words {
            return None;
        }
        if let Some(added) = line.indentation.strip_suffix(old.indentation) {
            return Some(Self::Added(added));
        }
        old.indentation.strip_suffix(line.indentation).map(Self::Removed)
    }
}

impl Shifted<'_> {
    /// `None` when a line of `new` is further left than the shift takes away, or the result would be
    /// out of all proportion.
    pub(super) fn apply(&self, new: &str) -> Option<String> {
        let added = if let Shift::Added(shift) = self.shift { shift.len() } else { 0 };
        if new.split('\n').count().saturating_mul(added) > LARGEST_RESULT {
            return None;
        }
        let shifted: Option<Vec<Cow<'_, str>>> = new
            .split('\n')
            .map(|line| match self.shift {
                _ if is_blank(line) => Some(line.into()),
                Shift::Added(shift) => Some(format!("{shift}{line}").into()),
                Shift::Removed(shift) => line.strip_prefix(shift).map(Cow::Borrowed),
            })
            .collect();
        Some(shifted?.join("\n"))
    }

    pub(super) fn note(&self) -> String {
        let what = |shift: &str| match (shift.len(), shift.trim_start_matches('\t').is_empty()) {
            (1, true) => "one tab".to_owned(),
            (1, false) => "one space".to_owned(),
            (n, true) => format!("{n} tabs"),
            (n, false) => format!("{n} characters of white space"),
        };
        let line = self.first_line + 1;
        match self.shift {
            Shift::Added("") => {
                format!("Taken at line {line}, where only white space at line ends differs.")
            }
            Shift::Added(shift) => format!(
                "The old text was short of {} at the start of every line; it was taken at line \
                 {line} and the new text moved likewise.",
                what(shift)
            ),
            Shift::Removed(shift) => format!(
                "The old text had {} too many at the start of every line; it was taken at line \
                 {line} and the new text moved likewise.",
                what(shift)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    /// What is looked for, said as plainly as can be, at the price of the product.
    fn by_definition(text: &str, old: &str) -> Vec<(usize, String)> {
        let wanted: Vec<&str> = without_last_break(old).split('\n').collect();
        let lines: Vec<&str> = text.lines().collect();
        let Some(anchor) = wanted.iter().position(|line| !is_blank(line)) else {
            return Vec::new();
        };
        let here = |here: &[&str]| -> Option<String> {
            let (old, line) = (wanted[anchor].trim_end(), here[anchor].trim_end());
            let white = |shift: &str| shift.chars().all(|c| matches!(c, ' ' | '\t'));
            let added = line.strip_suffix(old).filter(|shift| white(shift));
            let removed = old.strip_suffix(line).filter(|shift| white(shift));
            let (kind, shift) =
                added.map(|shift| ('+', shift)).or(removed.map(|shift| ('-', shift)))?;
            let fits = wanted.iter().zip(here).all(|(old, line)| {
                let (old_end, line_end) = (old.trim_end(), line.trim_end());
                match kind {
                    _ if is_blank(old) => is_blank(line),
                    '+' => line_end.strip_prefix(shift) == Some(old_end),
                    _ => old_end.strip_prefix(shift) == Some(line_end),
                }
            });
            fits.then(|| format!("{kind}{shift:?}"))
        };
        let places = lines.windows(wanted.len()).enumerate();
        places.filter_map(|(at, lines)| Some((at, here(lines)?))).take(MOST_PLACES).collect()
    }

    proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4096))]
        #[test]
        fn exactly_the_places_are_found_that_the_definition_names(
            text in "([ \t]{0,3}[ab\u{a0}]{0,1}[ \t\r]{0,1}\n){0,12}",
            old in "([ \t]{0,3}[ab\u{a0}]{0,1}[ \t]{0,1}\n){1,4}",
        ) {
            let found: Vec<_> = shifted_places(&text, &old)
                .iter()
                .map(|place| match place.shift {
                    Shift::Added(shift) => (place.first_line, format!("+{shift:?}")),
                    Shift::Removed(shift) => (place.first_line, format!("-{shift:?}")),
                })
                .collect();
            prop_assert_eq!(found, by_definition(&text, &old));
        }
    }
}
