//! Several machines on one database, of which now and then one dies, and so does the server.
//!
//! The time of the queue goes a hundred times as fast here, so that a lease is over in 200 ms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gander::clock::Clock;
use gander::store::{Commit, LedgerEntry, Postgres, Store, StoreError};
use tokio::task::JoinHandle;

use super::{JobStep, LogLine, Payer, RepoId, Timestamp, accounts, at, cents, job_id, step_of};
use crate::postgres_server::Server;

const JOBS: u64 = 40;
const STEPS: u32 = 8;
const MACHINES: usize = 5;

/// Each step of a job costs a cent, writes a line, and is followed by the next. Whoever dies and when:
/// at the end every job has cost so many cents and has its lines in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_each_task_is_done_once_and_none_is_lost() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let address: Arc<str> = server.schema().await.into();
    let begun = Instant::now();
    let store = Postgres::open(&address, &Clock::system()).await.unwrap();
    for job in 0..JOBS {
        store.enqueue(&step(job, 1), at(0)).await.unwrap();
    }
    let mut chance = fastrand::Rng::with_seed(17);
    let begin = |seed| tokio::spawn(machine(Arc::clone(&address), begun, seed));
    let mut machines: Vec<JoinHandle<()>> = (0..MACHINES as u64).map(begin).collect();
    let mut server = server;
    let (mut deaths, mut falls) = (0, 0);
    // A server that was killed is asked again by whoever looks, too.
    while !matches!(store.queue_length().await, Ok(0)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "after {deaths} deaths, {falls} falls");
        tokio::time::sleep(Duration::from_millis(chance.u64(20..80))).await;
        if deaths % 6 == 5 && falls < 3 {
            falls += 1;
            server = tokio::task::spawn_blocking(move || {
                server.kill();
                server.start_again();
                server
            })
            .await
            .unwrap();
        }
        deaths += 1;
        let n = chance.usize(0..MACHINES);
        machines[n].abort();
        machines[n] = begin(100 + deaths);
    }
    assert!(deaths >= 10 && falls == 3, "{deaths} deaths and {falls} falls show little");
    for job in 0..JOBS {
        let spent = store.spent(Payer::Repository, &accounts(job, 0, 0), at(0)).await.unwrap();
        assert_eq!(spent, cents(i64::from(STEPS)), "job {job}");
        let lines: Vec<LogLine> = store.log(&job_id(job)).await.unwrap();
        let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let expected: Vec<String> = (1..=STEPS).map(|n| format!("step {n}")).collect();
        assert_eq!(lines, expected, "job {job}");
    }
    machines.iter().for_each(JoinHandle::abort);
    println!("{deaths} deaths of machines and {falls} of the server, {:?}", begun.elapsed());
}

fn step(job: u64, n: u32) -> gander::core::task::Task {
    step_of(job, JobStep::Fix { round: 1, attempt: n })
}

/// Works until it is killed: connections and all.
async fn machine(address: Arc<str>, begun: Instant, seed: u64) {
    let now = || Timestamp(at(0).0 + i64::try_from(begun.elapsed().as_millis()).unwrap() * 100);
    let mut chance = fastrand::Rng::with_seed(seed);
    let pause = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));
    let store = loop {
        match Postgres::open(&address, &Clock::system()).await {
            Ok(store) => break store,
            Err(_) => pause(30).await,
        }
    };
    loop {
        let Ok(Some(claim)) = store.claim(now()).await else {
            pause(5).await;
            continue;
        };
        let (job, n) = match &claim.task {
            gander::core::task::Task::Step { job_id: job, step: JobStep::Fix { attempt, .. } } => {
                ((0..JOBS).find(|n| job_id(*n) == *job).unwrap(), *attempt)
            }
            other => panic!("{other:?}"),
        };
        // One in fifteen takes longer than its lease, and has lost it by then.
        pause(if chance.u8(0..15) == 0 { 300 } else { chance.u64(0..12) }).await;
        let commit = Commit {
            ledger: vec![LedgerEntry {
                job_id: job_id(job),
                accounts: accounts(RepoId(job).0, 0, 0),
                micros: cents(1).micros(),
                what: format!("step {n}"),
            }],
            tasks: (n < STEPS).then(|| step(job, n + 1)).into_iter().collect(),
            log: Some(format!("step {n}")),
            ..Commit::default()
        };
        match store.commit(&claim.lease, &commit, now()).await {
            Ok(()) | Err(StoreError::LeaseLost | StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}
