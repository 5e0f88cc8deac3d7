//! The audit log in SQLite: its one writer chains the rows.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::failed;
use crate::core::audit::{AuditEntry, AuditHead, AuditRow};
use crate::core::id::{RepoId, Timestamp};
use crate::store::StoreError;
use crate::store::operator::{self, AuditColumns, salt};
use crate::store::rows::to_json;

/// Adds rows to the end. Runs inside a transaction that holds the write lock.
pub(in crate::store) async fn add(
    connection: &mut SqliteConnection,
    entries: &[AuditEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let found: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, hash FROM audit_head")
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    let mut head = found.map(|(seq, hash)| AuditHead { seq, hash }).unwrap_or_default();
    for entry in entries {
        let body = (entry.repo, to_json("a row of the audit log", entry)?);
        let row = AuditRow::after(&head, now, &salt(), body);
        head = row.head();
        sqlx::query(
            "INSERT INTO audit (seq, at, repo, salt, body, digest, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(row.seq)
        .bind(row.at.0)
        .bind(row.repo.map(|repo| repo.0.cast_signed()))
        .bind(row.salt)
        .bind(row.body)
        .bind(row.digest)
        .bind(row.hash)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    }
    sqlx::query("DELETE FROM audit_head").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query("INSERT INTO audit_head (seq, hash) VALUES (?, ?)")
        .bind(head.seq)
        .bind(head.hash)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed)
}

/// Takes out what the rows of a repository say.
pub(super) async fn take_out(
    connection: &mut SqliteConnection,
    repo: RepoId,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE audit SET repo = NULL, salt = NULL, body = NULL WHERE repo = ?")
        .bind(repo.0.cast_signed())
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed)
}

pub(super) async fn rows(
    pool: &SqlitePool,
    after: i64,
    most: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    let rows: Vec<AuditColumns> = sqlx::query_as(
        "SELECT seq, at, repo, salt, body, digest, hash FROM audit
         WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(after)
    .bind(most)
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    Ok(rows.into_iter().map(operator::audit_row).collect())
}

pub(super) async fn head(pool: &SqlitePool) -> Result<AuditHead, StoreError> {
    let found: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, hash FROM audit_head")
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    Ok(found.map(|(seq, hash)| AuditHead { seq, hash }).unwrap_or_default())
}
