//! How many signed 14 kB comments a second the real server makes durable, and what it weighs.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use gander::clock::Clock;

use super::load::{CONNECTIONS, Webhook};
use super::machine::{memory, processor_time};
use super::sample::Sample;
use super::served::{Box, README, Served, WEBHOOK_PATH};
use super::table::{Table, Wanted};

const ROUNDS: usize = 7;
const EACH: usize = 8000;

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let github = Box::start(&home.join("webhook-github"), README, Clock::system()).await;
        ordinary(home, &github, table).await;
        commands(home, &github, table).await;
    });
}

/// Recorded and nothing else: most of what GitHub sends.
async fn ordinary(home: &Path, github: &Box, table: &mut Table) {
    let (served, _) = Served::start(&home.join("webhook-ordinary"), github).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = memory(served.process(), "VmRSS").unwrap_or(f64::NAN);
    let before = processor_time(served.process());
    let rounds = rounds("Thank you!", &served).await;
    let used = processor_time(served.process()) - before;
    shown("webhook, ordinary comment", &rounds, Wanted::AtMost(2.0), table);
    table.value(
        "webhook, processor time of the server",
        "µs",
        used.as_secs_f64() * 1e6 / (ROUNDS * EACH + EACH / 4) as f64,
        Wanted::Nothing,
    );
    let loaded = memory(served.process(), "VmHWM").unwrap_or(f64::NAN);
    table.value("memory of the server, idle", "MB", idle, Wanted::AtMost(15.0));
    table.value("memory of the server, peak under load", "MB", loaded, Wanted::AtMost(30.0));
}

/// Recorded and queued. Nobody works on them here, so that the webhook alone is measured: the
/// worker begins when GitHub has said who the App is, and this one never does.
async fn commands(home: &Path, github: &Box, table: &mut Table) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}/api/v3", silent.local_addr().unwrap()).parse().unwrap();
    let (served, _) = Served::start_before(&home.join("webhook-commands"), github, &api).await;
    let rounds = rounds("/gander fix", &served).await;
    shown("webhook, `/gander fix`", &rounds, Wanted::AtMost(2.0), table);
    let loaded = memory(served.process(), "VmHWM").unwrap_or(f64::NAN);
    table.value("memory, peak while commands are queued", "MB", loaded, Wanted::AtMost(30.0));
}

async fn rounds(comment: &str, served: &Served) -> Vec<(f64, Sample)> {
    let mut webhook = Webhook::new(comment, WEBHOOK_PATH);
    // The first requests find caches cold and threads asleep: not counted.
    webhook.fire(served.address, EACH / 4).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let round = webhook.fire(served.address, EACH).await;
        rounds.push((round.rate, round.waits));
    }
    rounds
}

/// Rows for the rate and the waits of some rounds.
pub(crate) fn shown(what: &str, rounds: &[(f64, Sample)], late: Wanted, table: &mut Table) {
    let of = |part: f64| Sample::of(rounds.iter().map(|(_, waits)| waits.at(part)));
    let rates = Sample::of(rounds.iter().map(|(rate, _)| *rate));
    let what = format!("{what}, {CONNECTIONS} connections");
    table.sample(&what, "/s", &rates, Wanted::Nothing);
    table.sample("  p50", "ms", &of(0.5), Wanted::Nothing);
    table.sample("  p99", "ms", &of(0.99), late);
}
