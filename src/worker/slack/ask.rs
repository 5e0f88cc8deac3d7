//! Asking: from what is said on Slack to an issue, and to the work on it.
//!
//! Invariants: an issue is opened once for each thread; what people wrote stands in it in a box;
//! only the words of somebody with write access reach the agent as a request.

use super::card::with_buttons;
use super::order::{MayOrder, SlackOrder, order, standing};
use super::{Desk, WhoIs, link, remembered, tell};
use crate::core::command::Verb;
use crate::core::github::RepoRef;
use crate::core::report;
use crate::core::slack::{
    SlackEntry, SlackPlace, SlackRecord, SlackRequest, SlackThread, channel_key, named_repository,
    request,
};
use crate::publish::talk;
use crate::worker::WorkError;
use crate::worker::commit::TaskOutcome;

/// Slack's menus have no more.
const MOST_CHOICES: usize = 100;
/// So much of a thread is told.
const MOST_SAID: usize = 20;

/// A message.
pub(super) struct SaidOnSlack<'a> {
    pub(super) place: &'a SlackPlace,
    pub(super) by: &'a str,
    pub(super) at: &'a str,
    pub(super) text: &'a str,
    pub(super) to_us: bool,
}

const HELP: &str = "Say what is wrong, or what is missing, and mention Gander: it opens an issue, \
                    and somebody with write access says go. \"in owner/name\" names the \
                    repository; \"here owner/name\" says once which one this channel talks about. \
                    \"link\" tells Gander who you are on GitHub, \"unlink\" makes it forget that. \
                    Further messages in the thread are for the agent, \"cancel\" or the reaction \
                    ❌ stops it.";

pub(super) async fn said(
    desk: &Desk<'_>,
    said: &SaidOnSlack<'_>,
) -> Result<TaskOutcome, WorkError> {
    let (place, by) = (said.place, said.by);
    let thread = desk.thread(place).await?;
    let wanted = request(said.text);
    if !said.to_us {
        // Beside the threads of jobs nothing is for Gander.
        return match (thread, wanted) {
            (Some(thread), SlackRequest::Work(words)) if thread.issue.is_some() => {
                overheard(desk, said, thread, words).await
            }
            _ => Ok(TaskOutcome::Done),
        };
    }
    match (wanted, thread) {
        (SlackRequest::Work(words), Some(thread)) if thread.issue.is_some() => {
            order(desk, place, thread, by, note(said, words)).await
        }
        (SlackRequest::Work(_), Some(_)) => {
            Ok(tell(place, by, "Choose the repository in the card first."))
        }
        (SlackRequest::Work(words), None) => ask(desk, said, words).await,
        (SlackRequest::Cancel, Some(thread)) => {
            let wish = cancel(format!("slack/{}/{}", place.channel, said.at));
            order(desk, place, thread, by, wish).await
        }
        (SlackRequest::Cancel, None) => Ok(tell(place, by, "Nothing is under way in this thread.")),
        (other, _) => words_alone(desk, place, by, other).await,
    }
}

/// The slash command, which stands in no thread.
pub(super) async fn commanded(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    text: &str,
) -> Result<TaskOutcome, WorkError> {
    match request(text) {
        SlackRequest::Work(_) | SlackRequest::Cancel => {
            Ok(tell(place, by, "Work is asked for in a thread: mention Gander there."))
        }
        other @ (SlackRequest::Link(_)
        | SlackRequest::Unlink
        | SlackRequest::Here(_)
        | SlackRequest::Help) => words_alone(desk, place, by, other).await,
    }
}

