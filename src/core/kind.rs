//! Whether a change mends something or adds something.

use serde::{Deserialize, Serialize};

/// A bug fix or a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    Fix,
    Build,
}
