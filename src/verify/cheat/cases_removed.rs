//! Cases of a test that are taken out.

use super::facts::RowText;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

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
    ],
};

/// How a mark or a call begins that lists cases.
const TABLES: &[&str] =
    &["parametrize(", "@ValueSource", "@CsvSource", "@EnumSource", "#[case", "#[test_case", "@example"];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests().filter(|file| !file.is_gone) {
        let mut tables = file.before.marks.iter().zip(&file.after.marks);
        let is_table = |mark: &RowText| TABLES.iter().any(|it| mark.text.contains(it));
        let shrunk = tables.find(|(was, is)| {
            let same_head = was.text.split('[').next() == is.text.split('[').next();
            is_table(was) && is_table(is) && same_head && items(&is.text) < items(&was.text)
        });
        let rows = |lines: &[RowText]| lines.iter().filter(|it| is_row(&it.text)).count();
        let (gone, came) = (rows(&file.removed), rows(&file.added));
        let kept = file.kept_tests().next().is_some() || file.before.tests.is_empty();
        if let Some((_, is)) = shrunk {
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

fn items(text: &str) -> usize {
    text.matches(',').count()
}

/// Whether a line is one case of a table: `(1, "a"),`, `{name: "x", want: 2},`, `#[case(1)]`.
fn is_row(line: &str) -> bool {
    let line = line.trim();
    let tuple = line.starts_with(['(', '{', '[']) && (line.ends_with("),") || line.ends_with("},") || line.ends_with("],"));
    let marked = ["pytest.param(", "#[case", "#[test_case", "Arguments.of(", "arguments("];
    tuple || marked.iter().any(|it| line.starts_with(it))
}
