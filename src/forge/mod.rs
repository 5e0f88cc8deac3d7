//! The client of GitHub, and the only one. octocrab stays inside; the seam for tests is HTTP.
//!
//! Invariants: a GET that fails is tried once more here, anything that changes something is sent
//! exactly once (whoever asked looks whether the effect is there before asking again); tokens are
//! minted per step with the least permissions, for one repository, and never leave this module but
//! as a secret for git; while an installation is limited nothing is sent for it; what holds a
//! secret is not sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Method, StatusCode};
use moka::future::Cache;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::clock::Clock;
use crate::core::fault::ErrorKind;
use crate::core::github::RepoRef;
use crate::core::id::{RepoId, Sha, UserId};
use crate::core::leak::{KnownSecrets, SecretsBefore};
use crate::egress::{Egress, denied_by};

mod auth;
mod bare;
mod branch;
mod checks;
mod consent;
mod contributors;
mod downloads;
mod effects;
mod graphql;
mod history;
mod installed;
mod kept;
mod limits;
mod manifest;
mod outgoing;
mod own_app;
mod pages;
mod paths;
pub mod payload;
mod pictures;
mod publish;
mod read;
mod release;
mod release_gate;
mod rerun;
mod review;
mod runs;
mod ship;
mod sign_in;
mod since_release;
mod talk;
mod transport;

pub use auth::{AppKey, AppKeyError, Scope};
pub use branch::{BranchRules, RequiredCheck};
pub use checks::ReportedCheck;
pub use consent::{Ballot, Roles, actor, moment};
pub use contributors::{Contributors, PullBranch, requester_in};
pub use downloads::download_hosts;
pub use effects::Effect;
pub use history::{OpenPullOfOthers, RecentHistory};
pub use limits::Pace;
pub use manifest::{claim_app, is_taken};
pub use own_app::ping;
pub use pictures::PICTURE_HOSTS;
pub use publish::{FileWrite, NewPull};
pub use read::BranchHead;
pub use release::{Draft, ReleaseAnswer, UPLOADS_HOST};
pub use release_gate::SeenPull;
pub use rerun::{ActionsRun, RerunAnswer};
pub use review::LineComment;
pub use ship::{CommitText, Joined, ListedCommit, Tag, WorkflowRun};
pub use sign_in::{SignIn, identify};
pub use since_release::{LastRelease, ReleaseHistory};
pub use talk::CheckRunText;

use auth::{Session, Sessions};
use effects::Effects;
use limits::RateLimits;
use paths::{by_number, is_of, repo_path, segment, segments};

/// Where GitHub is and who we are there.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    /// `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server.
    pub api: Url,
    /// `https://github.com`, or `https://HOST`: where git fetches from.
    pub web: Url,
    /// The App's number.
    pub app_id: u64,
    /// Its private key.
    pub key: AppKey,
    /// How often it may be asked to change something.
    pub pace: Pace,
    /// What must never leave.
    pub known_secrets: Arc<KnownSecrets>,
}

/// GitHub, as Gander uses it.
#[derive(Debug, Clone)]
pub struct Forge {
    inner: Arc<ForgeInner>,
    /// Tokens that write code: of one step, which takes them back.
    push_sessions: Arc<Sessions>,
    /// Whether people wait for what is changed.
    urgent: bool,
    /// What was changed: of one step, too.
    effects: Arc<Effects>,
}

#[derive(Debug)]
struct ForgeInner {
    config: ForgeConfig,
    api: String,
    egress: Egress,
    clock: Clock,
    sessions: Sessions,
    /// The one session, where a token was handed in.
    given: Option<Arc<Session>>,
    /// The number of our own account, once it was asked for.
    account: Cache<(), UserId>,
    limits: RateLimits,
    /// Binary files that were stored as blobs, by the SHA-256 of their content.
    stored: Cache<(RepoId, [u8; 32]), Sha>,
}

