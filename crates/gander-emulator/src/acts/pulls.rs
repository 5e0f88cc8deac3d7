//! Pull requests: opened, led to another base, opened again; who is asked to review them.

use serde_json::json;

use super::follow::point_pull_ref;
use super::issues::{NewIssue, add_issue};
use super::{Presence, fire_about, set_presence};
use crate::Trouble;
use crate::shapes::user;
use crate::state::{Pull, State};

pub(crate) struct NewPull {
    pub(crate) author: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    /// The repository of the head branch: this one or a fork.
    pub(crate) head_repository: u64,
    pub(crate) head_branch: String,
    pub(crate) base_branch: String,
    pub(crate) draft: bool,
}

/// Why GitHub would not open this pull request: the field and the words; `None` when it would.
pub(crate) fn why_no_pull(
    state: &State,
    repository: u64,
    new: &NewPull,
) -> Result<Option<(&'static str, String)>, Trouble> {
    let (known, from) = (state.repository(repository)?, state.repository(new.head_repository)?);
    let Some(base) = known.refs.get(&format!("refs/heads/{}", new.base_branch)) else {
        return Ok(Some(("base", "invalid".to_owned())));
    };
    let Some(head) = from.refs.get(&format!("refs/heads/{}", new.head_branch)) else {
        return Ok(Some(("head", "invalid".to_owned())));
    };
    let owner = state.login(Some(from.owner));
    let twin = known.issues.values().filter(|issue| issue.open).any(|issue| {
        issue.pull.as_ref().is_some_and(|pull| {
            pull.head_repository == Some(new.head_repository)
                && pull.head_branch == new.head_branch
                && pull.base_branch == new.base_branch
        })
    });
    if twin {
        let words = format!("A pull request already exists for {owner}:{}.", new.head_branch);
        return Ok(Some(("", words)));
    }
    // A fork holds the base's objects too, if not the newest: ask where both are sure to be.
    let same = from.id == known.id;
    let empty = same && known.git.is_ancestor(head, base);
    if empty || head == base {
        let words = format!("No commits between {} and {}", new.base_branch, new.head_branch);
        return Ok(Some(("", words)));
    }
    Ok(None)
}

pub(crate) fn open_pull(state: &mut State, repository: u64, new: NewPull) -> Result<u64, Trouble> {
    if let Some((field, words)) = why_no_pull(state, repository, &new)? {
        return Err(Trouble::Refused(format!("{field} {words}").trim().to_owned()));
    }
    let tip = |id: u64, branch: &str| -> Result<String, Trouble> {
        let sha = state.repository(id)?.refs.get(&format!("refs/heads/{branch}"));
        sha.cloned().ok_or_else(|| Trouble::unknown("branch", branch))
    };
    let head_sha = tip(new.head_repository, &new.head_branch)?;
    let base_sha = tip(repository, &new.base_branch)?;
    let author = Some(new.author);
    let issue = NewIssue {
        author,
        title: new.title.clone(),
        body: new.body,
        labels: Vec::new(),
        assignees: Vec::new(),
    };
    let number = add_issue(state, repository, issue)?;
    let (base, draft) = (new.base_branch.clone(), if new.draft { "draft " } else { "" });
    let text = format!(
        "opened {draft}pull request #{number}: {} ({} into {base})",
        new.title, new.head_branch
    );
    state.issue_mut(repository, number)?.pull = Some(Pull {
        head_repository: Some(new.head_repository),
        head_branch: new.head_branch,
        head_sha,
        base_branch: new.base_branch,
        base_sha,
        draft: new.draft,
        merged_at: None,
        merged_by: None,
        merge_commit: None,
        requested_reviewers: Vec::new(),
        test_merge: None,
        mergeability_asked: false,
    });
    point_pull_ref(state, repository, number)?;
    state.tell(repository, author, text);
    fire_about(state, repository, number, "opened", author, json!({}))?;
    Ok(number)
}