/// ❌ stops the work of a thread.
pub(super) async fn reacted(
    desk: &Desk<'_>,
    (channel, message): (&str, &str),
    by: &str,
    name: &str,
    at: &str,
) -> Result<TaskOutcome, WorkError> {
    if name != "x" {
        return Ok(TaskOutcome::Done);
    }
    let mut place = SlackPlace { channel: channel.to_owned(), thread: message.to_owned() };
    let mut thread = desk.thread(&place).await?;
    if thread.is_none() {
        // It stands on a message within a thread, such as the card.
        let there = desk.slack.replies(channel, message).await?;
        let Some(root) = there.into_iter().find_map(|it| it.thread_ts) else {
            return Ok(TaskOutcome::Done);
        };
        place.thread = root;
        thread = desk.thread(&place).await?;
    }
    let Some(thread) = thread.filter(|thread| thread.issue.is_some()) else {
        return Ok(TaskOutcome::Done);
    };
    order(desk, &place, thread, by, cancel(format!("slack/{channel}/{at}"))).await
}

async fn words_alone(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    wanted: SlackRequest,
) -> Result<TaskOutcome, WorkError> {
    match wanted {
        SlackRequest::Link(code) => link::link(desk, place, by, code.as_deref()).await,
        SlackRequest::Unlink => Ok(link::unlink(place, by)),
        SlackRequest::Here(Some(name)) => {
            let all = desk.ctx.forge.installed_repositories().await?;
            match all.into_iter().find(|repo| is_named(repo, &name.to_string())) {
                Some(repo) => here(desk, place, by, repo).await,
                None => Ok(tell(place, by, &format!("Gander is not installed on {name}."))),
            }
        }
        SlackRequest::Here(None) => Ok(tell(place, by, "Say which one: \"here owner/name\".")),
        SlackRequest::Help | SlackRequest::Cancel | SlackRequest::Work(_) => {
            Ok(tell(place, by, HELP))
        }
    }
}

/// From now on the channel talks about this repository.
async fn here(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    repo: RepoRef,
) -> Result<TaskOutcome, WorkError> {
    let about = SlackThread { repo: Some(repo.clone()), ..thread_of(by, "", "") };
    if let MayOrder::MayNot(why) = standing(desk, by, &about).await? {
        return Ok(tell(place, by, &why));
    }
    let said = format!("This channel talks about {} from now on.", repo.name);
    let kept = SlackEntry::kept(channel_key(&place.channel), SlackRecord::Channel(repo));
    Ok(super::answered(vec![kept], place, by, &said))
}

/// What somebody says in a thread without addressing Gander. Those who may not are not told so:
/// they talk to each other.
async fn overheard(
    desk: &Desk<'_>,
    said: &SaidOnSlack<'_>,
    thread: SlackThread,
    words: String,
) -> Result<TaskOutcome, WorkError> {
    let (Some(repo), Some(issue)) = (&thread.repo, thread.issue) else {
        return Ok(TaskOutcome::Done);
    };
    let jobs = desk.ctx.store.jobs_on(repo.repo_id, issue).await?;
    if !jobs.iter().any(|stored| stored.machine.takes_notes()) {
        return Ok(TaskOutcome::Done);
    }
    match standing(desk, said.by, &thread).await? {
        MayOrder::May(_) => order(desk, said.place, thread, said.by, note(said, words)).await,
        MayOrder::MayNot(_) => Ok(TaskOutcome::Done),
    }
}

fn note<'a>(said: &SaidOnSlack<'_>, words: String) -> SlackOrder<'a> {
    let key = format!("slack/{}/{}", said.place.channel, said.at);
    SlackOrder { verb: Verb::Note, words, key, on_pull: false, nonce: None }
}

fn cancel<'a>(key: String) -> SlackOrder<'a> {
    SlackOrder { verb: Verb::Cancel, words: String::new(), key, on_pull: false, nonce: None }
}

