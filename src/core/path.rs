//! Paths inside a repository, and what a patch may do to them.
//!
//! What holds: a [`RepoPath`] stays inside the repository and out of git's own directory on every
//! file system git runs on. The tier of a path is decided on a folded form (letter case, Unicode
//! composition and invisible characters removed), so no spelling of `.github` slips by.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A file's path from the root of its repository: UTF-8, `/`-separated, with no way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a path cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// Nothing was given.
    #[error("the path is empty")]
    Empty,
    /// It starts at the root of the machine.
    #[error("the path is absolute; give it relative to the repository's root")]
    Absolute,
    /// `.`, `..`, or two slashes in a row.
    #[error("the path has an empty, `.` or `..` part")]
    Dots,
    /// Longer than git and Linux take.
    #[error("the path is longer than 4096 bytes, or a part of it than 255")]
    TooLong,
    /// NUL, newline and their kin.
    #[error("the path has a control character")]
    Control,
    /// `\` separates directories on some systems.
    #[error("the path has a backslash; use `/`")]
    Backslash,
    /// `.git`, or what some file system takes for it.
    #[error("the path goes into git's own directory")]
    GitDirectory,
    /// Bytes that are no UTF-8.
    #[error("the path is not valid UTF-8")]
    NotUtf8,
}

/// What a patch may do to a path. The text is the reason, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// No patch may touch it.
    Never(&'static str),
    /// A patch may; the pull request says so at its top.
    Flag(&'static str),
    /// Nothing special.
    Plain,
}

/// The repository's own additions to the built-in lists.
#[derive(Debug, Clone, Default)]
pub struct PathRules {
    protected: GlobSet,
    flagged: GlobSet,
}

/// A pattern in the configuration that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the path pattern {pattern:?} cannot be read")]
pub struct BadPattern {
    /// The pattern as written.
    pub pattern: String,
    source: globset::Error,
}

/// Names one exact patch: the SHA-256 of its canonical bytes, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatchDigest(String);

/// Text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the 64 hex digits of a patch digest")]
pub struct NotADigest;

impl RepoPath {
    /// The path as git writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From the bytes of a directory entry or a tree.
    ///
    /// # Errors
    /// When the path breaks one of the rules.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PathProblem> {
        std::str::from_utf8(bytes).map_err(|_| PathProblem::NotUtf8)?.parse()
    }

    /// The parts between the slashes; at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The directory it is in; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Whether people keep tests under such a path.
    pub fn looks_like_a_test(&self) -> bool {
        let folded = fold(&self.0);
        let (directories, name) = folded.rsplit_once('/').unwrap_or(("", &folded));
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let in_tests = directories.split('/').any(|part| {
            matches!(part, "test" | "tests" | "__tests__" | "spec" | "specs" | "testing" | "e2e")
        });
        in_tests
            || matches!(stem, "test" | "tests" | "conftest")
            || stem.starts_with("test_")
            || stem.ends_with("_test")
            || stem.ends_with("_tests")
            || stem.ends_with("_spec")
            || name.contains(".test.")
            || name.contains(".spec.")
            || self.name().split('.').next().is_some_and(|stem| {
                stem.ends_with("Test") || stem.ends_with("Tests") || stem.ends_with("Spec")
            })
    }
}

impl FromStr for RepoPath {
    type Err = PathProblem;

