//! What GitHub keeps elsewhere and leads to for a minute: logs of jobs, and files of releases.
//!
//! Invariants: one redirect is followed, to the hosts where GitHub keeps such things and to no
//! other, and without a token of ours; so much is read and no more.

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Limited};
use url::Url;

use super::{
    ANSWER_LIMIT, ANSWER_TIMEOUT, ApiCall, Forge, ForgeError, Scope, found, not_sent, unreadable,
};
use crate::core::github::RepoRef;

/// Where github.com keeps files of releases.
const FILE_HOSTS: [&str; 2] =
    ["objects.githubusercontent.com", "release-assets.githubusercontent.com"];
/// Where it keeps logs: so many accounts of one storage, by their numbers. Twenty are well known, and
/// people have met others since.
const LOG_ACCOUNTS: u32 = 100;

/// Where github.com keeps what its API only leads to.
pub fn download_hosts() -> Vec<String> {
    let files = FILE_HOSTS.iter().map(|host| (*host).to_owned());
    let log = |n| format!("productionresultssa{n}.blob.core.windows.net");
    files.chain((0..LOG_ACCOUNTS).map(log)).collect()
}

impl Forge {
    /// What stands at a path, here or where GitHub says it is. `None`: nothing does.
    pub(super) async fn download(
        &self,
        repo: &RepoRef,
        scope: Scope,
        path: String,
        accept: &'static str,
        doing: &str,
    ) -> Result<Option<Bytes>, ForgeError> {
        let call = ApiCall { accept, ..ApiCall::new(Method::GET, path, doing) };
        match found(self.call(repo, scope, call).await) {
            Ok(answer) => Ok(answer.map(|answer| answer.body)),
            Err(ForgeError::KeptElsewhere { location, .. }) => self.fetched(&location, doing).await,
            Err(error) => Err(error),
        }
    }

    /// The address is good for whoever has it.
    async fn fetched(&self, location: &str, doing: &str) -> Result<Option<Bytes>, ForgeError> {
        let url = Url::parse(location).ok().filter(|url| self.keeps_downloads(url));
        let url =
            url.ok_or_else(|| unreadable(doing, "it leads to a host that is none of GitHub's"))?;
        let request = http::Request::builder().method(Method::GET).uri(url.as_str());
        let request = request.body(reqwest::Body::default());
        let request = request.map_err(|error| unreadable(doing, error.to_string()))?;
        let fetching = async {
            let response = self.inner.egress.send(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_LIMIT);
            let body = BodyExt::collect(body).await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, body))
        };
        let (status, body) = match tokio::time::timeout(ANSWER_TIMEOUT, fetching).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(not_sent(doing, error)),
            Err(late) => return Err(not_sent(doing, late.into())),
        };
        match status.as_u16() {
            200..=299 => Ok(Some(body)),
            404 | 410 => Ok(None),
            status => {
                let (doing, message) = (doing.to_owned(), String::new());
                Err(ForgeError::Refused { doing, status, message })
            }
        }
    }

    /// Whether GitHub keeps such things there. A server of one's own keeps them itself.
    fn keeps_downloads(&self, url: &Url) -> bool {
        let config = &self.inner.config;
        match config.web.host_str() {
            Some("github.com") => {
                let known = |host: &str| download_hosts().iter().any(|it| it == host);
                url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(known)
            }
            _ => [&config.web, &config.api].into_iter().any(|it| it.origin() == url.origin()),
        }
    }
}
