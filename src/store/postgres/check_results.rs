//! What checks came to lately.

use sqlx::postgres::PgConnection;

use super::{failed, storable};
use crate::core::check_history::{CheckResult, MOST_RESULTS};
use crate::core::id::{RepoId, Timestamp};
use crate::store::StoreError;
use crate::store::rows::{CheckRow, check_result};

pub(super) async fn since(
    connection: &mut PgConnection,
    repo: RepoId,
    since: Timestamp,
    name: Option<&str>,
) -> Result<Vec<CheckResult>, StoreError> {
    const OF_ALL: &str = "SELECT name, app, suite, sha, place, red, at FROM check_results
         WHERE repo = $1 AND at >= $2 AND $3::text IS NULL ORDER BY at DESC, id DESC LIMIT $4";
    const OF_ONE: &str = "SELECT name, app, suite, sha, place, red, at FROM check_results
         WHERE repo = $1 AND md5(name) = md5($3) AND name = $3 AND at >= $2
         ORDER BY at DESC, id DESC LIMIT $4";
    let rows: Vec<CheckRow> = sqlx::query_as(if name.is_some() { OF_ONE } else { OF_ALL })
        .bind(repo.0.cast_signed())
        .bind(since.0)
        .bind(name.map(storable))
        .bind(i64::try_from(MOST_RESULTS).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    rows.into_iter().map(|row| check_result(repo, row)).collect()
}

pub(super) async fn add(
    transaction: &mut PgConnection,
    result: &CheckResult,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO check_results (repo, name, app, suite, sha, place, red, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(result.repo_id.0.cast_signed())
    .bind(storable(&result.name))
    .bind(result.app.map(u64::cast_signed))
    .bind(result.suite.map(u64::cast_signed))
    .bind(result.sha.as_str())
    .bind(storable(&result.place))
    .bind(result.red)
    .bind(result.at.0)
    .execute(transaction)
    .await
    .map(drop)
    .map_err(failed)
}
