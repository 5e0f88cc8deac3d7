//! `Cargo.toml` of a package or workspace, its members, and `Cargo.lock`.
//!
//! Invariants: a member moves when it says the workspace's version or inherits it; one with a version
//! of its own stays and is named. Requirements of one member on another move along, or the workspace
//! would not build.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use toml_edit::{Document, Item, TableLike};

use super::Edits;
use crate::core::changelog::is_version;
use crate::release::edit::splice;

type VersionSpans = Vec<(Range<usize>, String)>;

const ROOT: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// The version of the root: its package's, else its workspace's.
pub(super) fn version(text: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let root = document.as_table();
    let package = || root.get("package")?.get("version")?.as_str();
    let workspace = || root.get("workspace")?.get("package")?.get("version")?.as_str();
    package().or_else(workspace).map(str::to_owned)
}

pub(super) fn edit(texts: &BTreeMap<&str, &str>, version: &str, edits: &mut Edits) {
    let Some(root_text) = texts.get(ROOT) else { return };
    let Ok(root) = Document::parse(*root_text) else {
        edits.left.push(format!("`{ROOT}` cannot be read as TOML"));
        return;
    };
    let mut manifests: Vec<(&str, &str, Document<&str>)> = Vec::new();
    let members = Members::of(root.as_table());
    for (path, text) in texts.iter().filter(|(path, _)| members.has(path)) {
        match Document::parse(*text) {
            Ok(document) => manifests.push((path, text, document)),
            Err(_) => edits.left.push(format!("`{path}` cannot be read as TOML")),
        }
    }
    manifests.insert(0, (ROOT, root_text, root));
    let Some(old) = old_version(&manifests) else {
        edits.left.push(format!("`{ROOT}` and its members do not share one version"));
        return;
    };
    let mut places: BTreeMap<&str, VersionSpans> = BTreeMap::new();
    let mut moved: BTreeSet<String> = BTreeSet::new();
    let root = manifests[0].2.as_table();
    let shared =
        root.get("workspace").and_then(|workspace| workspace.get("package")?.get("version"));
    let shared_moves = match shared.map(|item| plain_string(root_text, item)) {
        Some(Some((said, place))) if said == old => {
            places.entry(ROOT).or_default().push((place, version.to_owned()));
            true
        }
        Some(_) => {
            edits.left.push(format!("`{ROOT}`: `workspace.package.version` is not {old}"));
            false
        }
        None => false,
    };
    for (path, text, document) in &manifests {
        let Some(package) = document.as_table().get("package") else { continue };
        let name = package.get("name").and_then(Item::as_str).unwrap_or_default().to_owned();
        let Some(item) = package.get("version") else { continue };
        let inherits = item.get("workspace").and_then(Item::as_bool) == Some(true);
        match plain_string(text, item) {
            Some((said, place)) if said == old => {
                places.entry(path).or_default().push((place, version.to_owned()));
                moved.insert(name);
            }
            _ if inherits && shared_moves => {
                moved.insert(name);
            }
            _ if inherits => {}
            _ => edits.left.push(format!("`{path}` holds a version of its own, not {old}")),
        }
    }
    for (path, text, document) in &manifests {
        let found = requirements(text, document.as_table(), &moved, &old, version);
        places.entry(path).or_default().extend(found);
    }
    for (path, text, _) in &manifests {
        with_places(path, text, places.remove(path).unwrap_or_default(), edits);
    }
    lock(texts, &moved, &old, version, edits);
}

/// What the root says; of a bare workspace, what all members say alike.
fn old_version(manifests: &[(&str, &str, Document<&str>)]) -> Option<String> {
    let (_, text, root) = &manifests[0];
    let root = root.as_table();
    let own = root.get("package").and_then(|package| package.get("version"));
    let shared =
        root.get("workspace").and_then(|workspace| workspace.get("package")?.get("version"));
    let said = |item: Option<&Item>| {
        let (said, _) = plain_string(text, item?)?;
        is_version(said).then(|| said.to_owned())
    };
    if let Some(version) = said(own).or_else(|| said(shared)) {
        return Some(version);
    }
    let mut versions = BTreeSet::new();
    for (_, text, document) in &manifests[1..] {
        let item = document.as_table().get("package").and_then(|package| package.get("version"));
        let (said, _) = plain_string(text, item?)?;
        versions.insert(said.to_owned());
    }
    let first = versions.pop_first().filter(|version| is_version(version));
    if versions.is_empty() { first } else { None }
}

/// Which manifests belong to the workspace.
struct Members {
    inside: GlobSet,
    outside: Vec<String>,
}

