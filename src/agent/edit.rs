//! Changing text the way a model asks for it: this old text, that new text.
//!
//! Invariants: a text is changed at exactly one place that the old text names beyond doubt, or not
//! at all. Nothing is ever matched by similarity. The liberties, one at a time: a shift of the
//! leading white space, the same on every line; tabs for spaces there, or spaces for tabs;
//! invisible white space at line ends; and lines around the change, in the old text as in the new,
//! that are nowhere in the file. Line endings and a byte order mark stay what they are. A refusal
//! tells the model what to do next. Time and memory grow with text, old and new added up, never
//! with their product: all three are whatever a model or a repository likes.

mod context;
mod indentation;
mod shift;

use std::borrow::Cow;

use self::shift::{Shift, Shifted, shifted_places};
use super::nearest::NearestRegion;

/// How many places are told of when there are several.
const MOST_PLACES: usize = 20;
/// Bytes that one edit may put into a file: a little text asked for at many places is much.
const LARGEST_RESULT: usize = 8 * 1024 * 1024;

/// The changed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// All of it.
    pub text: String,
    /// What the model should know about how its request was taken.
    pub note: Option<String>,
}

/// Why nothing was changed, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Old and new are the same.
    #[error("The old and the new text are the same, so nothing would change. Nothing was done.")]
    NoChange,
    /// There is nothing to look for.
    #[error(
        "The old text is empty, and the file is not. Give the text to be replaced, or insert after \
         a line number. Nothing was done."
    )]
    EmptyOld,
    /// The old text is not there.
    #[error("The old text is not in the file. {hint}{nearest}")]
    NotFound {
        /// What probably went wrong.
        hint: &'static str,
        /// The nearest part of the file with line numbers, or nothing.
        nearest: String,
    },
    /// The old text is there more than once.
    #[error(
        "The old text is in the file {} times, at lines {}. Give more of the lines around the right \
         one, so that only one place fits. Nothing was done.",
        at_least(lines),
        listed(lines)
    )]
    Multiple {
        /// Where, counted from one.
        lines: Vec<usize>,
    },
    /// The new text is there, the old is not.
    #[error(
        "The new text is already in the file at line {line}: this change was made before. Nothing \
         was done; go on. If it must be there twice, give the lines around it as well."
    )]
    AlreadyApplied {
        /// Where, counted from one.
        line: usize,
    },
    /// The file is shorter.
    #[error("There is no line {line}; the file has {lines} lines. Nothing was done.")]
    NoSuchLine {
        /// What was asked for.
        line: usize,
        /// What there is.
        lines: usize,
    },
}

/// Replaces the one place where `old` is by `new`.
///
/// # Errors
/// When there is no such place, or more than one.
pub fn edit(text: &str, old: &str, new: &str) -> Result<Edited, EditError> {
    if let Some(filled) = filled(text, old, new) {
        return Ok(filled);
    }
    let (view, old, new) = prepared(text, old, new)?;
    let places = find_all(&view.lines, &old, MOST_PLACES);
    match places.as_slice() {
        [] => edit_with_leeway(&view, &old, &new),
        [at] => {
            if let Some(line) = already_there(&view.lines, *at, &old, &new) {
                return Err(EditError::AlreadyApplied { line });
            }
            if let Some(moved) = edit_further_in(&view, *at, &old, &new) {
                return Ok(moved);
            }
            Ok(Edited { text: view.with(*at, *at + old.len(), &new), note: None })
        }
        many => Err(EditError::Multiple { lines: view.line_numbers(many) }),
    }
}

