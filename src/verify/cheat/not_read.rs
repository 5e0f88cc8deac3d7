//! Code that the rules cannot read.

use super::{ChangedSources, CheatFinding, CheatRule, Severity};

pub(super) const RULE: CheatRule = CheatRule {
    name: "not-read",
    severity: Severity::Flag,
    finds: "a changed file of code that is too large or nested too deep for these rules to be read",
    check,
    fires: &[&[("a.js", "", NESTED)]],
    passes: &[&[("a.js", "", "f([[[1]]]);\n")], &[("data.json", "", NESTED)]],
};

/// So many lists in each other that no rule reads them.
const NESTED: &str = match str::from_utf8(&[b'['; 1_200]) {
    Ok(text) => text,
    Err(_) => "",
};

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let cut = sources.files.iter().filter(|file| file.before.is_cut || file.after.is_cut);
    let reason = "too large or nested too deep to be read whole: look at it yourself";
    cut.map(|file| file.finding(&RULE, 0, reason.to_owned())).collect()
}
