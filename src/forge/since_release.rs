//! The release before, and what changed since: the one reader of it, for the server and for the
//! Action alike.
//!
//! Invariants: the release before is the highest version whose tag is part of the commit's history;
//! which files changed is GitHub's own comparison, and it is said where that is not the whole.

use http::Method;
use semver::Version;
use serde::Deserialize;

use super::ship::{ListedCommit, Tag};
use super::{ApiCall, Forge, ForgeError, Scope, found, repo_path};
use crate::core::flagged::{SinceRelease, SinceReleaseFile};
use crate::core::github::RepoRef;
use crate::core::id::Sha;
use crate::core::policy::ReleaseRules;

/// So many tags are tried, the highest first, until one is found that the commit comes after.
const MOST_TAGS: usize = 8;
/// So many pages of commits are read, a hundred on each.
const MOST_PAGES: usize = 10;
/// So many files GitHub lists in a comparison, all on its first page.
const MOST_LISTED: usize = 300;

/// What came before a commit, as far as releases go.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct ReleaseHistory {
    pub last: Option<LastRelease>,
    /// The files since.
    pub since: SinceRelease,
}

/// A release that a commit comes after.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct LastRelease {
    pub version: Version,
    pub tag: String,
    /// The commits since, oldest first.
    pub commits: Vec<ListedCommit>,
}

#[derive(Deserialize)]
struct CommitComparison {
    status: String,
    #[serde(default)]
    commits: Vec<ListedCommit>,
    #[serde(default)]
    files: Option<Vec<ComparedFile>>,
}

#[derive(Deserialize)]
struct ComparedFile {
    filename: String,
    #[serde(default)]
    previous_filename: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    patch: Option<String>,
}

impl Forge {
    /// The release before the one that `head` would be, with what changed since. `but` is the tag
    /// of the release itself, which a run before this one may have made.
    pub async fn release_history(
        &self,
        repo: &RepoRef,
        rules: &ReleaseRules,
        tags: &[Tag],
        head: &Sha,
        but: Option<&str>,
    ) -> Result<ReleaseHistory, ForgeError> {
        let (start, end) = rules.tag.split_once("{version}").unwrap_or(("v", ""));
        let version = |tag: &Tag| {
            let text = tag.name.strip_prefix(start)?.strip_suffix(end)?;
            Version::parse(text).ok().filter(|_| but != Some(&*tag.name))
        };
        let mut known: Vec<(Version, &Tag)> =
            tags.iter().filter_map(|tag| Some((version(tag)?, tag))).collect();
        known.sort_by(|one, other| other.0.cmp(&one.0));
        let since = if known.is_empty() { SinceRelease::First } else { SinceRelease::NotFound };
        for (version, tag) in known.into_iter().take(MOST_TAGS) {
            if let Some((commits, since)) = self.compared(repo, &tag.commit.sha, head).await? {
                let last = Some(LastRelease { version, tag: tag.name.clone(), commits });
                return Ok(ReleaseHistory { last, since });
            }
        }
        Ok(ReleaseHistory { last: None, since })
    }

    /// What came after `from` up to `to`. `None`: `to` does not come after `from`.
    async fn compared(
        &self,
        repo: &RepoRef,
        from: &Sha,
        to: &Sha,
    ) -> Result<Option<(Vec<ListedCommit>, SinceRelease)>, ForgeError> {
        let doing = "reading what changed since the last release";
        let (mut commits, mut listed) = (Vec::new(), None);
        let mut next = Some(format!("{}/compare/{from}...{to}?per_page=100", repo_path(repo)));
        for _ in 0..MOST_PAGES {
            let Some(path) = next.take() else { break };
            let call = ApiCall::new(Method::GET, path, doing);
            let Some(answer) = found(self.call(repo, Scope::Read, call).await)? else {
                return Ok(None);
            };
            let page: CommitComparison = answer.json(doing)?;
            if page.status != "ahead" && page.status != "identical" {
                return Ok(None);
            }
            commits.extend(page.commits);
            listed = listed.or(page.files);
            next = self.next_page(&answer, doing)?;
        }
        let complete = listed.as_ref().is_some_and(|files| files.len() < MOST_LISTED);
        let files = listed.unwrap_or_default().into_iter().map(SinceReleaseFile::from).collect();
        Ok(Some((commits, SinceRelease::Changed { files, complete })))
    }
}

impl From<ComparedFile> for SinceReleaseFile {
    fn from(file: ComparedFile) -> Self {
        Self {
            removed: file.status == "removed",
            path: file.filename,
            renamed_from: file.previous_filename,
            diff: file.patch,
        }
    }
}
