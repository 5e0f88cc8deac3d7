//! Someone who waits for a write.

use tokio::sync::oneshot;

use crate::store::StoreError;

/// A request, and who waits for its outcome.
#[derive(Debug)]
pub(super) struct PendingRequest<R, A> {
    pub(super) request: R,
    pub(super) outcome: Option<Result<A, StoreError>>,
    answer: oneshot::Sender<Result<A, StoreError>>,
}

impl<R, A> PendingRequest<R, A> {
    pub(super) fn new(request: R, answer: oneshot::Sender<Result<A, StoreError>>) -> Self {
        Self { request, outcome: None, answer }
    }

    /// Keeps what is to be told; a failure of the database concerns the whole batch instead.
    pub(super) fn keep(&mut self, outcome: Result<A, StoreError>) -> Result<(), StoreError> {
        match outcome {
            Err(failure @ StoreError::Unavailable(_)) => Err(failure),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    pub(super) fn tell(self) {
        if let Some(outcome) = self.outcome {
            // Nobody listens any more when the asker was cancelled; what is written stays.
            let _ = self.answer.send(outcome);
        }
    }
}
