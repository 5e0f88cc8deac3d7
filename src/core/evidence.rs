//! What was checked, and what follows from it.
//!
//! Invariants: a [`VerifiedPatch`] is made only here, by folding evidence, and is never
//! deserialised; after a restart it is folded again from the stored evidence.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::id::Sha;
use super::patch::{Patch, PatchDigest};
use super::policy::ProofMode;
use super::proof::Proof;
use super::test_results::TestResults;
use super::text::first_of;

/// One verifier's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The verifier, in people's words: `patch rules`, or the command line that ran.
    pub name: String,
    /// Whether it ran code of the project, or only looked at the patch.
    pub kind: CheckKind,
    /// What came out.
    pub outcome: CheckOutcome,
    /// How many tests ran. `None`: that cannot be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<u64>,
    /// How many ran without the change, where that is known and counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests_before: Option<u64>,
    /// The tests that failed, by the runner's own names. `None`: not all of them are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_tests: Option<BTreeSet<String>>,
    /// What each test came to. `None`: that is not known, or it was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<TestResults>,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What waits for a person where the rules ask for proof.
pub const NOT_PROVEN: &str = "it is not proven, and `[proof] mode` asks for that";

impl Check {
    /// A rule's result, which ran nothing.
    pub fn of_rule(name: &str, outcome: CheckOutcome) -> Self {
        Self {
            name: name.to_owned(),
            kind: CheckKind::Rule,
            outcome,
            tests: None,
            tests_before: None,
            failed_tests: None,
            results: None,
            millis: 0,
        }
    }

    /// Whether fewer tests ran than without the change.
    pub fn ran_fewer_tests(&self) -> bool {
        self.tests.zip(self.tests_before).is_some_and(|(now, before)| now < before)
    }
}

/// What a check is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Looked at the patch: necessary, and no test.
    Rule,
    /// Ran the project's own commands.
    Command,
}

/// A check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// Nothing speaks against the change, but no test was run either.
    NoTestRun,
    /// It fails, and passes without these tests, which decide nothing.
    OnlyKnownFailures {
        /// Tests that fail without the change, too.
        red_before: Vec<String>,
        /// Tests that pass at one time and fail at another.
        flaky: Vec<String>,
    },
    /// It does not; the text is the distilled reason.
    Failed(String),
    /// It could not be run or found out; speaks neither for the change nor against it.
    Inconclusive(String),
    /// It exited 0 and its runner never said that it was through, so nothing is known of its
    /// tests: as inconclusive as the former, but it did run.
    EndedEarly(String),
}

impl CheckOutcome {
    /// Whether it speaks neither for the change nor against it.
    pub fn is_inconclusive(&self) -> bool {
        matches!(self, Self::Inconclusive(_) | Self::EndedEarly(_))
    }

    /// Why it did not pass.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed | Self::NoTestRun | Self::OnlyKnownFailures { .. } => None,
            Self::Failed(why) | Self::Inconclusive(why) | Self::EndedEarly(why) => Some(why),
        }
    }
}

/// So many tests are named in a sentence.
const MOST_NAMED: usize = 10;

/// Everything found out about one patch on one base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The commit the patch was applied to.
    pub base: Sha,
    /// The patch, exactly.
    pub patch: PatchDigest,
    /// All results, in the order they were obtained.
    pub checks: Vec<Check>,
    /// What was fetched for the checks, each as `cargo, from Cargo.lock`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// The compilers and interpreters that the commit asked for, each as
    /// `python 3.8.18, as .python-version asks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// What running tests without parts of the change showed. `None`: that was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The rules against cheats that make it red, and that a person can override.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// What of its size a person has to look at, in a few words each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oversize: Vec<String>,
}

/// What the evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it: may be published.
    Green,
    /// At least one check failed: another attempt.
    Red,
    /// Nothing failed, but something that should have been run could not be.
    Unknown,
}

/// Whether the checks ran any test, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestsRun {
    /// At least one command may have run tests: it passed, and did not say that none ran.
    Ran,
    /// There were commands, and all of them say that they ran no test.
    NoneRan,
    /// There was no command.
    NoCommand,
}

