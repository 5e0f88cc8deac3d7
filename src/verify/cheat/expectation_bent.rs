//! Expectations that follow the code.

use super::{ChangedSources, CheatFinding, CheatRule, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "expectation-bent",
    finds: "another expected value in a test, while no code of the program changes",
    check,
    fires: &[&[(
        "tests/test_a.py",
        "def test_a():\n    assert f(1) == 4\n",
        "def test_a():\n    assert f(1) == 3\n",
    )]],
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
    if sources.of_program().any(|file| !file.is_of_tests()) {
        return found;
    }
    for file in sources.of_tests() {
        // In a file with both it is the lines outside of tests that are of the program.
        let of_program = |line: &super::RowText| !file.is_in_test(line.row);
        if file.added.iter().any(|line| of_program(line) && !line.text.trim().is_empty()) {
            continue;
        }
        for (old, new) in file.kept_tests() {
            if old.assertions.len() != new.assertions.len() {
                continue;
            }
            for (was, is) in old.assertions.iter().zip(&new.assertions) {
                if was.text != is.text {
                    let (is_text, was_text) = (short(&is.text), short(&was.text));
                    let reason =
                        format!("expects something else (now: {is_text}; before: {was_text})");
                    found.push(file.finding(RULE.name, is.row, reason));
                }
            }
        }
    }
    found
}
