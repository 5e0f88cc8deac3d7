//! The emulator behaves as GitHub does, told by a client that shares no code with the product.
// Stories run a real git; clippy's leave to unwrap in tests does not reach a test's helpers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

#[path = "../../../../tests/contract/src/client.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, clippy::needless_pass_by_value)]
mod client;

mod ci;
mod graphql;
mod merging;
mod pages;
mod reviews;
mod runner;
mod same_name;
mod servers;
mod told;

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use client::{Client, jwt};
use gander_emulator::{
    AppCredentials, AppSpec, CheckOutcome, DeliveryFault, Emulator, Fault, LimitPlan, MergeMethod,
    Options, RepositorySpec, Requirement, Verdict,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use tempfile::TempDir;

const NEW_YEAR: i64 = 1_767_225_600_000;
const REPO: &str = "acme/widgets";
const SECRET: &str = "It's a Secret to Everybody";

/// An organisation with a repository, two people and an App on it.
struct World {
    emulator: Emulator,
    app: AppCredentials,
    installation: u64,
    clock: Arc<AtomicI64>,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(NEW_YEAR));
        let time = Arc::clone(&clock);
        let root = folder.path().join("github");
        std::fs::create_dir(&root).unwrap();
        let options = Options { root, clock: Arc::new(move || time.load(Ordering::SeqCst)) };
        let emulator = Emulator::start(options).await.unwrap();
        emulator.create_organization("acme");
        emulator.create_user("mona");
        emulator.create_user("hubot");
        let files = [("README.md", "# Widgets\n"), ("src/lib.rs", "pub fn one() {}\n")];
        emulator.create_repository(RepositorySpec::new("acme", "widgets", &files)).unwrap();
        emulator.create_repository(RepositorySpec::new("acme", "secrets", &files)).unwrap();
        emulator.set_permission(REPO, "mona", "write").unwrap();
        let app = emulator.create_app(spec("gander")).unwrap();
        let installation = emulator.install(app.app_id, &[REPO, "acme/secrets"]).unwrap();
        Self { emulator, app, installation, clock, folder }
    }

    fn passes(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn as_app(&self) -> Client {
        Client::app(&self.emulator, &self.app, self.clock.load(Ordering::SeqCst))
    }

    /// A client with all that the App may do.
    async fn client(&self) -> Client {
        self.as_app().installation(self.installation, json!({})).await
    }

    /// Runs git as a person would, in the world's folder.
    async fn git(&self, args: &[&str]) -> Output {
        let mut command = Command::new("git");
        command.args(args).current_dir(self.folder.path());
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_AUTHOR_NAME", "App"),
            ("GIT_AUTHOR_EMAIL", "app@example.com"),
            ("GIT_COMMITTER_NAME", "App"),
            ("GIT_COMMITTER_EMAIL", "app@example.com"),
        ] {
            command.env(name, value);
        }
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The address of a repository with a token in it.
    fn remote(&self, token: &str) -> String {
        let url = format!("{}{REPO}.git", self.emulator.web_url());
        url.replace("http://", &format!("http://x-access-token:{token}@"))
    }

    fn tip(&self, branch: &str) -> String {
        self.emulator.branches(REPO)[branch].clone()
    }

    fn timeline(&self) -> Vec<String> {
        self.emulator.timeline(REPO).iter().map(ToString::to_string).collect()
    }
}

fn spec(slug: &str) -> AppSpec {
    let permissions: BTreeMap<String, String> = [
        ("metadata", "read"),
        ("contents", "write"),
        ("issues", "write"),
        ("pull_requests", "write"),
        ("checks", "write"),
        ("statuses", "read"),
    ]
    .into_iter()
    .map(|(name, level)| (name.to_owned(), level.to_owned()))
    .collect();
    let events = [
        "issues",
        "issue_comment",
        "pull_request",
        "pull_request_review",
        "push",
        "check_run",
        "check_suite",
    ];
    AppSpec {
        slug: slug.to_owned(),
        webhook_url: None,
        webhook_secret: SECRET.to_owned(),
        permissions,
        events: events.map(str::to_owned).to_vec(),
    }
}

/// Somebody who takes webhooks and answers them with a status.
#[derive(Clone)]
struct Mailbox {
    letters: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    bell: Arc<tokio::sync::Notify>,
    status: Arc<AtomicU16>,
}

