//! What real runners printed and reported in situations that one would not guess, replayed. They
//! are run by `scripts/test-runners.sh`, on the projects beside this file.

use super::super::*;
use crate::core::test_results::{FailureCause, TestState};

use FailureCause::{Assertion, NotLoaded};
use TestState::{ExpectedFailure, Failed, Passed, Skipped};

/// A runner, by the command that starts it, and what was recorded of it.
#[derive(Clone, Copy)]
struct Recorded {
    line: &'static str,
    record: &'static str,
    /// Where its report is looked for; of those without one it does not count.
    place: fn(&mut Reports) -> &mut Option<Vec<u8>>,
}

const CARGO: Recorded = Recorded {
    line: "cargo test",
    record: include_str!("../../src/verify/results/recorded/cargo.txt"),
    place: |reports| &mut reports.pytest,
};
const NEXTEST: Recorded = Recorded {
    line: "cargo nextest run",
    record: include_str!("../../src/verify/results/recorded/nextest_situations.txt"),
    place: |reports| &mut reports.pytest,
};
const PYTEST: Recorded = Recorded {
    line: "pytest",
    record: include_str!("../../src/verify/results/recorded/pytest.txt"),
    place: |reports| &mut reports.pytest,
};
const UNITTEST: Recorded = Recorded {
    line: "python -m unittest",
    record: include_str!("../../src/verify/results/recorded/unittest.txt"),
    place: |reports| &mut reports.pytest,
};
const JEST: Recorded = Recorded {
    line: "npx jest",
    record: include_str!("../../src/verify/results/recorded/jest.txt"),
    place: |reports| &mut reports.jest,
};
const VITEST: Recorded = Recorded {
    line: "npx vitest run",
    record: include_str!("../../src/verify/results/recorded/vitest.txt"),
    place: |reports| &mut reports.vitest,
};
const MOCHA: Recorded = Recorded {
    line: "npx mocha",
    record: include_str!("../../src/verify/results/recorded/mocha.txt"),
    place: |reports| &mut reports.jest,
};
const NODE: Recorded = Recorded {
    line: "node --test",
    record: include_str!("../../src/verify/results/recorded/node.txt"),
    place: |reports| &mut reports.jest,
};
const GO: Recorded = Recorded {
    line: "go test ./...",
    record: include_str!("../../src/verify/results/recorded/go_situations.txt"),
    place: |reports| &mut reports.gotestsum,
};
const PHPUNIT: Recorded = Recorded {
    line: "phpunit",
    record: include_str!("../../src/verify/results/recorded/phpunit_situations.txt"),
    place: |reports| &mut reports.phpunit,
};
const RSPEC: Recorded = Recorded {
    line: "rspec",
    record: include_str!("../../src/verify/results/recorded/rspec_situations.txt"),
    place: |reports| &mut reports.rspec,
};

/// What is concluded from one situation.
struct Told {
    code: i32,
    run: TestRun,
    ended_within: bool,
    report: Option<&'static str>,
    results: Option<TestResults>,
    failed: Option<BTreeSet<String>>,
}

/// `=== name (exit 1)`
fn heading(line: &str) -> Option<(&str, i32)> {
    let (name, code) = line.strip_prefix("=== ")?.strip_suffix(')')?.split_once(" (exit ")?;
    Some((name, code.parse().ok()?))
}

impl Recorded {
    fn replay(self, name: &str) -> Told {
        let mut code = None;
        let (mut from, mut to, mut at) = (0, self.record.len(), 0);
        for line in self.record.split_inclusive('\n') {
            if let Some((named, exit)) = heading(line.trim_end()) {
                if code.is_some() {
                    to = at;
                    break;
                }
                if named == name {
                    (code, from) = (Some(exit), at + line.len());
                }
            }
            at += line.len();
        }
        let code = code.unwrap_or_else(|| panic!("{name} was not recorded"));
        let said = &self.record[from..to];
        let (output, report) = match said.split_once("--- report\n") {
            Some((output, report)) => (output, Some(report)),
            None => (said, None),
        };
        let mut reports = Reports { tree: "/work/tree".into(), ..Reports::default() };
        *(self.place)(&mut reports) = report.map(|it| it.trim().as_bytes().to_vec());
        let Recorded { line, .. } = self;
        let ended = EndedCommand { line, package_json: None, output, cut_bytes: 0, code };
        let told = TestOutput::of(&ended);
        Told {
            code,
            run: told.run(),
            ended_within: told.ended_within(&reports).is_some(),
            report,
            results: told.results(&reports),
            failed: told.failed_tests(),
        }
    }
}

