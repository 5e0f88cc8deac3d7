//! Merges the moved base into a branch that holds people's commits.

use crate::core::id::Sha;
use crate::core::release::{Release, ReleaseFact};
use crate::publish::release::{Refreshed, refresh};
use crate::store::Claim;
use crate::worker::steps::release::plan::version_at;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
    base: &Sha,
    claim: &Claim,
) -> Result<ReleaseFact, WorkError> {
    ctx.still_held(claim).await?;
    let refreshed = refresh_branch(ctx, release, base).await;
    ctx.forge.revoke_push_token(&release.repo).await;
    refreshed
}

async fn refresh_branch(
    ctx: &Context,
    release: &Release,
    base: &Sha,
) -> Result<ReleaseFact, WorkError> {
    Ok(match refresh(&ctx.forge, release, base).await? {
        Refreshed::At(head) => {
            let version = version_at(ctx, release, &head).await?;
            ReleaseFact::Refreshed { base: base.clone(), head, version }
        }
        Refreshed::Conflict => ReleaseFact::Stuck { base: base.clone() },
        Refreshed::Gone => ReleaseFact::Closed { by: None },
    })
}
