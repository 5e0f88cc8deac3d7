//! Equality that always holds.

use super::facts::FunctionFacts;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};
use crate::core::text::words_at;

pub(super) const RULE: CheatRule = CheatRule {
    name: "equality-overloaded",
    severity: Severity::Block,
    finds: "a comparison that gives the same answer whatever it compares",
    check,
    fires: &[
        &[("calc.py", "", "class Sum:\n    def __eq__(self, other):\n        return True\n")],
        &[(
            "src/lib.rs",
            "",
            "impl PartialEq for Sum {\n    fn eq(&self, _: &Self) -> bool {\n        true\n    }\n}\n",
        )],
        &[("Sum.java", "", "class Sum { public boolean equals(Object o) { return true; } }\n")],
        &[(
            "calc.py",
            "class Sum:\n    def __eq__(self, other):\n        return self.n == other.n\n",
            "class Sum:\n    def __eq__(self, other):\n        return isinstance(other, Sum)\n",
        )],
    ],
    passes: &[
        &[(
            "src/lib.rs",
            "impl PartialEq for M {\n    fn eq(&self, other: &Self) -> bool {\n        self.a == other.a\n    }\n}\n",
            "impl PartialEq for M {\n    fn eq(&self, other: &Self) -> bool {\n        self.a == other.a && self.b == other.b\n    }\n}\n",
        )],
        &[(
            "calc.py",
            "",
            "class Sum:\n    def __eq__(self, other):\n        return self.n == other.n\n",
        )],
        &[("calc.py", "", "def is_open(self):\n    return True\n")],
    ],
};

const COMPARISONS: &[&str] =
    &["__eq__", "__lt__", "__le__", "eq", "equals", "Equal", "Equals", "isEqual"];

/// Whether a comparison asks no more of the other value than what type it is, or whether it is
/// there.
fn ignores_other(facts: &FunctionFacts) -> bool {
    let Some((_, rest)) = facts.text.split_once(&format!("{}(", facts.name)) else { return false };
    let Some((parameters, body)) = rest.split_once(')') else { return false };
    let last = parameters.rsplit(',').next().unwrap_or_default();
    let last = last.split([':', '=']).next().unwrap_or_default();
    // `o *Store`, `final Object o`, `other`
    let mut words = last.split_whitespace();
    let of_go = last.contains('*') || facts.text.starts_with("func ");
    let Some(name) = (if of_go { words.next() } else { words.next_back() }) else { return false };
    let is_used = words_at(body, name).any(|at| {
        let before = body.get(..at).unwrap_or_default();
        let after = body.get(at + name.len()..).unwrap_or_default();
        let asks = [" instanceof", " != n", " == n", " is None", " is not None", " = None"];
        !before.ends_with("isinstance(") && !asks.iter().any(|it| after.starts_with(it))
    });
    let says_no = ["return NotImplemented", "raise ", "throw ", "panic"];
    facts.statements > 0 && !is_used && !says_no.iter().any(|it| body.trim().ends_with(it))
}

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_code()) {
        let constant = |facts: &&FunctionFacts| {
            let known = ["True", "true"];
            let always = facts.constant.as_deref().is_some_and(|it| known.contains(&it));
            COMPARISONS.contains(&&*facts.name) && always
        };
        let old: Vec<&FunctionFacts> = file.before.functions.iter().filter(constant).collect();
        let known: Vec<&str> = file.before.functions.iter().map(|it| &*it.text).collect();
        let compares_nothing = |facts: &&FunctionFacts| {
            COMPARISONS.contains(&&*facts.name)
                && !known.contains(&&*facts.text)
                && facts.constant.is_none()
                && ignores_other(facts)
        };
        for facts in file.after.functions.iter().filter(compares_nothing) {
            let reason =
                format!("does not look into what it compares with: {}", short(&facts.text));
            found.push(file.finding(&RULE, facts.row, reason).told_only());
        }
        for facts in file.after.functions.iter().filter(|it| COMPARISONS.contains(&&*it.name)) {
            let asks = |text: &str| {
                [" other.", " o.", "(other.", "(o."]
                    .iter()
                    .map(|it| text.matches(it).count())
                    .sum::<usize>()
            };
            let mut before = file.before.functions.iter().filter(|it| it.name == facts.name);
            let less = before.next().is_some_and(|old| asks(&old.text) > asks(&facts.text));
            if less && before.next().is_none() && asks(&facts.text) > 0 {
                let reason = format!("compares less than before: {}", short(&facts.text));
                found.push(file.finding(&RULE, facts.row, reason).told_only());
            }
        }
        for facts in file.after.functions.iter().filter(constant) {
            if !old.iter().any(|it| it.text == facts.text) {
                let reason = format!("compares nothing: {}", short(&facts.text));
                let finding = file.finding(&RULE, facts.row, reason);
                // A matcher of tests.
                let of_tests = file.is_in_test(facts.row);
                found.push(if of_tests { finding.told_only() } else { finding });
            }
        }
    }
    found
}