/// Why GitHub did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ForgeError {
    /// No answer. What was asked may or may not have happened.
    #[error("no answer from GitHub while {doing}")]
    NoAnswer {
        /// What we were doing.
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// We send no more for now, so that GitHub never has to say so.
    #[error("Gander waits {after_seconds} s before {doing}, to stay below GitHub's limits")]
    Paced {
        /// What we were doing.
        doing: String,
        /// How long.
        after_seconds: u64,
    },
    /// We must wait.
    #[error("GitHub asks us to wait {after_seconds} s before {doing}")]
    Limited {
        /// What we were doing.
        doing: String,
        /// How long.
        after_seconds: u64,
    },
    /// GitHub itself failed.
    #[error("GitHub answered {status} while {doing}")]
    ServerFailed {
        /// What we were doing.
        doing: String,
        /// The HTTP status.
        status: u16,
    },
    /// GitHub refused.
    #[error("GitHub refused {doing}: {message} (status {status})")]
    Refused {
        /// What we were doing.
        doing: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// What was asked for has another address now.
    #[error("GitHub has moved what was asked for while {doing}")]
    Moved {
        /// What we were doing.
        doing: String,
        /// The path there, below the API's root.
        path: String,
    },
    /// What was asked for lies elsewhere, for a minute.
    #[error("GitHub keeps what was asked for elsewhere while {doing}")]
    KeptElsewhere {
        /// What we were doing.
        doing: String,
        /// The whole address.
        location: String,
    },
    /// The answer is not what GitHub's description promises.
    #[error("GitHub's answer cannot be read while {doing}")]
    Unreadable {
        /// What we were doing.
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was to be sent holds a secret.
    #[error("what was to be sent to GitHub holds {secret}, so it was not sent")]
    Withheld {
        /// Its name, never its value.
        secret: String,
    },
    /// We may not talk to that host.
    #[error("the request was not sent while {doing}")]
    Denied {
        /// What we were doing.
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ForgeError {
    /// GitHub's own words, where it gave some.
    pub fn in_words(&self) -> String {
        match self {
            Self::Refused { message, .. } if !message.is_empty() => message.clone(),
            other => other.to_string(),
        }
    }

    /// What this means for the work that met it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoAnswer { .. } | Self::ServerFailed { .. } | Self::Unreadable { .. } => {
                ErrorKind::Retry { after_seconds: None }
            }
            Self::Limited { after_seconds, .. } | Self::Paced { after_seconds, .. } => {
                ErrorKind::Retry { after_seconds: Some(*after_seconds) }
            }
            // Our token was minted a moment ago: a 401 is GitHub catching up.
            Self::Refused { status: 401, .. } => ErrorKind::Retry { after_seconds: None },
            Self::Refused { .. }
            | Self::Denied { .. }
            | Self::Moved { .. }
            | Self::KeptElsewhere { .. } => ErrorKind::Permanent,
            Self::Withheld { .. } => ErrorKind::Withheld,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::ServerFailed { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// One answer of GitHub.
struct ApiResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// One request, before it is sent.
struct ApiCall<'a> {
    method: Method,
    path: String,
    body: Option<serde_json::Value>,
    accept: &'static str,
    doing: &'a str,
    /// What looked like secrets in the files that it changes.
    before: Option<&'a SecretsBefore>,
}

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const API_VERSION: &str = "2022-11-28";

/// A renamed repository answers with one redirect; more than a few are a circle.
const MOST_MOVES: u32 = 3;

impl ForgeInner {
    fn new(config: ForgeConfig, egress: Egress, clock: Clock) -> Self {
        let api = config.api.as_str().trim_end_matches('/').to_owned();
        let limits = RateLimits::new(clock.clone(), config.pace);
        let stored = Cache::builder().max_capacity(10_000).build();
        let sessions = Sessions::new();
        Self {
            config,
            api,
            egress,
            clock,
            sessions,
            given: None,
            account: Cache::new(1),
            limits,
            stored,
        }
    }
}

impl Forge {
    /// A client; nothing is sent yet.
    pub fn new(config: ForgeConfig, egress: Egress, clock: Clock) -> Self {
        Self::of(ForgeInner::new(config, egress, clock))
    }

    fn of(inner: ForgeInner) -> Self {
        let push_sessions = Arc::new(Sessions::new());
        Self { inner: Arc::new(inner), push_sessions, urgent: false, effects: Arc::default() }
    }

    /// For one step: its tokens that write code are its own, so that giving them back takes none
    /// from another step. What people wait for is `urgent`, and goes before what only shows.
    #[must_use]
    pub fn for_step(&self, urgent: bool) -> Self {
        let push_sessions = Arc::new(Sessions::new());
        Self { inner: Arc::clone(&self.inner), push_sessions, urgent, effects: Arc::default() }
    }

    /// A client with a token that somebody else minted, as a workflow's job has one. An empty one
    /// is shown to nobody.
    pub fn with_token(
        api: Url,
        web: Url,
        token: SecretString,
        egress: Egress,
        clock: Clock,
    ) -> Result<Self, ForgeError> {
        let config = ForgeConfig {
            api,
            web,
            app_id: 0,
            key: AppKey::none(),
            pace: Pace::GITHUB,
            known_secrets: Arc::default(),
        };
        let mut this = Self::of(ForgeInner::new(config, egress, clock));
        let session = Session::given(this.octocrab(&token)?, token)?;
        if let Some(inner) = Arc::get_mut(&mut this.inner) {
            inner.given = Some(Arc::new(session));
        }
        Ok(this)
    }

    /// Where people see GitHub.
    pub fn web(&self) -> &Url {
        &self.inner.config.web
    }

    /// Where git fetches a repository from.
    pub fn clone_url(&self, repo: &RepoRef) -> Result<Url, url::ParseError> {
        let web = self.inner.config.web.as_str().trim_end_matches('/');
        Url::parse(&format!("{web}/{}.git", repo.name))
    }

    /// The addresses that git may connect to for this URL.
    pub async fn git_addresses(&self, url: &Url) -> Result<Vec<IpAddr>, ForgeError> {
        let doing = "looking up where to fetch from";
        let found = self.inner.egress.addresses(url).await;
        found.map_err(|error| not_sent(doing, error.into()))
    }

    /// `https://github.com`, without a slash at its end: for links.
    pub fn web_address(&self) -> String {
        self.inner.config.web.as_str().trim_end_matches('/').to_owned()
    }

    /// Sends a call for one repository with a token of this scope.
    async fn call(
        &self,
        repo: &RepoRef,
        scope: Scope,
        mut call: ApiCall<'_>,
    ) -> Result<ApiResponse, ForgeError> {
        self.withhold_secrets(repo, &call).await?;
        let is_read = call.counts_as() == Method::GET;
        let (mut last, mut tries, mut moves) = (None, 0, 0);
        while tries < 2 {
            tries += 1;
            let session = self.session(repo, scope).await?;
            match self.send(&session.client, Some(repo.installation_id), &call).await {
                // It was not done under the old name, so it is sent again as it is.
                Err(ForgeError::Moved { path, .. })
                    if moves < MOST_MOVES && is_of(&path, repo.repo_id) =>
                {
                    (call.path, moves, tries) = (path, moves + 1, tries - 1);
                }
                Err(ForgeError::Refused { status: 401, doing, message }) => {
                    self.forget_session(repo, scope).await;
                    last = Some(ForgeError::Refused { status: 401, doing, message });
                }
                Err(error @ (ForgeError::NoAnswer { .. } | ForgeError::ServerFailed { .. }))
                    if is_read =>
                {
                    last = Some(error);
                }
                other => {
                    if !is_read {
                        self.note_effect(scope, &call, &other);
                    }
                    return other;
                }
            }
        }
        Err(last.unwrap_or_else(|| unreadable(call.doing, "no try was made")))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        repo: &RepoRef,
        scope: Scope,
        path: String,
        doing: &str,
    ) -> Result<T, ForgeError> {
        let call = ApiCall::new(Method::GET, path, doing);
        self.call(repo, scope, call).await?.json(doing)
    }

    async fn change<T: DeserializeOwned>(
        &self,
        repo: &RepoRef,
        scope: Scope,
        method: Method,
        path: String,
        body: &impl Serialize,
        doing: &str,
    ) -> Result<T, ForgeError> {
        let body = serde_json::to_value(body).map_err(|e| unreadable(doing, e.to_string()))?;
        let call = ApiCall { body: Some(body), ..ApiCall::new(method, path, doing) };
        self.call(repo, scope, call).await?.json(doing)
    }

    /// As `change`, where what GitHub answers says nothing new.
    async fn change_only(
        &self,
        repo: &RepoRef,
        scope: Scope,
        method: Method,
        path: String,
        body: &impl Serialize,
        doing: &str,
    ) -> Result<(), ForgeError> {
        self.change::<serde::de::IgnoredAny>(repo, scope, method, path, body, doing).await.map(drop)
    }

    async fn delete(
        &self,
        repo: &RepoRef,
        scope: Scope,
        path: String,
        doing: &str,
    ) -> Result<(), ForgeError> {
        let call = ApiCall::new(Method::DELETE, path, doing);
        self.call(repo, scope, call).await.map(drop)
    }
}

impl<'a> ApiCall<'a> {
    /// Without a body, about JSON.
    fn new(method: Method, path: String, doing: &'a str) -> Self {
        Self { method, path, body: None, accept: JSON, doing, before: None }
    }

    /// A GraphQL query is a POST that changes nothing.
    fn counts_as(&self) -> &Method {
        let query = self.body.as_ref().and_then(|body| body.get("query")?.as_str());
        if self.path == graphql::PATH && query.is_some_and(|it| it.starts_with("query")) {
            return &Method::GET;
        }
        &self.method
    }
}

impl ApiResponse {
    fn judged(self, doing: &str) -> Result<Self, ForgeError> {
        let doing = doing.to_owned();
        let status = self.status.as_u16();
        if self.status.is_success() || status == 304 {
            return Ok(self);
        }
        if self.status.is_server_error() {
            return Err(ForgeError::ServerFailed { doing, status });
        }
        let message = serde_json::from_slice::<payload::ApiFailure>(&self.body)
            .map_or_else(|_| String::new(), payload::ApiFailure::in_words);
        Err(ForgeError::Refused { doing, status, message })
    }

    fn json<T: DeserializeOwned>(&self, doing: &str) -> Result<T, ForgeError> {
        let body: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        serde_json::from_slice(body).map_err(|source| ForgeError::Unreadable {
            doing: doing.to_owned(),
            source: source.into(),
        })
    }
}

/// Turns "not there" into `None`.
fn found<T>(answer: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn not_sent(doing: &str, source: Box<dyn std::error::Error + Send + Sync>) -> ForgeError {
    let doing = doing.to_owned();
    match denied_by(source.as_ref()) {
        Some(denied) => ForgeError::Denied { doing, source: denied.clone().into() },
        None => ForgeError::NoAnswer { doing, source },
    }
}

fn unreadable(doing: &str, why: impl Into<String>) -> ForgeError {
    ForgeError::Unreadable { doing: doing.to_owned(), source: why.into().into() }
}
