//! What a release needs of GitHub: tags and commits, a branch brought up to date, and the run that
//! publishes.
//!
//! Invariants: a run is known by the name it was given, so it is looked for before it is asked for;
//! whether a release is out is read from GitHub, not from how a run ended.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Forge, ForgeError, Scope, found, payload, repo_path, segment, segments};
use crate::core::github::RepoRef;
use crate::core::id::{Branch, Number, RunId, Sha};

/// A tag and the commit it leads to.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Tag {
    pub name: String,
    pub commit: payload::GitObject,
}

/// A commit in a list.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct ListedCommit {
    pub sha: Sha,
    pub commit: CommitText,
    #[serde(default)]
    pub author: Option<Author>,
}

#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct CommitText {
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Author {
    #[serde(default)]
    pub login: String,
}

#[derive(Deserialize)]
struct NumberOnly {
    number: Number,
}

/// A run of a workflow.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct WorkflowRun {
    pub id: RunId,
    #[serde(default)]
    pub display_title: String,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub conclusion: Option<String>,
}

#[derive(Deserialize)]
struct WorkflowRuns {
    workflow_runs: Vec<WorkflowRun>,
}

#[derive(Deserialize)]
struct PublishedRelease {
    html_url: String,
    #[serde(default)]
    draft: bool,
}

/// What came of merging a commit into a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// A commit was made.
    Commit(Sha),
    /// It was in there already.
    Already,
    /// They do not go together.
    Conflict,
}

impl Forge {
    /// All tags.
    pub async fn tags(&self, repo: &RepoRef) -> Result<Vec<Tag>, ForgeError> {
        let path = format!("{}/tags?per_page=100", repo_path(repo));
        self.list(repo, Scope::Read, path, "reading the tags").await
    }

    /// The newest commits up to this one, oldest first.
    pub async fn commits_up_to(
        &self,
        repo: &RepoRef,
        to: &Sha,
    ) -> Result<Vec<ListedCommit>, ForgeError> {
        let path = format!("{}/commits?sha={to}&per_page=100", repo_path(repo));
        let doing = "reading the commits";
        let mut commits: Vec<ListedCommit> = self.get(repo, Scope::Read, path, doing).await?;
        commits.reverse();
        Ok(commits)
    }

    /// The pull request that brought a commit, if one did.
    pub async fn pull_with(&self, repo: &RepoRef, sha: &Sha) -> Result<Option<Number>, ForgeError> {
        let path = format!("{}/commits/{sha}/pulls?per_page=5", repo_path(repo));
        let doing = "asking which pull request brought a commit";
        let pulls: Option<Vec<NumberOnly>> = found(self.get(repo, Scope::Read, path, doing).await)?;
        Ok(pulls.unwrap_or_default().first().map(|pull| pull.number))
    }

    /// Merges a commit into a branch.
    pub async fn merge_into(
        &self,
        repo: &RepoRef,
        branch: &Branch,
        commit: &Sha,
        message: &str,
    ) -> Result<Joined, ForgeError> {
        let body = json!({"base": branch, "head": commit, "commit_message": message});
        let path = format!("{}/merges", repo_path(repo));
        let doing = "merging the base into the branch";
        let answer: Result<Option<payload::GitObject>, _> =
            self.change(repo, Scope::Push, Method::POST, path, &body, doing).await;
        match answer {
            Ok(Some(made)) => Ok(Joined::Commit(made.sha)),
            Ok(None) => Ok(Joined::Already),
            Err(error) if error.status() == Some(409) => Ok(Joined::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Starts the repository's release workflow. GitHub answers without naming a run.
    pub async fn start_release_run(
        &self,
        repo: &RepoRef,
        id: &str,
        commit: &Sha,
        pull: Number,
        package: Option<&str>,
    ) -> Result<(), ForgeError> {
        let mut release = json!({"id": id, "commit": commit, "pull": pull});
        if let Some(package) = package {
            release["package"] = package.into();
        }
        let body = json!({"event_type": "gander-release", "client_payload": {"release": release}});
        let path = format!("{}/dispatches", repo_path(repo));
        let doing = "starting the release workflow";
        self.change_only(repo, Scope::Push, Method::POST, path, &body, doing).await
    }

    /// The newest run with this name that a dispatch started.
    pub async fn run_named(
        &self,
        repo: &RepoRef,
        name: &str,
    ) -> Result<Option<WorkflowRun>, ForgeError> {
        let path =
            format!("{}/actions/runs?event=repository_dispatch&per_page=100", repo_path(repo));
        let doing = "looking for the release run";
        let runs: WorkflowRuns = self.get(repo, Scope::Watch, path, doing).await?;
        let named = runs.workflow_runs.into_iter().filter(|run| run.display_title == name);
        Ok(named.max_by_key(|run| run.id))
    }

    /// Where people see the release of this tag, if it is published and its tag is at this commit.
    pub async fn released(
        &self,
        repo: &RepoRef,
        tag: &str,
        commit: &Sha,
    ) -> Result<Option<String>, ForgeError> {
        let doing = "looking whether the release is out";
        let path = format!("{}/releases/tags/{}", repo_path(repo), segment(tag));
        let release: Option<PublishedRelease> =
            found(self.get(repo, Scope::Read, path, doing).await)?;
        let Some(release) = release.filter(|release| !release.draft) else { return Ok(None) };
        let path = format!("{}/git/ref/tags/{}", repo_path(repo), segments(tag));
        let at: Option<payload::Ref> = found(self.get(repo, Scope::Read, path, doing).await)?;
        Ok(at.filter(|at| at.object.sha == *commit).map(|_| release.html_url))
    }
}
