//! A new App from a manifest: what GitHub shows, refuses and hands back.
//!
//! Invariants: an App is made only when the person presses the button; an event needs its
//! permission; a name belongs to one App.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::{Page, Refused, Visit, escape, owner_in, page, redirect};
use crate::level::Level;
use crate::registry::{self, AppSpec, NewApp};
use crate::state::{State, Unclaimed};
use crate::{Emulator, Trouble};

/// What people may write into a manifest, as GitHub documents it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    hook_attributes: Hook,
    #[serde(default)]
    redirect_url: String,
    #[serde(default)]
    setup_url: Option<Url>,
    #[serde(default)]
    callback_urls: Vec<Url>,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "public")]
    _public: bool,
    #[serde(default)]
    default_permissions: BTreeMap<String, String>,
    #[serde(default)]
    default_events: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    #[serde(default)]
    url: String,
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

const LONGEST_NAME: usize = 34;

/// The permissions on repositories, and those of an organisation that Apps ask for most.
const PERMISSIONS: [&str; 24] = [
    "actions",
    "administration",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "environments",
    "issues",
    "members",
    "merge_queues",
    "metadata",
    "organization_administration",
    "packages",
    "pages",
    "pull_requests",
    "repository_hooks",
    "repository_projects",
    "secret_scanning_alerts",
    "secrets",
    "security_events",
    "statuses",
    "vulnerability_alerts",
    "workflows",
];

/// Which permissions let an App hear of an event; any of them will do. An event that is not here
/// cannot be asked for.
fn permissions_for(event: &str) -> Option<&'static [&'static str]> {
    Some(match event {
        "check_run" | "check_suite" => &["checks"],
        "commit_comment" | "create" | "delete" | "fork" | "gollum" | "push" | "release" => {
            &["contents"]
        }
        "deployment" | "deployment_status" => &["deployments"],
        "discussion" | "discussion_comment" => &["discussions"],
        "issue_comment" => &["issues", "pull_requests"],
        "issues" => &["issues"],
        "label" | "milestone" => &["issues", "pull_requests"],
        "member" | "public" | "repository" | "star" | "watch" => &["metadata"],
        "merge_group" => &["merge_queues"],
        "membership" | "organization" | "team" => &["members"],
        "pull_request"
        | "pull_request_review"
        | "pull_request_review_comment"
        | "pull_request_review_thread" => &["pull_requests"],
        "status" => &["statuses"],
        "workflow_dispatch" | "workflow_job" | "workflow_run" => &["actions"],
        _ => return None,
    })
}

/// The page that shows a manifest, or what is wrong with it.
pub(super) fn show(visit: &mut Visit<'_>, path: &[String]) -> Page {
    owner_in(visit, path)?;
    let text = visit.form.get("manifest");
    if text.is_empty() {
        return Ok(page(200, "Register new GitHub App", "<p>Post a manifest here.</p>"));
    }
    let manifest = read(text)?;
    let problems = problems(visit.state, &manifest, &manifest.name);
    if !problems.is_empty() {
        return Ok(retry(path, text, visit.query.get("state"), &manifest.name, &problems));
    }
    Ok(form(200, path, text, visit.query.get("state"), &manifest.name, ""))
}

/// The button: makes the App and sends the person back with a code.
pub(super) fn create(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let owner = owner_in(visit, path)?;
    let (text, state) = (visit.form.get("manifest"), visit.form.get("state"));
    let name = visit.form.get("name").trim();
    let manifest = read(text)?;
    let problems = problems(visit.state, &manifest, name);
    if !problems.is_empty() {
        return Ok(retry(path, text, state, name, &problems));
    }
    let mut back = Url::parse(&manifest.redirect_url)
        .map_err(|_| Refused(422, "Redirect url is not a URL".to_owned()))?;
    let code = make(visit.state, owner, name, manifest);
    back.query_pairs_mut().append_pair("code", &code);
    if !state.is_empty() {
        back.query_pairs_mut().append_pair("state", state);
    }
    Ok(redirect(back.as_str()))
}

impl Emulator {
    /// Makes an App from a manifest, as its owner does on the page: the code for its secrets.
    ///
    /// # Errors
    /// When there is no such account, or GitHub would not take the manifest.
    pub fn create_app_from_manifest(&self, owner: &str, manifest: &str) -> Result<String, Trouble> {
        let mut state = self.lock();
        let owner = state
            .account_named(owner)
            .map(|account| account.id)
            .ok_or_else(|| Trouble::unknown("account", owner))?;
        let manifest = read(manifest).map_err(|Refused(_, why)| Trouble::Refused(why))?;
        let problems = problems(&state, &manifest, &manifest.name);
        if !problems.is_empty() {
            return Err(Trouble::Refused(problems.join("; ")));
        }
        let name = manifest.name.clone();
        Ok(make(&mut state, owner, &name, manifest))
    }
}

