//! Code that behaves otherwise where it is tested.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "checks-the-runner",
    severity: Severity::Block,
    finds: "code of the program that asks whether it is run by tests or in CI",
    check,
    fires: &[
        &[(
            "calc.py",
            "def f():\n    return 1\n",
            "import os\n\ndef f():\n    if os.environ.get('PYTEST_CURRENT_TEST'):\n        return 2\n    return 1\n",
        )],
        &[("src/lib.rs", "", "pub fn f() -> u32 {\n    if cfg!(test) { 2 } else { 1 }\n}\n")],
        &[("lib/a.js", "", "exports.f = () => process.env.JEST_WORKER_ID ? 2 : 1;\n")],
    ],
    passes: &[
        &[("tests/conftest.py", "", "import os\nci = os.environ.get('CI')\n")],
        &[("src/lib.rs", "", "#[cfg(test)]\nmod tests {}\n")],
    ],
};

const SIGNS: &[&str] = &[
    "PYTEST_CURRENT_TEST",
    "'pytest' in sys.modules",
    "\"pytest\" in sys.modules",
    "'unittest' in sys.modules",
    "\"unittest\" in sys.modules",
    "PYTEST_VERSION",
    "JEST_WORKER_ID",
    "VITEST_WORKER_ID",
    "process.env.VITEST",
    "process.env.CI",
    "NODE_TEST_CONTEXT",
    "NODE_ENV === 'test'",
    "NODE_ENV === \"test\"",
    "NODE_ENV == 'test'",
    "cfg!(test)",
    "testing.Testing()",
    "GITHUB_ACTIONS",
    "environ['CI']",
    "environ[\"CI\"]",
    "environ.get('CI'",
    "environ.get(\"CI\"",
    "getenv('CI'",
    "getenv(\"CI\"",
    "Getenv(\"CI\")",
    "env::var(\"CI\")",
    "NEXTEST",
    "in sys.modules",
    "sys.argv[0]",
    "inspect.stack(",
    "sys._getframe(",
    "_called_from_test",
    "typeof jest",
    "typeof describe",
    "typeof it ",
    "global.it",
    "globalThis.jest",
    "globalThis.describe",
    "NODE_ENV !== 'test'",
    "NODE_ENV !== \"test\"",
    "NODE_ENV == \"test\"",
    "NODE_ENV",
    "process.env.JEST",
    "process.argv.some(",
    "process.argv[1]",
    "flag.Lookup(\"test.",
    "\".test\")",
    "runtime.Caller(",
    "getStackTrace()",
    "\"test",
    "'test",
    "StackWalker",
    "surefire",
    "org.junit",
    "System.getenv(\"CI\")",
    "current_exe()",
    "cfg!(debug_assertions)",
    "option_env!(\"CI\")",
    "RUST_TEST_THREADS",
    "\"tests/",
    "'tests/",
    "\"test/",
    "'test/",
    "\"testdata",
    "'testdata",
    "new Error().stack",
    "environ.get(\"TESTING",
    "environ.get('TESTING",
    "CARGO_TARGET_TMPDIR",
];

/// Signs that programs have for no other reason.
const STRONG: &[&str] = &[
    "PYTEST_CURRENT_TEST",
    "PYTEST_VERSION",
    "pytest' in sys.modules",
    "pytest\" in sys.modules",
    "unittest' in sys.modules",
    "unittest\" in sys.modules",
    "JEST_WORKER_ID",
    "VITEST",
    "NODE_TEST_CONTEXT",
    "typeof jest",
    "globalThis.jest",
    "flag.Lookup(\"test.",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_program().filter(|file| !file.is_setting()) {
        for line in &file.added {
            let is_comment =
                ["//", "#", "*"].iter().any(|it| line.text.trim_start().starts_with(it));
            let is_sign = SIGNS.iter().any(|sign| line.text.contains(sign));
            if is_sign && !is_comment && !file.is_in_test(line.row) {
                let text = short(line.text.trim());
                let reason = format!("asks whether it is run by tests or in CI: {text}");
                let finding = file.finding(&RULE, line.row, reason);
                let weak = !STRONG.iter().any(|sign| line.text.contains(sign));
                found.push(if weak { finding.told_only() } else { finding });
            }
        }
    }
    found
}
