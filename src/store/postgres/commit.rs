//! The commit that ends a task, in one transaction.
//!
//! Invariants: lanes are locked first, then an act, a job, a release, a patch, at last the audit
//! log: in this order everywhere, so that no two transactions wait for each other.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::queue::{enqueue, lock_lanes};
use super::{audit, check_results, failed, release, second_of_its_kind, slack, storable};
use crate::core::github::RepoRef;
use crate::core::id::Timestamp;
use crate::core::job::Job;
use crate::core::task::Task;
use crate::store::rows::{JobRow, from_json, to_json, whose_log};
use crate::store::{Commit, Lease, LedgerEntry, StoreError, Write};

/// Writes all that follows from a task and removes it, or does nothing at all.
pub(super) async fn commit(
    connection: &mut PgConnection,
    lease: &Lease,
    commit: &Commit,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Dropped before its end, it is rolled back.
    let mut transaction = connection.begin().await.map_err(failed)?;
    let tasks = commit.tasks.iter().chain(commit.later.iter().map(|(task, _)| task));
    let lanes: Vec<String> = tasks.map(Task::lane).collect();
    lock_lanes(&mut transaction, &lanes, Some(lease.task)).await?;
    write(&mut transaction, lease, commit, now).await?;
    transaction.commit().await.map_err(failed)
}

async fn write(
    transaction: &mut PgConnection,
    lease: &Lease,
    commit: &Commit,
    now: Timestamp,
) -> Result<(), StoreError> {
    let done = remove(transaction, lease).await?;
    if let Some(key) = &commit.once {
        once(transaction, key, now).await?;
    }
    match &commit.job {
        Some(Write::New(job)) => insert_job(transaction, job, now).await?,
        Some(Write::Change(job, version)) => {
            update_job(transaction, job, *version, now).await?;
        }
        None => {}
    }
    if let Some(write) = &commit.release {
        release::write(transaction, write, now).await?;
    }
    for task in &commit.tasks {
        enqueue(transaction, task, now).await?;
    }
    for (task, seconds) in &commit.later {
        enqueue(transaction, task, now.plus_seconds(*seconds)).await?;
    }
    for entry in &commit.ledger {
        book(transaction, entry, now).await?;
    }
    if let Some((digest, bytes)) = &commit.patch {
        let kept = sqlx::query(
            "INSERT INTO patches (digest, bytes, job) VALUES ($1, $2, $3)
             ON CONFLICT (digest) DO UPDATE SET job = coalesce(excluded.job, patches.job)",
        );
        let kept = kept.bind(digest.as_str()).bind(bytes).bind(commit.about());
        kept.execute(&mut *transaction).await.map_err(failed)?;
    }
    if let Some(result) = &commit.check {
        check_results::add(transaction, result).await?;
    }
    for entry in &commit.slack {
        slack::write(transaction, entry).await?;
    }
    if let Some(text) = &commit.log {
        log(transaction, whose_log(commit, &done)?, text, now).await?;
    }
    audit::add(transaction, &commit.audit, now).await
}

/// Takes the task out of the queue, if the lease still holds; returns the task's JSON.
async fn remove(transaction: &mut PgConnection, lease: &Lease) -> Result<String, StoreError> {
    let task: Option<String> = sqlx::query_scalar(
        "DELETE FROM work WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL RETURNING task",
    )
    .bind(lease.task)
    .bind(lease.fence)
    .fetch_optional(transaction)
    .await
    .map_err(failed)?;
    task.ok_or(StoreError::LeaseLost)
}

