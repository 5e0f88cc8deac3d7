//! New tests that ask for nothing.

use std::collections::BTreeSet;

use super::facts::TestFacts;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "no-assertion",
    severity: Severity::Flag,
    finds: "a new test without an assertion: it fails only if the code raises an error",
    check,
    fires: &[
        &[("tests/test_a.py", "", "def test_a():\n    f(1)\n    f(2)\n")],
        &[("a.test.js", "", "it('adds', () => { f(1); });\n")],
        &[("src/lib.rs", "", "#[test]\nfn a() {\n    let _ = f(1);\n}\n")],
    ],
    passes: &[
        &[("tests/test_a.py", "", "def test_a():\n    assert f(1) == 1\n")],
        &[("tests/test_a.py", "", "def test_a():\n    check_sum(1)\n")],
        &[("src/lib.rs", "", "#[test]\n#[should_panic]\nfn a() {\n    f(1);\n}\n")],
        &[("tests/test_a.py", "def test_a():\n    f(1)\n", "def test_a():\n    f(2)\n")],
    ],
};

/// Words in names of what asserts in another place, or fails by itself.
const ORACLES: &[&str] = &[
    "check",
    "checks",
    "verify",
    "verifies",
    "expect",
    "expects",
    "should",
    "ensure",
    "raises",
    "throws",
    "compare",
    "fail",
    "fails",
    "snapshot",
    "unwrap",
    "validate",
    "matches",
    "require",
    "diff",
    "prop",
    "quickcheck",
    "given",
    "rejects",
    "eq",
    "done",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let old: BTreeSet<&str> = file.before.tests.iter().map(|test| &*test.name).collect();
        let panics: Vec<usize> = file
            .after
            .marks
            .iter()
            .filter(|mark| {
                ["should_panic", "expected", "xfail"].iter().any(|it| mark.text.contains(it))
            })
            .map(|mark| mark.row)
            .collect();
        for test in file.after.tests.iter().filter(|test| !old.contains(&*test.name)) {
            let marked = panics.iter().any(|row| (row + 1..=row + 4).contains(&test.rows.start));
            if asks_nothing(test) && !marked {
                let reason = format!("the test {} asserts nothing", short(&test.name));
                found.push(file.finding(&RULE, test.rows.start, reason));
            }
        }
    }
    found
}

fn asks_nothing(test: &TestFacts) -> bool {
    // The name of the test is no oracle.
    let body = test.text.split_once(['(', '{']).map_or("", |it| it.1);
    let mut words = body.split(|c: char| !c.is_alphanumeric()).flat_map(|word| {
        // `checkSum` is two words.
        let at = word.find(char::is_uppercase).filter(|at| *at > 0).unwrap_or(word.len());
        [word.get(..at).unwrap_or(word).to_lowercase(), word.to_lowercase()]
    });
    let asks = words.any(|it| ORACLES.contains(&&*it) || it.starts_with("assert"));
    test.assertions.is_empty() && test.statements > 0 && !asks && !body.contains("?;")
}
