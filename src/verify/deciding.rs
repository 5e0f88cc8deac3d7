//! Changed files that decide what the checks do: hooks and settings of test runners and builds.
//!
//! A change to them may be right, and no run of the checks can say so: they are what says it.
//!
//! Invariants: a manifest counts only where a part of it that decides something differs, since most
//! changes to manifests are of dependencies; in doubt, where it cannot be read, it counts.

use serde_json::Value as Json;
use toml::Table;

use crate::core::patch::{Change, Patch};
use crate::core::path_rules::is_of_test_runner;
use crate::workspace::diff::BaseFiles;

/// Files whose every change counts, and what they are.
const NAMES: &[(&str, &str)] = &[
    ("conftest.py", "hooks of pytest"),
    ("pytest.ini", "settings of pytest"),
    (".pytest.ini", "settings of pytest"),
    ("tox.ini", "settings of tox and pytest"),
    ("noxfile.py", "sessions of nox"),
    (".coveragerc", "settings of coverage"),
    ("sitecustomize.py", "runs before every Python program"),
    ("usercustomize.py", "runs before every Python program"),
    (".npmrc", "settings of npm"),
    (".yarnrc", "settings of yarn"),
    (".yarnrc.yml", "settings of yarn"),
    ("rust-toolchain", "the compiler that is used"),
    ("rust-toolchain.toml", "the compiler that is used"),
    ("build.rs", "runs before the crate is built"),
    ("nextest.toml", "settings of nextest"),
    ("go.work", "which modules are tested"),
    ("phpunit.xml", "settings of PHPUnit"),
    ("phpunit.xml.dist", "settings of PHPUnit"),
    (".rspec", "settings of RSpec"),
];
/// How the names of settings of JavaScript's runners begin.
const BEGINS: &[(&str, &str)] = &[
    ("jest.config.", "settings of jest"),
    ("jest.setup.", "runs before the tests of jest"),
    ("jest-setup.", "runs before the tests of jest"),
    ("vitest.config.", "settings of vitest"),
    ("vitest.setup.", "runs before the tests of vitest"),
    ("vitest.workspace.", "settings of vitest"),
    (".mocharc.", "settings of mocha"),
    ("ava.config.", "settings of ava"),
    ("karma.conf.", "settings of karma"),
    (".nycrc", "settings of nyc"),
    (".c8rc", "settings of c8"),
];
/// Parts of `package.json` that decide what is run, and how.
const PACKAGE_PARTS: &[&str] = &[
    "scripts",
    "jest",
    "mocha",
    "ava",
    "vitest",
    "c8",
    "nyc",
    "tap",
    "type",
    "imports",
    "babel",
    "workspaces",
];
/// Tables of `pyproject.toml`.
const PYPROJECT_PARTS: &[&str] = &["pytest", "coverage", "tox", "nox", "hatch", "pdm", "poe"];
/// Sections of `setup.cfg`.
const SETUP_SECTIONS: &[&str] =
    &["[tool:pytest]", "[coverage:", "[tox:", "[aliases]", "[nosetests"];

/// These files of a change, each with what it is: `conftest.py: hooks of pytest`.
pub fn deciding_files(patch: &Patch, base: &BaseFiles) -> Vec<String> {
    let mut found = Vec::new();
    for (path, change) in &patch.changes {
        let before = base.get(path).map(|file| file.content.as_slice());
        let after = match change {
            Change::Write { content, .. } => Some(content.as_slice()),
            Change::Delete { .. } => None,
        };
        if before == after {
            continue;
        }
        if let Some(what) = what(path.as_str(), before, after) {
            found.push(format!("{path}: {what}"));
        }
    }
    found
}

fn what(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let named = NAMES.iter().find(|it| it.0 == name);
    let begins = BEGINS.iter().find(|it| name.starts_with(it.0));
    if let Some((_, what)) = named.or(begins) {
        return Some(what);
    }
    let in_cargo = path == ".cargo/config.toml" || path == ".cargo/config";
    if in_cargo || path.ends_with("/.cargo/config.toml") || path.ends_with("/.cargo/config") {
        return Some("settings of cargo");
    }
    if name.ends_with(".pth") {
        return Some("runs before every Python program");
    }
    if is_of_test_runner(name) {
        return Some("says how tests are found or run");
    }
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let (before, after) = (text(before), text(after));
    let python = name.ends_with(".py");
    if python && (has_hooks(&before) || has_hooks(&after)) {
        return Some("has hooks of its test runner");
    }
    if name.ends_with("_test.go") && test_main(&before) != test_main(&after) {
        return Some("its `TestMain` runs the tests");
    }
    match name {
        "package.json" if differs(&before, &after, package_parts) => {
            Some("scripts and settings of its test runner")
        }
        "pyproject.toml" if differs(&before, &after, pyproject_parts) => {
            Some("settings of its test runner")
        }
        "setup.cfg" if setup_sections(&before) != setup_sections(&after) => {
            Some("settings of its test runner")
        }
        "Cargo.toml" if differs(&before, &after, cargo_parts) => {
            Some("which of its tests run, and how they are built")
        }
        _ => None,
    }
}