    fn from_str(text: &str) -> Result<Self, PathProblem> {
        if text.is_empty() {
            return Err(PathProblem::Empty);
        }
        if text.starts_with('/') {
            return Err(PathProblem::Absolute);
        }
        if text.len() > 4096 {
            return Err(PathProblem::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PathProblem::Control);
        }
        if text.contains('\\') {
            return Err(PathProblem::Backslash);
        }
        for part in text.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(PathProblem::Dots);
            }
            if part.len() > 255 {
                return Err(PathProblem::TooLong);
            }
            if is_git_directory(part) {
                return Err(PathProblem::GitDirectory);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RepoPath {
    type Error = PathProblem;
    fn try_from(text: String) -> Result<Self, PathProblem> {
        text.parse()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PathRules {
    /// The built-in lists plus these patterns. A pattern without `/` matches at any depth; case is
    /// ignored; `*` stays within one directory and `**` does not.
    ///
    /// # Errors
    /// Names the first pattern that cannot be read.
    pub fn new(protected: &[String], flagged: &[String]) -> Result<Self, BadPattern> {
        Ok(Self { protected: glob_set(protected)?, flagged: glob_set(flagged)? })
    }
}

impl PatchDigest {
    /// Of a SHA-256.
    pub fn of_bytes(digest: [u8; 32]) -> Self {
        Self(hex::encode(digest))
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PatchDigest {
    type Error = NotADigest;
    fn try_from(text: String) -> Result<Self, NotADigest> {
        let good = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text)) } else { Err(NotADigest) }
    }
}

impl From<PatchDigest> for String {
    fn from(digest: PatchDigest) -> String {
        digest.0
    }
}

impl fmt::Display for PatchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a patch may do to this path: the strictest of the built-in lists and the repository's.
pub fn tier(path: &RepoPath, rules: &PathRules) -> Tier {
    let folded = fold(path.as_str());
    let parts: Vec<&str> = folded.split('/').map(as_windows_reads_it).collect();
    if let Some(reason) = never(&parts) {
        return Tier::Never(reason);
    }
    let whole = parts.join("/");
    if rules.protected.is_match(path.as_str()) || rules.protected.is_match(&whole) {
        return Tier::Never("protected by the configuration");
    }
    if let Some(reason) = flag(&parts, path) {
        return Tier::Flag(reason);
    }
    if rules.flagged.is_match(path.as_str()) || rules.flagged.is_match(&whole) {
        return Tier::Flag("flagged by the configuration");
    }
    Tier::Plain
}

/// The first changed path that some file system would take for another path of the final tree,
/// be it as a whole or in one of its directories. `tree` is every path after the change.
pub fn collision<'a>(
    changed: impl Iterator<Item = &'a RepoPath>,
    tree: impl Iterator<Item = &'a str>,
) -> Option<(String, String)> {
    let mut spelling: HashMap<String, &str> = HashMap::new();
    for path in changed {
        for prefix in prefixes(path.as_str()) {
            match spelling.insert(fold(prefix), prefix) {
                Some(other) if other != prefix => return Some((prefix.into(), other.into())),
                _ => {}
            }
        }
    }
    for path in tree {
        for prefix in prefixes(path) {
            match spelling.get(&fold(prefix)) {
                Some(changed) if *changed != prefix => {
                    return Some(((*changed).to_owned(), prefix.to_owned()));
                }
                _ => {}
            }
        }
    }
    None
}

fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain(std::iter::once(path))
}

/// One spelling for all that case-insensitive, normalising or ignoring file systems confuse.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen: String = text.chars().filter(|c| !is_ignorable(*c)).nfc().collect();
    seen.to_uppercase().to_lowercase().nfc().collect()
}

/// Code points HFS+ leaves out of comparisons.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{00ad}' | '\u{200b}')
}

/// NTFS drops trailing dots and spaces and reads what follows a colon as a stream.
fn as_windows_reads_it(part: &str) -> &str {
    part.split(':').next().unwrap_or(part).trim_end_matches(['.', ' '])
}

fn is_git_directory(part: &str) -> bool {
    let folded = fold(part);
    let name = as_windows_reads_it(&folded);
    name == ".git" || is_short_name(name, "git")
}

