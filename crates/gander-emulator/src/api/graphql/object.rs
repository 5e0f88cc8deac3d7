//! The things GraphQL shows, and what their fields are.
//!
//! Invariants: types and fields are named as in GitHub's schema; `tests/contract` checks that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::connection::cut;
use super::texts::{author, issue_comment, of_review, review_comment};
use super::{Arguments, Object, Problem, Resolved, may, sees};
use crate::api::Call;
use crate::level::Level;
use crate::shapes::reviews::{in_thread, line_now, start_line_now};
use crate::shapes::{kind_name, moment, node_id, optional_moment, repository_page};
use crate::state::{AccountKind, Issue, Pull, Repository, Review, State};
use crate::{Trouble, rules};

pub(super) fn type_name(state: &State, object: &Object) -> &'static str {
    match object {
        Object::Query => "Query",
        Object::Mutation => "Mutation",
        Object::Repository(_) => "Repository",
        Object::Pull(..) => "PullRequest",
        Object::Thread(..) => "PullRequestReviewThread",
        Object::Review(..) => "PullRequestReview",
        Object::ReviewComment(..) => "PullRequestReviewComment",
        Object::IssueComment(..) => "IssueComment",
        Object::Account(id) => {
            state.accounts.get(id).map_or("User", |account| kind_name(account.kind))
        }
        Object::Commit(..) => "Commit",
        Object::Page(page) => page.kind,
        Object::PageInfo(_) => "PageInfo",
        Object::Payload { kind, .. } => kind,
    }
}

/// Whether a fragment on a type applies to an object.
pub(super) fn is(state: &State, object: &Object, on: &str) -> bool {
    let name = type_name(state, object);
    if name == on {
        return true;
    }
    match on {
        "Node" => node_of(state, object).is_some(),
        "Actor" => matches!(object, Object::Account(_)),
        "Comment" => matches!(
            object,
            Object::IssueComment(..)
                | Object::ReviewComment(..)
                | Object::Review(..)
                | Object::Pull(..)
        ),
        _ => false,
    }
}

/// The global id of an object.
fn node_of(state: &State, object: &Object) -> Option<String> {
    Some(match object {
        Object::Repository(id) => node_id("Repository", id),
        Object::Pull(repository, number) => {
            node_id("PullRequest", state.issue(*repository, *number).ok()?.id)
        }
        Object::Thread(_, root) => node_id("PullRequestReviewThread", root),
        Object::Review(_, id) => node_id("PullRequestReview", id),
        Object::ReviewComment(_, id) => node_id("PullRequestReviewComment", id),
        Object::IssueComment(_, id) => node_id("IssueComment", id),
        Object::Account(id) => node_id("User", id),
        Object::Commit(sha) => node_id("Commit", sha),
        Object::Query
        | Object::Mutation
        | Object::Page(_)
        | Object::PageInfo(_)
        | Object::Payload { .. } => return None,
    })
}

/// The object that a global id names.
pub(super) fn from_node_id(state: &State, id: &str) -> Option<Object> {
    let text = String::from_utf8(STANDARD.decode(id).ok()?).ok()?;
    let (kind, number) = text.split_once(':')?;
    let number: u64 = number.parse().ok()?;
    state.repositories.values().find_map(|known| match kind {
        "Repository" if known.id == number => Some(Object::Repository(number)),
        "PullRequest" => {
            let mut issues = known.issues.values();
            let issue = issues.find(|issue| issue.id == number && issue.pull.is_some())?;
            Some(Object::Pull(known.id, issue.number))
        }
        "PullRequestReviewThread" if known.review_comments.contains_key(&number) => {
            Some(Object::Thread(known.id, number))
        }
        "PullRequestReview" if known.reviews.iter().any(|review| review.id == number) => {
            Some(Object::Review(known.id, number))
        }
        "PullRequestReviewComment" if known.review_comments.contains_key(&number) => {
            Some(Object::ReviewComment(known.id, number))
        }
        "IssueComment" if known.comments.contains_key(&number) => {
            Some(Object::IssueComment(known.id, number))
        }
        _ => None,
    })
}

