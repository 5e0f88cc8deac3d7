//! Somebody sets the machine's clock; or Gander does not look after what was missed for too long.

use std::io::{Read, Write};
use std::net::TcpStream;

use gander::core::id::Timestamp;

use crate::world::{REPO, World, good_fix, off_by_one};

/// In minutes.
const DAY: i64 = 24 * 60;

#[tokio::test]
async fn what_is_under_way_is_not_taken_twice_when_the_clock_jumps() {
    for jump in [DAY, -DAY] {
        let w = World::with_project(off_by_one()).await;
        w.model.will(good_fix());
        let issue = w.reported();
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        w.emulator.deliver_all().await;
        let held = w.store.claim(Timestamp(w.now())).await.unwrap().unwrap();
        w.clock_is_wrong_by(jump);
        assert!(!w.step().await, "a task that is held was taken after a jump by {jump}");
        w.store.heartbeat(&held.lease, Timestamp(w.now())).await.expect("the lease was lost");
        w.clock_is_wrong_by(0);
        w.store.hand_back(&held.lease).await.unwrap();
        w.settle().await;
        assert_eq!(w.only_pull().state, "open");
        w.ends().await;
    }
}

#[tokio::test]
async fn a_job_goes_on_after_the_clock_was_wrong_by_a_day() {
    for jump in [DAY, -DAY] {
        let w = World::with_project(off_by_one()).await;
        w.model.will(good_fix());
        let issue = w.reported();
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        w.until("the model is asked", |w| !w.model.heard().is_empty()).await;
        w.clock_is_wrong_by(jump);
        for _ in 0..5 {
            w.step().await;
        }
        w.clock_is_wrong_by(0);
        w.minutes_pass(15);
        w.settle().await;
        assert_eq!(w.only_pull().state, "open");
        assert_eq!(w.model.heard().len(), good_fix().len(), "the model was asked anew");
        w.ends().await;
    }
}

#[tokio::test]
async fn sweeps_come_when_they_are_due_though_the_clock_was_set_back() {
    let w = World::with_project(off_by_one()).await;
    w.worker.begin_sweeps().await.unwrap();
    w.settle().await;
    w.clock_is_wrong_by(-DAY);
    w.minutes_pass(4);
    assert!(!w.step().await, "nothing is due yet");
    w.minutes_pass(1);
    assert!(w.step().await, "the sweeps wait for yesterday");
}

#[tokio::test]
async fn when_githubs_log_was_not_looked_at_for_a_day_the_operator_is_told() {
    let w = World::with_project(off_by_one()).await;
    w.worker.begin_sweeps().await.unwrap();
    w.settle().await;
    assert_eq!(health(&w).await, "ok\n");
    w.minutes_pass(DAY - 1);
    assert_eq!(health(&w).await, "ok\n");
    w.minutes_pass(6 * 60);
    let told = health(&w).await;
    assert!(told.contains("has not been compared with what arrived"), "{told}");
    assert!(told.ends_with("(29 h)\n"), "{told}");
    w.settle().await;
    assert_eq!(health(&w).await, "ok\n", "it was looked at again");
}

/// What `/healthz` says.
async fn health(w: &World) -> String {
    let at = format!("127.0.0.1:{}", w.webhook_url.port().unwrap());
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = asked.await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