/// `git~1`, the 8.3 name Windows gives to `.git`.
fn is_short_name(name: &str, of: &str) -> bool {
    name.strip_prefix(of)
        .and_then(|rest| rest.strip_prefix('~'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn never(parts: &[&str]) -> Option<&'static str> {
    const GITHUB: &str = "GitHub's own settings and workflows are written by people";
    const HOOKS: &str = "git hooks run on people's machines";
    const OWNERS: &str = "code owners are named by people";
    const GIT: &str = "it changes how git reads the repository";
    let github = |part: &str| part == ".github" || is_short_name(part, "github");
    match parts {
        [first, ..] if github(first) => return Some(GITHUB),
        ["codeowners"] | ["docs", "codeowners"] => return Some(OWNERS),
        _ => {}
    }
    for part in parts {
        match *part {
            ".gitmodules" | ".gitattributes" | ".git" => return Some(GIT),
            ".husky" | ".githooks" => return Some(HOOKS),
            short if is_short_name(short, "gitmod") || is_short_name(short, "gitatt") => {
                return Some(GIT);
            }
            _ => {}
        }
    }
    None
}

fn flag(parts: &[&str], path: &RepoPath) -> Option<&'static str> {
    let name = parts.last().copied().unwrap_or_default();
    for part in parts {
        match *part {
            ".github" => return Some("looks like GitHub settings of a nested project"),
            ".cargo" | ".mvn" | ".yarn" => return Some("changes how the project is built"),
            ".circleci" | ".buildkite" | ".gitlab" | ".woodpecker" => {
                return Some("changes another CI system");
            }
            ".vscode" | ".idea" | ".devcontainer" => {
                return Some("can run code in people's editors");
            }
            ".claude" | ".cursor" | ".codex" | ".gemini" | ".aider" => {
                return Some("instructs coding agents");
            }
            device if is_windows_device(device) => {
                return Some("cannot be checked out on Windows");
            }
            _ => {}
        }
    }
    if path.components().any(|part| part.ends_with(['.', ' ']) || part.contains(':')) {
        return Some("cannot be checked out on Windows");
    }
    if path.as_str().chars().any(is_ignorable) {
        return Some("has invisible characters in its name");
    }
    flag_by_name(name)
}

fn flag_by_name(name: &str) -> Option<&'static str> {
    let manifest = matches!(
        name,
        "cargo.toml"
            | "package.json"
            | "pyproject.toml"
            | "setup.py"
            | "setup.cfg"
            | "pipfile"
            | "go.mod"
            | "go.work"
            | "gemfile"
            | "composer.json"
            | "pom.xml"
            | "mix.exs"
            | "build.gradle"
            | "build.gradle.kts"
            | "settings.gradle"
            | "settings.gradle.kts"
            | "gradle.properties"
            | "libs.versions.toml"
            | "package.swift"
            | "podfile"
            | "pubspec.yaml"
            | "deno.json"
            | "deno.jsonc"
            | "flake.nix"
            | "environment.yml"
            | "nuget.config"
            | "directory.build.props"
            | "directory.packages.props"
            | "pnpm-workspace.yaml"
            | "build.sbt"
            | "project.clj"
            | "rebar.config"
    ) || has_extension(name, &["csproj", "fsproj", "vbproj", "gemspec", "cabal"])
        || (name.starts_with("requirements") && has_extension(name, &["txt", "in"]))
        || (name.starts_with("constraints") && has_extension(name, &["txt"]));
    if manifest {
        return Some("names the project's dependencies");
    }
    let lock = matches!(
        name,
        "package-lock.json"
            | "npm-shrinkwrap.json"
            | "pnpm-lock.yaml"
            | "go.sum"
            | "go.work.sum"
            | "packages.lock.json"
            | "package.resolved"
            | "bun.lockb"
            | "gradle.lockfile"
    ) || has_extension(name, &["lock"]);
    if lock {
        return Some("pins the project's dependencies");
    }
    let build = matches!(
        name,
        "build.rs"
            | "makefile"
            | "gnumakefile"
            | "justfile"
            | "rakefile"
            | "cmakelists.txt"
            | ".npmrc"
            | ".yarnrc"
            | ".yarnrc.yml"
            | "bunfig.toml"
            | "tox.ini"
            | "noxfile.py"
            | "gradlew"
            | "gradlew.bat"
            | "mvnw"
            | "mvnw.cmd"
            | "dockerfile"
            | "containerfile"
            | ".dockerignore"
            | ".pre-commit-config.yaml"
            | "lefthook.yml"
            | ".envrc"
            | "action.yml"
            | "action.yaml"
            | "build.zig"
            | "meson.build"
            | "configure"
            | "pip.conf"
            | ".pypirc"
            | "build.bazel"
            | "workspace.bazel"
            | "module.bazel"
            | ".bazelrc"
            | ".tool-versions"
    ) || name.starts_with("rust-toolchain")
        || name.starts_with("docker-compose")
        || name.starts_with("compose.y")
        || has_extension(name, &["mk"]);
    if build {
        return Some("changes how the project is built");
    }
    let ci = matches!(
        name,
        ".gitlab-ci.yml"
            | ".travis.yml"
            | "jenkinsfile"
            | "azure-pipelines.yml"
            | "appveyor.yml"
            | ".appveyor.yml"
            | "bitbucket-pipelines.yml"
            | ".drone.yml"
            | ".cirrus.yml"
    );
    if ci {
        return Some("changes another CI system");
    }
    let agents = matches!(
        name,
        "agents.md"
            | "claude.md"
            | "gemini.md"
            | "agent.md"
            | ".cursorrules"
            | ".windsurfrules"
            | ".mcp.json"
            | "copilot-instructions.md"
            | ".aider.conf.yml"
            | ".clinerules"
    );
    if agents {
        return Some("instructs coding agents");
    }
    match name {
        ".gitignore" | ".gitkeep" => Some("changes what git takes up"),
        "codeowners" => Some("looks like a list of code owners"),
        _ if name == ".env" || name.starts_with(".env.") => Some("may hold settings or secrets"),
        _ => None,
    }
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

fn is_windows_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    matches!(stem, "con" | "prn" | "aux" | "nul")
        || matches!(stem.as_bytes(), [b'c', b'o', b'm', b'1'..=b'9'])
        || matches!(stem.as_bytes(), [b'l', b'p', b't', b'1'..=b'9'])
}

