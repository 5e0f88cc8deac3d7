//! Issues, and the part of a pull request that is one.

use serde_json::Value;

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::acts::{self, NewIssue, Presence};
use crate::level::Level;
use crate::shapes::{issues as shapes, web};
use crate::state::{Issue, State, UPLOADS};

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/issues", Access::Scope("issues", Level::Read), list),
    route("POST", "/repos/{owner}/{repo}/issues", Access::Scope("issues", Level::Write), create),
    route("GET", "/repos/{owner}/{repo}/issues/{number}", Access::Thread(Level::Read), show),
    route("PATCH", "/repos/{owner}/{repo}/issues/{number}", Access::Thread(Level::Write), update),
];

/// The longest title and body, in characters.
pub(super) const LONGEST_TITLE: usize = 256;
pub(super) const LONGEST_BODY: usize = 65_536;

/// Refuses what is too long or, for a title, empty.
pub(super) fn check_texts(
    resource: &str,
    title: Option<&str>,
    body: Option<&str>,
) -> Result<(), Refusal> {
    if let Some(title) = title {
        if title.trim().is_empty() {
            return Err(Refusal::custom(resource, "title can't be blank"));
        }
        if title.chars().count() > LONGEST_TITLE {
            return Err(Refusal::custom(resource, "title is too long (maximum is 256 characters)"));
        }
    }
    if body.is_some_and(|body| body.chars().count() > LONGEST_BODY) {
        return Err(Refusal::custom(resource, "body is too long (maximum is 65536 characters)"));
    }
    Ok(())
}

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let state = call.query("state").unwrap_or("open");
    let labels: Vec<&str> =
        call.query("labels").unwrap_or("").split(',').filter(|label| !label.is_empty()).collect();
    let creator = call.query("creator");
    let since =
        call.query("since").and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let wanted = |issue: &&Issue| {
        let standing = match state {
            "all" => true,
            "closed" => !issue.open,
            _ => issue.open,
        };
        let labeled = labels
            .iter()
            .all(|label| issue.labels.iter().any(|have| have.eq_ignore_ascii_case(label)));
        let login = call.state.login(issue.author);
        standing
            && labeled
            && creator.is_none_or(|creator| creator.eq_ignore_ascii_case(&login))
            && since.is_none_or(|since| issue.updated_at >= since.timestamp_millis())
    };
    let mut found: Vec<&Issue> = known.issues.values().filter(wanted).collect();
    match call.query("sort") {
        Some("updated") => found.sort_by_key(|issue| issue.updated_at),
        _ => found.sort_by_key(|issue| (issue.created_at, issue.number)),
    }
    if call.query("direction") != Some("asc") {
        found.reverse();
    }
    let found = found.into_iter().map(|issue| shapes::issue(call.state, known, issue)).collect();
    Ok(call.page(found))
}

fn create(call: &mut Call<'_>) -> Outcome {
    let (title, body) = (call.required("title")?, call.text("body"));
    check_texts("Issue", Some(&title), body.as_deref())?;
    let labels = call.body["labels"].as_array().cloned().unwrap_or_default();
    let labels = labels.iter().filter_map(|label| label.as_str().or(label["name"].as_str()));
    let new = NewIssue {
        author: Some(call.actor()?),
        title,
        body,
        labels: labels.map(str::to_owned).collect(),
        assignees: assignees(call, "assignees"),
    };
    let number = acts::open_issue(call.state, call.repository_id(), new)?;
    Ok(Answer::created_at(shape(call, number)?))
}

/// The accounts of these logins that have a role here; GitHub leaves the others out silently.
fn assignees(call: &Call<'_>, field: &str) -> Vec<u64> {
    let logins = call.texts(field);
    let accounts = logins.iter().filter_map(|login| call.state.account_named(login));
    accounts.map(|account| account.id).collect()
}

fn shape(call: &Call<'_>, number: u64) -> Result<Value, Refusal> {
    let issue = call.state.issue(call.repository_id(), number)?;
    Ok(shapes::issue(call.state, call.repository()?, issue))
}

fn show(call: &mut Call<'_>) -> Outcome {
    let mut issue = shape(call, call.number("number")?)?;
    if call.accept.contains("full+json") {
        let shown = with_pictures(call.state, issue["body"].as_str().unwrap_or_default());
        issue["body_html"] = Value::String(shown);
    }
    Ok(Answer::ok(issue))
}

/// A text as it is shown, as far as pictures go: those that people uploaded have an address for a
/// short time.
fn with_pictures(state: &mut State, text: &str) -> String {
    let mut html = String::from("<p>");
    for (name, content) in state.uploads.clone() {
        if text.contains(&format!("{UPLOADS}{name}")) {
            let (now, name) = (state.now(), format!("-{name}.png"));
            let path = state.downloads.offer_as(&name, "image/png", content, now);
            html.push_str(&format!("<img src=\"{}?jwt=x&amp;y=z\">", web(state, &path)));
        }
    }
    html + "</p>"
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (repository, number) = (call.repository_id(), call.number("number")?);
    let actor = Some(call.actor()?);
    shape(call, number)?;
    let title = call.text("title");
    let body = call.body.get("body").map(|body| body.as_str().map(str::to_owned));
    check_texts("Issue", title.as_deref(), body.as_ref().and_then(Option::as_deref))?;
    acts::edit_issue(call.state, repository, number, actor, (title, body))?;
    if call.body["labels"].is_array() {
        replace_labels(call, number, actor)?;
    }
    if call.body["assignees"].is_array() {
        let accounts = assignees(call, "assignees");
        call.state.issue_mut(repository, number)?.assignees = accounts;
    }
    match call.body["state"].as_str() {
        None => {}
        Some("open") => {
            acts::set_presence(call.state, repository, number, actor, &Presence::Open)?;
        }
        Some("closed") => {
            let reason = call.text("state_reason").unwrap_or_else(|| "completed".to_owned());
            let presence = Presence::Closed(reason);
            acts::set_presence(call.state, repository, number, actor, &presence)?;
        }
        Some(_) => return Err(Refusal::invalid("Issue", "state")),
    }
    Ok(Answer::ok(shape(call, number)?))
}

pub(super) fn replace_labels(
    call: &mut Call<'_>,
    number: u64,
    actor: Option<u64>,
) -> Result<(), Refusal> {
    let repository = call.repository_id();
    let wanted = call.texts("labels");
    let had = call.state.issue(repository, number)?.labels.clone();
    for label in had.iter().filter(|label| !wanted.contains(label)) {
        acts::unlabel(call.state, repository, number, actor, label)?;
    }
    for label in &wanted {
        acts::label(call.state, repository, number, actor, label)?;
    }
    Ok(())
}
