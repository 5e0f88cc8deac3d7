//! Failures that are caught and dropped.

use super::{ChangedSources, CheatFinding, CheatRule, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "failure-swallowed",
    finds: "a new handler that catches all failures and does nothing, or a command that may fail now",
    check,
    fires: &[
        &[(
            "calc.py",
            "def f():\n    return g()\n",
            "def f():\n    try:\n        return g()\n    except Exception:\n        pass\n",
        )],
        &[("lib/a.js", "f();\n", "try { f(); } catch (e) {}\n")],
        &[("check.sh", "cargo test\n", "cargo test || true\n")],
    ],
    passes: &[
        &[(
            "calc.py",
            "def f():\n    return g()\n",
            "def f():\n    try:\n        return g()\n    except KeyError:\n        pass\n",
        )],
        &[("README.md", "", "Run `cargo test || true`.\n")],
    ],
};

/// What makes a failing command end well.
const FAILURE_IGNORED: &[&str] =
    &["|| true", "|| :", "|| exit 0", "; true", "set +e", "continue-on-error: true"];
const SCRIPTS: &[&str] = &["sh", "bash", "yml", "yaml", "json", "mk", "toml", "ini", "cfg"];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let words = |text: &str| format!("catches any failure and drops it: {}", short(text));
        let handlers = (file.before.swallowed.clone(), file.after.swallowed.clone());
        found.extend(file.more(RULE.name, handlers, words));
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        if SCRIPTS.contains(&end)
            || ["Makefile", "makefile", "GNUmakefile", "justfile"].contains(&name)
        {
            let added = file
                .added
                .iter()
                .filter(|line| FAILURE_IGNORED.iter().any(|it| line.text.contains(it)));
            let reason = |text: &str| format!("its failure does not count: {}", short(text.trim()));
            found.extend(added.map(|line| file.finding(RULE.name, line.row, reason(&line.text))));
        }
    }
    found
}
