//! The REST API: one table of routes, one way through it.
//!
//! Invariants: every request passes the same gates in the same order: agent, route, credentials,
//! limits, scope, body; a handler only runs when all let it through.

mod actions;
mod apps;
mod call;
mod checks;
mod comments;
mod commits;
mod contents;
mod deliveries;
mod git_data;
mod graphql;
mod issues;
mod labels;
mod merges;
pub(crate) mod moved;
mod people;
mod pulls;
mod refs;
mod releases;
mod repositories;
mod review_comments;
mod reviews;
mod rulesets;

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

pub(crate) use self::call::Call;
use super::auth::{Principal, authenticate};
use super::git::Git;
use super::level::Level;
use super::limits::{Cost, Excess};
use super::state::State;
pub(crate) use crate::answer::{Answer, Content, Refusal};

/// Where files of releases go, as on an Enterprise Server.
pub(crate) const UPLOADS: &str = "/api/uploads";

/// What came of a request.
pub(crate) type Outcome = Result<Answer, Refusal>;

pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// `{name}` is one segment, `{name...}` as many as there are.
    pub(crate) pattern: &'static str,
    access: Access,
    act: fn(&mut Call<'_>) -> Outcome,
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Anybody.
    Open,
    /// An App with its own token.
    App,
    /// Any installation token.
    Token,
    /// A token of a person.
    Person,
    /// A token for this repository with this permission.
    Scope(&'static str, Level),
    /// As above, with the permission for what `{number}` is: an issue or a pull request.
    Thread(Level),
    /// As above, for the thread that comment `{id}` stands in.
    CommentThread(Level),
}

const fn route(
    method: &'static str,
    pattern: &'static str,
    access: Access,
    act: fn(&mut Call<'_>) -> Outcome,
) -> Route {
    Route { method, pattern, access, act }
}

/// All routes, family by family.
pub(crate) fn routes() -> Vec<&'static Route> {
    let families: [&'static [Route]; 20] = [
        apps::ROUTES,
        deliveries::ROUTES,
        repositories::ROUTES,
        contents::ROUTES,
        git_data::ROUTES,
        refs::ROUTES,
        commits::ROUTES,
        rulesets::ROUTES,
        issues::ROUTES,
        comments::ROUTES,
        labels::ROUTES,
        people::ROUTES,
        pulls::ROUTES,
        checks::ROUTES,
        reviews::ROUTES,
        review_comments::ROUTES,
        merges::ROUTES,
        actions::ROUTES,
        graphql::ROUTES,
        releases::ROUTES,
    ];
    families.into_iter().flatten().collect()
}

/// Answers one request. `path` stands below the API's root.
pub(crate) fn answer(state: &mut State, parts: &Parts, path: &str, body: &Bytes) -> Answer {
    let now = state.now();
    let method = parts.method.as_str();
    if let Some(name) = sent_twice(&parts.headers) {
        let message = format!("The request header {name} came more than once");
        return Refusal::new(400, &message).into_answer();
    }
    let agent = parts.headers.get("user-agent").is_some_and(|agent| !agent.is_empty());
    if !agent {
        let message = "Request forbidden by administrative rules. Please make sure your request \
                       has a User-Agent header";
        return Refusal::new(403, message).into_answer();
    }
    if let Some(version) = parts.headers.get("x-github-api-version")
        && !matches!(version.as_bytes(), b"2022-11-28" | b"2026-03-10")
    {
        return Refusal::new(400, "The API version is not supported").into_answer();
    }
    if let Some(answer) = moved::redirect(state, path, parts.uri.query()) {
        return answer;
    }
    let Some((route, params)) = find(method, path) else {
        let route = format!("{method} {path}");
        state.unknown_routes.push(route.clone());
        return unknown_route(&route);
    };
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let principal = match authenticate(state, authorization) {
        Ok(principal) => principal,
        Err(refusal) => return refusal.into_answer(),
    };
    let who = principal.bucket(state);
    let limited = state.profile.limits_rates();
    let admitted = if limited { state.limits.admit(&who, cost(method, path), now) } else { Ok(()) };
    let mut answer = match admitted {
        Err(excess) => turned_away(excess),
        Ok(()) => {
            let query = parts.uri.query().unwrap_or("");
            let accept = parts.headers.get("accept").and_then(|value| value.to_str().ok());
            let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
            let request = call::Request {
                path,
                query,
                accept: accept.unwrap_or(""),
                content_type: kind.unwrap_or("application/octet-stream"),
                is_upload: parts.uri.path().starts_with(UPLOADS),
                body,
            };
            run(state, route, params, principal, &request)
        }
    };
    if let Some(tag) = entity_tag(method, &answer) {
        answer.headers.push(("etag".to_owned(), tag.clone()));
        let known = parts.headers.get("if-none-match").and_then(|value| value.to_str().ok());
        if known.is_some_and(|known| known.split(", ").any(|known| known == tag)) {
            state.limits.refund(&who, now);
            answer.status = 304;
            answer.content = Content::Empty;
        }
    }
    if limited {
        answer.headers.extend(rate_headers(state, &who, now));
    }
    for (name, value) in [
        ("x-github-request-id", uuid::Uuid::new_v4().simple().to_string()),
        ("x-github-media-type", "github.v3; format=json".to_owned()),
        ("server", "github.com".to_owned()),
        ("date", http_date(now)),
    ] {
        answer.headers.push((name.to_owned(), value));
    }
    answer
}

fn rate_headers(state: &mut State, who: &str, now: i64) -> Vec<(String, String)> {
    let standing = state.limits.standing(who, now);
    let headers = [
        ("limit", standing.limit.to_string()),
        ("remaining", standing.remaining().to_string()),
        ("used", standing.used.to_string()),
        ("reset", (standing.reset_at / 1000).to_string()),
        ("resource", "core".to_owned()),
    ];
    headers.map(|(name, value)| (format!("x-ratelimit-{name}"), value)).into()
}

/// A server in front may join equal headers into one value, which then means nothing.
fn sent_twice(headers: &http::HeaderMap) -> Option<&http::HeaderName> {
    headers.keys().find(|name| headers.get_all(*name).iter().nth(1).is_some())
}

fn run(
    state: &mut State,
    route: &Route,
    params: Vec<(&'static str, String)>,
    principal: Principal,
    request: &call::Request<'_>,
) -> Answer {
    let outcome = Call::new(state, params, principal, request).and_then(|mut call| {
        call.state.profile.knows(route.pattern)?;
        permit(&mut call, route)?;
        (route.act)(&mut call)
    });
    outcome.unwrap_or_else(Refusal::into_answer)
}

/// The answer to a route the emulator does not have.
pub(crate) fn unknown_route(route: &str) -> Answer {
    let message = format!("The emulator has no route {route}");
    Refusal::new(501, &message).into_answer()
}

fn cost(method: &str, path: &str) -> Cost {
    match method {
        "GET" | "HEAD" | "OPTIONS" => Cost::Read,
        _ if path.starts_with("/repos/") => Cost::Content,
        _ => Cost::Write,
    }
}

fn turned_away(excess: Excess) -> Answer {
    match excess {
        Excess::Primary => {
            Refusal::new(403, "API rate limit exceeded for installation.").into_answer()
        }
        Excess::Secondary(seconds) => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes \
                           before you try again.";
            let mut answer = Refusal::new(403, message).into_answer();
            answer.headers.push(("retry-after".to_owned(), seconds.to_string()));
            answer
        }
    }
}

fn entity_tag(method: &str, answer: &Answer) -> Option<String> {
    use sha2::{Digest, Sha256};
    if method != "GET" || answer.status != 200 {
        return None;
    }
    let digest = match &answer.content {
        Content::Json(json) => Sha256::digest(json.to_string()),
        Content::Bytes(_, bytes) => Sha256::digest(bytes),
        Content::Empty => return None,
    };
    Some(format!("W/\"{}\"", hex::encode(digest)))
}

fn http_date(at_ms: i64) -> String {
    let moment = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The pattern of the route that a request takes.
pub(crate) fn pattern_of(method: &str, path: &str) -> Option<&'static str> {
    find(method, path).map(|(route, _)| route.pattern)
}

/// The route for a request, with what its pattern's names stand for. The route that spells out
/// most of the path wins.
fn find(method: &str, path: &str) -> Option<(&'static Route, Vec<(&'static str, String)>)> {
    let given: Vec<&str> = path.trim_matches('/').split('/').collect();
    routes()
        .into_iter()
        .filter(|route| route.method == method)
        .filter_map(|route| Some((route, fit(route.pattern, &given)?)))
        .max_by_key(|(route, _)| {
            route.pattern.split('/').filter(|piece| !piece.starts_with('{')).count()
        })
}

