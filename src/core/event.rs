//! What happened, in our own terms: the closed set of things Gander reacts to.
//!
//! Invariants: translating a webhook is total (anything unknown is `Nothing`), and what is
//! `edited` never starts anything.

use serde::{Deserialize, Serialize};

use super::command::{self, Address, BadCommand, Command, Verb};
use super::delivery::{self, Content, Delivery, Payload, WebhookAccount};
use super::github::{Actor, RepoRef};
use super::id::{Branch, CommentId, InstallationId, Login, Number, RepoId, ReviewId, Sha, UserId};

/// The label that means the same as `/gander fix`.
pub const FIX_LABEL: &str = "gander:fix";
/// The label that keeps Gander away from an issue or pull request.
pub const SKIP_LABEL: &str = "gander:skip";

/// Something asked by a person, wherever they said it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CommandEvent {
    pub repo: RepoRef,
    /// The issue or pull request it was said on.
    pub number: Number,
    /// Whether that is a pull request.
    pub on_pull: bool,
    /// Whether it was closed at that moment.
    pub closed: bool,
    /// By whom.
    pub by: Actor,
    /// What they said.
    pub said: Result<Command, BadCommand>,
    /// The line they said it in.
    pub line: String,
    /// The issue's title and text at that moment.
    pub issue: IssueText,
    /// Where they said it.
    pub said_in: SaidIn,
    /// Names this very act: the same act under any number of deliveries has the same key.
    pub key: String,
}

impl CommandEvent {
    /// The ordinary comment that it was said in, if it was one.
    pub fn comment_id(&self) -> Option<CommentId> {
        self.said_in.comment_id()
    }
}

/// Where something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidIn {
    /// In a comment on the issue or pull request.
    Comment(CommentId),
    /// In a comment on lines of a pull request.
    Thread(CommentId),
    /// In the text of a review.
    Review(ReviewId),
    /// By a label.
    Label,
    /// On Slack, by somebody whose account on GitHub is known.
    Slack,
}

impl SaidIn {
    /// The ordinary comment, if it was one.
    pub fn comment_id(self) -> Option<CommentId> {
        if let Self::Comment(id) = self { Some(id) } else { None }
    }

    /// The comment on lines, if it was one.
    pub fn thread_comment_id(self) -> Option<CommentId> {
        if let Self::Thread(id) = self { Some(id) } else { None }
    }
}

/// An ordinary comment of a person, which is no command. While a job is at work it is for the
/// agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Remark {
    pub repo: RepoRef,
    /// The issue or pull request it was said on.
    pub number: Number,
    pub by: Actor,
    /// Its text.
    pub words: String,
    pub comment_id: CommentId,
}

/// An issue's words, as they were when the command was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct IssueText {
    pub title: String,
    pub body: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    /// A person asked for something.
    Asked(Box<CommandEvent>),
    /// A person said something else.
    Remarked(Box<Remark>),
    /// An issue or pull request was closed.
    Closed {
        repo: RepoRef,
        number: Number,
        /// By whom, if GitHub says.
        by: Option<Login>,
        /// What it was.
        what: ClosedSubject,
    },
    /// Something about a pull request may be different now: worth a look.
    Touched { repo: RepoRef, what: Touched },
    /// A workflow run ended: it may be one that publishes a release.
    RunEnded { repo: RepoRef },
    /// Nothing for us, and why.
    Nothing(&'static str),
}

/// What may be different now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// A pull request: its head, base or reviews.
    Pull(Number),
    /// A commit: its checks.
    Commit(Sha),
    /// A branch: where it stands.
    Branch(Branch),
}

/// What was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClosedSubject {
    /// An issue.
    Issue,
    /// A pull request, without merging it.
    Pull,
    /// A pull request, by merging it.
    Merged,
}

