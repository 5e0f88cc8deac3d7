//! A release, made so that a run can stop anywhere and another can go on: found by listing, since a
//! draft has no tag yet.
//!
//! Invariants: nothing is deleted, moved or replaced here; files go only to the host that the API
//! itself is on, or to github.com's own for uploads.

use bytes::Bytes;
use http::Method;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    ApiResponse, Forge, ForgeError, JSON, Scope, found, not_sent, payload, repo_path, segments,
    unreadable,
};
use crate::core::github::RepoRef;
use crate::core::id::Sha;
use crate::core::manifest::Digest;
use crate::core::release_gate::{AssetSeen, Mark, ReleaseSeen, TagAt, TagState};

/// A release that is not published yet.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Draft<'a> {
    pub tag: &'a str,
    pub commit: &'a Sha,
    pub title: &'a str,
    pub notes: &'a str,
    pub prerelease: bool,
}

/// A release as the API shows it.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct ReleaseAnswer {
    pub id: u64,
    pub html_url: String,
    pub upload_url: String,
    tag_name: String,
    draft: bool,
    #[serde(default)]
    body: Option<String>,
    author: Option<payload::User>,
    #[serde(default)]
    assets: Vec<AssetAnswer>,
}

#[derive(Debug, Clone, Deserialize)]
struct AssetAnswer {
    id: u64,
    name: String,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    uploader: Option<payload::User>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    browser_download_url: String,
}

#[derive(Deserialize)]
struct AttestationsAnswer {
    #[serde(default)]
    attestations: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct RefAnswer {
    object: RefObject,
}

#[derive(Deserialize)]
struct RefObject {
    sha: Sha,
    #[serde(rename = "type")]
    kind: String,
}

/// The account of a job's own token.
const WORKFLOW: &str = "github-actions[bot]";
const UPLOAD_TIME: std::time::Duration = std::time::Duration::from_secs(600);

impl ReleaseAnswer {
    fn seen(self) -> ReleaseSeen {
        let author = self.author.map_or_else(|| "ghost".to_owned(), |author| author.login);
        ReleaseSeen {
            id: self.id,
            draft: self.draft,
            by_workflow: author == WORKFLOW,
            author,
            mark: self.body.as_deref().and_then(Mark::of),
            assets: self.assets.into_iter().map(AssetAnswer::seen).collect(),
        }
    }
}

impl AssetAnswer {
    fn seen(self) -> AssetSeen {
        let sha256 = self.digest.as_deref().and_then(|digest| digest.strip_prefix("sha256:"));
        let sha256 = sha256.and_then(|digest| digest.parse().ok());
        let by_workflow = self.uploader.is_some_and(|user| user.login == WORKFLOW);
        let whole = self.state.is_none_or(|state| state == "uploaded");
        let (id, name, url) = (self.id, self.name, self.browser_download_url);
        AssetSeen { id, name, sha256, by_workflow, whole, url }
    }
}

impl Forge {
    /// What is there under a tag's name: the tag, releases and drafts.
    pub async fn standing(&self, repo: &RepoRef, tag: &str) -> Result<TagState, ForgeError> {
        let doing = "looking for what is released already";
        let path = format!("{}/releases?per_page=100", repo_path(repo));
        let all: Vec<ReleaseAnswer> = self.list(repo, Scope::Push, path, doing).await?;
        let releases = all.into_iter().filter(|it| it.tag_name == tag);
        Ok(TagState {
            releases: releases.map(ReleaseAnswer::seen).collect(),
            tag: self.tag(repo, tag).await?,
        })
    }

    /// Where a tag is.
    pub async fn tag(&self, repo: &RepoRef, tag: &str) -> Result<Option<TagAt>, ForgeError> {
        let path = format!("{}/git/ref/tags/{}", repo_path(repo), segments(tag));
        let answer = self.get::<RefAnswer>(repo, Scope::Push, path, "looking for the tag").await;
        Ok(found(answer)?.map(|it| match it.object.kind.as_str() {
            "commit" => TagAt::Commit(it.object.sha),
            _ => TagAt::Annotated,
        }))
    }

