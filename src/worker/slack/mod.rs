//! Slack: what people do there becomes the same commands as on GitHub, and its answers go back.
//!
//! Invariants: whoever is not linked orders nothing; permission is asked of GitHub at each act, by
//! the number of the linked account; a button is used up only by somebody who may; all that
//! follows from an act is written in one commit, so that a repeated act finds it done.

mod ask;
mod card;
mod link;
mod order;
mod press;

use crate::core::github::Actor;
use crate::core::id::{Number, RepoId};
use crate::core::job::Job;
use crate::core::slack::{
    SlackAct, SlackEntry, SlackPlace, SlackRecord, SlackTask, SlackThread, link_key,
};
use crate::core::task::Task;
use crate::slack::{DrawnCard, Slack, SlackError};
use crate::store::Commit;
use crate::worker::commit::TaskOutcome;
use crate::worker::{Context, WorkError};

/// What acts are answered with.
struct Desk<'a> {
    ctx: &'a Context,
    slack: &'a Slack,
}

/// Who somebody on Slack is.
enum WhoIs {
    /// A person whose account on GitHub is known.
    Linked(Actor),
    /// One of whom nothing is known.
    Unlinked,
    /// Nobody who may ask for anything: deactivated, a program, or of another workspace.
    Nobody(&'static str),
}

const NOT_LINKED: &str = "Gander does not know who you are on GitHub. Say \"link\" to Gander once, \
                          and show it there.";

pub(in crate::worker) async fn perform(
    ctx: &Context,
    task: &SlackTask,
) -> Result<TaskOutcome, WorkError> {
    // It was configured once, and is not any more.
    let Some(slack) = &ctx.slack else { return Ok(TaskOutcome::Done) };
    let desk = Desk { ctx, slack };
    match task {
        SlackTask::Tell { place, to, text } => {
            let told = slack.tell(place, to, &DrawnCard::words(text, None)).await;
            // They are not in that channel any more, or it is gone: nobody is left to be told.
            if let Err(error @ SlackError::Refused { .. }) = &told {
                tracing::warn!(%error, "somebody could not be answered on Slack");
                return Ok(TaskOutcome::Done);
            }
            told?;
            Ok(TaskOutcome::Done)
        }
        SlackTask::Card { place } => card::show(&desk, place).await,
        SlackTask::Act(act) => match act {
            SlackAct::Said { place, by, at, text, to_us } => {
                let said = ask::SaidOnSlack { place, by, at, text, to_us: *to_us };
                ask::said(&desk, &said).await
            }
            SlackAct::Reacted { channel, message, by, name, at } => {
                ask::reacted(&desk, (channel, message), by, name, at).await
            }
            SlackAct::Pressed { place, by, nonce, trigger } => {
                press::pressed(&desk, place, by, nonce, trigger).await
            }
            SlackAct::Submitted { place, by, nonce, words } => {
                press::submitted(&desk, place, by, nonce, words).await
            }
            SlackAct::Commanded { channel, by, text, .. } => {
                let place = SlackPlace { channel: channel.clone(), thread: String::new() };
                ask::commanded(&desk, &place, by, text).await
            }
            SlackAct::Identified { by, user_id, login, code } => {
                Ok(link::identified(&desk, by, (*user_id, login), code))
            }
        },
    }
}

/// The cards of a job, to be brought up to date.
pub(in crate::worker) async fn cards_of(
    ctx: &Context,
    job: &Job,
) -> Result<TaskOutcome, WorkError> {
    if ctx.slack.is_none() {
        return Ok(TaskOutcome::Done);
    }
    let tasks = cards_on(ctx, job.repo.repo_id, job.subject).await?;
    Ok(match tasks.is_empty() {
        true => TaskOutcome::Done,
        false => TaskOutcome::ready(Some(Commit { tasks, ..Commit::default() })),
    })
}

async fn cards_on(ctx: &Context, repo: RepoId, issue: Number) -> Result<Vec<Task>, WorkError> {
    let keys = ctx.store.slack_threads(repo, issue).await?;
    let places = keys.iter().filter_map(|key| SlackPlace::of_key(key));
    Ok(places.map(|place| Task::Slack(Box::new(SlackTask::Card { place }))).collect())
}

impl Desk<'_> {
    /// What a thread is about.
    async fn thread(&self, place: &SlackPlace) -> Result<Option<SlackThread>, WorkError> {
        match self.ctx.store.slack(&place.key(), self.ctx.clock.now()).await? {
            Some(SlackRecord::Thread(thread)) => Ok(Some(*thread)),
            _ => Ok(None),
        }
    }

    /// Who somebody is, by what Slack says of the account now and by the link they made.
    async fn who(&self, user: &str) -> Result<WhoIs, WorkError> {
        let profile = match self.slack.profile(user).await {
            Ok(profile) => profile,
            Err(SlackError::Refused { .. }) => {
                return Ok(WhoIs::Nobody("Slack does not know you."));
            }
            Err(error) => return Err(error.into()),
        };
        if profile.deleted || profile.is_bot {
            return Ok(WhoIs::Nobody("This account is deactivated, or a program's."));
        }
        match self.ctx.store.slack(&link_key(user), self.ctx.clock.now()).await? {
            Some(SlackRecord::Link(link)) => Ok(WhoIs::Linked(link.actor())),
            _ => Ok(WhoIs::Unlinked),
        }
    }
}

/// One person is told something.
fn tell(place: &SlackPlace, to: &str, text: &str) -> TaskOutcome {
    answered(Vec::new(), place, to, text)
}

/// The same, and something is remembered.
fn answered(slack: Vec<SlackEntry>, place: &SlackPlace, to: &str, text: &str) -> TaskOutcome {
    let tasks = vec![told(place, to, text)];
    TaskOutcome::ready(Some(Commit { tasks, slack, ..Commit::default() }))
}

fn told(place: &SlackPlace, to: &str, text: &str) -> Task {
    let (place, to, text) = (place.clone(), to.to_owned(), text.to_owned());
    Task::Slack(Box::new(SlackTask::Tell { place, to, text }))
}

/// What a thread is about now, with its card to be drawn anew.
fn remembered(place: &SlackPlace, thread: SlackThread) -> Commit {
    let record = SlackRecord::Thread(Box::new(thread));
    Commit {
        slack: vec![SlackEntry::kept(place.key(), record)],
        tasks: vec![Task::Slack(Box::new(SlackTask::Card { place: place.clone() }))],
        ..Commit::default()
    }
}
