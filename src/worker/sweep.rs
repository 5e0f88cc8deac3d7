//! Regular care: webhooks are hints, this is the guarantee.

use super::missed::{Reach, TakenIn, take_in, unknown};
use super::{Context, WorkError};
use crate::core::id::Timestamp;
use crate::core::job::JobStep;
use crate::core::release;
use crate::core::retention::Retention;
use crate::core::task::{SWEEP_IS_LATE, Sweep, Task, hours_late};
use crate::store::KeptSince;

/// How often GitHub's log is compared with ours.
const MISSED_SECONDS: i64 = 5 * 60;
/// How often every open pull request and release is looked at, whatever webhooks said.
const OPEN_PULLS_SECONDS: i64 = 5 * 60;
/// How often old rows are forgotten, and how old they are then.
const FORGET_SECONDS: i64 = 6 * 60 * 60;
const KEEP_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Queues the first sweeps. Done again at every start; each is queued once.
pub(super) async fn begin_sweeps(ctx: &Context) -> Result<(), WorkError> {
    let now = ctx.clock.steady();
    ctx.store.bring_near(now).await?;
    for sweep in [Sweep::MissedDeliveries, Sweep::OpenPulls, Sweep::OldRows] {
        ctx.store.enqueue(&Task::Sweep(sweep), now).await?;
    }
    Ok(())
}

pub(in crate::worker) async fn sweep(ctx: &Context, sweep: Sweep) -> Result<(), WorkError> {
    let now = ctx.clock.steady();
    let (done, next) = match sweep {
        Sweep::MissedDeliveries => (compare_with_github(ctx, now).await, MISSED_SECONDS),
        Sweep::OpenPulls => (look_at_all(ctx).await, OPEN_PULLS_SECONDS),
        Sweep::OldRows => (remove_old(ctx, now).await, FORGET_SECONDS),
    };
    if let Err(fault) = done {
        tracing::warn!(?sweep, fault = %fault.text, "a sweep was not finished");
    }
    ctx.store.enqueue(&Task::Sweep(sweep), now.plus_seconds(next)).await?;
    Ok(())
}

/// Removes what was kept long enough, and notes in the log where the audit log ends: a head that
/// stands somewhere else, too, shows when somebody made the whole log anew.
async fn remove_old(ctx: &Context, now: Timestamp) -> Result<(), WorkError> {
    ctx.store.forget(now.plus_seconds(-KEEP_SECONDS)).await?;
    let before = |days: u32| now.plus_seconds(-i64::from(days) * 24 * 60 * 60);
    let Retention { jobs, ledger } = ctx.settings.retention;
    let kept = KeptSince { jobs: jobs.map(before), ledger: ledger.map(before) };
    let removed = ctx.store.thin(&kept).await?;
    if removed > 0 {
        tracing::info!(removed, "jobs and entries of the ledger were kept long enough");
    }
    let head = ctx.store.audit_head().await?;
    if head.seq > 0 {
        tracing::info!(rows = head.seq, hash = hex::encode(head.hash), "the audit log");
    }
    Ok(())
}

async fn look_at_all(ctx: &Context) -> Result<(), WorkError> {
    let now = ctx.clock.steady();
    for stored in ctx.store.open_jobs(None).await? {
        let look = Task::Step { job_id: stored.machine.id, step: JobStep::Look };
        ctx.store.enqueue(&look, now).await?;
    }
    for stored in ctx.store.open_releases(None).await? {
        if stored.machine.waits_for_others() {
            let step = release::ReleaseStep::Look;
            let look = Task::Release { release_id: stored.machine.id, step };
            ctx.store.enqueue(&look, now).await?;
        }
    }
    Ok(())
}

/// Fetches what was missed, and says where that has not been done for too long: GitHub forgets.
async fn compare_with_github(ctx: &Context, now: Timestamp) -> Result<(), WorkError> {
    let last = ctx.store.last_swept(Sweep::MissedDeliveries).await?;
    if let Some(last) = last
        && let Some(hours) = hours_late(last, now)
    {
        tracing::warn!(hours, "{SWEEP_IS_LATE}");
    }
    let fetched = fetch_missed(ctx).await;
    // Where it has never succeeded, it is late from the first try on.
    if matches!(fetched, Ok(true)) || last.is_none() {
        ctx.store.swept(Sweep::MissedDeliveries, now).await?;
    }
    fetched.map(drop)
}

/// Takes in what GitHub could not deliver, as if it had been delivered: everything of the last
/// days that we do not know, oldest first. What fails now is found again the next time; then it is
/// not all done.
async fn fetch_missed(ctx: &Context) -> Result<bool, WorkError> {
    let mut all = true;
    for delivery in unknown(ctx, Reach::Whole).await? {
        match take_in(ctx, &delivery).await {
            Ok(TakenIn::New) => {
                tracing::info!(delivery = delivery.guid, "a missed delivery was taken in");
            }
            Ok(TakenIn::Known | TakenIn::Gone) => {}
            Err(fault) => {
                tracing::warn!(delivery = delivery.guid, fault = %fault.text, "still missed");
                all = false;
            }
        }
    }
    Ok(all)
}
