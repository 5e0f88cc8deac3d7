//! Places where whole lines are, with the same white space more or less ahead of each.
//!
//! What holds: white space at line ends aside, nothing else may differ; the new text moves along.

use std::borrow::Cow;

use super::{MOST_PLACES, is_blank, without_last_break};

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

fn places_of_lines<'a>(
    text: &'a str,
    old: &'a str,
    allowed: impl Fn(Shift<'_>) -> bool,
) -> Vec<Shifted<'a>> {
    let wanted: Vec<&str> = without_last_break(old).split('\n').collect();
    let Some(anchor) = wanted.iter().position(|line| !is_blank(line)) else {
        return Vec::new();
    };
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().checked_sub(wanted.len());
    let mut places = Vec::new();
    for first_line in 0..last.map_or(0, |last| last + 1) {
        let here = &lines[first_line..first_line + wanted.len()];
        let Some(shift) = Shift::between(wanted[anchor], here[anchor]) else { continue };
        if allowed(shift) && wanted.iter().zip(here).all(|(old, line)| shift.leads(old, line)) {
            places.push(Shifted { first_line, shift });
            if places.len() == MOST_PLACES {
                break;
            }
        }
    }
    places
}

impl<'a> Shift<'a> {
    fn between(old: &'a str, line: &'a str) -> Option<Self> {
        let (old, line) = (old.trim_end(), line.trim_end());
        let white = |shift: &str| shift.chars().all(|c| matches!(c, ' ' | '\t'));
        if let Some(added) = line.strip_suffix(old) {
            return white(added).then_some(Self::Added(added));
        }
        old.strip_suffix(line).filter(|removed| white(removed)).map(Self::Removed)
    }

    fn leads(self, old: &str, line: &str) -> bool {
        if is_blank(old) {
            return is_blank(line);
        }
        let (old, line) = (old.trim_end(), line.trim_end());
        match self {
            Self::Added(shift) => line.strip_prefix(shift) == Some(old),
            Self::Removed(shift) => old.strip_prefix(shift) == Some(line),
        }
    }
}

impl Shifted<'_> {
    /// `None` when a line of `new` is further left than the shift takes away.
    pub(super) fn apply(&self, new: &str) -> Option<String> {
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