/// What green evidence comes to, as people and programs are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GreenOutcome {
    /// A test fails without the change and passes with it, and a part of it is needed for that.
    Proven,
    /// The project's commands ran tests and are green; no test showed the change.
    ChecksPassed,
    /// There was no command, or no test ran.
    NothingRan,
}

/// A patch that may be published. Only [`Evidence::verified`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedPatch {
    base: Sha,
    patch: Patch,
    tests: TestsRun,
    outcome: GreenOutcome,
}

impl VerifiedPatch {
    /// The commit it was verified on.
    pub fn base(&self) -> &Sha {
        &self.base
    }
    /// The patch that was verified.
    pub fn patch(&self) -> &Patch {
        &self.patch
    }
    /// Whether any test was run; if not, the pull request says so.
    pub fn tests(&self) -> TestsRun {
        self.tests
    }
    /// What its evidence comes to.
    pub fn outcome(&self) -> GreenOutcome {
        self.outcome
    }
}

impl Evidence {
    /// Folds all results into a verdict. No evidence at all is not a green one.
    pub fn verdict(&self) -> Verdict {
        if self.checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Failed(_))) {
            return Verdict::Red;
        }
        let doubtful = self.checks.iter().any(|check| check.outcome.is_inconclusive());
        if self.checks.is_empty() || doubtful {
            return Verdict::Unknown;
        }
        Verdict::Green
    }

    /// The patch as a verified one. `None`: the verdict is not green, or speaks of another patch.
    pub fn verified(&self, patch: Patch) -> Option<VerifiedPatch> {
        let holds = self.verdict() == Verdict::Green && patch.digest() == self.patch;
        let (base, tests, outcome) = (self.base.clone(), self.tests(), self.outcome());
        holds.then_some(VerifiedPatch { base, patch, tests, outcome })
    }

    /// What it comes to where it is green.
    pub fn outcome(&self) -> GreenOutcome {
        match self.tests() {
            TestsRun::NoneRan | TestsRun::NoCommand => GreenOutcome::NothingRan,
            TestsRun::Ran if self.proof.as_ref().is_some_and(Proof::is_proven) => {
                GreenOutcome::Proven
            }
            TestsRun::Ran => GreenOutcome::ChecksPassed,
        }
    }

    /// The same evidence, red for what rules found that a person can override. `found`: for the
    /// model and for people, a line each.
    #[must_use]
    pub fn blocked(mut self, name: &str, rules: Vec<String>, found: String) -> Self {
        self.checks.push(Check::of_rule(name, CheckOutcome::Failed(found)));
        self.blocked_by = rules;
        self
    }

    /// What of it a person has to say yes to before the change goes anywhere, each in a few words.
    pub fn needs_a_person(&self, mode: ProofMode) -> Vec<String> {
        let mut all = self.proof.as_ref().map_or_else(Vec::new, Proof::needs_a_person);
        all.extend(self.oversize.iter().cloned());
        if mode == ProofMode::Required && self.outcome() != GreenOutcome::Proven {
            all.push(NOT_PROVEN.to_owned());
        }
        all
    }

    /// The same without the results of single tests, which are many, and in what follows from them.
    #[must_use]
    pub fn without_results(mut self) -> Self {
        self.checks.iter_mut().for_each(|check| check.results = None);
        self
    }

    /// Whether any test was run.
    pub fn tests(&self) -> TestsRun {
        let mut commands = self.checks.iter().filter(|check| check.kind == CheckKind::Command);
        match commands.clone().next() {
            None => TestsRun::NoCommand,
            Some(_) if commands.all(|it| it.outcome == CheckOutcome::NoTestRun) => {
                TestsRun::NoneRan
            }
            Some(_) => TestsRun::Ran,
        }
    }

    /// What failed and why, for the next attempt and for people.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.checks.iter().filter_map(|check| Some((&*check.name, check.outcome.reason()?)))
    }

    /// The same evidence, judged with what the same commands came to on the base, without the
    /// change. Its [`verdict`](Self::verdict) is then the one that counts:
    ///
    /// - A command that came to a result without the change and comes to none with it was broken by
    ///   the change. So was one that ran tests without the change and runs none with it. Both are
    ///   red, with the reason for the next attempt.
    /// - A command that comes to no result without the change either stays inconclusive, and the
    ///   verdict unknown: no other attempt would mend it.
    ///
    /// - A command that passes and runs fewer tests than without the change is red, unless the
    ///   change edits tests that were there: then people are shown both numbers.
    /// - A command that fails in both says so, with the tests that fail in both where they are
    ///   known.
    ///
    /// It only ever makes a verdict red. A command that did not run on the base is left as it is.
    #[must_use]
    pub fn held_against(mut self, base: &[Check], edits_tests: bool) -> Self {
        let commands = self.checks.iter_mut().filter(|check| check.kind == CheckKind::Command);
        for check in commands {
            let before = base.iter().find(|it| it.kind == check.kind && it.name == check.name);
            let Some(before) = before else { continue };
            check.tests_before = before.tests.filter(|tests| *tests > 0);
            let why = match &check.outcome {
                CheckOutcome::Passed if !edits_tests => {
                    lost_tests(check, before).or_else(|| fewer_tests(check))
                }
                CheckOutcome::Failed(why) => {
                    old_failures(before, check).map(|old| format!("{old}\n{why}"))
                }
                with => broken_by_change(&before.outcome, with),
            };
            if let Some(why) = why {
                check.outcome = CheckOutcome::Failed(why);
            }
        }
        self
    }
}

