//! Merges an approved release. Whether to merge is judged again in this step; GitHub is told which
//! commit.

use crate::core::id::Sha;
use crate::core::release::{Blocked, Merged, Release, ReleaseFact};
use crate::core::report::release as words;
use crate::publish::{self, Merging};
use crate::store::Claim;
use crate::worker::steps::job::merge::with_asks;
use crate::worker::steps::release::look::{ReleaseSnapshot, in_the_way, snapshot_of};
use crate::worker::steps::release::planned;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
    head: &Sha,
    claim: &Claim,
) -> Result<ReleaseFact, WorkError> {
    ctx.still_held(claim).await?;
    let merged = merge(ctx, release, head).await;
    ctx.forge.revoke_push_token(&release.repo).await;
    merged
}

async fn merge(ctx: &Context, release: &Release, head: &Sha) -> Result<ReleaseFact, WorkError> {
    let standing = match snapshot_of(ctx, release).await? {
        ReleaseSnapshot::Changed(fact) => return Ok(fact),
        ReleaseSnapshot::Same(standing) => standing,
    };
    let approval = match standing.consent.clone() {
        Ok(approval) => approval,
        Err(why) => {
            let why = Blocked::NotApproved(why);
            return Ok(ReleaseFact::NotMerged { head: head.clone(), why });
        }
    };
    if let Some(why) = in_the_way(ctx, release, &standing, &approval).await? {
        return Ok(ReleaseFact::NotMerged { head: head.clone(), why });
    }
    let forge = &ctx.forge;
    let (title, message) = words::merge_message(release, planned(release)?, &approval);
    let (repo, method) = (&release.repo, standing.rules.merge.method);
    match publish::merge(forge, repo, &approval, method, &title, &message).await? {
        Merging::Done { commit, by } => Ok(ReleaseFact::Merged(Merged { commit, by })),
        // Whatever stands in the way may be something that the release can go on from.
        Merging::Refused { why } => Ok(match snapshot_of(ctx, release).await? {
            ReleaseSnapshot::Changed(fact) => fact,
            ReleaseSnapshot::Same(now) => {
                let why = with_asks(why, &now.terms.asks);
                ReleaseFact::NotMerged { head: head.clone(), why: Blocked::Refused { why } }
            }
        }),
    }
}
