//! Takes back what a stopped job may have left: an open pull request, its branch.

use crate::core::job::Job;
use crate::publish;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(ctx: &Context, job: &Job) -> Result<(), WorkError> {
    let undone = publish::undo(&ctx.forge, job).await;
    ctx.forge.revoke_push_token(&job.repo).await;
    Ok(undone?)
}
