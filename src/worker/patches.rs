//! Proposed changes, kept in the store by their digest.

use super::WorkError;
use crate::core::job::Job;
use crate::core::patch::{Patch, PatchDigest};
use crate::store::Store;

/// The change that a job proposes.
pub(super) async fn proposed(store: &dyn Store, job: &Job) -> Result<Patch, WorkError> {
    let proposal = job.proposal().ok_or_else(|| WorkError::bug("the job has no proposal"))?;
    let patch = kept(store, &proposal.patch).await?;
    patch.ok_or_else(|| WorkError::bug("the proposed change was not kept"))
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
