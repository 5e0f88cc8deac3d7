//! Commits to read: one, many, the difference of two; branches and what protects them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Access, Answer, Call, Content, Outcome, Refusal, Route, route};
use crate::git::Commit;
use crate::level::Level;
use crate::shapes::{commits, pulls, repository_page, repository_url};
use crate::state::{Protection, Pull, Repository};

const READ: Access = Access::Scope("contents", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}/commits", READ, list),
    route("GET", "/repos/{owner}/{repo}/commits/{ref...}", READ, show),
    route(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref...}/pulls",
        Access::Scope("pull_requests", Level::Read),
        pulls_of,
    ),
    route("GET", "/repos/{owner}/{repo}/compare/{basehead...}", READ, compare),
    route("GET", "/repos/{owner}/{repo}/activity", READ, activity),
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

/// The pull requests that brought a commit in, or are about to.
fn pulls_of(call: &mut Call<'_>) -> Outcome {
    let known = call.filled_repository()?;
    let sha = find(known, call.param("ref"))?.sha;
    let holds = |pull: &Pull| {
        pull.merge_commit.as_ref() == Some(&sha)
            || (known.git.is_ancestor(&sha, &pull.head_sha)
                && !known.git.is_ancestor(&sha, &pull.base_sha))
    };
    let all = known.issues.values().filter(|issue| issue.pull.as_ref().is_some_and(holds));
    Ok(call.page(all.filter_map(|issue| pulls::simple(call.state, known, issue)).collect()))
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

/// Who moved which branch, newest first; its pages are named by the last entry, not by a number.
fn activity(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let wanted = call.query("ref").map(|name| match name.starts_with("refs/") {
        true => name.to_owned(),
        false => format!("refs/heads/{name}"),
    });
    let size = call.query("per_page").and_then(|text| text.parse().ok()).unwrap_or(30);
    let size: usize = size.clamp(1, 100);
    let after: u64 = call.query("after").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let of_it = known
        .activities
        .iter()
        .rev()
        .filter(|it| it.id < after && wanted.as_ref().is_none_or(|wanted| it.name == *wanted));
    let mut found: Vec<_> = of_it.take(size + 1).collect();
    let more = found.len() > size;
    found.truncate(size);
    let shown: Vec<Value> = found.iter().map(|it| commits::activity(call.state, it)).collect();
    let mut answer = Answer::ok(json!(shown));
    if let Some(last) = found.last().filter(|_| more) {
        let link = format!("<{}>; rel=\"next\"", call.link(&[("after", last.id)]));
        answer.headers.push(("link".to_owned(), link));
    }
    Ok(answer)
}

fn branches(call: &mut Call<'_>) -> Outcome {
    let known = call.repository()?;
    let mut found = Vec::new();
    for (name, sha) in &known.refs {
        let Some(branch) = name.strip_prefix("refs/heads/") else { continue };
        found.push(commits::branch(call.state, known, branch, sha));
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
    let required = || classic.into_iter().flat_map(|protection| &protection.required_checks);
    let contexts: Vec<&String> = required().map(|check| &check.name).collect();
    let checks: Vec<Value> =
        required().map(|check| json!({ "context": check.name, "app_id": check.app })).collect();
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
    let mut rules = Vec::new();
    if let Some(protection) = ruleset.filter(|one| !one.required_checks.is_empty()) {
        let checks = protection.required_checks.iter().map(|check| match check.app {
            Some(app) => json!({ "context": check.name, "integration_id": app }),
            None => json!({ "context": check.name }),
        });
        rules.push(json!({
            "type": "required_status_checks",
            "parameters": {
                "required_status_checks": checks.collect::<Vec<_>>(),
                "strict_required_status_checks_policy": protection.up_to_date,
                "do_not_enforce_on_create": false,
            },
        }));
    }
    let asks_of_pulls = |one: &&Protection| {
        one.approvals > 0
            || one.dismisses_stale
            || one.conversations
            || !one.merge_methods.is_empty()
    };
    if let Some(protection) = ruleset.filter(asks_of_pulls) {
        let all = BTreeSet::from(["merge", "rebase", "squash"]);
        let methods = Some(&protection.merge_methods).filter(|named| !named.is_empty());
        rules.push(json!({
            "type": "pull_request",
            "parameters": {
                "allowed_merge_methods": methods.unwrap_or(&all),
                "dismiss_stale_reviews_on_push": protection.dismisses_stale,
                "require_code_owner_review": false,
                "require_last_push_approval": false,
                "required_approving_review_count": protection.approvals,
                "required_review_thread_resolution": protection.conversations,
            },
        }));
    }
    rules.extend(ruleset.into_iter().flat_map(other_rules));
    for rule in &mut rules {
        rule["ruleset_source_type"] = json!("Repository");
        rule["ruleset_source"] = json!(call.state.full_name(known));
        rule["ruleset_id"] = json!(42);
    }
    rules.extend(super::rulesets::rules_of_branch(call, known, branch));
    Ok(call.page(rules))
}

/// Rules that say nothing of checks or reviews, as GitHub's API description has them.
fn other_rules(protection: &Protection) -> Vec<Value> {
    let plain = |asked: bool, kind: &str| asked.then(|| json!({ "type": kind }));
    let queue = protection.merge_queue.then(|| {
        json!({
            "type": "merge_queue",
            "parameters": {
                "check_response_timeout_minutes": 60,
                "grouping_strategy": "ALLGREEN",
                "max_entries_to_build": 5,
                "max_entries_to_merge": 5,
                "merge_method": "SQUASH",
                "min_entries_to_merge": 1,
                "min_entries_to_merge_wait_minutes": 5,
            },
        })
    });
    let environments = &protection.environments;
    let deployments = (!environments.is_empty()).then(|| {
        json!({
            "type": "required_deployments",
            "parameters": { "required_deployment_environments": environments },
        })
    });
    let linear = plain(protection.linear_history, "required_linear_history");
    let signatures = plain(protection.signatures, "required_signatures");
    [queue, deployments, linear, signatures].into_iter().flatten().collect()
}