impl Told {
    /// That its exit status decides, and is this one.
    fn exits_with(self, code: i32) -> Self {
        assert_eq!((&self.run, self.code), (&TestRun::AsExitCode, code));
        self
    }

    fn ran_no_test(self) -> Self {
        assert_eq!(self.run, TestRun::NoTest, "exit {}", self.code);
        self
    }

    fn ended_early(self) -> Self {
        assert!(matches!(self.run, TestRun::EndedEarly(_)), "{:?}, exit {}", self.run, self.code);
        assert_eq!(self.code, 0);
        self
    }

    fn states(&self) -> Vec<(&str, TestState)> {
        self.results.iter().flat_map(TestResults::iter).map(|(id, it)| (id, it.state)).collect()
    }

    fn cause(&self, id: &str) -> FailureCause {
        let result = self.results.as_ref().and_then(|it| it.get(id));
        let result = result.unwrap_or_else(|| panic!("{id} is not in {:?}", self.states()));
        result.failure.clone().unwrap_or_else(|| panic!("{id}: {:?}", result.state)).cause
    }

    fn is_retried(&self, id: &str) -> bool {
        self.results.as_ref().is_some_and(|it| it.is_retried(id))
    }
}

fn missing(name: &str) -> FailureCause {
    FailureCause::Missing(name.to_owned())
}

fn exception(name: &str) -> FailureCause {
    FailureCause::Exception(name.to_owned())
}

#[test]
fn pytest_tells_each_test_and_why_it_failed() {
    let told = PYTEST.replay("all").exits_with(1);
    assert_eq!(
        told.states(),
        [
            ("test_all.py::TestCase::test_equal", Failed),
            ("test_all.py::TestInside::TestDeeper::test_n", Passed),
            ("test_all.py::test_does_not_raise", Failed),
            ("test_all.py::test_meets_what_is_missing_in_the_code_itself", Failed),
            ("test_all.py::test_needs_what_is_missing", Failed),
            ("test_all.py::test_of_two", Passed),
            ("test_all.py::test_raises", Failed),
            ("test_all.py::test_red", Failed),
            ("test_all.py::test_setup", Failed),
        ]
    );
    let cause = |name: &str| told.cause(&format!("test_all.py::{name}"));
    for name in ["test_red", "test_does_not_raise", "TestCase::test_equal"] {
        assert_eq!(cause(name), Assertion, "{name}");
    }
    assert_eq!(cause("test_needs_what_is_missing"), missing("AttributeError"));
    let own = cause("test_meets_what_is_missing_in_the_code_itself");
    assert_eq!(own, exception("AttributeError"));
    assert_eq!(cause("test_raises"), exception("ZeroDivisionError"));
    assert_eq!(cause("test_setup"), exception("RuntimeError"));
    assert_eq!(told.failed.unwrap().len(), 7);
}

#[test]
fn a_file_that_pytest_cannot_import_is_red_by_its_name_and_by_no_test() {
    // PY1
    let alone = [("not_loaded/test_new.py", Failed)];
    let told = PYTEST.replay("not-loaded").exits_with(2);
    assert_eq!(told.states(), alone, "nothing runs");
    assert_eq!(told.cause("not_loaded/test_new.py"), NotLoaded);
    // PY2, and the option by which Gander has the others run.
    for name in ["not-loaded-xdist", "not-loaded-goes-on"] {
        let told = PYTEST.replay(name).exits_with(1);
        let both = [("not_loaded/test_good.py::test_fine", Passed), alone[0]];
        assert_eq!(told.states(), both, "{name}");
        assert_eq!(told.cause("not_loaded/test_new.py"), NotLoaded, "{name}");
    }
    // PY3
    let told = PYTEST.replay("id-in-what-is-not-loaded").exits_with(4);
    assert_eq!(told.states(), alone);
}

