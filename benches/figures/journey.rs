//! From the delivery of `/gander fix` to the open pull request.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use gander::app::{App, Wiring, egress_to, sandbox};
use gander::clock::Clock;
use gander::core::budget::Money;
use gander::core::command::Address;
use gander::core::id::{Number, Timestamp};
use gander::core::leak::KnownSecrets;
use gander::egress::PrivateAddresses;
use gander::forge::{AppKey, Forge, ForgeConfig, Pace};
use gander::model::{Model, Scripted};
use gander::server::WebhookSecrets;
use gander::store::{Sqlite, Store};
use gander::worker::WorkerSettings;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::agent::{PROJECT, five_turns};
use super::load::SECRET;
use super::sample::Sample;
use super::served::{Box, REPO};
use super::table::{Table, Wanted};

const WORLDS: usize = 12;

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let (mut requests, mut steps) = (0, Vec::new());
    for n in 0..WORLDS {
        let home = home.join(format!("journey-{n}"));
        let (one, two, sent, seen) = runtime.block_on(world(&home));
        first.push(one);
        second.push(two);
        (requests, steps) = (sent, seen);
        std::fs::remove_dir_all(home).unwrap();
    }
    let first = Sample::of_times(first);
    table.sample("delivery → open PR, first job", "ms", &first, Wanted::AtMost(350.0));
    let second = Sample::of_times(second);
    table.sample("delivery → open PR, known repository", "ms", &second, Wanted::AtMost(350.0));
    table.value("  requests to GitHub until then", "", f64::from(requests), Wanted::Nothing);
    // `cargo bench -- journey steps`
    if std::env::args().any(|word| word == "steps") {
        println!("{}", steps.join("\n"));
    }
}

/// A fresh GitHub and Gander: a first job, then a second one.
async fn world(home: &Path) -> (Duration, Duration, u32, Vec<String>) {
    // Gander paces itself to what GitHub allows; the second job comes when that is forgotten.
    let later = Arc::new(AtomicI64::new(0));
    let shown = Arc::clone(&later);
    let system = Clock::system();
    let clock = Clock::from_fn(move || Timestamp(system.now().0 + shown.load(Ordering::SeqCst)));
    let script: Arc<dyn Model> = Arc::new(Scripted::from_turns(five_turns()));
    let Whole { github, store, shutdown, running } =
        Whole::start(home, clock, script, (2, 2), Pace::GITHUB).await;
    let emulator = &github.emulator;
    let first = job(&github, 1).await;
    let sent = u32::try_from(emulator.exchanges().len()).unwrap();
    let mut steps: Vec<String> =
        emulator.exchanges().iter().map(|sent| format!("{} {}", sent.method, sent.path)).collect();
    let jobs = store.jobs_on(github.repo, Number(1)).await.unwrap();
    let log = store.log(&jobs[0].machine.id).await.unwrap();
    steps.extend(log.iter().map(|line| format!("{} ms {}", line.at.0 - log[0].at.0, line.text)));
    later.store(120_000, Ordering::SeqCst);
    let second = job(&github, 2).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    (first, second, sent, steps)
}

/// A GitHub and a Gander that serve and work.
pub(crate) struct Whole {
    pub(crate) github: Box,
    pub(crate) store: Arc<Sqlite>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<Result<(), JoinError>>,
}

impl Whole {
    /// With so many slots, and steps under way.
    pub(crate) async fn start(
        home: &Path,
        clock: Clock,
        model: Arc<dyn Model>,
        (workers, models): (usize, usize),
        pace: Pace,
    ) -> Self {
        let github = Box::start(&home.join("github"), PROJECT, clock.clone()).await;
        let emulator = &github.emulator;
        let (api, web) = (emulator.api_url(), emulator.web_url());
        let egress =
            egress_to([api.clone(), web.clone()], PrivateAddresses::AllowLoopback).unwrap();
        let key = AppKey::from_pem(github.app.private_key_pem.as_bytes()).unwrap();
        let known = KnownSecrets::new([
            ("the App's private key", github.app.private_key_pem.as_str()),
            ("the webhook secret", SECRET),
        ]);
        let config = ForgeConfig {
            api,
            web,
            app_id: github.app.app_id,
            key,
            pace,
            known_secrets: Arc::new(known.unwrap()),
        };
        let data = home.join("data");
        let store = Arc::new(Sqlite::open(&data.join("gander.db")).await.unwrap());
        let wiring = Wiring {
            store: Arc::clone(&store) as Arc<dyn Store>,
            forge: Forge::new(config, egress, clock.clone()),
            sandbox: Arc::new(sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"))),
            models: vec![model],
            secrets: WebhookSecrets::new(SECRET.into(), None).unwrap(),
            proxies: Vec::new(),
            clock,
            slack: None,
            registries: None,
            settings: WorkerSettings {
                retention: gander::core::retention::Retention::default(),
                settle: Duration::ZERO,
                address: Address::default(),
                data,
                most_per_job: Money::from_micros(10_000_000),
                installation_day: Money::from_micros(10_000_000_000),
                workers,
                models,
                model_pause: Duration::ZERO,
            },
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/github/webhook", listener.local_addr().unwrap());
        emulator.set_webhook_url(github.app.app_id, url.parse().unwrap());
        emulator.auto_deliver();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(App::new(wiring).run(listener, shutdown.clone()));
        Self { github, store, shutdown, running }
    }
}

/// One job, from the comment to the pull request; then until all is said.
async fn job(github: &Box, pulls: usize) -> Duration {
    let (emulator, mona) = (&github.emulator, github.emulator.person("mona"));
    let issue = mona.opens_issue(REPO, "The count is one too low", "3 gives 2.", &[]).unwrap();
    until(|| emulator.waiting_deliveries() == 0).await;
    let started = Instant::now();
    mona.comments(REPO, issue, "/gander fix").unwrap();
    until(|| emulator.pulls(REPO).len() == pulls).await;
    let took = started.elapsed();
    until(|| {
        let said = emulator.issue(REPO, issue).unwrap().comments;
        said.iter().any(|comment| comment.body.starts_with("@mona"))
    })
    .await;
    until(|| emulator.waiting_deliveries() == 0).await;
    took
}

pub(crate) async fn until(come: impl Fn() -> bool) {
    let asked = Instant::now();
    while !come() {
        assert!(asked.elapsed() < Duration::from_secs(300), "it did not come to pass");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
