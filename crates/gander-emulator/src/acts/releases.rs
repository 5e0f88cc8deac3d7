//! Releases: drafted, edited, published, given files.

use serde_json::json;

use super::move_ref;
use crate::Trouble;
use crate::hooks::{self, Event};
use crate::releases::{Asset, Release};
use crate::shapes::releases as shapes;
use crate::state::State;

/// What a release is made with, or what changes on it; absent fields stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReleaseChange {
    pub(crate) tag: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) draft: Option<bool>,
    pub(crate) prerelease: Option<bool>,
    /// `true`, `false` or `legacy`.
    pub(crate) make_latest: Option<String>,
}

/// Makes a release; says its number. One that is no draft gets its tag.
pub(crate) fn create_release(
    state: &mut State,
    repository: u64,
    author: u64,
    change: ReleaseChange,
) -> Result<u64, Trouble> {
    let (id, now) = (state.ids.release(), state.now());
    let target = state.repository(repository)?.default_branch.clone();
    let tag = change.tag.clone().unwrap_or_default();
    state.repository_mut(repository)?.releases.push(Release {
        id,
        tag: tag.clone(),
        target,
        name: None,
        body: None,
        draft: true,
        prerelease: false,
        make_latest: "true".to_owned(),
        author,
        created_at: now,
        updated_at: now,
        published_at: None,
        assets: Vec::new(),
    });
    let published = !change.draft.unwrap_or(false);
    apply(state, repository, id, &ReleaseChange { draft: Some(true), ..change })?;
    state.tell(repository, Some(author), format!("drafted release {tag}"));
    fire(state, repository, id, "created", author)?;
    if published {
        publish(state, repository, id, author)?;
    }
    Ok(id)
}

/// Changes a release, and publishes it when it is no draft any more.
pub(crate) fn update_release(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: u64,
    change: &ReleaseChange,
) -> Result<(), Trouble> {
    let was_draft = find(state, repository, id)?.draft;
    let publishes = was_draft && change.draft == Some(false);
    let kept = ReleaseChange { draft: change.draft.filter(|_| !publishes), ..change.clone() };
    apply(state, repository, id, &kept)?;
    if publishes {
        return publish(state, repository, id, actor);
    }
    fire(state, repository, id, "edited", actor)
}

/// Adds a file; says its number.
pub(crate) fn upload_asset(
    state: &mut State,
    repository: u64,
    release: u64,
    mut asset: Asset,
) -> Result<u64, Trouble> {
    let id = state.ids.asset();
    asset.id = id;
    let (actor, name) = (asset.uploader, asset.name.clone());
    let known = find_mut(state, repository, release)?;
    known.assets.push(asset);
    let tag = known.tag.clone();
    state.tell(repository, Some(actor), format!("uploaded {name} to release {tag}"));
    Ok(id)
}

/// Removes a release; its tag stays.
pub(crate) fn delete_release(
    state: &mut State,
    repository: u64,
    id: u64,
    actor: u64,
) -> Result<(), Trouble> {
    let tag = find(state, repository, id)?.tag.clone();
    fire(state, repository, id, "deleted", actor)?;
    state.repository_mut(repository)?.releases.retain(|release| release.id != id);
    state.tell(repository, Some(actor), format!("deleted release {tag}"));
    Ok(())
}

fn apply(
    state: &mut State,
    repository: u64,
    id: u64,
    change: &ReleaseChange,
) -> Result<(), Trouble> {
    let now = state.now();
    let release = find_mut(state, repository, id)?;
    let ReleaseChange { tag, target, name, body, draft, prerelease, make_latest } = change.clone();
    release.tag = tag.unwrap_or_else(|| release.tag.clone());
    release.target = target.unwrap_or_else(|| release.target.clone());
    release.name = name.or_else(|| release.name.take());
    release.body = body.or_else(|| release.body.take());
    release.draft = draft.unwrap_or(release.draft);
    release.prerelease = prerelease.unwrap_or(release.prerelease);
    release.make_latest = make_latest.unwrap_or_else(|| release.make_latest.clone());
    release.updated_at = now;
    Ok(())
}

/// Shows a release to everybody, and makes its tag where there is none.
fn publish(state: &mut State, repository: u64, id: u64, actor: u64) -> Result<(), Trouble> {
    let now = state.now();
    let release = find(state, repository, id)?;
    let (tag, target, prerelease) =
        (release.tag.clone(), release.target.clone(), release.prerelease);
    let known = state.repository(repository)?;
    let name = format!("refs/tags/{tag}");
    if !known.refs.contains_key(&name) {
        let branch = known.refs.get(&format!("refs/heads/{target}")).cloned();
        let commit = branch.or_else(|| known.git.resolve(&target, "commit"));
        let commit = commit.ok_or_else(|| Trouble::Refused("Validation Failed".to_owned()))?;
        move_ref(state, repository, &name, Some(&commit), Some(actor))?;
    }
    let release = find_mut(state, repository, id)?;
    (release.draft, release.published_at) = (false, Some(now));
    state.tell(repository, Some(actor), format!("published release {tag}"));
    fire(state, repository, id, "published", actor)?;
    fire(state, repository, id, if prerelease { "prereleased" } else { "released" }, actor)
}

fn fire(
    state: &mut State,
    repository: u64,
    id: u64,
    action: &str,
    actor: u64,
) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let payload = json!({ "release": shapes::release(state, known, find(state, repository, id)?) });
    let actor = Some(actor);
    let event =
        Event { name: "release", action: Some(action), repository, actor, payload, only: None };
    hooks::fire(state, &event);
    Ok(())
}

fn find(state: &State, repository: u64, id: u64) -> Result<&Release, Trouble> {
    let found = state.repository(repository)?.releases.iter().find(|release| release.id == id);
    found.ok_or_else(|| Trouble::unknown("release", id))
}

fn find_mut(state: &mut State, repository: u64, id: u64) -> Result<&mut Release, Trouble> {
    let mut all = state.repository_mut(repository)?.releases.iter_mut();
    all.find(|release| release.id == id).ok_or_else(|| Trouble::unknown("release", id))
}
