//! Commits, comparisons and trees as JSON, and the signature GitHub puts on its own commits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use super::{moment, node_id, repository_page, repository_url, user};
use crate::Trouble;
use crate::activity::Activity;
use crate::git::{Commit, FileChange, Signature};
use crate::state::{Repository, State};

/// Stands for GitHub's own key: a commit made by hand cannot carry a signature made with it
/// by accident.
const WEB_FLOW_KEY: &[u8] = b"the web-flow key of the box";

/// GitHub's signature over a commit.
pub(crate) fn sign(payload: &str) -> Option<String> {
    let mac: Hmac<sha2::Sha256> = Hmac::new_from_slice(WEB_FLOW_KEY).ok()?;
    let digest = mac.chain_update(payload.as_bytes()).finalize().into_bytes();
    let text = STANDARD.encode(digest);
    Some(format!("-----BEGIN PGP SIGNATURE-----\n\n{text}\n-----END PGP SIGNATURE-----"))
}

pub(crate) fn is_verified(commit: &Commit) -> bool {
    commit.signature.is_some()
        && commit.signature.as_deref().map(str::trim_end) == sign(&commit.payload).as_deref()
}

fn verification(commit: &Commit) -> Value {
    if is_verified(commit) {
        return json!({
            "verified": true,
            "reason": "valid",
            "signature": commit.signature,
            "payload": commit.payload,
            "verified_at": moment(commit.committer.at * 1000),
        });
    }
    let reason = if commit.signature.is_some() { "unknown_key" } else { "unsigned" };
    json!({
        "verified": false,
        "reason": reason,
        "signature": commit.signature,
        "payload": commit.signature.as_ref().map(|_| &commit.payload),
        "verified_at": null,
    })
}

fn who(signature: &Signature) -> Value {
    json!({
        "name": signature.name,
        "email": signature.email,
        "date": moment(signature.at * 1000),
    })
}

/// The account that an address belongs to.
fn account_of(state: &State, signature: &Signature) -> Option<u64> {
    let local = signature.email.strip_suffix("@users.noreply.github.com")?;
    let (id, login) = local.split_once('+')?;
    let account = state.accounts.get(&id.parse().ok()?)?;
    (account.login == login).then_some(account.id)
}

/// A commit as `git/commits` shows it.
pub(crate) fn git_commit(state: &State, repository: &Repository, commit: &Commit) -> Value {
    let (id, sha) = (repository.id, &commit.sha);
    let tree = repository_url(state, id, &format!("/git/trees/{}", commit.tree));
    let parents: Vec<_> = commit
        .parents
        .iter()
        .map(|parent| {
            json!({
                "sha": parent,
                "url": repository_url(state, id, &format!("/git/commits/{parent}")),
                "html_url": repository_page(state, id, &format!("/commit/{parent}")),
            })
        })
        .collect();
    json!({
        "sha": sha,
        "node_id": node_id("Commit", sha),
        "url": repository_url(state, id, &format!("/git/commits/{sha}")),
        "html_url": repository_page(state, id, &format!("/commit/{sha}")),
        "author": who(&commit.author),
        "committer": who(&commit.committer),
        "tree": { "sha": commit.tree, "url": tree },
        "message": commit.message,
        "parents": parents,
        "verification": verification(commit),
    })
}

/// A commit as `commits` shows it in a list.
pub(crate) fn listed(state: &State, repository: &Repository, commit: &Commit) -> Value {
    let (id, sha) = (repository.id, &commit.sha);
    let url = repository_url(state, id, &format!("/commits/{sha}"));
    let parents: Vec<_> = commit
        .parents
        .iter()
        .map(|parent| {
            json!({
                "sha": parent,
                "url": repository_url(state, id, &format!("/commits/{parent}")),
                "html_url": repository_page(state, id, &format!("/commit/{parent}")),
            })
        })
        .collect();
    let tree = repository_url(state, id, &format!("/git/trees/{}", commit.tree));
    json!({
        "sha": sha,
        "node_id": node_id("Commit", sha),
        "commit": {
            "author": who(&commit.author),
            "committer": who(&commit.committer),
            "message": commit.message,
            "tree": { "sha": commit.tree, "url": tree },
            "url": repository_url(state, id, &format!("/git/commits/{sha}")),
            "comment_count": 0,
            "verification": verification(commit),
        },
        "url": url,
        "html_url": repository_page(state, id, &format!("/commit/{sha}")),
        "comments_url": format!("{url}/comments"),
        "author": user(state, account_of(state, &commit.author)),
        "committer": user(state, account_of(state, &commit.committer)),
        "parents": parents,
    })
}

