//! What happens on Slack, and what is remembered of it.
//!
//! Invariants: what people wrote there is text and nothing else; a person is one of the pinned
//! workspace, else nobody; a button is a nonce, good once and for one state of the job.

use serde::{Deserialize, Serialize};

use super::github::{Actor, RepoRef};
use super::id::{JobId, Login, Number, RepoId, Timestamp, UserId};

mod wire;
mod words;

pub use wire::{SlackBody, SlackPins, SlackRead, SlackRefusal, read};
pub use words::{SlackRequest, escaped, named_repository, request};

/// A thread: its channel, and the time of its first message, which is Slack's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SlackPlace {
    pub channel: String,
    pub thread: String,
}

/// Something that a person of the workspace did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SlackAct {
    /// They wrote something.
    Said {
        place: SlackPlace,
        by: String,
        /// The message's own time.
        at: String,
        text: String,
        /// Whether it is addressed to Gander.
        to_us: bool,
    },
    /// They reacted to a message.
    Reacted { channel: String, message: String, by: String, name: String, at: String },
    /// They pressed a button of a card, or chose from its menu.
    Pressed {
        place: SlackPlace,
        by: String,
        nonce: String,
        /// Opens a window within three seconds.
        trigger: String,
    },
    /// They wrote in the window that a button opened.
    Submitted { place: SlackPlace, by: String, nonce: String, words: String },
    /// They gave the slash command.
    Commanded { channel: String, by: String, text: String, trigger: String },
    /// They came back from GitHub, which says who they are there.
    Identified { by: String, user_id: UserId, login: Login, code: String },
}

/// What is to be done about Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SlackTask {
    /// Answer what somebody did.
    Act(SlackAct),
    /// Bring the card of a thread up to date with its job.
    Card { place: SlackPlace },
    /// Tell one person something that nobody else needs to see.
    Tell { place: SlackPlace, to: String, text: String },
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlackRecord {
    /// Who a person is on GitHub.
    Link(SlackLink),
    /// That a person went to GitHub to show who they are.
    Visit(SlackVisit),
    /// That they came back, and from whom: good for whoever went and says the code.
    Proof(SlackProof),
    /// The repository that a channel talks about.
    Channel(RepoRef),
    /// What a thread is about.
    Thread(Box<SlackThread>),
}

/// A person's account on GitHub. It says who they are, and no more: no token is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SlackLink {
    pub user_id: UserId,
    pub login: Login,
}

/// A visit to GitHub that shows who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackVisit {
    /// Who went there.
    pub by: String,
    /// What only the server knows (PKCE).
    pub verifier: String,
}

/// A visit that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackProof {
    /// Who went there.
    pub by: String,
    /// Whom GitHub met.
    pub link: SlackLink,
}

/// What a thread is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackThread {
    /// The message that asked.
    pub asked: String,
    /// Who asked.
    pub by: String,
    /// What they asked for.
    pub words: String,
    /// Among these the repository is still to be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<RepoRef>,
    /// Where the work is, once that is known.
    pub repo: Option<RepoRef>,
    /// The issue that was opened for it.
    pub issue: Option<Number>,
    /// The card's own time.
    pub card: Option<String>,
    /// What the card shows and its buttons act upon.
    pub state: String,
    /// The last state of which people were notified.
    pub told: Option<String>,
    /// The buttons that are good now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<SlackButton>,
}

/// A button on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SlackButton {
    /// All that Slack knows of it.
    pub nonce: String,
    pub does: SlackAction,
}

/// What a press does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlackAction {
    /// Start the work, or let out what is held.
    Go,
    /// Ask for a change of the pull request.
    Revise,
    /// Stop.
    Cancel,
    /// Release what was merged.
    Release,
    /// Work in this one of the repositories to choose from.
    Choose(usize),
}

