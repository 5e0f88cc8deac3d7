//! What webhooks do not tell although answers of the API have it. The source is GitHub's own
//! description of each event and action (`x-webhooks`); `tests/contract` holds every delivery
//! against it.

use serde_json::Value;

/// Places (RFC 6901) and the members that are not there, by `event` or `event.action`.
const UNTOLD: [(&str, &[&str], &[&str]); 8] = [
    ("workflow_run", &["/workflow_run/repository", "/workflow_run/head_repository"], &LONG),
    (
        "workflow_run.in_progress",
        &[
            "/workflow_run/repository/owner",
            "/workflow_run/head_repository/owner",
            "/workflow_run/actor",
            "/workflow_run/triggering_actor",
        ],
        &["user_view_type"],
    ),
    ("workflow_run.in_progress", &["/workflow_run"], &["display_title"]),
    ("status", &["/commit/author", "/commit/committer"], &["user_view_type"]),
    ("issue_comment.created", &["/issue/user"], &["user_view_type"]),
    ("issue_comment.edited", &["/issue/user"], &["user_view_type"]),
    ("issues", &["/issue/performed_via_github_app"], &["client_id"]),
    (
        "pull_request_review.edited",
        &["/pull_request/base/repo", "/pull_request/head/repo"],
        &["has_discussions", "web_commit_signoff_required"],
    ),
];

/// What only a long repository has.
const LONG: [&str; 31] = [
    "archived",
    "clone_url",
    "created_at",
    "default_branch",
    "disabled",
    "forks",
    "forks_count",
    "git_url",
    "has_discussions",
    "has_downloads",
    "has_issues",
    "has_pages",
    "has_projects",
    "has_wiki",
    "homepage",
    "language",
    "license",
    "mirror_url",
    "open_issues",
    "open_issues_count",
    "pushed_at",
    "size",
    "ssh_url",
    "stargazers_count",
    "svn_url",
    "topics",
    "updated_at",
    "visibility",
    "watchers",
    "watchers_count",
    "web_commit_signoff_required",
];

/// Takes from a payload what an event and action do not tell.
pub(crate) fn shorten(event: &str, action: Option<&str>, payload: &mut Value) {
    let whole = format!("{event}.{}", action.unwrap_or_default());
    for (name, places, members) in UNTOLD {
        if name != event && name != whole {
            continue;
        }
        for place in places {
            let Some(Value::Object(fields)) = payload.pointer_mut(place) else { continue };
            fields.retain(|name, _| !members.contains(&name.as_str()));
        }
    }
}
