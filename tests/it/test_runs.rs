//! What a check that exits 0 is worth: whether its tests ran, and ran to their end.
//!
//! cargo, pytest, unittest and node are the machine's own. What jest, mocha and vitest print is
//! replayed by a script of their name.

use serde_json::{Value, json};

use crate::program::{Local, an_idle_edit};

const ONE_ATTEMPT: (&str, &str) = (".github/gander.toml", "[agent]\nattempts = 1\n");
const CRATE: (&str, &str) = (
    "Cargo.toml",
    "[package]\nname = \"widget\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
);

/// Runs the program on one idle change.
fn run(files: &[(&str, &str)], more: &[&str]) -> (String, Value) {
    let local = Local::with(&[files, &[ONE_ATTEMPT]].concat());
    local.edited(&an_idle_edit(), more)
}

fn ended_early(files: &[(&str, &str)], more: &[&str]) {
    let (text, report) = run(files, more);
    assert_eq!(report["result"], "no_verified_change", "{more:?}: {text}");
    assert!(text.contains("the run ended early"), "{more:?}: {text}");
}

fn ran_no_test(files: &[(&str, &str)], more: &[&str]) {
    let (text, report) = run(files, more);
    assert_eq!(report["result"], "verified", "{more:?}: {text}");
    assert_eq!(report["note"], "no test was run", "{more:?}: {report:#}");
    assert!(text.contains("Checks passed, no test was run: 1 file(s)"), "{more:?}: {text}");
}

fn ran_tests(files: &[(&str, &str)], more: &[&str]) {
    let (text, report) = run(files, more);
    assert_eq!(report["result"], "verified", "{more:?}: {text}");
    assert_eq!(report.get("note"), None, "{more:?}: {report:#}");
}

/// A program of this name that prints this text.
fn replayed<'a>(name: &'a str, script: &'a str) -> ([(&'a str, &'a str); 1], String) {
    let line = format!("chmod +x bin/{name}\nPATH=$PWD/bin:$PATH {name}");
    ([(name, script)], line)
}

#[test]
fn a_change_that_leaves_the_bug_and_ends_cargos_tests_early_does_not_pass() {
    let bug = "pub fn add(a: u8, b: u8) -> u8 {\n    a - b\n}\n\n\
               #[test]\nfn b_adds() {\n    assert_eq!(add(2, 2), 4);\n}\n";
    let local = Local::with(&[CRATE, ("src/lib.rs", bug), ONE_ATTEMPT]);
    let early = "#[test]\nfn a_ends() {\n    std::process::exit(0);\n}\n";
    let append = format!("{bug}\n{early}");
    let edits = [
        json!({"tool": "edit", "path": "src/lib.rs", "action": "delete"}),
        json!({"tool": "edit", "path": "src/lib.rs", "action": "create", "new": append}),
    ];
    // One thread, so that the early end always comes before the red test.
    let lines: &[&[&str]] = &[
        &["--verify", "cargo test --offline -- --test-threads=1"],
        &["--verify", "cargo test --offline --quiet -- --test-threads=1"],
        &["--verify", "sh -c 'cargo test --offline -- --test-threads=1'"],
    ];
    for more in lines {
        let (text, report) = local.edited(&edits, more);
        assert_eq!(report["result"], "no_verified_change", "{more:?}: {text}");
        assert!(text.contains("the run ended early"), "{more:?}: {text}");
    }
}

#[test]
fn a_cargo_target_that_is_cut_off_among_others_is_seen() {
    let good = "#[test]\nfn same() {}\n";
    let early = "#[test]\nfn same() {\n    std::process::exit(0);\n}\n";
    let files = [CRATE, ("src/lib.rs", ""), ("tests/a.rs", early), ("tests/b.rs", good)];
    ended_early(&files, &[]);
    let harness = "\n[[test]]\nname = \"own\"\nharness = false\n";
    let manifest = format!("{}{harness}", CRATE.1);
    let own = "fn main() {}\n";
    let files = [
        ("Cargo.toml", &*manifest),
        ("src/lib.rs", ""),
        ("tests/b.rs", good),
        ("tests/own.rs", own),
    ];
    ran_tests(&files, &[]);
}

