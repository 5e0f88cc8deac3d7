//! Makes or moves branch, commit and pull request of a release.

use crate::core::release::{Release, ReleaseFact};
use crate::publish::release::{self as publisher, Proposed};
use crate::store::Claim;
use crate::worker::steps::release::look::ended_release;
use crate::worker::steps::release::plan::{planned_files, version_at};
use crate::worker::steps::release::planned;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
    claim: &Claim,
) -> Result<ReleaseFact, WorkError> {
    ctx.still_held(claim).await?;
    let proposed = propose(ctx, release).await;
    ctx.forge.revoke_push_token(&release.repo).await;
    proposed
}

async fn propose(ctx: &Context, release: &Release) -> Result<ReleaseFact, WorkError> {
    let plan = planned(release)?;
    let files = planned_files(ctx, release, plan).await?;
    let setting = ctx.release_report_context();
    let done = publisher::propose(&ctx.forge, release, plan, &files, &setting).await?;
    Ok(match done {
        Proposed::Open(pull) => ReleaseFact::Proposed { orders: release.orders, pull },
        Proposed::Edited(pull, head) => {
            let version = version_at(ctx, release, &head).await?;
            ReleaseFact::HeadMoved { pull, head, version }
        }
        Proposed::Ended(number) => ended_release(ctx, release, number).await?,
    })
}
