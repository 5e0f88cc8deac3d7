//! What GitHub sends, and what others send in its name.

use std::path::PathBuf;
use std::time::Duration;

use gander::server::AppState;
use gander_emulator::DeliveryFault;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{Post, guid, signature};
use crate::world::{REPO, World, good_fix, listen, off_by_one};

/// Every payload of the collection named by GANDER_WEBHOOK_EXAMPLES (the unpacked npm package
/// `@octokit/webhooks-examples`).
#[tokio::test]
async fn every_recorded_webhook_is_taken_in() {
    #[allow(clippy::disallowed_methods)]
    let Some(directory) = std::env::var_os("GANDER_WEBHOOK_EXAMPLES").map(PathBuf::from) else {
        eprintln!("SKIPPED: GANDER_WEBHOOK_EXAMPLES is not set, so no recorded webhook was tried");
        return;
    };
    let text = std::fs::read_to_string(directory.join("api.github.com/index.json")).unwrap();
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    let w = World::with_project(off_by_one()).await;
    let mut sent = 0;
    for event in &events {
        let name = event["name"].as_str().unwrap();
        for example in event["examples"].as_array().unwrap() {
            sent += 1;
            let post = Post::new(&w, name, example.to_string());
            let status = post.with("X-GitHub-Delivery", guid(sent)).send(&w).await;
            assert_eq!(status, 202, "{name} {}", example["action"]);
        }
    }
    assert_eq!(sent, 329);
    w.settle().await;
    assert_eq!(w.emulator.timeline(REPO), [], "none of them is about us");
    w.ends().await;
}

fn a_command(w: &World) -> Post {
    let body = json!({
        "action": "created",
        "installation": {"id": 50_000_001},
        "repository": {"id": 700_000_001, "full_name": REPO},
        "issue": {"id": 1, "number": 1, "title": "t", "state": "open"},
        "comment": {"id": 2, "body": "/gander help",
            "user": {"id": 1004, "login": "mona", "type": "User"}},
    });
    Post::new(w, "issue_comment", body.to_string())
}