/// A new thread.
async fn ask(
    desk: &Desk<'_>,
    said: &SaidOnSlack<'_>,
    words: String,
) -> Result<TaskOutcome, WorkError> {
    let (place, by) = (said.place, said.by);
    if let WhoIs::Nobody(why) = desk.who(by).await? {
        return Ok(tell(place, by, why));
    }
    let all = desk.ctx.forge.installed_repositories().await?;
    let channel = channel_key(&place.channel);
    let of_channel = match desk.ctx.store.slack(&channel, desk.ctx.clock.now()).await? {
        Some(SlackRecord::Channel(repo)) => Some(repo),
        _ => None,
    };
    let named = named_repository(&words)
        .find_map(|name| all.iter().find(|repo| is_named(repo, &name.to_string())));
    let usual =
        || all.iter().find(|it| of_channel.as_ref().is_some_and(|repo| repo.repo_id == it.repo_id));
    let only = || all.first().filter(|_| all.len() == 1);
    let thread = thread_of(by, said.at, &words);
    match named.or_else(usual).or_else(only) {
        Some(repo) => open(desk, place, thread, repo.clone()).await,
        None if all.is_empty() => {
            Ok(tell(place, by, "Gander is not installed on any repository yet."))
        }
        None => {
            let choices = all.into_iter().take(MOST_CHOICES).collect();
            let thread = SlackThread { choices, ..thread };
            Ok(TaskOutcome::ready(Some(remembered(place, thread))))
        }
    }
}

/// Opens the issue; where whoever asked may say go themselves, they have.
pub(super) async fn open(
    desk: &Desk<'_>,
    place: &SlackPlace,
    mut thread: SlackThread,
    repo: RepoRef,
) -> Result<TaskOutcome, WorkError> {
    thread.choices.clear();
    thread.buttons.clear();
    thread.repo = Some(repo.clone());
    let by = thread.by.clone();
    let may = standing(desk, &by, &thread).await?;
    let profile = desk.slack.profile(&by).await?;
    let name = name_of(&profile.real_name);
    let who = match &may {
        MayOrder::May(actor) => format!("{} ({name} there)", actor.login),
        MayOrder::MayNot(_) => format!("{name}, whose account on GitHub is not known or may not"),
    };
    let earlier = earlier(desk, place, &thread.asked).await?;
    let (title, text) = report::slack_issue(&thread.words, &who, &earlier);
    let marker = report::marker(&SlackThread::marker_key(place), "slack");
    let text = report::signed(&text, &marker);
    let number = talk::open_issue_once(&desk.ctx.forge, &repo, &title, &text, &marker).await?;
    thread.issue = Some(number);
    match may {
        MayOrder::May(_) => {
            let wish = SlackOrder {
                verb: Verb::Fix,
                words: thread.words.clone(),
                key: format!("slack/{}/{}/go", place.channel, place.thread),
                on_pull: false,
                nonce: None,
            };
            order(desk, place, thread, &by, wish).await
        }
        MayOrder::MayNot(_) => {
            let thread = with_buttons(thread, Vec::new());
            Ok(TaskOutcome::ready(Some(remembered(place, thread))))
        }
    }
}

/// What was said in the thread before, and by whom.
async fn earlier(
    desk: &Desk<'_>,
    place: &SlackPlace,
    asked: &str,
) -> Result<Vec<(String, String)>, WorkError> {
    let mut said = Vec::new();
    for message in desk.slack.replies(&place.channel, &place.thread).await? {
        let Some(user) = message.user.filter(|_| message.bot_id.is_none() && message.ts != asked)
        else {
            continue;
        };
        if said.len() >= MOST_SAID {
            break;
        }
        if let SlackRequest::Work(words) = request(&message.text) {
            let name = name_of(&desk.slack.profile(&user).await?.real_name);
            said.push((name, words));
        }
    }
    Ok(said)
}

/// A name as it may stand in an issue: it mentions nobody.
fn name_of(real_name: &str) -> String {
    let name: String =
        real_name.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.')).collect();
    let name: String = name.trim().chars().take(60).collect();
    if name.is_empty() { "somebody".to_owned() } else { name }
}

fn is_named(repo: &RepoRef, name: &str) -> bool {
    repo.name.to_string().eq_ignore_ascii_case(name)
}

fn thread_of(by: &str, asked: &str, words: &str) -> SlackThread {
    SlackThread {
        asked: asked.to_owned(),
        by: by.to_owned(),
        words: words.to_owned(),
        choices: Vec::new(),
        repo: None,
        issue: None,
        card: None,
        state: String::new(),
        told: None,
        buttons: Vec::new(),
    }
}
