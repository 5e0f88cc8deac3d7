//! The parts of GitHub's answers that Gander reads. Small, tolerant, and named as GitHub names
//! them.
#![allow(missing_docs)] // GitHub's own documentation describes them

mod app;

use secrecy::SecretString;
use serde::Deserialize;

use crate::core::github::Role;
use crate::core::id::{CheckRunId, CommentId, Number, RepoId, RepoName, Sha, UserId};

pub use self::app::{AppInfo, Installation, InstalledRepositories, NewApp};

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) token: SecretString,
    pub(super) expires_at: String,
}

/// What GitHub says when it refuses.
#[derive(Debug, Deserialize)]
pub(super) struct ApiFailure {
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

impl ApiFailure {
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

#[derive(Debug, Clone, Deserialize)]
pub struct Collaborator {
    pub id: UserId,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub permissions: PermissionBits,
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

impl PermissionBits {
    /// The highest role that these allow.
    pub(super) fn role(self) -> Role {
        let ladder = [
            (self.admin, Role::Admin),
            (self.maintain, Role::Maintain),
            (self.push, Role::Write),
            (self.triage, Role::Triage),
            (self.pull, Role::Read),
        ];
        ladder.iter().find(|(has, _)| *has).map_or(Role::None, |(_, role)| *role)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    pub id: RepoId,
    pub full_name: RepoName,
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

/// A label; without a name when the server shows none.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "LabelForm")]
pub struct Label {
    pub name: String,
}

/// An issue's label may be its name alone, and as an object need not hold it.
#[derive(Deserialize)]
#[serde(untagged)]
enum LabelForm {
    Name(String),
    Object {
        #[serde(default)]
        name: Option<String>,
    },
}

impl From<LabelForm> for Label {
    fn from(form: LabelForm) -> Self {
        match form {
            LabelForm::Name(name) | LabelForm::Object { name: Some(name) } => Self { name },
            LabelForm::Object { name: None } => Self { name: String::new() },
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Comment {
    pub id: CommentId,
    #[serde(default)]
    pub node_id: Option<String>,
    #[serde(default)]
    pub html_url: Option<String>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub performed_via_github_app: Option<AppId>,
    #[serde(default)]
    pub user: Option<User>,
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
}

/// Something that happened to an issue.
#[derive(Debug, Clone, Deserialize)]
pub struct IssueEvent {
    #[serde(default)]
    pub event: Option<String>,
    #[serde(default)]
    pub actor: Option<User>,
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub performed_via_github_app: Option<AppId>,
    #[serde(default)]
    pub label: Option<Label>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AppId {
    pub id: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GitObject {
    pub sha: Sha,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Ref {
    pub object: GitObject,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GitCommit {
    pub sha: Sha,
    pub tree: GitObject,
    pub parents: Vec<GitObject>,
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct PullSummary {
    pub number: Number,
    pub state: String,
    #[serde(default)]
    pub merged_at: Option<String>,
    pub head: PullTip,
}

#[derive(Debug, Clone, Deserialize)]
pub struct PullTip {
    #[serde(rename = "ref")]
    pub branch: String,
    pub sha: Sha,
    /// The repository; nothing where that is gone.
    #[serde(default)]
    pub repo: Option<TipRepository>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct TipRepository {
    pub id: u64,
    pub full_name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct PullFile {
    pub filename: String,
    #[serde(default)]
    pub status: String,
    /// Its diff; GitHub leaves out that of large and binary files.
    #[serde(default)]
    pub patch: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CheckRuns {
    pub check_runs: Vec<CheckRun>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CheckRun {
    pub id: CheckRunId,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub conclusion: Option<String>,
    #[serde(default)]
    pub app: Option<AppId>,
    #[serde(default)]
    pub output: Option<CheckOutput>,
    #[serde(default)]
    pub details_url: Option<String>,
    #[serde(default)]
    pub html_url: Option<String>,
    #[serde(default)]
    pub started_at: Option<String>,
    #[serde(default)]
    pub completed_at: Option<String>,
    #[serde(default)]
    pub check_suite: Option<CheckSuite>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CheckSuite {
    pub id: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct CheckOutput {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub summary: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
}

impl CheckOutput {
    /// All of it, in order.
    pub fn words(&self) -> String {
        let parts = [&self.title, &self.summary, &self.text];
        parts.into_iter().flatten().cloned().collect::<Vec<_>>().join("\n")
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Annotation {
    pub path: String,
    #[serde(default)]
    pub start_line: u64,
    /// `notice`, `warning` or `failure`.
    #[serde(default)]
    pub annotation_level: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CombinedStatus {
    pub statuses: Vec<CommitStatus>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CommitStatus {
    pub context: String,
    pub state: String,
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct PullDetail {
    pub number: Number,
    pub state: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub merged: bool,
    #[serde(default)]
    pub merged_by: Option<User>,
    #[serde(default)]
    pub merge_commit_sha: Option<Sha>,
    /// How many it has.
    #[serde(default)]
    pub commits: u32,
    pub head: PullTip,
    pub base: PullTip,
    #[serde(default)]
    pub mergeable: Option<bool>,
    #[serde(default)]
    pub mergeable_state: Option<String>,
    #[serde(default)]
    pub labels: Vec<Label>,
    #[serde(default)]
    pub user: Option<User>,
    #[serde(default)]
    pub created_at: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Review {
    pub id: u64,
    #[serde(default)]
    pub node_id: Option<String>,
    pub user: Option<User>,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub commit_id: Option<Sha>,
    #[serde(default)]
    pub submitted_at: Option<String>,
}

/// Whether something written was changed since.
#[derive(Debug, Clone, Deserialize)]
pub struct EditAnswer {
    pub node: Option<WrittenComment>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenComment {
    #[serde(default)]
    pub database_id: Option<u64>,
    #[serde(default)]
    pub last_edited_at: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ReviewComment {
    pub id: CommentId,
    #[serde(default)]
    pub pull_request_review_id: Option<u64>,
    #[serde(default)]
    pub in_reply_to_id: Option<CommentId>,
    pub path: String,
    #[serde(default)]
    pub line: Option<u64>,
    #[serde(default)]
    pub start_line: Option<u64>,
    #[serde(default)]
    pub diff_hunk: Option<String>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub html_url: Option<String>,
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
    pub user: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewThread {
    pub id: String,
    pub is_resolved: bool,
    pub path: String,
    comments: Nodes<ThreadComment>,
}

impl ReviewComment {
    /// The path and the lines that it stands on.
    pub fn place(&self) -> String {
        match (self.start_line, self.line) {
            (Some(start), Some(end)) if start != end => format!("{}:{start}-{end}", self.path),
            (_, Some(line)) => format!("{}:{line}", self.path),
            _ => self.path.clone(),
        }
    }
}

impl ReviewThread {
    /// The comment that began it.
    pub fn first(&self) -> Option<CommentId> {
        self.comments.nodes.first()?.database_id.map(CommentId)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Nodes<T> {
    nodes: Vec<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreadComment {
    #[serde(default)]
    database_id: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ThreadsAnswer {
    repository: Option<ThreadsOfRepository>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreadsOfRepository {
    pull_request: Option<ThreadsOfPull>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreadsOfPull {
    review_threads: ThreadPage,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThreadPage {
    pub(super) nodes: Vec<ReviewThread>,
    pub(super) page_info: PageInfo,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) end_cursor: Option<String>,
}

impl ThreadsAnswer {
    pub(super) fn page(self) -> Option<ThreadPage> {
        Some(self.repository?.pull_request?.review_threads)
    }
}

/// What GraphQL answers.
#[derive(Debug, Deserialize)]
pub(super) struct GraphqlAnswer<T> {
    pub(super) data: Option<T>,
    #[serde(default)]
    pub(super) errors: Vec<GraphqlError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphqlError {
    #[serde(default)]
    pub(super) message: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DeliverySummary {
    pub id: u64,
    pub guid: String,
    #[serde(default)]
    pub delivered_at: String,
    #[serde(default)]
    pub event: String,
    /// What came back; 0 and some above 500 where nobody answered.
    #[serde(default)]
    pub status_code: Option<u16>,
    #[serde(default)]
    pub installation_id: Option<u64>,
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
