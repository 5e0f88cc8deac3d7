//! What one step changed on GitHub, request by request: the audit log tells it.
//!
//! Invariants: whatever changes something goes through `Forge::call`, which notes it here; what
//! GitHub refused changed nothing, and is not noted.

use std::sync::{Mutex, PoisonError};

use super::{ApiCall, ApiResponse, Forge, ForgeError, Scope};

/// A request that changed something, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Effect {
    /// What it was for, in Gander's own words.
    pub doing: String,
    /// Method and path.
    pub request: String,
    /// GitHub's number of it. `None`: GitHub did not say.
    pub request_id: Option<String>,
    pub scope: Scope,
    /// `false`: no answer came, so that it may have happened or not.
    pub answered: bool,
}

/// Those of one step.
#[derive(Debug, Default)]
pub(super) struct Effects(Mutex<Vec<Effect>>);

impl Forge {
    /// So many requests GitHub still takes from the installation with the fewest, as far as it said.
    pub fn least_remaining(&self) -> Option<u64> {
        self.inner.limits.least_remaining()
    }

    /// What was changed since this was last asked.
    pub fn take_effects(&self) -> Vec<Effect> {
        std::mem::take(&mut *self.effects.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note_effect(
        &self,
        scope: Scope,
        call: &ApiCall<'_>,
        outcome: &Result<ApiResponse, ForgeError>,
    ) {
        let answer = match outcome {
            Ok(answer) => Some(answer),
            Err(ForgeError::NoAnswer { .. } | ForgeError::ServerFailed { .. }) => None,
            Err(_) => return,
        };
        let id = answer.and_then(|answer| answer.headers.get("x-github-request-id"));
        let path = call.path.split('?').next().unwrap_or_default();
        let effect = Effect {
            doing: call.doing.to_owned(),
            request: format!("{} {path}", call.method),
            request_id: id.and_then(|id| id.to_str().ok()).map(str::to_owned),
            scope,
            answered: answer.is_some(),
        };
        self.effects.0.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
    }
}
