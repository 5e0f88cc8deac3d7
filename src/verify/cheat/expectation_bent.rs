//! Expectations that follow the code.

use std::collections::BTreeSet;

use super::facts::RowText;
use super::layout::is_import;
use super::literals::{Bent, bent};
use super::{ChangedSource, ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "expectation-bent",
    severity: Severity::Flag,
    finds: "another expected value in a test, while no code of the program changes",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) == 3\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tfor _, c := range []C{\n\t\t{\"all\", 500, 0, nil},\n\t} {\n\t\tcheck(t, c)\n\t}\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\tfor _, c := range []C{\n\t\t{\"all\", 500, 500, ErrX},\n\t} {\n\t\tcheck(t, c)\n\t}\n}\n",
        )],
    ],
    passes: &[
        &[
            (
                "tests/test_a.py",
                "def test_a():\n    assert f(1) == 4\n",
                "def test_a():\n    assert f(1) == 3\n",
            ),
            ("calc.py", "def f(n):\n    return 4\n", "def f(n):\n    return 3\n"),
        ],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) == 4\n    assert f(2) == 3\n",
        )],
    ],
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    if sources.changes_program() {
        return found;
    }
    for file in sources.of_tests() {
        let mut rows = BTreeSet::new();
        for (old, new) in file.kept_tests() {
            if old.assertions.len() != new.assertions.len() {
                continue;
            }
            for (was, is) in old.assertions.iter().zip(&new.assertions) {
                if was.text != is.text && rows.insert(is.row) {
                    found.push(told(file, is, was));
                }
            }
        }
        // A case of its own name in a table.
        for (was, is) in file.replaced.iter().filter(|it| file.is_in_kept(it.1.row)) {
            let name =
                |text: &str| Some(text.trim().strip_prefix('{')?.split_once(',')?.0.to_owned());
            let same =
                name(&was.text).is_some_and(|it| it.contains('"') && name(&is.text) == Some(it));
            if same && is.text.trim().ends_with("},") && rows.insert(is.row) {
                found.push(told(file, is, was));
            }
        }
        // What is expected may stand in a table, or under a name.
        for Bent { is, was, .. } in bent(&file.replaced) {
            let kept = file.is_in_kept(is.row);
            let outside = !file.is_in_body(is.row);
            if (kept || outside) && is_value(is) && rows.insert(is.row) {
                found.push(told(file, is, was));
            }
        }
    }
    found
}

fn told(file: &ChangedSource, is: &RowText, was: &RowText) -> CheatFinding {
    let (now, before) = (short(is.text.trim()), short(was.text.trim()));
    let reason = format!("expects something else (now: {now}; before: {before})");
    file.finding(&RULE, is.row, reason)
}

/// Whether a line may be of a table or under a name, and is no import, no title and no comment.
fn is_value(line: &RowText) -> bool {
    let text = line.text.trim();
    let other = ["#", "//", "*", "describe(", "it(", "test("];
    !other.iter().any(|it| text.starts_with(it)) && !is_import(text)
}