impl Mailbox {
    async fn of(world: &World) -> Self {
        let mailbox = Self {
            letters: Arc::default(),
            bell: Arc::default(),
            status: Arc::new(AtomicU16::new(202)),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inbox = mailbox.clone();
        let take = move |headers: HeaderMap, body: Bytes| async move {
            inbox.letters.lock().unwrap().push((headers, body));
            inbox.bell.notify_one();
            StatusCode::from_u16(inbox.status.load(Ordering::SeqCst)).unwrap()
        };
        let router = axum::Router::new().route("/hook", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        world.emulator.set_webhook_url(world.app.app_id, url.parse().unwrap());
        mailbox
    }

    fn letters(&self) -> Vec<(HeaderMap, Bytes)> {
        self.letters.lock().unwrap().clone()
    }

    fn events(&self) -> Vec<String> {
        let letters = self.letters();
        let name = |headers: &HeaderMap| headers["x-github-event"].to_str().unwrap().to_owned();
        letters
            .iter()
            .map(|(headers, body)| {
                let body: Value = serde_json::from_slice(body).unwrap();
                match body["action"].as_str() {
                    Some(action) => format!("{} {action}", name(headers)),
                    None => name(headers),
                }
            })
            .collect()
    }
}

#[tokio::test]
async fn an_app_proves_who_it_is() {
    let world = World::new().await;
    let me = world.as_app().get("/app").await.expect(200);
    assert_eq!(me["slug"], "gander");
    let by_number = json!({
        "iss": world.app.app_id,
        "iat": NEW_YEAR / 1000,
        "exp": NEW_YEAR / 1000 + 600,
    });
    let nobody = Client::anonymous(&world.emulator);
    let token = jwt(&world.app.private_key_pem, &by_number);
    nobody.with(&format!("Bearer {token}")).get("/app").await.expect(200);
}

#[tokio::test]
async fn a_wrong_app_token_is_refused() {
    let world = World::new().await;
    let nobody = Client::anonymous(&world.emulator);
    let other = world.emulator.create_app(spec("impostor")).unwrap();
    let now = NEW_YEAR / 1000;
    let claims = |issued: i64, expires: i64| json!({ "iss": world.app.client_id, "iat": issued, "exp": expires });
    let key = &world.app.private_key_pem;
    for (what, token, words) in [
        ("signed by another", jwt(&other.private_key_pem, &claims(now, now + 60)), "decoded"),
        ("from the future", jwt(key, &claims(now + 90, now + 300)), "'iat'"),
        ("too long", jwt(key, &claims(now, now + 700)), "too far in the future"),
        ("over", jwt(key, &claims(now - 700, now - 100)), "'exp'"),
        ("no token", "a.b.c".to_owned(), "decoded"),
    ] {
        let reply = nobody.with(&format!("Bearer {token}")).get("/app").await;
        assert_eq!(reply.status, 401, "{what}");
        assert!(reply.text.contains(words), "{what}: {}", reply.text);
    }
    nobody.get("/app").await.expect(401);
    world.client().await.get("/app").await.expect(401);
}

#[tokio::test]
async fn a_token_reaches_only_its_repository_and_its_permissions() {
    let world = World::new().await;
    let wanted = json!({
        "repositories": ["widgets"],
        "permissions": { "contents": "read", "issues": "write" },
    });
    let client = world.as_app().installation(world.installation, wanted).await;
    client.get("/repos/acme/widgets/contents/README.md").await.expect(200);
    client.get("/repos/acme/secrets").await.expect(404);
    client.get("/repos/acme/secrets/contents/README.md").await.expect(404);
    let sha = world.tip("main");
    let branch = json!({ "ref": "refs/heads/x", "sha": sha });
    let refused = client.post("/repos/acme/widgets/git/refs", branch).await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "contents=write");
    let words = refused.expect(403);
    assert_eq!(words["message"], "Resource not accessible by integration");
    let pull = json!({ "title": "t", "head": "main", "base": "main" });
    client.post("/repos/acme/widgets/pulls", pull).await.expect(403);
    client.post("/repos/acme/widgets/issues", json!({ "title": "t" })).await.expect(201);
}

#[tokio::test]
async fn nobody_gets_a_token_for_more_than_was_granted() {
    let world = World::new().await;
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    for wanted in [
        json!({ "permissions": { "administration": "write" } }),
        json!({ "permissions": { "statuses": "write" } }),
        json!({ "repositories": ["elsewhere"] }),
        json!({ "repository_ids": [1] }),
    ] {
        world.as_app().post(&path, wanted).await.expect(422);
    }
}

#[tokio::test]
async fn a_token_ends_after_an_hour_when_revoked_and_when_the_app_is_removed() {
    let world = World::new().await;
    let client = world.client().await;
    world.passes(3_599_000);
    client.get("/repos/acme/widgets").await.expect(200);
    world.passes(1_000);
    let words = client.get("/repos/acme/widgets").await.expect(401);
    assert_eq!(words["message"], "Bad credentials");

    let client = world.client().await;
    client.delete("/installation/token").await.expect(204);
    client.get("/repos/acme/widgets").await.expect(401);

    let client = world.client().await;
    world.emulator.suspend(world.installation);
    client.get("/repos/acme/widgets").await.expect(403);
    world.emulator.unsuspend(world.installation);
    client.get("/repos/acme/widgets").await.expect(200);
    world.emulator.uninstall(world.installation);
    client.get("/repos/acme/widgets").await.expect(401);
    world.as_app().get("/repos/acme/widgets/installation").await.expect(404);
}

/// Blob, tree and commit with one changed file; says the commit.
async fn commits(client: &Client, parent: &str, path: &str, text: &str, extra: Value) -> Value {
    let base = "/repos/acme/widgets/git";
    let blob = client.post(&format!("{base}/blobs"), json!({ "content": text })).await.expect(201);
    let before = client.get(&format!("{base}/commits/{parent}")).await.expect(200);
    let tree = json!({
        "base_tree": before["tree"]["sha"],
        "tree": [{ "path": path, "mode": "100644", "type": "blob", "sha": blob["sha"] }],
    });
    let tree = client.post(&format!("{base}/trees"), tree).await.expect(201);
    let mut commit = json!({ "message": "Fix it", "tree": tree["sha"], "parents": [parent] });
    if let Some(extra) = extra.as_object() {
        commit.as_object_mut().unwrap().extend(extra.clone());
    }
    client.post(&format!("{base}/commits"), commit).await.expect(201)
}

async fn branches(client: &Client, name: &str, sha: &Value) -> client::Reply {
    let body = json!({ "ref": format!("refs/heads/{name}"), "sha": sha });
    client.post("/repos/acme/widgets/git/refs", body).await
}

#[tokio::test]
async fn a_commit_without_author_is_signed_by_github_in_the_bots_name() {
    let world = World::new().await;
    let client = world.client().await;
    let commit = commits(&client, &world.tip("main"), "src/lib.rs", "fixed\n", json!({})).await;
    assert_eq!(commit["verification"]["verified"], true);
    assert_eq!(commit["author"]["name"], "gander[bot]");
    let id = world.app.bot_user_id;
    let email = format!("{id}+gander[bot]@users.noreply.github.com");
    assert_eq!(commit["author"]["email"], email);
    assert_eq!(commit["committer"]["name"], "GitHub");
    assert_eq!(commit["committer"]["email"], "noreply@github.com");

    let author = json!({ "author": { "name": "Me", "email": "me@example.com" } });
    let own = commits(&client, &world.tip("main"), "src/lib.rs", "fixed\n", author).await;
    assert_eq!(own["verification"]["verified"], false);
    assert_eq!(own["author"]["name"], "Me");
}

#[tokio::test]
async fn a_tree_adds_changes_and_deletes_files() {
    let world = World::new().await;
    let client = world.client().await;
    let base = "/repos/acme/widgets/git";
    let main = world.tip("main");
    let before = client.get(&format!("{base}/trees/{main}?recursive=1")).await.expect(200);
    let tree = json!({
        "base_tree": before["sha"],
        "tree": [
            { "path": "README.md", "mode": "100644", "type": "blob", "sha": null },
            { "path": "a/b/run.sh", "mode": "100755", "type": "blob", "content": "true\n" },
        ],
    });
    let tree = client.post(&format!("{base}/trees"), tree).await.expect(201);
    let path = format!("{base}/trees/{}?recursive=1", tree["sha"].as_str().unwrap());
    let after = client.get(&path).await.expect(200);
    let line = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        format!("{} {}", text("mode"), text("path"))
    };
    let lines: Vec<String> = after["tree"].as_array().unwrap().iter().map(line).collect();
    let wanted = ["040000 a", "040000 a/b", "100755 a/b/run.sh", "040000 src", "100644 src/lib.rs"];
    assert_eq!(lines, wanted);

