//! Tests that are gone, or are found no more.

use std::collections::BTreeSet;

use super::facts::RowText;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "test-removed",
    severity: Severity::Flag,
    finds: "a test that was there and is gone, or has a name now that no runner takes",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n\ndef test_b():\n    assert f() == 2\n",
            "def test_b():\n    assert f() == 2\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def check_a():\n    assert f() == 1\n",
        )],
        &[("a_test.go", "package a\nfunc TestA(t *testing.T) { t.Error(1) }\n", "")],
        &[
            ("src/a.test.ts", "it('a', () => { expect(f()).toBe(1); });\n", ""),
            ("legacy/a.test.ts", "", "it('a', () => { expect(f()).toBe(1); });\n"),
        ],
        &[("tests/all/main.rs", "mod common;\nmod cases;\n", "mod common;\n")],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_size_of_one():\n    assert f() == 1\n",
        )],
        &[
            ("tests/test_a.py", "def test_a():\n    assert f() == 1\n", ""),
            ("tests/test_moved.py", "", "def test_a():\n    assert f() == 1\n"),
        ],
    ],
};

/// Directories whose tests nobody runs.
const ASIDE: &[&str] =
    &["legacy", "old", "disabled", "quarantine", "archive", "attic", "deprecated", "obsolete"];

fn is_aside(directory: &str) -> bool {
    ASIDE.contains(&directory) || directory.contains("manual")
}

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    let modules = |lines: &[RowText]| -> BTreeSet<String> {
        let named = lines.iter().filter_map(|it| it.text.trim().strip_prefix("mod "));
        named.filter_map(|it| it.strip_suffix(';')).map(str::to_owned).collect()
    };
    let named: BTreeSet<String> =
        sources.files.iter().flat_map(|file| modules(&file.added)).collect();
    for file in &sources.files {
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let moved = file.is_new && file.path.split('/').any(is_aside);
        let moved = moved && !file.after.tests.is_empty();
        if moved && sources.files.iter().any(|it| it.is_gone && name(&it.path) == name(&file.path))
        {
            let reason = "its tests are put where nothing runs them, as it seems".to_owned();
            found.push(file.finding(&RULE, 0, reason));
        }
        let of_tests = file.path.ends_with(".rs") && file.is_of_tests() && !file.is_gone;
        for module in modules(&file.removed).iter().filter(|it| of_tests && !named.contains(*it)) {
            let kept = sources
                .files
                .iter()
                .any(|it| !it.is_gone && it.path.ends_with(&format!("{module}.rs")));
            if kept || !sources.files.iter().any(|it| it.is_gone) {
                let reason = format!("the module {} of tests is built no more", short(module));
                found.push(file.finding(&RULE, 0, reason));
            }
        }
        for test in &file.before.tests {
            if !sources.has_test(test) {
                let reason = format!("the test {} is gone", short(&test.name));
                found.push(file.finding(&RULE, test.rows.start, reason));
            }
        }
    }
    found
}
