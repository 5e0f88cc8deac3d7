//! What a press does.
//!
//! Invariants: a button is good in the thread it was shown in, once, and as long as its job is
//! where it was; whoever may not press uses nothing up.

use super::ask::open;
use super::card::job_of;
use super::order::{MayOrder, SlackOrder, order, standing};
use super::{Desk, remembered, tell, told};
use crate::core::command::Verb;
use crate::core::report::slack_state;
use crate::core::slack::{SlackAction, SlackPlace, SlackThread};
use crate::slack::SlackError;
use crate::worker::WorkError;
use crate::worker::commit::TaskOutcome;

const STALE: &str = "This button is of an earlier state of the work, or was pressed already: the \
                     card shows what there is to press now.";
const LATE: &str = "Slack did not open the window in time. Press again, or mention Gander in this \
                    thread with what should be different.";

pub(super) async fn pressed(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    nonce: &str,
    trigger: &str,
) -> Result<TaskOutcome, WorkError> {
    let Some((thread, does)) = good(desk, place, nonce).await? else {
        return stale(desk, place, by).await;
    };
    let wish = |verb, on_pull| SlackOrder {
        verb,
        words: String::new(),
        key: format!("slack/{nonce}"),
        on_pull,
        nonce: Some(nonce),
    };
    match does {
        SlackAction::Choose(index) => match thread.choices.get(index).cloned() {
            // Whoever asked says where; so does whoever may order work there.
            Some(repo) if thread.by == by => open(desk, place, thread, repo).await,
            Some(repo) => {
                let there = SlackThread { repo: Some(repo.clone()), ..thread.clone() };
                match standing(desk, by, &there).await? {
                    MayOrder::May(_) => open(desk, place, thread, repo).await,
                    MayOrder::MayNot(why) => Ok(tell(place, by, &why)),
                }
            }
            None => stale(desk, place, by).await,
        },
        SlackAction::Go => {
            let verb = job_of(desk, &thread).await?.map_or(Verb::Fix, |_| Verb::Go);
            order(desk, place, thread, by, wish(verb, false)).await
        }
        SlackAction::Cancel => order(desk, place, thread, by, wish(Verb::Cancel, false)).await,
        SlackAction::Release => order(desk, place, thread, by, wish(Verb::Release, false)).await,
        SlackAction::Revise => {
            if let MayOrder::MayNot(why) = standing(desk, by, &thread).await? {
                return Ok(tell(place, by, &why));
            }
            // The button is used up by what is written in the window.
            let metadata = format!("{} {} {nonce}", place.channel, place.thread);
            match desk.slack.ask_in_window(trigger, &metadata).await {
                Err(SlackError::Refused { .. }) => Ok(tell(place, by, LATE)),
                opened => {
                    opened?;
                    Ok(TaskOutcome::Done)
                }
            }
        }
    }
}

/// What was written in the window.
pub(super) async fn submitted(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    nonce: &str,
    words: &str,
) -> Result<TaskOutcome, WorkError> {
    let good = good(desk, place, nonce).await?;
    let Some((thread, SlackAction::Revise)) = good else {
        return stale(desk, place, by).await;
    };
    let wish = SlackOrder {
        verb: Verb::Revise,
        words: words.trim().to_owned(),
        key: format!("slack/{nonce}"),
        on_pull: true,
        nonce: Some(nonce),
    };
    order(desk, place, thread, by, wish).await
}

/// What a button does that is good now.
async fn good(
    desk: &Desk<'_>,
    place: &SlackPlace,
    nonce: &str,
) -> Result<Option<(SlackThread, SlackAction)>, WorkError> {
    let Some(thread) = desk.thread(place).await? else { return Ok(None) };
    let state = slack_state(&thread, job_of(desk, &thread).await?.as_ref());
    let does = thread.button(nonce).filter(|_| thread.state == state);
    Ok(does.map(|does| (thread, does)))
}

async fn stale(desk: &Desk<'_>, place: &SlackPlace, by: &str) -> Result<TaskOutcome, WorkError> {
    let Some(thread) = desk.thread(place).await? else { return Ok(tell(place, by, STALE)) };
    let mut commit = remembered(place, thread);
    commit.slack.clear();
    commit.tasks.push(told(place, by, STALE));
    Ok(TaskOutcome::ready(Some(commit)))
}
