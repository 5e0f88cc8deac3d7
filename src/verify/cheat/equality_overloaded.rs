//! Equality that always holds.

use std::collections::{BTreeMap, BTreeSet};

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
        &[(
            "money.py",
            "class M:\n    def __eq__(self, other):\n        return self.n == other.n\n",
            "class M:\n    def __eq__(self, other):\n        return abs(self.n - other.n) <= 5\n",
        )],
        &[(
            "src/lib.rs",
            "",
            "impl PartialEq for R {\n    fn eq(&self, other: &Self) -> bool {\n        self.a == other.a || self.b == other.b\n    }\n}\n",
        )],
    ],
    passes: &[
        &[(
            "calc.py",
            "",
            "class Sum:\n    def __eq__(self, other):\n        return self.n == other.n\n",
        )],
        &[("calc.py", "", "def is_open(self):\n    return True\n")],
        &[(
            "src/lib.rs",
            "impl PartialEq for M {\n    fn eq(&self, other: &Self) -> bool {\n        self.a == other.a\n    }\n}\n",
            "impl PartialEq for M {\n    fn eq(&self, other: &Self) -> bool {\n        self.a == other.a && self.b == other.b\n    }\n}\n",
        )],
        &[(
            "src/lib.rs",
            "impl PartialEq for M {\n    fn eq(&self, other: &Self) -> bool {\n        (self.a - other.a).abs() < 0.1\n    }\n}\n",
            "impl PartialEq for M {\n    fn eq(&self, other: &Self) -> bool {\n        (self.a - other.a).abs() < EPSILON\n    }\n}\n",
        )],
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
        let compares = |facts: &&FunctionFacts| COMPARISONS.contains(&&*facts.name);
        let mut known: BTreeMap<&str, Vec<&FunctionFacts>> = BTreeMap::new();
        for facts in file.before.functions.iter().filter(compares) {
            known.entry(&facts.name).or_default().push(facts);
        }
        let texts: BTreeSet<&str> = known.values().flatten().map(|it| &*it.text).collect();
        let new = file.after.functions.iter().filter(compares);
        for facts in new.filter(|it| !texts.contains(&*it.text)) {
            let old = known.get(&*facts.name).map_or(&[][..], |it| it);
            // Of several with one name it is not known which became which.
            let less = matches!(old, [old] if (1..asks(&old.text)).contains(&asks(&facts.text)));
            let always = matches!(facts.constant.as_deref(), Some("True" | "true"));
            let near = old.iter().all(|it| !is_near(&it.text)) && is_near(&facts.text);
            let why = match facts.constant {
                Some(_) if always => "compares nothing",
                None if ignores_other(facts) => "does not look into what it compares with",
                None if near => "calls equal what differs",
                None if less => "compares less than before",
                _ => continue,
            };
            let finding = file.finding(&RULE, facts.row, format!("{why}: {}", short(&facts.text)));
            // A matcher of tests is made for that.
            let sure = always && !file.is_in_test(facts.row);
            found.push(if sure { finding } else { finding.told_only() });
        }
    }
    found
}

/// Whether a comparison asks how far apart two values are, or for one part of them or another.
fn is_near(text: &str) -> bool {
    let distance = ["abs(", ".abs()", "Abs(", "round("].iter().any(|it| text.contains(it));
    let any = (text.contains(" || ") || text.contains(" or ")) && text.contains("==");
    distance && text.contains('<') || text.contains("isclose(") || text.contains("round(") || any
}

/// How often a comparison looks into the other value.
fn asks(text: &str) -> usize {
    [" other.", " o.", "(other.", "(o."].iter().map(|it| text.matches(it).count()).sum()
}
