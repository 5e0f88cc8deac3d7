use std::convert::Infallible;

use super::*;

/// Whether a change of `path` changes what this command does, with these files at the base.
fn decides(command: &str, files: &[(&str, &str)], path: &str) -> bool {
    let text = |path: &str| Some(files.iter().find(|it| it.0 == path)?.1.to_owned());
    let commands = [command.to_owned()];
    called_files(&commands, &[path], |path| Ok::<_, Infallible>(text(path))).unwrap().contains(path)
}

#[test]
fn what_a_command_names_decides_what_it_does() {
    for (command, path) in [
        ("sh check.sh", "check.sh"),
        ("./run_tests.sh --all", "run_tests.sh"),
        ("cd x && bash -e ci/a.sh", "ci/a.sh"),
        ("node --test test/all.js", "test/all.js"),
        ("sh -c 'sh check.sh'", "check.sh"),
        ("bash -o pipefail -c 'sh check.sh | cat'", "check.sh"),
        ("pytest -q tests/test_a.py", "tests/test_a.py"),
    ] {
        assert!(decides(command, &[], path), "{command}: {path}");
    }
    assert!(!decides("cargo test", &[], "src/lib.rs"));
}

const MAKEFILE: &str = "\
SCRIPT := ci/fast.sh
.PHONY: all test
all: app
app: src/main.c
\tcc --std=c17 -o app src/main.c
test: app unit # all of them
\t@$(SCRIPT)
\t-./ci/slow.sh && \\
\t  python3 ci/more.py
\t$(MAKE) lint
unit:
\tVERBOSE=1 bash ci/unit.sh
lint:
\tnode tools/lint.js src
release: ; ./ci/release.sh
";

#[test]
fn the_recipes_that_a_goal_runs_are_followed_to_their_scripts() {
    let files = [("Makefile", MAKEFILE)];
    for path in
        ["Makefile", "ci/fast.sh", "ci/slow.sh", "ci/more.py", "ci/unit.sh", "tools/lint.js"]
    {
        assert!(decides("make test", &files, path), "{path}");
        assert!(decides("make -j 4 V=1 test", &files, path), "{path}");
    }
    for path in ["src/main.c", "ci/release.sh", "app", "src"] {
        assert!(!decides("make test", &files, path), "{path}");
    }
    assert!(decides("make release", &files, "ci/release.sh"));
    assert!(decides("make", &[("Makefile", "test:\n\t./a.sh\nx:\n\t./b.sh\n")], "a.sh"));
    assert!(!decides("make", &[("Makefile", "test:\n\t./a.sh\nx:\n\t./b.sh\n")], "b.sh"));
    let below = [("sub/Makefile", "test:\n\t./a.sh\n")];
    assert!(decides("make -C sub test", &below, "sub/a.sh"));
    assert!(decides("make -f ci.mk test", &[("ci.mk", "test:\n\tsh a.sh\n")], "a.sh"));
}

#[test]
fn a_shell_script_is_followed_to_what_it_runs() {
    let script = "#!/bin/sh\nset -e\n# ./old.sh\n. ./lib/env.sh\nfor t in 1; do\n  \
                  \"$DIR/part.sh\"\ndone\nif python tools/all.py; then exit 0; fi\n\
                  pytest --rootdir=tests --config setup/py.ini\n";
    let files = [("ci/run.sh", script)];
    for path in ["ci/run.sh", "lib/env.sh", "ci/part.sh", "tools/all.py", "setup/py.ini"] {
        assert!(decides("ci/run.sh", &files, path), "{path}");
    }
    let asks = "#!/bin/sh\ngot=$(sh count.sh `sh three.sh`)\n[ \"$got\" = 3 ] || exit 1\n\
                \"$(dirname \"$0\")/more.sh\"\n$PYTHON tools/all.py\n";
    let asking = [("ci/check.sh", asks)];
    for path in ["ci/more.sh", "tools/all.py"] {
        assert!(decides("sh ci/check.sh", &asking, path), "{path}");
    }
    for path in ["count.sh", "three.sh"] {
        assert!(!decides("sh ci/check.sh", &asking, path), "{path} is what is tested");
    }
    for path in ["old.sh", "ci/old.sh", "exit", "src/a.py"] {
        assert!(!decides("ci/run.sh", &files, path), "{path}");
    }
    assert!(decides("bash -o pipefail ci/run.sh", &files, "lib/env.sh"));
    let named = [("check", "#!/usr/bin/env bash\n./a.sh\n")];
    assert!(decides("./check", &named, "a.sh"), "it is one by its first line");
    // One level, and no further.
    let two = [("a.sh", "./b.sh\n"), ("b.sh", "./c.sh\n")];
    assert!(decides("sh a.sh", &two, "b.sh") && !decides("sh a.sh", &two, "c.sh"));
}

