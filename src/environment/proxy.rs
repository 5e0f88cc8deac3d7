//! The one way out of a fetch step: a proxy that connects to the registries the operator named.
//!
//! It understands `CONNECT` and nothing else, and reads nothing of what passes, which is encrypted
//! from the package manager to the registry.
//!
//! Invariants: a host is compared byte for byte with those that are allowed; it is resolved once,
//! and that address is connected to; the name in the TLS greeting is the same; bytes and time are
//! bounded; whatever is refused is kept for people.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

use crate::egress::{Egress, EgressError};

/// A `CONNECT` request is no longer than this.
const LONGEST_REQUEST: usize = 8 << 10;
/// A TLS greeting is no longer than this.
const LONGEST_GREETING: usize = 32 << 10;
/// Time for either of them.
const GREETING_TIME: Duration = Duration::from_secs(15);
/// A connection that is silent for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// What a fetch step may send, in all: requests, and no more.
const MOST_SENT: u64 = 64 << 20;
/// What it may receive, in all.
const MOST_RECEIVED: u64 = 4 << 30;
/// So many connections are open at a time; more wait. Gander's own descriptors are for others, too.
const MOST_CONNECTIONS: usize = 64;
/// So many refusals are kept.
const MOST_REFUSALS: usize = 20;

/// A proxy at a socket in the file system, for one fetch step. It ends when this is dropped.
#[derive(Debug)]
pub struct RegistryProxy {
    socket: PathBuf,
    refused: Refusals,
    serving: JoinHandle<()>,
}

type Refusals = Arc<Mutex<BTreeSet<String>>>;

/// What is left of a fetch step's bytes.
#[derive(Debug)]
struct ByteBudget {
    to_send: AtomicU64,
    to_receive: AtomicU64,
}

impl RegistryProxy {
    /// Listens at a socket in this directory, which only its owner can enter.
    ///
    /// # Errors
    /// When no socket can be made there.
    pub fn start(egress: Egress, directory: &Path) -> io::Result<Self> {
        let socket = directory.join("proxy");
        let listener = UnixListener::bind(&socket)?;
        let refused = Refusals::default();
        let kept = Arc::clone(&refused);
        let budget = Arc::new(ByteBudget {
            to_send: AtomicU64::new(MOST_SENT),
            to_receive: AtomicU64::new(MOST_RECEIVED),
        });
        let serving = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
            while let Ok(place) = Arc::clone(&places).acquire_owned().await
                && let Ok((client, _)) = listener.accept().await
            {
                let (egress, kept, budget) = (egress.clone(), Arc::clone(&kept), budget.clone());
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(RefusedConnection(Some(why))) = serve(client, &egress, &budget).await
                    {
                        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        if kept.len() < MOST_REFUSALS {
                            kept.insert(why);
                        }
                    }
                });
            }
        });
        Ok(Self { socket, refused, serving })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it refused so far, in words for people.
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().cloned().collect()
    }
}

