//! Other servers that keep GitHub's description: what it leaves optional is not there, and what it
//! leaves open is otherwise; and an Enterprise Server, which has a description of its own.
//!
//! Invariants: what an Enterprise Server does otherwise stands in GitHub's documentation, and the
//! page is named beside it; which members must be there comes from GitHub's description
//! (`required.txt`), not from us.

mod required;

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use self::required::Required;
use super::answer::{Answer, Content, Refusal};
use super::{Emulator, Trouble};

/// Whose GitHub it is.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum ServerKind {
    /// github.com.
    #[default]
    GitHub,
    /// A server that sends of its answers and webhooks only the members that GitHub's description
    /// requires.
    RequiredOnly,
    /// GitHub Enterprise Server, as it is installed: without rate limits.
    Enterprise,
}

/// The version of the Enterprise Server, in whose description `NOT_IN_ENTERPRISE` was looked up.
const ENTERPRISE_VERSION: &str = "3.19.0";

/// What 3.19 does not offer and github.com does. Attestations: "Using artifact attestations to
/// establish provenance for builds" says that they are not for Enterprise Server; its description
/// has no such operation. Rate limits are off until an administrator switches them on
/// ("Configuring rate limits"), and then its answer is 404 ("REST API endpoints for rate limits").
const NOT_IN_ENTERPRISE: [(&str, &str); 2] = [
    ("/repos/{owner}/{repo}/attestations/{digest}", "Not Found"),
    ("/rate_limit", "Rate limiting is not enabled."),
];

/// How answers differ from those of github.com.
#[derive(Debug, Default)]
pub(crate) struct ServerProfile {
    kind: ServerKind,
    left_out: BTreeSet<String>,
    other_host: Option<String>,
    required: Option<Required>,
}

impl ServerProfile {
    /// Changes an answer to a request (method and route) as the other server would give it.
    pub(crate) fn apply(&self, answer: &mut Answer, (method, route): (&str, &str)) {
        if let Content::Json(json) = &mut answer.content {
            self.leave_out(json);
            if let Some(required) = &self.required {
                required.trim(&format!("{method} {route} {}", answer.status), json);
            }
        }
        if self.kind == ServerKind::Enterprise {
            // Sent with every answer: "About versions of GitHub Docs".
            let version = ("x-github-enterprise-version", ENTERPRISE_VERSION);
            answer.headers.push((version.0.to_owned(), version.1.to_owned()));
        }
        let Some(host) = &self.other_host else { return };
        for (_, value) in answer.headers.iter_mut().filter(|(name, _)| name == "link") {
            *value = value.split("://127.0.0.1").collect::<Vec<_>>().join(&format!("://{host}"));
        }
    }

    /// Changes what a webhook (event and action) says.
    pub(crate) fn apply_to_webhook(&self, json: &mut Value, of: (&str, Option<&str>)) {
        if let Some(required) = &self.required {
            let (event, action) = of;
            let dot = if action.is_some() { "." } else { "" };
            required.trim(&format!("{event}{dot}{}", action.unwrap_or("")), json);
        }
    }

    /// What an Enterprise Server says of itself with a webhook ("Webhook events and payloads",
    /// delivery headers).
    pub(crate) fn webhook_headers(&self, web: &Url) -> Vec<(String, String)> {
        if self.kind != ServerKind::Enterprise {
            return Vec::new();
        }
        let host = web.host_str().unwrap_or_default().to_owned();
        vec![
            ("X-GitHub-Enterprise-Version".to_owned(), ENTERPRISE_VERSION.to_owned()),
            ("X-GitHub-Enterprise-Host".to_owned(), host),
        ]
    }

    /// Whether it counts requests.
    pub(crate) fn limits_rates(&self) -> bool {
        self.kind != ServerKind::Enterprise
    }

    /// Refuses a route that the server does not offer.
    pub(crate) fn knows(&self, route: &str) -> Result<(), Refusal> {
        let missing = NOT_IN_ENTERPRISE.iter().find(|(pattern, _)| *pattern == route);
        match missing.filter(|_| self.kind == ServerKind::Enterprise) {
            Some((_, message)) => Err(Refusal::new(404, message)),
            None => Ok(()),
        }
    }

    fn leave_out(&self, json: &mut Value) {
        if self.left_out.is_empty() {
            return;
        }
        match json {
            Value::Object(fields) => {
                fields.retain(|name, _| !self.left_out.contains(name));
                fields.values_mut().for_each(|value| self.leave_out(value));
            }
            Value::Array(items) => items.iter_mut().for_each(|value| self.leave_out(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

impl Emulator {
    /// From now on it is a server of this kind.
    pub fn becomes(&self, kind: ServerKind) {
        let profile = &mut self.lock().profile;
        profile.kind = kind;
        profile.required = (kind == ServerKind::RequiredOnly).then(Required::read);
    }

    pub(crate) fn server(&self) -> ServerKind {
        self.lock().profile.kind
    }

    /// From now on these fields, which GitHub's description calls optional, stand in no answer.
    pub fn leave_out(&self, fields: &[&str]) {
        self.lock().profile.left_out = fields.iter().map(|field| (*field).to_owned()).collect();
    }

    /// From now on links to the next page name this host, by which the server also goes.
    ///
    /// # Errors
    /// When it is no name of a host.
    pub fn goes_by(&self, host: &str) -> Result<(), Trouble> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.is_empty() || !host.chars().all(plain) {
            return Err(Trouble::unknown("host", host));
        }
        self.lock().profile.other_host = Some(host.to_owned());
        Ok(())
    }
}
