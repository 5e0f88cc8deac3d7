//! Issues, comments, labels and reactions.

use serde_json::{Value, json};

use super::dispatch::heard_said;
use super::{add_label, fire_about, gist, webhook_issue};
use crate::Trouble;
use crate::hooks::{self, Event};
use crate::shapes::issues as shapes;
use crate::state::{Comment, Issue, LabelAct, LastEdit, Reaction, State, Target};

pub(crate) struct NewIssue {
    pub(crate) author: Option<u64>,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) assignees: Vec<u64>,
}

/// Whether an issue is open, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    Open,
    Closed(String),
}

/// Adds an issue without telling anybody; also the first half of a pull request.
pub(super) fn add_issue(state: &mut State, repository: u64, new: NewIssue) -> Result<u64, Trouble> {
    for label in &new.labels {
        add_label(state, repository, label, "ededed", None)?;
    }
    let (id, now) = (state.ids.issue(), state.now());
    let issues = &mut state.repository_mut(repository)?.issues;
    let number = issues.keys().next_back().copied().unwrap_or(0) + 1;
    issues.insert(
        number,
        Issue {
            id,
            number,
            author: new.author,
            title: new.title,
            body: new.body,
            open: true,
            state_reason: None,
            labels: new.labels,
            label_acts: Vec::new(),
            assignees: new.assignees,
            closed_by: None,
            closed_at: None,
            created_at: now,
            updated_at: now,
            pull: None,
        },
    );
    Ok(number)
}

pub(crate) fn open_issue(
    state: &mut State,
    repository: u64,
    new: NewIssue,
) -> Result<u64, Trouble> {
    let (author, title, labels) = (new.author, new.title.clone(), new.labels.clone());
    let number = add_issue(state, repository, new)?;
    state.tell(repository, author, format!("opened issue #{number}: {title}"));
    fire_about(state, repository, number, "opened", author, json!({}))?;
    for label in &labels {
        announce_label(state, repository, number, "labeled", author, label)?;
    }
    Ok(number)
}

/// Changes title or body.
pub(crate) fn edit_issue(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    (title, body): (Option<String>, Option<Option<String>>),
) -> Result<(), Trouble> {
    let now = state.now();
    let issue = state.issue_mut(repository, number)?;
    let mut changes = json!({});
    if let Some(title) = title.filter(|title| *title != issue.title) {
        changes["title"] = json!({ "from": issue.title });
        issue.title = title;
    }
    if let Some(body) = body.filter(|body| *body != issue.body) {
        changes["body"] = json!({ "from": issue.body.clone().unwrap_or_default() });
        issue.body = body;
    }
    if changes == json!({}) {
        return Ok(());
    }
    issue.updated_at = now;
    state.tell(repository, actor, format!("edited #{number}"));
    fire_about(state, repository, number, "edited", actor, json!({ "changes": changes }))
}

/// Opens or closes an issue or pull request; nothing happens when it is so already.
pub(crate) fn set_presence(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    presence: &Presence,
) -> Result<(), Trouble> {
    let now = state.now();
    let issue = state.issue_mut(repository, number)?;
    let open = *presence == Presence::Open;
    if issue.open == open {
        return Ok(());
    }
    issue.open = open;
    issue.updated_at = now;
    let (action, reason) = match presence {
        Presence::Open => ("reopened", "reopened"),
        Presence::Closed(reason) => ("closed", reason.as_str()),
    };
    issue.closed_at = (!open).then_some(now);
    issue.closed_by = if open { None } else { actor };
    issue.state_reason = issue.pull.is_none().then(|| reason.to_owned());
    let merged = issue.pull.as_ref().is_some_and(|pull| pull.merged_at.is_some());
    if !merged {
        let because = if open || issue.pull.is_some() || reason == "completed" {
            String::new()
        } else {
            format!(" as {}", reason.replace('_', " "))
        };
        state.tell(repository, actor, format!("{action} #{number}{because}"));
    }
    fire_about(state, repository, number, action, actor, json!({}))
}

