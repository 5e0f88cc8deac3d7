//! Tests that are focused, so that no other runs.

use super::facts::{CallFact, RowText, SourceFacts};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, new_texts, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "test-focused",
    severity: Severity::Block,
    finds: "a test or suite that is the only one to run",
    check,
    fires: &[
        &[(
            "a.test.js",
            "it('adds', () => { expect(f()).toBe(1); });\n",
            "it.only('adds', () => { expect(f()).toBe(1); });\n",
        )],
        &[(
            "a.test.js",
            "test('a', () => {\n  assert.equal(f(), 1);\n});\n",
            "test('a', { only: true }, () => {\n  assert.equal(f(), 1);\n});\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nvar _ = Describe(\"a\", func() {\n\tIt(\"b\", func() { Expect(f()).To(Equal(1)) })\n})\n",
            "package a\n\nvar _ = Describe(\"a\", func() {\n\tFIt(\"b\", func() { Expect(f()).To(Equal(1)) })\n})\n",
        )],
    ],
    passes: &[
        &[("a.test.js", "", "it('adds', () => { expect(list.only(1)).toBe(1); });\n")],
        &[(
            "a.test.js",
            "it.only('adds', () => { expect(f()).toBe(1); });\n",
            "it.only('adds', () => { expect(f()).toBe(2); });\n",
        )],
    ],
};

const CALLS: &[&str] = &[
    "it.only",
    "test.only",
    "describe.only",
    "suite.only",
    "context.only",
    "fit",
    "fdescribe",
    "ftest",
    "FIt",
    "FEntry",
    "FDescribe",
    "FContext",
    "FWhen",
    "FSpecify",
    "t.only",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        for it in new_texts(&focused(&file.before), focused(&file.after)) {
            let reason = format!("no other test runs beside it: {}", short(&it.text));
            found.push(file.finding(&RULE, it.row, reason));
        }
    }
    found
}

fn focused(facts: &SourceFacts) -> Vec<RowText> {
    let is_focus = |call: &&CallFact| {
        if ["test", "it", "describe"].contains(&&*call.name) && call.text.contains("{only: true") {
            return true;
        }
        let rests = CALLS.iter().filter_map(|it| call.name.strip_prefix(it));
        rests.into_iter().any(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let calls = facts.calls.iter().filter(is_focus);
    calls.map(|call| RowText { row: call.row, text: call.name.clone() }).collect()
}
