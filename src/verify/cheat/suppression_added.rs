//! Warnings that are silenced.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "suppression-added",
    severity: Severity::Flag,
    finds: "a new comment or attribute that silences a linter, a type checker or a compiler",
    check,
    fires: &[
        &[("calc.py", "x = f()\n", "x = f()  # type: ignore\n")],
        &[("src/lib.rs", "fn f() {}\n", "#[allow(dead_code)]\nfn f() {}\n")],
        &[("lib/a.ts", "f(1);\n", "// @ts-ignore\nf(1);\n")],
    ],
    passes: &[
        &[("calc.py", "x = f()  # noqa\n", "x = f(1)  # noqa\n")],
        &[("docs/lints.md", "", "We do not use `# noqa`.\n")],
    ],
};

const SIGNS: &[&str] = &[
    "# noqa",
    "#noqa",
    "# type: ignore",
    "# pylint: disable",
    "# pyright: ignore",
    "# nosec",
    "# pragma: no cover",
    "@ts-ignore",
    "@ts-expect-error",
    "@ts-nocheck",
    "eslint-disable",
    "istanbul ignore",
    "c8 ignore",
    "v8 ignore",
    "biome-ignore",
    "#[allow(",
    "#![allow(",
    "//nolint",
    "// nolint",
    "@SuppressWarnings",
    "NOSONAR",
    "#[coverage(off)]",
    " as any",
    ": any",
    "as unknown as",
    "typing.cast(Any",
    "# mypy: ignore",
    "tslint:disable",
    "@phpstan-ignore",
    "istanbul-ignore",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_code()) {
        for sign in SIGNS {
            let holds = |line: &&super::RowText| line.text.contains(sign);
            let before = file.removed.iter().filter(holds).count();
            for line in file.added.iter().filter(holds).skip(before) {
                let reason = format!("silences a warning: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found
}
