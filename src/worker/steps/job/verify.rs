//! Checks the proposed change in a tree of its own.

use tokio_util::sync::CancellationToken;

use crate::core::job::{Fact, Job};
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{Context, Fault, attempt};

pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    (round, attempt): (u32, u32),
    stop: &CancellationToken,
) -> Result<Fact, Fault> {
    let (rules, base) = rules_and_base(job)?;
    let patch = ctx.proposed(job).await?;
    let rooms = ctx.rooms(job, base).await?;
    let logs = rooms.records.join(format!("r{round}-a{attempt}"));
    let evidence = attempt::check(&about(job, rules, base), &rooms, &patch, &logs, stop).await?;
    Ok(Fact::Verified(evidence))
}