#[test]
fn pytest_that_is_asked_for_a_test_that_is_gone_runs_none_and_is_red() {
    // PY4
    let told = PYTEST.replay("id-that-is-gone").exits_with(4);
    assert_eq!(told.results, None);
    assert!(told.report.unwrap().contains("tests=\"0\""));
}

#[test]
fn a_file_of_pytests_that_skips_itself_ran_no_test() {
    // PY5
    assert_eq!(PYTEST.replay("skips-itself").ran_no_test().code, 5);
    assert_eq!(PYTEST.replay("skip-mark").ran_no_test().code, 0);
    assert_eq!(PYTEST.replay("matches-nothing").ran_no_test().code, 5);
}

#[test]
fn what_fails_when_a_test_is_torn_down_hides_no_assertion() {
    // PY6
    let told = PYTEST.replay("teardown").exits_with(1);
    assert_eq!(told.cause("test_teardown.py::test_green"), exception("RuntimeError"));
    // PY7: there are two entries with one id.
    let told = PYTEST.replay("red-and-teardown").exits_with(1);
    assert_eq!(told.states().len(), 1);
    assert_eq!(told.cause("test_red_and_teardown.py::test_red"), Assertion);
}

#[test]
fn one_red_subtest_makes_its_test_red() {
    // PY8
    let told = PYTEST.replay("subtests").exits_with(1);
    assert_eq!(told.states().len(), 1);
    assert_eq!(told.cause("test_subtests.py::test_one_of_three"), Assertion);
    let told = PYTEST.replay("green-subtests").exits_with(0);
    assert_eq!(told.states(), [("test_green_subtests.py::test_three", Passed)]);
    // PY9
    let told = PYTEST.replay("unittest-subtests").exits_with(1);
    assert_eq!(told.states().len(), 1);
    assert_eq!(told.cause("test_unittest_subtests.py::TestSums::test_one_of_three"), Assertion);
}

#[test]
fn a_test_that_passed_at_its_second_try_is_told_from_one_that_passed() {
    // PY10
    let told = PYTEST.replay("wavers").exits_with(0);
    assert_eq!(told.states(), [("test_wavers.py::test_wavers", Passed)]);
    assert!(told.is_retried("test_wavers.py::test_wavers"));
    // PY11: a mark in the code wins over the command line.
    let told = PYTEST.replay("wavers-switched-off").exits_with(1);
    assert_eq!(told.cause("test_wavers.py::test_wavers"), Assertion);
    let marked = "test_wavers_by_mark.py::test_wavers";
    let told = PYTEST.replay("wavers-by-mark-switched-off").exits_with(0);
    assert!(told.is_retried(marked));
    let told = PYTEST.replay("wavers-by-mark-without-plugin").exits_with(1);
    assert_eq!(told.cause(marked), Assertion);
    let told = PYTEST.replay("wavers-without-plugin-that-is-asked").exits_with(4);
    assert_eq!((told.results, told.report), (None, None));
    // PY18
    let told = PYTEST.replay("wavers-forced-off").exits_with(1);
    assert_eq!(told.cause(marked), Assertion);
    assert!(PYTEST.replay("wavers-is-red").exits_with(7).is_retried(marked));
    let told = PYTEST.replay("wavers-mark-is-unknown").exits_with(2);
    assert_eq!(told.cause("test_wavers_by_mark.py"), NotLoaded);
}

#[test]
fn parameters_that_moved_lose_no_test() {
    // PY12
    let ids = |name: &str, place: &str| -> TestResults {
        let mut results = TestResults::default();
        for (id, result) in PYTEST.replay(name).exits_with(0).results.unwrap().iter() {
            results.add(id.replace(place, "tests/"), result.clone()).unwrap();
        }
        results
    };
    let (before, after) = (ids("parameters-before", "before/"), ids("parameters-after", "after/"));
    let test = "tests/test_parameters.py::test_p";
    assert!(before.get(&format!("{test}[1]")).is_some());
    assert!(after.get(&format!("{test}[1]")).is_none());
    assert!(after.get(&format!("{test}[1_1]")).is_some());
    assert!(before.lost_in(&after).is_empty());
    assert_eq!(after.lost_in(&before), [test]);
}