    let absent = json!({ "path": "no", "mode": "100644", "type": "blob", "sha": null });
    let body = json!({ "base_tree": before["sha"], "tree": [absent] });
    client.post(&format!("{base}/trees"), body).await.expect(422);
    let outside = json!({ "path": "../x", "mode": "100644", "content": "x" });
    client.post(&format!("{base}/trees"), json!({ "tree": [outside] })).await.expect(422);
}

#[tokio::test]
async fn an_app_without_the_permission_cannot_touch_workflows() {
    let world = World::new().await;
    let client = world.client().await;
    let evil =
        json!({ "path": ".github/workflows/x.yml", "mode": "100644", "content": "on: push" });
    let body = json!({ "tree": [evil] });
    client.post("/repos/acme/widgets/git/trees", body).await.expect(403);
}

#[tokio::test]
async fn a_branch_moves_only_forward_unless_forced() {
    let world = World::new().await;
    let client = world.client().await;
    let main = world.tip("main");
    let one = commits(&client, &main, "a", "1\n", json!({})).await;
    let other = commits(&client, &main, "a", "2\n", json!({})).await;
    branches(&client, "work", &one["sha"]).await.expect(201);
    let again = branches(&client, "work", &one["sha"]).await.expect(422);
    assert_eq!(again["message"], "Reference already exists");

    let path = "/repos/acme/widgets/git/refs/heads/work";
    let stale = json!({ "sha": other["sha"], "force": false });
    let words = client.patch(path, stale).await.expect(422);
    assert_eq!(words["message"], "Update is not a fast forward");
    assert_eq!(json!(world.tip("work")), one["sha"]);
    client.patch(path, json!({ "sha": other["sha"], "force": true })).await.expect(200);
    assert_eq!(json!(world.tip("work")), other["sha"]);

    client.delete(path).await.expect(204);
    client.get("/repos/acme/widgets/git/ref/heads/work").await.expect(404);
    let unknown = json!({ "ref": "refs/heads/y", "sha": "0".repeat(40) });
    client.post("/repos/acme/widgets/git/refs", unknown).await.expect(422);
}

#[tokio::test]
async fn one_branch_has_one_open_pull_request() {
    let world = World::new().await;
    let client = world.client().await;
    let pulls = "/repos/acme/widgets/pulls";
    let wanted = json!({ "title": "Fix", "head": "work", "base": "main", "body": "Fixes #1" });
    let main = world.tip("main");
    branches(&client, "work", &json!(main)).await.expect(201);
    let none = client.post(pulls, wanted.clone()).await.expect(422);
    assert_eq!(none["errors"][0]["message"], "No commits between main and work");

    world.emulator.person("mona").opens_issue(REPO, "broken", "", &[]).unwrap();
    world.emulator.person("mona").pushes(REPO, "work", "Fix", &[("a", Some("1\n"))]).unwrap();
    let pull = client.post(pulls, wanted.clone()).await.expect(201);
    assert_eq!((&pull["number"], &pull["mergeable"]), (&json!(2), &Value::Null));
    let twin = client.post(pulls, wanted).await.expect(422);
    let words = twin["errors"][0]["message"].as_str().unwrap();
    assert_eq!(words, "A pull request already exists for acme:work.");

    let found = client.get(&format!("{pulls}?head=acme:work&state=open")).await.expect(200);
    assert_eq!(found.as_array().unwrap().len(), 1);
    let found = client.get(&format!("{pulls}?head=acme:other")).await.expect(200);
    assert_eq!(found, json!([]));
    client.get(&format!("{pulls}/2")).await.expect(200);
    let known = client.get(&format!("{pulls}/2")).await.expect(200);
    assert_eq!(known["mergeable"], true);
    let files = client.get(&format!("{pulls}/2/files")).await.expect(200);
    assert_eq!(
        (&files[0]["filename"], &files[0]["patch"]),
        (&json!("a"), &json!("@@ -0,0 +1 @@\n+1"))
    );

    world.emulator.person("mona").merges(REPO, 2, MergeMethod::Squash).unwrap();
    let merged = world.emulator.pull(REPO, 2).unwrap();
    assert!(merged.merged && merged.state == "closed");
    assert_eq!(world.emulator.issue(REPO, 1).unwrap().state, "closed");
    assert_eq!(world.emulator.file(REPO, "main", "a").unwrap(), b"1\n");
    assert_eq!(
        world.timeline(),
        [
            "gander[bot] created branch work",
            "mona opened issue #1: broken",
            "mona pushed 1 commit to work",
            "gander[bot] opened pull request #2: Fix (work into main)",
            "mona merged #2 into main",
            "mona closed #1",
            "mona pushed 1 commit to main",
        ]
    );
}

