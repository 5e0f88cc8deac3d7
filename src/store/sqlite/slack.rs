//! What is remembered of Slack.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::failed;
use crate::core::id::{Number, RepoId, Timestamp};
use crate::core::slack::{SlackEntry, SlackRecord, subject_key};
use crate::store::StoreError;
use crate::store::rows::{from_json, to_json};

pub(super) async fn record(
    pool: &SqlitePool,
    key: &str,
    now: Timestamp,
) -> Result<Option<SlackRecord>, StoreError> {
    let text: Option<String> =
        sqlx::query_scalar("SELECT record FROM slack WHERE key = ? AND coalesce(until >= ?, 1)")
            .bind(key)
            .bind(now.0)
            .fetch_optional(pool)
            .await
            .map_err(failed)?;
    text.map(|text| from_json("a record of Slack", &text)).transpose()
}

pub(super) async fn threads(
    pool: &SqlitePool,
    repo: RepoId,
    number: Number,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT key FROM slack WHERE subject = ? ORDER BY key")
        .bind(subject_key(repo, number))
        .fetch_all(pool)
        .await
        .map_err(failed)
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    entry: &SlackEntry,
) -> Result<(), StoreError> {
    let statement = match &entry.record {
        None => sqlx::query("DELETE FROM slack WHERE key = ?").bind(entry.key.clone()),
        Some(record) => sqlx::query(
            "INSERT INTO slack (key, subject, record, until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE
             SET subject = excluded.subject, record = excluded.record, until = excluded.until",
        )
        .bind(entry.key.clone())
        .bind(entry.subject.map(|(repo, number)| subject_key(repo, number)))
        .bind(to_json("a record of Slack", record)?)
        .bind(entry.until.map(|it| it.0)),
    };
    statement.execute(connection).await.map(drop).map_err(failed)
}
