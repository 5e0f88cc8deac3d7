//! `Cargo.toml` of a package or workspace, its members, and `Cargo.lock`.
//!
//! Invariants: a member moves when it says the workspace's version or inherits it; one with a
//! version of its own stays and is named. Requirements of one member on another move along, or the
//! workspace would not build.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use semver::Version;
use toml_edit::{Document, Item, TableLike};

use super::members::Members;
use super::requirement::{Grammar, Outcome, outcome};
use super::{Edits, Shared, Texts, directory_of, is_aside, own_version, spliced};
use crate::core::changelog::is_version;
use crate::core::policy::ReleaseScope;

type VersionSpans = Vec<(Range<usize>, String)>;

const ROOT: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// One `Cargo.toml`.
struct Manifest<'a> {
    path: &'a str,
    text: &'a str,
    document: Document<&'a str>,
}

impl Manifest<'_> {
    fn package(&self, key: &str) -> Option<&Item> {
        self.document.as_table().get("package")?.get(key)
    }

    /// Whether its package, or its workspace, says this version.
    fn says(&self, version: &Version) -> bool {
        let items = [self.package("version"), self.shared()].into_iter().flatten();
        let mut said = items.filter_map(|item| plain_string(self.text, item));
        said.any(|(said, _)| said == version.to_string())
    }

    /// Nothing is published from it.
    fn is_private(&self) -> bool {
        let publish = self.package("publish");
        publish.and_then(Item::as_bool) == Some(false)
            || publish.and_then(Item::as_array).is_some_and(toml_edit::Array::is_empty)
    }

    /// All lists of dependencies in it.
    fn dependencies(&self) -> Vec<&dyn TableLike> {
        let table = self.document.as_table();
        let targets = table.get("target").and_then(Item::as_table_like);
        let targets =
            targets.into_iter().flat_map(|t| t.iter()).filter_map(|(_, item)| item.as_table_like());
        let workspace = table.get("workspace").and_then(Item::as_table_like);
        let holders = targets.chain(workspace).chain(std::iter::once(table as &dyn TableLike));
        let lists = holders.flat_map(|holder| {
            DEPENDENCIES.iter().filter_map(move |name| holder.get(name)?.as_table_like())
        });
        lists.collect()
    }

    /// The directories that it needs packages from.
    fn needs(&self) -> Vec<String> {
        let all = self.dependencies().into_iter().flat_map(|list| list.iter());
        let paths = all.filter_map(|(_, item)| item.as_table_like()?.get("path")?.as_str());
        paths.filter_map(|path| joined(directory_of(self.path), path)).collect()
    }

    /// `[workspace.package] version`
    fn shared(&self) -> Option<&Item> {
        self.document.as_table().get("workspace")?.get("package")?.get("version")
    }
}

/// The version that the packages share, or that some of them have in common with the last release;
/// and where it stands.
pub(super) fn version<'a>(
    texts: &Texts<'a>,
    scope: &ReleaseScope,
    last: Option<&Version>,
) -> Option<(Version, &'a str)> {
    let (manifests, _) = manifests(texts)?;
    let inside = || manifests.iter().filter(|it| scope.has(it.path));
    let holder = |last: &Version| Some(inside().find(|it| it.says(last))?.path);
    shared(&manifests, scope).or_last(last, holder)
}

pub(super) fn names(texts: &Texts<'_>, scope: &ReleaseScope) -> Vec<String> {
    let found = manifests(texts).map(|(found, _)| found).unwrap_or_default();
    let inside = found.iter().filter(|it| scope.has(it.path));
    let names = inside.filter_map(|it| it.package("name").and_then(Item::as_str));
    names.map(str::to_owned).collect()
}

/// Whether the workspace at the top holds a package of the release.
pub(super) fn holds(texts: &Texts<'_>, scope: &ReleaseScope) -> bool {
    let has = |it: &Manifest<'_>| scope.has(it.path) && it.package("name").is_some();
    manifests(texts).is_some_and(|(found, _)| found.iter().any(has))
}

