//! Assertions that cannot fail.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "tautology",
    severity: Severity::Block,
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
        for test in &file.after.tests {
            for assertion in test.assertions.iter().filter(|it| file.is_added(it.row)) {
                let text = &*assertion.text;
                if always_holds(text) || sides(text).is_some_and(|it| is_same(it, &test.text)) {
                    let reason = format!("cannot fail: {}", short(text));
                    found.push(file.finding(&RULE, assertion.row, reason));
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
        // A tuple that is not empty is true.
        || text.starts_with("assert (") && text.ends_with("\")") && text.contains(", \"")
        || text.starts_with("assert (") && text.ends_with("')") && text.contains(", '")
}

/// Both sides of an assertion of equality.
fn sides(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix("expect(") {
        let rest = rest.strip_suffix(')')?;
        return [").toBe(", ").toEqual(", ").toStrictEqual(", ").to.equal(", ").to.eql(", ").to.deep.equal("]
            .iter()
            .find_map(|it| rest.split_once(it));
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

/// Whether both sides are one: the same words, or one is a name for the other.
fn is_same((one, other): (&str, &str), test: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let named = |name: &str, value: &str| {
        let whole = value.contains('(') && is_name(name) && !name.is_empty();
        whole
            && [" = ", " := "].iter().any(|it| {
                test.match_indices(&format!("{name}{it}{value}")).any(|(at, all)| {
                    let after = test.get(at + all.len()..).unwrap_or_default();
                    !after.starts_with(['.', '(', '['])
                        && !after.starts_with(" +")
                        && !after.starts_with(" -")
                })
            })
    };
    !one.is_empty() && (one == other || named(one, other) || named(other, one))
}