#[test]
fn a_test_that_is_expected_to_fail_has_three_faces() {
    // PY13
    let told = PYTEST.replay("xfail").exits_with(1);
    let states = [
        ("test_xfail.py::test_green", Passed),
        ("test_xfail.py::test_red", ExpectedFailure),
        ("test_xfail.py::test_strict", Failed),
    ];
    assert_eq!(told.states(), states);
    assert_eq!(PYTEST.replay("xfail-not-strict").exits_with(0).states(), states[..2]);
}

#[test]
fn a_test_that_ends_the_process_leaves_pytest_without_its_closing_line() {
    // PY14
    let told = PYTEST.replay("ends-process").ended_early();
    assert_eq!((told.results, told.report), (None, None));
    let told = PYTEST.replay("ends-process-xdist").exits_with(1);
    assert_eq!(told.cause("test_ends_process.py::test_red"), Assertion);
    assert!(!told.cause("test_ends_process.py::test_ends").is_of_the_test(""));
    let later = told.results.as_ref().unwrap().get("test_ends_process.py::test_later").unwrap();
    assert_eq!(later.state, Passed);
}

#[test]
fn pytests_own_exit_call_is_an_early_end_though_it_prints_the_closing_line() {
    // PY15
    let told = PYTEST.replay("ends-session").ended_early();
    assert_eq!(told.results, None, "there is a test without a name");
    let told = PYTEST.replay("ends-session-xdist").exits_with(3);
    assert_eq!(told.results, None);
}

#[test]
fn pythons_ordinary_exit_call_is_red() {
    // PY16
    let told = PYTEST.replay("exits").exits_with(1);
    assert_eq!(told.cause("test_exits.py::test_exits"), exception("SystemExit"));
    assert_eq!(PYTEST.replay("exits-at-import").exits_with(3).results, None);
    let told = UNITTEST.replay("exits").exits_with(1);
    assert_eq!(told.cause("test_exits.TestExits.test_exits"), exception("SystemExit"));
    // At the level of the system nothing is printed.
    assert_eq!(UNITTEST.replay("ends_process").ended_early().results, None);
}

#[test]
fn unittest_tells_each_test_and_why_it_failed() {
    let told = UNITTEST.replay("all").exits_with(1);
    let id = |name: &str| format!("test_mean.{name}");
    let states = told.states();
    let state = |name: &str| states.iter().find(|(it, _)| *it == id(name)).unwrap().1;
    assert_eq!(state("TestMean.test_of_two"), Passed);
    assert_eq!(state("TestMean.test_skipped"), Skipped);
    assert_eq!(state("TestMean.test_expected"), ExpectedFailure);
    assert_eq!(state("TestMean.test_unexpected"), Failed);
    assert_eq!(told.cause(&id("TestMean.test_red")), Assertion);
    assert_eq!(told.cause(&id("TestMean.test_raises")), exception("ZeroDivisionError"));
    let needs = told.cause(&id("TestMean.test_needs_what_is_missing"));
    assert_eq!(needs, missing("AttributeError"));
    // Of subtests and of what tears down.
    assert_eq!(state("TestMean.test_one_of_three"), Failed);
    assert_eq!(told.cause(&id("TestTearDown.test_green")), exception("RuntimeError"));

    assert_eq!(told.cause(&id("TestTearDown.test_red")), exception("RuntimeError"));
    assert_eq!(states.len(), 10);
}

#[test]
fn unittest_that_finds_nothing_is_no_test_and_a_file_it_cannot_import_is_not_loaded() {
    // PY17
    assert_eq!(UNITTEST.replay("nothing").ran_no_test().code, 0);
    let told = UNITTEST.replay("not_loaded").exits_with(1);
    assert_eq!(told.cause("unittest.loader._FailedTest.test_n"), NotLoaded);
}