pub(super) fn edit(
    texts: &Texts<'_>,
    scope: &ReleaseScope,
    (old, new): (Option<&Version>, &Version),
    edits: &mut Edits,
) {
    if !texts.contains_key(ROOT) {
        return;
    }
    let Some((manifests, unread)) = manifests(texts) else {
        edits.left.push(format!("`{ROOT}` cannot be read as TOML"));
        return;
    };
    edits.left.extend(unread.iter().map(|path| format!("`{path}` cannot be read as TOML")));
    let with_root = moves_with_all(&manifests, scope);
    let counts = |it: &Manifest<'_>| scope.has(it.path) || with_root && it.path == ROOT;
    let says = |old: &Version| manifests.iter().any(|it| counts(it) && it.says(old));
    let Some(old) = old.filter(|old| says(old)) else {
        shared(&manifests, scope).told(ROOT, old, edits);
        return;
    };
    let moving = MovingCrates::of(&manifests, scope, (old, new), edits);
    for manifest in &manifests {
        let mut places = moving.own(manifest);
        places.extend(moving.requirements(manifest, edits));
        if let Some(text) = spliced(manifest.text, places) {
            edits.changed.insert(manifest.path.to_owned(), text);
        }
    }
    // Other workspaces beside this one, as for fuzzing, need its packages by their paths.
    let beside = |path: &str| {
        path.ends_with("/Cargo.toml") && !manifests.iter().any(|manifest| manifest.path == path)
    };
    for (path, text) in texts.iter().filter(|(path, _)| beside(path)) {
        let Ok(document) = Document::parse(*text) else { continue };
        let manifest = Manifest { path, text, document };
        let places = moving.requirements(&manifest, edits);
        if let Some(text) = spliced(text, places) {
            edits.changed.insert((*path).to_owned(), text);
        }
    }
    let locks = texts.iter().filter(|(path, _)| path.rsplit('/').next() == Some(LOCK));
    for (path, text) in locks.filter(|_| !moving.names.is_empty()) {
        moving.lock(path, text, edits);
    }
}

/// The root and the members of its workspace; and those that cannot be read. `None` without a root
/// that can.
fn manifests<'a>(texts: &Texts<'a>) -> Option<(Vec<Manifest<'a>>, Vec<&'a str>)> {
    let read = |path: &'a str, text: &'a str| {
        Some(Manifest { path, text, document: Document::parse(text).ok()? })
    };
    let (path, text) = texts.get_key_value(ROOT)?;
    let root = read(path, text)?;
    let members = members(root.document.as_table());
    let (mut manifests, mut unread) = (vec![root], Vec::new());
    for (path, text) in texts
        .iter()
        .filter(|(path, _)| path.ends_with("/Cargo.toml") && members.has(directory_of(path)))
    {
        match read(path, text) {
            Some(manifest) => manifests.push(manifest),
            None => unread.push(*path),
        }
    }
    // What members need by a path inside the workspace is a member, too.
    let mut at = 0;
    while at < manifests.len() && manifests[0].document.as_table().contains_key("workspace") {
        for directory in manifests[at].needs() {
            let path = format!("{directory}/{ROOT}");
            let known =
                manifests.iter().any(|it| it.path == path) || members.leaves_out(&directory);
            let there = texts.get_key_value(&*path).filter(|_| !known);
            manifests.extend(there.and_then(|(path, text)| read(path, text)));
        }
        at += 1;
    }
    Some((manifests, unread))
}

