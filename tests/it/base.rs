//! What the checks come to without the change: whether they can run at all, what failed before, and
//! what wavers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gander::core::evidence::CheckOutcome;
use gander::core::patch::{Change, FileMode, Patch};
use gander::core::path_rules::PathRules;
use gander::sandbox::{
    Bubblewrap, CommandOutput, Exit, Probe, Program, Sandbox, SandboxCommand, SandboxError,
    SandboxLimits,
};
use gander::verify::{Checker, SecondLook, VerifyContext, verifiers};
use gander::workspace::mirror::{History, Mirror, Source, Want};
use gander::workspace::patch::Caps;
use gander::workspace::scratch::Scratch;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::program::{Local, an_idle_edit};
use crate::world::{REPO, World, edit, files_below, finish, good_fix, off_by_one};

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

/// The machine's sandbox, in which a test that is run alone fails at first and passes then.
struct Wavering {
    real: Bubblewrap,
    alone: AtomicUsize,
}

#[async_trait::async_trait]
impl Sandbox for Wavering {
    fn name(&self) -> &'static str {
        self.real.name()
    }

    async fn probe(&self) -> Result<Probe, SandboxError> {
        self.real.probe().await
    }

    fn shows(&self, tree: &Path) -> PathBuf {
        self.real.shows(tree)
    }

    async fn run(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<CommandOutput, SandboxError> {
        let mut output = self.real.run(command, limits, stop).await?;
        let is_alone = matches!(&command.program, Program::Script(line) if line.ends_with("::test_b'")
            && !line.contains("--deselect"));
        if is_alone && self.alone.fetch_add(1, Ordering::Relaxed) > 0 {
            output.exit = Exit::Code(0);
            output.stdout.text = "1 passed in 0.01s\n".to_owned();
        }
        Ok(output)
    }
}

fn sandbox() -> Bubblewrap {
    gander::app::sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"))
}

/// What a second look makes of `pytest -q`, where `test_b` is red with the change alone.
async fn looked_at_again(patch_of: &str, sandbox: Arc<dyn Sandbox>) -> CheckOutcome {
    let tests = "import widget\n\ndef test_a():\n    pass\n\ndef test_b():\n    \
                 assert widget.x == 1\n";
    let local = Local::with(&[("test_widget.py", tests), ("widget.py", "x = 1\n")]);
    let cache = tempfile::tempdir().unwrap();
    let mirror = Mirror::open(&cache.path().join("mirrors"), "local").await.unwrap();
    let (repo, time) = (local.repository(), Duration::from_secs(60));
    let base = mirror.fetch(Source::Path(&repo), Want::Head, History::Tip, time).await.unwrap();
    let means = VerifyContext {
        sandbox,
        paths: PathRules::new(&[], &[]).unwrap(),
        caps: Caps { files: 10, bytes: 1_000_000 },
        time,
        logs: cache.path().join("logs"),
    };
    let verifiers = verifiers(&["pytest -q".to_owned()], &means);
    let scratch = Scratch::below(cache.path());
    let checker = Checker { mirror: mirror.clone(), base: base.clone(), scratch, verifiers };
    let stop = CancellationToken::new();
    let before = checker.check(&Patch::default(), &stop).await.unwrap().checks;
    let entries = mirror.list(&base).await.unwrap();
    let change = |path: &str, content: String| {
        let entry = entries.iter().find(|entry| entry.path == path.as_bytes()).unwrap();
        let change = Change::Write {
            mode: FileMode::File,
            content: content.into(),
            replaces: Some(entry.oid.clone()),
        };
        (path.parse().unwrap(), change)
    };
    let mut changes = BTreeMap::from([change("widget.py", "x = 2\n".to_owned())]);
    if patch_of == "its test, too" {
        changes.extend([change("test_widget.py", format!("# more\n{tests}"))]);
    }
    let patch = Patch { changes };
    let evidence = checker.check(&patch, &stop).await.unwrap();
    let look =
        SecondLook { checker: &checker, means: &means, base: &before, patch: &patch, stop: &stop };
    look.at(evidence.held_against(&before, true)).await.unwrap().checks.remove(1).outcome
}

#[tokio::test]
async fn a_test_that_wavers_decides_nothing_unless_the_change_touches_it() {
    let wavering = || Arc::new(Wavering { real: sandbox(), alone: AtomicUsize::new(0) });
    let flaky = vec!["test_widget.py::test_b".to_owned()];
    let cleared = CheckOutcome::OnlyKnownFailures { red_before: Vec::new(), flaky };
    assert_eq!(looked_at_again("", wavering()).await, cleared);
    let touched = looked_at_again("its test, too", wavering()).await;
    assert!(matches!(touched, CheckOutcome::Failed(_)), "{touched:?}");
    let steady = looked_at_again("", Arc::new(sandbox())).await;
    assert!(matches!(steady, CheckOutcome::Failed(_)), "it never passes: {steady:?}");
}

/// The program's result for these files and edits of one attempt.
fn judged(files: &[(&str, &str)], edits: &[Value]) -> (String, Value) {
    Local::with(&[files, &[ONE_ATTEMPT]].concat()).edited(edits, &[])
}

fn one_edit(path: &str, old: &str, new: &str) -> Value {
    json!({"tool": "edit", "path": path, "old": old, "new": new})
}

