//! A Slack with one workspace: its Web API with state, signed events and interactivity.
//!
//! Invariants: what Slack refuses (a token, a channel, a block that is too long, a trigger that is
//! older than three seconds) it refuses with Slack's word; a method that it does not have is a loud
//! 501; nothing is sent before the story delivers it; time comes from the clock it was given.

mod api;
mod blocks;
mod deliver;

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use self::deliver::Waiting;
use super::{Clock, Trouble, hooks};

/// Who the App is in the workspace, and what it proves itself with.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct SlackSpec {
    pub app_id: String,
    pub team_id: String,
    pub bot_token: String,
    pub signing_secret: String,
}

/// A message as people see it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct SlackMessage {
    pub channel: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    /// Who wrote it; `None`: the App.
    pub user: Option<String>,
    pub text: String,
    pub blocks: Value,
    pub metadata: Value,
    /// Who alone sees it.
    pub only_for: Option<String>,
    pub edited: bool,
}

/// A running Slack. Stops when it is dropped.
pub struct SlackWorkspace {
    shared: Arc<SlackShared>,
    client: reqwest::Client,
    _stop: DropGuard,
}

struct SlackShared {
    spec: SlackSpec,
    clock: Clock,
    url: Url,
    state: Mutex<SlackState>,
}

#[derive(Default)]
struct SlackState {
    people: BTreeMap<String, SlackAccount>,
    messages: Vec<SlackMessage>,
    waiting: VecDeque<Waiting>,
    /// What was sent, to be sent again.
    sent: Vec<Waiting>,
    receiver: Option<Url>,
    /// The triggers that open a window, and until when.
    triggers: BTreeMap<String, i64>,
    windows: Vec<Value>,
    /// So many of the next calls are turned away.
    limited: u32,
    calls: Vec<String>,
    bodies: Vec<String>,
    count: u64,
}

struct SlackAccount {
    name: String,
    team: String,
    deleted: bool,
}

/// The bot's own account.
const BOT: &str = "U0GANDER";

impl SlackWorkspace {
    /// Listens on loopback.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn start(spec: SlackSpec, clock: Clock) -> Result<Self, Trouble> {
        let disk = |source| Trouble::Disk { doing: "listen", source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(disk)?;
        let address = listener.local_addr().map_err(disk)?;
        let unknown = || Trouble::Unknown { what: "address", name: address.to_string() };
        let url = Url::parse(&format!("http://{address}/api/")).map_err(|_| unknown())?;
        let stop = CancellationToken::new();
        let state = Mutex::default();
        let shared = Arc::new(SlackShared { spec, clock, url, state });
        api::spawn(listener, Arc::clone(&shared), stop.clone());
        Ok(Self { shared, client: hooks::client()?, _stop: stop.drop_guard() })
    }

    /// Where its Web API is.
    pub fn api_url(&self) -> Url {
        self.shared.url.clone()
    }

    /// Where requests go: `…/slack/`.
    pub fn set_receiver(&self, url: Url) {
        self.shared.lock().receiver = Some(url);
    }

    /// A person of the workspace.
    pub fn person(&self, id: &str, name: &str) {
        let team = self.shared.spec.team_id.clone();
        self.shared
            .lock()
            .people
            .insert(id.to_owned(), SlackAccount { name: name.to_owned(), team, deleted: false });
    }

    /// A person of another workspace, met in a shared channel.
    pub fn foreigner(&self, id: &str, name: &str, team: &str) {
        let account = SlackAccount { name: name.to_owned(), team: team.to_owned(), deleted: false };
        self.shared.lock().people.insert(id.to_owned(), account);
    }

    /// Their account is no longer in use.
    pub fn deactivate(&self, id: &str) {
        if let Some(account) = self.shared.lock().people.get_mut(id) {
            account.deleted = true;
        }
    }

