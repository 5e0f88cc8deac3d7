//! The emulator's one port: tells API, git and the rest apart, lets planned faults strike, and
//! keeps the record of exchanges.
//!
//! Invariants: a request that was begun takes its effect as a whole, even when the client has
//! gone; a cut connection is closed without a byte of an answer.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::answer::{Answer, Content, Refusal};
use super::exchange::Exchange;
use super::faults::Effect;
use super::git::CgiRequest;
use super::{Shared, acts, api, auth, downloads, web};

/// The largest request that is taken, in bytes.
const LARGEST: usize = 256 * 1024 * 1024;
const API: &str = "/api/v3";

pub(crate) fn spawn(listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    let router = Router::new().fallback(serve).with_state(shared);
    let service = router.into_make_service_with_connect_info::<Scissors>();
    let server = axum::serve(Port(listener), service)
        .with_graceful_shutdown(async move { stop.cancelled().await });
    tokio::spawn(async move { server.await });
}

async fn serve(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return respond(Refusal::new(413, "Payload too large").into_answer());
    };
    let path = parts.uri.path();
    let api_path = api_path(path);
    let known_as = api_path.clone().unwrap_or_else(|| path.to_owned());
    let effect = shared.lock().faults.strike(parts.method.as_str(), &known_as);
    let answered = !matches!(effect, Some(Effect::CutAfter | Effect::HangAfter));
    let hangs = matches!(effect, Some(Effect::HangAfter));
    match effect {
        None | Some(Effect::CutAfter | Effect::HangAfter) => {}
        Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
        Some(Effect::CutBefore) => return scissors.cut(),
        Some(Effect::Hang) => {
            shared.stop.cancelled().await;
            return scissors.cut();
        }
        Some(Effect::Answer { status, headers, body: planned }) => {
            let mut answer = planned_answer(status, planned);
            answer.headers.extend(headers);
            if let Some(path) = &api_path {
                let credentials = shown_credentials(&shared, &parts);
                record(&shared, (&parts, path, &credentials), &body, &answer, false);
            }
            return respond(answer);
        }
    }
    let answer = match api_path {
        None if path.starts_with(downloads::PREFIX) => answer_download(&shared, &parts),
        Some(path) => answer_api(&shared, &parts, path, body, answered).await,
        None => match answer_page(&shared, &parts, &body).await {
            Some(page) => page,
            None => answer_git(&shared, &parts, body).await,
        },
    };
    shared.queued.notify_one();
    if hangs {
        shared.stop.cancelled().await;
    }
    if answered { respond(answer) } else { scissors.cut() }
}

/// The path below the API's root, when the request is for the API. GraphQL has a root of its own,
/// and is not to be found below the other.
fn api_path(path: &str) -> Option<String> {
    if matches!(path, "/graphql" | "/api/graphql") {
        return Some("/graphql".to_owned());
    }
    let below = path.strip_prefix(API).or_else(|| path.strip_prefix(api::UPLOADS))?;
    Some(if below == "/graphql" { path.to_owned() } else { below.to_owned() })
}

fn answer_download(shared: &Shared, parts: &Parts) -> Answer {
    let state = shared.lock();
    let found = state.downloads.fetch(parts.uri.path(), state.now());
    match found.filter(|_| parts.method == http::Method::GET) {
        Some((kind, bytes)) => {
            Answer { status: 200, headers: Vec::new(), content: Content::Bytes(kind, bytes) }
        }
        None => Refusal::new(404, "Not Found").into_answer(),
    }
}

async fn answer_api(
    shared: &Arc<Shared>,
    parts: &Parts,
    path: String,
    body: Bytes,
    answered: bool,
) -> Answer {
    let (shared, parts) = (Arc::clone(shared), parts.clone());
    let work = move || {
        let credentials = shown_credentials(&shared, &parts);
        let path = api::moved::by_name(&shared.lock(), &path).unwrap_or(path);
        let mut answer = api::answer(&mut shared.lock(), &parts, &path, &body);
        let route = api::pattern_of(parts.method.as_str(), &path);
        shared.lock().profile.apply(&mut answer, (parts.method.as_str(), route.unwrap_or("")));
        record(&shared, (&parts, &path, &credentials), &body, &answer, answered);
        answer.headers.push(("date".to_owned(), http_date(shared.lock().now())));
        answer
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Refusal::new(500, "Server Error").into_answer())
}

