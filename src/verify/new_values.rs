//! Whether an issue names the values that a change makes tests expect.
//!
//! Invariants: each value that comes into the replaced lines has to be in the issue; a short one
//! counts only where the issue says that something should be it.

use std::collections::BTreeMap;

use similar::DiffTag;

use crate::core::patch::{Change, Patch};
use crate::workspace::diff::{BaseFiles, line_operations, lines_of};

/// Words that stand for values.
const WORDS: &[&str] =
    &["None", "null", "nil", "true", "false", "True", "False", "undefined", "NaN", "Infinity"];
/// What stands before a value that something should have.
const SHOULD: &[&str] = &[
    "be", "expected", "expect", "expects", "return", "returns", "give", "gives", "yield", "yields",
    "equal", "equals", "==", "=", "is", "to", "get", "should", "->", "→", "wants", "want",
];
/// How many words before a value are looked at.
const BEFORE: usize = 3;
/// A value of fewer characters may stand in an issue for many reasons.
const SHORT: usize = 3;

/// Whether the issue names each value that is new in the lines that a change of tests replaces.
/// `of`: the files that count. Where no value is new, it names none.
pub(super) fn names_new_values(
    issue: &str,
    tests: &Patch,
    base: &BaseFiles,
    of: impl Fn(&str) -> bool,
) -> bool {
    let mut new = Vec::new();
    for (path, change) in tests.changes.iter().filter(|it| of(it.0.as_str())) {
        let Change::Write { content, .. } = change else { return false };
        let Some(old) = base.get(path) else { continue };
        let (old, now) = (lines_of(&old.content), lines_of(content));
        for operation in line_operations(&old, &now) {
            if operation.tag() == DiffTag::Replace {
                let gone = old.get(operation.old_range()).unwrap_or_default().concat();
                let came = now.get(operation.new_range()).unwrap_or_default().concat();
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                new.extend(values_beyond(&text(&gone), &text(&came)));
            }
        }
    }
    !new.is_empty() && new.iter().all(|value| says(issue, value))
}

/// Values of one text that the other has not, or not so often.
fn values_beyond(old: &str, new: &str) -> Vec<String> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for value in values(old) {
        *known.entry(value).or_default() += 1;
    }
    let is_new = |value: &String| match known.get_mut(value) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    };
    values(new).into_iter().filter(is_new).collect()
}

/// Numbers, what stands in quotes, and words for values.
fn values(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut after_name = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' | '`' => {
                let inside = rest.get(1..).unwrap_or_default();
                match inside.find([first, '\n']) {
                    Some(end) if inside[end..].starts_with(first) => {
                        found.push(inside[..end].to_owned());
                        end + 2
                    }
                    _ => 1,
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                let number = c.is_ascii_digit() && !after_name;
                let of_word = |c: char| c.is_alphanumeric() || c == '_' || number && c == '.';
                let end = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
                let word = rest[..end].trim_end_matches('.');
                if number || WORDS.contains(&word) {
                    found.push(word.to_owned());
                }
                end
            }
            c => c.len_utf8(),
        };
        after_name = first.is_alphanumeric() || first == '_';
        rest = &rest[length..];
    }
    found.retain(|value| !value.is_empty());
    found
}

/// Whether an issue speaks of a value.
fn says(issue: &str, value: &str) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let stands_alone = |at: usize| {
        // `2.5` is no part of `1.2.5`.
        let before = issue[..at].trim_end_matches('.').chars().next_back();
        let after = issue[at + value.len()..].chars();
        let mut after = after.skip_while(|c| *c == '.').take(1);
        !before.is_some_and(of_word) && !after.next().is_some_and(of_word)
    };
    let mut places = issue.match_indices(value).map(|it| it.0).filter(|at| stands_alone(*at));
    let is_short = value.chars().count() < SHORT || WORDS.contains(&value);
    places.any(|at| {
        let words = issue[..at].split_whitespace().rev().take(BEFORE);
        let mut words = words.map(|word| word.trim_matches(|c: char| "`'\",:;(".contains(c)));
        !is_short || words.any(|word| SHOULD.contains(&&*word.to_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_line_are_its_numbers_strings_and_words_for_values() {
        let line = "    assert_eq!(mean2(&[1, 3.5], 'it', \"a b\"), Some(true)); // x1 None";
        assert_eq!(values(line), ["1", "3.5", "it", "a b", "true", "None"]);
        assert_eq!(values_beyond("size([1, 2]) == 2", "size([1, 2]) == 3"), ["3"]);
        assert_eq!(values("don't"), [""; 0]);
    }

    #[test]
    fn an_issue_names_a_value_if_it_says_that_something_should_be_it() {
        for (issue, value) in [
            ("`size()` should be 2", "2"),
            ("It returns `None`, and not an empty list", "None"),
            ("Expected: 1.25.", "1.25"),
            ("we print `12,5` for it", "12,5"),
            ("size() == 2 would be right", "2"),
        ] {
            assert!(says(issue, value), "{issue}");
        }
        for (issue, value) in [
            ("In step 2 it breaks", "2"),
            ("should be 25", "2"),
            ("There is None here", "no"),
            ("version 1.2.5 is broken", "2.5"),
        ] {
            assert!(!says(issue, value), "{issue}");
        }
    }
}
