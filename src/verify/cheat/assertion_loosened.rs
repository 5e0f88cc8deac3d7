//! Assertions that ask for less: truth in the place of equality.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short, texts};

pub(super) const RULE: CheatRule = CheatRule {
    name: "assertion-loosened",
    severity: Severity::Flag,
    finds: "an assertion of equality that only asks for truth, existence or a type now",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) is not None\n",
        )],
        &[(
            "a.test.js",
            "it('adds', () => { expect(f()).toBe(1); });\n",
            "it('adds', () => { expect(f()).toBeDefined(); });\n",
        )],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() {\n    assert_eq!(f(), Some(1));\n}\n",
            "#[test]\nfn a() {\n    assert!(f().is_some());\n}\n",
        )],
        &[(
            "a.test.ts",
            "it('a', () => {\n  expect(f()).toBeCloseTo(18.27, 5);\n});\n",
            "it('a', () => {\n  expect(f()).toBeLessThan(20.3);\n});\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tif err := f(); !errors.Is(err, E) {\n\t\tt.Fatal(err)\n\t}\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\tif err := f(); err != nil && !errors.Is(err, E) {\n\t\tt.Fatal(err)\n\t}\n}\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert sum(p for p in f()) == 10\n",
            "def test_a():\n    assert sum(p for p in f()) <= 10\n",
        )],
        &[(
            "a.test.ts",
            "it('a', () => {\n  expect(f()).toBe(0.3);\n});\n",
            "it('a', () => {\n  expect(f()).toEqual(expect.any(Number));\n});\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) == 5\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) == 4\n    assert f(2) is not None\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tif err := f(); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\tif err := g(); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert sum(p for p in f()) == 10\n",
            "def test_a():\n    assert sum(q for q in f()) == 10\n",
        )],
    ],
};

/// Signs of an assertion that names the whole value that it wants.
const EXACT: &[&str] = &[
    "assert_eq!",
    "assert_ne!",
    "==",
    "assertEqual(",
    "assertEquals(",
    "assertCountEqual",
    "assertListEqual",
    "assertDictEqual",
    "assertSame(",
    "assertArrayEquals(",
    "assertIterableEquals(",
    "toBe(",
    "toEqual(",
    "toStrictEqual(",
    "strictEqual(",
    "deepEqual(",
    "deepStrictEqual(",
    ".equal(",
    ".Equal(",
    "isEqualTo(",
    "toHaveLength(",
    "toMatchSnapshot",
    "toMatchInlineSnapshot",
    "t.is(",
    "t.same(",
    "toThrow(",
    "raises(",
    "assertThrows(",
    "!reflect.DeepEqual(",
    " != ",
    ".eql(",
    "containsExactly",
    "hasSize(",
];
/// Signs of one that wants a part of it, a range, a kind or one of several.
const PARTLY: &[&str] = &[
    "toContain",
    "toMatch(",
    "toMatchObject(",
    "objectContaining",
    "arrayContaining",
    "stringContaining",
    "expect.any",
    "toBeGreaterThan",
    "toBeLessThan",
    "toBeCloseTo",
    "toBeInstanceOf",
    "assertIn(",
    "assertGreater",
    "assertLess",
    "assertRegex",
    "assertAlmostEqual",
    "assertIsInstance",
    "assertInstanceOf",
    "isinstance(",
    " in ",
    " >= ",
    " <= ",
    " > ",
    " < ",
    ".contains(",
    ".includes(",
    ".startswith(",
    ".starts_with(",
    ".startsWith(",
    "matches!(",
    "Contains(",
    "typeof ",
    "instanceof ",
    "isIn(",
    "assertMatch",
    "assert.match(",
];
/// Signs of one that wants something near a value.
const CLOSE: &[&str] =
    &["toBeCloseTo(", "AlmostEqual(", "approx(", "isCloseTo(", "closeTo(", "InDelta(", "isclose("];