#[test]
fn pytest_that_ends_before_its_last_line_or_by_its_own_exit_does_not_pass() {
    let head = "import os\nimport pytest\n\ndef test_a():\n    pass\n\n";
    for end in ["os._exit(0)", "pytest.exit('bye', returncode=0)"] {
        let tests = format!("{head}def test_b():\n    {end}\n\ndef test_c():\n    assert 0\n");
        let files = [("test_widget.py", &*tests)];
        for more in
            [&[][..], &["--verify", "pytest"], &["--verify", "/usr/bin/python3 -m pytest -v"]]
        {
            ended_early(&files, more);
        }
    }
    // What the closing line needs, whatever the project's own settings say.
    let quiet = [
        ("pytest.ini", "[pytest]\naddopts = -q -q\n"),
        ("test_widget.py", "def test_a():\n    pass\n"),
    ];
    ran_tests(&quiet, &[]);
    ran_tests(&quiet[1..], &["--verify", "pytest -qq"]);
}

#[test]
fn unittest_that_says_nothing_does_not_pass() {
    let tests = |body: &str| {
        format!(
            "import os\nimport unittest\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        {body}\n"
        )
    };
    let line = ["--verify", "python3 -m unittest"];
    ended_early(&[("test_widget.py", &tests("os._exit(0)"))], &line);
    ran_tests(&[("test_widget.py", &tests("pass"))], &line);
    ran_no_test(&[("widget.py", "")], &line);
    let skipped = tests("self.skipTest('not here')");
    ran_no_test(&[("test_widget.py", &skipped)], &line);
}

#[test]
fn javascript_runners_without_their_summary_do_not_pass() {
    let jest = "#!/bin/sh\ncat <<'END'\n  ●  process.exit called with \"0\"\n\n\
                \x20     at Object.exit (a.test.js:2:11)\nEND\n";
    let (_, line) = replayed("jest", jest);
    ended_early(&[("bin/jest", jest)], &["--verify", &line]);
    // Behind a script nobody can look into, its own words are left.
    ended_early(&[("bin/jest", jest)], &["--verify", "sh bin/jest"]);
    let mocha = "#!/bin/sh\nprintf '\\n\\n  widget\\n    ✔ adds\\n'\n";
    let (_, line) = replayed("mocha", mocha);
    ended_early(&[("bin/mocha", mocha)], &["--verify", &line]);
    // The script of a package is what runs.
    let package = r#"{"scripts": {"test": "chmod +x bin/mocha && PATH=$PWD/bin:$PATH mocha"}}"#;
    ended_early(&[("bin/mocha", mocha), ("package.json", package)], &[]);
    // No summary of node's own, though node was to give one.
    let node = "#!/bin/sh\necho TAP version 13\n";
    let line = "chmod +x bin/node\nPATH=$PWD/bin:$PATH node --test";
    ended_early(&[("bin/node", node)], &["--verify", line]);
}

#[test]
fn a_run_of_cargo_or_pytest_without_any_test_is_called_that() {
    ran_no_test(&[CRATE, ("src/lib.rs", "")], &[]);
    let one = "#[test]\nfn a() {}\n";
    ran_no_test(&[CRATE, ("src/lib.rs", one)], &["--verify", "cargo test --offline zzz"]);
    let ignored = "#[test]\n#[ignore]\nfn a() {}\n";
    ran_no_test(&[CRATE, ("src/lib.rs", ignored)], &[]);

    // pytest's own code for this is 5, and it is no failure of a change.
    let skips = "import pytest\npytest.importorskip('no_such_module')\n\ndef test_a():\n    pass\n";
    ran_no_test(&[("test_widget.py", skips)], &[]);
    ran_no_test(&[("test_widget.py", "")], &["--verify", "pytest -k nothing"]);
    let marked = "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    pass\n";
    ran_no_test(&[("test_widget.py", marked)], &[]);
}

