//! Rulesets to read. Who may bypass them is only shown to those who may write them.

use serde_json::{Value, json};

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::level::Level;
use crate::shapes::moment;
use crate::state::{Repository, Ruleset};

const READ: Access = Access::Scope("metadata", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/rulesets", READ, list),
    route("GET", "/repos/{owner}/{repo}/rulesets/{ruleset_id}", READ, show),
];

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let targets = call.query("targets").unwrap_or("branch,tag,push");
    let wanted = known.rulesets.iter().filter(|one| targets.split(',').any(|it| it == one.target));
    let shapes = wanted.map(|one| brief(call, known, one)).collect();
    Ok(call.page(shapes))
}

fn show(call: &mut Call<'_>) -> Outcome {
    let (known, id) = (call.repository()?, call.number("ruleset_id")?);
    let one = known.rulesets.iter().find(|one| one.id == id).ok_or_else(Refusal::not_found)?;
    let mut shape = brief(call, known, one);
    let names = json!({ "include": one.include, "exclude": one.exclude });
    shape["conditions"] = json!({ "ref_name": names });
    let rules: Vec<Value> = one.rules.iter().map(|kind| rule(kind)).collect();
    shape["rules"] = json!(rules);
    Ok(Answer::ok(shape))
}

fn brief(call: &Call<'_>, known: &Repository, one: &Ruleset) -> Value {
    json!({
        "id": one.id,
        "name": one.name,
        "target": one.target,
        "source_type": "Repository",
        "source": call.state.full_name(known),
        "enforcement": one.enforcement,
        "created_at": moment(one.made_at),
        "updated_at": moment(one.made_at),
    })
}

fn rule(kind: &str) -> Value {
    match kind {
        "update" => json!({
            "type": kind,
            "parameters": { "update_allows_fetch_and_merge": false },
        }),
        _ => json!({ "type": kind }),
    }
}

/// The rules of active rulesets that a branch has.
pub(super) fn rules_of_branch(call: &Call<'_>, known: &Repository, branch: &str) -> Vec<Value> {
    let name = format!("refs/heads/{branch}");
    let holding = known.rulesets.iter().filter(|one| one.holds_for(known, &name));
    let of_one = |one: &Ruleset| -> Vec<Value> {
        let with_source = |kind: &String| {
            let mut shape = rule(kind);
            shape["ruleset_source_type"] = json!("Repository");
            shape["ruleset_source"] = json!(call.state.full_name(known));
            shape["ruleset_id"] = json!(one.id);
            shape
        };
        one.rules.iter().map(with_source).collect()
    };
    holding.flat_map(of_one).collect()
}
