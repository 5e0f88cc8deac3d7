//! What a branch asks of a pull request, and on what terms GitHub merges one.
//!
//! Invariants: read anew each time; what GitHub does not show an App, such as most of classic
//! branch protection, is not guessed: its refusal says it.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;

use super::{Forge, ForgeError, Scope, found, payload, repo_path, segments};
use crate::core::github::RepoRef;
use crate::core::id::{Branch, Number};
use crate::core::job::MergeTerms;
use crate::core::policy::MergeMethod;

/// A check that branch rules name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct RequiredCheck {
    pub name: String,
    /// The App that has to report it, if the rule says so.
    pub app: Option<u64>,
}

/// What branch rules and branch protection ask for, as far as GitHub shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchRules {
    /// The checks that must be green.
    pub required: Vec<RequiredCheck>,
    queue: bool,
    /// `None`: all.
    methods: Option<BTreeSet<MergeMethod>>,
    asks: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct BranchRule {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    parameters: Option<RuleParameters>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RuleParameters {
    required_status_checks: Vec<RuleCheck>,
    allowed_merge_methods: Option<Vec<String>>,
    required_review_thread_resolution: bool,
    required_deployment_environments: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct RuleCheck {
    context: String,
    #[serde(default)]
    integration_id: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct BranchSummary {
    #[serde(default)]
    protection: Option<Protection>,
}

#[derive(Debug, Clone, Deserialize)]
struct Protection {
    #[serde(default)]
    required_status_checks: Option<ProtectedChecks>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct ProtectedChecks {
    #[serde(default)]
    contexts: Vec<String>,
    #[serde(default)]
    checks: Vec<ProtectedCheck>,
}

#[derive(Debug, Clone, Deserialize)]
struct ProtectedCheck {
    context: String,
    #[serde(default)]
    app_id: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
struct MergeSettingsAnswer {
    repository: Option<MergeSettings>,
}

/// How a repository merges pull requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeSettings {
    merge_commit_allowed: bool,
    squash_merge_allowed: bool,
    rebase_merge_allowed: bool,
    #[serde(default)]
    pull_request: Option<QueueSetting>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueSetting {
    is_merge_queue_enabled: bool,
}

const MERGE_SETTINGS: &str = "\
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    mergeCommitAllowed
    squashMergeAllowed
    rebaseMergeAllowed
    pullRequest(number: $number) { isMergeQueueEnabled }
  }
}";

impl Forge {
    /// What a branch asks for.
    pub async fn branch_rules(
        &self,
        repo: &RepoRef,
        branch: &Branch,
    ) -> Result<BranchRules, ForgeError> {
        let branch = segments(branch.as_str());
        let rules = format!("{}/rules/branches/{branch}?per_page=100", repo_path(repo));
        let summary = format!("{}/branches/{branch}", repo_path(repo));
        let doing = "reading what the branch asks for";
        let (rules, summary) = tokio::join!(
            self.list::<BranchRule>(repo, Scope::Read, rules, doing),
            self.get::<BranchSummary>(repo, Scope::Read, summary, doing)
        );
        let mut known = BranchRules::default();
        for rule in found(rules)?.unwrap_or_default() {
            known.add(rule);
        }
        let protection = found(summary)?.and_then(|branch| branch.protection);
        known.add_protection(protection.and_then(|it| it.required_status_checks));
        Ok(known)
    }

    /// How pull requests are merged here, and whether this one goes into a queue. `None`: GitHub
    /// does not say.
    pub async fn merge_settings(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Option<MergeSettings>, ForgeError> {
        let variables = json!({
            "owner": repo.name.owner(),
            "name": repo.name.name(),
            "number": number,
        });
        let doing = "reading how pull requests are merged here";
        // REST shows this only to tokens that may write.
        let answer = self
            .query::<MergeSettingsAnswer>(repo, Scope::Read, MERGE_SETTINGS, variables, doing)
            .await;
        match answer {
            Ok(answer) => Ok(answer.repository),
            // Not for this token, or not on this server: what follows says the merge itself.
            Err(error) if matches!(error.status(), Some(403 | 404 | 422)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl BranchRules {
    /// On what terms GitHub merges an open pull request into this branch.
    pub fn merge_terms(
        &self,
        pull: &payload::PullDetail,
        settings: Option<&MergeSettings>,
    ) -> MergeTerms {
        let (mut methods, mut queue) = (self.methods.clone(), self.queue);
        if let Some(settings) = settings {
            queue |= settings.pull_request.as_ref().is_some_and(|it| it.is_merge_queue_enabled);
            let allowed = settings.methods();
            methods = Some(match methods {
                Some(named) => &named & &allowed,
                None => allowed,
            });
        }
        MergeTerms {
            draft: pull.draft,
            queue,
            methods,
            behind: pull.mergeable_state.as_deref() == Some("behind"),
            asks: self.asks.clone(),
        }
    }
}

impl BranchRules {
    fn add(&mut self, rule: BranchRule) {
        let parameters = rule.parameters.unwrap_or_default();
        match rule.kind.as_str() {
            "required_status_checks" => {
                let checks = parameters.required_status_checks.into_iter();
                self.require(checks.map(|check| (check.context, check.integration_id)));
            }
            "merge_queue" => self.queue = true,
            "required_linear_history" => self.without(MergeMethod::Merge),
            "required_signatures" => {
                // GitHub does not sign what it rebases.
                self.without(MergeMethod::Rebase);
                self.ask("verified signatures (sign every commit on the branch)".to_owned());
            }
            "required_deployments" => {
                let to = parameters.required_deployment_environments.join(", ");
                let does = "Gander deploys nothing: deploy this commit";
                self.ask(format!("a deployment to {to} ({does})"));
            }
            "pull_request" => {
                if let Some(named) = parameters.allowed_merge_methods {
                    let named = |method: &MergeMethod| named.iter().any(|it| it == method.as_str());
                    let left = self.allowed().into_iter().filter(named);
                    self.methods = Some(left.collect());
                }
                if parameters.required_review_thread_resolution {
                    self.ask("resolved conversations (resolve the open ones)".to_owned());
                }
            }
            _ => {}
        }
    }

    fn add_protection(&mut self, checks: Option<ProtectedChecks>) {
        let named = checks.unwrap_or_default();
        let app = |id: Option<i64>| id.and_then(|id| u64::try_from(id).ok());
        self.require(named.checks.into_iter().map(|check| (check.context, app(check.app_id))));
        for name in named.contexts {
            if !self.required.iter().any(|check| check.name == name) {
                self.required.push(RequiredCheck { name, app: None });
            }
        }
        self.required.sort();
        self.required.dedup();
    }

    fn require(&mut self, checks: impl Iterator<Item = (String, Option<u64>)>) {
        self.required.extend(checks.map(|(name, app)| RequiredCheck { name, app }));
    }

    fn allowed(&self) -> BTreeSet<MergeMethod> {
        let all = [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase];
        self.methods.clone().unwrap_or_else(|| all.into())
    }

    fn without(&mut self, method: MergeMethod) {
        let mut left = self.allowed();
        left.remove(&method);
        self.methods = Some(left);
    }

    fn ask(&mut self, what: String) {
        if !self.asks.contains(&what) {
            self.asks.push(what);
        }
    }
}

impl MergeSettings {
    fn methods(&self) -> BTreeSet<MergeMethod> {
        let ways = [
            (self.merge_commit_allowed, MergeMethod::Merge),
            (self.squash_merge_allowed, MergeMethod::Squash),
            (self.rebase_merge_allowed, MergeMethod::Rebase),
        ];
        ways.into_iter().filter(|(allowed, _)| *allowed).map(|(_, method)| method).collect()
    }
}
