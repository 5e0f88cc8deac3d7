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
        &[(
            "a.test.js",
            "it('is fast', () => {\n  f();\n  expect(took()).toBe(1);\n});\n",
            "it('is fast', () => {\n  vi.useFakeTimers();\n  f();\n  expect(took()).toBe(1);\n});\n",
        )],
        &[(
            "bench/soak.mjs",
            "import { performance } from 'node:perf_hooks';\nrun();\n",
            "const performance = { now: () => tick++ };\nrun();\n",
        )],
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
    "const performance",
    "let performance",
    "const Date",
    "process.hrtime",
    "globalThis.performance",
    "global.performance",
    "global.Date",
    "globalThis.Date",
    "global.setTimeout",
    "globalThis.setTimeout",
    "Math.random",
    "process.env.TZ",
    "os.environ[\"TZ\"]",
    "os.environ['TZ']",
    "random.random",
    "random.randint",
];
/// What tells the time.
const CLOCKS: &[&str] = &[
    "nanoTime()",
    "currentTimeMillis()",
    "Instant",
    "time.Now()",
    "time.Time",
    "Date.now()",
    "performance.now()",
    "monotonic()",
    "perf_counter()",
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
    "@TestMethodOrder",
    "@FixMethodOrder",
    "mark.order",
    "mark.run(order",
    "test.serial",
    "now = func() time.Time",
];

/// What makes a test run by a clock of its own.
const FAKED: &[&str] = &["useFakeTimers(", "freeze_time(", "mock.timers.enable("];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_code()) {
        for (was, is) in file.replaced.iter().filter(|it| file.is_in_test(it.1.row)) {
            let clock = CLOCKS.iter().any(|it| was.text.contains(it) && is.text.contains(it));
            if clock && was.text.trim() != is.text.trim() && !is.text.contains("assert") {
                let reason = format!("takes another time: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        for line in &file.added {
            let text = line.text.trim();
            let assigned = REPLACED.iter().any(|name| {
                let after = text.split_once(name).map(|it| it.1.trim_start());
                after.is_some_and(|it| it.starts_with('=') && !it.starts_with("=="))
            });
            let everywhere = file.is_setting() || !file.is_new;
            let seeded = everywhere && SEEDS.iter().any(|it| text.contains(it));
            let faked = FAKED.iter().any(|it| text.contains(it)) && file.is_in_kept(line.row);
            if assigned || faked || seeded && file.is_in_test(line.row) {
                let reason = format!("replaces a clock or a source of chance: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found
}
