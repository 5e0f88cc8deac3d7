//! Branches and tags as git refs.

use serde_json::{Value, json};

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::level::Level;
use crate::shapes::{node_id, repository_url};
use crate::{acts, rules, rulesets};

const READ: Access = Access::Scope("contents", Level::Read);
const WRITE: Access = Access::Scope("contents", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/git/ref/{ref...}", READ, show),
    route("GET", "/repos/{owner}/{repo}/git/matching-refs/{ref...}", READ, matching),
    route("POST", "/repos/{owner}/{repo}/git/refs", WRITE, create),
    route("PATCH", "/repos/{owner}/{repo}/git/refs/{ref...}", WRITE, update),
    route("DELETE", "/repos/{owner}/{repo}/git/refs/{ref...}", WRITE, delete),
];

fn shape(call: &Call<'_>, name: &str, sha: &str) -> Result<Value, Refusal> {
    let known = call.repository()?;
    let kind = known.git.kind(sha).unwrap_or_else(|| "commit".to_owned());
    let object = repository_url(call.state, known.id, &format!("/git/{kind}s/{sha}"));
    Ok(json!({
        "ref": name,
        "node_id": node_id("Ref", format!("{}:{name}", known.id)),
        "url": repository_url(call.state, known.id, &format!("/git/{name}")),
        "object": { "sha": sha, "type": kind, "url": object },
    }))
}

/// The ref that the path names, with where it is.
fn named(call: &Call<'_>) -> Result<(String, Option<String>), Refusal> {
    let name = format!("refs/{}", call.param("ref"));
    let sha = call.filled_repository()?.refs.get(&name).cloned();
    Ok((name, sha))
}

fn show(call: &mut Call<'_>) -> Outcome {
    let (name, sha) = named(call)?;
    let sha = sha.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(shape(call, &name, &sha)?))
}

fn matching(call: &mut Call<'_>) -> Outcome {
    let start = format!("refs/{}", call.param("ref"));
    let mut found = Vec::new();
    for (name, sha) in &call.filled_repository()?.refs {
        if name.starts_with(&start) {
            found.push(shape(call, name, sha)?);
        }
    }
    Ok(call.page(found))
}

fn create(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let (name, sha) = (call.required("ref")?, call.required("sha")?);
    if !name.starts_with("refs/") || name.matches('/').count() < 2 {
        return Err(Refusal::new(
            422,
            "Reference name must start with 'refs/' and have at least two slashes",
        ));
    }
    let allowed = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
    if !allowed || !known.git.is_good_ref_name(&name) {
        return Err(Refusal::new(422, &format!("{name} is not a valid ref name.")));
    }
    check_object(call, &name, &sha)?;
    if known.refs.contains_key(&name) {
        return Err(Refusal::new(422, "Reference already exists"));
    }
    if let Some(words) = rulesets::why_not(known, &name, "creation") {
        return Err(Refusal::new(422, &words));
    }
    let inside = |other: &String| {
        other.starts_with(&format!("{name}/")) || name.starts_with(&format!("{other}/"))
    };
    if known.refs.keys().any(inside) {
        return Err(Refusal::new(422, "Reference cannot be created"));
    }
    let actor = call.actor()?;
    acts::move_ref(call.state, call.repository_id(), &name, Some(&sha), Some(actor))?;
    Ok(Answer::created_at(shape(call, &name, &sha)?))
}

fn check_object(call: &Call<'_>, name: &str, sha: &str) -> Result<(), Refusal> {
    let full = sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    let kind = call.repository()?.git.kind(sha).filter(|_| full);
    match kind.as_deref() {
        None => Err(Refusal::new(422, "Object does not exist")),
        Some(kind) if name.starts_with("refs/heads/") && kind != "commit" => {
            Err(Refusal::new(422, "Reference update failed"))
        }
        Some(_) => Ok(()),
    }
}

fn update(call: &mut Call<'_>) -> Outcome {
    let sha = call.required("sha")?;
    let (name, before) = named(call)?;
    let before = before.ok_or_else(|| Refusal::new(422, "Reference does not exist"))?;
    check_object(call, &name, &sha)?;
    let forced = call.body["force"].as_bool().unwrap_or(false);
    if !forced && !call.repository()?.git.is_ancestor(&before, &sha) {
        return Err(Refusal::new(422, "Update is not a fast forward"));
    }
    let branch = call.param("ref").trim_start_matches("heads/");
    if let Some(words) = rulesets::why_not(call.repository()?, &name, "update") {
        return Err(Refusal::new(422, &words));
    }
    if let Some(words) = rules::why_no_push(call.repository()?, branch, &sha) {
        return Err(Refusal::new(422, &words));
    }
    if before != sha {
        let actor = call.actor()?;
        acts::move_ref(call.state, call.repository_id(), &name, Some(&sha), Some(actor))?;
    }
    Ok(Answer::ok(shape(call, &name, &sha)?))
}

fn delete(call: &mut Call<'_>) -> Outcome {
    let (name, before) = named(call)?;
    if before.is_none() {
        return Err(Refusal::new(422, "Reference does not exist"));
    }
    let default = format!("refs/heads/{}", call.repository()?.default_branch);
    if name == default {
        return Err(Refusal::new(422, "Cannot delete the default branch"));
    }
    if let Some(words) = rulesets::why_not(call.repository()?, &name, "deletion") {
        return Err(Refusal::new(422, &words));
    }
    let actor = call.actor()?;
    acts::move_ref(call.state, call.repository_id(), &name, None, Some(actor))?;
    Ok(Answer::nothing())
}
