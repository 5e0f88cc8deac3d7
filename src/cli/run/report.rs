//! How a local run ended, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::cli::{HELD, INCONCLUSIVE, NO_CHANGE, NOT_REPRODUCIBLE, NOTHING_RAN};
use crate::core::budget::Money;
use crate::core::evidence::{Check, CheckOutcome, Evidence, GreenOutcome, TestsRun};
use crate::core::hidden::for_terminal;
use crate::core::id::Sha;
use crate::core::job::{Job, JobEnding, JobStage, Proposal, RuleOverride};
use crate::core::judgement::{Concern, SecondOpinion};
use crate::core::policy::ProofMode;
use crate::core::proof::{Proof, ProofOutcome, TakenBack, WeakTest, WithoutPart};
use crate::core::report::{
    first_flags, left_words, not_reproducible, opinion_words, outcome_words, why_no_test,
    why_not_proven,
};
use crate::core::text::inline;
use crate::worker::LocalEnd;

/// How a run ended.
pub(in crate::cli) struct RunReport {
    pub(super) base: Sha,
    pub(super) attempts: u32,
    pub(super) cost: Money,
    /// Rules that were overridden, each with the reason.
    pub(super) overridden: Vec<RuleOverride>,
    pub(super) end: RunEnd,
}

pub(super) enum RunEnd {
    Verified {
        proposal: Proposal,
        evidence: Box<Evidence>,
        /// What a person has to look at before it goes anywhere.
        held: Vec<String>,
        /// What a model thinks of it.
        opinion: Option<Box<SecondOpinion>>,
    },
    NothingToFix(String),
    NotReproducible(String),
    CannotCheck(String),
    Without(String),
}

/// The verified change, ready for `git apply`.
pub(in crate::cli) const CHANGE: &str = "change.patch";
/// The last change of a run in which none was verified.
pub(in crate::cli) const UNVERIFIED: &str = "unverified.patch";

impl RunReport {
    pub(in crate::cli) fn is_verified(&self) -> bool {
        matches!(self.end, RunEnd::Verified { .. })
    }