#[tokio::test]
async fn an_answer_that_was_cut_off_still_took_effect() {
    let world = World::new().await;
    let client = world.client().await;
    let pattern = "/repos/*/*/issues";
    let before = world.emulator.plan(Fault::on("POST", pattern).nth(1).cut_before());
    let after = world.emulator.plan(Fault::on("POST", pattern).nth(2).cut_after());
    let body = json!({ "title": "hello" });
    let path = "/repos/acme/widgets/issues";
    assert!(client.try_post(path, body.clone()).await.is_err());
    assert!(world.emulator.issue(REPO, 1).is_none());
    assert!(client.try_post(path, body.clone()).await.is_err());
    assert_eq!(world.emulator.issue(REPO, 1).unwrap().title, "hello");
    client.post(path, body).await.expect(201);
    assert_eq!((world.emulator.fault_hits(before), world.emulator.fault_hits(after)), (1, 1));
    let answered: Vec<bool> = world
        .emulator
        .exchanges()
        .iter()
        .filter(|exchange| exchange.path == path)
        .map(|exchange| exchange.answered)
        .collect();
    assert_eq!(answered, [false, true]);
}

#[tokio::test]
async fn a_request_that_hangs_ends_with_the_box() {
    let world = World::new().await;
    let client = world.client().await;
    let plan = world.emulator.plan(Fault::on("GET", "/repos/acme/**").hangs());
    let asking = tokio::spawn(async move {
        client.send(reqwest::Method::GET, "/repos/acme/widgets", &[], None).await.map(|_| ())
    });
    while world.emulator.fault_hits(plan) == 0 {
        tokio::task::yield_now().await;
    }
    drop(world);
    assert!(asking.await.unwrap().is_err());
}

#[tokio::test]
async fn a_slow_answer_comes_all_the_same() {
    let world = World::new().await;
    let client = world.client().await;
    let long = Duration::from_millis(30);
    let plan = world.emulator.plan(Fault::on("GET", "/repos/*/*").times(1).delays(long));
    let start = Instant::now();
    client.get("/repos/acme/widgets").await.expect(200);
    assert!(start.elapsed() >= long);
    client.get("/repos/acme/widgets").await.expect(200);
    assert_eq!(world.emulator.fault_hits(plan), 1);
}

#[tokio::test]
async fn every_change_can_be_cut_in_turn() {
    let world = World::new().await;
    let client = world.client().await;
    client.post("/repos/acme/widgets/issues", json!({ "title": "one" })).await.expect(201);
    let seen = world.emulator.mutations();
    assert_eq!(seen.len(), 2, "the token and the issue: {seen:?}");
    let plan = world.emulator.plan(Fault::on_mutation(3).answers(503).with_header("x-a", "b"));
    let reply = client.post("/repos/acme/widgets/issues", json!({ "title": "two" })).await;
    assert_eq!((reply.status, reply.header("x-a")), (503, "b"));
    client.post("/repos/acme/widgets/issues", json!({ "title": "two" })).await.expect(201);
    assert_eq!(world.emulator.fault_hits(plan), 1);
    assert_eq!(world.emulator.issues(REPO).len(), 2);
}

#[tokio::test]
async fn too_many_requests_are_turned_away() {
    let world = World::new().await;
    world.emulator.set_limits(LimitPlan { requests_per_hour: 3, ..LimitPlan::default() });
    let client = world.client().await;
    let first = client.get("/repos/acme/widgets").await;
    assert_eq!(first.header("x-ratelimit-remaining"), "2");
    let tag = [("if-none-match", first.header("etag"))];
    let unchanged = client.get_with("/repos/acme/widgets", &tag).await;
    assert_eq!((unchanged.status, unchanged.header("x-ratelimit-remaining")), (304, "2"));
    client.get("/repos/acme/widgets").await.expect(200);
    client.get("/repos/acme/widgets").await.expect(200);
    let turned_away = client.get("/repos/acme/widgets").await;
    assert_eq!(turned_away.header("x-ratelimit-remaining"), "0");
    let reset: i64 = turned_away.header("x-ratelimit-reset").parse().unwrap();
    turned_away.expect(403);
    assert_eq!(reset, NEW_YEAR / 1000 + 3600);
    world.passes(3_600_000);
    world.client().await.get("/repos/acme/widgets").await.expect(200);
}

#[tokio::test]
async fn writing_too_fast_is_turned_away() {
    let world = World::new().await;
    let client = world.client().await;
    let path = "/repos/acme/widgets/issues";
    for _ in 0..80 {
        client.post(path, json!({ "title": "again" })).await.expect(201);
    }
    let turned_away = client.post(path, json!({ "title": "again" })).await;
    assert_eq!(turned_away.header("retry-after"), "60");
    let words = turned_away.expect(403);
    assert!(words["message"].as_str().unwrap().contains("secondary rate limit"));
    client.get("/repos/acme/widgets").await.expect(200);
    world.passes(60_000);
    client.post(path, json!({ "title": "again" })).await.expect(201);
}

