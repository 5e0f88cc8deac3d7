//! Files and directories at a revision.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, route};
use crate::git::{Depth, Entry};
use crate::level::Level;
use crate::shapes::commits::escape_path;
use crate::shapes::{repository_page, repository_url};
use crate::state::{Repository, State};

const READ: Access = Access::Scope("contents", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/contents", READ, show),
    route("GET", "/repos/{owner}/{repo}/contents/{path...}", READ, show),
];

/// Up to here, in bytes, a file comes as JSON; above, GitHub sends it only raw.
const LARGEST_AS_JSON: usize = 1024 * 1024;

fn show(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    if known.refs.is_empty() {
        return Err(Refusal::new(404, "This repository is empty."));
    }
    let (git, path) = (&known.git, call.param("path").trim_matches('/').to_owned());
    let rev = call.query("ref").unwrap_or(&known.default_branch).to_owned();
    let commit = git.resolve(&rev, "commit");
    let commit =
        commit.ok_or_else(|| Refusal::new(404, &format!("No commit found for the ref {rev}")))?;
    let entry = if path.is_empty() { None } else { git.entry(&commit, &path) };
    let tree = match &entry {
        None if path.is_empty() => format!("{commit}^{{tree}}"),
        None => return Err(Refusal::not_found()),
        Some(entry) if entry.kind == "tree" => entry.sha.clone(),
        Some(entry) => return file(call, known, entry, &rev),
    };
    let mut list = Vec::new();
    for mut entry in git.list(&tree, Depth::OneLevel)? {
        if !path.is_empty() {
            entry.path = format!("{path}/{}", entry.path);
        }
        list.push(describe(call.state, known, &entry, &rev));
    }
    Ok(Answer::ok(json!(list)))
}

fn file(call: &Call<'_>, known: &Repository, entry: &Entry, rev: &str) -> Outcome {
    let mut shape = describe(call.state, known, entry, rev);
    if entry.kind == "commit" {
        return Ok(Answer::ok(shape));
    }
    let bytes = known.git.read("blob", &entry.sha).unwrap_or_default();
    if call.accept.contains("raw") {
        let kind = "application/vnd.github.raw+json; charset=utf-8".to_owned();
        let content = Content::Bytes(kind, bytes);
        return Ok(Answer { status: 200, headers: Vec::new(), content });
    }
    if entry.mode == "120000" {
        shape["target"] = json!(String::from_utf8_lossy(&bytes));
    }
    let too_large = bytes.len() > LARGEST_AS_JSON;
    shape["encoding"] = json!(if too_large { "none" } else { "base64" });
    shape["content"] = json!(if too_large { String::new() } else { folded(&bytes) });
    Ok(Answer::ok(shape))
}

/// Base64 in lines of sixty characters, each with its end of line, as GitHub writes it.
pub(super) fn folded(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 60 + 1);
    for line in text.as_bytes().chunks(60) {
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    lines
}

fn describe(state: &State, known: &Repository, entry: &Entry, rev: &str) -> Value {
    let (id, path) = (known.id, escape_path(&entry.path));
    let url = repository_url(state, id, &format!("/contents/{path}?ref={}", escape_path(rev)));
    let kind = match (entry.kind.as_str(), entry.mode.as_str()) {
        ("tree", _) => "dir",
        ("commit", _) => "submodule",
        (_, "120000") => "symlink",
        _ => "file",
    };
    let kept = if kind == "dir" { "trees" } else { "blobs" };
    let git = repository_url(state, id, &format!("/git/{kept}/{}", entry.sha));
    let view = if kind == "dir" { "tree" } else { "blob" };
    let page = repository_page(state, id, &format!("/{view}/{rev}/{path}"));
    let download = (kind != "dir" && kind != "submodule")
        .then(|| repository_page(state, id, &format!("/raw/{rev}/{path}")));
    json!({
        "name": entry.path.rsplit('/').next().unwrap_or_default(),
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size.unwrap_or(0),
        "url": url,
        "html_url": page,
        "git_url": git,
        "download_url": download,
        "type": kind,
        "_links": { "self": url, "git": git, "html": page },
    })
}
