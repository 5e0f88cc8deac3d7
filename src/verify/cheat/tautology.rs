//! Assertions that cannot fail.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "tautology",
    severity: Severity::Block,
    finds: "a new assertion that holds whatever the code does",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 2\n",
            "def test_a():\n    f(1)\n    assert True\n",
        )],
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
        for test in &file.after.tests {
            for assertion in test.assertions.iter().filter(|it| file.is_added(it.row)) {
                let text = &*assertion.text;
                let sides = sides(text);
                let is_one = sides.is_some_and(|(one, other)| one == other && !one.is_empty());
                if always_holds(text) || is_one {
                    let reason = format!("cannot fail: {}", short(text));
                    let finding = file.finding(&RULE, assertion.row, reason);
                    // Two calls with one text may be a test of that; a new test takes nothing away.
                    let may_be = is_one && !sides.is_some_and(|it| is_literal(it.0));
                    let mild = may_be || !file.is_in_kept(assertion.row);
                    found.push(if mild { finding.told_only() } else { finding });
                } else if sides.is_some_and(|it| is_its_own_source(it, &test.text)) {
                    let reason =
                        format!("holds what the code gives against itself: {}", short(text));
                    found.push(file.finding(&RULE, assertion.row, reason).told_only());
                }
            }
        }
    }
    found
}

fn always_holds(text: &str) -> bool {
    const ALWAYS: &[&str] = &[
        "assert True",
        "assert not False",
        "assert!(true)",
        "assert(true)",
        "assert.ok(true)",
        "assertTrue(true)",
        "self.assertTrue(True)",
        "self.assertFalse(False)",
        "assertFalse(false)",
        "Assertions.assertTrue(true)",
        "assert 1",
        "assert(1)",
        "t.ok(true)",
        "t.pass()",
        "assert.True(t, true)",
        "expect(true).toBeTruthy()",
        "expect(1).toBeTruthy()",
        "expect(true).to.be.true",
        "assertThat(true).isTrue()",
        "Assertions.assertThat(true).isTrue()",
    ];
    // No length is below zero.
    const NOT_NEGATIVE: &[&str] = &[
        ") >= 0",
        ".length >= 0",
        ".length).toBeGreaterThanOrEqual(0)",
        ".len() >= 0",
        ".size() >= 0",
    ];
    let length = text.contains("len(") || text.contains(".length") || text.contains(".size()");
    let tail = text.trim_end_matches([')', ';']);
    let with_words = text.split_once(", ").map_or(text, |it| it.0);
    ALWAYS.contains(&text)
        || ALWAYS.contains(&&*format!("{with_words})"))
        || text.starts_with("if false,")
        || tail.ends_with(" or True")
        || tail.ends_with(" || true")
        || length && NOT_NEGATIVE.iter().any(|it| text.contains(it))
        || is_tuple(text)
        || EITHER.iter().any(|(one, other)| text.contains(one) && text.contains(other))
}

/// What is one or the other, always.
const EITHER: &[(&str, &str)] = &[
    (".is_ok() || ", ".is_err()"),
    (".is_err() || ", ".is_ok()"),
    (".is_some() || ", ".is_none()"),
    (".is_none() || ", ".is_some()"),
    (" is None or ", " is not None"),
    (" is not None or ", " is None"),
];

/// `assert (a == b, "why")`: a tuple that is not empty is true.
fn is_tuple(text: &str) -> bool {
    let Some(inside) = text.strip_prefix("assert (").and_then(|it| it.strip_suffix(')')) else {
        return false;
    };
    let mut depth = 1_i32;
    let whole = inside.chars().all(|c| {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        depth > 0
    });
    whole && two_arguments(inside).is_some()
}

/// Both sides of an assertion of equality.
fn sides(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix("expect(") {
        let rest = rest.strip_suffix(')')?;
        return [
            ").toBe(",
            ").toEqual(",
            ").toStrictEqual(",
            ").to.equal(",
            ").to.eql(",
            ").to.deep.equal(",
        ]
        .iter()
        .find_map(|it| rest.split_once(it));
    }
    if let Some((_, rest)) = text.split_once("assertThat(") {
        return rest.strip_suffix(')')?.split_once(").isEqualTo(");
    }
    if let Some(rest) = text.strip_prefix("assert ") {
        return rest.split_once(" == ");
    }
    if let Some(condition) = text.strip_prefix("if ") {
        return condition.split_once(", ")?.0.split_once(" != ");
    }
    let of_call = [
        "assert_eq!(",
        "assertEqual(",
        "assertEquals(",
        "assertSame(",
        "assert.equal(",
        "assert.strictEqual(",
        "assert.deepEqual(",
        "assert.deepStrictEqual(",
        "t.equal(",
        "t.is(",
        "t.deepEqual(",
        "assert.Equal(t, ",
        "require.Equal(t, ",
        "assert!(",
    ];
    let rest = of_call.iter().find_map(|it| text.split_once(it))?.1.strip_suffix(')')?;
    match rest.split_once(" == ") {
        Some(sides) => Some(sides),
        None => two_arguments(rest),
    }
}

/// The first two of some arguments.
fn two_arguments(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut commas = text.char_indices().filter_map(|(at, c)| {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'' | '`', None) => quote = Some(c),
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => return Some(at),
            _ => {}
        }
        None
    });
    let first = commas.next()?;
    let end = commas.next().unwrap_or(text.len());
    Some((text.get(..first)?.trim(), text.get(first + 1..end)?.trim()))
}

/// Whether one side is a name for what the other calls, or both are names for one value.
fn is_its_own_source((one, other): (&str, &str), test: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let calls = |value: &str| {
        value.contains('(') && value.starts_with(char::is_lowercase) && !value.starts_with("new ")
    };
    let named = |name: &str, value: &str| {
        let assigned = [" = ", " := "].iter().any(|it| {
            test.match_indices(&format!("{name}{it}{value}")).any(|(at, all)| {
                let after = test.get(at + all.len()..).unwrap_or_default();
                !after.starts_with(['.', '(', '[', '?']) && !after.starts_with(" +")
            })
        });
        is_name(name) && calls(value) && assigned
    };
    let expected = |name: &str| ["expected", "want", "golden"].iter().any(|it| name.contains(it));
    let root = |side: &'_ str| side.split(['.', '[', '(']).next().unwrap_or_default().to_owned();
    let (first, second) = (root(one), root(other));
    let value = |name: &str| value_of(name, test);
    let twice = first != second
        && (expected(&first) || expected(&second))
        && value(&first).zip(value(&second)).is_some_and(|(one, other)| {
            one.contains('(') && (one.starts_with(other) || other.starts_with(one))
        });
    !one.is_empty() && (named(one, other) || named(other, one) || twice)
}

/// What a name of a test was given first.
fn value_of<'a>(name: &str, test: &'a str) -> Option<&'a str> {
    let given = [" = ", " := "].iter().find_map(|it| test.split_once(&format!(" {name}{it}")));
    let value = given?.1;
    // A text in one line has no ends of statements, so the next assignment ends it.
    let end = value.find([';']).or_else(|| value.find(" = ")).unwrap_or(value.len());
    let value = value.get(..end)?;
    Some(value.rsplit_once(' ').filter(|_| !value.ends_with(')')).map_or(value, |it| it.0))
}

fn is_literal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "\"'`".contains(c))
        || ["true", "false", "True", "False", "None", "null"].contains(&text)
}
