//! The audit log in PostgreSQL: a lock of its own sees to it that rows are chained one after the
//! other. It is taken last, so that nobody who has it waits for anybody.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::failed;
use crate::core::audit::{AuditEntry, AuditHead, AuditRow};
use crate::core::id::{RepoId, Timestamp};
use crate::store::StoreError;
use crate::store::operator::{self, AuditColumns, salt};
use crate::store::rows::to_json;

/// Adds rows to the end. Runs inside a transaction, and last in it.
pub(super) async fn add(
    transaction: &mut PgConnection,
    entries: &[AuditEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('audit', 1))")
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let mut last = head(transaction).await?;
    for entry in entries {
        // JSON writes a NUL as an escape, so each text of it can be stored.
        let body = (entry.repo, to_json("a row of the audit log", entry)?);
        let row = AuditRow::after(&last, now, &salt(), body);
        last = row.head();
        sqlx::query(
            "INSERT INTO audit (seq, at, repo, salt, body, digest, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(row.seq)
        .bind(row.at.0)
        .bind(row.repo.map(|repo| repo.0.cast_signed()))
        .bind(row.salt)
        .bind(row.body)
        .bind(row.digest)
        .bind(row.hash)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    }
    sqlx::query("DELETE FROM audit_head").execute(&mut *transaction).await.map_err(failed)?;
    sqlx::query("INSERT INTO audit_head (seq, hash) VALUES ($1, $2)")
        .bind(last.seq)
        .bind(last.hash)
        .execute(transaction)
        .await
        .map(drop)
        .map_err(failed)
}

/// Adds rows that belong to no commit.
pub(super) async fn record(
    connection: &mut PgConnection,
    entries: &[AuditEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    add(&mut transaction, entries, now).await?;
    transaction.commit().await.map_err(failed)
}

/// Takes out what the rows of a repository say.
pub(super) async fn take_out(
    transaction: &mut PgConnection,
    repo: RepoId,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE audit SET repo = NULL, salt = NULL, body = NULL WHERE repo = $1")
        .bind(repo.0.cast_signed())
        .execute(transaction)
        .await
        .map(drop)
        .map_err(failed)
}

pub(super) async fn rows(
    connection: &mut PgConnection,
    after: i64,
    most: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    let rows: Vec<AuditColumns> = sqlx::query_as(
        "SELECT seq, at, repo, salt, body, digest, hash FROM audit
         WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(most))
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    Ok(rows.into_iter().map(operator::audit_row).collect())
}

pub(super) async fn head(connection: &mut PgConnection) -> Result<AuditHead, StoreError> {
    let found: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, hash FROM audit_head")
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    Ok(found.map(|(seq, hash)| AuditHead { seq, hash }).unwrap_or_default())
}
