//! Stories with a second process: this test program again, running one ignored test.

#![allow(clippy::disallowed_methods)] // starts itself, and is told by the environment where

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gander::core::id::DeliveryId;

use super::{Opening, at, delivery};

const MEMORY: &str = "STORE_CONTRACT_MEMORY";

/// Where the memory lies, in the process that was started for it; otherwise nothing.
pub(crate) fn memory() -> Option<PathBuf> {
    std::env::var_os(MEMORY).map(PathBuf::from)
}

/// The command that runs `test` of this program on that memory. A file that grows beyond a limit
/// is an error there, not a signal.
pub(crate) fn another_process(test: &str, memory: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("store_contract::{test}"), "--ignored", "--nocapture"])
        .env(MEMORY, memory)
        .stdout(Stdio::piped());
    command
}

/// Starts a process that accepts deliveries, kills it as soon as it has acknowledged `many`, and
/// returns all that it acknowledged.
pub(crate) fn kill_after(many: usize, test: &str, memory: &Path) -> Vec<DeliveryId> {
    let mut child = another_process(test, memory).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    // The pipe holds what was said before death; it ends when the process has.
    for line in lines.map_while(Result::ok) {
        acknowledged.extend(line.parse::<DeliveryId>());
        if acknowledged.len() == many {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success(), "it was killed");
    assert!(acknowledged.len() >= many, "only {}", acknowledged.len());
    acknowledged
}

/// Accepts from eight sides and prints each GUID once it is acknowledged.
pub(crate) async fn accept_until_killed(open: fn(PathBuf) -> Opening) {
    let Some(memory) = memory() else { return };
    let store = open(memory).await;
    let next = Arc::new(AtomicU64::new(u64::from(std::process::id()) << 32));
    let sides = (0..8).map(|_| {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let delivery = delivery(next.fetch_add(1, Ordering::Relaxed));
                store.accept(&delivery, true, at(0)).await.unwrap();
                println!("{}", delivery.id);
            }
        })
    });
    futures_util::future::join_all(sides).await;
}
