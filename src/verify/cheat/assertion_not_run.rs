//! Assertions whose failure nobody hears of.

use std::collections::BTreeMap;

use super::facts::{RowText, TestFacts, Unheard};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, new_texts, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "assertion-not-run",
    severity: Severity::Block,
    finds: "an assertion that is never reached, or whose failure is caught",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    try:\n        assert f() == 1\n    except AssertionError:\n        pass\n",
        )],
        &[(
            "a.test.js",
            "",
            "it('loads', () => {\n  load().then((x) => expect(x).toBe(1));\n});\n",
        )],
        &[(
            "tests/test_a.py",
            "",
            "def test_a():\n    with contextlib.suppress(AssertionError):\n        assert f() == 1\n",
        )],
        &[("tests/test_a.py", "", "def test_a():\n    for x in []:\n        assert x == 1\n")],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "",
            "def test_a():\n    try:\n        assert f() == 1\n    finally:\n        g()\n",
        )],
        &[(
            "a.test.js",
            "",
            "it('loads', () => {\n  return load().then((x) => expect(x).toBe(1));\n});\n",
        )],
    ],
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let told = |tests: &[TestFacts]| -> Vec<RowText> {
            tests.iter().flat_map(|test| &test.unheard).map(|it| it.0.clone()).collect()
        };
        let all = file.after.tests.iter().flat_map(|test| &test.unheard);
        let why: BTreeMap<usize, Unheard> = all.map(|(it, why)| (it.row, *why)).collect();
        for it in new_texts(&told(&file.before.tests), told(&file.after.tests)) {
            let Some(why) = why.get(&it.row) else { continue };
            let text = short(&it.text);
            let reason = format!("cannot make the test fail, as {}: {text}", why.words());
            let finding = file.finding(&RULE, it.row, reason);
            // Something else may call it, or wait for it.
            let doubtful = matches!(why, Unheard::NotAwaited | Unheard::NotCalled);
            let mild = doubtful || !file.is_in_kept(it.row);
            found.push(if mild { finding.told_only() } else { finding });
        }
    }
    found
}
