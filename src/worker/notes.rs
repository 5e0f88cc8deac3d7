//! What people say to the agent while it works, as the job in the store has it.
//!
//! Invariants: each note is given once to an attempt, in order; where the store cannot be read, the
//! next turn asks again, and what was not given counts as not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::core::id::JobId;
use crate::core::job::Job;
use crate::store::Store;

/// The notes of a job, for one attempt.
pub struct Notes {
    store: Arc<dyn Store>,
    job_id: JobId,
    read: AtomicUsize,
}

impl Notes {
    /// Those that stand in the job are in the attempt's task already.
    pub fn of(job: &Job, store: Arc<dyn Store>) -> Self {
        Self { store, job_id: job.id.clone(), read: AtomicUsize::new(job.notes.len()) }
    }

    /// Those that were not given yet, which are given with this. Where nobody can speak, none.
    pub fn new_ones(this: Option<&Self>) -> BoxFuture<'_, Vec<String>> {
        async move {
            let Some(this) = this else { return Vec::new() };
            let job = match this.store.job(&this.job_id).await {
                Ok(job) => job,
                Err(error) => {
                    tracing::warn!(%error, "what people say cannot be read");
                    return Vec::new();
                }
            };
            let read = this.read.load(Ordering::Relaxed);
            let notes = job.map(|job| job.machine.notes).unwrap_or_default();
            let new: Vec<String> = notes.into_iter().skip(read).map(|note| note.words).collect();
            this.read.store(read + new.len(), Ordering::Relaxed);
            new
        }
        .boxed()
    }

    /// How many the attempt was given.
    pub fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }
}
