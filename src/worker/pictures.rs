//! The pictures of an issue, for a model that sees.
//!
//! Invariants: only those that stood in the issue when the command was given; that they cannot be
//! had stops nothing, for then the model is told that it may not guess.

use super::job_context::JobContext;
use super::{Context, WorkError};
use crate::core::job::{Base, Job};
use crate::core::picture::pictures_in;

/// What the steps of a job work with, with the pictures of its issue, if its model sees any.
pub(super) async fn with_pictures(
    ctx: &Context,
    job: &Job,
    base: &Base,
) -> Result<JobContext, WorkError> {
    let of_job = ctx.of_job(job, base).await?;
    let addresses = pictures_in(&job.order.issue.body);
    if addresses.is_empty() || !of_job.model.sees() {
        return Ok(of_job);
    }
    Ok(match ctx.forge.pictures(&job.repo, job.subject, &addresses).await {
        Ok(pictures) => JobContext { pictures: pictures.into(), ..of_job },
        Err(error) => {
            tracing::warn!(repo = %job.repo.name, %error, "no pictures of the issue");
            of_job
        }
    })
}
