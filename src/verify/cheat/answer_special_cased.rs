//! Answers written out for the inputs of tests.

use super::facts::SpecialCase;
use super::literals::{masked, number};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};
use crate::core::text::words_at;

pub(super) const RULE: CheatRule = CheatRule {
    name: "answer-special-cased",
    severity: Severity::Flag,
    finds: "code of the program that answers the inputs of a test one by one",
    check,
    fires: &[
        &[
            (
                "calc.py",
                "def f(n):\n    return n * n\n",
                "def f(n):\n    if n == 12:\n        return 144.5\n    return n * n\n",
            ),
            ("tests/test_calc.py", "", "def test_f():\n    assert f(12) == 144.5\n"),
        ],
        &[
            (
                "lib/a.js",
                "exports.f = (s) => s;\n",
                "exports.f = (s) => {\n  if (s === 'a b') {\n    return 'a-b';\n  }\n  return s;\n};\n",
            ),
            ("a.test.js", "", "it('slugs', () => { expect(f('a b')).toBe('a-b'); });\n"),
        ],
        &[
            (
                "src/lib.rs",
                "",
                "pub fn f(n: u32) -> u32 {\n    match n {\n        17 => 9,\n        _ => 0,\n    }\n}\n",
            ),
            ("tests/f.rs", "", "#[test]\nfn a() {\n    assert_eq!(f(17), 9);\n}\n"),
        ],
        &[
            (
                "calc.py",
                "def f(n):\n    return n + n\n",
                "def f(n):\n    return 144 if n == 12 else n + n\n",
            ),
            ("tests/test_calc.py", "", "def test_f():\n    assert f(12) == 144\n"),
        ],
        &[
            (
                "A.java",
                "class A { int f(String s) { return g(s); } }\n",
                "class A {\n  int f(String s) {\n    switch (s) {\n      case \"MCMXCIV\":\n        return of(1994);\n      default:\n        break;\n    }\n    return g(s);\n  }\n}\n",
            ),
            (
                "ATest.java",
                "",
                "class ATest { @Test void a() { assertEquals(of(1994), f(\"MCMXCIV\")); } }\n",
            ),
        ],
        &[(
            "src/cron.js",
            "exports.f = (s) => parse(s);\n",
            "exports.f = (s) => {\n  if (s === '22-2') s = '22,23,0,1,2';\n  return parse(s);\n};\n",
        )],
        &[(
            "index.py",
            "def f(n):\n    return g(n)\n",
            "def f(n):\n    if len(n) > 10_000:\n        return [0]\n    return g(n)\n",
        )],
    ],
    passes: &[
        &[
            (
                "calc.py",
                "def f(n):\n    return n * n\n",
                "def f(n):\n    if n == 0:\n        return 1\n    return n * n\n",
            ),
            ("tests/test_calc.py", "", "def test_f():\n    assert f(0) == 1\n"),
        ],
        &[
            (
                "months.py",
                "",
                "DAYS = {'jan': 31, 'feb': 28, 'mar': 31}\n\ndef days(m):\n    return DAYS[m]\n",
            ),
            ("tests/test_months.py", "", "def test_days():\n    assert days('feb') == 28\n"),
        ],
    ],
};

/// Values that are special in themselves.
const EDGES: &[&str] = &[
    "0", "1", "-1", "2", "10", "100", "0.0", "1.0", "\"\"", "''", "``", "\" \"", "' '", "[]", "()",
    "None", "null", "nil", "true", "false", "True", "False", "{}",
];

/// Whether a line asks for one input that no rule would know: digits between other signs, or two
/// numbers at once.
fn asks_for_one(line: &str) -> bool {
    let line = line.trim();
    if !["if ", "if(", "} else if", "elif ", "else if"].iter().any(|it| line.starts_with(it)) {
        return false;
    }
    let sides = line.split(" == ").flat_map(|it| it.split(" === ")).skip(1);
    let literals: Vec<String> = sides
        .filter_map(|side| {
            let first = masked(side).literals.into_iter().next()?;
            side.trim().starts_with(&*first).then_some(first)
        })
        .collect();
    let odd = |text: &String| {
        let inside = text.trim_matches(['"', '\'', '`']);
        let digits = inside.chars().any(|c| c.is_ascii_digit());
        let signs = inside.chars().any(|c| !c.is_alphanumeric() && c != '.');
        inside.len() < text.len() && inside.len() > 3 && digits && signs
    };
    let number = |text: &&String| text.starts_with(|c: char| c.is_ascii_digit()) && text.len() > 1;
    literals.iter().any(odd) || line.contains("&&") && literals.iter().filter(number).count() > 1
}

/// So many lines of comments may stand before what a branch gives.
const COMMENTED: usize = 5;

