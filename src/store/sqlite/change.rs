//! The queue's own moves, and the commit that ends a task. Runs inside the writer's transaction.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{audit, check_results, execute, failed, operator, second_of_its_kind, slack};
use crate::core::audit::AuditEntry;
use crate::core::github::RepoRef;
use crate::core::id::Timestamp;
use crate::core::job::Job;
use crate::core::task::{Sweep, Task};
use crate::store::rows::{FORGOTTEN_AT_ONCE, JobRow, from_json, to_json, whose_log};
use crate::store::{
    Claim, Commit, LEASE_SECONDS, LONGEST_PAUSE_SECONDS, Lease, LedgerEntry, StoreError, Write,
};

/// The first that takes no slot, and where slots are free (?3) the first that does: the older. For
/// slots, a repository that holds fewer comes first, then the one whose turn is longest ago; of one
/// repository, what has begun. In a pause only what goes on all the same.
const CLAIM: &str = "UPDATE work
         SET tries = tries + (lease_until IS NOT NULL),
             abandoned = abandoned + (lease_until IS NOT NULL),
             fence = fence + 1, lease_until = ?2
         WHERE id = (SELECT id FROM (
             SELECT * FROM (SELECT ready, id FROM work
                            WHERE head = 1 AND slot = 0 AND ready <= ?1
                              AND (NOT EXISTS (SELECT 1 FROM pauses)
                                   OR lane = 'sweep:MissedDeliveries' OR lane LIKE 'operator:%')
                            ORDER BY ready, id LIMIT 1)
             UNION ALL
             SELECT * FROM (SELECT ready, id FROM work
                            WHERE ?3 AND NOT EXISTS (SELECT 1 FROM pauses)
                              AND head = 1 AND slot = 1 AND ready <= ?1 AND repo IS (
                                SELECT waits.repo
                                FROM (SELECT DISTINCT repo FROM work
                                      WHERE head = 1 AND slot = 1 AND ready <= ?1) AS waits
                                LEFT JOIN turns ON turns.repo = waits.repo
                                ORDER BY (SELECT count(*) FROM work AS held
                                          WHERE held.repo = waits.repo AND held.slot = 1
                                            AND held.lease_until IS NOT NULL),
                                         coalesce(turn, 0) LIMIT 1)
                            ORDER BY begun DESC, ready, id LIMIT 1)
         ) ORDER BY ready, id LIMIT 1)
         RETURNING id, fence, tries, abandoned, task, CASE WHEN slot THEN repo END";

const TURN: &str = "INSERT INTO turns (repo, turn)
         VALUES (?1, (SELECT coalesce(max(turn), 0) + 1 FROM turns))
         ON CONFLICT (repo) DO UPDATE SET turn = excluded.turn";

/// Which tasks may be taken, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimRequest {
    pub(super) now: Timestamp,
    /// Whether one that takes a slot may be.
    pub(super) slotted: bool,
}

/// A write that answers nothing but that it was done.
#[derive(Debug)]
pub(super) enum QueueChange {
    Heartbeat {
        lease: Lease,
        now: Timestamp,
    },
    Commit {
        lease: Lease,
        commit: Box<Commit>,
        now: Timestamp,
    },
    Postpone {
        lease: Lease,
        due: Timestamp,
        fault: String,
    },
    HandBack {
        lease: Lease,
    },
    Enqueue {
        task: Task,
        due: Timestamp,
    },
    Relocate {
        repo: RepoRef,
    },
    BringNear {
        now: Timestamp,
    },
    Swept {
        sweep: Sweep,
        at: Timestamp,
    },
    Pause {
        since: Option<Timestamp>,
        audit: AuditEntry,
        now: Timestamp,
    },
    /// Rows of the audit log that belong to no commit.
    Record {
        entries: Vec<AuditEntry>,
        now: Timestamp,
    },
    /// Shows that writing works.
    Nothing,
}