/// The repository an object stands in.
fn home(object: &Object) -> Option<u64> {
    match object {
        Object::Repository(id)
        | Object::Pull(id, _)
        | Object::Thread(id, _)
        | Object::Review(id, _)
        | Object::ReviewComment(id, _)
        | Object::IssueComment(id, _) => Some(*id),
        _ => None,
    }
}

pub(super) fn field(
    call: &Call<'_>,
    object: &Object,
    name: &str,
    arguments: Arguments,
) -> Result<Resolved, Problem> {
    let state = &*call.state;
    if name == "__typename" {
        arguments.end()?;
        return Ok(Resolved::Value(json!(type_name(state, object))));
    }
    match object {
        Object::Query => query(call, name, arguments),
        Object::Page(page) => page.field(name, arguments),
        Object::PageInfo(page) => page.info(name, arguments),
        Object::Payload { holds, object: inner, mutation_id, .. } => {
            arguments.end()?;
            match name {
                "clientMutationId" => Ok(Resolved::Value(mutation_id.clone())),
                _ if name == *holds => Ok(Resolved::One(Some((**inner).clone()))),
                _ => Err(unknown(state, object, name)),
            }
        }
        _ => thing(call, object, name, arguments),
    }
}

/// A field of what stands in a repository, or of an account.
fn thing(
    call: &Call<'_>,
    object: &Object,
    name: &str,
    arguments: Arguments,
) -> Result<Resolved, Problem> {
    let state = &*call.state;
    if name == "id" {
        arguments.end()?;
        return Ok(Resolved::Value(json!(node_of(state, object))));
    }
    let found = match object {
        Object::Repository(id) => {
            return repository(call, state.repository(*id)?, name, arguments);
        }
        Object::Pull(id, number) => {
            let (known, issue) = (state.repository(*id)?, state.issue(*id, *number)?);
            match name {
                "reviewThreads" | "reviews" | "comments" => {
                    return pull_lists(known, issue, name, arguments);
                }
                _ => pull(state, known, issue, name)?,
            }
        }
        Object::Thread(id, root) => {
            let known = state.repository(*id)?;
            if name == "comments" {
                let all = in_thread(known, *root).into_iter();
                let all = all.map(|comment| Object::ReviewComment(*id, comment.id)).collect();
                return cut("PullRequestReviewCommentConnection", all, arguments);
            }
            thread(known, *root, name)
        }
        Object::Review(id, review) => {
            let known = state.repository(*id)?;
            let found = known.reviews.iter().find(|one| one.id == *review);
            let found = found.ok_or_else(|| Trouble::unknown("review", review))?;
            if name == "comments" {
                let all = known.review_comments.values().filter(|one| one.review == *review);
                let all = all.map(|comment| Object::ReviewComment(*id, comment.id)).collect();
                return cut("PullRequestReviewCommentConnection", all, arguments);
            }
            of_review(state, known, found, name)
        }
        Object::ReviewComment(id, comment) => {
            let known = state.repository(*id)?;
            let found = known.review_comments.get(comment);
            let found = found.ok_or_else(|| Trouble::unknown("review comment", comment))?;
            review_comment(state, known, found, name)
        }
        Object::IssueComment(id, comment) => {
            let known = state.repository(*id)?;
            let found = known.comments.get(comment);
            let found = found.ok_or_else(|| Trouble::unknown("comment", comment))?;
            issue_comment(state, known, found, name)
        }
        Object::Account(id) => account(state, *id, name),
        Object::Commit(sha) => (name == "oid").then(|| Resolved::Value(json!(sha))),
        Object::Query
        | Object::Mutation
        | Object::Page(_)
        | Object::PageInfo(_)
        | Object::Payload { .. } => None,
    };
    arguments.end()?;
    found.ok_or_else(|| unknown(state, object, name))
}