/// `a/b` for `../b` as seen from `a/c`; `None` for what lies outside.
fn joined(directory: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What the root says; of a bare workspace, or of a part of it, what all members say alike.
fn shared<'a>(manifests: &[Manifest<'a>], scope: &ReleaseScope) -> Shared<'a> {
    let root = &manifests[0];
    let plain = |manifest: &Manifest<'a>, item: &Item| {
        let (said, _) = plain_string(manifest.text, item)?;
        is_version(said).then(|| Version::parse(said).ok())?
    };
    let inherits = |item: &Item| item.get("workspace").is_some();
    let own = root.package("version").filter(|item| !inherits(item));
    let of_all = root.shared().filter(|_| moves_with_all(manifests, scope));
    if let Some(item) = own.filter(|_| scope.has(root.path)).or(of_all) {
        return plain(root, item)
            .map_or(Shared::Unclear(root.path), |said| Shared::One(said, root.path));
    }
    let mut versions = BTreeMap::new();
    // What is never published goes by what it likes.
    let inside = || manifests[1..].iter().filter(|it| scope.has(it.path));
    // Of a part in which nothing is published, what is private decides.
    let counts = scope.is_whole() || inside().any(|it| !it.is_private());
    for manifest in inside().filter(|it| !counts || !it.is_private()) {
        let Some(item) = manifest.package("version") else { continue };
        if inherits(item) {
            return Shared::Inherited(manifest.path);
        }
        match plain(manifest, item) {
            Some(version) => versions.entry(version).or_insert(manifest.path),
            None => return Shared::Unclear(manifest.path),
        };
    }
    Shared::of(versions)
}

/// Whether the version that members inherit is that of the release: all who do are part of it.
fn moves_with_all(manifests: &[Manifest<'_>], scope: &ReleaseScope) -> bool {
    let inherits = |it: &&Manifest<'_>| {
        it.package("version").is_some_and(|item| item.get("workspace").is_some())
    };
    let mut heirs = manifests.iter().filter(inherits).peekable();
    scope.is_whole() || heirs.peek().is_some() && heirs.all(|it| scope.has(it.path))
}

/// The directories that the root names.
fn members(root: &toml_edit::Table) -> Members {
    let list = |key: &str| {
        let list = root.get("workspace").and_then(|workspace| workspace.get(key)?.as_array());
        list.into_iter().flatten().filter_map(toml_edit::Value::as_str)
    };
    Members::new(list("members"), list("exclude"))
}

/// The packages that go from one version to the next.
struct MovingCrates<'a> {
    names: BTreeSet<String>,
    /// Where they stand.
    directories: BTreeSet<String>,
    old: &'a Version,
    new: &'a Version,
    /// The workspace's own version goes along.
    shared: bool,
}

impl<'a> MovingCrates<'a> {
    fn of(
        manifests: &[Manifest<'_>],
        scope: &ReleaseScope,
        (old, new): (&'a Version, &'a Version),
        edits: &mut Edits,
    ) -> Self {
        let root = &manifests[0];
        let is_old = |manifest: &Manifest<'_>, item: &Item| {
            plain_string(manifest.text, item).is_some_and(|(said, _)| said == old.to_string())
        };
        let of_all = root.shared().filter(|_| moves_with_all(manifests, scope));
        let shared = of_all.is_some_and(|item| is_old(root, item));
        if of_all.is_some() && !shared {
            edits.left.push(format!("`{ROOT}`: `workspace.package.version` is not {old}"));
        }
        let (mut names, mut directories) = (BTreeSet::new(), BTreeSet::new());
        for manifest in manifests.iter().filter(|it| scope.has(it.path)) {
            let Some(item) = manifest.package("version") else { continue };
            let inherits = item.get("workspace").and_then(Item::as_bool) == Some(true);
            if is_old(manifest, item) || inherits && shared {
                let name = manifest.package("name").and_then(Item::as_str);
                names.extend(name.map(str::to_owned));
                directories.insert(directory_of(manifest.path).to_owned());
            } else if inherits && !scope.is_whole() {
                Shared::Inherited(manifest.path).told(ROOT, Some(old), edits);
            } else if !inherits && !manifest.is_private() && !is_aside(manifest.path) {
                edits.left.push(own_version(manifest.path, Some(old)));
            }
        }
        Self { names, directories, old, new, shared }
    }