/// Replaces `old` by `new` wherever it is, exactly.
///
/// # Errors
/// When it is nowhere, or at so many places that the result would be out of all proportion.
pub fn edit_everywhere(text: &str, old: &str, new: &str) -> Result<Edited, EditError> {
    if let Some(filled) = filled(text, old, new) {
        return Ok(filled);
    }
    let (view, old, new) = prepared(text, old, new)?;
    let places: Vec<usize> = view.lines.match_indices(old.as_ref()).map(|(at, _)| at).collect();
    if places.is_empty() {
        let made_before = made_before(&view, &new);
        return Err(made_before
            .map_or_else(|| not_found(&view, &old), |line| EditError::AlreadyApplied { line }));
    }
    if places.len().saturating_mul(new.len()) > LARGEST_RESULT {
        // No file of ours has so much text: fewer places must be meant.
        let lines = view.line_numbers(&places[..places.len().min(MOST_PLACES)]);
        return Err(EditError::Multiple { lines });
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = 0;
    for at in &places {
        result.push_str(&view.raw[rest..view.raw_offset(*at)]);
        result.push_str(&view.in_style_of(*at, &new));
        rest = view.raw_offset(at + old.len());
    }
    result.push_str(&view.raw[rest..]);
    let note = (places.len() > 1).then(|| format!("Replaced {} places.", places.len()));
    Ok(Edited { text: result, note })
}

/// Puts `addition` in as lines of its own after line `after`, counted from one; 0 is the top.
///
/// # Errors
/// When the file has fewer lines.
pub fn insert_after(text: &str, after: usize, addition: &str) -> Result<Edited, EditError> {
    if addition.is_empty() {
        return Err(EditError::NoChange);
    }
    let view = TextView::of(text);
    let starts = line_starts(&view.lines);
    let lines = starts.len();
    if after > lines {
        return Err(EditError::NoSuchLine { line: after, lines });
    }
    let mut addition = addition.replace("\r\n", "\n");
    let at = if after == 0 {
        if view.lines.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
    } else {
        starts.get(after).copied().unwrap_or(view.lines.len())
    };
    if at == view.lines.len() && at > 0 && !view.lines.ends_with(['\n', '\u{feff}']) {
        addition.insert(0, '\n');
        if addition.ends_with('\n') {
            addition.pop();
        }
    } else if !addition.ends_with('\n') {
        addition.push('\n');
    }
    Ok(Edited { text: view.with(at, at, &addition), note: None })
}

/// The text with `\n` alone at its line ends, and the way back to the bytes as they are.
struct TextView<'a> {
    raw: &'a str,
    lines: Cow<'a, str>,
    /// Where in `lines` the line feeds are that follow a carriage return in `raw`.
    returns: Vec<usize>,
    /// Where all line feeds are, if any follows a carriage return.
    breaks: Vec<usize>,
}

impl<'a> TextView<'a> {
    fn of(raw: &'a str) -> Self {
        if !raw.contains("\r\n") {
            let (returns, breaks) = (Vec::new(), Vec::new());
            return Self { raw, lines: Cow::Borrowed(raw), returns, breaks };
        }
        let returns =
            raw.match_indices("\r\n").enumerate().map(|(before, (at, _))| at - before).collect();
        let lines = raw.replace("\r\n", "\n");
        let breaks = lines.match_indices('\n').map(|(at, _)| at).collect();
        Self { raw, lines: Cow::Owned(lines), returns, breaks }
    }

    fn raw_offset(&self, at: usize) -> usize {
        at + self.returns.partition_point(|line_end| *line_end < at)
    }

    /// The whole text with `start..end` of `lines` replaced. Only what differs is touched, so that
    /// lines that stay keep their ends.
    fn with(&self, start: usize, end: usize, new: &str) -> String {
        let old = &self.lines[start..end];
        let ahead: usize = old
            .chars()
            .zip(new.chars())
            .take_while(|(a, b)| a == b)
            .map(|(c, _)| c.len_utf8())
            .sum();
        let behind: usize = old[ahead..]
            .chars()
            .rev()
            .zip(new[ahead..].chars().rev())
            .take_while(|(a, b)| a == b)
            .map(|(c, _)| c.len_utf8())
            .sum();
        let from = self.raw_offset(start + ahead);
        let to = self.raw_offset(end - behind);
        let middle = self.in_style_of(start + ahead, &new[ahead..new.len() - behind]);
        [&self.raw[..from], &middle, &self.raw[to..]].concat()
    }

    /// With the line ends of the line at `at`, or of the one before where that is the last.
    fn in_style_of<'n>(&self, at: usize, new: &'n str) -> Cow<'n, str> {
        let next = self.breaks.partition_point(|line_end| *line_end < at);
        let line_end = self.breaks.get(next).or(self.breaks.last());
        match line_end {
            Some(line_end) if self.returns.binary_search(line_end).is_ok() => {
                Cow::Owned(new.replace('\n', "\r\n"))
            }
            _ => Cow::Borrowed(new),
        }
    }

    fn line_numbers(&self, places: &[usize]) -> Vec<usize> {
        places.iter().map(|at| line_number(&self.lines, *at)).collect()
    }
}

type PreparedEdit<'a> = (TextView<'a>, Cow<'a, str>, Cow<'a, str>);

