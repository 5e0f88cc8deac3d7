//! Tests that are gone, or are found no more.

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

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        for test in &file.before.tests {
            if !sources.has_test(test) {
                let reason = format!("the test {} is gone", short(&test.name));
                found.push(file.finding(&RULE, test.rows.start, reason));
            }
        }
    }
    found
}
