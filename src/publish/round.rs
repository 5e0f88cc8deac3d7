//! The answers of a review round, in the threads it was about.
//!
//! Invariants: a thread is resolved only when the model says it is settled *and* the pushed,
//! verified change touches its file; every answer is looked for before it is written.

use std::collections::BTreeSet;

use crate::core::job::{Job, Round, RoundOutcome, ThreadAnswer};
use crate::core::report;
use crate::forge::payload::ReviewComment;
use crate::forge::{Forge, ForgeError};

/// Answers each thread, resolves what is settled, and asks the reviewers again. `changed`: the
/// paths that the pushed change touches.
pub async fn answer(
    forge: &Forge,
    job: &Job,
    round: &Round,
    number: u32,
    changed: &BTreeSet<String>,
) -> Result<(), ForgeError> {
    let (Some(outcome), Some(pull)) = (&round.outcome, &job.pull) else { return Ok(()) };
    let pushed = matches!(outcome, RoundOutcome::Pushed { .. });
    let (comments, standing) = tokio::try_join!(
        forge.review_comments(&job.repo, pull.number),
        forge.threads(&job.repo, pull.number)
    )?;
    let is_open = |id: &str| standing.iter().any(|it| it.id == id && !it.is_resolved);
    for (i, thread) in round.threads.iter().enumerate() {
        let answer = answer_to(job, i + 1);
        let settled =
            pushed && answer.is_some_and(|answer| answer.fixed) && changed.contains(&thread.path);
        let marker = report::marker(job.id.as_str(), &format!("thread-{number}-{}", i + 1));
        let there = |it: &ReviewComment| {
            it.thread() == thread.comment
                && it.user.as_ref().is_some_and(|user| user.kind == "Bot")
                && it.body.as_deref().is_some_and(|body| body.trim_end().ends_with(&marker))
        };
        if !comments.iter().any(there) {
            let words = report::thread_reply(answer, outcome, settled);
            let text = report::signed(&words, &marker);
            let said = forge.reply_in_thread(&job.repo, pull.number, thread.comment, &text).await;
            // The comment may have been deleted meanwhile: its thread is gone with it.
            if let Err(error) = said
                && error.status() != Some(404)
            {
                return Err(error);
            }
        }
        if settled && is_open(&thread.id) {
            forge.resolve_thread(&job.repo, &thread.id).await?;
        }
    }
    if pushed && !round.reviewers.is_empty() {
        let logins: Vec<String> =
            round.reviewers.iter().map(|login| login.as_str().to_owned()).collect();
        forge.request_review(&job.repo, pull.number, &logins).await?;
    }
    Ok(())
}

fn answer_to(job: &Job, thread: usize) -> Option<&ThreadAnswer> {
    let answers = &job.proposal()?.answers;
    answers.iter().find(|answer| usize::try_from(answer.thread) == Ok(thread))
}
