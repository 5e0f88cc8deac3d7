//! What was asked of the API and what it answered, to be judged later.

use serde_json::Value;

use super::deliveries::DeliveryView;
use super::profile::ServerKind;

/// All that went to and fro between a GitHub and an App.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Whose GitHub it was in the end.
    pub server: ServerKind,
    /// What was asked of the API.
    pub exchanges: Vec<Exchange>,
    /// The webhooks that left, or were lost on their way.
    pub deliveries: Vec<DeliveryView>,
}

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
