//! Releases and their files; tags as a list.
//!
//! Invariants: a draft is seen only by those who may write; no file replaces another; a release
//! that is published gets its tag, if there is none, and never moves one.

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, route};
use crate::acts::{self, ReleaseChange};
use crate::level::Level;
use crate::releases::{Asset, Release};
use crate::shapes::releases as shapes;

const READ: Access = Access::Scope("contents", Level::Read);
const WRITE: Access = Access::Scope("contents", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/tags", READ, tags),
    route(
        "GET",
        "/repos/{owner}/{repo}/attestations/{digest}",
        Access::Scope("attestations", Level::Read),
        attestations,
    ),
    route("GET", "/repos/{owner}/{repo}/releases", READ, list),
    route("POST", "/repos/{owner}/{repo}/releases", WRITE, create),
    route("GET", "/repos/{owner}/{repo}/releases/latest", READ, latest),
    route("GET", "/repos/{owner}/{repo}/releases/tags/{tag...}", READ, by_tag),
    route("GET", "/repos/{owner}/{repo}/releases/{id}", READ, show),
    route("PATCH", "/repos/{owner}/{repo}/releases/{id}", WRITE, update),
    route("DELETE", "/repos/{owner}/{repo}/releases/{id}", WRITE, delete),
    route("GET", "/repos/{owner}/{repo}/releases/{id}/assets", READ, assets),
    route("POST", "/repos/{owner}/{repo}/releases/{id}/assets", WRITE, upload),
    route("GET", "/repos/{owner}/{repo}/releases/assets/{id}", READ, asset),
    route("DELETE", "/repos/{owner}/{repo}/releases/assets/{id}", WRITE, delete_asset),
];

fn tags(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let mut found = Vec::new();
    for (name, sha) in known.refs.iter().rev() {
        let Some(tag) = name.strip_prefix("refs/tags/") else { continue };
        let Some(commit) = known.git.resolve(sha, "commit") else { continue };
        found.push(shapes::tag(call.state, known, tag, &commit));
    }
    Ok(call.page(found))
}

/// What jobs attested, newest first.
fn attestations(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let found = known.attestations.get(call.param("digest"));
    let shape = |bundle: &String| {
        let bundle: serde_json::Value = serde_json::from_str(bundle).unwrap_or_default();
        serde_json::json!({ "bundle": bundle, "repository_id": known.id })
    };
    let found: Vec<_> = found.into_iter().flatten().rev().map(shape).collect();
    Ok(Answer::ok(serde_json::json!({ "attestations": found })))
}

/// Those the caller may see, newest first.
fn visible<'c>(call: &'c Call<'_>) -> Result<Vec<&'c Release>, Refusal> {
    let writes = call.token().is_some_and(|token| token.allows("contents", Level::Write));
    let all = call.repository()?.releases.iter().rev();
    Ok(all.filter(|release| writes || !release.draft).collect())
}

fn named<'c>(call: &'c Call<'_>) -> Result<&'c Release, Refusal> {
    let id = call.number("id")?;
    let found = visible(call)?.into_iter().find(|release| release.id == id);
    found.ok_or_else(Refusal::not_found)
}

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let all = visible(call)?;
    Ok(call.page(all.into_iter().map(|one| shapes::release(call.state, known, one)).collect()))
}

fn latest(call: &mut Call<'_>) -> Outcome {
    let all = visible(call)?;
    let may_be = |it: &&Release| !it.draft && !it.prerelease && it.make_latest != "false";
    let newest = all.into_iter().find(may_be);
    let newest = newest.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(shapes::release(call.state, call.repository()?, newest)))
}

fn by_tag(call: &mut Call<'_>) -> Outcome {
    let tag = call.param("tag");
    let found = visible(call)?.into_iter().find(|release| !release.draft && release.tag == tag);
    let found = found.ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(shapes::release(call.state, call.repository()?, found)))
}

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shapes::release(call.state, call.repository()?, named(call)?)))
}

fn shape(call: &Call<'_>, id: u64) -> Result<serde_json::Value, Refusal> {
    let known = call.repository()?;
    let found = known.releases.iter().find(|release| release.id == id);
    Ok(shapes::release(call.state, known, found.ok_or_else(Refusal::not_found)?))
}

fn change(call: &Call<'_>) -> Result<ReleaseChange, Refusal> {
    let change = ReleaseChange {
        tag: call.text("tag_name"),
        target: call.text("target_commitish"),
        name: call.text("name"),
        body: call.text("body"),
        draft: call.body["draft"].as_bool(),
        prerelease: call.body["prerelease"].as_bool(),
        make_latest: call.text("make_latest"),
    };
    if change.make_latest.as_deref().is_some_and(|it| !["true", "false", "legacy"].contains(&it)) {
        return Err(Refusal::invalid("Release", "make_latest"));
    }
    let known = call.filled_repository()?;
    if let Some(tag) = &change.tag
        && !known.git.is_good_ref_name(&format!("refs/tags/{tag}"))
    {
        return Err(Refusal::custom("Release", "tag_name is not a valid tag"));
    }
    if let Some(target) = &change.target {
        let branch = known.refs.contains_key(&format!("refs/heads/{target}"));
        let whole = target.len() == 40 && known.git.resolve(target, "commit").is_some();
        if !branch && !whole {
            return Err(Refusal::invalid("Release", "target_commitish"));
        }
    }
    if change.body.as_ref().is_some_and(|body| body.chars().count() > 125_000) {
        return Err(Refusal::custom("Release", "body is too long (maximum is 125000 characters)"));
    }
    Ok(change)
}

