//! `gander serve --pull`: GitHub's own log of deliveries is read, and no port is open.

#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;

use gander::worker::{Pulled, Reach};
use gander_emulator::{AppSpec, Emulator, Fault, Options, RepositorySpec};

use crate::program::{Served, gander};
use crate::world::{REPO, World, app_spec, good_fix, off_by_one};

/// A world whose webhooks reach nobody.
async fn world_without_a_port() -> World {
    let w = World::with_project(off_by_one()).await;
    nobody_hears(&w.emulator, w.app.app_id);
    w.model.will(good_fix());
    w.settle().await;
    read_all(&w, Reach::Whole).await;
    w
}

fn nobody_hears(emulator: &Emulator, app: u64) {
    emulator.set_webhook_url(app, "http://127.0.0.1:9/github/webhook".parse().unwrap());
}

/// Reads the log and works, until there is nothing new in it.
async fn read_all(w: &World, mut reach: Reach) -> Vec<Pulled> {
    let mut rounds = Vec::new();
    loop {
        w.settle().await;
        let pulled = w.worker.pull_once(reach).await.unwrap();
        reach = pulled.next;
        rounds.push(pulled);
        if pulled.new == 0 {
            return rounds;
        }
    }
}

/// How often each delivery was fetched.
fn fetched(emulator: &Emulator) -> Vec<String> {
    let one = |path: &str| {
        let id = path.strip_prefix("/app/hook/deliveries/")?;
        Some(id.to_owned())
    };
    emulator.exchanges().iter().filter_map(|it| one(&it.path)).collect()
}

#[tokio::test]
async fn an_issue_becomes_a_merged_pull_request_though_no_webhook_arrives() {
    let w = world_without_a_port().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    read_all(&w, Reach::New).await;
    assert!(w.emulator.deliveries().iter().all(|it| it.status == Some(502)), "somebody listened");
    assert_eq!(w.only_pull().state, "open", "{}", w.timeline());
    w.approved().await;
    read_all(&w, Reach::New).await;
    assert!(w.only_pull().merged, "{}", w.timeline());

    // However often the log is read, also from its beginning, nothing is done twice.
    let comments = w.comments(issue).len();
    let before = fetched(&w.emulator).len();
    for _ in 0..3 {
        assert_eq!(read_all(&w, Reach::Whole).await.len(), 1);
    }
    assert_eq!((w.emulator.pulls(REPO).len(), w.comments(issue).len()), (1, comments));
    let fetched = fetched(&w.emulator);
    let each: BTreeSet<&String> = fetched.iter().collect();
    assert_eq!((fetched.len(), each.len()), (before, before), "each is fetched once");
}

#[tokio::test]
async fn what_came_while_gander_was_stopped_is_read_in_rounds_and_in_order() {
    let w = world_without_a_port().await;
    // Nobody reads meanwhile; more than two pages of it, and the command first.
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    for number in 0..230 {
        w.stranger().comments(REPO, issue, &format!("me too {number}")).unwrap();
    }
    w.emulator.deliver_all().await;
    let first = w.worker.pull_once(Reach::Whole).await.unwrap();
    assert!(first.new == 100 && first.more && first.next == Reach::Whole, "{first:?}");
    w.settle().await;
    assert_eq!(w.only_pull().state, "open", "the oldest comes first: {}", w.timeline());
    let rest = read_all(&w, first.next).await;
    let new: usize = rest.iter().map(|pulled| pulled.new).sum();
    assert!(new >= 132 && rest.iter().all(|pulled| pulled.gone == 0), "{rest:?}");
    assert_eq!(w.emulator.pulls(REPO).len(), 1);
}

#[tokio::test]
async fn what_could_not_be_fetched_is_fetched_though_newer_ones_are_known() {
    let w = world_without_a_port().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.stranger().comments(REPO, issue, "me too").unwrap();
    w.emulator.deliver_all().await;
    // The issue comes, the command does not, what is newer does.
    let struck = w.emulator.plan(Fault::on("GET", "/app/hook/deliveries/*").nth(2).answers(500));
    let first = w.worker.pull_once(Reach::New).await.unwrap();
    assert_eq!(w.emulator.fault_hits(struck), 1);
    assert!(first.new >= 2 && first.next == Reach::Whole, "{first:?}");
    read_all(&w, first.next).await;
    assert_eq!(w.only_pull().state, "open", "{}", w.timeline());
}

#[tokio::test]
async fn what_github_has_no_more_is_told_and_open_pull_requests_are_looked_at_anyway() {
    let w = world_without_a_port().await;
    w.worker.begin_sweeps().await.unwrap();
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    read_all(&w, Reach::New).await;
    w.approved().await;
    // GitHub lists the approval, but its body is gone.
    let gone = w.emulator.plan(Fault::on("GET", "/app/hook/deliveries/*").times(50).answers(404));
    let pulled = w.worker.pull_once(Reach::New).await.unwrap();
    assert!(pulled.gone > 0 && pulled.new == 0, "{pulled:?}");
    assert!(w.emulator.fault_hits(gone) > 0 && !w.only_pull().merged);
    w.minutes_pass(6);
    w.settle().await;
    assert!(w.only_pull().merged, "the sweep found it: {}", w.timeline());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_listens_nowhere_and_goes_on_where_it_was_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("github");
    std::fs::create_dir(&root).unwrap();
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    };
    let emulator = Emulator::start(Options { root, clock: Arc::new(now) }).await.unwrap();
    emulator.create_repository(RepositorySpec::new("acme", "stats", &off_by_one())).unwrap();
    let app = emulator.create_app(AppSpec { slug: "gander".into(), ..app_spec() }).unwrap();
    nobody_hears(&emulator, app.app_id);
    emulator.install(app.app_id, &["acme/stats"]).unwrap();
    let script = folder.path().join("script.json");
    std::fs::write(&script, r#"{"attempts": []}"#).unwrap();
    // Who would listen there could not start.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = || {
        let mut command = gander();
        command
            .args(["serve", "--pull"])
            .env("GANDER_LISTEN", taken.local_addr().unwrap().to_string())
            .env("GANDER_DATA", folder.path().join("data"))
            .env("GANDER_APP_ID", app.app_id.to_string())
            .env("GANDER_PRIVATE_KEY", &app.private_key_pem)
            .env("GANDER_WEBHOOK_SECRET", &app.webhook_secret)
            .env("GANDER_API_URL", emulator.api_url().as_str())
            .env("GANDER_WEB_URL", emulator.web_url().as_str())
            .env("GANDER_ALLOW_PRIVATE_ADDRESSES", "true")
            .env("GANDER_MODEL_SCRIPT", &script)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    };
    let owner = emulator.person("acme");
    let mut former = BTreeSet::new();
    for start in 0..2 {
        owner.opens_issue("acme/stats", &format!("Number {start}"), "It is wrong", &[]).unwrap();
        let sent = emulator.deliver_all().await;
        assert!(!sent.is_empty() && sent.iter().all(|it| it.status == Some(502)), "{sent:?}");
        let before = fetched(&emulator).len();
        let mut served = Served::starting(serve(), "no port is open");
        served.until("GitHub knows this App");
        let now = || fetched(&emulator).split_off(before).into_iter().collect::<BTreeSet<_>>();
        let expected: BTreeSet<String> = sent.iter().map(|it| it.id.to_string()).collect();
        while !expected.is_subset(&now()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let (code, log) = served.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(now().is_disjoint(&former), "what was read before the stop is not read again");
        former.extend(now());
    }
}
