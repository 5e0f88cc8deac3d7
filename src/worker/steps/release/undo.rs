//! After cancelling: the pull request is closed and the branch removed.

use crate::core::release::Release;
use crate::publish::release as publisher;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(ctx: &Context, release: &Release) -> Result<(), WorkError> {
    let done = publisher::undo(&ctx.forge, release).await;
    ctx.forge.revoke_push_token(&release.repo).await;
    Ok(done?)
}
