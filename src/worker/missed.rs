//! What stands in GitHub's own log of deliveries and not in ours.
//!
//! Invariants: what is fetched goes the way of a webhook: it is known by the same name, so that none
//! is done twice.

use super::{Context, WorkError};
use crate::core::delivery::Delivery;
use crate::core::id::{DeliveryId, HookId};
use crate::forge::payload::DeliverySummary;
use crate::store::Accepted;

/// How far back is looked: GitHub keeps its log for about three days.
pub(super) const LOOK_BACK_SECONDS: i64 = 3 * 24 * 60 * 60;
/// Pages of a hundred deliveries looked through in one sweep.
const MOST_PAGES: usize = 50;

/// How far back GitHub's log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All that GitHub keeps: after a start, and where something was left behind.
    Whole,
    /// As far as to what is known.
    New,
}

/// What GitHub's log holds and we do not know, oldest first.
pub(super) async fn unknown(
    ctx: &Context,
    reach: Reach,
) -> Result<Vec<DeliverySummary>, WorkError> {
    let since = ctx.clock.now().plus_seconds(-LOOK_BACK_SECONDS);
    let mut missed = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let (page, next) = ctx.forge.deliveries(cursor).await?;
        let ids: Vec<_> = page.iter().filter_map(DeliverySummary::delivery_id).collect();
        let known = ctx.store.known(&ids).await?;
        let unknown = |id: &DeliveryId| !known.contains(id);
        let too_old = page.iter().any(|delivery| delivery.is_before(since));
        let enough = reach == Reach::New && !known.is_empty();
        missed.extend(page.into_iter().filter(|d| d.delivery_id().as_ref().is_some_and(unknown)));
        if enough || too_old || next.is_none() {
            break;
        }
        cursor = next;
    }
    missed.reverse();
    Ok(missed)
}

/// What came of fetching a delivery.
pub(super) enum TakenIn {
    New,
    Known,
    /// GitHub has it no more.
    Gone,
}

/// Fetches a delivery and records it, as a webhook would.
pub(super) async fn take_in(ctx: &Context, listed: &DeliverySummary) -> Result<TakenIn, WorkError> {
    // Somebody else may have taken it in since it was listed.
    let guid = listed.delivery_id();
    if guid.is_some() && !ctx.store.known(guid.as_slice()).await?.is_empty() {
        return Ok(TakenIn::Known);
    }
    let detail = match ctx.forge.delivery(listed.id).await {
        Ok(detail) => detail,
        Err(error) if error.status() == Some(404) => return Ok(TakenIn::Gone),
        Err(error) => return Err(error.into()),
    };
    let Some(guid) = detail.delivery_id() else { return Ok(TakenIn::Known) };
    let hook = HookId(detail.hook_id().unwrap_or(0));
    let body = detail.request.payload.get().as_bytes();
    let delivery = Delivery::read(guid, hook, &detail.event, body);
    let wanted = delivery.is_wanted(&ctx.settings.address);
    match ctx.store.accept(&delivery, wanted, ctx.clock.steady()).await? {
        Accepted::New => Ok(TakenIn::New),
        Accepted::Known => Ok(TakenIn::Known),
    }
}
