//! Failures that are caught and dropped.

use super::facts::RowText;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, new_texts, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "failure-swallowed",
    severity: Severity::Flag,
    finds: "a new handler that catches all failures and does nothing, or a command that may fail now",
    check,
    fires: &[
        &[(
            "calc.py",
            "def f():\n    return g()\n",
            "def f():\n    try:\n        return g()\n    except Exception:\n        pass\n",
        )],
        &[("lib/a.js", "f();\n", "try { f(); } catch (e) {}\n")],
        &[("check.sh", "cargo test\n", "cargo test || true\n")],
        &[("tox.ini", "[testenv]\ncommands = pytest\n", "[testenv]\ncommands = - pytest\n")],
        &[("ci.sh", "set -euo pipefail\nnode --test\n", "set -uo pipefail\nnode --test\n")],
    ],
    passes: &[
        &[(
            "calc.py",
            "def f():\n    return g()\n",
            "def f():\n    try:\n        return g()\n    except KeyError:\n        pass\n",
        )],
        &[("README.md", "", "Run `cargo test || true`.\n")],
    ],
};

/// What makes a failing command end well.
const FAILURE_IGNORED: &[&str] = &[
    "|| true",
    "|| :",
    "|| exit 0",
    "|| echo",
    "; true",
    "; exit 0",
    "&& exit 0",
    "set +e",
    "continue-on-error: true",
    "allow_failure: true",
    "--exit-zero",
    "--no-fail",
    "testFailureIgnore",
    "ignoreFailures = true",
    "ignoreFailures true",
    "passWithNoTests",
    "--suppress-tests-failed",
];
/// Files that set how commands end, beside scripts.
const SETTINGS: &[&str] =
    &["pom.xml", "build.gradle", "build.gradle.kts", "tox.ini", "pyproject.toml"];
/// What drops a failure in a line of code, by the end of a file's name.
const DROPPED: &[(&str, &[&str])] = &[
    (
        "rs",
        &[
            "let _ = ",
            ".unwrap_or_default()",
            ".ok();",
            "catch_unwind(",
            "Err(_) => {}",
            "Err(_) => ()",
        ],
    ),
    ("go", &["recover()", "_ = "]),
    (
        "js",
        &[".catch(() => {})", ".catch(() => null)", ".catch(() => undefined)", ".catch(() => [])"],
    ),
    (
        "ts",
        &[".catch(() => {})", ".catch(() => null)", ".catch(() => undefined)", ".catch(() => [])"],
    ),
    (
        "py",
        &[
            "contextlib.suppress(Exception",
            "suppress(BaseException",
            "errors=\"ignore\"",
            "errors='ignore'",
        ],
    ),
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        for it in new_texts(&file.before.swallowed, file.after.swallowed.clone()) {
            let reason = format!("catches any failure and goes on: {}", short(&it.text));
            found.push(file.finding(&RULE, it.row, reason));
        }
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        let ends_well = |line: &RowText| {
            let text = line.text.trim();
            FAILURE_IGNORED.iter().any(|it| text.contains(it)) || text == "exit 0"
        };
        let dropped = DROPPED.iter().find(|it| it.0 == end).map_or(&[][..], |it| it.1);
        let is_sign = |text: &str| dropped.iter().any(|it| text.contains(it));
        let known = file.removed.iter().any(|old| is_sign(&old.text));
        let drops = |line: &RowText| {
            let text = line.text.trim();
            let blank = end != "go" || text.starts_with("_ = ") || text.contains("recover()");
            // A name alone can fail in nothing.
            let calls = !text.starts_with("let _ = ") || text.contains('(');
            let counts = !file.is_in_test(line.row) || text.contains("recover()");
            !known && blank && calls && is_sign(text) && counts
        };
        // `-pytest` in a makefile, and in tox.ini.
        for (was, is) in file.replaced.iter().filter(|_| file.is_setting()) {
            let bare = is.text.trim().strip_prefix('-').map(str::trim_start);
            let is_dashed = bare.is_some_and(|bare| bare == was.text.trim() && !bare.is_empty());
            let sets = |text: &str| {
                let flags = text.trim().strip_prefix("set -").map(str::to_owned);
                flags.and_then(|it| it.split(' ').next().map(|first| first.contains('e')))
            };
            let set = sets(&was.text) == Some(true) && sets(&is.text) == Some(false);
            let in_line =
                set || is.text != was.text && is.text.replacen("= - ", "= ", 1) == was.text;
            if is_dashed || in_line {
                let reason = format!("its failure does not count: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        let script = file.is_script() || SETTINGS.contains(&name);
        for line in &file.added {
            let why = match (script && ends_well(line), drops(line)) {
                (true, _) => "its failure does not count",
                (_, true) => "a failure of it is dropped",
                (false, false) => continue,
            };
            found.push(file.finding(
                &RULE,
                line.row,
                format!("{why}: {}", short(line.text.trim())),
            ));
        }
    }
    found
}
