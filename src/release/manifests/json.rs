//! JSON whose values are found by a parser and replaced where they stand.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// An object's members, each as it is spelled.
pub(super) type RawObject<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

pub(super) fn object(text: &str) -> Option<RawObject<'_>> {
    serde_json::from_str(text).ok()
}

/// The object that is a member of another.
pub(super) fn member<'a>(of: &RawObject<'a>, key: &str) -> Option<RawObject<'a>> {
    object(of.get(key)?.get())
}

pub(super) fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Where the words of a string stand in the text it was read from, without the quotes.
pub(super) fn inside(text: &str, value: &RawValue) -> Option<Range<usize>> {
    let raw = value.get();
    let start = (raw.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let place = start + 1..(start + raw.len()).checked_sub(1)?;
    // Spelled with escapes, it is not the plain text we would replace.
    let plain = text.get(place.clone())?;
    (string(value).as_deref() == Some(plain)).then_some(place)
}
