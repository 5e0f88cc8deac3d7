//! `pyproject.toml` of a project or uv workspace, and `uv.lock`.
//!
//! Invariants: a version is spelled as PEP 440 has it (`1.2.0rc1`); a member moves when it says
//! the version that the release goes on from, and its entry in the lock with it; `poetry.lock`
//! holds no version of the project's own, so it stays.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr;

use pep440_rs::PrereleaseKind;
use semver::{BuildMetadata, Prerelease, Version};
use toml_edit::{Document, Item};

use super::cargo::{plain_string, quoted};
use super::members::Members;
use super::pep508;
use super::requirement::Outcome;
use super::{Edits, Shared, Texts, directory_of, is_aside, own_version, spliced};
use crate::core::policy::ReleaseScope;

const ROOT: &str = "pyproject.toml";
const LOCK: &str = "uv.lock";

/// One `pyproject.toml`.
struct Project<'a> {
    path: &'a str,
    text: &'a str,
    document: Document<&'a str>,
}

impl Project<'_> {
    /// The places where it says its version: `[project]`'s and Poetry's.
    fn versions(&self) -> impl Iterator<Item = &Item> {
        let table = self.document.as_table();
        let project = table.get("project");
        let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
        [project, poetry].into_iter().flatten().filter_map(|table| table.get("version"))
    }

    /// Where tools that are not asked keep the version beside it.
    fn kept_by_tools(&self) -> impl Iterator<Item = &Item> {
        let tool = self.document.as_table().get("tool");
        let kept = [("commitizen", "version"), ("bumpversion", "current_version")];
        kept.into_iter().filter_map(move |(name, key)| tool?.get(name)?.get(key))
    }

    /// What it asks of others, as PEP 508 has it.
    fn requirements(&self) -> Vec<(&str, Range<usize>)> {
        let table = self.document.as_table();
        let project = table.get("project");
        let own = project.and_then(|project| project.get("dependencies"));
        let extras = project.and_then(|project| project.get("optional-dependencies"));
        let groups = table.get("dependency-groups");
        let lists = [extras, groups].into_iter().flatten().filter_map(Item::as_table_like);
        let lists = lists.flat_map(|lists| lists.iter().map(|(_, list)| list));
        let all = own.into_iter().chain(lists).filter_map(Item::as_array).flatten();
        all.filter_map(|value| quoted(self.text, value.span(), value.as_str())).collect()
    }

    fn name(&self) -> Option<String> {
        let table = self.document.as_table();
        let poetry = || table.get("tool")?.get("poetry")?.get("name")?.as_str();
        let name = table.get("project").and_then(|project| project.get("name")?.as_str());
        name.or_else(poetry).map(str::to_owned)
    }

    fn says(&self, version: &Version) -> bool {
        let mut said = self.versions().filter_map(|item| plain_string(self.text, item));
        said.any(|(said, _)| semantic(said).as_ref() == Some(version))
    }

    fn is_dynamic(&self) -> bool {
        let project = self.document.as_table().get("project");
        let names = project.and_then(|project| project.get("dynamic")?.as_array());
        names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some("version")))
    }
}

/// The version that the projects share, or that some of them have in common with the last release;
/// and where it stands.
pub(super) fn version<'a>(
    texts: &Texts<'a>,
    scope: &ReleaseScope,
    last: Option<&Version>,
) -> Option<(Version, &'a str)> {
    let (projects, _) = projects(texts)?;
    let inside = || projects.iter().filter(|it| scope.has(it.path));
    let holder = |last: &Version| Some(inside().find(|it| it.says(last))?.path);
    shared(inside()).or_last(last, holder)
}

pub(super) fn names(texts: &Texts<'_>, scope: &ReleaseScope) -> Vec<String> {
    let found = projects(texts).map(|(found, _)| found).unwrap_or_default();
    found.iter().filter(|it| scope.has(it.path)).filter_map(Project::name).collect()
}