    /// In one word, and the exit code that says the same.
    fn outcome(&self) -> (&'static str, u8) {
        match &self.end {
            RunEnd::Verified { held, .. } if !held.is_empty() => ("held", HELD),
            RunEnd::Verified { evidence, .. } => match evidence.outcome() {
                GreenOutcome::Proven => ("proven", 0),
                GreenOutcome::ChecksPassed => ("checks_passed", 0),
                GreenOutcome::NothingRan => ("nothing_ran", NOTHING_RAN),
            },
            RunEnd::NothingToFix(_) => ("nothing_to_fix", NO_CHANGE),
            RunEnd::NotReproducible(_) => ("not_reproducible", NOT_REPRODUCIBLE),
            RunEnd::CannotCheck(_) => ("inconclusive", INCONCLUSIVE),
            RunEnd::Without(_) => ("refused", NO_CHANGE),
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.outcome().1
    }

    pub(in crate::cli) fn of(base: Sha, end: &LocalEnd) -> Self {
        let job = &end.job;
        let how = match (&job.stage, job.proposal(), job.evidence()) {
            (JobStage::Publishing { .. }, Some(proposal), Some(evidence)) => {
                let mode = job.rules().map_or(ProofMode::default(), |rules| rules.proof.mode);
                RunEnd::Verified {
                    proposal: proposal.clone(),
                    evidence: evidence.clone().into(),
                    held: evidence.needs_a_person(mode),
                    opinion: job
                        .change
                        .as_ref()
                        .and_then(|change| Some(change.opinion.clone()?.into())),
                }
            }
            (JobStage::Done(JobEnding::NothingToFix { why }), ..) => {
                RunEnd::NothingToFix(why.clone())
            }
            (JobStage::Done(JobEnding::NotReproducible { commands, asked_again }), ..) => {
                let again = "Write that into the issue, and run it again.";
                let words = not_reproducible(job, (commands, *asked_again), again);
                RunEnd::NotReproducible(plain(&words))
            }
            (JobStage::Done(JobEnding::GaveUp { why } | JobEnding::Failed { why }), ..) => {
                let blocked = job.evidence().map_or(&[][..], |evidence| &evidence.blocked_by);
                let way =
                    |rule: &String| format!("\nIf that is right here: --override '{rule}=WHY'");
                let ways: String = blocked.iter().map(way).collect();
                RunEnd::Without(all_of(why, job) + &ways)
            }
            (JobStage::Done(JobEnding::CannotCheck { why }), ..) => {
                RunEnd::CannotCheck(all_of(why, job))
            }
            (JobStage::Done(JobEnding::OutOfBudget { why }), ..) => RunEnd::Without(why.clone()),
            (stage, ..) => RunEnd::Without(format!("it ended while it was {}", stage.name())),
        };
        let overridden = job.order.overrides.clone();
        Self { base, attempts: end.attempts, cost: job.spent, overridden, end: how }
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
pub(in crate::cli) fn as_text(report: &RunReport, out: &Path) -> String {
    let mut text = String::new();
    let s = if report.attempts == 1 { "" } else { "s" };
    let effort = format!("{} attempt{s}, {}", report.attempts, report.cost);
    match &report.end {
        RunEnd::Verified { proposal, evidence, held, opinion } => {
            let opinion = opinion.as_deref();
            let change = ShownChange { proposal, evidence, held, opinion };
            text.push_str(&verified(report, &effort, &change, out));
        }
        RunEnd::NothingToFix(why) => {
            let _ = writeln!(
                text,
                "Nothing to change ({effort}). In the model's words:\n{}",
                indented(why)
            );
        }
        RunEnd::NotReproducible(why) => {
            let _ =
                writeln!(text, "Not reproducible on {} ({effort}).\n{why}", report.base.short());
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
    for RuleOverride { rule, reason, .. } in &report.overridden {
        let _ = writeln!(text, "Overridden: {rule}, because: {reason}");
    }
    // People print `report.md`, too.
    for_terminal(&text)
}

/// A verified change, as people are shown it.
struct ShownChange<'a> {
    proposal: &'a Proposal,
    evidence: &'a Evidence,
    held: &'a [String],
    opinion: Option<&'a SecondOpinion>,
}

/// A verified change: what was checked, what was shown, what to look at.
fn verified(
    report: &RunReport,
    effort: &str,
    &ShownChange { proposal, evidence, held, opinion }: &ShownChange<'_>,
    out: &Path,
) -> String {
    let mut text = String::new();
    let (files, added, removed) = proposal.size;
    let outcome = match held.is_empty() {
        true => outcome_words(evidence.outcome()),
        false => "Held for a person to look at",
    };
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
    if let Some(proof) = &evidence.proof {
        text.push_str(&shown(proof));
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
    if let Some(why) = &proposal.no_test {
        let _ = writeln!(text, "  no test, in the model's words: {}", plain(&inline(why, 600)));
    }
    for what in held {
        let _ = writeln!(text, "  look before you use it: {what}");
    }
    let under = evidence.proof.iter().flat_map(|proof| &proof.under_base_settings);
    for told in under {
        let _ = writeln!(text, "  with hooks and settings as they were: {told}");
    }
    let flags = proposal.flags.clone();
    let judgement = opinion.and_then(SecondOpinion::given);
    for flag in first_flags(&judgement.map_or(flags, |it| it.sorted(&proposal.flags))) {
        let _ = writeln!(text, "  look closely: {flag}");
    }
    text.push_str(&opinion.map(second_opinion).unwrap_or_default());
    let _ = writeln!(text, "\nIn the model's words:\n{}\n", indented(&proposal.summary));
    let patch = out.join(CHANGE);
    let _ = match held.is_empty() {
        true => writeln!(text, "Apply it with: git apply {}", patch.display()),
        false => writeln!(
            text,
            "Once you have looked at what is named above, apply it with: git apply {}",
            patch.display()
        ),
    };
    text
}

/// What a model thinks of it.
fn second_opinion(opinion: &SecondOpinion) -> String {
    let judgement = match opinion {
        SecondOpinion::Missing(why) => return format!("\nThere is no second opinion: {why}.\n"),
        SecondOpinion::Given(judgement) => judgement,
    };
    let mut text = format!(
        "\nSecond opinion of {}. {}\n{}\n",
        judgement.model,
        opinion_words(judgement).replace('*', ""),
        indented(&judgement.summary)
    );
    for Concern { path, line, what } in &judgement.concerns {
        let place = if *line > 0 { format!("{path}:{line}") } else { path.clone() };
        let what: Vec<&str> = what.split_whitespace().collect();
        let _ = writeln!(text, "  {place}: {}", what.join(" "));
    }
    for line in left_words(judgement) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// For programs.
pub(super) fn as_json(report: &RunReport) -> serde_json::Value {
    let common = json!({
        "outcome": report.outcome().0,
        "base": report.base,
        "attempts": report.attempts,
        "cost": report.cost,
        "overridden": report.overridden,
    });
    let own = match &report.end {
        RunEnd::Verified { proposal, evidence, held, opinion } => json!({
            "result": "verified",
            "held": held,
            "proof": evidence.proof,
            "opinion": opinion,
            "no_test": proposal.no_test,
            "patch": proposal.patch,
            "summary": proposal.summary,
            "flags": proposal.flags,
            "checks": evidence.checks,
            "packages": evidence.packages,
            "tools": evidence.tools,
        }),
        RunEnd::NothingToFix(why) => json!({"result": "nothing_to_fix", "why": why}),
        RunEnd::NotReproducible(why) => json!({"result": "not_reproducible", "why": why}),
        RunEnd::CannotCheck(why) | RunEnd::Without(why) => {
            json!({"result": "no_verified_change", "why": why})
        }
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

/// The tests that fail without the change, and what came out without parts of it.
fn shown(proof: &Proof) -> String {
    let mut text = String::new();
    if let ProofOutcome::NotTried(why) = &proof.outcome {
        let _ = writeln!(text, "  not proven: it was not tried: {why}");
    } else if let Some(why) = why_not_proven(proof) {
        let _ = writeln!(text, "  not proven: {}", plain(&why));
    }
    let runs = proof.repeats + 1;
    for test in &proof.tests {
        let lines = test.on_base.lines().map(str::trim).filter(|line| !line.is_empty());
        let said = lines.take(3).collect::<Vec<_>>().join("; ");
        let _ = writeln!(text, "  {}", test.id);
        let _ = writeln!(text, "    on the base: failed: {said}");
        let _ = writeln!(text, "    with the change: passed, {runs} run{}", plural(runs));
    }
    for WeakTest { id, path, line } in &proof.weak_tests {
        let place = if *line > 0 { format!(" ({path}:{line})") } else { String::new() };
        let _ = writeln!(text, "  weak: {id}{place} passes without the rest of the change, too");
    }
    for TakenBack { path, line, added, removed, without } in &proof.parts {
        let came_out = match without {
            WithoutPart::Red => "a test fails",
            WithoutPart::Green => "all of these tests pass: none of them needs it",
            WithoutPart::DoesNotBuild => {
                "it does not build or load, or fails for no reason of the test's: that shows nothing"
            }
        };
        let _ = writeln!(text, "  without {path} line {line} (+{added} -{removed}): {came_out}");
    }
    if proof.parts_left > 0 {
        let left = proof.parts_left;
        let _ = writeln!(text, "  {left} more part{}: not tried, for the time", plural(left));
    }
    text
}

/// What is worded for Markdown, on a terminal.
fn plain(text: &str) -> String {
    text.replace('\\', "")
}

fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
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