impl Event {
    /// The repository that it is about.
    pub fn repo(&self) -> Option<&RepoRef> {
        match self {
            Self::Asked(asked) => Some(&asked.repo),
            Self::Remarked(remark) => Some(&remark.repo),
            Self::Closed { repo, .. } | Self::Touched { repo, .. } | Self::RunEnded { repo } => {
                Some(repo)
            }
            Self::Nothing(_) => None,
        }
    }

    /// Translates a webhook.
    pub fn of(event: &str, payload: &Payload, address: &Address) -> Self {
        let Some(repo) = repo(payload) else {
            return Self::Nothing("no repository or installation");
        };
        match (event, payload.action.as_deref()) {
            ("issue_comment", Some("created")) => comment(repo, payload, address),
            ("pull_request_review", Some("submitted")) => review(repo, payload, address),
            ("pull_request_review_comment", Some("created")) => {
                line_comment(repo, payload, address)
            }
            ("pull_request_review", Some("edited" | "dismissed"))
            | (
                "pull_request",
                Some(
                    "synchronize" | "edited" | "reopened" | "converted_to_draft"
                    | "ready_for_review",
                ),
            ) => touched_pull(repo, payload),
            ("pull_request", Some("labeled" | "unlabeled")) if is_skip(payload) => {
                touched_pull(repo, payload)
            }
            ("check_run", Some("completed")) => {
                touched_commit(repo, payload.check_run.as_ref().map(|run| run.head_sha.as_str()))
            }
            ("check_suite", Some("completed")) => {
                let suite = payload.check_suite.as_ref();
                touched_commit(repo, suite.and_then(|suite| suite.head_sha.as_deref()))
            }
            ("status", _) if payload.state.as_deref() != Some("pending") => {
                touched_commit(repo, payload.sha.as_deref())
            }
            ("workflow_run", Some("completed")) => Self::RunEnded { repo },
            ("push", _) => touched_branch(repo, payload),
            ("issues", Some("labeled")) => label(repo, payload),
            ("issues", Some("closed")) => closed_issue(repo, payload),
            ("pull_request", Some("closed")) => closed_pull(repo, payload),
            _ => Self::Nothing("not an event Gander acts upon"),
        }
    }
}

impl Delivery {
    /// Whether anything follows from it. If not, it is recorded and never queued.
    pub fn is_wanted(&self, address: &Address) -> bool {
        match &self.content {
            Content::Kept(payload) => {
                !matches!(Event::of(&self.event, payload, address), Event::Nothing(_))
            }
            Content::Slack(_) => true,
            Content::Quarantined(_) => false,
        }
    }
}

fn comment(repo: RepoRef, payload: &Payload, address: &Address) -> Event {
    let (Some(issue), Some(comment)) = (&payload.issue, &payload.comment) else {
        return Event::Nothing("no issue or comment");
    };
    let body = comment.body.as_deref().unwrap_or_default();
    let Some(by) = comment.user.as_ref().and_then(actor) else {
        return Event::Nothing("the author is gone");
    };
    let Some(said) = command::parse(body, address) else {
        return remark(repo, Number(issue.number), by, comment);
    };
    Event::Asked(Box::new(CommandEvent {
        number: Number(issue.number),
        on_pull: issue.pull_request.is_some(),
        closed: issue.state == "closed",
        by,
        said,
        line: command::line(body, address).unwrap_or_default().to_owned(),
        issue: issue_text(issue),
        said_in: SaidIn::Comment(CommentId(comment.id)),
        key: format!("{}/comment/{}", repo.repo_id, comment.id),
        repo,
    }))
}

/// What programs say, and what says nothing, is for nobody.
fn remark(repo: RepoRef, number: Number, by: Actor, comment: &delivery::WebhookComment) -> Event {
    let words = comment.body.as_deref().unwrap_or_default().trim();
    if !by.person || words.is_empty() {
        return Event::Nothing("not a command");
    }
    let (words, comment_id) = (words.to_owned(), CommentId(comment.id));
    Event::Remarked(Box::new(Remark { repo, number, by, words, comment_id }))
}

