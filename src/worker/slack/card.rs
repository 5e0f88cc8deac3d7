//! The card of a thread: one message, edited in place; a new message only where people are waited
//! for, or where it ends.
//!
//! Invariants: what is posted is looked for first, so that posting twice posts once; buttons of
//! another state are made anew, so that those of the former are stale.

use uuid::Uuid;

use super::{Desk, remembered};
use crate::core::id::{Number, RepoId};
use crate::core::job::Job;
use crate::core::report::{self, ReportContext};
use crate::core::slack::{SlackAction, SlackButton, SlackPlace, SlackThread};
use crate::slack::{DrawnCard, SlackError, draw};
use crate::store::Commit;
use crate::worker::WorkError;
use crate::worker::commit::TaskOutcome;

/// Brings the card up to date.
pub(super) async fn show(desk: &Desk<'_>, place: &SlackPlace) -> Result<TaskOutcome, WorkError> {
    let Some(thread) = desk.thread(place).await? else { return Ok(TaskOutcome::Done) };
    let job = job_of(desk, &thread).await?;
    let setting: ReportContext = match &job {
        Some(job) => desk.ctx.report_context(job),
        None => desk.ctx.release_report_context(),
    };
    let card = report::slack_card(&thread, job.as_ref(), &setting);
    let before = thread.clone();
    let mut thread = thread;
    // A button that was used up is not put back before the state is another.
    if card.state != thread.state {
        thread.state.clone_from(&card.state);
        thread = with_buttons(thread, card.actions.clone());
    }
    let choices: Vec<String> = thread.choices.iter().map(|repo| repo.name.to_string()).collect();
    let drawn = draw(&card, &thread.buttons, &choices);
    match &thread.card {
        Some(ts) => match desk.slack.update(&place.channel, ts, &drawn).await {
            // Somebody deleted it: another takes its place.
            Err(SlackError::Refused { why, .. }) if why == "message_not_found" => {
                thread.card = Some(desk.slack.post_once(place, "card-again", &drawn).await?);
            }
            updated => updated?,
        },
        None => thread.card = Some(desk.slack.post_once(place, "card", &drawn).await?),
    }
    if card.notifies && thread.told.as_ref() != Some(&card.state) {
        let words = DrawnCard::words(&card.headline, None);
        desk.slack.post_once(place, &format!("told {}", card.state), &words).await?;
        thread.told = Some(card.state);
    }
    if thread == before {
        return Ok(TaskOutcome::Done);
    }
    // It is up to date: no further look follows from this one.
    let kept = Commit { tasks: Vec::new(), ..remembered(place, thread) };
    Ok(TaskOutcome::ready(Some(kept)))
}

/// The last job on a thread's issue.
pub(super) async fn job_of(
    desk: &Desk<'_>,
    thread: &SlackThread,
) -> Result<Option<Job>, WorkError> {
    let subject: Option<(RepoId, Number)> =
        thread.repo.as_ref().map(|repo| repo.repo_id).zip(thread.issue);
    let Some((repo, issue)) = subject else { return Ok(None) };
    let jobs = desk.ctx.store.jobs_on(repo, issue).await?;
    Ok(jobs.into_iter().next_back().map(|stored| stored.machine))
}

/// With new buttons that do this.
pub(super) fn with_buttons(thread: SlackThread, actions: Vec<SlackAction>) -> SlackThread {
    let new = |does| SlackButton { nonce: Uuid::new_v4().simple().to_string(), does };
    SlackThread { buttons: actions.into_iter().map(new).collect(), ..thread }
}
