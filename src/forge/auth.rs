//! Who we are: the App's JWT, and tokens cut down to one repository and one step's permissions.

use std::fmt;
use std::sync::Arc;

use http::Method;
use moka::future::Cache;
use octocrab::jsonwebtoken::{self, Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use strum::VariantArray;

use super::{ApiCall, ApiResponse, Forge, ForgeError, payload, segment, unreadable};
use crate::core::github::RepoRef;
use crate::core::id::{InstallationId, RepoId, Timestamp, UserId};
use crate::core::leak::KnownSecrets;

/// The App's private key. Its debug form shows nothing.
#[derive(Clone)]
pub struct AppKey(EncodingKey);

/// A key that is not an RSA private key in PEM form.
#[derive(Debug, thiserror::Error)]
#[error("the App's private key is not an RSA key in PEM form: use the file GitHub gave you")]
pub struct AppKeyError;

impl AppKey {
    /// Reads a PEM file's content.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AppKeyError> {
        EncodingKey::from_rsa_pem(pem).map(Self).map_err(|_| AppKeyError)
    }

    /// No key: nothing can be signed with it.
    pub(super) fn none() -> Self {
        Self(EncodingKey::from_secret(&[]))
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey(…)")
    }
}

/// What a step may do. Each scope is a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
pub enum Scope {
    /// Look.
    Read,
    /// Look at checks, statuses and logs.
    Watch,
    /// Speak: comments, reactions, labels, check runs.
    Talk,
    /// Publish a verified change: commit, branch, pull request.
    Push,
    /// Run jobs of GitHub Actions again. Needs a permission that people may give, and that the
    /// App's manifest does not ask for.
    Rerun,
}

impl Scope {
    /// The permissions of this scope, as the App's manifest names them.
    pub fn permissions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Read => &[
                ("contents", "read"),
                ("issues", "read"),
                ("metadata", "read"),
                ("pull_requests", "read"),
            ],
            Self::Watch => &[
                ("actions", "read"),
                ("checks", "read"),
                ("metadata", "read"),
                ("statuses", "read"),
            ],
            Self::Talk => &[
                ("checks", "write"),
                ("issues", "write"),
                ("metadata", "read"),
                ("pull_requests", "write"),
            ],
            Self::Push => {
                &[("contents", "write"), ("metadata", "read"), ("pull_requests", "write")]
            }
            Self::Rerun => &[("actions", "write"), ("metadata", "read")],
        }
    }
}

/// A token and the client that carries it.
pub(super) struct Session {
    pub(super) client: octocrab::Octocrab,
    pub(super) token: SecretString,
    /// The token, to be looked for in what leaves.
    pub(super) known: KnownSecrets,
    expires: Timestamp,
}

impl Session {
    /// Of a token that somebody else minted. It is not renewed.
    pub(super) fn given(
        client: octocrab::Octocrab,
        token: SecretString,
    ) -> Result<Self, ForgeError> {
        let known = known(&token)?;
        Ok(Self { client, token, known, expires: Timestamp(i64::MAX) })
    }
}

/// Cached sessions. Cold concurrent calls share one minting.
#[derive(Debug)]
pub(super) struct Sessions(Cache<(InstallationId, RepoId, Scope), Arc<Session>>);

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(until {})", self.expires.0)
    }
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(1000).build())
    }
}

/// A token with less than this left is not used any more.
const LEAST_LIFE_SECONDS: i64 = 10 * 60;
/// The account of every workflow's own token.
const ACTIONS_BOT: &str = "github-actions[bot]";
/// GitHub refuses more than ten minutes ahead.
const JWT_LIFE_SECONDS: i64 = 9 * 60;
/// Room for a clock that goes ahead of GitHub's.
const JWT_BACKDATE_SECONDS: i64 = 60;

#[derive(Serialize)]
struct Claims {
    iss: String,
    iat: i64,
    exp: i64,
}

#[derive(Serialize)]
struct TokenRequest {
    repository_ids: [RepoId; 1],
    permissions: serde_json::Map<String, serde_json::Value>,
}

