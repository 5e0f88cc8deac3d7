//! Speaking: comments, reactions, labels, check runs. Each is looked up before it is made.

use http::Method;
use serde_json::json;

use super::{Forge, ForgeError, Scope, found, payload, repo_path, segment};
use crate::core::github::RepoRef;
use crate::core::id::{CommentId, Number, Sha};

/// What a check run shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRunText {
    /// The line in the list of checks.
    pub name: &'static str,
    /// Our own id, by which it is found again.
    pub external_id: String,
    /// Heading.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// `success`, `failure` or `neutral`.
    pub conclusion: &'static str,
}

impl CheckRunText {
    /// Whether a check run shows this already: writing it again would cost a change.
    fn stands_in(&self, there: &payload::CheckRun) -> bool {
        let says =
            |text: Option<&str>, wanted: &str| text.map(str::trim_end) == Some(wanted.trim_end());
        there.output.as_ref().is_some_and(|output| {
            there.status.as_deref() == Some("completed")
                && there.conclusion.as_deref() == Some(self.conclusion)
                && says(output.title.as_deref(), &self.title)
                && says(output.summary.as_deref(), &self.summary)
        })
    }
}

impl Forge {
    /// Finds our comment by its last line. Only comments made by this App count: GitHub says so,
    /// or they are by its account.
    pub async fn find_comment(
        &self,
        repo: &RepoRef,
        number: Number,
        marker: &str,
    ) -> Result<Option<payload::Comment>, ForgeError> {
        Ok(self.comments_ending(repo, number, marker).await?.into_iter().next())
    }

    /// All our comments whose text ends like this.
    pub async fn comments_ending(
        &self,
        repo: &RepoRef,
        number: Number,
        end: &str,
    ) -> Result<Vec<payload::Comment>, ForgeError> {
        let path = format!("{}/issues/{number}/comments?per_page=100", repo_path(repo));
        let mut comments: Vec<payload::Comment> =
            self.list(repo, Scope::Talk, path, "looking for our comment").await?;
        comments.retain(|comment| {
            comment.body.as_deref().is_some_and(|body| body.trim_end().ends_with(end))
        });
        let mut ours = Vec::new();
        for comment in comments {
            if self.is_ours(&comment).await? {
                ours.push(comment);
            }
        }
        Ok(ours)
    }

    /// Not every server says through which App a comment was made.
    async fn is_ours(&self, comment: &payload::Comment) -> Result<bool, ForgeError> {
        match (&comment.performed_via_github_app, &comment.user) {
            // A workflow's token is of an App whose number it does not know.
            (Some(via), _) if !self.is_of_workflow() => Ok(via.id == self.inner.config.app_id),
            (_, Some(user)) if user.kind == "Bot" => Ok(user.id == self.account().await?),
            (_, _) => Ok(false),
        }
    }

    /// Posts a comment.
    pub async fn post_comment(
        &self,
        repo: &RepoRef,
        number: Number,
        body: &str,
    ) -> Result<CommentId, ForgeError> {
        let path = format!("{}/issues/{number}/comments", repo_path(repo));
        let answer: payload::Comment = self
            .change(repo, Scope::Talk, Method::POST, path, &json!({"body": body}), "commenting")
            .await?;
        Ok(answer.id)
    }

    /// Finds an issue of ours among the newest by its last line.
    pub async fn find_issue(
        &self,
        repo: &RepoRef,
        marker: &str,
    ) -> Result<Option<Number>, ForgeError> {
        let creator = segment(&format!("{}[bot]", self.app().await?.slug()));
        let path = format!(
            "{}/issues?creator={creator}&state=all&sort=created&direction=desc&per_page=100",
            repo_path(repo)
        );
        let newest: Vec<payload::Issue> =
            self.get(repo, Scope::Talk, path, "looking for our issue").await?;
        let is_it = |issue: &payload::Issue| {
            issue.body.as_deref().is_some_and(|body| body.trim_end().ends_with(marker))
        };
        Ok(newest.into_iter().find(is_it).map(|issue| issue.number))
    }

