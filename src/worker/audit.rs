//! What the audit log says of a task: each request that changed something on GitHub, and each change
//! of a job or release that people see.
//!
//! Invariants: rows are written in one transaction with what follows from the task; where the task is
//! to be done again, they are written before that. A request that was answered is told once.

use super::Context;
use crate::core::audit::{AuditEntry, ITSELF, OPERATOR, digest_of};
use crate::core::job::{Job, JobEnding, JobFact, JobStage};
use crate::core::machine::Machine;
use crate::core::release::{Release, ReleaseFact};
use crate::core::task::{OperatorOrder, Task};
use crate::forge::Effect;
use crate::store::{Commit, Write};

/// What was changed on GitHub for this task.
pub(super) async fn entries(ctx: &Context, task: &Task, effects: Vec<Effect>) -> Vec<AuditEntry> {
    if effects.is_empty() {
        return Vec::new();
    }
    let about = about(ctx, task).await;
    let entry = |effect: Effect| AuditEntry {
        what: match effect.answered {
            true => effect.doing,
            false => format!("{}; no answer came, so it may have happened or not", effect.doing),
        },
        request: Some(effect.request),
        request_id: effect.request_id,
        scope: Some(format!("{:?}", effect.scope).to_lowercase()),
        ..about.clone()
    };
    effects.into_iter().map(entry).collect()
}

/// Who, where and about what. What cannot be read now is left out.
async fn about(ctx: &Context, task: &Task) -> AuditEntry {
    let nobody = AuditEntry { who: ITSELF.to_owned(), ..AuditEntry::default() };
    match task {
        Task::Step { job_id, .. } => match ctx.store.job(job_id).await {
            Ok(Some(stored)) => of_job(&stored.machine),
            Ok(None) | Err(_) => AuditEntry { about: Some(job_id.to_string()), ..nobody },
        },
        Task::Release { release_id, .. } => match ctx.store.release(release_id).await {
            Ok(Some(stored)) => of_release(&stored.machine),
            Ok(None) | Err(_) => AuditEntry { about: Some(release_id.to_string()), ..nobody },
        },
        Task::Reply(reply) => AuditEntry {
            repo: Some(reply.repo.repo_id),
            name: Some(reply.repo.name.to_string()),
            ..nobody
        },
        Task::ReleaseOf { repo, .. } => {
            AuditEntry { repo: Some(repo.repo_id), name: Some(repo.name.to_string()), ..nobody }
        }
        Task::Operator(OperatorOrder::Cancel { .. } | OperatorOrder::Retry { .. }) => {
            AuditEntry { who: OPERATOR.to_owned(), ..nobody }
        }
        Task::Delivery { .. }
        | Task::NextOn { .. }
        | Task::NextRelease { .. }
        | Task::Sweep(_)
        | Task::Slack(_) => nobody,
    }
}

/// All but what was done.
pub(super) fn of_job(job: &Job) -> AuditEntry {
    let round = job.review.round.as_ref();
    let head = job.pull.as_ref().map(|pull| &pull.head);
    let commit = job.stage.merging().or(head).or_else(|| job.base().map(|base| &base.sha));
    AuditEntry {
        who: round.map_or(&job.order.login, |round| &round.login).to_string(),
        repo: Some(job.repo.repo_id),
        name: Some(job.repo.name.to_string()),
        about: Some(job.id.to_string()),
        commit: commit.map(ToString::to_string),
        policy: job.rules().and_then(digest_of),
        ..AuditEntry::default()
    }
}

fn of_release(release: &Release) -> AuditEntry {
    AuditEntry {
        who: release.order.login.to_string(),
        repo: Some(release.repo.repo_id),
        name: Some(release.repo.name.to_string()),
        about: Some(release.id.to_string()),
        commit: release.pull.as_ref().map(|pull| pull.head.to_string()),
        ..AuditEntry::default()
    }
}

/// A pull request or its head is new, a merge begins, or the job is over.
pub(super) fn of_job_change(before: &Job, after: &Job, fact: &JobFact) -> Option<AuditEntry> {
    let ended = after.is_done() && !before.is_done();
    let merges = matches!(after.stage, JobStage::Merging { .. }) && before.stage != after.stage;
    let what = match &after.pull {
        Some(pull) if before.pull != after.pull => {
            format!("{}: #{} at {}", fact.name(), pull.number, pull.head.short())
        }
        Some(_) | None if ended || merges => format!("{} → {}", fact.name(), after.stage.name()),
        Some(_) | None => return None,
    };
    let by = match after.stage.ending() {
        Some(JobEnding::Merged { by: Some(by) } | JobEnding::Closed { by: Some(by) }) => {
            Some(by.to_string())
        }
        Some(JobEnding::Cancelled { by }) => {
            Some(by.as_ref().map_or_else(|| OPERATOR.to_owned(), ToString::to_string))
        }
        _ => None,
    };
    let entry = of_job(after);
    Some(AuditEntry { what, who: by.unwrap_or(entry.who), ..entry })
}

/// The same of a release.
pub(super) fn of_release_change(
    before: &Release,
    after: &Release,
    fact: &ReleaseFact,
) -> Option<AuditEntry> {
    let new_pull = after.pull.is_some() && before.pull != after.pull;
    let ended = after.is_done() && !before.is_done();
    let what = format!("{} → {}", fact.name(), after.stage.name());
    (new_pull || ended).then(|| AuditEntry { what, ..of_release(after) })
}

/// What was changed, and then what that means. Of a pull request that is new the commit is known
/// only by then.
pub(super) fn in_order(effects: &[AuditEntry], commit: &Commit) -> Vec<AuditEntry> {
    let head = match &commit.job {
        Some(Write::New(job) | Write::Change(job, _)) => job.pull.as_ref().map(|pull| &pull.head),
        None => None,
    };
    let with_head = |entry: &AuditEntry| {
        let pushes = entry.scope.as_deref() == Some("push");
        match head.filter(|_| pushes) {
            Some(head) => AuditEntry { commit: Some(head.to_string()), ..entry.clone() },
            None => entry.clone(),
        }
    };
    effects.iter().map(with_head).chain(commit.audit.iter().cloned()).collect()
}
