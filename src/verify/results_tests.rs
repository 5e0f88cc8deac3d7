//! What the runners print, and what is concluded from it.

use proptest::prelude::*;

use super::*;

/// It stands beside the projects on which the runners were run.
#[path = "../../tests/runners/replayed.rs"]
mod replayed;

fn judged(line: &str, output: &str) -> TestRun {
    with_code(line, output, 0)
}

fn with_code(line: &str, output: &str, code: i32) -> TestRun {
    TestOutput::of(&EndedCommand { line, package_json: None, output, cut_bytes: 0, code }).run()
}

fn is_early(run: &TestRun) -> bool {
    matches!(run, TestRun::EndedEarly(_))
}

const TWO_TARGETS: &str = "\
\x20    Running unittests src/lib.rs (/tmp/target/debug/deps/widget-1f)

running 3 tests
test b ... ok
test a ... ok
test c ... ignored

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

\x20    Running tests/more.rs (/tmp/target/debug/deps/more-2f)

running 1 test
test same ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

#[test]
fn cargo_has_to_close_each_target_it_opens() {
    assert_eq!(judged("make test", TWO_TARGETS), TestRun::AsExitCode);
    let cut = "\nrunning 3 tests\ntest a ... ok\ntest b ...      \
               Running tests/more.rs (/tmp/target/debug/deps/more-2f)\n\nrunning 1 test\n\
               test same ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; \
               0 filtered out; finished in 0.00s\n";
    assert!(is_early(&judged("make test", cut)));
    let wrong_sum = TWO_TARGETS.replace("2 passed", "1 passed");
    assert!(is_early(&judged("cargo test", &wrong_sum)));
    let on_the_cut_line = "\nrunning 3 tests\ntest a ... running 1 test\ntest same ... ok\n\n\
                           test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n";
    assert!(is_early(&judged("cargo test", on_the_cut_line)));
    // Two at once mix their lines.
    let mixed = "running 3 tests\nrunning 1 test\ntest result: ok. 1 passed; 0 failed\n\
                 test result: ok. 3 passed; 0 failed\n";
    assert_eq!(judged("make -j test", mixed), TestRun::AsExitCode);
    // Other people's words.
    for said in ["we are running 3 tests\n", "running 3 tests from ./a_test.ts\n", "running late\n"]
    {
        assert_eq!(judged("make test", said), TestRun::AsExitCode, "{said}");
    }
}

#[test]
fn a_runner_that_counts_failures_outweighs_an_exit_code_of_0() {
    let cargo = TWO_TARGETS.replace("ok. 2 passed; 0 failed", "FAILED. 1 passed; 1 failed");
    for (line, output) in [
        ("cargo test | cat", &*cargo),
        ("pytest -q", "FAILED t.py::test_a\n1 failed, 2 passed in 0.01s\n"),
        ("pytest -q | cat", "ERROR t.py\n1 error in 0.01s\n"),
        ("pytest a && pytest b\ntrue", "1 failed in 0.01s\n"),
        ("pytest a; pytest b", "1 failed in 0.01s\n2 passed in 0.01s\n"),
        ("python -m unittest | cat", "Ran 2 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n"),
        ("make test", "Ran 2 tests in 0.1s\n\nFAILED (unexpected successes=1)\n"),
        ("npm test | cat", "Test Suites: 1 failed, 1 total\nTests:       0 total\n"),
        ("npm test | cat", "Tests:       1 failed, 1 passed, 2 total\n"),
        ("npm test | cat", "  1 passing (3ms)\n  1 failing\n"),
        ("npm test | cat", "      Tests  1 failed | 1 passed (2)\n"),
        ("npm test | cat", "# tests 2\n# pass 1\n# fail 1\n# cancelled 0\n"),
        ("npm test | cat", "ℹ tests 2\nℹ pass 1\nℹ fail 0\nℹ cancelled 1\n"),
        ("composer test | cat", "Tests: 3, Assertions: 2, Failures: 1.\n"),
        ("composer test | cat", "Tests: 3, Assertions: 2, Errors: 1, Skipped: 1.\n"),
        ("go test ./... | cat", "ok  \ta/b\t0.002s\nFAIL\ta/c\t0.002s\nFAIL\n"),
    ] {
        let run = judged(line, output);
        assert!(matches!(run, TestRun::HidesFailures(_)), "{line}: {output}: {run:?}");
    }
    // What runs inside of a test, and fails as that test wants it to.
    for (line, output) in [
        (
            "python -m unittest",
            "Ran 1 test in 0.1s\n\nFAILED (errors=1)\nRan 3 tests in 0.1s\n\nOK\n",
        ),
        ("npm test", "  1 failing\n  3 passing (3ms)\n"),
        ("npm test", "# tests 1\n# fail 1\n# tests 2\n# pass 2\n# fail 0\n"),
        ("make test", "1 failed in 0.01s\n2 passed in 0.01s\n"),
    ] {
        assert_eq!(judged(line, output), TestRun::AsExitCode, "{line}: {output}");
    }
}

