//! The tests that were there before a change: which are gone with it, and what they come to, as
//! they were, with the rest of it.
//!
//! Invariants: only tests that ran on the base count; one that the issue names, itself or by the
//! value that it expects now, is shown and holds nothing back.

use super::VerifyError;
use super::new_values::names_new_values;
use super::rerun::Rerun;
use super::split::{SplitPatch, replaces_tests};
use super::subject::{MOST_TESTS, Subject};
use super::test_ids::{is_in_file, own_name};
use crate::core::patch::Patch;
use crate::core::proof::Proof;
use crate::core::test_results::TestState;
use crate::workspace::diff::BaseFiles;

/// What is needed to look at them.
pub(super) struct OldTests<'a> {
    /// The issue's words.
    pub(super) issue: &'a str,
    /// The files that the change changes, as they were.
    pub(super) files: &'a BaseFiles,
    /// Runs the tests.
    pub(super) rerun: Rerun<'a>,
}

impl OldTests<'_> {
    /// What the tests as they were come to with the rest of the change, and which are gone.
    pub(super) async fn look(
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
        let found = self.rerun.once(subject.line, subject.line, rest).await?;
        let Some(now) = found.results else {
            proof.old_tests_do_not_run = true;
            return Ok(());
        };
        let failed = before
            .in_state(TestState::Passed)
            .filter(|id| now.get(id).is_some_and(|it| it.state == TestState::Failed));
        let broken = failed.chain(before.lost_in(&now));
        let (named, others): (Vec<&str>, Vec<&str>) =
            broken.take(MOST_TESTS).partition(|id| self.names(id, tests));
        proof.old_tests_broken.extend(others.into_iter().map(str::to_owned));
        proof.old_tests_named.extend(named.into_iter().map(str::to_owned));
        Ok(())
    }

    /// Whether the issue speaks of a test, or of what it expects now. A name of one short word is
    /// too often that of what is tested.
    fn names(&self, id: &str, tests: &Patch) -> bool {
        let own = own_name(id);
        let known = tests.changes.keys().any(|path| is_in_file(id, path.as_str()));
        let of = |path: &str| !known || is_in_file(id, path);
        own.contains(['_', ' ']) && self.issue.contains(own)
            || names_new_values(self.issue, tests, self.files, of)
    }
}
