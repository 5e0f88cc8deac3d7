//! Cases of a test that are taken out.

use super::facts::{RowText, TestFacts};
use super::layout::is_import;
use super::literals::{Bent, bent, masked};
use super::{ChangedSource, ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "cases-removed",
    severity: Severity::Flag,
    finds: "fewer cases in the table of a test that stays",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_a(n):\n    assert f(n)\n",
            "@pytest.mark.parametrize('n', [1, 2])\ndef test_a(n):\n    assert f(n)\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tfor _, c := range []int{\n\t\t{1, 2},\n\t\t{3, 4},\n\t} {\n\t\tcheck(t, c)\n\t}\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\tfor _, c := range []int{\n\t\t{1, 2},\n\t} {\n\t\tcheck(t, c)\n\t}\n}\n",
        )],
        &[(
            "tests/test_a.py",
            "@given(st.integers())\ndef test_a(n):\n    assert f(n) == n\n",
            "@given(st.integers())\ndef test_a(n):\n    assume(n > 0)\n    assert f(n) == n\n",
        )],
        &[(
            "a.test.js",
            "it('a', () => {\n  const e = parse('GET / 304 -');\n  expect(e.size).toBe(0);\n});\n",
            "it('a', () => {\n  const e = parse('GET / 304 0');\n  expect(e.size).toBe(0);\n});\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "@pytest.mark.parametrize('n', [1, 2])\ndef test_a(n):\n    assert f(n)\n",
            "@pytest.mark.parametrize('n', [1, 3])\ndef test_a(n):\n    assert f(n)\n",
        )],
        &[(
            "tests/test_a.py",
            "CASES = [\n    (1, 2),\n    (3, 4),\n]\n",
            "CASES = [\n    (1, 2),\n    (3, 5),\n    (4, 4),\n]\n",
        )],
        &[(
            "a.spec.ts",
            "import { assert, expect, it } from 'vitest';\nit('a', () => {\n  expect(f()).toBe(1);\n});\n",
            "import { expect, it } from 'vitest';\nit('a', () => {\n  expect(f()).toBe(1);\n});\n",
        )],
    ],
};

/// What passes over cases that are given.
const PASSED_OVER: &[&str] =
    &["assume(", "prop_assume!(", "fc.pre(", "{ continue }", "{ continue; }", ": continue"];
/// What makes generated cases fewer.
const NARROWER: &[&str] = &[
    "min_value=",
    "max_value=",
    "max_size=",
    ".filter(",
    "min:",
    "max:",
    "maxLength:",
    "st.just(",
    "fc.constant(",
    "Just(",
];

