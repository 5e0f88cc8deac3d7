//! Replacing a few bytes of a text.
//!
//! Invariants: all that is not named stays byte for byte, and places never overlap.

use std::ops::Range;

/// Replaces these places by these words.
pub(super) fn splice(text: &str, mut places: Vec<(Range<usize>, String)>) -> String {
    places.sort_by_key(|(range, _)| (range.start, range.end));
    places.dedup_by(|later, earlier| later.0.start < earlier.0.end);
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (range, words) in places {
        result.push_str(text.get(at..range.start).unwrap_or_default());
        result.push_str(&words);
        at = range.end;
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}
