//! `pyproject.toml`: `[project] version`, and Poetry's.

use std::collections::BTreeMap;

use toml_edit::Document;

use super::Edits;
use super::cargo::{plain_string, with_places};
use crate::core::changelog::is_version;

const PATH: &str = "pyproject.toml";

/// The project's version.
pub(super) fn version(text: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let table = document.as_table();
    let project = || table.get("project")?.get("version")?.as_str();
    let poetry = || table.get("tool")?.get("poetry")?.get("version")?.as_str();
    project().or_else(poetry).map(str::to_owned)
}

pub(super) fn edit(texts: &BTreeMap<&str, &str>, version: &str, edits: &mut Edits) {
    let Some(text) = texts.get(PATH) else { return };
    let Ok(document) = Document::parse(*text) else {
        edits.left.push(format!("`{PATH}` cannot be read as TOML"));
        return;
    };
    let table = document.as_table();
    let project = table.get("project").and_then(|project| project.get("version"));
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let poetry = poetry.and_then(|poetry| poetry.get("version"));
    let mut places = Vec::new();
    for item in [project, poetry].into_iter().flatten() {
        match plain_string(text, item) {
            Some((old, place)) if is_version(old) => places.push((place, version.to_owned())),
            _ => edits.left.push(format!("`{PATH}` does not hold a plain version")),
        }
    }
    let dynamic = table
        .get("project")
        .and_then(|project| project.get("dynamic")?.as_array())
        .is_some_and(|names| names.iter().any(|name| name.as_str() == Some("version")));
    if dynamic {
        edits.left.push(format!("`{PATH}` takes its version from elsewhere (`dynamic`)"));
    }
    with_places(PATH, text, places, edits);
}
