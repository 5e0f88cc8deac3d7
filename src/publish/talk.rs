//! What is said on issues and pull requests.
//!
//! Invariants: each comment is found again by the marker in its last line, so saying it twice says
//! it once; a job says only so much on one page, by what stands there.

use crate::core::event::FIX_LABEL;
use crate::core::github::RepoRef;
use crate::core::id::{CommentId, Number, Sha};
use crate::core::job::Job;
use crate::core::report;
use crate::forge::payload::{Review, ReviewComment};
use crate::forge::{Forge, ForgeError, LineComment, RerunAnswer};

/// Posts a comment, unless it is there.
pub async fn say_once(
    forge: &Forge,
    repo: &RepoRef,
    number: Number,
    text: &str,
    marker: &str,
) -> Result<(), ForgeError> {
    if forge.find_comment(repo, number, marker).await?.is_none() {
        forge.post_comment(repo, number, text).await?;
    }
    Ok(())
}

/// Opens an issue, unless it is there.
pub async fn open_issue_once(
    forge: &Forge,
    repo: &RepoRef,
    title: &str,
    text: &str,
    marker: &str,
) -> Result<Number, ForgeError> {
    match forge.find_issue(repo, marker).await? {
        Some(there) => Ok(there),
        None => forge.open_issue(repo, title, text).await,
    }
}

/// Answers in the thread of a comment on lines, unless the answer is there. Where the comment is
/// gone, so is whoever would read it.
pub async fn say_once_in_thread(
    forge: &Forge,
    repo: &RepoRef,
    (number, comment): (Number, CommentId),
    text: &str,
    marker: &str,
) -> Result<(), ForgeError> {
    let there = forge.review_comments(repo, number).await?;
    let Some(first) = there.iter().find(|it| it.id == comment).map(ReviewComment::thread) else {
        return Ok(());
    };
    let is_it = |it: &ReviewComment| {
        it.user.as_ref().is_some_and(|user| user.kind == "Bot")
            && it.body.as_deref().is_some_and(|body| body.trim_end().ends_with(marker))
    };
    if there.iter().any(is_it) {
        return Ok(());
    }
    match forge.reply_in_thread(repo, number, first, text).await {
        Err(error) if error.status() == Some(404) => Ok(()),
        said => said,
    }
}

/// Comments on lines of the head as the job knows it, unless that is done. `false`: GitHub does not
/// take them, as when somebody pushed meanwhile.
pub async fn comment_on_lines_once(
    forge: &Forge,
    job: &Job,
    head: &Sha,
    (text, marker): (&str, &str),
    comments: &[LineComment],
) -> Result<bool, ForgeError> {
    let (repo, number) = (&job.repo, job.subject);
    let there = forge.reviews(repo, number).await?;
    let is_it = |review: &Review| {
        review.user.as_ref().is_some_and(|user| user.kind == "Bot")
            && review.body.as_deref().is_some_and(|body| body.trim_end().ends_with(marker))
    };
    if there.iter().any(is_it) {
        return Ok(true);
    }
    match forge.comment_on_lines(repo, number, head, text, comments).await {
        Ok(()) => Ok(true),
        Err(error @ ForgeError::Refused { .. }) => {
            tracing::warn!(repo = %repo.name, %error, "nothing is suggested on lines");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Asks GitHub to run the failed jobs of a run again that was made so often so far.
pub async fn ask_for_another_run(
    forge: &Forge,
    job: &Job,
    run: u64,
    attempt: u32,
) -> Result<RerunAnswer, ForgeError> {
    forge.rerun_failed(&job.repo, run, attempt).await
}

/// Posts a comment of a job, unless it is there, or the job has said enough on this page. Its
/// status comment, which notifies nobody, goes on.
pub async fn say_once_of(
    forge: &Forge,
    job: &Job,
    number: Number,
    text: &str,
    marker: &str,
) -> Result<(), ForgeError> {
    let end = report::end_of_markers(job);
    let said = forge.comments_ending(&job.repo, number, &end).await?;
    let is_it = |body: &str| body.trim_end().ends_with(marker);
    if said.iter().any(|it| it.body.as_deref().is_some_and(is_it)) {
        return Ok(());
    }
    if said.len() >= report::most_comments(job) {
        tracing::warn!(job = %job.id, %number, "it has commented often enough here");
        return Ok(());
    }
    forge.post_comment(&job.repo, number, text).await.map(drop)
}

/// Brings the one comment with this marker up to date.
pub async fn keep_current(
    forge: &Forge,
    repo: &RepoRef,
    number: Number,
    text: &str,
    marker: &str,
) -> Result<(), ForgeError> {
    match forge.find_comment(repo, number, marker).await? {
        Some(comment) if comment.body.as_deref() == Some(text) => Ok(()),
        Some(comment) => forge.edit_comment(repo, comment.id, text).await,
        None => forge.post_comment(repo, number, text).await.map(drop),
    }
}

/// Brings title and text of a pull request up to date: an edit that changes nothing would be told
/// to everybody all the same.
pub async fn keep_text(
    forge: &Forge,
    repo: &RepoRef,
    number: Number,
    title: &str,
    body: &str,
) -> Result<(), ForgeError> {
    let there = forge.pull(repo, number).await?;
    let same = there.is_some_and(|pull| {
        pull.title == title && pull.body.is_some_and(|there| there.trim_end() == body.trim_end())
    });
    if same { Ok(()) } else { forge.edit_pull(repo, number, Some(title), body).await }
}

/// Shows on the comment that asked, or else on the issue, that it was seen.
pub async fn acknowledge(
    forge: &Forge,
    repo: &RepoRef,
    number: Number,
    comment: Option<CommentId>,
) -> Result<(), ForgeError> {
    forge.react(repo, number, comment, "eyes").await
}

/// The same on a comment that stands on lines of a pull request.
pub async fn acknowledge_in_thread(
    forge: &Forge,
    repo: &RepoRef,
    comment: CommentId,
) -> Result<(), ForgeError> {
    forge.react_in_thread(repo, comment).await
}

/// Shows that a job was ordered; a label that ordered it is taken off.
pub async fn acknowledge_order(forge: &Forge, job: &Job) -> Result<(), ForgeError> {
    acknowledge(forge, &job.repo, job.subject, job.order.comment_id).await?;
    if job.order.comment_id.is_none() {
        forge.remove_label(&job.repo, job.subject, FIX_LABEL).await?;
    }
    Ok(())
}
