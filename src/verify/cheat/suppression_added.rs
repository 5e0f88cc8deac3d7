//! Warnings that are silenced.

use super::facts::RowText;
use super::{ChangedSource, ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "suppression-added",
    severity: Severity::Flag,
    finds: "a new comment or attribute that silences a linter, a type checker or a compiler",
    check,
    fires: &[
        &[("calc.py", "x = f()\n", "x = f()  # type: ignore\n")],
        &[("src/lib.rs", "fn f() {}\n", "#[allow(unused_must_use)]\nfn f() {}\n")],
        &[("lib/a.ts", "f(1);\n", "// @ts-ignore\nf(1);\n")],
        &[("tsconfig.json", "{\"strict\": true}\n", "{\"strict\": false}\n")],
        &[(
            "eslint.config.js",
            "export default [{\n  'no-unused-vars': 'error',\n}];\n",
            "export default [{\n  'no-unused-vars': 'off',\n}];\n",
        )],
        &[("lib/a.js", "// @ts-check\nf();\n", "f();\n")],
    ],
    passes: &[
        &[("calc.py", "x = f()  # noqa\n", "x = f(1)  # noqa\n")],
        &[("docs/lints.md", "", "We do not use `# noqa`.\n")],
        &[("tsconfig.json", "{\"strict\": false}\n", "{\"strict\": true}\n")],
    ],
};

const SIGNS: &[&str] = &[
    "# type: ignore",
    "# pylint: disable",
    "# pyright: ignore",
    "# mypy: ignore",
    "# nosec",
    "# pragma: no cover",
    "@ts-ignore",
    "@ts-expect-error",
    "@ts-nocheck",
    "istanbul ignore",
    "c8 ignore",
    "v8 ignore",
    "biome-ignore",
    "//nolint",
    "// nolint",
    "@SuppressWarnings",
    "NOSONAR",
    "#[coverage(off)]",
    "as unknown as",
    "typing.cast(Any",
    "tslint:disable",
    "# noqa",
    "#noqa",
    "eslint-disable",
    "/* eslint-disable */",
    "#[allow(",
    "#![allow(",
];
/// In code of the program only.
const IN_PROGRAM: &[&str] = &[" as any", ": any"];
/// What silences words about style, and hides no fault.
const STYLE: &[&str] = &[
    "noqa: E501",
    "noqa: D",
    "noqa: N8",
    "noqa: F401",
    "clippy::too_many",
    "clippy::type_complexity",
    "dead_code",
    "unused_imports",
    "max-len",
    "camelcase",
    "missing_docs",
    "deprecated",
    "noqa: PLR",
    "noqa: A0",
    "no-console",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let program = if file.is_of_tests() { &[][..] } else { IN_PROGRAM };
        let signs = SIGNS.iter().chain(program).filter(|_| file.is_code());
        for sign in signs {
            let holds = |line: &&RowText| {
                let text = &line.text;
                text.contains(sign) && !STYLE.iter().any(|it| text.contains(it))
            };
            let before = file.removed.iter().filter(holds).count();
            for line in file.added.iter().filter(holds).skip(before) {
                let reason = format!("silences a warning: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
        let checked = file.removed.iter().find(|it| it.text.trim() == "// @ts-check");
        if let Some(line) = checked.filter(|_| !file.is_gone) {
            let row = file.row_near(line.row);
            found.push(file.finding(&RULE, row, "its types are checked no more".to_owned()));
        }
        for line in file.added.iter().filter(|line| is_laxer(file, line)) {
            let reason = format!("checks types less strictly: {}", short(line.text.trim()));
            found.push(file.finding(&RULE, line.row, reason));
        }
    }
    found
}

/// Whether a line of the settings of a type checker asks for less than the one before it did.
fn is_laxer(file: &ChangedSource, line: &RowText) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    let is_settings = name.starts_with("tsconfig") && name.ends_with(".json")
        || [
            "mypy.ini",
            ".mypy.ini",
            "setup.cfg",
            "pyproject.toml",
            "pyrightconfig.json",
            "Cargo.toml",
            "jsconfig.json",
        ]
        .contains(&name)
        || name.starts_with("eslint.config")
        || name.starts_with(".eslintrc");
    let text = format!("\n{}", line.text.trim().to_lowercase());
    let lax = [
        "filterwarnings = [\"ignore",
        "extend-ignore",
        "\nignore = [",
        "ignore_errors = true",
        "skiplibcheck\": true",
        "nocheck\": true",
        "checkjs\": false",
        " = \"allow\"",
    ];
    let was_strict = |was: &RowText| {
        let was = was.text.to_lowercase();
        let key = ["strict", "check_untyped", "disallow_", "noimplicit", "nounchecked", "warn_"];
        let of_key = key.iter().any(|it| was.contains(it) && text.contains(it));
        of_key && was.contains("true") && text.contains("false")
    };
    let turned_off = |was: &RowText| {
        let off = ["'off'", "\"off\"", ": 0", "'warn'", "\"warn\""];
        ["'error'", "\"error\""].iter().any(|it| was.text.contains(it))
            && !text.contains("error")
            && off.iter().any(|it| text.contains(it))
    };
    is_settings
        && (file.was(line.row).is_some_and(turned_off)
            || lax.iter().any(|it| text.contains(it))
            || file.was(line.row).is_some_and(was_strict))
}
