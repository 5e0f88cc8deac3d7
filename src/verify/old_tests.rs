//! The tests that were there before a change: which are gone with it, and what they come to, as
//! they were, with the rest of it.
//!
//! Invariants: only tests that ran on the base count; one that the issue names is shown and holds
//! nothing back.

use super::VerifyError;
use super::reproduce::{MOST_TESTS, Reproduce};
use super::split::{SplitPatch, replaces_tests};
use super::subject::Subject;
use super::test_ids::own_name;
use crate::core::proof::Proof;
use crate::core::test_results::TestState;

impl Reproduce<'_> {
    /// What the tests as they were come to with the rest of the change, and which are gone.
    pub(super) async fn old_tests(
        &self,
        subject: &Subject<'_>,
        SplitPatch { tests, rest }: &SplitPatch,
        proof: &mut Proof,
    ) -> Result<(), VerifyError> {
        let Some(before) = &subject.before else { return Ok(()) };
        let lost = before.lost_in(&subject.with).into_iter().take(MOST_TESTS);
        proof.tests_lost.extend(lost.map(str::to_owned));
        if rest.is_empty() || !replaces_tests(tests) {
            return Ok(());
        }
        let found = self.rerun_of(subject).once(subject.line, subject.line, rest).await?;
        let Some(now) = found.results else {
            proof.old_tests_do_not_run = true;
            return Ok(());
        };
        let failed = before
            .in_state(TestState::Passed)
            .filter(|id| now.get(id).is_some_and(|it| it.state == TestState::Failed));
        let broken = failed.chain(before.lost_in(&now));
        let (named, others): (Vec<&str>, Vec<&str>) =
            broken.take(MOST_TESTS).partition(|id| self.names(id));
        proof.old_tests_broken.extend(others.into_iter().map(str::to_owned));
        proof.old_tests_named.extend(named.into_iter().map(str::to_owned));
        Ok(())
    }

    /// Whether the issue speaks of a test. A name of one short word is too often that of what is
    /// tested.
    fn names(&self, id: &str) -> bool {
        let own = own_name(id);
        own.contains(['_', ' ']) && self.issue.contains(own)
    }
}
