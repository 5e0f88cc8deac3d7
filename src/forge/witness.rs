//! Asking GitHub itself whether something may be released.
//!
//! What holds: nothing here comes from an event or from Gander's own memory; whether a comment was
//! edited is asked of GraphQL, for REST's time stamps do not say who or what moved them.

use serde::Deserialize;
use serde_json::json;

use super::runs::Counted;
use super::{Forge, ForgeError, Scope, found, payload, repo_path, segments, unreadable};
use crate::core::approval::{Stand, Word, approves};
use crate::core::command::{Address, Role};
use crate::core::event::{Actor, RepoRef};
use crate::core::id::{Branch, CommentId, Number, RepoId, ReviewId, Sha, Timestamp, UserId};
use crate::core::witness::{CheckState, SeenCheck};

/// A pull request as it is now.
#[derive(Debug, Clone)]
pub struct PullWitness {
    /// The commit it became; `None` while it is not merged.
    pub merged_as: Option<Sha>,
    /// The branch it went into.
    pub base: Branch,
    /// The branch it came from.
    pub head_branch: String,
    /// The repository that branch is in; `None` when that is gone.
    pub head_repository: Option<RepoId>,
    /// Its head.
    pub head: Sha,
    /// Who opened it.
    pub author: Option<payload::User>,
}

/// What somebody said about a commit; what they may do is asked for separately.
#[derive(Debug, Clone)]
pub struct Said {
    /// Who.
    pub by: Actor,
    /// What.
    pub stand: Stand,
    /// About which commit.
    pub commit: Sha,
    /// Where.
    pub word: Word,
    /// When.
    pub at: Timestamp,
}

#[derive(Deserialize)]
struct PullAnswer {
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    merge_commit_sha: Option<Sha>,
    head: End,
    base: End,
    #[serde(default)]
    user: Option<payload::User>,
}

#[derive(Deserialize)]
struct TouchedFile {
    filename: String,
    #[serde(default)]
    previous_filename: Option<String>,
}

#[derive(Deserialize)]
struct End {
    #[serde(rename = "ref")]
    branch: String,
    sha: Sha,
    repo: Option<EndRepository>,
}

#[derive(Deserialize)]
struct EndRepository {
    id: RepoId,
}

#[derive(Deserialize)]
struct Comparison {
    status: String,
}

#[derive(Deserialize)]
struct ReviewAnswer {
    id: u64,
    user: Option<payload::User>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    commit_id: Option<Sha>,
    #[serde(default)]
    submitted_at: Option<String>,
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: CommentId,
    node_id: String,
    user: Option<payload::User>,
    #[serde(default)]
    body: Option<String>,
    created_at: String,
}

const EDITED: &str = "\
query($id: ID!) {
  node(id: $id) {
    ... on IssueComment { databaseId lastEditedAt }
  }
}";

impl Forge {
    /// A pull request as it is now. `None`: there is none of this number.
    pub async fn pull_witness(
        &self,
        place: &RepoRef,
        number: Number,
    ) -> Result<Option<PullWitness>, ForgeError> {
        let doing = "reading the release pull request";
        let path = format!("{}/pulls/{number}", repo_path(place));
        let Some(pull) = found(self.get::<PullAnswer>(place, Scope::Read, path, doing).await)?
        else {
            return Ok(None);
        };
        let base = pull.base.branch.parse();
        Ok(Some(PullWitness {
            merged_as: pull.merge_commit_sha.filter(|_| pull.merged),
            base: base
                .map_err(|bad: crate::core::id::Malformed| unreadable(doing, bad.to_string()))?,
            head_branch: pull.head.branch,
            head_repository: pull.head.repo.map(|repo| repo.id),
            head: pull.head.sha,
            author: pull.user,
        }))
    }

