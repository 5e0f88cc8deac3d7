//! `package.json` and its lock files.
//!
//! Invariants: values are found by a JSON parser and replaced where they stand, so indentation, order
//! and spelling stay.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::Edits;
use crate::core::changelog::is_version;
use crate::release::edit::splice;

type RawObject<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

const LOCKS: &[&str] = &["package-lock.json", "npm-shrinkwrap.json"];

/// The package's version.
pub(super) fn version(text: &str) -> Option<String> {
    let package: RawObject<'_> = serde_json::from_str(text).ok()?;
    string(package.get("version")?)
}

pub(super) fn edit(texts: &BTreeMap<&str, &str>, version: &str, edits: &mut Edits) {
    let Some(text) = texts.get("package.json") else { return };
    let Ok(package) = serde_json::from_str::<RawObject<'_>>(text) else {
        edits.left.push("`package.json` cannot be read as JSON".to_owned());
        return;
    };
    // A private package may have none, and then nothing is published from it.
    let Some(found) = package.get("version") else { return };
    let Some(old) = string(found).filter(|old| is_version(old)) else {
        edits.left.push("`package.json` does not hold a plain version".to_owned());
        return;
    };
    let place = inside(text, found);
    let new = splice(text, place.map(|place| (place, version.to_owned())).into_iter().collect());
    edits.changed.insert("package.json".to_owned(), new);
    for path in LOCKS {
        let Some(text) = texts.get(path) else { continue };
        match lock_places(text, &old) {
            Some(places) if !places.is_empty() => {
                let places = places.into_iter().map(|place| (place, version.to_owned())).collect();
                edits.changed.insert((*path).to_owned(), splice(text, places));
            }
            Some(_) => edits.left.push(format!("`{path}` does not say {old}")),
            None => edits.left.push(format!("`{path}` cannot be read as JSON")),
        }
    }
}

/// The package's own version stands twice in a lock file: at its top, and in its list under "".
fn lock_places(text: &str, old: &str) -> Option<Vec<Range<usize>>> {
    let lock: RawObject<'_> = serde_json::from_str(text).ok()?;
    let mut versions: Vec<&RawValue> = lock.get("version").copied().into_iter().collect();
    if let Some(packages) = lock.get("packages") {
        let packages: RawObject<'_> = serde_json::from_str(packages.get()).ok()?;
        if let Some(own) = packages.get("") {
            let own: RawObject<'_> = serde_json::from_str(own.get()).ok()?;
            versions.extend(own.get("version").copied());
        }
    }
    let same = versions.into_iter().filter(|found| string(found).as_deref() == Some(old));
    Some(same.filter_map(|found| inside(text, found)).collect())
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Where the words of a string stand in the text it was read from, without the quotes.
fn inside(text: &str, value: &RawValue) -> Option<Range<usize>> {
    let raw = value.get();
    let start = (raw.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let place = start + 1..(start + raw.len()).checked_sub(1)?;
    // Spelled with escapes, it is not the plain text we would replace.
    let plain = text.get(place.clone())?;
    (string(value).as_deref() == Some(plain)).then_some(place)
}
