//! What whoever runs the server asks for by command, and the pauses that they make.
//!
//! Invariants: a cancel is the same fact as a comment's; a retry is the same new job, for whoever
//! asked for the former one, whose permission is asked for again. Both stand in the audit log.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::commit::{TaskOutcome, advanced};
use super::{Context, WorkError, audit};
use crate::clock::day_and_time;
use crate::core::audit::{AuditEntry, OPERATOR};
use crate::core::id::{JobId, Timestamp};
use crate::core::job::{Job, JobFact, JobOrder, JobStep};
use crate::core::machine::Machine;
use crate::core::task::{OperatorOrder, Task};
use crate::store::{Commit, Write};

/// How often a pause is looked for, to say so in the log.
const LOOKED_FOR_EVERY: Duration = Duration::from_secs(2);

/// Does what was asked for. On the heap, so that other tasks do not pay for it.
pub(super) fn performing<'a>(
    ctx: &'a Context,
    order: &'a OperatorOrder,
) -> BoxFuture<'a, Result<TaskOutcome, WorkError>> {
    Box::pin(perform(ctx, order))
}

async fn perform(ctx: &Context, order: &OperatorOrder) -> Result<TaskOutcome, WorkError> {
    match order {
        OperatorOrder::Cancel { job_id } => {
            let stored = ctx.store.job(job_id).await?;
            let fact = JobFact::Cancelled { by: None };
            Ok(TaskOutcome::ready(stored.and_then(|stored| advanced(&stored, &fact))))
        }
        OperatorOrder::Retry { job_id, key } => retry(ctx, job_id, key).await,
    }
}

async fn retry(ctx: &Context, id: &JobId, key: &str) -> Result<TaskOutcome, WorkError> {
    let Some(former) = ctx.store.job(id).await?.map(|stored| stored.machine) else {
        return Ok(TaskOutcome::Done);
    };
    let here = ctx.store.jobs_on(former.repo.repo_id, former.subject).await?;
    if here.iter().any(|stored| !stored.machine.is_done()) {
        return Ok(TaskOutcome::Done);
    }
    let order = JobOrder { at: ctx.clock.now(), comment_id: None, ..former.order.clone() };
    let job = Job::again(JobId::of_trigger(key), &former, order);
    let entry = audit::of_job(&job);
    let what = format!("asked for again, after {id}");
    Ok(TaskOutcome::ready(Some(Commit {
        once: Some(key.to_owned()),
        log: Some(format!("asked for again by whoever runs the server, after {id}")),
        tasks: vec![
            Task::Step { job_id: job.id.clone(), step: JobStep::Show },
            Task::NextOn { repo_id: job.repo.repo_id, number: job.subject },
        ],
        audit: vec![AuditEntry { who: OPERATOR.to_owned(), what, ..entry }],
        job: Some(Write::New(job)),
        ..Commit::default()
    })))
}

/// Says in the log when a pause begins and ends, until `shutdown`, and notes what GitHub still takes.
pub(super) async fn tell_of_pauses(ctx: &Context, shutdown: &CancellationToken) {
    let mut told = None;
    while !shutdown.is_cancelled() {
        ctx.metrics.rate_limit(ctx.forge.least_remaining());
        if let Ok(now) = ctx.store.paused().await {
            if now != told {
                tell(now);
            }
            told = now;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOKED_FOR_EVERY) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

fn tell(since: Option<Timestamp>) {
    match since {
        Some(since) => {
            let since = day_and_time(since);
            tracing::warn!(since, "paused: what comes is written down, and nothing new begins");
        }
        None => tracing::info!("the pause is over: work goes on"),
    }
}
