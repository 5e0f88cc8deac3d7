//! Repositories themselves.

use super::{Access, Answer, Call, Outcome, Route, route};
use crate::level::Level;
use crate::shapes;

const READ: Access = Access::Scope("metadata", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}", READ, show),
    route("GET", "/repositories/{id_of_repository}", READ, show),
];

const MERGE_SETTINGS: &[&str] = &[
    "allow_auto_merge",
    "allow_merge_commit",
    "allow_rebase_merge",
    "allow_squash_merge",
    "allow_update_branch",
    "delete_branch_on_merge",
];

fn show(call: &mut Call<'_>) -> Outcome {
    let mut shape = shapes::full_repository(call.state, call.repository_id());
    // "To view merge-related settings, you must have the `contents:read` and `contents:write`
    // permissions" (GitHub's API description, "Get a repository").
    if call.token().is_some_and(|token| !token.allows("contents", Level::Write)) {
        for setting in MERGE_SETTINGS {
            shape.as_object_mut().map(|fields| fields.remove(*setting));
        }
    }
    Ok(Answer::ok(shape))
}