#[test]
fn a_five_that_is_not_pytests_word_that_nothing_ran_is_red() {
    for (test, line) in [
        ("import os\ndef test_a():\n    os._exit(5)\n", "pytest -q"),
        ("import pytest\npytest.importorskip('no_such_module')\n", "pytest -q; exit 5"),
        ("", "pytest -q || sh -c 'exit 5'"),
    ] {
        let (text, report) = run(&[("test_widget.py", test)], &["--verify", line]);
        assert_eq!(report["result"], "no_verified_change", "{line}: {text}");
        assert!(text.contains("exit code 5"), "{line}: {text}");
    }
    // Lines after pytest were not reached.
    let skips = "import pytest\npytest.importorskip('no_such_module')\n";
    let (text, report) = run(&[("test_widget.py", skips)], &["--verify", "pytest -q\ntrue"]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
}

#[test]
fn a_run_of_a_javascript_runner_without_any_test_is_called_that() {
    let test = "const test = require('node:test');\ntest('one', () => {});\n";
    let node = |script: &str| format!(r#"{{"scripts": {{"test": "{script}"}}}}"#);
    let package = node("node --test --test-name-pattern=zzz");
    ran_no_test(&[("package.json", &package), ("a.test.js", test)], &[]);
    // A file in which nothing is a test counts as one passed test of node's.
    ran_no_test(&[("package.json", &node("node --test")), ("a.test.js", "")], &[]);
    ran_no_test(
        &[("package.json", &node("node --test --test-reporter=spec")), ("a.test.js", "")],
        &[],
    );
    ran_tests(&[("package.json", &node("node --test")), ("a.test.js", test)], &[]);

    for said in [
        "Test Suites: 1 skipped, 0 of 1 total\nTests:       2 skipped, 2 total\n",
        "Test Suites: 1 passed, 1 total\nTests:       1 todo, 1 total\n",
        "No tests found, exiting with code 0\n",
    ] {
        let jest = format!("#!/bin/sh\ncat <<'END'\n{said}END\n");
        let (_, line) = replayed("jest", &jest);
        ran_no_test(&[("bin/jest", &jest)], &["--verify", &line]);
    }
    let mocha = "#!/bin/sh\nprintf '\\n\\n  0 passing (1ms)\\n\\n'\n";
    let (_, line) = replayed("mocha", mocha);
    ran_no_test(&[("bin/mocha", mocha)], &["--verify", &line]);
    let vitest = "#!/bin/sh\nprintf ' Test Files  1 skipped (1)\\n      Tests  2 skipped (2)\\n'\n";
    let (_, line) = replayed("vitest", vitest);
    ran_no_test(&[("bin/vitest", vitest)], &["--verify", &line]);
}

#[test]
fn both_streams_of_a_check_are_kept_in_the_order_in_which_they_came() {
    let line = "echo one; echo two >&2; echo three; echo four >&2; false";
    let (text, _) = run(&[], &["--verify", line]);
    assert!(text.contains("one\n  two\n  three\n  four"), "{text}");
    // cargo names the target on one stream and the test on the other.
    let good = "#[test]\nfn same() {}\n";
    let red = "#[test]\nfn same() {\n    panic!();\n}\n";
    let files = [CRATE, ("src/lib.rs", ""), ("tests/a.rs", good), ("tests/b.rs", red)];
    let (text, _) = run(&files, &[]);
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words:?}: {text}"));
    assert!(at("Running tests/b.rs") < at("test same ... FAILED"), "{text}");
    assert!(at("test same ... FAILED") < at("error: test failed"), "{text}");
}

#[test]
fn the_members_of_an_npm_workspace_are_tested_where_the_top_has_no_test_script() {
    let red =
        "const test = require('node:test');\ntest('red', () => { throw new Error('red'); });\n";
    let member = r#"{"name": "a", "version": "1.0.0", "scripts": {"test": "node --test"}}"#;
    let placeholder = r#"{"name": "b", "version": "1.0.0", "scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#;
    let top = r#"{"private": true, "workspaces": ["packages/*"]}"#;
    let files =
        [("package.json", top), ("packages/a/package.json", member), ("packages/a/a.test.js", red)];
    let (text, report) = run(&files, &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("npm test --workspaces --if-present"), "{text}");

    // What npm writes into every new package is no test, and would fail.
    let green = "require('node:test')('green', () => {});\n";
    let files = [
        ("package.json", top),
        ("packages/a/package.json", member),
        ("packages/a/a.test.js", green),
        ("packages/b/package.json", placeholder),
    ];
    ran_tests(&files, &[]);
    ran_no_test(&[("package.json", top), ("packages/b/package.json", placeholder)], &[]);
}

#[test]
fn a_change_whose_failures_an_exit_code_of_0_hides_does_not_pass() {
    let ends = "import atexit\nimport os\n\natexit.register(os._exit, 0)\nx = 2\n";
    let pytest = "import widget\n\ndef test_x():\n    assert widget.x == 1\n";
    let files = [("widget.py", "x = 1\n"), ("test_widget.py", pytest), ONE_ATTEMPT];
    let unit = "import unittest\nimport widget\n\nclass Widget(unittest.TestCase):\n    \
                def test_x(self):\n        self.assertEqual(widget.x, 1)\n";
    let with_unittest = [files[0], ("test_widget.py", unit), ONE_ATTEMPT];
    for (files, text, line) in [
        (files, ends, "pytest -q"),
        (files, "x = 2\n", "pytest -q | cat"),
        (files, "x = 2\n", "pytest -q && true\ntrue"),
        (with_unittest, "x = 2\n", "python3 -m unittest 2>&1 | cat"),
    ] {
        let edits = [
            json!({"tool": "edit", "path": "widget.py", "action": "delete"}),
            json!({"tool": "edit", "path": "widget.py", "action": "create", "new": text}),
        ];
        let (text, report) = Local::with(&files).edited(&edits, &["--verify", line]);
        assert_eq!(report["result"], "no_verified_change", "{line}: {text}");
        assert!(text.contains("the command exited with 0, but"), "{line}: {text}");
    }
}

#[test]
fn a_new_file_that_would_be_the_test_runner_or_pythons_own_is_refused() {
    let lies = "print('===== 1 passed in 0.01s =====')\nraise SystemExit(0)\n";
    let test = ("test_widget.py", "import widget\n\ndef test_x():\n    assert widget.x == 1\n");
    let files = [("widget.py", "x = 2\n"), test, ONE_ATTEMPT];
    for path in
        ["pytest.py", "argparse.py", "src/pluggy.py", "_pytest/__init__.py", "json/__init__.py"]
    {
        let edits = [json!({"tool": "edit", "path": path, "action": "create", "new": lies})];
        let (text, report) = Local::with(&files).edited(&edits, &[]);
        assert_eq!(report["result"], "no_verified_change", "{path}: {text}");
        assert!(text.contains("would be loaded in the place of a module"), "{path}: {text}");
    }
}

#[test]
fn a_program_that_npm_would_find_first_is_refused() {
    let package = r#"{"scripts": {"test": "node --test"}}"#;
    let red = "require('node:test')('a', () => { throw new Error('a'); });\n";
    let files = [("package.json", package), ("a.test.js", red), ONE_ATTEMPT];
    let new = "#!/bin/sh\nexit 0\n";
    let path = "node_modules/.bin/node";
    let edits = [
        json!({"tool": "edit", "path": path, "action": "create", "new": new}),
        json!({"tool": "run", "command": format!("chmod +x {path}")}),
    ];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("is in `node_modules`"), "{text}");
}
