//! What the checks come to without the change: whether they can run at all, what failed before, and
//! what wavers.

use serde_json::{Value, json};

use crate::program::{Local, an_idle_edit};
use crate::world::{World, edit, files_below, finish, good_fix, off_by_one};

const CRATE: (&str, &str) = (
    "Cargo.toml",
    "[package]\nname = \"widget\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
);
const ONE_ATTEMPT: (&str, &str) = (".github/gander.toml", "[agent]\nattempts = 1\n");

fn rules(commands: &str) -> Vec<(&'static str, String)> {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let mut files: Vec<_> = files.into_iter().map(|(path, text)| (path, text.to_owned())).collect();
    files.push((".github/gander.toml", format!("[verify]\ncommands = [{commands}]\n")));
    files
}

async fn world(files: &[(&'static str, String)]) -> World {
    World::with_project(
        files.iter().map(|(path, text)| (*path, &*String::leak(text.clone()))).collect(),
    )
    .await
}

#[tokio::test]
async fn checks_that_cannot_run_end_the_job_before_the_model_is_asked() {
    let w = world(&rules("\"no-such-tool --all\"")).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;

    assert_eq!(w.model.heard(), Vec::<String>::new(), "nobody paid for a model");
    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Checks cannot be run here**"), "{}", comments[0]);
    for words in ["no-such-tool --all: the command cannot be run", "`/gander retry`"] {
        assert!(comments[1].contains(words), "{}", comments[1]);
    }
    assert_eq!(w.issue(issue).labels, ["gander:needs-human"]);
    w.ends().await;
}

#[tokio::test]
async fn the_base_is_checked_once_for_all_jobs_of_a_day() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;
    w.model.will(good_fix());
    w.fixed().await;

    let kept = files_below(&w.data().join("base-checks"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    let runs = || {
        let logs = files_below(&w.data().join("jobs"));
        logs.iter().filter(|path| path.parent().unwrap().ends_with("base")).count()
    };
    assert_eq!(runs(), 1, "the second job knew it");
    // It is red: by tomorrow somebody may have installed what was missing.
    w.minutes_pass(24 * 60 + 1);
    w.model.will(good_fix());
    w.fixed().await;
    assert_eq!(runs(), 2);
    w.ends().await;
}

#[tokio::test]
async fn a_pull_request_names_the_tests_that_fail_without_it_too_and_so_does_the_task() {
    let tests = "import widget\n\n\ndef test_good():\n    assert widget.x == 2\n\n\n\
                 def test_old():\n    assert 1 == 2\n";
    let w = World::with_project(vec![("widget.py", "x = 1\n"), ("test_widget.py", tests)]).await;
    w.model.will(vec![edit("widget.py", "x = 1", "x = 2"), finish("done")]);
    w.fixed().await;

    let told = &w.model.heard()[0];
    let red = "(fails without any change: test_widget.py::test_good, test_widget.py::test_old)";
    assert!(told.contains(red), "{told}");
    let body = w.only_pull().body;
    let table = "| `pytest -q` | passed without the tests below |";
    let named = "Fails without this change, too: test\\_widget.py::test\\_old.";
    assert!(body.contains(table) && body.contains(named), "{body}");
    w.ends().await;
}

#[tokio::test]
async fn a_change_without_a_verdict_is_kept_and_offered_as_unverified() {
    let w = World::with_project(off_by_one()).await;
    let worse = |from: &str, to: &str| vec![edit("count.sh", from, to), finish("done")];
    w.model.will_try(vec![
        worse("$1 - 1", "$1 - 2"),
        worse("$1 - 2", "$1 - 3"),
        worse("$1 - 3", "$1 - 4"),
    ]);
    let issue = w.fixed().await;
    let status = &w.comments(issue)[0];
    for words in ["not verified, and in no branch", "-echo $(( $1 - 1 ))", "+echo $(( $1 - 4 ))"] {
        assert!(status.contains(words), "{words}: {status}");
    }
    assert!(status.contains("This command fails without the change, too."), "{status}");
    w.ends().await;
}

/// Two tests, of which one is red.
fn one_red(body: &str) -> String {
    format!(
        "pub fn add(a: u8, b: u8) -> u8 {{\n    {body}\n}}\n\n\
         #[test]\nfn adds() {{\n    assert_eq!(add(2, 2), 4);\n}}\n\n\
         #[test]\nfn old() {{\n    assert_eq!(1, 2);\n}}\n"
    )
}

fn edited(local: &Local, old: &str, new: &str, more: &[&str]) -> (String, Value) {
    local.edited(&[json!({"tool": "edit", "path": "src/lib.rs", "old": old, "new": new})], more)
}

#[test]
fn a_test_that_was_red_before_does_not_stop_a_change_and_is_named() {
    let local = Local::with(&[CRATE, ("src/lib.rs", &one_red("a + b")), ONE_ATTEMPT]);
    let (text, report) = edited(&local, "a + b", "b + a", &[]);
    assert_eq!(report["result"], "verified", "{text}");
    let outcome = &report["checks"][1]["outcome"]["only_known_failures"];
    assert_eq!(outcome, &json!({"red_before": ["old"], "flaky": []}), "{report:#}");
    assert!(text.contains("passed but for known failures"), "{text}");
}

#[test]
fn a_test_that_only_the_change_makes_red_is_told_from_the_old_ones() {
    let local = Local::with(&[CRATE, ("src/lib.rs", &one_red("a + b")), ONE_ATTEMPT]);
    let (text, report) = edited(&local, "a + b", "a - b", &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    for words in ["These fail without the change, too: old.", "These fail only with it: adds."] {
        assert!(text.contains(words), "{text}");
    }
    assert!(text.contains("What it left, not verified: "), "{text}");
    assert!(local.left_a_patch("unverified.patch") && !local.left_a_patch("change.patch"));
}

#[test]
fn a_test_that_wavers_decides_nothing_unless_the_change_touches_it() {
    // With the change, its first run in a tree fails; so does one alone, and the others pass.
    let flaky = "import os\n\n\ndef test_good():\n    pass\n\n\ndef test_wavers():\n    \
                 first = not os.path.exists('ran')\n    open('ran', 'w').close()\n    \
                 assert not (first and 'idle' in open('widget.py').read())\n";
    let local = Local::with(&[("test_widget.py", flaky), ("widget.py", "x = 1\n"), ONE_ATTEMPT]);
    let idle = |path: &str, old: &str, new: &str| json!({"tool": "edit", "path": path, "old": old, "new": new});
    let (text, report) = local.edited(&[idle("widget.py", "x = 1", "x = 1  # idle")], &[]);
    assert_eq!(report["result"], "verified", "{text}");
    let outcome = &report["checks"][1]["outcome"]["only_known_failures"];
    let wavers = json!({"red_before": [], "flaky": ["test_widget.py::test_wavers"]});
    assert_eq!(outcome, &wavers, "{report:#}");

    let touched = [
        idle("widget.py", "x = 1", "x = 1  # idle"),
        idle("test_widget.py", "def test_good():\n    pass", "def test_good():\n    assert True"),
    ];
    let (text, report) = local.edited(&touched, &[]);
    assert_eq!(report["result"], "no_verified_change", "its own file is changed: {text}");
}

#[test]
fn packages_that_are_not_there_stop_a_job_before_the_first_call() {
    let dependency = format!("{}[dependencies]\nno-such-package-here = \"1\"\n", CRATE.1);
    for (files, named) in [
        (vec![("Cargo.toml", &*dependency), ("src/lib.rs", "")], "`no-such-package-here`"),
        (
            vec![("test_widget.py", "import no_such_module\n\ndef test_a():\n    pass\n")],
            "`no_such_module`",
        ),
        (
            vec![
                ("package.json", r#"{"scripts": {"test": "node a.js"}}"#),
                ("a.js", "require('no-such-package/part');\n"),
            ],
            "`no-such-package`",
        ),
    ] {
        let local = Local::with(&[&files[..], &[ONE_ATTEMPT]].concat());
        let (text, report) = local.edited(&an_idle_edit(), &[]);
        assert_eq!(report["result"], "no_verified_change", "{text}");
        assert!(
            text.contains("is not installed where checks run") && text.contains(named),
            "{text}"
        );
        assert!(!local.asked_the_model(), "{text}");
    }
}

#[test]
fn a_module_of_the_projects_own_that_cannot_be_found_is_no_missing_package() {
    // A wrong import is what a change may be asked to mend.
    let files = [
        ("widget.py", "x = 1\n"),
        ("test_widget.py", "import widget.parts\n\ndef test_a():\n    pass\n"),
        ONE_ATTEMPT,
    ];
    let local = Local::with(&files);
    let mend = json!({"tool": "edit", "path": "test_widget.py", "old": "import widget.parts",
                      "new": "import widget"});
    let (text, report) = local.edited(&[mend], &[]);
    assert_eq!(report["result"], "verified", "{text}");
}
