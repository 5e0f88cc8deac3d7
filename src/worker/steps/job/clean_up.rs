//! After merging: the branch goes, the issue is closed.

use crate::core::job::Job;
use crate::publish;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(ctx: &Context, job: &Job) -> Result<(), WorkError> {
    let cleaned = publish::clean_up(&ctx.forge, job).await;
    ctx.forge.revoke_push_token(&job.repo).await;
    Ok(cleaned?)
}