/// A comment on lines is read with its review, unless it is a command.
fn line_comment(repo: RepoRef, payload: &Payload, address: &Address) -> Event {
    let (Some(pull), Some(comment)) = (&payload.pull_request, &payload.comment) else {
        return Event::Nothing("no pull request or comment");
    };
    let body = comment.body.as_deref().unwrap_or_default();
    let Some(said) = command::parse(body, address) else {
        return Event::Nothing("not a command");
    };
    let Some(by) = comment.user.as_ref().and_then(actor) else {
        return Event::Nothing("the author is gone");
    };
    Event::Asked(Box::new(CommandEvent {
        number: Number(pull.number),
        on_pull: true,
        closed: pull.state == "closed",
        by,
        said,
        line: command::line(body, address).unwrap_or_default().to_owned(),
        issue: IssueText::default(),
        said_in: SaidIn::Thread(CommentId(comment.id)),
        key: format!("{}/line-comment/{}", repo.repo_id, comment.id),
        repo,
    }))
}

fn review(repo: RepoRef, payload: &Payload, address: &Address) -> Event {
    let (Some(pull), Some(review)) = (&payload.pull_request, &payload.review) else {
        return Event::Nothing("no pull request or review");
    };
    let body = review.body.as_deref().unwrap_or_default();
    let Some(said) = command::parse(body, address) else {
        return touched_pull(repo, payload);
    };
    let Some(by) = review.user.as_ref().and_then(actor) else {
        return Event::Nothing("the author is gone");
    };
    Event::Asked(Box::new(CommandEvent {
        number: Number(pull.number),
        on_pull: true,
        closed: pull.state == "closed",
        by,
        said,
        line: command::line(body, address).unwrap_or_default().to_owned(),
        issue: IssueText::default(),
        said_in: SaidIn::Review(ReviewId(review.id)),
        key: format!("{}/review/{}", repo.repo_id, review.id),
        repo,
    }))
}

fn label(repo: RepoRef, payload: &Payload) -> Event {
    let (Some(issue), Some(label)) = (&payload.issue, &payload.label) else {
        return Event::Nothing("no issue or label");
    };
    if !label.name.eq_ignore_ascii_case(FIX_LABEL) {
        return Event::Nothing("a label without a meaning here");
    }
    let Some(by) = payload.sender.as_ref().and_then(actor) else {
        return Event::Nothing("the sender is gone");
    };
    let at = issue.updated_at.as_deref().unwrap_or_default();
    Event::Asked(Box::new(CommandEvent {
        number: Number(issue.number),
        on_pull: issue.pull_request.is_some(),
        closed: issue.state == "closed",
        by,
        said: Ok(Command::new(Verb::Fix)),
        line: String::new(),
        issue: issue_text(issue),
        said_in: SaidIn::Label,
        key: format!("{}/label/{}/{FIX_LABEL}/{at}", repo.repo_id, issue.id),
        repo,
    }))
}

fn is_skip(payload: &Payload) -> bool {
    payload.label.as_ref().is_some_and(|label| label.name.eq_ignore_ascii_case(SKIP_LABEL))
}

fn closed_issue(repo: RepoRef, payload: &Payload) -> Event {
    match &payload.issue {
        Some(issue) => Event::Closed {
            repo,
            number: Number(issue.number),
            by: sender_login(payload),
            what: ClosedSubject::Issue,
        },
        None => Event::Nothing("no issue"),
    }
}

fn closed_pull(repo: RepoRef, payload: &Payload) -> Event {
    match &payload.pull_request {
        Some(pull) => Event::Closed {
            repo,
            number: Number(pull.number),
            by: sender_login(payload),
            what: if pull.merged == Some(true) {
                ClosedSubject::Merged
            } else {
                ClosedSubject::Pull
            },
        },
        None => Event::Nothing("no pull request"),
    }
}