impl Forge {
    /// Who we are, as GitHub sees it. Fails when the key or the number is wrong.
    pub async fn app(&self) -> Result<payload::AppInfo, ForgeError> {
        let doing = "asking who this App is";
        self.as_app(Method::GET, "/app".to_owned(), None, doing).await?.json(doing)
    }

    /// The number of the account that our comments are by.
    pub(super) async fn account(&self) -> Result<UserId, ForgeError> {
        let asked = self.inner.account.try_get_with((), async {
            let doing = "asking for our own account";
            let path = |name: &str| format!("/users/{}", segment(name));
            let answer = match &self.inner.given {
                // A workflow's token is always that of the same account.
                Some(given) => {
                    let call = ApiCall::new(Method::GET, path(ACTIONS_BOT), doing);
                    self.send(&given.client, None, &call).await?
                }
                None => {
                    let name = format!("{}[bot]", self.app().await?.slug());
                    self.as_app(Method::GET, path(&name), None, doing).await?
                }
            };
            let user: payload::User = answer.json(doing)?;
            Ok(user.id)
        });
        asked.await.map_err(shared_failure)
    }

    /// Whether it works with the token of a workflow's job, and as no App of its own.
    pub fn is_of_workflow(&self) -> bool {
        self.inner.given.is_some()
    }

    /// Whether an App is this one.
    pub fn is_this_app(&self, app: Option<u64>) -> bool {
        app == Some(self.inner.config.app_id)
    }

    /// The token git needs to read this repository.
    pub async fn git_token(&self, repo: &RepoRef) -> Result<SecretString, ForgeError> {
        Ok(self.session(repo, Scope::Read).await?.token.clone())
    }

    /// Takes the publishing token back, so that it lives no longer than its step. Best effort:
    /// it expires by itself within the hour.
    pub async fn revoke_push_token(&self, repo: &RepoRef) {
        self.revoke(repo, Scope::Push).await;
    }

    /// The same of another token that lives no longer than its step.
    pub(super) async fn revoke(&self, repo: &RepoRef, scope: Scope) {
        let key = (repo.installation_id, repo.repo_id, scope);
        if let Some(session) = self.push_sessions.0.remove(&key).await {
            let path = "/installation/token".to_owned();
            let call = ApiCall::new(Method::DELETE, path, "giving a token back");
            if let Err(error) = self.send(&session.client, None, &call).await {
                tracing::debug!(%error, "a token could not be given back");
            }
        }
    }

    pub(super) async fn session(
        &self,
        repo: &RepoRef,
        scope: Scope,
    ) -> Result<Arc<Session>, ForgeError> {
        if let Some(given) = &self.inner.given {
            return Ok(Arc::clone(given));
        }
        let key = (repo.installation_id, repo.repo_id, scope);
        let sessions = &self.sessions(scope).0;
        if let Some(session) = sessions.get(&key).await {
            let least = self.inner.clock.now().plus_seconds(LEAST_LIFE_SECONDS);
            if session.expires > least {
                return Ok(session);
            }
            sessions.invalidate(&key).await;
        }
        sessions.try_get_with(key, self.mint(repo, scope)).await.map_err(shared_failure)
    }

    pub(super) async fn forget_session(&self, repo: &RepoRef, scope: Scope) {
        let key = (repo.installation_id, repo.repo_id, scope);
        self.sessions(scope).0.invalidate(&key).await;
    }

    /// The live tokens of this repository.
    pub(super) async fn live_sessions(&self, repo: &RepoRef) -> Vec<Arc<Session>> {
        let mut live: Vec<_> = self.inner.given.iter().cloned().collect();
        for &scope in Scope::VARIANTS {
            let key = (repo.installation_id, repo.repo_id, scope);
            live.extend(self.sessions(scope).0.get(&key).await);
        }
        live
    }

