//! From the body of a request of Slack's to what somebody did.
//!
//! Invariants: App and workspace are the pinned ones, and so is the workspace of whoever acts;
//! `response_url` is Slack's or the request is refused, and it is never used; what programs write,
//! and what is edited, is nothing.

use serde::Deserialize;

use super::{SlackAct, SlackPlace};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackBody {
    /// An event, as JSON.
    Event,
    /// A press or a submission: JSON in a form.
    Interaction,
    /// A slash command: a form.
    Command,
}

/// Whose requests are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackPins {
    /// Our App on Slack, `A…`.
    pub app_id: String,
    /// The one workspace, `T…`.
    pub team_id: String,
}

/// What a request holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SlackRead {
    /// Slack asks whether we are there, and wants this back.
    Challenge(String),
    /// Something was done; `id` is the same however often it is told.
    Act { id: String, act: SlackAct },
    /// Nothing for us.
    Nothing,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlackRefusal {
    /// It cannot be read.
    #[error("the body cannot be read")]
    Unreadable,
    /// Another App or workspace.
    #[error("it is for another App or workspace")]
    Foreign,
    /// An address that is not Slack's.
    #[error("its response_url is not Slack's")]
    ResponseUrl,
}

#[derive(Deserialize)]
struct SlackEventBody {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    challenge: Option<String>,
    #[serde(default)]
    api_app_id: String,
    #[serde(default)]
    team_id: String,
    #[serde(default)]
    authorizations: Vec<SlackAuthorization>,
    #[serde(default)]
    event: Option<SlackEvent>,
}

#[derive(Deserialize)]
struct SlackAuthorization {
    #[serde(default)]
    user_id: String,
}

#[derive(Deserialize)]
struct SlackEvent {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    subtype: Option<String>,
    #[serde(default)]
    bot_id: Option<String>,
    #[serde(default)]
    user: Option<String>,
    /// The workspace of whoever wrote it, where that may be another (Slack Connect).
    #[serde(default, alias = "user_team")]
    team: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    channel_type: Option<String>,
    #[serde(default)]
    ts: Option<String>,
    #[serde(default)]
    thread_ts: Option<String>,
    #[serde(default)]
    event_ts: Option<String>,
    #[serde(default)]
    reaction: Option<String>,
    #[serde(default)]
    item: Option<SlackItem>,
}

