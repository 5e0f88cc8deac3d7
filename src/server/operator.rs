//! `/doctor` of a running Gander: the checklist, for its operator alone.
//!
//! Invariants: a link is made with the App's private key, by `gander doctor --link` on this machine,
//! works once and for ten minutes, and lets one browser in for an hour; whoever has no link learns
//! nothing, not even whether there is such a page with something behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::checklist::LiveChecklist;
use super::setup::pages::{guarded, message, security_policy};
use crate::clock::Clock;
use crate::core::id::Timestamp;

/// How long a link waits for its browser.
const LINK_SECONDS: i64 = 600;
/// How long a browser is let in.
const VISIT_SECONDS: i64 = 3600;
/// Browsers and links that are remembered; the oldest go first.
const MOST_REMEMBERED: usize = 64;
const PURPOSE: &str = "gander doctor page";
const COOKIE: &str = "gander_operator";

/// The page, and who may see it. Clones share it.
#[derive(Clone)]
pub struct OperatorPage(Arc<OperatorInner>);

struct OperatorInner {
    key: Key,
    clock: Clock,
    checklist: LiveChecklist,
    visits: Mutex<Visits>,
}

#[derive(Default)]
struct Visits {
    /// Links that were used, and until when they would have been good.
    used: Vec<(String, Timestamp)>,
    /// Cookies, and until when they are good.
    browsers: Vec<(String, Timestamp)>,
}

/// The path and query of a new link, for whoever has the App's private key.
pub fn operator_link(private_key: &SecretString, now: Timestamp) -> String {
    let until = now.plus_seconds(LINK_SECONDS).0;
    let signed = format!("{until}.{}", uuid::Uuid::new_v4().simple());
    format!("/doctor?token={signed}.{}", proof(&key_of(private_key), &signed))
}

fn key_of(private_key: &SecretString) -> Key {
    Key::new(HMAC_SHA256, private_key.expose_secret().trim().as_bytes())
}

fn proof(key: &Key, signed: &str) -> String {
    hex::encode(sign(key, format!("{PURPOSE} {signed}").as_bytes()))
}

impl OperatorPage {
    /// The page of the App with this private key.
    pub fn new(private_key: &SecretString, clock: Clock, checklist: LiveChecklist) -> Self {
        let (key, visits) = (key_of(private_key), Mutex::default());
        Self(Arc::new(OperatorInner { key, clock, checklist, visits }))
    }

    fn visits(&self) -> MutexGuard<'_, Visits> {
        self.0.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the holder of a link in: what its browser shows from now on.
    fn enter(&self, token: &str) -> Option<String> {
        let (signed, shown) = token.rsplit_once('.')?;
        let until = Timestamp(signed.split('.').next()?.parse().ok()?);
        let message = format!("{PURPOSE} {signed}");
        verify(&self.0.key, message.as_bytes(), &hex::decode(shown).ok()?).ok()?;
        let now = self.0.clock.now();
        let mut visits = self.visits();
        visits.used.retain(|(_, until)| *until > now);
        let is_used = visits.used.iter().any(|(known, _)| known == signed);
        if now >= until || is_used || visits.used.len() >= MOST_REMEMBERED {
            return None;
        }
        visits.used.push((signed.to_owned(), until));
        let cookie = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        visits.browsers.retain(|(_, until)| *until > now);
        if visits.browsers.len() >= MOST_REMEMBERED {
            visits.browsers.remove(0);
        }
        visits.browsers.push((cookie.clone(), now.plus_seconds(VISIT_SECONDS)));
        Some(cookie)
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = shown.flat_map(|it| it.split(';')).filter_map(|it| it.split_once('='));
        let cookie = pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim());
        let (Some(cookie), now) = (cookie, self.0.clock.now()) else { return false };
        let is =
            |known: &String| verify_slices_are_equal(known.as_bytes(), cookie.as_bytes()).is_ok();
        self.visits().browsers.iter().any(|(known, until)| *until > now && is(known))
    }
}

/// The routes of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(page: OperatorPage, web: &Url) -> Router<S> {
    let policy = security_policy(&web.origin().ascii_serialization());
    Router::new()
        .route("/doctor", get(show).post(again))
        .layer(from_fn(move |request: Request, next: Next| guarded(policy.clone(), request, next)))
        .with_state(page)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LinkQuery {
    token: Option<String>,
}

async fn show(
    State(page): State<OperatorPage>,
    headers: HeaderMap,
    Query(entry): Query<LinkQuery>,
) -> Response {
    if page.knows(&headers) {
        return page.0.checklist.show("/doctor", "", None);
    }
    let Some(cookie) = entry.token.and_then(|token| page.enter(&token)) else {
        return turned_away();
    };
    let cookie = format!("{COOKIE}={cookie}; Path=/doctor; HttpOnly; SameSite=Strict");
    let mut response = to_the_page();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Another site cannot send this: then the browser does not show its cookie.
async fn again(State(page): State<OperatorPage>, headers: HeaderMap) -> Response {
    if !page.knows(&headers) {
        return turned_away();
    }
    page.0.checklist.begin();
    to_the_page()
}

fn to_the_page() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/doctor"));
    response
}

fn turned_away() -> Response {
    message(
        StatusCode::FORBIDDEN,
        "This page is its operator's",
        "It opens with a link that works once and for ten minutes.",
        "On the machine of Gander, with its settings: gander doctor --link --config FILE",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_link_of_this_apps_key_lets_one_browser_in_once_and_for_its_time() {
        let now = Arc::new(AtomicI64::new(1_767_225_600_000));
        let at = Arc::clone(&now);
        let clock = Clock::from_fn(move || Timestamp(at.load(Ordering::SeqCst)));
        let checklist = LiveChecklist::new(Arc::new(|_| async {}.boxed()));
        let key = SecretString::from("the App's key");
        let page = OperatorPage::new(&key, clock.clone(), checklist);
        let link = |key: &SecretString| {
            operator_link(key, clock.now()).strip_prefix("/doctor?token=").unwrap().to_owned()
        };
        let shows = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, format!("a=b; {COOKIE}={cookie}").parse().unwrap());
            page.knows(&headers)
        };
        let token = link(&key);
        for wrong in ["", ".", "1.2.3", &token[1..], &link(&"another key".to_owned().into())] {
            assert_eq!(page.enter(wrong), None, "{wrong}");
        }
        let cookie = page.enter(&token).unwrap();
        assert_eq!(page.enter(&token), None, "a second time");
        assert!(shows(&cookie) && !shows("") && !shows(&token));
        let late = link(&key);
        now.fetch_add(LINK_SECONDS * 1000, Ordering::SeqCst);
        assert_eq!(page.enter(&late), None, "too late");
        assert!(shows(&cookie));
        now.fetch_add(VISIT_SECONDS * 1000, Ordering::SeqCst);
        assert!(!shows(&cookie));
    }
}
