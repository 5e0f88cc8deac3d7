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

/// Where a picture is to be had.
enum PicturePlace {
    /// There.
    At(Url),
    /// Where GitHub shows the upload of this name.
    Upload(String),
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
        let places: Vec<PicturePlace> =
            addresses.iter().filter_map(|it| self.place(it)).take(MOST_PICTURES).collect();
        let any_upload = places.iter().any(|place| matches!(place, PicturePlace::Upload(_)));
        let shown = match any_upload {
            true => self.shown_pictures(repo, number).await?,
            false => Vec::new(),
        };
        let mut pictures = Vec::new();
        for place in places {
            let url = match place {
                PicturePlace::At(url) => Some(url),
                PicturePlace::Upload(name) => {
                    shown.iter().find(|it| it.path().contains(&name)).cloned()
                }
            };
            if let Some(url) = url
                && let Some(picture) = self.picture(&url).await
            {
                pictures.push(picture);
            }
        }
        Ok(pictures)
    }

    /// `None`: it is not GitHub's.
    fn place(&self, address: &str) -> Option<PicturePlace> {
        let url = Url::parse(address).ok()?;
        if self.stores_pictures(&url) && url.host_str() == Some(PICTURE_HOSTS[1]) {
            return Some(PicturePlace::At(url));
        }
        let name = url.path().strip_prefix(UPLOADS).filter(|_| self.is_web(&url))?;
        let plain = (8..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain.then(|| PicturePlace::Upload(name.to_owned()))
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
