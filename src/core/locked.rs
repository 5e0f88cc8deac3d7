//! The packages that a lockfile names, and what a change makes of them.
//!
//! Invariants: nothing is left out silently: a lockfile that cannot be read is named as one, and so
//! is the number of changes that are not shown one by one. Nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Table;

/// So many changes are told one by one.
const MOST_TOLD: usize = 15;
/// A lockfile of more bytes is not read.
const LARGEST: usize = 8 << 20;
/// So many characters of each.
const CAP: usize = 200;
/// The shortest name that another one is held against, and the longest.
const SHORTEST: usize = 4;
const LONGEST: usize = 100;

/// Names that many projects depend on, for look-alikes of packages that this one does not have yet.
const KNOWN: &str = "anyhow axios babel boto3 chalk chrono click clap colors commander cryptography \
    dayjs debug django dotenv eslint express fastapi fastify flask futures hyper itertools jest \
    jinja2 lodash log4j matplotlib mocha moment mongoose numpy openssl pandas pillow pydantic pytest \
    rand rayon react redis regex reqwest requests rustls scikit-learn scipy serde serde_json \
    setuptools sqlalchemy sqlx tensorflow thiserror tokio torch tracing typescript urllib3 vite \
    vitest vue webpack winston";

/// A package as a lockfile has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LockedPackage {
    /// As the lockfile spells it.
    pub version: String,
    /// Where it comes from, if that is not the usual registry.
    pub source: String,
    /// Where the lockfile names one.
    pub licence: String,
    /// Whether it is one of the project's own.
    pub own: bool,
    /// Of its one file, where the lockfile names that.
    pub digest: Option<LockedDigest>,
}

/// The digest of a package's file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedDigest {
    /// `SHA-1`, `SHA-256`, `SHA-384` or `SHA-512`.
    pub algorithm: &'static str,
    /// In hex.
    pub content: String,
}

impl LockedPackage {
    /// Whether it is the same as far as both say; a lockfile may come to name digests.
    fn is_same(&self, other: &Self) -> bool {
        let digests = self.digest.as_ref().zip(other.digest.as_ref());
        digests.is_none_or(|(one, other)| one == other)
            && Self { digest: None, ..self.clone() } == Self { digest: None, ..other.clone() }
    }
}

impl LockedDigest {
    /// As Cargo writes it: SHA-256 in hex.
    fn of_hex(text: &str) -> Option<Self> {
        let whole = hex::decode(text).is_ok_and(|content| content.len() == 32);
        whole.then(|| Self { algorithm: "SHA-256", content: text.to_lowercase() })
    }

    /// As npm, pnpm and yarn write it: `sha512-` and base64, one or several.
    fn of_integrity(text: &str) -> Option<Self> {
        let of = |word: &str| {
            let (name, content) = word.split_once('-')?;
            let (algorithm, length) = match name {
                "sha512" => ("SHA-512", 64),
                "sha384" => ("SHA-384", 48),
                "sha256" => ("SHA-256", 32),
                "sha1" => ("SHA-1", 20),
                _ => return None,
            };
            let content = BASE64.decode(content).ok().filter(|it| it.len() == length)?;
            Some((length, Self { algorithm, content: hex::encode(content) }))
        };
        let all = text.split_whitespace().filter_map(of);
        all.max_by_key(|(length, _)| *length).map(|(_, digest)| digest)
    }
}

/// Packages by name; a lockfile may hold several versions of one.
pub type LockedPackages = BTreeMap<String, BTreeSet<LockedPackage>>;

/// The packages that a lockfile names. `None`: no lockfile has this name, or it cannot be read.
pub fn locked_packages(path: &str, text: &str) -> Option<LockedPackages> {
    let reader = reader(path.rsplit('/').next().unwrap_or(path))?;
    if text.len() <= LARGEST { reader(text) } else { None }
}

