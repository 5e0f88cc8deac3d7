//! GitHub's own description of its API as a judge of both sides: what is sent to it, and what
//! the emulator answers.
//!
//! Invariants: an exchange that is not described, a field that is not described and an answer of
//! another shape are all violations; nothing is waved through because it could not be matched.
#![allow(clippy::unwrap_used, reason = "a judge for tests")]

pub mod client;
mod document;
mod graphql;

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use gander_emulator::Exchange;
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

use self::document::{BASE, Document, Operation};
use self::graphql::{Schema, is_graphql};

/// A difference between an exchange and the description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `METHOD /path`.
    pub exchange: String,
    /// Which part of it.
    pub part: Part,
    /// What is wrong with it.
    pub message: String,
}

/// A part of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Method and path.
    Route,
    /// A query parameter.
    Query,
    /// The body that was sent.
    RequestBody,
    /// The status of the answer.
    Status,
    /// The body of the answer.
    ResponseBody,
    /// A GraphQL document, its variables or its data.
    Graphql,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}: {}", self.exchange, self.part, self.message)
    }
}

/// The description, ready to judge.
pub struct Contract {
    document: Document,
    schema: Schema,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Option<&'static Validator>>>,
}

const SKIPPED: &str = "\n*** SKIPPED: GANDER_OPENAPI names no file, so nothing was checked against \
                       GitHub's description. ***\n\n";

impl Contract {
    /// The description that the environment variable `GANDER_OPENAPI` names; `None`, loudly, when
    /// it is not set.
    pub fn from_environment() -> Option<Self> {
        #[allow(clippy::disallowed_methods, reason = "a test reads its own environment")]
        let path = std::env::var_os("GANDER_OPENAPI");
        let Some(path) = path else {
            // Past the test harness, which would swallow a `println`.
            let _ = std::io::stderr().write_all(SKIPPED.as_bytes());
            return None;
        };
        Some(Self::load(Path::new(&path)))
    }

