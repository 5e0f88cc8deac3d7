//! The review of a pull request: reading it, answering it, merging what was approved.
//!
//! Invariants: what decides is read anew each time; an answer is looked for before it is written;
//! merging takes an [`Approval`] and names its commit to GitHub, which refuses any other.

use std::ops::RangeInclusive;

use http::Method;
use serde::Serialize;
use serde_json::json;

use super::{Forge, ForgeError, Scope, found, payload, repo_path, segments, unreadable};
use crate::core::approval::Approval;
use crate::core::github::RepoRef;
use crate::core::id::{Branch, CommentId, Number, ReviewId, Sha};
use crate::core::policy::MergeMethod;

/// A comment on lines as the pull request leaves them.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct LineComment {
    pub path: String,
    pub body: String,
    /// The last line.
    pub line: usize,
    side: &'static str,
    /// The first, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_side: Option<&'static str>,
}

impl LineComment {
    /// On these lines, from 1.
    pub fn on(path: String, lines: &RangeInclusive<usize>, body: String) -> Self {
        let start_line = (lines.start() < lines.end()).then_some(*lines.start());
        let start_side = start_line.map(|_| "RIGHT");
        Self { path, body, line: *lines.end(), side: "RIGHT", start_line, start_side }
    }
}

const THREADS: &str = "\
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        nodes {
          id
          isResolved
          path
          comments(first: 1) { nodes { databaseId } }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}";

const RESOLVE: &str = "\
mutation($thread: ID!) {
  resolveReviewThread(input: { threadId: $thread }) {
    thread { id isResolved }
  }
}";

const EDITED: &str = "\
query($id: ID!) {
  node(id: $id) {
    ... on PullRequestReview { databaseId lastEditedAt }
  }
}";

