//! Commits to read: one, many, the difference of two; branches and what protects them.

use serde_json::{Value, json};

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, route};
use crate::emulator::git::Commit;
use crate::emulator::level::Level;
use crate::emulator::shapes::{commits, repository_page, repository_url};
use crate::emulator::state::{Protection, Repository};

const READ: Access = Access::Scope("contents", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/commits", READ, list),
    route("GET", "/repos/{owner}/{repo}/commits/{ref...}", READ, show),
    route("GET", "/repos/{owner}/{repo}/compare/{basehead...}", READ, compare),
    route("GET", "/repos/{owner}/{repo}/branches", READ, branches),
    route("GET", "/repos/{owner}/{repo}/branches/{branch...}", READ, branch),
    route(
        "GET",
        "/repos/{owner}/{repo}/rules/branches/{branch...}",
        Access::Scope("metadata", Level::Read),
        rules,
    ),
];

/// The commit that `rev` names.
pub(super) fn find(known: &Repository, rev: &str) -> Result<Commit, Refusal> {
    let sha = known
        .git
        .resolve(rev, "commit")
        .ok_or_else(|| Refusal::new(422, &format!("No commit found for SHA: {rev}")))?;
    Ok(known.git.commit(&sha)?)
}

fn list(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let rev = call.query("sha").unwrap_or(&known.default_branch);
    let tip = known.git.resolve(rev, "commit").ok_or_else(Refusal::not_found)?;
    let output = known.git.text(&["rev-list", "--max-count=1000", &tip])?;
    let mut found = Vec::new();
    for sha in output.lines() {
        found.push(commits::listed(call.state, known, &known.git.commit(sha)?));
    }
    Ok(call.page(found))
}

fn show(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let commit = find(known, call.param("ref"))?;
    if call.accept.contains("application/vnd.github.sha") {
        let kind = "application/vnd.github.sha; charset=utf-8".to_owned();
        let content = Content::Bytes(kind, commit.sha.into_bytes());
        return Ok(Answer { status: 200, headers: Vec::new(), content });
    }
    Ok(Answer::ok(commits::full(call.state, known, &commit)?))
}

fn compare(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let range = call.param("basehead").to_owned();
    let (base, head) = range.split_once("...").ok_or_else(Refusal::not_found)?;
    let git = &known.git;
    let sha = |rev: &str| git.resolve(rev, "commit").ok_or_else(Refusal::not_found);
    let (base, head) = (sha(base)?, sha(head)?);
    let common = git
        .merge_base(&base, &head)
        .ok_or_else(|| Refusal::new(404, "No common ancestor between the two commits"))?;
    let diff = call.accept.contains("application/vnd.github.diff");
    if diff || call.accept.contains("application/vnd.github.patch") {
        let text = git.text(&["diff-tree", "-p", "-M", "--full-index", &common, &head])?;
        let kind = "application/vnd.github.diff; charset=utf-8".to_owned();
        let content = Content::Bytes(kind, text.into_bytes());
        return Ok(Answer { status: 200, headers: Vec::new(), content });
    }
    let (ahead, behind) = (git.commits_between(&base, &head)?, git.commits_between(&head, &base)?);
    let status = match (ahead.len(), behind.len()) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let mut between = Vec::new();
    for sha in &ahead {
        between.push(commits::listed(call.state, known, &git.commit(sha)?));
    }
    let listed = |sha: &str| -> Result<Value, Refusal> {
        Ok(commits::listed(call.state, known, &git.commit(sha)?))
    };
    let page = repository_page(call.state, known.id, &format!("/compare/{range}"));
    let changes = git.diff(&common, &head)?;
    Ok(Answer::ok(json!({
        "url": repository_url(call.state, known.id, &format!("/compare/{range}")),
        "html_url": page,
        "permalink_url": page,
        "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"),
        "base_commit": listed(&base)?,
        "merge_base_commit": listed(&common)?,
        "status": status,
        "ahead_by": ahead.len(),
        "behind_by": behind.len(),
        "total_commits": ahead.len(),
        "commits": between,
        "files": commits::files(call.state, known, &head, &changes),
    })))
}

fn branches(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let mut found = Vec::new();
    for (name, sha) in &known.refs {
        let Some(branch) = name.strip_prefix("refs/heads/") else { continue };
        let url = repository_url(call.state, known.id, &format!("/commits/{sha}"));
        found.push(json!({
            "name": branch,
            "commit": { "sha": sha, "url": url },
            "protected": known.protections.contains_key(branch),
        }));
    }
    Ok(call.page(found))
}

fn branch(call: &mut Call<'_>) -> Outcome {
    let (known, branch) = (call.repository()?, call.param("branch"));
    let sha = known.refs.get(&format!("refs/heads/{branch}"));
    let sha = sha.ok_or_else(|| Refusal::new(404, "Branch not found"))?;
    let commit = known.git.commit(sha)?;
    let url = repository_url(call.state, known.id, &format!("/branches/{branch}"));
    let protection = known.protections.get(branch);
    let classic = protection.filter(|protection| !protection.by_ruleset);
    let contexts: Vec<&String> =
        classic.into_iter().flat_map(|protection| &protection.required_checks).collect();
    let checks: Vec<Value> =
        contexts.iter().map(|context| json!({ "context": context, "app_id": null })).collect();
    let enforcement = if contexts.is_empty() { "off" } else { "non_admins" };
    Ok(Answer::ok(json!({
        "name": branch,
        "commit": commits::listed(call.state, known, &commit),
        "_links": {
            "self": url,
            "html": repository_page(call.state, known.id, &format!("/tree/{branch}")),
        },
        "protected": protection.is_some(),
        "protection": {
            "enabled": classic.is_some(),
            "required_status_checks": {
                "enforcement_level": enforcement,
                "contexts": contexts,
                "checks": checks,
            },
        },
        "protection_url": format!("{url}/protection"),
    })))
}

fn rules(call: &mut Call<'_>) -> Outcome {
    let (known, branch) = (call.repository()?, call.param("branch"));
    let ruleset: Option<&Protection> =
        known.protections.get(branch).filter(|protection| protection.by_ruleset);
    let rule = |protection: &Protection| {
        let checks = protection.required_checks.iter();
        let checks: Vec<_> = checks.map(|context| json!({ "context": context })).collect();
        json!({
            "type": "required_status_checks",
            "parameters": {
                "required_status_checks": checks,
                "strict_required_status_checks_policy": false,
                "do_not_enforce_on_create": false,
            },
            "ruleset_source_type": "Repository",
            "ruleset_source": call.state.full_name(known),
            "ruleset_id": 42,
        })
    };
    Ok(call.page(ruleset.into_iter().map(rule).collect()))
}
