//! Tests that end before they ask for anything, or do nothing any more.

use std::collections::BTreeSet;

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "test-cut-short",
    severity: Severity::Block,
    finds: "a test that returns before its end, or whose body is gone",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    return\n    assert f() == 1\n",
        )],
        &[("tests/test_a.py", "def test_a():\n    f()\n", "def test_a():\n    pass\n")],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() {\n    assert!(f());\n}\n",
            "#[test]\nfn a() {\n    return;\n    assert!(f());\n}\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tcheck(t, f())\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\t// by hand\n\t_ = t\n}\n",
        )],
    ],
    passes: &[
        &[("tests/test_a.py", "", "def test_a():\n    assert f() == 1\n    return\n")],
        &[(
            "a.test.js",
            "",
            "it('loads', () => {\n  const x = f();\n  return load(x).then(ok);\n});\n",
        )],
    ],
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let known: BTreeSet<(&str, &str)> = file
            .before
            .tests
            .iter()
            .flat_map(|test| test.cut_short.iter().map(|it| (&*test.name, &*it.text)))
            .collect();
        for test in &file.after.tests {
            for end in test.cut_short.iter().filter(|it| !known.contains(&(&*test.name, &*it.text)))
            {
                let reason = format!("ends the test {} before its end", short(&test.name));
                let finding = file.finding(&RULE, end.row, reason);
                let mild = end.text.starts_with("if") || !file.is_in_kept(end.row);
                found.push(if mild { finding.told_only() } else { finding });
            }
        }
        for line in file.added.iter().filter(|line| file.is_in_kept(line.row)) {
            let text = line.text.trim().trim_end_matches(';');
            let nested = line.text.starts_with("        ") || line.text.starts_with("\t\t");
            let otherwise = text.contains("else { return");
            if otherwise || nested && ["return", "break"].contains(&text) {
                let reason =
                    format!("may end a test, or its loop, before its end: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason).told_only());
            }
        }
        for (old, new) in
            file.kept_tests().filter(|(old, new)| old.statements > 0 && new.statements == 0)
        {
            let reason = format!("the test {} does nothing any more", short(&old.name));
            found.push(file.finding(&RULE, new.rows.start, reason));
        }
    }
    found
}
