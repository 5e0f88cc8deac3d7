//! Red, green, red: what tests come to without a change, with it, and without parts of it.
//!
//! A green check says that nothing that was looked at speaks against a change. This says that
//! something speaks for it: a test that fails on the base for a test's reason and passes with the
//! change, however often it is run, and that some part of the change is needed for that.
//!
//! Invariants: every result is of a run of Gander's own, in a fresh tree, with exit status and
//! results of single tests agreeing; names of tests come from the repository's code, so only plain
//! ones get into a command; a test counts that is in both runs under one id; nothing here makes a
//! red check green; repeats and parts together take no longer than one whole check, or a minute.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::ended::{ended_with, is_named_end};
use super::old_tests::OldTests;
use super::rerun::Rerun;
use super::results::cause::says_more_than_missing;
use super::results::select;
use super::split::{ChangePart, SplitPatch, parts, split};
use super::subject::{MOST_TESTS, Subject, bent, is_asked, own_tests, takes_red_tests_away};
use super::test_files::is_code;
use super::test_ids::{declares_tests, is_in_file, stands_in};
use super::test_map::TestMap;
use super::weak_tests::weak_tests;
use super::{Checker, Finding, VerifyContext, VerifyError, blocking};
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence};
use crate::core::patch::{Change, Patch};
use crate::core::path::RepoPath;
use crate::core::proof::{Proof, ProofOutcome, ProvenTest, TakenBack, WithoutPart};
use crate::core::test_results::{FailureCause, TestResults, TestState};
use crate::workspace::diff::BaseFiles;
use crate::workspace::mirror::MirrorError;
use crate::workspace::texts::TextReader;
use crate::workspace::tree::ExportError;

/// How often the tests are run once more with the change.
const REPEATS: u32 = 30;
/// What repeats and parts may take where one whole check is quicker than this.
const AT_LEAST: Duration = Duration::from_secs(60);
/// One run without the change may take so many times as long as the check with it: a bug may be
/// that something never ends.
const LONGEST_RUN: u32 = 3;
/// So many parts of a change are taken back.
const MOST_PARTS: usize = 20;
const LOG: &str = "proof.log";
/// Bytes of a file that is looked at for what it says of tests.
const LARGEST_FILE: u64 = 1 << 20;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofDepth {
    /// The tests on the base: for whoever is still at work on the change.
    OnBase,
    /// That, repeats, and the change without its parts.
    Whole,
}

/// What is needed for it.
pub struct Reproduce<'a> {
    /// Makes trees; its verifiers are not used.
    pub checker: &'a Checker,
    /// What commands need.
    pub means: &'a VerifyContext,
    /// What the commands came to without the change.
    pub base: &'a [Check],
    /// What they came to with it.
    pub with: &'a Evidence,
    /// The change.
    pub patch: &'a Patch,
    /// The files that it changes, as they were.
    pub files: &'a BaseFiles,
    /// How much is tried.
    pub depth: ProofDepth,
    /// The issue's words: an exception that it names is a reason for a test to fail.
    pub issue: &'a str,
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

/// The tests that fail without the change and pass with it.
struct RedToGreen {
    tests: Vec<ProvenTest>,
    /// Whether one of them fails for a test's reason.
    for_a_reason: bool,
}

