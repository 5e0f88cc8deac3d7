//! What people say to the agent while it works: by `note`, or in a comment.
//!
//! Invariants: only words of those who may command are taken, as GitHub shows them at that moment;
//! a comment that is no command never starts anything by itself.

use crate::core::command::Verb;
use crate::core::event::{CommandEvent, Remark};
use crate::core::github::Role;
use crate::core::job::{Job, JobFact, JobStage, JobStep, MOST_NOTES, ReviseRequest};
use crate::core::machine::Machine;
use crate::core::policy::{Decision, authorize};
use crate::core::report;
use crate::core::task::Task;
use crate::store::Stored;
use crate::worker::commit::{TaskOutcome, advanced};
use crate::worker::route::readback::is_shown;
use crate::worker::route::review::{noted, request_of};
use crate::worker::route::{MOST_LOOKS, jobs_on, needed, refuse, reply};
use crate::worker::{Context, WorkError};

/// So many characters of one are taken.
const LONGEST_NOTE: usize = 4_000;

/// `note words`: for the agent before its next turn, or for the next round.
pub(super) async fn note(
    ctx: &Context,
    asked: &CommandEvent,
    words: &str,
    place: Option<&str>,
    has: Role,
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let jobs = jobs_on(ctx, asked).await?;
    let open = |it: &&Stored<Job>| it.machine.takes_notes() || it.machine.pull.is_some();
    let mut open = jobs.iter().filter(|it| !it.machine.is_done()).filter(open);
    let Some(stored) = open.next() else {
        return Ok(reply(asked, report::nothing_at_work(prefix)));
    };
    if words.trim().is_empty() {
        return Ok(reply(asked, report::empty_note(prefix)));
    }
    if let Decision::Denied(why) = authorize(&asked.by, has, needed(ctx, &stored.machine).await?) {
        return Ok(refuse(ctx, asked, Verb::Note, &why));
    }
    if stored.machine.notes.len() >= MOST_NOTES {
        return Ok(reply(asked, report::too_many_notes(prefix)));
    }
    let words: String = words.trim().chars().take(LONGEST_NOTE).collect();
    let note =
        request_of(asked, &place.map_or_else(|| words.clone(), |it| format!("At {it}: {words}")));
    Ok(noted(asked, stored, &JobFact::Noted(note)))
}

/// A comment of somebody who may command, while a job is at work.
pub(super) async fn remark(
    ctx: &Context,
    said: &Remark,
    looks: u32,
) -> Result<TaskOutcome, WorkError> {
    let jobs = ctx.store.jobs_on(said.repo.repo_id, said.number).await?;
    let Some(stored) = jobs.iter().find(|it| hears(&it.machine)) else {
        return Ok(TaskOutcome::Done);
    };
    let has = ctx.forge.permission(&said.repo, &said.by).await?;
    let may = authorize(&said.by, has, needed(ctx, &stored.machine).await?);
    if may != Decision::Allowed {
        return Ok(TaskOutcome::Done);
    }
    match is_shown(ctx, said).await? {
        Some(true) => {}
        // GitHub's answers may lag behind its webhooks.
        None if looks < MOST_LOOKS => {
            return Err(WorkError::later("GitHub does not show this comment yet".to_owned()));
        }
        Some(false) | None => return Ok(TaskOutcome::Done),
    }
    let note = ReviseRequest {
        by_id: said.by.id,
        login: said.by.login.clone(),
        words: said.words.chars().take(LONGEST_NOTE).collect(),
        comment_id: Some(said.comment_id),
    };
    let Some(mut commit) = advanced(stored, &JobFact::Noted(note)) else {
        return Ok(TaskOutcome::Done);
    };
    commit.once = Some(format!("{}/comment/{}", said.repo.repo_id, said.comment_id));
    let step = JobStep::React { comment: said.comment_id };
    commit.tasks.push(Task::Step { job_id: stored.machine.id.clone(), step });
    Ok(TaskOutcome::Ready(Box::new(commit)))
}

/// While people decide, what they say is for each other.
fn hears(job: &Job) -> bool {
    job.takes_notes() && !matches!(job.stage, JobStage::Holding { .. } | JobStage::PlanReady { .. })
}
