//! The version in a project's own files: Cargo, npm, Python, `VERSION`.
//!
//! Invariants: the only bytes that change are those of versions that equal the one before; format,
//! order and comments stay; a file that does not hold a plain version is left and named, with the
//! reason; what cannot be read as its format is left.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use semver::Version;

use super::edit::splice;
use crate::core::changelog::is_version;
use crate::core::policy::ReleaseScope;
use crate::core::target::PackageNames;

mod cargo;
mod json;
mod members;
mod npm;
mod pep508;
mod python;
mod requirement;

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

/// The version that a root and the members of its workspace hold.
enum Shared<'a> {
    /// This one, in this file.
    One(Version, &'a str),
    /// None at all.
    None,
    /// Different ones.
    Several,
    /// What this file holds is no plain version.
    Unclear(&'a str),
    /// This file takes it from the workspace, which is released apart.
    Inherited(&'a str),
}

impl<'a> Shared<'a> {
    /// Of all versions that are held, each with a file that holds it.
    fn of(mut versions: BTreeMap<Version, &'a str>) -> Self {
        match (versions.pop_first(), versions.len()) {
            (Some((version, path)), 0) => Self::One(version, path),
            (Some(_), _) => Self::Several,
            (None, _) => Self::None,
        }
    }

    /// That version; of several the one that was released last, if a file holds it.
    fn or_last(
        self,
        last: Option<&Version>,
        holder: impl Fn(&Version) -> Option<&'a str>,
    ) -> Option<(Version, &'a str)> {
        match self {
            Self::One(version, path) => Some((version, path)),
            Self::Several => Some((last?.clone(), holder(last?)?)),
            Self::None | Self::Unclear(_) | Self::Inherited(_) => None,
        }
    }

    /// Says why nothing of a workspace with this root moves.
    fn told(self, root: &str, old: Option<&Version>, edits: &mut Edits) {
        edits.left.push(match self {
            Self::None => return,
            Self::One(_, path) => own_version(path, old),
            Self::Several => format!("`{root}` and its members do not share one version"),
            Self::Unclear(path) => format!("`{path}` does not hold a plain version"),
            Self::Inherited(path) => format!(
                "`{path}` inherits the version of its workspace, which moves with all who do: give \
                 it one of its own"
            ),
        });
    }
}

/// Texts by path.
type Texts<'a> = BTreeMap<&'a str, &'a str>;

/// A version, and the file that says it.
type HeldVersion<'a> = Option<(Version, &'a str)>;

/// One kind of manifests.
struct Ecosystem {
    /// Whether the workspace at the top holds a package of the release.
    holds: fn(&Texts<'_>, &ReleaseScope) -> bool,
    version: for<'a> fn(&Texts<'a>, &ReleaseScope, Option<&Version>) -> HeldVersion<'a>,
    names: fn(&Texts<'_>, &ReleaseScope) -> Vec<String>,
    edit: fn(&Texts<'_>, &ReleaseScope, (Option<&Version>, &Version), &mut Edits),
}

const CARGO: Ecosystem = Ecosystem {
    holds: cargo::holds,
    version: cargo::version,
    names: cargo::names,
    edit: cargo::edit,
};
const NPM: Ecosystem =
    Ecosystem { holds: npm::holds, version: npm::version, names: npm::names, edit: npm::edit };
const PYTHON: Ecosystem = Ecosystem {
    holds: python::holds,
    version: python::version,
    names: python::names,
    edit: python::edit,
};

/// The files as one kind of manifests sees them: from the top where the workspace there holds what
/// is released, else from the package's own directory, as if that were the top.
struct View<'a> {
    texts: Texts<'a>,
    scope: ReleaseScope,
    /// What the paths lack.
    prefix: String,
}

impl<'a> View<'a> {
    fn of(kind: &Ecosystem, texts: &Texts<'a>, scope: &ReleaseScope) -> Self {
        if scope.directory.is_empty() || (kind.holds)(texts, scope) {
            return Self { texts: texts.clone(), scope: scope.clone(), prefix: String::new() };
        }
        let prefix = format!("{}/", scope.directory);
        let inside = texts.iter().filter(|(path, _)| scope.has(path));
        let inside = inside.filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?, *text)));
        Self { texts: inside.collect(), scope: ReleaseScope::default(), prefix }
    }

    fn version(&self, kind: &Ecosystem, last: Option<&Version>) -> Option<(Version, String)> {
        let (version, path) = (kind.version)(&self.texts, &self.scope, last)?;
        Some((version, format!("{}{path}", self.prefix)))
    }

    fn edit(&self, kind: &Ecosystem, versions: (Option<&Version>, &Version), edits: &mut Edits) {
        let mut own = Edits::default();
        (kind.edit)(&self.texts, &self.scope, versions, &mut own);
        let whole = |path: &str| format!("{}{path}", self.prefix);
        edits.changed.extend(own.changed.into_iter().map(|(path, text)| (whole(&path), text)));
        // Each begins with the path of a file.
        edits.left.extend(own.left.into_iter().map(|left| match left.strip_prefix('`') {
            Some(rest) => format!("`{}", whole(rest)),
            None => left,
        }));
    }
}