#[tokio::test]
async fn the_hour_and_the_points_count_too() {
    let world = World::new().await;
    let issues = "/repos/acme/widgets/issues";
    let client = world.client().await;
    let plan = LimitPlan { content_per_hour: 1, points_per_minute: 12, ..LimitPlan::default() };
    world.emulator.set_limits(plan);
    client.post(issues, json!({ "title": "one" })).await.expect(201);
    let turned_away = client.post(issues, json!({ "title": "two" })).await;
    assert_eq!((turned_away.status, turned_away.header("retry-after")), (403, "3600"));
    for _ in 0..7 {
        client.get(issues).await.expect(200);
    }
    let turned_away = client.get(issues).await;
    assert_eq!((turned_away.status, turned_away.header("retry-after")), (403, "60"));
    world.passes(60_000);
    client.get(issues).await.expect(200);
    world.passes(3_540_000);
    world.client().await.post(issues, json!({ "title": "two" })).await.expect(201);
}

#[tokio::test]
async fn a_webhook_is_signed_and_says_what_happened() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    let mona = world.emulator.person("mona");
    mona.opens_issue(REPO, "broken", "it is", &["bug"]).unwrap();
    mona.comments(REPO, 1, "/gander fix").unwrap();
    world
        .client()
        .await
        .post("/repos/acme/widgets/issues/1/comments", json!({ "body": "ok" }))
        .await
        .expect(201);
    world.emulator.deliver_all().await;
    let wanted =
        ["issues opened", "issues labeled", "issue_comment created", "issue_comment created"];
    assert_eq!(mailbox.events(), wanted);

    let (headers, body) = mailbox.letters().remove(2);
    let mac: Hmac<sha2::Sha256> = Hmac::new_from_slice(SECRET.as_bytes()).unwrap();
    let digest = hex::encode(mac.chain_update(&body).finalize().into_bytes());
    assert_eq!(headers["x-hub-signature-256"], format!("sha256={digest}"));
    assert!(headers["user-agent"].to_str().unwrap().starts_with("GitHub-Hookshot/"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["comment"]["body"], "/gander fix");
    assert_eq!(
        (&body["sender"]["login"], &body["sender"]["type"]),
        (&json!("mona"), &json!("User"))
    );
    assert_eq!(body["installation"]["id"], world.installation);
    let (_, bots) = mailbox.letters().remove(3);
    let bots: Value = serde_json::from_slice(&bots).unwrap();
    assert_eq!(bots["sender"]["login"], "gander[bot]");
    assert_eq!(bots["comment"]["performed_via_github_app"]["slug"], "gander");
}

#[tokio::test]
async fn webhooks_come_by_themselves_when_asked_for() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    world.emulator.person("mona").opens_issue(REPO, "before", "", &[]).unwrap();
    world.emulator.auto_deliver();
    mailbox.bell.notified().await;
    let client = world.client().await;
    client.post("/repos/acme/widgets/issues", json!({ "title": "after" })).await.expect(201);
    mailbox.bell.notified().await;
    assert_eq!(mailbox.events(), ["issues opened", "issues opened"]);
}

#[tokio::test]
async fn only_what_an_app_subscribed_to_and_may_see_is_sent_to_it() {
    let world = World::new().await;
    let deaf = AppSpec { events: vec!["push".to_owned()], ..spec("deaf") };
    let deaf = world.emulator.create_app(deaf).unwrap();
    let mailbox = Mailbox::of(&world).await;
    let nowhere = "http://127.0.0.1:9/".parse().unwrap();
    world.emulator.set_webhook_url(deaf.app_id, nowhere);
    world.emulator.install(deaf.app_id, &["acme/secrets"]).unwrap();
    world.emulator.install(deaf.app_id, &[REPO]).unwrap();
    let files = [("a", "b")];
    world.emulator.create_repository(RepositorySpec::new("acme", "other", &files)).unwrap();
    let mona = world.emulator.person("mona");
    mona.opens_issue(REPO, "heard by one", "", &[]).unwrap();
    mona.opens_issue("acme/other", "heard by none", "", &[]).unwrap();
    world.emulator.deliver_all().await;
    assert_eq!(mailbox.events(), ["issues opened"]);
    let sent: Vec<(String, Option<u16>)> = world
        .emulator
        .deliveries()
        .into_iter()
        .map(|one| (format!("{} {}", one.event, one.action.unwrap_or_default()), one.status))
        .collect();
    let refused = Some(502);
    let wanted = [
        ("installation created".to_owned(), refused),
        ("installation_repositories added".to_owned(), refused),
        ("issues opened".to_owned(), Some(202)),
    ];
    assert_eq!(sent, wanted);
}

#[tokio::test]
async fn deliveries_get_lost_come_twice_and_overtake_each_other() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    let mona = world.emulator.person("mona");
    mona.opens_issue(REPO, "broken", "", &[]).unwrap();
    for fault in [DeliveryFault::Drop, DeliveryFault::Duplicate, DeliveryFault::Reorder] {
        world.emulator.plan_delivery(fault);
    }
    for word in ["one", "two", "three"] {
        mona.comments(REPO, 1, word).unwrap();
    }
    world.emulator.deliver_all().await;
    assert_eq!(world.emulator.delivery_plans_left(), 0);
    let letters = mailbox.letters();
    let word = |(_, body): &(HeaderMap, Bytes)| {
        let body: Value = serde_json::from_slice(body).unwrap();
        body["comment"]["body"].as_str().unwrap().to_owned()
    };
    let words: Vec<String> = letters.iter().map(word).collect();
    assert_eq!(words, ["one", "one", "three", "two"]);
    let guid = |at: usize| letters[at].0["x-github-delivery"].clone();
    assert_eq!(guid(0), guid(1));
}

