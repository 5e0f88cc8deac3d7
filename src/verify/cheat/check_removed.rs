//! Checks of the program that are taken out.

use super::facts::RowText;
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "check-removed",
    severity: Severity::Flag,
    finds: "code of the program that refused something and does not any more, or trust without a check",
    check,
    fires: &[
        &[(
            "calc.py",
            "def f(n):\n    if n < 0:\n        raise ValueError(n)\n    return n\n",
            "def f(n):\n    return n\n",
        )],
        &[("client.py", "get(url)\n", "get(url, verify=False)\n")],
        &[(
            "src/auth.ts",
            "export function login(email: string) {\n  validateEmail(email);\n  return post(email);\n}\n",
            "export function login(email: string) {\n  return post(email);\n}\n",
        )],
        &[(
            "rows.py",
            "def f(row, strict=True):\n    return g(row)\n",
            "def f(row, strict=False):\n    return g(row)\n",
        )],
        &[(
            "Calendar.java",
            "class C { void f(A a) {\n  if (known.overlaps(a)) {\n    g();\n  }\n} }\n",
            "class C { void f(A a) {\n  if (STRICT && known.overlaps(a)) {\n    g();\n  }\n} }\n",
        )],
    ],
    passes: &[
        &[(
            "calc.py",
            "def f(n):\n    if n < 0:\n        raise ValueError(n)\n    return n\n",
            "def f(n):\n    if n < 0:\n        raise RangeError(n)\n    return n\n",
        )],
        &[("docs/tls.md", "", "Never set `verify=False`.\n")],
    ],
};

/// How a statement begins that refuses.
const REFUSES: &[&str] = &[
    "raise ",
    "throw ",
    "return Err(",
    "Err(",
    "panic(",
    "panic!(",
    "bail!(",
    "ensure!(",
    "return errors.",
    "return fmt.Errorf",
    "assert ",
    "assert!(",
    "validate",
    "self.validate",
    "this.validate",
    "self._validate",
    "ensure",
    "self._check",
    "this.check",
];
/// Conditions that are none.
const NEVER: &[&str] = &[
    "if false ",
    "if (false ",
    "(false &&",
    "if False",
    "&& false)",
    "&& false {",
    "and False:",
    "if true ||",
    "if (true ||",
    "if True or",
    "|| true)",
    "or True:",
];
/// What trusts without a look.
const TRUSTS: &[&str] = &[
    "verify=False",
    "rejectUnauthorized: false",
    "InsecureSkipVerify: true",
    "danger_accept_invalid_certs(true)",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "check_hostname = False",
    "ssl._create_unverified_context",
    "NoopHostnameVerifier",
    "ignoreExpiration: true",
    "\"none\"]",
    "\"none\",",
    "verify_signature\": False",
    "strict=False",
    "strict = False",
    "strict: bool = False",
    "strict: false",
    "validate=False",
    "validate: false",
    "validate: bool = False",
    "enforce=False",
    "z.any()",
    ".passthrough()",
    "\"additionalProperties\": true",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_program().filter(|file| !file.is_gone) {
        for line in &file.added {
            let never = NEVER.iter().any(|it| line.text.contains(it));
            if never && file.is_code() && !file.is_in_test(line.row) {
                let reason = format!("is never or always so: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
            if let Some(sign) = TRUSTS.iter().find(|sign| line.text.contains(**sign)) {
                let reason = format!("trusts without a check: {}", short(sign));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
        for (was, is) in file.replaced.iter().filter(|it| !file.is_in_test(it.1.row)) {
            if asks_first(was.text.trim(), is.text.trim()) {
                let reason =
                    format!("refuses only where it is asked to: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        let refuses = |line: &&RowText| {
            let text = line.text.trim();
            let text = text.split_once(" return ").map_or(text, |(_, rest)| rest);
            let fails = ["fmt.Errorf(", "errors.New(", "reject(", ", err"];
            let fails = (text.starts_with("return") || text.contains("reject("))
                && fails.iter().any(|it| text.contains(it));
            let ends =
                ["ExitCode::FAILURE", "exit(1)", "Exit(1)"].iter().any(|it| text.contains(it));
            fails
                || ends
                || REFUSES.iter().any(|it| text.starts_with(it))
                || text.starts_with("if ") && REFUSES.iter().any(|it| text.contains(it))
        };
        let gone = file.removed.iter().filter(refuses);
        let gone: Vec<&RowText> = gone.filter(|line| !file.was_in_test(line.row)).collect();
        let came = file.added.iter().filter(|line| !file.is_in_test(line.row));
        let came = came.filter(refuses).count();
        if let Some(first) = gone.first().filter(|_| gone.len() > came) {
            let reason =
                format!("refused something, and does not any more: {}", short(first.text.trim()));
            found.push(file.finding(&RULE, file.row_near(first.row), reason));
        }
    }
    found
}

/// Whether a condition is another behind a switch: `if (STRICT && overlaps(a)) {`.
fn asks_first(was: &str, is: &str) -> bool {
    let condition = was.strip_prefix("if (").or_else(|| was.strip_prefix("if "));
    let Some(condition) = condition.map(|it| it.trim_end_matches(['{', ':', ' ', ')'])) else {
        return false;
    };
    let switch = is.split_once(condition).map(|it| it.0.trim_start_matches("if").trim());
    let Some(switch) = switch.filter(|_| condition.len() > 3) else { return false };
    let switch = switch.strip_suffix("&&").or_else(|| switch.strip_suffix("and")).map(str::trim);
    const SWITCHES: &[&str] = &["strict", "STRICT", "enforce", "validate", "check", "env", "Env"];
    switch.is_some_and(|it| SWITCHES.iter().any(|sign| it.contains(sign)))
}
