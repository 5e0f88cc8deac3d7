//! The pages of `gander setup`: from a link to an App, without JavaScript.
//!
//! Invariants: only the browser that opened the link sees anything; requests under another host
//! name are refused, so no other site can be made to stand for us; a code is handed on once,
//! whatever the browser does meanwhile; no secret of the App ever comes into this module.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Form, Query, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, connections};
use crate::clock::Clock;
use crate::core::id::Timestamp;
use crate::core::setup::{AppManifest, Hub, SetupPlan};

pub(super) mod files;
mod gate;
pub(super) mod pages;

pub use gate::LIFE_SECONDS;

use gate::{Gate, GateRefusal};
use pages::{CreatePage, DonePage, MessagePage, PlanPage, Style, message, page};

/// Exchanges a code for the App and keeps what comes of it.
pub type Register = Arc<dyn Fn(String) -> BoxFuture<'static, SetupResult> + Send + Sync>;
/// What comes of an exchange.
pub type SetupResult = Result<Registered, SetupProblem>;

/// An App that was made and kept: what people may see of it.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Registered {
    pub name: String,
    /// Its page on GitHub.
    pub page: String,
    /// Where everything is kept.
    pub directory: String,
    /// The command that starts Gander with it.
    pub command: String,
    /// What is not as it should be.
    pub warning: Option<String>,
}

/// Something that did not work, for people.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct SetupProblem {
    pub what: String,
    pub why: String,
    /// The next step.
    pub next: String,
}

/// What a setup begins with.
#[allow(missing_docs)]
pub struct Beginning {
    /// The GitHub that is to have the App.
    pub hub: Hub,
    /// Where this server listens.
    pub address: SocketAddr,
    /// What the person already said; empty where they did not.
    pub wishes: Wishes,
    pub clock: Clock,
    /// Exchanges a code for the App and keeps what comes of it.
    pub register: Register,
    /// Rung when the person says that all is done.
    pub finished: CancellationToken,
}

/// What a person wants, as they wrote it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// The App's name.
    pub name: String,
    /// The organisation that is to own it, if any.
    pub organization: String,
    /// Where GitHub reaches Gander.
    pub public_url: String,
}

/// A setup under way. Clones share it.
#[derive(Clone)]
pub struct Setup(Arc<SetupInner>);

struct SetupInner {
    hub: Hub,
    hosts: Vec<String>,
    clock: Clock,
    register: Register,
    finished: CancellationToken,
    progress: Mutex<SetupProgress>,
}

struct SetupProgress {
    gate: Gate,
    wishes: Wishes,
    plan: Option<SetupPlan>,
    /// Codes that were handed on.
    spent: Vec<String>,
    registered: Option<Registered>,
}

/// The cookie that marks the browser that was let in.
const COOKIE: &str = "gander_setup";

impl Setup {
    /// Begins a setup: with it comes the one link that opens it.
    pub fn begin(beginning: Beginning) -> (Self, String) {
        let Beginning { hub, address, wishes, clock, register, finished } = beginning;
        let mut hosts = vec![address.to_string()];
        if address.ip().is_loopback() {
            hosts.push(format!("localhost:{}", address.port()));
        }
        let plan =
            SetupPlan::read(&wishes.name, &wishes.organization, &wishes.public_url, &hub).ok();
        let gate = Gate::new(clock.now());
        let link = format!("http://{address}/?token={}", gate.token());
        let progress =
            Mutex::new(SetupProgress { gate, wishes, plan, spent: Vec::new(), registered: None });
        let inner = SetupInner { hub, hosts, clock, register, finished, progress };
        (Self(Arc::new(inner)), link)
    }