/// What a change makes of the packages of a lockfile, one line each: `adds itoa 1.0.15`. `None`: no
/// lockfile has this name. Without `before` it is new.
pub fn changed_packages(path: &str, before: Option<&str>, after: &str) -> Option<Vec<String>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let reader = reader(name)?;
    let read = |text: &str| if text.len() <= LARGEST { reader(text) } else { None };
    let (Some(before), Some(after)) = (before.map_or(Some(BTreeMap::new()), read), read(after))
    else {
        return Some(vec!["cannot be read: its packages are not listed".to_owned()]);
    };
    let (mut told, mut more) = (Vec::new(), 0);
    for (name, now) in &after {
        let was = before.get(name);
        for package in
            now.iter().filter(|it| !was.is_some_and(|was| was.iter().any(|was| was.is_same(it))))
        {
            // A look-alike is looked for among all names.
            match told.len() < MOST_TOLD {
                true => told.push(one(name, package, was, &before)),
                false => more += 1,
            }
        }
    }
    if more > 0 {
        told.push(format!("adds or replaces {more} packages more"));
    }
    Some(told)
}

fn one(
    name: &str,
    package: &LockedPackage,
    was: Option<&BTreeSet<LockedPackage>>,
    before: &LockedPackages,
) -> String {
    let LockedPackage { version, source, licence, own: _, digest } = package;
    let other_file = |was: &LockedPackage| {
        was.version == *version && was.source == *source && was.digest != *digest
    };
    let mut line = match was.and_then(|was| was.iter().next()) {
        Some(was) if other_file(was) => format!("replaces the file of {name} {version} by another"),
        Some(was) if was.version == *version => format!("replaces {name} {version}"),
        Some(was) => format!("replaces {name} {} by {version}", was.version),
        None => format!("adds {name} {version}"),
    };
    if !source.is_empty() {
        line = format!("{line} from {source}");
    }
    if !licence.is_empty() {
        line = format!("{line} ({licence})");
    }
    if let (None, Some(other)) = (was, look_alike(name, before)) {
        line = format!("{line}: a name much like {other}");
    }
    line.chars().take(CAP).collect()
}

/// A name that people know, and may take this one for.
fn look_alike<'k>(name: &str, before: &'k LockedPackages) -> Option<&'k str> {
    let known = before.keys().map(String::as_str).chain(KNOWN.split_whitespace());
    let bare = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    if before.contains_key(name) || KNOWN.split_whitespace().any(|known| known == name) {
        return None;
    }
    let own = bare(name);
    let sensible = |name: &str| (SHORTEST..=LONGEST).contains(&name.len());
    known.filter(|known| sensible(known) && sensible(name)).find(|known| {
        let other = bare(known);
        let near = || own.len().abs_diff(other.len()) <= 4;
        own == other || near() && strsim::osa_distance(&own, &other) == 1
    })
}

/// Whether a tool writes this file from a manifest.
pub fn is_lockfile(path: &str) -> bool {
    reader(path.rsplit('/').next().unwrap_or(path)).is_some()
}

/// How the lockfile of this name is read.
fn reader(name: &str) -> Option<fn(&str) -> Option<LockedPackages>> {
    Some(match name {
        "Cargo.lock" => |text| of_toml(text, true),
        "uv.lock" | "poetry.lock" | "pdm.lock" => |text| of_toml(text, false),
        "package-lock.json" | "npm-shrinkwrap.json" => of_npm,
        "composer.lock" => of_composer,
        "pnpm-lock.yaml" => of_pnpm,
        "yarn.lock" => of_yarn,
        "Gemfile.lock" => of_bundler,
        "go.sum" => of_go,
        _ => return None,
    })
}

fn insert(all: &mut LockedPackages, name: &str, package: LockedPackage) {
    all.entry(name.to_owned()).or_default().insert(package);
}

/// `own` says whether a package without a source is one of the project's.
fn of_toml(text: &str, own: bool) -> Option<LockedPackages> {
    /// What needs no saying.
    const USUAL: [&str; 3] = [
        "registry+https://github.com/rust-lang/crates.io-index",
        "https://pypi.org/simple",
        "https://pypi.org/simple/",
    ];
    let all: Table = text.parse().ok()?;
    let mut found = BTreeMap::new();
    for package in all.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
        let own = match package.get("source") {
            None => own,
            Some(source) => {
                ["editable", "virtual", "directory"].iter().any(|it| source.get(it).is_some())
            }
        };
        let source = match package.get("source") {
            Some(toml::Value::String(source)) => source.clone(),
            // uv and poetry: `{ registry = "…" }`, `{ type = "git", url = "…" }`.
            Some(toml::Value::Table(source)) => {
                let all = source.values().filter_map(toml::Value::as_str);
                all.max_by_key(|value| value.len()).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        };
        let source = if USUAL.contains(&&*source) { String::new() } else { source };
        let version = text("version").unwrap_or_default().to_owned();
        // Cargo's packages have one file each, those of Python have many.
        let digest = text("checksum").and_then(LockedDigest::of_hex);
        let package = LockedPackage { version, source, own, digest, ..Default::default() };
        insert(&mut found, text("name")?, package);
    }
    Some(found)
}

