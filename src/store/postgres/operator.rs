//! What whoever runs the server asks the PostgreSQL store.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, QueryBuilder};

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
    connection: &mut PgConnection,
    which: &JobQuery,
    most: u32,
) -> Result<Vec<ListedJob>, StoreError> {
    const NOT_OVER: &str = "SELECT state, version, updated FROM jobs
         WHERE stage <> 'done' ORDER BY seq DESC LIMIT $1";
    const ALL: &str = "SELECT state, version, updated FROM jobs ORDER BY seq DESC LIMIT $1";
    const NAMED: &str = "SELECT state, version, updated FROM jobs
         WHERE id COLLATE \"C\" >= $1 AND id COLLATE \"C\" < $2 ORDER BY seq DESC LIMIT $3";
    let most = i64::from(most);
    let found: Result<Vec<ListedRow>, sqlx::Error> = match which {
        JobQuery::NotOver => sqlx::query_as(NOT_OVER).bind(most).fetch_all(connection).await,
        JobQuery::All => sqlx::query_as(ALL).bind(most).fetch_all(connection).await,
        JobQuery::Named(name) if !may_begin_id(name) => return Ok(Vec::new()),
        JobQuery::Named(name) => {
            let (from, below) = ids_from(name);
            sqlx::query_as(NAMED).bind(from).bind(below).bind(most).fetch_all(connection).await
        }
    };
    found.map_err(failed)?.into_iter().map(operator::listed).collect()
}

pub(super) async fn waiting(
    connection: &mut PgConnection,
    lanes: &[String],
) -> Result<Vec<WaitingTask>, StoreError> {
    let found: Vec<_> = sqlx::query_as(
        "SELECT task, due, tries::bigint, lease_until, fault FROM work
         WHERE lane = ANY($1) ORDER BY id",
    )
    .bind(lanes)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    found.into_iter().map(operator::waiting).collect()
}

pub(super) async fn log_lines(
    connection: &mut PgConnection,
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
        question.build_query_as().persistent(false).fetch_all(connection).await.map_err(failed)?;
    found.sort_by_key(|(id, ..)| *id);
    Ok(found.into_iter().map(operator::line).collect())
}

pub(super) async fn set_pause(
    connection: &mut PgConnection,
    since: Option<Timestamp>,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query("DELETE FROM pauses").execute(&mut *transaction).await.map_err(failed)?;
    if let Some(since) = since {
        sqlx::query("INSERT INTO pauses (since) VALUES ($1)")
            .bind(since.0)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    audit::add(&mut transaction, std::slice::from_ref(entry), now).await?;
    transaction.commit().await.map_err(failed)
}

pub(super) async fn paused(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    let since: Option<i64> = sqlx::query_scalar("SELECT since FROM pauses")
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    Ok(since.map(Timestamp))
}

pub(super) async fn figures(
    connection: &mut PgConnection,
    now: Timestamp,
    since: Timestamp,
) -> Result<StoreFigures, StoreError> {
    let (waiting, taken, later, oldest): (i64, i64, i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE lease_until IS NULL AND due <= $1),
                count(*) FILTER (WHERE lease_until IS NOT NULL),
                count(*) FILTER (WHERE lease_until IS NULL AND due > $1),
                min(due) FILTER (WHERE lease_until IS NULL AND due <= $1) FROM work",
    )
    .bind(now.0)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let jobs: Vec<(String, i64)> =
        sqlx::query_as("SELECT stage, count(*) FROM jobs WHERE stage <> 'done' GROUP BY stage")
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
    let (spent, merged): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(sum(amount), 0)::bigint FROM ledger WHERE at >= $1),
                (SELECT count(*) FROM jobs
                 WHERE stage = 'done' AND updated >= $1 AND ending = 'merged')",
    )
    .bind(since.0)
    .fetch_one(connection)
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