#[test]
fn jest_tells_each_test_and_why_it_failed() {
    let told = JEST.replay("all").exits_with(1);
    assert_eq!(
        told.states(),
        [
            ("all.test.js > is red", Failed),
            ("all.test.js > is skipped", Skipped),
            ("all.test.js > is to do", Skipped),
            ("all.test.js > meets what is missing in the code itself", Failed),
            ("all.test.js > of one > is that one", Passed),
            ("all.test.js > of one > throws", Failed),
            ("all.test.js > of two", Passed),
        ]
    );
    assert_eq!(told.cause("all.test.js > is red"), Assertion);
    let own = told.cause("all.test.js > meets what is missing in the code itself");
    assert_eq!(own, exception("TypeError"));
    assert_eq!(told.cause("all.test.js > of one > throws"), exception("RangeError"));
    let told = JEST.replay("hooks").exits_with(1);
    assert_eq!(told.cause("hooks.test.js > with a hook > two"), exception("Error"));
}

#[test]
fn for_jest_a_missing_function_is_a_red_test_and_a_missing_file_is_none() {
    // JS1
    let told = JEST.replay("missing-function").exits_with(1);
    assert_eq!(told.cause("missing-function.test.js > median"), missing("TypeError"));
    let told = JEST.replay("missing-file").exits_with(1);
    assert_eq!(told.states(), [("missing-file.test.js", Failed)]);
    assert_eq!(told.cause("missing-file.test.js"), NotLoaded);
}

#[test]
fn jest_that_ran_nothing_is_no_test_though_it_says_success() {
    // JS2
    for name in ["matches-nothing", "only-todo", "only-skip", "no-test-file-is-fine"] {
        let told = JEST.replay(name).ran_no_test();
        assert_eq!((told.code, &told.results), (0, &None), "{name}");
        let said = told.report.unwrap();
        assert!(said.is_empty() || said.contains("\"success\":true"), "{name}");
    }
    assert_eq!(JEST.replay("no-test-file").exits_with(1).results, None);
}

#[test]
fn a_test_that_ends_the_process_leaves_jest_without_its_summary() {
    // JS3
    let told = JEST.replay("ends-process").ended_early();
    assert_eq!((told.results, told.report), (None, None));
    let told = JEST.replay("ends-process-of-several").exits_with(1);
    assert_eq!(told.cause("ends-process.test.js"), NotLoaded);
    assert_eq!(told.states()[1], ("slow.test.js > slow", Passed));
}

#[test]
fn of_javascripts_second_tries_the_reports_keep_a_trace() {
    // JS4
    let told = JEST.replay("wavers").exits_with(0);
    assert_eq!(told.states(), [("wavers.test.js > wavers", Passed)]);
    assert!(told.is_retried("wavers.test.js > wavers"));
    // JS9: no option wins over the code.
    for name in ["wavers", "wavers-switched-off"] {
        let told = VITEST.replay(name).exits_with(0);
        assert_eq!(told.states(), [("wavers.test.js > wavers", Passed)], "{name}");
        assert!(told.is_retried("wavers.test.js > wavers"), "{name}");
    }
}

#[test]
fn vitest_tells_each_test_and_why_it_failed() {
    let told = VITEST.replay("all").exits_with(1);
    assert_eq!(told.states(), JEST.replay("all").states());
    assert_eq!(told.cause("all.test.js > is red"), Assertion);
    let own = told.cause("all.test.js > meets what is missing in the code itself");
    assert_eq!(own, exception("TypeError"));
    assert_eq!(told.cause("all.test.js > of one > throws"), exception("RangeError"));
}

#[test]
fn for_vitest_a_missing_function_is_a_red_test_and_a_missing_file_is_none() {
    // JS5
    let told = VITEST.replay("missing-export").exits_with(1);
    assert_eq!(told.cause("missing-export.test.js > median"), missing("TypeError"));
    // JS6
    let told = VITEST.replay("missing-file").exits_with(1);
    assert_eq!(told.states(), [("missing-file.test.js", Failed)]);
    assert_eq!(told.cause("missing-file.test.js"), NotLoaded);
}

