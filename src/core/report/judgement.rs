//! Words about what a model thinks of a change.
//!
//! Invariants: it is called an opinion, with what earlier ones came to beside it; the model's words
//! are quoted, and inert.

use std::fmt::Write as _;

use crate::core::job::Job;
use crate::core::judgement::{Concern, JudgeRecord, Judgement, Opinion, PastPulls, SecondOpinion};
use crate::core::text::{boxed, first_of, inline, listed};

/// Characters of its summary that are shown.
const SUMMARY_CAP: usize = 1500;
/// Characters of a concern's file that are shown, and of its words.
const PATH_CAP: usize = 200;
const CONCERN_CAP: usize = 400;

/// Files that are named which it was not shown.
const MOST_UNSEEN: usize = 5;

/// The flags of its change, those first that a second opinion would look at first.
pub(super) fn flags_of(job: &Job) -> Vec<String> {
    let flags = job.proposal().map_or(&[][..], |proposal| &proposal.flags);
    let opinion = job.change.as_ref().and_then(|change| change.opinion.as_ref()?.given());
    opinion.map_or_else(|| flags.to_vec(), |judgement| judgement.sorted(flags))
}

/// The section of a pull request. Empty where nobody was asked.
pub(super) fn opinion_section(job: &Job) -> String {
    let judgement = match job.change.as_ref().and_then(|change| change.opinion.as_ref()) {
        None => return String::new(),
        Some(SecondOpinion::Missing(why)) => {
            return format!("### Second opinion\nThere is none: {}.\n\n", inline(why, CONCERN_CAP));
        }
        Some(SecondOpinion::Given(judgement)) => judgement,
    };
    let mut text = format!(
        "### Second opinion\nOf `{}`, which saw the request, the change and what was run, and \
         nothing that its author says. It decides nothing. {}\n\n",
        judgement.model.replace('`', ""),
        opinion_words(judgement)
    );
    let _ = write!(text, "{}\n\n", boxed(&judgement.summary, SUMMARY_CAP));
    for Concern { path, line, what } in &judgement.concerns {
        let place = if *line > 0 { format!(" line {line}") } else { String::new() };
        let (path, what) = (inline(path, PATH_CAP), inline(what, CONCERN_CAP));
        let _ = writeln!(text, "- {path}{place}: {what}");
    }
    for line in left_words(judgement) {
        let _ = writeln!(text, "- {}", inline(&line, CONCERN_CAP));
    }
    if text.ends_with("\n") && !text.ends_with("\n\n") {
        text.push('\n');
    }
    let _ = write!(text, "<sub>{}</sub>\n\n", record_words(&judgement.record));
    text
}

/// What of it, and of the change, is left out.
pub fn left_words(judgement: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    if judgement.concerns_left > 0 {
        let n = judgement.concerns_left;
        lines.push(format!("{n} not shown: too many, or about no file of the change"));
    }
    if !judgement.unseen.is_empty() {
        let names = listed(first_of(&judgement.unseen, MOST_UNSEEN));
        lines.push(format!("It was not shown all of {names}: the change is too long"));
    }
    lines
}

/// What it comes to, as a sentence.
pub fn opinion_words(judgement: &Judgement) -> &'static str {
    match (judgement.opinion, judgement.concerns.is_empty()) {
        (Opinion::Yes, true) => "It thinks that the change does what was asked for.",
        (Opinion::Yes, false) => {
            "It thinks that the change does what was asked for, and would look at this:"
        }
        (Opinion::No, _) => "**It thinks that the change does not do what was asked for:**",
        (Opinion::Unclear, true) => {
            "It cannot tell from that whether the change does what was asked for."
        }
        (Opinion::Unclear, false) => {
            "It cannot tell whether the change does what was asked for, and would look at this:"
        }
    }
}

/// How often such warnings came true here.
fn record_words(record: &JudgeRecord) -> String {
    let JudgeRecord { warned, not_warned } = record;
    if warned.over == 0 {
        return "No pull request of this repository with such a warning is over yet, so nothing is \
                known of what warnings are worth here."
            .to_owned();
    }
    let without = match not_warned.over {
        0 => String::new(),
        _ => format!(" Without a warning: {}.", share(*not_warned)),
    };
    format!(
        "Of the pull requests of this repository with such a warning, {} changed before they were \
         merged, or were not merged.{without}",
        share(*warned)
    )
}

/// `3 of 4 (75 %)`
fn share(past: PastPulls) -> String {
    let PastPulls { over, otherwise } = past;
    format!("{otherwise} of {over} ({} %)", otherwise * 100 / over.max(1))
}