#[test]
fn cargo_without_a_test_that_ran_is_no_test() {
    let target = |counts: &str, n: u32| {
        let running = format!("\nrunning {n} tests\n\n");
        format!(
            "     Running a (/t/deps/a-1)\n{running}test result: ok. {counts}; finished in 0.00s\n"
        )
    };
    let filtered = target("0 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out", 0);
    assert_eq!(judged("cargo test zzz", &filtered), TestRun::NoTest);
    let ignored = target("0 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out", 2);
    assert_eq!(judged("cargo test", &ignored), TestRun::NoTest);
    assert_eq!(judged("cargo test", &(filtered.clone() + TWO_TARGETS)), TestRun::AsExitCode);
    // A harness of its own may have tested what it likes.
    for own in [
        "     Running tests/own.rs (/t/deps/own-1)\nall well\n",
        "     Running tests/own.rs (/t/deps/own-1)\n   Doc-tests a\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed\n",
    ] {
        assert_eq!(judged("cargo test", &(filtered.clone() + own)), TestRun::AsExitCode, "{own}");
    }
    // By itself it says nothing at all.
    assert_eq!(
        judged("cargo test", "     Running tests/own.rs (/t/deps/own-1)\n"),
        TestRun::AsExitCode
    );
    // nextest's own code.
    assert_eq!(with_code("cargo nextest run", "error: no tests to run\n", 4), TestRun::NoTest);
    for line in ["cargo nextest run\ntrue", "make test"] {
        assert_eq!(with_code(line, "error: no tests to run\n", 4), TestRun::AsExitCode, "{line}");
    }
}

#[test]
fn pytest_has_to_close_and_not_by_its_own_exit_call() {
    for closing in [
        "1 passed in 0.01s",
        "======= 1 passed, 2 warnings in 61.02s (0:01:01) =======",
        "=== 1 xfailed, 1 skipped in 0.12 seconds ===",
        "1 passed, 3 subtests passed in 0.01s",
        "Results (0.05s):",
    ] {
        let said = format!(".\n{closing}\n");
        assert_eq!(judged("pytest -q", &said), TestRun::AsExitCode, "{closing}");
        let exit = format!("{said}!!!!!! _pytest.outcomes.Exit: bye !!!!!!\n");
        assert!(is_early(&judged("pytest -q", &exit)), "{closing}");
        assert!(is_early(&judged("make test", &exit)), "{closing}");
    }
    let header = "====== test session starts ======\ncollected 3 items\n\na.py .";
    assert!(is_early(&judged("make test", header)), "its header is enough to know it");
    for line in [
        "pytest -q",
        "python3.11 -m pytest",
        "cd x && .venv/bin/pytest",
        "A=1 uv run pytest",
        "timeout 60 pytest",
        "coverage run -m pytest",
    ] {
        assert!(is_early(&judged(line, ".")), "{line}");
    }
    // Where it is not known that it ran, and that its output is here.
    for line in [
        "pytest > log",
        "pytest | cat",
        "if [ -d t ]; then pytest; fi",
        "pip install pytest",
        "pytest --version",
        "pytest -qq",
        "pytest -q -q",
        "[ -d t ] && pytest\ntrue",
        "exit 0\npytest",
        "echo 'pytest'",
        "# pytest",
        "pytest || true",
        "a $(pytest)",
        "pytest & true",
    ] {
        assert_eq!(judged(line, "."), TestRun::AsExitCode, "{line}");
    }
    let twice = "pytest a\npytest b";
    assert!(is_early(&judged(twice, "1 passed in 0.01s\n")));
    assert_eq!(judged(twice, "1 passed in 0.01s\n1 passed in 0.01s\n"), TestRun::AsExitCode);
}

