//! Words about rules against cheats that people override.
//!
//! Invariants: a reason is its writer's own words, and inert; what is let through is said in the
//! pull request for as long as it stands.

use super::s;
use crate::core::job::{Job, RuleOverride};
use crate::core::policy::{Denied, RULES_PATH};
use crate::core::text::{inline, listed};

/// So many characters of a reason are shown.
const REASON_CAP: usize = 300;

/// The answer where no rule has this name.
pub fn override_what(said: &str, prefix: &str) -> String {
    let what = match said {
        "" => "That names no rule.".to_owned(),
        said => format!("There is no rule {}.", inline(said, 60)),
    };
    format!(
        "{what} The refusal above names it: `{prefix} override RULE` and why it is right here. \
         Nothing was changed."
    )
}

/// The answer where nobody says why.
pub fn override_why(rule: &str, prefix: &str) -> String {
    format!(
        "It takes a reason, which stands in the pull request: `{prefix} override {rule}` and why it \
         is right here. Nothing was changed."
    )
}

/// The answer to someone whose role is too small.
pub fn override_denied(denied: &Denied) -> String {
    match denied {
        Denied::NotAPerson => "`override` is for people.".to_owned(),
        Denied::NeedsRole { needed, has } => format!(
            "`override` needs {needed} access to this repository, as an approval does, and you have \
             {has} access. The rule stands in `{RULES_PATH}` under `[approval]`."
        ),
    }
}

/// The answer where the last job here was not stopped by this rule.
pub fn not_blocked_by(rule: &str, prefix: &str) -> String {
    format!(
        "Nothing here was stopped by `{rule}`, so there is nothing to let through. `{prefix} status` \
         shows more."
    )
}

/// The answer where the job is still open.
pub fn overridden(job: &Job, rule: &str, prefix: &str) -> String {
    let next = match job.stage.is_in_review() {
        true => format!(" `{prefix} retry` makes the round again that it stopped."),
        false => String::new(),
    };
    format!("From the next check on, what `{rule}` finds stops nothing here.{next}")
}

/// How what a rule stopped is let through; empty where none did.
pub(super) fn how_to_override(job: &Job, prefix: &str) -> String {
    let blocked = job.evidence().map_or(&[][..], |evidence| &evidence.blocked_by);
    let commands = blocked.iter().map(|rule| format!("`{prefix} override {rule}`"));
    let s = match u32::try_from(blocked.len()).unwrap_or(u32::MAX) {
        0 => return String::new(),
        n => s(n),
    };
    let next = match job.pull {
        None => "the change is checked again without asking the model",
        Some(_) => "`retry` then makes the round again",
    };
    format!(
        "\n\nIf what the rule{s} found is right here, comment {} and why: {next}, and the reason \
         stands in the pull request.",
        listed(commands)
    )
}

/// What was let through, for the pull request; empty where nothing was.
pub(super) fn overrides(job: &Job) -> String {
    let line = |RuleOverride { rule, reason, by }: &RuleOverride| {
        format!("> - `{rule}` was overridden by {by}: {}\n", inline(reason, REASON_CAP))
    };
    job.order.overrides.iter().map(line).collect()
}
