//! Signing in with an App, by OAuth's code and PKCE.
//!
//! Invariants: a person is led to none but the App's own callback addresses, and only after they
//! said yes to this App once; a code alone, without the App's secret, is worth nothing.

use http::request::Parts;
use serde_json::{Value, json};
use url::Url;

use super::{Fields, Page, Refused, Visit, escape, page, redirect};
use crate::answer::{Answer, Content};
use crate::sign_ins::{Proof, Wish};
use crate::state::State;

/// How long GitHub's challenges of PKCE are.
const CHALLENGE: usize = 43;

/// `/login/oauth/authorize`: asks, or goes on at once where the person said yes before.
pub(super) fn ask(visit: &mut Visit<'_>, _: &[String]) -> Page {
    let (wish, name) = wish(visit, &visit.query)?;
    if visit.state.sign_ins.has_granted(wish.app, visit.person) {
        let state = visit.query.get("state").to_owned();
        return lead_back(visit, wish, &state);
    }
    let fields: String = ["client_id", "redirect_uri", "state", "code_challenge"]
        .iter()
        .map(|name| {
            let value = escape(visit.query.get(name));
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
        })
        .chain(["<input type=\"hidden\" name=\"code_challenge_method\" value=\"S256\">".to_owned()])
        .collect();
    let body = format!(
        "<p>{0} by {1} would like to know who you are.</p><form method=\"post\" \
         action=\"/login/oauth/authorize\">{fields}<button>Authorize {0}</button></form>",
        escape(&name),
        escape(&visit.state.login(Some(visit.person))),
    );
    Ok(page(200, &format!("Authorize {name}"), &body))
}

/// The button.
pub(super) fn authorize(visit: &mut Visit<'_>, _: &[String]) -> Page {
    let (wish, _) = wish(visit, &visit.form)?;
    let state = visit.form.get("state").to_owned();
    lead_back(visit, wish, &state)
}

fn lead_back(visit: &mut Visit<'_>, wish: Wish, state: &str) -> Page {
    let mut back = Url::parse(&wish.redirect).map_err(|_| Refused::not_found())?;
    let now = visit.state.now();
    let code = visit.state.sign_ins.grant(wish, visit.person, now);
    back.query_pairs_mut().append_pair("code", &code);
    if !state.is_empty() {
        back.query_pairs_mut().append_pair("state", state);
    }
    Ok(redirect(back.as_str()))
}

/// What is asked for, and the App's name.
fn wish(visit: &Visit<'_>, asked: &Fields) -> Result<(Wish, String), Refused> {
    let app = visit.state.apps.values().find(|app| app.client_id == asked.get("client_id"));
    let app = app.ok_or_else(Refused::not_found)?;
    let first = app.callback_urls.first().map_or("", Url::as_str);
    let redirect = match asked.get("redirect_uri") {
        "" => first,
        given => given,
    };
    if !app.callback_urls.iter().any(|known| known.as_str() == redirect) {
        let why = "The redirect_uri is not associated with this application.";
        return Err(Refused(400, why.to_owned()));
    }
    let challenge = asked.get("code_challenge");
    let method = asked.get("code_challenge_method");
    if !challenge.is_empty() && (challenge.len() != CHALLENGE || method != "S256") {
        return Err(Refused(400, "The code challenge is not one of S256.".to_owned()));
    }
    let wish = Wish { app: app.id, redirect: redirect.to_owned(), challenge: challenge.to_owned() };
    Ok((wish, app.name.clone()))
}

/// `/login/oauth/access_token`: a code becomes a token. What is wrong is told with status 200.
pub(super) fn exchange(state: &mut State, parts: &Parts, body: &[u8]) -> Answer {
    let sent = Fields::parse(body);
    let app = state.apps.values().find(|app| app.client_id == sent.get("client_id"));
    let known = app.filter(|app| app.client_secret == sent.get("client_secret"));
    let Some(app) = known.map(|app| app.id) else {
        let says = "The client_id and/or client_secret passed are incorrect.";
        return told(
            parts,
            &json!({
                "error": "incorrect_client_credentials",
                "error_description": says,
            }),
        );
    };
    let (redirect, verifier) = (sent.get("redirect_uri"), sent.get("code_verifier"));
    let (proof, now) = (Proof { app, redirect, verifier }, state.now());
    match state.sign_ins.exchange(sent.get("code"), &proof, now) {
        Some(token) => {
            told(parts, &json!({ "access_token": token, "scope": "", "token_type": "bearer" }))
        }
        None => told(
            parts,
            &json!({
                "error": "bad_verification_code",
                "error_description": "The code passed is incorrect or expired.",
            }),
        ),
    }
}

/// As JSON where that is asked for, and else as a form.
fn told(parts: &Parts, fields: &Value) -> Answer {
    let accept = parts.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        return Answer::ok(fields.clone());
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
    let content = Content::Bytes(kind, form.finish().into_bytes());
    Answer { status: 200, headers: Vec::new(), content }
}
