//! The version in a project's own files: Cargo, npm, Python, `VERSION`.
//!
//! Invariants: the only bytes that change are those of versions that equal the one before; format,
//! order and comments stay; a file that does not hold a plain version is left and named, with the
//! reason; what cannot be read as its format is left.

use std::collections::BTreeMap;

use semver::Version;

use crate::core::changelog::is_version;

mod cargo;
mod npm;
mod python;

/// Files by path, as they are at the base commit.
pub type FileSet = BTreeMap<String, Vec<u8>>;

/// What a new version changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// The changed files, whole.
    pub changed: BTreeMap<String, String>,
    /// Files that are left as they are, with the reason.
    pub left: Vec<String>,
}

/// Whether a file of this path is wanted here. Directories that hold others' code are not.
pub fn is_wanted(path: &str) -> bool {
    let foreign = ["node_modules/", "vendor/", "target/", "third_party/"];
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "Cargo.toml" => !foreign.iter().any(|part| format!("{directory}/").contains(part)),
        "Cargo.lock"
        | "package.json"
        | "package-lock.json"
        | "npm-shrinkwrap.json"
        | "pyproject.toml"
        | "VERSION" => directory.is_empty(),
        _ => false,
    }
}

/// The version the project says it has, and the file that says so.
pub fn current(files: &FileSet) -> Option<(Version, String)> {
    let text = |path: &str| files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let cargo = || text("Cargo.toml").and_then(cargo::version).map(|found| (found, "Cargo.toml"));
    let npm = || text("package.json").and_then(npm::version).map(|found| (found, "package.json"));
    let python =
        || text("pyproject.toml").and_then(python::version).map(|found| (found, "pyproject.toml"));
    let plain = || {
        let version = text("VERSION")?.trim();
        Some((version.strip_prefix('v').unwrap_or(version).to_owned(), "VERSION"))
    };
    let found = [cargo(), npm(), python(), plain()].into_iter().flatten();
    let mut versions = found
        .filter(|(version, _)| is_version(version))
        .filter_map(|(version, path)| Some((Version::parse(&version).ok()?, path.to_owned())));
    versions.next()
}

/// The files with their version replaced.
pub fn with_version(files: &FileSet, version: &Version) -> Edits {
    let version = version.to_string();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    let mut edits = Edits::default();
    for (path, bytes) in files.iter().filter(|(path, _)| is_wanted(path)) {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                texts.insert(path, text);
            }
            Err(_) => edits.left.push(format!("`{path}` is not UTF-8")),
        }
    }
    cargo::edit(&texts, &version, &mut edits);
    npm::edit(&texts, &version, &mut edits);
    python::edit(&texts, &version, &mut edits);
    if let Some(text) = texts.get("VERSION") {
        plain(text, &version, &mut edits);
    }
    // What says the same as before is no change.
    edits.changed.retain(|path, text| texts.get(&**path) != Some(&&**text));
    edits
}

/// A file with nothing in it but the version.
fn plain(text: &str, version: &str, edits: &mut Edits) {
    let old = text.trim();
    let bare = old.strip_prefix('v').unwrap_or(old);
    if is_version(bare) {
        edits.changed.insert("VERSION".to_owned(), text.replacen(bare, version, 1));
    } else {
        edits.left.push("`VERSION` holds more than a version".to_owned());
    }
}

#[cfg(test)]
#[path = "manifests_tests.rs"]
mod tests;
