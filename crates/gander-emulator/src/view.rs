//! What people see in the emulator: read-only snapshots, for tests and the demo.

use std::collections::BTreeMap;

use super::Emulator;
use super::shapes::commits::is_verified;
use super::state::{CheckRun, Comment, Issue, Repository, ReviewComment, State, Target};

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReactionView {
    /// Who reacted.
    pub author: String,
    /// How, as `+1` or `eyes`.
    pub content: String,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CommentView {
    pub id: u64,
    /// Who wrote it; `ghost` when the account is gone.
    pub author: String,
    /// What it says now.
    pub body: String,
    /// What it said before, oldest first.
    pub edits: Vec<String>,
    /// Who reacted how.
    pub reactions: Vec<ReactionView>,
}

/// A comment on lines of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineCommentView {
    /// What the review says that it belongs to.
    pub review: String,
    /// Who wrote it.
    pub author: String,
    /// The file.
    pub path: String,
    /// The first line where there are several, and the last.
    pub lines: (Option<u64>, u64),
    /// What it says.
    pub body: String,
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct IssueView {
    pub number: u64,
    /// Who opened it; `ghost` when the account is gone.
    pub author: String,
    /// Its title.
    pub title: String,
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// The labels on it.
    pub labels: Vec<String>,
    /// Its comments, oldest first.
    pub comments: Vec<CommentView>,
    /// Who reacted how.
    pub reactions: Vec<ReactionView>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PullView {
    pub number: u64,
    /// Its title.
    pub title: String,
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    /// Whether it was merged.
    pub merged: bool,
    /// Whether it is a draft.
    pub draft: bool,
    /// The branch it comes from.
    pub head_branch: String,
    /// The commit at its head.
    pub head_sha: String,
    /// The branch it goes to.
    pub base_branch: String,
    /// Who opened it.
    pub author: String,
    /// The labels on it.
    pub labels: Vec<String>,
    /// Whom it waits for.
    pub requested_reviewers: Vec<String>,
    /// Its comments, oldest first.
    pub comments: Vec<CommentView>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitView {
    /// What it says.
    pub message: String,
    /// `NAME <EMAIL>` of its author.
    pub author: String,
    /// `NAME <EMAIL>` of its committer.
    pub committer: String,
    /// Whether GitHub signed it.
    pub verified: bool,
    /// The commits before it.
    pub parents: Vec<String>,
    /// Its tree.
    pub tree: String,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckRunView {
    pub id: u64,
    /// The slug of the App that made it.
    pub app: String,
    pub name: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// What its App calls it.
    pub external_id: Option<String>,
    /// The headline of its output.
    pub title: Option<String>,
    /// The output.
    pub summary: Option<String>,
    /// Where more is to be read.
    pub details_url: Option<String>,
}

/// Something that happened, in one plain line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Who did it; `ghost` when the account is gone.
    pub actor: String,
    /// What, as `commented on #1: please fix`.
    pub text: String,
}

impl std::fmt::Display for TimelineEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.actor, self.text)
    }
}

impl Emulator {
    /// An issue; also the issue side of a pull request.
    pub fn issue(&self, repository: &str, number: u64) -> Option<IssueView> {
        self.read(repository, |state, known| Some(issue(state, known, known.issues.get(&number)?)))
    }

    /// All issues that are no pull requests, oldest first.
    pub fn issues(&self, repository: &str) -> Vec<IssueView> {
        let all = self.read(repository, |state, known| {
            let plain = known.issues.values().filter(|issue| issue.pull.is_none());
            Some(plain.map(|one| issue(state, known, one)).collect())
        });
        all.unwrap_or_default()
    }

    /// A pull request.
    pub fn pull(&self, repository: &str, number: u64) -> Option<PullView> {
        self.read(repository, |state, known| pull(state, known, known.issues.get(&number)?))
    }

    /// The comments on lines of a pull request, oldest first.
    pub fn line_comments(&self, repository: &str, number: u64) -> Vec<LineCommentView> {
        let all = self.read(repository, |state, known| {
            let here = known.review_comments.values().filter(|comment| comment.pull == number);
            let view = |comment: &ReviewComment| {
                let review = known.reviews.iter().find(|review| review.id == comment.review);
                LineCommentView {
                    review: review.map(|review| review.body.clone()).unwrap_or_default(),
                    author: state.login(comment.author),
                    path: comment.spot.path.clone(),
                    lines: (comment.spot.start_line, comment.spot.line),
                    body: comment.body.clone(),
                }
            };
            Some(here.map(view).collect())
        });
        all.unwrap_or_default()
    }

    /// All pull requests, oldest first.
    pub fn pulls(&self, repository: &str) -> Vec<PullView> {
        let all = self.read(repository, |state, known| {
            Some(known.issues.values().filter_map(|issue| pull(state, known, issue)).collect())
        });
        all.unwrap_or_default()
    }

    /// The branches and where they are.
    pub fn branches(&self, repository: &str) -> BTreeMap<String, String> {
        self.refs(repository, "refs/heads/")
    }