fn unknown(state: &State, object: &Object, name: &str) -> Problem {
    let kind = type_name(state, object);
    Problem::senseless(format!("Field '{name}' doesn't exist on type '{kind}'"))
}

fn query(call: &Call<'_>, name: &str, mut arguments: Arguments) -> Result<Resolved, Problem> {
    match name {
        "repository" => {
            let (owner, repository) = (arguments.text("owner")?, arguments.text("name")?);
            arguments.take("followRenames");
            arguments.end()?;
            let found = call.state.repository_named(&owner, &repository).map(|known| known.id);
            let words =
                format!("Could not resolve to a Repository with the name '{owner}/{repository}'.");
            let found = found.filter(|id| sees(call, *id));
            let found = found.ok_or_else(|| Problem::not_found(words))?;
            Ok(Resolved::One(Some(Object::Repository(found))))
        }
        "node" => {
            let id = arguments.text("id")?;
            arguments.end()?;
            let found = from_node_id(call.state, &id);
            let missing = || {
                let words = format!("Could not resolve to a node with the global id of '{id}'");
                Problem::not_found(words)
            };
            let found = found.ok_or_else(missing)?;
            let repository = home(&found).filter(|id| sees(call, *id)).ok_or_else(missing)?;
            let wanted: &[&str] = match found {
                Object::IssueComment(..) => &["issues", "pull_requests"],
                Object::Repository(_) => &["metadata"],
                _ => &["pull_requests"],
            };
            if !may(call, repository, wanted, Level::Read) {
                return Err(Problem::forbidden());
            }
            Ok(Resolved::One(Some(found)))
        }
        other => Err(Problem::senseless(format!("Field '{other}' doesn't exist on type 'Query'"))),
    }
}

fn repository(
    call: &Call<'_>,
    known: &Repository,
    name: &str,
    mut arguments: Arguments,
) -> Result<Resolved, Problem> {
    let value = match name {
        "name" => json!(known.name),
        "nameWithOwner" => json!(call.state.full_name(known)),
        "databaseId" => json!(known.id),
        "isPrivate" => json!(known.private),
        "mergeCommitAllowed" => json!(known.merge_methods.contains("merge")),
        "squashMergeAllowed" => json!(known.merge_methods.contains("squash")),
        "rebaseMergeAllowed" => json!(known.merge_methods.contains("rebase")),
        "pullRequest" => {
            let number = arguments.required("number")?.as_u64().unwrap_or(0);
            arguments.end()?;
            if !may(call, known.id, &["pull_requests"], Level::Read) {
                return Err(Problem::forbidden());
            }
            let found = known.issues.get(&number).filter(|issue| issue.pull.is_some());
            let words = format!("Could not resolve to a PullRequest with the number of {number}.");
            found.ok_or_else(|| Problem::not_found(words))?;
            return Ok(Resolved::One(Some(Object::Pull(known.id, number))));
        }
        other => return Err(unknown(call.state, &Object::Repository(known.id), other)),
    };
    arguments.end()?;
    Ok(Resolved::Value(value))
}

fn pull_lists(
    known: &Repository,
    issue: &Issue,
    name: &str,
    mut arguments: Arguments,
) -> Result<Resolved, Problem> {
    let (id, number) = (known.id, issue.number);
    match name {
        "reviewThreads" => {
            let roots = known.review_comments.values();
            let roots = roots.filter(|one| one.pull == number && one.in_reply_to.is_none());
            let all = roots.map(|one| Object::Thread(id, one.id)).collect();
            cut("PullRequestReviewThreadConnection", all, arguments)
        }
        "reviews" => {
            let states = arguments.take("states");
            let fits = |review: &&Review| {
                let states = states.as_ref().and_then(Value::as_array);
                review.pull == number
                    && states.is_none_or(|states| states.contains(&json!(review.state)))
            };
            let all = known.reviews.iter().filter(fits);
            let all = all.map(|review| Object::Review(id, review.id)).collect();
            cut("PullRequestReviewConnection", all, arguments)
        }
        _ => {
            let all = known.comments.values().filter(|comment| comment.issue == number);
            let all = all.map(|comment| Object::IssueComment(id, comment.id)).collect();
            cut("IssueCommentConnection", all, arguments)
        }
    }
}

