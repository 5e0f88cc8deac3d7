//! GitHub's side: signed webhooks over connections that stay open.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sample::Sample;

pub(crate) const SECRET: &str = "a webhook secret nobody guesses";
pub(crate) const CONNECTIONS: usize = 16;
const BODY_BYTES: usize = 14_000;
/// Stands in the body where each delivery has its own number; as many digits as the numbers.
const PLACE: u64 = 1_111_111_111;

/// An `issue_comment` of 14 kB, shaped like GitHub's, to be made distinct.
pub(crate) struct Webhook {
    body: Vec<u8>,
    places: Vec<usize>,
    head: String,
    next: u64,
}

/// What a round of load came to.
pub(crate) struct Round {
    /// Requests answered with 2xx in a second.
    pub(crate) rate: f64,
    /// Milliseconds until each was answered.
    pub(crate) waits: Sample,
}

impl Webhook {
    /// With this comment, sent to this path.
    pub(crate) fn new(comment: &str, path: &str) -> Self {
        let body = serde_json::to_vec(&padded(comment)).unwrap();
        let place = PLACE.to_string().into_bytes();
        let places: Vec<usize> =
            (0..body.len()).filter(|at| body[*at..].starts_with(&place)).collect();
        assert!(!places.is_empty() && body.len() == BODY_BYTES);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: GitHub-Hookshot/1\r\n\
             Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\
             X-GitHub-Event: issue_comment\r\nX-GitHub-Hook-ID: 42\r\n"
        );
        Self { body, places, head, next: 0 }
    }

    /// Sends `count` distinct deliveries over [`CONNECTIONS`] connections.
    ///
    /// Bodies are signed beforehand, so that the sender costs as little as it can while the server
    /// is measured: both share this machine.
    pub(crate) async fn fire(&mut self, to: SocketAddr, count: usize) -> Round {
        let each = count / CONNECTIONS;
        let plans: Vec<Vec<(u64, String)>> =
            (0..CONNECTIONS).map(|_| (0..each).map(|_| self.sign()).collect()).collect();
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(to).await.unwrap();
            stream.set_nodelay(true).unwrap();
            streams.push(stream);
        }
        let this = &*self;
        let started = Instant::now();
        let sent = streams.into_iter().zip(plans).map(|(stream, plan)| this.send(stream, plan));
        let waits: Vec<Duration> = join_all(sent).await.into_iter().flatten().collect();
        let rate = waits.len() as f64 / started.elapsed().as_secs_f64();
        Round { rate, waits: Sample::of_times(waits) }
    }

    /// One delivery on a fresh connection: whether it was answered with 2xx.
    pub(crate) async fn try_one(&mut self, to: SocketAddr) -> bool {
        let plan = vec![self.sign()];
        match TcpStream::connect(to).await {
            Ok(stream) => !self.send(stream, plan).await.is_empty(),
            Err(_) => false,
        }
    }

    async fn send(&self, mut stream: TcpStream, plan: Vec<(u64, String)>) -> Vec<Duration> {
        let mut request = Vec::with_capacity(BODY_BYTES + 1024);
        let mut waits = Vec::with_capacity(plan.len());
        for (number, signature) in plan {
            // GitHub's GUIDs carry the time they were made.
            let (high, low) = (number >> 20, number & 0xf_ffff);
            let guid = format!("{:08x}-{:04x}-11f0-81ab-4c9367dc0958", low << 12, high);
            request.clear();
            request.extend_from_slice(self.head.as_bytes());
            request.extend_from_slice(
                format!(
                    "X-GitHub-Delivery: {guid}\r\nX-Hub-Signature-256: sha256={signature}\r\n\r\n"
                )
                .as_bytes(),
            );
            let body = request.len();
            request.extend_from_slice(&self.body);
            self.number(&mut request[body..], number);
            let started = Instant::now();
            stream.write_all(&request).await.unwrap();
            let status = answer(&mut stream).await;
            waits.push(started.elapsed());
            assert!((200..300).contains(&status), "answered with {status}");
        }
        waits
    }

    fn sign(&mut self) -> (u64, String) {
        let number = self.next;
        self.next += 1;
        let mut body = self.body.clone();
        self.number(&mut body, number);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&body);
        (number, hex::encode(mac.finalize().into_bytes()))
    }

    fn number(&self, body: &mut [u8], number: u64) {
        let digits = (PLACE + number).to_string();
        for place in &self.places {
            body[*place..*place + digits.len()].copy_from_slice(digits.as_bytes());
        }
    }
}

/// The status of one answer, read to its end.
async fn answer(stream: &mut TcpStream) -> u16 {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(count > 0, "the server hung up");
        filled += count;
        let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if filled >= end + 4 + length {
            return head.split(' ').nth(1).unwrap().parse().unwrap();
        }
    }
}

fn padded(comment: &str) -> Value {
    let mut payload = payload(comment, "");
    let missing = BODY_BYTES - serde_json::to_vec(&payload).unwrap().len();
    let text = "It panics on an empty list; see the log. ".repeat(missing / 41 + 1);
    payload["issue"]["body"] = text[..missing].into();
    payload
}

fn payload(comment: &str, issue_body: &str) -> Value {
    let login = "mona";
    json!({
        "action": "created",
        "issue": {
            "url": "https://api.github.com/repos/acme/widgets/issues/7",
            "id": 3_000_000_007_u64, "node_id": "I_kwDOAAAAAA5", "number": PLACE,
            "title": "Panic on an empty list", "user": account(login), "state": "open",
            "labels": [], "assignees": [], "comments": 3, "locked": false,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "body": issue_body,
        },
        "comment": {
            "url": "https://api.github.com/repos/acme/widgets/issues/comments/1",
            "id": PLACE, "node_id": "IC_kwDOAAAAAA5", "user": account(login),
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "author_association": "MEMBER", "body": comment,
        },
        "repository": repository(),
        "sender": account(login),
        "installation": {"id": PLACE, "node_id": "MDIzOkludGVncmF0aW9uSW5z"},
    })
}

fn account(login: &str) -> Value {
    let mut account = json!({
        "login": login, "id": 583_231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "type": "User",
        "site_admin": false, "gravatar_id": "",
    });
    for link in [
        "avatar_url",
        "url",
        "html_url",
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    ] {
        account[link] = format!("https://api.github.com/users/{login}/{link}").into();
    }
    account
}

fn repository() -> Value {
    let mut repository = json!({
        "id": 1_296_269, "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5", "name": "widgets",
        "full_name": "acme/widgets", "private": false, "owner": account("acme"), "fork": false,
        "default_branch": "main", "stargazers_count": 80, "open_issues_count": 2, "topics": [],
    });
    for link in [
        "forks_url",
        "keys_url",
        "collaborators_url",
        "teams_url",
        "hooks_url",
        "issue_events_url",
        "events_url",
        "assignees_url",
        "branches_url",
        "tags_url",
        "blobs_url",
        "git_tags_url",
        "git_refs_url",
        "trees_url",
        "statuses_url",
        "languages_url",
        "stargazers_url",
        "contributors_url",
        "subscribers_url",
        "subscription_url",
        "commits_url",
        "git_commits_url",
        "comments_url",
        "issue_comment_url",
        "contents_url",
        "compare_url",
        "merges_url",
        "archive_url",
        "downloads_url",
        "issues_url",
        "pulls_url",
        "milestones_url",
        "notifications_url",
        "labels_url",
        "releases_url",
        "deployments_url",
    ] {
        repository[link] = format!("https://api.github.com/repos/acme/widgets/{link}").into();
    }
    repository
}
