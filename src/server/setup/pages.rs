//! How the pages look, and the headers every one of them carries.
//!
//! Invariants: templates escape whatever is put into them; no page runs a script, loads anything,
//! is kept, framed, or tells another site where the visitor came from; forms go to ourselves or to
//! the one GitHub.

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::core::checklist::ChecklistItem;

const STYLE: &str = include_str!("../pages/style.css");

/// The first page: what the App is to be.
#[derive(Template)]
#[template(path = "plan.html")]
pub(super) struct PlanPage<'a> {
    pub(super) style: Style,
    pub(super) problem: Option<String>,
    pub(super) name: &'a str,
    pub(super) organization: &'a str,
    pub(super) public_url: &'a str,
    pub(super) hub: &'a str,
    pub(super) form: &'a str,
}

/// The second: a look at it, and the button that takes it to GitHub.
#[derive(Template)]
#[template(path = "create.html")]
pub(super) struct CreatePage<'a> {
    pub(super) style: Style,
    pub(super) name: &'a str,
    pub(super) owner: &'a str,
    pub(super) webhook: &'a str,
    pub(super) hub: &'a str,
    pub(super) permissions: Vec<(String, String)>,
    pub(super) events: Vec<String>,
    pub(super) action: &'a str,
    pub(super) manifest: &'a str,
}

/// The third: what to do with the App.
#[derive(Template)]
#[template(path = "done.html")]
pub(super) struct DonePage<'a> {
    pub(super) style: Style,
    pub(super) name: &'a str,
    pub(super) directory: &'a str,
    pub(super) command: &'a str,
    pub(super) install: &'a str,
    pub(super) warning: Option<&'a str>,
    pub(super) form: &'a str,
}

/// The files of a repository.
#[derive(Template)]
#[template(path = "files.html")]
pub(super) struct FilesPage<'a> {
    pub(super) style: Style,
    pub(super) title: &'a str,
    pub(super) lead: &'a str,
    pub(super) problem: Option<String>,
    pub(super) repository: &'a str,
    pub(super) branch: &'a str,
    pub(super) links: Vec<Link>,
    pub(super) hash_missing: bool,
    pub(super) back: bool,
}

/// One file, and where to make it.
pub(super) struct Link {
    pub(super) path: &'static str,
    pub(super) purpose: &'static str,
    pub(super) address: String,
}

/// The checklist.
#[derive(Template)]
#[template(path = "check.html")]
pub(in crate::server) struct CheckPage<'a> {
    pub(in crate::server) style: Style,
    pub(in crate::server) items: &'a [ChecklistItem],
    pub(in crate::server) is_running: bool,
    pub(in crate::server) summary: String,
    pub(in crate::server) action: &'a str,
    pub(in crate::server) form: &'a str,
    pub(in crate::server) back: Option<&'a str>,
}

/// Something that went wrong, or is over.
#[derive(Template)]
#[template(path = "message.html")]
pub(in crate::server) struct MessagePage<'a> {
    pub(in crate::server) style: Style,
    pub(in crate::server) title: &'a str,
    pub(in crate::server) why: &'a str,
    pub(in crate::server) next: &'a str,
    pub(in crate::server) command: Option<&'a str>,
    pub(in crate::server) again: bool,
}

/// The one style sheet, which stands in every page.
pub(in crate::server) struct Style;

impl Style {
    /// Its text.
    fn text(&self) -> &'static str {
        STYLE
    }
}

/// A page with a status.
pub(in crate::server) fn page(status: StatusCode, page: &impl Template) -> Response {
    let html = page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be written");
        "<!doctype html><title>Gander</title><p>This page could not be written.".to_owned()
    });
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(in crate::server) fn message(
    status: StatusCode,
    title: &str,
    why: &str,
    next: &str,
) -> Response {
    page(status, &MessagePage { style: Style, title, why, next, command: None, again: false })
}

/// What every page says to the browser. `origin` is the GitHub that forms may go to.
pub(in crate::server) fn security_policy(origin: &str) -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self' {origin}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Adds the headers that every answer carries.
pub(in crate::server) async fn guarded(
    policy: HeaderValue,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