    /// Whether GitHub holds an attestation of a file.
    pub async fn is_attested(&self, repo: &RepoRef, file: &Digest) -> Result<bool, ForgeError> {
        let path = format!("{}/attestations/sha256:{file}?per_page=1", repo_path(repo));
        let doing = "looking for an attestation";
        match self.get::<AttestationsAnswer>(repo, Scope::Push, path, doing).await {
            Ok(answer) => Ok(!answer.attestations.is_empty()),
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One release with its address for uploads.
    pub async fn release(&self, repo: &RepoRef, id: u64) -> Result<ReleaseAnswer, ForgeError> {
        let path = format!("{}/releases/{id}", repo_path(repo));
        self.get(repo, Scope::Push, path, "reading the release").await
    }

    /// One release as it is now.
    pub async fn release_seen(&self, repo: &RepoRef, id: u64) -> Result<ReleaseSeen, ForgeError> {
        Ok(self.release(repo, id).await?.seen())
    }

    /// The content of a file of a release. `None`: it is not there any more.
    pub async fn asset(&self, repo: &RepoRef, id: u64) -> Result<Option<Bytes>, ForgeError> {
        let path = format!("{}/releases/assets/{id}", repo_path(repo));
        let doing = "reading a file of the release";
        self.download(repo, Scope::Push, path, "application/octet-stream", doing).await
    }

    /// Makes a draft; nobody without write access sees it.
    pub async fn create_draft(
        &self,
        repo: &RepoRef,
        draft: &Draft<'_>,
    ) -> Result<ReleaseAnswer, ForgeError> {
        let body = json!({
            "tag_name": draft.tag,
            "target_commitish": draft.commit,
            "name": draft.title,
            "body": draft.notes,
            "draft": true,
            "prerelease": draft.prerelease,
        });
        let path = format!("{}/releases", repo_path(repo));
        self.change(repo, Scope::Push, Method::POST, path, &body, "making the draft of the release")
            .await
    }

    /// Rewrites the notes of a draft.
    pub async fn rewrite_draft(
        &self,
        repo: &RepoRef,
        id: u64,
        notes: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/releases/{id}", repo_path(repo));
        let body = json!({ "body": notes });
        let doing = "rewriting the draft of the release";
        self.change_only(repo, Scope::Push, Method::PATCH, path, &body, doing).await
    }

    /// Shows a draft to everybody, as the latest of the repository or not; `None`: GitHub decides.
    pub async fn publish_draft(
        &self,
        repo: &RepoRef,
        id: u64,
        latest: Option<bool>,
    ) -> Result<ReleaseAnswer, ForgeError> {
        let path = format!("{}/releases/{id}", repo_path(repo));
        let mut body = json!({ "draft": false });
        if let Some(latest) = latest {
            // GitHub takes text here, of which `legacy` is a third value.
            body["make_latest"] = json!(latest.to_string());
        }
        self.change(repo, Scope::Push, Method::PATCH, path, &body, "publishing the release").await
    }

    /// Makes a tag. Refused (422) if it exists.
    pub async fn create_tag(
        &self,
        repo: &RepoRef,
        tag: &str,
        commit: &Sha,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/git/refs", repo_path(repo));
        let body = json!({ "ref": format!("refs/tags/{tag}"), "sha": commit });
        let doing = "making the tag";
        self.change_only(repo, Scope::Push, Method::POST, path, &body, doing).await
    }

    /// Removes what is left of an upload that broke off: until then its name is taken.
    pub async fn remove_broken_asset(
        &self,
        repo: &RepoRef,
        asset: &AssetSeen,
    ) -> Result<(), ForgeError> {
        let doing = "removing what is left of an upload that broke off";
        if !asset.broke_off() {
            return Err(unreadable(doing, "it is whole, or somebody else's"));
        }
        let path = format!("{}/releases/assets/{}", repo_path(repo), asset.id);
        self.delete(repo, Scope::Push, path, doing).await
    }

    /// Adds a file; says the digest GitHub worked out, if it does. Refused (422) if there is one of
    /// that name.
    pub async fn upload_asset(
        &self,
        repo: &RepoRef,
        release: &ReleaseAnswer,
        name: &str,
        content: Bytes,
    ) -> Result<Option<Digest>, ForgeError> {
        let doing = "uploading a file of the release";
        let url = self.upload_url(release, name).ok_or_else(|| {
            unreadable(doing, "the address for uploads is on a host that has no business here")
        })?;
        self.withhold_known(repo, &[name.as_bytes(), content.as_ref()]).await?;
        let session = self.session(repo, Scope::Push).await?;
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header("accept", JSON)
            .header("x-github-api-version", super::API_VERSION)
            .header("authorization", format!("Bearer {}", session.token.expose_secret()))
            .header("content-type", "application/octet-stream")
            .header("content-length", content.len())
            .body(reqwest::Body::from(content))
            .map_err(|error| unreadable(doing, error.to_string()))?;
        let sending = tokio::time::timeout(UPLOAD_TIME, self.inner.egress.send(request)).await;
        let response = match sending {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(not_sent(doing, error.into())),
            Err(late) => return Err(not_sent(doing, late.into())),
        };
        let (parts, body) = response.into_parts();
        let body = http_body_util::BodyExt::collect(body).await;
        let body = body.map_err(|error| not_sent(doing, error.into()))?.to_bytes();
        let answer = ApiResponse { status: parts.status, headers: parts.headers, body };
        let asset: AssetAnswer = answer.judged(doing)?.json(doing)?;
        Ok(asset.seen().sha256)
    }

    /// Where files of a release go. `None`: not where this API's files go.
    fn upload_url(&self, release: &ReleaseAnswer, name: &str) -> Option<Url> {
        let text = release.upload_url.split('{').next().unwrap_or_default();
        let mut url = Url::parse(text).ok()?;
        let api = &self.inner.config.api;
        let same = url.scheme() == api.scheme()
            && url.host_str() == api.host_str()
            && url.port_or_known_default() == api.port_or_known_default();
        let public = api.host_str() == Some("api.github.com")
            && url.scheme() == "https"
            && url.host_str() == Some(UPLOADS_HOST)
            && url.port().is_none();
        url.query_pairs_mut().clear().append_pair("name", name);
        (same || public).then_some(url)
    }
}

/// Where github.com takes files.
pub const UPLOADS_HOST: &str = "uploads.github.com";
