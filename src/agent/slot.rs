//! The slot that a piece of work holds on this machine, lent to others while a model is waited for.
//!
//! Invariants: whoever has a slot holds it while any of its work goes on here; one that was lent is
//! had again before the work goes on, and whoever waits for that goes before what has not begun.

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
    state: Mutex<SlotState>,
}

struct SlotState {
    permit: Option<OwnedSemaphorePermit>,
    /// Waits for models that go on.
    waits: usize,
    /// Work that goes on here beside those.
    beside: usize,
}

impl HeldSlot {
    /// One of `slots`; `wake` is told whenever it is lent.
    pub fn new(slots: Arc<Semaphore>, permit: OwnedSemaphorePermit, wake: Arc<Notify>) -> Self {
        let state = SlotState { permit: Some(permit), waits: 0, beside: 0 };
        Self(Some(Arc::new(SharedSlot { slots, wake, state: Mutex::new(state) })))
    }

    /// Lends the slot while something elsewhere is waited for. Says what came of that, and how long
    /// the slot was waited for afterwards.
    pub async fn lent<T>(&self, waiting: impl Future<Output = T>) -> (T, Duration) {
        let Some(shared) = &self.0 else { return (waiting.await, Duration::ZERO) };
        let wait = SlotUse::of(shared, |state| &mut state.waits);
        let answer = waiting.await;
        drop(wait);
        let since = Instant::now();
        shared.have_again().await;
        (answer, since.elapsed())
    }

    /// Keeps the slot while work goes on here, whatever is waited for meanwhile.
    pub async fn kept<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(shared) = &self.0 else { return work.await };
        let _beside = SlotUse::of(shared, |state| &mut state.beside);
        shared.have_again().await;
        work.await
    }
}

impl SharedSlot {
    /// Changes what is known, and lends the slot if nobody here needs it then.
    fn change(&self, change: impl FnOnce(&mut SlotState)) {
        // Nothing that could panic is done with it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let free = state.waits > 0 && state.beside == 0;
        let lent = if free { state.permit.take() } else { None };
        drop(state);
        if lent.is_some() {
            drop(lent);
            self.wake.notify_one();
        }
    }

    async fn have_again(&self) {
        if self.state.lock().unwrap_or_else(PoisonError::into_inner).permit.is_some() {
            return;
        }
        // Nobody closes them. Of two that come back at once, the second gives its own back.
        if let Ok(another) = Arc::clone(&self.slots).acquire_owned().await {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.permit.is_none() {
                state.permit = Some(another);
            }
        }
    }
}

/// Counts as long as it lives.
struct SlotUse<'a> {
    shared: &'a SharedSlot,
    count: fn(&mut SlotState) -> &mut usize,
}

impl<'a> SlotUse<'a> {
    fn of(shared: &'a SharedSlot, count: fn(&mut SlotState) -> &mut usize) -> Self {
        shared.change(|state| *count(state) += 1);
        Self { shared, count }
    }
}

impl Drop for SlotUse<'_> {
    fn drop(&mut self) {
        self.shared.change(|state| *(self.count)(state) -= 1);
    }
}

impl fmt::Debug for HeldSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldSlot").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_slot_is_lent_while_a_model_is_waited_for_and_kept_while_work_goes_on_beside_it() {
        let slots = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&slots).try_acquire_owned().unwrap();
        let slot = HeldSlot::new(Arc::clone(&slots), permit, Arc::default());
        let free = || slots.available_permits();
        slot.lent(async { assert_eq!(free(), 1) }).await;
        assert_eq!(free(), 0);

        let ((end_work, working), (answer, answered)) = (oneshot::channel(), oneshot::channel());
        let work = slot.kept(async { working.await.unwrap() });
        let talk = slot.lent(async {
            assert_eq!(free(), 0, "work goes on beside it");
            end_work.send(()).unwrap();
            while free() == 0 {
                tokio::task::yield_now().await;
            }
            answer.send(()).unwrap();
        });
        join(join(work, talk), async { answered.await.unwrap() }).await;
        assert_eq!(free(), 0);
        drop(slot);
        assert_eq!(free(), 1);
    }
}
