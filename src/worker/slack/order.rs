//! A command that somebody gives on Slack, as if they had given it on GitHub.
//!
//! Invariants: it goes the way of every command (`route::command`), where GitHub is asked for the
//! permission; what would be answered on GitHub is answered on Slack, to that person.

use super::{Desk, NOT_LINKED, WhoIs, remembered, tell, told};
use crate::core::command::{Command, Verb};
use crate::core::event::{CommandEvent, IssueText, SaidIn};
use crate::core::github::{Actor, Role};
use crate::core::report::plain_words;
use crate::core::slack::{SlackPlace, SlackThread};
use crate::core::task::Task;
use crate::worker::WorkError;
use crate::worker::commit::TaskOutcome;
use crate::worker::route::command;

/// What somebody wants done.
pub(super) struct SlackOrder<'a> {
    pub(super) verb: Verb,
    /// The words behind it.
    pub(super) words: String,
    /// Names this very act.
    pub(super) key: String,
    /// Whether it is about the pull request, where there is one.
    pub(super) on_pull: bool,
    /// The button that is used up by it.
    pub(super) nonce: Option<&'a str>,
}

/// What may keep somebody from ordering anything in a thread.
pub(super) enum MayOrder {
    /// They may.
    May(Actor),
    /// They may not, and why.
    MayNot(String),
}

/// Whether somebody may order work where a thread's is done: GitHub is asked.
pub(super) async fn standing(
    desk: &Desk<'_>,
    by: &str,
    thread: &SlackThread,
) -> Result<MayOrder, WorkError> {
    let actor = match desk.who(by).await? {
        WhoIs::Linked(actor) => actor,
        WhoIs::Unlinked => return Ok(MayOrder::MayNot(NOT_LINKED.to_owned())),
        WhoIs::Nobody(why) => return Ok(MayOrder::MayNot(why.to_owned())),
    };
    let Some(repo) = &thread.repo else {
        return Ok(MayOrder::MayNot("Choose the repository first.".to_owned()));
    };
    let has = desk.ctx.forge.permission(repo, &actor).await?;
    Ok(match has >= Role::Write {
        true => MayOrder::May(actor),
        false => MayOrder::MayNot(format!(
            "That needs write access to {}, and {} has {has} access there.",
            repo.name, actor.login
        )),
    })
}

/// Gives the command, if they may.
pub(super) async fn order(
    desk: &Desk<'_>,
    place: &SlackPlace,
    mut thread: SlackThread,
    by: &str,
    wish: SlackOrder<'_>,
) -> Result<TaskOutcome, WorkError> {
    let actor = match standing(desk, by, &thread).await? {
        MayOrder::May(actor) => actor,
        MayOrder::MayNot(why) => return Ok(tell(place, by, &why)),
    };
    let (Some(repo), Some(issue)) = (thread.repo.clone(), thread.issue) else {
        return Ok(tell(place, by, "Choose the repository first."));
    };
    let jobs = desk.ctx.store.jobs_on(repo.repo_id, issue).await?;
    let pull = jobs.last().and_then(|stored| stored.machine.pull.as_ref().map(|it| it.number));
    let on_pull = pull.filter(|_| wish.on_pull);
    let number = on_pull.unwrap_or(issue);
    let Some(there) = desk.ctx.forge.issue(&repo, number).await? else {
        return Ok(tell(place, by, "GitHub does not show that issue any more."));
    };
    let asked = CommandEvent {
        repo,
        number,
        on_pull: on_pull.is_some(),
        closed: there.state == "closed",
        by: actor,
        said: Ok(Command { request: wish.words, ..Command::new(wish.verb) }),
        line: String::new(),
        issue: IssueText { title: there.title, body: there.body.unwrap_or_default() },
        said_in: SaidIn::Slack,
        key: wish.key,
    };
    let outcome = Box::pin(command(desk.ctx, &asked, 0)).await?;
    if let Some(nonce) = wish.nonce {
        thread.buttons.retain(|button| button.nonce != nonce);
    }
    Ok(answered_here(outcome, place, thread, by))
}

/// What follows from a command, with its answer on Slack instead of GitHub.
fn answered_here(
    outcome: TaskOutcome,
    place: &SlackPlace,
    thread: SlackThread,
    by: &str,
) -> TaskOutcome {
    let kept = remembered(place, thread);
    let TaskOutcome::Ready(mut commit) = outcome else {
        return TaskOutcome::ready(Some(kept));
    };
    for task in &mut commit.tasks {
        if let Task::Reply(reply) = task {
            *task = told(place, by, &plain_words(&reply.text));
        }
    }
    // The act itself is known by its delivery.
    commit.once = None;
    commit.tasks.extend(kept.tasks);
    commit.slack = kept.slack;
    TaskOutcome::Ready(commit)
}
