//! Who asks, and what they may do.
//!
//! Invariants: the signature of an App's token is really checked, and its times are checked
//! against the emulator's clock; an installation token reaches only its repositories, with only its
//! permissions, for one hour.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::answer::Refusal;
use super::level::Level;
use super::limits::ANONYMOUS;
use super::state::{State, Token};

/// Who is behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    Anonymous,
    App(u64),
    /// The position of the token.
    Installation(usize),
    /// Somebody who signed in with an App.
    Person(u64),
}

/// How long an installation token lives, in milliseconds.
const TOKEN_LIFE: i64 = 3_600_000;

impl Principal {
    /// The bucket that a request counts against.
    pub(crate) fn bucket(self, state: &State) -> String {
        match self {
            Self::Anonymous => ANONYMOUS.to_owned(),
            Self::App(app) => format!("app {app}"),
            Self::Person(account) => format!("user {account}"),
            Self::Installation(token) => state.tokens.get(token).map_or_else(
                || ANONYMOUS.to_owned(),
                |token| format!("installation {}", token.installation),
            ),
        }
    }

    /// How the record of exchanges shows the credentials.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Anonymous => "none".to_owned(),
            Self::App(_) => "app-jwt".to_owned(),
            Self::Person(_) => "user-token".to_owned(),
            Self::Installation(token) => format!("installation-token #{}", token + 1),
        }
    }
}

impl Token {
    pub(crate) fn allows(&self, permission: &str, level: Level) -> bool {
        if permission == "metadata" && level == Level::Read {
            return true;
        }
        let granted = self.permissions.get(permission).and_then(|text| Level::parse(text));
        granted.is_some_and(|granted| granted >= level)
    }
}

/// Who sent these credentials (the value of `Authorization`).
pub(crate) fn authenticate(state: &State, header: Option<&str>) -> Result<Principal, Refusal> {
    let Some(header) = header else { return Ok(Principal::Anonymous) };
    let (scheme, rest) = header.split_once(' ').unwrap_or(("", header));
    let secret = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest.trim()).unwrap_or_default();
        let text = String::from_utf8_lossy(&decoded).into_owned();
        text.split_once(':').map(|(_, password)| password.to_owned()).unwrap_or_default()
    } else {
        rest.trim().to_owned()
    };
    if secret.split('.').count() == 3 {
        return authenticate_app(state, &secret).map(Principal::App);
    }
    if let Some(person) = state.sign_ins.whose(&secret, state.now()) {
        return Ok(Principal::Person(person));
    }
    authenticate_token(state, &secret).map(Principal::Installation)
}

fn authenticate_token(state: &State, secret: &str) -> Result<usize, Refusal> {
    let bad = || Refusal::new(401, "Bad credentials");
    let found = state.tokens.iter().position(|token| token.text == secret).ok_or_else(bad)?;
    let token = state.tokens.get(found).ok_or_else(bad)?;
    let installation = state.installations.get(&token.installation).ok_or_else(bad)?;
    if token.revoked || state.now() >= token.expires_at {
        return Err(bad());
    }
    if installation.suspended_at.is_some() {
        return Err(Refusal::new(403, "This installation has been suspended"));
    }
    Ok(found)
}

fn authenticate_app(state: &State, jwt: &str) -> Result<u64, Refusal> {
    let undecodable = || Refusal::new(401, "A JSON web token could not be decoded");
    let (signed, signature) = jwt.rsplit_once('.').ok_or_else(undecodable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(undecodable)?;
    let json = |part: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let header = json(header).ok_or_else(undecodable)?;
    let claims = json(claims).ok_or_else(undecodable)?;
    if header["alg"] != "RS256" {
        return Err(undecodable());
    }
    let issuer = claims["iss"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| claims["iss"].as_u64().map(|id| id.to_string()))
        .ok_or_else(|| Refusal::new(401, "Missing 'issuer' claim ('iss') in assertion"))?;
    let app = state
        .apps
        .values()
        .find(|app| app.id.to_string() == issuer || app.client_id == issuer)
        .ok_or_else(|| Refusal::new(404, "Integration not found"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| undecodable())?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| undecodable())?;
    check_times(&claims, state.now() / 1000)?;
    Ok(app.id)
}

fn check_times(claims: &Value, now: i64) -> Result<(), Refusal> {
    let seconds = |name: &str| claims[name].as_i64();
    let issued = seconds("iat").filter(|issued| *issued <= now + 60).ok_or_else(|| {
        Refusal::new(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the \
             assertion was issued",
        )
    })?;
    let expires = seconds("exp").filter(|expires| *expires > now && *expires > issued);
    let expires = expires.ok_or_else(|| {
        Refusal::new(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future \
             time at which the assertion expires",
        )
    })?;
    if expires > now + 600 {
        let message = "'Expiration time' claim ('exp') is too far in the future";
        return Err(Refusal::new(401, message));
    }
    Ok(())
}

/// Makes a token of an installation; `repositories` and `permissions` must be within what it has.
pub(crate) fn issue_token(
    state: &mut State,
    installation: u64,
    repositories: BTreeSet<u64>,
    permissions: std::collections::BTreeMap<String, String>,
) -> usize {
    let text = format!(
        "ghs_{}{}",
        uuid::Uuid::new_v4().simple(),
        &uuid::Uuid::new_v4().simple().to_string()[..4]
    );
    let expires_at = state.now() + TOKEN_LIFE;
    state.tokens.push(Token {
        text,
        installation,
        repositories,
        permissions,
        expires_at,
        revoked: false,
    });
    state.tokens.len() - 1
}
