//! Accounts, and what they may do in a repository.

use serde_json::json;

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::emulator::level::Level;
use crate::emulator::shapes;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/users/{login}", Access::Open, by_login),
    route("GET", "/user/{id}", Access::Open, by_id),
    route(
        "GET",
        "/repos/{owner}/{repo}/collaborators/{login}/permission",
        Access::Scope("metadata", Level::Read),
        permission,
    ),
];

fn by_login(call: &mut Call<'_>) -> Outcome {
    let account = call.state.account_named(call.param("login"));
    let account = account.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(shapes::public_user(call.state, account)))
}

fn by_id(call: &mut Call<'_>) -> Outcome {
    let account = call.state.accounts.get(&call.number("id")?);
    let account = account.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(shapes::public_user(call.state, account)))
}

/// `permission` knows four words; `role_name` says which role it really is.
fn permission(call: &mut Call<'_>) -> Outcome {
    let account = call.state.account_named(call.param("login")).map(|account| account.id);
    let account = account.ok_or_else(Refusal::not_found)?;
    let role = call.state.role(call.repository()?, account);
    let permission = match role.as_str() {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let rank = ["read", "triage", "write", "maintain", "admin"]
        .iter()
        .position(|known| *known == role)
        .map_or(0, |rank| rank + 1);
    let mut user = shapes::user(call.state, Some(account));
    user["role_name"] = json!(role);
    user["permissions"] = json!({
        "pull": rank >= 1,
        "triage": rank >= 2,
        "push": rank >= 3,
        "maintain": rank >= 4,
        "admin": rank >= 5,
    });
    Ok(Answer::ok(json!({ "permission": permission, "role_name": role, "user": user })))
}
