//! Repositories themselves.

use super::{Access, Answer, Call, Outcome, Route, route};
use crate::level::Level;
use crate::shapes;

const READ: Access = Access::Scope("metadata", Level::Read);

pub(super) const ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}", READ, show),
    route("GET", "/repositories/{id_of_repository}", READ, show),
];

fn show(call: &mut Call<'_>) -> Outcome {
    Ok(Answer::ok(shapes::full_repository(call.state, call.repository_id())))
}
