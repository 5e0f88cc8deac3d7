//! One job must not stop the server: whatever its tools are given, others are answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gander::app::App;
use gander::core::id::{Number, RepoId};
use gander::core::job::{JobEnding, JobStage};
use gander::model::ScriptedTurn;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::wire::{guid, signature};
use crate::world::{World, finish, off_by_one, owned, read, run, verify};

/// What everybody may expect of us.
const ANSWERED: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);
/// A machine on which our own echo takes this long measures itself and not us.
const LOADED: Duration = Duration::from_millis(200);

/// The worst that each tool can be given.
fn worst_inputs() -> Vec<(&'static str, Vec<ScriptedTurn>)> {
    let edit = |action: &str, old: &str, new: &str| {
        ScriptedTurn::call(
            "edit",
            json!({"path": "big.txt", "action": action, "old": old, "new": new}),
        )
    };
    let search = |pattern: &str| {
        ScriptedTurn::call("search", json!({"pattern": pattern, "ignore_case": true}))
    };
    let almost = |indentation: &str| format!("{indentation}same\n").repeat(2000) + "other\n";
    let deep = "import os\nfor n in range(15000):\n os.mkdir('d'); os.chdir('d')\n\
                os.mkdir('closed', 0)";
    vec![
        (
            "edit",
            ["    ", "  ", "\t", ""].map(|white| edit("replace", &almost(white), "x\ny\n")).into(),
        ),
        ("edit everywhere", vec![edit("replace_all", "s", &"y".repeat(100_000))]),
        ("search", vec![search("(?-u:[a-z ]{0,30}){150}[a-z]"), search(r"((a?){200}){40}\z")]),
        ("read", vec![read("big.txt"), read(&"n".repeat(200)), read(&"d/".repeat(1000))]),
        // Nothing of it can be handed in, and all of it has to be removed.
        ("run, verify, removal", vec![run(&format!("python3 -c \"{deep}\"")), verify()]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_deliveries_are_answered_while_each_tool_has_its_worst_input() {
    let mut files = owned(off_by_one());
    files.push(("big.txt".into(), "    same\n".repeat(4000).into_bytes()));
    // File names beside which something is missing.
    files.extend((0..500).map(|n| (format!("{}{n}", "m".repeat(200)), Vec::new())));
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[agent]\nattempts = 1\n";
    files.push((".github/gander.toml".into(), rules.into()));
    let mut w = World::with_files(files).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    w.webhook_url.set_port(Some(address.port())).unwrap();
    w.emulator.set_webhook_url(w.app.app_id, w.webhook_url.clone());
    w.emulator.auto_deliver();
    let shutdown = CancellationToken::new();
    let app = App { intake: w.intake.clone(), worker: w.worker.clone() };
    let running = tokio::spawn(app.run(listener, shutdown.clone()));

    let over = Arc::new(AtomicBool::new(false));
    let (until, secret) = (Arc::clone(&over), w.app.webhook_secret.clone());
    let asking = std::thread::spawn(move || ask_until(&until, address, &secret));
    let mut ended = 0;
    for (what, mut turns) in worst_inputs() {
        turns.push(finish("tried"));
        w.model.will(turns);
        let issue = w.reported();
        w.maintainer().comments(crate::world::REPO, issue, "/gander fix").unwrap();
        let begun = Instant::now();
        while !w.comments(issue).iter().any(|words| words.contains("**Gave up**")) {
            if asking.is_finished() || begun.elapsed() > Duration::from_secs(200) {
                over.store(true, Ordering::SeqCst);
                asking.join().unwrap();
                panic!("{what} does not end: {:?} {:?}", w.comments(issue), w.model.heard().last());
            }
            tokio::time::sleep(TICK).await;
            // What was put off has to become due.
            w.now.fetch_add(50, Ordering::SeqCst);
        }
        println!("{what}: {:?}", begun.elapsed());
        ended += 1;
    }
    over.store(true, Ordering::SeqCst);
    let asked = asking.join().unwrap();
    assert!(ended == 5 && asked > 20, "asked {asked} times");
    shutdown.cancel();
    let _ = running.await.unwrap();
    let left = std::fs::read_dir(w.data().join("scratch")).unwrap().count();
    assert_eq!(left, 0, "trees are left");
}

/// More jobs than the worker has loops, and one slot, which the first of them holds for a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_carried_out_at_once_however_many_jobs_wait_for_their_turn() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(vec![run("sleep 60"), finish("slept")]);
    w.emulator.auto_deliver();
    let shutdown = CancellationToken::new();
    let (worker, until) = (w.worker.clone(), shutdown.clone());
    let running = tokio::spawn(async move { worker.run(until).await });
    let issues: Vec<u64> = (0..20).map(|_| w.reported()).collect();
    for issue in &issues {
        w.maintainer().comments(crate::world::REPO, *issue, "/gander fix").unwrap();
    }
    let repo = w.emulator.deliveries()[0].payload["repository"]["id"].as_u64().unwrap();
    let stage = async |issue: u64| {
        let jobs = w.store.jobs_on(RepoId(repo), Number(issue)).await.unwrap();
        jobs.first().map(|stored| stored.machine.stage.clone())
    };
    // Which of them has the one slot is chance, and how far the others came before that: one that
    // waits for it is cancelled, or, where all of them came as far, perhaps the one that has it.
    let begun = Instant::now();
    let waits = loop {
        let (mut preparing, mut fixing) = (None, Vec::new());
        for issue in issues.iter().rev() {
            match stage(*issue).await {
                Some(JobStage::Preparing) => preparing = preparing.or(Some(*issue)),
                Some(JobStage::Fixing { .. }) => fixing.push(*issue),
                _ => {}
            }
        }
        let waiting = preparing.or(fixing.first().filter(|_| fixing.len() > 1).copied());
        match waiting.filter(|_| !w.model.heard().is_empty()) {
            Some(issue) => break issue,
            None => assert!(begun.elapsed() < Duration::from_secs(120), "no job waits"),
        }
        tokio::time::sleep(TICK).await;
        w.now.fetch_add(50, Ordering::SeqCst);
    };

    w.maintainer().comments(crate::world::REPO, waits, "/gander cancel").unwrap();
    let begun = Instant::now();
    while !matches!(stage(waits).await, Some(JobStage::Done(JobEnding::Cancelled { .. }))) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", stage(waits).await);
        tokio::time::sleep(TICK).await;
        w.now.fetch_add(50, Ordering::SeqCst);
    }
    shutdown.cancel();
    running.await.unwrap();
}

/// Asks for the health and delivers, again and again, each within its time; how often.
fn ask_until(over: &AtomicBool, server: SocketAddr, secret: &str) -> u32 {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = echo.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in echo.incoming().flatten() {
            answer(stream);
        }
    });
    let mut asked = 0;
    while !over.load(Ordering::SeqCst) {
        let health = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned();
        asked += 1;
        // Nobody's command: recorded, and nothing follows.
        let body = format!(r#"{{"zen": "{asked}", "hook_id": 7}}"#);
        let delivery = format!(
            "POST /github/webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\nX-GitHub-Delivery: {}\r\n\
             X-GitHub-Hook-ID: 7\r\nX-GitHub-Event: ping\r\nX-Hub-Signature-256: {}\r\n\r\n{body}",
            body.len(),
            guid(900_000 + asked),
            signature(secret, body.as_bytes()),
        );
        for (what, request, status) in [("health", health, "200"), ("delivery", delivery, "202")] {
            let (said, took) = asked_of(server, &request);
            let (_, echo) = asked_of(ours, &request);
            assert!(
                said.starts_with(&format!("HTTP/1.1 {status}")),
                "{what}: {said:?} in {took:?}"
            );
            assert!(took < ANSWERED || echo > LOADED, "{what} took {took:?}, an echo {echo:?}");
        }
        std::thread::park_timeout(TICK);
    }
    asked
}

fn asked_of(server: SocketAddr, request: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    let _ = stream.read_to_string(&mut said);
    (said, begun.elapsed())
}

/// As much work as the server has at least: a file is written and synced.
fn answer(mut stream: TcpStream) {
    let mut file = tempfile::tempfile().unwrap();
    let read = stream.read(&mut [0; 4096]).unwrap_or(0);
    file.write_all(&vec![0; read]).unwrap();
    file.sync_all().unwrap();
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
}