/// Names of calls that compare, whatever stands in them.
const EXACT_NAMES: &[&str] = &[
    "assertEqual",
    "assertEquals",
    "assertListEqual",
    "assertDictEqual",
    "assertSame",
    "assertArrayEquals",
    "strictEqual",
    "deepEqual",
    "deepStrictEqual",
    "assert_eq!",
    "assert.Equal",
    "require.Equal",
];
/// What makes of a value one that more values come to.
const BENT: &[&str] = &[
    "approx(",
    " or ",
    " || ",
    ".sort()",
    "sorted(",
    "set(",
    "new Set(",
    ".lower()",
    ".toLowerCase()",
    ".to_lowercase()",
    ".strip()",
    ".trim()",
    "containsAnyOf(",
    "expect.any(",
    "objectContaining",
    "arrayContaining",
    "stringContaining",
    "stringMatching",
    "hasSizeGreaterThan",
];
/// Signs of one that asks only whether something is there.
const THERE: &[&str] = &[
    "is not None",
    "toBeTruthy",
    "toBeDefined",
    "toBeFalsy",
    "not.toBeNull",
    "not.toBeUndefined",
    "not.toThrow",
    "assertIsNotNone(",
    "assertNotNull(",
    "assertDoesNotThrow(",
    ".is_some()",
    ".is_ok()",
    ".is_err()",
    ".is_none()",
    "NotNil(",
    "NoError(",
    "isNotNull(",
    "assert.ok(",
    "expect.anything",
    "== nil",
    "== null",
    "!= null",
    "== \"\"",
    "== 0,",
    "toThrow()",
    "!= nil",
    "is_empty()",
    "isEmpty()",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        for (old, new) in file.kept_tests() {
            let (was, is) = (texts(&old.assertions), texts(&new.assertions));
            let mut gone = old.assertions.iter().filter(|it| !is.contains(&*it.text)).peekable();
            // Each new one is held against the old one that stands at its place.
            for now in new.assertions.iter().filter(|it| !was.contains(&*it.text)) {
                let Some(before) = gone.next() else { break };
                if strictness(&now.text) < strictness(&before.text)
                    || is_part(&now.text, &before.text)
                {
                    let reason = format!(
                        "asks for less than before (now: {}; before: {})",
                        short(&now.text),
                        short(&before.text)
                    );
                    found.push(file.finding(&RULE, now.row, reason));
                }
            }
        }
    }
    found
}

/// Whether an assertion asks some of what another does: a chain that is shorter, or the same under
/// one condition more.
fn is_part(now: &str, before: &str) -> bool {
    let chain = before.strip_prefix(now.trim_end_matches(';'));
    let shorter = chain.is_some_and(|rest| rest.starts_with('.'));
    // `if a, fails` of Go.
    let cond = |text: &str| {
        text.strip_prefix("if ").and_then(|it| it.rsplit_once(", t.")).map(|it| it.0.to_owned())
    };
    let narrower = cond(now).zip(cond(before)).is_some_and(|(now, before)| {
        now.len() > before.len() && now.contains(" && ") && now.contains(last_part(&before))
    });
    shorter || narrower
}

/// What a condition of Go's comes to, without the statement before it.
fn last_part(condition: &str) -> &str {
    condition.rsplit_once("; ").map_or(condition, |it| it.1)
}

/// How much of a value an assertion determines.
fn strictness(text: &str) -> u8 {
    let holds = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    if holds(THERE) {
        return 0;
    }
    let name = text.split('(').next().unwrap_or(text);
    let compares = EXACT_NAMES.iter().any(|it| name.ends_with(it)) || text.contains("toEqual(");
    if compares {
        return if holds(BENT) { 1 } else { 3 };
    }
    if text.contains(" == ") && !holds(BENT) {
        return 3;
    }
    if holds(CLOSE) {
        return 2;
    }
    // `a == 1 or a == 2` wants one of both.
    if holds(PARTLY) || holds(BENT) {
        return 1;
    }
    if holds(EXACT) { 3 } else { 0 }
}