fn fit(pattern: &'static str, given: &[&str]) -> Option<Vec<(&'static str, String)>> {
    let wanted: Vec<&'static str> = pattern.trim_matches('/').split('/').collect();
    let mut params = Vec::new();
    let mut at = 0;
    for (index, piece) in wanted.iter().enumerate() {
        let name = piece.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        let Some(name) = name else {
            if given.get(at) != Some(piece) {
                return None;
            }
            at += 1;
            continue;
        };
        let (name, count) = match name.strip_suffix("...") {
            Some(name) => (name, given.len().checked_sub(at + wanted.len() - index - 1)?),
            None => (name, 1),
        };
        let taken = given.get(at..at + count).filter(|taken| !taken.is_empty())?;
        params.push((name, decode(&taken.join("/"))));
        at += count;
    }
    (at == given.len()).then_some(params)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Lets a call through to its handler, or says why not.
fn permit(call: &mut Call<'_>, route: &Route) -> Result<(), Refusal> {
    match (route.access, call.principal) {
        (Access::Open, _) | (Access::App, Principal::App(_)) => return Ok(()),
        (Access::App, _) => {
            return Err(Refusal::new(401, "A JSON web token could not be decoded"));
        }
        (Access::Token, Principal::Installation(_)) | (Access::Person, Principal::Person(_)) => {
            return Ok(());
        }
        (Access::Token | Access::Person, _) => {
            return Err(Refusal::new(401, "Requires authentication"));
        }
        _ => {}
    }
    let repository = call.find_repository()?;
    let reads = route.method == "GET";
    let Some(token) = call.token() else {
        if matches!(call.principal, Principal::App(_)) {
            return Err(Refusal::new(401, "Bad credentials"));
        }
        let public = !call.state.repository(repository)?.private;
        return match (public, reads) {
            (true, true) => Ok(()),
            (true, false) => Err(Refusal::new(401, "Requires authentication")),
            (false, _) => Err(Refusal::not_found()),
        };
    };
    if !token.repositories.contains(&repository) {
        let public = !call.state.repository(repository)?.private;
        return match (public, reads) {
            (true, true) => Ok(()),
            (true, false) => Err(Refusal::forbidden("metadata", Level::Read)),
            (false, _) => Err(Refusal::not_found()),
        };
    }
    let thread = |number: Option<u64>| {
        let issue = number.and_then(|number| call.state.issue(repository, number).ok());
        if issue.is_some_and(|issue| issue.pull.is_some()) { "pull_requests" } else { "issues" }
    };
    let (permission, level) = match route.access {
        Access::Scope(permission, level) => (permission, level),
        Access::Thread(level) => (thread(call.param("number").parse().ok()), level),
        Access::CommentThread(level) => {
            let id: u64 = call.param("id").parse().unwrap_or(0);
            let comment = call.state.repository(repository)?.comments.get(&id);
            (thread(comment.map(|comment| comment.issue)), level)
        }
        Access::Open | Access::App | Access::Token | Access::Person => return Ok(()),
    };
    if token.allows(permission, level) {
        return Ok(());
    }
    Err(Refusal::forbidden(permission, level))
}

/// Lets git in, or says why not: the repository, its directory and who came.
pub(crate) fn admit_git(
    state: &State,
    authorization: Option<&str>,
    (owner, name): (&str, &str),
    writes: bool,
) -> Result<(u64, Git, Option<u64>), Answer> {
    let challenge = || {
        let text = b"Authentication required\n".to_vec();
        let headers = vec![("www-authenticate".to_owned(), "Basic realm=\"GitHub\"".to_owned())];
        Answer { status: 401, headers, content: Content::Bytes("text/plain".to_owned(), text) }
    };
    let missing = || {
        let text = b"Repository not found.\n".to_vec();
        let content = Content::Bytes("text/plain".to_owned(), text);
        Answer { status: 404, headers: Vec::new(), content }
    };
    let principal = authenticate(state, authorization).map_err(|_| challenge())?;
    let known = state.repository_named(owner, name);
    let public = known.is_some_and(|known| !known.private);
    let Principal::Installation(token) = principal else {
        return match known {
            Some(known) if public && !writes => Ok((known.id, known.git.clone(), None)),
            _ => Err(challenge()),
        };
    };
    let known = known.ok_or_else(missing)?;
    let token = state.tokens.get(token).ok_or_else(challenge)?;
    let inside = token.repositories.contains(&known.id);
    let level = if writes { Level::Write } else { Level::Read };
    let granted = inside && token.allows("contents", level);
    let open = public && !writes;
    if !granted && !open {
        if inside && writes {
            let text = b"Write access to repository not granted.\n".to_vec();
            let content = Content::Bytes("text/plain".to_owned(), text);
            return Err(Answer { status: 403, headers: Vec::new(), content });
        }
        return Err(missing());
    }
    let app = state.installations.get(&token.installation).map(|one| one.app);
    let bot = app.and_then(|app| state.apps.get(&app)).map(|app| app.bot);
    Ok((known.id, known.git.clone(), bot))
}

/// A list of things under a name, with how many there are in all.
fn counted(call: &Call<'_>, name: &str, items: Vec<Value>) -> Answer {
    let total = items.len();
    let mut answer = call.page(items);
    if let Content::Json(list) = &mut answer.content {
        let items = list.take();
        *list = serde_json::json!({ "total_count": total, name: items });
    }
    answer
}
