//! The queue's own moves.

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Connection, Postgres};

use super::{failed, storable};
use crate::core::id::Timestamp;
use crate::core::task::{Sweep, Task};
use crate::store::rows::{FORGOTTEN_AT_ONCE, from_json, to_json};
use crate::store::{Claim, LEASE_SECONDS, LONGEST_PAUSE_SECONDS, Lease, StoreError};

/// The first that takes no slot, and where slots are free ($2) the first that does: the older. For
/// slots, a repository that holds fewer comes first, then the one whose turn is longest ago; of one
/// repository, what has begun. Of two that claim at the same moment, neither sees what the other
/// takes: then a repository may have two turns at once. In a pause only what goes on all the same.
const CLAIM: &str = "WITH unslotted AS MATERIALIZED (
         SELECT ready, id FROM work
         WHERE head AND NOT slot AND ready <= queue_time($1)
           AND (NOT EXISTS (SELECT FROM pauses)
                OR lane = 'sweep:MissedDeliveries' OR lane LIKE 'operator:%')
         ORDER BY ready, id LIMIT 1 FOR UPDATE SKIP LOCKED
     ), slotted AS MATERIALIZED (
         SELECT ready, id FROM work
         WHERE $2 AND NOT EXISTS (SELECT FROM pauses) AND head AND slot AND ready <= queue_time($1) AND repo IS NOT DISTINCT FROM (
             SELECT waits.repo
             FROM (SELECT DISTINCT repo FROM work
                   WHERE head AND slot AND ready <= queue_time($1)) AS waits
             LEFT JOIN turns ON turns.repo = waits.repo
             ORDER BY (SELECT count(*) FROM work AS held
                       WHERE held.repo = waits.repo AND held.slot AND held.lease_until IS NOT NULL),
                      coalesce(turn, 0) LIMIT 1)
         ORDER BY begun DESC, ready, id LIMIT 1 FOR UPDATE SKIP LOCKED
     ), taken AS (
         UPDATE work
         SET tries = tries + (lease_until IS NOT NULL)::integer,
             abandoned = abandoned + (lease_until IS NOT NULL)::integer,
             fence = fence + 1, lease_until = queue_time($1) + $3
         WHERE id = (SELECT id FROM (SELECT * FROM unslotted UNION ALL SELECT * FROM slotted) AS first
                     ORDER BY ready, id LIMIT 1)
         RETURNING id, fence, tries, abandoned, task, slot, repo
     ), turned AS (
         INSERT INTO turns (repo, turn)
         SELECT repo, (SELECT coalesce(max(turn), 0) + 1 FROM turns) FROM taken
         WHERE slot AND repo IS NOT NULL
         ON CONFLICT (repo) DO UPDATE SET turn = excluded.turn
     )
     SELECT id, fence, tries, abandoned, task FROM taken";

/// How long a lease is, in milliseconds.
const LEASE: i64 = LEASE_SECONDS * 1000;

/// Takes the first head that is due, or whose lease has run out.
pub(super) async fn claim(
    connection: &mut PgConnection,
    now: Timestamp,
    slotted: bool,
) -> Result<Option<Claim>, StoreError> {
    let row: Option<(i64, i64, i32, i32, String)> = sqlx::query_as(CLAIM)
        .bind(now.0)
        .bind(slotted)
        .bind(LEASE)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    let Some((task, fence, tries, abandoned, json)) = row else { return Ok(None) };
    // One that cannot be read stays leased, so that the others get their turn before it is
    // met again.
    let read = from_json("a task", &json)?;
    let [tries, abandoned] = [tries, abandoned].map(i32::unsigned_abs);
    Ok(Some(Claim { lease: Lease { task, fence }, task: read, tries, abandoned }))
}

pub(super) async fn heartbeat(
    connection: &mut PgConnection,
    lease: &Lease,
    now: Timestamp,
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "UPDATE work SET lease_until = queue_time($3) + $4
         WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL",
    );
    held(moved.bind(lease.task).bind(lease.fence).bind(now.0).bind(LEASE), connection).await
}

pub(super) async fn postpone(
    connection: &mut PgConnection,
    lease: &Lease,
    due: Timestamp,
    fault: &str,
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "UPDATE work SET lease_until = NULL, tries = tries + 1, due = $3, fault = $4
         WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL",
    );
    let moved = moved.bind(lease.task).bind(lease.fence).bind(due.0).bind(storable(fault));
    held(moved, connection).await
}

pub(super) async fn hand_back(
    connection: &mut PgConnection,
    lease: &Lease,
) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "UPDATE work SET lease_until = NULL
         WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL",
    );
    held(moved.bind(lease.task).bind(lease.fence), connection).await
}