/// Whether the workspace at the top holds a package of the release.
pub(super) fn holds(texts: &Texts<'_>, scope: &ReleaseScope) -> bool {
    projects(texts).is_some_and(|(found, _)| found.iter().any(|it| scope.has(it.path)))
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
    let Some((projects, unread)) = projects(texts) else {
        edits.left.push(format!("`{ROOT}` cannot be read as TOML"));
        return;
    };
    edits.left.extend(unread.iter().map(|path| format!("`{path}` cannot be read as TOML")));
    let inside = || projects.iter().filter(|it| scope.has(it.path));
    for project in inside().filter(|project| project.is_dynamic()) {
        let path = project.path;
        edits.left.push(format!("`{path}` takes its version from elsewhere (`dynamic`)"));
    }
    let Some(old) = old.filter(|old| inside().any(|project| project.says(old))) else {
        shared(inside()).told(ROOT, old, edits);
        return;
    };
    let Some(spelled) = pep440(new) else {
        edits.left.push(format!("`{ROOT}`: Python knows no version {new}"));
        return;
    };
    let moving: Vec<&Project<'_>> = inside().filter(|it| it.says(old)).collect();
    let names: BTreeSet<String> =
        moving.iter().filter_map(|it| Some(pep508::canonical(&it.name()?))).collect();
    for project in &projects {
        let mut places = asked(project, &names, (old, &spelled), edits);
        if scope.has(project.path) {
            places.extend(own(project, (old, &spelled), edits));
        }
        if let Some(text) = spliced(project.text, places) {
            edits.changed.insert(project.path.to_owned(), text);
        }
    }
    let moved: BTreeSet<&str> = moving.iter().map(|project| directory_of(project.path)).collect();
    if let Some(text) = texts.get(LOCK).filter(|_| !moved.is_empty()) {
        lock(text, &moved, (old, &spelled), edits);
    }
}

/// A project's own version, and where tools keep it.
fn own(
    project: &Project<'_>,
    (old, spelled): (&Version, &str),
    edits: &mut Edits,
) -> Vec<(Range<usize>, String)> {
    let mut places = Vec::new();
    let said = |item: &Item| {
        let (said, place) = plain_string(project.text, item)?;
        Some((semantic(said)?, place))
    };
    for item in project.versions() {
        match said(item) {
            Some((said, place)) if said == *old => places.push((place, spelled.to_owned())),
            _ if is_aside(project.path) => {}
            _ => edits.left.push(own_version(project.path, Some(old))),
        }
    }
    let kept = project.kept_by_tools().filter_map(said).filter(|(said, _)| said == old);
    places.extend(kept.map(|(_, place)| (place, spelled.to_owned())));
    places
}

/// What a project asks of those that move.
fn asked(
    project: &Project<'_>,
    names: &BTreeSet<String>,
    (old, spelled): (&Version, &str),
    edits: &mut Edits,
) -> Vec<(Range<usize>, String)> {
    let mut places = Vec::new();
    let read = |text: &str| pep440_rs::Version::from_str(text).ok();
    let Some((old, new)) = pep440(old).and_then(|old| read(&old)).zip(read(spelled)) else {
        return places;
    };
    for (asked, place) in project.requirements() {
        if !names.contains(&pep508::package(asked)) {
            continue;
        }
        match pep508::outcome(asked, &old, &new) {
            Outcome::Stays => {}
            Outcome::Becomes(now) => places.push((place, now)),
            Outcome::Unmet => {
                let path = project.path;
                edits.left.push(format!("`{path}` asks for `{asked}`, which {new} does not meet"));
            }
        }
    }
    places
}

/// The root and the members of its workspace; and those that cannot be read. `None` without a root
/// that can.
fn projects<'a>(texts: &Texts<'a>) -> Option<(Vec<Project<'a>>, Vec<&'a str>)> {
    let read = |path: &'a str, text: &'a str| {
        Some(Project { path, text, document: Document::parse(text).ok()? })
    };
    let (path, text) = texts.get_key_value(ROOT)?;
    let root = read(path, text)?;
    let workspace = root.document.as_table().get("tool");
    let workspace = workspace.and_then(|tool| tool.get("uv")?.get("workspace"));
    let list = |key: &str| {
        let items = workspace.and_then(|workspace| workspace.get(key)?.as_array());
        items.into_iter().flatten().filter_map(toml_edit::Value::as_str)
    };
    let members = Members::new(list("members"), list("exclude"));
    let (mut projects, mut unread) = (vec![root], Vec::new());
    for (path, text) in texts {
        let Some(directory) = path.strip_suffix("/pyproject.toml") else { continue };
        if !members.has(directory) {
            continue;
        }
        match read(path, text) {
            Some(project) => projects.push(project),
            None => unread.push(*path),
        }
    }
    Some((projects, unread))
}

