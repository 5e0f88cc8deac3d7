//! Accounts, and what they may do in a repository.

use serde_json::{Value, json};

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::auth::Principal;
use crate::level::Level;
use crate::shapes;
use crate::state::AccountKind;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/users/{login}", Access::Open, by_login),
    route("GET", "/user/{id}", Access::Open, by_id),
    route("GET", "/user", Access::Person, signed_in),
    route(
        "GET",
        "/repos/{owner}/{repo}/collaborators",
        Access::Scope("metadata", Level::Read),
        collaborators,
    ),
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

fn signed_in(call: &mut Call<'_>) -> Outcome {
    let Principal::Person(id) = call.principal else { return Err(Refusal::not_found()) };
    let account = call.state.accounts.get(&id).ok_or_else(Refusal::not_found)?;
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
    let user = with_rights(call, account, &role);
    Ok(Answer::ok(json!({ "permission": permission, "role_name": role, "user": user })))
}

/// The roles, weakest first.
const LADDER: [&str; 5] = ["read", "triage", "write", "maintain", "admin"];

fn rank(role: &str) -> usize {
    LADDER.iter().position(|known| *known == role).map_or(0, |rank| rank + 1)
}

fn with_rights(call: &Call<'_>, account: u64, role: &str) -> Value {
    let rank = rank(role);
    let mut user = shapes::user(call.state, Some(account));
    user["role_name"] = json!(role);
    user["permissions"] = json!({
        "pull": rank >= 1,
        "triage": rank >= 2,
        "push": rank >= 3,
        "maintain": rank >= 4,
        "admin": rank >= 5,
    });
    user
}

/// Everybody who was given a role here, and the person who owns it.
fn collaborators(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let least = match call.query("permission") {
        None | Some("pull") => 1,
        Some("triage") => 2,
        Some("push") => 3,
        Some("maintain") => 4,
        Some("admin") => 5,
        Some(_) => return Err(Refusal::invalid("Collaborator", "permission")),
    };
    let is_person = |id: &u64| {
        call.state.accounts.get(id).is_some_and(|account| account.kind == AccountKind::User)
    };
    let mut people: Vec<u64> = known.roles.keys().copied().collect();
    people.push(known.owner);
    people.sort_unstable();
    people.dedup();
    let mut found = Vec::new();
    for id in people.into_iter().filter(is_person) {
        let role = call.state.role(known, id);
        if rank(&role) >= least {
            found.push(with_rights(call, id, &role));
        }
    }
    Ok(call.page(found))
}
