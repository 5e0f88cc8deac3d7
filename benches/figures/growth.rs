//! What a delivery and a claim cost when much is stored.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gander::core::delivery::{
    Content, Delivery, Id, Payload, WebhookAccount, WebhookComment, WebhookIssue, WebhookRepository,
};
use gander::core::id::{HookId, Timestamp};
use gander::store::{Commit, Sqlite, Store};

use super::sample::Sample;
use super::table::{Table, Wanted};

const FEW: u64 = 10;
const STORED: u64 = 1_000_000;
const WAITING: u64 = 100_000;
const CALLERS: u64 = 16;
const ROUNDS: usize = 9;
const EACH: u64 = 500;
const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        deliveries(home, table).await;
        claims(home, table).await;
    });
}

/// A store, and the number of its next delivery.
struct Filled {
    store: Arc<Sqlite>,
    next: u64,
}

impl Filled {
    async fn with(path: &Path, rows: u64, kind: Kind) -> Self {
        let store = Arc::new(Sqlite::open(path).await.unwrap());
        let mut filled = Self { store, next: 0 };
        let callers = rows.min(512);
        filled.accept(callers, rows / callers, kind).await;
        filled
    }

    /// Seconds each took on average, many callers at once.
    async fn accept(&mut self, callers: u64, each: u64, kind: Kind) -> f64 {
        let started = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (store, from) = (Arc::clone(&self.store), self.next);
                self.next += each;
                tokio::spawn(async move {
                    for n in from..from + each {
                        let wanted = kind == Kind::Wanted;
                        store.accept(&delivery(n), wanted, NOW).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        started.elapsed().as_secs_f64() / (callers * each) as f64
    }

    async fn claim(&self) -> Duration {
        let started = Instant::now();
        let claim = self.store.claim(NOW).await.unwrap().unwrap();
        let took = started.elapsed();
        self.store.commit(&claim.lease, &Commit::default(), NOW).await.unwrap();
        took
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Recorded,
    Wanted,
}

/// Rounds on both stores take turns, so that the machine's noise meets both.
async fn deliveries(home: &Path, table: &mut Table) {
    let mut few = Filled::with(&home.join("few.db"), FEW, Kind::Recorded).await;
    let mut many = Filled::with(&home.join("many.db"), STORED, Kind::Recorded).await;
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        short.push(few.accept(CALLERS, EACH, Kind::Recorded).await * 1e6);
        long.push(many.accept(CALLERS, EACH, Kind::Recorded).await * 1e6);
    }
    let (short, long) = (Sample::of(short), Sample::of(long));
    table.sample("store a delivery beside 10", "µs", &short, Wanted::Nothing);
    table.sample("store a delivery beside 1,000,000", "µs", &long, Wanted::Nothing);
    table.value("  growth", "×", long.median() / short.median(), Wanted::AtMost(1.5));
    few.store.close().await.unwrap();
    many.store.close().await.unwrap();
}

async fn claims(home: &Path, table: &mut Table) {
    let mut few = Filled::with(&home.join("few-waiting.db"), FEW, Kind::Wanted).await;
    let many = Filled::with(&home.join("many-waiting.db"), WAITING, Kind::Wanted).await;
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        short.push(few.claim().await);
        few.accept(1, 1, Kind::Wanted).await;
        long.push(many.claim().await);
    }
    let (short, long) = (Sample::of_times(short), Sample::of_times(long));
    table.sample("claim among 10", "ms", &short, Wanted::Nothing);
    table.sample("claim among 100,000", "ms", &long, Wanted::Nothing);
    table.value("  growth", "×", long.median() / short.median(), Wanted::AtMost(1.5));
    few.store.close().await.unwrap();
    many.store.close().await.unwrap();
}

/// A comment whose kept part takes about 700 bytes.
fn delivery(n: u64) -> Delivery {
    let scattered = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut body_digest = [0; 32];
    body_digest[..8].copy_from_slice(&scattered.to_be_bytes());
    let account = WebhookAccount { id: 583_231, login: "octocat".into(), kind: "User".into() };
    let payload = Payload {
        action: Some("created".into()),
        sender: Some(account.clone()),
        installation: Some(Id { id: 3 }),
        repository: Some(WebhookRepository { id: 1_296_269, full_name: "acme/widgets".into() }),
        issue: Some(WebhookIssue {
            id: 73_464_126,
            number: n,
            title: "Panic on an empty list".into(),
            body: None,
            state: "open".into(),
            updated_at: Some("2026-01-01T00:00:00Z".into()),
            pull_request: None,
        }),
        comment: Some(WebhookComment { id: n, body: Some("x".repeat(300)), user: Some(account) }),
        ..Payload::default()
    };
    // GitHub's GUIDs carry the time they were made, in steps of 100 ns.
    let time = 1_000 * n;
    let (high, low) = (0xcc78 + (time >> 32), time & 0xffff_ffff);
    Delivery {
        id: format!("{low:08x}-{high:04x}-11e3-81ab-4c9367dc0958").parse().unwrap(),
        hook_id: HookId(42),
        event: "issue_comment".into(),
        body_digest,
        content: Content::Kept(Box::new(payload)),
    }
}
