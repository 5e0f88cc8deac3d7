//! The last steps of a pull request: merging exactly the approved commit, and cleaning up after it.
//!
//! What holds: merging takes an [`Approval`]; a branch is removed only where it stands at what was
//! merged.

use crate::core::approval::Approval;
use crate::core::job::Job;
use crate::core::policy::MergeMethod;
use crate::core::report;
use crate::forge::{BranchHead, Forge, ForgeError};

/// Merges exactly the approved commit.
///
/// # Errors
/// What GitHub refuses: 409 when the head is another by now, 405 when something stands in the way.
pub async fn merge(
    forge: &Forge,
    job: &Job,
    approval: &Approval,
    method: MergeMethod,
) -> Result<(), ForgeError> {
    let (title, message) = report::merge_message(job, &report::title(job));
    forge.merge(&job.place, approval, method, (&title, &message)).await.map(drop)
}

/// After merging: the branch goes, the issue is closed.
///
/// # Errors
/// When GitHub does not do as asked.
pub async fn clean_up(forge: &Forge, job: &Job) -> Result<(), ForgeError> {
    let branch = job.branch();
    if let (BranchHead::At(head), Some(pull)) =
        (forge.branch_head(&job.place, &branch).await?, &job.pull)
    {
        let detail = forge.pull(&job.place, pull.number).await?;
        if detail.is_some_and(|detail| detail.merged && detail.head.sha == head) {
            forge.delete_branch(&job.place, &branch).await?;
        }
    }
    let issue = forge.issue(&job.place, job.subject).await?;
    if issue.is_some_and(|issue| issue.state == "open") {
        forge.close_issue(&job.place, job.subject).await?;
    }
    Ok(())
}
