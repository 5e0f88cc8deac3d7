//! Tabs where the file has spaces, and spaces where it has tabs.
//!
//! Invariants: every line is indented as deep as the model says, each step of it spelled the
//! file's way. One place and one way to spell it, or nothing.

use super::shift::unshifted_places;
use super::{EditError, Edited, MOST_PLACES, TextView, is_blank, replace_lines};

/// How many spaces a tab may stand for.
const WIDTHS: [usize; 4] = [2, 3, 4, 8];

#[derive(Debug, Clone, Copy)]
enum Spelling {
    SpacesForTabs(usize),
    TabsForSpaces(usize),
}

/// `None` when no such place is there.
pub(super) fn edit_respelled(
    view: &TextView<'_>,
    old: &str,
    new: &str,
) -> Option<Result<Edited, EditError>> {
    let spellings = WIDTHS
        .into_iter()
        .flat_map(|width| [Spelling::SpacesForTabs(width), Spelling::TabsForSpaces(width)]);
    let mut places = Vec::new();
    for spelling in spellings {
        let Some(old) = spelling.of(old) else { continue };
        let lines = unshifted_places(&view.lines, &old).into_iter();
        places.extend(lines.map(|line| (line, spelling)));
    }
    let [(first_line, spelling)] = places.as_slice() else {
        let mut lines: Vec<usize> = places.iter().map(|(line, _)| line + 1).collect();
        lines.truncate(MOST_PLACES);
        return (!lines.is_empty()).then_some(Err(EditError::Multiple { lines }));
    };
    let replacement = spelling.of(new)?;
    Some(replace_lines(view, *first_line, old, replacement, spelling.note(first_line + 1)))
}

impl Spelling {
    /// `None` when the indentation of a line cannot be spelled so.
    fn of(self, text: &str) -> Option<String> {
        let lines: Option<Vec<String>> = text
            .split('\n')
            .map(|line| {
                let words = line.trim_start_matches([' ', '\t']);
                let indentation = &line[..line.len() - words.len()];
                let respelled = if is_blank(line) {
                    Some(indentation.to_owned())
                } else {
                    self.of_indentation(indentation)
                };
                respelled.map(|indentation| indentation + words)
            })
            .collect();
        lines.map(|lines| lines.join("\n"))
    }

    fn of_indentation(self, indentation: &str) -> Option<String> {
        let length = indentation.len();
        match self {
            Self::SpacesForTabs(width) => {
                indentation.chars().all(|c| c == '\t').then(|| " ".repeat(length * width))
            }
            Self::TabsForSpaces(width) => {
                let even = length.is_multiple_of(width) && indentation.chars().all(|c| c == ' ');
                even.then(|| "\t".repeat(length / width))
            }
        }
    }

    fn note(self, line: usize) -> String {
        match self {
            Self::SpacesForTabs(width) => format!(
                "The file is indented with {width} spaces, not tabs; the old text was taken at \
                 line {line} and the new text indented likewise."
            ),
            Self::TabsForSpaces(width) => format!(
                "The file is indented with tabs, not {width} spaces; the old text was taken at \
                 line {line} and the new text indented likewise."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert_eq, proptest};

    use crate::agent::edit::{EditError, edit};

    #[test]
    fn tabs_are_spelled_as_the_spaces_of_the_file_and_the_other_way_round() {
        let spaces = "fn f() {\n  if x {\n    y();\n  }\n}\n";
        let tabs = spaces.replace("  ", "\t");
        let (old, new) = ("\tif x {\n\t\ty();\n\t}\n", "\tif z {\n\n\t\ty();\n\t}\n");
        let edited = edit(spaces, old, new).unwrap();
        assert_eq!(edited.text, "fn f() {\n  if z {\n\n    y();\n  }\n}\n");
        assert!(edited.note.unwrap().contains("indented with 2 spaces, not tabs"));
        let edited = edit(&tabs, &old.replace('\t', "    "), &new.replace('\t', "    ")).unwrap();
        assert_eq!(edited.text, "fn f() {\n\tif z {\n\n\t\ty();\n\t}\n}\n");
        assert!(edited.note.unwrap().contains("indented with tabs, not 4 spaces"));
    }

    #[test]
    fn indentation_that_can_be_read_in_two_ways_is_refused() {
        let text = "a:\n  x\nb:\n    x\n";
        let two = edit(text, "\tx\n", "\ty\n");
        assert_eq!(two, Err(EditError::Multiple { lines: vec![2, 4] }));
        for (old, new) in [("\ta\n\t\t\tb\n", "\ta\n"), ("\ta\n\t\tb\n", "\t a\n")] {
            let refused = edit("  a\n    b\n", old, new).unwrap_err();
            assert!(matches!(refused, EditError::NotFound { .. }), "{old:?}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn the_result_is_that_of_the_edit_in_the_spelling_of_the_file(
            lines in vec((1..4_usize, "[ab]{1,2}"), 6..12), start in 0..3_usize, width in 2..5_usize,
            replacement in vec((0..4_usize, "[xy]"), 0..3),
        ) {
            let spelled = |lines: &[(usize, String)], step: &str| -> String {
                lines.iter().map(|(deep, words)| step.repeat(*deep) + words + "\n").collect()
            };
            let old = &lines[start..start + 3];
            let new = [&old[..1], &replacement, &old[2..]].concat();
            let expected = [&lines[..start], &new, &lines[start + 3..]].concat();
            for (of_the_file, of_the_model) in [(" ".repeat(width), "\t"), ("\t".into(), &*" ".repeat(width))] {
                let text = spelled(&lines, &of_the_file);
                let result = edit(&text, &spelled(old, of_the_model), &spelled(&new, of_the_model));
                match result {
                    Ok(edited) => prop_assert_eq!(edited.text, spelled(&expected, &of_the_file)),
                    Err(refusal) => {
                        prop_assert_eq!(refusal.to_string().contains("Nothing was done"), true);
                    }
                }
            }
        }
    }
}