/// Puts a label on; the repository gets it if it has none of that name.
pub(crate) fn label(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    name: &str,
) -> Result<(), Trouble> {
    add_label(state, repository, name, "ededed", None)?;
    let now = state.now();
    let issue = state.issue_mut(repository, number)?;
    if issue.labels.iter().any(|label| label.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    issue.labels.push(name.to_owned());
    issue.updated_at = now;
    state.tell(repository, actor, format!("labeled #{number} {name}"));
    announce_label(state, repository, number, "labeled", actor, name)
}

/// Takes a label off; `false` when it is not on.
pub(crate) fn unlabel(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    name: &str,
) -> Result<bool, Trouble> {
    let now = state.now();
    let issue = state.issue_mut(repository, number)?;
    let before = issue.labels.len();
    issue.labels.retain(|label| !label.eq_ignore_ascii_case(name));
    if issue.labels.len() == before {
        return Ok(false);
    }
    issue.updated_at = now;
    state.tell(repository, actor, format!("unlabeled #{number} {name}"));
    announce_label(state, repository, number, "unlabeled", actor, name)?;
    Ok(true)
}

fn announce_label(
    state: &mut State,
    repository: u64,
    number: u64,
    action: &'static str,
    actor: Option<u64>,
    name: &str,
) -> Result<(), Trouble> {
    let (id, at) = (state.ids.issue_event(), state.now());
    let act = LabelAct { id, event: action, label: name.to_owned(), actor, at };
    state.issue_mut(repository, number)?.label_acts.push(act);
    let known = state.repository(repository)?;
    let label = shapes::find_label(known, name).map(|label| shapes::label(state, known, label));
    fire_about(state, repository, number, action, actor, json!({ "label": label }))
}

pub(crate) fn comment(
    state: &mut State,
    repository: u64,
    number: u64,
    author: Option<u64>,
    body: &str,
) -> Result<u64, Trouble> {
    let (id, now) = (state.ids.comment(), state.now());
    state.issue_mut(repository, number)?.updated_at = now;
    state.repository_mut(repository)?.comments.insert(
        id,
        Comment {
            id,
            issue: number,
            author,
            body: body.to_owned(),
            earlier: Vec::new(),
            last_edit: None,
            created_at: now,
            updated_at: now,
        },
    );
    state.tell(repository, author, format!("commented on #{number}: {}", gist(body)));
    announce_comment(state, repository, id, "created", author, json!({}))?;
    Ok(id)
}

pub(crate) fn edit_comment(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: Option<u64>,
    body: &str,
) -> Result<(), Trouble> {
    let now = state.now();
    let comments = &mut state.repository_mut(repository)?.comments;
    let comment = comments.get_mut(&id).ok_or_else(|| Trouble::unknown("comment", id))?;
    comment.updated_at = now;
    let number = comment.issue;
    if comment.body == body {
        return Ok(());
    }
    let before = std::mem::replace(&mut comment.body, body.to_owned());
    comment.earlier.push(before.clone());
    comment.last_edit = Some(LastEdit { at: now, editor: actor });
    state.tell(repository, actor, format!("edited a comment on #{number}: {}", gist(body)));
    let changes = json!({ "changes": { "body": { "from": before } } });
    announce_comment(state, repository, id, "edited", actor, changes)
}

pub(crate) fn delete_comment(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    announce_comment(state, repository, id, "deleted", actor, json!({}))?;
    let comments = &mut state.repository_mut(repository)?.comments;
    let comment = comments.remove(&id).ok_or_else(|| Trouble::unknown("comment", id))?;
    state.tell(repository, actor, format!("deleted a comment on #{}", comment.issue));
    Ok(())
}

fn announce_comment(
    state: &mut State,
    repository: u64,
    id: u64,
    action: &str,
    actor: Option<u64>,
    extra: Value,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let comment = known.comments.get(&id).ok_or_else(|| Trouble::unknown("comment", id))?;
    let issue = state.issue(repository, comment.issue)?;
    let mut payload = extra;
    payload["issue"] = webhook_issue(state, known, issue);
    payload["comment"] = shapes::comment(state, known, comment);
    let name = "issue_comment";
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    heard_said(state, repository, (name, action), None, actor, &event.payload)
}

/// Leaves a reaction; says its number, and whether it is new. GitHub sends no webhook for it.
pub(crate) fn react(
    state: &mut State,
    repository: u64,
    target: Target,
    user: u64,
    content: &str,
) -> Result<(u64, bool), Trouble> {
    let reactions = &state.repository(repository)?.reactions;
    let known = reactions.iter().find(|reaction| {
        reaction.target == target && reaction.user == user && reaction.content == content
    });
    if let Some(known) = known {
        return Ok((known.id, false));
    }
    let (id, created_at) = (state.ids.reaction(), state.now());
    let on = match target {
        Target::Issue(number) => format!("#{number}"),
        Target::Comment(comment) => {
            let comments = &state.repository(repository)?.comments;
            let issue = comments.get(&comment).map_or(0, |comment| comment.issue);
            format!("a comment on #{issue}")
        }
        Target::ReviewComment(comment) => {
            let comments = &state.repository(repository)?.review_comments;
            let pull = comments.get(&comment).map_or(0, |comment| comment.pull);
            format!("a review comment on #{pull}")
        }
    };
    let content = content.to_owned();
    state.tell(repository, Some(user), format!("reacted with {content} to {on}"));
    let reaction = Reaction { id, target, user, content, created_at };
    state.repository_mut(repository)?.reactions.push(reaction);
    Ok((id, true))
}

/// Takes a reaction back; `false` when there is none.
pub(crate) fn unreact(state: &mut State, repository: u64, id: u64) -> Result<bool, Trouble> {
    let reactions = &mut state.repository_mut(repository)?.reactions;
    let before = reactions.len();
    reactions.retain(|reaction| reaction.id != id);
    Ok(reactions.len() < before)
}