    /// The tags and what they name.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        self.refs(repository, "refs/tags/")
    }

    fn refs(&self, repository: &str, prefix: &str) -> BTreeMap<String, String> {
        let all = self.read(repository, |_, known| {
            let named = known.refs.iter().filter_map(|(name, sha)| {
                Some((name.strip_prefix(prefix)?.to_owned(), sha.clone()))
            });
            Some(named.collect())
        });
        all.unwrap_or_default()
    }

    /// A file at a revision.
    pub fn file(&self, repository: &str, rev: &str, path: &str) -> Option<Vec<u8>> {
        self.read(repository, |_, known| {
            let commit = known.git.resolve(rev, "commit")?;
            let entry = known.git.entry(&commit, path)?;
            known.git.read("blob", &entry.sha)
        })
    }

    /// All paths of files at a revision.
    pub fn files(&self, repository: &str, rev: &str) -> Vec<String> {
        let all = self.read(repository, |_, known| {
            let commit = known.git.resolve(rev, "commit")?;
            let all = known.git.list(&commit, super::git::Depth::Everything).ok()?;
            Some(all.into_iter().filter(|one| one.kind != "tree").map(|one| one.path).collect())
        });
        all.unwrap_or_default()
    }

    /// A commit.
    pub fn commit(&self, repository: &str, rev: &str) -> Option<CommitView> {
        self.read(repository, |_, known| {
            let commit = known.git.commit(&known.git.resolve(rev, "commit")?).ok()?;
            Some(CommitView {
                verified: is_verified(&commit),
                author: format!("{} <{}>", commit.author.name, commit.author.email),
                committer: format!("{} <{}>", commit.committer.name, commit.committer.email),
                message: commit.message,
                parents: commit.parents,
                tree: commit.tree,
            })
        })
    }

    /// The check runs on a commit, oldest first.
    pub fn check_runs(&self, repository: &str, sha: &str) -> Vec<CheckRunView> {
        let all = self.read(repository, |state, known| {
            let here = known.check_runs.iter().filter(|run| run.head_sha == sha);
            Some(here.map(|run| check_run(state, run)).collect())
        });
        all.unwrap_or_default()
    }

    /// Everything that happened in a repository, oldest first.
    pub fn timeline(&self, repository: &str) -> Vec<TimelineEntry> {
        let all = self.read(repository, |state, known| {
            let here = state.timeline.iter().filter(|one| one.repository == known.id);
            let entries = here.map(|one| TimelineEntry {
                at_ms: one.at_ms,
                actor: one.actor.clone(),
                text: one.text.clone(),
            });
            Some(entries.collect())
        });
        all.unwrap_or_default()
    }

    fn read<T>(
        &self,
        repository: &str,
        what: impl FnOnce(&State, &Repository) -> Option<T>,
    ) -> Option<T> {
        let state = self.lock();
        let id = state.repository_id(repository).ok()?;
        what(&state, state.repository(id).ok()?)
    }
}

fn issue(state: &State, known: &Repository, issue: &Issue) -> IssueView {
    IssueView {
        number: issue.number,
        author: state.login(issue.author),
        title: issue.title.clone(),
        body: issue.body.clone().unwrap_or_default(),
        state: if issue.open { "open" } else { "closed" }.to_owned(),
        labels: issue.labels.clone(),
        comments: comments(state, known, issue.number),
        reactions: reactions(state, known, Target::Issue(issue.number)),
    }
}

fn comments(state: &State, known: &Repository, number: u64) -> Vec<CommentView> {
    let here = known.comments.values().filter(|comment| comment.issue == number);
    here.map(|comment: &Comment| CommentView {
        id: comment.id,
        author: state.login(comment.author),
        body: comment.body.clone(),
        edits: comment.earlier.clone(),
        reactions: reactions(state, known, Target::Comment(comment.id)),
    })
    .collect()
}

fn reactions(state: &State, known: &Repository, target: Target) -> Vec<ReactionView> {
    let here = known.reactions.iter().filter(|reaction| reaction.target == target);
    here.map(|reaction| ReactionView {
        author: state.login(Some(reaction.user)),
        content: reaction.content.clone(),
    })
    .collect()
}

fn pull(state: &State, known: &Repository, issue: &Issue) -> Option<PullView> {
    let pull = issue.pull.as_ref()?;
    let reviewers = pull.requested_reviewers.iter();
    Some(PullView {
        number: issue.number,
        title: issue.title.clone(),
        body: issue.body.clone().unwrap_or_default(),
        state: if issue.open { "open" } else { "closed" }.to_owned(),
        merged: pull.merged_at.is_some(),
        draft: pull.draft,
        head_branch: pull.head_branch.clone(),
        head_sha: pull.head_sha.clone(),
        base_branch: pull.base_branch.clone(),
        author: state.login(issue.author),
        labels: issue.labels.clone(),
        requested_reviewers: reviewers.map(|id| state.login(Some(*id))).collect(),
        comments: comments(state, known, issue.number),
    })
}

fn check_run(state: &State, run: &CheckRun) -> CheckRunView {
    CheckRunView {
        id: run.id,
        app: state.apps.get(&run.app).map(|app| app.slug.clone()).unwrap_or_default(),
        name: run.name.clone(),
        status: run.status.clone(),
        conclusion: run.conclusion.clone(),
        external_id: run.external_id.clone(),
        title: run.title.clone(),
        summary: run.summary.clone(),
        details_url: run.details_url.clone(),
    }
}
