//! Answers written out for the inputs of tests.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "answer-special-cased",
    severity: Severity::Block,
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

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    let asserted: Vec<&str> = sources
        .of_tests()
        .flat_map(|file| &file.after.tests)
        .map(|test| &*test.text)
        .collect();
    let together = |one: &str, other: &str| {
        asserted.iter().any(|text| stands_in(text, one) && stands_in(text, other))
    };
    for file in sources.of_program() {
        let new = file.after.special_cases.iter();
        let new = new.filter(|case| file.is_added(case.row) && !file.is_in_test(case.row));
        let is_edge = |text: &str| EDGES.contains(&text);
        let mut cases: Vec<_> = new
            .filter(|case| !(is_edge(&case.input) || case.input.len() < 2 && is_edge(&case.output)))
            .filter(|case| together(&case.input, &case.output))
            .collect();
        // One entry of a table that stands in a test is what tests of tables do.
        let in_table = |text: &str| text.contains(": ") || text.contains("=>");
        let table = file.after.special_cases.iter().filter(|it| in_table(&it.text)).count();
        let hit = cases.iter().filter(|it| in_table(&it.text)).count();
        if hit * 2 <= table && hit < 3 {
            cases.retain(|it| !in_table(&it.text) || table < 2);
        }
        for case in cases {
            let (input, output) = (short(&case.input), short(&case.output));
            let reason = format!("answers {input} with {output}, as a test asks for it");
            found.push(file.finding(&RULE, case.row, reason));
        }
    }
    found
}

/// Whether a literal stands in a text, with any of the quotes.
fn stands_in(text: &str, literal: &str) -> bool {
    let plain = literal.trim_matches(['"', '\'', '`']);
    if plain.len() == literal.len() {
        let of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        return text.match_indices(plain).any(|(at, _)| {
            let before = text.get(..at).and_then(|it| it.chars().next_back());
            let after = text.get(at + plain.len()..).and_then(|it| it.chars().next());
            !before.is_some_and(of_word) && !after.is_some_and(of_word)
        });
    }
    !plain.is_empty()
        && ['"', '\'', '`'].iter().any(|quote| text.contains(&format!("{quote}{plain}{quote}")))
}
