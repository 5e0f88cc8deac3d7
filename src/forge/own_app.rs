//! What GitHub says of the App itself, for its operator: webhook, deliveries, who installed it, and
//! how far a repository is kept from whoever has its key.
//!
//! Invariants: nothing is changed on GitHub; only what is needed for each question is asked, with
//! the App's own token or one that reads.

use std::collections::BTreeMap;

use http::Method;
use http::header::{CONTENT_TYPE, DATE};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    ANSWER_TIMEOUT, ApiCall, Forge, ForgeError, Scope, found, not_sent, payload, repo_path,
    segment, segments, unreadable,
};
use crate::core::checklist::github::{Pinged, SeenDelivery, SeenHook, SeenInstallation};
use crate::core::checklist::repository::{BranchGuards, SeenRuleset};
use crate::core::github::RepoRef;
use crate::core::id::{Branch, InstallationId, RepoId, RepoName, Timestamp};
use crate::egress::Egress;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct HookConfig {
    url: String,
    content_type: Option<String>,
    /// `"0"`, or `0`.
    insecure_ssl: serde_json::Value,
    secret: Option<String>,
}

#[derive(Deserialize)]
struct InstalledApp {
    id: InstallationId,
    #[serde(default)]
    account: Option<payload::User>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    suspended_at: Option<String>,
    #[serde(default)]
    html_url: String,
}

#[derive(Deserialize)]
struct NarrowToken {
    #[serde(default)]
    repositories: Vec<NamedRepository>,
}

#[derive(Deserialize)]
struct NamedRepository {
    id: RepoId,
    full_name: RepoName,
}

#[derive(Deserialize)]
struct RulesetSummary {
    id: u64,
    #[serde(default)]
    target: Option<String>,
}

