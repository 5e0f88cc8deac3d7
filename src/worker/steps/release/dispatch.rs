//! Starts the publishing run, unless there is one of this name.

use crate::core::release::{Release, ReleaseFact};
use crate::publish::release::start_run;
use crate::store::Claim;
use crate::worker::steps::release::follow::names;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
    attempt: u32,
    claim: &Claim,
) -> Result<ReleaseFact, WorkError> {
    ctx.still_held(claim).await?;
    let dispatched = dispatch(ctx, release, attempt).await;
    ctx.forge.revoke_push_token(&release.repo).await;
    dispatched
}

async fn dispatch(
    ctx: &Context,
    release: &Release,
    attempt: u32,
) -> Result<ReleaseFact, WorkError> {
    let (id, name) = names(release, attempt)?;
    start_run(&ctx.forge, release, &id, &name).await?;
    Ok(ReleaseFact::Dispatched { attempt })
}
