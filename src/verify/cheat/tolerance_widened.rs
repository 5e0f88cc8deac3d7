//! Tolerances that are widened, and loads that are shrunk.

use super::literals::{Bent, bent, number};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "tolerance-widened",
    severity: Severity::Flag,
    finds: "a wider tolerance in a test, or much less that it puts into the code",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == approx(1, abs=1e-6)\n",
            "def test_a():\n    assert f() == approx(1, abs=0.5)\n",
        )],
        &[(
            "a.test.js",
            "it('a', () => { expect(f()).toBeCloseTo(1.5, 5); });\n",
            "it('a', () => { expect(f()).toBeCloseTo(1.5, 0); });\n",
        )],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() {\n    fill(100_000);\n    assert!(f());\n}\n",
            "#[test]\nfn a() {\n    fill(10);\n    assert!(f());\n}\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == approx(1, abs=0.5)\n",
            "def test_a():\n    assert f() == approx(1, abs=1e-6)\n",
        )],
        &[("calc.py", "EPSILON = 1e-9\n", "EPSILON = 1e-3\n")],
    ],
};

/// Signs of an assertion with a tolerance, where more is laxer.
const WIDER: &[&str] = &[
    "approx(",
    "delta=",
    "isclose(",
    "allclose(",
    "abs(",
    ".abs()",
    "Abs(",
    "epsilon",
    "EPSILON",
    "tolerance",
    "InDelta",
    "InEpsilon",
    "closeTo(",
    "isCloseTo(",
    "within(",
];
/// Signs of one that counts places, where fewer are laxer.
const PLACES: &[&str] = &["toBeCloseTo(", "assertAlmostEqual(", "places=", "decimal="];
/// What a test puts in is called much from here on.
const MUCH: f64 = 100.0;

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        for Bent { is, was, literals } in bent(&file.replaced) {
            if !file.is_in_test(is.row) {
                continue;
            }
            let text = is.text.trim();
            let holds = |signs: &[&str]| signs.iter().any(|it| text.contains(it));
            let numbers = literals.iter().filter_map(|(was, is)| Some((number(was)?, number(is)?)));
            let numbers: Vec<(f64, f64)> = numbers.collect();
            let last = numbers.last().copied();
            let wider = holds(WIDER) && last.is_some_and(|(was, is)| is > was && was < MUCH);
            let less_than = holds(&[" < ", " <= ", "LessThan"]);
            let below = less_than && last.is_some_and(|(was, is)| is > was);
            let more_than = holds(&[" > ", " >= ", "GreaterThan"]);
            let above = more_than && last.is_some_and(|(was, is)| is < was);
            let bound = asserts(text) && (below || above);
            let fewer = holds(PLACES) && last.is_some_and(|(was, is)| is < was);
            let less = numbers.iter().any(|(was, is)| *was >= MUCH && is * 4.0 <= *was);
            let why = match (fewer || bound || wider && !holds(PLACES), less && !asserts(text)) {
                (true, _) => "allows more than before",
                (_, true) => "puts much less into the code than before",
                (false, false) => continue,
            };
            let reason =
                format!("{why} (now: {}; before: {})", short(text), short(was.text.trim()));
            found.push(file.finding(&RULE, is.row, reason));
        }
    }
    found
}

fn asserts(text: &str) -> bool {
    text.contains("assert") || text.contains("expect(")
}