#[derive(Deserialize)]
struct SlackItem {
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

#[derive(Deserialize)]
struct SlackInteraction {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    api_app_id: String,
    team: SlackNamed,
    user: SlackPerson,
    #[serde(default)]
    trigger_id: String,
    #[serde(default)]
    response_url: Option<String>,
    #[serde(default)]
    channel: Option<SlackNamed>,
    #[serde(default)]
    message: Option<SlackMessageRef>,
    #[serde(default)]
    actions: Vec<SlackPress>,
    #[serde(default)]
    view: Option<SlackView>,
}

#[derive(Deserialize)]
struct SlackNamed {
    id: String,
}

#[derive(Deserialize)]
struct SlackPerson {
    id: String,
    #[serde(default)]
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct SlackMessageRef {
    ts: String,
    #[serde(default)]
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct SlackPress {
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    action_ts: String,
    #[serde(default)]
    selected_option: Option<SlackSelected>,
}

#[derive(Deserialize)]
struct SlackSelected {
    value: String,
}

#[derive(Deserialize)]
struct SlackView {
    id: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    private_metadata: String,
    #[serde(default)]
    state: SlackViewState,
}

#[derive(Default, Deserialize)]
struct SlackViewState {
    #[serde(default)]
    values: std::collections::BTreeMap<String, std::collections::BTreeMap<String, SlackInput>>,
}

#[derive(Deserialize)]
struct SlackInput {
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
struct SlackCommandBody {
    #[serde(default)]
    api_app_id: String,
    team_id: String,
    user_id: String,
    channel_id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    trigger_id: String,
    #[serde(default)]
    response_url: Option<String>,
}

/// Reads a body whose signature holds. In a form the fields come as `form` names them.
///
/// # Errors
/// When it is none of ours.
pub fn read(kind: SlackBody, json: &[u8], pins: &SlackPins) -> Result<SlackRead, SlackRefusal> {
    match kind {
        SlackBody::Event => event(from(json)?, pins),
        SlackBody::Interaction => interaction(from(json)?, pins),
        SlackBody::Command => command(from(json)?, pins),
    }
}

fn from<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, SlackRefusal> {
    serde_json::from_slice(json).map_err(|_| SlackRefusal::Unreadable)
}

impl SlackPins {
    fn hold(&self, app: &str, team: &str) -> Result<(), SlackRefusal> {
        match (app, team) == (&*self.app_id, &*self.team_id) {
            true => Ok(()),
            false => Err(SlackRefusal::Foreign),
        }
    }

    /// Whether somebody is of the workspace. People of others meet us in shared channels.
    fn knows(&self, team: Option<&str>) -> bool {
        team.is_none_or(|team| team == self.team_id)
    }
}

fn event(body: SlackEventBody, pins: &SlackPins) -> Result<SlackRead, SlackRefusal> {
    if body.kind == "url_verification" {
        return Ok(body.challenge.map_or(SlackRead::Nothing, SlackRead::Challenge));
    }
    pins.hold(&body.api_app_id, &body.team_id)?;
    let us = body.authorizations.first().map(|it| it.user_id.clone());
    let event = body.event.filter(|it| it.bot_id.is_none() && pins.knows(it.team.as_deref()));
    let act = event.and_then(|event| match event.kind.as_str() {
        "app_mention" | "message" => said(event, us),
        "reaction_added" => reacted(event),
        _ => None,
    });
    Ok(act.map_or(SlackRead::Nothing, |(id, act)| SlackRead::Act { id, act }))
}

/// A message that mentions us comes twice, as a message and as a mention: it is one act.
fn said(event: SlackEvent, us: Option<String>) -> Option<(String, SlackAct)> {
    let plain = matches!(event.subtype.as_deref(), None | Some("thread_broadcast"));
    let (by, channel, at) = (event.user.filter(|_| plain)?, event.channel?, event.ts?);
    if us.as_deref() == Some(by.as_str()) {
        return None;
    }
    let text = event.text.unwrap_or_default();
    let mentions = us.is_some_and(|us| text.contains(&format!("<@{us}>")));
    let direct = event.channel_type.as_deref() == Some("im");
    let to_us = event.kind == "app_mention" || mentions || direct;
    let id = format!("said/{channel}/{at}");
    let thread = event.thread_ts.unwrap_or_else(|| at.clone());
    let place = SlackPlace { channel, thread };
    Some((id, SlackAct::Said { place, by, at, text, to_us }))
}

fn reacted(event: SlackEvent) -> Option<(String, SlackAct)> {
    let (by, name, item) = (event.user?, event.reaction?, event.item?);
    let at = event.event_ts?;
    let id = format!("reacted/{}/{}/{by}/{name}/{at}", item.channel, item.ts);
    let (channel, message) = (item.channel, item.ts);
    Some((id, SlackAct::Reacted { channel, message, by, name, at }))
}

fn interaction(body: SlackInteraction, pins: &SlackPins) -> Result<SlackRead, SlackRefusal> {
    pins.hold(&body.api_app_id, &body.team.id)?;
    is_slacks(body.response_url.as_deref())?;
    if !pins.knows(body.user.team_id.as_deref()) {
        return Err(SlackRefusal::Foreign);
    }
    let by = body.user.id;
    if body.kind == "view_submission" {
        let Some(view) = body.view else { return Err(SlackRefusal::Unreadable) };
        let mut parts = view.private_metadata.splitn(3, ' ').map(str::to_owned);
        let (Some(channel), Some(thread), Some(nonce)) = (parts.next(), parts.next(), parts.next())
        else {
            return Ok(SlackRead::Nothing);
        };
        let inputs =
            view.state.values.into_values().flat_map(std::collections::BTreeMap::into_values);
        let words: Vec<String> = inputs.filter_map(|input| input.value).collect();
        let (place, words) = (SlackPlace { channel, thread }, words.join("\n"));
        let id = format!("submitted/{}/{}", view.id, view.hash);
        return Ok(SlackRead::Act { id, act: SlackAct::Submitted { place, by, nonce, words } });
    }
    let (Some(channel), Some(message), Some(press)) =
        (body.channel, body.message, body.actions.into_iter().next())
    else {
        return Ok(SlackRead::Nothing);
    };
    // A button that only leads to GitHub says nothing.
    let Some(nonce) = press.selected_option.map(|it| it.value).or(press.value) else {
        return Ok(SlackRead::Nothing);
    };
    let id = format!("pressed/{}/{by}/{nonce}/{}", channel.id, press.action_ts);
    let thread = message.thread_ts.unwrap_or(message.ts);
    let place = SlackPlace { channel: channel.id, thread };
    let act = SlackAct::Pressed { place, by, nonce, trigger: body.trigger_id };
    Ok(SlackRead::Act { id, act })
}

fn command(body: SlackCommandBody, pins: &SlackPins) -> Result<SlackRead, SlackRefusal> {
    pins.hold(&body.api_app_id, &body.team_id)?;
    is_slacks(body.response_url.as_deref())?;
    let id = format!("commanded/{}/{}", body.user_id, body.trigger_id);
    let (channel, by) = (body.channel_id, body.user_id);
    let act = SlackAct::Commanded { channel, by, text: body.text, trigger: body.trigger_id };
    Ok(SlackRead::Act { id, act })
}

fn is_slacks(url: Option<&str>) -> Result<(), SlackRefusal> {
    match url {
        Some(url) if !url.starts_with("https://hooks.slack.com/") => Err(SlackRefusal::ResponseUrl),
        _ => Ok(()),
    }
}
