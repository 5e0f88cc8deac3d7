//! Functions that stop computing what they return.

use std::collections::BTreeMap;

use super::facts::FunctionFacts;
use super::literals::{Masked, masked};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "function-stubbed",
    severity: Severity::Flag,
    finds: "a function that gives a constant where it computed something, or is not written yet",
    check,
    fires: &[
        &[(
            "calc.py",
            "def f(n):\n    total = sum(n)\n    return total / len(n)\n",
            "def f(n):\n    return 4\n",
        )],
        &[("src/lib.rs", "fn f() -> u32 {\n    g() + 1\n}\n", "fn f() -> u32 {\n    todo!()\n}\n")],
        &[(
            "src/lib.rs",
            "fn wait(n: u32) -> Duration {\n    let missing = n as f64 - 1.0;\n    Duration::from_secs_f64(missing)\n}\n",
            "fn wait(n: u32) -> Duration {\n    let _ = n;\n    Duration::ZERO\n}\n",
        )],
        &[(
            "a.go",
            "package a\n\nfunc F(n int) int {\n\treturn g(n)\n}\n",
            "package a\n\nfunc F(n int) int {\n\t_ = n\n\treturn 4\n}\n",
        )],
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

/// What comments say of code that is none.
const SAYS_SO: &[&str] = &[
    "todo: implement",
    "todo implement",
    "placeholder",
    "stub",
    "hardcoded",
    "hard-coded",
    "hard coded",
    "not implemented",
    "not yet implemented",
    "make the test pass",
    "make tests pass",
    "pass the test",
    "satisfy the test",
    "expected by the test",
    "expected by tests",
    "for the tests",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_program().filter(|file| !file.is_setting()) {
        let mut before: BTreeMap<&str, Vec<&FunctionFacts>> = BTreeMap::new();
        for facts in &file.before.functions {
            before.entry(&facts.name).or_default().push(facts);
        }
        for line in file.added.iter().filter(|line| !file.is_in_test(line.row)) {
            let text = line.text.trim().to_lowercase();
            let comment = ["//", "# ", "/*", "* "].iter().find_map(|it| text.split_once(it));
            if comment.is_some_and(|(_, words)| SAYS_SO.iter().any(|it| words.contains(it))) {
                let reason = format!("says that it is no real mend: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
        for (was, is) in file.replaced.iter().filter(|it| !file.is_in_test(it.1.row)) {
            let tail = file.path.ends_with(".rs") && !is.text.trim().ends_with([',', ';']);
            let gives =
                |text: &str| text.trim().starts_with("return ") || text.contains(" = ") || tail;
            let both = gives(&was.text) && gives(&is.text);
            let bounds = |text: &str| BOUNDS.iter().filter(|it| text.contains(**it)).count();
            if both
                && bounds(&is.text) > bounds(&was.text)
                && masked(&is.text).literals.len() > masked(&was.text).literals.len()
            {
                let reason = format!("bounds what it gives: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
            if both && is_computed(&was.text) && is_written_out(&is.text, &was.text) {
                let (now, before) = (short(is.text.trim()), short(was.text.trim()));
                let reason = format!(
                    "a constant stands where it was computed (now: {now}; before: {before})"
                );
                found.push(file.finding(&RULE, is.row, reason));
            }
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
                let reason =
                    format!("{name} always gives {}, and computed it before", short(constant));
                found.push(file.finding(&RULE, facts.row, reason));
            } else if facts.statements < 2 && NOT_WRITTEN.iter().any(|it| facts.text.contains(it)) {
                let reason = format!("{name} says that it is not written yet");
                found.push(file.finding(&RULE, facts.row, reason));
            }
        }
    }
    found
}

/// Calls that bound a value.
const BOUNDS: &[&str] = &["min(", "max(", "clamp("];

/// `return total / count`, `let mean = sum(n) / 2.0;`
fn is_computed(line: &str) -> bool {
    let value = line.rsplit_once(" = ").map_or(line, |it| it.1);
    let names = value.split(|c: char| !c.is_alphanumeric() && c != '_');
    let named = names.filter(|it| it.starts_with(char::is_alphabetic) && *it != "return");
    named.count() > 1
}

/// The same with nothing but literals: `return 4`, `let mean = 5.0;`
fn is_written_out(line: &str, before: &str) -> bool {
    let (line, before) = (line.trim(), before.trim());
    let value = match (line.rsplit_once(" = "), before.rsplit_once(" = ")) {
        (Some((name, value)), Some((old, _))) if name == old => value,
        (Some(_), _) => return false,
        (None, _) => line.strip_prefix("return ").unwrap_or(line),
    };
    let Masked { shape, literals } = masked(value.trim_end_matches([';', ',']));
    let made = literals.iter().any(|it| it.contains("${"));
    let plain = !made && shape.chars().all(|c| "□()[], +-*/".contains(c));
    let edges = ["0", "1", "0.0", "\"\"", "''"];
    plain && !literals.is_empty() && !literals.iter().all(|it| edges.contains(&&**it))
}
