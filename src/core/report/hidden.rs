//! What the model did not get to read.
//!
//! Invariants: it is worked out from the words themselves, as the prompt does.

use crate::core::hidden::{Removed, WrittenBy, seen};
use crate::core::job::{Job, Kind};

/// What people do not see of their own words, and the model did not get to read either.
pub(super) fn hidden_from_the_model(job: &Job) -> Option<String> {
    let unread = job.proposal().is_none() || job.is_as_git_made_it();
    if job.order.kind == Kind::Revert && unread {
        return None;
    }
    let round = job.review.round.as_ref().filter(|_| job.stage.round() > Some(1));
    let texts = [
        Some(job.order.issue.title.as_str()),
        Some(job.order.issue.body.as_str()),
        Some(job.order.request.as_str()),
        job.rules().map(|rules| rules.agent.instructions.as_str()),
        round.map(|round| round.task.as_str()),
    ];
    let guides = job.conventions().guides.whole.iter().map(|guide| guide.text.as_str());
    let texts = texts.into_iter().flatten();
    let removed: Removed = texts.map(|text| seen(text, WrittenBy::People).1).sum();
    // Comments are usual in those, and their text is read as people see it.
    let of_guides = guides.map(|text| {
        let removed = seen(text, WrittenBy::People).1;
        Removed { comments: 0, definitions: 0, ..removed }
    });
    let removed = [removed].into_iter().chain(of_guides).sum::<Removed>();
    let words = removed.words()?;
    Some(format!("Left out of what the model reads, as people do not see it either: {words}."))
}
