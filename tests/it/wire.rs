//! Webhooks by hand: any headers, any body, really signed or not.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// A POST that looks like GitHub's until a story changes it.
#[derive(Clone)]
pub struct Post {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Post {
    /// A delivery as GitHub would send it, signed with the world's secret.
    pub fn new(w: &World, event: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let headers = vec![
            ("X-GitHub-Delivery", guid(1)),
            ("X-GitHub-Hook-ID", "7".to_owned()),
            ("X-GitHub-Event", event.to_owned()),
            ("X-Hub-Signature-256", signature(&w.app.webhook_secret, &body)),
        ];
        Self { headers, body }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    /// A second header of this name.
    pub fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it; the status that came back.
    pub async fn send(&self, w: &World) -> u16 {
        let mut stream = self.connect(w).await;
        // A server that has refused already need not read to the end.
        let _ = stream.write_all(&self.body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {answer:?}"))
    }

    /// Sends all but its last byte, as far as the server takes it.
    pub async fn begin(&self, w: &World) -> TcpStream {
        let mut stream = self.connect(w).await;
        let _ = stream.write_all(&self.body[..self.body.len() - 1]).await;
        stream
    }

    async fn connect(&self, w: &World) -> TcpStream {
        let (host, port) = (w.webhook_url.host_str().unwrap(), w.webhook_url.port().unwrap());
        let mut stream = TcpStream::connect((host, port)).await.unwrap();
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n",
            w.webhook_url.path(),
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }
}

/// The `n`th GUID.
pub fn guid(n: u32) -> String {
    format!("{n:08x}-1111-4111-8111-111111111111")
}

/// The value of `X-Hub-Signature-256`.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
