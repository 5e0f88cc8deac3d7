//! How a local run ended, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::core::budget::Money;
use crate::core::evidence::{Check, CheckOutcome, Evidence, TestsRun};
use crate::core::hidden::for_terminal;
use crate::core::id::Sha;
use crate::core::job::{Job, JobEnding, JobStage, Proposal};
use crate::core::report::{first_flags, outcome_words, why_no_test};
use crate::worker::LocalEnd;

/// How a run ended.
pub(super) struct RunReport {
    pub(super) base: Sha,
    pub(super) attempts: u32,
    pub(super) cost: Money,
    pub(super) end: RunEnd,
}

pub(super) enum RunEnd {
    Verified { proposal: Proposal, evidence: Box<Evidence> },
    NothingToFix(String),
    CannotCheck(String),
    Without(String),
}

/// The verified change, ready for `git apply`.
pub(super) const CHANGE: &str = "change.patch";
/// The last change of a run in which none was verified.
pub(super) const UNVERIFIED: &str = "unverified.patch";

impl RunReport {
    pub(super) fn is_verified(&self) -> bool {
        matches!(self.end, RunEnd::Verified { .. })
    }

    pub(super) fn of(base: Sha, end: &LocalEnd) -> Self {
        let job = &end.job;
        let how = match (&job.stage, job.proposal(), job.evidence()) {
            (JobStage::Publishing { .. }, Some(proposal), Some(evidence)) => {
                RunEnd::Verified { proposal: proposal.clone(), evidence: evidence.clone().into() }
            }
            (JobStage::Done(JobEnding::NothingToFix { why }), ..) => {
                RunEnd::NothingToFix(why.clone())
            }
            (JobStage::Done(JobEnding::GaveUp { why } | JobEnding::Failed { why }), ..) => {
                RunEnd::Without(all_of(why, job))
            }
            (JobStage::Done(JobEnding::CannotCheck { why }), ..) => {
                RunEnd::CannotCheck(all_of(why, job))
            }
            (JobStage::Done(JobEnding::OutOfBudget { why }), ..) => RunEnd::Without(why.clone()),
            (stage, ..) => RunEnd::Without(format!("it ended while it was {}", stage.name())),
        };
        Self { base, attempts: end.attempts, cost: job.spent, end: how }
    }
}

/// Everything that failed, where the job names the first of it.
fn all_of(why: &str, job: &Job) -> String {
    let failures = job.evidence().into_iter().flat_map(Evidence::failures);
    let all: Vec<String> = failures.map(|(name, why)| format!("{name}: {why}")).collect();
    match all.first() {
        Some(first) if first == why => all.join("\n"),
        _ => why.to_owned(),
    }
}

/// In words for people.
pub(super) fn as_text(report: &RunReport, out: &Path) -> String {
    let mut text = String::new();
    let s = if report.attempts == 1 { "" } else { "s" };
    let effort = format!("{} attempt{s}, {}", report.attempts, report.cost);
    match &report.end {
        RunEnd::Verified { proposal, evidence } => {
            let (files, added, removed) = proposal.size;
            let outcome = outcome_words(evidence.tests());
            let _ = writeln!(
                text,
                "{outcome}: {files} file(s), +{added} -{removed} on {} ({effort})\n",
                report.base.short()
            );
            for check in &evidence.checks {
                let millis = check.millis;
                let _ = writeln!(text, "  {} {} ({millis} ms)", mark(check), check.name);
                if let (true, Some(now), Some(before)) =
                    (check.ran_fewer_tests(), check.tests, check.tests_before)
                {
                    let _ = writeln!(text, "    {now} tests ran, {before} without the change");
                }
                if let CheckOutcome::OnlyKnownFailures { red_before, flaky } = &check.outcome {
                    for (tests, why) in [(red_before, "fails without it, too"), (flaky, "flaky")] {
                        for test in tests {
                            let _ = writeln!(text, "    {why}: {test}");
                        }
                    }
                }
            }
            for packages in &evidence.packages {
                let _ = writeln!(text, "  with packages of {packages}");
            }
            for tool in &evidence.tools {
                let _ = writeln!(text, "  with {tool}");
            }
            if let Some(why) = why_no_test(evidence.tests()) {
                let _ = writeln!(text, "  {why}");
            }
            for flag in first_flags(&proposal.flags) {
                let _ = writeln!(text, "  look closely: {flag}");
            }
            let _ = writeln!(text, "\nIn the model's words:\n{}\n", indented(&proposal.summary));
            let _ = writeln!(text, "Apply it with: git apply {}", out.join(CHANGE).display());
        }
        RunEnd::NothingToFix(why) => {
            let _ = writeln!(
                text,
                "Nothing to change ({effort}). In the model's words:\n{}",
                indented(why)
            );
        }
        RunEnd::CannotCheck(why) => {
            let _ = writeln!(
                text,
                "The checks cannot be run here, with or without a change ({}):\n{}",
                report.cost,
                indented(why)
            );
        }
        RunEnd::Without(why) => {
            let _ = writeln!(
                text,
                "No verified change ({effort}). The last attempt ended with:\n{}\n\n\
                 The transcripts and logs are in {}.",
                indented(why),
                out.display()
            );
            let left = out.join(UNVERIFIED);
            if left.exists() {
                let _ = writeln!(text, "What it left, not verified: {}", left.display());
            }
        }
    }
    // People print `report.md`, too.
    for_terminal(&text)
}

/// For programs.
pub(super) fn as_json(report: &RunReport) -> serde_json::Value {
    let common = json!({
        "base": report.base,
        "attempts": report.attempts,
        "cost": report.cost,
    });
    let own = match &report.end {
        RunEnd::Verified { proposal, evidence } => json!({
            "result": "verified",
            "outcome": "checks_passed",
            "patch": proposal.patch,
            "summary": proposal.summary,
            "flags": proposal.flags,
            "checks": evidence.checks,
            "packages": evidence.packages,
            "tools": evidence.tools,
        }),
        RunEnd::NothingToFix(why) => json!({"result": "nothing_to_fix", "why": why}),
        RunEnd::CannotCheck(why) => json!({
            "result": "no_verified_change",
            "outcome": "inconclusive",
            "why": why,
        }),
        RunEnd::Without(why) => json!({"result": "no_verified_change", "why": why}),
    };
    let mut all = own;
    if let (RunEnd::Verified { evidence, .. }, Some(all)) = (&report.end, all.as_object_mut())
        && evidence.tests() != TestsRun::Ran
    {
        all.insert("note".to_owned(), "no test was run".into());
    }
    if let (Some(all), Some(common)) = (all.as_object_mut(), common.as_object()) {
        all.extend(common.clone());
    }
    all
}

fn mark(check: &Check) -> &'static str {
    match check.outcome {
        CheckOutcome::Passed if check.ran_fewer_tests() => {
            "passed, with fewer tests than without it,"
        }
        CheckOutcome::Passed => "passed",
        CheckOutcome::OnlyKnownFailures { .. } => "passed without the tests below:",
        CheckOutcome::NoTestRun => "no test was run",
        CheckOutcome::Failed(_) => "FAILED",
        CheckOutcome::Inconclusive(_) | CheckOutcome::EndedEarly(_) => "inconclusive",
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