/// `Tue, 01 Dec 2026 01:45:32 GMT`.
fn http_date(millis: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A page for people, if this is one's address.
async fn answer_page(shared: &Arc<Shared>, parts: &Parts, body: &Bytes) -> Option<Answer> {
    let (shared, parts, body) = (Arc::clone(shared), parts.clone(), body.clone());
    let work = move || web::answer(&mut shared.lock(), &parts, &body);
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

fn planned_answer(status: u16, body: Option<Value>) -> Answer {
    let content = body.map_or(Content::Empty, Content::Json);
    Answer { status, headers: Vec::new(), content }
}

/// Clones, fetches and pushes: `/OWNER/NAME.git/...`, or without the `.git`.
async fn answer_git(shared: &Arc<Shared>, parts: &Parts, body: Bytes) -> Answer {
    let path = parts.uri.path().trim_start_matches('/').to_owned();
    let mut segments = path.splitn(3, '/');
    let (owner, name) = (segments.next().unwrap_or(""), segments.next().unwrap_or(""));
    let name = name.strip_suffix(".git").unwrap_or(name);
    let rest = segments
        .next()
        .filter(|rest| matches!(*rest, "info/refs" | "git-upload-pack" | "git-receive-pack"));
    let Some(rest) = rest else {
        let route = format!("{} /{path}", parts.method);
        shared.lock().unknown_routes.push(route.clone());
        return api::unknown_route(&route);
    };
    let query = parts.uri.query().unwrap_or("");
    let writes = rest == "git-receive-pack" || query.contains("service=git-receive-pack");
    let admitted = {
        let state = shared.lock();
        api::admit_git(&state, header(parts, "authorization"), (owner, name), writes)
    };
    let (repository, git, actor) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal,
    };
    let request = CgiRequest {
        method: parts.method.to_string(),
        path: format!("/{rest}"),
        query: query.to_owned(),
        content_type: header(parts, "content-type").unwrap_or_default().to_owned(),
        content_encoding: header(parts, "content-encoding").unwrap_or_default().to_owned(),
        protocol: header(parts, "git-protocol").unwrap_or_default().to_owned(),
        user: actor.map(|id| id.to_string()),
        body: body.to_vec(),
    };
    let _turn = if writes { Some(shared.pushing.lock().await) } else { None };
    let Ok(answer) = git.serve(request).await else {
        return Refusal::new(500, "Server Error").into_answer();
    };
    if writes {
        let mut state = shared.lock();
        if acts::announce_pushed(&mut state, repository, actor).is_err() {
            return Refusal::new(500, "Server Error").into_answer();
        }
    }
    let kind = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = kind.map_or("text/plain", |(_, value)| value).to_owned();
    let headers = answer.headers.into_iter().filter(|(name, _)| name != "Content-Type").collect();
    Answer { status: answer.status, headers, content: Content::Bytes(kind, answer.body) }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The kind of credentials, for the record. Asked before the request takes effect, which may be
/// to revoke them.
fn shown_credentials(shared: &Shared, parts: &Parts) -> String {
    let given = header(parts, "authorization");
    match auth::authenticate(&shared.lock(), given) {
        Ok(principal) => principal.shown(),
        Err(_) => "refused".to_owned(),
    }
}

fn record(
    shared: &Shared,
    (parts, path, credentials): (&Parts, &str, &str),
    body: &Bytes,
    answer: &Answer,
    answered: bool,
) {
    let mut request_headers: Vec<_> = parts
        .headers
        .iter()
        .filter(|(name, _)| *name != http::header::AUTHORIZATION)
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    request_headers.push(("authorization".to_owned(), credentials.to_owned()));
    let response_body = match &answer.content {
        Content::Json(json) => Some(json.clone()),
        Content::Bytes(..) | Content::Empty => None,
    };
    let kind = answer.content_type().map(|kind| ("content-type".to_owned(), kind.to_owned()));
    let response_headers = kind.into_iter().chain(answer.headers.clone()).collect();
    shared.lock().exchanges.push(Exchange {
        method: parts.method.to_string(),
        route: api::pattern_of(parts.method.as_str(), path).map(str::to_owned),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        request_headers,
        request_body: serde_json::from_slice(body).ok(),
        status: answer.status,
        response_headers,
        response_body,
        answered,
    });
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status);
    if let Some(kind) = answer.content_type() {
        response = response.header("content-type", kind);
    }
    let body = match answer.content {
        Content::Empty => Vec::new(),
        Content::Json(json) => json.to_string().into_bytes(),
        Content::Bytes(_, bytes) => bytes,
    };
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap_or_else(|_| Response::new(Body::empty()))
}

/// Cuts the connection that a request came by.
#[derive(Clone)]
struct Scissors(Arc<AtomicBool>);

impl Scissors {
    fn cut(&self) -> Response {
        self.0.store(true, Ordering::SeqCst);
        // Never seen: the first write of it closes the connection.
        Response::new(Body::empty())
    }
}

impl Connected<IncomingStream<'_, Port>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        stream.io().scissors.clone()
    }
}

struct Port(TcpListener);

struct Wire {
    stream: TcpStream,
    scissors: Scissors,
}

impl Listener for Port {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Wire { stream, scissors: Scissors(Arc::default()) }, address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Wire {
    fn check(&self) -> std::io::Result<()> {
        if self.scissors.0.load(Ordering::SeqCst) {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
