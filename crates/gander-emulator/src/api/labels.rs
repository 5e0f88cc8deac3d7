//! Labels: of a repository and on an issue.

use serde_json::{Value, json};

use super::issues::replace_labels;
use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::acts;
use crate::level::Level;
use crate::shapes::issues as shapes;
use crate::state::LabelAct;

const READ: Access = Access::Scope("issues", Level::Read);
const WRITE: Access = Access::Scope("issues", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/labels", READ, list),
    route("POST", "/repos/{owner}/{repo}/labels", WRITE, create),
    route("GET", "/repos/{owner}/{repo}/labels/{name}", READ, show),
    route(
        "GET",
        "/repos/{owner}/{repo}/issues/{number}/labels",
        Access::Thread(Level::Read),
        list_on,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/issues/{number}/labels",
        Access::Thread(Level::Write),
        add,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/issues/{number}/events",
        Access::Thread(Level::Read),
        events,
    ),
    route("PUT", "/repos/{owner}/{repo}/issues/{number}/labels", Access::Thread(Level::Write), set),
    route(
        "DELETE",
        "/repos/{owner}/{repo}/issues/{number}/labels/{name}",
        Access::Thread(Level::Write),
        remove,
    ),
];

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let found = known.labels.iter().map(|label| shapes::label(call.state, known, label)).collect();
    Ok(call.page(found))
}

fn create(call: &mut Call<'_>) -> Outcome {
    let name = call.required("name")?;
    let color = call.text("color").unwrap_or_else(|| "ededed".to_owned());
    if color.len() != 6 || !color.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refusal::invalid("Label", "color"));
    }
    let description = call.text("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > 100) {
        return Err(Refusal::custom(
            "Label",
            "description is too long (maximum is 100 characters)",
        ));
    }
    if name.is_empty() || name.chars().count() > 50 {
        return Err(Refusal::custom("Label", "name is too long (maximum is 50 characters)"));
    }
    if shapes::find_label(call.repository()?, &name).is_some() {
        return Err(Refusal::taken("Label", "name"));
    }
    let repository = call.repository_id();
    acts::add_label(call.state, repository, &name, &color, description.as_deref())?;
    Ok(Answer::created_at(shape(call, &name)?))
}

fn shape(call: &Call<'_>, name: &str) -> Result<Value, Refusal> {
    let known = call.repository()?;
    let label = shapes::find_label(known, name).ok_or_else(Refusal::not_found)?;
    Ok(shapes::label(call.state, known, label))
}

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shape(call, call.param("name"))?))
}

fn on_issue(call: &Call<'_>) -> Result<Vec<Value>, Refusal> {
    let issue = call.state.issue(call.repository_id(), call.number("number")?)?;
    Ok(shapes::labels(call.state, call.repository()?, &issue.labels))
}

fn list_on(call: &mut Call<'_>) -> Outcome {
    let found = on_issue(call)?;
    Ok(call.page(found))
}

/// What happened to an issue, oldest first: of that the emulator remembers what was labelled by
/// whom.
fn events(call: &mut Call<'_>) -> Outcome {
    let (known, number) = (call.repository()?, call.number("number")?);
    let issue = call.state.issue(known.id, number)?;
    let event = |act: &LabelAct| shapes::label_act(call.state, known, act);
    Ok(call.page(issue.label_acts.iter().map(event).collect()))
}

fn add(call: &mut Call<'_>) -> Outcome {
    let (repository, number) = (call.repository_id(), call.number("number")?);
    let actor = Some(call.actor()?);
    on_issue(call)?;
    let given = call.body.get("labels").unwrap_or(&call.body).as_array().cloned();
    let given = given.ok_or_else(|| Refusal::missing("labels"))?;
    for label in &given {
        let name = label.as_str().or(label["name"].as_str());
        let name = name.ok_or_else(|| Refusal::invalid("Label", "name"))?;
        acts::label(call.state, repository, number, actor, name)?;
    }
    Ok(Answer::ok(json!(on_issue(call)?)))
}

fn set(call: &mut Call<'_>) -> Outcome {
    let actor = Some(call.actor()?);
    on_issue(call)?;
    replace_labels(call, call.number("number")?, actor)?;
    Ok(Answer::ok(json!(on_issue(call)?)))
}

fn remove(call: &mut Call<'_>) -> Outcome {
    let (repository, number) = (call.repository_id(), call.number("number")?);
    let (actor, name) = (Some(call.actor()?), call.param("name").to_owned());
    if !acts::unlabel(call.state, repository, number, actor, &name)? {
        return Err(Refusal::new(404, "Label does not exist"));
    }
    Ok(Answer::ok(json!(on_issue(call)?)))
}
