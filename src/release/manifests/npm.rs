//! `package.json` of a package or workspace, its members, and npm's lock files.
//!
//! Invariants: indentation, order and spelling stay; a member moves when it says the version that
//! the release goes on from; what the members ask of each other is met afterwards, in the lock
//! file as in the manifest, or is told of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use semver::Version;

use super::json::{RawObject, inside, member, object, string};
use super::members::Members;
use super::requirement::{Grammar, Outcome, is_met, outcome};
use super::{Edits, Shared, Texts, directory_of, is_aside, own_version, spliced};
use crate::core::changelog::is_version;
use crate::core::policy::ReleaseScope;
use crate::core::yaml;

const ROOT: &str = "package.json";
pub(super) const PNPM_WORKSPACE: &str = "pnpm-workspace.yaml";
const LOCKS: &[&str] = &["package-lock.json", "npm-shrinkwrap.json"];
/// Locks that are not edited, with the command that brings them up to date.
const OTHER_LOCKS: &[(&str, &str)] =
    &[("pnpm-lock.yaml", "pnpm install --lockfile-only"), ("yarn.lock", "yarn install")];
const BUN_LOCK: &str = "bun.lock";
const ASKING: &[&str] =
    &["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// One `package.json`.
struct Package<'a> {
    path: &'a str,
    text: &'a str,
    object: RawObject<'a>,
}

impl Package<'_> {
    fn say(&self, key: &str) -> Option<String> {
        string(self.object.get(key)?)
    }

    fn says(&self, version: &Version) -> bool {
        self.say("version").is_some_and(|said| said == version.to_string())
    }

    /// Nothing is published from it.
    fn is_private(&self) -> bool {
        self.object.get("private").is_some_and(|value| value.get() == "true")
    }
}

/// The version that the packages share, or that some of them have in common with the last release;
/// and where it stands.
pub(super) fn version<'a>(
    texts: &Texts<'a>,
    scope: &ReleaseScope,
    last: Option<&Version>,
) -> Option<(Version, &'a str)> {
    let (packages, _) = packages(texts)?;
    let inside = || packages.iter().filter(|it| scope.has(it.path));
    let holder = |last: &Version| Some(inside().find(|it| it.says(last))?.path);
    shared(&packages, scope).or_last(last, holder)
}

/// Whether nothing here is ever published.
pub(super) fn is_private(texts: &Texts<'_>) -> bool {
    packages(texts).is_some_and(|(packages, _)| packages.iter().all(Package::is_private))
}

pub(super) fn names(texts: &Texts<'_>, scope: &ReleaseScope) -> Vec<String> {
    let found = packages(texts).map(|(found, _)| found).unwrap_or_default();
    let inside = found.iter().filter(|it| scope.has(it.path));
    inside.filter_map(|package| package.say("name")).collect()
}

/// Whether the workspace at the top holds a package of the release.
pub(super) fn holds(texts: &Texts<'_>, scope: &ReleaseScope) -> bool {
    packages(texts).is_some_and(|(found, _)| found.iter().any(|it| scope.has(it.path)))
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
    let Some((packages, unread)) = packages(texts) else {
        edits.left.push(format!("`{ROOT}` cannot be read as JSON"));
        return;
    };
    edits.left.extend(unread.iter().map(|path| format!("`{path}` cannot be read as JSON")));
    let says = |old: &Version| packages.iter().any(|it| scope.has(it.path) && it.says(old));
    let Some(old) = old.filter(|old| says(old)) else {
        match shared(&packages, scope) {
            // Nothing is published from it.
            Shared::One(..) if packages.iter().all(Package::is_private) => {}
            shared => shared.told(ROOT, old, edits),
        }
        return;
    };
    let moving = MovingPackages::of(&packages, scope, (old, new), edits);
    let mut asks = false;
    for package in &packages {
        let mut places = moving.places(package.text, &package.object, package.path, edits);
        asks |= !places.is_empty();
        if moving.directories.contains(directory_of(package.path)) {
            places.extend(moving.own(package.text, &package.object));
        }
        if let Some(text) = spliced(package.text, places) {
            edits.changed.insert(package.path.to_owned(), text);
        }
    }
    for path in LOCKS {
        if let Some(text) = texts.get(path) {
            moving.lock(path, text, edits);
        }
    }
    // Bun keeps the members' own versions in its lock.
    if texts.contains_key(BUN_LOCK) && moving.directories.iter().any(|at| !at.is_empty()) {
        edits.left.push(format!("`{BUN_LOCK}` holds the members' versions: run `bun install`"));
    }
    if asks {
        let locks = OTHER_LOCKS.iter().filter(|(path, _)| texts.contains_key(path));
        edits.left.extend(locks.map(|(path, command)| {
            format!("`{path}` holds what the packages ask of each other: run `{command}`")
        }));
    }
}