pub(crate) fn request_reviewers(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    reviewers: &[u64],
) -> Result<(), Trouble> {
    for reviewer in reviewers {
        let pull = state.pull_mut(repository, number)?;
        if pull.requested_reviewers.contains(reviewer) {
            continue;
        }
        pull.requested_reviewers.push(*reviewer);
        let login = state.login(Some(*reviewer));
        state.tell(repository, actor, format!("asked {login} to review #{number}"));
        let who = user(state, Some(*reviewer));
        let extra = json!({ "requested_reviewer": who });
        fire_about(state, repository, number, "review_requested", actor, extra)?;
    }
    Ok(())
}

/// Takes requests for a review back.
pub(crate) fn unrequest_reviewers(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    reviewers: &[u64],
) -> Result<(), Trouble> {
    for reviewer in reviewers {
        let pull = state.pull_mut(repository, number)?;
        if !pull.requested_reviewers.contains(reviewer) {
            continue;
        }
        pull.requested_reviewers.retain(|asked| asked != reviewer);
        let login = state.login(Some(*reviewer));
        state.tell(repository, actor, format!("no longer asks {login} to review #{number}"));
        let extra = json!({ "requested_reviewer": user(state, Some(*reviewer)) });
        fire_about(state, repository, number, "review_request_removed", actor, extra)?;
    }
    Ok(())
}

/// Leads a pull request to another base.
pub(crate) fn retarget(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    base: &str,
) -> Result<(), Trouble> {
    let tip = state.repository(repository)?.refs.get(&format!("refs/heads/{base}")).cloned();
    let tip = tip.ok_or_else(|| Trouble::unknown("branch", base))?;
    let now = state.now();
    let pull = state.pull_mut(repository, number)?;
    if pull.base_branch == base {
        return Ok(());
    }
    let branch = std::mem::replace(&mut pull.base_branch, base.to_owned());
    let sha = std::mem::replace(&mut pull.base_sha, tip);
    (pull.mergeability_asked, pull.test_merge) = (false, None);
    state.issue_mut(repository, number)?.updated_at = now;
    state.tell(repository, actor, format!("led #{number} to {base} instead of {branch}"));
    let changes = json!({ "base": { "ref": { "from": branch }, "sha": { "from": sha } } });
    fire_about(state, repository, number, "edited", actor, json!({ "changes": changes }))
}

/// Opens a pull request again: not when it was merged, nor when its branch is gone or was made
/// anew.
pub(crate) fn reopen_pull(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let pull = state.pull(repository, number)?;
    let from = pull.head_repository.map(|id| state.repository(id)).transpose()?;
    let branch = format!("refs/heads/{}", pull.head_branch);
    let tip = from.and_then(|from| Some((from, from.refs.get(&branch)?.clone())));
    let follows = |(from, tip): &(&crate::state::Repository, String)| {
        pull.merged_at.is_none() && from.git.is_ancestor(&pull.head_sha, tip)
    };
    let Some((_, tip)) = tip.filter(follows) else {
        return Err(Trouble::Refused("state cannot be changed.".to_owned()));
    };
    let pull = state.pull_mut(repository, number)?;
    (pull.head_sha, pull.mergeability_asked, pull.test_merge) = (tip, false, None);
    point_pull_ref(state, repository, number)?;
    set_presence(state, repository, number, actor, &Presence::Open)
}

/// A pull request becomes a draft.
pub(crate) fn convert_to_draft(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let pull = state.pull_mut(repository, number)?;
    if std::mem::replace(&mut pull.draft, true) {
        return Ok(());
    }
    state.tell(repository, actor, format!("made #{number} a draft"));
    fire_about(state, repository, number, "converted_to_draft", actor, json!({}))
}

/// A draft becomes ready.
pub(crate) fn mark_ready(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let pull = state.pull_mut(repository, number)?;
    if !std::mem::take(&mut pull.draft) {
        return Ok(());
    }
    state.tell(repository, actor, format!("marked #{number} as ready"));
    fire_about(state, repository, number, "ready_for_review", actor, json!({}))
}
