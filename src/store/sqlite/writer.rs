//! The one writer: whatever waits is one transaction.
//!
//! Invariants: an answer is sent only after the fsync that makes it true. A request that is
//! refused takes nothing with it; when the database itself fails, each request of the batch is
//! tried alone, so that one that cannot be written does not take the others with it.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;

use super::change::{self, ClaimRequest, QueueChange};
use super::waiting::PendingRequest;
use super::{accept, execute, failed, fold_log_and_close, operator};
use crate::core::audit::AuditEntry;
use crate::core::id::{RepoId, Timestamp};
use crate::store::rows::Arrival;
use crate::store::{Accepted, Claim, KeptSince, StoreError};

const LARGEST_BATCH: usize = 256;

/// What is removed, some of it at a time.
#[derive(Debug)]
pub(super) enum Removal {
    /// Deliveries, acts and results of checks from before.
    Old(Timestamp),
    NotKept(KeptSince),
}

/// A repository of which nothing is kept, and what the audit log says of that.
#[derive(Debug)]
pub(super) struct ForgottenRepository {
    pub(super) repo: RepoId,
    pub(super) audit: AuditEntry,
    pub(super) now: Timestamp,
}

/// Whether this process folds the log into the file at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtClose {
    FoldLog,
    /// Another process works with the file.
    LeaveLog,
}

/// Everything that is ever written.
#[derive(Debug)]
pub(super) enum WriterRequest {
    Accept(PendingRequest<Arrival, Accepted>),
    Claim(PendingRequest<ClaimRequest, Option<Claim>>),
    Change(PendingRequest<QueueChange, ()>),
    Remove(PendingRequest<Removal, u64>),
    ForgetRepository(PendingRequest<ForgottenRepository, Vec<String>>),
    Close(PendingRequest<(), ()>),
}

/// Writes until the store is closed or dropped.
pub(super) async fn run(
    mut connection: SqliteConnection,
    mut inbox: mpsc::Receiver<WriterRequest>,
    at_close: AtClose,
) {
    let mut batch = Vec::new();
    while inbox.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
        // Those whom the last answers woke get their word in before this batch is closed.
        tokio::task::yield_now().await;
        while batch.len() < LARGEST_BATCH
            && let Ok(next) = inbox.try_recv()
        {
            batch.push(next);
        }
        write_batch(&mut connection, &mut batch).await;
        let mut closing = Vec::new();
        for write in batch.drain(..) {
            match write {
                WriterRequest::Accept(waiting) => waiting.tell(),
                WriterRequest::Claim(waiting) => waiting.tell(),
                WriterRequest::Change(waiting) => waiting.tell(),
                WriterRequest::Remove(waiting) => waiting.tell(),
                WriterRequest::ForgetRepository(waiting) => waiting.tell(),
                WriterRequest::Close(waiting) => closing.push(waiting),
            }
        }
        if let Some(mut waiting) = closing.pop() {
            waiting.outcome = Some(match at_close {
                AtClose::FoldLog => fold_log_and_close(connection).await,
                AtClose::LeaveLog => connection.close().await.map_err(failed),
            });
            return waiting.tell();
        }
    }
}

/// Tells all of them the same, since a failure cannot be cloned.
fn fail(batch: &mut [WriterRequest], why: &StoreError) {
    let why = match why {
        StoreError::Unavailable(cause) => cause.to_string(),
        other => other.to_string(),
    };
    let failure = || StoreError::Unavailable(why.clone().into());
    for write in batch {
        match write {
            WriterRequest::Accept(waiting) => waiting.outcome = Some(Err(failure())),
            WriterRequest::Claim(waiting) => waiting.outcome = Some(Err(failure())),
            WriterRequest::Change(waiting) => waiting.outcome = Some(Err(failure())),
            WriterRequest::Remove(waiting) => waiting.outcome = Some(Err(failure())),
            WriterRequest::ForgetRepository(waiting) => waiting.outcome = Some(Err(failure())),
            WriterRequest::Close(_) => {}
        }
    }
}

