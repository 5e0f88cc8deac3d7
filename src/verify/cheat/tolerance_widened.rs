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
        &[(
            "ATest.java",
            "class ATest { @Test void a() {\n  assertTimeout(Duration.ofMillis(3), () -> f());\n} }\n",
            "class ATest { @Test void a() {\n  assertTimeout(Duration.ofMinutes(3), () -> f());\n} }\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == approx(1, abs=0.5)\n",
            "def test_a():\n    assert f() == approx(1, abs=1e-6)\n",
        )],
        &[("calc.py", "EPSILON = 1e-9\n", "EPSILON = 1e-3\n")],
        &[(
            "ATest.java",
            "class ATest { @Test void a() {\n  assertTimeout(Duration.ofMinutes(3), () -> f());\n} }\n",
            "class ATest { @Test void a() {\n  assertTimeout(Duration.ofMillis(3), () -> f());\n} }\n",
        )],
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
/// Units of time, from short to long.
const UNITS: &[&[&str]] = &[
    &["Millisecond", "ofMillis", "from_millis", "MILLISECONDS", "milliseconds="],
    &["time.Second", "ofSeconds", "from_secs", "TimeUnit.SECONDS", " seconds="],
    &["time.Minute", "ofMinutes", "from_mins", "TimeUnit.MINUTES", " minutes="],
    &["time.Hour", "ofHours", "from_hours", "TimeUnit.HOURS", " hours="],
];
/// What a test puts in is called much from here on.
const MUCH: f64 = 100.0;

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        for (was, is) in file.replaced.iter().filter(|it| file.is_in_test(it.1.row)) {
            let unit =
                |text: &str| UNITS.iter().rposition(|all| all.iter().any(|it| text.contains(it)));
            let longer = unit(&was.text).zip(unit(&is.text)).is_some_and(|(was, is)| was < is);
            let timed = |text: &str| text.to_lowercase().contains("timeout");
            let none = is.text.contains("deadline=None") && was.text.contains("deadline=");
            let let_go = none || timed(&was.text) && !timed(&is.text) && is.text.trim().len() > 4;
            if longer || let_go {
                let (now, before) = (short(is.text.trim()), short(was.text.trim()));
                let reason = format!("may take longer than before (now: {now}; before: {before})");
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        for Bent { is, was, literals } in bent(&file.replaced) {
            if !file.is_in_test(is.row) {
                continue;
            }
            let text = is.text.trim();
            let holds = |signs: &[&str]| signs.iter().any(|it| text.contains(it));
            let numbers = literals.iter().filter_map(|(was, is)| Some((number(was)?, number(is)?)));
            let numbers: Vec<(f64, f64)> = numbers.collect();
            let last = numbers.last().copied();
            let by_delta = text.contains("delta=");
            let wider = (holds(WIDER) && !holds(PLACES) || by_delta)
                && last.is_some_and(|(was, is)| is > was && was < MUCH);
            let less_than = holds(&[" < ", " <= ", "LessThan"]);
            let below = less_than && last.is_some_and(|(was, is)| is > was);
            let more_than = holds(&[" > ", " >= ", "GreaterThan"]);
            let above = more_than && last.is_some_and(|(was, is)| is < was);
            let bound = asserts(text) && (below || above);
            let fewer = holds(PLACES) && last.is_some_and(|(was, is)| is < was);
            let less = numbers.iter().any(|(was, is)| *was >= MUCH && is * 4.0 <= *was);
            let why = match (fewer && !by_delta || bound || wider, less && !asserts(text)) {
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
