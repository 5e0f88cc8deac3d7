//! Issues, comments, labels and reactions as JSON.

use serde_json::{Value, json};

use super::{moment, node_id, optional_moment, repository_page, repository_url, user};
use crate::state::{
    AccountKind, Comment, Issue, Label, LabelAct, Reaction, Repository, State, Target,
};

pub(crate) const REACTIONS: [&str; 8] =
    ["+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"];

pub(crate) fn issue(state: &State, repository: &Repository, issue: &Issue) -> Value {
    let (id, number) = (repository.id, issue.number);
    let url = repository_url(state, id, &format!("/issues/{number}"));
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let comments = repository.comments.values().filter(|comment| comment.issue == number).count();
    let assignees: Vec<_> =
        issue.assignees.iter().map(|account| user(state, Some(*account))).collect();
    let mut shape = json!({
        "url": url,
        "repository_url": repository_url(state, id, ""),
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "timeline_url": format!("{url}/timeline"),
        "html_url": repository_page(state, id, &format!("/{kind}/{number}")),
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "number": number,
        "title": issue.title,
        "user": user(state, issue.author),
        "labels": labels(state, repository, &issue.labels),
        "state": if issue.open { "open" } else { "closed" },
        "state_reason": issue.state_reason,
        "locked": false,
        "active_lock_reason": null,
        "assignee": assignees.first().cloned(),
        "assignees": assignees,
        "milestone": null,
        "comments": comments,
        "created_at": moment(issue.created_at),
        "updated_at": moment(issue.updated_at),
        "closed_at": optional_moment(issue.closed_at),
        "closed_by": user(state, issue.closed_by),
        "author_association": association(state, repository, issue.author),
        "body": issue.body,
        "performed_via_github_app": super::app_behind(state, issue.author),
        "reactions": rollup(repository, Target::Issue(number), &url),
    });
    if let Some(pull) = &issue.pull {
        let page = repository_page(state, id, &format!("/pull/{number}"));
        shape["draft"] = json!(pull.draft);
        shape["pull_request"] = json!({
            "url": repository_url(state, id, &format!("/pulls/{number}")),
            "html_url": page,
            "diff_url": format!("{page}.diff"),
            "patch_url": format!("{page}.patch"),
            "merged_at": optional_moment(pull.merged_at),
        });
    }
    shape
}

pub(crate) fn comment(state: &State, repository: &Repository, comment: &Comment) -> Value {
    let id = repository.id;
    let url = repository_url(state, id, &format!("/issues/comments/{}", comment.id));
    let on = repository.issues.get(&comment.issue);
    let kind = if on.is_some_and(|issue| issue.pull.is_some()) { "pull" } else { "issues" };
    let page = format!("/{kind}/{}#issuecomment-{}", comment.issue, comment.id);
    json!({
        "url": url,
        "html_url": repository_page(state, id, &page),
        "issue_url": repository_url(state, id, &format!("/issues/{}", comment.issue)),
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "user": user(state, comment.author),
        "created_at": moment(comment.created_at),
        "updated_at": moment(comment.updated_at),
        "body": comment.body,
        "author_association": association(state, repository, comment.author),
        "performed_via_github_app": super::app_behind(state, comment.author),
        "reactions": rollup(repository, Target::Comment(comment.id), &url),
    })
}

pub(crate) fn labels(state: &State, repository: &Repository, names: &[String]) -> Vec<Value> {
    names
        .iter()
        .filter_map(|name| find_label(repository, name))
        .map(|known| label(state, repository, known))
        .collect()
}

pub(crate) fn find_label<'a>(repository: &'a Repository, name: &str) -> Option<&'a Label> {
    repository.labels.iter().find(|label| label.name.eq_ignore_ascii_case(name))
}

pub(crate) fn label(state: &State, repository: &Repository, label: &Label) -> Value {
    let name = label.name.replace('%', "%25").replace(' ', "%20");
    json!({
        "id": label.id,
        "node_id": node_id("Label", label.id),
        "url": repository_url(state, repository.id, &format!("/labels/{name}")),
        "name": label.name,
        "color": label.color,
        "default": matches!(label.name.as_str(), "bug" | "enhancement"),
        // Not null: GitHub's own description of a pull request's labels does not allow it.
        "description": label.description.clone().unwrap_or_default(),
    })
}

pub(crate) fn label_act(state: &State, repository: &Repository, act: &LabelAct) -> Value {
    let known = find_label(repository, &act.label);
    let color = known.map_or("ededed", |label| label.color.as_str());
    json!({
        "id": act.id,
        "node_id": node_id("LabeledEvent", act.id),
        "url": repository_url(state, repository.id, &format!("/issues/events/{}", act.id)),
        "actor": user(state, act.actor),
        "event": act.event,
        "commit_id": null,
        "commit_url": null,
        "created_at": moment(act.at),
        "label": { "name": act.label, "color": color },
        "performed_via_github_app": super::app_behind(state, act.actor),
    })
}

pub(crate) fn reaction(state: &State, reaction: &Reaction) -> Value {
    json!({
        "id": reaction.id,
        "node_id": node_id("Reaction", reaction.id),
        "user": user(state, Some(reaction.user)),
        "content": reaction.content,
        "created_at": moment(reaction.created_at),
    })
}

pub(crate) fn rollup(repository: &Repository, target: Target, url: &str) -> Value {
    let mut shape = json!({ "url": format!("{url}/reactions") });
    let here = || repository.reactions.iter().filter(|reaction| reaction.target == target);
    shape["total_count"] = json!(here().count());
    for content in REACTIONS {
        let count = here().filter(|reaction| reaction.content == content).count();
        shape[content] = json!(count);
    }
    shape
}

/// What an author is to a repository.
pub(crate) fn association(
    state: &State,
    repository: &Repository,
    author: Option<u64>,
) -> &'static str {
    let Some(author) = author else { return "NONE" };
    if repository.owner == author {
        return "OWNER";
    }
    if !repository.roles.contains_key(&author) {
        return "NONE";
    }
    let owner = state.accounts.get(&repository.owner).map(|account| account.kind);
    if owner == Some(AccountKind::Organization) { "MEMBER" } else { "COLLABORATOR" }
}

/// The links of a pull request and an issue that lead to people's pages and back.
pub(crate) fn link(href: &str) -> Value {
    json!({ "href": href })
}