/// Takes the first head that is due, or whose lease has run out.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    request: ClaimRequest,
) -> Result<Option<Claim>, StoreError> {
    let row: Option<(i64, i64, u32, u32, String, Option<i64>)> = sqlx::query_as(CLAIM)
        .bind(request.now.0)
        .bind(request.now.plus_seconds(LEASE_SECONDS).0)
        .bind(request.slotted)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    let Some((task, fence, tries, abandoned, json, repo)) = row else { return Ok(None) };
    if let Some(repo) = repo {
        sqlx::query(TURN).bind(repo).execute(connection).await.map_err(failed)?;
    }
    // One that cannot be read stays leased, so that the others get their turn before it is
    // met again.
    let read = from_json("a task", &json)?;
    Ok(Some(Claim { lease: Lease { task, fence }, task: read, tries, abandoned }))
}

/// Makes one change, all of it or nothing.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    change: &QueueChange,
) -> Result<(), StoreError> {
    match change {
        QueueChange::Heartbeat { lease, now } => {
            let until = now.plus_seconds(LEASE_SECONDS);
            let moved = sqlx::query(
                "UPDATE work SET lease_until = ?3
                 WHERE id = ?1 AND fence = ?2 AND lease_until IS NOT NULL",
            );
            held(moved.bind(lease.task).bind(lease.fence).bind(until.0), connection).await
        }
        QueueChange::Postpone { lease, due, fault } => {
            let moved = sqlx::query(
                "UPDATE work SET lease_until = NULL, tries = tries + 1, due = ?3, fault = ?4
                 WHERE id = ?1 AND fence = ?2 AND lease_until IS NOT NULL",
            );
            held(moved.bind(lease.task).bind(lease.fence).bind(due.0).bind(fault), connection).await
        }
        QueueChange::HandBack { lease } => {
            let moved = sqlx::query(
                "UPDATE work SET lease_until = NULL
                 WHERE id = ?1 AND fence = ?2 AND lease_until IS NOT NULL",
            );
            held(moved.bind(lease.task).bind(lease.fence), connection).await
        }
        QueueChange::Enqueue { task, due } => enqueue(connection, task, *due).await,
        QueueChange::Relocate { repo } => relocate(connection, repo).await,
        QueueChange::BringNear { now } => {
            let latest = now.plus_seconds(LONGEST_PAUSE_SECONDS);
            let until = now.plus_seconds(LEASE_SECONDS);
            sqlx::query(
                "UPDATE work SET due = min(due, ?1), lease_until = min(lease_until, ?2)
                 WHERE due > ?1 OR lease_until > ?2",
            )
            .bind(latest.0)
            .bind(until.0)
            .execute(connection)
            .await
            .map_err(failed)?;
            Ok(())
        }
        QueueChange::Swept { sweep, at } => {
            sqlx::query("INSERT OR REPLACE INTO sweeps (name, done) VALUES (?, ?)")
                .bind(format!("{sweep:?}"))
                .bind(at.0)
                .execute(connection)
                .await
                .map_err(failed)?;
            Ok(())
        }
        QueueChange::Pause { since, audit, now } => {
            operator::set_pause(connection, *since).await?;
            audit::add(connection, std::slice::from_ref(audit), *now).await
        }
        QueueChange::Record { entries, now } => audit::add(connection, entries, *now).await,
        QueueChange::Nothing => execute(connection, "PRAGMA user_version = 0").await,
        QueueChange::Commit { lease, commit, now } => {
            execute(connection, "SAVEPOINT of_one_commit").await?;
            let written = self::commit(connection, lease, commit, *now).await;
            if let Err(refusal) = written {
                execute(connection, "ROLLBACK TO of_one_commit").await?;
                execute(connection, "RELEASE of_one_commit").await?;
                return Err(refusal);
            }
            execute(connection, "RELEASE of_one_commit").await
        }
    }
}

