//! How things look as JSON: accounts, Apps, repositories. One file per family.
//!
//! Invariants: every field that GitHub's OpenAPI description requires is there, and only GitHub's
//! names are used; `tests/contract` checks that.

pub(crate) mod checks;
pub(crate) mod commits;
pub(crate) mod issues;
pub(crate) mod pulls;
pub(crate) mod releases;
pub(crate) mod reviews;
pub(crate) mod runs;
pub(crate) mod told;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::state::{Account, AccountKind, App, Installation, State};

/// A moment as GitHub writes it: UTC, whole seconds.
pub(crate) fn moment(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms)
        .unwrap_or_default()
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

pub(crate) fn optional_moment(at_ms: Option<i64>) -> Value {
    at_ms.map_or(Value::Null, |at| json!(moment(at)))
}

/// The opaque name that GraphQL uses.
pub(crate) fn node_id(kind: &str, id: impl std::fmt::Display) -> String {
    STANDARD.encode(format!("{kind}:{id}"))
}

/// The address of something in the API.
pub(crate) fn api(state: &State, path: &str) -> String {
    let web = state.web.as_str().trim_end_matches('/');
    format!("{web}/api/v3{path}")
}

/// The address of something for people.
pub(crate) fn web(state: &State, path: &str) -> String {
    format!("{}{path}", state.web.as_str().trim_end_matches('/'))
}

/// An account; `null` when it is gone.
pub(crate) fn user(state: &State, id: Option<u64>) -> Value {
    let account = id.and_then(|id| state.accounts.get(&id));
    account.map_or(Value::Null, |account| Value::Object(simple_user(state, account)))
}

pub(crate) fn kind_name(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::User => "User",
        AccountKind::Organization => "Organization",
        AccountKind::Bot => "Bot",
    }
}

fn simple_user(state: &State, account: &Account) -> Map<String, Value> {
    let login = &account.login;
    let url = api(state, &format!("/users/{}", login.replace('[', "%5B").replace(']', "%5D")));
    let page = match login.strip_suffix("[bot]") {
        Some(slug) => format!("/apps/{slug}"),
        None => format!("/{login}"),
    };
    let mut user = Map::new();
    for (name, value) in [
        ("login", json!(login)),
        ("id", json!(account.id)),
        ("node_id", json!(node_id("User", account.id))),
        ("avatar_url", json!(web(state, &format!("/avatars/{}", account.id)))),
        ("gravatar_id", json!("")),
        ("html_url", json!(web(state, &page))),
        ("type", json!(kind_name(account.kind))),
        ("user_view_type", json!("public")),
        ("site_admin", json!(false)),
    ] {
        user.insert(name.to_owned(), value);
    }
    for (name, tail) in [
        ("url", ""),
        ("followers_url", "/followers"),
        ("following_url", "/following{/other_user}"),
        ("gists_url", "/gists{/gist_id}"),
        ("starred_url", "/starred{/owner}{/repo}"),
        ("subscriptions_url", "/subscriptions"),
        ("organizations_url", "/orgs"),
        ("repos_url", "/repos"),
        ("events_url", "/events{/privacy}"),
        ("received_events_url", "/received_events"),
    ] {
        user.insert(name.to_owned(), json!(format!("{url}{tail}")));
    }
    user
}

/// An account as its own page shows it.
pub(crate) fn public_user(state: &State, account: &Account) -> Value {
    let mut user = simple_user(state, account);
    for name in ["name", "company", "location", "email", "hireable", "bio"] {
        user.insert(name.to_owned(), Value::Null);
    }
    user.insert("blog".into(), json!(""));
    for name in ["public_repos", "public_gists", "followers", "following"] {
        user.insert(name.to_owned(), json!(0));
    }
    for name in ["created_at", "updated_at"] {
        user.insert(name.to_owned(), json!(moment(account.created_at)));
    }
    Value::Object(user)
}

