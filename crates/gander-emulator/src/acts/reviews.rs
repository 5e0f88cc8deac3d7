//! Reviews: submitted, edited, dismissed; the threads of their comments: replied to, resolved.
//!
//! Invariants: a comment stands on a line of the diff; every comment belongs to a review, a reply
//! to one of its own.

use serde_json::{Value, json};

use super::dispatch::heard_said;
use super::gist;
use crate::Trouble;
use crate::git::find_line;
use crate::hooks::{self, Event};
use crate::shapes::{pulls, reviews as shapes};
use crate::state::{LastEdit, Pull, Repository, Review, ReviewComment, Side, Spot, State};

/// A comment on lines, to come with a review.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) spot: Spot,
    pub(crate) body: String,
}

/// A review to submit.
pub(crate) struct NewReview {
    pub(crate) author: u64,
    /// `APPROVED`, `CHANGES_REQUESTED` or `COMMENTED`.
    pub(crate) verdict: &'static str,
    pub(crate) body: String,
    /// The commit that was read; `None`: the head.
    pub(crate) commit: Option<String>,
    pub(crate) notes: Vec<Note>,
}

/// The hunk of the diff that ends with the line of a spot, and the line's place in the diff.
fn anchor(
    known: &Repository,
    pull: &Pull,
    commit: &str,
    spot: &Spot,
) -> Result<(String, u64), Trouble> {
    let start = known.git.merge_base(&pull.base_sha, commit);
    let start = start.unwrap_or_else(|| pull.base_sha.clone());
    let changes = known.git.diff(&start, commit)?;
    let change = changes.iter().find(|change| change.path == spot.path);
    let refused = |words: &str| Trouble::Refused(words.to_owned());
    let change = change.ok_or_else(|| refused("Path could not be resolved"))?;
    let patch = change.patch.as_deref().unwrap_or_default();
    let in_old = spot.side == Side::Left;
    if let Some(first) = spot.start_line
        && (first >= spot.line || find_line(patch, in_old, first).is_none())
    {
        return Err(refused("Start line could not be resolved"));
    }
    find_line(patch, in_old, spot.line).ok_or_else(|| refused("Line could not be resolved"))
}

/// Submits a review with its comments; says its number.
pub(crate) fn review(
    state: &mut State,
    repository: u64,
    number: u64,
    new: NewReview,
) -> Result<u64, Trouble> {
    let (known, pull) = (state.repository(repository)?, state.pull(repository, number)?.clone());
    let own = state.issue(repository, number)?.author == Some(new.author);
    match new.verdict {
        "APPROVED" if own => {
            return Err(Trouble::Refused("Can not approve your own pull request".to_owned()));
        }
        "CHANGES_REQUESTED" if own => {
            let words = "Can not request changes on your own pull request";
            return Err(Trouble::Refused(words.to_owned()));
        }
        _ => {}
    }
    let commit = new.commit.unwrap_or_else(|| pull.head_sha.clone());
    let mut anchored = Vec::new();
    for note in new.notes {
        let place = anchor(known, &pull, &commit, &note.spot)?;
        anchored.push((note, place));
    }
    let (id, now) = (state.ids.review(), state.now());
    let asked = &mut state.pull_mut(repository, number)?.requested_reviewers;
    asked.retain(|reviewer| *reviewer != new.author);
    let author = Some(new.author);
    let words = new.verdict.to_ascii_lowercase().replace('_', " ");
    let count = anchored.len();
    state.repository_mut(repository)?.reviews.push(Review {
        id,
        pull: number,
        author: new.author,
        state: new.verdict.to_owned(),
        body: new.body,
        commit: commit.clone(),
        submitted_at: now,
        last_edit: None,
    });
    let on_lines = match count {
        0 => String::new(),
        1 => " with a comment".to_owned(),
        _ => format!(" with {count} comments"),
    };
    state.tell(repository, author, format!("reviewed #{number}: {words}{on_lines}"));
    state.issue_mut(repository, number)?.updated_at = now;
    let mut made = Vec::new();
    for (note, (diff_hunk, position)) in anchored {
        let comment = state.ids.review_comment();
        made.push(comment);
        state.repository_mut(repository)?.review_comments.insert(
            comment,
            ReviewComment {
                id: comment,
                review: id,
                pull: number,
                author,
                body: note.body,
                spot: note.spot,
                commit: commit.clone(),
                diff_hunk,
                position,
                in_reply_to: None,
                created_at: now,
                updated_at: now,
                last_edit: None,
            },
        );
    }
    announce_review(state, repository, id, "submitted", author, json!({}))?;
    for comment in made {
        announce_comment(state, repository, comment, "created", author, json!({}))?;
    }
    Ok(id)
}

