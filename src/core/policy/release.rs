//! The rules of releases, and what one release is about: all of the repository, or one package of
//! it with a version of its own.
//!
//! Invariants: two packages share neither name nor directory nor pattern of tags, so a tag, a
//! changelog and a file belong to one of them at most; a file belongs to the innermost package.

use std::collections::BTreeSet;

use semver::Version;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::values;
use crate::core::changelog::CHANGELOG_PATH;
use crate::core::path::RepoPath;
use crate::core::target::ReleaseTarget;

/// `[release]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseRules {
    /// What opens or updates the release pull request.
    pub on: ReleaseOn,
    /// Who makes releases here: Gander, or what the repository has already. `None`: Gander, unless
    /// there is another.
    pub with: Option<ReleaseWith>,
    /// The tag, with `{version}` in it.
    #[serde(deserialize_with = "values::release_tag")]
    pub tag: String,
    /// The parts of the repository that have versions of their own.
    #[serde(deserialize_with = "release_packages")]
    pub packages: Vec<ReleasePackage>,
    /// Shell lines that build what is released.
    #[serde(deserialize_with = "values::release_build")]
    pub build: Vec<String>,
    /// What is released, as glob patterns.
    #[serde(deserialize_with = "values::release_artifacts")]
    pub artifacts: Vec<String>,
    /// Whether a list of the packages that lockfiles pin is one of its files.
    pub sbom: bool,
    /// The package registries that it is brought to, besides GitHub's own page.
    #[serde(deserialize_with = "values::release_targets")]
    pub targets: Vec<ReleaseTarget>,
    /// Hours after which an approval no longer starts a publication, if sooner than the workflow
    /// says.
    #[serde(deserialize_with = "values::release_approval_hours")]
    pub approval_hours: Option<u32>,
}

/// What opens or updates the release pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseOn {
    /// `/gander release`.
    Command,
    /// Every merge of a pull request of Gander's, too.
    Merge,
}

/// Who makes releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseWith {
    /// Gander.
    Own,
    /// A tool the repository has already.
    Existing,
}

/// `[[release.packages]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePackage {
    /// As people name it in a command.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Its directory; `.` for the top.
    #[serde(deserialize_with = "directory")]
    pub path: String,
    /// Its tags, with `{version}` in it; `NAME-v{version}` if not given.
    #[serde(default, deserialize_with = "tag", skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What builds it, if not what builds the others.
    #[serde(default, deserialize_with = "build", skip_serializing_if = "Option::is_none")]
    pub build: Option<Vec<String>>,
    /// The same of what is released.
    #[serde(default, deserialize_with = "artifacts", skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Vec<String>>,
    /// The same of where it goes.
    #[serde(default, deserialize_with = "targets", skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<ReleaseTarget>>,
    /// Whether its newest release is what GitHub calls the latest of the repository, and none of
    /// another package.
    #[serde(default)]
    pub latest: bool,
}

impl ReleasePackage {
    fn tags(&self) -> String {
        self.tag.clone().unwrap_or_else(|| {
            // What npm calls `@acme/core` is tagged as others are.
            format!("{}-v{{version}}", self.name.trim_start_matches('@').replace('/', "-"))
        })
    }

    /// `""` for the top.
    fn directory(&self) -> &str {
        if self.path == "." { "" } else { &self.path }
    }
}

/// What one release is about. All of the repository, if nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReleaseScope {
    /// The package. `None`: all of the repository.
    pub package: Option<String>,
    /// Its directory; empty for the top.
    pub directory: String,
    /// Directories below it that belong to others.
    pub apart: Vec<String>,
}

/// What one release is about, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedRules {
    /// What it is about.
    pub scope: ReleaseScope,
    /// The rules, with the package's own values in them.
    pub rules: ReleaseRules,
    /// Whether a release by them is the latest of the repository. `None`: GitHub decides.
    pub latest: Option<bool>,
    /// The patterns of the tags of others.
    other_tags: Vec<String>,
}

/// Why it is not known what a release is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScopeError {
    /// What was said, if anything.
    pub said: Option<String>,
    /// The packages that the rules name.
    pub known: Vec<String>,
}