fn of_npm(text: &str) -> Option<LockedPackages> {
    #[derive(Deserialize)]
    struct NpmLock {
        packages: BTreeMap<String, NpmPackage>,
    }
    #[derive(Deserialize)]
    struct NpmPackage {
        #[serde(default)]
        version: String,
        #[serde(default)]
        integrity: OneOf,
        #[serde(default)]
        resolved: OneOf,
        #[serde(default)]
        license: OneOf,
    }
    let all: NpmLock = serde_json::from_str(text).ok()?;
    let mut found = BTreeMap::new();
    for (path, NpmPackage { version, integrity, resolved, license }) in all.packages {
        let Some((_, name)) = path.rsplit_once("node_modules/") else { continue };
        let source = resolved.text();
        let is_usual = source.starts_with("https://registry.npmjs.org/");
        let source = if is_usual { String::new() } else { source };
        let (licence, digest) = (license.text(), LockedDigest::of_integrity(&integrity.text()));
        insert(&mut found, name, LockedPackage { version, source, licence, own: false, digest });
    }
    Some(found)
}

/// A text, or something else that says nothing here.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOf {
    Text(String),
    Other(IgnoredAny),
}

impl Default for OneOf {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl OneOf {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Other(IgnoredAny) => String::new(),
        }
    }
}

fn of_composer(text: &str) -> Option<LockedPackages> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct ComposerLock {
        #[serde(default)]
        packages: Vec<ComposerPackage>,
        #[serde(default)]
        packages_dev: Vec<ComposerPackage>,
    }
    #[derive(Deserialize)]
    struct ComposerPackage {
        name: String,
        version: String,
        #[serde(default)]
        license: Vec<String>,
    }
    let all: ComposerLock = serde_json::from_str(text).ok()?;
    let mut found = BTreeMap::new();
    for ComposerPackage { name, version, license } in
        all.packages.into_iter().chain(all.packages_dev)
    {
        let licence = license.join(" or ");
        insert(&mut found, &name, LockedPackage { version, licence, ..Default::default() });
    }
    Some(found)
}

/// The keys of the table `packages`: `name@1.2.3:`, `/name@1.2.3(peer@4):`, `/name/1.2.3:`.
fn of_pnpm(text: &str) -> Option<LockedPackages> {
    text.contains("lockfileVersion").then_some(())?;
    let mut found = BTreeMap::new();
    let lines = text.lines().skip_while(|line| *line != "packages:").skip(1);
    let mut lines = lines.take_while(|line| line.is_empty() || line.starts_with(' ')).peekable();
    while let Some(line) = lines.next() {
        let Some(key) = line.strip_prefix("  ").filter(|key| !key.starts_with(' ')) else {
            continue;
        };
        let key =
            key.split(": ").next().unwrap_or(key).trim_end_matches(':').trim_matches(['\'', '"']);
        let key = key.split('(').next().unwrap_or(key).trim_start_matches('/');
        let at = key.char_indices().skip(1).filter(|(_, c)| *c == '@').last();
        let split = at.map(|(at, _)| key.split_at(at)).or_else(|| {
            let at = key.rfind('/')?;
            Some(key.split_at(at))
        });
        let Some((name, version)) = split else { continue };
        let version = version[1..].to_owned();
        let resolution = lines.peek().and_then(|line| line.split_once("integrity: "));
        let digest = resolution.and_then(|(_, rest)| {
            LockedDigest::of_integrity(rest.split([',', '}']).next().unwrap_or_default())
        });
        insert(&mut found, name, LockedPackage { version, digest, ..Default::default() });
    }
    Some(found)
}

