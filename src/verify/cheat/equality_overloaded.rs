//! Equality that always holds.

use super::facts::FunctionFacts;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

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
    ],
    passes: &[
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

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.files.iter().filter(|file| file.is_code()) {
        let constant = |facts: &&FunctionFacts| {
            let known = ["True", "true"];
            let always = facts.constant.as_deref().is_some_and(|it| known.contains(&it));
            COMPARISONS.contains(&&*facts.name) && always
        };
        let old: Vec<&FunctionFacts> = file.before.functions.iter().filter(constant).collect();
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