impl Forge {
    /// A pull request as it is now. `None`: there is none of that number.
    pub async fn pull(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Option<payload::PullDetail>, ForgeError> {
        let path = format!("{}/pulls/{number}", repo_path(repo));
        found(self.get(repo, Scope::Read, path, "reading the pull request").await)
    }

    /// The first hundred files of a pull request.
    pub async fn pull_files(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<payload::PullFile>, ForgeError> {
        let path = format!("{}/pulls/{number}/files?per_page=100", repo_path(repo));
        self.get(repo, Scope::Read, path, "reading the files of the pull request").await
    }

    /// All reviews, oldest first.
    pub async fn reviews(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<payload::Review>, ForgeError> {
        let path = format!("{}/pulls/{number}/reviews?per_page=100", repo_path(repo));
        self.list(repo, Scope::Read, path, "reading the reviews").await
    }

    /// When a review's words were last changed, as GitHub writes moments. `None`: never.
    pub async fn review_edited(
        &self,
        repo: &RepoRef,
        review: &payload::Review,
    ) -> Result<Option<String>, ForgeError> {
        let doing = "asking whether a review was edited";
        let variables = json!({ "id": review.node_id });
        let answer: payload::EditAnswer =
            self.query(repo, Scope::Read, EDITED, variables, doing).await?;
        let node = answer.node.filter(|node| node.database_id == Some(review.id));
        let node = node.ok_or_else(|| unreadable(doing, "another object than was asked for"))?;
        Ok(node.last_edited_at)
    }

    /// A review that only comments, with comments on lines of the head as it was.
    pub async fn comment_on_lines(
        &self,
        repo: &RepoRef,
        number: Number,
        head: &Sha,
        body: &str,
        comments: &[LineComment],
    ) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{number}/reviews", repo_path(repo));
        let review =
            json!({ "commit_id": head, "event": "COMMENT", "body": body, "comments": comments });
        let doing = "commenting on lines of the pull request";
        self.change_only(repo, Scope::Talk, Method::POST, path, &review, doing).await
    }

    /// All comments on lines, oldest first.
    pub async fn review_comments(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<payload::ReviewComment>, ForgeError> {
        let path = format!("{}/pulls/{number}/comments?per_page=100", repo_path(repo));
        self.list(repo, Scope::Read, path, "reading the comments of the review").await
    }

    /// A comment on lines as it stands now. `None`: it is gone.
    pub async fn review_comment(
        &self,
        repo: &RepoRef,
        id: CommentId,
    ) -> Result<Option<payload::ReviewComment>, ForgeError> {
        let path = format!("{}/pulls/comments/{id}", repo_path(repo));
        found(self.get(repo, Scope::Read, path, "reading the command").await)
    }

    /// 👀 on a comment on lines. GitHub keeps one per account.
    pub async fn react_in_thread(
        &self,
        repo: &RepoRef,
        comment: CommentId,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/comments/{comment}/reactions", repo_path(repo));
        let (body, doing) = (json!({"content": "eyes"}), "reacting to the command");
        let answer = self.change_only(repo, Scope::Talk, Method::POST, path, &body, doing).await;
        // The comment may be gone by now; nothing is lost with the reaction.
        found(answer).map(drop)
    }

    /// All ordinary comments, oldest first.
    pub async fn comments(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<payload::Comment>, ForgeError> {
        let path = format!("{}/issues/{number}/comments?per_page=100", repo_path(repo));
        self.list(repo, Scope::Read, path, "reading the comments").await
    }

    /// The threads of a pull request: REST does not know whether one is resolved.
    pub async fn threads(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<payload::ReviewThread>, ForgeError> {
        let mut threads = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let variables = json!({
                "owner": repo.name.owner(),
                "name": repo.name.name(),
                "number": number,
                "after": after,
            });
            let doing = "reading the threads of the review";
            let answer: payload::ThreadsAnswer =
                self.query(repo, Scope::Read, THREADS, variables, doing).await?;
            let Some(page) = answer.page() else { return Ok(threads) };
            threads.extend(page.nodes);
            match page.page_info.end_cursor.filter(|_| page.page_info.has_next_page) {
                Some(cursor) => after = Some(cursor),
                None => return Ok(threads),
            }
        }
    }

    /// Answers in a thread, below its first comment.
    pub async fn reply_in_thread(
        &self,
        repo: &RepoRef,
        number: Number,
        first: CommentId,
        body: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{number}/comments/{first}/replies", repo_path(repo));
        let doing = "answering in a thread";
        self.change_only(repo, Scope::Talk, Method::POST, path, &json!({"body": body}), doing).await
    }

    /// Marks a thread as resolved. Resolved already is fine.
    pub async fn resolve_thread(&self, repo: &RepoRef, thread: &str) -> Result<(), ForgeError> {
        let variables = json!({"thread": thread});
        let doing = "resolving a thread";
        self.mutate(repo, Scope::Push, RESOLVE, variables, doing).await
    }

    /// Asks people for a review. Those who cannot be asked are left out by GitHub with a 422.
    pub async fn request_review(
        &self,
        repo: &RepoRef,
        number: Number,
        logins: &[String],
    ) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{number}/requested_reviewers", repo_path(repo));
        let body = json!({"reviewers": logins});
        let answer = self
            .change_only(repo, Scope::Talk, Method::POST, path, &body, "asking for a review")
            .await;
        match answer {
            Err(error) if error.status() == Some(422) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Rewrites the text of a pull request, and its title where one is given.
    pub async fn edit_pull(
        &self,
        repo: &RepoRef,
        number: Number,
        title: Option<&str>,
        body: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{number}", repo_path(repo));
        let body = match title {
            Some(title) => json!({"title": title, "body": body}),
            None => json!({"body": body}),
        };
        let doing = "bringing the pull request's text up to date";
        self.change_only(repo, Scope::Talk, Method::PATCH, path, &body, doing).await
    }

    /// Moves a branch forward to a commit. Refused (422) where that would lose a commit.
    pub async fn advance_branch(
        &self,
        repo: &RepoRef,
        branch: &Branch,
        to: &Sha,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/git/refs/heads/{}", repo_path(repo), segments(branch.as_str()));
        let body = json!({"sha": to, "force": false});
        self.change_only(repo, Scope::Push, Method::PATCH, path, &body, "moving the branch forward")
            .await
    }

    /// Merges exactly the approved commit. Refused: 409 when the head is another by now, 405 when
    /// something stands in the way.
    pub async fn merge_pull(
        &self,
        repo: &RepoRef,
        approval: &Approval,
        method: MergeMethod,
        title: &str,
        message: &str,
    ) -> Result<Sha, ForgeError> {
        let path = format!("{}/pulls/{}/merge", repo_path(repo), approval.pull());
        let body = json!({
            "sha": approval.head(),
            "merge_method": method.as_str(),
            "commit_title": title,
            "commit_message": message,
        });
        let merged: payload::GitObject =
            self.change(repo, Scope::Push, Method::PUT, path, &body, "merging").await?;
        Ok(merged.sha)
    }

    /// Closes an issue as done.
    pub async fn close_issue(&self, repo: &RepoRef, number: Number) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}", repo_path(repo));
        self.change_only(
            repo,
            Scope::Talk,
            Method::PATCH,
            path,
            &json!({"state": "closed", "state_reason": "completed"}),
            "closing the issue",
        )
        .await
    }
}

impl payload::ReviewComment {
    /// The first comment of the thread it stands in.
    pub fn thread(&self) -> CommentId {
        self.in_reply_to_id.unwrap_or(self.id)
    }
}

impl payload::Review {
    /// Its number.
    pub fn review_id(&self) -> ReviewId {
        ReviewId(self.id)
    }
}