/// Makes the App: the code for its secrets.
fn make(state: &mut State, owner: u64, name: &str, manifest: Manifest) -> String {
    let spec = AppSpec {
        slug: slug(name),
        webhook_url: Url::parse(&manifest.hook_attributes.url).ok(),
        webhook_secret: registry::random_hex(),
        permissions: manifest.default_permissions,
        events: manifest.default_events,
    };
    let Manifest { url: external_url, setup_url, callback_urls, .. } = manifest;
    let name = name.to_owned();
    let new = NewApp { owner, name, external_url, setup_url, callback_urls, spec };
    let app = registry::register(state, new);
    let (code, made_at) = (registry::random_hex(), state.now());
    state.unclaimed.push(Unclaimed { code: code.clone(), app, made_at });
    code
}

fn read(text: &str) -> Result<Manifest, Refused> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!(
            "Invalid GitHub App configuration: the configuration does not appear to be a valid \
             GitHub App manifest ({error})."
        );
        Refused(422, message)
    })
}

fn problems(state: &State, manifest: &Manifest, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut unless = |good: bool, problem: &str| {
        if !good {
            found.push(problem.to_owned());
        }
    };
    unless(!name.is_empty(), "Name can't be blank");
    unless(name.chars().count() <= LONGEST_NAME, "Name is too long (maximum is 34 characters)");
    let slug = slug(name);
    let taken =
        state.apps.values().any(|app| app.slug == slug) || state.account_named(&slug).is_some();
    unless(name.is_empty() || !taken, "Name is already taken");
    unless(is_address(&manifest.url), "Url can't be blank");
    unless(is_address(&manifest.redirect_url), "Redirect url must be a valid URL");
    let hook = &manifest.hook_attributes;
    unless(!hook.active || is_address(&hook.url), "Hook url can't be blank");
    let list = |names: Vec<&str>, problem: &str| {
        (!names.is_empty()).then(|| format!("{problem}: {}", names.join(", ")))
    };
    let permissions = &manifest.default_permissions;
    let known =
        |name: &str, level: &str| PERMISSIONS.contains(&name) && Level::parse(level).is_some();
    let unknown = permissions.iter().filter(|(name, level)| !known(name, level));
    let unknown = unknown.map(|(name, _)| name.as_str()).collect();
    found.extend(list(unknown, "Default permission records resource is not included in the list"));
    let events = manifest.default_events.iter().map(String::as_str);
    let unsupported = events.clone().filter(|event| permissions_for(event).is_none()).collect();
    found.extend(list(unsupported, "Default events unsupported"));
    let uncovered = events.filter(|event| {
        let needed = permissions_for(event).unwrap_or_default();
        !needed.iter().any(|name| permissions.contains_key(*name))
    });
    let uncovered = uncovered.collect();
    found.extend(list(uncovered, "Default events are not supported by permissions"));
    found
}

fn is_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// How a name stands in addresses.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn retry(
    path: &[String],
    text: &str,
    state: &str,
    name: &str,
    problems: &[String],
) -> super::Answer {
    let problems = problems.iter().map(|one| format!("<li class=\"error\">{}</li>", escape(one)));
    form(422, path, text, state, name, &format!("<ul>{}</ul>", problems.collect::<String>()))
}

fn form(
    status: u16,
    path: &[String],
    text: &str,
    state: &str,
    name: &str,
    above: &str,
) -> super::Answer {
    let place = path.iter().take_while(|part| *part != "new").map(|part| escape(part));
    let place = place.collect::<Vec<_>>().join("/");
    let (text, state, name) = (escape(text), escape(state), escape(name));
    let body = format!(
        "{above}<form method=\"post\" action=\"/{place}\"><p><label for=\"name\">GitHub App name\
         </label><br><input id=\"name\" name=\"name\" value=\"{name}\" required></p>\
         <input type=\"hidden\" name=\"state\" value=\"{state}\">\
         <input type=\"hidden\" name=\"manifest\" value=\"{text}\">\
         <pre>{text}</pre><button>Create GitHub App</button></form>"
    );
    page(status, "Create GitHub App", &body)
}
