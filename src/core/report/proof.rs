//! What was shown of a change beyond green checks, in words and in one table.
//!
//! Invariants: *proven* is said where the evidence says so and nowhere else; what was not tried is
//! said; names and messages of tests are others' words, and inert.

use std::fmt::Write as _;

use super::s;
use crate::core::evidence::GreenOutcome;
use crate::core::job::Job;
use crate::core::proof::{Proof, ProofOutcome, TakenBack, WeakTest, WithoutPart};
use crate::core::text::{first_of, inline, listed};

/// Tests that are shown.
const MOST_TESTS: usize = 8;
/// Parts that are named.
const MOST_PARTS: usize = 8;
/// Characters of a test's name, and of what it says.
const LONGEST_NAME: usize = 120;
const LONGEST_REASON: usize = 160;

/// What a green change comes to, in a few words.
pub fn outcome_words(outcome: GreenOutcome) -> &'static str {
    match outcome {
        GreenOutcome::Proven => "Proven",
        GreenOutcome::ChecksPassed => "Checks passed",
        GreenOutcome::NothingRan => "Checks passed, no test was run",
    }
}

/// Why a green change is not called proven. `None`: it is, or nobody asked.
pub fn why_not_proven(proof: &Proof) -> Option<String> {
    let touched = proof.needs_a_person();
    Some(match &proof.outcome {
        ProofOutcome::Proven if touched.is_empty() => return None,
        ProofOutcome::Proven => format!(
            "A test fails without the change and passes with it. That is no proof, for the change \
             touches what decides it: {}.",
            listed(first_of(&touched, MOST_TESTS).iter().map(|it| inline(it, LONGEST_REASON)))
        ),
        ProofOutcome::GreenOnBase => {
            "The tests of the change pass without the rest of it, too, so they do not show that it \
             is needed."
                .to_owned()
        }
        ProofOutcome::OnlyTests(tests) => format!(
            "What failed on the base passes now because the test is another, and without the rest \
             of the change as well ({}).",
            listed(first_of(tests, MOST_TESTS).iter().map(|it| inline(it, LONGEST_NAME)))
        ),
        ProofOutcome::NoTest => "No test fails without the change.".to_owned(),
        ProofOutcome::TestsNotRun => {
            "The change brings tests, and the commands above do not run them, or something ends them \
             before they are through."
                .to_owned()
        }
        ProofOutcome::OnlyMissing(said) => format!(
            "Without the change its tests do not fail for a reason of their own: something is \
             missing, they do not load, or the run ends before them ({}). No part of the change, \
             taken back alone, makes one fail for a reason of its own.",
            inline(first_line(said), LONGEST_REASON)
        ),
        ProofOutcome::Unstable { test, runs } => format!(
            "{} did not pass in each of {runs} runs with the change.",
            inline(test, LONGEST_NAME)
        ),
        ProofOutcome::NotTried(why) => format!("It was not tried: {}.", inline(why, 400)),
    })
}

/// The section of a pull request. Empty where nobody asked for it.
pub(super) fn proof_section(job: &Job) -> String {
    let mut text = String::new();
    let now = job.evidence().and_then(|evidence| evidence.proof.as_ref());
    let earlier = job.review.pushed.iter().rev().find_map(|round| {
        let proof = round.proof.as_ref()?;
        Some((round.round, proof))
    });
    let untried = |proof: &Proof| matches!(proof.outcome, ProofOutcome::NotTried(_));
    let (proof, of_round) = match (now, earlier) {
        // The present round says what it touches, and an earlier one what was shown.
        (Some(now), Some((round, proof))) if untried(now) => (proof, Some(round)),
        (Some(proof), _) => (proof, None),
        (None, Some((round, proof))) => (proof, Some(round)),
        (None, None) => return text,
    };
    match (of_round, proof.is_proven()) {
        (None, true) => text.push_str("### Proof\n"),
        (None, false) => text.push_str("### Not proven\n"),
        (Some(round), _) => {
            let _ = write!(
                text,
                "### Proof of round {round}\nWhat was pushed after it was checked, and not proven \
                 again. "
            );
        }
    }
    if let Some(why) = why_not_proven(proof) {
        let _ = write!(text, "{why}\n\n");
    }
    for told in &proof.under_base_settings {
        let told = inline(told, LONGEST_REASON * 2);
        let _ = write!(text, "With those hooks and settings as they were, {told}.\n\n");
    }
    if !proof.tests.is_empty() {
        text.push_str(&table(proof));
    }
    if let Some(why) = job.proposal().and_then(|proposal| proposal.no_test.as_ref()) {
        let _ =
            write!(text, "Why there is no test, in the model's words: {}\n\n", inline(why, 600));
    }
    text
}