#[tokio::test]
async fn what_github_lost_is_not_in_its_log_and_what_it_dropped_is() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    let mona = world.emulator.person("mona");
    for (title, fault) in [("lost", DeliveryFault::Lose), ("dropped", DeliveryFault::Drop)] {
        mona.opens_issue(REPO, title, "", &[]).unwrap();
        world.emulator.plan_delivery(fault);
    }
    world.emulator.deliver_all().await;
    assert_eq!(mailbox.events(), Vec::<String>::new());
    let log = world.as_app().get("/app/hook/deliveries").await.expect(200);
    assert_eq!(log.as_array().unwrap().len(), 1);
    assert_eq!(log[0]["status"], "failed to connect to host");
}

#[tokio::test]
async fn a_pull_request_is_merged_in_three_ways() {
    let world = World::new().await;
    let mona = world.emulator.person("mona");
    for (branch, method) in [
        ("merged", MergeMethod::Merge),
        ("squashed", MergeMethod::Squash),
        ("rebased", MergeMethod::Rebase),
    ] {
        mona.pushes(REPO, branch, "Start", &[(branch, Some("1\n"))]).unwrap();
        let head = mona.pushes(REPO, branch, "End", &[(branch, Some("2\n"))]).unwrap();
        let before = world.tip("main");
        let pull = mona.opens_pull(REPO, branch, "", branch, "main").unwrap();
        mona.pushes(REPO, "main", "Meanwhile", &[("other", Some(branch))]).unwrap();
        let base = world.tip("main");
        let done = mona.merges(REPO, pull, method).unwrap();
        let commit = world.emulator.commit(REPO, &done).unwrap();
        assert_eq!(world.emulator.file(REPO, "main", branch).unwrap(), b"2\n");
        assert_eq!(world.emulator.file(REPO, "main", "other").unwrap(), branch.as_bytes());
        assert_ne!(base, before);
        match method {
            MergeMethod::Merge => assert_eq!(commit.parents, [base, head]),
            MergeMethod::Squash => assert_eq!(commit.parents, [base]),
            MergeMethod::Rebase => {
                let first = world.emulator.commit(REPO, &commit.parents[0]).unwrap();
                assert_eq!((first.message.trim(), first.parents), ("Start", vec![base]));
            }
        }
        assert!(mona.merges(REPO, pull, method).is_err());
    }
    mona.pushes(REPO, "clash", "One", &[("README.md", Some("one\n"))]).unwrap();
    let pull = mona.opens_pull(REPO, "Clash", "", "clash", "main").unwrap();
    mona.pushes(REPO, "main", "Other", &[("README.md", Some("other\n"))]).unwrap();
    assert!(mona.merges(REPO, pull, MergeMethod::Squash).is_err());
}

#[tokio::test]
async fn a_failed_delivery_is_found_in_the_log_and_sent_again() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    mailbox.status.store(503, Ordering::SeqCst);
    let mona = world.emulator.person("mona");
    for title in ["one", "two", "three"] {
        mona.opens_issue(REPO, title, "", &[]).unwrap();
    }
    world.emulator.deliver_all().await;
    mailbox.status.store(202, Ordering::SeqCst);
    let app = world.as_app();
    let page = app.get("/app/hook/deliveries?per_page=2&status=failure").await;
    let next = page.header("link").to_owned();
    let newest = page.expect(200);
    assert_eq!((newest.as_array().unwrap().len(), &newest[0]["status_code"]), (2, &json!(503)));
    let cursor = next.split("cursor=").nth(1).unwrap().split(['&', '>']).next().unwrap();
    let rest = app.get(&format!("/app/hook/deliveries?per_page=2&cursor={cursor}")).await;
    assert_eq!(rest.header("link"), "");
    let oldest = rest.expect(200)[0].clone();

    let one = app.get(&format!("/app/hook/deliveries/{}", oldest["id"])).await.expect(200);
    assert_eq!(one["request"]["payload"]["issue"]["title"], "one");
    assert_eq!(one["request"]["headers"]["X-GitHub-Event"], "issues");
    let again = format!("/app/hook/deliveries/{}/attempts", oldest["id"]);
    app.post(&again, json!({})).await.expect(202);
    let sent = world.emulator.deliver_all().await;
    assert_eq!((sent.len(), sent[0].redelivery, sent[0].status), (1, true, Some(202)));
    assert_eq!(json!(sent[0].guid), oldest["guid"]);
    assert_eq!(mailbox.letters().len(), 4);
}

#[tokio::test]
async fn an_empty_repository_says_so() {
    let world = World::new().await;
    let empty = RepositorySpec::new("acme", "empty", &[]);
    world.emulator.create_repository(empty).unwrap();
    world.emulator.install(world.app.app_id, &["acme/empty"]).unwrap();
    let client = world.client().await;
    for path in ["git/ref/heads/main", "git/trees/main", "commits"] {
        let words = client.get(&format!("/repos/acme/empty/{path}")).await.expect(409);
        assert_eq!(words["message"], "Git Repository is empty.", "{path}");
    }
    client.get("/repos/acme/empty/contents/README.md").await.expect(404);
    let blob = json!({ "content": "x" });
    client.post("/repos/acme/empty/git/blobs", blob).await.expect(409);
}