/// Why a transaction was not made.
enum BatchError {
    /// Another process writes, or the file is out of reach: trying each request alone is no use.
    ToBegin(StoreError),
    ToWrite(StoreError),
}

async fn write_batch(connection: &mut SqliteConnection, batch: &mut [WriterRequest]) {
    // Each statement is a trip to SQLite's thread, and most of what GitHub sends needs only one.
    // What fails here is decided below, as if it had not been tried.
    if is_one_statement(batch) && apply(connection, batch).await.is_ok() {
        return;
    }
    match transaction(connection, batch).await {
        Ok(()) => {}
        Err(BatchError::ToWrite(_)) if batch.len() > 1 => {
            for n in 0..batch.len() {
                match transaction(connection, &mut batch[n..=n]).await {
                    Ok(()) => {}
                    Err(BatchError::ToWrite(why)) => fail(&mut batch[n..=n], &why),
                    Err(BatchError::ToBegin(why)) => return fail(&mut batch[n..], &why),
                }
            }
        }
        Err(BatchError::ToBegin(why) | BatchError::ToWrite(why)) => fail(batch, &why),
    }
}

/// Deliveries to be recorded and nothing else: one `INSERT`, which is a transaction by itself.
fn is_one_statement(batch: &[WriterRequest]) -> bool {
    batch.len() <= accept::ROWS_AT_ONCE
        && batch.iter().all(
            |write| matches!(write, WriterRequest::Accept(waiting) if waiting.request.work.is_none()),
        )
}

async fn transaction(
    connection: &mut SqliteConnection,
    batch: &mut [WriterRequest],
) -> Result<(), BatchError> {
    execute(connection, "BEGIN IMMEDIATE").await.map_err(BatchError::ToBegin)?;
    let mut written = apply(connection, batch).await;
    if written.is_ok() {
        written = execute(connection, "COMMIT").await;
    }
    if written.is_err() {
        // Refused when SQLite has rolled back by itself; then there is nothing to do.
        let _ = execute(connection, "ROLLBACK").await;
    }
    written.map_err(BatchError::ToWrite)
}

async fn apply(
    connection: &mut SqliteConnection,
    batch: &mut [WriterRequest],
) -> Result<(), StoreError> {
    let mut arrivals = Vec::new();
    let mut others = Vec::new();
    for write in batch {
        match write {
            WriterRequest::Accept(waiting) => arrivals.push(waiting),
            other => others.push(other),
        }
    }
    for some in arrivals.chunks_mut(accept::ROWS_AT_ONCE) {
        accept::record(connection, some).await?;
    }
    for write in others {
        match write {
            WriterRequest::Claim(waiting) => {
                let outcome = change::claim(connection, waiting.request).await;
                waiting.keep(outcome)?;
            }
            WriterRequest::Change(waiting) => {
                let outcome = change::apply(connection, &waiting.request).await;
                waiting.keep(outcome)?;
            }
            WriterRequest::Remove(waiting) => {
                execute(connection, "SAVEPOINT of_one_removal").await?;
                let outcome = match &waiting.request {
                    Removal::Old(before) => change::forget(connection, *before).await,
                    Removal::NotKept(kept) => operator::thin(connection, kept).await,
                };
                end_removal(connection, outcome.is_ok()).await?;
                waiting.keep(outcome)?;
            }
            WriterRequest::ForgetRepository(waiting) => {
                let ForgottenRepository { repo, audit, now } = &waiting.request;
                execute(connection, "SAVEPOINT of_one_removal").await?;
                let outcome = operator::forget_repository(connection, *repo, audit, *now).await;
                end_removal(connection, outcome.is_ok()).await?;
                waiting.keep(outcome)?;
            }
            WriterRequest::Accept(_) | WriterRequest::Close(_) => {}
        }
    }
    Ok(())
}

/// A refused one leaves nothing behind.
async fn end_removal(connection: &mut SqliteConnection, done: bool) -> Result<(), StoreError> {
    if !done {
        execute(connection, "ROLLBACK TO of_one_removal").await?;
    }
    execute(connection, "RELEASE of_one_removal").await
}
