//! Answers and refusals, in GitHub's words.

use serde_json::{Value, json};

use crate::Trouble;
use crate::level::Level;

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Empty,
    Json(Value),
    /// A media type and what is of it.
    Bytes(String, Vec<u8>),
}

impl Answer {
    pub(crate) fn ok(json: Value) -> Self {
        Self::json(200, json)
    }

    pub(crate) fn created(json: Value) -> Self {
        Self::json(201, json)
    }

    /// Something that was made, and where it is, as GitHub's description of most such answers says.
    pub(crate) fn created_at(json: Value) -> Self {
        let place = json["url"].as_str().map(str::to_owned);
        let mut answer = Self::created(json);
        answer.headers.extend(place.map(|place| ("location".to_owned(), place)));
        answer
    }

    pub(crate) fn json(status: u16, json: Value) -> Self {
        Self { status, headers: Vec::new(), content: Content::Json(json) }
    }

    /// The media type of what it holds.
    pub(crate) fn content_type(&self) -> Option<&str> {
        match &self.content {
            Content::Empty => None,
            Content::Json(_) => Some("application/json; charset=utf-8"),
            Content::Bytes(kind, _) => Some(kind),
        }
    }

    pub(crate) fn nothing() -> Self {
        Self { status: 204, headers: Vec::new(), content: Content::Empty }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: u16,
    message: String,
    errors: Vec<Value>,
    headers: Vec<(String, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: &str) -> Self {
        let message = message.to_owned();
        Self { status, message, errors: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(crate) fn forbidden(permission: &str, level: Level) -> Self {
        let mut refusal = Self::new(403, "Resource not accessible by integration");
        let needed = format!("{permission}={}", level.as_str());
        refusal.headers.push(("x-accepted-github-permissions".to_owned(), needed));
        refusal
    }

    /// A field with a value that will not do.
    pub(crate) fn invalid(resource: &str, field: &str) -> Self {
        let mut refusal = Self::new(422, "Validation Failed");
        let error = json!({ "resource": resource, "code": "invalid", "field": field });
        refusal.errors.push(error);
        refusal
    }

    /// A value that something else has already.
    pub(crate) fn taken(resource: &str, field: &str) -> Self {
        let mut refusal = Self::new(422, "Validation Failed");
        let error = json!({ "resource": resource, "code": "already_exists", "field": field });
        refusal.errors.push(error);
        refusal
    }

    /// A value that will not do, for a reason in words.
    pub(crate) fn custom(resource: &str, message: &str) -> Self {
        let mut refusal = Self::new(422, "Validation Failed");
        let error = json!({ "resource": resource, "code": "custom", "message": message });
        refusal.errors.push(error);
        refusal
    }

    /// A refusal whose reasons are plain sentences.
    pub(crate) fn plain(message: &str, reason: &str) -> Self {
        let mut refusal = Self::new(422, message);
        refusal.errors.push(json!(reason));
        refusal
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::new(422, &format!("Invalid request.\n\n\"{field}\" wasn't supplied."))
    }

    pub(crate) fn into_answer(self) -> Answer {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
        });
        // The description has it in a "basic error", and in no other.
        if !matches!(self.status, 405 | 422) {
            body["status"] = json!(self.status.to_string());
        }
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        let mut answer = Answer::json(self.status, body);
        answer.headers = self.headers;
        answer
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unknown { .. } => Self::not_found(),
            Trouble::Refused(message) => Self::new(422, &message),
            other => Self::new(500, &format!("Server Error: {other}")),
        }
    }
}
