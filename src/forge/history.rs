//! What was merged and committed lately: by it a repository shows its ways.

use serde::Deserialize;

use super::{ApiCall, Forge, ForgeError, Scope, found, payload, repo_path};
use crate::core::github::RepoRef;
use crate::core::id::{Login, Number};

/// So many titles are looked at.
const MOST_TITLES: usize = 50;

/// What a repository has done lately, newest first. What programs did is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentHistory {
    /// Titles of merged pull requests.
    pub titles: Vec<String>,
    /// Messages of commits on the default branch, without merges.
    pub messages: Vec<String>,
    /// Pull requests that are open, of others than Gander.
    pub open: Vec<OpenPullOfOthers>,
    /// The branches of pull requests that are not open any more.
    pub done_branches: Vec<String>,
}

/// A pull request that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OpenPullOfOthers {
    pub number: Number,
    /// Who opened it.
    pub by: Login,
    /// Its text: a title closes nothing.
    pub text: String,
}

#[derive(Deserialize)]
struct RecentPull {
    #[serde(default)]
    title: String,
    number: Number,
    state: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    head: Option<PullHead>,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    user: Option<payload::User>,
}

#[derive(Deserialize)]
struct NamedRef {
    #[serde(rename = "ref", default)]
    name: String,
}

#[derive(Deserialize)]
struct PullHead {
    #[serde(rename = "ref", default)]
    branch: String,
}

#[derive(Deserialize)]
struct RecentCommit {
    commit: RecentMessage,
    #[serde(default)]
    author: Option<payload::User>,
    #[serde(default)]
    parents: Vec<payload::GitObject>,
}

#[derive(Deserialize)]
struct RecentMessage {
    #[serde(default)]
    message: String,
}

impl Forge {
    /// What the repository has done lately.
    ///
    /// # Errors
    /// When GitHub cannot be asked.
    pub async fn recent_history(&self, repo: &RepoRef) -> Result<RecentHistory, ForgeError> {
        let path = repo_path(repo);
        let pulls = format!("{path}/pulls?state=all&sort=updated&direction=desc&per_page=100");
        let commits = format!("{path}/commits?per_page={MOST_TITLES}");
        let (own, pulls, commits) = tokio::try_join!(
            self.account(),
            self.first_page::<RecentPull>(repo, pulls, "reading what was merged"),
            self.first_page::<RecentCommit>(repo, commits, "reading the last commits"),
        )?;
        let by_person = |user: &Option<payload::User>| {
            user.as_ref().is_none_or(|user| user.kind != "Bot" && !user.login.ends_with("[bot]"))
        };
        let (open, done): (Vec<RecentPull>, Vec<RecentPull>) =
            pulls.into_iter().partition(|it| it.state == "open");
        let of_others = open.into_iter().filter_map(|it| {
            let by = it.user.filter(|user| user.id != own)?.login.parse().ok()?;
            Some(OpenPullOfOthers { number: it.number, by, text: it.body.unwrap_or_default() })
        });
        let open: Vec<OpenPullOfOthers> = of_others.collect();
        let branches = done.iter().filter_map(|it| it.head.as_ref());
        let done_branches = branches.map(|head| head.branch.clone()).collect();
        let merged = done.into_iter().filter(|it| it.merged_at.is_some() && by_person(&it.user));
        let single = |it: &RecentCommit| it.parents.len() < 2 && by_person(&it.author);
        Ok(RecentHistory {
            titles: merged.map(|it| it.title).take(MOST_TITLES).collect(),
            open,
            done_branches,
            messages: commits.into_iter().filter(single).map(|it| it.commit.message).collect(),
        })
    }

    /// The branches that are named after an issue: `12-empty-list`.
    ///
    /// # Errors
    /// When GitHub cannot be asked.
    pub async fn branches_named_after(
        &self,
        repo: &RepoRef,
        issue: Number,
    ) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/git/matching-refs/heads/{issue}-", repo_path(repo));
        let doing = "looking for branches of the issue";
        let found = self.first_page::<NamedRef>(repo, path, doing).await?;
        let names = found
            .into_iter()
            .filter_map(|it| Some(it.name.strip_prefix("refs/heads/")?.to_owned()));
        Ok(names.collect())
    }

    /// The first page of a list; empty where there is none.
    async fn first_page<T: serde::de::DeserializeOwned>(
        &self,
        repo: &RepoRef,
        path: String,
        doing: &str,
    ) -> Result<Vec<T>, ForgeError> {
        let call = ApiCall::new(http::Method::GET, path, doing);
        match found(self.call(repo, Scope::Read, call).await) {
            Ok(Some(answer)) => answer.json::<Vec<T>>(doing),
            Ok(None) => Ok(Vec::new()),
            // So GitHub says that a repository has no commit yet.
            Err(error) if error.status() == Some(409) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Gander's own name and address, as commits name them.
    ///
    /// # Errors
    /// When GitHub cannot be asked.
    pub async fn own_signature(&self) -> Result<String, ForgeError> {
        let (id, app) = tokio::try_join!(self.account(), self.app())?;
        let name = format!("{}[bot]", app.slug());
        Ok(format!("{name} <{id}+{name}@users.noreply.github.com>"))
    }
}