type BoundQuery<'a> = sqlx::query::Query<'a, Postgres, PgArguments>;

async fn held(statement: BoundQuery<'_>, connection: &mut PgConnection) -> Result<(), StoreError> {
    match statement.execute(connection).await.map_err(failed)?.rows_affected() {
        0 => Err(StoreError::LeaseLost),
        _ => Ok(()),
    }
}

/// Locks these lanes, and that of a task, until the transaction ends: in the same order whoever
/// asks.
pub(super) async fn lock_lanes(
    transaction: &mut PgConnection,
    lanes: &[String],
    and_of: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(key) FROM (
             SELECT DISTINCT hashtextextended(lane, 0) AS key
             FROM (SELECT unnest($1::text[]) AS lane
                   UNION ALL SELECT lane FROM work WHERE id = $2) AS lanes
             ORDER BY key) AS keys",
    )
    .bind(lanes)
    .bind(and_of)
    .execute(transaction)
    .await
    .map(drop)
    .map_err(failed)
}

pub(super) async fn enqueue_alone(
    connection: &mut PgConnection,
    task: &Task,
    due: Timestamp,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    lock_lanes(&mut transaction, &[task.lane()], None).await?;
    enqueue(&mut transaction, task, due).await?;
    transaction.commit().await.map_err(failed)
}

/// Queues a task whose lane is locked.
pub(super) async fn enqueue(
    transaction: &mut PgConnection,
    task: &Task,
    due: Timestamp,
) -> Result<(), StoreError> {
    let (lane, json) = (task.lane(), to_json("a task", task)?);
    if task.is_level_triggered() {
        // An equal one that waits is enough, at the earlier of both moments.
        let waiting = sqlx::query(
            "UPDATE work SET due = least(due, $3)
             WHERE lane = $1 AND task = $2 AND lease_until IS NULL",
        );
        let waiting = waiting.bind(&lane).bind(&json).bind(due.0);
        if waiting.execute(&mut *transaction).await.map_err(failed)?.rows_affected() > 0 {
            return Ok(());
        }
    }
    let of = task.about().filter(|_| task.takes_slot());
    let insert = "INSERT INTO work (lane, task, due, slot, begun, repo)
         VALUES ($1, $2, $3, $4, $5, coalesce((SELECT repo FROM jobs WHERE id = $6),
                                              (SELECT repo FROM releases WHERE id = $6)))";
    sqlx::query(insert)
        .bind(lane)
        .bind(json)
        .bind(due.0)
        .bind(task.takes_slot())
        .bind(!task.begins())
        .bind(of)
        .execute(transaction)
        .await
        .map(drop)
        .map_err(failed)
}

/// What is locked at this moment is being given another time anyway, and is not waited for.
pub(super) async fn bring_near(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE work SET due = least(due, $1),
             lease_until = CASE WHEN lease_until > $2 THEN $2 ELSE lease_until END
         WHERE id IN (SELECT id FROM work WHERE due > $1 OR lease_until > $2
                      ORDER BY id FOR UPDATE SKIP LOCKED)",
    )
    .bind(now.plus_seconds(LONGEST_PAUSE_SECONDS).0)
    .bind(now.plus_seconds(LEASE_SECONDS).0)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed)
}

pub(super) async fn swept(
    connection: &mut PgConnection,
    sweep: Sweep,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sweeps (name, done) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET done = excluded.done",
    )
    .bind(format!("{sweep:?}"))
    .bind(at.0)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed)
}

/// Shows that writing works.
pub(super) async fn ping(connection: &mut PgConnection) -> Result<(), StoreError> {
    let ping = sqlx::query("UPDATE pings SET many = many + 1");
    ping.execute(connection).await.map(drop).map_err(failed)
}

/// Deletes some deliveries, act keys and results of checks from before that moment; returns how
/// many. Two machines that do it at once do not wait for each other.
pub(super) async fn forget(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for statement in [
        "DELETE FROM deliveries WHERE id IN (
             SELECT id FROM deliveries WHERE received < $1
             ORDER BY received LIMIT $2 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM acts WHERE key IN (
             SELECT key FROM acts WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM check_results WHERE id IN (
             SELECT id FROM check_results WHERE at < $1
             ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM slack WHERE key IN (
             SELECT key FROM slack WHERE until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
    ] {
        let deleted = sqlx::query(statement).bind(before.0).bind(FORGOTTEN_AT_ONCE);
        forgotten += deleted.execute(&mut *connection).await.map_err(failed)?.rows_affected();
    }
    Ok(forgotten)
}
