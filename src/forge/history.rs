//! What was merged and committed lately: by it a repository shows its ways.

use serde::Deserialize;

use super::{ApiCall, Forge, ForgeError, Scope, found, payload, repo_path};
use crate::core::github::RepoRef;

/// So many titles are looked at.
const MOST_TITLES: usize = 50;

/// What a repository has done lately, newest first. What programs did is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentHistory {
    /// Titles of merged pull requests.
    pub titles: Vec<String>,
    /// Messages of commits on the default branch, without merges.
    pub messages: Vec<String>,
}

#[derive(Deserialize)]
struct RecentPull {
    #[serde(default)]
    title: String,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    user: Option<payload::User>,
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
        let pulls = format!("{path}/pulls?state=closed&sort=updated&direction=desc&per_page=100");
        let commits = format!("{path}/commits?per_page={MOST_TITLES}");
        let (pulls, commits) = tokio::try_join!(
            self.first_page::<RecentPull>(repo, pulls, "reading what was merged"),
            self.first_page::<RecentCommit>(repo, commits, "reading the last commits"),
        )?;
        let by_person = |user: &Option<payload::User>| {
            user.as_ref().is_none_or(|user| user.kind != "Bot" && !user.login.ends_with("[bot]"))
        };
        let merged = pulls.into_iter().filter(|it| it.merged_at.is_some() && by_person(&it.user));
        let own = |it: &RecentCommit| it.parents.len() < 2 && by_person(&it.author);
        Ok(RecentHistory {
            titles: merged.map(|it| it.title).take(MOST_TITLES).collect(),
            messages: commits.into_iter().filter(own).map(|it| it.commit.message).collect(),
        })
    }

    /// The first page of a list; empty where there is none.
    async fn first_page<T: serde::de::DeserializeOwned>(
        &self,
        repo: &RepoRef,
        path: String,
        doing: &str,
    ) -> Result<Vec<T>, ForgeError> {
        let call = ApiCall::new(http::Method::GET, path, doing);
        match found(self.call(repo, Scope::Read, call).await)? {
            Some(answer) => answer.json::<Vec<T>>(doing),
            None => Ok(Vec::new()),
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