impl Default for ReleaseRules {
    fn default() -> Self {
        Self {
            on: ReleaseOn::Command,
            with: None,
            tag: "v{version}".to_owned(),
            packages: Vec::new(),
            build: Vec::new(),
            artifacts: Vec::new(),
            sbom: false,
            targets: Vec::new(),
            approval_hours: None,
        }
    }
}

impl ReleaseRules {
    /// The tag of a version. `None`: the pattern does not make a tag git accepts.
    pub fn tag_of(&self, version: &str) -> Option<String> {
        tag_of(&self.tag, version)
    }

    /// What a release of this package is about; without a name, of all of it or of the only one.
    ///
    /// # Errors
    /// When that is none of the packages, or not the only one.
    pub fn of_package(&self, package: Option<&str>) -> Result<ScopedRules, ScopeError> {
        let found = match (package, self.packages.as_slice()) {
            (None, []) => return Ok(ScopedRules::whole(self)),
            (None, [one]) => Some(one),
            (None, _) => None,
            (Some(name), all) => all.iter().find(|it| it.name == name),
        };
        let found = found.map(|package| ScopedRules::of(self, package));
        found.ok_or_else(|| ScopeError {
            said: package.map(str::to_owned),
            known: self.packages.iter().map(|it| it.name.clone()).collect(),
        })
    }

    /// Everything that can be released here.
    pub fn of_all(&self) -> Vec<ScopedRules> {
        match self.packages.as_slice() {
            [] => vec![ScopedRules::whole(self)],
            all => all.iter().map(|package| ScopedRules::of(self, package)).collect(),
        }
    }

    /// What a change of these files releases: the one package whose changelog is among them.
    ///
    /// # Errors
    /// With the changelogs, when there are several or none.
    pub fn of_change(&self, files: &[String]) -> Result<ScopedRules, Vec<String>> {
        if self.packages.is_empty() {
            return Ok(ScopedRules::whole(self));
        }
        let mut touched = self.of_all();
        touched.retain(|it| files.contains(&it.scope.changelog()));
        match <[ScopedRules; 1]>::try_from(touched) {
            Ok([one]) => Ok(one),
            Err(touched) => Err(touched.iter().map(|it| it.scope.changelog()).collect()),
        }
    }
}

impl ScopedRules {
    fn whole(rules: &ReleaseRules) -> Self {
        let (scope, other_tags) = (ReleaseScope::default(), Vec::new());
        Self { scope, rules: rules.clone(), latest: None, other_tags }
    }

    fn of(all: &ReleaseRules, package: &ReleasePackage) -> Self {
        let others = || all.packages.iter().filter(|it| it.name != package.name);
        let directory = package.directory().to_owned();
        let apart = others().map(ReleasePackage::directory);
        let apart = apart.filter(|it| is_below(it, &directory)).map(str::to_owned).collect();
        let mut rules = all.clone();
        rules.tag = package.tags();
        let ReleasePackage { build, artifacts, targets, .. } = package.clone();
        rules.build = build.unwrap_or(rules.build);
        rules.artifacts = artifacts.unwrap_or(rules.artifacts);
        rules.targets = targets.unwrap_or(rules.targets);
        Self {
            scope: ReleaseScope { package: Some(package.name.clone()), directory, apart },
            rules,
            latest: all.packages.iter().any(|it| it.latest).then_some(package.latest),
            other_tags: others().map(ReleasePackage::tags).collect(),
        }
    }

    /// Whether a tag of another pattern could be one of a release before: of several packages, one
    /// that names this one.
    pub fn could_be_tag(&self, tag: &str) -> bool {
        let Some(package) = &self.scope.package else { return true };
        let name = package.rsplit('/').next().unwrap_or(package).to_lowercase();
        tag.to_lowercase().contains(&name) && !self.is_tag_of_another(tag)
    }

    /// Whether a tag is one of another package.
    pub fn is_tag_of_another(&self, tag: &str) -> bool {
        self.other_tags.iter().any(|pattern| version_in(pattern, tag).is_some())
    }

    /// The version that a tag of it names.
    pub fn version_in(&self, tag: &str) -> Option<Version> {
        version_in(&self.rules.tag, tag)
    }
}