    /// Somebody writes in a channel, or in a thread. Returns the message's time.
    pub fn says(&self, channel: &str, thread: Option<&str>, user: &str, text: &str) -> String {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let ts = state.ts(now);
        let text = text.replace("@gander", &format!("<@{BOT}>"));
        state.messages.push(SlackMessage {
            channel: channel.to_owned(),
            ts: ts.clone(),
            thread_ts: thread.map(str::to_owned),
            user: Some(user.to_owned()),
            text: text.clone(),
            blocks: json!([]),
            metadata: json!({}),
            only_for: None,
            edited: false,
        });
        let team = state.people.get(user).map(|it| it.team.clone()).unwrap_or_default();
        let mut event = json!({
            "type": "message", "user": user, "team": team, "text": text, "ts": ts,
            "channel": channel, "channel_type": "channel", "event_ts": ts,
        });
        if let Some(thread) = thread {
            event["thread_ts"] = json!(thread);
        }
        let mentions = text.contains(BOT);
        state.event(&self.shared.spec, &event, now);
        // A mention is told twice.
        if mentions {
            event["type"] = json!("app_mention");
            state.event(&self.shared.spec, &event, now);
        }
        ts
    }

    /// Somebody reacts to a message.
    pub fn reacts(&self, channel: &str, message: &str, user: &str, name: &str) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let at = state.ts(now);
        let event = json!({
            "type": "reaction_added", "user": user, "reaction": name, "event_ts": at,
            "item": {"type": "message", "channel": channel, "ts": message},
        });
        state.event(&self.shared.spec, &event, now);
    }

    /// Somebody presses the button of a message whose words are these.
    ///
    /// # Errors
    /// When there is no such message or button.
    pub fn presses(&self, user: &str, message: &str, label: &str) -> Result<(), Trouble> {
        let button = self.button(message, label)?;
        self.sends_press(user, message, &button)
    }

    /// The button as it stands in the message.
    ///
    /// # Errors
    /// When there is none.
    pub fn button(&self, message: &str, label: &str) -> Result<Value, Trouble> {
        let state = self.shared.lock();
        let there = state.messages.iter().find(|it| it.ts == message);
        let blocks = there.and_then(|it| it.blocks.as_array()).into_iter().flatten();
        let elements = blocks.flat_map(|block| block["elements"].as_array()).flatten();
        let mut found = elements.filter_map(|element| {
            if element["type"] == "static_select" {
                let mut options = element["options"].as_array()?.iter();
                let option = options.find(|it| it["text"]["text"] == label)?;
                return Some(json!({
                    "type": "static_select", "action_id": element["action_id"],
                    "selected_option": option,
                }));
            }
            (element["text"]["text"] == label).then(|| element.clone())
        });
        found.next().ok_or_else(|| Trouble::Unknown { what: "button", name: label.to_owned() })
    }

    /// Somebody's program sends a press of this button, whatever the message shows by now.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn sends_press(&self, user: &str, message: &str, button: &Value) -> Result<(), Trouble> {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let Some(there) = state.messages.iter().find(|it| it.ts == message).cloned() else {
            return Err(Trouble::Unknown { what: "message", name: message.to_owned() });
        };
        let team = state.people.get(user).map(|it| it.team.clone()).unwrap_or_default();
        let (at, trigger) = (state.ts(now), state.trigger(now));
        let mut action = button.clone();
        action["action_ts"] = json!(at);
        let thread = there.thread_ts.clone();
        let payload = json!({
            "type": "block_actions", "api_app_id": self.shared.spec.app_id,
            "team": {"id": self.shared.spec.team_id}, "user": {"id": user, "team_id": team},
            "trigger_id": trigger, "channel": {"id": there.channel},
            "container": {"type": "message", "message_ts": there.ts, "channel_id": there.channel},
            "message": {"ts": there.ts, "thread_ts": thread, "text": there.text},
            "response_url": "https://hooks.slack.com/actions/T1/2/3", "actions": [action],
        });
        state.waiting.push_back(Waiting::interaction(&payload));
        Ok(())
    }

    /// Somebody shares a copy of a message in another channel, buttons and all. Returns its time.
    pub fn forwards(&self, message: &str, channel: &str) -> String {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let ts = state.ts(now);
        if let Some(copy) = state.messages.iter().find(|it| it.ts == message).cloned() {
            let channel = channel.to_owned();
            state.messages.push(SlackMessage { channel, ts: ts.clone(), thread_ts: None, ..copy });
        }
        ts
    }

    /// Somebody writes into the window that was opened last, and sends it.
    ///
    /// # Errors
    /// When none is open.
    pub fn submits(&self, user: &str, words: &str) -> Result<(), Trouble> {
        let mut state = self.shared.lock();
        let none = || Trouble::Unknown { what: "window", name: user.to_owned() };
        let view = state.windows.pop().ok_or_else(none)?;
        state.count += 1;
        let team = state.people.get(user).map(|it| it.team.clone()).unwrap_or_default();
        let payload = json!({
            "type": "view_submission", "api_app_id": self.shared.spec.app_id,
            "team": {"id": self.shared.spec.team_id}, "user": {"id": user, "team_id": team},
            "view": {
                "id": format!("V{}", state.count), "hash": "h", "type": "modal",
                "private_metadata": view["private_metadata"],
                "state": {"values": {"words": {"words": {
                    "type": "plain_text_input", "value": words,
                }}}},
            },
        });
        state.waiting.push_back(Waiting::interaction(&payload));
        Ok(())
    }

    /// Somebody gives the slash command.
    pub fn commands(&self, channel: &str, user: &str, text: &str) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let trigger = state.trigger(now);
        let spec = &self.shared.spec;
        let fields = [
            ("api_app_id", spec.app_id.as_str()),
            ("team_id", &spec.team_id),
            ("channel_id", channel),
            ("user_id", user),
            ("command", "/gander"),
            ("text", text),
            ("trigger_id", &trigger),
            ("response_url", "https://hooks.slack.com/commands/T1/2/3"),
        ];
        state.waiting.push_back(Waiting::command(&fields));
    }

    /// The next calls are turned away with 429, so many.
    pub fn limits_next(&self, calls: u32) {
        self.shared.lock().limited = calls;
    }

    /// All messages of a channel, oldest first, and what only some see.
    pub fn messages(&self, channel: &str) -> Vec<SlackMessage> {
        let state = self.shared.lock();
        state.messages.iter().filter(|it| it.channel == channel).cloned().collect()
    }

    /// The methods that were called, and what became of each.
    pub fn calls(&self) -> Vec<String> {
        self.shared.lock().calls.clone()
    }

    /// All that was sent to its Web API.
    pub fn bodies(&self) -> Vec<String> {
        self.shared.lock().bodies.clone()
    }
}

impl SlackShared {
    fn lock(&self) -> MutexGuard<'_, SlackState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }
}

impl SlackState {
    /// The time of a new message, which no other has.
    fn ts(&mut self, now: i64) -> String {
        self.count += 1;
        format!("{}.{:06}", now.div_euclid(1000), self.count)
    }

    fn trigger(&mut self, now: i64) -> String {
        self.count += 1;
        let trigger = format!("{}.{}", now, self.count);
        self.triggers.insert(trigger.clone(), now + 3000);
        trigger
    }

    fn event(&mut self, spec: &SlackSpec, event: &Value, now: i64) {
        self.count += 1;
        let body = json!({
            "type": "event_callback", "api_app_id": spec.app_id, "team_id": spec.team_id,
            "event_id": format!("Ev{}", self.count), "event_time": now.div_euclid(1000),
            "authorizations": [{"team_id": spec.team_id, "user_id": BOT, "is_bot": true}],
            "event": event,
        });
        self.waiting.push_back(Waiting::event(&body));
    }
}