/// Writes a repository's present name and installation into all that is about it.
async fn relocate(connection: &mut SqliteConnection, repo: &RepoRef) -> Result<(), StoreError> {
    for table in ["jobs", "releases"] {
        let moved = format!(
            "UPDATE {table} SET state = json_set(state, '$.repo', json(?2)), version = version + 1
             WHERE repo = ?1 AND (json_extract(state, '$.repo.name') <> ?3
                                  OR json_extract(state, '$.repo.installation') <> ?4)"
        );
        sqlx::query(AssertSqlSafe(moved))
            .bind(repo.repo_id.0.cast_signed())
            .bind(to_json("a repository", repo)?)
            .bind(repo.name.to_string())
            .bind(repo.installation_id.0.cast_signed())
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// Deletes some deliveries and act keys from before that moment; returns how many.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for statement in [
        "DELETE FROM deliveries
         WHERE id IN (SELECT id FROM deliveries WHERE received < ?1 ORDER BY received LIMIT ?2)",
        "DELETE FROM acts
         WHERE key IN (SELECT key FROM acts WHERE at < ?1 ORDER BY at LIMIT ?2)",
        "DELETE FROM check_results
         WHERE id IN (SELECT id FROM check_results WHERE at < ?1 ORDER BY at LIMIT ?2)",
        "DELETE FROM slack WHERE key IN (SELECT key FROM slack WHERE until < ?1 LIMIT ?2)",
    ] {
        let deleted = sqlx::query(statement).bind(before.0).bind(FORGOTTEN_AT_ONCE);
        forgotten += deleted.execute(&mut *connection).await.map_err(failed)?.rows_affected();
    }
    Ok(forgotten)
}

type Statement = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

async fn held(statement: Statement, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    match statement.execute(connection).await.map_err(failed)?.rows_affected() {
        0 => Err(StoreError::LeaseLost),
        _ => Ok(()),
    }
}

async fn enqueue(
    connection: &mut SqliteConnection,
    task: &Task,
    due: Timestamp,
) -> Result<(), StoreError> {
    let (lane, json) = (task.lane(), to_json("a task", task)?);
    if task.is_level_triggered() {
        // An equal one that waits is enough, at the earlier of both moments.
        let waiting = sqlx::query(
            "UPDATE work SET due = min(due, ?3)
             WHERE lane = ?1 AND task = ?2 AND lease_until IS NULL",
        );
        let waiting = waiting.bind(&lane).bind(&json).bind(due.0);
        if waiting.execute(&mut *connection).await.map_err(failed)?.rows_affected() > 0 {
            return Ok(());
        }
    }
    let of = task.about().filter(|_| task.takes_slot());
    let insert = "INSERT INTO work (lane, task, due, slot, begun, repo)
         VALUES (?1, ?2, ?3, ?4, ?5, coalesce((SELECT repo FROM jobs WHERE id = ?6),
                                              (SELECT repo FROM releases WHERE id = ?6)))";
    sqlx::query(insert)
        .bind(lane)
        .bind(json)
        .bind(due.0)
        .bind(task.takes_slot())
        .bind(!task.begins())
        .bind(of)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed)
}

async fn commit(
    connection: &mut SqliteConnection,
    lease: &Lease,
    commit: &Commit,
    now: Timestamp,
) -> Result<(), StoreError> {
    let done = remove(connection, lease).await?;
    if let Some(key) = &commit.once {
        once(connection, key, now).await?;
    }
    match &commit.job {
        Some(Write::New(job)) => insert_job(connection, job, now).await?,
        Some(Write::Change(job, version)) => {
            update_job(connection, job, *version, now).await?;
        }
        None => {}
    }
    if let Some(write) = &commit.release {
        super::release::write(connection, write, now).await?;
    }
    for task in &commit.tasks {
        enqueue(connection, task, now).await?;
    }
    for (task, seconds) in &commit.later {
        enqueue(connection, task, now.plus_seconds(*seconds)).await?;
    }
    for entry in &commit.ledger {
        book(connection, entry, now).await?;
    }
    if let Some((digest, bytes)) = &commit.patch {
        let kept = sqlx::query(
            "INSERT INTO patches (digest, bytes, job) VALUES (?, ?, ?)
             ON CONFLICT (digest) DO UPDATE SET job = coalesce(excluded.job, job)",
        );
        let kept = kept.bind(digest.as_str()).bind(bytes).bind(commit.about());
        kept.execute(&mut *connection).await.map_err(failed)?;
    }
    if let Some(result) = &commit.check {
        check_results::add(connection, result).await?;
    }
    for entry in &commit.slack {
        slack::write(connection, entry).await?;
    }
    if let Some(text) = &commit.log {
        log(connection, whose_log(commit, &done)?, text, now).await?;
    }
    audit::add(connection, &commit.audit, now).await
}

