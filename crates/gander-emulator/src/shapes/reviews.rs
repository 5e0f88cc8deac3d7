//! Reviews, their comments and threads as JSON.

use serde_json::{Value, json};

use super::issues::{association, link, rollup};
use super::{moment, node_id, repository_page, repository_url, user};
use crate::state::{Repository, Review, ReviewComment, Side, State, Target};

pub(crate) fn review(state: &State, repository: &Repository, review: &Review) -> Value {
    let id = repository.id;
    let anchor = format!("/pull/{}#pullrequestreview-{}", review.pull, review.id);
    let page = repository_page(state, id, &anchor);
    let pull = repository_url(state, id, &format!("/pulls/{}", review.pull));
    json!({
        "id": review.id,
        "node_id": node_id("PullRequestReview", review.id),
        "user": user(state, Some(review.author)),
        "body": review.body,
        "state": review.state,
        "html_url": page,
        "pull_request_url": pull,
        "_links": { "html": link(&page), "pull_request": link(&pull) },
        "submitted_at": moment(review.submitted_at),
        "commit_id": review.commit,
        "author_association": association(state, repository, Some(review.author)),
    })
}

/// The line that a comment is about, as it is counted at the head; `None` once that line changed.
pub(crate) fn line_now(repository: &Repository, comment: &ReviewComment) -> Option<u64> {
    line_at_head(repository, comment, comment.spot.line)
}

/// The first line of several that a comment is about, as it is counted at the head.
pub(crate) fn start_line_now(repository: &Repository, comment: &ReviewComment) -> Option<u64> {
    line_at_head(repository, comment, comment.spot.start_line?)
}

fn line_at_head(repository: &Repository, comment: &ReviewComment, line: u64) -> Option<u64> {
    let pull = repository.issues.get(&comment.pull)?.pull.as_ref()?;
    if pull.head_sha == comment.commit || comment.spot.side == Side::Left {
        return Some(line);
    }
    let commits = (comment.commit.as_str(), pull.head_sha.as_str());
    repository.git.follow_line(commits, &comment.spot.path, line)
}

pub(crate) fn comment(state: &State, repository: &Repository, comment: &ReviewComment) -> Value {
    let (id, spot) = (repository.id, &comment.spot);
    let url = repository_url(state, id, &format!("/pulls/comments/{}", comment.id));
    let pull = repository_url(state, id, &format!("/pulls/{}", comment.pull));
    let anchor = format!("/pull/{}#discussion_r{}", comment.pull, comment.id);
    let page = repository_page(state, id, &anchor);
    let line = line_now(repository, comment);
    let start_line = line.and_then(|_| start_line_now(repository, comment));
    let head = repository.issues.get(&comment.pull).and_then(|issue| issue.pull.as_ref());
    let head = head.filter(|_| line.is_some()).map_or(&comment.commit, |pull| &pull.head_sha);
    let mut shape = json!({
        "url": url,
        "pull_request_review_id": comment.review,
        "id": comment.id,
        "node_id": node_id("PullRequestReviewComment", comment.id),
        "diff_hunk": comment.diff_hunk,
        "path": spot.path,
        "position": line.map(|_| comment.position),
        "original_position": comment.position,
        "commit_id": head,
        "original_commit_id": comment.commit,
        "user": user(state, comment.author),
        "body": comment.body,
        "created_at": moment(comment.created_at),
        "updated_at": moment(comment.updated_at),
        "html_url": page,
        "pull_request_url": pull,
        "author_association": association(state, repository, comment.author),
        "_links": {
            "self": link(&url),
            "html": link(&page),
            "pull_request": link(&pull),
        },
        "reactions": rollup(repository, Target::ReviewComment(comment.id), &url),
        "line": line,
        "original_line": spot.line,
        "start_line": start_line,
        "original_start_line": spot.start_line,
        "side": spot.side.as_str(),
        "start_side": spot.start_line.map(|_| spot.side.as_str()),
        "subject_type": "line",
    });
    if let Some(first) = comment.in_reply_to {
        shape["in_reply_to_id"] = json!(first);
    }
    shape
}

/// The comments of a thread, oldest first.
pub(crate) fn in_thread(repository: &Repository, root: u64) -> Vec<&ReviewComment> {
    repository.review_comments.values().filter(|comment| comment.root() == root).collect()
}

/// A thread as webhooks show it.
pub(crate) fn thread(state: &State, repository: &Repository, root: u64) -> Value {
    let comments = in_thread(repository, root);
    let comments: Vec<_> = comments.iter().map(|one| comment(state, repository, one)).collect();
    json!({ "node_id": node_id("PullRequestReviewThread", root), "comments": comments })
}
