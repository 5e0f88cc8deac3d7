//! Clocks and chance that are replaced.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "clock-tampered",
    severity: Severity::Flag,
    finds: "a clock, a pause or a source of chance that is replaced, or a seed that is fixed",
    check,
    fires: &[
        &[("tests/test_a.py", "", "import time\ntime.sleep = lambda s: None\n")],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    random.seed(4)\n    assert f() == 1\n",
        )],
        &[("lib/a.js", "", "Date.now = () => 0;\n")],
    ],
    passes: &[
        &[("calc.py", "", "import time\nstart = time.time()\n")],
        &[("lib/a.js", "", "const start = Date.now();\n")],
    ],
};

/// What is replaced by an assignment.
const REPLACED: &[&str] = &[
    "time.sleep",
    "time.time",
    "time.perf_counter",
    "time.monotonic",
    "Date.now",
    "performance.now",
    "process.hrtime",
    "global.setTimeout",
    "globalThis.setTimeout",
    "Math.random",
    "random.random",
    "random.randint",
];
const SEEDS: &[&str] = &[
    "random.seed(",
    "seed_from_u64(",
    "rand.Seed(",
    "rand.NewSource(",
    "new Random(",
    "@seed(",
    "@Seed(",
    "fc.configureGlobal(",
    "setattr(time, ",
    "setattr(\"time.",
    "setattr('time.",
    "patch(\"time.",
    "patch('time.",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_code()) {
        for line in &file.added {
            let text = line.text.trim();
            let assigned = REPLACED.iter().any(|name| {
                let after = text.split_once(name).map(|it| it.1.trim_start());
                after.is_some_and(|it| it.starts_with('=') && !it.starts_with("=="))
            });
            let seeded = !file.is_new && SEEDS.iter().any(|it| text.contains(it));
            if assigned || seeded && file.is_in_test(line.row) {
                let reason = format!("replaces a clock or a source of chance: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found
}