/// An App.
pub(crate) fn app(state: &State, app: &App) -> Value {
    let page = web(state, &format!("/apps/{}", app.slug));
    json!({
        "id": app.id,
        "client_id": app.client_id,
        "slug": app.slug,
        "node_id": node_id("Integration", app.id),
        "owner": user(state, Some(app.owner)),
        "name": app.name,
        "description": "",
        "external_url": if app.external_url.is_empty() { &page } else { &app.external_url },
        "html_url": page,
        "created_at": moment(app.created_at),
        "updated_at": moment(app.created_at),
        "permissions": app.permissions,
        "events": app.events,
    })
}

/// The App that an account is the bot of; `null` for people.
pub(crate) fn app_behind(state: &State, account: Option<u64>) -> Value {
    let found = state.apps.values().find(|app| Some(app.bot) == account);
    found.map_or(Value::Null, |found| app(state, found))
}

pub(crate) fn installation(state: &State, installation: &Installation) -> Value {
    let id = installation.id;
    let (client_id, slug) = state
        .apps
        .get(&installation.app)
        .map(|app| (app.client_id.clone(), app.slug.clone()))
        .unwrap_or_default();
    let kind = state.accounts.get(&installation.account).map(|account| account.kind);
    json!({
        "id": id,
        "client_id": client_id,
        "account": user(state, Some(installation.account)),
        "repository_selection": "selected",
        "access_tokens_url": api(state, &format!("/app/installations/{id}/access_tokens")),
        "repositories_url": api(state, "/installation/repositories"),
        "html_url": web(state, &format!("/settings/installations/{id}")),
        "app_id": installation.app,
        "app_slug": slug,
        "target_id": installation.account,
        "target_type": kind.map_or("User", kind_name),
        "permissions": installation.permissions,
        "events": installation.events,
        "created_at": moment(installation.created_at),
        "updated_at": moment(installation.created_at),
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": suspended_by(state, installation),
        "suspended_at": optional_moment(installation.suspended_at),
    })
}

fn suspended_by(state: &State, installation: &Installation) -> Value {
    user(state, installation.suspended_at.map(|_| installation.account))
}

/// How a webhook names its installation.
pub(crate) fn installation_stub(id: u64) -> Value {
    json!({ "id": id, "node_id": node_id("IntegrationInstallation", id) })
}

/// How an installation webhook names a repository.
pub(crate) fn repository_stub(state: &State, id: u64) -> Value {
    let Some(repository) = state.repositories.get(&id) else { return Value::Null };
    json!({
        "id": id,
        "node_id": node_id("Repository", id),
        "name": repository.name,
        "full_name": state.full_name(repository),
        "private": repository.private,
    })
}

/// The organisation a repository belongs to, if it does.
pub(crate) fn organization_of(state: &State, repository: u64) -> Option<Value> {
    let owner = state.repositories.get(&repository)?.owner;
    let account = state.accounts.get(&owner)?;
    if account.kind != AccountKind::Organization {
        return None;
    }
    let url = api(state, &format!("/orgs/{}", account.login));
    Some(json!({
        "login": account.login,
        "id": account.id,
        "node_id": node_id("Organization", account.id),
        "url": url,
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events"),
        "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"),
        "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": web(state, &format!("/avatars/{}", account.id)),
        "description": null,
    }))
}

/// The address of a repository in the API, with `tail` behind it.
pub(crate) fn repository_url(state: &State, repository: u64, tail: &str) -> String {
    let name = state.repositories.get(&repository).map(|known| state.full_name(known));
    api(state, &format!("/repos/{}{tail}", name.unwrap_or_default()))
}

/// The page of a repository, with `tail` behind it.
pub(crate) fn repository_page(state: &State, repository: u64, tail: &str) -> String {
    let name = state.repositories.get(&repository).map(|known| state.full_name(known));
    web(state, &format!("/{}{tail}", name.unwrap_or_default()))
}