#[test]
fn a_file_that_vitest_cannot_load_is_not_hidden_by_an_exit_code_of_0() {
    for said in [
        " Test Files  1 failed (1)\n      Tests  no tests\n",
        " Test Files  1 failed | 1 passed (2)\n      Tests  2 passed (2)\n",
    ] {
        let line = "npx vitest run | cat";
        let ended = EndedCommand { line, package_json: None, output: said, cut_bytes: 0, code: 0 };
        let run = TestOutput::of(&ended).run();
        assert!(matches!(run, TestRun::HidesFailures(_)), "{said}: {run:?}");
    }
}

#[test]
fn an_error_after_vitests_last_test_is_red_though_its_report_says_success() {
    // JS7
    let told = VITEST.replay("late-error").exits_with(1);
    let states = [("late-error.test.js > green", Passed), ("late-error.test.js > waits", Passed)];
    assert_eq!(told.states(), states);
    assert!(told.report.unwrap().contains("\"success\":true"));
}

#[test]
fn vitest_catches_an_early_end_and_says_where_nothing_ran() {
    // JS8
    for name in ["matches-nothing", "no-test-file-is-fine"] {
        assert_eq!(VITEST.replay(name).ran_no_test().results, None, "{name}");
    }
    assert_eq!(VITEST.replay("no-test-file").exits_with(1).results, None);
    let told = VITEST.replay("ends-process").exits_with(1);
    assert_eq!(
        told.states(),
        [
            ("ends-process.test.js > before", Passed),
            ("ends-process.test.js > ends", Failed),
            ("ends-process.test.js > red", Failed),
        ]
    );
    assert_eq!(told.cause("ends-process.test.js > red"), Assertion);
}

#[test]
fn mocha_tells_each_test_and_why_it_failed() {
    // JS11: its exit status is the number of red tests, at most 255.
    let told = MOCHA.replay("all").exits_with(3);
    assert_eq!(
        told.states(),
        [
            ("is red", Failed),
            ("needs what is missing", Failed),
            ("of one > is skipped", Skipped),
            ("of one > is that one", Passed),
            ("of one > is to do", Skipped),
            ("of one > meets what is missing in the code itself", Failed),
            ("of two", Passed),
        ]
    );
    assert_eq!(told.cause("is red"), Assertion);
    assert_eq!(told.cause("needs what is missing"), missing("TypeError"));
    let own = told.cause("of one > meets what is missing in the code itself");
    assert_eq!(own, exception("TypeError"));
    MOCHA.replay("many-red").exits_with(255);
    for name in ["not-loaded", "no-test-file"] {
        assert_eq!(MOCHA.replay(name).exits_with(1).results, None, "{name}");
    }
    for name in ["empty", "matches-nothing"] {
        assert_eq!(MOCHA.replay(name).ran_no_test().code, 0, "{name}");
    }
    assert_eq!(MOCHA.replay("wavers").exits_with(0).states(), [("wavers", Passed)]);
}

#[test]
fn a_test_that_ends_the_process_leaves_mocha_without_its_count() {
    // JS12
    assert_eq!(MOCHA.replay("ends-process").ended_early().results, None);
}

#[test]
fn a_hook_that_throws_stands_for_all_tests_behind_it() {
    // JS13
    let told = MOCHA.replay("hooks").exits_with(1);
    let hook = "with a hook > \"before all\" hook for \"test 1\"";
    assert_eq!(told.states(), [(hook, Failed)]);
    assert_eq!(told.cause(hook), exception("Error"));
}

#[test]
fn node_tells_each_test_and_why_it_failed_in_both_of_its_ways() {
    for name in ["all-tap", "all-spec"] {
        let told = NODE.replay(name).exits_with(1);
        assert_eq!(
            told.states(),
            [
                ("has subtests > green", Passed),
                ("has subtests > red", Failed),
                ("is red", Failed),
                ("is skipped", Skipped),
                ("is to do", ExpectedFailure),
                ("meets what is missing in the code itself", Failed),
                ("needs what is missing", Failed),
                ("of one > is that one", Passed),
                ("of one > throws", Failed),
                ("of two", Passed),
            ],
            "{name}"
        );
        assert_eq!(told.cause("is red"), Assertion, "{name}");
        assert_eq!(told.cause("has subtests > red"), Assertion, "{name}");
        assert_eq!(told.cause("needs what is missing"), missing("TypeError"), "{name}");
        let own = told.cause("meets what is missing in the code itself");
        assert_eq!(own, exception("TypeError"), "{name}");
        assert_eq!(told.cause("of one > throws"), exception("RangeError"), "{name}");
    }
}

