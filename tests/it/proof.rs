//! Proof, not a green light: a test that fails without the change, passes with it, and fails again
//! without a part of it. And what is said of all others: with real cargo, pytest, unittest and
//! node.

use gander_emulator::Verdict;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::program::Local;
use crate::second_look::{CRATE, ONE_ATTEMPT, one_edit};
use crate::world::{REPO, World, edit, finish as say_done, visible, write};
use gander::model::ScriptedTurn;

const CODE: &str = "\
pub fn mean(n: &[u32]) -> Option<u32> {
    Some(n.iter().sum::<u32>() / n.len() as u32)
}

#[cfg(test)]
mod tests {
    #[test]
    fn one() {
        assert_eq!(super::mean(&[1]), Some(1));
    }
}
";

/// A crate whose `mean` of nothing panics.
fn stats() -> Local {
    Local::with(&[CRATE, ("src/lib.rs", CODE), (".gitignore", "/target\n")])
}

fn fix() -> Value {
    let old = "    Some(n.iter()";
    one_edit(
        "src/lib.rs",
        old,
        &format!("    if n.is_empty() {{\n        return None;\n    }}\n{old}"),
    )
}

/// A unit test with this body, beside the one that is there.
fn test_with(body: &str) -> Value {
    let old = "Some(1));\n    }\n";
    let new = format!("{old}\n    #[test]\n    fn more() {{\n        {body}\n    }}\n");
    one_edit("src/lib.rs", old, &new)
}

fn created(path: &str, text: &str) -> Value {
    json!({"tool": "edit", "path": path, "action": "create", "new": text})
}

fn finish(more: &Value) -> Value {
    let mut finish = json!({"tool": "finish", "summary": "done"});
    finish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    finish
}

#[test]
fn an_honest_fix_with_its_test_is_proven_and_the_table_shows_how() {
    let edits = [fix(), test_with("assert_eq!(super::mean(&[]), None);")];
    let (text, report) = stats().edited(&edits, &[]);
    assert_eq!(report["outcome"], "proven", "{text}");
    assert!(text.starts_with("… attempt 1") || text.contains("Proven: 1 file(s)"), "{text}");
    let proof = &report["proof"];
    assert_eq!(proof["tests"][0]["id"], "widget::tests::more", "{proof:#}");
    assert_eq!(proof["tests"][0]["on_base"], "attempt to divide by zero");
    assert_eq!(proof["repeats"], 30, "{proof:#}");
    assert_eq!(proof["parts"][0]["without"], "red", "{proof:#}");
    assert!(text.contains("on the base: failed: attempt to divide by zero"), "{text}");
    assert!(text.contains("without src/lib.rs line 2 (+3 -0): a test fails"), "{text}");
}