impl Members {
    fn of(root: &toml_edit::Table) -> Self {
        let list = |key: &str| -> Vec<String> {
            let list = root.get("workspace").and_then(|w| w.get(key)?.as_array());
            let items = list.into_iter().flatten().filter_map(toml_edit::Value::as_str);
            items
                .map(|item| item.trim_start_matches("./").trim_end_matches('/').to_owned())
                .collect()
        };
        let mut globs = GlobSetBuilder::new();
        for member in list("members") {
            if let Ok(glob) = GlobBuilder::new(&member).literal_separator(true).build() {
                globs.add(glob);
            }
        }
        let inside = globs.build().unwrap_or_else(|_| GlobSet::empty());
        Self { inside, outside: list("exclude") }
    }

    fn has(&self, path: &str) -> bool {
        let Some(directory) = path.strip_suffix("/Cargo.toml") else { return false };
        let excluded = |out: &String| directory == out || directory.starts_with(&format!("{out}/"));
        self.inside.is_match(directory) && !self.outside.iter().any(excluded)
    }
}

/// Versions that one member asks of another: `{ path = "../a", version = "1.1.0" }`.
fn requirements(
    text: &str,
    table: &toml_edit::Table,
    moved: &BTreeSet<String>,
    old: &str,
    new: &str,
) -> VersionSpans {
    let mut lists: Vec<&dyn TableLike> = Vec::new();
    let targets = table.get("target").and_then(Item::as_table_like);
    let targets =
        targets.into_iter().flat_map(|t| t.iter()).filter_map(|(_, item)| item.as_table_like());
    let workspace = table.get("workspace").and_then(Item::as_table_like);
    for holder in targets.chain(workspace).chain(std::iter::once(table as &dyn TableLike)) {
        let named = DEPENDENCIES.iter().filter_map(|name| holder.get(name)?.as_table_like());
        lists.extend(named);
    }
    let mut places = Vec::new();
    for (key, item) in lists.into_iter().flat_map(|list| list.iter()) {
        let Some(dependency) = item.as_table_like() else { continue };
        let name = dependency.get("package").and_then(Item::as_str).unwrap_or(key);
        let Some(asked) = dependency.get("version").filter(|_| dependency.get("path").is_some())
        else {
            continue;
        };
        let Some((said, place)) = plain_string(text, asked) else { continue };
        let bare = said.trim_start_matches(['^', '=', '~', ' ']);
        if moved.contains(name) && bare == old {
            places.push((place.start + (said.len() - bare.len())..place.end, new.to_owned()));
        }
    }
    places
}

fn lock(
    texts: &BTreeMap<&str, &str>,
    moved: &BTreeSet<String>,
    old: &str,
    new: &str,
    edits: &mut Edits,
) {
    let Some(text) = texts.get(LOCK).filter(|_| !moved.is_empty()) else { return };
    let Ok(document) = Document::parse(*text) else {
        edits.left.push(format!("`{LOCK}` cannot be read as TOML"));
        return;
    };
    let packages = document.as_table().get("package").and_then(Item::as_array_of_tables);
    let mut places = Vec::new();
    for package in packages.into_iter().flatten() {
        let name = package.get("name").and_then(Item::as_str).unwrap_or_default();
        let ours = moved.contains(name) && package.get("source").is_none();
        if let Some((said, place)) =
            package.get("version").and_then(|item| plain_string(text, item))
            && ours
            && said == old
        {
            places.push((place, new.to_owned()));
        }
        // Where two packages share a name, those that need one say its version.
        let needs = package.get("dependencies").and_then(Item::as_array);
        for value in needs.into_iter().flatten() {
            let Some((said, place)) = quoted(text, value.span(), value.as_str()) else { continue };
            let mut words = said.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            if moved.contains(name) && version == Some(old) && words.next().is_none() {
                places.push((place.start + name.len() + 1..place.end, new.to_owned()));
            }
        }
    }
    if places.is_empty() {
        edits.left.push(format!("`{LOCK}` does not say {old}"));
    }
    with_places(LOCK, text, places, edits);
}

/// Keeps a file with these places replaced, if there are any.
pub(super) fn with_places(path: &str, text: &str, places: VersionSpans, edits: &mut Edits) {
    if !places.is_empty() {
        edits.changed.insert(path.to_owned(), splice(text, places));
    }
}

/// A string that is spelled as it is meant, and where its words stand.
pub(super) fn plain_string<'a>(text: &'a str, item: &Item) -> Option<(&'a str, Range<usize>)> {
    quoted(text, item.span(), item.as_str())
}

fn quoted<'a>(
    text: &'a str,
    span: Option<Range<usize>>,
    value: Option<&str>,
) -> Option<(&'a str, Range<usize>)> {
    let span = span?;
    let place = span.start + 1..span.end.checked_sub(1)?;
    let plain = text.get(place.clone())?;
    (value == Some(plain)).then_some((plain, place))
}