/// Why nothing that follows could be checked, from what the commands came to without any change.
/// `None`: each of them can be run.
pub fn cannot_run(base: &[Check]) -> Option<String> {
    base.iter().find_map(|check| match &check.outcome {
        CheckOutcome::Inconclusive(why) => {
            // A command may have several lines.
            Some(format!("{}: {why}", check.name.replace('\n', "; ")))
        }
        CheckOutcome::Passed
        | CheckOutcome::NoTestRun
        | CheckOutcome::OnlyKnownFailures { .. }
        | CheckOutcome::Failed(_)
        // It did run, and what ends it early may be what the change is to mend.
        | CheckOutcome::EndedEarly(_) => None,
    })
}

/// Which tests of the base a command that passed does not run any more. `None`: it runs all of
/// them, or they are not known.
fn lost_tests(check: &Check, before: &Check) -> Option<String> {
    let (now, before) = (check.results.as_ref()?, before.results.as_ref()?);
    let lost = before.lost_in(now);
    (!lost.is_empty()).then(|| {
        format!(
            "it exits with 0, but these tests run without the change and do not run with it, \
             though the change takes none away: {}. Something ends, skips or hides them",
            first_of(&lost, MOST_NAMED).join(", ")
        )
    })
}

/// Why a command that passed left tests out. `None`: it did not, or that is not known.
fn fewer_tests(check: &Check) -> Option<String> {
    let (now, before) = (check.tests?, check.tests_before?);
    check.ran_fewer_tests().then(|| {
        format!(
            "it exits with 0, but {} of the {before} tests that run without the change do not run \
             with it, though the change takes none away: something ends or skips them",
            before - now
        )
    })
}

/// What is said of a command that fails without the change, too.
fn old_failures(before: &Check, with: &Check) -> Option<String> {
    if !matches!(before.outcome, CheckOutcome::Failed(_)) {
        return None;
    }
    let (Some(old), Some(now)) = (&before.failed_tests, &with.failed_tests) else {
        return Some("This command fails without the change, too.".to_owned());
    };
    let said = |tests: Vec<&String>| first_of(&tests, MOST_NAMED).join(", ");
    let both: Vec<&String> = now.intersection(old).collect();
    let new: Vec<&String> = now.difference(old).collect();
    let both = if both.is_empty() {
        "This command fails without the change, too, but in other tests.".to_owned()
    } else {
        format!("These fail without the change, too: {}.", said(both))
    };
    let new = if new.is_empty() {
        String::new()
    } else {
        format!(" These fail only with it: {}.", said(new))
    };
    Some(format!("{both}{new}"))
}

