//! Why things are as they are: the rules and facts behind the last decision.

use std::fmt::Write as _;

use toml::Table;

use super::judgement::opinion_section;
use super::{ReportContext, headline, outcome_words, s, strip_marks, waits_for, why_it_ended};
use crate::core::evidence::Evidence;
use crate::core::job::{Job, JobStage};
use crate::core::policy::{RULES_PATH, Rules};
use crate::core::text::{inline, listed};

/// The rules that most decisions follow from.
const TOLD: [(&str, &str); 13] = [
    ("trigger", "role"),
    ("approval", "role"),
    ("approval", "requester"),
    ("merge", "on"),
    ("merge", "method"),
    ("update", "on"),
    ("publish", "mode"),
    ("proof", "mode"),
    ("judge", "mode"),
    ("agent", "attempts"),
    ("limits", "rounds"),
    ("limits", "ci_repairs"),
    ("budget", "run"),
];
/// So many lines of the log are shown.
const MOST_LINES: usize = 15;

/// The answer to `explain`. `log`: when something was learnt, and what.
pub fn rules_and_facts(job: &Job, log: &[(String, String)], setting: &ReportContext) -> String {
    let mut text = format!("**{}**\n\n", strip_marks(&headline(job)));
    if let JobStage::Done(ending) = &job.stage {
        let _ = writeln!(text, "{}\n", why_it_ended(job, ending, setting));
    }
    if let Some(waits_for) = waits_for(job, &setting.prefix) {
        let _ = writeln!(text, "{waits_for}\n");
    }
    text.push_str("#### Facts\n");
    let order = &job.order;
    let _ = writeln!(text, "- asked for by {} (#{})", order.login, job.subject);
    if let Some(base) = job.base() {
        let _ = writeln!(text, "- built on `{}` at `{}`", base.branch, base.sha.short());
    }
    if let Some(outcome) = job.evidence().map(Evidence::outcome) {
        let _ = writeln!(text, "- the last change: {}", outcome_words(outcome));
    }
    if let Some(pull) = &job.pull {
        let review = &job.review;
        let (asked, repairs) = (job.rounds_asked(job.stage.round().unwrap_or(1)), review.repairs);
        let mut after = Vec::new();
        if asked > 0 {
            after.push(format!("{asked} round{} that people asked for", s(asked)));
        }
        if repairs > 0 {
            after.push(format!("{repairs} repair{} of red checks", s(repairs)));
        }
        let after = match after.is_empty() {
            true => String::new(),
            false => format!(", after {}", listed(after)),
        };
        let _ = writeln!(text, "- the pull request stands at `{}`{after}", pull.head.short());
    }
    if setting.show.cost {
        let _ = writeln!(text, "- {} of {} spent", job.spent, job.budget());
    }
    text.push('\n');
    text.push_str(&opinion_section(job));
    text.push_str(&rules_told(job));
    text.push_str("#### What happened\n");
    for (at, what) in &log[log.len().saturating_sub(MOST_LINES)..] {
        let _ = writeln!(text, "- {at}: {}", inline(what, 200));
    }
    text
}

/// The rules in force, and which of them somebody set.
fn rules_told(job: &Job) -> String {
    let Some(rules) = job.rules() else { return String::new() };
    let values = |rules: &Rules| Table::try_from(rules).unwrap_or_default();
    let (now, usual) = (values(rules), values(&Rules::default()));
    // As it would be written in the file.
    let value = |all: &Table, table: &str, key: &str| {
        all.get(table).and_then(|it| it.get(key)).map(ToString::to_string)
    };
    let (mut set, mut defaults) = (Vec::new(), Vec::new());
    for (table, key) in TOLD {
        let (now, usual) = (value(&now, table, key), value(&usual, table, key));
        let shown =
            now.as_deref().map_or("not set".to_owned(), |it| inline(it.trim_matches('"'), 60));
        let told = format!("`{table}.{key}` {shown}");
        if now == usual { defaults.push(told) } else { set.push(told) }
    }
    let mut text = String::from("#### Rules\n");
    if !set.is_empty() {
        let _ = writeln!(text, "- set in `{RULES_PATH}`: {}", set.join(" · "));
    }
    let _ = writeln!(text, "- by default: {}\n", defaults.join(" · "));
    text
}