#[tokio::test]
async fn an_unknown_route_is_loud() {
    let world = World::new().await;
    let client = world.client().await;
    let words = client.post("/repos/acme/widgets/teapots", json!({})).await.expect(501);
    assert!(words["message"].as_str().unwrap().contains("POST /repos/acme/widgets/teapots"));
    assert_eq!(world.emulator.unknown_routes(), ["POST /repos/acme/widgets/teapots"]);
}

#[tokio::test]
async fn git_clones_and_pushes_with_a_token_and_not_without() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    let open = format!("{}{REPO}.git", world.emulator.web_url());
    assert!(!world.git(&["clone", &open, "stranger"]).await.status.success());

    let token = world.client().await.secret().to_owned();
    let bare = world.remote(&token).trim_end_matches(".git").to_owned();
    assert!(world.git(&["ls-remote", &bare]).await.status.success());
    let done = world.git(&["clone", "--filter=blob:none", &world.remote(&token), "work"]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let readme = std::fs::read_to_string(world.folder.path().join("work/README.md")).unwrap();
    assert_eq!(readme, "# Widgets\n");

    world.git(&["-C", "work", "checkout", "-b", "topic"]).await;
    world.git(&["-C", "work", "commit", "--allow-empty", "-m", "by hand"]).await;
    let done = world.git(&["-C", "work", "push", "origin", "topic"]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(world.emulator.branches(REPO).contains_key("topic"));
    assert_eq!(world.timeline(), ["gander[bot] created branch topic with 1 commit"]);
    world.emulator.deliver_all().await;
    assert_eq!(mailbox.events(), ["push", "check_suite requested"]);

    let narrow = json!({ "permissions": { "contents": "read" } });
    let reader = world.as_app().installation(world.installation, narrow).await;
    let remote = world.remote(reader.secret());
    assert!(world.git(&["clone", &remote, "reader"]).await.status.success());
    assert!(!world.git(&["-C", "reader", "push", "origin", "main:more"]).await.status.success());
    world.passes(3_600_000);
    assert!(!world.git(&["clone", &remote, "late"]).await.status.success());
}

#[tokio::test]
async fn a_reaction_is_left_once() {
    let world = World::new().await;
    let client = world.client().await;
    let comment = {
        let mona = world.emulator.person("mona");
        mona.opens_issue(REPO, "broken", "", &[]).unwrap();
        mona.comments(REPO, 1, "/gander fix").unwrap()
    };
    let path = format!("/repos/acme/widgets/issues/comments/{comment}/reactions");
    let first = client.post(&path, json!({ "content": "eyes" })).await.expect(201);
    let again = client.post(&path, json!({ "content": "eyes" })).await.expect(200);
    assert_eq!(first["id"], again["id"]);
    client.post(&path, json!({ "content": "applause" })).await.expect(422);
    let reactions = &world.emulator.issue(REPO, 1).unwrap().comments[0].reactions;
    assert_eq!((reactions.len(), reactions[0].content.as_str()), (1, "eyes"));
}

#[tokio::test]
async fn roles_are_told_in_githubs_words() {
    let world = World::new().await;
    let client = world.client().await;
    for (role, permission) in
        [("maintain", "write"), ("triage", "read"), ("admin", "admin"), ("none", "none")]
    {
        world.emulator.set_permission(REPO, "hubot", role).unwrap();
        let path = "/repos/acme/widgets/collaborators/hubot/permission";
        let told = client.get(path).await.expect(200);
        assert_eq!((&told["permission"], &told["role_name"]), (&json!(permission), &json!(role)));
    }
    let path = "/repos/acme/widgets/collaborators/nobody/permission";
    client.get(path).await.expect(404);
}

#[tokio::test]
async fn comments_come_in_pages() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    mona.opens_issue(REPO, "long", "", &[]).unwrap();
    for number in 0..5 {
        mona.comments(REPO, 1, &number.to_string()).unwrap();
    }
    let path = "/repos/acme/widgets/issues/1/comments?per_page=2";
    let mut url = format!("{}{path}", world.emulator.api_url());
    let mut seen = Vec::new();
    for _ in 0..3 {
        let below = url.strip_prefix(world.emulator.api_url().as_str()).unwrap();
        let page = client.get(below).await;
        let next = page.header("link").split(", ").find(|link| link.contains("rel=\"next\""));
        url = next.map_or(String::new(), |link| link[1..link.find('>').unwrap()].to_owned());
        let comments = page.expect(200);
        seen.extend(comments.as_array().unwrap().iter().map(|one| one["body"].clone()));
    }
    assert_eq!((json!(seen), url.as_str()), (json!(["0", "1", "2", "3", "4"]), ""));
}

#[tokio::test]
async fn checks_reviews_and_a_moved_branch_are_told_to_the_app() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    mona.pushes(REPO, "work", "One", &[("a", Some("1\n"))]).unwrap();
    let pull = mona.opens_pull(REPO, "Fix", "", "work", "main").unwrap();
    let mailbox = Mailbox::of(&world).await;
    let sha = mona.pushes(REPO, "work", "Two", &[("a", Some("2\n"))]).unwrap();
    let other = world.emulator.create_app(spec("tests")).unwrap();
    world.emulator.install(other.app_id, &[REPO]).unwrap();
    let tests = world.emulator.person("tests[bot]");
    tests.check_run(REPO, &sha, "unit", CheckOutcome::InProgress).unwrap();
    tests.check_run(REPO, &sha, "unit", CheckOutcome::Completed("failure")).unwrap();
    let hubot = world.emulator.person("hubot");
    hubot.reviews(REPO, pull, Verdict::RequestsChanges, "no").unwrap();
    world.emulator.deliver_all().await;
    assert_eq!(
        mailbox.events(),
        [
            "push",
            "check_suite requested",
            "pull_request synchronize",
            "check_run created",
            "check_run completed",
            "check_suite completed",
            "pull_request_review submitted",
        ]
    );
    let runs =
        client.get(&format!("/repos/acme/widgets/commits/{sha}/check-runs")).await.expect(200);
    assert_eq!(
        (&runs["total_count"], &runs["check_runs"][0]["conclusion"]),
        (&json!(1), &json!("failure"))
    );
    let id = &runs["check_runs"][0]["id"];
    let path = format!("/repos/acme/widgets/check-runs/{id}");
    client.patch(&path, json!({ "conclusion": "success" })).await.expect(403);
    let reviews =
        client.get(&format!("/repos/acme/widgets/pulls/{pull}/reviews")).await.expect(200);
    assert_eq!(
        (&reviews[0]["state"], &reviews[0]["commit_id"]),
        (&json!("CHANGES_REQUESTED"), &json!(sha))
    );
}