/// Blocks that begin with `"name@range", "name@other":` and hold `version`.
fn of_yarn(text: &str) -> Option<LockedPackages> {
    /// Where version 1 says that a package is; one and the same.
    const USUAL: [&str; 2] = ["https://registry.yarnpkg.com/", "https://registry.npmjs.org/"];
    let mut found = BTreeMap::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let Some(head) = lines.next().filter(|head| !head.starts_with([' ', '_'])) else {
            continue;
        };
        let head = head.trim_start_matches('"');
        let Some(end) = head.char_indices().skip(1).find(|(_, c)| *c == '@') else { continue };
        let mut package = LockedPackage::default();
        for line in lines {
            let (key, value) = line.trim().split_once(' ').unwrap_or((line, ""));
            let value = value.trim_matches('"');
            match key.trim_end_matches(':') {
                "version" => value.clone_into(&mut package.version),
                "integrity" => package.digest = LockedDigest::of_integrity(value),
                "resolved" if !USUAL.iter().any(|usual| value.starts_with(usual)) => {
                    value.clone_into(&mut package.source);
                }
                _ => {}
            }
        }
        insert(&mut found, &head[..end.0], package);
    }
    Some(found)
}

/// `    name (1.2.3)` below `specs:`; a remote stands before it.
fn of_bundler(text: &str) -> Option<LockedPackages> {
    let (mut found, mut source) = (BTreeMap::new(), String::new());
    for line in text.lines() {
        if let Some(remote) = line.strip_prefix("  remote: ") {
            let is_usual = remote == "https://rubygems.org/";
            source = if is_usual { String::new() } else { remote.to_owned() };
        }
        let Some(rest) = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')) else {
            continue;
        };
        let Some((name, version)) = rest.split_once(" (") else { continue };
        let version = version.trim_end_matches(')').to_owned();
        insert(
            &mut found,
            name,
            LockedPackage { version, source: source.clone(), ..Default::default() },
        );
    }
    Some(found)
}

