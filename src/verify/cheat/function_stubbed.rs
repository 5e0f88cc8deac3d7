//! Functions that stop computing what they return.

use std::collections::BTreeMap;

use super::facts::FunctionFacts;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "function-stubbed",
    severity: Severity::Flag,
    finds: "a function of the program that gives a constant where it computed something, or that says it is not written yet",
    check,
    fires: &[
        &[(
            "calc.py",
            "def f(n):\n    total = sum(n)\n    return total / len(n)\n",
            "def f(n):\n    return 4\n",
        )],
        &[("src/lib.rs", "fn f() -> u32 {\n    g() + 1\n}\n", "fn f() -> u32 {\n    todo!()\n}\n")],
    ],
    passes: &[
        &[("calc.py", "", "def version():\n    return '1.2'\n")],
        &[(
            "calc.py",
            "def f(n):\n    total = sum(n)\n    return total / len(n)\n",
            "def f(n):\n    return mean(n)\n",
        )],
    ],
};

/// How a body says that it is none.
const NOT_WRITTEN: &[&str] = &[
    "todo!(",
    "unimplemented!(",
    "raise NotImplementedError",
    "throw new Error('Not implemented",
    "throw new Error(\"Not implemented",
    "throw new UnsupportedOperationException(",
    "panic(\"not implemented",
    "panic(\"TODO",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_program().filter(|file| !file.is_of_tests()) {
        let mut before: BTreeMap<&str, Vec<&FunctionFacts>> = BTreeMap::new();
        for facts in &file.before.functions {
            before.entry(&facts.name).or_default().push(facts);
        }
        for facts in file.after.functions.iter().filter(|it| !file.is_in_test(it.row)) {
            let old = before.get(&*facts.name).map_or(&[][..], |it| it);
            if old.iter().any(|it| it.text == facts.text) {
                continue;
            }
            // Of several with one name it is not known which became which.
            let computed = matches!(old, [only] if only.constant.is_none() && only.statements > 0);
            let name = short(&facts.name);
            if let Some(constant) = facts.constant.as_ref().filter(|_| computed) {
                let reason = format!("{name} always gives {}, and computed it before", short(constant));
                found.push(file.finding(&RULE, facts.row, reason));
            } else if facts.statements < 2 && NOT_WRITTEN.iter().any(|it| facts.text.contains(it)) {
                let reason = format!("{name} says that it is not written yet");
                found.push(file.finding(&RULE, facts.row, reason));
            }
        }
    }
    found
}
