//! What a failure means for the work that met it. Adapters classify, the worker obeys.

use serde::{Deserialize, Serialize};

/// What to do about a failure. The only thing the worker asks of an adapter's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Trying the same again later may work.
    Retry {
        /// How many seconds the other side asked us to wait, if it did.
        after_seconds: Option<u64>,
    },
    /// Trying again changes nothing until a person changes something.
    Permanent,
    /// What was to leave holds a secret: nothing more of this work may leave.
    Withheld,
    /// We did something that we must never do.
    Bug,
}
