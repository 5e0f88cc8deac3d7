//! Pull requests: opened, reviewed, merged.

use serde_json::{Value, json};

use super::follow::{mark_merged, point_pull_ref};
use super::issues::{NewIssue, add_issue};
use super::{Seal, fire_about, move_ref, web_flow, write_commit};
use crate::emulator::Trouble;
use crate::emulator::git::{Git, Signature};
use crate::emulator::hooks::{self, Event};
use crate::emulator::setup::person;
use crate::emulator::shapes::pulls as shapes;
use crate::emulator::state::{Pull, Review, State};

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

/// How a pull request becomes part of its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    Commit,
    Squash,
    Rebase,
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
        mergeability_asked: false,
    });
    point_pull_ref(state, repository, number)?;
    state.tell(repository, author, text);
    fire_about(state, repository, number, "opened", author, json!({}))?;
    Ok(number)
}

/// The first check that a branch asks for and a commit has not passed.
pub(crate) fn missing_check(
    state: &State,
    repository: u64,
    branch: &str,
    sha: &str,
) -> Result<Option<String>, Trouble> {
    let known = state.repository(repository)?;
    let Some(protection) = known.protections.get(branch) else { return Ok(None) };
    let passed = |name: &str| {
        let good = |word: Option<&str>| matches!(word, Some("success" | "neutral" | "skipped"));
        let mut runs = known.check_runs.iter().rev();
        let run = runs.find(|run| run.head_sha == sha && run.name == name);
        let mut statuses = known.statuses.iter().rev();
        let status = statuses.find(|status| status.sha == sha && status.context == name);
        run.is_some_and(|run| good(run.conclusion.as_deref()))
            || status.is_some_and(|status| status.state == "success")
    };
    Ok(protection.required_checks.iter().find(|name| !passed(name)).cloned())
}

/// Merges a pull request; says the commit that did it.
pub(crate) fn merge(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: u64,
    how: Merge,
    message: Option<String>,
) -> Result<String, Trouble> {
    let known = state.repository(repository)?;
    let issue = state.issue(repository, number)?;
    let pull = issue.pull.as_ref().ok_or_else(|| Trouble::unknown("pull request", number))?;
    if !issue.open {
        return Err(Trouble::Refused("Pull Request is not mergeable".to_owned()));
    }
    if let Some(check) = missing_check(state, repository, &pull.base_branch, &pull.head_sha)? {
        return Err(Trouble::Refused(format!("Required status check \"{check}\" is expected.")));
    }
    let git = known.git.clone();
    let base_ref = format!("refs/heads/{}", pull.base_branch);
    let base = known.refs.get(&base_ref).cloned();
    let base = base.ok_or_else(|| Trouble::unknown("branch", &pull.base_branch))?;
    let author = person(state, actor);
    let (web, head) = (web_flow(state), pull.head_sha.clone());
    let conflict = || Trouble::Refused("Pull Request is not mergeable".to_owned());
    let from = pull.head_repository.and_then(|id| state.repositories.get(&id));
    let from = state.login(from.map(|from| from.owner));
    let (parents, text) = match how {
        Merge::Commit => {
            let head_line =
                format!("Merge pull request #{number} from {from}/{}", pull.head_branch);
            (vec![base.clone(), head.clone()], format!("{head_line}\n\n{}", issue.title))
        }
        Merge::Squash | Merge::Rebase => {
            (vec![base.clone()], format!("{} (#{number})", issue.title))
        }
    };
    let text = message.unwrap_or(text);
    let commit = if how == Merge::Rebase {
        rebase(&git, &base, &head, &web)?
    } else {
        let tree = git.merged_tree(&base, &head).ok_or_else(conflict)?;
        write_commit(&git, &tree, &parents, (&author, &web), &text, Seal::WebFlow)?
    };
    mark_merged(state, repository, number, Some(actor), &commit)?;
    move_ref(state, repository, &base_ref, Some(&commit), Some(actor))?;
    Ok(commit)
}

fn rebase(git: &Git, base: &str, head: &str, web: &Signature) -> Result<String, Trouble> {
    let mut tip = base.to_owned();
    for sha in git.commits_between(base, head)? {
        let commit = git.commit(&sha)?;
        let parent = commit.parents.first().cloned().unwrap_or_default();
        let tree = git.replayed_tree(&parent, &tip, &sha);
        let tree =
            tree.ok_or_else(|| Trouble::Refused("Pull Request is not mergeable".to_owned()))?;
        let who = (&commit.author, web);
        tip = write_commit(git, &tree, &[tip], who, &commit.message, Seal::Unsigned)?;
    }
    Ok(tip)
}

/// Submits a review: `APPROVED`, `CHANGES_REQUESTED` or `COMMENTED`.
pub(crate) fn review(
    state: &mut State,
    repository: u64,
    number: u64,
    author: u64,
    verdict: &str,
    body: &str,
) -> Result<u64, Trouble> {
    let (id, submitted_at) = (state.ids.review(), state.now());
    let pull = state.pull_mut(repository, number)?;
    pull.requested_reviewers.retain(|reviewer| *reviewer != author);
    let commit = pull.head_sha.clone();
    state.repository_mut(repository)?.reviews.push(Review {
        id,
        pull: number,
        author,
        state: verdict.to_owned(),
        body: body.to_owned(),
        commit,
        submitted_at,
    });
    let words = verdict.to_ascii_lowercase().replace('_', " ");
    state.tell(repository, Some(author), format!("reviewed #{number}: {words}"));
    let known = state.repository(repository)?;
    let submitted = known.reviews.iter().find(|review| review.id == id);
    let mut shape = submitted.map_or(Value::Null, |one| shapes::review(state, known, one));
    // In webhooks, and only there, GitHub writes it small.
    shape["state"] = json!(verdict.to_ascii_lowercase());
    let pull = shapes::simple(state, known, state.issue(repository, number)?);
    let event = Event {
        name: "pull_request_review",
        action: Some("submitted"),
        repository,
        actor: Some(author),
        payload: json!({ "review": shape, "pull_request": pull }),
        only: None,
    };
    hooks::fire(state, &event);
    Ok(id)
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
        let who = crate::emulator::shapes::user(state, Some(*reviewer));
        let extra = json!({ "requested_reviewer": who });
        fire_about(state, repository, number, "review_requested", actor, extra)?;
    }
    Ok(())
}
