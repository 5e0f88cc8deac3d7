//! Publishing: commit, branch and pull request through the REST git data API.
//!
//! Invariants: no git push, so no git on anybody's tree; commits carry no author of ours, so GitHub
//! signs them; a branch moves only forward from the commit we expected (`force: false`).

use base64::Engine as _;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ApiCall, Forge, ForgeError, Scope, found, payload, repo_path, segment, segments};
use crate::core::github::RepoRef;
use crate::core::id::{Branch, Number, Sha};
use crate::core::leak::SecretsBefore;

/// One path of a commit. `content` is `None` when the path goes away.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct FileWrite<'a> {
    pub path: &'a str,
    pub executable: bool,
    pub content: Option<&'a [u8]>,
}

/// A pull request to be opened.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct NewPull<'a> {
    pub title: &'a str,
    pub body: &'a str,
    pub head: &'a Branch,
    pub base: &'a Branch,
}

impl Forge {
    /// Stores the tree `base` with these files changed. The same change gives the same name.
    /// `before` is what looked like secrets in them as they were.
    pub async fn create_tree(
        &self,
        repo: &RepoRef,
        base: &Sha,
        files: &[FileWrite<'_>],
        before: &SecretsBefore,
    ) -> Result<Sha, ForgeError> {
        let doing = "storing the changed files";
        let mut entries = Vec::with_capacity(files.len());
        for file in files {
            entries.push(self.tree_entry(repo, file, before).await?);
        }
        let body = json!({"base_tree": base, "tree": entries});
        let path = format!("{}/git/trees", repo_path(repo));
        self.store_object(repo, path, body, before, doing).await
    }

    /// Makes a commit of a stored tree on top of these. It is on no branch yet, so nobody sees it.
    pub async fn create_commit(
        &self,
        repo: &RepoRef,
        parents: &[&Sha],
        tree: &Sha,
        message: &str,
    ) -> Result<Sha, ForgeError> {
        let body = json!({"message": message, "tree": tree, "parents": parents});
        let path = format!("{}/git/commits", repo_path(repo));
        let commit: payload::GitObject =
            self.change(repo, Scope::Push, Method::POST, path, &body, "making the commit").await?;
        Ok(commit.sha)
    }

    async fn tree_entry(
        &self,
        repo: &RepoRef,
        file: &FileWrite<'_>,
        before: &SecretsBefore,
    ) -> Result<Value, ForgeError> {
        let mode = if file.executable { "100755" } else { "100644" };
        let Some(content) = file.content else {
            return Ok(json!({"path": file.path, "mode": "100644", "type": "blob", "sha": null}));
        };
        // Text travels inside the tree; only what is not text needs a request of its own.
        if let Ok(text) = std::str::from_utf8(content) {
            return Ok(json!({"path": file.path, "mode": mode, "type": "blob", "content": text}));
        }
        // A try that had to wait goes on where it was: what is stored is not sent again.
        let key = (repo.repo_id, Sha256::digest(content).into());
        if let Some(sha) = self.inner.stored.get(&key).await {
            return Ok(json!({"path": file.path, "mode": mode, "type": "blob", "sha": sha}));
        }
        let encoded = base64::engine::general_purpose::STANDARD.encode(content);
        let body = json!({"content": encoded, "encoding": "base64"});
        let path = format!("{}/git/blobs", repo_path(repo));
        let doing = "storing a file of the commit";
        let sha = self.store_object(repo, path, body, before, doing).await?;
        self.inner.stored.insert(key, sha.clone()).await;
        Ok(json!({"path": file.path, "mode": mode, "type": "blob", "sha": sha}))
    }

    async fn store_object(
        &self,
        repo: &RepoRef,
        path: String,
        body: Value,
        before: &SecretsBefore,
        doing: &str,
    ) -> Result<Sha, ForgeError> {
        let call = ApiCall {
            body: Some(body),
            before: Some(before),
            ..ApiCall::new(Method::POST, path, doing)
        };
        let stored: payload::GitObject = self.call(repo, Scope::Push, call).await?.json(doing)?;
        Ok(stored.sha)
    }

    /// A commit's parents and tree. `None`: GitHub does not know it.
    pub async fn commit(
        &self,
        repo: &RepoRef,
        sha: &Sha,
    ) -> Result<Option<payload::GitCommit>, ForgeError> {
        let path = format!("{}/git/commits/{sha}", repo_path(repo));
        found(self.get(repo, Scope::Push, path, "reading a commit").await)
    }

    /// Makes a branch. Refused (422) if it exists.
    pub async fn create_branch(
        &self,
        repo: &RepoRef,
        branch: &Branch,
        at: &Sha,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/git/refs", repo_path(repo));
        let body = json!({"ref": format!("refs/heads/{branch}"), "sha": at});
        self.change_only(repo, Scope::Push, Method::POST, path, &body, "making the branch").await
    }

    /// Removes a branch; not there is fine.
    pub async fn delete_branch(&self, repo: &RepoRef, branch: &Branch) -> Result<(), ForgeError> {
        let path = format!("{}/git/refs/heads/{}", repo_path(repo), segments(branch.as_str()));
        match self.delete(repo, Scope::Push, path, "removing the branch").await {
            // 422 is GitHub's "Reference does not exist".
            Err(error) if matches!(error.status(), Some(404 | 422)) => Ok(()),
            other => other,
        }
    }

    /// The pull request of a branch, open or not; the newest if there are several.
    pub async fn pull_of(
        &self,
        repo: &RepoRef,
        branch: &Branch,
    ) -> Result<Option<payload::PullSummary>, ForgeError> {
        let head = format!("{}:{branch}", repo.name.owner());
        let path =
            format!("{}/pulls?state=all&head={}&per_page=100", repo_path(repo), segment(&head));
        let pulls: Vec<payload::PullSummary> =
            self.list(repo, Scope::Read, path, "looking for the pull request").await?;
        Ok(pulls
            .into_iter()
            .filter(|pull| pull.head.branch == branch.as_str())
            .max_by_key(|pull| pull.number))
    }

    /// Opens a pull request.
    pub async fn open_pull(
        &self,
        repo: &RepoRef,
        new: &NewPull<'_>,
    ) -> Result<payload::PullSummary, ForgeError> {
        let path = format!("{}/pulls", repo_path(repo));
        let body = json!({
            "title": new.title,
            "body": new.body,
            "head": new.head,
            "base": new.base,
            "maintainer_can_modify": true,
        });
        let doing = "opening the pull request";
        self.change(repo, Scope::Push, Method::POST, path, &body, doing).await
    }

    /// Closes a pull request; closed already is fine.
    pub async fn close_pull(&self, repo: &RepoRef, number: Number) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{number}", repo_path(repo));
        self.change_only(
            repo,
            Scope::Push,
            Method::PATCH,
            path,
            &json!({"state": "closed"}),
            "closing the pull request",
        )
        .await
    }
}
