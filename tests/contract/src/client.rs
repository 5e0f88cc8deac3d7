//! A plain HTTP client of the emulator that shares no code with the product.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gander_emulator::{AppCredentials, Emulator};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// Somebody who talks to the API.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    api: String,
    authorization: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, `null` when it is no JSON.
    pub json: Value,
    /// The body.
    pub text: String,
}

impl Reply {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The answer, which must have this status.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json
    }
}

impl Client {
    /// Somebody without credentials.
    pub fn anonymous(emulator: &Emulator) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        #[allow(clippy::disallowed_methods, reason = "the tests' own client")]
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("plain-client")
            .build()
            .unwrap();
        Self { http, api: emulator.api_url().to_string(), authorization: None }
    }

    /// Somebody without credentials who talks to another root than the REST API's.
    pub fn anonymous_at(emulator: &Emulator, root: &str) -> Self {
        Self { api: format!("{}{root}", emulator.web_url()), ..Self::anonymous(emulator) }
    }

    /// The same with other credentials.
    pub fn with(&self, authorization: &str) -> Self {
        Self { authorization: Some(authorization.to_owned()), ..self.clone() }
    }

    /// An App, by a token that is good at `now` (milliseconds).
    pub fn app(emulator: &Emulator, app: &AppCredentials, now: i64) -> Self {
        let claims = json!({
            "iss": app.client_id,
            "iat": now / 1000 - 60,
            "exp": now / 1000 + 540,
        });
        let jwt = jwt(&app.private_key_pem, &claims);
        Self::anonymous(emulator).with(&format!("Bearer {jwt}"))
    }

    /// Exchanges an App's token for one of an installation.
    pub async fn installation(&self, installation: u64, wanted: Value) -> Self {
        let path = format!("/app/installations/{installation}/access_tokens");
        let token = self.post(&path, wanted).await.expect(201);
        self.with(&format!("Bearer {}", token["token"].as_str().unwrap()))
    }

    /// The secret that is sent.
    pub fn secret(&self) -> &str {
        let authorization = self.authorization.as_deref().unwrap_or("");
        authorization.split_once(' ').map_or("", |(_, secret)| secret)
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    /// Reads, with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::GET, path, headers, None).await.unwrap()
    }

    /// Makes.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, &[], Some(body)).await.unwrap()
    }

    /// Makes, and may fail.
    pub async fn try_post(&self, path: &str, body: Value) -> Result<Reply, reqwest::Error> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// Changes.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, &[], Some(body)).await.unwrap()
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, &[], Some(body)).await.unwrap()
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], None).await.unwrap()
    }

    /// Sends a file to an address that the API gave.
    pub async fn upload(&self, url: &str, content: &[u8]) -> Reply {
        let request = self.http.post(url).header("content-type", "application/octet-stream");
        let request = match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        };
        let response = request.body(content.to_vec()).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status, headers, json, text }
    }

    /// Sends a request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.api));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status, headers, json, text })
    }
}

/// Signs claims as RFC 7519 says, with RS256.
pub fn jwt(pem: &str, claims: &Value) -> String {
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
