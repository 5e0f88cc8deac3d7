//! Recording deliveries.

use sqlx::postgres::PgConnection;

use super::{failed, storable};
use crate::store::rows::Arrival;
use crate::store::{Accepted, StoreError};

/// Known by GUID and hook, or by body: nothing is inserted, and nothing is queued.
const RECORD: &str = "WITH new AS (
         INSERT INTO deliveries (hook, guid, body_digest, event, received, quarantine)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING received
     ), queued AS (
         INSERT INTO work (lane, task, due)
         SELECT $7::text, $8::text, received FROM new WHERE $7::text IS NOT NULL
     )
     SELECT count(*) > 0 FROM new";

/// Records a delivery and queues it if it is new and wanted.
pub(super) async fn record(
    connection: &mut PgConnection,
    arrival: &Arrival,
) -> Result<Accepted, StoreError> {
    let work = arrival.work.as_ref();
    let new: bool = sqlx::query_scalar(RECORD)
        .bind(arrival.hook)
        .bind(&arrival.guid)
        .bind(&arrival.body_digest)
        .bind(&arrival.event)
        .bind(arrival.received)
        .bind(arrival.quarantine.as_deref().map(storable))
        .bind(work.map(|(lane, _)| lane))
        .bind(work.map(|(_, task)| task))
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(if new { Accepted::New } else { Accepted::Known })
}
