//! The slot that a piece of work holds on this machine, lent to others while a model is waited for.
//!
//! Invariants: whoever has a slot holds it while it works here; one that was lent is had again
//! before the work goes on, and whoever waits for that goes before what has not begun.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// A slot, or none where nothing bounds how much is done side by side.
#[derive(Clone, Default)]
pub struct HeldSlot(Option<Arc<SharedSlot>>);

struct SharedSlot {
    slots: Arc<Semaphore>,
    /// Told when the slot is free for others.
    wake: Arc<Notify>,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl HeldSlot {
    /// One of `slots`; `wake` is told whenever it is lent.
    pub fn new(slots: Arc<Semaphore>, permit: OwnedSemaphorePermit, wake: Arc<Notify>) -> Self {
        Self(Some(Arc::new(SharedSlot { slots, wake, permit: Mutex::new(Some(permit)) })))
    }

    /// Lends the slot while something elsewhere is waited for. Says what came of that, and how long
    /// the slot was waited for afterwards.
    pub async fn lent<T>(&self, waiting: impl Future<Output = T>) -> (T, Duration) {
        let Some(shared) = &self.0 else { return (waiting.await, Duration::ZERO) };
        if let Some(permit) = shared.with(Option::take) {
            drop(permit);
            shared.wake.notify_one();
        }
        let answer = waiting.await;
        let since = Instant::now();
        shared.have_again().await;
        (answer, since.elapsed())
    }
}

impl SharedSlot {
    fn with<T>(&self, change: impl FnOnce(&mut Option<OwnedSemaphorePermit>) -> T) -> T {
        // Nothing that could panic is done with it.
        change(&mut self.permit.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn have_again(&self) {
        if self.with(|permit| permit.is_some()) {
            return;
        }
        // Nobody closes them. Of two that come back at once, the second gives its own back.
        if let Ok(another) = Arc::clone(&self.slots).acquire_owned().await {
            self.with(|permit| permit.get_or_insert(another).num_permits());
        }
    }
}

impl fmt::Debug for HeldSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldSlot").field(&self.0.is_some()).finish()
    }
}
