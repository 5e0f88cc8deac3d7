//! `override RULE reason`: what a rule against cheats found is let through, on the record.
//!
//! Invariants: it takes the role that approves, and a reason; nothing but the named rule is let
//! through, and the change is checked again before it goes anywhere.

use super::{again, cannot, jobs_on, reply};
use crate::core::command::Verb;
use crate::core::event::CommandEvent;
use crate::core::github::Role;
use crate::core::job::{Job, JobFact, JobOrder, RuleOverride};
use crate::core::machine::Machine;
use crate::core::policy::{Denied, Rules};
use crate::core::report::{self, CannotStart};
use crate::verify::cheat::RULES;
use crate::worker::commit::{TaskOutcome, advanced};
use crate::worker::{Context, WorkError};

/// So many characters of a reason are kept.
const LONGEST_REASON: usize = 500;

/// `has`: what GitHub says now of whoever asks.
pub(in crate::worker) async fn override_rule(
    ctx: &Context,
    asked: &CommandEvent,
    words: &str,
    has: Role,
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let (rule, reason) = words.trim().split_once(char::is_whitespace).unwrap_or((words.trim(), ""));
    let rule = rule.trim_matches('`');
    let Some(rule) = RULES.iter().map(|it| it.name).find(|name| *name == rule) else {
        return Ok(reply(asked, report::override_what(rule, prefix)));
    };
    if reason.trim().is_empty() {
        return Ok(reply(asked, report::override_why(rule, prefix)));
    }
    let jobs = jobs_on(ctx, asked).await?;
    let open = jobs.iter().find(|stored| !stored.machine.is_done());
    let Some(stored) = open.or(jobs.last()) else {
        return Ok(reply(asked, report::nothing_to(Verb::Override, prefix)));
    };
    let job = &stored.machine;
    let needed = Role::from(job.rules().unwrap_or(&Rules::default()).approval.role);
    if has < needed {
        let denied = Denied::NeedsRole { needed, has };
        return Ok(reply(asked, report::override_denied(&denied)));
    }
    let reason = reason.trim().chars().take(LONGEST_REASON).collect();
    let new = RuleOverride { rule: rule.to_owned(), reason, by: asked.by.login.clone() };
    if !job.is_done() {
        return Ok(match advanced(stored, &JobFact::Overridden(new)) {
            Some(mut commit) => {
                let told = reply(asked, report::overridden(job, rule, prefix));
                commit.log = Some(format!("{rule} was overridden by {}", asked.by.login));
                TaskOutcome::Ready(Box::new(commit)).and(told)
            }
            None => TaskOutcome::Done,
        });
    }
    if asked.closed && !asked.on_pull {
        return Ok(cannot(ctx, asked, Verb::Override, CannotStart::Closed));
    }
    if !is_blocked_by(job, rule) {
        return Ok(reply(asked, report::not_blocked_by(rule, prefix)));
    }
    // It stays the job of whoever asked for it: an approver's word makes it none of theirs.
    let mut order: JobOrder = job.order.clone();
    order.overrides.push(new);
    Ok(again(ctx, asked, job, order))
}

/// Whether the last change of a job was stopped by this rule.
fn is_blocked_by(job: &Job, rule: &str) -> bool {
    job.evidence().is_some_and(|evidence| evidence.blocked_by.iter().any(|it| it == rule))
}