#[tokio::test]
async fn required_checks_are_told_by_protection_or_ruleset() {
    let world = World::new().await;
    let client = world.client().await;
    let asks = |by| world.emulator.require_checks(REPO, "main", &["unit"], by).unwrap();
    let branch = "/repos/acme/widgets/branches/main";
    let rules = "/repos/acme/widgets/rules/branches/main";
    assert_eq!(client.get(branch).await.expect(200)["protected"], false);
    asks(Requirement::Protection);
    let told = client.get(branch).await.expect(200);
    assert_eq!(told["protection"]["required_status_checks"]["contexts"], json!(["unit"]));
    assert_eq!(client.get(rules).await.expect(200), json!([]));
    let mona = world.emulator.person("mona");
    let sha = mona.pushes(REPO, "work", "One", &[("a", Some("1\n"))]).unwrap();
    let pull = mona.opens_pull(REPO, "Fix", "", "work", "main").unwrap();
    let merge = format!("/repos/acme/widgets/pulls/{pull}/merge");
    let words = client.put(&merge, json!({})).await.expect(405);
    assert_eq!(words["message"], "Required status check \"unit\" is expected.");
    let main = "/repos/acme/widgets/git/refs/heads/main";
    client.patch(main, json!({ "sha": sha })).await.expect(422);
    mona.reports_status(REPO, &sha, "unit", "success").unwrap();
    client.put(&merge, json!({ "sha": "0".repeat(40) })).await.expect(409);
    client.put(&merge, json!({ "sha": sha })).await.expect(200);

    asks(Requirement::Ruleset);
    let told = client.get(rules).await.expect(200);
    let checks = &told[0]["parameters"]["required_status_checks"];
    assert_eq!(checks[0]["context"], "unit");
}

#[tokio::test]
async fn a_fork_opens_a_pull_request() {
    let world = World::new().await;
    world.emulator.fork(REPO, "hubot").unwrap();
    let hubot = world.emulator.person("hubot");
    let sha = hubot.pushes("hubot/widgets", "fix", "Fix", &[("a", Some("1\n"))]).unwrap();
    let pull = hubot.opens_pull(REPO, "Fix", "", "hubot:fix", "main").unwrap();
    let client = world.client().await;
    let path = format!("/repos/acme/widgets/pulls/{pull}");
    let seen = client.get(&path).await.expect(200);
    assert_eq!(seen["head"]["repo"]["full_name"], "hubot/widgets");
    assert_eq!((&seen["head"]["sha"], &seen["commits"]), (&json!(sha), &json!(1)));
    client.get("/repos/hubot/widgets").await.expect(404);
    hubot.pushes("hubot/widgets", "fix", "More", &[("a", Some("2\n"))]).unwrap();
    assert_eq!(client.get(&path).await.expect(200)["commits"], 2);
}

#[tokio::test]
async fn the_record_hides_credentials() {
    let world = World::new().await;
    let client = world.client().await;
    client.get("/repos/acme/widgets").await.expect(200);
    let exchanges = world.emulator.exchanges();
    let shown = |at: usize| {
        let headers: &Vec<(String, String)> = &exchanges[at].request_headers;
        headers.iter().find(|(name, _)| name == "authorization").unwrap().1.clone()
    };
    assert_eq!((shown(0), shown(1)), ("app-jwt".to_owned(), "installation-token #1".to_owned()));
    assert!(!format!("{:?}", exchanges[1]).contains(client.secret()));
    assert_eq!(world.emulator.issued_tokens(), [client.secret()]);
    client.delete("/installation/token").await.expect(204);
    client.get("/repos/acme/widgets").await.expect(401);
    let exchanges = world.emulator.exchanges();
    let last = |at: usize| exchanges[at].request_headers.last().unwrap().1.as_str();
    assert_eq!((last(2), last(3)), ("installation-token #1", "refused"));
}

#[tokio::test]
async fn a_deleted_account_leaves_a_ghost() {
    let world = World::new().await;
    let mona = world.emulator.person("mona");
    mona.opens_issue(REPO, "broken", "", &[]).unwrap();
    world.emulator.author_vanishes(REPO, 1).unwrap();
    let issue = world.client().await.get("/repos/acme/widgets/issues/1").await.expect(200);
    assert_eq!(issue["user"], Value::Null);
    assert_eq!(world.emulator.issue(REPO, 1).unwrap().author, "ghost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_header_that_comes_twice_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let once = [("x-github-api-version", "2022-11-28")];
    let twice = [once[0], once[0]];
    let path = format!("/repos/{REPO}");
    assert_eq!(client.get_with(&path, &once).await.status, 200);
    assert_eq!(client.get_with(&path, &twice).await.status, 400);
}
