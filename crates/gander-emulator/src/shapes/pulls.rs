//! Pull requests as JSON.

use serde_json::{Value, json};

use super::issues::{association, labels, link};
use super::{moment, node_id, optional_moment, repository_page, repository_url, user};
use crate::state::{Issue, Repository, State};
use crate::{Trouble, rules};

/// A pull request as lists and webhooks show it; `None` for a plain issue.
pub(crate) fn simple(state: &State, repository: &Repository, issue: &Issue) -> Option<Value> {
    let pull = issue.pull.as_ref()?;
    let (id, number) = (repository.id, issue.number);
    let url = repository_url(state, id, &format!("/pulls/{number}"));
    let issue_url = repository_url(state, id, &format!("/issues/{number}"));
    let page = repository_page(state, id, &format!("/pull/{number}"));
    let statuses = repository_url(state, id, &format!("/statuses/{}", pull.head_sha));
    let review_comment = repository_url(state, id, "/pulls/comments{/number}");
    let assignees: Vec<_> = issue.assignees.iter().map(|one| user(state, Some(*one))).collect();
    let reviewers: Vec<_> =
        pull.requested_reviewers.iter().map(|one| user(state, Some(*one))).collect();
    Some(json!({
        "url": url,
        "id": issue.id + 100_000_000,
        "node_id": node_id("PullRequest", issue.id),
        "html_url": page,
        "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"),
        "issue_url": issue_url,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": review_comment,
        "comments_url": format!("{issue_url}/comments"),
        "statuses_url": statuses,
        "number": number,
        "state": if issue.open { "open" } else { "closed" },
        "locked": false,
        "active_lock_reason": null,
        "title": issue.title,
        "user": user(state, issue.author),
        "body": issue.body,
        "labels": labels(state, repository, &issue.labels),
        "milestone": null,
        "created_at": moment(issue.created_at),
        "updated_at": moment(issue.updated_at),
        "closed_at": optional_moment(issue.closed_at),
        "merged_at": optional_moment(pull.merged_at),
        "merge_commit_sha": pull.merge_commit.as_ref().or(pull.test_merge.as_ref()),
        "assignee": assignees.first().cloned(),
        "assignees": assignees,
        "requested_reviewers": reviewers,
        "requested_teams": [],
        "head": end(state, pull.head_repository, &pull.head_branch, &pull.head_sha),
        "base": end(state, Some(id), &pull.base_branch, &pull.base_sha),
        "_links": {
            "self": link(&url),
            "html": link(&page),
            "issue": link(&issue_url),
            "comments": link(&format!("{issue_url}/comments")),
            "review_comments": link(&format!("{url}/comments")),
            "review_comment": link(&review_comment),
            "commits": link(&format!("{url}/commits")),
            "statuses": link(&statuses),
        },
        "author_association": association(state, repository, issue.author),
        "auto_merge": null,
        "draft": pull.draft,
    }))
}

/// A pull request as its own page shows it.
pub(crate) fn full(
    state: &State,
    repository: &Repository,
    issue: &Issue,
) -> Result<Value, Trouble> {
    let missing = || Trouble::unknown("pull request", issue.number);
    let mut shape = simple(state, repository, issue).ok_or_else(missing)?;
    let pull = issue.pull.as_ref().ok_or_else(missing)?;
    let git = &repository.git;
    let fork_point = git.merge_base(&pull.base_sha, &pull.head_sha);
    let fork_point = fork_point.unwrap_or_else(|| pull.base_sha.clone());
    let commits = git.commits_between(&pull.base_sha, &pull.head_sha)?.len();
    let files = git.diff(&fork_point, &pull.head_sha)?;
    let comments = repository.comments.values().filter(|one| one.issue == issue.number).count();
    let (mergeable, mergeable_state) = rules::mergeability(state, repository, issue, pull);
    let on_lines =
        repository.review_comments.values().filter(|one| one.pull == issue.number).count();
    for (name, value) in [
        ("merged", json!(pull.merged_at.is_some())),
        ("mergeable", json!(mergeable)),
        ("rebaseable", json!(mergeable)),
        ("mergeable_state", json!(mergeable_state)),
        ("merged_by", user(state, pull.merged_by)),
        ("comments", json!(comments)),
        ("review_comments", json!(on_lines)),
        ("maintainer_can_modify", json!(false)),
        ("commits", json!(commits)),
        ("additions", json!(files.iter().map(|file| file.additions).sum::<u64>())),
        ("deletions", json!(files.iter().map(|file| file.deletions).sum::<u64>())),
        ("changed_files", json!(files.len())),
    ] {
        shape[name] = value;
    }
    Ok(shape)
}

fn end(state: &State, repository: Option<u64>, branch: &str, sha: &str) -> Value {
    let known = repository.and_then(|id| state.repositories.get(&id));
    let owner = known.map(|known| known.owner);
    json!({
        "label": format!("{}:{branch}", state.login(owner)),
        "ref": branch,
        "sha": sha,
        "user": user(state, owner),
        "repo": known.map(|known| super::repository(state, known.id)),
    })
}

/// A pull request as a check run mentions it.
pub(crate) fn minimal(state: &State, repository: &Repository, issue: &Issue) -> Option<Value> {
    let pull = issue.pull.as_ref()?;
    let side = |branch: &str, sha: &str, id: u64| {
        let name = state.repositories.get(&id).map(|known| known.name.clone());
        let repo = json!({ "id": id, "url": repository_url(state, id, ""), "name": name });
        json!({ "ref": branch, "sha": sha, "repo": repo })
    };
    let id = repository.id;
    Some(json!({
        "id": issue.id + 100_000_000,
        "number": issue.number,
        "url": repository_url(state, id, &format!("/pulls/{}", issue.number)),
        "head": side(&pull.head_branch, &pull.head_sha, pull.head_repository.unwrap_or(id)),
        "base": side(&pull.base_branch, &pull.base_sha, id),
    }))
}
