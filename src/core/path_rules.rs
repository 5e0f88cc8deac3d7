//! What a patch may do to a path.
//!
//! Invariants: the class is decided on a folded form (letter case, Unicode composition and
//! invisible characters removed), so no spelling of `.github` slips by; configuration adds to the
//! built-in lists and never takes away. What commands leave behind is told by names that no project
//! gives to its own files.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::other_ci::ci_system;
use super::path::{RepoPath, as_windows_reads_it, fold, is_ignorable, is_short_name};

/// What a patch may do to a path. The text is the reason, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathClass {
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
pub struct PatternError {
    /// The pattern as written.
    pub pattern: String,
    source: globset::Error,
}

impl PathRules {
    /// The built-in lists plus these patterns. A pattern without `/` matches at any depth; case is
    /// ignored; `*` stays within one directory and `**` does not.
    ///
    /// # Errors
    /// Names the first pattern that cannot be read.
    pub fn new(protected: &[String], flagged: &[String]) -> Result<Self, PatternError> {
        Ok(Self { protected: glob_set(protected)?, flagged: glob_set(flagged)? })
    }
}

/// What a patch may do to this path: the strictest of the built-in lists and the repository's.
pub fn classify(path: &RepoPath, rules: &PathRules) -> PathClass {
    let folded = fold(path.as_str());
    let parts: Vec<&str> = folded.split('/').map(as_windows_reads_it).collect();
    if let Some(reason) = never(&parts) {
        return PathClass::Never(reason);
    }
    let whole = parts.join("/");
    if rules.protected.is_match(path.as_str()) || rules.protected.is_match(&whole) {
        return PathClass::Never("protected by the configuration");
    }
    if let Some(reason) = flag(&parts, path) {
        return PathClass::Flag(reason);
    }
    if rules.flagged.is_match(path.as_str()) || rules.flagged.is_match(&whole) {
        return PathClass::Flag("flagged by the configuration");
    }
    PathClass::Plain
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
            ".cargo" | ".mvn" | ".yarn" => return Some(BUILD),
            ".gitlab" => return Some(OTHER_CI),
            ".vscode" | ".idea" | ".devcontainer" => {
                return Some("can run code in people's editors");
            }
            ".claude" | ".cursor" | ".codex" | ".gemini" | ".aider" => {
                return Some(AGENTS);
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
    if (0..parts.len()).any(|at| ci_system(&parts[at..].join("/")).is_some()) {
        return Some(OTHER_CI);
    }
    if path.as_str().chars().any(is_ignorable) {
        return Some("has invisible characters in its name");
    }
    flag_by_name(name)
}

const RUNNER: &str = "changes how tests are found or run";
const DEPENDENCIES: &str = "names the project's dependencies";
const BUILD: &str = "changes how the project is built";
const OTHER_CI: &str = "changes another CI system";
const AGENTS: &str = "instructs coding agents";
const SETTINGS: &str = "may hold settings or secrets";

/// Names and extensions (`*.x`), folded, and why people should look at them.
const FLAGGED: [(&str, &str); 8] = [
    (
        RUNNER,
        "conftest.py pytest.ini .pytest.ini pytest.toml .pytest.toml .coveragerc sitecustomize.py \
         usercustomize.py unittest.cfg nose.cfg .noserc behave.ini .testr.conf .stestr.conf .rspec spec_helper.rb \
         rails_helper.rb test_helper.rb test_helper.exs pest.php mocha.opts jasmine.json .taprc \
         nextest.toml dart_test.yaml testng.xml junit-platform.properties xunit.runner.json \
         ctestconfig.cmake ctestcustom.cmake cucumber.yml node.config.json turbo.json nx.json *.pth \
         *.runsettings *.testplan",
    ),
    (
        DEPENDENCIES,
        "cargo.toml package.json pyproject.toml setup.py setup.cfg pipfile go.mod go.work gemfile \
         composer.json pom.xml mix.exs build.gradle build.gradle.kts settings.gradle \
         settings.gradle.kts gradle.properties libs.versions.toml package.swift podfile \
         pubspec.yaml deno.json deno.jsonc flake.nix environment.yml nuget.config \
         directory.build.props directory.packages.props pnpm-workspace.yaml build.sbt project.clj \
         rebar.config *.csproj *.fsproj *.vbproj *.gemspec *.cabal",
    ),
    (
        "pins the project's dependencies",
        "package-lock.json npm-shrinkwrap.json pnpm-lock.yaml go.sum go.work.sum \
         packages.lock.json package.resolved bun.lockb gradle.lockfile *.lock",
    ),
    (
        BUILD,
        "build.rs makefile gnumakefile justfile .justfile taskfile.yml taskfile.yaml \
         taskfile.dist.yml taskfile.dist.yaml magefile.go earthfile rakefile cmakelists.txt \
         .npmrc .pnpmfile.cjs .pnpmfile.mjs .lfsconfig .readthedocs.yaml .readthedocs.yml renovate.json \
         .yarnrc .yarnrc.yml bunfig.toml tox.ini noxfile.py gradlew gradlew.bat mvnw \
         mvnw.cmd dockerfile containerfile .dockerignore .pre-commit-config.yaml lefthook.yml \
         .envrc action.yml action.yaml build.zig meson.build configure pip.conf .pypirc \
         build.bazel workspace.bazel module.bazel .bazelrc .tool-versions rust-toolchain \
         rust-toolchain.toml *.mk",
    ),
    (
        AGENTS,
        "agents.md claude.md gemini.md agent.md .cursorrules .windsurfrules .mcp.json \
         copilot-instructions.md .aider.conf.yml .clinerules",
    ),
    ("changes what git takes up", ".gitignore .gitkeep"),
    ("looks like a list of code owners", "codeowners"),
    (SETTINGS, ".env"),
];

/// Beginnings of names of test runners' settings, which have many endings: `jest.config.mts`.
const RUNNER_NAMES: &[&str] = &[
    "jest.config.",
    "jest.setup.",
    "jest-setup.",
    "jest.preset.",
    "vitest.",
    "vite.config.",
    "setuptests.",
    "playwright.config.",
    "playwright-ct.config.",
    "cypress.config.",
    "cypress.json",
    "karma.conf.",
    "wdio.conf.",
    "protractor.conf.",
    "codecept.conf.",
    "nightwatch.conf.",
    "web-test-runner.config.",
    "stryker.conf",
    ".mocharc",
    "ava.config.",
    "jasmine.config.",
    ".nycrc",
    "nyc.config.",
    ".c8rc",
    "babel.config.",
    ".babelrc",
    ".swcrc",
    "cucumber.js",
    "cucumber.mjs",
    "cucumber.cjs",
    "phpunit.xml",
    "phpunit.dist.xml",
    "tap.config.",
];

/// Whether a file, by its name, says how tests are found or run.
pub fn is_of_test_runner(name: &str) -> bool {
    flag_by_name(&name.to_lowercase()) == Some(RUNNER)
}

fn flag_by_name(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let named = FLAGGED.iter().find(|(_, names)| is_listed(name, names));
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    match named {
        Some((reason, _)) => Some(reason),
        None if begins(RUNNER_NAMES) => Some(RUNNER),
        None if begins(&["requirements", "constraints"])
            && matches!(extension, Some("txt" | "in")) =>
        {
            Some(DEPENDENCIES)
        }
        None if begins(&["rust-toolchain", "docker-compose", "compose.y"]) => Some(BUILD),
        None if begins(&[".env."]) => Some(SETTINGS),
        None => None,
    }
}

/// Directories that builds, tests and package managers make (`*.x`: an extension).
const LEFT_DIRECTORIES: &str = "target node_modules __pycache__ .pytest_cache .mypy_cache \
    .ruff_cache .hypothesis .tox .nox .eggs *.egg-info *.dist-info htmlcov .nyc_output .gradle \
    .parcel-cache .turbo .venv dist build";
/// Files that commands make beside what they were asked for.
const LEFT_FILES: &str = ".coverage coverage.xml lcov.info .eslintcache .DS_Store nohup.out *.orig \
    *.rej *.pyc *.pyo *.swp *.profraw *.gcda *.gcno *.tsbuildinfo";

/// Whether commands are known to leave such a directory behind; `parent` is the directory it is in.
/// Only where the base has no file in it: many a project keeps its `dist` or `build`.
pub fn commands_leave_directory(name: &str, parent: &str) -> bool {
    is_listed(name, LEFT_DIRECTORIES) || (name == ".cache" && parent == "node_modules")
}

/// Whether commands are known to leave such a file behind.
pub fn commands_leave_file(name: &str) -> bool {
    let is_core_dump = ["core.", "vgcore."].iter().any(|start| {
        let number = name.strip_prefix(start).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_core_dump || name.starts_with(".coverage.") || is_listed(name, LEFT_FILES)
}

/// Whether a name is in a list of names and extensions (`*.x`).
fn is_listed(name: &str, list: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    list.split_ascii_whitespace().any(|listed| match listed.strip_prefix("*.") {
        Some(listed) => extension == Some(listed),
        None => name == listed,
    })
}

fn is_windows_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    matches!(stem, "con" | "prn" | "aux" | "nul")
        || matches!(stem.as_bytes(), [b'c', b'o', b'm', b'1'..=b'9'])
        || matches!(stem.as_bytes(), [b'l', b'p', b't', b'1'..=b'9'])
}

fn glob_set(patterns: &[String]) -> Result<GlobSet, PatternError> {
    let bad = |pattern: &str, source| PatternError { pattern: pattern.to_owned(), source };
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

    fn tier_of(text: &str) -> PathClass {
        classify(&path(text), &PathRules::default())
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
            assert!(matches!(tier_of(bad), PathClass::Never(_)), "{bad:?} is {:?}", tier_of(bad));
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
            ".circleci/config.yml",
            "sub/.travis.yml",
            "Jenkinsfile",
        ] {
            assert!(matches!(tier_of(flagged), PathClass::Flag(_)), "{flagged:?}");
        }
        for plain in ["src/lib.rs", "README.md", "console.txt", "lock.rs", "github/x", "make.py"] {
            assert_eq!(tier_of(plain), PathClass::Plain, "{plain:?}");
        }
    }

    #[test]
    fn every_setting_of_a_test_runner_is_flagged_as_that() {
        for setting in [
            "conftest.py",
            "pytest.ini",
            ".coveragerc",
            "web/jest.config.mts",
            "jest.setup.ts",
            "src/setupTests.js",
            "vitest.workspace.ts",
            "vite.config.ts",
            "playwright.config.ts",
            "cypress.config.js",
            "karma.conf.ts",
            ".mocharc.jsonc",
            ".nycrc.json",
            "babel.config.cjs",
            "phpunit.xml.dist",
            "spec/spec_helper.rb",
            "test/test_helper.exs",
            ".config/nextest.toml",
            "App.Tests/ci.runsettings",
            "src/test/resources/junit-platform.properties",
        ] {
            assert_eq!(tier_of(setting), PathClass::Flag(RUNNER), "{setting}");
        }
    }

    #[test]
    fn what_commands_leave_behind_is_known_by_its_name() {
        for left in [
            "target",
            "x.egg-info",
            "dist",
            "build",
            "__pycache__",
            ".tox",
            "htmlcov",
            ".mypy_cache",
        ] {
            assert!(commands_leave_directory(left, ""), "{left}");
        }
        assert!(commands_leave_directory(".cache", "node_modules"));
        for own in ["src", "builds", "Build", "docs", ".cache", ".cargo", "egg-info", "coverage"] {
            assert!(!commands_leave_directory(own, ""), "{own}");
        }
        for left in [".coverage", ".coverage.a.1", "coverage.xml", "core.17", "a.rs.orig", "a.rej"]
        {
            assert!(commands_leave_file(left), "{left}");
        }
        for own in [".coveragerc", "core.py", "core", "core.", "original", "orig", "a.xml"] {
            assert!(!commands_leave_file(own), "{own}");
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
            let verdict = classify(&path(protected), &rules);
            assert_eq!(verdict, PathClass::Never("protected by the configuration"), "{protected}");
        }
        let flagged = PathClass::Flag("flagged by the configuration");
        assert_eq!(classify(&path("docs/a.md"), &rules), flagged);
        assert_eq!(classify(&path("docs/a/b.md"), &rules), PathClass::Plain);
        let bad = PathRules::new(&["a{".into()], &[]).unwrap_err();
        assert_eq!(bad.to_string(), "the path pattern \"a{\" cannot be read");
    }
}