#[derive(Deserialize)]
struct Ruleset {
    #[serde(default)]
    name: String,
    #[serde(default)]
    enforcement: String,
    #[serde(default)]
    conditions: Option<RulesetConditions>,
    #[serde(default)]
    rules: Vec<RulesetRule>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RulesetConditions {
    ref_name: Option<RefNames>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RefNames {
    include: Vec<String>,
    exclude: Vec<String>,
}

#[derive(Deserialize)]
struct RulesetRule {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct GuardedBranch {
    #[serde(default)]
    protected: bool,
}

impl Forge {
    /// What time GitHub has, from an answer to a question that needs no key.
    pub async fn time_there(&self) -> Result<Timestamp, ForgeError> {
        let doing = "asking GitHub for the time";
        let request = http::Request::get(format!("{}/rate_limit", self.inner.api))
            .body(reqwest::Body::from(""))
            .map_err(|error| unreadable(doing, error.to_string()))?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.inner.egress.send(request)).await;
        let answer = answer.map_err(|late| not_sent(doing, late.into()))?;
        // A refusal tells the time, too.
        let answer = answer.map_err(|error| not_sent(doing, error.into()))?;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
        date.map(|date| Timestamp(date.timestamp_millis()))
            .ok_or_else(|| unreadable(doing, "the answer has no date"))
    }

    /// The App's webhook. `None`: it has none.
    pub async fn hook(&self) -> Result<Option<SeenHook>, ForgeError> {
        let doing = "reading the settings of the App's webhook";
        let answer = self.as_app(Method::GET, "/app/hook/config".to_owned(), None, doing).await;
        let Some(answer) = found(answer)? else { return Ok(None) };
        let config: HookConfig = answer.json(doing)?;
        let insecure = config
            .insecure_ssl
            .as_str()
            .map_or_else(|| config.insecure_ssl.as_u64().unwrap_or(0) != 0, |text| text != "0");
        Ok(Some(SeenHook {
            url: config.url,
            // As GitHub's description has it where nothing is said.
            content_type: config.content_type.unwrap_or_else(|| "form".to_owned()),
            checks_certificate: !insecure,
            has_secret: config.secret.is_some_and(|secret| !secret.is_empty()),
        }))
    }

    /// The newest deliveries of GitHub's log, as one page has them.
    pub async fn newest_deliveries(&self) -> Result<Vec<SeenDelivery>, ForgeError> {
        let (page, _) = self.deliveries(None).await?;
        let seen = page.into_iter().map(|one| SeenDelivery {
            status: one.status_code.unwrap_or(0),
            event: one.event,
            at: one.delivered_at,
        });
        Ok(seen.collect())
    }

    /// Who has installed the App, a hundred at most.
    pub async fn installations(&self) -> Result<Vec<SeenInstallation>, ForgeError> {
        let doing = "reading where the App is installed";
        let path = "/app/installations?per_page=100".to_owned();
        let all: Vec<InstalledApp> =
            self.as_app(Method::GET, path, None, doing).await?.json(doing)?;
        let seen = all.into_iter().map(|one| SeenInstallation {
            account: one.account.map_or_else(|| one.id.to_string(), |account| account.login),
            permissions: one.permissions,
            suspended: one.suspended_at.is_some(),
            page: one.html_url,
        });
        Ok(seen.collect())
    }

    /// A repository by its name. `None`: the App is not installed there.
    pub async fn installed_on(&self, name: &RepoName) -> Result<Option<RepoRef>, ForgeError> {
        let doing = "looking whether the App is installed on a repository";
        let path =
            format!("/repos/{}/{}/installation", segment(name.owner()), segment(name.name()));
        let answer = found(self.as_app(Method::GET, path, None, doing).await)?;
        let Some(answer) = answer else { return Ok(None) };
        let installation: InstalledApp = answer.json(doing)?;
        let found = self.number_of(installation.id, name).await?;
        Ok(found.map(|found| RepoRef {
            installation_id: installation.id,
            repo_id: found.id,
            name: found.full_name,
        }))
    }

    /// The repository as a token that is only for it tells it, which is thrown away.
    async fn number_of(
        &self,
        installation: InstallationId,
        name: &RepoName,
    ) -> Result<Option<NamedRepository>, ForgeError> {
        let doing = "asking for the number of a repository";
        let path = format!("/app/installations/{installation}/access_tokens");
        let body = json!({ "repositories": [name.name()], "permissions": { "metadata": "read" } });
        let answer = self.as_app(Method::POST, path, Some(body), doing).await?;
        let token: NarrowToken = answer.json(doing)?;
        Ok(token.repositories.into_iter().next())
    }

    /// The rulesets about tags, those of the organisation included. `None`: this server has none.
    pub async fn tag_rulesets(
        &self,
        repo: &RepoRef,
    ) -> Result<Option<Vec<SeenRuleset>>, ForgeError> {
        let doing = "reading what is asked of tags";
        let path = format!("{}/rulesets?includes_parents=true&per_page=100", repo_path(repo));
        let all = found(self.list::<RulesetSummary>(repo, Scope::Read, path, doing).await)?;
        let Some(all) = all else { return Ok(None) };
        let mut seen = Vec::new();
        for one in all.iter().filter(|one| one.target.as_deref() == Some("tag")) {
            let path = format!("{}/rulesets/{}?includes_parents=true", repo_path(repo), one.id);
            let whole: Ruleset = self.get(repo, Scope::Read, path, doing).await?;
            let names = whole.conditions.unwrap_or_default().ref_name.unwrap_or_default();
            seen.push(SeenRuleset {
                name: whole.name,
                is_active: whole.enforcement == "active",
                include: names.include,
                exclude: names.exclude,
                rules: whole.rules.into_iter().map(|rule| rule.kind).collect(),
            });
        }
        Ok(Some(seen))
    }

    /// What keeps a branch from whoever may write.
    pub async fn guards_of(
        &self,
        repo: &RepoRef,
        branch: &Branch,
    ) -> Result<BranchGuards, ForgeError> {
        let doing = "reading what keeps a branch";
        let branch = segments(branch.as_str());
        let path = format!("{}/rules/branches/{branch}?per_page=100", repo_path(repo));
        let rules = found(self.list::<RulesetRule>(repo, Scope::Read, path, doing).await)?;
        let path = format!("{}/branches/{branch}", repo_path(repo));
        let call = ApiCall::new(Method::GET, path, doing);
        let branch = found(self.call(repo, Scope::Read, call).await)?;
        let branch = branch.map(|answer| answer.json::<GuardedBranch>(doing)).transpose()?;
        Ok(BranchGuards {
            rules: rules.unwrap_or_default().into_iter().map(|rule| rule.kind).collect(),
            is_protected: branch.is_some_and(|branch| branch.protected),
        })
    }
}

/// Sends a delivery of our own to where GitHub sends its: what came back. `guid` and `body` are the
/// same each time, so that a server remembers one.
pub async fn ping(
    url: &Url,
    egress: &Egress,
    (guid, body, signature): (&str, &'static str, &str),
) -> Pinged {
    let request = http::Request::post(url.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header("content-length", body.len())
        .header("x-github-event", "ping")
        .header("x-github-delivery", guid)
        .header("x-github-hook-id", 0)
        .header("x-hub-signature-256", signature)
        .body(reqwest::Body::from(body));
    let request = match request {
        Ok(request) => request,
        Err(error) => return Pinged::NoAnswer(error.to_string()),
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, egress.send(request)).await {
        Ok(Ok(answer)) => Pinged::Answered(answer.status().as_u16()),
        Ok(Err(error)) => {
            let deepest = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
                error.source()
            });
            Pinged::NoAnswer(deepest.last().map(ToString::to_string).unwrap_or_default())
        }
        Err(_) => Pinged::NoAnswer(format!("no answer in {} s", ANSWER_TIMEOUT.as_secs())),
    }
}
