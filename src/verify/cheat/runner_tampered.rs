//! Runners that are made to say something else.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "runner-tampered",
    severity: Severity::Block,
    finds: "code that replaces what asserts, or changes what a runner says of a test",
    check,
    fires: &[
        &[(
            "conftest.py",
            "",
            "def pytest_runtest_makereport(item, call):\n    report = make(item)\n    report.outcome = 'passed'\n",
        )],
        &[("setup.js", "", "assert.strictEqual = () => {};\n")],
        &[("test/setup.js", "", "globalThis.test = (name, fn) => quietly(name, fn);\n")],
    ],
    passes: &[
        &[("conftest.py", "", "import pytest\n\n@pytest.fixture\ndef db():\n    return 1\n")],
        &[("lib/a.js", "", "const equal = assert.strictEqual;\n")],
    ],
};

/// What is replaced by an assignment to it.
const REPLACED: &[&str] = &[
    "assert.equal",
    "assert.strictEqual",
    "assert.deepEqual",
    "assert.deepStrictEqual",
    "assert.ok",
    "global.expect",
    "globalThis.expect",
    "global.assert",
    "globalThis.test",
    "globalThis.it",
    "globalThis.describe",
    "global.test",
    "global.it",
    "global.describe",
    "globalThis.assert",
    "unittest.TestCase.assertEqual",
    "TestCase.assertEqual",
    "TestCase.assertTrue",
    "TestCase.fail",
    "builtins.AssertionError",
    "process.exitCode",
    "session.exitstatus",
    "session.testsfailed",
    ".outcome",
];
/// Assertions of libraries.
const ASSERTIONS: &[&str] = &[
    "assertEqual",
    "assertTrue",
    "assertFalse",
    "assertRaises",
    "assertEquals",
    "assertThrows",
    "assertThat",
    "expect",
    "strictEqual",
    "deepEqual",
];
/// What changes the words of a runner.
const CALLS: &[&str] = &[
    "pytest_runtest_makereport",
    "pytest_collection_modifyitems",
    "pytest_sessionfinish",
    "pytest_report_teststatus",
    "items.clear(",
    "currentTest.state",
    "currentTest.err",
    "items[:] =",
    "deselected(",
    "excinfo = None",
    "wasSuccessful = ",
    "wasSuccessful=lambda",
    "addFailure = ",
    "addError = ",
];

/// What hears of each test, and may say something else of it.
const LISTENERS: &[&str] = &[
    "TestExecutionExceptionHandler",
    "implements TestWatcher",
    "extends TestWatcher",
    "InvocationInterceptor",
    "RunListener",
    "func TestMain(",
    "expect.extend(",
    "addEqualityTesters",
    "pytest_runtest_call",
    "pytest_pyfunc_call",
    "hookwrapper",
    "atexit.register",
    "sys.excepthook",
    "set_hook(",
    "process.on('exit'",
    "process.on(\"exit\"",
    "reporters:",
    "implements Reporter",
    "code = 0",
    "os.Exit(0)",
    "reporter: [['./",
    "reporter: [[\"./",
    "reporter: './",
    "reporter: \"./",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_code()) {
        let known: Vec<&str> = file.before.functions.iter().map(|it| &*it.name).collect();
        for own in file.after.functions.iter().filter(|it| !known.contains(&&*it.name)) {
            if file.is_of_tests() && ASSERTIONS.contains(&&*own.name) {
                let reason = format!("asserts in a way of its own: {}", short(&own.text));
                found.push(file.finding(&RULE, own.row, reason));
            }
        }
        for line in &file.added {
            let text = line.text.trim();
            let assigned = REPLACED.iter().any(|name| {
                let after = text.split_once(name).map(|it| it.1.trim_start());
                let value = after.and_then(|it| it.strip_prefix('=')).map(str::trim_start);
                let by_hand = |it: &str| {
                    let word = it.trim_matches(['"', '\'', ';']);
                    !name.starts_with(['.', 's', 'p']) || ["passed", "0"].contains(&word)
                };
                value.is_some_and(|it| !it.starts_with('=') && by_hand(it))
            });
            let macros = ["macro_rules! assert", "macro_rules! panic"];
            let replaced =
                macros.iter().any(|it| text.starts_with(it) && !text.contains("assert_"))
                    || text.starts_with("macro_rules! assert_eq ");
            let listens = file.is_in_test(line.row) || file.is_of_tests() || file.is_setting();
            if listens && LISTENERS.iter().any(|it| text.contains(it)) {
                let reason = format!("may change what a runner says: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason).told_only());
            }
            let hook = CALLS.iter().any(|it| text.contains(it));
            if assigned || replaced || hook {
                let reason = format!("changes what a runner says: {}", short(text));
                let finding = file.finding(&RULE, line.row, reason);
                let only_hook = !(assigned || replaced);
                found.push(if only_hook { finding.told_only() } else { finding });
            }
        }
    }
    found
}
