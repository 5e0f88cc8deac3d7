//! Pictures that people uploaded to GitHub with an issue.
//!
//! Invariants: only what GitHub stores itself is fetched, from its own hosts, without a token and
//! without following a redirect; only what the issue showed when the command was given; and only so
//! much of each.

use http::Method;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use url::Url;

use super::{ANSWER_TIMEOUT, ApiCall, Forge, ForgeError, Scope, found, repo_path};
use crate::core::github::RepoRef;
use crate::core::id::Number;
use crate::core::picture::{LARGEST_PICTURE, MOST_PICTURES, Picture, pictures_in_html};

/// Where github.com keeps what people upload: for a moment each, and as it used to.
pub const PICTURE_HOSTS: [&str; 2] =
    ["private-user-images.githubusercontent.com", "user-images.githubusercontent.com"];
/// Asks for the text as GitHub shows it, too: there an upload has an address of its own, good for a
/// few minutes.
const WITH_HTML: &str = "application/vnd.github.full+json";
/// Where an upload stands in what people write.
const UPLOADS: &str = "/user-attachments/assets/";

#[derive(Deserialize)]
struct ShownIssue {
    #[serde(default)]
    body_html: Option<String>,
}

impl Forge {
    /// Those of the pictures with these addresses that were uploaded to GitHub, of the issue as it
    /// is now. What cannot be had is left out.
    ///
    /// # Errors
    /// When GitHub does not show the issue.
    pub async fn pictures(
        &self,
        repo: &RepoRef,
        number: Number,
        addresses: &[String],
    ) -> Result<Vec<Picture>, ForgeError> {
        let names = addresses.iter().filter_map(|it| self.name_of_upload(it));
        let names: Vec<String> = names.take(MOST_PICTURES).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let shown = self.shown_pictures(repo, number).await?;
        let mut pictures = Vec::new();
        for name in names {
            if let Some(url) = shown.iter().find(|it| it.path().contains(&name))
                && let Some(picture) = self.picture(url).await
            {
                pictures.push(picture);
            }
        }
        Ok(pictures)
    }

    /// By what an upload is known where GitHub shows it. `None`: it is not GitHub's.
    fn name_of_upload(&self, address: &str) -> Option<String> {
        let url = Url::parse(address).ok()?;
        let name = match url.path().strip_prefix(UPLOADS).filter(|_| self.is_web(&url)) {
            Some(name) => name,
            // As it used to be: the whole path is its name.
            None if self.stores_pictures(&url) && !self.is_web(&url) => url.path(),
            None => return None,
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-./".contains(&byte);
        ((8..=120).contains(&name.len()) && name.bytes().all(plain)).then(|| name.to_owned())
    }

    fn is_web(&self, url: &Url) -> bool {
        url.origin() == self.inner.config.web.origin()
    }

    /// Whether what people upload is kept on its host. A server of one's own keeps it itself.
    fn stores_pictures(&self, url: &Url) -> bool {
        match self.inner.config.web.host_str() {
            Some("github.com") => {
                let known = url.host_str().is_some_and(|host| PICTURE_HOSTS.contains(&host));
                known && url.scheme() == "https" && url.port().is_none()
            }
            _ => self.is_web(url),
        }
    }

    /// The pictures of an issue, where GitHub shows them.
    async fn shown_pictures(&self, repo: &RepoRef, number: Number) -> Result<Vec<Url>, ForgeError> {
        let doing = "reading the pictures of the issue";
        let path = format!("{}/issues/{number}", repo_path(repo));
        let call = ApiCall { accept: WITH_HTML, ..ApiCall::new(Method::GET, path, doing) };
        let Some(answer) = found(self.call(repo, Scope::Read, call).await)? else {
            return Ok(Vec::new());
        };
        let html = answer.json::<ShownIssue>(doing)?.body_html.unwrap_or_default();
        let addresses = pictures_in_html(&html).into_iter().filter_map(|it| Url::parse(&it).ok());
        Ok(addresses.filter(|url| self.stores_pictures(url)).collect())
    }

    /// `None`: there is none to be had, whyever.
    async fn picture(&self, url: &Url) -> Option<Picture> {
        let request = http::Request::builder().method(Method::GET).uri(url.as_str());
        let request = request.body(reqwest::Body::default()).ok()?;
        let fetching = async {
            let response = self.inner.egress.send(request).await.ok()?;
            let is_there = response.status().is_success();
            let body = Limited::new(response.into_body(), LARGEST_PICTURE);
            let body = BodyExt::collect(body).await.ok()?;
            is_there.then(|| body.to_bytes())
        };
        let bytes = tokio::time::timeout(ANSWER_TIMEOUT, fetching).await.ok().flatten()?;
        Picture::read(bytes.to_vec())
    }
}
