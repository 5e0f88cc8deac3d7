//! What a new App is to be: its name, its owner, where it is reached; and its manifest.
//!
//! Invariants: permissions and events are those of `app-manifest.json` and nothing else; an
//! address that GitHub could not reach, or that would carry webhooks unencrypted, is refused with
//! the reason, except on a GitHub that runs on this machine itself.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The manifest as it stands in our repository.
pub const MANIFEST: &str = include_str!("../../app-manifest.json");

/// The name an App gets when nobody says another.
pub const DEFAULT_NAME: &str = "Gander";

/// A GitHub: the one of the whole world, or an Enterprise Server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub(Url);

/// What is to become an App.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SetupPlan {
    pub name: String,
    /// The organisation that is to own it; `None`: whoever makes it.
    pub organization: Option<String>,
    /// Where GitHub reaches Gander.
    pub public_url: Url,
}

/// A wish that cannot be met. Says what, why, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WishError(String);

/// `app-manifest.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppManifest {
    name: String,
    url: String,
    description: String,
    public: bool,
    hook_attributes: Hook,
    redirect_url: String,
    setup_url: String,
    callback_urls: Vec<String>,
    /// What the App may do, as `contents` → `write`.
    pub default_permissions: BTreeMap<String, String>,
    /// What it hears of, as `issue_comment`.
    pub default_events: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    url: String,
    active: bool,
}

/// Where people come back to from GitHub when they sign in, below the public address.
pub const SIGNED_IN: &str = "/signed-in";
/// The same for those who show on Slack who they are.
pub const LINKED: &str = "/slack/linked";

/// GitHub takes no longer names of Apps.
const LONGEST_NAME: usize = 34;
const LONGEST_ORGANIZATION: usize = 39;

impl FromStr for Hub {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, WishError> {
        let example = "give its address as https://github.com or https://github.example.org";
        let url = Url::parse(text.trim())
            .map_err(|error| WishError(format!("{text:?} is no address ({error}): {example}")))?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare || url.host().is_none() {
            return Err(WishError(format!("{text:?} is more or less than a GitHub: {example}")));
        }
        let hub = Self(url);
        let safe = hub.0.scheme() == "https" || (hub.0.scheme() == "http" && hub.is_local());
        if !safe {
            let why = "the App's private key would cross the network unencrypted";
            return Err(WishError(format!("{text:?} is not https, so {why}: {example}")));
        }
        Ok(hub)
    }
}

impl Hub {
    /// The address people and git use.
    pub fn web(&self) -> &Url {
        &self.0
    }

    /// Scheme, host and port, as a browser compares them.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// How people call it: its host, as `github.com`.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it runs on this very machine, as a GitHub emulator does.
    pub fn is_local(&self) -> bool {
        self.0.host().is_some_and(|host| is_local(&host))
    }

    /// The address of its REST API.
    pub fn api(&self) -> Url {
        let host = self.0.host_str().unwrap_or_default();
        let mut url = self.0.clone();
        if host == "github.com" || host.ends_with(".ghe.com") {
            // A host with a name takes another name.
            let _ = url.set_host(Some(&format!("api.{host}")));
        } else {
            url.set_path("/api/v3");
        }
        url
    }

