//! The release before, and what changed since: the one reader of it, for the server and for the
//! Action alike.
//!
//! Invariants: the release before is the highest version whose tag is part of the commit's history,
//! and where there are tags of versions and none is found there, that is not the first release;
//! which files changed is GitHub's own comparison, and it is said where that is not the whole.

use std::collections::BTreeSet;

use http::Method;
use semver::Version;
use serde::Deserialize;

use super::ship::{ListedCommit, Tag};
use super::{ApiCall, Forge, ForgeError, Scope, found, repo_path};
use crate::core::flagged::{SinceRelease, SinceReleaseFile};
use crate::core::github::RepoRef;
use crate::core::id::Sha;
use crate::core::policy::ScopedRules;
use crate::core::release::Refusal;
use crate::core::version_tags::{ends_in_version, usual_pattern};

/// So many tags are tried, the highest first, until one is found that the commit comes after.
const MOST_TAGS: usize = 8;
/// Where that is none of them, so many pages of the history are gone through, a hundred commits on
/// each.
const MOST_WALKED: usize = 20;
/// So many tags are named.
const MOST_NAMED: usize = 3;
/// So many pages of commits are read, a hundred on each.
const MOST_PAGES: usize = 10;
/// So many files GitHub lists in a comparison, all on its first page.
const MOST_LISTED: usize = 300;

/// What came before a commit, as far as releases go.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct ReleaseHistory {
    pub last: Option<LastRelease>,
    /// Why it is not known, though there are tags of versions.
    pub unknown: Option<Refusal>,
    /// The files since.
    pub since: SinceRelease,
}

/// A release that a commit comes after.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct LastRelease {
    pub version: Version,
    pub tag: String,
    /// Where it stands.
    pub commit: Sha,
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
        scoped: &ScopedRules,
        tags: &[Tag],
        head: &Sha,
        but: Option<&str>,
    ) -> Result<ReleaseHistory, ForgeError> {
        let version = |tag: &Tag| scoped.version_in(&tag.name).filter(|_| but != Some(&*tag.name));
        let mut known: Vec<(Version, &Tag)> =
            tags.iter().filter_map(|tag| Some((version(tag)?, tag))).collect();
        known.sort_by(|one, other| other.0.cmp(&one.0));
        if known.is_empty() {
            let others = tags.iter().map(|tag| tag.name.as_str());
            let counts = |tag: &&str| Some(*tag) != but && scoped.could_be_tag(tag);
            let others: Vec<&str> = others.filter(counts).collect();
            return Ok(ReleaseHistory::without_tags(&others, &scoped.rules.tag));
        }
        for (version, tag) in known.iter().take(MOST_TAGS) {
            if let Some(found) = self.since_tag(repo, version, tag, head).await? {
                return Ok(found);
            }
        }
        // The highest may all be on other branches.
        let (walked, cut) = self.walked(repo, head).await?;
        let inside = known.iter().skip(MOST_TAGS).find(|(_, tag)| walked.contains(&tag.commit.sha));
        if let Some((version, tag)) = inside
            && let Some(found) = self.since_tag(repo, version, tag, head).await?
        {
            return Ok(found);
        }
        let tags = known.iter().take(MOST_NAMED).map(|(_, tag)| tag.name.clone()).collect();
        let unknown = Some(Refusal::LastNotFound { tags, cut });
        Ok(ReleaseHistory { last: None, unknown, since: SinceRelease::NotFound })
    }

    /// What changed since a tag. `None`: it is not part of the history.
    async fn since_tag(
        &self,
        repo: &RepoRef,
        version: &Version,
        tag: &Tag,
        head: &Sha,
    ) -> Result<Option<ReleaseHistory>, ForgeError> {
        let compared = self.compared(repo, &tag.commit.sha, head).await?;
        Ok(compared.map(|(commits, since)| {
            let (version, tag, commit) =
                (version.clone(), tag.name.clone(), tag.commit.sha.clone());
            ReleaseHistory {
                last: Some(LastRelease { version, tag, commit, commits }),
                unknown: None,
                since,
            }
        }))
    }

    /// The commits that lead to this one, as many as are looked at, and whether there are more.
    async fn walked(
        &self,
        repo: &RepoRef,
        head: &Sha,
    ) -> Result<(BTreeSet<Sha>, bool), ForgeError> {
        let doing = "looking for the last release in the history";
        let mut walked = BTreeSet::new();
        let mut next = Some(format!("{}/commits?sha={head}&per_page=100", repo_path(repo)));
        for _ in 0..MOST_WALKED {
            let Some(path) = next.take() else { break };
            let answer =
                self.call(repo, Scope::Read, ApiCall::new(Method::GET, path, doing)).await?;
            let page: Vec<ListedCommit> = answer.json(doing)?;
            walked.extend(page.into_iter().map(|commit| commit.sha));
            next = self.next_page(&answer, doing)?;
        }
        Ok((walked, next.is_some()))
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

impl ReleaseHistory {
    /// Of a repository without a tag of this pattern.
    fn without_tags(others: &[&str], pattern: &str) -> Self {
        let versions: Vec<&str> = others.iter().copied().filter(|it| ends_in_version(it)).collect();
        if versions.is_empty() {
            return Self { last: None, unknown: None, since: SinceRelease::First };
        }
        let unknown = Refusal::OtherTags {
            tags: versions.iter().take(MOST_NAMED).map(|it| (*it).to_owned()).collect(),
            pattern: pattern.to_owned(),
            meant: usual_pattern(versions.into_iter()),
        };
        Self { last: None, unknown: Some(unknown), since: SinceRelease::NotFound }
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
