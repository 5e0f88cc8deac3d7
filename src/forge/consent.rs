//! The one reader of consent: reviews and comments of a pull request as votes, for the server and
//! for the Action alike.
//!
//! Invariants: an objection never needs what an approval needs. A review that asks for changes
//! counts without a commit and without a time that can be read, an approval counts for nothing
//! without either; permission is asked for at this moment, by account number; whether a comment was
//! edited is asked of GraphQL, for REST's time stamps do not say who or what moved them.

use std::collections::BTreeMap;

use serde_json::json;

use super::payload::{self, Comment, Review, User};
use super::{Forge, ForgeError, Scope};
use crate::core::approval::{Stance, Vote, VoteSource, approves, names_flagged};
use crate::core::command::Address;
use crate::core::github::{Actor, RepoRef, Role};
use crate::core::id::{CommentId, ReviewId, Sha, Timestamp, UserId};

/// Roles asked for in one look.
pub type Roles = BTreeMap<UserId, Role>;

/// What is voted on.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Ballot<'a> {
    pub head: &'a Sha,
    /// How people address Gander in a comment.
    pub address: &'a Address,
    /// The least permission that counts: whose word does not need not be asked about further.
    pub least: Role,
}

/// A review without its author's role.
#[derive(Debug, PartialEq, Eq)]
struct ReviewVote {
    by: Actor,
    stance: Stance,
    commit: Sha,
    at: Timestamp,
}

const EDITED: &str = "\
query($id: ID!) {
  node(id: $id) {
    ... on IssueComment { databaseId lastEditedAt }
  }
}";

impl Forge {
    /// Everything people said about a pull request that could approve its head or forbid it.
    pub async fn votes(
        &self,
        repo: &RepoRef,
        ballot: &Ballot<'_>,
        reviews: &[Review],
        comments: &[Comment],
        roles: &mut Roles,
    ) -> Result<Vec<Vote>, ForgeError> {
        let mut votes = Vec::new();
        for review in reviews {
            let Some(ReviewVote { by, stance, commit, at }) = vote_of(review) else { continue };
            let role = self.role(repo, &by, roles).await?;
            let source = VoteSource::Review(ReviewId(review.id));
            votes.push(Vote { by, role, stance, commit, source, at });
        }
        for comment in comments {
            let body = comment.body.as_deref().unwrap_or_default();
            let names_head = approves(body, ballot.address, ballot.head);
            let by = actor(comment.user.as_ref()).filter(|_| names_head);
            let (Some(by), Some(at)) = (by, moment(comment.created_at.as_deref())) else {
                continue;
            };
            let role = self.role(repo, &by, roles).await?;
            let edited = match (role >= ballot.least, &comment.node_id) {
                (false, _) => comment.created_at != comment.updated_at,
                (true, None) => true,
                (true, Some(node)) => self.was_edited(repo, comment.id, node).await?,
            };
            let (stance, commit) = (Stance::Approves, ballot.head.clone());
            let flagged = names_flagged(body, ballot.address);
            let source = VoteSource::Comment { id: comment.id, edited, flagged };
            votes.push(Vote { by, role, stance, commit, source, at });
        }
        Ok(votes)
    }

    /// What somebody may do, asked for once a look.
    pub async fn role(
        &self,
        repo: &RepoRef,
        actor: &Actor,
        roles: &mut Roles,
    ) -> Result<Role, ForgeError> {
        if !actor.person {
            return Ok(Role::None);
        }
        if let Some(role) = roles.get(&actor.id) {
            return Ok(*role);
        }
        let role = self.permission(repo, actor).await?;
        roles.insert(actor.id, role);
        Ok(role)
    }

    /// Whether a comment is not what was first written any more.
    pub async fn was_edited(
        &self,
        repo: &RepoRef,
        id: CommentId,
        node: &str,
    ) -> Result<bool, ForgeError> {
        let doing = "asking whether a comment was edited";
        let variables = json!({ "id": node });
        let answer: payload::EditAnswer =
            self.query(repo, Scope::Read, EDITED, variables, doing).await?;
        // What is not there any more, or is another comment, proves nothing.
        let same = answer.node.filter(|node| node.database_id == Some(id.0));
        Ok(same.is_none_or(|node| node.last_edited_at.is_some()))
    }
}

/// What a review says. `None`: nothing that decides.
fn vote_of(review: &Review) -> Option<ReviewVote> {
    let by = actor(review.user.as_ref())?;
    let (commit, at) = (review.commit_id.clone(), moment(review.submitted_at.as_deref()));
    match (review.state.as_str(), commit, at) {
        ("APPROVED", Some(commit), Some(at)) => {
            Some(ReviewVote { by, stance: Stance::Approves, commit, at })
        }
        ("CHANGES_REQUESTED", commit, at) => {
            // Without a time nothing that was said counts as later.
            let at = at.unwrap_or(Timestamp(i64::MAX));
            let commit = commit.unwrap_or_else(Sha::nowhere);
            Some(ReviewVote { by, stance: Stance::Objects, commit, at })
        }
        // What was taken back is not there any more; without a time it must not hide an objection.
        ("DISMISSED", commit, Some(at)) => {
            let commit = commit.unwrap_or_else(Sha::nowhere);
            Some(ReviewVote { by, stance: Stance::TakenBack, commit, at })
        }
        _ => None,
    }
}

/// An account, as the rules know it.
pub fn actor(user: Option<&User>) -> Option<Actor> {
    let user = user?;
    Some(Actor { id: user.id, login: user.login.parse().ok()?, person: user.kind == "User" })
}

/// A time as GitHub writes it. `None`: it cannot be read.
pub fn moment(text: Option<&str>) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(text?).ok()?;
    Some(Timestamp(moment.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const TIME: &str = "2026-01-05T10:00:00Z";

    fn vote(state: &str, commit: Option<&str>, at: Option<&str>) -> Option<ReviewVote> {
        let review = json!({
            "id": 7,
            "user": { "id": 3, "login": "mona", "type": "User" },
            "state": state,
            "commit_id": commit,
            "submitted_at": at,
        });
        vote_of(&serde_json::from_value(review).unwrap())
    }

    #[test]
    fn an_approval_needs_a_commit_and_a_time_and_an_objection_neither() {
        let approves = |commit, at| vote("APPROVED", commit, at).is_some();
        assert!(approves(Some(HEAD), Some(TIME)));
        assert!(!approves(None, Some(TIME)));
        for unreadable in [None, Some("yesterday")] {
            assert!(!approves(Some(HEAD), unreadable));
            let objection = vote("CHANGES_REQUESTED", None, unreadable).unwrap();
            assert_eq!((objection.stance, objection.at), (Stance::Objects, Timestamp(i64::MAX)));
            assert_eq!(vote("DISMISSED", Some(HEAD), unreadable), None);
        }
        assert!(vote("CHANGES_REQUESTED", None, Some(TIME)).is_some());
        let taken_back = vote("DISMISSED", None, Some(TIME)).unwrap();
        assert_eq!(taken_back.stance, Stance::TakenBack);
        assert_eq!(vote("COMMENTED", Some(HEAD), Some(TIME)), None);
    }
}