/// Why the change is at fault for a command that neither passed nor failed with it.
fn broken_by_change(before: &CheckOutcome, with: &CheckOutcome) -> Option<String> {
    match (before, with) {
        (before, _) if before.is_inconclusive() => None,
        (_, CheckOutcome::Inconclusive(why) | CheckOutcome::EndedEarly(why)) => Some(format!(
            "without the change this command comes to a result, and with it to none: {why}"
        )),
        (CheckOutcome::Passed | CheckOutcome::Failed(_), CheckOutcome::NoTestRun) => Some(
            "without the change this command runs tests, and with it none: let the tests run again"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(outcomes: &[(CheckKind, CheckOutcome)]) -> Evidence {
        Evidence {
            base: "a".repeat(40).parse().unwrap(),
            packages: Vec::new(),
            tools: Vec::new(),
            proof: None,
            blocked_by: Vec::new(),
            oversize: Vec::new(),
            patch: PatchDigest::of_bytes([0xbb; 32]),
            checks: outcomes
                .iter()
                .map(|(kind, outcome)| Check {
                    name: "check".to_owned(),
                    kind: *kind,
                    outcome: outcome.clone(),
                    tests: None,
                    tests_before: None,
                    failed_tests: None,
                    results: None,
                    millis: 1,
                })
                .collect(),
        }
    }

    #[test]
    fn one_failure_outweighs_any_number_of_passes() {
        let red = evidence(&[
            (CheckKind::Rule, CheckOutcome::Passed),
            (CheckKind::Command, CheckOutcome::Passed),
            (CheckKind::Command, CheckOutcome::Failed("1 test".into())),
        ]);
        assert_eq!(red.verdict(), Verdict::Red);
    }

    #[test]
    fn silence_and_doubt_are_not_green() {
        assert_eq!(evidence(&[]).verdict(), Verdict::Unknown);
        let doubt = evidence(&[
            (CheckKind::Command, CheckOutcome::Passed),
            (CheckKind::Command, CheckOutcome::Inconclusive("timed out".into())),
        ]);
        assert_eq!(doubt.verdict(), Verdict::Unknown);
    }

    #[test]
    fn a_verified_patch_is_the_patch_that_was_checked_and_says_whether_tests_ran() {
        let patch = Patch::default();
        let on = |patch: &Patch, outcome| Evidence {
            patch: patch.digest(),
            ..evidence(&[(CheckKind::Rule, outcome)])
        };
        let verified = on(&patch, CheckOutcome::Passed).verified(patch.clone()).unwrap();
        assert_eq!((verified.patch(), verified.tests()), (&patch, TestsRun::NoCommand));
        let red = on(&patch, CheckOutcome::Failed("1 test".into()));
        assert_eq!(red.verified(patch.clone()), None, "red");
        let of_another = evidence(&[(CheckKind::Rule, CheckOutcome::Passed)]);
        assert_eq!(of_another.verified(patch), None, "another patch");
    }

    #[test]
    fn a_run_without_a_test_is_green_and_says_so_and_one_that_ended_early_is_not_green() {
        use CheckKind::{Command, Rule};
        let none = (Command, CheckOutcome::NoTestRun);
        let passed = (Command, CheckOutcome::Passed);
        let rule = (Rule, CheckOutcome::Passed);
        let without = evidence(&[rule.clone(), none.clone(), none.clone()]);
        assert_eq!((without.verdict(), without.tests()), (Verdict::Green, TestsRun::NoneRan));
        assert_eq!(evidence(&[rule.clone(), none, passed]).tests(), TestsRun::Ran);
        assert_eq!(evidence(&[rule]).tests(), TestsRun::NoCommand);
        let early = evidence(&[(Command, CheckOutcome::EndedEarly("early".into()))]);
        assert_eq!(early.verdict(), Verdict::Unknown);
        assert_eq!(early.failures().collect::<Vec<_>>(), [("check", "early")]);
    }

    #[test]
    fn what_comes_to_no_result_only_with_the_change_is_the_changes_fault() {
        let (passed, none) = (CheckOutcome::Passed, CheckOutcome::NoTestRun);
        let failed = CheckOutcome::Failed("red".into());
        let doubt = CheckOutcome::Inconclusive("not found".into());
        let early = CheckOutcome::EndedEarly("the run ended early".into());
        let (red, green, unknown) = (Verdict::Red, Verdict::Green, Verdict::Unknown);
        for (base, change, verdict, why) in [
            (&passed, &early, red, "to none: the run ended early"),
            (&passed, &doubt, red, "to none: not found"),
            (&failed, &early, red, "to none: the run ended early"),
            (&none, &early, red, "to none: the run ended early"),
            (&passed, &none, red, "runs tests, and with it none"),
            (&failed, &none, red, "runs tests, and with it none"),
            (&early, &early, unknown, "the run ended early"),
            (&doubt, &early, unknown, "the run ended early"),
            (&early, &doubt, unknown, "not found"),
            (&early, &passed, green, ""),
            (&early, &none, green, ""),
            (&none, &none, green, ""),
            (&none, &passed, green, ""),
            (&passed, &passed, green, ""),
            (&failed, &passed, green, ""),
            (&passed, &failed, red, "red"),
            (&failed, &failed, red, "red"),
            (&doubt, &failed, red, "red"),
        ] {
            let of = |outcome: &CheckOutcome| evidence(&[(CheckKind::Command, outcome.clone())]);
            let held = of(change).held_against(&of(base).checks, false);
            assert_eq!(held.verdict(), verdict, "{base:?}, then {change:?}");
            let said = held.failures().next().map_or("", |(_, why)| why).to_owned();
            assert!(said.ends_with(why) || said.contains(why) && !why.is_empty(), "{said:?}");
            assert_eq!(of(change).held_against(&[], false), of(change), "nothing is known");
        }
        let rule = evidence(&[(CheckKind::Rule, doubt)]);
        let base = evidence(&[(CheckKind::Rule, passed)]);
        assert_eq!(rule.clone().held_against(&base.checks, false), rule, "a rule is no command");
    }

    #[test]
    fn tests_that_vanish_make_a_green_command_red_unless_the_change_is_in_tests() {
        let of = |tests: Option<u64>| {
            let mut one = evidence(&[(CheckKind::Command, CheckOutcome::Passed)]);
            one.checks[0].tests = tests;
            one
        };
        let base = of(Some(3)).checks;
        for (now, verdict) in [
            (Some(3), Verdict::Green),
            (Some(4), Verdict::Green),
            (Some(2), Verdict::Red),
            (Some(0), Verdict::Red),
            (None, Verdict::Green),
        ] {
            assert_eq!(of(now).held_against(&base, false).verdict(), verdict, "{now:?}");
            let in_tests = of(now).held_against(&base, true);
            assert_eq!(in_tests.verdict(), Verdict::Green, "{now:?}");
            assert_eq!(in_tests.checks[0].tests_before, Some(3), "people are shown it");
        }
        assert_eq!(of(Some(0)).held_against(&of(None).checks, false).verdict(), Verdict::Green);
    }

    #[test]
    fn evidence_that_was_stored_before_is_still_read() {
        for (stored, outcome) in [
            (r#""passed""#, CheckOutcome::Passed),
            (r#"{"failed":"x"}"#, CheckOutcome::Failed("x".into())),
            (r#"{"inconclusive":"x"}"#, CheckOutcome::Inconclusive("x".into())),
            (r#""no_test_run""#, CheckOutcome::NoTestRun),
            (r#"{"ended_early":"x"}"#, CheckOutcome::EndedEarly("x".into())),
        ] {
            assert_eq!(serde_json::from_str::<CheckOutcome>(stored).unwrap(), outcome, "{stored}");
            assert_eq!(serde_json::to_string(&outcome).unwrap(), stored);
        }
    }
}
