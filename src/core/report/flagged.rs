//! Words about paths that people should look at.
//!
//! Invariants: names and reasons are inert; of many only the first are shown, and how many more
//! there are.

use crate::core::approval::FLAGGED_WORD;
use crate::core::text::{first_of, inline, listed};

/// So many are shown one by one, wherever people read them.
const MOST_FLAGS: usize = 20;
/// So many are named in a sentence.
const MOST_NAMED: usize = 5;
/// So many characters of each are shown.
const FLAG_CAP: usize = 200;

/// What a list of flags says in a text: the first of them, and how many more there are.
pub fn first_flags(flags: &[String]) -> Vec<String> {
    first_of(flags, MOST_FLAGS)
}

/// One line for each, which begins like this.
pub(super) fn flag_lines(begin: &str, flags: &[String]) -> String {
    let shown = first_flags(flags).into_iter();
    shown.map(|flag| format!("{begin}{}\n", inline(&flag, FLAG_CAP))).collect()
}

/// The first of them, in a sentence.
pub(super) fn flag_names(flags: &[String]) -> String {
    let path = |flag: &String| {
        let path = flag.split_once(": ").map_or(flag.as_str(), |(path, _)| path);
        inline(path, FLAG_CAP)
    };
    listed(first_of(&flags.iter().map(path).collect::<Vec<_>>(), MOST_NAMED))
}

/// What approves a head together with its flagged paths.
pub(super) fn approve_flagged(head: &str, prefix: &str) -> String {
    format!("`{prefix} approve {head} {FLAGGED_WORD}`")
}