/// Whether a Python file holds what pytest or unittest call by themselves, under whatever name it
/// came there: `pytest_runtest_call = lenient` is a hook, too.
fn has_hooks(text: &str) -> bool {
    const NAMED: &[&str] = &["hookimpl", "pytest_plugins", "load_tests"];
    const HOOKS: &[&str] = &[
        "addhooks",
        "addoption",
        "assertion_pass",
        "assertrepr_compare",
        "cmdline_",
        "collect",
        "configure",
        "deselected",
        "enter_pdb",
        "exception_interact",
        "fixture_",
        "generate_tests",
        "ignore_collect",
        "internalerror",
        "itemcollected",
        "keyboard_interrupt",
        "leave_pdb",
        "load_initial_conftests",
        "make_",
        "markeval_namespace",
        "plugin_registered",
        "pycollect_makeitem",
        "pycollect_makemodule",
        "pyfunc_call",
        "report_",
        "runtest",
        "sessionfinish",
        "sessionstart",
        "terminal_summary",
        "unconfigure",
        "warning_recorded",
    ];
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_hook = |word: &str| {
        let rest = word.strip_prefix("pytest_").unwrap_or_default();
        NAMED.contains(&word) || HOOKS.iter().any(|hook| rest.starts_with(hook))
    };
    words.into_iter().any(is_hook)
}

/// What Go runs in the place of a package's tests, and which has to run them.
fn test_main(text: &str) -> Vec<&str> {
    let from = text.lines().skip_while(|line| !line.starts_with("func TestMain("));
    from.take_while(|line| *line != "}").collect()
}

/// Whether two texts differ in these parts, or one that is not empty cannot be read.
fn differs<T: PartialEq + Default>(a: &str, b: &str, parts: fn(&str) -> Option<T>) -> bool {
    let read = |text: &str| if text.is_empty() { Some(T::default()) } else { parts(text) };
    match (read(a), read(b)) {
        (Some(a), Some(b)) => a != b,
        (None, _) | (_, None) => true,
    }
}

fn package_parts(text: &str) -> Option<Vec<Json>> {
    let package: Json = serde_json::from_str(text).ok()?;
    let part = |name: &&str| package.get(*name).cloned().unwrap_or(Json::Null);
    let parts: Vec<Json> = PACKAGE_PARTS.iter().map(part).collect();
    // Nothing of it is like no file.
    let any = parts.iter().any(|part| !part.is_null());
    Some(if any { parts } else { Vec::new() })
}

fn pyproject_parts(text: &str) -> Option<Vec<Option<toml::Value>>> {
    let project: Table = text.parse().ok()?;
    let tools = project.get("tool").and_then(toml::Value::as_table);
    let part = |name: &&str| tools.and_then(|tools| tools.get(*name)).cloned();
    let parts: Vec<_> = PYPROJECT_PARTS.iter().map(part).collect();
    Some(if parts.iter().any(Option::is_some) { parts } else { Vec::new() })
}

/// What says which targets are tested, and by which harness.
fn cargo_parts(text: &str) -> Option<Vec<String>> {
    let manifest: Table = text.parse().ok()?;
    let mut parts = Vec::new();
    let package = manifest.get("package").and_then(toml::Value::as_table);
    parts.extend(manifest.get("profile").map(|value| format!("profile {value}")));
    for key in ["autotests", "build", "default-run"] {
        let value = package.and_then(|package| package.get(key));
        parts.extend(value.map(|value| format!("package {key} {value}")));
    }
    let workspace = manifest.get("workspace").and_then(toml::Value::as_table);
    for key in ["members", "exclude", "default-members"] {
        let value = workspace.and_then(|workspace| workspace.get(key));
        parts.extend(value.map(|value| format!("workspace {key} {value}")));
    }
    let mut target = |kind: &str, table: &Table| {
        let name = table.get("name").map(ToString::to_string).unwrap_or_default();
        for key in ["test", "doctest", "harness", "required-features", "path"] {
            let value = table.get(key);
            parts.extend(value.map(|value| format!("{kind} {name} {key} {value}")));
        }
    };
    if let Some(lib) = manifest.get("lib").and_then(toml::Value::as_table) {
        target("lib", lib);
    }
    for kind in ["bin", "test", "example"] {
        let all = manifest.get(kind).and_then(toml::Value::as_array).into_iter().flatten();
        all.filter_map(toml::Value::as_table).for_each(|table| target(kind, table));
    }
    Some(parts)
}