/// The root and the members of its workspace; and those that cannot be read. `None` without a root
/// that can.
fn packages<'a>(texts: &Texts<'a>) -> Option<(Vec<Package<'a>>, Vec<&'a str>)> {
    let (path, text) = texts.get_key_value(ROOT)?;
    let root = Package { path, text, object: object(text)? };
    let members = members(&root.object, texts.get(PNPM_WORKSPACE).copied());
    let (mut packages, mut unread) = (vec![root], Vec::new());
    for (path, text) in texts
        .iter()
        .filter(|(path, _)| path.ends_with("/package.json") && members.has(directory_of(path)))
    {
        match object(text) {
            Some(object) => packages.push(Package { path, text, object }),
            None => unread.push(*path),
        }
    }
    Some((packages, unread))
}

/// The directories that the root or pnpm's own file names.
fn members(root: &RawObject<'_>, pnpm: Option<&str>) -> Members {
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
    let npm = root.get("workspaces").and_then(|value| {
        list(value.get()).or_else(|| list(object(value.get())?.get("packages")?.get()))
    });
    let pnpm = pnpm.and_then(|text| {
        let file = yaml::read(text.as_bytes()).ok()?;
        Some(file.get("packages")?.texts()?.into_iter().map(str::to_owned).collect())
    });
    let patterns = pnpm.or(npm).unwrap_or_default();
    let outside = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
    let inside = patterns.iter().map(String::as_str).filter(|pattern| !pattern.starts_with('!'));
    Members::new(inside, outside)
}

/// What the root says; where it only holds a workspace together, or of a part of it, what the
/// members say alike.
fn shared<'a>(packages: &[Package<'a>], scope: &ReleaseScope) -> Shared<'a> {
    let root = &packages[0];
    let plain = |package: &Package<'a>| {
        let said = package.say("version").filter(|said| is_version(said))?;
        Some((Version::parse(&said).ok()?, package.path))
    };
    let published = |it: &&Package<'_>| {
        it.object.contains_key("version") && !it.is_private() && scope.has(it.path)
    };
    let mut members: Vec<&Package<'a>> = packages[1..].iter().filter(published).collect();
    if members.is_empty() && !scope.is_whole() {
        // Of a part in which nothing is published, what is private decides.
        members = packages[1..].iter().filter(|it| scope.has(it.path)).collect();
        members.retain(|it| it.object.contains_key("version"));
    }
    // A root that is never published often says what nobody goes by.
    let own = root.say("version");
    let counts = |member: &&Package<'a>| member.say("version") == own;
    let decides = !root.is_private() || members.is_empty() || members.iter().any(counts);
    if root.object.contains_key("version") && decides && scope.has(root.path) {
        let path = root.path;
        return plain(root).map_or(Shared::Unclear(path), |(said, path)| Shared::One(said, path));
    }
    let mut versions = BTreeMap::new();
    for package in &members {
        match plain(package) {
            Some((version, path)) => versions.entry(version).or_insert(path),
            None => return Shared::Unclear(package.path),
        };
    }
    Shared::of(versions)
}

