//! Releases, their files, and tags as JSON.

use serde_json::{Value, json};

use super::{moment, node_id, optional_moment, repository_page, repository_url, user, web};
use crate::releases::{Asset, Release};
use crate::state::{Repository, State};

pub(crate) fn release(state: &State, repository: &Repository, release: &Release) -> Value {
    let id = repository.id;
    let url = repository_url(state, id, &format!("/releases/{}", release.id));
    // A draft has no tag yet, so its page goes by a name that nobody can guess.
    let page = match release.draft {
        true => format!("/releases/tag/untagged-{:016x}", release.id.wrapping_mul(0x9e37_79b9)),
        false => format!("/releases/tag/{}", release.tag),
    };
    let name = state.full_name(repository);
    let uploads = web(state, &format!("/api/uploads/repos/{name}/releases/{}/assets", release.id));
    let archive = |kind: &str| match release.draft {
        true => Value::Null,
        false => json!(repository_url(state, id, &format!("/{kind}/{}", release.tag))),
    };
    let assets: Vec<Value> =
        release.assets.iter().map(|one| asset(state, repository, release, one)).collect();
    json!({
        "url": url,
        "html_url": repository_page(state, id, &page),
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{uploads}{{?name,label}}"),
        "tarball_url": archive("tarball"),
        "zipball_url": archive("zipball"),
        "id": release.id,
        "node_id": node_id("Release", release.id),
        "tag_name": release.tag,
        "target_commitish": release.target,
        "name": release.name,
        "body": release.body,
        "draft": release.draft,
        "prerelease": release.prerelease,
        "immutable": false,
        "created_at": moment(release.created_at),
        "updated_at": moment(release.updated_at),
        "published_at": optional_moment(release.published_at),
        "author": user(state, Some(release.author)),
        "assets": assets,
    })
}

pub(crate) fn asset(
    state: &State,
    repository: &Repository,
    release: &Release,
    asset: &Asset,
) -> Value {
    let id = repository.id;
    let page = format!("/releases/download/{}/{}", release.tag, asset.name);
    json!({
        "url": repository_url(state, id, &format!("/releases/assets/{}", asset.id)),
        "browser_download_url": repository_page(state, id, &page),
        "id": asset.id,
        "node_id": node_id("ReleaseAsset", asset.id),
        "name": asset.name,
        "label": asset.label,
        "state": if asset.whole { "uploaded" } else { "starter" },
        "content_type": asset.content_type,
        "size": asset.content.len(),
        "digest": asset.whole.then(|| asset.digest()),
        "download_count": 0,
        "created_at": moment(asset.at),
        "updated_at": moment(asset.at),
        "uploader": user(state, Some(asset.uploader)),
    })
}

pub(crate) fn tag(state: &State, repository: &Repository, name: &str, commit: &str) -> Value {
    let id = repository.id;
    json!({
        "name": name,
        "commit": {
            "sha": commit,
            "url": repository_url(state, id, &format!("/commits/{commit}")),
        },
        "zipball_url": repository_url(state, id, &format!("/zipball/refs/tags/{name}")),
        "tarball_url": repository_url(state, id, &format!("/tarball/refs/tags/{name}")),
        "node_id": node_id("Ref", format!("{id}:refs/tags/{name}")),
    })
}