/// `module v1.2.3 h1:…`; the same again for its `go.mod`.
fn of_go(text: &str) -> Option<LockedPackages> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        if !version.ends_with("/go.mod") {
            let package = LockedPackage { version: version.to_owned(), ..Default::default() };
            insert(&mut found, name, package);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, before: &str, after: &str) -> Vec<String> {
        changed_packages(path, Some(before), after).unwrap()
    }

    #[test]
    fn what_a_lockfile_adds_and_replaces_is_told() {
        let usual = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        let serde = |version: &str| {
            format!("[[package]]\nname = \"serde\"\nversion = \"{version}\"\n{usual}\n")
        };
        let itoa = "[[package]]\nname = \"itoa\"\nversion = \"1.0.15\"\n\
                    source = \"git+https://evil.example/itoa\"\n";
        assert_eq!(
            told("a/Cargo.lock", &serde("1.0.1"), &format!("{}{itoa}", serde("1.0.2"))),
            [
                "adds itoa 1.0.15 from git+https://evil.example/itoa",
                "replaces serde 1.0.1 by 1.0.2",
            ]
        );
        assert!(told("Cargo.lock", &serde("1.0.1"), &serde("1.0.1")).is_empty());
        assert_eq!(changed_packages("Cargo.lock", None, &serde("1")).unwrap(), ["adds serde 1"]);
        assert_eq!(changed_packages("src/lib.rs", None, ""), None);
        assert_eq!(told("Cargo.lock", "", "{"), ["cannot be read: its packages are not listed"]);
    }

    #[test]
    fn each_kind_of_lockfile_is_read() {
        let npm = r#"{"packages": {"": {}, "node_modules/a/node_modules/@s/b": {"version": "2.0.0",
            "resolved": "https://registry.npmjs.org/b.tgz", "license": "MIT"}}}"#;
        let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    x: 1\n\npackages:\n\n  '@s/b@2.0.0':\n    \
                    resolution: {}\n\nsnapshots:\n\n  c@1:\n";
        let pnpm_8 =
            "lockfileVersion: '6.0'\npackages:\n\n  /@s/b@2.0.0(x@1):\n    resolution: {}\n";
        let pnpm_7 = "lockfileVersion: 5.4\npackages:\n\n  /@s/b/2.0.0:\n    resolution: {}\n";
        let yarn = "# yarn lockfile v1\n\n\n\"@s/b@^2\", \"@s/b@2\":\n  version \"2.0.0\"\n  \
                    resolved \"https://registry.yarnpkg.com/b\"\n";
        let berry = "__metadata:\n  version: 8\n\n\"@s/b@npm:^2\":\n  version: 2.0.0\n  \
                     resolution: \"@s/b@npm:2.0.0\"\n";
        let uv = "[[package]]\nname = \"@s/b\"\nversion = \"2.0.0\"\n\
                  source = { registry = \"https://pypi.org/simple\" }\n";
        let composer =
            r#"{"packages": [{"name": "@s/b", "version": "2.0.0", "license": ["MIT"]}]}"#;
        let gems =
            "GEM\n  remote: https://rubygems.org/\n  specs:\n    @s/b (2.0.0)\n      c (>= 1)\n";
        let go = "@s/b 2.0.0 h1:x\n@s/b 2.0.0/go.mod h1:y\n";
        for (path, text, licence) in [
            ("package-lock.json", npm, " (MIT)"),
            ("pnpm-lock.yaml", pnpm, ""),
            ("pnpm-lock.yaml", pnpm_8, ""),
            ("pnpm-lock.yaml", pnpm_7, ""),
            ("yarn.lock", yarn, ""),
            ("yarn.lock", berry, ""),
            ("uv.lock", uv, ""),
            ("composer.lock", composer, " (MIT)"),
            ("Gemfile.lock", gems, ""),
            ("go.sum", go, ""),
        ] {
            let told = changed_packages(path, None, text).unwrap();
            assert_eq!(told, [format!("adds @s/b 2.0.0{licence}")], "{path} {text}");
        }
    }

    #[test]
    fn another_file_of_the_same_version_is_told_and_a_digest_that_is_new_is_not() {
        let cargo = |checksum: &str| {
            format!("[[package]]\nname = \"itoa\"\nversion = \"1\"\nsource = \"x\"\n{checksum}")
        };
        let sum = |digit: &str| cargo(&format!("checksum = \"{}\"\n", digit.repeat(64)));
        assert_eq!(
            told("Cargo.lock", &sum("a"), &sum("b")),
            ["replaces the file of itoa 1 by another from x"]
        );
        assert!(told("Cargo.lock", &cargo(""), &sum("b")).is_empty());
        let sha512 = format!("sha512-{}==", "A".repeat(86));
        let npm = format!(
            r#"{{"packages": {{"node_modules/a": {{"version": "1", "integrity": "{sha512}"}}}}}}"#
        );
        let pnpm = format!(
            "lockfileVersion: '9.0'\npackages:\n\n  a@1:\n    resolution: {{integrity: {sha512}}}\n"
        );
        let yarn = format!("a@1:\n  version \"1\"\n  integrity {sha512}\n");
        for (path, text) in
            [("package-lock.json", npm), ("pnpm-lock.yaml", pnpm), ("yarn.lock", yarn)]
        {
            let all = locked_packages(path, &text).unwrap();
            let digest = all["a"].first().unwrap().digest.clone().unwrap();
            assert_eq!(digest, LockedDigest { algorithm: "SHA-512", content: "0".repeat(128) });
        }
    }

    #[test]
    fn a_name_that_people_may_take_for_another_is_named_with_it() {
        let lock = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\n");
        let own = lock("our-own-parser");
        for (name, like) in [
            ("reqests", "requests"),
            ("serde-json", "serde_json"),
            ("our-own-parsr", "our-own-parser"),
            ("ourownparser", "our-own-parser"),
        ] {
            let told = told("Cargo.lock", &own, &lock(name));
            assert_eq!(told, [format!("adds {name} 1: a name much like {like}")]);
        }
        for name in ["itoa", "requests", "log", "our-own-reader"] {
            assert_eq!(told("Cargo.lock", &own, &lock(name)), [format!("adds {name} 1")]);
        }
    }

    #[test]
    fn of_many_changes_the_first_are_told_and_how_many_more_there_are() {
        let lock: String = (0..40)
            .map(|i| format!("[[package]]\nname = \"p{i:02}\"\nversion = \"1\"\n"))
            .collect();
        let told = changed_packages("Cargo.lock", None, &lock).unwrap();
        assert_eq!((told.len(), &*told[15]), (16, "adds or replaces 25 packages more"));
    }

    #[test]
    fn a_lockfile_of_a_hostile_size_is_told_of_like_any_other() {
        let lock = |name: &str| -> String {
            (0..50_000).map(|i| format!("{name}{i} v1 h1:x\n")).collect()
        };
        let long = "x".repeat(200_000);
        let (before, after) = (lock("one/"), lock("another/"));
        let told = told("go.sum", &format!("{before}{long}y v1\n"), &format!("{long} v1\n{after}"));
        assert_eq!(told.last().unwrap(), "adds or replaces 49986 packages more");
    }
}
