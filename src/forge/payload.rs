//! The parts of GitHub's answers that Gander reads. Small, tolerant, and named as GitHub names them.
#![allow(missing_docs)] // GitHub's own documentation describes them

use secrecy::SecretString;
use serde::Deserialize;

use crate::core::id::{CheckRunId, CommentId, Number, RepoId, Sha, UserId};

#[derive(Debug, Clone, Deserialize)]
pub struct App {
    pub id: u64,
    pub slug: String,
    #[serde(default)]
    pub permissions: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub events: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) token: SecretString,
    pub(super) expires_at: String,
}

/// What GitHub says when it refuses.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<FailureDetail>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FailureDetail {
    Words(String),
    Fields {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        code: Option<String>,
    },
}

impl Failure {
    pub(super) fn in_words(self) -> String {
        let details = self.errors.into_iter().map(|detail| match detail {
            FailureDetail::Words(words) => words,
            FailureDetail::Fields { message: Some(message), .. } => message,
            FailureDetail::Fields { field, code, .. } => {
                [field, code].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        });
        let words: Vec<String> = std::iter::once(self.message).chain(details).collect();
        words.join("; ").chars().take(300).collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct User {
    pub id: UserId,
    pub login: String,
    #[serde(rename = "type", default)]
    pub kind: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Permission {
    pub permission: String,
    #[serde(default)]
    pub role_name: Option<String>,
    pub user: Option<UserWithPermissions>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct UserWithPermissions {
    pub id: UserId,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub permissions: Option<PermissionBits>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct PermissionBits {
    pub pull: bool,
    pub triage: bool,
    pub push: bool,
    pub maintain: bool,
    pub admin: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    pub id: RepoId,
    pub default_branch: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Issue {
    pub number: Number,
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    pub state: String,
    #[serde(default)]
    pub labels: Vec<Label>,
    pub user: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Comment {
    pub id: CommentId,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub performed_via_github_app: Option<AppId>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AppId {
    pub id: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Object {
    pub sha: Sha,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Ref {
    pub object: Object,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GitCommit {
    pub sha: Sha,
    pub tree: Object,
    pub parents: Vec<Object>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Pull {
    pub number: Number,
    pub state: String,
    #[serde(default)]
    pub merged_at: Option<String>,
    pub head: Tip,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Tip {
    #[serde(rename = "ref")]
    pub branch: String,
    pub sha: Sha,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CheckRuns {
    pub check_runs: Vec<CheckRun>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CheckRun {
    pub id: CheckRunId,
    #[serde(default)]
    pub external_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DeliverySummary {
    pub id: u64,
    pub guid: String,
    #[serde(default)]
    pub delivered_at: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryDetail {
    pub guid: String,
    pub event: String,
    pub request: DeliveryRequest,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryRequest {
    #[serde(default)]
    pub headers: Option<serde_json::Map<String, serde_json::Value>>,
    pub payload: Box<serde_json::value::RawValue>,
}
