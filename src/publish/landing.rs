//! The last steps of a pull request: merging exactly the approved commit, and cleaning up after it.
//!
//! Invariants: merging takes an [`Approval`]; a merge whose answer was lost is found out; a branch
//! is removed only where it stands at what was merged.

use super::scan::WORKFLOWS;
use crate::core::approval::Approval;
use crate::core::github::RepoRef;
use crate::core::id::{Branch, Login, Number, Sha};
use crate::core::job::Job;
use crate::core::policy::MergeMethod;
use crate::forge::{BranchHead, Forge, ForgeError};

/// What came of merging.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Merging {
    /// It is merged. `by` names a person who was faster, or us where our answer was lost.
    Done {
        /// The commit that merged it.
        commit: Sha,
        by: Option<Login>,
    },
    /// GitHub does not merge it, in its words.
    Refused { why: String },
}

/// Merges exactly the approved commit, with title and text of the merge.
///
/// # Errors
/// When GitHub cannot be asked.
pub async fn merge(
    forge: &Forge,
    repo: &RepoRef,
    approval: &Approval,
    method: MergeMethod,
    title: &str,
    message: &str,
) -> Result<Merging, ForgeError> {
    let refused = match forge.merge_pull(repo, approval, method, title, message).await {
        Ok(commit) => return Ok(Merging::Done { commit, by: None }),
        // 409 when the head is another by now, 405 and 422 when something stands in the way, 403
        // when the change is one that an App may not bring in.
        Err(error) if matches!(error.status(), Some(403 | 405 | 409 | 422)) => error,
        Err(error) => return Err(error),
    };
    // It may have happened before the answer was lost.
    let detail = forge.pull(repo, approval.pull()).await?.filter(|detail| detail.merged);
    Ok(match detail.and_then(|it| it.merge_commit_sha.map(|commit| (commit, it.merged_by))) {
        Some((commit, by)) => {
            Merging::Done { commit, by: by.and_then(|user| user.login.parse().ok()) }
        }
        None => Merging::Refused { why: why(forge, repo, approval, &refused).await? },
    })
}

async fn why(
    forge: &Forge,
    repo: &RepoRef,
    approval: &Approval,
    refused: &ForgeError,
) -> Result<String, ForgeError> {
    // A ruleset's words stand in a paragraph of their own.
    let words = refused.in_words();
    let lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let words = lines.collect::<Vec<_>>().join(": ");
    if refused.status() == Some(403) {
        let files = forge.files_of(repo, approval.pull()).await?;
        if files.iter().any(|path| path.starts_with(WORKFLOWS)) {
            return Ok(format!(
                "{}. An App may not merge changes below {WORKFLOWS}: a person has to, or take \
                 them out",
                words.trim_end_matches('.')
            ));
        }
    }
    Ok(words)
}

/// After merging: the branch goes, the issue is closed.
///
/// # Errors
/// When GitHub does not do as asked.
pub async fn clean_up(forge: &Forge, job: &Job) -> Result<(), ForgeError> {
    if let Some(pull) = &job.pull {
        remove_merged(forge, &job.repo, &job.branch(), pull.number).await?;
    }
    let issue = forge.issue(&job.repo, job.subject).await?;
    if issue.is_some_and(|issue| issue.state == "open") {
        forge.close_issue(&job.repo, job.subject).await?;
    }
    Ok(())
}

/// Removes the branch of a merged pull request, unless somebody pushed to it since.
pub(super) async fn remove_merged(
    forge: &Forge,
    repo: &RepoRef,
    branch: &Branch,
    pull: Number,
) -> Result<(), ForgeError> {
    let BranchHead::At(head) = forge.branch_head(repo, branch).await? else { return Ok(()) };
    let detail = forge.pull(repo, pull).await?;
    if detail.is_some_and(|detail| detail.merged && detail.head.sha == head) {
        forge.delete_branch(repo, branch).await?;
    }
    Ok(())
}
