//! A person looks at a repository in a browser, and says something there.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use gander_emulator::LineNote;

use super::*;

/// What a browser is answered at a path: the status, and head and body.
async fn asks(w: &World, request: &str, origin: &str, body: &str) -> (u16, String) {
    let at = w.emulator.web_url().socket_addrs(|| None).unwrap()[0];
    let origin = if origin.is_empty() { String::new() } else { format!("Origin: {origin}\r\n") };
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: me\r\nConnection: close\r\n{origin}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let asking = move || {
        let mut peer = TcpStream::connect(at).unwrap();
        peer.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = tokio::task::spawn_blocking(asking).await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

async fn shows(w: &World, page: &str) -> String {
    let (status, answer) = asks(w, &format!("GET /{REPO}{page}"), "", "").await;
    assert_eq!(status, 200, "{page}: {answer}");
    answer
}

#[tokio::test]
async fn issues_pull_requests_files_and_releases_have_pages() {
    let w = World::new().await;
    let mona = w.emulator.person("mona");
    let issue = mona.opens_issue(REPO, "Wrong <b>count</b>", "See `x`.", &["bug"]).unwrap();
    mona.pushes(REPO, "fix", "Fix", &[("src/lib.rs", Some("pub fn two() {}\n"))]).unwrap();
    let pull = mona.opens_pull(REPO, "Fix it", "For #1.", "fix", "main").unwrap();
    let note = LineNote { path: "src/lib.rs", line: 1, start_line: None, body: "Why *two*?" };
    let hubot = w.emulator.person("hubot");
    hubot.reviews_lines(REPO, pull, Verdict::Comments, "", &[note]).unwrap();
    let head = w.emulator.pull(REPO, pull).unwrap().head_sha;
    let ci = w.emulator.person("gander[bot]");
    ci.check_run(REPO, &head, "ci", CheckOutcome::Completed("success")).unwrap();

    w.emulator.sign_in(Some("mona"));
    let home = shows(&w, "").await;
    assert!(home.contains("src/lib.rs</a>") && home.contains("<h1>Widgets</h1>"), "{home}");
    let list = shows(&w, "/issues").await;
    assert!(list.contains("Wrong &lt;b&gt;count&lt;/b&gt;</a>"), "{list}");
    let page = shows(&w, &format!("/issues/{issue}")).await;
    assert!(page.contains("<code>x</code>") && page.contains(">bug</span>"), "{page}");
    let page = shows(&w, &format!("/pull/{pull}")).await;
    for shown in
        ["/issues/1\">#1</a>", "on src/lib.rs line 1", "Why <em>two</em>?", ">success</span> ci"]
    {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    let files = shows(&w, &format!("/pull/{pull}/files")).await;
    assert!(files.contains("<span class=\"new\">+pub fn two() {}</span>"), "{files}");
    assert!(shows(&w, "/releases").await.contains("There is none."));
}

#[tokio::test]
async fn what_is_said_on_a_page_is_said_by_whoever_is_signed_in_and_by_no_other_site() {
    let w = World::new().await;
    let issue = w.emulator.person("mona").opens_issue(REPO, "Wrong", "", &[]).unwrap();
    let comments = format!("POST /{REPO}/issues/{issue}/comments");
    let said = || {
        let comments = w.emulator.issue(REPO, issue).unwrap().comments;
        comments.into_iter().map(|it| (it.author, it.body)).collect::<Vec<_>>()
    };

    assert_eq!(asks(&w, &comments, "", "body=a+stranger").await.0, 401);
    w.emulator.sign_in(Some("mona"));
    assert_eq!(asks(&w, &comments, "https://evil.test", "body=from+elsewhere").await.0, 403);
    assert_eq!(asks(&w, &comments, "", "body=+%0A").await.0, 422);
    assert_eq!(said(), []);

    let own = w.emulator.web_url().as_str().trim_end_matches('/').to_owned();
    let (status, answer) = asks(&w, &comments, &own, "body=%2Fgander+fix").await;
    assert_eq!(status, 302);
    assert!(answer.contains(&format!("location: /{REPO}/issues/{issue}")), "{answer}");
    assert_eq!(said(), [("mona".to_owned(), "/gander fix".to_owned())]);
    assert_eq!(asks(&w, &format!("GET /{REPO}/issues/99"), "", "").await.0, 404);
    // Nobody has a password here.
    let (_, page) = asks(&w, &format!("GET /{REPO}/issues/{issue}"), "", "").await;
    assert!(page.contains("You are <b>mona</b>; be "), "{page}");
    let evil = asks(&w, "POST /_sign_in", "https://evil.test", "login=hubot&back=%2F").await;
    assert_eq!(evil.0, 403);
    let create = format!("POST /{REPO}/create/main");
    let file = "filename=evil.txt&value=x";
    assert_eq!(asks(&w, &create, "https://evil.test", file).await.0, 403);
    assert!(w.emulator.file(REPO, "main", "evil.txt").is_none());
    let (_, moved) = asks(&w, "POST /_sign_in", "", "login=hubot&back=%2F%2Fevil.test").await;
    assert!(moved.contains("location: /evil.test"), "{moved}");
    let (_, page) = asks(&w, &format!("GET /{REPO}"), "", "").await;
    assert_eq!(asks(&w, "POST /_sign_in", "", "login=nobody&back=%2F").await.0, 404, "{page}");
    // Private, and no business of hubot's.
    w.emulator.sign_in(Some("hubot"));
    assert_eq!(asks(&w, "GET /acme/secrets/issues", "", "").await.0, 404);
}
