//! The App itself, its installations and their tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Access, Answer, Call, Outcome, Refusal, Route, counted, route};
use crate::auth::issue_token;
use crate::level::Level;
use crate::state::Installation;
use crate::{registry, shapes};

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/app", Access::App, show),
    route("GET", "/apps/{app_slug}", Access::Open, show_by_slug),
    route("GET", "/app/installations", Access::App, list),
    route("GET", "/app/installations/{id}", Access::App, show_installation),
    route("POST", "/app/installations/{id}/access_tokens", Access::App, create_token),
    route("GET", "/repos/{owner}/{repo}/installation", Access::App, of_repository),
    route("GET", "/installation/repositories", Access::Token, list_repositories),
    route("DELETE", "/installation/token", Access::Token, revoke_token),
    route("GET", "/rate_limit", Access::Open, rate_limit),
    route("POST", "/app-manifests/{code}/conversions", Access::Open, convert_manifest),
];

fn show(call: &mut Call<'_>) -> Outcome {
    let app = call.app()?;
    let mut shape = shapes::app(call.state, app);
    let here = call.state.installations.values().filter(|known| known.app == app.id).count();
    shape["installations_count"] = json!(here);
    Ok(Answer::ok(shape))
}

fn show_by_slug(call: &mut Call<'_>) -> Outcome {
    let slug = call.param("app_slug");
    let app = call.state.apps.values().find(|app| app.slug == slug);
    Ok(Answer::ok(shapes::app(call.state, app.ok_or_else(Refusal::not_found)?)))
}

fn list(call: &mut Call<'_>) -> Outcome {
    let app = call.app()?.id;
    let mine = call.state.installations.values().filter(|known| known.app == app);
    let shapes = mine.map(|known| shapes::installation(call.state, known)).collect();
    Ok(call.page(shapes))
}

fn installation<'c>(call: &'c Call<'_>) -> Result<&'c Installation, Refusal> {
    let (app, id) = (call.app()?.id, call.number("id")?);
    let known = call.state.installations.get(&id).filter(|known| known.app == app);
    known.ok_or_else(Refusal::not_found)
}

fn show_installation(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shapes::installation(call.state, installation(call)?)))
}

fn of_repository(call: &mut Call<'_>) -> Outcome {
    let (app, repository) = (call.app()?.id, call.find_repository()?);
    let mut all = call.state.installations.values();
    let known = all.find(|known| known.app == app && known.repositories.contains(&repository));
    let known = known.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(shapes::installation(call.state, known)))
}

fn create_token(call: &mut Call<'_>) -> Outcome {
    let known = installation(call)?;
    if known.suspended_at.is_some() {
        return Err(Refusal::new(403, "This installation has been suspended"));
    }
    let id = known.id;
    let repositories = narrowed_repositories(call, known)?;
    let narrowed = call.body["repositories"].is_array() || call.body["repository_ids"].is_array();
    let permissions = narrowed_permissions(&call.body["permissions"], &known.permissions)?;
    let token = issue_token(call.state, id, repositories, permissions);
    let token = call.state.tokens.get(token).ok_or_else(Refusal::not_found)?;
    let mut shape = json!({
        "token": token.text,
        "expires_at": shapes::moment(token.expires_at),
        "permissions": token.permissions,
        "repository_selection": "selected",
    });
    if narrowed {
        let ids = token.repositories.iter();
        let list: Vec<_> = ids.map(|id| shapes::repository(call.state, *id)).collect();
        shape["repositories"] = json!(list);
    }
    Ok(Answer::created(shape))
}

fn narrowed_repositories(call: &Call<'_>, known: &Installation) -> Result<BTreeSet<u64>, Refusal> {
    let refused = || {
        let message = "There is at least one repository that does not exist or is not accessible \
                       to the parent installation.";
        Refusal::new(422, message)
    };
    let mut wanted = BTreeSet::new();
    for id in call.body["repository_ids"].as_array().into_iter().flatten() {
        let id = id.as_u64().filter(|id| known.repositories.contains(id));
        wanted.insert(id.ok_or_else(refused)?);
    }
    for name in call.texts("repositories") {
        let found = known.repositories.iter().find(|id| {
            let repository = call.state.repositories.get(id);
            repository.is_some_and(|repository| repository.name.eq_ignore_ascii_case(&name))
        });
        wanted.insert(*found.ok_or_else(refused)?);
    }
    if wanted.is_empty() { Ok(known.repositories.clone()) } else { Ok(wanted) }
}

fn narrowed_permissions(
    wanted: &Value,
    granted: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let refused = || {
        let message = "The permissions requested are not granted to this installation.";
        Refusal::new(422, message)
    };
    let mut granted = granted.clone();
    granted.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
    let Some(wanted) = wanted.as_object().filter(|wanted| !wanted.is_empty()) else {
        return Ok(granted);
    };
    let mut narrowed = BTreeMap::new();
    for (name, level) in wanted {
        let asked = level.as_str().and_then(Level::parse).ok_or_else(refused)?;
        let had = granted.get(name).and_then(|level| Level::parse(level));
        if had.is_none_or(|had| had < asked) {
            return Err(refused());
        }
        narrowed.insert(name.clone(), asked.as_str().to_owned());
    }
    narrowed.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
    Ok(narrowed)
}

fn list_repositories(call: &mut Call<'_>) -> Outcome {
    let ids: Vec<u64> =
        call.token().into_iter().flat_map(|token| token.repositories.iter().copied()).collect();
    let list = ids.into_iter().map(|id| shapes::repository(call.state, id)).collect();
    Ok(counted(call, "repositories", list))
}

fn revoke_token(call: &mut Call<'_>) -> Outcome {
    if let crate::auth::Principal::Installation(token) = call.principal
        && let Some(token) = call.state.tokens.get_mut(token)
    {
        token.revoked = true;
    }
    Ok(Answer::nothing())
}

fn rate_limit(call: &mut Call<'_>) -> Outcome {
    let (who, now) = (call.principal.bucket(call.state), call.state.now());
    // Asking is free.
    call.state.limits.refund(&who, now);
    let standing = call.state.limits.standing(&who, now);
    let core = json!({
        "limit": standing.limit,
        "used": standing.used,
        "remaining": standing.remaining(),
        "reset": standing.reset_at / 1000,
    });
    let search = json!({ "limit": 30, "used": 0, "remaining": 30, "reset": now / 1000 + 60 });
    let resources = json!({ "core": core, "search": search });
    Ok(Answer::ok(json!({ "resources": resources, "rate": core })))
}

/// How long the code of a new App is good for, in milliseconds.
const CODE_LIFE: i64 = 3_600_000;

/// Hands out the secrets of an App that was made on a page: once.
fn convert_manifest(call: &mut Call<'_>) -> Outcome {
    let (code, now) = (call.param("code").to_owned(), call.state.now());
    let unclaimed = &mut call.state.unclaimed;
    let at = unclaimed.iter().position(|one| one.code == code && now < one.made_at + CODE_LIFE);
    let app = unclaimed.remove(at.ok_or_else(Refusal::not_found)?).app;
    let pem = registry::new_key(call.state, app)?;
    let app = call.state.apps.get(&app).ok_or_else(Refusal::not_found)?;
    let mut shape = shapes::app(call.state, app);
    shape["client_secret"] = json!(app.client_secret);
    shape["webhook_secret"] = json!(app.webhook_secret);
    shape["pem"] = json!(pem);
    Ok(Answer::created(shape))
}
