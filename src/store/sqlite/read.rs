//! What is asked of the store without changing it.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use sqlx::sqlite::SqlitePool;

use super::failed;
use crate::core::budget::{Accounts, Money, Payer};
use crate::core::id::{DeliveryId, JobId, Number, RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::judgement::JudgeRecord;
use crate::core::patch::PatchDigest;
use crate::core::task::Sweep;
use crate::store::rows::{self, guid};
use crate::store::{LogLine, StoreError, Stored};

/// So many GUIDs are looked up in one statement.
const LOOKED_UP_AT_ONCE: usize = 100;

pub(super) async fn job(pool: &SqlitePool, id: &JobId) -> Result<Option<Stored<Job>>, StoreError> {
    sqlx::query_as("SELECT state, version FROM jobs WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(pool)
        .await
        .map_err(failed)?
        .map(rows::job)
        .transpose()
}

pub(super) async fn jobs_on(
    pool: &SqlitePool,
    repo: RepoId,
    number: Number,
) -> Result<Vec<Stored<Job>>, StoreError> {
    sqlx::query_as(
        "SELECT state, version FROM jobs
         WHERE (repo = ?1 AND number = ?2) OR (repo = ?1 AND pull = ?2) ORDER BY seq",
    )
    .bind(repo.0.cast_signed())
    .bind(number.0.cast_signed())
    .fetch_all(pool)
    .await
    .map_err(failed)?
    .into_iter()
    .map(rows::job)
    .collect()
}

pub(super) async fn judge_record(
    pool: &SqlitePool,
    repo: RepoId,
) -> Result<JudgeRecord, StoreError> {
    let found: Vec<(bool, bool, u32)> = sqlx::query_as(
        "SELECT warned, changed, count(*) FROM jobs
         WHERE repo = ? AND warned IS NOT NULL AND changed IS NOT NULL GROUP BY warned, changed",
    )
    .bind(repo.0.cast_signed())
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    Ok(rows::judge_record(found.into_iter()))
}

pub(super) async fn open_jobs(
    pool: &SqlitePool,
    repo: Option<RepoId>,
) -> Result<Vec<Stored<Job>>, StoreError> {
    sqlx::query_as(
        "SELECT state, version FROM jobs
         WHERE live = 1 AND pull IS NOT NULL AND (?1 IS NULL OR repo = ?1) ORDER BY seq",
    )
    .bind(repo.map(|repo| repo.0.cast_signed()))
    .fetch_all(pool)
    .await
    .map_err(failed)?
    .into_iter()
    .map(rows::job)
    .collect()
}

pub(super) async fn jobs_under_way(
    pool: &SqlitePool,
    repo: RepoId,
) -> Result<Vec<Stored<Job>>, StoreError> {
    sqlx::query_as(
        "SELECT state, version FROM jobs
         WHERE repo = ? AND live = 1 AND pull IS NULL ORDER BY seq",
    )
    .bind(repo.0.cast_signed())
    .fetch_all(pool)
    .await
    .map_err(failed)?
    .into_iter()
    .map(rows::job)
    .collect()
}

pub(super) async fn patch(
    pool: &SqlitePool,
    digest: &PatchDigest,
) -> Result<Option<Vec<u8>>, StoreError> {
    sqlx::query_scalar("SELECT bytes FROM patches WHERE digest = ?")
        .bind(digest.as_str())
        .fetch_optional(pool)
        .await
        .map_err(failed)
}

pub(super) async fn spent(
    pool: &SqlitePool,
    payer: Payer,
    accounts: &Accounts,
    since: Timestamp,
) -> Result<Money, StoreError> {
    let (sum, whose) = match payer {
        Payer::Repository => (
            "SELECT coalesce(sum(amount), 0) FROM ledger WHERE repo = ? AND at >= ?",
            accounts.repo_id.0,
        ),
        Payer::Person => (
            "SELECT coalesce(sum(amount), 0) FROM ledger WHERE person = ? AND at >= ?",
            accounts.person_id.0,
        ),
        Payer::Installation => (
            "SELECT coalesce(sum(amount), 0) FROM ledger WHERE installation = ? AND at >= ?",
            accounts.installation_id.0,
        ),
    };
    let micros: i64 = sqlx::query_scalar(sum)
        .bind(whose.cast_signed())
        .bind(since.0)
        .fetch_one(pool)
        .await
        .map_err(failed)?;
    Ok(Money::from_micros(micros))
}

pub(super) async fn past_costs(
    pool: &SqlitePool,
    repo_id: RepoId,
    since: Timestamp,
) -> Result<Vec<Money>, StoreError> {
    let sums: Vec<i64> = sqlx::query_scalar(
        "SELECT sum(ledger.amount) AS cost FROM ledger JOIN jobs ON jobs.id = ledger.job \
         WHERE ledger.repo = ? AND ledger.at >= ? AND jobs.live = 0 GROUP BY ledger.job \
         HAVING cost > 0 ORDER BY max(ledger.id) DESC LIMIT 100",
    )
    .bind(repo_id.0.cast_signed())
    .bind(since.0)
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    Ok(sums.into_iter().map(Money::from_micros).collect())
}

pub(super) async fn merged_pulls(
    pool: &SqlitePool,
    repo_id: RepoId,
    since: Timestamp,
) -> Result<(u32, Money), StoreError> {
    let (merged, spent): (u32, i64) = sqlx::query_as(
        "SELECT count(DISTINCT CASE WHEN json_type(jobs.state, '$.stage.done.merged') IS NOT NULL \
         THEN jobs.id END), coalesce(sum(ledger.amount), 0) \
         FROM ledger JOIN jobs ON jobs.id = ledger.job \
         WHERE ledger.repo = ? AND ledger.at >= ? AND jobs.live = 0",
    )
    .bind(repo_id.0.cast_signed())
    .bind(since.0)
    .fetch_one(pool)
    .await
    .map_err(failed)?;
    Ok((merged, Money::from_micros(spent)))
}

pub(super) async fn known(
    pool: &SqlitePool,
    ids: &[DeliveryId],
) -> Result<Vec<DeliveryId>, StoreError> {
    let mut known = Vec::new();
    for some in ids.chunks(LOOKED_UP_AT_ONCE) {
        let guids = some.iter().map(guid).collect::<Result<Vec<_>, _>>()?;
        let mut lookup = QueryBuilder::new("SELECT guid FROM deliveries WHERE guid IN (");
        let mut list = lookup.separated(", ");
        for guid in &guids {
            list.push_bind(guid);
        }
        let found: Vec<Vec<u8>> = lookup
            .push(")")
            .build_query_scalar()
            .persistent(false)
            .fetch_all(pool)
            .await
            .map_err(failed)?;
        let found: HashSet<Vec<u8>> = found.into_iter().collect();
        let pairs = some.iter().zip(&guids);
        known.extend(pairs.filter(|(_, guid)| found.contains(*guid)).map(|(id, _)| id.clone()));
    }
    Ok(known)
}

pub(super) async fn log(pool: &SqlitePool, whose: &str) -> Result<Vec<LogLine>, StoreError> {
    let lines: Vec<(i64, String)> =
        sqlx::query_as("SELECT at, text FROM log WHERE job = ? ORDER BY id")
            .bind(whose)
            .fetch_all(pool)
            .await
            .map_err(failed)?;
    Ok(lines.into_iter().map(|(at, text)| LogLine { at: Timestamp(at), text }).collect())
}

pub(super) async fn next_due(pool: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    // Passes over what is leased: no more rows than there are workers.
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT due FROM work WHERE head = 1 AND lease_until IS NULL ORDER BY ready LIMIT 1",
    )
    .fetch_optional(pool)
    .await
    .map_err(failed)?;
    Ok(due.map(Timestamp))
}

pub(super) async fn last_swept(
    pool: &SqlitePool,
    sweep: Sweep,
) -> Result<Option<Timestamp>, StoreError> {
    let done: Option<i64> = sqlx::query_scalar("SELECT done FROM sweeps WHERE name = ?")
        .bind(format!("{sweep:?}"))
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    Ok(done.map(Timestamp))
}

pub(super) async fn queue_length(pool: &SqlitePool) -> Result<u64, StoreError> {
    let tasks: i64 =
        sqlx::query_scalar("SELECT count(*) FROM work").fetch_one(pool).await.map_err(failed)?;
    Ok(tasks.unsigned_abs())
}