/// The packages that go from one version to the next.
struct MovingPackages<'a> {
    names: BTreeSet<String>,
    /// Where they stand, as the lock file names it: `""`, `packages/a`.
    directories: BTreeSet<&'a str>,
    old: &'a Version,
    new: &'a Version,
}

impl<'a> MovingPackages<'a> {
    fn of(
        packages: &[Package<'a>],
        scope: &ReleaseScope,
        (old, new): (&'a Version, &'a Version),
        edits: &mut Edits,
    ) -> Self {
        let mut moving = Self { names: BTreeSet::new(), directories: BTreeSet::new(), old, new };
        for package in packages.iter().filter(|it| scope.has(it.path)) {
            let Some(said) = package.say("version") else { continue };
            if said == old.to_string() {
                moving.names.extend(package.say("name"));
                moving.directories.insert(directory_of(package.path));
            } else if !package.is_private() && said != "0.0.0" && !is_aside(package.path) {
                edits.left.push(own_version(package.path, Some(old)));
            }
        }
        moving
    }

    /// The package's own version.
    fn own(&self, text: &str, package: &RawObject<'_>) -> Option<(Range<usize>, String)> {
        let found = package.get("version")?;
        let ours = string(found)? == self.old.to_string();
        ours.then(|| Some((inside(text, found)?, self.new.to_string())))?
    }

    /// What a package asks of those that move.
    fn places(
        &self,
        text: &str,
        package: &RawObject<'_>,
        path: &str,
        edits: &mut Edits,
    ) -> Vec<(Range<usize>, String)> {
        let mut places = Vec::new();
        // What a package asks of itself is one that is out already.
        let own = package.get("name").and_then(|name| string(name));
        let moves = |name: &str| self.names.contains(name) && own.as_deref() != Some(name);
        for (key, list) in ASKING.iter().filter_map(|key| Some((key, member(package, key)?))) {
            for (name, value) in list.iter().filter(|(name, _)| moves(name)) {
                let Some(said) = string(value) else { continue };
                let follows = outcome(&said, self.old, self.new, Grammar::Npm);
                // What people install beside may be as old as before.
                let peer = *key == "peerDependencies";
                let fits = || is_met(&said, self.new, Grammar::Npm);
                match follows {
                    Outcome::Stays => {}
                    Outcome::Becomes(_) if peer && fits() => {}
                    Outcome::Becomes(now) => {
                        places.extend(inside(text, value).map(|place| (place, now)));
                    }
                    Outcome::Unmet => edits.left.push(format!(
                        "`{path}` asks for `{name}` {said}, which {} does not meet",
                        self.new
                    )),
                }
            }
        }
        places
    }

    /// Versions stand in a lock file at its top, and in its list under the directory of each
    /// package.
    fn lock(&self, path: &str, text: &str, edits: &mut Edits) {
        let Some(lock) = object(text) else {
            edits.left.push(format!("`{path}` cannot be read as JSON"));
            return;
        };
        let mut places = Vec::new();
        if self.directories.contains("") {
            places.extend(self.own(text, &lock));
        }
        let listed = member(&lock, "packages").unwrap_or_default();
        for (directory, entry) in listed.iter().filter(|(at, _)| !at.contains("node_modules")) {
            let Some(entry) = object(entry.get()) else { continue };
            if self.directories.contains(&**directory) {
                places.extend(self.own(text, &entry));
            }
            // What is unmet was told of at the manifest.
            places.extend(self.places(text, &entry, path, &mut Edits::default()));
        }
        match spliced(text, places) {
            Some(text) => {
                edits.changed.insert(path.to_owned(), text);
            }
            None => edits.left.push(format!("`{path}` does not say {}", self.old)),
        }
    }
}
