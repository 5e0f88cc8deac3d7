//! What is asked of the store without changing it.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;

use super::failed;
use crate::core::budget::{Accounts, Money, Payer};
use crate::core::id::{DeliveryId, JobId, Number, RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::judgement::JudgeRecord;
use crate::core::patch::PatchDigest;
use crate::core::task::Sweep;
use crate::store::rows::{self, guid};
use crate::store::{LogLine, StoreError, Stored};

pub(super) async fn job(
    connection: &mut PgConnection,
    id: &JobId,
) -> Result<Option<Stored<Job>>, StoreError> {
    sqlx::query_as("SELECT state, version FROM jobs WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed)?
        .map(rows::job)
        .transpose()
}

pub(super) async fn jobs_on(
    connection: &mut PgConnection,
    repo: RepoId,
    number: Number,
) -> Result<Vec<Stored<Job>>, StoreError> {
    sqlx::query_as(
        "SELECT state, version FROM jobs
         WHERE (repo = $1 AND number = $2) OR (repo = $1 AND pull = $2) ORDER BY seq",
    )
    .bind(repo.0.cast_signed())
    .bind(number.0.cast_signed())
    .fetch_all(connection)
    .await
    .map_err(failed)?
    .into_iter()
    .map(rows::job)
    .collect()
}

pub(super) async fn jobs_under_way(
    connection: &mut PgConnection,
    repo: RepoId,
) -> Result<Vec<Stored<Job>>, StoreError> {
    sqlx::query_as(
        "SELECT state, version FROM jobs
         WHERE repo = $1 AND live AND pull IS NULL ORDER BY seq",
    )
    .bind(repo.0.cast_signed())
    .fetch_all(connection)
    .await
    .map_err(failed)?
    .into_iter()
    .map(rows::job)
    .collect()
}

pub(super) async fn judge_record(
    connection: &mut PgConnection,
    repo: RepoId,
) -> Result<JudgeRecord, StoreError> {
    let found: Vec<(bool, bool, i64)> = sqlx::query_as(
        "SELECT warned, changed, count(*) FROM jobs
         WHERE repo = $1 AND warned IS NOT NULL AND changed IS NOT NULL GROUP BY warned, changed",
    )
    .bind(repo.0.cast_signed())
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let counted = found.into_iter().map(|(warned, changed, many)| (warned, changed, count(many)));
    Ok(rows::judge_record(counted))
}

pub(super) async fn open_jobs(
    connection: &mut PgConnection,
    repo: Option<RepoId>,
) -> Result<Vec<Stored<Job>>, StoreError> {
    sqlx::query_as(
        "SELECT state, version FROM jobs
         WHERE live AND pull IS NOT NULL AND ($1::bigint IS NULL OR repo = $1) ORDER BY seq",
    )
    .bind(repo.map(|repo| repo.0.cast_signed()))
    .fetch_all(connection)
    .await
    .map_err(failed)?
    .into_iter()
    .map(rows::job)
    .collect()
}

pub(super) async fn patch(
    connection: &mut PgConnection,
    digest: &PatchDigest,
) -> Result<Option<Vec<u8>>, StoreError> {
    sqlx::query_scalar("SELECT bytes FROM patches WHERE digest = $1")
        .bind(digest.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed)
}

pub(super) async fn spent(
    connection: &mut PgConnection,
    payer: Payer,
    accounts: &Accounts,
    since: Timestamp,
) -> Result<Money, StoreError> {
    let (sum, whose) = match payer {
        Payer::Repository => (
            "SELECT coalesce(sum(amount), 0)::bigint FROM ledger WHERE repo = $1 AND at >= $2",
            accounts.repo_id.0,
        ),
        Payer::Person => (
            "SELECT coalesce(sum(amount), 0)::bigint FROM ledger WHERE person = $1 AND at >= $2",
            accounts.person_id.0,
        ),
        Payer::Installation => (
            "SELECT coalesce(sum(amount), 0)::bigint FROM ledger WHERE installation = $1 AND at >= $2",
            accounts.installation_id.0,
        ),
    };
    let micros: i64 = sqlx::query_scalar(sum)
        .bind(whose.cast_signed())
        .bind(since.0)
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(Money::from_micros(micros))
}

pub(super) async fn past_costs(
    connection: &mut PgConnection,
    repo_id: RepoId,
    since: Timestamp,
) -> Result<Vec<Money>, StoreError> {
    let sums: Vec<i64> = sqlx::query_scalar(
        "SELECT sum(ledger.amount)::bigint FROM ledger JOIN jobs ON jobs.id = ledger.job \
         WHERE ledger.repo = $1 AND ledger.at >= $2 AND NOT jobs.live GROUP BY ledger.job \
         HAVING sum(ledger.amount) > 0 ORDER BY max(ledger.id) DESC LIMIT 100",
    )
    .bind(repo_id.0.cast_signed())
    .bind(since.0)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    Ok(sums.into_iter().map(Money::from_micros).collect())
}

pub(super) async fn merged_pulls(
    connection: &mut PgConnection,
    repo_id: RepoId,
    since: Timestamp,
) -> Result<(u32, Money), StoreError> {
    let (merged, spent): (i64, i64) = sqlx::query_as(
        "SELECT count(DISTINCT CASE WHEN jobs.merged THEN jobs.id END), \
         coalesce(sum(ledger.amount), 0)::bigint \
         FROM ledger JOIN jobs ON jobs.id = ledger.job \
         WHERE ledger.repo = $1 AND ledger.at >= $2 AND NOT jobs.live",
    )
    .bind(repo_id.0.cast_signed())
    .bind(since.0)
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    Ok((count(merged), Money::from_micros(spent)))
}

pub(super) async fn known(
    connection: &mut PgConnection,
    ids: &[DeliveryId],
) -> Result<Vec<DeliveryId>, StoreError> {
    let guids = ids.iter().map(guid).collect::<Result<Vec<_>, _>>()?;
    let found: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT guid FROM deliveries WHERE guid = ANY($1)")
            .bind(&guids)
            .fetch_all(connection)
            .await
            .map_err(failed)?;
    let found: HashSet<Vec<u8>> = found.into_iter().collect();
    let pairs = ids.iter().zip(&guids);
    Ok(pairs.filter(|(_, guid)| found.contains(*guid)).map(|(id, _)| id.clone()).collect())
}

pub(super) async fn log(
    connection: &mut PgConnection,
    whose: &str,
) -> Result<Vec<LogLine>, StoreError> {
    let lines: Vec<(i64, String)> =
        sqlx::query_as("SELECT at, text FROM log WHERE job = $1 ORDER BY id")
            .bind(whose)
            .fetch_all(connection)
            .await
            .map_err(failed)?;
    Ok(lines.into_iter().map(|(at, text)| LogLine { at: Timestamp(at), text }).collect())
}

pub(super) async fn next_due(
    connection: &mut PgConnection,
) -> Result<Option<Timestamp>, StoreError> {
    // Passes over what is leased: no more rows than there are workers.
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT due FROM work WHERE head AND lease_until IS NULL ORDER BY ready LIMIT 1",
    )
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    Ok(due.map(Timestamp))
}

pub(super) async fn last_swept(
    connection: &mut PgConnection,
    sweep: Sweep,
) -> Result<Option<Timestamp>, StoreError> {
    let done: Option<i64> = sqlx::query_scalar("SELECT done FROM sweeps WHERE name = $1")
        .bind(format!("{sweep:?}"))
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    Ok(done.map(Timestamp))
}

pub(super) async fn queue_length(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let tasks: i64 = sqlx::query_scalar("SELECT count(*) FROM work")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(tasks.unsigned_abs())
}

/// How many rows, as everybody counts.
fn count(rows: i64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