    /// The paths that a pull request touches, old names included.
    pub async fn files_of(
        &self,
        place: &RepoRef,
        number: Number,
    ) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/pulls/{number}/files?per_page=100", repo_path(place));
        let doing = "reading what the release changes";
        let files: Vec<TouchedFile> = self.list(place, Scope::Read, path, doing).await?;
        Ok(files
            .into_iter()
            .flat_map(|it| [Some(it.filename), it.previous_filename])
            .flatten()
            .collect())
    }

    /// The tree of a commit. `None`: there is no such commit here.
    pub async fn tree_of(&self, place: &RepoRef, sha: &Sha) -> Result<Option<Sha>, ForgeError> {
        let path = format!("{}/git/commits/{sha}", repo_path(place));
        let doing = "reading a commit";
        let commit = self.get::<payload::GitCommit>(place, Scope::Read, path, doing).await;
        Ok(found(commit)?.map(|commit| commit.tree.sha))
    }

    /// Whether a commit is part of a branch.
    pub async fn is_on(
        &self,
        place: &RepoRef,
        sha: &Sha,
        branch: &Branch,
    ) -> Result<bool, ForgeError> {
        let branch = segments(branch.as_str());
        let path = format!("{}/compare/{sha}...{branch}?per_page=1", repo_path(place));
        let doing = "asking whether the commit is on the default branch";
        let answer = found(self.get::<Comparison>(place, Scope::Read, path, doing).await)?;
        Ok(answer.is_some_and(|it| matches!(it.status.as_str(), "ahead" | "identical")))
    }

    /// Everything people said about a pull request that could approve `head` or forbid it.
    pub async fn said(
        &self,
        place: &RepoRef,
        number: Number,
        head: &Sha,
        address: &Address,
    ) -> Result<Vec<Said>, ForgeError> {
        let doing = "reading the reviews";
        let path = format!("{}/pulls/{number}/reviews?per_page=100", repo_path(place));
        let reviews: Vec<ReviewAnswer> = self.list(place, Scope::Read, path, doing).await?;
        let mut said: Vec<Said> = reviews.into_iter().filter_map(review).collect();
        let doing = "reading the comments";
        let path = format!("{}/issues/{number}/comments?per_page=100", repo_path(place));
        let comments: Vec<CommentAnswer> = self.list(place, Scope::Read, path, doing).await?;
        for comment in comments {
            let body = comment.body.as_deref().unwrap_or_default();
            let approves = approves(body, address, head);
            let (Some(by), true) = (comment.user.as_ref().and_then(actor), approves) else {
                continue;
            };
            let edited = self.was_edited(place, comment.id, &comment.node_id).await?;
            let Some(at) = moment(&comment.created_at) else { continue };
            let word = Word::Comment { id: comment.id, edited };
            said.push(Said { by, stand: Stand::Approves, commit: head.clone(), word, at });
        }
        Ok(said)
    }

    /// Whether a comment is not what was first written any more.
    pub async fn was_edited(
        &self,
        place: &RepoRef,
        id: CommentId,
        node: &str,
    ) -> Result<bool, ForgeError> {
        let doing = "asking whether a comment was edited";
        let variables = json!({ "id": node });
        let answer: payload::EditAnswer =
            self.query(place, Scope::Read, EDITED, variables, doing).await?;
        // What is not there any more, or is another comment, proves nothing.
        let same = answer.node.filter(|node| node.database_id == Some(id.0));
        Ok(same.is_none_or(|node| node.last_edited_at.is_some()))
    }

    /// The check runs on a commit that count, as the server sees them.
    pub async fn checks_seen(
        &self,
        place: &RepoRef,
        sha: &Sha,
    ) -> Result<Vec<SeenCheck>, ForgeError> {
        let doing = "reading the checks";
        let counted = self.counted_runs(place, Scope::Read, sha, doing).await?;
        Ok(counted
            .into_iter()
            .map(|Counted { run, maybe_run_again, .. }| SeenCheck {
                app: run.app_id(),
                state: state_of(&run),
                name: run.name,
                maybe_run_again,
            })
            .collect())
    }

    /// The people who have at least this role. `None`: GitHub does not tell this token.
    pub async fn holders(
        &self,
        place: &RepoRef,
        role: Role,
    ) -> Result<Option<Vec<UserId>>, ForgeError> {
        match self.people_with(place, role).await {
            Ok(people) => Ok(Some(people)),
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn review(review: ReviewAnswer) -> Option<Said> {
    let stand = match review.state.as_str() {
        "APPROVED" => Stand::Approves,
        "CHANGES_REQUESTED" => Stand::Objects,
        "DISMISSED" => Stand::TakenBack,
        _ => return None,
    };
    Some(Said {
        by: review.user.as_ref().and_then(actor)?,
        stand,
        commit: review.commit_id?,
        word: Word::Review(ReviewId(review.id)),
        at: moment(&review.submitted_at?)?,
    })
}

fn actor(user: &payload::User) -> Option<Actor> {
    let login = user.login.parse().ok()?;
    Some(Actor { id: user.id, login, person: user.kind == "User" })
}

fn moment(text: &str) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp(moment.timestamp_millis()))
}

fn state_of(run: &payload::CheckRun) -> CheckState {
    match (run.status.as_deref(), run.conclusion.as_deref()) {
        (Some("completed"), Some("success")) => CheckState::Green,
        (Some("completed"), Some("neutral" | "skipped" | "stale")) => CheckState::Silent,
        (Some("completed"), _) => CheckState::Red,
        _ => CheckState::Running,
    }
}
