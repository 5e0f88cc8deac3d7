//! A red or a green command, held against what it comes to without the change: what the change did,
//! what was red before, and what wavers.

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

use crate::program::Local;

pub const CRATE: (&str, &str) = (
    "Cargo.toml",
    "[package]\nname = \"widget\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
);
pub const ONE_ATTEMPT: (&str, &str) = (".github/gander.toml", "[agent]\nattempts = 1\n");

/// The machine's sandbox, in which a test that is run alone wavers: with the change it fails at
/// first and passes then, and without it the other way round.
struct Wavering {
    real: Bubblewrap,
    alone: AtomicUsize,
    without_the_change_too: bool,
}

#[async_trait::async_trait]
impl Sandbox for Wavering {
    fn name(&self) -> &'static str {
        self.real.name()
    }

    async fn probe(&self) -> Result<Probe, SandboxError> {
        self.real.probe().await
    }

    fn is_closed(&self) -> bool {
        self.real.is_closed()
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
        let is_alone = matches!(&command.program, Program::Script(line) if line.contains("::test_b'")
            && !line.contains("--deselect"));
        if !is_alone {
            return Ok(output);
        }
        let others = self.alone.fetch_add(1, Ordering::Relaxed);
        match output.exit {
            Exit::Code(0) if self.without_the_change_too && others.is_multiple_of(2) => {
                output.exit = Exit::Code(1);
                output.stdout.text = "1 failed in 0.01s\n".to_owned();
            }
            Exit::Code(1) if others > 0 => {
                output.exit = Exit::Code(0);
                output.stdout.text = "1 passed in 0.01s\n".to_owned();
            }
            _ => {}
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
    let checker = Checker {
        mirror: mirror.clone(),
        base: base.clone(),
        scratch,
        verifiers,
        builds: None,
        keeps: None,
    };
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
    let wavering = |without_the_change_too| {
        let alone = AtomicUsize::new(0);
        Arc::new(Wavering { real: sandbox(), alone, without_the_change_too })
    };
    let flaky = vec!["test_widget.py::test_b".to_owned()];
    let cleared = CheckOutcome::OnlyKnownFailures { red_before: Vec::new(), flaky };
    assert_eq!(looked_at_again("", wavering(true)).await, cleared);
    let by_the_change = looked_at_again("", wavering(false)).await;
    assert!(matches!(by_the_change, CheckOutcome::Failed(_)), "{by_the_change:?}");
    let touched = looked_at_again("its test, too", wavering(true)).await;
    assert!(matches!(touched, CheckOutcome::Failed(_)), "{touched:?}");
    let steady = looked_at_again("", Arc::new(sandbox())).await;
    assert!(matches!(steady, CheckOutcome::Failed(_)), "it never passes: {steady:?}");
}

/// The program's result for these files and edits of one attempt.
pub fn judged(files: &[(&str, &str)], edits: &[Value]) -> (String, Value) {
    Local::with(&[files, &[ONE_ATTEMPT]].concat()).edited(edits, &[])
}

pub fn one_edit(path: &str, old: &str, new: &str) -> Value {
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
        assert!(text.contains("though the change takes none away"), "{script}: {text}");
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

const SKIPS_WITHOUT_WIDGET: &str = "import pytest\n\nwidget = pytest.importorskip('widget')\n\n\
    def test_widget():\n    pass\n\ndef test_more():\n    pass\n";

#[test]
fn a_run_that_would_stop_at_its_first_failure_is_run_to_its_end() {
    let settings = ("pytest.ini", "[pytest]\naddopts = -x\n");
    let a = "import a\n\ndef test_a():\n    assert a.x == 2\n";
    let files = [settings, ("test_a.py", a), ("a.py", "x = 1\n"), ("widget.py", "y = 1\n")];
    let fix = one_edit("a.py", "x = 1", "x = 2");
    let hides = [fix.clone(), one_edit("widget.py", "y = 1", "import nowhere_at_all")];
    let all = [&files[..], &[("test_widget.py", SKIPS_WITHOUT_WIDGET)]].concat();
    let (text, report) = judged(&all, &hides);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("do not run with it, though the change takes none away"), "{text}");
    assert!(text.contains("test_widget.py::test_more, test_widget.py::test_widget"), "{text}");

    let old = ("test_old.py", "def test_old():\n    assert 1 == 2\n");
    let (text, report) = judged(&[&files[..], &[old]].concat(), &[fix]);
    assert_eq!(report["result"], "verified", "{text}");
    assert!(text.contains("fails without it, too: test_old.py::test_old"), "{text}");
}

#[test]
fn a_change_beside_the_unit_tests_of_its_file_may_not_take_tests_away() {
    let lib = "pub fn f() -> u8 {\n    1\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    \
               #[test]\n    fn one() {\n        assert_eq!(f(), 1);\n    }\n}\n";
    let more = "#[test]\nfn two() {}\n";
    let files = [CRATE, ("src/lib.rs", lib), ("tests/more.rs", more)];
    let edits = [one_edit("src/lib.rs", "    1\n}\n\n", "    2\n}\n\n#[cfg(any())]\n")];
    let (text, report) = judged(&files, &edits);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("the change takes none away: widget::tests::one."), "{text}");
}

#[test]
fn why_an_old_failure_is_not_told_from_a_new_one_is_said() {
    let lib = "/// ```\n/// assert_eq!(widget::f(), 2);\n/// ```\npub fn f() -> u8 {\n    1\n}\n";
    let edit = [one_edit("src/lib.rs", "pub fn f", "#[inline]\npub fn f")];
    let (text, _) = judged(&[CRATE, ("src/lib.rs", lib)], &edit);
    assert!(text.contains("Of doc tests it never is"), "{text}");
    let node = [
        ("package.json", r#"{"scripts": {"test": "node --test"}}"#),
        ("a.test.js", "require('node:test')('a', () => { throw new Error('a') });\n"),
        ("a.js", "exports.x = 1;\n"),
    ];
    let (text, _) = judged(&node, &[one_edit("a.js", "x = 1", "x = 2")]);
    assert!(text.contains("It is not known which of its failures are old ones"), "{text}");
}

#[test]
fn a_file_of_tests_that_cannot_be_loaded_without_the_change_either_is_not_held_against_it() {
    let files = [
        ("a.py", "def f():\n    return 1\n"),
        ("test_a.py", "import a\n\ndef test_f():\n    assert a.f() in (1, 2)\n"),
        // Its data are in a submodule.
        ("test_data.py", "import a\n\nDATA = open('data/all').read()\n\ndef test_d():\n    pass\n"),
    ];
    let (text, report) = judged(&files, &[one_edit("a.py", "return 1", "return 2")]);
    assert_eq!(report["result"], "verified", "{text}");
    assert!(text.contains("test_data.py"), "it is named: {text}");
    let (text, report) = judged(&files, &[one_edit("a.py", "return 1", "return 3")]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    let stops = one_edit("a.py", "return 1", "raise OSError");
    let (text, report) = judged(&files, &[stops]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
}