/// Whether a file of this path is wanted for a release. Directories that hold others' code are not.
pub fn is_wanted(path: &str, scope: &ReleaseScope) -> bool {
    let foreign = ["node_modules", "vendor", "target", "third_party"];
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "Cargo.lock" | "Cargo.toml" | "package.json" | "pyproject.toml" => {
            !directory.split('/').any(|part| foreign.contains(&part))
        }
        "package-lock.json"
        | "npm-shrinkwrap.json"
        | "pnpm-lock.yaml"
        | "pnpm-workspace.yaml"
        | "yarn.lock"
        | "bun.lock"
        | "uv.lock"
        | "VERSION" => directory.is_empty() || directory == scope.directory,
        _ => false,
    }
}

/// The version the project says it has, and the file that says so. Of a workspace whose packages
/// have several, the one that was released last.
pub fn current(
    files: &FileSet,
    scope: &ReleaseScope,
    last: Option<&Version>,
) -> Option<(Version, String)> {
    said(&texts(files, scope).0, scope, last)
}

/// What the packages are called, in small letters.
pub fn names(files: &FileSet, scope: &ReleaseScope) -> BTreeSet<String> {
    let PackageNames { crates, npm, python } = package_names(files, scope);
    // A name of one letter stands in every line.
    let all = crates.into_iter().chain(npm).chain(python).filter(|name| name.len() > 1);
    all.map(|name| name.to_lowercase()).collect()
}

/// What the packages of each kind are called.
pub fn package_names(files: &FileSet, scope: &ReleaseScope) -> PackageNames {
    let (texts, _) = texts(files, scope);
    let names = |kind: Ecosystem| {
        let view = View::of(&kind, &texts, scope);
        (kind.names)(&view.texts, &view.scope)
    };
    PackageNames { crates: names(CARGO), npm: names(NPM), python: names(PYTHON) }
}

/// The files with this version of theirs replaced, as [`current`] found it.
pub fn with_version(
    files: &FileSet,
    scope: &ReleaseScope,
    old: Option<&Version>,
    new: &Version,
) -> Edits {
    let (texts, unread) = texts(files, scope);
    let left = unread.iter().map(|path| format!("`{path}` is not UTF-8")).collect();
    let mut edits = Edits { changed: BTreeMap::new(), left };
    for kind in [CARGO, NPM, PYTHON] {
        View::of(&kind, &texts, scope).edit(&kind, (old, new), &mut edits);
    }
    plain(&texts, scope, (old, new), &mut edits);
    // What says the same as before is no change.
    edits.changed.retain(|path, text| texts.get(&**path) != Some(&&**text));
    edits
}