fn setup_sections(text: &str) -> Vec<&str> {
    let mut inside = false;
    let chosen = |line: &&str| {
        if line.starts_with('[') {
            inside = SETUP_SECTIONS.iter().any(|section| line.starts_with(section));
        }
        inside && !line.trim().is_empty()
    };
    text.lines().filter(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(path: &str, before: &str, after: &str) -> bool {
        let bytes = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        what(path, bytes(leak(before)), bytes(leak(after))).is_some()
    }

    #[test]
    fn hooks_and_settings_of_runners_count_wherever_they_lie() {
        for path in [
            "conftest.py",
            "pkg/tests/conftest.py",
            "pytest.ini",
            "jest.config.mjs",
            ".mocharc.yml",
            "src/sitecustomize.py",
            "x/evil.pth",
            ".cargo/config.toml",
            "crates/a/.cargo/config",
            "crates/a/build.rs",
            "rust-toolchain.toml",
            ".config/nextest.toml",
        ] {
            assert!(counts(path, "a", "b"), "{path}");
            assert!(counts(path, "", "b"), "{path} is new");
        }
        for path in ["src/lib.rs", "tests/test_a.py", "src/build.py", "README.md", "jest.md"] {
            assert!(!counts(path, "a", "b"), "{path}");
        }
    }

    #[test]
    fn a_manifest_counts_only_for_what_decides_a_run() {
        let hook = "def pytest_pyfunc_call(pyfuncitem):\n    return True\n";
        assert!(counts("plug.py", hook, &hook.replace("True", "1")));
        assert!(counts("tests/test_a.py", "", "pytest_plugins = ['helper']\n"));
        let go = "func TestA(t *testing.T) {\n}\n\nfunc TestMain(m *testing.M) {\n\tm.Run()\n}\n";
        assert!(!counts("a_test.go", go, &go.replace("TestA", "TestB")));
        assert!(counts("a_test.go", go, &go.replace("m.Run()", "os.Exit(0)")));
        assert!(counts("b_test.go", "", go));
        let npm = r#"{"version": "1.0.0", "scripts": {"test": "jest"}}"#;
        assert!(!counts("package.json", npm, &npm.replace("1.0.0", "1.1.0")));
        assert!(counts("package.json", npm, &npm.replace("\"jest\"", "\"true\"")));
        assert!(counts("package.json", npm, "{"));
        assert!(!counts("package.json", "", r#"{"name": "new"}"#));
        let python = "[project]\nversion = \"1\"\n[tool.pytest.ini_options]\naddopts = \"-q\"\n";
        assert!(!counts("pyproject.toml", python, &python.replace("\"1\"", "\"2\"")));
        assert!(counts("pyproject.toml", python, &python.replace("-q", "-k nothing")));
        let cargo = "[package]\nname = \"a\"\n[dependencies]\nb = \"1\"\n";
        assert!(!counts("Cargo.toml", cargo, &cargo.replace("\"1\"", "\"2\"")));
        for more in [
            "[lib]\ntest = false\n",
            "[profile.test]\noverflow-checks = false\n",
            "[[test]]\nname = \"a\"\nharness = false\n",
        ] {
            assert!(counts("Cargo.toml", cargo, &format!("{cargo}{more}")), "{more}");
        }
        let cfg = "[metadata]\nname = a\n[tool:pytest]\naddopts = -q\n";
        assert!(!counts("setup.cfg", cfg, &cfg.replace("= a", "= b")));
        assert!(counts("setup.cfg", cfg, &cfg.replace("-q", "-x")));
    }

    #[test]
    fn every_file_that_is_known_to_say_how_tests_run_counts() {
        for path in [
            "pytest.toml",
            "vite.config.ts",
            "babel.config.js",
            ".babelrc",
            ".swcrc",
            "src/setupTests.js",
            "jest.preset.js",
            "test/mocha.opts",
            "node.config.json",
            "go.work",
        ] {
            assert!(counts(path, "a", "b"), "{path}");
        }
        for (path, before, after) in [
            ("support.py", "a = 1\n", "pytest_pyfunc_call = lenient\n"),
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"b\"]\n",
                "[workspace]\nmembers = [\"a\"]\n",
            ),
            ("Cargo.toml", "[[test]]\nname = \"a\"\n", "[[test]]\nname = \"a\"\npath = \"b.rs\"\n"),
            ("package.json", "{\"workspaces\": [\"a\", \"b\"]}", "{\"workspaces\": [\"a\"]}"),
        ] {
            assert!(counts(path, before, after), "{path}: {after}");
        }
        let plugins = "import pytest_asyncio\n@pytest_asyncio.fixture\ndef x(): pass\n";
        assert!(!counts("tests/test_a.py", "", plugins));
    }
}