#[test]
fn pytest_and_unittest_say_that_there_was_no_test() {
    for closing in [
        "no tests ran in 0.01s",
        "1 skipped in 0.00s",
        "=== 3 deselected in 0.00s ===",
        "=== 3/5 tests collected (2 deselected) in 0.01s ===",
    ] {
        assert_eq!(judged("pytest", closing), TestRun::NoTest, "{closing}");
        assert_eq!(with_code("pytest", closing, 5), TestRun::NoTest, "{closing}");
        assert_eq!(with_code("make test", closing, 5), TestRun::AsExitCode, "{closing}");
        assert_eq!(with_code("pytest", closing, 2), TestRun::AsExitCode, "{closing}");
        assert_eq!(with_code("pytest\ntrue", closing, 5), TestRun::AsExitCode, "{closing}");
        let first = "cargo test && pytest";
        let both = format!("{TWO_TARGETS}{closing}");
        assert_eq!(with_code(first, &both, 5), TestRun::OthersPassed, "{closing}");
    }
    for said in ["1 passed in 0.01s", "", "1 skipped in 0.00s\n!!! _pytest.outcomes.Exit: a !!!"] {
        assert_eq!(with_code("pytest", said, 5), TestRun::AsExitCode, "{said}");
    }
    let ran = |n: u32, end: &str| format!("----\nRan {n} tests in 0.001s\n\n{end}\n");
    let line = "python3 -m unittest";
    assert_eq!(judged(line, &ran(2, "OK")), TestRun::AsExitCode);
    assert_eq!(judged(line, &ran(2, "OK (skipped=1)")), TestRun::AsExitCode);
    assert_eq!(judged(line, &ran(2, "OK (skipped=2)")), TestRun::NoTest);
    assert_eq!(judged(line, &ran(0, "OK")), TestRun::NoTest);
    assert_eq!(with_code(line, &ran(0, "NO TESTS RAN"), 5), TestRun::NoTest);
    assert!(is_early(&judged(line, "")) && is_early(&judged(line, "..")));
    assert_eq!(judged("sh test.sh", ""), TestRun::AsExitCode);
}

#[test]
fn javascript_runners_have_to_print_their_summary() {
    let jest = "Test Suites: 1 passed, 1 total\nTests:       1 passed, 1 total\n";
    let node =
        "TAP version 13\nok 1 - one\n# tests 1\n# suites 0\n# pass 1\n# fail 0\n# skipped 0\n";
    let mocha = "\n  ✔ adds\n\n  1 passing (2ms)\n";
    for (line, whole) in [
        ("npx jest", jest),
        ("yarn run jest --ci", jest),
        ("mocha", mocha),
        ("c8 mocha test", mocha),
        ("node --test", node),
        ("c8 node --test test/", node),
        ("node --test", "✔ one (1.2ms)\nℹ tests 1\nℹ pass 1\nℹ fail 0\n"),
    ] {
        assert_eq!(judged(line, whole), TestRun::AsExitCode, "{line}");
        assert!(is_early(&judged(line, "✔ one")), "{line}");
    }
    for line in [
        "jest --json",
        "mocha -R json",
        "mocha --reporter=dot",
        "node test.js",
        "vitest run",
        "node --test --test-reporter=dot",
        "npx eslint jest",
        "node --test --test-reporter dot",
    ] {
        assert_eq!(judged(line, ""), TestRun::AsExitCode, "{line}");
    }
    let exit = "  ●  process.exit called with \"0\"\n";
    assert!(is_early(&judged("make test", exit)));
    assert_eq!(judged("make test", &format!("{exit}{jest}")), TestRun::AsExitCode);
}

