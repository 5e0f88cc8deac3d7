//! Whose turn it is: of the jobs on one issue, and of the releases of one branch, one is at work.

use crate::core::id::{Branch, Number, RepoId};
use crate::core::machine::Machine;
use crate::core::release::Release;
use crate::core::task::Task;
use crate::store::{Store, StoreError, Stored};
use crate::worker::commit::{Persisted, TaskOutcome, advanced};

/// Lets the first waiting job on a subject begin, unless one is at work there.
pub(super) async fn next_job(
    store: &dyn Store,
    repo: RepoId,
    number: Number,
) -> Result<TaskOutcome, StoreError> {
    let mut here = store.jobs_on(repo, number).await?;
    here.retain(|stored| stored.machine.subject == number);
    Ok(first_waiting(&here))
}

/// Lets a release that waits on a branch begin, unless one of the same package is under way there.
/// Of several that can, one begins, and the next is looked at after it.
pub(super) async fn next_release(
    store: &dyn Store,
    repo: RepoId,
    base: &Branch,
) -> Result<TaskOutcome, StoreError> {
    let mut here = store.open_releases(Some(repo)).await?;
    here.retain(|stored| stored.machine.base == *base);
    let live = |it: &Release| {
        here.iter().any(|other| other.machine.is_live() && other.machine.is_in_line_with(it))
    };
    let mut free = here.iter().filter(|it| it.machine.is_queued() && !live(&it.machine));
    let first = free.next().and_then(|stored| advanced(stored, &Release::turn()));
    Ok(TaskOutcome::ready(first.map(|mut commit| {
        let next = Task::NextRelease { repo_id: repo, base: base.clone() };
        commit.tasks.extend(free.next().map(|_| next));
        commit
    })))
}

fn first_waiting<M: Persisted>(here: &[Stored<M>]) -> TaskOutcome {
    if here.iter().any(|stored| stored.machine.is_live()) {
        return TaskOutcome::Done;
    }
    let first = here.iter().find(|stored| stored.machine.is_queued());
    TaskOutcome::ready(first.and_then(|stored| advanced(stored, &M::turn())))
}
