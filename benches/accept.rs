//! How many deliveries a second the store makes durable, with sixteen callers at once; and what
//! a claim costs beside a short and beside a long queue.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use gander::core::delivery::{Account, Comment, Content, Delivery, Id, Issue, Payload, Repository};
use gander::core::id::{HookId, Timestamp};
use gander::store::{Commit, Sqlite, Store};

const CALLERS: u64 = 16;
const ROUNDS: u64 = 7;
const EACH: u64 = 1500;
const NOW: Timestamp = Timestamp(1_700_000_000_000);

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(0);
    let directory = tempfile::tempdir_in(".").unwrap();
    let store = Arc::new(Sqlite::open(&directory.path().join("bench.db")).await.unwrap());
    println!("fsync of 16 kB, bare: median {}", shown(bare_fsync(directory.path())));

    let mut next = 0;
    if rows > 0 {
        accept(&store, 256, &mut next, rows / 256).await;
        println!("{rows} rows are there already");
    }
    let mut rates = Vec::new();
    let mut waits = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        waits.extend(accept(&store, CALLERS, &mut next, EACH).await);
        rates.push((CALLERS * EACH) as f64 / started.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    waits.sort();
    println!(
        "accept, {CALLERS} callers: median {:.0}/s ({:.0} to {:.0}), p50 {}, p99 {}",
        rates[rates.len() / 2],
        rates[0],
        rates[rates.len() - 1],
        shown(waits[waits.len() / 2]),
        shown(waits[waits.len() * 99 / 100]),
    );

    let waiting = store.queue_length().await.unwrap();
    let mut claims = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let claim = store.claim(NOW).await.unwrap().unwrap();
        claims.push(started.elapsed());
        store.commit(&claim.lease, &Commit::default(), NOW).await.unwrap();
    }
    claims.sort();
    println!("claim among {waiting} waiting: median {}", shown(claims[claims.len() / 2]));
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status
            .lines()
            .filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM"))
            .for_each(|line| println!("{line}"));
    }
    store.close().await.unwrap();
}

async fn accept(store: &Arc<Sqlite>, callers: u64, next: &mut u64, each: u64) -> Vec<Duration> {
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (store, from) = (Arc::clone(store), *next);
            *next += each;
            tokio::spawn(async move {
                let mut waits = Vec::new();
                for n in from..from + each {
                    let delivery = delivery(n);
                    let started = Instant::now();
                    store.accept(&delivery, true, NOW).await.unwrap();
                    waits.push(started.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    waits
}

/// A comment whose kept part takes about 700 bytes.
fn delivery(n: u64) -> Delivery {
    let scattered = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut body_digest = [0; 32];
    body_digest[..8].copy_from_slice(&scattered.to_be_bytes());
    let account = Account { id: 583_231, login: "octocat".into(), kind: "User".into() };
    let payload = Payload {
        action: Some("created".into()),
        sender: Some(account.clone()),
        installation: Some(Id { id: 3 }),
        repository: Some(Repository { id: 1_296_269, full_name: "acme/widgets".into() }),
        issue: Some(Issue {
            id: 73_464_126,
            title: String::new(),
            body: None,
            number: n,
            state: "open".into(),
            updated_at: Some("2026-01-01T00:00:00Z".into()),
            pull_request: None,
        }),
        comment: Some(Comment { id: n, body: Some("x".repeat(300)), user: Some(account) }),
        ..Payload::default()
    };
    // GitHub's GUIDs carry the time they were made, in steps of 100 ns.
    let time = 1_000 * n;
    let (high, low) = (0xcc78 + (time >> 32), time & 0xffff_ffff);
    Delivery {
        id: format!("{low:08x}-{high:04x}-11e3-81ab-4c9367dc0958").parse().unwrap(),
        hook: HookId(42),
        event: "issue_comment".into(),
        body_digest,
        content: Content::Kept(Box::new(payload)),
    }
}

/// What the disk itself costs just now: the measure of this machine's noise.
fn bare_fsync(directory: &std::path::Path) -> Duration {
    use std::io::Write;
    let mut file = std::fs::File::create(directory.join("bare")).unwrap();
    let mut waits: Vec<Duration> = (0..200)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[1; 16 * 1024]).unwrap();
            file.sync_data().unwrap();
            started.elapsed()
        })
        .collect();
    waits.sort();
    waits[waits.len() / 2]
}

fn shown(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}
