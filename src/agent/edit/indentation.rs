//! Tabs where the file has spaces, and spaces where it has tabs.
//!
//! What holds: every line is indented as deep as the model says, each step of it spelled the
//! file's way. One place and one way to spell it, or nothing.

use super::{
    EditRefusal, Edited, MOST_PLACES, Shift, View, is_blank, replace_lines, shifted_places,
};

/// How many spaces a tab may stand for.
const WIDTHS: [usize; 4] = [2, 3, 4, 8];

#[derive(Debug, Clone, Copy)]
enum Spelling {
    SpacesForTabs(usize),
    TabsForSpaces(usize),
}

/// `None` when no such place is there.
pub(super) fn edit_respelled(
    view: &View<'_>,
    old: &str,
    new: &str,
) -> Option<Result<Edited, EditRefusal>> {
    let spellings = WIDTHS
        .into_iter()
        .flat_map(|width| [Spelling::SpacesForTabs(width), Spelling::TabsForSpaces(width)]);
    let mut places = Vec::new();
    for spelling in spellings {
        let Some(old) = spelling.of(old) else { continue };
        let lines = shifted_places(&view.lines, &old)
            .into_iter()
            .filter(|place| place.shift == Shift::Added(""))
            .map(|place| place.first_line);
        places.extend(lines.map(|line| (line, spelling)));
    }
    let [(first_line, spelling)] = places.as_slice() else {
        let mut lines: Vec<usize> = places.iter().map(|(line, _)| line + 1).collect();
        lines.truncate(MOST_PLACES);
        return (!lines.is_empty()).then_some(Err(EditRefusal::Multiple { lines }));
    };
    let replacement = spelling.of(new)?;
    Some(replace_lines(view, *first_line, old, replacement, spelling.note(first_line + 1)))
}

impl Spelling {
    /// `None` when the indentation of a line cannot be spelled so, or of no line needs to.
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
