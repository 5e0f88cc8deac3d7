//! Branches and tags that appear, move and go, by the API or by a push.

use serde_json::{Value, json};

use super::dispatch::heard_push;
use super::follow::synchronize;
use super::{Presence, checks, set_presence};
use crate::Trouble;
use crate::activity::{Activity, kind_of};
use crate::hooks::{self, Event};
use crate::shapes::{self, commits};
use crate::state::State;

/// Sets a ref (`None`: deletes it) and tells everybody. The caller has checked that it may.
pub(crate) fn move_ref(
    state: &mut State,
    repository: u64,
    name: &str,
    to: Option<&str>,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let before = known.refs.get(name).cloned();
    match to {
        Some(to) => known.git.update_ref(name, to, before.as_deref())?,
        None => known.git.delete_ref(name)?,
    }
    announce(state, repository, name, before.as_deref(), to, actor)
}

/// Finds what a push changed, and tells everybody.
pub(crate) fn announce_pushed(
    state: &mut State,
    repository: u64,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let (before, mut after) = (known.refs.clone(), known.git.refs()?);
    after.retain(|name, _| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"));
    for (name, sha) in &after {
        if before.get(name) != Some(sha) {
            let old = before.get(name).map(String::as_str);
            announce(state, repository, name, old, Some(sha), actor)?;
        }
    }
    for (name, sha) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        announce(state, repository, name, Some(sha), None, actor)?;
    }
    Ok(())
}

fn announce(
    state: &mut State,
    repository: u64,
    name: &str,
    before: Option<&str>,
    after: Option<&str>,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let now = state.now();
    let known = state.repository_mut(repository)?;
    known.pushed_at = now;
    match after {
        Some(sha) => known.refs.insert(name.to_owned(), sha.to_owned()),
        None => known.refs.remove(name),
    };
    let (text, payload) = describe(state, repository, name, before, after, actor)?;
    remember(state, repository, name, (before, after), actor)?;
    state.tell(repository, actor, text);
    let push = Event { name: "push", action: None, repository, actor, payload, only: None };
    hooks::fire(state, &push);
    let Some(branch) = name.strip_prefix("refs/heads/") else { return Ok(()) };
    match after {
        Some(sha) => {
            heard_push(state, repository, branch, sha, actor, &push.payload)?;
            checks::open_suites(state, repository, branch, sha, actor)?;
            synchronize(state, repository, branch, before, sha, actor)
        }
        None => close_pulls_of(state, repository, branch, actor),
    }
}

/// Keeps who moved a branch, for the activity log.
fn remember(
    state: &mut State,
    repository: u64,
    name: &str,
    (before, after): (Option<&str>, Option<&str>),
    actor: Option<u64>,
) -> Result<(), Trouble> {
    if !name.starts_with("refs/heads/") {
        return Ok(());
    }
    let (id, at) = (state.ids.activity(), state.now());
    let known = state.repository_mut(repository)?;
    let forced = matches!((before, after), (Some(before), Some(after))
        if !known.git.is_ancestor(before, after));
    known.activities.push(Activity {
        id,
        name: name.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        kind: kind_of(before, after, forced),
        actor,
        at,
    });
    Ok(())
}

/// The line of history and the `push` payload.
fn describe(
    state: &State,
    repository: u64,
    name: &str,
    before: Option<&str>,
    after: Option<&str>,
    actor: Option<u64>,
) -> Result<(String, Value), Trouble> {
    let known = state.repository(repository)?;
    let git = &known.git;
    let none = "0".repeat(40);
    let forced = match (before, after) {
        (Some(before), Some(after)) => !git.is_ancestor(before, after),
        _ => false,
    };
    let default = known.refs.get(&format!("refs/heads/{}", known.default_branch));
    let since = before.or(default.map(String::as_str).filter(|tip| Some(*tip) != after));
    let mut shown = Vec::new();
    if let (Some(since), Some(after)) = (since, after) {
        for sha in git.commits_between(since, after)? {
            shown.push(commits::pushed(state, known, &git.commit(&sha)?)?);
        }
    }
    let head = after.and_then(|sha| git.resolve(sha, "commit"));
    let head = head.map(|sha| git.commit(&sha)).transpose()?;
    let head = head.map(|commit| commits::pushed(state, known, &commit)).transpose()?;
    let short = name.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    let kind = if name.starts_with("refs/tags/") { "tag" } else { "branch" };
    let plural = if shown.len() == 1 { "" } else { "s" };
    let text = match (before, after) {
        (None, _) if shown.is_empty() => format!("created {kind} {short}"),
        (None, _) => format!("created {kind} {short} with {} commit{plural}", shown.len()),
        (_, None) => format!("deleted {kind} {short}"),
        _ if forced => format!("force-pushed {short}"),
        _ => format!("pushed {} commit{plural} to {short}", shown.len()),
    };
    // In a push, and only there, GitHub counts these two in seconds.
    let mut about = shapes::repository(state, repository);
    about["created_at"] = json!(known.created_at / 1000);
    about["pushed_at"] = json!(known.pushed_at / 1000);
    about["stargazers"] = json!(0);
    about["custom_properties"] = json!({});
    about["master_branch"] = json!(known.default_branch);
    let range = format!(
        "/compare/{}...{}",
        before.unwrap_or(&none).get(..12).unwrap_or_default(),
        after.unwrap_or(&none).get(..12).unwrap_or_default()
    );
    let payload = json!({
        "ref": name,
        "before": before.unwrap_or(&none),
        "after": after.unwrap_or(&none),
        "created": before.is_none(),
        "deleted": after.is_none(),
        "forced": forced,
        "base_ref": null,
        "compare": shapes::repository_page(state, repository, &range),
        "commits": shown,
        "head_commit": head,
        "pusher": { "name": state.login(actor), "email": null },
        "repository": about,
    });
    Ok((text, payload))
}

/// A pull request whose branch is gone is closed.
fn close_pulls_of(
    state: &mut State,
    repository: u64,
    branch: &str,
    actor: Option<u64>,
) -> Result<(), Trouble> {
    let orphans: Vec<(u64, u64)> = state
        .repositories
        .values()
        .flat_map(|known| known.issues.values().map(move |issue| (known.id, issue)))
        .filter(|(_, issue)| {
            issue.open
                && issue.pull.as_ref().is_some_and(|pull| {
                    pull.head_repository == Some(repository) && pull.head_branch == branch
                })
        })
        .map(|(id, issue)| (id, issue.number))
        .collect();
    for (id, number) in orphans {
        set_presence(state, id, number, actor, &Presence::Closed("completed".to_owned()))?;
    }
    Ok(())
}