fn prepared<'a>(text: &'a str, old: &'a str, new: &'a str) -> Result<PreparedEdit<'a>, EditError> {
    if old == new {
        return Err(EditError::NoChange);
    }
    if old.is_empty() {
        return Err(EditError::EmptyOld);
    }
    let view = TextView::of(text);
    let plain = |text: &'a str| {
        if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { text.into() }
    };
    // In a file without them, carriage returns that both sides have are the model's.
    let (old, new) = if view.returns.is_empty() && !old.contains("\r\n") {
        (Cow::Borrowed(old), Cow::Borrowed(new))
    } else {
        (plain(old), plain(new))
    };
    if old == new { Err(EditError::NoChange) } else { Ok((view, old, new)) }
}

/// In an empty file the empty text stands at one place, and the new text is all there is then.
fn filled(text: &str, old: &str, new: &str) -> Option<Edited> {
    let empty = text.trim_start_matches('\u{feff}').is_empty();
    let note = "The file was empty; the new text is all of it.".to_owned();
    (empty && old.is_empty() && !new.is_empty())
        .then(|| Edited { text: format!("{text}{new}"), note: Some(note) })
}

/// All places, also those that overlap.
fn find_all(text: &str, part: &str, limit: usize) -> Vec<usize> {
    let mut places = Vec::new();
    let step = part.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    while places.len() < limit
        && let Some(at) = text.get(from..).and_then(|rest| rest.find(part))
    {
        places.push(from + at);
        from += at + step;
    }
    places
}

/// The new text contains the old and stands around this place already.
fn already_there(text: &str, at: usize, old: &str, new: &str) -> Option<usize> {
    new.match_indices(old).take(100).find_map(|(inside, _)| {
        let start = at.checked_sub(inside)?;
        let there = text.get(start..start + new.len())? == new;
        there.then(|| line_number(text, start))
    })
}

/// One indented line that is there, but further in: its replacement of several lines moves along,
/// or only the first of them would stand right.
fn edit_further_in(view: &TextView<'_>, at: usize, old: &str, new: &str) -> Option<Edited> {
    let line_start = view.lines[..at].rfind('\n').map_or(0, |line_break| line_break + 1);
    let further = &view.lines[line_start..at];
    let one_indented_line = old.starts_with([' ', '\t']) && !without_last_break(old).contains('\n');
    if further.is_empty() || !is_blank(further) || !one_indented_line || !new.contains('\n') {
        return None;
    }
    let first_line = line_number(&view.lines, at) - 1;
    let place = Shifted { first_line, shift: Shift::Added(further) };
    let replacement = place.apply(new)?;
    let text = view.with(line_start, at + old.len(), &replacement);
    Some(Edited { text, note: Some(place.note()) })
}

fn edit_with_leeway(view: &TextView<'_>, old: &str, new: &str) -> Result<Edited, EditError> {
    if let Some(edited) = edit_shifted(view, old, new) {
        return edited;
    }
    if let Some(line) = made_before(view, new) {
        return Err(EditError::AlreadyApplied { line });
    }
    indentation::edit_respelled(view, old, new)
        .or_else(|| context::edit_without_strange_lines(view, old, new))
        .unwrap_or_else(|| Err(not_found(view, old)))
}

/// `None` when there is no such place, or `new` cannot move along.
fn edit_shifted(view: &TextView<'_>, old: &str, new: &str) -> Option<Result<Edited, EditError>> {
    let places = shifted_places(&view.lines, old);
    let [place] = places.as_slice() else {
        let lines: Vec<usize> = places.iter().map(|place| place.first_line + 1).collect();
        return (!lines.is_empty()).then_some(Err(EditError::Multiple { lines }));
    };
    let replacement = place.apply(new)?;
    Some(replace_lines(view, place.first_line, old, replacement, place.note()))
}

/// Puts `replacement` in the place of as many lines as `old` has.
fn replace_lines(
    view: &TextView<'_>,
    first_line: usize,
    old: &str,
    mut replacement: String,
    note: String,
) -> Result<Edited, EditError> {
    let starts = line_starts(&view.lines);
    let start = starts[first_line];
    let after = first_line + without_last_break(old).split('\n').count();
    let ends_with_break = old.ends_with('\n');
    let end = match starts.get(after) {
        Some(next) if ends_with_break => *next,
        Some(next) => next - 1,
        None => {
            let bare = without_last_break(&view.lines).len();
            if ends_with_break { view.lines.len() } else { bare }
        }
    };
    if ends_with_break && end == view.lines.len() && !view.lines.ends_with('\n') {
        // The file's last line has no break, so the new last line gets none.
        replacement.truncate(without_last_break(&replacement).len());
    }
    if view.lines[start..end] == *replacement {
        return Err(EditError::AlreadyApplied { line: first_line + 1 });
    }
    Ok(Edited { text: view.with(start, end, &replacement), note: Some(note) })
}

