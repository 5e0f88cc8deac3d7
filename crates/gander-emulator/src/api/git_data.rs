//! The git database: blobs, trees and commits, made one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::contents::folded;
use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, route};
use crate::acts::{self, Seal};
use crate::git::{Depth, Edit, Git, Signature};
use crate::level::Level;
use crate::shapes::{self, commits, node_id, repository_url};
use crate::state::person;

const READ: Access = Access::Scope("contents", Level::Read);
const WRITE: Access = Access::Scope("contents", Level::Write);

pub(super) const ROUTES: &[Route] = &[
    route("POST", "/repos/{owner}/{repo}/git/blobs", WRITE, create_blob),
    route("GET", "/repos/{owner}/{repo}/git/blobs/{sha}", READ, show_blob),
    route("POST", "/repos/{owner}/{repo}/git/trees", WRITE, create_tree),
    route("GET", "/repos/{owner}/{repo}/git/trees/{sha...}", READ, show_tree),
    route("POST", "/repos/{owner}/{repo}/git/commits", WRITE, create_commit),
    route("GET", "/repos/{owner}/{repo}/git/commits/{sha}", READ, show_commit),
];

const LARGEST_BLOB: usize = 100 * 1024 * 1024;

fn create_blob(call: &mut Call<'_>) -> Outcome {
    let content = call.required("content")?;
    let bytes = match call.text("encoding").as_deref() {
        None | Some("utf-8") => content.into_bytes(),
        Some("base64") => {
            let plain: String = content.split_whitespace().collect();
            let bytes = STANDARD.decode(plain);
            bytes.map_err(|_| Refusal::new(422, "content is not valid Base64"))?
        }
        Some(_) => return Err(Refusal::invalid("Blob", "encoding")),
    };
    if bytes.len() > LARGEST_BLOB {
        return Err(Refusal::new(422, "content is too large"));
    }
    let sha = call.filled_repository()?.git.write("blob", &bytes)?;
    let url = repository_url(call.state, call.repository_id(), &format!("/git/blobs/{sha}"));
    Ok(Answer::created_at(json!({ "sha": sha, "url": url })))
}

fn show_blob(call: &mut Call<'_>) -> Outcome {
    let (known, sha) = (call.filled_repository()?, call.param("sha"));
    let bytes = known.git.read("blob", sha).filter(|_| is_sha(sha));
    let bytes = bytes.ok_or_else(Refusal::not_found)?;
    if call.accept.contains("raw") {
        let kind = "application/vnd.github.raw+json; charset=utf-8".to_owned();
        let content = Content::Bytes(kind, bytes);
        return Ok(Answer { status: 200, headers: Vec::new(), content });
    }
    Ok(Answer::ok(json!({
        "sha": sha,
        "node_id": node_id("Blob", sha),
        "size": bytes.len(),
        "url": repository_url(call.state, known.id, &format!("/git/blobs/{sha}")),
        "content": folded(&bytes),
        "encoding": "base64",
    })))
}

fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn create_tree(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let git = known.git.clone();
    let Some(entries) = call.body["tree"].as_array() else { return Err(Refusal::missing("tree")) };
    let base = match call.text("base_tree") {
        None => None,
        Some(base) => Some(
            git.resolve(&base, "tree")
                .filter(|_| is_sha(&base))
                .ok_or_else(|| Refusal::new(422, "base_tree is not a valid tree oid"))?,
        ),
    };
    let mut edits = Vec::new();
    for entry in entries {
        edits.push(tree_edit(&git, base.as_deref(), entry)?);
    }
    if edits.is_empty() {
        return Err(Refusal::new(422, "Invalid tree info"));
    }
    guard_workflows(call, &git, base.as_deref(), &edits)?;
    let sha = git.write_tree(base.as_deref(), &edits)?;
    let shape = tree_shape(call, &sha, Depth::OneLevel)?;
    Ok(Answer::created_at(shape))
}

/// An App without the permission `workflows` may not change what runs on its behalf.
fn guard_workflows(
    call: &Call<'_>,
    git: &Git,
    base: Option<&str>,
    edits: &[Edit],
) -> Result<(), Refusal> {
    if call.token().is_none_or(|token| token.allows("workflows", Level::Write)) {
        return Ok(());
    }
    for edit in edits {
        let (path, sha) = match edit {
            Edit::Put { path, sha, .. } | Edit::PutTree { path, sha } => (path, Some(sha)),
            Edit::Delete { path } => (path, None),
        };
        let before = base.and_then(|base| git.entry(base, path)).map(|entry| entry.sha);
        if path.starts_with(".github/workflows/") && before.as_ref() != sha {
            return Err(Refusal::forbidden("workflows", Level::Write));
        }
    }
    Ok(())
}

