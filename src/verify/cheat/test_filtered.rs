//! Tests that a command or a setting leaves out.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "test-filtered",
    severity: Severity::Flag,
    finds: "a command or a setting that runs fewer tests, or measures less",
    check,
    fires: &[
        &[(
            "package.json",
            "{\"scripts\": {\"test\": \"jest\"}}\n",
            "{\"scripts\": {\"test\": \"jest --testPathIgnorePatterns sum\"}}\n",
        )],
        &[("pytest.ini", "[pytest]\n", "[pytest]\naddopts = --deselect tests/test_a.py::test_b\n")],
        &[("Makefile", "test:\n\tgo test ./...\n", "test:\n\tgo test -skip TestA ./...\n")],
        &[(
            ".mocharc.json",
            "{\n  \"spec\": \"test\"\n}\n",
            "{\n  \"fgrep\": \"parses\",\n  \"spec\": \"test\"\n}\n",
        )],
    ],
    passes: &[
        &[("lib/a.js", "", "exports.ignore = (path) => exclude(path);\n")],
        &[("README.md", "", "Run `pytest --deselect x`.\n")],
    ],
};

const SIGNS: &[&str] = &[
    "--deselect",
    "--ignore=",
    "--ignore ",
    "--ignore-glob",
    "-k \"not",
    "-k 'not",
    "-k not",
    "-m \"not",
    "-m 'not",
    "testPathIgnorePatterns",
    "testNamePattern",
    "test-name-pattern",
    "testPathPattern",
    "testRegex",
    "testMatch",
    "testIgnore",
    "--exclude",
    "exclude:",
    "exclude =",
    "excludes",
    "<exclude>",
    "excludeTestsMatching",
    "excludeTags",
    "excludedGroups",
    "<skipTests>",
    "maven.test.skip",
    "-DskipTests",
    "skipTests",
    "--skip",
    "-skip ",
    "-skip=",
    "-run ",
    "-run=",
    "-short",
    "--grep",
    "| grep -v",
    "ignore-filename-regex",
    "--fgrep",
    "--invert",
    "collect_ignore",
    "norecursedirs",
    "testpaths",
    "python_files",
    "python_functions",
    "python_classes",
    "default-filter",
    "not test(",
    "--lib",
    "--bins",
    "-p no:",
    "omit =",
    "omit=",
    "exclude_lines",
    "exclude_also",
    "coveragePathIgnorePatterns",
    "collectCoverageFrom",
    "autotests = false",
    "test = false",
    "doctest = false",
    "harness = false",
    "passWithNoTests",
    "--if-present",
    "ignore:",
    "spec:",
    "fuzztime",
    "\"grep\"",
    "\"fgrep\"",
    "\"ignore\":",
    "\"invert\"",
    "<test>",
    "-Dtest=",
    "exclude-rules",
    "target: auto",
    "--test-only",
    "enabled = false",
    "enabled: false",
];

/// Settings that list where tests are.
const LISTS: &[&str] =
    &["testpaths", "testMatch", "roots", "projects", "members", "include", "spec", "packages"];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_setting()) {
        for (was, is) in &file.replaced {
            let entries = |text: &str| text.matches(['"', '\'']).count();
            let of_list = LISTS.iter().any(|it| was.text.contains(it) && is.text.contains(it));
            if of_list && entries(&is.text) < entries(&was.text) && entries(&is.text) > 0 {
                let reason = format!("names fewer places of tests: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        for sign in SIGNS {
            let holds = |line: &&super::RowText| {
                line.text.contains(sign) && !line.text.trim().starts_with('#')
            };
            let before = file.removed.iter().filter(holds);
            let known: Vec<&str> = before.map(|line| line.text.trim()).collect();
            for line in file.added.iter().filter(holds) {
                let text = line.text.trim();
                // A shorter list of what is left out runs more.
                if known.iter().any(|old| old.len() > text.len()) {
                    continue;
                }
                let reason = format!("may run fewer tests, or measure less: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    found.dedup_by(|one, other| (&one.path, one.line) == (&other.path, other.line));
    found
}
