//! Keys that are written nearly as they should be: `--budget 2`, `budget = $2`, `model: NAME`.
//!
//! Invariants: what nearly sets a limit is asked about before anything starts, never taken for
//! words of the request; what follows `--` is always words.

use super::{BadCommand, Command, VerbSpec, nearest, set_key};

/// The first key of this line that is nearly one.
pub(super) fn nearly_a_key(words: &str, spec: &VerbSpec) -> Option<BadCommand> {
    let words: Vec<&str> = words.split_whitespace().take_while(|word| *word != "--").collect();
    let keys = words.iter().take_while(|word| is_key(word)).count();
    let at_the_front = written(&words[keys..], spec);
    // What a job may cost counts wherever it stands: nobody writes an amount there by chance.
    let later = || (keys + 1..words.len()).find_map(|at| amount(&words[at..], spec));
    let (key, value) = at_the_front.or_else(later)?;
    Some(match set_key(&mut Command::new(spec.verb), spec, key, value) {
        Ok(()) => BadCommand::NearlyKey { verb: spec.verb, meant: format!("{key}={value}") },
        Err(bad) => bad,
    })
}

/// Whether it is a key with its value, in one word. An address is none, though it may hold a `=`.
pub(super) fn is_key(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, value)| {
        !key.is_empty()
            && key.chars().all(|c| c.is_ascii_alphabetic() || "-_".contains(c))
            && !key.starts_with('-')
            && !value.is_empty()
    })
}

/// An amount of money that is nearly given to a key, or given to it behind other words.
fn amount<'a>(words: &[&'a str], spec: &VerbSpec) -> Option<(&'static str, &'a str)> {
    let (key, value) = written(words, spec)?;
    (key == "budget" && is_amount(value)).then_some((key, value))
}

/// The key and the value that the first of these words are about.
fn written<'a>(words: &[&'a str], spec: &VerbSpec) -> Option<(&'static str, &'a str)> {
    let (first, rest) = words.split_first()?;
    let bare = first.trim_start_matches('-');
    let dashed = bare.len() < first.len();
    let end = bare.find(['=', ':']).unwrap_or(bare.len());
    let (name, tail) = bare.split_at(end);
    let known = spec.keys.iter().map(|(key, _)| *key);
    let nearest = || if dashed { nearest(name, known.clone()) } else { None };
    let key = known.clone().find(|key| {
        key.eq_ignore_ascii_case(name) || nearest().is_some_and(|nearest| nearest == **key)
    })?;
    let next = |at: usize| rest.get(at).copied();
    let (separator, value) = match (tail.chars().next(), next(0)) {
        (Some(separator), _) if tail.len() > 1 => (Some(separator), &tail[1..]),
        (Some(separator), Some(value)) => (Some(separator), value),
        (None, Some("=")) => (Some('='), next(1)?),
        (None, Some(":")) => (Some(':'), next(1)?),
        (None, Some(value)) if value.starts_with('=') => (Some('='), &value[1..]),
        (None, Some(value)) if dashed || (value.starts_with('$') && is_amount(value)) => {
            (None, value)
        }
        (Some('='), None) => (Some('='), ""),
        (_, None) | (None, Some(_)) => return None,
    };
    let value = value.trim_end_matches([',', ';']);
    // "The model: it loses its name" are words.
    let words = key == "budget" && !dashed && separator != Some('=') && !is_amount(value);
    (!words).then_some((key, value))
}

/// Whether it is meant as money, in whatever way it is written.
fn is_amount(text: &str) -> bool {
    let number = text.trim_matches(|c: char| "$€£".contains(c) || c.is_ascii_alphabetic());
    number.contains(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || ".,".contains(c))
}
