//! What a pull request changes, round by round, in the words of whoever made it.
//!
//! Invariants: the words of a model stand in a box and are called so; where no model was asked, that
//! is said.

use std::fmt::Write as _;

use crate::core::job::Job;
use crate::core::text::boxed;

/// Of rounds before the present one so many are told in the text of a pull request.
const MOST_ROUNDS: usize = 5;

/// The section, if there is a change.
pub(super) fn changed_section(job: &Job) -> String {
    let mut text = String::new();
    let Some(proposal) = job.proposal() else { return text };
    text.push_str("### What changed\n");
    let now = job.stage.round().unwrap_or(1);
    let earlier = job.review.pushed.iter().filter(|it| it.round < now);
    let earlier: Vec<_> = earlier.map(|it| (it.round, it.size, &*it.summary)).collect();
    let rounds = earlier.iter().copied().chain([(now, proposal.size, &*proposal.summary)]);
    if let Some(more) = earlier.len().checked_sub(MOST_ROUNDS).filter(|more| *more > 0) {
        let s = if more == 1 { "" } else { "s" };
        let _ = write!(text, "{more} round{s} before these.\n\n");
    }
    let told = rounds.skip(earlier.len().saturating_sub(MOST_ROUNDS));
    for (round, (files, added, removed), summary) in told {
        if !earlier.is_empty() {
            let _ = write!(text, "**Round {round}**: ");
        }
        let s = if files == 1 { "" } else { "s" };
        let _ = write!(text, "{files} file{s}, +{added} −{removed}. ");
        match summary.is_empty() {
            true => text.push_str(&unasked(job, round)),
            false => {
                let _ = write!(text, "In the model's words:\n\n{}\n\n", boxed(summary, 4000));
            }
        }
    }
    text
}

/// What was done without a model.
fn unasked(job: &Job, round: u32) -> String {
    let Some(reverted) = job.reverts().filter(|_| round == 1) else {
        return "The base is merged in, and no model was asked.\n\n".to_owned();
    };
    let mut text = format!(
        "What #{} brought is taken back as git does it (it was merged as `{}`), and no model wrote \
         any of it.\n\n",
        job.subject,
        reverted.commit.short()
    );
    if !job.order.request.is_empty() {
        let words = boxed(&job.order.request, 2000);
        let _ = write!(text, "Why, in the words of whoever asked:\n\n{words}\n\n");
    }
    text
}
