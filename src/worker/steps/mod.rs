//! What each task does. Everything here may be done twice, or again after being cut off anywhere.

pub(in crate::worker) mod job;
pub(in crate::worker) mod release;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::core::report;
use crate::core::task::{CommandReply, Task};
use crate::publish::talk;
use crate::store::Claim;
use crate::worker::commit::TaskOutcome;
use crate::worker::route::decide;
use crate::worker::route::release::release_on_merge;
use crate::worker::turn::{next_job, next_release};
use crate::worker::{Context, WorkError, operator, slack, sweep};

/// Does a task. On the heap from the beginning, since steps need much of the stack.
pub(in crate::worker) fn performing<'a>(
    ctx: &'a Context,
    claim: &'a Claim,
    stop: &'a CancellationToken,
) -> BoxFuture<'a, Result<TaskOutcome, WorkError>> {
    Box::pin(perform(ctx, claim, stop))
}

async fn perform(
    ctx: &Context,
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<TaskOutcome, WorkError> {
    match &claim.task {
        Task::Delivery { event, payload, .. } => {
            Box::pin(decide(ctx, event, payload, claim.tries)).await
        }
        Task::NextOn { repo_id: repo, number } => {
            Ok(next_job(ctx.store.as_ref(), *repo, *number).await?)
        }
        Task::ReleaseOf { repo, number, package } => {
            Box::pin(release_on_merge(ctx, repo, *number, Some(package))).await
        }
        Task::NextRelease { repo_id: repo, base } => {
            Ok(next_release(ctx.store.as_ref(), *repo, base).await?)
        }
        Task::Reply(reply) => post_reply(ctx, reply).await.map(|()| TaskOutcome::Done),
        Task::Operator(order) => operator::performing(ctx, order).await,
        Task::Sweep(what) => sweep::sweep(ctx, *what).await.map(|()| TaskOutcome::Done),
        Task::Slack(task) => Box::pin(slack::perform(ctx, task)).await,
        Task::Step { job_id: job, step } => {
            Box::pin(job::perform(ctx, job, step, claim, stop)).await
        }
        Task::Release { release_id: release, step } => {
            Box::pin(release::perform(ctx, release, step, claim, stop)).await
        }
    }
}

async fn post_reply(ctx: &Context, reply: &CommandReply) -> Result<(), WorkError> {
    let marker = report::marker(&reply.key, "reply");
    let text = report::signed(&reply.text, &marker);
    if let Some(comment) = reply.thread_comment_id {
        let thread = (reply.number, comment);
        return Ok(talk::say_once_in_thread(&ctx.forge, &reply.repo, thread, &text, &marker).await?);
    }
    Ok(talk::say_once(&ctx.forge, &reply.repo, reply.number, &text, &marker).await?)
}

/// Nothing is learnt of it.
fn done<E>(done: Result<(), E>) -> Result<TaskOutcome, WorkError>
where
    WorkError: From<E>,
{
    done?;
    Ok(TaskOutcome::Done)
}
