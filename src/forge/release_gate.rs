//! Asking GitHub itself whether something may be released.
//!
//! Invariants: nothing here comes from an event or from Gander's own memory; whether a comment was
//! edited is asked of GraphQL, for REST's time stamps do not say who or what moved them.

use serde::Deserialize;

use super::runs::Counted;
use super::{Forge, ForgeError, Scope, found, payload, repo_path, segments, unreadable};
use crate::core::checks::CheckState;
use crate::core::github::{RepoRef, Role};
use crate::core::id::{Branch, Number, RepoId, Sha, UserId};
use crate::core::release_gate::SeenCheck;

/// A pull request as it is now.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct SeenPull {
    /// The commit it became; `None` while it is not merged.
    pub merged_as: Option<Sha>,
    /// The branch it went into.
    pub base: Branch,
    /// The branch it came from.
    pub head_branch: String,
    /// The repository that branch is in; `None` when that is gone.
    pub head_repository: Option<RepoId>,
    pub head: Sha,
    /// Who opened it.
    pub author: Option<payload::User>,
    pub opened_at: Option<String>,
}

#[derive(Deserialize)]
struct PullAnswer {
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    merge_commit_sha: Option<Sha>,
    head: PullSide,
    base: PullSide,
    #[serde(default)]
    user: Option<payload::User>,
    #[serde(default)]
    created_at: Option<String>,
}

#[derive(Deserialize)]
struct TouchedFile {
    filename: String,
    #[serde(default)]
    previous_filename: Option<String>,
}

#[derive(Deserialize)]
struct PullSide {
    #[serde(rename = "ref")]
    branch: String,
    sha: Sha,
    repo: Option<EndRepository>,
}

#[derive(Deserialize)]
struct EndRepository {
    id: RepoId,
}

#[derive(Deserialize)]
struct BranchComparison {
    status: String,
}

impl Forge {
    /// A pull request as it is now. `None`: there is none of this number.
    pub async fn release_pull(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Option<SeenPull>, ForgeError> {
        let doing = "reading the release pull request";
        let path = format!("{}/pulls/{number}", repo_path(repo));
        let Some(pull) = found(self.get::<PullAnswer>(repo, Scope::Read, path, doing).await)?
        else {
            return Ok(None);
        };
        let base = pull.base.branch.parse();
        Ok(Some(SeenPull {
            merged_as: pull.merge_commit_sha.filter(|_| pull.merged),
            base: base.map_err(|bad: crate::core::id::MalformedIdError| {
                unreadable(doing, bad.to_string())
            })?,
            head_branch: pull.head.branch,
            head_repository: pull.head.repo.map(|repo| repo.id),
            head: pull.head.sha,
            author: pull.user,
            opened_at: pull.created_at,
        }))
    }

    /// The paths that a pull request touches, old names included.
    pub async fn files_of(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/pulls/{number}/files?per_page=100", repo_path(repo));
        let doing = "reading what the release changes";
        let files: Vec<TouchedFile> = self.list(repo, Scope::Read, path, doing).await?;
        Ok(files
            .into_iter()
            .flat_map(|it| [Some(it.filename), it.previous_filename])
            .flatten()
            .collect())
    }

    /// The tree of a commit. `None`: there is no such commit here.
    pub async fn tree_of(&self, repo: &RepoRef, sha: &Sha) -> Result<Option<Sha>, ForgeError> {
        let path = format!("{}/git/commits/{sha}", repo_path(repo));
        let doing = "reading a commit";
        let commit = self.get::<payload::GitCommit>(repo, Scope::Read, path, doing).await;
        Ok(found(commit)?.map(|commit| commit.tree.sha))
    }

    /// Whether a commit is part of a branch.
    pub async fn is_on(
        &self,
        repo: &RepoRef,
        sha: &Sha,
        branch: &Branch,
    ) -> Result<bool, ForgeError> {
        let branch = segments(branch.as_str());
        let path = format!("{}/compare/{sha}...{branch}?per_page=1", repo_path(repo));
        let doing = "asking whether the commit is on the default branch";
        let answer = found(self.get::<BranchComparison>(repo, Scope::Read, path, doing).await)?;
        Ok(answer.is_some_and(|it| matches!(it.status.as_str(), "ahead" | "identical")))
    }

    /// The check runs on a commit that count, as the server sees them.
    pub async fn checks_seen(
        &self,
        repo: &RepoRef,
        sha: &Sha,
    ) -> Result<Vec<SeenCheck>, ForgeError> {
        let doing = "reading the checks";
        let counted = self.counted_runs(repo, Scope::Read, sha, doing).await?;
        Ok(counted
            .into_iter()
            .map(|Counted { run, maybe_run_again, .. }| SeenCheck {
                app: run.app_id(),
                state: CheckState::of_run(run.status.as_deref(), run.conclusion.as_deref()),
                name: run.name,
                maybe_run_again,
            })
            .collect())
    }

    /// The headline of an App's newest check of this name on a commit. `None`: there is none.
    pub async fn check_headline(
        &self,
        repo: &RepoRef,
        sha: &Sha,
        (name, app): (&str, u64),
    ) -> Result<Option<String>, ForgeError> {
        let doing = "reading Gander's check";
        let path = format!(
            "{}/commits/{sha}/check-runs?check_name={}&app_id={app}",
            repo_path(repo),
            segments(name)
        );
        let runs: payload::CheckRuns = self.get(repo, Scope::Read, path, doing).await?;
        let ours = runs.check_runs.into_iter().find(|run| run.app_id() == Some(app));
        Ok(ours.and_then(|run| run.output).and_then(|output| output.title))
    }

    /// The people who have at least this role. `None`: GitHub does not tell this token.
    pub async fn holders(
        &self,
        repo: &RepoRef,
        role: Role,
    ) -> Result<Option<Vec<UserId>>, ForgeError> {
        match self.people_with(repo, role).await {
            Ok(people) => Ok(Some(people)),
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