/// Tests in rows: on the base, with the change, without its largest part that matters.
fn table(proof: &Proof) -> String {
    let red = proof.parts.iter().find(|part| part.without == WithoutPart::Red);
    let mut text = String::from(
        "Run by Gander, each time in a fresh copy of the base commit: with the tests of the change \
         only, with all of it, and without a part of it.\n\n",
    );
    let without = red.map_or_else(String::new, |part| format!(" without {} |", named(part)));
    let line = if red.is_some() { "---|" } else { "" };
    let _ =
        writeln!(text, "| test | on the base | with the change |{without}\n|---|---|---|{line}");
    let runs = proof.repeats + 1;
    let passed = if matches!(proof.outcome, ProofOutcome::Unstable { .. }) {
        format!("passed, but not in each of {runs} runs")
    } else {
        format!("passed, {runs} of {runs} run{}", s(runs))
    };
    let again = if red.is_some() { " failed |" } else { "" };
    for test in proof.tests.iter().take(MOST_TESTS) {
        let (id, said) = (code(&test.id), cell(&test.on_base, LONGEST_REASON));
        let _ = writeln!(text, "| {id} | failed: {said} | {passed} |{again}");
    }
    if let Some(more) = proof.tests.len().checked_sub(MOST_TESTS).filter(|more| *more > 0) {
        let _ = writeln!(text, "| and {more} more | | |{}", if red.is_some() { " |" } else { "" });
    }
    text.push('\n');
    for (without, words) in [
        (WithoutPart::Red, "Taken back alone, these make a test fail"),
        (WithoutPart::Green, "Not needed by any of these tests"),
        (
            WithoutPart::DoesNotBuild,
            "Without these it does not build or load, or fails for no reason of the test's own, \
             which shows nothing",
        ),
    ] {
        let all: Vec<String> =
            proof.parts.iter().filter(|part| part.without == without).map(named).collect();
        if !all.is_empty() {
            let _ = write!(text, "{words}: {}.\n\n", first_of(&all, MOST_PARTS).join(", "));
        }
    }
    if !proof.old_tests_named.is_empty() {
        let named: Vec<String> = proof.old_tests_named.iter().map(|it| code(it)).collect();
        let _ = write!(
            text,
            "As they were, these tests pass without the change and fail with it; the issue names \
             them, or what they expect now: {}.\n\n",
            first_of(&named, MOST_TESTS).join(", ")
        );
    }
    if proof.parts_left > 0 {
        let n = proof.parts_left;
        let _ = write!(text, "{n} more part{} of the change: not tried, for the time.\n\n", s(n));
    }
    let weak: Vec<String> = proof.weak_tests.iter().map(weak_test).collect();
    if !weak.is_empty() {
        let _ = write!(
            text,
            "Weak: new tests that pass without the rest of the change as well, and so show nothing \
             of it: {}.\n\n",
            first_of(&weak, MOST_TESTS).join(", ")
        );
    }
    text
}

/// `` `test_x` (`tests/test_a.py` line 12) ``
fn weak_test(WeakTest { id, path, line }: &WeakTest) -> String {
    match line {
        0 => code(id),
        line => format!("{} ({} line {line})", code(id), code(path)),
    }
}

/// `` `src/x.rs` line 12 (+3 −1) ``
fn named(part: &TakenBack) -> String {
    let TakenBack { path, line, added, removed, .. } = part;
    format!("{} line {line} (+{added} −{removed})", code(path))
}

/// A name in a table.
fn code(text: &str) -> String {
    let plain = text.replace(['`', '|', '\n', '\r'], " ");
    let cut = plain.char_indices().nth(LONGEST_NAME).map(|(end, _)| &plain[..end]);
    cut.map_or_else(|| format!("`{plain}`"), |start| format!("`{start}` …"))
}

/// Others' words in a table.
fn cell(text: &str, most: usize) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.take(3).collect::<Vec<_>>().join("; ");
    inline(&said.replace('|', "¦"), most)
}

fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// The answer where the bug could not be shown. `again`: how to try again, as a sentence.
pub fn not_reproducible(job: &Job, (commands, asked_again): (&str, bool), again: &str) -> String {
    let asked = match asked_again {
        true => " The model was asked for a test that fails, and brought none.",
        false => "",
    };
    let commit = job.base().map_or_else(String::new, |base| format!(" `{}`", base.sha.short()));
    let tests = job.evidence().and_then(|evidence| evidence.proof.as_ref());
    let counted = tests.map_or_else(
        || "It passed".to_owned(),
        |proof| match proof.green_tests {
            0 | 1 => "It passed".to_owned(),
            n => format!("All {n} of its tests passed"),
        },
    );
    format!(
        "Gander laid a test for this issue, without any fix, on commit{commit} and ran {} ({}). \
         {counted}, so on this commit the bug does not show.{asked}\n\n\
         It may be fixed already, or depend on something that is not in the issue: the version, \
         the input, the system. What would help: the smallest input that fails, what came out, and \
         what was expected. {again}",
        if commands.contains(", ") { "these commands" } else { "this command" },
        inline(commands, 300),
    )
}
