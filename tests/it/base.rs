//! What the checks come to without the change: whether they can run at all, what failed before.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::program::{Local, an_idle_edit};
use crate::second_look::{CRATE, ONE_ATTEMPT, judged, one_edit};
use crate::world::{REPO, World, edit, files_below, finish, good_fix, off_by_one};

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

/// Whether a process with these words runs anywhere.
fn runs(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|it| std::fs::read(it.path().join("cmdline")).ok());
    commands.into_iter().any(|it| String::from_utf8_lossy(&it).replace('\0', " ").contains(words))
}

#[tokio::test]
async fn the_run_on_the_base_ends_with_its_job() {
    let w = world(&rules("\"sleep 4711.25\"")).await;
    w.model.will(good_fix());
    w.emulator.auto_deliver();
    let shutdown = CancellationToken::new();
    let (worker, until) = (w.worker.clone(), shutdown.clone());
    let running = tokio::spawn(async move { worker.run(until).await });
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    let within = async |what: &str, happened: &dyn Fn() -> bool| {
        let begun = std::time::Instant::now();
        while !happened() {
            assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the base is checked", &|| runs("sleep 4711.25")).await;
    w.maintainer().comments(REPO, issue, "/gander cancel").unwrap();
    let cancelled = || w.comments(issue).iter().any(|it| it.starts_with("**Cancelled**"));
    within("the job is cancelled", &cancelled).await;
    within("its run is over", &|| !runs("sleep 4711.25")).await;
    assert_eq!(w.model.heard(), Vec::<String>::new());
    shutdown.cancel();
    running.await.unwrap();
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
async fn a_persons_commit_is_blamed_for_what_it_breaks_and_not_for_what_was_broken() {
    let tests = "import widget\n\n\ndef test_good():\n    assert widget.x == 2\n\n\n\
                 def test_old():\n    assert 1 == 2\n";
    for (pushed, merges) in [("x = 2\ny = 1\n", true), ("x = 3\n", false)] {
        let files = vec![("widget.py", "x = 1\n"), ("test_widget.py", tests)];
        let w = World::with_project(files).await;
        w.model.will(vec![edit("widget.py", "x = 1", "x = 2"), finish("done")]);
        w.fixed().await;
        let pull = w.only_pull();
        let files = [("widget.py", Some(pushed))];
        w.maintainer().pushes(REPO, &pull.head_branch, "More", &files).unwrap();
        w.settle().await;
        w.approved().await;
        assert_eq!(w.only_pull().merged, merges, "{pushed}: {}", w.timeline());
        let told = w.comments(pull.number).join("\n");
        assert_eq!(told.contains("Gander's own checks fail"), !merges, "{pushed}: {told}");
        w.ends().await;
    }
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
    assert!(text.contains("fails without it, too: old"), "{text}");
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
fn a_link_that_no_patch_can_hold_does_not_cost_the_rest() {
    let edits = [
        one_edit("widget.py", "x = 1", "x = 2"),
        json!({"tool": "run", "command": "ln -s widget.py link"}),
    ];
    let local = Local::with(&[("widget.py", "x = 1\n"), ONE_ATTEMPT]);
    let (text, report) = local.edited(&edits, &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("link cannot be part of a change"), "{text}");
    assert!(local.left_a_patch("unverified.patch"), "{text}");
}

#[test]
fn packages_that_are_not_there_stop_a_job_before_the_first_call() {
    let dependency = format!("{}[dependencies]\nno-such-package-here = \"1\"\n", CRATE.1);
    for (files, named) in [
        (vec![("Cargo.toml", &*dependency), ("src/lib.rs", "")], "`no-such-package-here`"),
        (
            vec![
                ("test_widget.py", "import no_such_module\n\ndef test_a():\n    pass\n"),
                ("requirements-dev.txt", "pytest\nNo-Such-Module>=2\n"),
            ],
            "`no_such_module`",
        ),
        (
            vec![
                (
                    "package.json",
                    r#"{"scripts": {"test": "node a.js"}, "devDependencies": {"no-such-package": "1"}}"#,
                ),
                ("a.js", "require('no-such-package/part');\n"),
            ],
            "`no-such-package`",
        ),
        (vec![("Makefile", "test:\n\tno-such-tool\n")], "Error 127"),
    ] {
        let local = Local::with(&[&files[..], &[ONE_ATTEMPT]].concat());
        let more: &[&str] = if named == "Error 127" { &["--verify", "make test"] } else { &[] };
        let (text, report) = local.edited(&an_idle_edit(), more);
        assert_eq!(report["outcome"], "inconclusive", "{text}");
        assert!(text.contains("The checks cannot be run here") && text.contains(named), "{text}");
        assert!(!local.asked_the_model(), "{text}");
    }
}

#[test]
fn what_the_project_itself_would_bring_is_no_missing_package() {
    let tests = "from widget import parts\nimport widget.parts\n\ndef test_a():\n    pass\n";
    let named = ("pyproject.toml", "[project]\nname = \"widget\"\nversion = \"1\"\n");
    let new =
        |path: &str| json!({"tool": "edit", "path": path, "action": "create", "new": "x = 1\n"});
    let package = [named, ("test_widget.py", tests), ("widget/__init__.py", "y = 1\n")];
    let (text, report) = judged(&package, &[new("widget/parts.py")]);
    assert_eq!(report["result"], "verified", "a part of it: {text}");
    let only_named = [named, ("test_widget.py", "import widget\n\ndef test_a():\n    pass\n")];
    let (text, report) = judged(&only_named, &[new("widget.py")]);
    assert_eq!(report["result"], "verified", "all of it: {text}");
    let tools = [("setup.py", "# needs setuptools\n"), ("a.py", "x = 1\n")];
    let local = Local::with(&[&tools[..], &[ONE_ATTEMPT]].concat());
    let edits = [new("tools/__init__.py"), new("tools/t.py")];
    let (text, report) = local.edited(&edits, &["--verify", "python3 -m tools.t"]);
    assert_eq!(report["result"], "verified", "what the command starts: {text}");
}

#[test]
fn a_plugin_that_pytest_lacks_stops_a_job_and_one_test_files_package_does_not() {
    let test = ("test_widget.py", "def test_a():\n    pass\n");
    let local = Local::with(&[test, ONE_ATTEMPT]);
    let more = ["--verify", "pytest -q --reruns 3"];
    let (text, report) = local.edited(&an_idle_edit(), &more);
    assert_eq!(report["outcome"], "inconclusive", "{text}");
    assert!(text.contains("`pytest-rerunfailures`") && !local.asked_the_model(), "{text}");

    let needs = ("requirements.txt", "no-such-module\n");
    let lacking = ("test_more.py", "import no_such_module\n\ndef test_b():\n    pass\n");
    let local = Local::with(&[test, needs, lacking, ("widget.py", "x = 1\n"), ONE_ATTEMPT]);
    let (text, report) = local.edited(&[one_edit("widget.py", "x = 1", "x = 2")], &[]);
    assert!(local.asked_the_model(), "{text}");
    assert_eq!(report["result"], "verified", "the others check it: {text}");
    assert!(text.contains("fails without it, too: test_more.py"), "{text}");
}

#[test]
fn a_slip_in_an_import_is_no_missing_package() {
    for slip in ["import widget.parts", "import wigdet"] {
        let tests = format!("{slip}\n\ndef test_a():\n    pass\n");
        let files = [("widget.py", "x = 1\n"), ("test_widget.py", &*tests)];
        let (text, report) = judged(&files, &[one_edit("test_widget.py", slip, "import widget")]);
        assert_eq!(report["result"], "verified", "{slip}: {text}");
    }
}
