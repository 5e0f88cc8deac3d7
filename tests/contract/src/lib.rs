//! GitHub's own description of its API as a judge of both sides: what is sent to it, and what
//! the emulator answers and tells by webhooks.
//!
//! Invariants: an exchange that is not described, a field that is not described and an answer of
//! another shape are all violations; nothing is waved through because it could not be matched, but
//! for the rows of `known.rs`.
#![allow(clippy::unwrap_used, reason = "a judge for tests")]

pub mod client;
mod document;
mod graphql;
mod headers;
mod known;
mod required;

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gander_emulator::{DeliveryView, Exchange, Record, ServerKind};
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

use self::document::{BASE, Document, Operation, json_of};
use self::graphql::{Schema, is_graphql};
use self::headers::header;
use self::known::Needed;

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
    /// What stands for a name in the path.
    PathParameter,
    /// A header that was sent.
    RequestHeader,
    /// A query parameter.
    Query,
    /// The body that was sent.
    RequestBody,
    /// The status of the answer.
    Status,
    /// A header of the answer.
    ResponseHeader,
    /// The body of the answer.
    ResponseBody,
    /// The headers or the body of a webhook.
    Webhook,
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
    path: PathBuf,
    document: Document,
    schema: Schema,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Option<&'static Validator>>>,
    needed: Needed,
}

/// The events that an App like ours may be told of.
const EVENTS: [&str; 15] = [
    "check_run",
    "check_suite",
    "installation",
    "installation_repositories",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "release",
    "repository",
    "status",
    "workflow_run",
];

