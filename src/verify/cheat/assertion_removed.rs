//! Tests that assert less than they did.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short, texts};

pub(super) const RULE: CheatRule = CheatRule {
    name: "assertion-removed",
    severity: Severity::Flag,
    finds: "a test that stays and has fewer assertions than before",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 1\n    assert f(2) == 4\n",
            "def test_a():\n    assert f(1) == 1\n",
        )],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() {\n    assert_eq!(f(), 1);\n}\n",
            "#[test]\nfn a() {\n    let _ = f();\n}\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 1\n    assert f(2) == 4\n",
            "def test_a():\n    assert f(1) == 1\n    assert f(2) == 5\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 1\n    assert f(2) == 4\n",
            "def test_a():\n    assert f(1) == 1\n\ndef test_b():\n    assert f(2) == 4\n",
        )],
    ],
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let all_after = texts(file.after.tests.iter().flat_map(|it| &it.assertions));
        for (old, new) in file.kept_tests() {
            // One that stands in another test now is none less.
            let gone = old.assertions.iter().filter(|it| !all_after.contains(&*it.text)).count();
            if new.assertions.len() < old.assertions.len() && gone > 0 {
                let (had, has) = (old.assertions.len(), new.assertions.len());
                let name = short(&old.name);
                let reason = format!("the test {name} has {has} assertions, and had {had}");
                found.push(file.finding(&RULE, new.rows.start, reason));
            }
        }
    }
    found
}
