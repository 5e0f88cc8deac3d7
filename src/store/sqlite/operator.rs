//! What whoever runs the server asks the SQLite store.

use sqlx::QueryBuilder;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::{audit, failed};
use crate::core::audit::AuditEntry;
use crate::core::budget::Money;
use crate::core::github::RepoRef;
use crate::core::id::{JobId, RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::release::Release;
use crate::store::operator::{
    self, JobQuery, KeptSince, LINES_AT_ONCE, ListedJob, ListedRow, LogPlace, NumberedLine,
    REMOVED_AT_ONCE, RemovedJob, StoreFigures, WaitingTask, ids_from, may_begin_id,
};
use crate::store::rows::from_json;
use crate::store::{StoreError, rows};

pub(super) async fn list_jobs(
    pool: &SqlitePool,
    which: &JobQuery,
    most: u32,
) -> Result<Vec<ListedJob>, StoreError> {
    const NOT_OVER: &str = "SELECT state, version, updated FROM jobs INDEXED BY jobs_not_over
         WHERE stage <> 'done' ORDER BY seq DESC LIMIT ?";
    const ALL: &str = "SELECT state, version, updated FROM jobs ORDER BY seq DESC LIMIT ?";
    const NAMED: &str = "SELECT state, version, updated FROM jobs
         WHERE id >= ?1 AND id < ?2 ORDER BY seq DESC LIMIT ?3";
    let found: Result<Vec<ListedRow>, sqlx::Error> = match which {
        JobQuery::NotOver => sqlx::query_as(NOT_OVER).bind(most).fetch_all(pool).await,
        JobQuery::All => sqlx::query_as(ALL).bind(most).fetch_all(pool).await,
        JobQuery::Named(name) if !may_begin_id(name) => return Ok(Vec::new()),
        JobQuery::Named(name) => {
            let (from, below) = ids_from(name);
            sqlx::query_as(NAMED).bind(from).bind(below).bind(most).fetch_all(pool).await
        }
    };
    found.map_err(failed)?.into_iter().map(operator::listed).collect()
}

pub(super) async fn waiting(
    pool: &SqlitePool,
    lanes: &[String],
) -> Result<Vec<WaitingTask>, StoreError> {
    let mut all = Vec::new();
    for lane in lanes {
        let found: Vec<_> = sqlx::query_as(
            "SELECT task, due, tries, lease_until, fault FROM work WHERE lane = ? ORDER BY id",
        )
        .bind(lane)
        .fetch_all(pool)
        .await
        .map_err(failed)?;
        for row in found {
            all.push(operator::waiting(row)?);
        }
    }
    Ok(all)
}

pub(super) async fn log_lines(
    pool: &SqlitePool,
    from: LogPlace,
    job: Option<&JobId>,
) -> Result<Vec<NumberedLine>, StoreError> {
    let (after, last) = operator::lines_from(from);
    let order = if last.is_some() { "DESC" } else { "ASC" };
    let mut question = QueryBuilder::new("SELECT id, job, at, text FROM log WHERE id > ");
    question.push_bind(after);
    if let Some(job) = job {
        question.push(" AND job = ").push_bind(job.as_str());
    }
    question.push(" ORDER BY id ").push(order).push(" LIMIT ");
    question.push_bind(last.unwrap_or(LINES_AT_ONCE));
    let mut found: Vec<operator::LineRow> =
        question.build_query_as().persistent(false).fetch_all(pool).await.map_err(failed)?;
    found.sort_by_key(|(id, ..)| *id);
    Ok(found.into_iter().map(operator::line).collect())
}

pub(super) async fn set_pause(
    connection: &mut SqliteConnection,
    since: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM pauses").execute(&mut *connection).await.map_err(failed)?;
    if let Some(since) = since {
        sqlx::query("INSERT INTO pauses (since) VALUES (?)")
            .bind(since.0)
            .execute(connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn paused(pool: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let since: Option<i64> = sqlx::query_scalar("SELECT since FROM pauses")
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    Ok(since.map(Timestamp))
}

pub(super) async fn figures(
    pool: &SqlitePool,
    now: Timestamp,
    since: Timestamp,
) -> Result<StoreFigures, StoreError> {
    let (waiting, taken, later, oldest): (i64, i64, i64, Option<i64>) = sqlx::query_as(
        "SELECT coalesce(sum(lease_until IS NULL AND due <= ?1), 0),
                coalesce(sum(lease_until IS NOT NULL), 0),
                coalesce(sum(lease_until IS NULL AND due > ?1), 0),
                min(CASE WHEN lease_until IS NULL AND due <= ?1 THEN due END) FROM work",
    )
    .bind(now.0)
    .fetch_one(pool)
    .await
    .map_err(failed)?;
    let jobs: Vec<(String, i64)> =
        sqlx::query_as("SELECT stage, count(*) FROM jobs WHERE stage <> 'done' GROUP BY stage")
            .fetch_all(pool)
            .await
            .map_err(failed)?;
    let (spent, merged): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(sum(amount), 0) FROM ledger WHERE at >= ?1),
                (SELECT count(*) FROM jobs
                 WHERE stage = 'done' AND updated >= ?1 AND ending = 'merged')",
    )
    .bind(since.0)
    .fetch_one(pool)
    .await
    .map_err(failed)?;
    Ok(StoreFigures {
        waiting: waiting.unsigned_abs(),
        taken: taken.unsigned_abs(),
        later: later.unsigned_abs(),
        oldest_due: oldest.map(Timestamp),
        jobs: jobs.into_iter().map(|(stage, many)| (stage, many.unsigned_abs())).collect(),
        spent: Money::from_micros(spent),
        merged: merged.unsigned_abs(),
    })
}

pub(super) async fn repositories(pool: &SqlitePool) -> Result<Vec<RepoRef>, StoreError> {
    let newest = |table: &str| {
        format!(
            "SELECT state FROM {table} WHERE seq IN (SELECT max(seq) FROM {table} GROUP BY repo)"
        )
    };
    let states = async |table| {
        let question = sqlx::AssertSqlSafe(newest(table));
        sqlx::query_scalar::<_, String>(question).fetch_all(pool).await.map_err(failed)
    };
    let mut all = Vec::new();
    for state in states("jobs").await? {
        all.push(from_json::<Job>("a job", &state)?.repo);
    }
    for state in states("releases").await? {
        all.push(from_json::<Release>("a release", &state)?.repo);
    }
    Ok(all)
}

/// Removes some jobs that are over and have nothing left to do, and old entries of the ledger.
pub(super) async fn thin(
    connection: &mut SqliteConnection,
    kept: &KeptSince,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    if let Some(before) = kept.jobs {
        let jobs: Vec<(String, i64, i64, String)> = sqlx::query_as(
            "DELETE FROM jobs WHERE seq IN (
                 SELECT seq FROM jobs WHERE stage = 'done' AND updated < ?1 AND NOT EXISTS (
                     SELECT 1 FROM work WHERE lane IN ('job:' || jobs.id, 'show:' || jobs.id,
                                                       'wake:' || jobs.id, 'follow:' || jobs.id,
                                                       'operator:' || jobs.id))
                 ORDER BY updated LIMIT ?2)
             RETURNING id, repo, number, state",
        )
        .bind(before.0)
        .bind(REMOVED_AT_ONCE)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
        removed += jobs.len() as u64;
        for job in jobs {
            remove_what_goes_with(connection, &RemovedJob::of(job)?).await?;
        }
        let turns =
            "DELETE FROM turns WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.repo = turns.repo)
                 AND NOT EXISTS (SELECT 1 FROM releases WHERE releases.repo = turns.repo)";
        sqlx::query(turns).execute(&mut *connection).await.map_err(failed)?;
    }
    if let Some(before) = kept.ledger {
        let old = sqlx::query(
            "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE at < ? ORDER BY at LIMIT ?)",
        );
        let old = old.bind(before.0).bind(rows::FORGOTTEN_AT_ONCE).execute(connection).await;
        removed += old.map_err(failed)?.rows_affected();
    }
    Ok(removed)
}

/// Its log, and patches that no other job takes up.
async fn remove_what_goes_with(
    connection: &mut SqliteConnection,
    job: &RemovedJob,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM log WHERE job = ?")
        .bind(&job.id)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let own: Vec<String> = sqlx::query_scalar("SELECT digest FROM patches WHERE job = ?")
        .bind(&job.id)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for digest in job.digests.iter().chain(&own) {
        sqlx::query(
            "DELETE FROM patches WHERE digest = ?1
                 AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.repo = ?2 AND number = ?3
                                                      AND instr(state, ?1) > 0)
                 AND NOT EXISTS (SELECT 1 FROM jobs WHERE stage <> 'done' AND instr(state, ?1) > 0)",
        )
        .bind(digest)
        .bind(job.repo)
        .bind(job.number)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn forget_repository(
    connection: &mut SqliteConnection,
    repo: RepoId,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let id = repo.0.cast_signed();
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE repo = ?1 AND stage <> 'done')
             OR EXISTS (SELECT 1 FROM releases WHERE repo = ?1 AND turn <> 'over')",
    )
    .bind(id)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    if open {
        return Err(StoreError::Conflict);
    }
    let jobs: Vec<(String, i64, i64, String)> =
        sqlx::query_as("DELETE FROM jobs WHERE repo = ? RETURNING id, repo, number, state")
            .bind(id)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
    let mut ids = Vec::new();
    for job in jobs {
        let job = RemovedJob::of(job)?;
        remove_what_goes_with(connection, &job).await?;
        ids.push(job.id);
    }
    for statement in [
        "DELETE FROM log WHERE job IN (SELECT id FROM releases WHERE repo = ?1)",
        "DELETE FROM releases WHERE repo = ?1",
        "DELETE FROM ledger WHERE repo = ?1",
        "DELETE FROM check_results WHERE repo = ?1",
        "DELETE FROM turns WHERE repo = ?1",
        "DELETE FROM slack WHERE subject LIKE ?1 || '/%'
             OR ?1 IN (json_extract(record, '$.channel.repo'),
                       json_extract(record, '$.thread.repo.repo'))",
        "DELETE FROM acts WHERE key LIKE ?1 || '/%'",
        "DELETE FROM work WHERE repo = ?1 OR lane LIKE 'subject:' || ?1 || '/%'
             OR lane LIKE 'releases:' || ?1 || '/%' OR lane LIKE 'reply:' || ?1 || '/%'",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await.map_err(failed)?;
    }
    for job in &ids {
        sqlx::query("DELETE FROM work WHERE lane IN ('job:' || ?1, 'show:' || ?1, 'wake:' || ?1)")
            .bind(job)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    audit::take_out(connection, repo).await?;
    audit::add(connection, std::slice::from_ref(entry), now).await?;
    Ok(ids)
}