impl Reproduce<'_> {
    /// Tries to show it.
    ///
    /// # Errors
    /// When a command could not be run.
    pub async fn prove(&self) -> Result<Proof, VerifyError> {
        let (map, divided, parts) = self.divided().await?;
        let mut subjects = self.subjects(&divided.tests).await?;
        if subjects.is_empty() && divided.tests.is_empty() && self.commands().any(is_asked) {
            return Ok(Proof::of(ProofOutcome::NoTest));
        }
        if subjects.is_empty() {
            return Ok(Proof::not_tried(
                "what single tests came to is not known. Gander reads it of cargo test, cargo \
                 nextest, pytest, unittest, node --test, jest, vitest, mocha, tape, go test, \
                 gotestsum, PHPUnit, RSpec and ctest, where a check is that one command and what \
                 it prints adds up",
            ));
        }
        if self.depth == ProofDepth::Whole {
            self.look_at_base(&mut subjects, &divided.tests).await?;
        }
        let mut best: Option<Proof> = None;
        for subject in &subjects {
            let proof = self.of(subject, (&divided.tests, &map), &parts).await?;
            if best.as_ref().is_none_or(|best| best.outcome.rank() < proof.outcome.rank()) {
                best = Some(proof);
            }
        }
        let mut best = best.unwrap_or_else(|| Proof::of(ProofOutcome::NoTest));
        for subject in subjects.iter().filter(|_| self.depth == ProofDepth::Whole) {
            let (issue, files, rerun) = (self.issue, self.files, self.rerun_of(subject));
            OldTests { issue, files, rerun }.look(subject, &divided, &mut best).await?;
        }
        Ok(best)
    }

    /// Which of the change is its tests, and the parts of the rest.
    async fn divided(&self) -> Result<(TestMap, SplitPatch, Vec<ChangePart>), VerifyError> {
        let (patch, files) = (self.patch.clone(), self.files.clone());
        let Checker { mirror, base, .. } = self.checker;
        let mut texts = TextReader::new(mirror, base, LARGEST_FILE);
        let results = self.base.iter().chain(&self.with.checks).filter_map(|it| it.results.clone());
        let results: Vec<TestResults> = results.collect();
        let dividing = move || {
            let ids = results.iter().flat_map(TestResults::iter).map(|(id, _)| id);
            let ids: Vec<&str> = ids.collect();
            let read = |path: &str| texts.read(path);
            let map = TestMap::of(&patch, &files, &ids, read)?;
            let (divided, parts) = (split(&patch, &files, &map), parts(&patch, &files, &map));
            Ok::<_, MirrorError>((map, divided, parts))
        };
        Ok(blocking(dividing).await?.map_err(ExportError::from)?)
    }

    fn commands(&self) -> impl Iterator<Item = &Check> {
        self.with.checks.iter().filter(|check| check.kind == CheckKind::Command)
    }

    /// What a command came to on the base.
    fn before(&self, name: &str) -> Option<&Check> {
        self.base.iter().find(|it| it.kind == CheckKind::Command && it.name == name)
    }

    fn was_red(&self, name: &str) -> bool {
        self.before(name).is_some_and(|it| matches!(it.outcome, CheckOutcome::Failed(_)))
    }

    /// Where only a run that is asked by arguments tells of tests, this one does so of the base,
    /// for a change that has tests, or of tests that were red.
    async fn look_at_base(
        &self,
        subjects: &mut [Subject<'_>],
        tests: &Patch,
    ) -> Result<(), VerifyError> {
        let nothing = Patch::default();
        for subject in subjects.iter_mut().filter(|it| it.by_arguments && it.before.is_none()) {
            if !tests.is_empty() || self.was_red(subject.line) {
                let run = self.rerun_of(subject).once(subject.line, subject.line, &nothing).await?;
                subject.before = run.results.map(Cow::Owned);
            }
        }
        Ok(())
    }

    async fn subjects(&self, tests: &Patch) -> Result<Vec<Subject<'_>>, VerifyError> {
        let mut subjects = Vec::new();
        for check in self.commands() {
            let before = self.before(&check.name);
            let green = matches!(
                check.outcome,
                CheckOutcome::Passed | CheckOutcome::OnlyKnownFailures { .. }
            );
            if !green {
                continue;
            }
            let with = match &check.results {
                Some(results) => Some(Cow::Borrowed(results)),
                // Without a test there is nothing to tell of.
                None if tests.is_empty() && !self.was_red(&check.name) => None,
                None => self.asked_by_arguments(check).await?.map(Cow::Owned),
            };
            subjects.extend(with.map(|with| Subject {
                line: &check.name,
                with,
                before: before.and_then(|it| it.results.as_ref()).map(Cow::Borrowed),
                by_arguments: check.results.is_none(),
                time: Duration::from_millis(check.millis).max(AT_LEAST),
            }));
        }
        Ok(subjects)
    }

    /// What single tests come to with the change where a runner tells only if it is asked by
    /// arguments.
    async fn asked_by_arguments(&self, check: &Check) -> Result<Option<TestResults>, VerifyError> {
        if !is_asked(check) {
            return Ok(None);
        }
        let rerun = Rerun { by_arguments: true, ..self.rerun() };
        let found = rerun.once(&check.name, &check.name, self.patch).await?;
        Ok(found.results.filter(|_| found.outcome == CheckOutcome::Passed))
    }

    async fn of(
        &self,
        subject: &Subject<'_>,
        (tests, map): (&Patch, &TestMap),
        parts: &[ChangePart],
    ) -> Result<Proof, VerifyError> {
        if let Some(mended) = self.mended_by_tests(subject, tests) {
            return Ok(Proof::of(ProofOutcome::OnlyTests(mended)));
        }
        // Without tests of its own the run on the base is that of the check itself.
        if tests.is_empty() {
            return match self.failed_on_base(subject, subject.before.as_deref()) {
                Some(found) => self.shown(subject, found, parts).await,
                None => Ok(Proof::of(ProofOutcome::NoTest)),
            };
        }
        let run = self.rerun_of(subject).once(subject.line, subject.line, tests).await?;
        let tests_bent = bent(subject, run.results.as_ref(), tests);
        if let Some(found) = self.red_to_green(subject, &run) {
            let weak_tests = weak_tests(subject, run.results.as_ref(), (self.patch, tests));
            let proof = self.shown(subject, found, parts).await?;
            return Ok(Proof { tests_bent, weak_tests, ..proof });
        }
        if !tests_bent.is_empty() {
            return Ok(Proof::of(ProofOutcome::OnlyTests(tests_bent)));
        }
        let brings_tests = tests.changes.keys().any(|path| is_code(path.as_str()));
        if !brings_tests || takes_red_tests_away(subject) {
            return Ok(Proof::of(ProofOutcome::NoTest));
        }
        let own = own_tests(subject, tests);
        if own.is_empty() {
            return Ok(Proof::of(ProofOutcome::TestsNotRun));
        }
        let passes = |id: &&str| {
            let results = run.results.as_ref();
            results.and_then(|all| all.get(id)).is_some_and(|it| it.state == TestState::Passed)
        };
        if own.iter().all(passes) {
            return Ok(match self.is_divided(subject, tests, map) {
                true => green_on_base(own.len()),
                false => Proof::not_tried(
                    "which of the change is its tests cannot be told: all of its code lies where \
                     tests do, and some of it holds none",
                ),
            });
        }
        // The run ended before them.
        let said = ended_with(&run.outcome);
        let for_a_reason = is_named_end(&said, self.issue);
        let test = |id: &str| ProvenTest { id: id.to_owned(), on_base: said.clone() };
        let tests = own.into_iter().take(MOST_TESTS).map(test).collect();
        self.shown(subject, RedToGreen { tests, for_a_reason }, parts).await
    }

    /// Whether some code of the change is none of its tests, or all of it holds tests that ran.
    fn is_divided(&self, subject: &Subject<'_>, tests: &Patch, map: &TestMap) -> bool {
        let rest = self.patch.changes.keys().filter(|path| !map.holds(path.as_str()));
        let has_code = rest.clone().any(|path| is_code(path.as_str()));
        let inline = rest.clone().any(|path| tests.changes.contains_key(path));
        let holds = |(path, change): (&RepoPath, &Change)| {
            subject.with.iter().any(|(id, _)| is_in_file(id, path.as_str()))
                || declares_tests(path.as_str(), change)
        };
        let code = tests.changes.iter().filter(|(path, _)| is_code(path.as_str()));
        has_code || inline || code.clone().all(holds)
    }

    /// What was red on the base and is not any more, where nothing but tests changed.
    fn mended_by_tests(&self, subject: &Subject<'_>, tests: &Patch) -> Option<Vec<String>> {
        if tests != self.patch {
            return None;
        }
        let red = subject.before.as_ref()?.in_state(TestState::Failed);
        let mended =
            red.filter(|id| subject.with.get(id).is_none_or(|it| it.state != TestState::Failed));
        let mended: Vec<String> = mended.take(MOST_TESTS).map(str::to_owned).collect();
        (!mended.is_empty()).then_some(mended)
    }

    /// Tests of `with` that fail where only the tests of the change are, or are not there at all.
    /// Where the run exits with 0 none does, whatever it says of them.
    fn red_to_green(&self, subject: &Subject<'_>, run: &Finding) -> Option<RedToGreen> {
        if run.outcome == CheckOutcome::Passed {
            return None;
        }
        let failed = match run.outcome {
            CheckOutcome::Failed(_) => self.failed_on_base(subject, run.results.as_ref()),
            _ => None,
        };
        failed.or_else(|| {
            let tests = self.not_loaded(subject, run.results.as_ref(), &run.outcome);
            // Without any results it is the end of the whole run that the issue may speak of.
            let for_a_reason = run.results.is_none()
                && tests.first().is_some_and(|test| is_named_end(&test.on_base, self.issue));
            (!tests.is_empty()).then_some(RedToGreen { tests, for_a_reason })
        })
    }

    /// Tests of `with` that have failed in a red run without the change, or its fix.
    fn failed_on_base(
        &self,
        subject: &Subject<'_>,
        on_base: Option<&TestResults>,
    ) -> Option<RedToGreen> {
        let failed = subject.with.in_state(TestState::Passed).filter_map(|id| {
            let failure = on_base?.get(id)?.failure.as_ref()?;
            let test = ProvenTest { id: id.to_owned(), on_base: failure.message.clone() };
            Some((failure.cause.is_of_the_test(self.issue), test))
        });
        let mut failed: Vec<(bool, ProvenTest)> = failed.collect();
        // What says more comes first.
        failed.sort_by_key(|it| !it.0);
        let for_a_reason = failed.first()?.0;
        let tests = failed.into_iter().map(|it| it.1).take(MOST_TESTS).collect();
        Some(RedToGreen { tests, for_a_reason })
    }

    /// Tests that are only there with the change, where the run without it could not load them.
    fn not_loaded(
        &self,
        subject: &Subject<'_>,
        on_base: Option<&TestResults>,
        outcome: &CheckOutcome,
    ) -> Vec<ProvenTest> {
        let told = on_base.and_then(|results| {
            let failed = results.iter().filter_map(|(_, it)| it.failure.as_ref());
            failed.filter(|it| it.cause == FailureCause::NotLoaded).map(|it| &it.message).next()
        });
        // Without any results it was the whole run that could not be loaded.
        if told.is_none() && on_base.is_some() {
            return Vec::new();
        }
        let error = told.map_or_else(
            || ended_with(outcome),
            |told| told.lines().next().unwrap_or_default().to_owned(),
        );
        let is_new = |id: &&str| {
            let gone = on_base.is_none_or(|results| results.get(id).is_none());
            let new = subject.before.as_ref().is_none_or(|before| before.get(id).is_none());
            gone && (new || on_base.is_some())
        };
        let mut new: Vec<&str> = subject.with.in_state(TestState::Passed).filter(is_new).collect();
        if new.is_empty() {
            // None of them is new: those of the changed files are meant.
            let changed = |id: &&str| stands_in(id, self.patch);
            new = subject.with.in_state(TestState::Passed).filter(changed).collect();
        }
        let test = |id: &str| ProvenTest { id: id.to_owned(), on_base: error.clone() };
        new.into_iter().take(MOST_TESTS).map(test).collect()
    }

    /// Runs them again with the change, and without parts of it.
    async fn shown(
        &self,
        subject: &Subject<'_>,
        found: RedToGreen,
        all: &[ChangePart],
    ) -> Result<Proof, VerifyError> {
        if self.depth == ProofDepth::OnBase {
            let outcome = match (found.for_a_reason, found.tests.first()) {
                (false, Some(test)) => ProofOutcome::OnlyMissing(test.on_base.clone()),
                _ => ProofOutcome::Proven,
            };
            return Ok(Proof { tests: found.tests, ..Proof::of(outcome) });
        }
        let started = Instant::now();
        let ids: Vec<String> = found.tests.iter().map(|test| test.id.clone()).collect();
        let share = if all.len() > 1 { subject.time / 2 } else { subject.time };
        let (repeats, unstable) = self.repeats(subject, &ids, share).await?;
        let mut proof =
            Proof { tests: found.tests.clone(), repeats, ..Proof::of(ProofOutcome::Proven) };
        if let Some(test) = unstable {
            proof.outcome = ProofOutcome::Unstable { test, runs: repeats + 1 };
            return Ok(proof);
        }
        proof.parts_left = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let mut assertion = None;
        for part in all.iter().take(MOST_PARTS) {
            let one = all.len() == 1 && found.for_a_reason;
            if !one && started.elapsed() >= subject.time {
                break;
            }
            // Without its only part there is nothing left of it but the tests: that was run.
            let without = match one {
                true => WithoutPart::Red,
                false => {
                    let (without, message) =
                        self.without(subject, (&ids, found.for_a_reason), part).await?;
                    assertion = assertion.or(message);
                    without
                }
            };
            proof.parts_left -= 1;
            let ChangePart { path, line, added, removed, .. } = part;
            let (path, line) = (path.to_string(), *line);
            let (added, removed) = (*added, *removed);
            proof.parts.push(TakenBack { path, line, added, removed, without });
        }
        let red_again = proof.parts.iter().any(|part| part.without == WithoutPart::Red);
        if !found.for_a_reason && !red_again {
            let told = proof.tests.first().map_or(String::new(), |test| test.on_base.clone());
            proof.outcome = ProofOutcome::OnlyMissing(told);
        } else if !found.for_a_reason
            && let Some((id, message)) = assertion
            && let Some(test) = proof.tests.iter_mut().find(|test| test.id == id)
        {
            test.on_base = format!("{}; without a part of the change: {message}", test.on_base);
        }
        Ok(proof)
    }

    /// How often they passed once more, and one that did not.
    async fn repeats(
        &self,
        subject: &Subject<'_>,
        ids: &[String],
        time: Duration,
    ) -> Result<(u32, Option<String>), VerifyError> {
        if let Some(id) = ids.iter().find(|id| subject.with.is_retried(id)) {
            return Ok((0, Some(id.clone())));
        }
        let narrow = |alternate| select::only(subject.line, ids, alternate);
        let (runs, is_narrow) = match (narrow(false), narrow(true)) {
            (Some(one), Some(other)) => (vec![one, other], true),
            _ => (vec![subject.line.to_owned()], false),
        };
        let not_passed = |found: &Finding| {
            // With others beside them it may be those that are red.
            let exits_well = found.outcome == CheckOutcome::Passed || !is_narrow;
            let results = found.results.as_ref().filter(|_| exits_well);
            let passes = |id: &String| {
                results.is_some_and(|all| {
                    all.get(id).is_some_and(|it| it.state == TestState::Passed)
                        && !all.is_retried(id)
                })
            };
            ids.iter().find(|id| !passes(id)).cloned()
        };
        let fine = |found: &Finding| not_passed(found).is_none();
        let limits = (REPEATS, time);
        let rerun = self.rerun_of(subject);
        let (ran, red) = rerun.repeatedly(&runs, subject.line, self.patch, limits, fine).await?;
        Ok((ran, red.and_then(|found| not_passed(&found))))
    }

    /// What they come to without one part, and what one of them then says.
    async fn without(
        &self,
        subject: &Subject<'_>,
        (ids, for_a_reason): (&[String], bool),
        part: &ChangePart,
    ) -> Result<(WithoutPart, Option<(String, String)>), VerifyError> {
        let run = select::only(subject.line, ids, false);
        let run = run.unwrap_or_else(|| subject.line.to_owned());
        let found = self.rerun_of(subject).once(&run, subject.line, &part.without).await?;
        let results = found.results.as_ref();
        let is_red = matches!(found.outcome, CheckOutcome::Failed(_));
        let red = ids.iter().filter(|_| is_red).find_map(|id| {
            let failure = results?.get(id)?.failure.as_ref()?;
            let strong = match for_a_reason {
                true => failure.cause.is_of_the_test(self.issue),
                false => says_more_than_missing(&failure.cause),
            };
            strong.then(|| (id.clone(), failure.message.clone()))
        });
        let all_pass = ids.iter().all(|id| {
            let result = results.and_then(|results| results.get(id));
            result.is_some_and(|it| it.state == TestState::Passed)
        });
        let without = match red {
            Some(_) => WithoutPart::Red,
            None if all_pass => WithoutPart::Green,
            None => WithoutPart::DoesNotBuild,
        };
        Ok((without, red))
    }

    fn rerun_of(&self, subject: &Subject<'_>) -> Rerun<'_> {
        let time = subject.time * LONGEST_RUN;
        Rerun { by_arguments: subject.by_arguments, time, ..self.rerun() }
    }

    fn rerun(&self) -> Rerun<'_> {
        let (checker, means, stop) = (self.checker, self.means, self.stop);
        Rerun { checker, means, log: LOG, by_arguments: false, time: means.time, stop }
    }
}

/// All of the change's own tests pass on the base.
fn green_on_base(tests: usize) -> Proof {
    let green_tests = u32::try_from(tests).unwrap_or(u32::MAX);
    Proof { green_tests, ..Proof::of(ProofOutcome::GreenOnBase) }
}
