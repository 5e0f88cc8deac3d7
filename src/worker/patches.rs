//! Proposed changes, kept in the store by their digest.

use super::{Context, WorkError};
use crate::core::job::{Job, JobEnding, JobStage};
use crate::core::kept::KeptJob;
use crate::core::patch::{Patch, PatchDigest};
use crate::core::report::UNVERIFIED_CAP;
use crate::store::Store;
use crate::workspace::diff;

/// The change that a job proposes.
pub(super) async fn proposed(store: &dyn Store, job: &Job) -> Result<Patch, WorkError> {
    let proposal = job.proposal().ok_or_else(|| WorkError::bug("the job has no proposal"))?;
    let patch = kept(store, &proposal.patch).await?;
    patch.ok_or_else(|| WorkError::bug("the proposed change was not kept"))
}

/// The change that the last attempt left, handed in or not.
pub(super) async fn last(store: &dyn Store, job: &Job) -> Result<Option<Patch>, WorkError> {
    let left = job.unfinished.as_ref().and_then(|left| left.patch.as_ref());
    match left.or(job.proposal().map(|proposal| &proposal.patch)) {
        Some(digest) => kept(store, digest).await,
        None => Ok(None),
    }
}

/// The change with this digest, if it was kept.
pub(super) async fn kept(
    store: &dyn Store,
    digest: &PatchDigest,
) -> Result<Option<Patch>, WorkError> {
    let Some(bytes) = store.patch(digest).await? else { return Ok(None) };
    let patch = serde_json::from_slice(&bytes).map_err(|error| WorkError::permanent(&error))?;
    Ok(Some(patch))
}

/// A job with all its changes that are there, as its own comment keeps it. Empty where it cannot be
/// kept, or must not: a secret may stand in it.
pub(super) async fn kept_line(store: &dyn Store, job: &Job) -> Result<String, WorkError> {
    if matches!(job.stage, JobStage::Done(JobEnding::Withheld { .. })) {
        return Ok(String::new());
    }
    let kept = of_job(store, job).await?;
    Ok(kept.line().unwrap_or_default())
}

/// A job with all its changes that are there.
pub(super) async fn of_job(store: &dyn Store, job: &Job) -> Result<KeptJob, WorkError> {
    let mut patches = Vec::new();
    for digest in job.patches() {
        patches.extend(kept(store, digest).await?);
    }
    Ok(KeptJob { job: job.clone(), patches })
}

/// What stands of the change of a job that ended without a pull request, as a diff. Empty where
/// there is none, or where it cannot be read any more: it is an offer, and no part of the ending.
pub(super) async fn unverified(ctx: &Context, job: &Job) -> String {
    match try_unverified(ctx, job).await {
        Ok(diff) => diff.unwrap_or_default(),
        Err(fault) => {
            tracing::warn!(fault = %fault.text, "an unverified change cannot be shown");
            String::new()
        }
    }
}

async fn try_unverified(ctx: &Context, job: &Job) -> Result<Option<String>, WorkError> {
    let without_verdict = job.stage.ending().is_some_and(|ending| match ending {
        JobEnding::GaveUp { .. }
        | JobEnding::OutOfBudget { .. }
        | JobEnding::CannotCheck { .. }
        | JobEnding::Failed { .. } => job.pull.is_none(),
        JobEnding::Merged { .. }
        | JobEnding::Closed { .. }
        | JobEnding::Pushed { .. }
        | JobEnding::Suggested
        | JobEnding::Declined(_)
        | JobEnding::NothingToFix { .. }
        | JobEnding::NotReproducible { .. }
        | JobEnding::Withheld { .. }
        | JobEnding::Cancelled { .. } => false,
    });
    let (Some(base), true) = (job.base(), without_verdict) else { return Ok(None) };
    let Some(patch) = last(ctx.store.as_ref(), job).await? else { return Ok(None) };
    let mirror = ctx.mirror(job, &base.sha).await?;
    let entries = mirror.list(&base.sha).await?;
    let text = super::checks::blocking(move || {
        let base = diff::base_files(&mirror, &entries, &patch)?;
        Ok::<_, WorkError>(String::from_utf8_lossy(&diff::unified(&patch, &base)).into_owned())
    });
    // One more than is shown, so that the box says where it was cut.
    Ok(Some(text.await??.chars().take(UNVERIFIED_CAP + 1).collect()))
}
