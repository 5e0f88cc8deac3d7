//! Who somebody is: sign-in through the App's user authorisation, with PKCE.
//!
//! Invariants: the token that comes of it is asked one thing, whose it is, and is gone then; neither
//! it nor the code nor the client's secret stands in an error; a code is sent once; the verifier
//! never goes through the browser's address, only its SHA-256 does.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::bare::exchange;
use super::{API_VERSION, ForgeError, JSON, payload, unreadable};
use crate::core::github::Actor;
use crate::egress::Egress;

/// What people sign in with: the App as a client of GitHub's OAuth.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The REST API, as in [`ForgeConfig`](super::ForgeConfig).
    pub api: Url,
    /// Where people see GitHub.
    pub web: Url,
    /// The way out; both hosts are pinned in it.
    pub egress: Egress,
    /// The App's client ID.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: SecretString,
}

/// GitHub's answer to a code: a token, or why there is none. It says 200 in both cases.
#[derive(Deserialize)]
struct Exchanged {
    access_token: Option<SecretString>,
    error: Option<String>,
    error_description: Option<String>,
}

impl SignIn {
    /// The page of GitHub that asks a person, and leads back to `redirect` with a code and `state`.
    /// `redirect` is exactly one of the App's callback URLs. `verifier` is a secret of 43 to 128
    /// letters and digits, which [`identify`] shows later.
    pub fn address(&self, redirect: &Url, state: &str, verifier: &str) -> Url {
        let mut url = self.page("/login/oauth/authorize");
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect.as_str())
            .append_pair("state", state)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)))
            .append_pair("code_challenge_method", "S256");
        url
    }

    fn page(&self, path: &str) -> Url {
        let mut url = self.web.clone();
        url.set_path(&format!("{}{path}", self.web.path().trim_end_matches('/')));
        url
    }
}

/// Exchanges a code for the person who gave it. `redirect` and `verifier` are those of the address
/// that they were sent to.
///
/// # Errors
/// What GitHub said: most often that the code is used up, too old, or another browser's.
pub async fn identify(
    sign_in: &SignIn,
    redirect: &Url,
    verifier: &str,
    code: &str,
) -> Result<Actor, ForgeError> {
    let token = exchange_code(sign_in, redirect, verifier, code).await?;
    let doing = "asking who signed in";
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut bearer = bearer.map_err(|_| unreadable(doing, "the token is none that can be sent"))?;
    bearer.set_sensitive(true);
    let request = http::Request::builder()
        .method(Method::GET)
        .uri(format!("{}/user", sign_in.api.as_str().trim_end_matches('/')))
        .header(ACCEPT, JSON)
        .header(AUTHORIZATION, bearer)
        .header("x-github-api-version", API_VERSION)
        .body(reqwest::Body::from(""))
        .map_err(|error| unreadable(doing, error.to_string()))?;
    let answer = exchange(&sign_in.egress, request, doing).await?.judged(doing)?;
    let user: payload::User = answer.json(doing)?;
    let login = user.login.parse().map_err(|_| unreadable(doing, "the name is no account's"))?;
    Ok(Actor { id: user.id, login, person: user.kind == "User" })
}

async fn exchange_code(
    sign_in: &SignIn,
    redirect: &Url,
    verifier: &str,
    code: &str,
) -> Result<SecretString, ForgeError> {
    let doing = "exchanging the code of a sign-in";
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(sign_in.page("/login/oauth/access_token").as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(reqwest::Body::from(form(sign_in, redirect, verifier, code)))
        .map_err(|error| unreadable(doing, error.to_string()))?;
    let answer = exchange(&sign_in.egress, request, doing).await?.judged(doing)?;
    let status = answer.status.as_u16();
    let Exchanged { access_token, error, error_description } = answer.json(doing)?;
    access_token.ok_or_else(|| {
        let said = error_description.or(error).unwrap_or_default();
        ForgeError::Refused { doing: doing.to_owned(), status, message: said }
    })
}

fn form(sign_in: &SignIn, redirect: &Url, verifier: &str, code: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &sign_in.client_id)
        .append_pair("client_secret", sign_in.client_secret.expose_secret())
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect.as_str())
        .append_pair("code_verifier", verifier)
        .finish()
}
