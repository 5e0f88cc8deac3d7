//! Assertions that cannot fail.

use super::{ChangedSources, CheatFinding, CheatRule, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "tautology",
    finds: "a new assertion that holds whatever the code does",
    check,
    fires: &[
        &[("tests/test_a.py", "", "def test_a():\n    f(1)\n    assert True\n")],
        &[("a.test.js", "", "it('adds', () => { expect(true).toBe(true); });\n")],
        &[("src/lib.rs", "", "#[test]\nfn a() {\n    assert_eq!(f(1), f(1));\n}\n")],
        &[("tests/test_a.py", "", "def test_a():\n    assert f(1) == 1 or True\n")],
    ],
    passes: &[
        &[("tests/test_a.py", "", "def test_a():\n    assert f(1) == 1\n")],
        &[("a.test.js", "", "it('adds', () => { expect(f(true)).toBe(true); });\n")],
        &[("src/lib.rs", "", "#[test]\nfn a() {\n    assert!(f(true));\n}\n")],
    ],
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        for assertion in file.after.tests.iter().flat_map(|test| &test.assertions) {
            if file.is_added(assertion.row) && always_holds(&assertion.text) {
                let reason = format!("cannot fail: {}", short(&assertion.text));
                found.push(file.finding(RULE.name, assertion.row, reason));
            }
        }
    }
    found
}

fn always_holds(text: &str) -> bool {
    const ALWAYS: &[&str] = &[
        "assert True",
        "assert!(true)",
        "assert(true)",
        "assert.ok(true)",
        "assertTrue(true)",
        "self.assertTrue(True)",
        "assert 1",
        "assert(1)",
        "t.ok(true)",
        "assert.True(t, true)",
    ];
    if ALWAYS.contains(&text) || text.ends_with(" or True") || text.ends_with(" || true)") {
        return true;
    }
    // Both sides are one text.
    let sides = text
        .strip_prefix("expect(")
        .and_then(|rest| {
            let rest = rest.strip_suffix(')')?;
            [").toBe(", ").toEqual(", ").toStrictEqual("].iter().find_map(|it| rest.split_once(it))
        })
        .or_else(|| {
            let rest =
                text.strip_prefix("assert_eq!(").or(text.split_once("assertEqual(").map(|it| it.1));
            let rest = rest.or(text.split_once(".equal(").map(|it| it.1))?;
            halves(rest.strip_suffix(')')?)
        })
        .or_else(|| text.strip_prefix("assert ").and_then(|rest| rest.split_once(" == ")));
    sides.is_some_and(|(one, other)| one == other && !one.is_empty())
}

/// What stands on both sides of the comma in the middle.
fn halves(text: &str) -> Option<(&str, &str)> {
    let middle = text.len().checked_sub(2)? / 2;
    let (one, rest) = text.split_at_checked(middle)?;
    Some((one, rest.strip_prefix(", ")?))
}