#[test]
fn javascript_runners_say_that_there_was_no_test() {
    for said in [
        "Tests:       2 skipped, 2 total\n",
        "Tests:       1 todo, 1 total\n",
        "No tests found, exiting with code 0\n",
        "No tests found related to files changed since last commit.\n",
        "  0 passing (1ms)\n  2 pending\n",
        " Test Files  1 skipped (1)\n      Tests  2 skipped (2)\n",
        "No test files found, exiting with code 0\n",
        "# tests 0\n# pass 0\n# fail 0\n",
        "ok 1 - one # SKIP test name does not match pattern\n# tests 1\n# pass 0\n# skipped 1\n",
        "ok 1 - /work/b.test.js\n# tests 1\n# pass 1\n# fail 0\n",
        "✔ b.test.js (138.3ms)\nℹ tests 1\nℹ pass 1\nℹ fail 0\n",
        "packages/a test: # tests 0\npackages/a test: # pass 0\n",
        "[a]: Tests:       1 todo, 1 total\n",
    ] {
        assert_eq!(judged("make test", said), TestRun::NoTest, "{said}");
    }
    for said in [
        "Tests:       1 passed, 1 skipped, 2 total\n",
        "  1 passing (1ms)\n",
        "      Tests  3 passed | 1 skipped (4)\n",
        "ok 1 - /work/b.test.js\nok 2 - one\n# tests 2\n# pass 2\n# fail 0\n",
        "✔ finds a.js (1.1ms)\nℹ tests 1\nℹ pass 1\n",
        "packages/a test: # tests 1\npackages/a test: # pass 1\n",
    ] {
        assert_eq!(judged("make test", said), TestRun::AsExitCode, "{said}");
    }
}

#[test]
fn ctest_without_a_test_is_no_test_though_it_exits_with_0() {
    let line = "cmake -S . -B b\ncmake --build b\nctest --test-dir b --output-on-failure";
    let head = "-- Configuring done\nInternal ctest changing into directory: /b\n";
    for (closing, run) in [
        ("No tests were found!!!", TestRun::NoTest),
        ("100% tests passed, 0 tests failed out of 2", TestRun::AsExitCode),
    ] {
        assert_eq!(judged(line, &format!("{head}{closing}\n")), run, "{closing}");
    }
    let hidden = judged(line, &format!("{head}50% tests passed, 1 tests failed out of 2\n"));
    assert!(matches!(hidden, TestRun::HidesFailures(_)), "{hidden:?}");
    assert!(is_early(&judged(line, head)));
    assert_eq!(judged("ctest -N", head), TestRun::AsExitCode, "it only lists them");
    let counted = "100% tests passed, 0 tests failed out of 19\n";
    let ended = EndedCommand { line, package_json: None, output: counted, cut_bytes: 0, code: 0 };
    assert_eq!(TestOutput::of(&ended).tests(), Some(19));
}

#[test]
fn phpunit_and_go_are_read_too() {
    let head = "PHPUnit 9.6.7 by Sebastian Bergmann and contributors.\n\n";
    for line in ["vendor/bin/phpunit", "php vendor/bin/phpunit tests", "make test"] {
        assert_eq!(is_early(&judged(line, &format!("{head}."))), line != "make test", "{line}");
        for (closing, run) in [
            ("OK (3 tests, 3 assertions)", TestRun::AsExitCode),
            ("OK (1 test, 0 assertions)", TestRun::AsExitCode),
            ("Tests: 3, Assertions: 2, Skipped: 1.", TestRun::AsExitCode),
            ("Tests: 3, Assertions: 0, Skipped: 3.", TestRun::NoTest),
            ("No tests executed!", TestRun::NoTest),
        ] {
            assert_eq!(judged(line, &format!("{head}.\n\n{closing}\n")), run, "{closing}");
        }
    }
    assert!(is_early(&judged("phpunit", "")), "it is known by its command alone");
    assert_eq!(judged("phpunit --version\nmake test", head), TestRun::AsExitCode);
    let (ran, none) = ("ok  \ta\t0.002s\n", "ok  \ta\t0.002s [no tests to run]\n");
    let no_files = "?   \tb\t[no test files]\n";
    for (said, run) in [
        (ran.to_owned(), TestRun::AsExitCode),
        (format!("{none}{ran}"), TestRun::AsExitCode),
        (format!("{none}{no_files}"), TestRun::NoTest),
        (no_files.to_owned(), TestRun::NoTest),
    ] {
        assert_eq!(judged("go test -run zzz ./...", &said), run, "{said}");
    }
}