/// A commit as `commits/{ref}` shows it, with what it changed.
pub(crate) fn full(
    state: &State,
    repository: &Repository,
    commit: &Commit,
) -> Result<Value, Trouble> {
    const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let mut shape = listed(state, repository, commit);
    let before = commit.parents.first().map_or(EMPTY_TREE, String::as_str);
    let changes = repository.git.diff(before, &commit.sha)?;
    let additions: u64 = changes.iter().map(|change| change.additions).sum();
    let deletions: u64 = changes.iter().map(|change| change.deletions).sum();
    shape["stats"] = json!({
        "additions": additions,
        "deletions": deletions,
        "total": additions + deletions,
    });
    shape["files"] = json!(files(state, repository, &commit.sha, &changes));
    Ok(shape)
}

/// What changed, file by file.
pub(crate) fn files(
    state: &State,
    repository: &Repository,
    at: &str,
    changes: &[FileChange],
) -> Vec<Value> {
    changes
        .iter()
        .map(|change| {
            let (id, path) = (repository.id, escape_path(&change.path));
            let contents = format!("/contents/{path}?ref={at}");
            let mut shape = json!({
                "sha": change.sha,
                "filename": change.path,
                "status": change.status,
                "additions": change.additions,
                "deletions": change.deletions,
                "changes": change.additions + change.deletions,
                "blob_url": repository_page(state, id, &format!("/blob/{at}/{path}")),
                "raw_url": repository_page(state, id, &format!("/raw/{at}/{path}")),
                "contents_url": repository_url(state, id, &contents),
            });
            if let Some(patch) = &change.patch {
                shape["patch"] = json!(patch);
            }
            if let Some(previous) = &change.previous {
                shape["previous_filename"] = json!(previous);
            }
            shape
        })
        .collect()
}

/// A path as it stands in an address.
pub(crate) fn escape_path(path: &str) -> String {
    const ESCAPED: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(path, &ESCAPED).to_string()
}

/// A commit as `push` and `check_suite` webhooks show it.
pub(crate) fn pushed(
    state: &State,
    repository: &Repository,
    commit: &Commit,
) -> Result<Value, Trouble> {
    let before = commit.parents.first();
    let changes = match before {
        Some(before) => repository.git.diff(before, &commit.sha)?,
        None => Vec::new(),
    };
    let named = |status: &str| -> Vec<&str> {
        let fits = changes.iter().filter(|change| match status {
            "modified" => !matches!(change.status, "added" | "removed"),
            _ => change.status == status,
        });
        fits.map(|change| change.path.as_str()).collect()
    };
    let person = |signature: &Signature| {
        let mut shape = json!({ "name": signature.name, "email": signature.email });
        if signature.email == "noreply@github.com" {
            shape["username"] = json!("web-flow");
        } else if let Some(account) = account_of(state, signature) {
            shape["username"] = json!(state.login(Some(account)));
        }
        shape
    };
    Ok(json!({
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": true,
        "message": commit.message.trim_end(),
        "timestamp": moment(commit.committer.at * 1000),
        "url": repository_page(state, repository.id, &format!("/commit/{}", commit.sha)),
        "author": person(&commit.author),
        "committer": person(&commit.committer),
        "added": named("added"),
        "removed": named("removed"),
        "modified": named("modified"),
    }))
}

/// A branch as lists and `status` webhooks name it.
pub(crate) fn branch(state: &State, repository: &Repository, name: &str, sha: &str) -> Value {
    let url = repository_url(state, repository.id, &format!("/commits/{sha}"));
    json!({
        "name": name,
        "commit": { "sha": sha, "url": url },
        "protected": repository.protections.contains_key(name),
    })
}

/// A commit in a few words.
pub(crate) fn simple(commit: &Commit) -> Value {
    json!({
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message.trim_end(),
        "timestamp": moment(commit.committer.at * 1000),
        "author": { "name": commit.author.name, "email": commit.author.email },
        "committer": { "name": commit.committer.name, "email": commit.committer.email },
    })
}

/// As `/repos/{owner}/{repo}/activity` shows it.
pub(crate) fn activity(state: &State, activity: &Activity) -> Value {
    let none = "0".repeat(40);
    json!({
        "id": activity.id,
        "node_id": node_id("PushActivity", activity.id),
        "before": activity.before.as_ref().unwrap_or(&none),
        "after": activity.after.as_ref().unwrap_or(&none),
        "ref": activity.name,
        "timestamp": moment(activity.at),
        "activity_type": activity.kind,
        "actor": user(state, activity.actor),
    })
}