impl Drop for RegistryProxy {
    fn drop(&mut self) {
        self.serving.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A connection that came to nothing; with the reason, where it is worth telling.
struct RefusedConnection(Option<String>);

impl From<io::Error> for RefusedConnection {
    fn from(_: io::Error) -> Self {
        Self(None)
    }
}

async fn serve(
    mut client: UnixStream,
    egress: &Egress,
    budget: &ByteBudget,
) -> Result<(), RefusedConnection> {
    let asked = match timeout(GREETING_TIME, read_request(&mut client)).await {
        Ok(asked) => asked?,
        Err(_) => return Err(RefusedConnection(None)),
    };
    let (host, upstream) = match connect(&asked, egress).await {
        Ok(connected) => connected,
        Err(why) => {
            client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await?;
            return Err(RefusedConnection(Some(why)));
        }
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let greeting = timeout(GREETING_TIME, read_greeting(&mut client)).await;
    let (named, greeting) = greeting.map_err(|_| RefusedConnection(None))??;
    if named.as_deref() != Some(&*host) {
        let named = named.unwrap_or_else(|| "nobody".to_owned());
        return Err(RefusedConnection(Some(format!(
            "a connection to {host} that greets {named:?}"
        ))));
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_host, mut to_host) = upstream.into_split();
    to_host.write_all(&greeting).await?;
    let sent = pump(&mut from_client, &mut to_host, &budget.to_send);
    let received = pump(&mut from_host, &mut to_client, &budget.to_receive);
    let (sent, received) = tokio::join!(sent, received);
    match [sent, received].into_iter().any(|ended| ended == PumpEnd::OverBudget) {
        true => Err(RefusedConnection(Some(format!(
            "more bytes from or to {host} than a fetch step has"
        )))),
        false => Ok(()),
    }
}

/// The target of a `CONNECT` request, as `host:port`.
async fn read_request(client: &mut UnixStream) -> Result<String, RefusedConnection> {
    let mut bytes = Vec::new();
    loop {
        // Byte by byte: what follows is not ours to read.
        bytes.push(client.read_u8().await?);
        if bytes.ends_with(b"\r\n\r\n") {
            break;
        }
        if bytes.len() > LONGEST_REQUEST {
            return Err(RefusedConnection(Some("a request without an end".to_owned())));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(&bytes).is_ok_and(|parsed| parsed.is_complete());
    match (parsed, request.method, request.path) {
        (true, Some("CONNECT"), Some(target)) => Ok(target.to_owned()),
        (true, Some(method), _) => {
            let why = format!("a request with {method}: only encrypted connections get through");
            client
                .write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                .await?;
            Err(RefusedConnection(Some(why)))
        }
        _ => Err(RefusedConnection(Some("a request that is none".to_owned()))),
    }
}

/// Connects to an allowed host, at the address that it was found to have.
async fn connect(target: &str, egress: &Egress) -> Result<(String, TcpStream), String> {
    let shown = || target.chars().take(200).collect::<String>().escape_debug().to_string();
    let (host, port) = plain_target(target).ok_or_else(|| format!("the target {}", shown()))?;
    let url = Url::parse(&format!("https://{host}:{port}/")).map_err(|_| shown())?;
    let addresses = egress.addresses(&url).await.map_err(|error| match error {
        EgressError::Denied(denied) => denied.to_string(),
        error => format!("{error}"),
    })?;
    let mut last = None;
    for address in addresses {
        match timeout(GREETING_TIME, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => return Ok((host.to_owned(), stream)),
            Ok(Err(error)) => last = Some(error.to_string()),
            Err(_) => last = Some("no answer in time".to_owned()),
        }
    }
    Err(format!("{host}:{port}: {}", last.unwrap_or_else(|| "it has no address".to_owned())))
}

/// Host and port of a target that can mean one thing only: lower-case letters, digits, dots and
/// hyphens, with no dot at the end.
fn plain_target(target: &str) -> Option<(&str, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-'
    };
    let named = !host.is_empty() && host.bytes().all(plain);
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let ends = host.starts_with('.') || host.ends_with('.');
    (named && digits && !ends).then(|| Some((host, port.parse().ok()?))).flatten()
}

/// The name that a TLS greeting asks for, and its bytes.
async fn read_greeting(
    client: &mut UnixStream,
) -> Result<(Option<String>, Vec<u8>), RefusedConnection> {
    let mut acceptor = Acceptor::default();
    let mut all = Vec::new();
    let mut buffer = vec![0; 4 << 10];
    while all.len() < LONGEST_GREETING {
        let read = client.read(&mut buffer).await?;
        let Some(new) = buffer.get(..read).filter(|new| !new.is_empty()) else {
            return Err(RefusedConnection(None));
        };
        all.extend_from_slice(new);
        let mut unread = new;
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(str::to_owned);
                return Ok((name, all));
            }
            Ok(None) => {}
            Err(_) => {
                return Err(RefusedConnection(Some(
                    "a connection that is not encrypted".to_owned(),
                )));
            }
        }
    }
    Err(RefusedConnection(Some("a greeting without an end".to_owned())))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PumpEnd {
    Over,
    OverBudget,
}

/// Copies until the end, within what is left.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    left: &AtomicU64,
) -> PumpEnd {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match timeout(SILENCE, from.read(&mut buffer)).await {
            Ok(Ok(read)) if read > 0 => read,
            _ => break,
        };
        let take = |left: u64| left.checked_sub(read as u64);
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            let _ = to.shutdown().await;
            return PumpEnd::OverBudget;
        }
        let Some(bytes) = buffer.get(..read) else { break };
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
    PumpEnd::Over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_means_one_thing_only() {
        assert_eq!(plain_target("index.crates.io:443"), Some(("index.crates.io", 443)));
        for odd in [
            "index.crates.io",
            "index.crates.io.:443",
            ".crates.io:443",
            "INDEX.crates.io:443",
            "index.crates.io\0.evil.example:443",
            "index.crates.io%00:443",
            "user@index.crates.io:443",
            "index.crates.io:+443",
            "index.crates.io:99999",
            "[::1]:443",
            "сrates.io:443",
            ":443",
            "",
        ] {
            assert_eq!(plain_target(odd), None, "{odd:?}");
        }
    }
}