    /// The description in a file, as `@octokit/openapi` ships it.
    ///
    /// # Panics
    /// When the file is not such a description.
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        // Beside it, npm put GitHub's GraphQL schema.
        let modules = path.ancestors().find(|folder| folder.ends_with("node_modules"));
        Self::new(serde_json::from_str(&text).unwrap(), Schema::new(modules.unwrap()))
    }

    fn new(openapi: Value, schema: Schema) -> Self {
        let mut document = Document::new(openapi);
        document.add("GET", "/repositories/{repository_id}", "full-repository");
        document.add("GET", "/repos/{owner}/{repo}/contents", "content-directory");
        // There, and only there, an account must be a person and an enterprise at once.
        let installations = json!({
            "type": "array",
            "items": { "$ref": "#/components/schemas/installation" },
        });
        document.correct("GET", "/app/installations", 200, &installations);
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(BASE, document.schemas.clone())
            .unwrap()
            .prepare()
            .unwrap();
        Self { document, schema, registry, validators: Mutex::default() }
    }

    /// Everything in which exchanges differ from the description or the GraphQL schema.
    pub fn check_all(&self, exchanges: &[Exchange]) -> Vec<Violation> {
        let (graphql, rest): (Vec<&Exchange>, Vec<&Exchange>) =
            exchanges.iter().partition(|exchange| is_graphql(exchange));
        let mut found = self.schema.check(&graphql);
        found.extend(rest.into_iter().flat_map(|exchange| self.check(exchange)));
        found
    }

    /// Everything in which one exchange of REST differs from the description.
    pub fn check(&self, exchange: &Exchange) -> Vec<Violation> {
        let name = format!("{} {}", exchange.method, exchange.path);
        let mut found = Findings { exchange: name, list: Vec::new() };
        let Some(operation) = self.document.find(&exchange.method, &exchange.path) else {
            found.add(Part::Route, "GitHub describes no such operation".to_owned());
            return found.list;
        };
        self.check_query(operation, &exchange.query, &mut found);
        self.check_request(operation, exchange.request_body.as_ref(), &mut found);
        self.check_response(operation, exchange, &mut found);
        found.list
    }

    fn check_query(&self, operation: &Operation, query: &str, found: &mut Findings) {
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let Some(schema) = operation.query.get(name.as_ref()) else {
                found.add(Part::Query, format!("{name} is not described"));
                continue;
            };
            // A number in an address is text; the description says which it means.
            let typed = text.parse::<i64>().map(|number| json!(number));
            let typed = typed.or_else(|_| text.parse::<bool>().map(|truth| json!(truth)));
            let as_text = json!(text);
            let fits = |value: &Value| self.errors(schema, value).is_empty();
            if !fits(&as_text) && !typed.is_ok_and(|typed| fits(&typed)) {
                found.add(Part::Query, format!("{name}={text} does not fit"));
            }
        }
    }

    fn check_request(&self, operation: &Operation, body: Option<&Value>, found: &mut Findings) {
        match (&operation.body, body) {
            (Some(schema), Some(body)) => {
                for message in self.errors(schema, body) {
                    found.add(Part::RequestBody, message);
                }
            }
            (Some(_), None) if operation.needs_body => {
                found.add(Part::RequestBody, "there is none".to_owned());
            }
            (None, Some(body)) if *body != json!({}) && !body.is_null() => {
                found.add(Part::RequestBody, "none is described".to_owned());
            }
            _ => {}
        }
    }

    fn check_response(&self, operation: &Operation, exchange: &Exchange, found: &mut Findings) {
        if !exchange.answered {
            // A planned fault speaks for nobody.
            return;
        }
        let (status, body) = (exchange.status, exchange.response_body.as_ref());
        if status >= 400 {
            let described = operation.responses.get(&status).and_then(Option::as_deref);
            let fallback = format!("{BASE}#/components/schemas/basic-error");
            let Some(body) = body else { return };
            if let Some(first) = self.wrong(described.unwrap_or(&fallback), body).first()
                && !self.wrong(&fallback, body).is_empty()
            {
                found.add(Part::ResponseBody, first.clone());
            }
            if !body["message"].is_string() {
                found.add(Part::ResponseBody, "a refusal without a message".to_owned());
            }
            return;
        }
        match (operation.responses.get(&status), body) {
            (None, _) if status == 304 => {}
            (None, _) => found.add(Part::Status, format!("{status} is not described")),
            (Some(Some(schema)), Some(body)) => {
                for message in self.errors(schema, body) {
                    found.add(Part::ResponseBody, message);
                }
            }
            (Some(None), Some(_)) => {
                found.add(Part::ResponseBody, "none is described".to_owned());
            }
            (Some(_), None) => {}
        }
    }

    /// What is wrong with a value, and which of its fields nobody described.
    fn errors(&self, schema: &str, value: &Value) -> Vec<String> {
        let mut messages = self.wrong(schema, value);
        messages.extend(self.document.undescribed(schema, value));
        messages
    }

    /// What is wrong with a value.
    fn wrong(&self, schema: &str, value: &Value) -> Vec<String> {
        let Some(validator) = self.validator(schema) else {
            return vec![format!("{schema} cannot be understood")];
        };
        let wrong = validator.iter_errors(value).map(|error| {
            let text = error.to_string();
            let short: String = text.chars().take(300).collect();
            format!("{}: {short}", error.instance_path())
        });
        wrong.collect()
    }

    fn validator(&self, schema: &str) -> Option<&'static Validator> {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(schema.to_owned()).or_insert_with(|| {
            let built = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .with_registry(&self.registry)
                .should_validate_formats(true)
                .build(&json!({ "$ref": schema }));
            // Kept for the life of the test: there are a few dozen.
            built.ok().map(|validator| &*Box::leak(Box::new(validator)))
        })
    }
}

struct Findings {
    exchange: String,
    list: Vec<Violation>,
}

impl Findings {
    fn add(&mut self, part: Part, message: String) {
        self.list.push(Violation { exchange: self.exchange.clone(), part, message });
    }
}
