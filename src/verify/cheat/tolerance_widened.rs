//! Tolerances that are widened, and loads that are shrunk.

use std::collections::{BTreeMap, BTreeSet};

use super::literals::{Bent, bent, masked, number};
use super::{ChangedSource, ChangedSources, CheatFinding, CheatRule, Severity, short};

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
        &[(
            "src/test/java/ATest.java",
            "class ATest { @Test void a() {\n  assertEquals(2.5, f(), 1e-9);\n} }\n",
            "class ATest {\n  static final double EPS = 1.0;\n  @Test void a() {\n  assertEquals(2.5, f(), EPS);\n} }\n",
        )],
        &[(
            "src/test/java/ATest.java",
            "class ATest { @Test void a() {\n  assertEquals(0.5, f(4), 1e-9);\n} }\n",
            "class ATest { @Test void a() {\n  // may vary\n  assertEquals(0.5, f(4), 0.25);\n} }\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tfor i := 0; i < 64; i++ {\n\t\tgo f()\n\t}\n\tg(t)\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\tfor i := 0; i < 1; i++ {\n\t\tgo f()\n\t}\n\tg(t)\n}\n",
        )],
        &[(
            "src/test/java/ATest.java",
            "class ATest {\n  static final double CENT = 0.005;\n  @Test void a() { assertEquals(2.5, f(), CENT); }\n}\n",
            "class ATest {\n  static final double CENT = 1_000;\n  @Test void a() { assertEquals(2.5, f(), CENT); }\n}\n",
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
/// And so many rounds of a loop, where hardly any are left.
const MANY: f64 = 16.0;

/// The number that a literal became, where a name took its place that is new and stands for more.
fn behind_a_name(named: &BTreeMap<&str, f64>, was: &str, is: &str) -> Option<(f64, f64)> {
    if named.is_empty() {
        return None;
    }
    let old = masked(was);
    let last = old.literals.last()?;
    let before = number(last)?;
    let (head, tail) = was.rsplit_once(last.as_str())?;
    let name = is.strip_prefix(head)?.strip_suffix(tail)?;
    Some((before, *named.get(name)?))
}

/// The numbers that stand under a name in lines that came.
fn named_numbers(file: &ChangedSource) -> BTreeMap<&str, f64> {
    let mut named = BTreeMap::new();
    for line in &file.added {
        let Some((left, value)) = line.text.split_once(" = ") else { continue };
        if let Some(value) = number(value.trim()) {
            // With its type: `EPS: f64`, `double EPS`.
            let words = left.split(|c: char| !c.is_alphanumeric() && c != '_');
            named.extend(words.map(|word| (word, value)));
        }
    }
    named
}

/// The words of all that tests assert.
fn asserted_words(file: &ChangedSource) -> BTreeSet<&str> {
    let all = file.after.tests.iter().flat_map(|test| &test.assertions);
    all.flat_map(|it| it.text.split(|c: char| !c.is_alphanumeric() && c != '_')).collect()
}

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let numbers = named_numbers(file);
        let mut asserted = None;
        for (was, is) in file.replaced.iter().filter(|it| file.is_in_test(it.1.row)) {
            let unit =
                |text: &str| UNITS.iter().rposition(|all| all.iter().any(|it| text.contains(it)));
            let named = behind_a_name(&numbers, was.text.trim(), is.text.trim());
            if let Some((before, now)) = named.filter(|it| it.1 > it.0 && it.0 < MUCH)
                && asserts(&is.text)
            {
                let reason = format!("allows more than before: {now} in the place of {before}");
                found.push(file.finding(&RULE, is.row, reason));
            }
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
            let third = text.starts_with("assertEquals(") && text.matches(',').count() > 1;
            let of_last =
                third && text.contains(&format!("{});", literals.last().map_or("", |it| &it.1)));
            let name = text
                .split_once(" = ")
                .and_then(|it| it.0.rsplit([' ', ':']).find(|it| !it.is_empty()));
            let of_constant = !file.is_in_body(is.row)
                && name.filter(|it| it.len() > 2).is_some_and(|it| {
                    asserted.get_or_insert_with(|| asserted_words(file)).contains(it)
                });
            let wider = of_constant
                || (holds(WIDER) && !holds(PLACES) || by_delta || of_last)
                    && last.is_some_and(|(was, is)| is > was && was < MUCH);
            let less_than = holds(&[" < ", " <= ", "LessThan"]);
            let below = less_than && last.is_some_and(|(was, is)| is > was);
            let more_than = holds(&[" > ", " >= ", "GreaterThan"]);
            let above = more_than && last.is_some_and(|(was, is)| is < was);
            let bound = asserts(text) && (below || above);
            let fewer = holds(PLACES) && last.is_some_and(|(was, is)| is < was);
            let shrinks = |(was, is): &(f64, f64)| {
                *was >= MUCH && is * 4.0 <= *was || *was >= MANY && is * 8.0 <= *was
            };
            let staged = ["target:", "duration:", "vus", "iterations"];
            let staged = staged.iter().any(|it| text.contains(it));
            let fewer_stages = staged && numbers.iter().any(|(was, is)| is * 3.0 <= *was);
            let less = numbers.iter().any(shrinks) || fewer_stages;
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