impl ReleaseScope {
    /// Whether a file or directory belongs to it.
    pub fn has(&self, path: &str) -> bool {
        is_below(path, &self.directory) && !self.apart.iter().any(|it| is_below(path, it))
    }

    /// Whether it is all of the repository.
    pub fn is_whole(&self) -> bool {
        self.package.is_none()
    }

    /// Where its changelog stands.
    pub fn changelog(&self) -> String {
        match self.directory.as_str() {
            "" => CHANGELOG_PATH.to_owned(),
            directory => format!("{directory}/{CHANGELOG_PATH}"),
        }
    }
}

pub(super) fn tag_of(pattern: &str, version: &str) -> Option<String> {
    let tag = pattern.replacen("{version}", version, 1);
    tag.parse::<crate::core::id::Branch>().is_ok().then_some(tag)
}

fn version_in(pattern: &str, tag: &str) -> Option<Version> {
    let (start, end) = pattern.split_once("{version}")?;
    Version::parse(tag.strip_prefix(start)?.strip_suffix(end)?).ok()
}

/// Whether a path is this directory or lies in it. Everything lies in the top.
fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads the list, each entry of which shares nothing with another.
pub(super) fn release_packages<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<ReleasePackage>, D::Error> {
    let all = Vec::<ReleasePackage>::deserialize(from)?;
    let mut seen: [BTreeSet<String>; 3] = Default::default();
    for package in &all {
        let said = [
            ("name", package.name.clone()),
            ("path", package.path.clone()),
            ("tag", package.tags()),
        ];
        for ((key, value), seen) in said.into_iter().zip(&mut seen) {
            if !seen.insert(value.to_lowercase()) {
                return Err(D::Error::custom(format_args!(
                    "`[[release.packages]] {key}`: two packages share `{value}`"
                )));
            }
        }
    }
    if all.iter().filter(|it| it.latest).count() > 1 {
        return Err(D::Error::custom("`[[release.packages]] latest`: can be said of one package"));
    }
    for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
        let tag = tag_of(&other.tags(), "1.0.0").unwrap_or_default();
        if one.name != other.name && version_in(&one.tags(), &tag).is_some() {
            return Err(D::Error::custom(format_args!(
                "`[[release.packages]] tag`: `{tag}` of {} could be one of {}, too",
                other.name, one.name
            )));
        }
    }
    Ok(all)
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    let fits = !name.is_empty() && name.len() <= 100 && name.chars().all(plain);
    let makes_a_tag = tag_of(&format!("{name}-v{{version}}"), "1.0.0").is_some();
    if !fits || !makes_a_tag {
        return Err(D::Error::custom(
            "`[[release.packages]] name`: must be letters, digits and -_./@, as in a tag",
        ));
    }
    Ok(name)
}

fn directory<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let path = String::deserialize(from)?;
    let plain = path.trim_end_matches('/').trim_start_matches("./");
    if plain == "." {
        return Ok(plain.to_owned());
    }
    if plain.starts_with(".github") || plain.contains(['*', '?', '[', ':']) {
        return Err(D::Error::custom(
            "`[[release.packages]] path`: must be one directory, and not one below .github, which \
             no release changes",
        ));
    }
    match plain.parse::<RepoPath>() {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(why) => Err(D::Error::custom(format_args!("`[[release.packages]] path`: {why}"))),
    }
}

fn tag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    values::release_tag(from).map(Some)
}

fn build<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    values::release_build(from).map(Some)
}

fn artifacts<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    values::release_artifacts(from).map(Some)
}

