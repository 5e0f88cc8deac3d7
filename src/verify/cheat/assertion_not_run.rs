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
        &[(
            "a.test.js",
            "it('a', async () => {\n  await expect(f()).resolves.toBe(1);\n  await check(2);\n});\n",
            "it('a', async () => {\n  await expect(f()).resolves.toBe(1);\n  check(2);\n});\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    try:\n        assert f() == 1\n    finally:\n        return\n",
        )],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() {\n    assert_eq!(f(), 1);\n}\n",
            "#[test]\nfn a() {\n    let _ = std::thread::spawn(|| assert_eq!(f(), 1)).join();\n}\n",
        )],
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
        for (was, is) in &file.replaced {
            let indent = |text: &str| text.len() - text.trim_start().len();
            let same = was.text.trim() == is.text.trim() && is.text.trim().starts_with("assert ");
            if same && indent(&is.text) > indent(&was.text) && file.is_in_kept(is.row) {
                let reason = format!("stands in another block now: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason).told_only());
            }
            let awaited = was.text.contains("await ") && !is.text.contains("await ");
            if awaited && file.is_in_test(is.row) && was.text.replace("await ", "") == is.text {
                let reason = format!("nothing waits for it any more: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason).told_only());
            }
        }
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