/// Takes the task out of the queue, if the lease still holds; returns the task's JSON.
async fn remove(connection: &mut SqliteConnection, lease: &Lease) -> Result<String, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "DELETE FROM work WHERE id = ? AND fence = ? AND lease_until IS NOT NULL RETURNING task",
    )
    .bind(lease.task)
    .bind(lease.fence)
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    row.map(|(task,)| task).ok_or(StoreError::LeaseLost)
}

async fn once(
    connection: &mut SqliteConnection,
    key: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let kept = sqlx::query("INSERT INTO acts (key, at) VALUES (?, ?) ON CONFLICT DO NOTHING");
    match kept.bind(key).bind(now.0).execute(connection).await.map_err(failed)?.rows_affected() {
        0 => Err(StoreError::AlreadyDone),
        _ => Ok(()),
    }
}

async fn insert_job(
    connection: &mut SqliteConnection,
    job: &Job,
    now: Timestamp,
) -> Result<(), StoreError> {
    let existing: Option<(i64,)> = sqlx::query_as("SELECT seq FROM jobs WHERE id = ?")
        .bind(job.id.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    if existing.is_some() {
        return Err(StoreError::AlreadyDone);
    }
    let row = JobRow::of(job)?;
    sqlx::query(
        "INSERT INTO jobs (id, repo, number, pull, live, state, version, created, updated, stage,
                           ending)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, ?8, ?9)",
    )
    .bind(job.id.as_str())
    .bind(job.repo.repo_id.0.cast_signed())
    .bind(job.subject.0.cast_signed())
    .bind(row.pull)
    .bind(row.live)
    .bind(row.state)
    .bind(now.0)
    .bind(row.stage)
    .bind(row.ending)
    .execute(connection)
    .await
    .map(drop)
    .map_err(second_of_its_kind)
}

async fn update_job(
    connection: &mut SqliteConnection,
    job: &Job,
    version: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = JobRow::of(job)?;
    let changed = sqlx::query(
        "UPDATE jobs SET pull = ?3, live = ?4, state = ?5, version = version + 1, updated = ?6,
             warned = ?7, changed = ?8, stage = ?9, ending = ?10
         WHERE id = ?1 AND version = ?2",
    )
    .bind(job.id.as_str())
    .bind(version)
    .bind(row.pull)
    .bind(row.live)
    .bind(row.state)
    .bind(now.0)
    .bind(row.warned)
    .bind(row.changed)
    .bind(row.stage)
    .bind(row.ending)
    .execute(connection)
    .await
    .map_err(second_of_its_kind)?;
    if changed.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

async fn book(
    connection: &mut SqliteConnection,
    entry: &LedgerEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger (at, job, repo, installation, person, amount, what)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(now.0)
    .bind(entry.job_id.as_str())
    .bind(entry.accounts.repo_id.0.cast_signed())
    .bind(entry.accounts.installation_id.0.cast_signed())
    .bind(entry.accounts.person_id.0.cast_signed())
    .bind(entry.micros)
    .bind(&entry.what)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed)
}

async fn log(
    connection: &mut SqliteConnection,
    whose: Option<String>,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO log (job, at, text) VALUES (?, ?, ?)")
        .bind(whose)
        .bind(now.0)
        .bind(text)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    #[tokio::test]
    async fn a_claim_goes_straight_to_the_first_task_that_is_ready() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        super::super::migrations::all().run(&mut connection).await.unwrap();
        let question = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {CLAIM}"));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(question).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<&str> = steps.iter().map(|(_, _, _, step)| step.as_str()).collect();
        let first = "SEARCH work USING INDEX work_ready (slot=? AND ready<?)";
        let of_the_queue: Vec<&str> =
            steps.iter().copied().filter(|step| step.contains(" work ")).collect();
        // What takes no slot is one entry, however long the queue; of what does, those are read that
        // are ready, where a slot is free.
        let by_id = "SEARCH work USING INTEGER PRIMARY KEY (rowid=?)";
        assert_eq!(of_the_queue, [by_id, first, first, first], "{steps:?}");
        let held = |step: &&str| step.starts_with("SEARCH held") && step.contains("work_in_slots");
        assert!(steps.iter().any(held), "{steps:?}");
    }
}