fn glob_set(patterns: &[String]) -> Result<GlobSet, BadPattern> {
    let bad = |pattern: &str, source| BadPattern { pattern: pattern.to_owned(), source };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let rooted = pattern.trim_start_matches('/');
        let anywhere = !pattern.trim_end_matches('/').contains('/');
        let mut whole = if anywhere { format!("**/{rooted}") } else { rooted.to_owned() };
        if whole.ends_with('/') {
            whole.push_str("**");
        }
        let glob = GlobBuilder::new(&whole)
            .case_insensitive(true)
            .literal_separator(true)
            .build()
            .map_err(|source| bad(pattern, source))?;
        set.add(glob);
    }
    set.build().map_err(|source| bad(&patterns.join(", "), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        text.parse().unwrap()
    }

    fn tier_of(text: &str) -> Tier {
        tier(&path(text), &PathRules::default())
    }

    #[test]
    fn a_path_cannot_leave_the_repository_or_enter_gits_directory() {
        use PathProblem::*;
        let long = "a/".repeat(2048) + "b";
        let wide = "x".repeat(256);
        for (bad, why) in [
            ("", Empty),
            ("/etc/passwd", Absolute),
            ("..", Dots),
            ("a/../b", Dots),
            ("a/.", Dots),
            ("a//b", Dots),
            ("a/", Dots),
            ("./a", Dots),
            ("a\0b", Control),
            ("a\nb", Control),
            ("a\u{85}b", Control),
            (".github/workflows\\x.yml", Backslash),
            (&long, TooLong),
            (&wide, TooLong),
            (".git", GitDirectory),
            (".git/config", GitDirectory),
            ("sub/.GIT/hooks/x", GitDirectory),
            (".g\u{200c}it/config", GitDirectory),
            ("git~1/config", GitDirectory),
            ("GIT~1", GitDirectory),
            (".git./x", GitDirectory),
            (".git /x", GitDirectory),
            (".git::$INDEX_ALLOCATION/x", GitDirectory),
            (".g\u{131}t", GitDirectory),
            (".git. . ", GitDirectory),
        ] {
            assert_eq!(bad.parse::<RepoPath>(), Err(why), "{bad:?}");
        }
        assert_eq!(RepoPath::from_bytes(b"a\xff"), Err(NotUtf8));
        for good in ["a", "a/b c/d", ".gitignore", "git", "git~x", ".gitx", "ü/日本", "...", "a:b"]
        {
            assert!(good.parse::<RepoPath>().is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn no_spelling_of_a_protected_path_slips_by() {
        for bad in [
            ".github/workflows/ci.yml",
            ".GitHub/x",
            ".github",
            ".gi\u{200d}thub/workflows/x.yml",
            ".gıthub/x",
            ".github./x",
            ".github /x",
            "GITHUB~1/x",
            ".gitmodules",
            ".GitModules",
            "sub/.gitattributes",
            "GITMOD~1",
            ".husky/pre-commit",
            "web/.husky/pre-commit",
            ".hu\u{17f}\u{212a}y/x",
            ".githooks/x",
            "CODEOWNERS",
            "docs/CodeOwners",
            ".github/CODEOWNERS",
            ".github/gander.toml",
            ".gitattributes:stream",
        ] {
            assert!(matches!(tier_of(bad), Tier::Never(_)), "{bad:?} is {:?}", tier_of(bad));
        }
    }

    #[test]
    fn what_people_should_look_at_is_flagged_and_the_rest_is_plain() {
        for flagged in [
            "Cargo.toml",
            "crates/x/Cargo.lock",
            ".cargo/config.toml",
            "build.rs",
            "rust-toolchain",
            "rust-toolchain.toml",
            ".npmrc",
            "bunfig.toml",
            "Makefile",
            "AGENTS.md",
            "a/claude.md",
            ".gitignore",
            "dir/.gitkeep",
            "yarn.lock",
            "requirements-dev.txt",
            "con.txt",
            "a/NUL",
            "trailing./x",
            "a\u{200d}b",
            ".vscode/tasks.json",
            ".env",
            "templates/.github/x.yml",
        ] {
            assert!(matches!(tier_of(flagged), Tier::Flag(_)), "{flagged:?}");
        }
        for plain in ["src/lib.rs", "README.md", "console.txt", "lock.rs", "github/x", "make.py"] {
            assert_eq!(tier_of(plain), Tier::Plain, "{plain:?}");
        }
    }

    #[test]
    fn the_configuration_can_add_paths_but_never_loosen_the_built_in_ones() {
        let rules = PathRules::new(
            &["secret/**".into(), "*.pem".into(), "Cargo.toml".into(), "/infra/".into()],
            &["docs/*.md".into()],
        )
        .unwrap();
        for protected in ["secret/a/b", "x/y.PEM", "Secret/a", "a/cargo.toml", "infra/a/b"] {
            let verdict = tier(&path(protected), &rules);
            assert_eq!(verdict, Tier::Never("protected by the configuration"), "{protected}");
        }
        let flagged = Tier::Flag("flagged by the configuration");
        assert_eq!(tier(&path("docs/a.md"), &rules), flagged);
        assert_eq!(tier(&path("docs/a/b.md"), &rules), Tier::Plain);
        let bad = PathRules::new(&["a{".into()], &[]).unwrap_err();
        assert_eq!(bad.to_string(), "the path pattern \"a{\" cannot be read");
    }

    #[test]
    fn two_spellings_of_one_name_collide_as_files_and_as_directories() {
        let found = |changed: &[&str], tree: &[&str]| {
            let changed: Vec<RepoPath> = changed.iter().map(|p| path(p)).collect();
            collision(changed.iter(), tree.iter().copied())
        };
        assert!(found(&["README.md"], &["readme.md", "README.md"]).is_some());
        assert!(found(&["Src/a.rs"], &["src/b.rs", "Src/a.rs"]).is_some());
        assert!(found(&["caf\u{e9}"], &["cafe\u{301}"]).is_some());
        assert!(found(&["a/X", "a/x"], &[]).is_some());
        assert!(found(&["a/x"], &["a/y", "B/c", "b/d"]).is_none(), "old collisions are not ours");
    }

    #[test]
    fn tests_are_known_by_their_paths() {
        for test in [
            "tests/a.rs",
            "src/foo_test.go",
            "pkg/test_x.py",
            "a.spec.ts",
            "b.test.js",
            "src/test/java/A.java",
            "FooTest.java",
            "conftest.py",
            "web/__tests__/a.js",
        ] {
            assert!(path(test).looks_like_a_test(), "{test}");
        }
        for other in ["src/contest.rs", "latest/a.rs", "src/attestation.py", "fastest.c"] {
            assert!(!path(other).looks_like_a_test(), "{other}");
        }
    }
}