/// Says what was not checked, and why: past the test harness, which would swallow a `println`.
pub fn skipped(variable: &str, consequence: &str) {
    let text = format!("\n*** SKIPPED: {variable} is not set, so {consequence}. ***\n\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
}

impl Contract {
    /// The description that the environment variable `GANDER_OPENAPI` names; `None`, loudly, when
    /// it is not set.
    pub fn from_environment() -> Option<Self> {
        #[allow(clippy::disallowed_methods, reason = "a test reads its own environment")]
        let path = std::env::var_os("GANDER_OPENAPI");
        if path.is_none() {
            let consequence = "nothing was checked against GitHub's description: neither what \
                               Gander sends nor what the emulator answers (`make test` sets it)";
            skipped("GANDER_OPENAPI", consequence);
        }
        Some(Self::load(Path::new(&path?)))
    }

    /// The description of Enterprise Server that comes with the one in the environment.
    pub fn of_enterprise(&self) -> Self {
        Self::load(&self.path.with_file_name("ghes-3.19.json"))
    }

    /// The table of required members that the emulator holds.
    pub fn required_members(&self) -> String {
        required::table(&self.document, &EVENTS)
    }

    /// The rows of `known.rs` that nothing judged so far needed.
    pub fn unneeded(&self) -> Vec<String> {
        self.needed.unneeded()
    }

    /// The description in a file, as `@octokit/openapi` ships it.
    ///
    /// # Panics
    /// When the file is not such a description.
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        // Beside it, npm put GitHub's GraphQL schema.
        let modules = path.ancestors().find(|folder| folder.ends_with("node_modules"));
        let schema = Schema::new(modules.unwrap());
        Self::new(path, serde_json::from_str(&text).unwrap(), schema)
    }

    fn new(path: &Path, openapi: Value, schema: Schema) -> Self {
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
        let (validators, needed) = (Mutex::default(), Needed::default());
        Self { path: path.to_owned(), document, schema, registry, validators, needed }
    }

    /// Everything in which a record differs from the description.
    pub fn check_record(&self, record: &Record) -> Vec<Violation> {
        let mut found = self.check_all(&record.exchanges);
        found.extend(record.deliveries.iter().flat_map(|one| self.check_webhook(one)));
        if record.server == ServerKind::RequiredOnly {
            found.extend(self.optional_members(record));
        }
        found
    }

    /// What a server that sends required members only sent besides.
    fn optional_members(&self, record: &Record) -> Vec<Violation> {
        let mut list = Vec::new();
        for exchange in record.exchanges.iter().filter(|one| one.answered && !is_graphql(one)) {
            let operation = self.document.find(&exchange.method, &exchange.path);
            let response = operation.and_then(|known| known.responses.get(&exchange.status));
            let schema = response.and_then(|response| json_of(&response.contents));
            let (Some(schema), Some(body)) = (schema, &exchange.response_body) else { continue };
            let mut found = Findings::of(format!("{} {}", exchange.method, exchange.path));
            for message in required::optional(&self.document, schema, body) {
                found.add(Part::ResponseBody, message);
            }
            list.extend(found.list);
        }
        for delivery in &record.deliveries {
            let name = event_of(delivery);
            let Some(hook) = self.document.webhooks.get(&name) else { continue };
            let mut found = Findings::of(name);
            for message in required::optional(&self.document, &hook.body, &delivery.payload) {
                found.add(Part::Webhook, message);
            }
            list.extend(found.list);
        }
        list
    }

    /// Everything in which a webhook differs from the description.
    pub fn check_webhook(&self, delivery: &DeliveryView) -> Vec<Violation> {
        let name = event_of(delivery);
        let mut found = Findings::of(format!("webhook {name}"));
        let Some(hook) = self.document.webhooks.get(&name) else {
            found.add(Part::Webhook, "GitHub describes no such event and action".to_owned());
            return found.list;
        };
        for (name, schema) in &hook.headers {
            match header(&delivery.request_headers, name) {
                None => found.add(Part::Webhook, format!("there is no {name}")),
                Some(text) if !self.fits_as_text(schema, text) => {
                    found.add(Part::Webhook, format!("{name}: {text} does not fit"));
                }
                Some(_) => {}
            }
        }
        let said = header(&delivery.request_headers, "x-github-event");
        if said.is_some_and(|said| said != delivery.event) {
            found.add(Part::Webhook, format!("x-github-event is not {}", delivery.event));
        }
        let action = delivery.payload["action"].as_str();
        if action.is_some() && action != delivery.action.as_deref() {
            found.add(Part::Webhook, format!("/action is {action:?}"));
        }
        for message in self.errors(&hook.body, &delivery.payload) {
            found.add(Part::Webhook, message);
        }
        found.list
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
        let mut found = Findings::of(format!("{} {}", exchange.method, exchange.path));
        let Some(operation) = self.document.find(&exchange.method, &exchange.path) else {
            found.add(Part::Route, "GitHub describes no such operation".to_owned());
            return found.list;
        };
        for (name, text, schema) in self.document.params(operation, &exchange.path) {
            if schema.is_some_and(|schema| !self.fits_as_text(schema, &text)) {
                found.add(Part::PathParameter, format!("{name}={text} does not fit"));
            }
        }
        self.check_query(operation, &exchange.query, (Part::Query, &mut found));
        self.check_request_headers(operation, exchange, &mut found);
        self.check_request(operation, exchange.request_body.as_ref(), &mut found);
        self.check_response(operation, exchange, &mut found);
        found.list
    }

    pub(crate) fn check_query(
        &self,
        operation: &Operation,
        query: &str,
        (part, found): (Part, &mut Findings),
    ) {
        let given: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        for (name, text) in &given {
            match operation.query.get(name.as_ref()) {
                None => found.add(part, format!("{name} is not described")),
                Some(schema) if !self.fits_as_text(schema, text) => {
                    found.add(part, format!("{name}={text} does not fit"));
                }
                Some(_) => {}
            }
        }
        for name in &operation.needed_query {
            if !given.iter().any(|(known, _)| known == name) {
                found.add(part, format!("there is no {name}"));
            }
        }
    }

    /// Whether a text in an address or a header can mean what a schema describes.
    pub(crate) fn fits_as_text(&self, schema: &str, text: &str) -> bool {
        // A number there is text; the description says which it means.
        let typed = text.parse::<i64>().map(|number| json!(number));
        let typed = typed.or_else(|_| text.parse::<bool>().map(|truth| json!(truth)));
        let fits = |value: &Value| self.wrong(schema, value).is_empty();
        fits(&json!(text)) || typed.is_ok_and(|typed| fits(&typed))
    }

    fn check_request(&self, operation: &Operation, body: Option<&Value>, found: &mut Findings) {
        match (json_of(&operation.body), body) {
            (Some(schema), Some(body)) => {
                for message in self.errors(schema, body) {
                    found.add(Part::RequestBody, message);
                }
            }
            (Some(_), None) if operation.needs_body => {
                found.add(Part::RequestBody, "there is none".to_owned());
            }
            (None, Some(body)) if operation.body.is_empty() && *body != json!({}) => {
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
        let Some(response) = operation.responses.get(&status) else {
            let message = body.and_then(|body| body["message"].as_str()).unwrap_or_default();
            if !self.needed.answer(status, message) {
                found.add(Part::Status, format!("{status} {message:?} is not described"));
            } else if let Some(body) = body {
                self.check_error(body, found);
            }
            return;
        };
        self.check_response_headers((operation, response), exchange, found);
        self.check_links(operation, exchange, found);
        match (json_of(&response.contents), body) {
            (Some(schema), Some(body)) => {
                for message in self.errors(schema, body) {
                    found.add(Part::ResponseBody, message);
                }
            }
            // Of some errors the description has the status alone.
            (None, Some(body)) if status >= 400 => self.check_error(body, found),
            (None, Some(_)) => found.add(Part::ResponseBody, "none is described".to_owned()),
            (_, None) => {}
        }
    }

    /// What every error is that is not described more closely.
    fn check_error(&self, body: &Value, found: &mut Findings) {
        let kinds = ["basic-error", "validation-error", "validation-error-simple"];
        let wrong =
            kinds.map(|kind| self.errors(&format!("{BASE}#/components/schemas/{kind}"), body));
        for message in wrong.into_iter().min_by_key(Vec::len).unwrap_or_default() {
            found.add(Part::ResponseBody, message);
        }
        if !body["message"].is_string() {
            found.add(Part::ResponseBody, "an error without a message".to_owned());
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
        wrong.filter(|message| !self.needed.value(message)).collect()
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

/// `event.action`, or the event alone.
fn event_of(delivery: &DeliveryView) -> String {
    match &delivery.action {
        Some(action) => format!("{}.{action}", delivery.event),
        None => delivery.event.clone(),
    }
}

pub(crate) struct Findings {
    exchange: String,
    list: Vec<Violation>,
}

impl Findings {
    fn of(exchange: String) -> Self {
        Self { exchange, list: Vec::new() }
    }

    pub(crate) fn add(&mut self, part: Part, message: String) {
        self.list.push(Violation { exchange: self.exchange.clone(), part, message });
    }
}
