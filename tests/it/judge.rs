//! A second opinion: another model looks at a green change, and people read what it says.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::program::Local;
use crate::world::{REPO, World, good_fix, off_by_one, visible};
use gander::model::{Scripted, ScriptedTurn};

const RULES: &str = "[verify]\ncommands = [\"sh check.sh\"]\n[judge]\nmode = \"warn\"\n";

async fn world(rules: &str) -> World {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((".github/gander.toml", rules));
    World::with_project(files).await
}

fn opinion(arguments: Value) -> Vec<ScriptedTurn> {
    vec![ScriptedTurn::call("opinion", arguments)]
}

fn warning() -> Vec<ScriptedTurn> {
    opinion(json!({
        "does_what_was_asked": "no",
        "summary": "It takes the - 1 away. @mona, merge it: [here](https://example.com)",
        "concerns": [
            {"path": "count.sh", "line": 2, "what": "`$2` is **still** ignored"},
            {"path": "other.sh", "line": 1, "what": "not of this change"},
        ],
    }))
}

fn plays(w: &World, opinions: Vec<ScriptedTurn>) {
    let fix = Scripted::from_turns(good_fix());
    w.model.play(fix.with_opinions(vec![opinions]));
}

/// The section of the pull request.
fn section(body: &str) -> String {
    let body = visible(body);
    let (_, rest) = body.split_once("### Second opinion").unwrap_or_else(|| panic!("{body}"));
    rest.split_once("\n### ").map_or(rest, |it| it.0).trim().to_owned()
}

#[tokio::test]
async fn a_warning_stands_in_the_pull_request_stops_nothing_and_is_held_against_its_fate() {
    let w = world(RULES).await;
    plays(&w, warning());
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.settle_while(5, |w| w.minutes_pass(1)).await;
    let pull = w.only_pull();
    assert_snapshot!(section(&pull.body), @r"
    Of `scripted`, which saw the request, the change and what was run, and nothing that its author says. It decides nothing. **It thinks that the change does not do what was asked for:**

    ```text
    It takes the - 1 away. @mona, merge it: [here](https://example.com)
    ```

    - count.sh line 2: `'$2'` is \*\*still\*\* ignored
    - 1 not shown: too many, or about no file of the change

    <sub>No pull request of this repository with such a warning is over yet, so nothing is known of what warnings are worth here.</sub>
    ");
    assert!(w.timeline().contains("second opinion"), "{}", w.timeline());
    // It sees the request, the change and what was run, and nothing that the author said.
    let asked = w.model.heard().pop().unwrap();
    for part in ["<issue-", "<proposed-change-", "-echo $(( $1 - 1 ))", "passed: sh check.sh"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(!asked.contains("leftover"), "{asked}");

    // The pull request is closed: the warning was right, and the next one says so.
    w.maintainer().closes(REPO, pull.number).unwrap();
    w.settle().await;
    w.says(issue, "/gander retry").await;
    let again = w.emulator.pulls(REPO).pop().unwrap();
    assert_ne!(again.number, pull.number);
    assert_snapshot!(section(&again.body).lines().last().unwrap(), @"<sub>Of the pull requests of this repository with such a warning, 1 of 1 (100 %) changed before they were merged, or were not merged.</sub>");
    w.ends().await;
}

#[tokio::test]
async fn a_model_that_gives_no_opinion_stops_nothing() {
    for (opinions, why) in [
        (vec![], "has no turn 1 in"),
        (vec![ScriptedTurn::fail(401)], "refuses our key"),
        (opinion(json!({"summary": "It is fine."})), "opinions"),
    ] {
        let w = world(RULES).await;
        plays(&w, opinions);
        w.fixed().await;
        let said = section(&w.only_pull().body);
        assert!(said.starts_with("There is none: ") && said.contains(why), "{said}");
        w.ends().await;
    }
}

#[tokio::test]
async fn without_money_nobody_is_asked_and_the_change_goes_out() {
    let w = world(&format!("{RULES}[budget]\nrun = \"$0.10\"\n")).await;
    let script = json!({
        "price": {"input": "$1", "output": "$1", "cache_read": "$1", "cache_write": "$1"},
        "attempts": [[
            {"calls": [{"tool": "edit", "path": "count.sh", "old": "$1 - 1", "new": "$1"}]},
            {"calls": [{"tool": "verify"}]},
            {"calls": [{"tool": "finish", "summary": "done"}],
             "usage": {"output_tokens": 98_000}},
        ]],
    });
    w.model.play(script.to_string().parse().unwrap());
    w.fixed().await;
    let said = section(&w.only_pull().body);
    assert!(said.starts_with("There is none: ") && said.contains("budget"), "{said}");
    w.ends().await;
}

#[tokio::test]
async fn a_judge_that_is_not_on_the_operators_list_is_named_before_anything_is_paid() {
    let w = world(&format!("{RULES}model = \"owl\"\n")).await;
    plays(&w, warning());
    let issue = w.fixed().await;
    w.nothing_was_published();
    assert!(w.last_words(issue).contains("The model `owl` is not on this server's list"));
    assert!(w.model.heard().is_empty());
}

#[test]
fn a_local_run_prints_it_and_keeps_the_findings_it_would_look_at_first_on_top() {
    let files = [
        ("widget.py", "def x():\n    return 1\n"),
        ("check.sh", "true\n"),
        (".github/gander.toml", RULES),
    ];
    let local = Local::with(&files);
    let edits = json!([{
        "tool": "edit", "path": "widget.py", "old": "return 1", "new": "return 2",
    }]);
    let says = json!({
        "tool": "opinion",
        "does_what_was_asked": "yes",
        "summary": "It returns 2.",
        "concerns": [{"path": "widget.py", "line": 2, "what": "why 2?"}],
    });
    let finish = json!([{"tool": "finish", "summary": "done", "no_test": "there is none"}]);
    let script = json!({
        "model": "owl",
        "attempts": [[{"calls": edits}, {"calls": finish}]],
        "opinions": [[{"calls": [says]}]],
    });
    let (text, report) = local.played(&script, &[]);
    assert!(text.contains("Second opinion of owl. It thinks that the change does"), "{text}");
    assert!(text.contains("widget.py:2: why 2?"), "{text}");
    assert_eq!(report["opinion"]["given"]["opinion"], "yes", "{report}");
}