    /// Opens an issue.
    pub async fn open_issue(
        &self,
        repo: &RepoRef,
        title: &str,
        body: &str,
    ) -> Result<Number, ForgeError> {
        let path = format!("{}/issues", repo_path(repo));
        let body = json!({"title": title, "body": body});
        let issue: payload::Issue =
            self.change(repo, Scope::Talk, Method::POST, path, &body, "opening an issue").await?;
        Ok(issue.number)
    }

    /// Rewrites one of our comments. Notifies nobody.
    pub async fn edit_comment(
        &self,
        repo: &RepoRef,
        comment: CommentId,
        body: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/issues/comments/{comment}", repo_path(repo));
        let body = json!({"body": body});
        self.change_only(repo, Scope::Talk, Method::PATCH, path, &body, "editing our comment").await
    }

    /// 👀 on the comment that asked, or on the issue itself. GitHub keeps one per account.
    pub async fn react(
        &self,
        repo: &RepoRef,
        number: Number,
        comment: Option<CommentId>,
        content: &str,
    ) -> Result<(), ForgeError> {
        let target = match comment {
            Some(comment) => format!("comments/{comment}"),
            None => number.to_string(),
        };
        let path = format!("{}/issues/{target}/reactions", repo_path(repo));
        let body = json!({"content": content});
        let answer = self
            .change_only(repo, Scope::Talk, Method::POST, path, &body, "reacting to the command")
            .await;
        // The comment may be gone by now; nothing is lost with the reaction.
        found(answer).map(drop)
    }

    /// Adds labels; there already is fine.
    pub async fn add_labels(
        &self,
        repo: &RepoRef,
        number: Number,
        labels: &[&str],
    ) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}/labels", repo_path(repo));
        let body = json!({"labels": labels});
        self.change_only(repo, Scope::Talk, Method::POST, path, &body, "setting a label").await
    }

    /// Removes a label; not there is fine.
    pub async fn remove_label(
        &self,
        repo: &RepoRef,
        number: Number,
        label: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}/labels/{}", repo_path(repo), segment(label));
        found(self.delete(repo, Scope::Talk, path, "removing a label").await).map(drop)
    }

    /// Makes or updates our check run on a commit.
    pub async fn show_check_run(
        &self,
        repo: &RepoRef,
        head: &Sha,
        text: &CheckRunText,
    ) -> Result<(), ForgeError> {
        let doing = "showing the check run";
        let mut body = json!({
            "name": text.name,
            "external_id": text.external_id,
            "status": "completed",
            "conclusion": text.conclusion,
            "output": {"title": text.title, "summary": text.summary},
        });
        let (method, path) = match self.find_check_run(repo, head, text).await? {
            Some(there) if text.stands_in(&there) => return Ok(()),
            Some(there) => (Method::PATCH, format!("{}/check-runs/{}", repo_path(repo), there.id)),
            None => {
                body["head_sha"] = json!(head);
                (Method::POST, format!("{}/check-runs", repo_path(repo)))
            }
        };
        self.change_only(repo, Scope::Talk, method, path, &body, doing).await
    }

    async fn find_check_run(
        &self,
        repo: &RepoRef,
        head: &Sha,
        text: &CheckRunText,
    ) -> Result<Option<payload::CheckRun>, ForgeError> {
        let path = format!(
            "{}/commits/{head}/check-runs?check_name={}&filter=all&per_page=100",
            repo_path(repo),
            segment(text.name)
        );
        let found: payload::CheckRuns =
            self.get(repo, Scope::Talk, path, "looking for our check run").await?;
        let ours = |run: &payload::CheckRun| run.external_id.as_deref() == Some(&text.external_id);
        Ok(found.check_runs.into_iter().find(ours))
    }
}