async fn once(transaction: &mut PgConnection, key: &str, now: Timestamp) -> Result<(), StoreError> {
    let kept = sqlx::query("INSERT INTO acts (key, at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    let kept = kept.bind(storable(key)).bind(now.0).execute(transaction).await;
    match kept.map_err(failed)?.rows_affected() {
        0 => Err(StoreError::AlreadyDone),
        _ => Ok(()),
    }
}

async fn insert_job(
    transaction: &mut PgConnection,
    job: &Job,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = JobRow::of(job)?;
    let inserted = sqlx::query(
        "INSERT INTO jobs (id, repo, number, pull, live, merged, state, version, created, updated,
                           stage, ending)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(job.id.as_str())
    .bind(job.repo.repo_id.0.cast_signed())
    .bind(job.subject.0.cast_signed())
    .bind(row.pull)
    .bind(row.live)
    .bind(row.merged)
    .bind(row.state)
    .bind(now.0)
    .bind(row.stage)
    .bind(row.ending)
    .execute(transaction)
    .await
    .map_err(second_of_its_kind)?;
    if inserted.rows_affected() == 0 { Err(StoreError::AlreadyDone) } else { Ok(()) }
}

async fn update_job(
    transaction: &mut PgConnection,
    job: &Job,
    version: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = JobRow::of(job)?;
    let changed = sqlx::query(
        "UPDATE jobs SET pull = $3, live = $4, merged = $5, state = $6, version = version + 1,
             updated = $7, warned = $8, changed = $9, stage = $10, ending = $11
         WHERE id = $1 AND version = $2",
    )
    .bind(job.id.as_str())
    .bind(version)
    .bind(row.pull)
    .bind(row.live)
    .bind(row.merged)
    .bind(row.state)
    .bind(now.0)
    .bind(row.warned)
    .bind(row.changed)
    .bind(row.stage)
    .bind(row.ending)
    .execute(transaction)
    .await
    .map_err(second_of_its_kind)?;
    if changed.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

async fn book(
    transaction: &mut PgConnection,
    entry: &LedgerEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger (at, job, repo, installation, person, amount, what)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(now.0)
    .bind(entry.job_id.as_str())
    .bind(entry.accounts.repo_id.0.cast_signed())
    .bind(entry.accounts.installation_id.0.cast_signed())
    .bind(entry.accounts.person_id.0.cast_signed())
    .bind(entry.micros)
    .bind(storable(&entry.what))
    .execute(transaction)
    .await
    .map(drop)
    .map_err(failed)
}

async fn log(
    transaction: &mut PgConnection,
    whose: Option<String>,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO log (job, at, text) VALUES ($1, $2, $3)")
        .bind(whose)
        .bind(now.0)
        .bind(storable(text))
        .execute(transaction)
        .await
        .map(drop)
        .map_err(failed)
}

/// Writes a repository's present name and installation into all that is about it.
pub(super) async fn relocate(
    connection: &mut PgConnection,
    repo: &RepoRef,
) -> Result<(), StoreError> {
    let now = to_json("a repository", repo)?;
    let mut transaction = connection.begin().await.map_err(failed)?;
    for (all, change) in [
        (
            "SELECT seq, state FROM jobs WHERE repo = $1 ORDER BY seq FOR UPDATE",
            "UPDATE jobs SET state = $2, version = version + 1 WHERE seq = $1",
        ),
        (
            "SELECT seq, state FROM releases WHERE repo = $1 ORDER BY seq FOR UPDATE",
            "UPDATE releases SET state = $2, version = version + 1 WHERE seq = $1",
        ),
    ] {
        let rows: Vec<(i64, String)> = sqlx::query_as(all)
            .bind(repo.repo_id.0.cast_signed())
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        for (seq, state) in rows {
            let Some(state) = relocated(&state, repo, &now)? else { continue };
            let change = sqlx::query(change).bind(seq).bind(state);
            change.execute(&mut *transaction).await.map_err(failed)?;
        }
    }
    transaction.commit().await.map_err(failed)
}

/// The state with its repository as it is now (`now`, in JSON). `None`: it knows that.
fn relocated(state: &str, repo: &RepoRef, now: &str) -> Result<Option<String>, StoreError> {
    let mut state: serde_json::Value = from_json("a job or release", state)?;
    let known = serde_json::from_value::<RepoRef>(state["repo"].clone()).ok();
    let same = |known: &RepoRef| {
        (&known.name, known.installation_id) == (&repo.name, repo.installation_id)
    };
    if known.as_ref().is_some_and(same) {
        return Ok(None);
    }
    state["repo"] = from_json("a repository", now)?;
    Ok(Some(state.to_string()))
}
