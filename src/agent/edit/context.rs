//! Lines around a change that the model remembers otherwise than they are.
//!
//! What holds: read as a patch, the edit replaces or removes only lines that are in the file, and
//! next to them on each side stands a line that old, new and file have in common. What is left out
//! is at the edge of the old text, the same in the new, nowhere in the file, and the smaller part
//! by far; the file's own lines stay there. If such a line is in the file, only elsewhere, the
//! model may mean that other place: refused.

use std::collections::HashSet;

use super::{EditRefusal, Edited, MOST_PLACES, Shift, View, already_there, is_blank};
use super::{line_starts, replace_lines, shifted_places};
use crate::agent::nearest::numbered;

/// One line in so many may be left out.
const OF_WHICH_ONE_IS_LEFT_OUT: usize = 4;

/// The part of an edit that remains.
struct Remaining<'a> {
    old: &'a [&'a str],
    new: &'a [&'a str],
    above: &'a [&'a str],
    below: &'a [&'a str],
}

/// `None` when what remains is not enough, or not there.
pub(super) fn edit_without_strange_lines(
    view: &View<'_>,
    old: &str,
    new: &str,
) -> Option<Result<Edited, EditRefusal>> {
    // An edit that joins the last line with the next, or parts them, has its change at the edge.
    if old.ends_with('\n') != new.ends_with('\n') {
        return None;
    }
    let (old_lines, new_lines) = (split(old), split(new));
    let remaining = Remaining::of(&old_lines, &new_lines, &view.lines)?;
    let [old, new] = [remaining.old, remaining.new].map(|lines| lines.join("\n") + "\n");
    let places: Vec<usize> = shifted_places(&view.lines, &old)
        .into_iter()
        .filter(|place| place.shift == Shift::Added(""))
        .map(|place| place.first_line)
        .collect();
    match places.as_slice() {
        [] => None,
        [first_line] => {
            let at = line_starts(&view.lines)[*first_line];
            if let Some(line) = already_there(&view.lines, at, &old, &new) {
                return Some(Err(EditRefusal::AlreadyApplied { line }));
            }
            let note = remaining.note(&view.lines, *first_line);
            Some(replace_lines(view, *first_line, &old, new, note))
        }
        many => {
            let lines = many.iter().take(MOST_PLACES).map(|line| line + 1).collect();
            Some(Err(EditRefusal::Multiple { lines }))
        }
    }
}

fn split(text: &str) -> Vec<&str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

impl<'a> Remaining<'a> {
    fn of(old: &'a [&'a str], new: &'a [&'a str], text: &str) -> Option<Self> {
        let there: HashSet<&str> = text.lines().map(str::trim).collect();
        let strange = |line: &&&str| !there.contains(line.trim());
        let above = old.iter().take_while(strange).count();
        let below = old[above..].iter().rev().take_while(strange).count();
        let enough = (above + below) * OF_WHICH_ONE_IS_LEFT_OUT <= old.len();

        let same = |(old, new): &(&&str, &&str)| old == new;
        let head = old.iter().zip(new).take_while(same).count();
        let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
        let anchored = above < head
            && below < tail
            && !is_blank(old[head - 1])
            && !is_blank(old[old.len() - tail]);
        (above + below > 0 && enough && anchored).then(|| Self {
            old: &old[above..old.len() - below],
            new: &new[above..new.len() - below],
            above: &old[..above],
            below: &old[old.len() - below..],
        })
    }

    fn note(&self, text: &str, first_line: usize) -> String {
        let (first, after) = (first_line + 1, first_line + self.old.len());
        let from = first.saturating_sub(self.above.len());
        let stay = numbered(text, from.max(1), first_line)
            + &numbered(text, after + 1, after + self.below.len());
        let strange: Vec<&str> = self.above.iter().chain(self.below).copied().collect();
        format!(
            "Taken at line {first}, without these lines of your old text, which are not in the \
             file:\n{}\nWhat the file has there stays:\n{stay}If that is not what you meant, \
             change it back.",
            strange.join("\n")
        )
    }
}