#[test]
fn a_break_is_no_flaky_test_though_the_test_cannot_run_twice_in_one_tree() {
    let once = "import a\n\ndef test_y():\n    pass\n\ndef test_store():\n    \
                open('out.db', 'x').close()\n    assert a.f() == 1\n";
    let first_run = "import os\n\ndef f():\n    if os.path.exists('seen'):\n        return 1\n    \
                     open('seen', 'w').close()\n    return 5\n";
    let plain = "import a\n\ndef test_y():\n    pass\n\ndef test_f():\n    assert a.f() == 1\n";
    let good = "def f():\n    return 1\n";
    for (tests, old, new) in [(once, "return 1", "return 5"), (plain, good, first_run)] {
        let (text, report) =
            judged(&[("a.py", good), ("test_a.py", tests)], &[one_edit("a.py", old, new)]);
        assert_eq!(report["result"], "no_verified_change", "{text}");
    }
}

#[test]
fn a_name_that_two_targets_have_hides_nothing() {
    let uses = |function: &str| {
        format!("#[test]\nfn same() {{\n    assert_eq!(widget::{function}(), 2);\n}}\n")
    };
    let (a, b) = (uses("f"), uses("g"));
    let lib = "pub fn f() -> u8 {\n    1\n}\n\npub fn g() -> u8 {\n    2\n}\n";
    let files = [CRATE, ("src/lib.rs", lib), ("tests/a.rs", &*a), ("tests/b.rs", &*b)];
    let swap = [one_edit(
        "src/lib.rs",
        "    1\n}\n\npub fn g() -> u8 {\n    2",
        "    2\n}\n\npub fn g() -> u8 {\n    3",
    )];
    let (text, report) = judged(&files, &swap);
    assert_eq!(report["result"], "no_verified_change", "{text}");
}

#[test]
fn tests_that_no_longer_run_though_no_test_was_changed_are_the_changes_fault() {
    let lib = "exports.f = () => 1;\nexports.g = () => 2;\n";
    let one = "const t = require('node:test');\nconst l = require('./lib.js');\n\
               t('one', () => l.f());\n";
    let two = "const t = require('node:test');\nconst l = require('./lib.js');\n\
               t('two', () => l.g());\nt('three', () => l.f());\n";
    let ends = [one_edit("lib.js", "() => 2", "() => process.exit(0)")];
    for script in ["node --test", "node two.test.js"] {
        let package = json!({"scripts": {"test": script}}).to_string();
        let files = [
            ("package.json", &*package),
            ("lib.js", lib),
            ("one.test.js", one),
            ("two.test.js", two),
        ];
        let (text, report) = judged(&files, &ends);
        assert_eq!(report["result"], "no_verified_change", "{script}: {text}");
        assert!(text.contains("tests that run without the change do not run"), "{script}: {text}");
    }
}

#[test]
fn an_old_failure_is_no_cover_for_tests_that_no_longer_run() {
    let old = "def test_old():\n    assert 0\n\ndef test_other():\n    pass\n";
    let skips = "import pytest\n\nwidget = pytest.importorskip('widget')\n\n\
                 def test_widget():\n    assert widget.x == 1\n";
    let files = [("test_old.py", old), ("test_widget.py", skips), ("widget.py", "x = 1\n")];
    let (text, report) = judged(&files, &[one_edit("widget.py", "x = 1", "import nowhere_at_all")]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("It also runs fewer tests than without the change."), "{text}");
}

#[test]
fn what_a_project_leaves_out_by_itself_is_its_own_affair() {
    let tests = "import pytest\n\ndef test_quick():\n    pass\n\n@pytest.mark.slow\n\
                 def test_slow():\n    assert 1 == 2\n";
    let settings = "[pytest]\naddopts = -m \"not slow\"\nmarkers = slow\n";
    let files = [("pytest.ini", settings), ("test_widget.py", tests), ("widget.py", "x = 1\n")];
    let edit = [one_edit("widget.py", "x = 1", "x = 2")];
    let (text, report) = judged(&files, &edit);
    assert_eq!(report["result"], "verified", "{text}");
    let red = format!("{tests}\ndef test_old():\n    assert 0\n");
    let (text, report) = judged(&[files[0], ("test_widget.py", &red), files[2]], &edit);
    assert_eq!(report["result"], "verified", "{text}");
    assert!(text.contains("fails without it, too: test_widget.py::test_old"), "{text}");
}

#[test]
fn why_an_old_failure_cannot_be_left_out_is_said() {
    let tests = "def test_f():\n    assert 0\n\ndef test_f_more():\n    pass\n\n\
                 def test_other():\n    pass\n";
    let edit = [one_edit("widget.py", "x = 1", "x = 2")];
    let (text, _) = judged(&[("test_widget.py", tests), ("widget.py", "x = 1\n")], &edit);
    assert!(text.contains("pytest takes a name for the beginning of one"), "{text}");
    let only = "def test_f():\n    assert 0\n";
    let (text, _) = judged(&[("test_widget.py", only), ("widget.py", "x = 1\n")], &edit);
    assert!(text.contains("Run without those tests, it has no test left."), "{text}");
}

#[test]
fn what_a_test_prints_is_no_other_runners_beginning() {
    let tests = "def test_a():\n    print('running 3 tests')\n";
    let files = [
        ("pytest.ini", "[pytest]\naddopts = -s\n"),
        ("test_widget.py", tests),
        ("widget.py", "x = 1\n"),
    ];
    let (text, report) = judged(&files, &[one_edit("widget.py", "x = 1", "x = 2")]);
    assert_eq!(report["result"], "verified", "{text}");
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
fn a_slip_in_an_import_is_no_missing_package() {
    for slip in ["import widget.parts", "import wigdet"] {
        let tests = format!("{slip}\n\ndef test_a():\n    pass\n");
        let files = [("widget.py", "x = 1\n"), ("test_widget.py", &*tests)];
        let (text, report) = judged(&files, &[one_edit("test_widget.py", slip, "import widget")]);
        assert_eq!(report["result"], "verified", "{slip}: {text}");
    }
}