/// What the root says; where it only holds a workspace together, what its members say alike.
fn shared<'a, 'p>(projects: impl Iterator<Item = &'p Project<'a>>) -> Shared<'a>
where
    'a: 'p,
{
    let mut versions: BTreeMap<Version, &'a str> = BTreeMap::new();
    for project in projects {
        for item in project.versions() {
            let said = plain_string(project.text, item).and_then(|(said, _)| semantic(said));
            let Some(said) = said else { return Shared::Unclear(project.path) };
            versions.entry(said).or_insert(project.path);
        }
        // The root's own word decides.
        if project.path == ROOT && !versions.is_empty() {
            break;
        }
    }
    Shared::of(versions)
}

/// The entries of a lock that stand for the project itself and its members.
fn lock(text: &str, moved: &BTreeSet<&str>, (old, spelled): (&Version, &str), edits: &mut Edits) {
    let Ok(document) = Document::parse(text) else {
        edits.left.push(format!("`{LOCK}` cannot be read as TOML"));
        return;
    };
    let packages = document.as_table().get("package").and_then(Item::as_array_of_tables);
    let mut places: Vec<(Range<usize>, String)> = Vec::new();
    for package in packages.into_iter().flatten() {
        let source = package.get("source").and_then(Item::as_table_like);
        let directory = source.and_then(|source| {
            ["virtual", "editable", "directory"].iter().find_map(|key| source.get(key)?.as_str())
        });
        let ours = directory.is_some_and(|at| moved.contains(if at == "." { "" } else { at }));
        let said = package.get("version").and_then(|item| plain_string(text, item));
        if let Some((said, place)) = said.filter(|_| ours)
            && semantic(said).as_ref() == Some(old)
        {
            places.push((place, spelled.to_owned()));
        }
    }
    match spliced(text, places) {
        Some(text) => {
            edits.changed.insert(LOCK.to_owned(), text);
        }
        None => edits.left.push(format!("`{LOCK}` does not say {old}")),
    }
}

/// `1.2.0rc1` as Semantic Versioning spells it. `None` for what has no such spelling.
fn semantic(said: &str) -> Option<Version> {
    if let Ok(version) = Version::parse(said) {
        return Some(version);
    }
    let version = pep440_rs::Version::from_str(said).ok()?;
    let [major, minor, patch] = version.release() else { return None };
    let plain = version.epoch() == 0 && version.post().is_none() && version.local().is_empty();
    let pre = match (version.pre(), version.dev()) {
        (None, None) => String::new(),
        (Some(pre), None) => {
            let kind = match pre.kind {
                PrereleaseKind::Alpha => "alpha",
                PrereleaseKind::Beta => "beta",
                PrereleaseKind::Rc => "rc",
            };
            format!("{kind}.{}", pre.number)
        }
        (None, Some(number)) => format!("dev.{number}"),
        (Some(_), Some(_)) => return None,
    };
    let pre = Prerelease::new(&pre).ok()?;
    let (major, minor, patch) = (*major, *minor, *patch);
    plain.then_some(Version { major, minor, patch, pre, build: BuildMetadata::EMPTY })
}

/// A version as PEP 440 spells it. `None` for what it does not know, such as `1.2.0-next.1`.
pub(super) fn pep440(version: &Version) -> Option<String> {
    let spelled = pep440_rs::Version::from_str(&version.to_string()).ok()?;
    // `1.2.0-1` would be what comes after 1.2.0 there.
    (spelled.post().is_none() && spelled.local().is_empty()).then(|| spelled.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_spelled_as_python_does() {
        for (python, semver) in [
            ("1.2.0", "1.2.0"),
            ("1.2.0rc1", "1.2.0-rc.1"),
            ("1.2.0a3", "1.2.0-alpha.3"),
            ("1.2.0b2", "1.2.0-beta.2"),
            ("1.2.0.dev4", "1.2.0-dev.4"),
        ] {
            let version = Version::parse(semver).unwrap();
            assert_eq!(semantic(python), Some(version.clone()), "{python}");
            assert_eq!(pep440(&version).as_deref(), Some(python), "{semver}");
        }
        assert_eq!(semantic("1.2.0-rc.1"), Some(Version::parse("1.2.0-rc.1").unwrap()));
        assert_eq!(semantic("24.01.0"), Some(Version::new(24, 1, 0)));
        for other in ["1.2", "1!1.2.0", "1.2.0.post1", "1.2.0rc1.dev2", "1.2.0.1"] {
            assert_eq!(semantic(other), None, "{other}");
        }
        for other in ["1.2.0-next.1", "1.2.0-1"] {
            assert_eq!(pep440(&Version::parse(other).unwrap()), None, "{other}");
        }
    }
}
