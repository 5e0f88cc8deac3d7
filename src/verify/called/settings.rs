//! Files that the settings of test runners and builds name: what runs before tests, and what builds
//! them.
//!
//! Invariants: settings are programs as often as not, so every word in the values of some options
//! that could be a path counts as one.

use serde_json::Value;
use toml::Table;

/// What belongs to one ecosystem.
pub(super) struct Settings {
    /// Ends of the names of files that its settings name.
    pub(super) languages: &'static [&'static str],
    /// Where this is, its settings may be.
    pub(super) manifest: &'static str,
    /// The paths that it names itself.
    pub(super) in_manifest: fn(&str) -> Vec<String>,
    /// Settings beside it.
    pub(super) files: &'static [&'static str],
}

pub(super) const KNOWN: &[Settings] = &[
    Settings {
        languages: &["js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx"],
        manifest: "package.json",
        in_manifest: of_package,
        files: &[
            ".mocharc.json",
            ".mocharc.js",
            ".mocharc.cjs",
            ".mocharc.yml",
            ".mocharc.yaml",
            ".mocharc.jsonc",
            "jest.config.js",
            "jest.config.cjs",
            "jest.config.mjs",
            "jest.config.ts",
            "jest.config.json",
            "vitest.config.js",
            "vitest.config.mjs",
            "vitest.config.ts",
            "vitest.config.mts",
            "vite.config.js",
            "vite.config.mjs",
            "vite.config.ts",
            "vite.config.mts",
            "ava.config.js",
            "ava.config.cjs",
            "ava.config.mjs",
        ],
    },
    Settings { languages: &["rs"], manifest: "Cargo.toml", in_manifest: of_cargo, files: &[] },
];

/// What the runners' parts of a `package.json` name.
fn of_package(text: &str) -> Vec<String> {
    let package: Value = serde_json::from_str(text).unwrap_or_default();
    let parts = ["jest", "mocha", "ava", "vitest"].iter().filter_map(|name| package.get(*name));
    parts.flat_map(|part| paths(&part.to_string())).collect()
}

/// A build script with a name of its own.
fn of_cargo(text: &str) -> Vec<String> {
    let manifest: Table = text.parse().unwrap_or_default();
    let build = manifest.get("package").and_then(|package| package.get("build"));
    build.and_then(|build| build.as_str()).map(str::to_owned).into_iter().collect()
}

/// Options that name what runs before tests, around them, or in their place.
const OPTIONS: &[&str] = &[
    "setupFiles",
    "setupFilesAfterEnv",
    "globalSetup",
    "globalTeardown",
    "testEnvironment",
    "environment",
    "runner",
    "testRunner",
    "reporters",
    "snapshotSerializers",
    "snapshotResolver",
    "transform",
    "resolver",
    "require",
    "import",
    "file",
    "extends",
];

/// The paths that such options have as values: `./boot.js`, `<rootDir>/test/setup`.
pub(super) fn paths(text: &str) -> Vec<String> {
    let values = OPTIONS.iter().flat_map(|option| values_of(text, option));
    let words = values
        .flat_map(|value| value.split(|c: char| c.is_whitespace() || "\"'`,()[]{}:;=".contains(c)));
    let words = words.map(|word| word.trim_start_matches("<rootDir>/"));
    let is_path = |word: &&str| word.contains('.') || word.contains('/');
    words.filter(is_path).map(str::to_owned).collect()
}

/// What stands behind `option:` in JSON, YAML or a program: a list, or the rest of its line, or the
/// lines that are indented below it.
fn values_of<'t>(text: &'t str, option: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(option).filter_map(move |(at, _)| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = text.get(..at)?.chars().next_back();
        let rest = text.get(at + option.len()..)?.trim_start_matches(['"', '\'']).trim_start();
        let rest = rest.strip_prefix(':').filter(|_| !before.is_some_and(is_name))?;
        let value = rest.trim_start_matches(' ');
        let until = |close: char| value.find(close).unwrap_or(value.len());
        let end = match value.chars().next()? {
            '[' => until(']'),
            '{' => until('}'),
            '\r' | '\n' => {
                let below = value.split_inclusive('\n').skip(1);
                let indented = below.take_while(|line| line.starts_with([' ', '\t', '-']));
                value.find('\n')? + 1 + indented.map(str::len).sum::<usize>()
            }
            _ => until('\n'),
        };
        value.get(..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_before_tests_is_named_by_some_options_and_not_by_others() {
        for text in [
            "module.exports = { setupFilesAfterEnv: ['<rootDir>/boot.js'] };",
            "{\"require\": \"boot.js\"}",
            "require:\n  - boot.js\nspec: test\n",
            "require:\n- boot.js\n",
            "export default { test: { setupFiles: [\n  \"boot.js\",\n] } }",
        ] {
            assert_eq!(paths(text), ["boot.js"], "{text}");
        }
        let product = "export default { build: { lib: { entry: './src/main.ts' } },\n\
                       collectCoverageFrom: ['src/a.js'], profile: 'x.js' }";
        assert_eq!(paths(product), [""; 0]);
    }
}
