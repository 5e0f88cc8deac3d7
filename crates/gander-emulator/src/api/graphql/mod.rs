//! GraphQL: the part of GitHub's schema that reviews need.
//!
//! Invariants: the document is really parsed, and a field, argument or type that the emulator does
//! not know is an error, never a guess; permissions are those of the same act by REST.

mod connection;
mod execute;
mod mutate;
mod object;
mod texts;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Access, Answer, Call, Outcome, Refusal, Route, route};
use crate::Trouble;
use crate::auth::Principal;
use crate::level::Level;

pub(super) const ROUTES: &[Route] = &[route("POST", "/graphql", Access::Token, answer)];

/// Something with fields. The first number is the repository, where there are two.
#[derive(Clone)]
enum Object {
    Query,
    Mutation,
    Repository(u64),
    Pull(u64, u64),
    Thread(u64, u64),
    Review(u64, u64),
    ReviewComment(u64, u64),
    IssueComment(u64, u64),
    Account(u64),
    Commit(String),
    Page(Page),
    PageInfo(Page),
    /// What a mutation answers: one object under its name.
    Payload {
        kind: &'static str,
        holds: &'static str,
        object: Box<Object>,
        mutation_id: Value,
    },
}

/// One page of a list.
#[derive(Clone)]
struct Page {
    kind: &'static str,
    items: Vec<Object>,
    /// How many stand before the page, and in all.
    before: usize,
    total: usize,
}

/// What a field is.
enum Resolved {
    Value(Value),
    One(Option<Object>),
    Many(Vec<Object>),
}

/// The arguments of a field, which must all be asked for.
struct Arguments {
    field: String,
    given: BTreeMap<String, Value>,
}

impl Arguments {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.given.remove(name).filter(|value| !value.is_null())
    }

    fn required(&mut self, name: &str) -> Result<Value, Problem> {
        let field = self.field.clone();
        self.take(name).ok_or_else(|| {
            let words = format!("Field '{field}' is missing required arguments: {name}");
            Problem::senseless(words)
        })
    }

    fn text(&mut self, name: &str) -> Result<String, Problem> {
        let value = self.required(name)?;
        let words = || Problem::senseless(format!("Argument '{name}' has an invalid value"));
        value.as_str().map(str::to_owned).ok_or_else(words)
    }

    /// Refuses what nobody took.
    fn end(self) -> Result<(), Problem> {
        match self.given.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let words = format!("Field '{}' doesn't accept argument '{name}'", self.field);
                Err(Problem::senseless(words))
            }
        }
    }
}

/// Something GraphQL has to say against a field, or the whole document.
#[derive(Debug, Clone)]
struct Problem {
    /// GitHub's word, as `NOT_FOUND`; none for documents that make no sense.
    kind: Option<&'static str>,
    message: String,
}

impl Problem {
    fn senseless(message: String) -> Self {
        Self { kind: None, message }
    }

    fn not_found(message: String) -> Self {
        Self { kind: Some("NOT_FOUND"), message }
    }

    fn forbidden() -> Self {
        let message = "Resource not accessible by integration".to_owned();
        Self { kind: Some("FORBIDDEN"), message }
    }

    fn refused(message: String) -> Self {
        Self { kind: Some("UNPROCESSABLE"), message }
    }

    fn to_json(&self, path: &[Value]) -> Value {
        let mut shape = json!({ "message": self.message });
        if let Some(kind) = self.kind {
            shape["type"] = json!(kind);
        }
        if !path.is_empty() {
            shape["path"] = json!(path);
        }
        shape
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unknown { .. } => Self::not_found(trouble.to_string()),
            Trouble::Refused(words) => Self::refused(words),
            other => Self { kind: Some("INTERNAL"), message: other.to_string() },
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { kind: Some("INTERNAL"), message: format!("{refusal:?}") }
    }
}

fn answer(call: &mut Call<'_>) -> Outcome {
    let query = call.text("query").ok_or_else(|| {
        Refusal::new(400, "A query attribute must be specified and must be a string.")
    })?;
    let variables = call.body["variables"].clone();
    let name = call.text("operationName");
    Ok(Answer::ok(execute::run(call, &query, name.as_deref(), &variables)))
}

/// Whether the token reaches a repository with one of these permissions; what is public may be read
/// by every token.
fn may(call: &Call<'_>, repository: u64, permissions: &[&str], level: Level) -> bool {
    let Principal::Installation(_) = call.principal else { return false };
    let Some(token) = call.token() else { return false };
    let public = call.state.repository(repository).is_ok_and(|known| !known.private);
    if public && level == Level::Read {
        return true;
    }
    token.repositories.contains(&repository)
        && permissions.iter().any(|permission| token.allows(permission, level))
}

/// Whether the token sees that a repository is there.
fn sees(call: &Call<'_>, repository: u64) -> bool {
    may(call, repository, &["metadata"], Level::Read)
}
