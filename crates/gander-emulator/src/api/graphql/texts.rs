//! What people write: comments, reviews and comments of reviews, with who changed them last.

use serde_json::json;

use super::{Object, Resolved};
use crate::shapes::reviews::line_now;
use crate::shapes::{moment, optional_moment, repository_page};
use crate::state::{Comment, LastEdit, Repository, Review, ReviewComment, State};

/// The account that wrote something; `null` when it is gone.
pub(super) fn author(state: &State, account: Option<u64>) -> Resolved {
    let known = account.filter(|id| state.accounts.contains_key(id));
    Resolved::One(known.map(Object::Account))
}

/// What every text that somebody wrote has.
struct Text<'t> {
    id: u64,
    author: Option<u64>,
    body: &'t str,
    created_at: i64,
    updated_at: i64,
    last_edit: Option<LastEdit>,
    url: String,
}

impl Text<'_> {
    fn field(&self, state: &State, name: &str) -> Option<Resolved> {
        Some(Resolved::Value(match name {
            "databaseId" => json!(self.id),
            "fullDatabaseId" => json!(self.id.to_string()),
            "body" => json!(self.body),
            "url" => json!(self.url),
            "createdAt" => json!(moment(self.created_at)),
            "updatedAt" => json!(moment(self.updated_at)),
            "lastEditedAt" => optional_moment(self.last_edit.map(|edit| edit.at)),
            "includesCreatedEdit" => json!(self.last_edit.is_some()),
            "author" => return Some(author(state, self.author)),
            "editor" => return Some(author(state, self.last_edit.and_then(|edit| edit.editor))),
            _ => return None,
        }))
    }
}

pub(super) fn issue_comment(
    state: &State,
    known: &Repository,
    comment: &Comment,
    name: &str,
) -> Option<Resolved> {
    let page = format!("/issues/{}#issuecomment-{}", comment.issue, comment.id);
    let text = Text {
        id: comment.id,
        author: comment.author,
        body: &comment.body,
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        last_edit: comment.last_edit,
        url: repository_page(state, known.id, &page),
    };
    text.field(state, name)
}

pub(super) fn of_review(
    state: &State,
    known: &Repository,
    review: &Review,
    name: &str,
) -> Option<Resolved> {
    let page = format!("/pull/{}#pullrequestreview-{}", review.pull, review.id);
    let text = Text {
        id: review.id,
        author: Some(review.author),
        body: &review.body,
        created_at: review.submitted_at,
        updated_at: review.last_edit.map_or(review.submitted_at, |edit| edit.at),
        last_edit: review.last_edit,
        url: repository_page(state, known.id, &page),
    };
    Some(match name {
        "state" => Resolved::Value(json!(review.state)),
        "submittedAt" => Resolved::Value(json!(moment(review.submitted_at))),
        "commit" => Resolved::One(Some(Object::Commit(review.commit.clone()))),
        "pullRequest" => Resolved::One(Some(Object::Pull(known.id, review.pull))),
        _ => return text.field(state, name),
    })
}

pub(super) fn review_comment(
    state: &State,
    known: &Repository,
    comment: &ReviewComment,
    name: &str,
) -> Option<Resolved> {
    let page = format!("/pull/{}#discussion_r{}", comment.pull, comment.id);
    let text = Text {
        id: comment.id,
        author: comment.author,
        body: &comment.body,
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        last_edit: comment.last_edit,
        url: repository_page(state, known.id, &page),
    };
    Some(match name {
        "path" => Resolved::Value(json!(comment.spot.path)),
        "line" => Resolved::Value(json!(line_now(known, comment))),
        "originalLine" => Resolved::Value(json!(comment.spot.line)),
        "outdated" => Resolved::Value(json!(line_now(known, comment).is_none())),
        "diffHunk" => Resolved::Value(json!(comment.diff_hunk)),
        "pullRequestReview" => Resolved::One(Some(Object::Review(known.id, comment.review))),
        "replyTo" => {
            let first = comment.in_reply_to.map(|id| Object::ReviewComment(known.id, id));
            Resolved::One(first)
        }
        "originalCommit" => Resolved::One(Some(Object::Commit(comment.commit.clone()))),
        _ => return text.field(state, name),
    })
}