/// Something to be remembered, or forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackEntry {
    /// What it is found by.
    pub key: String,
    /// The issue that it is about, if any.
    pub subject: Option<(RepoId, Number)>,
    /// `None`: it is forgotten.
    pub record: Option<SlackRecord>,
    /// How long it is kept, if not for ever.
    pub until: Option<Timestamp>,
}

impl SlackPlace {
    /// The key of what is remembered of it.
    pub fn key(&self) -> String {
        format!("thread/{}/{}", self.channel, self.thread)
    }

    /// The place that has this key.
    pub fn of_key(key: &str) -> Option<Self> {
        let (channel, thread) = key.strip_prefix("thread/")?.split_once('/')?;
        Some(Self { channel: channel.to_owned(), thread: thread.to_owned() })
    }
}

impl SlackTask {
    /// What concerns one thread is done in order.
    pub fn lane(&self) -> String {
        let (channel, thread) = match self {
            Self::Card { place } | Self::Tell { place, .. } => (&place.channel, &place.thread),
            Self::Act(act) => match act {
                SlackAct::Said { place, .. }
                | SlackAct::Pressed { place, .. }
                | SlackAct::Submitted { place, .. } => (&place.channel, &place.thread),
                SlackAct::Reacted { channel, message, .. } => (channel, message),
                SlackAct::Commanded { channel, by, .. } => (channel, by),
                SlackAct::Identified { by, code, .. } => (by, code),
            },
        };
        format!("slack:{channel}/{thread}")
    }
}

impl SlackLink {
    /// The person, as permissions are asked for.
    pub fn actor(&self) -> Actor {
        Actor { id: self.user_id, login: self.login.clone(), person: true }
    }
}

impl SlackEntry {
    /// Whether it would not be known without this repository.
    pub fn is_about(&self, repo: RepoId) -> bool {
        let of = match &self.record {
            Some(SlackRecord::Channel(of)) => Some(of.repo_id),
            Some(SlackRecord::Thread(thread)) => thread.repo.as_ref().map(|of| of.repo_id),
            Some(SlackRecord::Link(_) | SlackRecord::Visit(_) | SlackRecord::Proof(_)) | None => {
                None
            }
        };
        of == Some(repo) || self.subject.is_some_and(|(of, _)| of == repo)
    }

    /// A record that is kept.
    pub fn kept(key: String, record: SlackRecord) -> Self {
        let subject = match &record {
            SlackRecord::Thread(thread) => {
                thread.repo.as_ref().map(|repo| repo.repo_id).zip(thread.issue)
            }
            SlackRecord::Link(_)
            | SlackRecord::Visit(_)
            | SlackRecord::Proof(_)
            | SlackRecord::Channel(_) => None,
        };
        Self { key, subject, record: Some(record), until: None }
    }

    /// A record that is forgotten.
    pub fn gone(key: String) -> Self {
        Self { key, subject: None, record: None, until: None }
    }

    /// Whether it still counts then.
    pub fn is_kept_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until >= now)
    }
}

impl SlackThread {
    /// The button with this nonce.
    pub fn button(&self, nonce: &str) -> Option<SlackAction> {
        self.buttons.iter().find(|it| it.nonce == nonce).map(|it| it.does)
    }

    /// The marker of the issue that is opened for it.
    pub fn marker_key(place: &SlackPlace) -> String {
        JobId::of_trigger(&format!("slack/{}/{}", place.channel, place.thread)).to_string()
    }
}

/// The key of a person's link.
pub fn link_key(user: &str) -> String {
    format!("link/{user}")
}

/// The key of a channel's repository.
pub fn channel_key(channel: &str) -> String {
    format!("channel/{channel}")
}

/// The key of a visit to GitHub, by the state that went along.
pub fn visit_key(state: &str) -> String {
    format!("visit/{state}")
}

/// The key of a visit that came to its end, by the code that is said on Slack.
pub fn proof_key(code: &str) -> String {
    format!("code/{code}")
}

/// How an issue is named where threads are found by it.
pub fn subject_key(repo: RepoId, number: Number) -> String {
    format!("{repo}/{number}")
}