    /// A page; the parts are written one after the other.
    pub fn page(&self, parts: &[&str]) -> Url {
        let mut url = self.0.clone();
        url.set_path(&parts.concat());
        url
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl SetupPlan {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// The first wish that cannot be met.
    pub fn read(
        name: &str,
        organization: &str,
        public_url: &str,
        hub: &Hub,
    ) -> Result<Self, WishError> {
        Ok(Self {
            name: read_name(name)?,
            organization: read_organization(organization)?,
            public_url: read_public_url(public_url, hub)?,
        })
    }

    /// The name in addresses, as GitHub makes it from the App's.
    pub fn slug(&self) -> String {
        let lower = self.name.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// The same name with its owner's before it, for where somebody else has it: the organisation,
    /// or who the address belongs to.
    pub fn own_name(&self) -> String {
        let host = self.public_url.domain().unwrap_or_default();
        let of_host = host.rsplit('.').nth(1).filter(|label| !label.is_empty());
        let owner = self.organization.as_deref().or(of_host).unwrap_or("my");
        format!("{owner} {}", self.name).chars().take(LONGEST_NAME).collect()
    }

    /// Where GitHub sends webhooks.
    pub fn webhook_url(&self) -> String {
        self.below("/github/webhook")
    }

    /// Where GitHub sends a person who has installed the App.
    pub fn setup_url(&self) -> String {
        self.below("/setup")
    }

    /// Where GitHub sends a person who has signed in.
    pub fn callback_url(&self) -> String {
        self.below(SIGNED_IN)
    }

    /// The page of GitHub that takes the manifest.
    pub fn form_address(&self, hub: &Hub, state: &str) -> String {
        let mut url = match &self.organization {
            Some(name) => hub.page(&["/organizations/", name, "/settings/apps/new"]),
            None => hub.page(&["/settings/apps/new"]),
        };
        url.query_pairs_mut().append_pair("state", state);
        url.into()
    }

    /// The manifest, filled in; GitHub sends the person back to `redirect_url`.
    ///
    /// # Errors
    /// When our own manifest cannot be read: never, as a test shows.
    pub fn manifest(&self, redirect_url: String) -> Result<String, serde_json::Error> {
        let ours = AppManifest::ours()?;
        serde_json::to_string_pretty(&AppManifest {
            name: self.name.clone(),
            url: self.public_url.as_str().to_owned(),
            hook_attributes: Hook { url: self.webhook_url(), active: true },
            redirect_url,
            setup_url: self.setup_url(),
            callback_urls: vec![self.callback_url(), self.below(LINKED)],
            ..ours
        })
    }

    fn below(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}

impl AppManifest {
    /// The one of our repository, with example addresses.
    ///
    /// # Errors
    /// When it cannot be read: never, as a test shows.
    pub fn ours() -> Result<Self, serde_json::Error> {
        serde_json::from_str(MANIFEST)
    }

    /// What an App may do beyond this, as `workflows: write`.
    pub fn beyond(&self, permissions: &BTreeMap<String, String>) -> Vec<String> {
        let has = |name: &String, level: &String| match self.default_permissions.get(name) {
            Some(ours) => ours == level || level == "read",
            None => false,
        };
        let beyond = permissions.iter().filter(|(name, level)| !has(name, level));
        beyond.map(|(name, level)| format!("{name}: {level}")).collect()
    }
}

fn read_name(text: &str) -> Result<String, WishError> {
    let name = text.trim();
    let count = name.chars().count();
    let shown: String = name.chars().take(LONGEST_NAME * 2).collect();
    if !name.chars().any(|c| c.is_ascii_alphanumeric()) || name.chars().any(char::is_control) {
        let example = format!("write one such as {DEFAULT_NAME:?}");
        return Err(WishError(format!("{shown:?} is no name for an App: {example}")));
    }
    if count > LONGEST_NAME {
        return Err(WishError(format!(
            "the App's name has {count} characters and GitHub takes at most {LONGEST_NAME}: \
             shorten it"
        )));
    }
    Ok(name.to_owned())
}

fn read_organization(text: &str) -> Result<Option<String>, WishError> {
    let name = text.trim();
    if name.is_empty() {
        return Ok(None);
    }
    let good = name.len() <= LONGEST_ORGANIZATION
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if good {
        return Ok(Some(name.to_owned()));
    }
    let shown: String = name.chars().take(LONGEST_ORGANIZATION).collect();
    Err(WishError(format!(
        "{shown:?} is not how GitHub names organisations: write what stands behind the host in \
         its address, such as acme"
    )))
}

fn read_public_url(text: &str, hub: &Hub) -> Result<Url, WishError> {
    let example = "write the address under which GitHub reaches this server, such as \
                   https://gander.example.org";
    let shown: String = text.trim().chars().take(200).collect();
    if shown.is_empty() {
        return Err(WishError(format!("the address of Gander is missing: {example}")));
    }
    let url = Url::parse(text.trim())
        .map_err(|error| WishError(format!("{shown:?} is no address ({error}): {example}")))?;
    let Some(host) = url.host() else {
        return Err(WishError(format!("{shown:?} has no host: {example}")));
    };
    let bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !bare {
        return Err(WishError(format!("{shown:?} holds more than a host and a path: {example}")));
    }
    if hub.is_local() {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err(WishError(format!(
            "{shown:?} is not https, so webhooks would cross the network unencrypted: {example}"
        )));
    }
    if is_local(&host) {
        return Err(WishError(format!(
            "{shown:?} is this machine's own name for itself, which GitHub cannot reach: {example}"
        )));
    }
    Ok(url)
}

fn is_local<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref().trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback() || address.is_unspecified(),
        Host::Ipv6(address) => {
            let mapped = address.to_ipv4_mapped().is_some_and(|address| address.is_loopback());
            address.is_loopback() || address.is_unspecified() || mapped
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(text: &str) -> Hub {
        text.parse().unwrap()
    }

    #[test]
    fn every_kind_of_github_has_its_api() {
        for (web, api) in [
            ("https://github.com", "https://api.github.com/"),
            ("https://acme.ghe.com/", "https://api.acme.ghe.com/"),
            ("https://github.acme.example:8443", "https://github.acme.example:8443/api/v3"),
            ("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3"),
        ] {
            assert_eq!(hub(web).api().as_str(), api);
        }
        for bad in [
            "github.com",
            "http://github.com",
            "ftp://127.0.0.1",
            "https://github.com/acme",
            "https://u:p@github.com",
            "https://github.com?a=b",
            "http://127.0.0.1.evil.example",
            "",
        ] {
            assert!(bad.parse::<Hub>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_plan_becomes_a_manifest_with_every_address_filled_in() {
        let hub = hub("https://github.com");
        let plan =
            SetupPlan::read(" Honk ", "acme", "https://gander.acme.example/bot/", &hub).unwrap();
        let text = plan.manifest("http://127.0.0.1:8090/created".to_owned()).unwrap();
        let manifest: AppManifest = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest.name, "Honk");
        assert_eq!(manifest.hook_attributes.url, "https://gander.acme.example/bot/github/webhook");
        assert_eq!(manifest.setup_url, "https://gander.acme.example/bot/setup");
        assert_eq!(manifest.redirect_url, "http://127.0.0.1:8090/created");
        let back = ["signed-in", "slack/linked"];
        let back = back.map(|path| format!("https://gander.acme.example/bot/{path}"));
        assert_eq!(manifest.callback_urls, back);
        assert!(!text.contains("gander.example/"), "{text}");
        let ours = AppManifest::ours().unwrap();
        assert_eq!(manifest.default_permissions, ours.default_permissions);
        assert_eq!(manifest.default_events, ours.default_events);
        assert_eq!(
            plan.form_address(&hub, "a&b"),
            "https://github.com/organizations/acme/settings/apps/new?state=a%26b"
        );
        let own = SetupPlan { organization: None, ..plan };
        assert_eq!(own.form_address(&hub, "s"), "https://github.com/settings/apps/new?state=s");
    }

    #[test]
    fn a_name_that_somebody_has_is_offered_with_its_owner() {
        let plan = |name: &str, organization: &str, url: &str| {
            SetupPlan::read(name, organization, url, &hub("https://github.com")).unwrap()
        };
        let own = |organization, url| plan("Gander", organization, url).own_name();
        assert_eq!(own("acme", "https://gander.example.org"), "acme Gander");
        assert_eq!(own("", "https://gander.acme.example"), "acme Gander");
        assert_eq!(own("", "https://192.0.2.7"), "my Gander");
        assert_eq!(plan("Stats  Bot!", "", "https://a.b.example").slug(), "stats-bot");
        let long = "x".repeat(34);
        assert_eq!(plan(&long, "acme", "https://a.b.example").own_name().chars().count(), 34);
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        let good = "https://gander.acme.example";
        let long = "x".repeat(35);
        for (name, organization, url, why) in [
            ("", "", good, "is no name for an App"),
            ("\u{1}a", "", good, "is no name for an App"),
            (&*long, "", good, "at most 34"),
            ("Honk", "a/b", good, "not how GitHub names organisations"),
            ("Honk", "", "", "is missing"),
            ("Honk", "", "gander.acme.example", "is no address"),
            ("Honk", "", "http://gander.acme.example", "not https"),
            ("Honk", "", "https://localhost:8080", "GitHub cannot reach"),
            ("Honk", "", "https://[::1]", "GitHub cannot reach"),
            ("Honk", "", "https://a@gander.acme.example", "more than a host"),
            ("Honk", "", "https://gander.acme.example/?a=b", "more than a host"),
        ] {
            let error = SetupPlan::read(name, organization, url, &hub("https://github.com"));
            let error = error.unwrap_err().to_string();
            assert!(error.contains(why), "{name:?} {organization:?} {url:?}: {error}");
        }
        let local = hub("http://127.0.0.1:9");
        assert!(SetupPlan::read("Honk", "", "http://127.0.0.1:8", &local).is_ok());
    }
}
