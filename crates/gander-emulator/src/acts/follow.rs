//! What pull requests do when branches move: they follow their head, and are merged by their base.

use serde_json::json;

use super::{Presence, fire_about, set_presence};
use crate::Trouble;
use crate::state::State;

/// Keeps `refs/pull/N/head`, which GitHub serves beside the branches.
pub(crate) fn point_pull_ref(
    state: &mut State,
    repository: u64,
    number: u64,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let issue = state.issue(repository, number)?;
    let Some(pull) = &issue.pull else { return Ok(()) };
    let name = format!("refs/pull/{number}/head");
    match pull.head_repository {
        Some(other) if other != repository => {
            known.git.fetch(&state.repository(other)?.git, &pull.head_branch, &name)
        }
        _ => known.git.point_ref(&name, &pull.head_sha),
    }
}

/// A branch moved: the pull requests from it follow, those into it may be merged by it.
pub(crate) fn synchronize(
    state: &mut State,
    repository: u64,
    branch: &str,
    before: Option<&str>,
    after: &str,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let now = state.now();
    let mut from_it = Vec::new();
    for known in state.repositories.values_mut() {
        let is_base = known.id == repository;
        for issue in known.issues.values_mut().filter(|issue| issue.open) {
            let number = issue.number;
            let Some(pull) = &mut issue.pull else { continue };
            if is_base && pull.base_branch == branch {
                (pull.mergeability_asked, pull.test_merge) = (false, None);
            }
            if pull.head_repository == Some(repository) && pull.head_branch == branch {
                pull.head_sha = after.to_owned();
                (pull.mergeability_asked, pull.test_merge) = (false, None);
                issue.updated_at = now;
                from_it.push((known.id, number));
            }
        }
    }
    for (id, number) in from_it {
        point_pull_ref(state, id, number)?;
        let base = state.issue(id, number)?.pull.as_ref().map(|pull| pull.base_branch.clone());
        let tip =
            state.repository(id)?.refs.get(&format!("refs/heads/{}", base.unwrap_or_default()));
        if let Some(tip) = tip.cloned() {
            state.pull_mut(id, number)?.base_sha = tip;
        }
        let extra = json!({ "before": before, "after": after });
        fire_about(state, id, number, "synchronize", actor, extra)?;
        super::reviews::dismiss_stale(state, id, number, actor)?;
    }
    merged_by_push(state, repository, branch, after, actor)
}

/// A base branch that contains a pull request's head has merged it.
fn merged_by_push(
    state: &mut State,
    repository: u64,
    branch: &str,
    after: &str,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let done: Vec<u64> = known
        .issues
        .values()
        .filter(|issue| issue.open)
        .filter_map(|issue| issue.pull.as_ref().map(|pull| (issue.number, pull)))
        .filter(|(_, pull)| pull.base_branch == branch)
        .filter(|(_, pull)| known.git.is_ancestor(&pull.head_sha, after))
        .map(|(number, _)| number)
        .collect();
    for number in done {
        mark_merged(state, repository, number, actor, after)?;
    }
    Ok(())
}

pub(crate) fn mark_merged(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: Option<u64>,
    commit: &str,
) -> Result<(), Trouble> {
    let now = state.now();
    let pull = state.pull_mut(repository, number)?;
    pull.merged_at = Some(now);
    pull.merged_by = actor;
    pull.merge_commit = Some(commit.to_owned());
    let base = pull.base_branch.clone();
    state.tell(repository, actor, format!("merged #{number} into {base}"));
    set_presence(state, repository, number, actor, &Presence::Closed("completed".to_owned()))?;
    if state.repository(repository)?.default_branch != base {
        return Ok(());
    }
    let body = state.issue(repository, number)?.body.clone().unwrap_or_default();
    let name = state.full_name(state.repository(repository)?);
    for closed in issues_closed_by(&body, &name) {
        if state.issue(repository, closed).is_ok_and(|issue| issue.pull.is_none()) {
            let reason = Presence::Closed("completed".to_owned());
            set_presence(state, repository, closed, actor, &reason)?;
        }
    }
    Ok(())
}

/// The numbers after "fixes", "closes" and their like: `#1`, or `owner/name#1` of this repository.
fn issues_closed_by(body: &str, repository: &str) -> Vec<u64> {
    const WORDS: [&str; 9] =
        ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];
    let words: Vec<&str> = body.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| WORDS.contains(&pair[0].trim_end_matches(':').to_ascii_lowercase().as_str()))
        .filter_map(|pair| {
            let named = pair[1]
                .rsplit_once('#')
                .filter(|(before, _)| before.is_empty() || before.eq_ignore_ascii_case(repository));
            let (_, digits) = named?;
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits.get(..end)?.parse().ok()
        })
        .collect()
}