/// Replies in a thread, by any of its comments; says the number of the reply.
pub(crate) fn reply(
    state: &mut State,
    repository: u64,
    to: u64,
    author: u64,
    body: &str,
) -> Result<u64, Trouble> {
    let root = find_comment(state, repository, to)?.root();
    let first = find_comment(state, repository, root)?;
    let number = first.pull;
    let (spot, commit) = (first.spot.clone(), first.commit.clone());
    let (diff_hunk, position) = (first.diff_hunk.clone(), first.position);
    let head = state.pull(repository, number)?.head_sha.clone();
    let (review, id, now) = (state.ids.review(), state.ids.review_comment(), state.now());
    let known = state.repository_mut(repository)?;
    known.reviews.push(Review {
        id: review,
        pull: number,
        author,
        state: "COMMENTED".to_owned(),
        body: String::new(),
        commit: head,
        submitted_at: now,
        last_edit: None,
    });
    known.review_comments.insert(
        id,
        ReviewComment {
            id,
            review,
            pull: number,
            author: Some(author),
            body: body.to_owned(),
            spot,
            commit,
            diff_hunk,
            position,
            in_reply_to: Some(root),
            created_at: now,
            updated_at: now,
            last_edit: None,
        },
    );
    let author = Some(author);
    state.tell(repository, author, format!("replied in a thread on #{number}: {}", gist(body)));
    announce_review(state, repository, review, "submitted", author, json!({}))?;
    announce_comment(state, repository, id, "created", author, json!({}))?;
    Ok(id)
}

/// Resolves the thread of a comment, or takes that back.
pub(crate) fn set_resolved(
    state: &mut State,
    repository: u64,
    comment: u64,
    actor: u64,
    resolved: bool,
) -> Result<(), Trouble> {
    let known = find_comment(state, repository, comment)?;
    let (root, number) = (known.root(), known.pull);
    let threads = &mut state.repository_mut(repository)?.resolved;
    if threads.contains_key(&root) == resolved {
        return Ok(());
    }
    let action = if resolved {
        threads.insert(root, actor);
        "resolved"
    } else {
        threads.remove(&root);
        "unresolved"
    };
    let actor = Some(actor);
    state.tell(repository, actor, format!("{action} a thread on #{number}"));
    let known = state.repository(repository)?;
    let payload = json!({
        "thread": shapes::thread(state, known, root),
        "pull_request": pulls::simple(state, known, state.issue(repository, number)?),
        "updated_at": super::shapes::moment(state.now()),
    });
    let name = "pull_request_review_thread";
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    Ok(())
}

/// Takes the verdict of a review away.
pub(crate) fn dismiss_review(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let review = find_review_mut(state, repository, id)?;
    if !matches!(review.state.as_str(), "APPROVED" | "CHANGES_REQUESTED") {
        let word = review.state.to_ascii_lowercase();
        let words = format!("Can not dismiss a {word} pull request review");
        return Err(Trouble::Refused(words));
    }
    review.state = "DISMISSED".to_owned();
    let (number, author) = (review.pull, review.author);
    let login = state.login(Some(author));
    state.tell(repository, actor, format!("dismissed the review of {login} on #{number}"));
    announce_review(state, repository, id, "dismissed", actor, json!({}))
}

