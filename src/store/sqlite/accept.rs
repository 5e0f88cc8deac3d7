//! Recording deliveries, many in one statement.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::failed;
use super::waiting::PendingRequest;
use crate::store::rows::Arrival;
use crate::store::{Accepted, StoreError};

/// Each number of rows is a prepared statement of its own, so there must not be too many.
pub(super) const ROWS_AT_ONCE: usize = 32;

/// Records at most [`ROWS_AT_ONCE`] deliveries and queues those that are new and wanted.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    arrivals: &mut [&mut PendingRequest<Arrival, Accepted>],
) -> Result<(), StoreError> {
    let mut new = insert(connection, arrivals).await?;
    let mut queued = Vec::new();
    for waiting in arrivals {
        let Arrival { hook, guid, body_digest, received, work, .. } = &waiting.request;
        // Taken out when found: of two that are the same in all, the first was the new one.
        let is_new = new.remove(&(*hook, guid.clone(), body_digest.clone()));
        waiting.outcome = Some(Ok(if is_new { Accepted::New } else { Accepted::Known }));
        if let (true, Some((lane, task))) = (is_new, work) {
            queued.push((lane, task, *received));
        }
    }
    if queued.is_empty() {
        return Ok(());
    }
    QueryBuilder::new("INSERT INTO work (lane, task, due) ")
        .push_values(queued, |mut row, (lane, task, due)| {
            row.push_bind(lane).push_bind(task).push_bind(due);
        })
        .build()
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed)
}

/// Inserts the deliveries that are known neither by GUID nor by body; returns which they were.
async fn insert(
    connection: &mut SqliteConnection,
    arrivals: &[&mut PendingRequest<Arrival, Accepted>],
) -> Result<HashSet<(i64, Vec<u8>, Vec<u8>)>, StoreError> {
    let rows = arrivals.iter().map(|waiting| &waiting.request);
    QueryBuilder::new(
        "INSERT INTO deliveries (hook, guid, body_digest, event, received, quarantine) ",
    )
    .push_values(rows, |mut row, arrival| {
        row.push_bind(arrival.hook)
            .push_bind(&arrival.guid)
            .push_bind(&arrival.body_digest)
            .push_bind(&arrival.event)
            .push_bind(arrival.received)
            .push_bind(&arrival.quarantine);
    })
    .push(" ON CONFLICT DO NOTHING RETURNING hook, guid, body_digest")
    .build_query_as()
    .fetch_all(connection)
    .await
    .map(|rows| rows.into_iter().collect())
    .map_err(failed)
}