/// A repository as most answers and every webhook show it; `null` when it is gone.
pub(crate) fn repository(state: &State, id: u64) -> Value {
    let Some(known) = state.repositories.get(&id) else { return Value::Null };
    let name = state.full_name(known);
    let open = known.issues.values().filter(|issue| issue.open).count();
    let page = repository_page(state, id, "");
    let plain = json!({
        "id": id,
        "node_id": node_id("Repository", id),
        "name": known.name,
        "full_name": name,
        "private": known.private,
        "owner": user(state, Some(known.owner)),
        "html_url": page,
        "fork": known.fork_of.is_some(),
        "created_at": moment(known.created_at),
        "updated_at": moment(known.pushed_at),
        "pushed_at": moment(known.pushed_at),
        "git_url": format!("{page}.git").replace("http:", "git:"),
        "ssh_url": format!("git@127.0.0.1:{name}.git"),
        "clone_url": format!("{page}.git"),
        "svn_url": page,
        "open_issues_count": open,
        "open_issues": open,
        "visibility": if known.private { "private" } else { "public" },
        "default_branch": known.default_branch,
        "size": 1,
        "topics": [],
    });
    let Value::Object(mut shape) = plain else { return Value::Null };
    for name in ["description", "homepage", "language", "mirror_url", "license"] {
        shape.insert(name.to_owned(), Value::Null);
    }
    for name in ["stargazers_count", "watchers_count", "forks_count", "forks", "watchers"] {
        shape.insert(name.to_owned(), json!(0));
    }
    for (name, value) in REPOSITORY_SWITCHES {
        shape.insert(name.to_owned(), json!(value));
    }
    let url = repository_url(state, id, "");
    shape.insert("url".to_owned(), json!(url));
    for (name, tail) in REPOSITORY_LINKS {
        shape.insert(format!("{name}_url"), json!(format!("{url}{tail}")));
    }
    Value::Object(shape)
}

const REPOSITORY_SWITCHES: [(&str, bool); 11] = [
    ("has_issues", true),
    ("has_projects", true),
    ("has_downloads", true),
    ("has_wiki", true),
    ("has_pages", false),
    ("has_discussions", false),
    ("archived", false),
    ("disabled", false),
    ("allow_forking", true),
    ("is_template", false),
    ("web_commit_signoff_required", false),
];

const REPOSITORY_LINKS: [(&str, &str); 36] = [
    ("archive", "/{archive_format}{/ref}"),
    ("assignees", "/assignees{/user}"),
    ("blobs", "/git/blobs{/sha}"),
    ("branches", "/branches{/branch}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("comments", "/comments{/number}"),
    ("commits", "/commits{/sha}"),
    ("compare", "/compare/{base}...{head}"),
    ("contents", "/contents/{+path}"),
    ("contributors", "/contributors"),
    ("deployments", "/deployments"),
    ("downloads", "/downloads"),
    ("events", "/events"),
    ("forks", "/forks"),
    ("git_commits", "/git/commits{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("hooks", "/hooks"),
    ("issue_comment", "/issues/comments{/number}"),
    ("issue_events", "/issues/events{/number}"),
    ("issues", "/issues{/number}"),
    ("keys", "/keys{/key_id}"),
    ("labels", "/labels{/name}"),
    ("languages", "/languages"),
    ("merges", "/merges"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("pulls", "/pulls{/number}"),
    ("releases", "/releases{/id}"),
    ("stargazers", "/stargazers"),
    ("statuses", "/statuses/{sha}"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("tags", "/tags"),
    ("teams", "/teams"),
    ("trees", "/git/trees{/sha}"),
];

/// A repository as its own page shows it.
pub(crate) fn full_repository(state: &State, id: u64) -> Value {
    let mut shape = repository(state, id);
    let allows = |method: &str| {
        let known = state.repositories.get(&id);
        json!(known.is_some_and(|known| known.merge_methods.contains(method)))
    };
    for (name, value) in [
        ("network_count", json!(0)),
        ("subscribers_count", json!(1)),
        ("allow_rebase_merge", allows("rebase")),
        ("allow_squash_merge", allows("squash")),
        ("allow_merge_commit", allows("merge")),
        ("allow_auto_merge", json!(false)),
        ("allow_update_branch", json!(false)),
        ("delete_branch_on_merge", json!(false)),
    ] {
        shape[name] = value;
    }
    if let Some(parent) = state.repositories.get(&id).and_then(|known| known.fork_of) {
        shape["parent"] = repository(state, parent);
        shape["source"] = repository(state, parent);
    }
    shape
}