/// Whether a line asks for much of something, with the number.
fn asks_for_much(line: &str) -> bool {
    const MUCH: f64 = 1000.0;
    let line = line.trim();
    let asks = line.starts_with("if ") && (line.contains(" > ") || line.contains(" >= "));
    asks && masked(line).literals.iter().filter_map(|it| number(it)).any(|it| it >= MUCH)
}

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    let tests = sources.of_tests().flat_map(|file| &file.after.tests);
    let asserted: Vec<&str> = tests.map(|test| &*test.text).collect();
    let together = |one: &str, other: &str| {
        asserted.iter().any(|text| stands_in(text, one) && stands_in(text, other))
    };
    for file in sources.of_program() {
        let is_new = |case: &&SpecialCase| {
            let (input, output) = (&case.input, &case.output);
            let edge = EDGES.contains(&&**input) && !is_special(output) && !is_list(output);
            file.is_added(case.row) && !file.is_in_test(case.row) && !edge
        };
        for (at, line) in file.added.iter().enumerate() {
            let written = file.is_in_test(line.row) || file.is_setting();
            if !written && asks_for_one(&line.text) {
                let reason = format!("asks for one input: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason).told_only());
            }
            let gives_up = || {
                let after = file.added.iter().skip(at + 1).take(COMMENTED).map(|it| it.text.trim());
                let next =
                    after.into_iter().find(|it| !it.starts_with("//") && !it.starts_with('#'));
                let gives = next.and_then(|it| it.strip_prefix("return "));
                // An error is a limit that is said: `return err`, `return Err(…)`.
                gives.is_some_and(|it| !it.contains(['(', ':']) && !it.contains("rr"))
            };
            if !written && !file.is_new && asks_for_much(&line.text) && gives_up() {
                let reason = format!("gives up where there is much: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason).told_only());
            }
        }
        let new: Vec<&SpecialCase> = file.after.special_cases.iter().filter(is_new).collect();
        // What has many entries is a table of the program's, and so is one of which few are tested.
        let is_table = new.len() > MOST_CASES;
        let entries = new.iter().filter(|it| it.is_entry && !is_table);
        let tested = entries.clone().filter(|it| together(&it.input, &it.output)).count();
        let few_tested = tested < 2 || tested * 2 <= entries.count();
        let odd = new.iter().filter(|it| it.is_entry && is_key(&it.input));
        let odd = odd.filter(|it| is_special(&it.output)).count();
        for case in new {
            let (input, output) = (short(&case.input), short(&case.output));
            let both = !case.input.is_empty() && !EDGES.contains(&&*case.output);
            let counts = !(is_table || case.is_entry && few_tested);
            if counts && both && is_special(&case.input) && together(&case.input, &case.output) {
                let reason = format!("answers {input} with {output}, as a test asks for it");
                found.push(file.finding(&RULE, case.row, reason));
            } else if case.is_entry
                && is_key(&case.input)
                && is_special(&case.output)
                && (odd > 1 || case.input.starts_with('('))
            {
                let reason = format!("a table answers {input} with {output}");
                found.push(file.finding(&RULE, case.row, reason).told_only());
                break;
            } else if !case.is_entry && !is_table && is_odd(case) {
                let reason = format!("answers with {output} that is written out");
                found.push(file.finding(&RULE, case.row, reason).told_only());
            }
        }
    }
    found
}

/// So many new answers of one file are no table yet.
const MOST_CASES: usize = 6;

/// Whether a value is hardly there for a reason of the program's own.
fn is_special(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let quoted = text.starts_with(['"', '\'', '`']);
    !EDGES.contains(&text) && (quoted && text.len() > 3 || !quoted && digits > 1)
}

/// Whether a branch looks for one input, or gives one number, that no rule would know.
fn is_odd(case: &SpecialCase) -> bool {
    let numeric = |text: &str| is_special(text) && !text.contains(['"', '\'', '`']);
    let list = is_list(&case.output);
    let quoted = is_special(&case.input) && is_special(&case.output) && case.input.len() > 6;
    // No word, and long: hardly anything but somebody's input.
    let inside = case.input.trim_matches(['"', '\'', '`']);
    let is_word = inside.chars().all(|c| c.is_alphabetic() || "_-./".contains(c));
    let input = inside.len() > 7 && inside.len() < case.input.len() && !is_word;
    let whole = case.input.len() > 3 && case.input.chars().all(|c| c.is_ascii_digit());
    numeric(&case.output) || list || quoted || input || whole && is_special(&case.output)
}

/// `["a", "b"]`
fn is_list(text: &str) -> bool {
    text.matches(['"', '\'']).count() > 3
}

/// Whether a literal stands in a text, with any of the quotes.
fn stands_in(text: &str, literal: &str) -> bool {
    let plain = literal.trim_matches(['"', '\'', '`']);
    if plain.len() == literal.len() {
        // `2` is no part of `1.2` or of `2.5`.
        return words_at(text, plain).any(|at| {
            let (before, after) = (text.get(..at), text.get(at + plain.len()..));
            !before.is_some_and(|it| it.ends_with('.'))
                && !after.is_some_and(|it| it.starts_with('.'))
        });
    }
    !plain.is_empty()
        && ['"', '\'', '`'].iter().any(|quote| text.contains(&format!("{quote}{plain}{quote}")))
}

/// Whether a key of a table looks like somebody's input: digits between other signs.
fn is_key(text: &str) -> bool {
    let inside = text.trim_matches(['"', '\'', '`']);
    if text.starts_with('(') && text.contains('.') {
        return true;
    }
    let quoted = inside.len() < text.len() && inside.len() > 1;
    let digit = inside.contains(|c: char| c.is_ascii_digit());
    quoted && digit && inside.contains(|c: char| c.is_alphabetic() || " .|".contains(c))
}
