//! Assertions whose failure nobody hears of.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "assertion-not-run",
    severity: Severity::Block,
    finds: "an assertion that is never reached, or whose failure is caught",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    try:\n        assert f() == 1\n    except AssertionError:\n        pass\n",
        )],
        &[(
            "a.test.js",
            "",
            "it('loads', () => {\n  load().then((x) => expect(x).toBe(1));\n});\n",
        )],
        &[(
            "tests/test_a.py",
            "",
            "def test_a():\n    with contextlib.suppress(AssertionError):\n        assert f() == 1\n",
        )],
        &[("tests/test_a.py", "", "def test_a():\n    for x in []:\n        assert x == 1\n")],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "",
            "def test_a():\n    try:\n        assert f() == 1\n    finally:\n        g()\n",
        )],
        &[(
            "a.test.js",
            "",
            "it('loads', () => {\n  return load().then((x) => expect(x).toBe(1));\n});\n",
        )],
    ],
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let old = file.before.tests.iter().flat_map(|test| &test.unheard);
        let new = file.after.tests.iter().flat_map(|test| &test.unheard);
        let old = old.map(|it| it.0.clone()).collect();
        let why: Vec<_> = new.clone().map(|(told, why)| (told.text.clone(), *why)).collect();
        let words = |text: &str| {
            let why = why.iter().find(|it| it.0 == text).map_or("", |it| it.1);
            format!("cannot make the test fail, as {why}: {}", short(text))
        };
        let all = file.more(&RULE, (old, new.map(|it| it.0.clone()).collect()), words);
        // Somebody else may call it, or look at what was caught.
        let doubtful = |it: &CheatFinding| {
            let by_others =
                ["nothing calls", "nothing waits"].iter().any(|why| it.reason.contains(why));
            by_others || !file.is_in_kept(it.line - 1)
        };
        found.extend(all.into_iter().map(|it| if doubtful(&it) { it.told_only() } else { it }));
    }
    found
}
