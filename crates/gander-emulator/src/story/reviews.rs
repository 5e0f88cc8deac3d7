//! What people do with reviews and threads, and with a pull request's ends.

use super::{Actor, Verdict};
use crate::Trouble;
use crate::acts::{self, NewReview, Note};
use crate::state::{Side, Spot};

/// A comment on lines of a file, as the pull request leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineNote<'a> {
    /// The file.
    pub path: &'a str,
    /// The line, counted from 1; the last, when there are several.
    pub line: u64,
    /// The first of several lines.
    pub start_line: Option<u64>,
    /// What it says.
    pub body: &'a str,
}

impl Actor {
    /// Reviews a pull request at its present head, with comments on lines; says the review's
    /// number.
    ///
    /// # Errors
    /// When there is no such pull request, a line is not in its diff, or it is one's own.
    pub fn reviews_lines(
        &self,
        repository: &str,
        number: u64,
        verdict: Verdict,
        body: &str,
        notes: &[LineNote<'_>],
    ) -> Result<u64, Trouble> {
        let notes = notes.iter().map(|note| Note {
            spot: Spot {
                path: note.path.to_owned(),
                line: note.line,
                side: Side::Right,
                start_line: note.start_line,
            },
            body: note.body.to_owned(),
        });
        let verdict = match verdict {
            Verdict::Approves => "APPROVED",
            Verdict::RequestsChanges => "CHANGES_REQUESTED",
            Verdict::Comments => "COMMENTED",
        };
        let (body, notes) = (body.to_owned(), notes.collect());
        self.act(repository, |state, id, me| {
            let new = NewReview { author: me, verdict, body, commit: None, notes };
            acts::review(state, id, number, new)
        })
    }

    /// Replies in the thread of a review comment; says the reply's number.
    ///
    /// # Errors
    /// When there is no such comment; so everywhere below.
    pub fn replies(&self, repository: &str, comment: u64, body: &str) -> Result<u64, Trouble> {
        self.act(repository, |state, id, me| acts::reply(state, id, comment, me, body))
    }

    /// Resolves the thread of a review comment.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn resolves_thread(&self, repository: &str, comment: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::set_resolved(state, id, comment, me, true))
    }

    /// Takes back that the thread of a review comment is resolved.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn unresolves_thread(&self, repository: &str, comment: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::set_resolved(state, id, comment, me, false))
    }

    /// Takes the verdict of a review away.
    ///
    /// # Errors
    /// When there is no such review, or it has no verdict.
    pub fn dismisses_review(&self, repository: &str, review: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::dismiss_review(state, id, review, Some(me)))
    }

    /// Changes what a review says, whoever wrote it.
    ///
    /// # Errors
    /// When there is no such review.
    pub fn edits_review(&self, repository: &str, review: u64, body: &str) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::edit_review(state, id, review, Some(me), body))
    }

    /// Changes a review comment, whoever wrote it.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn edits_review_comment(
        &self,
        repository: &str,
        comment: u64,
        body: &str,
    ) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| {
            acts::edit_review_comment(state, id, comment, Some(me), body)
        })
    }

    /// Leads a pull request to another base.
    ///
    /// # Errors
    /// When there is no such pull request or branch.
    pub fn retargets(&self, repository: &str, number: u64, base: &str) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::retarget(state, id, number, Some(me), base))
    }

    /// Gives an issue or pull request another title.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn renames(&self, repository: &str, number: u64, title: &str) -> Result<(), Trouble> {
        let change = (Some(title.to_owned()), None);
        self.act(repository, |state, id, me| acts::edit_issue(state, id, number, Some(me), change))
    }

    /// Asks somebody for a review.
    ///
    /// # Errors
    /// When there is no such pull request or account.
    pub fn asks_for_review(
        &self,
        repository: &str,
        number: u64,
        reviewer: &str,
    ) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| {
            let asked = state.account_named(reviewer).map(|account| account.id);
            let asked = asked.ok_or_else(|| Trouble::unknown("account", reviewer))?;
            acts::request_reviewers(state, id, number, Some(me), &[asked])
        })
    }

    /// Merges the base into the branch of a pull request, as the button "Update branch" does.
    ///
    /// # Errors
    /// When there is no such pull request.
    pub fn updates_branch(&self, repository: &str, number: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::update_branch(state, id, number, me).map(drop))
    }

    /// Makes a pull request a draft.
    ///
    /// # Errors
    /// When there is no such pull request.
    pub fn converts_to_draft(&self, repository: &str, number: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::convert_to_draft(state, id, number, Some(me)))
    }

    /// Marks a draft as ready.
    ///
    /// # Errors
    /// When there is no such pull request.
    pub fn marks_ready(&self, repository: &str, number: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::mark_ready(state, id, number, Some(me)))
    }
}
