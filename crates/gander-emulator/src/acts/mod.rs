//! What can happen in the emulator, whoever causes it: the API, a push or a person in a story.
//!
//! Invariants: each happening changes the state, writes one line of the timeline and queues its
//! webhooks, here and nowhere else.

mod checks;
mod dispatch;
mod follow;
mod issues;
mod merge;
mod mergeable;
mod pulls;
mod refs;
mod releases;
mod reviews;
mod runs;

use serde_json::{Value, json};

pub(crate) use self::checks::{CheckChange, NewStatus, post_status, start_check, update_check};
pub(crate) use self::dispatch::{dispatch, dispatch_workflow};
pub(crate) use self::issues::{
    NewIssue, Presence, comment, delete_comment, edit_comment, edit_issue, label, open_issue,
    react, set_presence, unlabel, unreact,
};
pub(crate) use self::merge::{Merge, MergeWish, Merged, merge, merge_branches, update_branch};
pub(crate) use self::mergeable::try_merge;
pub(crate) use self::pulls::{
    NewPull, convert_to_draft, mark_ready, open_pull, reopen_pull, request_reviewers, retarget,
    unrequest_reviewers, why_no_pull,
};
pub(crate) use self::refs::{announce_pushed, move_ref};
pub(crate) use self::releases::{
    ReleaseChange, create_release, delete_release, update_release, upload_asset,
};
pub(crate) use self::reviews::{
    NewReview, Note, dismiss_review, edit_review, edit_review_comment, reply, review, set_resolved,
};
pub(crate) use self::runs::{
    JobEnded, NewRun, begin_job, begin_run, end_job, finish_job, finish_run, keep_artifact,
    rerun_jobs, start_run,
};
use super::Trouble;
use super::git::{Git, Signature};
use super::hooks::{self, Event};
use super::shapes::{self, issues as issue_shapes, pulls as pull_shapes};
use super::state::{Issue, Label, Repository, State};

/// Whether GitHub signs a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    Unsigned,
    WebFlow,
}

/// Writes a commit object; nothing points to it yet.
pub(crate) fn write_commit(
    git: &Git,
    tree: &str,
    parents: &[String],
    (author, committer): (&Signature, &Signature),
    message: &str,
    seal: Seal,
) -> Result<String, Trouble> {
    let mut head = format!("tree {tree}\n");
    for parent in parents {
        head.push_str(&format!("parent {parent}\n"));
    }
    for (role, who) in [("author", author), ("committer", committer)] {
        head.push_str(&format!("{role} {} <{}> {} +0000\n", who.name, who.email, who.at));
    }
    let payload = format!("{head}\n{message}");
    let signature = match seal {
        Seal::WebFlow => shapes::commits::sign(&payload),
        Seal::Unsigned => None,
    };
    if let Some(signature) = signature {
        head.push_str(&format!("gpgsig {}\n", signature.replace('\n', "\n ")));
    }
    git.write("commit", format!("{head}\n{message}").as_bytes())
}

/// How GitHub itself signs, as the committer of what is made on its pages and in its API.
pub(crate) fn web_flow(state: &State) -> Signature {
    Signature {
        name: "GitHub".to_owned(),
        email: "noreply@github.com".to_owned(),
        at: state.now() / 1000,
    }
}

/// Adds a label to a repository, unless it has one of that name.
pub(crate) fn add_label(
    state: &mut State,
    repository: u64,
    name: &str,
    color: &str,
    description: Option<&str>,
) -> Result<(), Trouble> {
    if issue_shapes::find_label(state.repository(repository)?, name).is_some() {
        return Ok(());
    }
    let id = state.ids.label();
    state.repository_mut(repository)?.labels.push(Label {
        id,
        name: name.to_owned(),
        color: color.to_owned(),
        description: description.map(str::to_owned),
    });
    Ok(())
}

/// Fires an event about an issue or, when it is one, a pull request: GitHub sends `issues` for
/// the one and `pull_request` for the other.
fn fire_about(
    state: &mut State,
    repository: u64,
    number: u64,
    action: &str,
    actor: Option<u64>,
    extra: Value,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let issue = state.issue(repository, number)?;
    let mut payload = extra;
    let name = match pull_shapes::simple(state, known, issue) {
        Some(pull) => {
            payload["number"] = json!(number);
            let merged_by = issue.pull.as_ref().and_then(|pull| pull.merged_by);
            payload["pull_request"] = webhook_pull(pull, issue.pull.as_ref());
            payload["pull_request"]["merged_by"] = shapes::user(state, merged_by);
            payload["pull_request"]["comments"] = json!(0);
            "pull_request"
        }
        None => {
            payload["issue"] = webhook_issue(state, known, issue);
            "issues"
        }
    };
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    match name {
        "pull_request" => {
            dispatch::heard_pull_request(state, repository, number, action, actor, &event.payload)
        }
        _ => Ok(()),
    }
}

/// A webhook's issue does not say who closed it.
fn webhook_issue(state: &State, known: &Repository, issue: &Issue) -> Value {
    let mut shape = issue_shapes::issue(state, known, issue);
    if let Some(shape) = shape.as_object_mut() {
        shape.remove("closed_by");
    }
    shape
}

/// A webhook's pull request holds what its page shows, with mergeability not worked out yet.
fn webhook_pull(mut shape: Value, pull: Option<&super::state::Pull>) -> Value {
    let merged = pull.is_some_and(|pull| pull.merged_at.is_some());
    shape["merged"] = json!(merged);
    shape["mergeable"] = Value::Null;
    shape["rebaseable"] = Value::Null;
    shape["mergeable_state"] = json!("unknown");
    for name in ["comments", "review_comments", "commits", "additions", "deletions"] {
        shape[name] = json!(0);
    }
    shape["changed_files"] = json!(0);
    shape["maintainer_can_modify"] = json!(false);
    shape
}

/// The first line of a text, short enough for a timeline.
fn gist(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    if line.chars().count() <= 80 {
        return line.to_owned();
    }
    let cut: String = line.chars().take(79).collect();
    format!("{cut}…")
}