#[test]
fn the_scripts_of_a_package_are_looked_into() {
    let package = r#"{"scripts": {"test": "npm run unit -- --ci", "unit": "jest --coverage",
        "loop": "npm run loop", "json": "jest"}}"#;
    let judged = |line: &str| {
        let ended =
            EndedCommand { line, package_json: Some(package), output: "", cut_bytes: 0, code: 0 };
        TestOutput::of(&ended).run()
    };
    for line in [
        "npm test --silent",
        "npm t",
        "npm run unit",
        "yarn unit",
        "pnpm test",
        "npm ci && npm test",
    ] {
        assert!(is_early(&judged(line)), "{line}");
    }
    for line in [
        "npm run loop",
        "npm run json -- --json",
        "npm run nothing",
        "cd packages/a && npm test",
        "npm test --workspace packages/a",
        "npm test --prefix x",
    ] {
        assert_eq!(judged(line), TestRun::AsExitCode, "{line}");
    }
}

#[test]
fn what_was_cut_out_of_the_output_is_not_taken_for_an_early_end() {
    let cut = |output, cut_bytes| {
        let line = "cargo test";
        TestOutput::of(&EndedCommand { line, package_json: None, output, cut_bytes, code: 0 }).run()
    };
    let open = "running 3 tests\n";
    assert!(matches!(cut(open, 7), TestRun::Unseen(why) if why.contains("7 bytes")));
    assert_eq!(
        cut("running 0 tests\ntest result: ok. 0 passed; 0 failed\n", 7),
        TestRun::AsExitCode
    );
    assert_eq!(cut(TWO_TARGETS, 7), TestRun::AsExitCode);
}

#[test]
fn no_end_mark_makes_a_red_result_green() {
    let everything = format!("{TWO_TARGETS}1 passed in 0.01s\nRan 3 tests in 0.1s\n\nOK\n");
    for code in [1, 2, 3, 4, 5, 101, 255] {
        for line in ["cargo test", "pytest -q", "python3 -m unittest", "npx jest", "make test"] {
            assert_eq!(with_code(line, &everything, code), TestRun::AsExitCode, "{line} {code}");
        }
    }
}

#[test]
fn colours_hide_no_mark() {
    let coloured = "\u{1b}[32m\u{1b}[1m1 passed\u{1b}[0m\u{1b}[32m in 0.01s\u{1b}[0m\n";
    assert_eq!(judged("pytest -q", coloured), TestRun::AsExitCode);
}

proptest! {
    #[test]
    fn whatever_is_printed_a_failing_exit_code_stays_one(
        line in r#"((cargo test|pytest|npm test|node --test|'|"|\\|&&|;|\n|\$|#|x=1) ?){0,6}"#,
        output in r"((running|test result:|[0-9]|tests?|passed|in|s|# |Tests:|=|!|\n|.) ?){0,20}",
        code in (1..256_i32).prop_filter("a code for no test", |code| ![4, 5].contains(code)),
    ) {
        prop_assert_eq!(with_code(&line, &output, code), TestRun::AsExitCode);
        let _ = judged(&line, &output);
    }
}

fn red(output: &str) -> EndedCommand<'_> {
    EndedCommand { line: "make test", package_json: None, output, cut_bytes: 0, code: 1 }
}

fn failed(output: &str) -> Option<Vec<String>> {
    TestOutput::of(&red(output)).failed_tests().map(|names| names.into_iter().collect())
}