/// The files that are wanted here and can be read, and those that cannot.
fn texts<'a>(files: &'a FileSet, scope: &ReleaseScope) -> (Texts<'a>, Vec<&'a str>) {
    let (mut texts, mut unread) = (BTreeMap::new(), Vec::new());
    for (path, bytes) in files.iter().filter(|(path, _)| is_wanted(path, scope)) {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                texts.insert(&**path, text);
            }
            Err(_) => unread.push(&**path),
        }
    }
    (texts, unread)
}

/// The version that the release goes on from, and the file that says so.
fn said(
    texts: &Texts<'_>,
    scope: &ReleaseScope,
    last: Option<&Version>,
) -> Option<(Version, String)> {
    let plain = || {
        let path = plain_path(scope);
        let said = texts.get(&*path)?.trim();
        let said = said.strip_prefix('v').unwrap_or(said);
        Some((is_version(said).then(|| Version::parse(said).ok())??, path))
    };
    let view = |kind: &Ecosystem| View::of(kind, texts, scope);
    let packages = view(&NPM);
    let npm = packages.version(&NPM, last);
    // Tools of a project in another language are listed by a package that is never published.
    let (npm, tools) = if npm::is_private(&packages.texts) { (None, npm) } else { (npm, None) };
    let (cargo, python) =
        (view(&CARGO).version(&CARGO, last), view(&PYTHON).version(&PYTHON, last));
    let all = [cargo, npm, python, plain(), tools];
    let all: Vec<(Version, String)> = all.into_iter().flatten().collect();
    // Of several the one that was released last, then the first ahead of it, then any.
    let released = || all.iter().find(|(version, _)| Some(version) == last);
    let ahead = || all.iter().filter(|(version, _)| Some(version) > last).min_by_key(|it| &it.0);
    released().or_else(|| last.and_then(|_| ahead())).or(all.first()).cloned()
}

/// A file with nothing in it but the version.
const PLAIN: &str = "VERSION";

/// Where it stands for a release.
fn plain_path(scope: &ReleaseScope) -> String {
    match scope.directory.as_str() {
        "" => PLAIN.to_owned(),
        directory => format!("{directory}/{PLAIN}"),
    }
}

fn plain(
    texts: &Texts<'_>,
    scope: &ReleaseScope,
    (old, new): (Option<&Version>, &Version),
    edits: &mut Edits,
) {
    let path = plain_path(scope);
    let Some(text) = texts.get(&*path) else { return };
    let said = text.trim();
    let bare = said.strip_prefix('v').unwrap_or(said);
    if !is_version(bare) {
        edits.left.push(format!("`{path}` holds more than a version"));
    } else if old.is_some_and(|old| bare == old.to_string()) {
        let text = text.replacen(bare, &new.to_string(), 1);
        edits.changed.insert(path, text);
    } else {
        edits.left.push(own_version(&path, old));
    }
}

fn own_version(path: &str, old: Option<&Version>) -> String {
    match old {
        Some(old) => format!("`{path}` holds a version of its own, not {old}"),
        None => format!("`{path}` holds a version of its own"),
    }
}

/// Whether a package is there for others to look at or to try things with: that it has a version
/// of its own is worth no word.
pub fn is_aside(path: &str) -> bool {
    const ASIDE: [&str; 11] = [
        "bench",
        "benches",
        "benchmarks",
        "example",
        "examples",
        "fixtures",
        "fuzz",
        "templates",
        "test",
        "tests",
        "xtask",
    ];
    path.split('/').any(|part| ASIDE.contains(&part))
}

/// `crates/a` of `crates/a/Cargo.toml`; nothing for what stands at the top.
fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The text with these places replaced, if there are any.
fn spliced(text: &str, places: Vec<(Range<usize>, String)>) -> Option<String> {
    (!places.is_empty()).then(|| splice(text, places))
}

#[cfg(test)]
#[path = "manifests_tests.rs"]
mod tests;