pub(super) async fn repositories(
    connection: &mut PgConnection,
) -> Result<Vec<RepoRef>, StoreError> {
    let jobs: Vec<String> = sqlx::query_scalar(
        "SELECT state FROM jobs WHERE seq IN (SELECT max(seq) FROM jobs GROUP BY repo)",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let releases: Vec<String> = sqlx::query_scalar(
        "SELECT state FROM releases WHERE seq IN (SELECT max(seq) FROM releases GROUP BY repo)",
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let mut all = Vec::new();
    for state in jobs {
        all.push(from_json::<Job>("a job", &state)?.repo);
    }
    for state in releases {
        all.push(from_json::<Release>("a release", &state)?.repo);
    }
    Ok(all)
}

/// Removes some jobs that are over and have nothing left to do, and old entries of the ledger. Two
/// machines that do it at once do not wait for each other.
pub(super) async fn thin(
    connection: &mut PgConnection,
    kept: &KeptSince,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    let mut transaction = connection.begin().await.map_err(failed)?;
    if let Some(before) = kept.jobs {
        let jobs: Vec<(String, i64, i64, String)> = sqlx::query_as(
            "DELETE FROM jobs WHERE seq IN (
                 SELECT seq FROM jobs WHERE stage = 'done' AND updated < $1 AND NOT EXISTS (
                     SELECT FROM work WHERE lane IN ('job:' || jobs.id, 'show:' || jobs.id,
                                                     'wake:' || jobs.id, 'follow:' || jobs.id,
                                                     'operator:' || jobs.id))
                 ORDER BY updated LIMIT $2 FOR UPDATE SKIP LOCKED)
             RETURNING id, repo, number, state",
        )
        .bind(before.0)
        .bind(REMOVED_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        removed += jobs.len() as u64;
        for job in jobs {
            remove_what_goes_with(&mut transaction, &RemovedJob::of(job)?).await?;
        }
        let turns =
            "DELETE FROM turns WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.repo = turns.repo)
                 AND NOT EXISTS (SELECT FROM releases WHERE releases.repo = turns.repo)";
        sqlx::query(turns).execute(&mut *transaction).await.map_err(failed)?;
    }
    if let Some(before) = kept.ledger {
        let old = sqlx::query(
            "DELETE FROM ledger WHERE id IN (
                 SELECT id FROM ledger WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        );
        let old = old.bind(before.0).bind(rows::FORGOTTEN_AT_ONCE);
        removed += old.execute(&mut *transaction).await.map_err(failed)?.rows_affected();
    }
    transaction.commit().await.map_err(failed)?;
    Ok(removed)
}

/// Its log, and patches that no other job takes up.
async fn remove_what_goes_with(
    transaction: &mut PgConnection,
    job: &RemovedJob,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM log WHERE job = $1")
        .bind(&job.id)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let own: Vec<String> = sqlx::query_scalar("SELECT digest FROM patches WHERE job = $1")
        .bind(&job.id)
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
    for digest in job.digests.iter().chain(&own) {
        sqlx::query(
            "DELETE FROM patches WHERE digest = $1
                 AND NOT EXISTS (SELECT FROM jobs WHERE jobs.repo = $2 AND number = $3
                                                    AND strpos(state, $1) > 0)
                 AND NOT EXISTS (SELECT FROM jobs WHERE stage <> 'done' AND strpos(state, $1) > 0)",
        )
        .bind(digest)
        .bind(job.repo)
        .bind(job.number)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn forget_repository(
    connection: &mut PgConnection,
    repo: RepoId,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let id = repo.0.cast_signed();
    let mut transaction = connection.begin().await.map_err(failed)?;
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM jobs WHERE repo = $1 AND stage <> 'done')
             OR EXISTS (SELECT FROM releases WHERE repo = $1 AND turn <> 'over')",
    )
    .bind(id)
    .fetch_one(&mut *transaction)
    .await
    .map_err(failed)?;
    if open {
        return Err(StoreError::Conflict);
    }
    // The queue first, as everywhere.
    for statement in [
        "DELETE FROM work WHERE repo = $1 OR lane LIKE 'subject:' || $1 || '/%'
             OR lane LIKE 'releases:' || $1 || '/%' OR lane LIKE 'reply:' || $1 || '/%'
             OR lane IN (SELECT unnest(ARRAY['job:' || id, 'show:' || id, 'wake:' || id])
                         FROM jobs WHERE repo = $1)",
        "DELETE FROM acts WHERE key LIKE $1 || '/%'",
        "DELETE FROM log WHERE job IN (SELECT id FROM releases WHERE repo = $1)",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *transaction).await.map_err(failed)?;
    }
    let jobs: Vec<(String, i64, i64, String)> =
        sqlx::query_as("DELETE FROM jobs WHERE repo = $1 RETURNING id, repo, number, state")
            .bind(id)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
    let mut ids = Vec::new();
    for job in jobs {
        let job = RemovedJob::of(job)?;
        remove_what_goes_with(&mut transaction, &job).await?;
        ids.push(job.id);
    }
    for statement in [
        "DELETE FROM releases WHERE repo = $1",
        "DELETE FROM ledger WHERE repo = $1",
        "DELETE FROM check_results WHERE repo = $1",
        "DELETE FROM turns WHERE repo = $1",
        "DELETE FROM slack WHERE subject LIKE ($1::bigint)::text || '/%'
             OR $1 IN ((record::jsonb #>> '{channel,repo}')::bigint,
                       (record::jsonb #>> '{thread,repo,repo}')::bigint)",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *transaction).await.map_err(failed)?;
    }
    audit::take_out(&mut transaction, repo).await?;
    audit::add(&mut transaction, std::slice::from_ref(entry), now).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(ids)
}
