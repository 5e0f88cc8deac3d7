//! Which lines of a hunk took the place of which.
//!
//! Invariants: pairs stand in the order of both versions, and no line is in two; the time is
//! bounded by the number of lines.

use std::collections::BTreeSet;

use super::facts::RowText;

/// The lines of a hunk that took the place of others, in order. Comments and blank lines take the
/// place of none; where more came than went, or fewer, the likest stand together.
pub(super) fn paired(gone: &[RowText], came: &[RowText]) -> Vec<(RowText, RowText)> {
    let says = |line: &&RowText| {
        let text = line.text.trim();
        !text.is_empty() && !["//", "# ", "/*", "* "].iter().any(|it| text.starts_with(it))
    };
    let (old, new): (Vec<&RowText>, Vec<&RowText>) =
        (gone.iter().filter(says).collect(), came.iter().filter(says).collect());
    let spare = new.len().saturating_sub(old.len()).min(MOST_SPARE);
    let mut pairs = Vec::new();
    let mut next = 0;
    for (at, was) in old.iter().enumerate() {
        // What is left has to be enough for the lines after this one.
        let last = (next + spare).min(new.len().saturating_sub(old.len() - at).max(next));
        let choices = new.get(next..=last.min(new.len().saturating_sub(1))).unwrap_or_default();
        let likest = choices.iter().enumerate().rev().max_by_key(|(_, is)| likeness(was, is));
        let Some((skipped, is)) = likest else { break };
        pairs.push(((*was).clone(), (*is).clone()));
        next += skipped + 1;
    }
    pairs
}

/// So far apart lines are held against each other.
const MOST_SPARE: usize = 8;

/// How many words two lines share.
fn likeness(one: &RowText, other: &RowText) -> usize {
    let words = |line: &RowText| -> BTreeSet<String> {
        let words = line.text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    words(one).intersection(&words(other)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_beside_the_likest_that_came() {
        let lines = |all: &[&str]| -> Vec<RowText> {
            let text = all.iter().enumerate();
            text.map(|(row, it)| RowText { row, text: (*it).to_owned() }).collect()
        };
        let pairs = |gone: &[&str], came: &[&str]| -> Vec<(usize, usize)> {
            let pairs = paired(&lines(gone), &lines(came));
            pairs.iter().map(|(was, is)| (was.row, is.row)).collect()
        };
        let (was, is) = (["assert f(1) == 2"], ["# may vary", "n = 1", "assert f(1) == 3"]);
        assert_eq!(pairs(&was, &is), [(0, 2)]);
        assert_eq!(pairs(&["a", "b"], &["c", "d"]), [(0, 0), (1, 1)]);
        assert_eq!(pairs(&["a", "b", "c"], &["c"]), [(0, 0)]);
        assert_eq!(pairs(&["f(a)", "g(b)"], &["x", "f(c)", "y", "g(d)"]), [(0, 1), (1, 3)]);
        assert_eq!(pairs(&[], &["a"]), []);
    }
}