fn targets<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<ReleaseTarget>>, D::Error> {
    values::release_targets(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::policy::Rules;

    const THREE: &str = "[release]\nbuild = [\"make\"]\n\
        [[release.packages]]\nname = \"@acme/core\"\npath = \"packages/core/\"\n\
        [[release.packages]]\nname = \"cli\"\npath = \"packages/cli\"\ntag = \"cli/v{version}\"\nbuild = [\"make cli\"]\n\
        [[release.packages]]\nname = \"all\"\npath = \".\"\ntag = \"v{version}\"\n";

    fn rules(text: &str) -> ReleaseRules {
        Rules::parse(text).unwrap().release
    }

    #[test]
    fn a_file_a_tag_and_a_changelog_belong_to_one_package_at_most() {
        let rules = rules(THREE);
        let [core, cli, all] = rules.of_all().try_into().unwrap();
        assert_eq!(
            (core.scope.changelog().as_str(), all.scope.changelog().as_str()),
            ("packages/core/CHANGELOG.md", "CHANGELOG.md")
        );
        assert_eq!(
            (core.rules.tag.as_str(), cli.rules.tag.as_str()),
            ("acme-core-v{version}", "cli/v{version}")
        );
        assert_eq!(
            (core.rules.build, cli.rules.build.clone()),
            (vec!["make".to_owned()], vec!["make cli".to_owned()])
        );
        for (path, of) in [
            ("packages/cli/src/main.rs", [true, false]),
            ("README.md", [false, true]),
            ("packages/client.rs", [false, true]),
        ] {
            assert_eq!([cli.scope.has(path), all.scope.has(path)], of, "{path}");
        }
        assert_eq!(cli.version_in("cli/v1.2.0"), Some(Version::new(1, 2, 0)));
        assert!(all.is_tag_of_another("cli/v1.2.0") && !all.is_tag_of_another("v1.2.0"));
        let files = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let of = |all: &[&str]| rules.of_change(&files(all)).map(|it| it.scope.package.unwrap());
        assert_eq!(of(&["packages/cli/CHANGELOG.md", "Cargo.lock"]), Ok("cli".to_owned()));
        assert_eq!(
            of(&["CHANGELOG.md", "packages/cli/CHANGELOG.md"]),
            Err(files(&["packages/cli/CHANGELOG.md", "CHANGELOG.md"]))
        );
        assert_eq!(of(&["README.md"]), Err(vec![]));
    }

    #[test]
    fn of_several_packages_one_has_to_be_named() {
        let known = vec!["@acme/core".to_owned(), "cli".to_owned(), "all".to_owned()];
        let unnamed = ScopeError { said: None, known: known.clone() };
        assert_eq!(rules(THREE).of_package(None), Err(unnamed));
        let unknown = ScopeError { said: Some("web".into()), known };
        assert_eq!(rules(THREE).of_package(Some("web")), Err(unknown));
        let one = rules("[[release.packages]]\nname = \"core\"\npath = \"core\"\n");
        assert_eq!(one.of_package(None).unwrap().scope.package.as_deref(), Some("core"));
        let none = rules("");
        assert_eq!(none.of_package(None).unwrap().scope, ReleaseScope::default());
        assert!(none.of_package(Some("core")).is_err());
    }

    #[test]
    fn packages_that_share_something_are_refused() {
        let two = |second: &str| {
            let first = "[[release.packages]]\nname = \"core\"\npath = \"core\"\n";
            Rules::parse(&format!("{first}[[release.packages]]\n{second}"))
                .map_err(|bad| bad.problem)
        };
        for (second, problem) in [
            (
                "name = \"Core\"\npath = \"b\"\n",
                "`[[release.packages]] name`: two packages share `Core`",
            ),
            (
                "name = \"b\"\npath = \"./core/\"\n",
                "`[[release.packages]] path`: two packages share `core`",
            ),
            (
                "name = \"b\"\npath = \"b\"\ntag = \"core-v{version}\"\n",
                "`[[release.packages]] tag`: two packages share `core-v{version}`",
            ),
            (
                "name = \"b\"\npath = \"b\"\ntag = \"core-v{version}-b\"\n",
                "`[[release.packages]] tag`: `core-v1.0.0-b` of b could be one of core, too",
            ),
            (
                "name = \"b\"\npath = \"libs/*\"\n",
                "`[[release.packages]] path`: must be one directory, and not one below .github, \
                 which no release changes",
            ),
            (
                "name = \"b\"\npath = \"../b\"\n",
                "`[[release.packages]] path`: the path has an empty, `.` or `..` part",
            ),
            (
                "name = \"a b\"\npath = \"b\"\n",
                "`[[release.packages]] name`: must be letters, digits and -_./@, as in a tag",
            ),
        ] {
            assert_eq!(two(second), Err(problem.to_owned()), "{second}");
        }
    }
}