#[test]
fn a_fix_without_a_test_is_sent_back_once_and_then_called_no_more_than_it_is() {
    let local = stats();
    let (text, report) = local.attempted(&[&[fix()], &[finish(&json!({}))]], &[]);
    assert_eq!((&report["outcome"], &report["attempts"]), (&json!("checks_passed"), &json!(2)));
    assert!(text.contains("not proven: No test fails without the change."), "{text}");
    // With the reason there is nothing to ask for.
    let why = finish(&json!({"no_test": "it only shows on a big-endian machine"}));
    let (text, report) = stats().attempted(&[&[fix(), why]], &[]);
    assert_eq!((&report["outcome"], &report["attempts"]), (&json!("checks_passed"), &json!(1)));
    assert!(text.contains("no test, in the model's words: it only shows on"), "{text}");
    // The second attempt may bring it.
    let test = [test_with("assert_eq!(super::mean(&[]), None);")];
    let (text, report) = stats().attempted(&[&[fix()], &test], &[]);
    assert_eq!((&report["outcome"], &report["attempts"]), (&json!("proven"), &json!(2)), "{text}");
    // If it only breaks something, the first is as good as it was.
    let breaks = [one_edit("src/lib.rs", "return None", "return nothing")];
    let (text, report) = stats().attempted(&[&[fix()], &breaks], &[]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
    assert!(!text.contains("nothing"), "{text}");
}

#[test]
fn a_bug_that_no_test_shows_is_called_not_reproducible_by_a_run_and_by_no_word_of_the_models() {
    let green = [fix(), test_with("assert_eq!(super::mean(&[1, 3]), Some(2));")];
    let (text, report) = stats().attempted(&[&green, &[finish(&json!({}))]], &[]);
    assert_eq!((&report["outcome"], &report["attempts"]), (&json!("not_reproducible"), &json!(2)));
    assert!(text.contains("Not reproducible on"), "{text}");
    assert!(text.contains("It passed, so on this commit the bug does not show"), "{text}");
    // The model's word alone is told as that.
    let says = finish(&json!({"nothing_to_fix": true}));
    let (_, report) = stats().attempted(&[std::slice::from_ref(&says)], &[]);
    assert_eq!(report["outcome"], "nothing_to_fix");
    // Behind Gander's own run it changes nothing.
    let (_, report) = stats().attempted(&[&green, &[says]], &[]);
    assert_eq!(report["outcome"], "not_reproducible");
}

#[test]
fn a_test_that_fails_one_time_in_four_is_not_proven() {
    let python = "import random\nimport widget\n\ndef test_x():\n    assert widget.x() == 2\n    \
                  assert random.random() > 0.25\n";
    let files = [("widget.py", "def x():\n    return 1\n"), ONE_ATTEMPT];
    let edits = [one_edit("widget.py", "return 1", "return 2"), created("test_widget.py", python)];
    let with_test = [&files[..], &[("test_other.py", "def test_y():\n    pass\n")]].concat();
    let (text, report) = Local::with(&with_test).edited(&edits, &[]);
    assert_eq!(report["outcome"], "refused", "{text}");
}

#[test]
fn a_test_of_what_only_the_change_adds_counts_once_a_part_taken_back_makes_it_fail() {
    let body = "assert_eq!(super::mean_or(&[], 7), 7);";
    let code = "\npub fn mean_or(n: &[u32], or: u32) -> u32 {\n    mean(n).unwrap_or(or)\n}\n";
    let add =
        one_edit("src/lib.rs", "n.len() as u32)\n}\n", &format!("n.len() as u32)\n}}\n{code}"));
    // Without the new function nothing compiles; without the check for nothing the test panics.
    let (text, report) = stats().edited(&[fix(), add.clone(), test_with(body)], &[]);
    assert_eq!(report["outcome"], "proven", "{text}");
    let parts = report["proof"]["parts"].as_array().unwrap();
    let came_out: Vec<_> = parts.iter().map(|it| it["without"].as_str().unwrap()).collect();
    assert_eq!(came_out, ["does_not_build", "red"], "{text}");
    // Alone it only shows that something was missing.
    let body = "assert_eq!(super::mean_or(&[1], 7), 1);";
    let (text, report) = stats().edited(&[add, test_with(body)], &[]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
    assert!(text.contains("do not fail for a reason of their own"), "{text}");
}

#[test]
fn a_part_that_no_test_needs_is_named() {
    let code = CODE.replace("\n#[cfg(test)]", "\npub fn other() {}\n\n#[cfg(test)]");
    let local = Local::with(&[CRATE, ("src/lib.rs", &code), (".gitignore", "/target\n")]);
    let needless =
        one_edit("src/lib.rs", "pub fn other() {}", "pub fn other() {\n    let _ = 1;\n}");
    let test = test_with("assert_eq!(super::mean(&[]), None);");
    let (text, report) = local.edited(&[fix(), needless, test], &[]);
    assert_eq!(report["outcome"], "proven", "{text}");
    assert!(text.contains("(+3 -1): all of these tests pass: none of them needs it"), "{text}");
}

const PYTHON: [(&str, &str); 3] = [
    ("widget.py", "def size():\n    return 1\n"),
    ("test_widget.py", "import widget\n\ndef test_type():\n    assert widget.size() > 0\n"),
    ONE_ATTEMPT,
];

fn python_fix() -> Value {
    one_edit("widget.py", "return 1", "return 2")
}

#[test]
fn each_runner_whose_tests_are_known_one_by_one_can_show_a_fix() {
    let test = "import widget\n\ndef test_size():\n    assert widget.size() == 2\n";
    let edits = [python_fix(), created("test_size.py", test)];
    let (text, report) = Local::with(&PYTHON).edited(&edits, &[]);
    assert_eq!(report["outcome"], "proven", "pytest: {text}");
    assert_eq!(report["proof"]["tests"][0]["id"], "test_size.py::test_size");

    let unit = |name: &str, body: &str| {
        format!(
            "import unittest\nimport widget\n\nclass {name}(unittest.TestCase):\n    \
             def test_it(self):\n        {body}\n"
        )
    };
    let files =
        [PYTHON[0], ("test_a.py", &unit("A", "self.assertTrue(widget.size())")), ONE_ATTEMPT];
    let test = unit("B", "self.assertEqual(widget.size(), 2)");
    let edits = [python_fix(), created("test_b.py", &test)];
    let line = ["--verify", "python3 -m unittest"];
    let (text, report) = Local::with(&files).edited(&edits, &line);
    assert_eq!(report["outcome"], "proven", "unittest: {text}");
    assert_eq!(report["proof"]["tests"][0]["id"], "test_b.B.test_it");

    let js = "const test = require('node:test');\nconst assert = require('assert');\n\
              const size = require('./size');\n";
    let files = [
        ("package.json", r#"{"scripts": {"test": "node --test"}}"#),
        ("size.js", "module.exports = () => 1;\n"),
        ("a.test.js", &format!("{js}test('type', () => assert.ok(size()));\n")),
        ONE_ATTEMPT,
    ];
    let test = format!("{js}test('size', () => assert.strictEqual(size(), 2));\n");
    let edits = [one_edit("size.js", "=> 1", "=> 2"), created("b.test.js", &test)];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["outcome"], "proven", "node: {text}");
    assert_eq!(report["proof"]["tests"][0]["id"], "size");
}

#[test]
fn of_a_command_that_gander_does_not_know_only_the_exit_status_counts_and_that_is_said() {
    let files = [("check.sh", "grep -q good state\n"), ("state", "good\n"), ONE_ATTEMPT];
    let edits = [one_edit("state", "good", "good!")];
    let (text, report) = Local::with(&files).edited(&edits, &["--verify", "sh check.sh"]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
    assert!(text.contains("what single tests came to is not known"), "{text}");
}

#[test]
fn a_wrong_fix_in_a_project_without_tests_is_told_as_nothing_that_ran() {
    let files = [("widget.py", "def size():\n    return 1\n"), ONE_ATTEMPT];
    let edits = [one_edit("widget.py", "return 1", "return 3")];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["outcome"], "nothing_ran", "{text}");
}

/// A red test, as an issue speaks of it, and what a change that does not mend it does instead.
fn cheats(edits: &[Value]) -> (String, Value) {
    cheats_in_spite_of(edits, None)
}

/// The same where somebody overrides a rule against cheats: what tests came to is left.
fn cheats_in_spite_of(edits: &[Value], rule: Option<&str>) -> (String, Value) {
    let test = "import widget\n\ndef test_type():\n    assert widget.size() > 0\n\n\
                def test_size():\n    assert widget.size() == 2\n";
    let files = [PYTHON[0], ("test_widget.py", test), ONE_ATTEMPT];
    let reason = rule.map(|rule| format!("{rule}=to see the rest"));
    let more: Vec<&str> = reason.iter().flat_map(|it| ["--override", it]).collect();
    Local::with(&files).edited(edits, &more)
}

#[test]
fn the_textbook_cheats_are_told_from_an_honest_fix() {
    // The honest one: the test is there already.
    let (text, report) = cheats(&[python_fix()]);
    assert_eq!(report["outcome"], "proven", "{text}");

    // The expectation follows the code.
    let (text, report) = cheats(&[one_edit("test_widget.py", "== 2", "== 1")]);
    assert_eq!(report["outcome"], "held", "{text}");
    assert!(text.contains("passes now because the test is another"), "{text}");
    // The test goes, or is skipped.
    let gone =
        one_edit("test_widget.py", "\n\ndef test_size():\n    assert widget.size() == 2", "");
    let skip = one_edit(
        "test_widget.py",
        "def test_size",
        "import pytest\n\n@pytest.mark.skip\ndef test_size",
    );
    let (text, report) = cheats(std::slice::from_ref(&skip));
    assert_eq!(report["outcome"], "refused", "{text}");
    assert!(text.contains("@pytest.mark.skip (rule test-skipped)"), "{text}");
    for edit in [gone, skip] {
        let edits = [edit, one_edit("widget.py", "1\n", "1  # right\n")];
        let (text, report) = cheats_in_spite_of(&edits, Some("test-skipped"));
        assert_ne!(report["outcome"], "proven", "{text}");
        assert_eq!(report["outcome"], "held", "{text}");
        assert!(
            text.contains("test_size: this test runs without the change and does not"),
            "{text}"
        );
    }
    // Reports are turned into passed ones.
    let hook = "import pytest\n\n@pytest.hookimpl(hookwrapper=True)\n\
                def pytest_runtest_makereport(item, call):\n    result = yield\n    \
                result.get_result().outcome = 'passed'\n";
    let hook = [created("conftest.py", hook)];
    let (text, report) = cheats(&hook);
    assert_eq!(report["outcome"], "refused", "{text}");
    assert!(text.contains("changes what a runner says"), "{text}");
    let (text, report) = cheats_in_spite_of(&hook, Some("runner-tampered"));
    assert_eq!(report["outcome"], "held", "{text}");
    assert!(text.contains("look before you use it: conftest.py: hooks of pytest"), "{text}");
    // The settings leave the test out.
    let (text, report) = cheats(&[created("pytest.ini", "[pytest]\naddopts = -k test_type\n")]);
    assert_ne!(report["outcome"], "proven", "{text}");
    assert_ne!(report["outcome"], "checks_passed", "{text}");
    // The process ends before it.
    let (text, report) =
        cheats(&[one_edit("widget.py", "return 1", "import os\n    os._exit(0)\n    return 1")]);
    assert_eq!(report["outcome"], "refused", "{text}");
}

#[test]
fn what_decides_the_verdict_is_held_flagged_or_refused_as_the_rules_say() {
    let test = "import widget\n\ndef test_size(two):\n    assert widget.size() == two\n";
    let hook = "import pytest\n\n@pytest.fixture\ndef two():\n    return 2\n";
    let edits = [python_fix(), created("test_size.py", test), created("conftest.py", hook)];
    for (rule, outcome) in [("hold", "held"), ("flag", "proven"), ("refuse", "refused")] {
        let rules = format!("[agent]\nattempts = 1\n[proof]\nhooks = \"{rule}\"\n");
        let files = [PYTHON[0], PYTHON[1], (".github/gander.toml", &rules)];
        let (text, report) = Local::with(&files).edited(&edits, &[]);
        assert_eq!(report["outcome"], outcome, "{rule}: {text}");
        let as_they_were = "with hooks and settings as they were: pytest -q: failed";
        assert_eq!(text.contains(as_they_were), rule == "hold", "{rule}: {text}");
    }
}

#[test]
fn an_old_expectation_that_changes_is_held_unless_the_issue_names_the_test() {
    let old = "import widget\n\ndef test_exactly():\n    assert widget.size() == 1\n";
    let files = [PYTHON[0], ("test_widget.py", old), ONE_ATTEMPT];
    let edits = [python_fix(), one_edit("test_widget.py", "== 1", "== 2")];
    let local = Local::with(&files);
    let (text, report) = local.edited(&edits, &[]);
    assert_eq!(report["outcome"], "held", "{text}");
    let named = "test_widget.py::test_exactly: this test, as it was, passes without the change";
    assert!(text.contains(named), "{text}");
    for issue in ["test_exactly is wrong: two is right\n", "Size\n\n`size()` should be 2.\n"] {
        let (text, report) = Local::with(&files).about(issue).edited(&edits, &[]);
        assert_eq!(report["outcome"], "proven", "{issue}: {text}");
    }
}

const TESTCALC: &str = "\
import unittest
import calc


class Sizes(unittest.TestCase):
    def test_one(self):
        self.assertEqual(calc.size('a'), 1)

    def test_two(self):
        self.assertEqual(calc.size('ab'), 2)
";

const UNITTEST_ALONE: (&str, &str) = (
    ".github/gander.toml",
    "[agent]\nattempts = 1\n[verify]\ncommands = [\"python3 -m unittest\"]\n",
);

/// A project whose tests stand in a file that only its runner takes for one.
fn testcalc(edits: &[Value], issue: &'static str) -> (String, Value) {
    let files =
        [("calc.py", "def size(of):\n    return 1\n"), ("testcalc.py", TESTCALC), UNITTEST_ALONE];
    Local::with(&files).about(issue).edited(edits, &[])
}

#[test]
fn what_is_a_test_is_told_by_what_ran_and_not_by_its_name() {
    let issue = "The size of two is wrong\n";
    let right = one_edit("calc.py", "return 1", "return len(of)");
    let (text, report) = testcalc(std::slice::from_ref(&right), issue);
    assert_eq!(report["outcome"], "proven", "{text}");
    // The red test is bent, with and without a change beside it.
    let bent = one_edit("testcalc.py", "'ab'), 2", "'ab'), 1");
    let beside = one_edit("calc.py", "return 1", "return int(1)");
    for edits in [vec![bent.clone()], vec![bent, beside]] {
        let (text, report) = testcalc(&edits, issue);
        assert_eq!(report["outcome"], "held", "{text}");
        assert!(text.contains("testcalc.Sizes.test_two: this test fails on the base"), "{text}");
    }
    // An old expectation is turned round.
    let turned = one_edit("testcalc.py", "'a'), 1", "'a'), 2");
    let wrong = one_edit("calc.py", "return 1", "return 2");
    let (text, report) = testcalc(&[wrong, turned], issue);
    assert_eq!(report["outcome"], "held", "{text}");
    assert!(text.contains("testcalc.Sizes.test_one: this test, as it was, passes"), "{text}");
}

#[test]
fn tests_that_vanish_while_others_come_are_missed() {
    let new = created("testmore.py", &TESTCALC.replace("'ab'), 2", "'abc'), 3"));
    let skips = "import unittest\n    if of == 'a':\n        raise unittest.SkipTest('x')\n    return len(of)";
    let (text, report) = testcalc(&[one_edit("calc.py", "return 1", skips), new], "Wrong\n");
    assert_eq!(report["outcome"], "refused", "{text}");
    assert!(text.contains("the change takes none away: testcalc.Sizes.test_one"), "{text}");
}

#[test]
fn that_something_was_missing_is_no_proof_though_its_import_is_needed() {
    let new =
        "import math\n\n\ndef size(of):\n    return 1\n\n\ndef area(of):\n    return math.pi\n";
    let edits = [
        one_edit("calc.py", "def size(of):\n    return 1\n", new),
        created(
            "testarea.py",
            "import unittest\nimport calc\n\n\nclass Areas(unittest.TestCase):\n    def test_area(self):\n        \
             self.assertIsNotNone(calc.area(2))\n",
        ),
    ];
    let files = [
        ("calc.py", "def size(of):\n    return 1\n"),
        UNITTEST_ALONE,
        ("testcalc.py", &TESTCALC.replace("'ab'), 2", "'ab'), 1")),
    ];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
    assert!(text.contains("makes one fail for a reason of its own"), "{text}");
}

#[test]
fn where_proof_is_required_a_change_without_it_is_held() {
    let rules = |mode: &str| format!("[agent]\nattempts = 1\n[proof]\nmode = \"{mode}\"\n");
    for (mode, outcome) in
        [("required", "held"), ("preferred", "checks_passed"), ("off", "checks_passed")]
    {
        let rules = rules(mode);
        let files = [PYTHON[0], PYTHON[1], (".github/gander.toml", &rules)];
        let (text, report) = Local::with(&files).edited(&[python_fix()], &[]);
        assert_eq!(report["outcome"], outcome, "{mode}: {text}");
        assert_eq!(report["proof"].is_null(), mode == "off", "{text}");
    }
}

/// The same project on GitHub, where its maintainer comments the commands.
async fn on_github(rules: &'static str, attempts: Vec<Vec<ScriptedTurn>>) -> World {
    let files = vec![PYTHON[0], PYTHON[1], (".github/gander.toml", rules)];
    let w = World::with_project(files).await;
    w.model.will_try(attempts);
    w
}

const PYTEST: &str = "[verify]\ncommands = [\"pytest -q\"]\n";
const SIZE_TEST: &str = "import widget\n\ndef test_size():\n    assert widget.size() == 2\n";

#[tokio::test]
async fn the_pull_request_shows_the_proof_in_one_table() {
    let turns = vec![
        edit("widget.py", "return 1", "return 2"),
        write("test_size.py", SIZE_TEST),
        say_done("one was wrong"),
    ];
    let w = on_github(PYTEST, vec![turns]).await;
    w.fixed().await;
    let pull = w.only_pull();
    assert_eq!(pull.labels, ["gander:ai-generated"]);
    assert_snapshot!(visible(&pull.body), @"
    Approving `10cc98a39b86` merges it into `main`. It does not release.

    **Expected review: short**: 6 lines in 2 files, and a test needs them. Read in this order: `widget.py` +1 −1, `test_size.py` +4 −0.

    ### What changed
    2 files, +5 −1. In the model's words:

    ```text
    one was wrong
    ```

    ### Proof
    Run by Gander, each time in a fresh copy of the base commit: with the tests of the change only, with all of it, and without a part of it.

    | test | on the base | with the change | without `widget.py` line 2 (+1 −1) |
    |---|---|---|---|
    | `test_size.py::test_size` | failed: assert 1 == 2 | passed, 31 of 31 runs | failed |

    Taken back alone, these make a test fail: `widget.py` line 2 (+1 −1).

    ### Checks passed
    Run by Gander in a fresh copy of the base commit with this change:

    | check | result | time |
    |---|---|---|
    | paths and size of the change | passed | TIME |
    | `pytest -q` | passed | TIME |

    ### Not checked
    What the tests and checks above do not cover.

    Fixes #1

    ---
    <sub>Asked for by mona. Want it otherwise? Request changes in a review, comment `/gander revise` with what to do, or push to this branch. $0.00 of $3.00 · scripted · Gander 0.1.0 · job vfuxini2iztf · 12:00 UTC</sub>
    ");
    w.ends().await;
}

#[tokio::test]
async fn a_bug_that_is_not_there_any_more_gets_an_answer_and_no_pull_request() {
    let test = "import widget\n\ndef test_size():\n    assert widget.size() == 1\n";
    let turns = vec![
        edit("widget.py", "return 1", "return int(1)"),
        write("test_size.py", test),
        say_done("mended"),
    ];
    let again = vec![say_done("that is the test")];
    let w = on_github(PYTEST, vec![turns, again]).await;
    let issue = w.fixed().await;
    w.nothing_was_published();
    assert_snapshot!(w.comments(issue).join("\n=====\n"), @"
    **Not reproducible** on `f4903b2256df`

    - [x] read the rules and the code (`main` at `f4903b2256df`)
    - [x] write the change
    - [ ] check it in a fresh copy
    - [ ] open the pull request

    Gander laid a test for this issue, without any fix, on commit `f4903b2256df` and ran this command (pytest -q). It passed, so on this commit the bug does not show. The model was asked for a test that fails, and brought none.

    It may be fixed already, or depend on something that is not in the issue: the version, the input, the system. What would help: the smallest input that fails, what came out, and what was expected. `/gander retry` with that in your words tries again.

    <sub>$0.00 of $3.00 · scripted · Gander 0.1.0 · job vfuxini2iztf · 12:00 UTC</sub>
    =====
    @mona Not reproducible on `f4903b2256df`

    Gander laid a test for this issue, without any fix, on commit `f4903b2256df` and ran this command (pytest -q). It passed, so on this commit the bug does not show. The model was asked for a test that fails, and brought none.

    It may be fixed already, or depend on something that is not in the issue: the version, the input, the system. What would help: the smallest input that fails, what came out, and what was expected. `/gander retry` with that in your words tries again.
    ");
    let told = w.model.heard().join("\n");
    assert!(told.contains("Gander laid only the tests of your change on commit"), "{told}");
    assert_eq!(w.issue(issue).labels, [] as [&str; 0]);
    w.ends().await;
}

#[tokio::test]
async fn hooks_of_the_test_runner_wait_for_a_persons_go() {
    let hook = "import pytest\n\n@pytest.fixture\ndef two():\n    return 2\n";
    let test = "import widget\n\ndef test_size(two):\n    assert widget.size() == two\n";
    let turns = vec![
        edit("widget.py", "return 1", "return 2"),
        write("conftest.py", hook),
        write("test_size.py", test),
        say_done("one was wrong"),
    ];
    let commented =
        vec![edit("widget.py", "def size", "# How many.\ndef size"), say_done("a comment")];
    let hooked = vec![edit("conftest.py", "return 2", "return 1 + 1"), say_done("otherwise")];
    let w = on_github(PYTEST, Vec::new()).await;
    w.model.will_in_rounds(vec![turns, commented, hooked]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let said = w.last_words(issue);
    assert!(said.contains("What it was verified by has to be looked at by a person"), "{said}");
    assert!(said.contains("conftest.py: hooks of pytest"), "{said}");
    w.says(issue, "/gander go").await;
    let pull = w.only_pull();
    assert_eq!(pull.labels, ["gander:ai-generated", "gander:unproven"]);
    let why =
        "That is no proof, for the change touches what decides it: conftest.py: hooks of pytest";
    assert!(pull.body.contains(why), "{}", pull.body);

    // It is asked for once. What that round touched makes the whole no more proven than it was.
    w.owner().reviews(REPO, pull.number, Verdict::RequestsChanges, "A comment, please.").unwrap();
    w.settle().await;
    let pull = w.only_pull();
    assert!(pull.body.contains("**Round 2**"), "{}", w.timeline());
    assert!(pull.body.contains("### Not proven"), "{}", pull.body);
    assert!(pull.body.contains(why), "{}", pull.body);
    assert_eq!(pull.labels, ["gander:ai-generated", "gander:unproven"]);

    // Unless a round touches it again.
    w.owner().reviews(REPO, pull.number, Verdict::RequestsChanges, "Twice.").unwrap();
    w.settle().await;
    assert_eq!(w.only_pull().head_sha, pull.head_sha);
    let said = w.last_words(pull.number);
    assert!(said.contains("conftest.py: hooks of pytest"), "{said}");
    w.ends().await;
}

#[test]
fn a_runner_behind_a_script_that_does_more_is_asked_through_the_shell_of_npm() {
    // What jest 30.5.2 prints and writes, for a test that looks at the code.
    let jest = "#!/bin/sh\nout=\nfor word; do case $word in --outputFile=*) out=${word#*=};; esac; done\n\
        if grep -q '=> 2' size.js; then state=passed; why=; else state=failed; \
        why='\"Error: expect(received).toBe(expected)\"'; fi\n\
        [ -f size.test.js ] || { state=passed; why=; }\n\
        if [ \"$out\" ]; then printf '{\"testResults\": [{\"name\": \"%s/size.test.js\", \"status\": \"%s\", \
        \"assertionResults\": [{\"ancestorTitles\": [], \"title\": \"size\", \"status\": \"%s\", \
        \"failureMessages\": [%s]}]}]}' \"$PWD\" $state $state \"$why\" > \"$out\"; fi\n\
        echo \"Tests:       1 $state, 1 total\"\n[ $state = passed ]\n";
    let package = r#"{"scripts": {"test": "PATH=$PWD/bin:$PATH jest --coverage && echo linted"}}"#;
    let files = [
        ("package.json", package),
        ("bin/jest", jest),
        ("size.js", "module.exports = () => 1;\n"),
        ONE_ATTEMPT,
    ];
    let edits = [
        one_edit("size.js", "=> 1", "=> 2"),
        created("size.test.js", "test('size', () => expect(require('./size')()).toBe(2));\n"),
    ];
    let local = Local::with(&files);
    local.may_run("bin/jest");
    let (text, report) = local.edited(&edits, &["--verify", "npm test"]);
    assert_eq!(report["outcome"], "proven", "{text}");
    assert_eq!(report["proof"]["tests"][0]["id"], "size.test.js > size", "{text}");

    // Where the exit status says otherwise, the report shows nothing.
    let lies = jest.replace("[ $state = passed ]", "true").replace("1 $state", "1 passed");
    assert_ne!(lies, jest);
    let local = Local::with(&[files[0], ("bin/jest", &lies), files[2], files[3]]);
    local.may_run("bin/jest");
    let (text, report) = local.edited(&edits, &["--verify", "npm test"]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
}

/// Its thirty repeats take a fraction of pytest's time.
const UNITTEST: &str = "[verify]\ncommands = [\"python3 -m unittest\"]\n";
const SIZE_UNIT_TEST: &str = "import unittest\n\nimport widget\n\n\nclass SizeTest(unittest.TestCase):\n    \
                              def test_size(self):\n        self.assertEqual(widget.size(), 2)\n";

/// A fix without a test, and the reason why.
fn untested_fix() -> Vec<ScriptedTurn> {
    let done = json!({"summary": "one was wrong", "no_test": "it is one number"});
    vec![edit("widget.py", "return 1", "return 2"), ScriptedTurn::call("finish", done)]
}

#[tokio::test]
async fn a_test_that_a_review_asks_for_proves_the_fix_of_the_first_round() {
    let type_test = SIZE_UNIT_TEST
        .replace("Size", "Type")
        .replace("Equal(widget.size(), 2)", "True(widget.size())");
    let files = [PYTHON[0], ("test_type.py", &*type_test), (".github/gander.toml", UNITTEST)];
    let w = World::with_project(files.to_vec()).await;
    let tested = vec![write("test_size.py", SIZE_UNIT_TEST), say_done("a test")];
    let untested = vec![ScriptedTurn::call("run", json!({"command": "rm test_size.py"}))];
    let untested = [untested, vec![say_done("no test")]].concat();
    w.model.will_in_rounds(vec![untested_fix(), tested, untested]);
    w.fixed().await;
    let pull = w.only_pull().number;
    assert_eq!(w.only_pull().labels, ["gander:ai-generated", "gander:unproven"]);

    w.owner().reviews(REPO, pull, Verdict::RequestsChanges, "A test, please.").unwrap();
    w.settle().await;
    let body = w.only_pull().body;
    assert_eq!(w.only_pull().labels, ["gander:ai-generated"], "{body}");
    assert!(body.contains("\n### Proof\nRun by Gander, each time in a fresh copy"), "{body}");
    assert!(body.contains("without `widget.py` line 2 (+1 −1)"), "{body}");
    assert!(
        body.contains("| `test_size.SizeTest.test_size` | failed: AssertionError: 1 \\!= 2 |"),
        "{body}"
    );

    w.owner().reviews(REPO, pull, Verdict::RequestsChanges, "No test after all.").unwrap();
    w.settle().await;
    let body = w.only_pull().body;
    assert!(body.contains("### Not proven\nNo test fails without the change."), "{body}");
    assert_eq!(w.only_pull().labels, ["gander:ai-generated", "gander:unproven"], "{body}");
    w.ends().await;
}

#[tokio::test]
async fn where_proof_is_required_each_round_without_it_waits_for_its_own_go() {
    let rules = "[verify]\ncommands = [\"python3 -m unittest\"]\n[proof]\nmode = \"required\"\n";
    let fine = SIZE_UNIT_TEST.replace("2)", "1)");
    let files = [PYTHON[0], ("test_size.py", &*fine), (".github/gander.toml", rules)];
    let w = World::with_project(files.to_vec()).await;
    let comment = |words: &str| {
        let done = json!({"summary": "a comment", "no_test": "it is a comment"});
        let edit = edit("widget.py", "def size", &format!("# {words}\ndef size"));
        vec![edit, ScriptedTurn::call("finish", done)]
    };
    w.model.will_in_rounds(vec![comment("How many."), comment("In all.")]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    assert!(w.last_words(issue).contains("it is not proven"), "{}", w.last_words(issue));
    w.says(issue, "/gander go").await;
    let pull = w.only_pull();
    w.owner().reviews(REPO, pull.number, Verdict::RequestsChanges, "Say more.").unwrap();
    w.settle().await;
    assert_eq!(w.only_pull().head_sha, pull.head_sha, "a go is about one change");
    assert!(w.last_words(pull.number).contains("it is not proven"), "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn where_others_pushed_the_pull_request_says_which_round_was_proven() {
    let turns = vec![
        edit("widget.py", "return 1", "return 2"),
        write("test_size.py", SIZE_UNIT_TEST),
        say_done("one was wrong"),
    ];
    let w = on_github(UNITTEST, Vec::new()).await;
    let more = vec![edit("widget.py", "def size", "# How many.\ndef size"), say_done("a comment")];
    w.model.will_in_rounds(vec![turns, more]);
    w.fixed().await;
    let (pull, branch) = (w.only_pull().number, w.only_pull().head_branch);
    w.maintainer().pushes(REPO, &branch, "Notes", &[("NOTES.md", Some("mine\n"))]).unwrap();
    w.owner().reviews(REPO, pull, Verdict::RequestsChanges, "A comment, please.").unwrap();
    w.settle().await;
    let body = w.only_pull().body;
    assert!(body.contains("### Proof of round 1\nWhat was pushed after it was checked"), "{body}");
    assert!(
        body.contains("| `test_size.SizeTest.test_size` | failed: AssertionError: 1 \\!= 2 |"),
        "{body}"
    );
    assert!(body.contains("### Checks passed"), "{body}");
    w.ends().await;
}

#[test]
fn a_crash_of_the_whole_run_is_a_tests_reason_where_the_issue_speaks_of_it() {
    let lib = "pub fn f(n: u32) -> u32 {\n    if n == 0 { std::process::abort() }\n    n\n}\n";
    let test = "#[test]\nfn nothing() {\n    assert_eq!(widget::f(0), 0);\n}\n";
    let mends = one_edit("src/lib.rs", "    if n == 0 { std::process::abort() }\n", "");
    let edits = [mends, created("tests/nothing.rs", test)];
    for (issue, outcome) in
        [("f(0) aborts the process\n", "proven"), ("f(0) is wrong\n", "checks_passed")]
    {
        let files = [CRATE, ("src/lib.rs", lib), (".gitignore", "/target\n"), ONE_ATTEMPT];
        let (text, report) = Local::with(&files).about(issue).edited(&edits, &[]);
        assert_eq!(report["outcome"], outcome, "{issue}: {text}");
        assert_eq!(text.contains("or the run ends before them"), outcome != "proven", "{text}");
        assert_eq!(report["proof"]["tests"][0]["id"], "tests/nothing.rs::nothing", "{text}");
    }
}

#[test]
fn an_example_that_ends_its_process_passes_for_its_runner_and_waits_for_a_person() {
    let lib = "/// ```\n/// assert_eq!(widget::half(3), None);\n/// ```\npub fn half(n: u32) -> \
               Option<u32> {\n    Some(n / 2)\n}\n";
    let files = [CRATE, ("src/lib.rs", lib), (".gitignore", "/target\n"), ONE_ATTEMPT];
    let ends = "    if n % 2 == 1 {\n        std::process::exit(0);\n    }\n    Some(n / 2)";
    let edits = [one_edit("src/lib.rs", "    Some(n / 2)", ends)];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["outcome"], "held", "{text}");
    assert!(text.contains("src/lib.rs: line 6 ends the process, and its runner calls"), "{text}");
    let seen = "src/lib.rs: ends the whole process: std::process::exit(0) (line 6, rule";
    assert!(text.contains(seen), "{text}");
    assert!(!text.contains("hooks and settings as they were"), "its file is no setting: {text}");
}

#[test]
fn tests_that_the_checks_do_not_run_show_nothing_and_no_absence_of_a_bug() {
    let ignored =
        "#[test]\n#[ignore]\nfn nothing() {\n    assert_eq!(widget::mean(&[]), None);\n}\n";
    let (text, report) =
        stats().attempted(&[&[fix(), created("tests/a.rs", ignored)], &[finish(&json!({}))]], &[]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
    assert!(text.contains("the commands above do not run them"), "{text}");
}

#[test]
fn code_that_lies_where_tests_do_is_not_taken_for_a_test() {
    let files = [
        ("pkg/__init__.py", ""),
        ("pkg/test/__init__.py", ""),
        ("pkg/test/runner.py", "def size():\n    return 1\n"),
        ("tests/test_a.py", "from pkg.test import runner\n\ndef test_a():\n    assert runner\n"),
        ONE_ATTEMPT,
    ];
    let test = "from pkg.test import runner\n\ndef test_size():\n    assert runner.size() == 2\n";
    let edits =
        [one_edit("pkg/test/runner.py", "return 1", "return 2"), created("tests/test_b.py", test)];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["outcome"], "checks_passed", "{text}");
    assert!(text.contains("which of the change is its tests cannot be told"), "{text}");
}

#[test]
fn an_old_expectation_that_is_gutted_in_a_helper_is_held_too() {
    let helper = "def same(a, b):\n    assert a == b\n";
    let old = "import widget\nfrom helpers import same\n\ndef test_old_size():\n    \
               same(widget.size(), 1)\n";
    let files = [PYTHON[0], ("tests/helpers.py", helper), ("tests/test_old.py", old), ONE_ATTEMPT];
    let edits = [
        python_fix(),
        one_edit("tests/helpers.py", "assert a == b", "pass"),
        created("tests/test_size.py", SIZE_TEST),
    ];
    let (text, report) = Local::with(&files).edited(&edits, &["--verify", "pytest -q"]);
    assert_eq!(report["outcome"], "held", "{text}");
    assert!(text.starts_with("…") && text.contains("Held for a person to look at"), "{text}");
    assert!(text.contains("look before you use it: tests/test_old.py::test_old_size"), "{text}");
}

#[test]
fn hooks_under_another_name_than_conftest_are_held() {
    let hook = "import pytest\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_pyfunc_call(pyfuncitem):\n    \
                return True\n";
    let test = format!("pytest_plugins = ['helper_plugin']\n{SIZE_TEST}");
    let edits = [created("helper_plugin.py", hook), created("test_size.py", &test)];
    let (text, report) = Local::with(&PYTHON).edited(&edits, &[]);
    assert_eq!(report["outcome"], "held", "{text}");
    assert!(text.contains("helper_plugin.py: has hooks of its test runner"), "{text}");
}

#[test]
fn a_fix_with_which_the_old_tests_do_not_even_compile_is_held_in_words_that_say_so() {
    let edits = [
        one_edit(
            "src/lib.rs",
            "Option<u32> {\n    Some(n.iter().sum::<u32>() / n.len() as u32)",
            "u32 {\n    \
                  n.iter().sum::<u32>().checked_div(n.len() as u32).unwrap_or(0)",
        ),
        one_edit("src/lib.rs", "super::mean(&[1]), Some(1)", "super::mean(&[1]), 1"),
    ];
    let (text, report) = stats().attempted(&[&edits, &[finish(&json!({}))]], &[]);
    assert_eq!(report["outcome"], "held", "{text}");
    let words = "look before you use it: the tests as they were do not build, load or run";
    assert!(text.contains(words), "{text}");
    assert!(!text.contains("this test, as it was"), "{text}");
}

#[test]
fn a_new_test_that_does_not_need_the_fix_is_called_weak_with_its_line() {
    let tests = "assert_eq!(super::mean(&[]), None);\n    }\n\n    #[test]\n    fn idle() {\n        \
                 assert_eq!(super::mean(&[2]), Some(2));";
    let (text, report) = stats().edited(&[fix(), test_with(tests)], &[]);
    assert_eq!(report["outcome"], "proven", "{text}");
    let weak = &report["proof"]["weak_tests"];
    assert_eq!(weak, &json!([{"id": "widget::tests::idle", "path": "src/lib.rs", "line": 21}]));
    let said =
        "weak: widget::tests::idle (src/lib.rs:21) passes without the rest of the change, too";
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_change_larger_than_the_rules_like_is_held_and_a_file_far_from_the_issue_is_named() {
    let rules = "[agent]\nattempts = 1\n[limits]\nsource_lines = 3\n";
    let local = Local::with(&[
        CRATE,
        ("src/lib.rs", CODE),
        ("src/paint.rs", "pub fn colour() {}\n"),
        (".gitignore", "/target\n"),
        (".github/gander.toml", rules),
    ]);
    let local = local.about("The mean of nothing\n\n`mean(&[])` panics.\n");
    let more = one_edit("src/paint.rs", "pub fn colour() {}", "pub fn colour() {\n    drop(1);\n}");
    let edits = [fix(), test_with("assert_eq!(super::mean(&[]), None);"), more];
    let (text, report) = local.edited(&edits, &[]);
    assert_eq!(report["outcome"], "held", "{text}");
    let held = "it adds 6 lines of code to the program, and `[limits] source_lines` is 3";
    assert_eq!(report["held"], json!([held]), "{text}");
    assert!(text.contains("src/paint.rs: nothing is in it that the issue names"), "{text}");
}