fn tree_edit(git: &Git, base: Option<&str>, entry: &Value) -> Result<Edit, Refusal> {
    let path = entry["path"].as_str().unwrap_or_default().to_owned();
    let bad_part = |part: &str| matches!(part, "" | "." | ".." | ".git");
    if path.split('/').any(bad_part) || path.contains(['\0', '\n', '\t']) {
        return Err(Refusal::new(422, "tree.path contains a malformed path component"));
    }
    let mode = entry["mode"].as_str().unwrap_or_default().to_owned();
    let known_mode = matches!(mode.as_str(), "100644" | "100755" | "040000" | "160000" | "120000");
    if let Some(content) = entry["content"].as_str() {
        if !entry["sha"].is_null() || !known_mode {
            return Err(Refusal::new(422, "Must supply either tree.sha or tree.content"));
        }
        let sha = git.write("blob", content.as_bytes())?;
        return Ok(Edit::Put { mode, sha, path });
    }
    let Some(sha) = entry["sha"].as_str() else {
        let given = entry.get("sha").is_some();
        let there = base.is_some_and(|base| git.entry(base, &path).is_some());
        return match (given, there) {
            (true, true) => Ok(Edit::Delete { path }),
            (true, false) => Err(Refusal::new(422, "GitRPC::BadObjectState")),
            (false, _) => Err(Refusal::new(422, "Must supply either tree.sha or tree.content")),
        };
    };
    if !known_mode {
        return Err(Refusal::new(422, "Must supply a valid tree.mode"));
    }
    let kind = git.kind(sha).filter(|_| is_sha(sha)).unwrap_or_default();
    match (mode.as_str(), kind.as_str()) {
        ("040000", "tree") => Ok(Edit::PutTree { sha: sha.to_owned(), path }),
        ("160000", _) | ("100644" | "100755" | "120000", "blob") => {
            Ok(Edit::Put { mode, sha: sha.to_owned(), path })
        }
        _ => Err(Refusal::new(422, &format!("tree.sha {sha} is not a valid blob"))),
    }
}

fn show_tree(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let tree = known.git.resolve(call.param("sha"), "tree").ok_or_else(Refusal::not_found)?;
    let depth = if call.query("recursive").is_some() { Depth::Everything } else { Depth::OneLevel };
    Ok(Answer::ok(tree_shape(call, &tree, depth)?))
}

fn tree_shape(call: &Call<'_>, tree: &str, depth: Depth) -> Result<Value, Refusal> {
    let known = call.repository()?;
    let url =
        |kind: &str, sha: &str| repository_url(call.state, known.id, &format!("/git/{kind}/{sha}"));
    let entries = known.git.list(tree, depth)?.into_iter().map(|entry| {
        let mut shape = json!({
            "path": entry.path,
            "mode": entry.mode,
            "type": entry.kind,
            "sha": entry.sha,
        });
        if let Some(size) = entry.size {
            shape["size"] = json!(size);
        }
        if entry.kind != "commit" {
            shape["url"] = json!(url(&format!("{}s", entry.kind), &entry.sha));
        }
        shape
    });
    let entries: Vec<Value> = entries.collect();
    Ok(json!({ "sha": tree, "url": url("trees", tree), "tree": entries, "truncated": false }))
}

fn create_commit(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let git = known.git.clone();
    let (message, tree) = (call.required("message")?, call.required("tree")?);
    if !is_sha(&tree) || git.kind(&tree).as_deref() != Some("tree") {
        return Err(Refusal::new(422, "Tree SHA does not exist"));
    }
    let parents = call.texts("parents");
    for parent in &parents {
        if !is_sha(parent) || git.kind(parent).as_deref() != Some("commit") {
            let message = "Parent SHA does not exist or is not a commit object";
            return Err(Refusal::new(422, message));
        }
    }
    let given = |field: &str| signature(&call.body[field], call.state.now() / 1000);
    let (author, committer) = (given("author")?, given("committer")?);
    let ours = author.is_none() && committer.is_none() && call.body["signature"].is_null();
    let bot = person(call.state, call.actor()?);
    let (author, committer, seal) = if ours {
        (bot, acts::web_flow(call.state), Seal::WebFlow)
    } else {
        let author = author.unwrap_or(bot);
        (author.clone(), committer.unwrap_or(author), Seal::Unsigned)
    };
    let sha = acts::write_commit(&git, &tree, &parents, (&author, &committer), &message, seal)?;
    let commit = git.commit(&sha)?;
    Ok(Answer::created_at(commits::git_commit(call.state, call.repository()?, &commit)))
}

fn signature(given: &Value, now: i64) -> Result<Option<Signature>, Refusal> {
    if given.is_null() {
        return Ok(None);
    }
    let text = |field: &str| {
        let text = given[field].as_str().filter(|text| !text.contains(['<', '>', '\n']));
        text.map(str::to_owned).ok_or_else(|| Refusal::invalid("Commit", field))
    };
    let at = match given["date"].as_str() {
        None => now,
        Some(date) => chrono::DateTime::parse_from_rfc3339(date)
            .map_err(|_| Refusal::invalid("Commit", "date"))?
            .timestamp(),
    };
    Ok(Some(Signature { name: text("name")?, email: text("email")?, at }))
}

fn show_commit(call: &mut Call<'_>) -> Outcome {
    let (known, sha) = (call.filled_repository()?, call.param("sha"));
    if !is_sha(sha) || known.git.kind(sha).as_deref() != Some("commit") {
        return Err(Refusal::not_found());
    }
    let commit = known.git.commit(sha)?;
    Ok(Answer::ok(shapes::commits::git_commit(call.state, known, &commit)))
}