fn missing_in(output: &str) -> Vec<String> {
    TestOutput::of(&red(output)).missing().into_iter().collect()
}

const TWO_FAILED: &str = "\
running 3 tests
test tests::a ... FAILED
test tests::b ... ok
test tests::c ... FAILED

failures:

---- tests::a stdout ----
    not::a::name

failures:
    tests::a
    tests::c

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

#[test]
fn the_failed_tests_are_named_where_all_of_them_are_known() {
    let both = Some(vec!["tests::a".to_owned(), "tests::c".to_owned()]);
    assert_eq!(failed(TWO_FAILED), both);
    let pytest = "FAILED t.py::test_a[1] - assert 1 == 2\nERROR t.py::test_b - OSError\n\
                  1 failed, 3 passed, 1 error in 0.12s\n";
    let both = Some(vec!["t.py::test_a[1]".to_owned(), "t.py::test_b".to_owned()]);
    assert_eq!(failed(pytest), both);
    let go =
        "--- FAIL: TestAdd (0.00s)\n    a_test.go:7: 3\nFAIL\nFAIL\texample.com/a\t0.002s\nFAIL\n";
    assert_eq!(failed(go), Some(vec!["TestAdd".to_owned()]));
}

#[test]
fn of_a_run_that_failed_in_more_than_its_tests_no_name_is_told() {
    for (what, output) in [
        (
            "a target that does not compile",
            format!("{TWO_FAILED}error: could not compile `w` (test)\n"),
        ),
        (
            "a target that was killed",
            format!(
                "{TWO_FAILED}  process didn't exit successfully: `/t/b-1f` (signal: 6, SIGABRT)\n"
            ),
        ),
        (
            "one name in two targets",
            format!("{TWO_FAILED}\nrunning 1 test\ntest tests::a ... ok\n"),
        ),
        ("a count of its own", TWO_FAILED.replace("2 failed", "3 failed")),
        (
            "a package that does not build",
            "--- FAIL: TestAdd (0.00s)\nFAIL\texample.com/b [build failed]\n".to_owned(),
        ),
        (
            "one name in two packages",
            "--- FAIL: TestAdd (0.00s)\n--- FAIL: TestAdd (0.00s)\nFAIL\n".to_owned(),
        ),
        ("nothing known", "Segmentation fault\n".to_owned()),
    ] {
        assert_eq!(failed(&output), None, "{what}");
    }
    let cut = EndedCommand { cut_bytes: 1, ..red(TWO_FAILED) };
    assert_eq!(TestOutput::of(&cut).failed_tests(), None, "cut");
    let file = failed("ERROR t.py - NameError\n1 error in 0.1s\n");
    assert_eq!(file, Some(["t.py".to_owned()].into()), "a file that cannot be loaded is one name");
}

#[test]
fn packages_that_are_not_there_are_named_and_the_projects_own_files_are_not() {
    let python = "E   ModuleNotFoundError: No module named 'requests'\n1 error in 0.1s\n";
    assert_eq!(missing_in(python), ["requests"]);
    for there in ["No module named 'requests.auth'", "No module named 'a.b'; 'a' is not a package"]
    {
        assert_eq!(missing_in(there), Vec::<String>::new(), "what it is part of is there");
    }
    assert_eq!(missing_in("/usr/bin/python3: No module named pytest\n"), ["pytest"]);
    let node = "Error: Cannot find module '@a/b/c'\nError: Cannot find module './own.js'\n\
                Cannot find package 'chai' imported from /work/a.mjs\n";
    assert_eq!(missing_in(node), ["@a/b", "chai"]);
    let cargo = "error: no matching package named `rand` found\nlocation searched: x\n\
                 As a reminder, you're using offline mode (--offline) which can sometimes cause\n";
    assert_eq!(missing_in(cargo), ["rand"]);
    let go = "a.go:3:8: github.com/x/y@v1.0.0: module lookup disabled by GOPROXY=off\n";
    assert_eq!(missing_in(go), ["github.com/x/y"]);
}
