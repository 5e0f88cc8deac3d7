//! A green change that no test shows to be needed: it gets one more attempt, and then its due.
//!
//! Invariants: only a first round is doubted, and only once; that a bug cannot be reproduced
//! follows from a run of Gander's and from no word of a model's; a change that was green before the
//! extra attempt is as good as it was, whatever becomes of that.

use serde::{Deserialize, Serialize};

use super::{Job, JobEnding, JobStep, Kind, ProposedChange};
use crate::core::evidence::{CheckKind, Evidence};
use crate::core::proof::ProofOutcome;

/// A green change that was sent back once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What speaks against it.
    pub because: Doubtful,
    /// As it was.
    pub change: ProposedChange,
    /// So many notes of people it took into account.
    #[serde(default)]
    pub notes_read: usize,
}

/// Why a green change is doubted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubtful {
    /// Its tests pass without the rest of it.
    GreenOnBase,
    /// It brings no test, and says no reason.
    NoTest,
}

impl Job {
    /// A green verdict: published, or doubted first.
    pub(super) fn green(&mut self, round: u32, attempt: u32, evidence: &Evidence) -> Vec<JobStep> {
        let outcome = evidence.proof.as_ref().map(|proof| &proof.outcome);
        let reason = self.proposal().and_then(|proposal| proposal.no_test.as_ref());
        let doubt = match outcome {
            Some(ProofOutcome::GreenOnBase) => Some(Doubtful::GreenOnBase),
            Some(ProofOutcome::NoTest | ProofOutcome::TestsNotRun) if reason.is_none() => {
                Some(Doubtful::NoTest)
            }
            _ => None,
        };
        match doubt {
            Some(because) if round == 1 && self.order.kind == Kind::Fix => {
                self.doubted(because, attempt)
            }
            _ => self.publish(round),
        }
    }

    fn doubted(&mut self, because: Doubtful, attempt: u32) -> Vec<JobStep> {
        let first = self.doubt.take().is_none();
        if let Some(change) = self.change.clone().filter(|_| first) {
            self.doubt = Some(Doubt { because, change, notes_read: self.notes_read });
            if attempt < self.attempts_allowed() {
                return self.fix(1, attempt + 1);
            }
            self.doubt = None;
        }
        match because {
            Doubtful::GreenOnBase => self.not_reproducible(!first),
            Doubtful::NoTest => self.publish(1),
        }
    }

    /// What follows where the extra attempt came to nothing. `None`: there was none.
    pub(super) fn as_it_was_before(&mut self) -> Option<Vec<JobStep>> {
        let Doubt { because, change, notes_read } = self.doubt.take()?;
        self.notes_read = notes_read;
        self.change = Some(change);
        self.unfinished = None;
        Some(match because {
            Doubtful::GreenOnBase => self.not_reproducible(true),
            Doubtful::NoTest => self.publish(1),
        })
    }

    fn not_reproducible(&mut self, asked_again: bool) -> Vec<JobStep> {
        let checks = self.evidence().into_iter().flat_map(|it| &it.checks);
        let commands = checks.filter(|check| check.kind == CheckKind::Command);
        let commands = commands.map(|check| check.name.replace('\n', "; ")).collect::<Vec<_>>();
        self.end(JobEnding::NotReproducible { commands: commands.join(", "), asked_again })
    }
}
