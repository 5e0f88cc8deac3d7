//! Lines around a change that the model remembers otherwise than they are.
//!
//! Invariants: read as a patch, the edit replaces or removes only lines that are in the file, and
//! next to them on each side stands a line that old, new and file have in common. What is left out
//! is at the edge of the old text, the same in the new, nowhere in the file, and the smaller part
//! by far; the file's own lines stay there. If such a line is in the file, only elsewhere, the
//! model may mean that other place: refused.

use std::collections::HashSet;

use super::shift::unshifted_places;
use super::{EditError, Edited, TextView, is_blank, replace_lines};
use crate::agent::nearest::shortened;

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
    view: &TextView<'_>,
    old: &str,
    new: &str,
) -> Option<Result<Edited, EditError>> {
    // An edit that joins the last line with the next, or parts them, has its change at the edge.
    if old.ends_with('\n') != new.ends_with('\n') {
        return None;
    }
    let (old_lines, new_lines) = (split(old), split(new));
    let remaining = Remaining::of(&old_lines, &new_lines, &view.lines)?;
    let [old, new] = [remaining.old, remaining.new].map(|lines| lines.join("\n") + "\n");
    let places = unshifted_places(&view.lines, &old);
    match places.as_slice() {
        [] => None,
        [first_line] => {
            let note = remaining.note(&view.lines, *first_line);
            Some(replace_lines(view, *first_line, &old, new, note))
        }
        many => {
            let lines = many.iter().map(|line| line + 1).collect();
            Some(Err(EditError::Multiple { lines }))
        }
    }
}

fn split(text: &str) -> Vec<&str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

impl<'a> Remaining<'a> {
    fn of(old: &'a [&'a str], new: &'a [&'a str], text: &str) -> Option<Self> {
        let there: HashSet<&str> = text.lines().map(str::trim_end).collect();
        let strange = |line: &&&str| !there.contains(line.trim_end());
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
        let of_the_file = |first: usize, after: usize| -> String {
            text.lines().take(after).skip(first).map(shortened).collect()
        };
        let after = first_line + self.old.len();
        let stay = of_the_file(first_line.saturating_sub(self.above.len()), first_line)
            + &of_the_file(after, after + self.below.len());
        let strange: String =
            self.above.iter().chain(self.below).map(|line| shortened(line)).collect();
        format!(
            "Taken at line {}, without these lines of your old text, which are not in the \
             file:\n{strange}The file's own lines there stay as they are:\n{stay}If that is not \
             the place you meant, change it back.",
            first_line + 1
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_assume, proptest};

    use crate::agent::edit::{EditError, edit};

    const TEXT: &str = "fn load() {\n    open();\n    read();\n    check();\n    close();\n}\n\
                        fn save() {\n    open();\n    write();\n    flush();\n    close();\n}\n";

    fn is_refused(text: &str, old: &str, new: &str) -> bool {
        matches!(edit(text, old, new), Err(EditError::NotFound { .. }))
    }

    #[test]
    fn a_line_around_the_change_that_the_file_does_not_have_is_left_out() {
        let old = "fn store() {\n    open();\n    write();\n    flush();\n    close();\n";
        let new = "fn store() {\n    open();\n    write();\n    sync();\n    close();\n";
        let edited = edit(TEXT, old, new).unwrap();
        assert_eq!(edited.text, TEXT.replace("flush", "sync"));
        let note = edited.note.unwrap();
        assert!(note.starts_with("Taken at line 8, "), "{note}");
        assert!(note.contains("not in the file:\nfn store() {\nThe file's own"), "{note}");
        assert!(note.contains("stay as they are:\nfn save() {\nIf that"), "{note}");
        let dos = edit(&TEXT.replace('\n', "\r\n"), old, new).unwrap().text;
        assert_eq!(dos, TEXT.replace("flush", "sync").replace('\n', "\r\n"));
    }

    #[test]
    fn a_line_that_is_in_the_file_elsewhere_may_mean_the_other_place() {
        let old = "fn load() {\n    open();\n    write();\n    flush();\n    close();\n";
        assert!(is_refused(TEXT, old, &old.replace("flush", "sync")));
    }

    #[test]
    fn what_the_edit_replaces_or_stands_next_to_is_never_left_out() {
        let body = "    open();\n    write();\n    flush();\n    close();\n}\n";
        let header = format!("fn store() {{\n{body}");
        // The strange line itself is replaced, or removed, or the addition would stand next to it.
        assert!(is_refused(TEXT, &header, &header.replace("store", "keep")));
        assert!(edit(TEXT, &header, body).is_err());
        assert!(is_refused(TEXT, &header, &header.replace("{\n", "{\n    lock();\n")));
        let below = "fn save() {\n    open();\n    write();\n    flush();\n    stop();\n";
        assert!(is_refused(TEXT, below, &below.replace("    stop", "    sync();\n    stop")));
        assert!(edit(TEXT, below, &below.replace("write", "put")).is_ok());
        let middle = header.replace("store", "save").replace("flush", "drain");
        assert!(is_refused(TEXT, &middle, &middle.replace("write", "put")));
    }

    #[test]
    fn too_many_strange_lines_or_two_places_are_refused() {
        let old = "fn store() {\n    open();\n    write();\n";
        assert!(is_refused(TEXT, old, &old.replace("open();", "open();\n    lock();")));
        let twice = TEXT.replace("load", "save2").repeat(2);
        let old = "fn store() {\n    open();\n    write();\n    flush();\n    close();\n";
        let refused = edit(&twice, old, &old.replace("flush", "sync")).unwrap_err();
        assert_eq!(refused, EditError::Multiple { lines: vec![8, 20] });
    }

    proptest! {
        #[test]
        fn the_result_is_that_of_the_edit_with_the_files_own_lines(
            lines in vec("[a-c]{1,2}", 14..20), start in 0..5_usize, changed in 2..6_usize,
            replacement in vec("[x-z]{0,2}", 0..3), above in 0..2_usize, below in 0..2_usize,
        ) {
            prop_assume!(above + below > 0);
            let joined = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let exchanged = |lines: &[String], at: usize| {
                joined(&[&lines[..at], &replacement, &lines[at + 1..]].concat())
            };
            let mut old = lines[start..start + 8].to_vec();
            old[..above].fill("strange".into());
            old[8 - below..].fill("strange".into());
            let kept = &old[above..8 - below];
            let places = lines.windows(kept.len()).filter(|here| *here == kept).count();

            let result = edit(&joined(&lines), &joined(&old), &exchanged(&old, changed));
            match result {
                Ok(edited) => prop_assert_eq!(edited.text, exchanged(&lines, start + changed)),
                Err(refusal) => {
                    // A line taken out of several equal ones may be the one at the edge.
                    prop_assert!(places > 1 || replacement.is_empty(), "{}", refusal);
                    prop_assert!(refusal.to_string().contains("Nothing was done"));
                }
            }
        }
    }
}