fn pull(
    state: &State,
    known: &Repository,
    issue: &Issue,
    name: &str,
) -> Result<Option<Resolved>, Problem> {
    let missing = || Trouble::unknown("pull request", issue.number);
    let pull: &Pull = issue.pull.as_ref().ok_or_else(missing)?;
    let page = repository_page(state, known.id, &format!("/pull/{}", issue.number));
    Ok(Some(Resolved::Value(match name {
        "number" => json!(issue.number),
        "title" => json!(issue.title),
        "body" => json!(issue.body.clone().unwrap_or_default()),
        "url" => json!(page),
        "state" => json!(match (issue.open, pull.merged_at) {
            (true, _) => "OPEN",
            (false, Some(_)) => "MERGED",
            (false, None) => "CLOSED",
        }),
        "isDraft" => json!(pull.draft),
        "isMergeQueueEnabled" => {
            let protection = known.protections.get(&pull.base_branch);
            json!(protection.is_some_and(|protection| protection.merge_queue))
        }
        "merged" => json!(pull.merged_at.is_some()),
        "mergedAt" => optional_moment(pull.merged_at),
        "mergedBy" => return Ok(Some(author(state, pull.merged_by))),
        "mergeCommit" => {
            let commit = pull.merge_commit.clone().map(Object::Commit);
            return Ok(Some(Resolved::One(commit)));
        }
        "mergeable" => json!(match rules::mergeability(state, known, issue, pull).0 {
            Some(true) => "MERGEABLE",
            Some(false) => "CONFLICTING",
            None => "UNKNOWN",
        }),
        "headRefOid" => json!(pull.head_sha),
        "headRefName" => json!(pull.head_branch),
        "baseRefOid" => json!(pull.base_sha),
        "baseRefName" => json!(pull.base_branch),
        "reviewDecision" => json!(rules::review_decision(state, known, issue)),
        "createdAt" => json!(moment(issue.created_at)),
        "updatedAt" => json!(moment(issue.updated_at)),
        "author" => return Ok(Some(author(state, issue.author))),
        _ => return Ok(None),
    })))
}

fn thread(known: &Repository, root: u64, name: &str) -> Option<Resolved> {
    let first = known.review_comments.get(&root)?;
    let resolved = known.resolved.get(&root);
    let line = || line_now(known, first);
    Some(Resolved::Value(match name {
        "isResolved" => json!(resolved.is_some()),
        "resolvedBy" => return Some(Resolved::One(resolved.copied().map(Object::Account))),
        "isOutdated" => json!(line().is_none()),
        "path" => json!(first.spot.path),
        "line" => json!(line()),
        "startLine" => json!(line().and_then(|_| start_line_now(known, first))),
        "originalLine" => json!(first.spot.line),
        "originalStartLine" => json!(first.spot.start_line),
        "diffSide" => json!(first.spot.side.as_str()),
        "pullRequest" => return Some(Resolved::One(Some(Object::Pull(known.id, first.pull)))),
        _ => return None,
    }))
}

/// GraphQL leaves out the `[bot]` that REST puts behind the name of an App's account.
fn account(state: &State, id: u64, name: &str) -> Option<Resolved> {
    let known = state.accounts.get(&id)?;
    let login = known.login.strip_suffix("[bot]").unwrap_or(&known.login);
    Some(Resolved::Value(match name {
        "login" => json!(login),
        "databaseId" if known.kind != AccountKind::Organization => json!(known.id),
        _ => return None,
    }))
}