/// How a mark or a call begins that lists cases.
const TABLES: &[&str] = &[
    "parametrize(",
    "@ValueSource",
    "@CsvSource",
    "@EnumSource",
    "#[case",
    "#[test_case",
    "@example",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests().filter(|file| !file.is_gone) {
        let mut tables = file.before.marks.iter().zip(&file.after.marks);
        let is_table = |mark: &RowText| TABLES.iter().any(|it| mark.text.contains(it));
        let shrunk = tables.find(|(was, is)| {
            let same_head = was.text.split(['[', '{']).next() == is.text.split(['[', '{']).next();
            let part = ["[:", " if ", "filter("]
                .iter()
                .any(|it| is.text.contains(it) && !was.text.contains(it));
            is_table(was)
                && is_table(is)
                && (part || same_head && items(&is.text) < items(&was.text))
        });
        // Another case in the place of one: what failed may be gone.
        for Bent { is, was, literals } in bent(&file.replaced) {
            let all = masked(&was.text).literals.len();
            let exchanged = is_row(&is.text) && literals.len() > 1 && literals.len() == all;
            if exchanged && file.is_in_test(is.row) {
                let reason = format!("another case stands for {}", short(was.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        found.extend(other_input(file, sources.changes_program()));
        for line in file.added.iter().filter(|line| file.is_in_test(line.row)) {
            let text = line.text.trim();
            let skips = PASSED_OVER.iter().any(|it| text.contains(it)) || text == "continue";
            let passed_over = skips && file.is_in_kept(line.row);
            let narrower = file.was(line.row).is_some_and(|was| {
                NARROWER.iter().any(|it| text.contains(it) && !was.text.contains(it))
            });
            if passed_over || narrower {
                let reason = format!("asks for fewer of its cases: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
        let rows = |lines: &[RowText]| lines.iter().filter(|it| is_row(&it.text)).count();
        let (gone, came) = (rows(&file.removed), rows(&file.added));
        let kept = file.kept_tests().next().is_some() || file.before.tests.is_empty();
        let shorter = file.replaced.iter().find(|(was, is)| {
            let kept = file.is_in_kept(is.row);
            let (was, is) = (was.text.trim(), is.text.trim());
            kept && !is.contains("assert") && (lists_less(was, is) || goes_over_less(was, is))
        });
        if let Some((_, is)) = shrunk.or(shorter.map(|(was, is)| (was, is))) {
            let reason = format!("lists fewer cases than before: {}", short(&is.text));
            found.push(file.finding(&RULE, is.row, reason));
        } else if gone > came && kept && file.before.tests.len() <= file.after.tests.len() {
            let row = file.removed.iter().find(|it| is_row(&it.text));
            let reason = format!(
                "{} fewer case{} in a table: {}",
                gone - came,
                if gone - came == 1 { "" } else { "s" },
                short(row.map_or("", |it| it.text.trim()))
            );
            found.push(file.finding(&RULE, row.map_or(0, |it| it.row), reason));
        }
    }
    found
}

/// Another input of a test of which the same is expected, and other data for tests.
fn other_input(file: &ChangedSource, with_program: bool) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    let same = |(old, new): &(&TestFacts, &TestFacts)| {
        let texts = |it: &TestFacts| -> Vec<String> {
            it.assertions.iter().map(|it| it.text.clone()).collect()
        };
        !old.assertions.is_empty() && texts(old) == texts(new)
    };
    let mut asks = vec![false; file.in_bodies.len()];
    for (_, test) in file.kept_tests().filter(same) {
        let rows = test.rows.start + 1..test.rows.end.min(asks.len());
        asks.get_mut(rows).unwrap_or_default().fill(true);
    }
    let bent = bent(&file.replaced);
    for Bent { is, literals, .. } in &bent {
        let long = literals.iter().any(|it| it.0.len() > 5 && it.0.starts_with(['"', '\'', '`']));
        if long && asks.get(is.row) == Some(&true) {
            let reason =
                format!("gives another input to what it asserts: {}", short(is.text.trim()));
            found.push(file.finding(&RULE, is.row, reason));
        }
    }
    let data = !file.is_code() && !file.is_setting() && with_program;
    if let Some(Bent { is, .. }) = bent.first().filter(|_| data) {
        let reason = format!("other data for tests: {}", short(is.text.trim()));
        found.push(file.finding(&RULE, is.row, reason));
    }
    found
}

/// Whether a line is another with fewer entries in its list.
fn lists_less(was: &str, is: &str) -> bool {
    let around = |text: &'_ str| -> Option<(String, String)> {
        let (before, rest) = text.split_once(['[', '{'])?;
        Some((before.to_owned(), rest.rsplit_once([']', '}'])?.1.to_owned()))
    };
    let same = around(was).is_some_and(|it| around(is) == Some(it));
    same && items(is) < items(was) && !is_import(is)
}

/// Whether a loop is another that leaves some of the same cases out.
fn goes_over_less(was: &str, is: &str) -> bool {
    const LESS: &[&str] = &["filter(", "take(", "skip(", "slice(", "[:"];
    let head = was.trim_end_matches([' ', '{', ':', ')']);
    let rest = is.strip_prefix(head).unwrap_or_default();
    was.starts_with("for ") && LESS.iter().any(|it| rest.contains(it))
}

fn items(text: &str) -> usize {
    text.matches(',').count()
}

/// Whether a line is one case of a table: `(1, "a"),`, `{name: "x", want: 2},`, `#[case(1)]`.
fn is_row(line: &str) -> bool {
    let line = line.trim();
    let tuple = line.starts_with(['(', '{', '['])
        && (line.ends_with("),") || line.ends_with("},") || line.ends_with("],"));
    let marked = ["pytest.param(", "#[case", "#[test_case", "Arguments.of(", "arguments("];
    tuple || marked.iter().any(|it| line.starts_with(it))
}
