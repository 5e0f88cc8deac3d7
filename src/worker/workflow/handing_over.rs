//! What one part of a run hands to the next, and how that is taken over into an empty store.

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::core::id::{Number, RepoId};
use crate::core::job::Job;
use crate::core::kept::KeptJob;
use crate::core::task::Task;
use crate::store::{Claim, Commit, Store, StoreError, Stored, Write};
use crate::worker::{WorkError, patches};

/// What one part of a run hands to the next.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Handover {
    pub(super) kept: Vec<KeptJob>,
    pub(super) tasks: Vec<Task>,
}

pub(super) async fn handed_over(
    store: &dyn Store,
    jobs: &[Stored<Job>],
    tasks: Vec<Task>,
) -> Result<Handover, WorkError> {
    let about = |job: &Job| tasks.iter().any(|it| it.about().as_deref() == Some(job.id.as_str()));
    let mut kept = Vec::new();
    for job in jobs.iter().map(|stored| &stored.machine).filter(|job| about(job)) {
        kept.push(patches::of_job(store, job).await?);
    }
    Ok(Handover { kept, tasks })
}

/// A task that stands for nothing but the right to write.
pub(super) async fn carrier(store: &dyn Store, clock: &Clock) -> Result<Claim, WorkError> {
    let task = Task::NextOn { repo_id: RepoId(0), number: Number(0) };
    let now = clock.steady();
    store.enqueue(&task, now).await?;
    let mut claims = Vec::new();
    // What waits beside it keeps its place.
    let found = loop {
        match store.claim(now).await? {
            Some(claim) if claim.task == task => break Some(claim),
            Some(claim) => claims.push(claim),
            None => break None,
        }
    };
    for claim in claims {
        store.hand_back(&claim.lease).await?;
    }
    found.ok_or_else(|| WorkError::bug("a task that was queued is not there"))
}

/// Puts what was handed over into an empty store.
pub(super) async fn take_over(
    store: &dyn Store,
    clock: &Clock,
    kept: &[KeptJob],
    tasks: &[Task],
) -> Result<(), WorkError> {
    for KeptJob { job, patches } in kept {
        for patch in patches {
            let bytes = serde_json::to_vec(patch).map_err(|bad| WorkError::permanent(&bad))?;
            let claim = carrier(store, clock).await?;
            let commit = Commit { patch: Some((patch.digest(), bytes)), ..Commit::default() };
            store.commit(&claim.lease, &commit, clock.steady()).await?;
        }
        let claim = carrier(store, clock).await?;
        let commit = Commit { job: Some(Write::New(job.clone())), ..Commit::default() };
        match store.commit(&claim.lease, &commit, clock.steady()).await {
            Err(StoreError::Conflict | StoreError::AlreadyDone) => {
                tracing::warn!(job = %job.id, "another one stands on its page: it does not count");
                store.commit(&claim.lease, &Commit::default(), clock.steady()).await?;
            }
            other => other?,
        }
    }
    for task in tasks {
        store.enqueue(task, clock.steady()).await?;
    }
    Ok(())
}
