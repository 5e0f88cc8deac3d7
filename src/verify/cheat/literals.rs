//! Lines with their literals taken out, so that two can be held against each other.
//!
//! Invariants: nothing but numbers and quoted texts is taken out, in the order in which they stand.

use super::facts::RowText;

/// A line without its literals, and these.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Masked {
    pub(super) shape: String,
    pub(super) literals: Vec<String>,
}

/// Takes the literals out of a line.
pub(super) fn masked(line: &str) -> Masked {
    let (mut shape, mut literals) = (String::new(), Vec::new());
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let in_word = shape.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match first {
            '"' | '\'' | '`' => {
                let inside = rest.get(1..).unwrap_or_default();
                inside.find(first).map_or(0, |end| end + 2)
            }
            c if c.is_ascii_digit() && !in_word => {
                let mut exponent = false;
                let ends = |c: char| {
                    let signed = exponent && "+-".contains(c);
                    exponent = "eE".contains(c);
                    !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || signed)
                };
                rest.find(ends).unwrap_or(rest.len())
            }
            _ => 0,
        };
        let (literal, after) = rest.split_at_checked(length).unwrap_or(("", rest));
        if length > 0 {
            literals.push(literal.to_owned());
            shape.push('□');
            rest = after;
        } else {
            shape.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    Masked { shape, literals }
}

/// Two versions of a line that differ in literals only, with those.
pub(super) struct Bent<'a> {
    pub(super) is: &'a RowText,
    pub(super) was: &'a RowText,
    /// What was there, and what is there now.
    pub(super) literals: Vec<(String, String)>,
}

/// The lines of these pairs that differ in literals only.
pub(super) fn bent(pairs: &[(RowText, RowText)]) -> Vec<Bent<'_>> {
    let differ = |(was, is): &'_ (RowText, RowText)| -> Option<Vec<(String, String)>> {
        let (old, new) = (masked(&was.text), masked(&is.text));
        let same = old.shape == new.shape && old.literals.len() == new.literals.len();
        let both = old.literals.into_iter().zip(new.literals);
        let literals: Vec<_> = both.filter(|(was, is)| was != is).collect();
        (same && !literals.is_empty()).then_some(literals)
    };
    let bent = |pair| Some(Bent { literals: differ(pair)?, was: &pair.0, is: &pair.1 });
    pairs.iter().filter_map(bent).collect()
}

/// The value of a number, without its unit.
pub(super) fn number(literal: &str) -> Option<f64> {
    let plain = literal.replace('_', "");
    (1..=plain.len()).rev().find_map(|end| plain.get(..end)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_quoted_texts_are_literals_and_names_with_digits_are_not() {
        let Masked { shape, literals } = masked("  assert f1(2.5, 'a b') == \"x\"  # don't");
        assert_eq!(shape, "assert f1(□, □) == □  # don't");
        assert_eq!(literals, ["2.5", "'a b'", "\"x\""]);
        assert_eq!(masked("f(1e-6 - 3)").literals, ["1e-6", "3"]);
        assert_eq!([number("1_000ms"), number("1e-6")], [Some(1000.0), Some(1e-6)]);
    }
}
