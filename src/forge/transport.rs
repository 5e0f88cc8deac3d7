//! One request and its answer: through the egress rules, the rate limits and octocrab.

use http::Uri;
use http::header::{ACCEPT, HeaderValue, LOCATION};
use http_body_util::{BodyExt, Limited};
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, OctocrabBuilder};
use secrecy::{ExposeSecret, SecretString};

use super::limits::RequestKind;
use super::{
    ANSWER_LIMIT, ANSWER_TIMEOUT, ApiCall, ApiResponse, Forge, ForgeError, graphql, not_sent,
    unreadable,
};
use crate::core::id::InstallationId;

impl Forge {
    pub(super) async fn send(
        &self,
        client: &octocrab::Octocrab,
        installation: Option<InstallationId>,
        call: &ApiCall<'_>,
    ) -> Result<ApiResponse, ForgeError> {
        let url = match call.path.strip_prefix(graphql::PATH) {
            Some(_) => graphql::url(&self.inner.api),
            None => format!("{}{}", self.inner.api, call.path),
        };
        if let Err(denied) = self.inner.egress.check(&url) {
            return Err(ForgeError::Denied { doing: call.doing.to_owned(), source: denied.into() });
        }
        if let Some(installation) = installation {
            let kind = RequestKind::of(call.counts_as(), self.urgent);
            self.inner.limits.admit(installation, kind, call.doing)?;
        }
        let builder = http::Request::builder()
            .method(call.method.clone())
            .uri(url)
            .header(ACCEPT, HeaderValue::from_static(call.accept));
        // octocrab names the version of the API: a second time would make both void.
        let request = client
            .build_request(builder, call.body.as_ref())
            .map_err(|error| unreadable(call.doing, error.to_string()))?;
        let exchange = async {
            let response = client.execute(request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((parts, body))
        };
        let (parts, body) = match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(not_sent(call.doing, error)),
            Err(late) => return Err(not_sent(call.doing, late.into())),
        };
        let answer = ApiResponse { status: parts.status, headers: parts.headers, body };
        let limits = &self.inner.limits;
        let waits = limits.learn(installation, &answer.headers, answer.status, &answer.body);
        if let Some(after_seconds) = waits {
            return Err(ForgeError::Limited { doing: call.doing.to_owned(), after_seconds });
        }
        let doing = call.doing.to_owned();
        if let Some(path) = self.moved_to(&answer) {
            return Err(ForgeError::Moved { doing, path });
        }
        match kept_elsewhere(&answer) {
            Some(location) => Err(ForgeError::KeptElsewhere { doing, location }),
            None => answer.judged(call.doing),
        }
    }

    /// Where a permanent redirect leads, as a path below the API's root.
    fn moved_to(&self, answer: &ApiResponse) -> Option<String> {
        if !matches!(answer.status.as_u16(), 301 | 307 | 308) {
            return None;
        }
        self.path_of(answer.headers.get(LOCATION)?.to_str().ok()?)
    }

    /// The path of an address below the API's root, without the host: a server may go by several
    /// names, and our token is sent to none but the configured one.
    pub(super) fn path_of(&self, address: &str) -> Option<String> {
        let root = &self.inner.config.api;
        let address = root.join(address).ok()?;
        let path = address.path().strip_prefix(root.path().trim_end_matches('/'))?;
        let query = address.query().map_or_else(String::new, |query| format!("?{query}"));
        path.starts_with('/').then(|| format!("{path}{query}"))
    }

    /// A client with this token. Not octocrab's usual one: that names itself as the user agent, and
    /// adds a header of ours as a second one.
    pub(super) fn octocrab(&self, bearer: &SecretString) -> Result<octocrab::Octocrab, ForgeError> {
        let doing = "setting up the GitHub client";
        let unusable = |_| unreadable(doing, "the configured API address is unusable");
        let api: Uri =
            self.inner.config.api.origin().ascii_serialization().parse().map_err(unusable)?;
        let token = match bearer.expose_secret() {
            "" => None,
            token => {
                let token = HeaderValue::from_str(&format!("Bearer {token}"));
                let mut token = token.map_err(|_| {
                    unreadable(doing, "the token holds characters that no header may")
                })?;
                token.set_sensitive(true);
                Some(token)
            }
        };
        let built = OctocrabBuilder::new_empty()
            .with_service(ReqwestConnector::new(self.inner.egress.client()))
            .with_layer(&AuthHeaderLayer::new(token, api.clone(), api))
            .with_auth(AuthState::None)
            .build();
        built.map_err(|never| match never {})
    }
}

/// Where a file is that GitHub only leads to.
fn kept_elsewhere(answer: &ApiResponse) -> Option<String> {
    let location = answer.headers.get(LOCATION).filter(|_| answer.status.as_u16() == 302)?;
    location.to_str().ok().map(str::to_owned)
}