fn touched_pull(repo: RepoRef, payload: &Payload) -> Event {
    match &payload.pull_request {
        Some(pull) => Event::Touched { repo, what: Touched::Pull(Number(pull.number)) },
        None => Event::Nothing("no pull request"),
    }
}

fn touched_commit(repo: RepoRef, sha: Option<&str>) -> Event {
    match sha.and_then(|sha| sha.parse().ok()) {
        Some(sha) => Event::Touched { repo, what: Touched::Commit(sha) },
        None => Event::Nothing("no commit"),
    }
}

fn touched_branch(repo: RepoRef, payload: &Payload) -> Event {
    let name = payload.git_ref.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
    match name.and_then(|name| name.parse().ok()) {
        Some(branch) => Event::Touched { repo, what: Touched::Branch(branch) },
        None => Event::Nothing("not a branch"),
    }
}

fn issue_text(issue: &delivery::WebhookIssue) -> IssueText {
    IssueText { title: issue.title.clone(), body: issue.body.clone().unwrap_or_default() }
}

fn repo(payload: &Payload) -> Option<RepoRef> {
    let repository = payload.repository.as_ref()?;
    Some(RepoRef {
        installation_id: InstallationId(payload.installation.as_ref()?.id),
        repo_id: RepoId(repository.id),
        name: repository.full_name.parse().ok()?,
    })
}

fn actor(account: &WebhookAccount) -> Option<Actor> {
    Some(Actor {
        id: UserId(account.id),
        login: account.login.parse().ok()?,
        // A webhook need not say it. What is read back from GitHub before anything is done does.
        person: matches!(account.kind.as_str(), "User" | ""),
    })
}

fn sender_login(payload: &Payload) -> Option<Login> {
    payload.sender.as_ref()?.login.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, body: &str) -> Event {
        let payload: Payload = serde_json::from_str(body).unwrap();
        Event::of(kind, &payload, &Address::default())
    }

    fn comment_by(user: &str, action: &str) -> String {
        format!(
            r#"{{"action":"{action}","installation":{{"id":3}},
            "repository":{{"id":1,"full_name":"acme/widgets"}},
            "issue":{{"id":5,"number":7,"state":"open"}},
            "comment":{{"id":9,"body":"/gander fix it","user":{user}}}}}"#
        )
    }

    #[test]
    fn a_new_comment_with_a_command_is_heard() {
        let user = r#"{"id":2,"login":"mona","type":"User"}"#;
        let Event::Asked(asked) = event("issue_comment", &comment_by(user, "created")) else {
            panic!("not heard")
        };
        assert_eq!(asked.key, "1/comment/9");
        assert_eq!(asked.said.unwrap().request, "it");
        assert!(asked.by.person && !asked.on_pull && !asked.closed);
    }

    #[test]
    fn an_edited_comment_and_a_vanished_author_start_nothing() {
        let user = r#"{"id":2,"login":"mona","type":"User"}"#;
        assert!(matches!(event("issue_comment", &comment_by(user, "edited")), Event::Nothing(_)));
        assert!(matches!(
            event("issue_comment", &comment_by("null", "created")),
            Event::Nothing(_)
        ));
    }

    #[test]
    fn only_the_fix_label_is_a_command_and_each_setting_of_it_is_one_act() {
        let body = |label: &str, at: &str| {
            format!(
                r#"{{"action":"labeled","installation":{{"id":3}},"label":{{"name":"{label}"}},
                "repository":{{"id":1,"full_name":"acme/widgets"}},
                "sender":{{"id":2,"login":"mona","type":"User"}},
                "issue":{{"id":5,"number":7,"state":"open","updated_at":"{at}"}}}}"#
            )
        };
        assert!(matches!(event("issues", &body("bug", "1")), Event::Nothing(_)));
        let key = |at: &str| match event("issues", &body("gander:fix", at)) {
            Event::Asked(asked) => asked.key,
            other => panic!("{other:?}"),
        };
        assert_eq!(key("1"), key("1"));
        assert_ne!(key("1"), key("2"));
    }
}