    /// The manifest's own version, and the one that it gives its workspace.
    fn own(&self, manifest: &Manifest<'_>) -> VersionSpans {
        let moves = self.directories.contains(directory_of(manifest.path));
        let shared = manifest.shared().filter(|_| self.shared && manifest.path == ROOT);
        let found = manifest.package("version").filter(|_| moves).into_iter().chain(shared);
        let places = found.filter_map(|item| plain_string(manifest.text, item));
        places
            .filter(|(said, _)| *said == self.old.to_string())
            .map(|(_, place)| (place, self.new.to_string()))
            .collect()
    }

    /// Versions that a manifest asks of those that move: `{ path = "../a", version = "1.1.0" }`.
    fn requirements(&self, manifest: &Manifest<'_>, edits: &mut Edits) -> VersionSpans {
        let mut places = Vec::new();
        for (key, item) in manifest.dependencies().into_iter().flat_map(|list| list.iter()) {
            let Some(dependency) = item.as_table_like() else { continue };
            let name = dependency.get("package").and_then(Item::as_str).unwrap_or(key);
            let path = dependency.get("path").and_then(Item::as_str);
            let needs = path.and_then(|path| joined(directory_of(manifest.path), path));
            let ours = needs.is_some_and(|needs| self.directories.contains(&needs));
            let asked = dependency.get("version").filter(|_| ours);
            let Some((said, place)) = asked.and_then(|item| plain_string(manifest.text, item))
            else {
                continue;
            };
            if !self.names.contains(name) {
                continue;
            }
            match outcome(said, self.old, self.new, Grammar::Cargo) {
                Outcome::Stays => {}
                Outcome::Becomes(now) => places.push((place, now)),
                Outcome::Unmet => edits.left.push(format!(
                    "`{}` asks for `{name}` {said}, which {} does not meet",
                    manifest.path, self.new
                )),
            }
        }
        places
    }

    fn lock(&self, path: &str, text: &str, edits: &mut Edits) {
        let Ok(document) = Document::parse(text) else {
            edits.left.push(format!("`{path}` cannot be read as TOML"));
            return;
        };
        let (old, new) = (self.old.to_string(), self.new.to_string());
        let packages = document.as_table().get("package").and_then(Item::as_array_of_tables);
        let mut places = Vec::new();
        for package in packages.into_iter().flatten() {
            let name = package.get("name").and_then(Item::as_str).unwrap_or_default();
            let ours = self.names.contains(name) && package.get("source").is_none();
            if let Some((said, place)) =
                package.get("version").and_then(|item| plain_string(text, item))
                && ours
                && said == old
            {
                places.push((place, new.clone()));
            }
            // Where two packages share a name, those that need one say its version.
            let needs = package.get("dependencies").and_then(Item::as_array);
            for value in needs.into_iter().flatten() {
                let Some((said, place)) = quoted(text, value.span(), value.as_str()) else {
                    continue;
                };
                let mut words = said.split(' ');
                let (name, version) = (words.next().unwrap_or_default(), words.next());
                let moves = self.names.contains(name) && version == Some(&old);
                if moves && words.next().is_none() {
                    places.push((place.start + name.len() + 1..place.end, new.clone()));
                }
            }
        }
        match spliced(text, places) {
            Some(text) => {
                edits.changed.insert(path.to_owned(), text);
            }
            None if path == LOCK => edits.left.push(format!("`{LOCK}` does not say {old}")),
            None => {}
        }
    }
}

/// A string that is spelled as it is meant, and where its words stand.
pub(super) fn plain_string<'a>(text: &'a str, item: &Item) -> Option<(&'a str, Range<usize>)> {
    quoted(text, item.span(), item.as_str())
}

pub(super) fn quoted<'a>(
    text: &'a str,
    span: Option<Range<usize>>,
    value: Option<&str>,
) -> Option<(&'a str, Range<usize>)> {
    let span = span?;
    let place = span.start + 1..span.end.checked_sub(1)?;
    let plain = text.get(place.clone())?;
    (value == Some(plain)).then_some((plain, place))
}
