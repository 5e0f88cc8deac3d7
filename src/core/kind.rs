//! Whether a change mends something, adds something, or takes something back.

use serde::{Deserialize, Serialize};

/// A bug fix, a feature, or a change that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    Fix,
    Build,
    Revert,
}
