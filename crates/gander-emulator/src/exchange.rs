//! What was asked of the API and what it answered, to be judged later.

use serde_json::Value;

/// One request to the API and its answer.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Exchange {
    /// The HTTP method.
    pub method: String,
    /// The pattern of the route that took it, as [`super::Emulator::routes`] names it; `None` when
    /// there was none.
    pub route: Option<String>,
    /// The path below the API's root, still percent-encoded.
    pub path: String,
    /// The query, without the question mark, still percent-encoded.
    pub query: String,
    /// The headers; credentials show only their kind: `app-jwt`, `installation-token #n`,
    /// `refused` or `none`.
    pub request_headers: Vec<(String, String)>,
    /// The body, if it was JSON.
    pub request_body: Option<Value>,
    /// The status of the answer.
    pub status: u16,
    /// The headers of the answer.
    pub response_headers: Vec<(String, String)>,
    /// The body, if it was JSON.
    pub response_body: Option<Value>,
    /// Whether this is the emulator's own answer and reached the client. A planned fault may have
    /// cut it off, or answered in its place.
    pub answered: bool,
}
