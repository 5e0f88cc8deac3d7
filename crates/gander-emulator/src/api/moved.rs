//! Repositories under other addresses than their present name: by number, and by former names.
//!
//! Invariants: a former name answers with a redirect to the number, as GitHub's documentation on
//! redirects says; once another repository has the name, it is that one's.

use serde_json::json;

use super::Answer;
use crate::state::State;

/// The path below the repository's present name, where it is given by number.
pub(crate) fn by_name(state: &State, path: &str) -> Option<String> {
    let (id, rest) = path.strip_prefix("/repositories/")?.split_once('/')?;
    let known = state.repositories.get(&id.parse().ok()?)?;
    Some(format!("/repos/{}/{rest}", state.full_name(known)))
}

/// The redirect that a former name answers with.
pub(super) fn redirect(state: &State, path: &str, query: Option<&str>) -> Option<Answer> {
    let mut segments = path.strip_prefix("/repos/")?.splitn(3, '/');
    let (owner, name, rest) = (segments.next()?, segments.next()?, segments.next());
    let id = state.formerly_named(owner, name)?.id;
    let rest = rest.map_or_else(String::new, |rest| format!("/{rest}"));
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let api = state.web.join("api/v3").ok()?;
    let url = format!("{api}/repositories/{id}{rest}{query}");
    let mut answer = Answer::json(301, json!({ "message": "Moved Permanently", "url": url }));
    answer.headers.push(("location".to_owned(), url));
    Some(answer)
}
