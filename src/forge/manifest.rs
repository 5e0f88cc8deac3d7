//! A new App: the code that GitHub gave a browser, exchanged for the App's number and secrets.
//!
//! Invariants: a code is sent once; nobody is authenticated, since the code itself is the proof;
//! no error shows the code.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, CONTENT_LENGTH};
use url::Url;

use super::bare::exchange;
use super::{API_VERSION, ForgeError, JSON, payload, segment, unreadable};
use crate::egress::Egress;

/// Nobody waits longer to be told that a name is free.
const SHORT: Duration = Duration::from_secs(5);

/// Exchanges a code for the App that was made with it.
///
/// # Errors
/// What GitHub said; or that it said nothing, and the code may be used up.
pub async fn claim_app(
    api: &Url,
    egress: &Egress,
    code: &str,
) -> Result<payload::NewApp, ForgeError> {
    let doing = "getting the new App's key and secrets";
    let api = api.as_str().trim_end_matches('/');
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(format!("{api}/app-manifests/{}/conversions", segment(code)))
        .header(ACCEPT, JSON)
        .header("x-github-api-version", API_VERSION)
        .header(CONTENT_LENGTH, 0)
        .body(reqwest::Body::from(""))
        .map_err(|error| unreadable(doing, error.to_string()))?;
    exchange(egress, request, doing).await?.judged(doing)?.json(doing)
}

/// Whether an App has this name in addresses, as GitHub tells strangers: an App that is not public
/// is not told, and a GitHub that does not answer says no.
pub async fn is_taken(api: &Url, egress: &Egress, slug: &str) -> bool {
    let api = api.as_str().trim_end_matches('/');
    let request = http::Request::get(format!("{api}/apps/{}", segment(slug)))
        .header(ACCEPT, JSON)
        .header("x-github-api-version", API_VERSION)
        .body(reqwest::Body::from(""));
    let Ok(request) = request else { return false };
    let answer = tokio::time::timeout(SHORT, egress.send(request)).await;
    matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
}
