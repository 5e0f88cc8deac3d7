//! Tests that are run again until they pass.

use super::facts::RowText;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "retries-enabled",
    severity: Severity::Flag,
    finds: "a new mark or setting that runs a failed test again",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "import pytest\n\n@pytest.mark.flaky(reruns=5)\ndef test_a():\n    assert f() == 1\n",
        )],
        &[("a.test.js", "", "jest.retryTimes(3);\ntest('a', () => { expect(f()).toBe(1); });\n")],
        &[(".config/nextest.toml", "[profile.default]\n", "[profile.default]\nretries = 3\n")],
    ],
    passes: &[
        &[("lib/http.js", "", "exports.get = (url) => fetch(url, { retries: 3 });\n")],
        &[("src/retry.rs", "", "pub const RETRIES: u32 = 3;\n")],
    ],
};

const IN_TESTS: &[&str] = &[
    "mark.flaky",
    "@flaky",
    "reruns=",
    "retryTimes(",
    "this.retries(",
    "describe.configure({ retries",
    "@RetryingTest",
    "@RepeatedIfExceptionsTest",
    "flaky_test",
    "rerun_failures",
];
const IN_SETTINGS: &[&str] = &[
    "--reruns",
    "--rerun-fails",
    "reruns =",
    "reruns=",
    "retries =",
    "retries:",
    "\"retries\"",
    "--retries",
    "--retry",
    "rerunFailingTestsCount",
    "retry:",
    "retryTimes(",
];
/// In commands.
const IN_SCRIPTS: &[&str] = &[
    "&& break",
    "/retry@",
    "--rerun-fails",
    "--reruns",
    "--retries",
    "--retry",
    "until ",
    "rerunFailingTestsCount",
];
/// Files that tell runners what to do.
const SETTINGS: &[&str] = &[
    "nextest.toml",
    "pytest.ini",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "package.json",
    "pom.xml",
    ".mocharc",
    "vitest.config",
    "jest.config",
    "playwright.config",
    "cypress.config",
    "jest.setup",
    "vitest.setup",
    "setupTests",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let signs = match SETTINGS.iter().any(|it| name.starts_with(it)) {
            true => IN_SETTINGS,
            false if file.is_script() => IN_SCRIPTS,
            false if file.is_of_tests() && file.is_code() => IN_TESTS,
            false => continue,
        };
        let again = |line: &&RowText| {
            let text = line.text.trim();
            let loops = ["for ", "while ", "loop "].iter().any(|it| text.starts_with(it));
            let named = ["attempt", "retry", "retries", "tries"].iter().any(|it| text.contains(it));
            loops && named && file.is_in_kept(line.row)
        };
        let told = |line: &&RowText| signs.iter().any(|it| line.text.contains(it)) || again(line);
        for line in file.added.iter().filter(told) {
            let reason = format!("runs a failed test again: {}", short(line.text.trim()));
            found.push(file.finding(&RULE, line.row, reason));
        }
    }
    found
}
