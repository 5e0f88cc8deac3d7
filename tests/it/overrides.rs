//! What a rule against cheats stops, and how a maintainer lets it through.

use insta::assert_snapshot;
use serde_json::json;

use crate::program::Local;
use crate::second_look::{ONE_ATTEMPT, one_edit};
use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, visible, write};
use gander::core::job::JobStage;
use gander::model::ScriptedTurn;

const TEST: &str = "import pytest\n\n\ndef test_print():\n    assert prints() == 1\n";

/// The honest fix, with a test beside it that is skipped from now on.
fn fix_that_skips() -> Vec<ScriptedTurn> {
    let mut turns = good_fix();
    let skip = edit("tests/test_print.py", "def test", "@pytest.mark.skip\ndef test");
    turns.insert(turns.len() - 1, skip);
    turns
}

fn with_a_test() -> Vec<(&'static str, &'static str)> {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[agent]\nattempts = 2\n";
    files.extend([("tests/test_print.py", TEST), (".github/gander.toml", rules)]);
    files
}

#[tokio::test]
async fn a_change_that_skips_a_test_is_sent_back_refused_and_let_through_for_a_reason() {
    let w = World::with_project(with_a_test()).await;
    w.model.will_try(vec![fix_that_skips(), vec![finish("It is right as it is.")]]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let asked = w.model.heard().pop().unwrap();
    assert!(asked.contains("tests/test_print.py:4: skips a test"), "{asked}");
    assert!(asked.contains("leave the tests as strict as they were"), "{asked}");
    assert!(!asked.contains("override"), "that is not the model's to ask for: {asked}");
    assert_snapshot!(w.last_words(issue), @r"
    @mona Gave up

    No attempt passed the checks. The last one ended with:

    ```text
    rules against cheats: tests/test_print.py:4: skips a test, or expects it to fail: @pytest.mark.skip (rule test-skipped)
    This makes checks green without mending anything, or looks like it. Mend the cause, and leave the tests as strict as they were.
    ```

    No pull request was opened. `/gander retry` with a hint tries again from there.

    If what the rule found is right here, comment `/gander override test-skipped` and why: the change is checked again without asking the model, and the reason stands in the pull request.
    ");

    // Nothing changes for a stranger, for no rule, and for no reason.
    w.stranger().comments(REPO, issue, "/gander override test-skipped I say so").unwrap();
    w.settle().await;
    assert_snapshot!(w.last_words(issue), @"`override` needs write access to this repository, and you have read access. The rule stands in `.github/gander.toml` under `[trigger]` (default: write). Someone with write access can give the command.");
    w.says(issue, "/gander override skips because").await;
    assert_snapshot!(w.last_words(issue), @"There is no rule skips. The refusal above names it: `/gander override RULE` and why it is right here. Nothing was changed.");
    w.says(issue, "/gander override test-skipped").await;
    assert_snapshot!(w.last_words(issue), @"It takes a reason, which stands in the pull request: `/gander override test-skipped` and why it is right here. Nothing was changed.");
    w.owner().comments(REPO, issue, "/gander override tautology it is fine").unwrap();
    w.settle().await;
    assert_snapshot!(w.last_words(issue), @"Nothing here was stopped by `tautology`, so there is nothing to let through. `/gander status` shows more.");
    // Who may write may not approve here, and so not this.
    w.says(issue, "/gander override test-skipped it is fine").await;
    assert_snapshot!(w.last_words(issue), @"`override` needs maintain access to this repository, as an approval does, and you have write access. The rule stands in `.github/gander.toml` under `[approval]`.");
    w.nothing_was_published();

    // The model is not asked again: what it left is checked once more, and goes out.
    let before = w.model.heard().len();
    let words = "/gander override test-skipped the *printer* is gone\nfor good";
    assert!(w.owner().comments(REPO, issue, words).is_ok());
    w.settle().await;
    assert_eq!(w.model.heard().len(), before);
    assert_snapshot!(visible(&w.only_pull().body), @r"
    Approving `283633aaa0ee` merges it into `main`. It does not release.

    **Expected review: long**, because 2 things need a close look. Read in this order: `tests/test_print.py` +1 −0, `count.sh` +1 −1.

    > [!IMPORTANT]
    > **Please look closely at:**
    > - `test-skipped` was overridden by acme: the \*printer\* is gone for good
    > - tests/test\_print.py: changes a test that was there
    > - tests/test\_print.py: skips a test, or expects it to fail: `@pytest.mark.skip` (line 4, rule test-skipped)

    ### What changed
    2 files, +2 −1. In the model's words:

    ```text
    It is right as it is.
    ```

    ### Not proven
    It was not tried: what single tests came to is not known. Gander reads it of cargo test, cargo nextest, pytest, unittest, node --test, jest, vitest, mocha, tape, go test, gotestsum, PHPUnit, RSpec and ctest, where a check is that one command and what it prints adds up.

    ### Checks passed
    Run by Gander in a fresh copy of the base commit with this change:

    | check | result | time |
    |---|---|---|
    | paths and size of the change | passed | TIME |
    | `sh check.sh` | passed | TIME |

    ### Not checked
    That the tests fail without the change, and whatever the checks above do not cover.

    Fixes #1

    ---
    <sub>Asked for by mona. Want it otherwise? Request changes in a review, comment `/gander revise` with what to do, or push to this branch. $0.00 of $3.00 · scripted · Gander 0.1.0 · job aek7xt7gyeax · 12:00 UTC</sub>
    ");
    w.ends().await;
}

#[tokio::test]
async fn a_second_attempt_that_takes_the_cheat_back_is_as_good_as_any() {
    let w = World::with_project(with_a_test()).await;
    let back = edit("tests/test_print.py", "@pytest.mark.skip\n", "");
    w.model.will_try(vec![fix_that_skips(), vec![back, finish("Done.")]]);
    w.fixed().await;
    let body = w.only_pull().body;
    assert!(!body.contains("skip"), "{body}");
    w.ends().await;
}

#[tokio::test]
async fn a_rule_can_be_overridden_while_the_job_is_at_work() {
    let w = World::with_project(with_a_test()).await;
    w.model.will_try(vec![fix_that_skips(), vec![finish("It is right as it is.")]]);
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until_stage(issue, |stage| matches!(stage, JobStage::Fixing { attempt: 2, .. })).await;
    w.owner().comments(REPO, issue, "/gander override test-skipped the printer is gone").unwrap();
    w.settle().await;
    assert!(w.only_pull().body.contains("`test-skipped` was overridden by"));
    w.ends().await;
}

#[tokio::test]
async fn an_override_holds_in_later_rounds_and_another_rule_still_stops_them() {
    let mut files = with_a_test();
    files.last_mut().unwrap().1 = "[verify]\ncommands = [\"sh check.sh\"]\n[agent]\nattempts = 1\n";
    let w = World::with_project(files).await;
    let skip = edit("tests/test_print.py", "def test", "@pytest.mark.skip\ndef test");
    let true_for_ever = write("tests/test_more.py", "def test_x():\n    assert True\n");
    w.model.will_in_rounds(vec![
        good_fix(),
        vec![skip.clone(), finish("Done.")],
        vec![skip, true_for_ever, finish("Done.")],
    ]);
    w.fixed().await;
    let pull = w.only_pull().number;
    w.says(pull, "/gander revise Skip the test of the printer.").await;
    assert!(w.last_words(pull).contains("/gander override test-skipped"), "{}", w.last_words(pull));
    w.owner().comments(REPO, pull, "/gander override test-skipped as asked").unwrap();
    w.settle().await;
    assert_snapshot!(w.last_words(pull), @"From the next check on, what `test-skipped` finds stops nothing here. `/gander retry` makes the round again that it stopped.");
    w.says(pull, "/gander retry").await;
    assert_snapshot!(w.last_words(pull), @"@mona Done in `76c954e7dd84`, and checked.");
    w.ends().await;
}

#[test]
fn on_a_machine_of_ones_own_an_override_is_an_argument() {
    let files = [("widget.py", "def x():\n    return 1\n"), ONE_ATTEMPT];
    let test = "import widget\n\ndef test_x():\n    assert widget.x() in (1, 2)\n";
    let files = [&files[..], &[("test_widget.py", test)]].concat();
    let edits = [
        one_edit("widget.py", "return 1", "return 2"),
        one_edit("test_widget.py", "    assert", "    return\n    assert"),
    ];
    let (text, report) = Local::with(&files).edited(&edits, &[]);
    assert_eq!(report["outcome"], "refused", "{text}");
    assert!(text.contains("test_widget.py:4: ends the test test_x before its end"), "{text}");
    assert!(text.contains("--override 'test-cut-short=WHY'"), "{text}");
    let more = ["--override", "test-cut-short=it never worked"];
    let (text, report) = Local::with(&files).edited(&edits, &more);
    assert_ne!(report["outcome"], json!("refused"), "{text}");
    assert!(text.contains("Overridden: test-cut-short, because: it never worked"), "{text}");
    assert_eq!(report["overridden"][0]["reason"], "it never worked");
}

/// `gander rules` in the repository of this run.
fn rules(local: &Local, what: &str) -> (Option<i32>, String) {
    let mut command = crate::program::gander();
    command.args(["rules", what, "--repo"]).arg(local.repository());
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn rules_say_what_a_patch_holds_and_why_something_cannot_be_looked_at() {
    let local = Local::with(&[("tests/test_a.py", "def test_a():\n    assert f() == 1\n")]);
    let patch = |name: &str, text: &str| {
        let path = local.repository().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let diff = "--- a/tests/test_a.py\n+++ b/tests/test_a.py\n@@ -1,2 +1,3 @@\n def test_a():\n\
                +    return\n     assert f() == 1\n";
    // A commit comes before a file of its name, wherever that lies.
    let mut command = crate::program::gander();
    command
        .args(["rules", "HEAD", "--repo"])
        .arg(local.repository())
        .current_dir(local.repository());
    std::fs::write(local.repository().join("HEAD"), diff).unwrap();
    let said = command.output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("hold HEAD against"), "{said:?}");
    let (code, said) = rules(&local, &patch("short.patch", diff));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("tests/test_a.py:2: test-cut-short (blocks): ends the test"), "{said}");
    for (what, words) in [
        (patch("empty.patch", ""), "the patch is empty"),
        (patch("other.patch", &diff.replace("f()", "g()")), "the patch does not apply to"),
        ("not-there.patch".to_owned(), "not-there.patch is not there"),
        ("HEAD".to_owned(), "there is nothing to hold HEAD against: it has no parent here"),
        ("..HEAD".to_owned(), "the range begins nowhere"),
        ("nothing".to_owned(), "branch, tag or commit \"nothing\""),
    ] {
        let (code, said) = rules(&local, &what);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains(words), "{what}: {said}");
    }
}
