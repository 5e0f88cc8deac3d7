//! What one thing leaves behind does not decide the next: a command of a check, a run of
//! `gander run`, a worker that was killed again and again.

use gander::core::id::Timestamp;
use gander::core::job::JobStep;
use gander::core::task::Task;
use gander::store::LEASE_SECONDS;

use crate::program::{Local, an_idle_edit};
use crate::second_look::{ONE_ATTEMPT, one_edit};
use crate::world::{REPO, World, good_fix, off_by_one};

const TWO_CHECKS: &str =
    "[verify]\ncommands = [\"sh build.sh\", \"sh check.sh\"]\n[agent]\nattempts = 1\n";

#[test]
fn a_command_does_not_decide_what_the_next_one_comes_to() {
    let local = Local::with(&[
        (".github/gander.toml", TWO_CHECKS),
        ("build.sh", ". ./lib.sh\n"),
        ("lib.sh", "true\n"),
        ("check.sh", "! grep -q evil lib.sh\n"),
    ]);
    let evil = one_edit("lib.sh", "true", "echo exit 0 > check.sh # evil");
    let (text, report) = local.edited(&[evil], &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
}

#[test]
fn what_a_build_makes_is_there_for_the_tests_where_git_leaves_it_out() {
    let files = |ignored| {
        Local::with(&[
            (".github/gander.toml", TWO_CHECKS),
            (".gitignore", ignored),
            ("build.sh", "mkdir made && echo built > made/a\n"),
            ("check.sh", "grep -q built made/a\n"),
        ])
    };
    let (text, report) = files("made/\n").edited(&an_idle_edit(), &[]);
    assert_eq!(report["result"], "verified", "{text}");
    let (text, report) = files("other/\n").edited(&an_idle_edit(), &[]);
    assert_ne!(report["result"], "verified", "{text}");
}

#[test]
fn a_run_says_and_counts_nothing_of_the_one_before_in_the_same_directory() {
    let local = Local::with(&[("a.txt", "x\n"), ONE_ATTEMPT]);
    let (text, report) = local.edited(&an_idle_edit(), &["--verify", "true"]);
    assert_eq!(report["result"], "verified", "{text}");
    let cost = report["cost"].clone();
    assert!(!cost.is_null(), "{report}");
    let (text, report) = local.edited(&an_idle_edit(), &["--verify", "true"]);
    assert_eq!(report["cost"], cost, "{text}");
    let (text, report) = local.edited(&an_idle_edit(), &["--verify", "false"]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    let words = std::fs::read_to_string(local.repository().join("../out/report.md")).unwrap();
    assert!(!words.contains("change.patch"), "{words}");
}

#[tokio::test]
async fn a_job_that_ends_its_worker_again_and_again_is_given_up_and_says_why() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.emulator.deliver_all().await;
    let mut gone = 0;
    while gone <= 20 {
        let claim = w.store.claim(Timestamp(w.now())).await.unwrap().expect("it is taken again");
        if matches!(claim.task, Task::Step { step: JobStep::Fix { .. }, .. }) {
            // Whoever had it is never heard of again.
            gone += 1;
            w.minutes_pass(LEASE_SECONDS / 60 + 1);
        } else {
            w.store.hand_back(&claim.lease).await.unwrap();
            assert!(w.step().await);
        }
    }
    w.settle().await;
    let said = w.last_words(issue);
    assert!(said.contains("was killed, or got stuck, 21 times"), "{said}");
    assert!(w.model.heard().is_empty(), "it is not tried again");
    w.ends().await;
}