#[test]
fn a_file_that_node_cannot_load_is_red_by_its_name_and_by_no_test() {
    for name in ["missing-export-tap", "missing-export-spec"] {
        // JS14, JS18
        let told = NODE.replay(name).exits_with(1);
        assert_eq!(told.states(), [("/work/tree/missing-export.test.mjs", Failed)], "{name}");
        assert_eq!(told.cause("/work/tree/missing-export.test.mjs"), NotLoaded, "{name}");
    }
}

#[test]
fn node_that_ran_nothing_to_its_end_ran_no_test() {
    for how in ["tap", "spec"] {
        // JS15: what is to do may throw. JS16. JS17: what had passed is lost, too.
        for part in [
            "only-todo",
            "matches-nothing",
            "empty-directory",
            "no-tests",
            "ends-before-red",
            "ends-after-red",
        ] {
            let told = NODE.replay(&format!("{part}-{how}")).ran_no_test();
            assert_eq!((told.code, told.results), (0, None), "{part}, {how}");
        }
    }
}

#[test]
fn cargo_tells_each_test_by_its_target_and_why_it_failed() {
    // RS2: two targets print the same line.
    let told = CARGO.replay("all").exits_with(101);
    assert_eq!(
        told.states(),
        [
            ("tests/a.rs::same", Passed),
            ("tests/z.rs::same", Passed),
            ("widget doc test src/lib.rs - one", Passed),
            ("widget::tests::does_not_panic", Failed),
            ("widget::tests::good", Passed),
            ("widget::tests::index", Failed),
            ("widget::tests::later", Skipped),
            ("widget::tests::red", Failed),
            ("widget::tests::says_an_error", Failed),
        ]
    );
    assert_eq!(told.cause("widget::tests::red"), Assertion);
    assert_eq!(told.cause("widget::tests::does_not_panic"), Assertion);
    assert_eq!(told.cause("widget::tests::index"), exception("panic"));
    // RS3: ten lines above a documentation test give it no other name.
    let told = CARGO.replay("ten-lines-above").exits_with(0);
    assert_eq!(told.states(), [("widget doc test src/lib.rs - one", Passed)]);
}

#[test]
fn a_target_that_cargo_cannot_compile_leaves_no_test_known() {
    // RS1
    let told = CARGO.replay("broken").exits_with(101);
    assert_eq!((told.results, told.failed), (None, None));
}

#[test]
fn a_filter_that_matches_no_test_of_cargos_ran_no_test() {
    // RS4
    assert_eq!(CARGO.replay("matches-nothing").ran_no_test().code, 0);
    let told = CARGO.replay("own-harness").exits_with(0);
    assert_eq!(told.results, None, "what a harness of its own tested is not known");
}

#[test]
fn a_test_that_aborts_has_no_line_and_makes_the_names_of_failed_tests_unknown() {
    // RS5: without `--no-fail-fast` later targets do not run.
    let told = CARGO.replay("aborts-at-first").exits_with(101);
    assert_eq!((told.states(), &told.failed), (vec![("tests/a.rs::same", Passed)], &None));
    let told = CARGO.replay("aborts").exits_with(101);
    let others = [("tests/a.rs::same", Passed), ("tests/z.rs::same", Passed)];
    assert_eq!((told.states(), &told.failed), (others.to_vec(), &None));
}

#[test]
fn a_test_that_ends_the_process_leaves_its_target_without_a_result() {
    // RS6
    CARGO.replay("exits").ended_early();
}

#[test]
fn nextest_says_by_its_code_why_nothing_ran() {
    // RS7
    assert_eq!(NEXTEST.replay("broken").exits_with(101).results, None);
    let told = NEXTEST.replay("matches-nothing").ran_no_test();
    assert_eq!((told.code, told.results), (4, None));
}