    fn sessions(&self, scope: Scope) -> &Sessions {
        match scope {
            Scope::Push | Scope::Rerun => &self.push_sessions,
            Scope::Read | Scope::Watch | Scope::Talk => &self.inner.sessions,
        }
    }

    /// Sends a call as the App itself.
    pub(super) async fn as_app(
        &self,
        method: Method,
        path: String,
        body: Option<serde_json::Value>,
        doing: &str,
    ) -> Result<ApiResponse, ForgeError> {
        let client = self.octocrab(&self.jwt()?)?;
        self.send(&client, None, &ApiCall { body, ..ApiCall::new(method, path, doing) }).await
    }

    async fn mint(&self, repo: &RepoRef, scope: Scope) -> Result<Arc<Session>, ForgeError> {
        let doing = "getting a token for this repository";
        let permissions = scope.permissions().iter();
        let request = TokenRequest {
            repository_ids: [repo.repo_id],
            permissions: permissions.map(|(k, v)| ((*k).to_owned(), (*v).into())).collect(),
        };
        let body = serde_json::to_value(request).map_err(|e| unreadable(doing, e.to_string()))?;
        let path = format!("/app/installations/{}/access_tokens", repo.installation_id);
        let answer = self.as_app(Method::POST, path, Some(body), doing).await?;
        let token: payload::Token = answer.json(doing)?;
        let expires = chrono::DateTime::parse_from_rfc3339(&token.expires_at)
            .map_err(|e| unreadable(doing, e.to_string()))?;
        Ok(Arc::new(Session {
            client: self.octocrab(&token.token)?,
            known: known(&token.token)?,
            token: token.token,
            expires: Timestamp(expires.timestamp_millis()),
        }))
    }

    fn jwt(&self) -> Result<SecretString, ForgeError> {
        let now = self.inner.clock.now().0 / 1000;
        let claims = Claims {
            iss: self.inner.config.app_id.to_string(),
            iat: now - JWT_BACKDATE_SECONDS,
            exp: now + JWT_LIFE_SECONDS,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.inner.config.key.0)
            .map(SecretString::from)
            .map_err(|error| unreadable("signing as the App", error.to_string()))
    }
}

fn known(token: &SecretString) -> Result<KnownSecrets, ForgeError> {
    let secret = ("a GitHub token of this server", token.expose_secret());
    KnownSecrets::new([secret]).map_err(|error| unreadable("taking a token", error.to_string()))
}

/// Several callers shared one failed minting: each gets its own copy of what went wrong.
fn shared_failure(error: Arc<ForgeError>) -> ForgeError {
    match Arc::try_unwrap(error) {
        Ok(error) => error,
        Err(shared) => match &*shared {
            ForgeError::Limited { doing, after_seconds } => {
                ForgeError::Limited { doing: doing.clone(), after_seconds: *after_seconds }
            }
            ForgeError::Paced { doing, after_seconds } => {
                ForgeError::Paced { doing: doing.clone(), after_seconds: *after_seconds }
            }
            ForgeError::ServerFailed { doing, status } => {
                ForgeError::ServerFailed { doing: doing.clone(), status: *status }
            }
            ForgeError::Refused { doing, status, message } => ForgeError::Refused {
                doing: doing.clone(),
                status: *status,
                message: message.clone(),
            },
            ForgeError::Moved { doing, path } => {
                ForgeError::Moved { doing: doing.clone(), path: path.clone() }
            }
            ForgeError::NoAnswer { doing, source } => {
                ForgeError::NoAnswer { doing: doing.clone(), source: source.to_string().into() }
            }
            ForgeError::Denied { doing, source } => {
                ForgeError::Denied { doing: doing.clone(), source: source.to_string().into() }
            }
            ForgeError::Unreadable { doing, source } => unreadable(doing, source.to_string()),
            ForgeError::KeptElsewhere { doing, location } => {
                ForgeError::KeptElsewhere { doing: doing.clone(), location: location.clone() }
            }
            ForgeError::Withheld { secret } => ForgeError::Withheld { secret: secret.clone() },
        },
    }
}