#[test]
fn the_scripts_of_a_package_are_followed_to_the_files_they_name() {
    let package = r#"{"scripts": {
        "pretest": "node tools/prepare.js",
        "test": "npm run unit && mocha --require ./test/setup.js",
        "unit": "NODE_ENV=test node --test ./all.mjs",
        "build": "node tools/build.js"
    }}"#;
    let files = [("package.json", package)];
    for command in ["npm test --silent", "npm run test", "yarn test", "pnpm test", "npm t"] {
        for path in ["package.json", "tools/prepare.js", "test/setup.js", "all.mjs"] {
            assert!(decides(command, &files, path), "{command}: {path}");
        }
        assert!(!decides(command, &files, "tools/build.js"), "{command}");
    }
    let member = [("package.json", "{}"), ("packages/a/package.json", package)];
    for command in [
        "npm test --workspaces --if-present",
        "npm test --workspace=packages/a",
        "pnpm -r test",
        "pnpm --filter=./packages/a test",
        "yarn workspaces foreach --all run test",
    ] {
        for path in ["packages/a/package.json", "packages/a/tools/prepare.js", "packages/a/all.mjs"]
        {
            assert!(decides(command, &member, path), "{command}: {path}");
        }
        assert!(!decides(command, &member, "packages/a/tools/build.js"), "{command}");
        assert!(!decides(command, &member, "package.json"), "{command}");
    }
    assert!(!decides("npm test", &member, "packages/a/all.mjs"), "it runs the top's alone");
}

#[test]
fn what_leads_out_of_the_repository_or_in_a_circle_is_harmless() {
    for (command, text) in [
        ("make a", "a: b\n\t$(MAKE) b\nb: a\n\tsh ../../x.sh /etc/y.sh\n"),
        ("npm test", r#"{"scripts":{"test":"npm run test && npm test"}}"#),
        ("sh a.sh", "sh a.sh\n"),
    ] {
        let files = [("Makefile", text), ("package.json", text), ("a.sh", text)];
        assert!(!decides(command, &files, "x.sh"), "{command}");
        assert!(!decides(command, &files, "etc/y.sh"), "{command}");
    }
}

#[test]
fn variables_that_would_fill_the_memory_are_not_filled_in_and_what_they_name_counts() {
    let doubling: String =
        (0..40).map(|i| format!("A{i:02} = $(A{:02})$(A{:02})\n", i + 1, i + 1)).collect();
    for end in ["x", "", "$(A00)"] {
        let text = format!("B = ./b.sh\n{doubling}A40 = {end}\ntest:\n\tsh a.sh $(A00)\n\t$(B)\n");
        let files = [("Makefile", &*text)];
        for path in ["Makefile", "a.sh", "b.sh"] {
            assert!(decides("make test", &files, path), "{end}: {path}");
        }
        assert!(!decides("make test", &files, "c.sh"), "{end}");
    }
    // It cannot be seen that this line runs it.
    let hidden = format!("{doubling}A40 =\nS = ./hidden.sh\nT = $(S)\ntest:\n\t$(A00) $(T)\n");
    assert!(decides("make test", &[("Makefile", &hidden)], "hidden.sh"));
    let twice = "A = ./$(B)\nB = a.sh\ntest:\n\t$(A)\n";
    assert!(decides("make test", &[("Makefile", twice)], "a.sh"));
}

#[test]
fn a_makefile_of_many_targets_and_lines_is_read_once() {
    let targets: String = (0..100_000).map(|i| format!("t{i} ")).collect();
    let variables: String = (0..50_000).map(|i| format!("V{i} = v{i}\n")).collect();
    let recipe: String = (0..50_000).map(|i| format!("\techo $(V{i}) {i}\n")).collect();
    let text = format!("{variables}all: {targets}\n{targets}: x\n{recipe}\t./a.sh\n");
    assert!(decides("make all", &[("Makefile", &text)], "a.sh"));
}

#[test]
fn a_script_that_never_closes_its_brackets_or_starts_shells_in_shells_is_read_once() {
    let values = "$(a `b ".repeat(60_000);
    let shells = "sh -c ".repeat(60_000);
    let text = format!("#!/bin/sh\n{values}\n{shells} ./a.sh\n./b.sh\n");
    let files = [("run.sh", &*text)];
    assert!(decides("sh run.sh", &files, "a.sh") && decides("sh run.sh", &files, "b.sh"));
}

#[test]
fn of_a_change_whose_packages_say_too_much_every_file_counts() {
    let more = "x".repeat(1_000_000);
    let package = serde_json::json!({"scripts": {"test": "true"}, "more": more}).to_string();
    let deep: Vec<String> = (1..60).map(|depth| "d/".repeat(depth)).collect();
    let paths: Vec<String> = deep.iter().map(|at| format!("{at}package.json")).collect();
    let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, &*package)).collect();
    files.push(("package.json", "{}"));
    let changed = format!("{}other.js", deep[58]);
    assert!(decides("npm test --workspaces", &files, &changed));
    assert!(!decides("npm test --workspaces", &files[..3], &changed));
}

#[test]
fn what_the_settings_of_a_runner_name_decides_what_the_command_does() {
    let package =
        ("package.json", r#"{"scripts": {"test": "mocha"}, "jest": {"runner": "./r.js"}}"#);
    let mocharc = (".mocharc.json", r#"{"require": ["./boot.js"]}"#);
    let jest = ("app/jest.config.js", "module.exports = { setupFiles: ['./test/setup'] };\n");
    let inner = ("app/package.json", "{}");
    let files = [package, mocharc, jest, inner];
    for path in ["boot.js", "r.js", "app/test/setup.js"] {
        assert!(decides("npm test", &files, path), "{path}");
    }
    assert!(!decides("npm test", &files, "lib/mean.js"));
    let cargo = [("Cargo.toml", "[package]\nname = \"w\"\nbuild = \"ci/gen.rs\"\n")];
    assert!(decides("cargo test", &cargo, "ci/gen.rs"));
    assert!(!decides("cargo test", &cargo, "src/lib.rs"));
}