/// The line where the new text stands, if at one place alone, be it shifted.
fn made_before(view: &TextView<'_>, new: &str) -> Option<usize> {
    // A short new text may stand anywhere without having been put there.
    if new.trim().len() < 12 {
        return None;
    }
    if let [at] = find_all(&view.lines, new, 2).as_slice() {
        return Some(line_number(&view.lines, *at));
    }
    match shifted_places(&view.lines, new).as_slice() {
        [place] => Some(place.first_line + 1),
        _ => None,
    }
}

fn not_found(view: &TextView<'_>, old: &str) -> EditError {
    let wanted: Vec<&str> = old.lines().collect();
    let hint = if wanted.iter().all(|line| is_blank(line) || has_line_number(line)) {
        "Leave out the line numbers (`12| `): they are not part of the file. "
    } else if wanted.iter().any(|line| matches!(line.trim(), "..." | "# ..." | "// ...")) {
        "Nothing may be left out with `...`: give every line. "
    } else {
        ""
    };
    NearestRegion::of(&view.lines, &wanted).map_or(
        EditError::NotFound {
            hint,
            nearest: "Nothing in it looks like it: read the file again. Nothing was done.".into(),
        },
        |nearest| EditError::NotFound { hint, nearest: nearest.shown(&view.lines) },
    )
}

