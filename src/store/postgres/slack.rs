//! What is remembered of Slack.

use sqlx::postgres::PgConnection;

use super::{failed, storable};
use crate::core::id::{Number, RepoId, Timestamp};
use crate::core::slack::{SlackEntry, SlackRecord, subject_key};
use crate::store::StoreError;
use crate::store::rows::{from_json, to_json};

pub(super) async fn record(
    connection: &mut PgConnection,
    key: &str,
    now: Timestamp,
) -> Result<Option<SlackRecord>, StoreError> {
    let text: Option<String> = sqlx::query_scalar(
        "SELECT record FROM slack WHERE key = $1 AND (until IS NULL OR until >= $2)",
    )
    .bind(storable(key))
    .bind(now.0)
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    text.map(|text| from_json("a record of Slack", &text)).transpose()
}

pub(super) async fn threads(
    connection: &mut PgConnection,
    repo: RepoId,
    number: Number,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT key FROM slack WHERE subject = $1 ORDER BY key")
        .bind(subject_key(repo, number))
        .fetch_all(connection)
        .await
        .map_err(failed)
}

pub(super) async fn write(
    transaction: &mut PgConnection,
    entry: &SlackEntry,
) -> Result<(), StoreError> {
    let key = storable(&entry.key);
    let statement = match &entry.record {
        None => sqlx::query("DELETE FROM slack WHERE key = $1").bind(key),
        Some(record) => sqlx::query(
            "INSERT INTO slack (key, subject, record, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (key) DO UPDATE
             SET subject = excluded.subject, record = excluded.record, until = excluded.until",
        )
        .bind(key)
        .bind(entry.subject.map(|(repo, number)| subject_key(repo, number)))
        .bind(to_json("a record of Slack", record)?)
        .bind(entry.until.map(|it| it.0)),
    };
    statement.execute(transaction).await.map(drop).map_err(failed)
}
