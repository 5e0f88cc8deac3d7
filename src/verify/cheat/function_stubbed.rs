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
        &[(
            "store.go",
            "package a\n\nfunc F() int {\n\treturn g() + h()\n}\n\nfunc G() int {\n\treturn sum(1)\n}\n",
            "package a\n\nfunc F() int {\n\treturn g() + h()\n}\n\nfunc G() int {\n\tif empty() {\n\t\treturn 0\n\t}\n\treturn 3730\n}\n",
        )],
        &[("src/lib.rs", "", "pub fn retain(_stale: Filter) -> usize {\n    0\n}\n")],
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
        for line in file.added.iter().filter(|it| !file.is_in_test(it.row) && !file.is_new) {
            let value = line.text.trim().strip_prefix("return ").map(|it| it.trim_end_matches(';'));
            if value.is_some_and(is_odd) && file.before.functions.len() > 1 {
                let reason =
                    format!("gives a number that is written out: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
        for facts in file.after.functions.iter().filter(|it| !file.is_in_test(it.row)) {
            if file.is_added(facts.row) && !before.contains_key(&*facts.name) && ignores_all(facts)
            {
                let reason = format!("{} makes nothing of what it is given", short(&facts.name));
                found.push(file.finding(&RULE, facts.row, reason));
                continue;
            }
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

/// Whether a number is one that nobody writes by chance: three digits and more that are no round
/// number and no status of HTTP.
fn is_odd(value: &str) -> bool {
    let Some(number) = value.parse::<f64>().ok().map(f64::abs) else { return false };
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let status = (100.0..600.0).contains(&number) && number.fract() == 0.0 && digits == 3;
    let plain = number.fract() == 0.0 && (number % 50.0 == 0.0 || (number + 1.0) % 16.0 == 0.0);
    digits > 2 && !plain && !(status && number % 100.0 < 60.0) && number.log2().fract() != 0.0
}

/// Whether a function gives one constant, or nothing, and uses none of what it is given.
fn ignores_all(facts: &FunctionFacts) -> bool {
    let Some((_, rest)) = facts.text.split_once(&format!("{}(", facts.name)) else {
        // With parameters for types: `retain<F>(…)`.
        return facts.text.split_once(">(").is_some_and(|it| ignores(it.1, facts));
    };
    ignores(rest, facts)
}

fn ignores(after_name: &str, facts: &FunctionFacts) -> bool {
    let Some((parameters, body)) = after_name.split_once(')') else { return false };
    let own = ["self", "&self", "&mut self", "mut self", "cls", "this"];
    let mut given = parameters.split(',').map(str::trim).filter(|it| !own.contains(it)).peekable();
    let unused = |parameter: &str| {
        let name = parameter.split([':', '=', ' ']).next().unwrap_or_default();
        let aside = [format!("let _ = {name};"), format!("_ = {name}"), format!("void {name}")];
        let is_set_aside = aside.iter().any(|it| body.contains(it.as_str()));
        name.len() > 2 && (name.starts_with('_') || is_set_aside)
    };
    let inert = facts.constant.is_some() || facts.statements == 0;
    let some = given.peek().is_some_and(|it| !it.is_empty());
    inert && some && given.all(unused)
}