fn without_last_break(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn has_line_number(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.trim_start().len() && rest.starts_with(['|', '\t'])
}

fn line_number(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where each line starts. A break at the very end starts no line.
fn line_starts(text: &str) -> Vec<usize> {
    if text.is_empty() {
        return Vec::new();
    }
    let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(breaks.filter(|start| *start < text.len())).collect()
}

fn listed(lines: &[usize]) -> String {
    let shown: Vec<String> = lines.iter().map(usize::to_string).collect();
    shown.join(", ")
}

fn at_least(lines: &[usize]) -> String {
    let more = if lines.len() >= MOST_PLACES { "at least " } else { "" };
    format!("{more}{}", lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, old: &str, new: &str) -> String {
        edit(text, old, new).unwrap().text
    }

    fn refusal(text: &str, old: &str, new: &str) -> String {
        edit(text, old, new).unwrap_err().to_string()
    }

    #[test]
    fn the_one_place_is_changed_and_nothing_else() {
        assert_eq!(edited("a\nb\nc\n", "b", "B"), "a\nB\nc\n");
        assert_eq!(edited("a\nb\nc", "b\nc", "x"), "a\nx");
        assert_eq!(edited("keep\ndrop\n", "drop\n", ""), "keep\n");
        assert_eq!(edited("größe = 1", "größe", "Größe"), "Größe = 1");
        assert_eq!(edit("a", "a", "b").unwrap().note, None);
    }

    #[test]
    fn several_places_are_named_and_none_is_changed() {
        let words = refusal("x\ny\nx\n", "x", "z");
        assert!(words.contains("2 times, at lines 1, 3."), "{words}");
        let overlapping = edit("aaa", "aa", "b").unwrap_err();
        assert_eq!(overlapping, EditError::Multiple { lines: vec![1, 1] });
        let shifted = refusal("  a\n  b\n    a\n    b\n", "      a\n      b\n", "c\n");
        assert!(shifted.contains("2 times, at lines 1, 3."), "{shifted}");
        let many = refusal(&"x\n".repeat(50), "x", "y");
        assert!(many.contains("at least 20 times"), "{many}");
        assert_eq!(edit_everywhere("x y x", "x", "z").unwrap().text, "z y z");
    }

    #[test]
    fn a_uniform_shift_is_taken_and_the_new_text_moves_along() {
        let go = "func f() {\n\t\tif x {\n\t\t\ty()\n\t\t}\n}\n";
        let result = edit(go, "\tif x {\n\t\ty()\n\t}\n", "\tif z {\n\n\t\ty()\n\t}\n").unwrap();
        assert_eq!(result.text, "func f() {\n\t\tif z {\n\n\t\t\ty()\n\t\t}\n}\n");
        assert!(result.note.unwrap().contains("short of one tab"), "the model is told");
        let python = "def f():\n    a = 1\n    b = 2\n";
        let result =
            edit(python, "        a = 1\n        b = 2", "        a = 3\n        b = 4").unwrap();
        assert_eq!(result.text, "def f():\n    a = 3\n    b = 4\n");
        assert!(result.note.unwrap().contains("4 characters of white space too many"));
        let at_the_end = edited("  a\n  b", "a\nb \n", "c\n");
        assert_eq!(at_the_end, "  c", "blanks at line ends do not count, a missing break stays");
    }

    #[test]
    fn a_shift_that_is_not_the_same_on_every_line_is_refused() {
        let text = "    a\n      b\n";
        for old in ["  a\n  b\n", "   a\n    b\n", "a\n  c\n", "\ta\n\t  b\n"] {
            let refused = edit(text, old, "x\n").unwrap_err();
            assert!(matches!(refused, EditError::NotFound { .. }), "{old:?}: {refused}");
        }
        // The new text has a line further left than what must be taken away.
        assert!(edit("a\nb\n", "  a\n  b\n", "  a\nc\n").is_err());
    }

    #[test]
    fn a_line_that_is_there_further_in_moves_its_replacement() {
        let text = "if a:\n        x = 1\n";
        let result = edited(text, "    x = 1\n", "    if b:\n        x = 1\n");
        assert_eq!(result, "if a:\n        if b:\n            x = 1\n");
        assert_eq!(edited(text, "x = 1", "x = 2"), "if a:\n        x = 2\n");
    }

    #[test]
    fn nothing_is_ever_matched_by_similarity() {
        let text = "fn total(items: &[u32]) -> u32 {\n    items.iter().sum()\n}\n";
        let words = refusal(text, "    items.into_iter().sum()\n", "    0\n");
        assert!(words.contains("\n2|     items.iter().sum()\n"), "{words}");
        assert!(words.contains("Nothing was done"), "{words}");
        let far = refusal("alpha\n", "completely different words", "x");
        assert!(far.contains("Nothing in it looks like it"), "{far}");
    }

    #[test]
    fn usual_slips_get_the_right_hint() {
        let text = "one line\ntwo lines\n";
        assert!(
            refusal(text, "1| one line\n2| two lines", "x").contains("Leave out the line numbers")
        );
        assert!(refusal(text, "one line\n...\nfour", "x").contains("Nothing may be left out"));
        assert_eq!(edit(text, "one", "one"), Err(EditError::NoChange));
        assert_eq!(edit(text, "", "one"), Err(EditError::EmptyOld));
        assert_eq!(edit_everywhere(text, "", "one"), Err(EditError::EmptyOld));
    }

    #[test]
    fn in_an_empty_file_the_empty_text_stands_once() {
        assert_eq!(edited("", "", "one\n"), "one\n");
        assert_eq!(edited("\u{feff}", "", "one\n"), "\u{feff}one\n");
        assert_eq!(edit_everywhere("", "", "one\n").unwrap().text, "one\n");
        assert_eq!(edit("", "", ""), Err(EditError::NoChange));
        assert_eq!(edit("\n", "", "one"), Err(EditError::EmptyOld), "that is a line");
    }

    #[test]
    fn a_change_that_was_made_before_is_recognised() {
        let text = "use a;\nuse b;\nfn main() {}\n";
        assert_eq!(
            edit(text, "use b;\n", "use a;\nuse b;\n"),
            Err(EditError::AlreadyApplied { line: 1 })
        );
        assert_eq!(
            edit(text, "fn start() {}", "fn main() {}"),
            Err(EditError::AlreadyApplied { line: 3 })
        );
        assert_eq!(
            edit("mod m {\n    fn main() {\n    }\n}\n", "fn start() {\n}\n", "fn main() {\n}\n"),
            Err(EditError::AlreadyApplied { line: 2 }),
            "and so it is further in",
        );
        let short = edit("}\n", "]", "}");
        assert!(matches!(short, Err(EditError::NotFound { .. })), "that says nothing");
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_stay() {
        let dos = "\u{feff}a\r\nb\r\nc\r\n";
        assert_eq!(edited(dos, "a\nb\n", "a\nx\ny\n"), "\u{feff}a\r\nx\r\ny\r\nc\r\n");
        assert_eq!(edited(dos, "a\r\nb", "a\r\nz"), "\u{feff}a\r\nz\r\nc\r\n");
        assert_eq!(edited(dos, "b", "b\nb2"), "\u{feff}a\r\nb\r\nb2\r\nc\r\n");
        assert_eq!(edited(dos, "  b\n  c\n", "  d\n"), "\u{feff}a\r\nd\r\n");
        let mixed = "a\nb\r\nc\nd";
        assert_eq!(edited(mixed, "a\nb\nc\n", "a\nB\nc\n"), "a\nB\r\nc\nd");
        assert_eq!(edited(mixed, "c\nd", "c\nd\ne"), "a\nb\r\nc\nd\ne");
        assert_eq!(
            edit_everywhere("x\r\nx\r\n", "x", "y\nz").unwrap().text,
            "y\r\nz\r\ny\r\nz\r\n"
        );
        let inserted = insert_after(dos, 0, "top").unwrap().text;
        assert_eq!(inserted, "\u{feff}top\r\na\r\nb\r\nc\r\n");
    }

    #[test]
    fn lines_are_inserted_as_lines() {
        let put = |text, after, addition| insert_after(text, after, addition).unwrap().text;
        assert_eq!(put("a\nb\n", 1, "x"), "a\nx\nb\n");
        assert_eq!(put("a\nb\n", 0, "x\n"), "x\na\nb\n");
        assert_eq!(put("a\nb\n", 2, "x\ny"), "a\nb\nx\ny\n");
        assert_eq!(put("a\nb", 2, "x\n"), "a\nb\nx");
        assert_eq!(put("", 0, "x"), "x\n");
        assert_eq!(insert_after("a\n", 2, "x"), Err(EditError::NoSuchLine { line: 2, lines: 1 }));
    }

    /// The worst that can be asked for, in each of the ways an edit looks for its place. With time
    /// that grows with the product, any of them takes minutes.
    #[test]
    fn an_edit_takes_time_in_proportion_to_what_it_is_given() {
        let begun = std::time::Instant::now();
        let lines = |count: usize, line: &str| format!("{line}\n").repeat(count);
        let many = lines(40_000, "    same");
        // Fits at every line but for the last of the old text; so too shifted, respelled, in part.
        for (indentation, end) in
            [("    ", "other"), ("  ", "other"), ("\t", "    same"), ("  ", "")]
        {
            let old = lines(20_000, &format!("{indentation}same")) + end;
            for (old, new) in [(&*old, "x\ny\n"), ("nowhere at all\n", &*old)] {
                let _ = edit(&many, old, new);
                let _ = edit_everywhere(&many, old, new);
            }
        }
        let stairs: String = (0..2000).map(|depth| " ".repeat(depth % 1000) + "x\n").collect();
        let _ = edit(&stairs, &stairs[..stairs.len() / 2].replace("\n ", "\n"), "y\n");
        let deep = " ".repeat(200_000) + "x\n";
        let _ = edit(&(lines(20_000, "x") + "y\n"), &deep, "z\n");
        // An addition of several lines would be moved along by 200,000 spaces each.
        let _ = edit(&deep, " x\n", &lines(40_000, " y"));
        let _ = edit(&(deep + "  z\n"), "x\nz\n", &lines(40_000, " y"));
        // One line of many places, after a line that ends as on DOS.
        let wide = format!("first\r\n{}", "x".repeat(200_000));
        let _ = edit_everywhere(&wide, "x", "yz");
        let refused = edit_everywhere(&wide, "x", &"y".repeat(10_000)).unwrap_err();
        assert!(matches!(refused, EditError::Multiple { .. }), "{refused:?}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(120), "{:?}", begun.elapsed());
    }

    proptest::proptest! {
        #[test]
        fn an_edit_never_panics_and_changes_only_what_was_named(
            text in "[ab \t\r\n\u{feff}é]{0,40}", old in "[ab \t\r\né]{0,8}", new in "[ab \t\r\né]{0,8}",
            after in 0..6_usize,
        ) {
            if let Ok(edited) = edit(&text, &old, &new)
                && edited.note.is_none()
                && !text.contains("\r\n")
                && !old.contains("\r\n")
            {
                proptest::prop_assert_eq!(edited.text, text.replacen(&old, &new, 1));
            }
            let _ = edit_everywhere(&text, &old, &new);
            let _ = insert_after(&text, after, &new);
        }
    }
}