/// Of each tag only one release is published.
fn check_free(call: &Call<'_>, tag: &str, but: Option<u64>) -> Result<(), Refusal> {
    let mut all = call.repository()?.releases.iter();
    let taken = all.any(|other| !other.draft && other.tag == tag && Some(other.id) != but);
    if taken { Err(Refusal::taken("Release", "tag_name")) } else { Ok(()) }
}

fn create(call: &mut Call<'_>) -> Outcome {
    let tag = call.required("tag_name")?;
    let change = change(call)?;
    if !change.draft.unwrap_or(false) {
        check_free(call, &tag, None)?;
    }
    let actor = call.actor()?;
    let id = acts::create_release(call.state, call.repository_id(), actor, change)?;
    Ok(Answer::created_at(shape(call, id)?))
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (id, change) = (named(call)?.id, change(call)?);
    let stays_draft = change.draft.unwrap_or(named(call)?.draft);
    if !stays_draft {
        let now = named(call)?.tag.clone();
        let tag = change.tag.clone().unwrap_or(now);
        check_free(call, &tag, Some(id))?;
    }
    let actor = call.actor()?;
    acts::update_release(call.state, call.repository_id(), id, actor, &change)?;
    Ok(Answer::ok(shape(call, id)?))
}

fn delete(call: &mut Call<'_>) -> Outcome {
    let (id, actor) = (named(call)?.id, call.actor()?);
    acts::delete_release(call.state, call.repository_id(), id, actor)?;
    Ok(Answer::nothing())
}

fn assets(call: &mut Call<'_>) -> Outcome {
    let (known, release) = (call.repository()?, named(call)?);
    let all = release.assets.iter();
    Ok(call.page(all.map(|one| shapes::asset(call.state, known, release, one)).collect()))
}

/// The body is the file; its name stands in the query. Only where uploads go.
fn upload(call: &mut Call<'_>) -> Outcome {
    let Some(content) = call.upload.take() else { return Err(Refusal::not_found()) };
    let release = named(call)?;
    let id = release.id;
    let name = call.query("name").unwrap_or_default();
    let name = renamed(name);
    if name.is_empty() {
        return Err(Refusal::missing("name"));
    }
    if release.assets.iter().any(|other| other.name == name) {
        return Err(Refusal::taken("ReleaseAsset", "name"));
    }
    if content.is_empty() {
        return Err(Refusal::new(400, "Bad Content-Length"));
    }
    // GitHub keeps the name of what broke off on its side, and answers so.
    let whole = call.state.breaking_uploads == 0;
    call.state.breaking_uploads -= usize::from(!whole);
    let asset = Asset {
        id: 0,
        name,
        label: call.query("label").map(str::to_owned),
        content_type: call.content_type.clone(),
        content: if whole { content.to_vec() } else { Vec::new() },
        whole,
        uploader: call.actor()?,
        at: call.state.now(),
    };
    let asset = acts::upload_asset(call.state, call.repository_id(), id, asset)?;
    if !whole {
        return Err(Refusal::new(502, "Bad Gateway"));
    }
    let (known, release) = (call.repository()?, named(call)?);
    let found = release.assets.iter().find(|known| known.id == asset);
    let found = found.ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(shapes::asset(call.state, known, release, found)))
}

/// GitHub puts a dot where a name has other characters than these, and none at its ends.
fn renamed(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_+~@.".contains(c);
    let dotted: String = name.chars().map(|c| if plain(c) { c } else { '.' }).collect();
    dotted.trim_matches('.').to_owned()
}

fn find_asset<'c>(call: &'c Call<'_>) -> Result<(&'c Release, &'c Asset), Refusal> {
    let id = call.number("id")?;
    let all = visible(call)?;
    let mut found = all.into_iter().flat_map(|one| one.assets.iter().map(move |file| (one, file)));
    found.find(|(_, file)| file.id == id).ok_or_else(Refusal::not_found)
}

fn asset(call: &mut Call<'_>) -> Outcome {
    let (release, asset) = find_asset(call)?;
    if call.accept.contains("application/octet-stream") {
        // It lies elsewhere, for a minute.
        let (kind, content) = (asset.content_type.clone(), asset.content.clone());
        let now = call.state.now();
        let path = call.state.downloads.offer(&kind, content, now);
        let headers = vec![("location".to_owned(), crate::shapes::web(call.state, &path))];
        return Ok(Answer { status: 302, headers, content: Content::Empty });
    }
    Ok(Answer::ok(shapes::asset(call.state, call.repository()?, release, asset)))
}

fn delete_asset(call: &mut Call<'_>) -> Outcome {
    let (release, asset) = find_asset(call)?;
    let (release, asset) = (release.id, asset.id);
    let mut all = call.state.repository_mut(call.repository_id())?.releases.iter_mut();
    if let Some(release) = all.find(|known| known.id == release) {
        release.assets.retain(|known| known.id != asset);
    }
    Ok(Answer::nothing())
}
