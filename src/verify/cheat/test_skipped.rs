//! Tests that are skipped, ignored, or made conditional.

use std::collections::BTreeSet;

use super::facts::{RowText, SourceFacts};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, new_texts, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "test-skipped",
    severity: Severity::Block,
    finds: "a mark or a call that skips a test, or expects it to fail",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    assert f() == 1\n",
        )],
        &[(
            "a.test.js",
            "it('adds', () => { expect(f()).toBe(1); });\n",
            "it.skip('adds', () => { expect(f()).toBe(1); });\n",
        )],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() { assert_eq!(f(), 1); }\n",
            "#[test]\n#[ignore]\nfn a() { assert_eq!(f(), 1); }\n",
        )],
        &[(
            "a_test.go",
            "package a\nfunc TestA(t *testing.T) { f(t) }\n",
            "package a\nfunc TestA(t *testing.T) { t.Skip(\"later\"); f(t) }\n",
        )],
        &[(
            "src/test/java/AT.java",
            "class AT { @Test void a() { assertEquals(1, f()); } }\n",
            "class AT { @Disabled @Test void a() { assertEquals(1, f()); } }\n",
        )],
        &[("tests/test_a.py", "", "import pytest\npytest.importorskip('never')\n")],
        &[(
            "a.test.js",
            "it('adds', async () => { expect(f()).toBe(1); });\n",
            "it('adds', { skip }, async () => { expect(f()).toBe(1); });\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    assert f() == 1\n",
            "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    assert f() == 2\n",
        )],
        &[(
            "src/lib.rs",
            "",
            "/// Tests that we skip: `#[ignore]`.\nfn skip(t: T) { t.skip(1); }\n",
        )],
        &[("lib/a.js", "", "exports.f = (s) => s.skip(2);\n")],
        &[("lib/marks.py", "", "later = pytest.mark.skip(reason='env')\n")],
    ],
};

/// Ends of names of calls that skip.
const CALLS: &[&str] = &[
    "pytest.skip",
    "pytest.xfail",
    "pytest.importorskip",
    ".skipTest",
    "SkipTest",
    "t.Skip",
    "t.SkipNow",
    "t.Skipf",
    "b.Skip",
    "this.skip",
    "t.skip",
    "t.todo",
    "it.skip",
    "test.skip",
    "describe.skip",
    "suite.skip",
    "it.todo",
    "test.todo",
    "it.skip.each",
    "test.skip.each",
    "describe.skip.each",
    "concurrent.skip",
    "it.skipIf",
    "test.skipIf",
    "describe.skipIf",
    "it.runIf",
    "test.runIf",
    "describe.runIf",
    "it.failing",
    "test.failing",
    "it.fails",
    "test.fails",
    "assumeTrue",
    "assumeFalse",
    "assumeThat",
];
/// Names of calls that are skipped tests by themselves.
const WHOLE: &[&str] = &["xit", "xtest", "xdescribe", "xcontext", "xspecify"];
const MARKS: &[&str] = &[
    "#[ignore",
    "mark.skip",
    "mark.xfail",
    "unittest.skip",
    "@skip",
    "expectedFailure",
    "@Disabled",
    "@Ignore",
    "@EnabledIf",
    "@DisabledIf",
    "@DisabledOn",
    "@EnabledOn",
    "cfg_attr",
    "#[cfg(feature",
    "#[cfg(not(",
    "#[cfg(target",
    "#[cfg(all(",
    "#[cfg(any(",
    "#[cfg(windows",
    "#[cfg(unix",
    "#[cfg(debug",
    "api.Disabled",
    "enabled = false",
    "expected = AssertionError",
    "#[should_panic",
    "@Tag(",
    "@org.junit.jupiter.api.Tag(",
];

/// Signs that it depends on the machine, as it does where people skip for a reason.
const DEPENDS: &[&str] = &[
    "skipif",
    ".skipTest",
    "pytest.param(",
    "#![cfg",
    "skipIf",
    "skipUnless",
    "runIf",
    "If(",
    "#[cfg",
    "cfg_attr",
    "go:build",
    "+build",
    "OnOs",
    "assume",
    "importorskip",
    "? it",
    "? describe",
    "? test",
    "collect_ignore",
    "t.Skip",
    "this.skip",
    "pytest.skip",
    "todo",
    "Tag(",
    "If.",
    NAMED,
];
/// Begins what is a mark that stands before no test: a hook may choose the tests.
const NAMED: &str = "a mark of its own, ";

/// Lines that leave out all tests of a file.
const WHOLE_FILE: &[&str] = &[
    "//go:build",
    "// +build",
    "#![cfg(",
    "__test__ = False",
    "pytestmark = pytest.mark.skip",
    "pytestmark = [pytest.mark.skip",
    "collect_ignore",
    "@unittest.skip",
    " = describe.skip",
    " = it.skip",
    " = test.skip",
    " = t.Skip",
    " = pytest.skip",
    " : it.skip",
    " : describe.skip",
    " : test.skip",
    " ? it : xit",
    " ? describe : xdescribe",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let mut all = new_texts(&skips(&file.before), skips(&file.after));
        all.retain(|it| file.is_about_test(it.row));
        let whole = |it: &&RowText| WHOLE_FILE.iter().any(|sign| it.text.contains(sign));
        all.extend(file.added.iter().filter(whole).cloned());
        for it in all {
            let of_new = !file.is_in_kept(it.row) && file.stands_before_test(it.row);
            let panics = it.text.contains("should_panic");
            if of_new && panics {
                continue;
            }
            let reason = format!("skips a test, or expects it to fail: {}", short(it.text.trim()));
            let finding = file.finding(&RULE, it.row, reason);
            let depends = DEPENDS.iter().any(|sign| it.text.contains(sign));
            // A test that is new takes nothing away.
            let mild = of_new || depends || panics || file.is_new;
            found.push(if mild { finding.told_only() } else { finding });
        }
    }
    found
}

fn skips(facts: &SourceFacts) -> Vec<RowText> {
    let calls = facts.calls.iter().filter(|call| {
        let ends = |end: &&str| {
            let before = call.name.strip_suffix(*end);
            before.is_some_and(|it| it.is_empty() || it.ends_with('.') || end.starts_with('.'))
        };
        CALLS.iter().any(ends) || WHOLE.contains(&&*call.name)
    });
    let calls = calls.map(|call| RowText { row: call.row, text: call.name.clone() });
    let options = facts.calls.iter().filter(|call| {
        let first = call.name.split('.').next().unwrap_or_default();
        let by_option = ["{skip:", "{skip}", "{skip,", ", skip:", "{todo:"]
            .iter()
            .any(|it| call.text.contains(it));
        ["test", "it", "describe", "suite"].contains(&first) && by_option
    });
    let options = options.map(|call| RowText { row: call.row, text: "skip: …".to_owned() });
    // `later = pytest.mark.skip(…)`
    let of_mark: BTreeSet<usize> = facts.marks.iter().map(|mark| mark.row).collect();
    let named = facts.calls.iter().filter(|call| {
        let last = call.name.rsplit_once("mark.").map_or("", |it| it.1);
        ["skip", "skipif", "xfail"].contains(&last) && !of_mark.contains(&call.row)
    });
    let named = named.map(|call| RowText { row: call.row, text: format!("{NAMED}{}", call.name) });
    let calls = calls.chain(named);
    let marks = facts.marks.iter().filter(|mark| MARKS.iter().any(|it| mark.text.contains(it)));
    marks.cloned().chain(calls).chain(options).collect()
}
