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
        ]
        .contains(&name);
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
    is_settings
        && (lax.iter().any(|it| text.contains(it)) || file.was(line.row).is_some_and(was_strict))
}