#[test]
fn a_test_that_ends_its_process_is_passed_for_nextest_and_the_others_run() {
    // RS8
    let told = NEXTEST.replay("exits").exits_with(100);
    let states = [("widget::exits::exits", Passed), ("widget::exits::later_and_red", Failed)];
    assert_eq!(told.states(), states);
}

#[test]
fn what_go_cannot_compile_or_vet_is_not_loaded() {
    // GO1, and GO2: until Go 1.24 the words of a build were no events.
    for name in ["broken", "broken-old"] {
        assert_eq!(GO.replay(name).exits_with(1).results, None, "{name}");
    }
    // GO3
    let told = GO.replay("vet").exits_with(1);
    assert_eq!(told.states(), [("example.com/widget/vet", Failed)]);
    assert_eq!(told.cause("example.com/widget/vet"), NotLoaded);
    // GO6
    let told = Recorded { line: "gotestsum", ..GO }.replay("gotestsum-broken").exits_with(1);
    assert_eq!(told.states(), [("example.com/widget/broken", Failed)]);
    assert_eq!(told.cause("example.com/widget/broken"), NotLoaded);
}

#[test]
fn go_makes_an_early_end_red_and_a_name_that_matches_nothing_no_test() {
    // GO4: tests after it have no event.
    let told = GO.replay("exits").exits_with(1);
    let package = "example.com/widget/exits";
    let ended = format!("{package}::TestEnds");
    assert_eq!(told.states(), [(&*format!("{package}::TestBefore"), Passed), (&*ended, Failed)]);
    // GO5
    assert_eq!(GO.replay("matches-nothing").ran_no_test().code, 0);
}

#[test]
fn go_says_that_it_remembered_a_green_result_only_where_it_is_not_told_to_run_again() {
    // GO8: Gander asks for `-count=1`.
    let told = GO.replay("again").exits_with(0);
    assert_eq!(told.states(), [("example.com/widget/green::TestGreen", Passed)]);
    assert_eq!(GO.record.matches("(cached)").count(), 1);
    assert_eq!(GO.replay("again-remembered").exits_with(0).states(), told.states());
}

#[test]
fn a_test_that_gotestsum_ran_again_is_told_from_one_that_passed() {
    // GO7
    let told = Recorded { line: "gotestsum", ..GO }.replay("gotestsum-wavers").exits_with(0);
    let id = "example.com/widget/wavers::TestWavers";
    assert_eq!(told.states(), [(id, Passed)]);
    assert!(told.is_retried(id));
}

#[test]
fn phpunit_without_a_test_is_none_and_one_that_was_ended_is_early() {
    // PH1
    for name in ["none", "matches-nothing"] {
        let told = PHPUNIT.replay(name).ran_no_test();
        assert_eq!((told.code, told.results), (0, None), "{name}");
    }
    let told = PHPUNIT.replay("MissingTest.php").exits_with(2);
    assert_eq!(told.cause("MissingTest.php::testMedian"), missing("Error"));
    // PH2
    let told = PHPUNIT.replay("EndsTest.php").ended_early();
    assert_eq!((told.results, told.report.map(str::trim)), (None, Some("")));
}

#[test]
fn one_file_that_rspec_cannot_load_leaves_no_example_of_any_other() {
    // RB1
    let told = RSPEC.replay("not_loaded").exits_with(1);
    assert_eq!(told.results, None);
    assert!(told.report.unwrap().contains("\"failure_count\":0"));
}

#[test]
fn rspec_without_an_example_is_no_test_and_a_green_pending_one_is_red() {
    // RB2
    for name in ["none", "matches-nothing"] {
        let told = RSPEC.replay(name).ran_no_test();
        assert_eq!((told.code, told.results), (0, None), "{name}");
    }
    let told = RSPEC.replay("pending_spec.rb").exits_with(1);
    assert_eq!(told.cause("pending_spec.rb > one is green"), Assertion);
}

#[test]
fn an_example_that_ends_rspec_is_found_in_its_report() {
    // RB3
    let told = RSPEC.replay("ends_spec.rb").exits_with(0);
    assert!(told.ended_within && told.results.is_none());
    assert!(!RSPEC.replay("none").ended_within);
}