#[tokio::test]
async fn only_what_is_signed_with_our_secret_over_these_bytes_is_taken() {
    let w = World::with_project(off_by_one()).await;
    let good = a_command(&w);
    let name = "X-Hub-Signature-256";
    let right = signature(&w.app.webhook_secret, &good.body);
    let mut other_bytes = good.clone();
    other_bytes.body.push(b' ');
    let refused = [
        ("none", good.clone().without(name)),
        ("empty", good.clone().with(name, "")),
        (
            "of another secret",
            good.clone().with(name, signature("another secret of ours", &good.body)),
        ),
        ("of no secret", good.clone().with(name, signature("", &good.body))),
        ("of other bytes", other_bytes),
        (
            "of SHA-1",
            good.clone()
                .without(name)
                .and("X-Hub-Signature", "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ),
        ("without its name", good.clone().with(name, &right["sha256=".len()..])),
        ("in capitals", good.clone().with(name, right.to_uppercase())),
        (
            "hex in capitals",
            good.clone().with(name, format!("sha256={}", right["sha256=".len()..].to_uppercase())),
        ),
        ("cut short", good.clone().with(name, &right[..right.len() - 1])),
        ("too long", good.clone().with(name, format!("{right}0"))),
        ("twice", good.clone().and(name, right.clone())),
        ("a wrong one beside", good.clone().and(name, "sha256=00")),
        ("no ASCII", good.clone().with(name, "sha256=\u{e9}")),
    ];
    for (what, post) in refused {
        assert_eq!(post.send(&w).await, 401, "{what}");
    }
    assert_eq!(w.store.queue_length().await.unwrap(), 0);
    assert_eq!(good.send(&w).await, 202, "none of these took the true one's place");
    assert_eq!(w.store.queue_length().await.unwrap(), 1);
}

#[tokio::test]
async fn a_delivery_without_a_proper_name_is_refused_and_not_kept() {
    let w = World::with_project(off_by_one()).await;
    let good = a_command(&w);
    let refused = [
        good.clone().without("X-GitHub-Delivery"),
        good.clone().with("X-GitHub-Delivery", "7"),
        good.clone().with("X-GitHub-Delivery", "../../etc/passwd"),
        good.clone().and("X-GitHub-Delivery", guid(2)),
        good.clone().without("X-GitHub-Hook-ID"),
        good.clone().with("X-GitHub-Hook-ID", "-1"),
        good.clone().with("X-GitHub-Hook-ID", "seven"),
        good.clone().without("X-GitHub-Event"),
        good.clone().with("X-GitHub-Event", ""),
        good.clone().with("X-GitHub-Event", "Issue Comment"),
        good.clone().with("X-GitHub-Event", "x".repeat(65)),
    ];
    for post in refused {
        assert_eq!(post.send(&w).await, 400, "{:?}", post.headers);
    }
    assert_eq!(good.send(&w).await, 202);
    assert_eq!(w.store.queue_length().await.unwrap(), 1);
}

#[tokio::test]
async fn garbage_with_a_good_signature_is_put_aside() {
    let w = World::with_project(off_by_one()).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let garbage: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no JSON", b"payload=%7B%7D".to_vec()),
        ("cut short", br#"{"action": "crea"#.to_vec()),
        ("no object", b"[1, 2]".to_vec()),
        ("null", b"null".to_vec()),
        ("other types", br#"{"issue": 7, "comment": [], "repository": "x"}"#.to_vec()),
        ("a negative number", br#"{"issue": {"id": -1, "number": -1}}"#.to_vec()),
        ("a huge number", br#"{"issue": {"id": 1e400, "number": 1}}"#.to_vec()),
        ("no UTF-8", b"{\"action\": \"\xff\xfe\"}".to_vec()),
        ("NUL", b"\0\0\0\0".to_vec()),
        ("depth", deep.into_bytes()),
        ("twice the same key", br#"{"action": "a", "action": "created"}"#.to_vec()),
        ("half an escape", br#"{"action": "\ud800"}"#.to_vec()),
    ];
    for (n, (what, body)) in garbage.into_iter().enumerate() {
        let post = Post::new(&w, "issue_comment", body);
        let post = post.with("X-GitHub-Delivery", guid(u32::try_from(n).unwrap()));
        assert_eq!(post.send(&w).await, 202, "{what}");
    }
    w.settle().await;
    assert_eq!(w.emulator.timeline(REPO), []);
    w.ends().await;
}

#[tokio::test]
async fn a_body_that_github_would_not_send_is_refused_before_it_is_kept() {
    let w = World::with_project(off_by_one()).await;
    let large = Post::new(&w, "issue_comment", vec![b' '; 26 * 1024 * 1024]);
    assert_eq!(large.send(&w).await, 413);
    assert_eq!(a_command(&w).send(&w).await, 202, "and the next is served");
}

#[tokio::test]
async fn what_the_headers_show_to_be_wrong_is_refused_before_its_body_comes() {
    let w = World::with_project(off_by_one()).await;
    let head = |more: &str| {
        format!("POST /github/webhook HTTP/1.1\r\nHost: gander\r\n{more}Connection: close\r\n\r\n")
    };
    let named = "X-GitHub-Delivery: 00000001-1111-4111-8111-111111111111\r\n\
                 X-GitHub-Hook-ID: 7\r\nX-GitHub-Event: push\r\n";
    let signed = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    let length = "Content-Length: 26000000\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (status, more) in [
        (401, format!("{named}{length}")),
        (401, format!("{named}{length}X-Hub-Signature-256: sha1=00\r\n")),
        (400, format!("{signed}{length}")),
        (415, format!("{named}{signed}{length}{form}")),
        (411, format!("{named}{signed}Transfer-Encoding: chunked\r\n")),
        (413, format!("{named}{signed}Content-Length: 26214401\r\n")),
    ] {
        let address = ("127.0.0.1", w.webhook_url.port().unwrap());
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(head(&more).as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = peer.read_exact(&mut answer);
        tokio::time::timeout(Duration::from_secs(5), read).await.expect("it waits").unwrap();
        assert_eq!(&answer, format!("HTTP/1.1 {status}").as_bytes(), "{more}");
    }
}

/// Strangers behind a proxy send large bodies, each from an address of its own, and slowly.
#[tokio::test]
async fn strangers_that_send_and_strangers_that_are_silent_keep_nobody_out() {
    let w = World::with_project(off_by_one()).await;
    let address = ("127.0.0.1", w.webhook_url.port().unwrap());
    let mut silent = Vec::new();
    for _ in 0..900 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut sending = Vec::new();
    for n in 0..8 {
        let wrong = signature("another secret of ours", b"");
        let post = Post::new(&w, "push", vec![b' '; 24 << 20]);
        let post = post.with("X-Hub-Signature-256", wrong).with("X-Forwarded-For", "203.0.113.7");
        let post = post.with("X-GitHub-Delivery", guid(1_000 + n));
        // All but its last byte: the server waits for that.
        sending.push(post.begin(&w).await);
    }
    for n in 0..5 {
        let began = std::time::Instant::now();
        let post = a_command(&w).with("X-GitHub-Delivery", guid(n));
        let status = post.with("X-Forwarded-For", "203.0.113.8").send(&w).await;
        assert_eq!(status, 202, "GitHub's own is taken");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    drop((silent, sending));
}

#[tokio::test]
async fn ghosts_and_gaps_are_no_error() {
    let w = World::with_project(off_by_one()).await;
    let full: Value = serde_json::from_slice(&a_command(&w).body).unwrap();
    let mut n = 0;
    for event in ["issue_comment", "issues", "pull_request", "pull_request_review"] {
        for key in full.as_object().unwrap().keys() {
            for other in [Value::Null, json!({})] {
                let mut body = full.clone();
                body[key] = other;
                body["comment"]["body"] = json!("nothing of importance");
                n += 1;
                let post = Post::new(&w, event, body.to_string());
                assert_eq!(post.with("X-GitHub-Delivery", guid(n)).send(&w).await, 202);
            }
        }
    }
    w.settle().await;
    assert_eq!(w.emulator.timeline(REPO), []);
    w.ends().await;
}

#[tokio::test]
async fn a_ghosts_comment_commands_nothing() {
    let w = World::with_project(off_by_one()).await;
    let issue = w.reported();
    w.emulator.author_vanishes(REPO, issue).unwrap();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    let mut body: Value = w.emulator.deliveries().pop().unwrap().payload;
    body["comment"]["user"] = Value::Null;
    w.emulator.plan_delivery(DeliveryFault::Drop);
    w.emulator.plan_delivery(DeliveryFault::Drop);
    w.emulator.deliver_all().await;
    assert_eq!(Post::new(&w, "issue_comment", body.to_string()).send(&w).await, 202);
    w.settle().await;
    w.nothing_was_published();
    w.ends().await;
}

#[tokio::test]
async fn a_webhook_that_never_arrived_is_fetched_within_minutes() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.worker.begin_sweeps().await.unwrap();
    w.settle().await;
    let issue = w.reported();
    w.emulator.plan_delivery(DeliveryFault::Drop);
    w.emulator.plan_delivery(DeliveryFault::Drop);
    w.says(issue, "/gander fix").await;
    assert_eq!(w.emulator.pulls(REPO), []);

    w.minutes_pass(6);
    w.settle().await;
    assert_eq!(w.only_pull().state, "open");
    assert_eq!(w.comments(issue).len(), 2);

    // And once is enough, however often the log is looked through.
    for _ in 0..3 {
        w.minutes_pass(6);
        w.settle().await;
    }
    assert_eq!((w.emulator.pulls(REPO).len(), w.comments(issue).len()), (1, 2));
}

#[tokio::test]
async fn a_peer_that_dawdles_is_let_go_and_others_are_served() {
    let w = World::with_project(off_by_one()).await;
    let patience = Duration::from_millis(50);
    let (url, _server) = listen(AppState { patience, ..w.intake.clone() }).await;
    let address = format!("127.0.0.1:{}", url.port().unwrap());
    let header = "POST /github/webhook HTTP/1.1\r\nHost: gander\r\nX-Slow";
    let body = "POST /github/webhook HTTP/1.1\r\nHost: gander\r\nContent-Length: 100\r\n\r\n{";
    for beginning in ["", header, body] {
        let mut peer = TcpStream::connect(&address).await.unwrap();
        peer.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = peer.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("held for ever").ok();
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    assert_eq!(a_command(&w).send(&w).await, 202);
    w.settle().await;
    w.ends().await;
}
