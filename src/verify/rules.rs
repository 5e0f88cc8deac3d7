//! The patch itself: paths, modes, size.

use async_trait::async_trait;

use super::{Candidate, Finding, Verifier, VerifyError};
use crate::core::evidence::{CheckKind, CheckOutcome};
use crate::core::path_rules::PathRules;
use crate::workspace::patch::{self, Caps};

/// Holds a patch against the rules of the repository and our own.
pub struct PatchRules {
    /// Protected and flagged paths.
    pub paths: PathRules,
    /// Its size.
    pub caps: Caps,
}

#[async_trait]
impl Verifier for PatchRules {
    fn name(&self) -> &'static str {
        "paths and size of the change"
    }

    fn kind(&self) -> CheckKind {
        CheckKind::Rule
    }

    async fn check(&self, candidate: &Candidate<'_>) -> Result<Finding, VerifyError> {
        let entries = candidate.workspace.entries();
        Ok(Finding::from(match patch::check(candidate.patch, entries, &self.paths, self.caps) {
            Ok(_) => CheckOutcome::Passed,
            Err(refusal) => CheckOutcome::Failed(refusal.to_string()),
        }))
    }
}
