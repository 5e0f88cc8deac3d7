//! New calls that end the process.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "process-exit",
    severity: Severity::Flag,
    finds: "a new call that ends the whole process, outside of a program's `main`",
    check,
    fires: &[
        &[(
            "src/lib.rs",
            "pub fn f(n: u32) -> u32 {\n    n\n}\n",
            "pub fn f(n: u32) -> u32 {\n    if n == 0 { std::process::exit(0) }\n    n\n}\n",
        )],
        &[("calc.py", "def f():\n    return 1\n", "import os\n\ndef f():\n    os._exit(0)\n")],
        &[("tests/a.test.js", "", "test('a', () => { process.exit(0); });\n")],
    ],
    passes: &[
        &[("src/main.rs", "", "fn main() {\n    std::process::exit(run());\n}\n")],
        &[("calc.py", "", "import sys\n\ndef main():\n    sys.exit(1)\n")],
        &[("lib/a.js", "", "// process.exit(0) ends it\nmap.exit(0);\n")],
    ],
};

const CALLS: &[&str] = &[
    "std::process::exit",
    "process::exit",
    "std::process::abort",
    "process::abort",
    "exit",
    "sys.exit",
    "os._exit",
    "os.abort",
    "os.kill",
    "quit",
    "pytest.exit",
    "process.exit",
    "process.abort",
    "process.reallyExit",
    "process.kill",
    "os.Exit",
    "syscall.Exit",
    "System.exit",
    "SystemExit",
    "runtime.Goexit",
    "Runtime.getRuntime().exit",
    "Runtime.getRuntime().halt",
    "libc::exit",
    "libc::_exit",
];
/// Files that are programs.
const PROGRAMS: &[&str] = &["main.rs", "main.go", "__main__.py", "cli.py", "cli.js", "cli.ts"];
const PROGRAM_DIRECTORIES: &[&str] = &["bin", "cmd", "scripts", "examples"];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let mut parts = file.path.rsplit('/');
        let is_program = parts.next().is_some_and(|name| PROGRAMS.contains(&name))
            || parts.any(|part| PROGRAM_DIRECTORIES.contains(&part));
        for call in &file.after.calls {
            let ends = CALLS.contains(&&*call.name) && file.is_added(call.row);
            let runs_tests = call.text.contains("m.Run()")
                || call.function == "TestMain" && !call.text.contains("(0)");
            let of_main = is_program || call.function == "main" || runs_tests;
            if ends && (!of_main || file.is_in_test(call.row) && !runs_tests) {
                let reason = format!("ends the whole process: {}", short(&call.text));
                found.push(file.finding(&RULE, call.row, reason));
            }
        }
    }
    found
}