/// A push takes approvals back where the base asks for that.
pub(super) fn dismiss_stale(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let (known, pull) = (state.repository(repository)?, state.pull(repository, number)?);
    if !known.protections.get(&pull.base_branch).is_some_and(|one| one.dismisses_stale) {
        return Ok(());
    }
    let approvals = known
        .reviews
        .iter()
        .filter(|one| one.pull == number && one.state == "APPROVED" && one.commit != pull.head_sha);
    for id in approvals.map(|review| review.id).collect::<Vec<_>>() {
        dismiss_review(state, repository, id, actor)?;
    }
    Ok(())
}

/// Changes what a review says, whoever wrote it.
pub(crate) fn edit_review(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: Option<u64>,
    body: &str,
) -> Result<(), Trouble> {
    let at = state.now();
    let review = find_review_mut(state, repository, id)?;
    if review.body == body {
        return Ok(());
    }
    let before = std::mem::replace(&mut review.body, body.to_owned());
    review.last_edit = Some(LastEdit { at, editor: actor });
    let number = review.pull;
    state.tell(repository, actor, format!("edited a review of #{number}: {}", gist(body)));
    let changes = json!({ "changes": { "body": { "from": before } } });
    announce_review(state, repository, id, "edited", actor, changes)
}

/// Changes a comment of a review, whoever wrote it.
pub(crate) fn edit_review_comment(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: Option<u64>,
    body: &str,
) -> Result<(), Trouble> {
    let at = state.now();
    let comments = &mut state.repository_mut(repository)?.review_comments;
    let comment = comments.get_mut(&id).ok_or_else(|| Trouble::unknown("review comment", id))?;
    comment.updated_at = at;
    if comment.body == body {
        return Ok(());
    }
    let before = std::mem::replace(&mut comment.body, body.to_owned());
    comment.last_edit = Some(LastEdit { at, editor: actor });
    let number = comment.pull;
    state.tell(repository, actor, format!("edited a review comment on #{number}: {}", gist(body)));
    let changes = json!({ "changes": { "body": { "from": before } } });
    announce_comment(state, repository, id, "edited", actor, changes)
}

fn find_comment(state: &State, repository: u64, id: u64) -> Result<&ReviewComment, Trouble> {
    let comments = &state.repository(repository)?.review_comments;
    comments.get(&id).ok_or_else(|| Trouble::unknown("review comment", id))
}

fn find_review_mut(state: &mut State, repository: u64, id: u64) -> Result<&mut Review, Trouble> {
    let mut reviews = state.repository_mut(repository)?.reviews.iter_mut();
    reviews.find(|review| review.id == id).ok_or_else(|| Trouble::unknown("review", id))
}

fn announce_review(
    state: &mut State,
    repository: u64,
    id: u64,
    action: &str,
    actor: Option<u64>,
    extra: Value,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let review = known.reviews.iter().find(|review| review.id == id);
    let review = review.ok_or_else(|| Trouble::unknown("review", id))?;
    let mut shape = shapes::review(state, known, review);
    // In webhooks, and only there, GitHub writes it small and leaves an empty text out.
    shape["state"] = json!(review.state.to_ascii_lowercase());
    if review.body.is_empty() {
        shape["body"] = Value::Null;
    }
    let mut payload = extra;
    payload["review"] = shape;
    payload["pull_request"] =
        json!(pulls::simple(state, known, state.issue(repository, review.pull)?));
    let (name, pull) = ("pull_request_review", review.pull);
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    heard_said(state, repository, (name, action), Some(pull), actor, &event.payload)
}

fn announce_comment(
    state: &mut State,
    repository: u64,
    id: u64,
    action: &str,
    actor: Option<u64>,
    extra: Value,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let comment = find_comment(state, repository, id)?;
    let mut payload = extra;
    payload["comment"] = shapes::comment(state, known, comment);
    payload["pull_request"] =
        json!(pulls::simple(state, known, state.issue(repository, comment.pull)?));
    let (name, pull) = ("pull_request_review_comment", comment.pull);
    let event = Event { name, action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    heard_said(state, repository, (name, action), Some(pull), actor, &event.payload)
}
