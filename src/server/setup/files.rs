//! The page that leads to GitHub's own page for a new file, with path and content filled in.
//!
//! Invariants: it needs no secret and changes nothing, so the running server shows it to anybody;
//! a repository and a branch stand in a link only when they are well formed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde::Deserialize;

use super::pages::{FilesPage, Link, Style, guarded, page, security_policy};
use crate::core::examples::Example;
use crate::core::id::{Branch, RepoName};
use crate::core::setup::Hub;

/// What a person typed, and what GitHub adds when it sends somebody here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilesQuery {
    repository: Option<String>,
    branch: Option<String>,
    setup_action: Option<String>,
}

/// `/setup` of a running Gander: where GitHub sends whoever has installed the App.
pub(in crate::server) fn routes<S: Clone + Send + Sync + 'static>(hub: Hub) -> Router<S> {
    let policy = security_policy(&hub.origin());
    let hub = Arc::new(hub);
    let show = move |Query(asked): Query<FilesQuery>| async move {
        let (title, lead) = match asked.setup_action.as_deref() {
            Some("install") => (
                "Gander is installed",
                "It has written nothing and waits for a command. Comment /gander fix on an issue \
                 to start.",
            ),
            Some("request") => (
                "The installation was asked for",
                "An owner of the organisation has to accept it on GitHub. These files can be made \
                 before or after.",
            ),
            _ => ("Add Gander to a repository", "Gander works without any file of its own."),
        };
        show(&hub, &asked, title, lead, false)
    };
    Router::new()
        .route("/setup", get(show))
        .layer(from_fn(move |request: Request, next: Next| guarded(policy.clone(), request, next)))
}

pub(super) fn show(hub: &Hub, asked: &FilesQuery, title: &str, lead: &str, back: bool) -> Response {
    let typed = asked.repository.as_deref().unwrap_or("").trim();
    let branch = asked.branch.as_deref().unwrap_or("main").trim();
    let links = match (typed.is_empty(), asked.repository.is_some()) {
        (true, false) => Ok(Vec::new()),
        _ => links(hub, typed, branch),
    };
    let status = if links.is_err() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (links, problem) = match links {
        Ok(links) => (links, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let hash_missing = Example::ALL.into_iter().any(Example::is_open);
    let shown = FilesPage {
        style: Style,
        title,
        lead,
        problem,
        repository: typed,
        branch,
        links,
        hash_missing,
        back,
    };
    page(status, &shown)
}

fn links(hub: &Hub, typed: &str, branch: &str) -> Result<Vec<Link>, String> {
    let repository = repository(hub, typed).ok_or_else(|| {
        format!(
            "{:?} is not a repository on {hub}: write OWNER/NAME, such as acme/stats, or paste \
             its address.",
            typed.chars().take(100).collect::<String>()
        )
    })?;
    let branch: Branch = branch.parse().map_err(|_| {
        let shown: String = branch.chars().take(100).collect();
        format!("{shown:?} is not a branch: write the name of the default branch, such as main.")
    })?;
    let links = Example::ALL.map(|example| Link {
        path: example.path(),
        purpose: example.purpose(),
        address: example.link(hub, &repository, &branch),
    });
    Ok(links.into())
}

/// `OWNER/NAME`, or the address of any page of the repository.
fn repository(hub: &Hub, typed: &str) -> Option<RepoName> {
    let path = typed.strip_prefix(&hub.origin()).unwrap_or(typed).trim_matches('/');
    let mut parts = path.split('/');
    let (owner, name) = (parts.next()?, parts.next()?);
    let pasted = path.len() < typed.trim_matches('/').len();
    if parts.next().is_some() && !pasted {
        return None;
    }
    format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(name)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_or_its_address_is_pasted() {
        let hub: Hub = "https://github.com".parse().unwrap();
        for typed in [
            "acme/stats",
            "acme/stats/",
            "https://github.com/acme/stats",
            "https://github.com/acme/stats.git",
            "https://github.com/acme/stats/issues/3",
        ] {
            let found = repository(&hub, typed).map(|name| name.to_string());
            assert_eq!(found.as_deref(), Some("acme/stats"), "{typed}");
        }
        for typed in
            ["", "acme", "acme/stats/x", "https://evil.example/acme/stats", "../..", "a/<b>"]
        {
            assert_eq!(repository(&hub, typed), None, "{typed}");
        }
    }
}