    fn lock(&self) -> MutexGuard<'_, SetupProgress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

/// Answers until `shutdown`; requests under way are finished.
pub async fn serve(listener: TcpListener, setup: Setup, shutdown: CancellationToken) {
    let limits = connections::Limits { patience: PATIENCE, admission: Arc::default() };
    connections::serve(listener, router(setup), limits, shutdown).await;
}

/// All pages.
pub fn router(setup: Setup) -> Router {
    let policy = pages::security_policy(&setup.0.hub.origin());
    Router::new()
        .route("/", get(home))
        .route("/plan", post(plan))
        .route("/created", get(created))
        .route("/files", get(show_files))
        .route("/finish", post(finish))
        .fallback(async || {
            let next = "Go back to the page that the terminal named.";
            message(StatusCode::NOT_FOUND, "There is no such page", "The address is wrong.", next)
        })
        .layer(from_fn_with_state(setup.clone(), only_as_ourselves))
        .layer(from_fn(move |request: Request, next: Next| {
            pages::guarded(policy.clone(), request, next)
        }))
        .with_state(setup)
}

/// Refuses requests under a name that is not ours: a site whose name was pointed at this machine.
/// A look without a GET (as link previews take) must not use the link up either.
async fn only_as_ourselves(State(setup): State<Setup>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let ours = |host: &HeaderValue| {
        setup.0.hosts.iter().any(|known| host.as_bytes().eq_ignore_ascii_case(known.as_bytes()))
    };
    if !hosts.next().is_some_and(ours) || hosts.next().is_some() {
        return message(
            StatusCode::MISDIRECTED_REQUEST,
            "This is not the address of the setup",
            "The page was asked for under another host name than the one it runs under.",
            "Open the link exactly as the terminal shows it.",
        );
    }
    if request.method() == http::Method::HEAD {
        return Response::builder()
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .body(axum::body::Body::empty())
            .unwrap_or_default();
    }
    next.run(request).await
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SetupSecrets {
    token: Option<String>,
    change: Option<String>,
}

async fn home(
    State(setup): State<Setup>,
    headers: HeaderMap,
    Query(entry): Query<SetupSecrets>,
) -> Response {
    let now = setup.now();
    let mut progress = setup.lock();
    let known = progress.gate.knows(visitor(&headers), now);
    if let (Some(token), Err(_)) = (&entry.token, known) {
        return match progress.gate.enter(token, now) {
            Err(closed) => turned_away(closed),
            Ok(visitor) => {
                let cookie = format!("{COOKIE}={visitor}; Path=/; HttpOnly; SameSite=Lax");
                see_other("/", HeaderValue::from_str(&cookie).ok())
            }
        };
    }
    if let Err(closed) = known {
        return turned_away(closed);
    }
    if entry.token.is_some() {
        return see_other("/", None);
    }
    if let Some(app) = &progress.registered {
        return done(app, progress.gate.form());
    }
    match progress.plan.clone() {
        Some(plan) if entry.change.is_none() => {
            let state = progress.gate.state(now).to_owned();
            create(&setup, &plan, &state, &headers)
        }
        _ => ask(&setup.0.hub, &progress.wishes, progress.gate.form(), None),
    }
}

fn ask(hub: &Hub, wishes: &Wishes, form: &str, problem: Option<String>) -> Response {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shown = PlanPage {
        style: Style,
        problem,
        name: &wishes.name,
        organization: &wishes.organization,
        public_url: &wishes.public_url,
        hub: &hub.host(),
        form,
    };
    page(status, &shown)
}

fn create(setup: &Setup, plan: &SetupPlan, state: &str, headers: &HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = AppManifest::ours();
    let manifest = plan.manifest(format!("http://{host}/created"));
    let (Ok(ours), Ok(manifest)) = (ours, manifest) else {
        let why = "The manifest inside this program cannot be read.";
        let next = "Please report this; the App can be made by hand as the README says.";
        return message(StatusCode::INTERNAL_SERVER_ERROR, "This is our mistake", why, next);
    };
    let hub = &setup.0.hub;
    let shown = CreatePage {
        style: Style,
        name: &plan.name,
        owner: plan.organization.as_deref().unwrap_or("the account that is signed in"),
        webhook: &plan.webhook_url(),
        hub: &hub.host(),
        permissions: in_words(ours.default_permissions),
        events: ours.default_events,
        action: &plan.form_address(hub, state),
        manifest: &manifest,
    };
    page(StatusCode::OK, &shown)
}

/// Permissions as people read them.
fn in_words(permissions: BTreeMap<String, String>) -> Vec<(String, String)> {
    permissions.into_iter().map(|(what, level)| (what.replace('_', " "), level)).collect()
}

fn done(app: &Registered, form: &str) -> Response {
    let shown = DonePage {
        style: Style,
        name: &app.name,
        directory: &app.directory,
        command: &app.command,
        install: &format!("{}/installations/new", app.page.trim_end_matches('/')),
        warning: app.warning.as_deref(),
        form,
    };
    page(StatusCode::OK, &shown)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sent {
    form: String,
    #[serde(flatten)]
    wishes: Wishes,
}

async fn plan(
    State(setup): State<Setup>,
    headers: HeaderMap,
    Form(Sent { form, wishes }): Form<Sent>,
) -> Response {
    let mut progress = setup.lock();
    if let Err(refused) = admit_form(&progress, &headers, &form, setup.now()) {
        return refused;
    }
    let hub = &setup.0.hub;
    match SetupPlan::read(&wishes.name, &wishes.organization, &wishes.public_url, hub) {
        Err(problem) => ask(hub, &wishes, progress.gate.form(), Some(problem.to_string())),
        Ok(plan) => {
            (progress.plan, progress.wishes) = (Some(plan), wishes);
            see_other("/", None)
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Back {
    code: String,
    state: String,
}

/// Where GitHub sends the person back with a code.
async fn created(
    State(setup): State<Setup>,
    headers: HeaderMap,
    Query(Back { code, state }): Query<Back>,
) -> Response {
    {
        let now = setup.now();
        let mut progress = setup.lock();
        if let Err(closed) = progress.gate.knows(visitor(&headers), now) {
            return turned_away(closed);
        }
        if progress.registered.is_some() {
            return see_other("/", None);
        }
        if let Err(closed) = progress.gate.take_state(&state, now) {
            return not_asked_for(closed);
        }
        if progress.spent.contains(&code) {
            return not_asked_for(GateRefusal::Used);
        }
        progress.spent.push(code.clone());
    }
    let plain = (1..=200).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !plain {
        return again(
            StatusCode::BAD_REQUEST,
            "GitHub sent no code",
            "The address that led here holds nothing that could be exchanged for an App.",
            "If GitHub shows the new App, delete it there first. Then start again.",
        );
    }
    let exchange = {
        let setup = setup.clone();
        async move {
            let outcome = (setup.0.register)(code).await;
            outcome.map(|app| setup.lock().registered = Some(app))
        }
    };
    // A task of its own: a browser that goes away must not cut it half-way.
    match tokio::spawn(exchange).await {
        Ok(Ok(())) => see_other("/", None),
        Ok(Err(problem)) => {
            again(StatusCode::BAD_GATEWAY, &problem.what, &problem.why, &problem.next)
        }
        Err(_) => again(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The exchange was interrupted",
            "The program stopped working on it.",
            "If GitHub shows the new App, delete it there first. Then start again.",
        ),
    }
}

async fn show_files(
    State(setup): State<Setup>,
    headers: HeaderMap,
    Query(asked): Query<files::FilesQuery>,
) -> Response {
    if let Err(closed) = setup.lock().gate.knows(visitor(&headers), setup.now()) {
        return turned_away(closed);
    }
    let lead = "Gander works without any file of its own.";
    files::show(&setup.0.hub, &asked, "Add Gander to a repository", lead, true)
}

async fn finish(
    State(setup): State<Setup>,
    headers: HeaderMap,
    Form(Sent { form, .. }): Form<Sent>,
) -> Response {
    let progress = setup.lock();
    if let Err(refused) = admit_form(&progress, &headers, &form, setup.now()) {
        return refused;
    }
    let Some(app) = &progress.registered else { return see_other("/", None) };
    setup.0.finished.cancel();
    let shown = MessagePage {
        style: Style,
        title: "All set",
        why: "The setup has ended, and this page will not come back.",
        next: "Start Gander, if it does not run yet:",
        command: Some(&app.command),
        again: false,
    };
    page(StatusCode::OK, &shown)
}

/// Whether one of our own forms was sent, by the browser that was let in.
#[expect(clippy::result_large_err, reason = "an answer is what both callers return")]
fn admit_form(
    progress: &SetupProgress,
    headers: &HeaderMap,
    form: &str,
    now: Timestamp,
) -> Result<(), Response> {
    progress.gate.knows(visitor(headers), now).map_err(turned_away)?;
    if progress.gate.sent_by_our_form(form) {
        return Ok(());
    }
    Err(message(
        StatusCode::FORBIDDEN,
        "This form was not ours",
        "What was sent does not come from a page of this setup.",
        "Go back to the setup, reload it, and try again.",
    ))
}

/// The value of our cookie; empty when there is none.
fn visitor(headers: &HeaderMap) -> &str {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|one| one.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map_or("", |(_, value)| value.trim())
}

fn turned_away(closed: GateRefusal) -> Response {
    let (title, why) = match closed {
        GateRefusal::Wrong => (
            "This browser was not let in",
            "The link was not complete, or this is another browser than the one that opened it.",
        ),
        GateRefusal::Used => ("This link was used already", "For your safety it works only once."),
        GateRefusal::Late => ("This link has expired", "For your safety it works for one hour."),
    };
    let next = "Go on in the browser that opened the link; or stop `gander setup` with Ctrl-C, \
                start it again and open the new link.";
    message(StatusCode::FORBIDDEN, title, why, next)
}

/// GitHub sent somebody back, but not with the answer that is waited for.
fn not_asked_for(closed: GateRefusal) -> Response {
    let (title, why) = match closed {
        GateRefusal::Wrong => (
            "This answer is not for this setup",
            "The state in the address is not the one that was sent to GitHub.",
        ),
        GateRefusal::Used => ("This answer was used already", "GitHub's answer counts only once."),
        GateRefusal::Late => ("GitHub's answer came too late", "It is good for one hour."),
    };
    let next = "If GitHub shows a new App that you do not know here, delete it there. Then start \
                again.";
    again(StatusCode::FORBIDDEN, title, why, next)
}

/// A message with a way back to the beginning.
fn again(status: StatusCode, title: &str, why: &str, next: &str) -> Response {
    page(status, &MessagePage { style: Style, title, why, next, command: None, again: true })
}

fn see_other(to: &'static str, cookie: Option<HeaderValue>) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
