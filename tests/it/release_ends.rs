//! A release ends otherwise than by being published: it is cancelled, or nobody told us that it
//! went on.

use gander_emulator::{Actor, DeliveryFault, Fault, Verdict};

use crate::release_proposed::proposed;
use crate::world::{REPO, World};

/// The whole status comment, and what was said last on the pull request.
fn told(w: &World, issue: u64, pull: u64) -> (String, String) {
    (w.comments(issue)[0].clone(), w.last_words(pull))
}

fn state(w: &World, pull: u64) -> String {
    w.issue(pull).state
}

#[tokio::test]
async fn cancel_on_its_pull_request_closes_it_and_leaves_no_branch() {
    let (w, issue, pull) = proposed().await;
    w.stranger().comments(REPO, pull.number, "/gander cancel").unwrap();
    w.settle().await;
    assert!(w.last_words(pull.number).contains("`cancel` needs write access"));
    assert_eq!(state(&w, pull.number), "open", "a stranger cancels nothing");
    w.says(pull.number, "/gander cancel").await;
    let (status, said) = told(&w, issue, pull.number);
    assert!(status.starts_with("**Cancelled** by mona: v1.2.0 is not released"), "{status}");
    assert_eq!(said, "Cancelled by mona: nothing is released. The branch is removed.");
    assert_eq!(state(&w, pull.number), "closed");
    assert_eq!(w.our_branches(), [""; 0]);
    let told = w.last_words(issue);
    assert!(told.starts_with("@acme Cancelled by mona: v1.2.0 is not released"), "{told}");
    // Said again, it has nothing to do, and the next release begins.
    w.says(pull.number, "/gander cancel").await;
    assert!(w.last_words(pull.number).starts_with("There is nothing to cancel"));
    w.owner_says(issue, "/gander release 1.2.0").await;
    assert_ne!(w.emulator.pulls(REPO).last().unwrap().number, pull.number);
    w.owner_says(issue, "/gander cancel").await;
    assert_eq!(w.our_branches(), [""; 0], "it can be cancelled where it was asked for, too");
    w.ends().await;
}

#[tokio::test]
async fn cancel_leaves_a_branch_that_people_have_committed_to() {
    let (w, _, pull) = proposed().await;
    let edit = [("NOTES.md", Some("by hand\n"))];
    let edited = w.pushed(&pull.head_branch, "Notes", &edit).await;
    w.says(pull.number, "/gander cancel").await;
    let said = w.last_words(pull.number);
    assert!(said.ends_with("The branch stays, since people have committed to it."), "{said}");
    assert_eq!(state(&w, pull.number), "closed");
    assert_eq!(w.emulator.branches(REPO).get(&pull.head_branch), Some(&edited));
    w.ends().await;
}

#[tokio::test]
async fn after_the_merge_cancel_comes_too_late_and_the_branch_is_gone() {
    let (w, issue, pull) = proposed().await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(w.only_pull().merged);
    assert_eq!(w.our_branches(), [""; 0], "its work is done");
    w.says(pull.number, "/gander cancel").await;
    let (status, said) = told(&w, issue, pull.number);
    assert!(said.starts_with("v1.2.0 is merged already"), "{said}");
    assert!(status.contains("v1.2.0"), "{status}");
    assert!(!status.contains("Cancelled"), "{status}");
}

#[tokio::test]
async fn a_branch_that_was_pushed_to_after_the_merge_stays() {
    let (w, _, pull) = proposed().await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
    let late = [("LATE.md", Some("late\n"))];
    let late = w.maintainer().pushes(REPO, &pull.head_branch, "Late", &late).unwrap();
    w.settle().await;
    assert_eq!(w.emulator.branches(REPO).get(&pull.head_branch), Some(&late));
}

/// Does something of which no webhook arrives.
fn unheard(w: &World, act: impl FnOnce(Actor)) {
    for _ in 0..12 {
        w.emulator.plan_delivery(DeliveryFault::Lose);
    }
    act(w.owner());
}

#[tokio::test]
async fn what_no_webhook_told_of_a_release_is_found_by_looking() {
    let (w, _, pull) = proposed().await;
    unheard(&w, |owner| {
        owner.reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    });
    w.emulator.deliver_all().await;
    while w.step().await {}
    assert!(!w.only_pull().merged, "nobody has told us");
    w.worker.begin_sweeps().await.unwrap();
    for _ in 0..40 {
        w.step().await;
    }
    assert!(w.only_pull().merged, "{}", w.timeline());
}

/// The run goes on whether or not GitHub can tell of it.
#[tokio::test]
async fn a_release_whose_run_cannot_be_asked_about_for_a_while_is_not_given_up() {
    let (w, issue, pull) = proposed().await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.until("it publishes", |w| w.comments(issue)[0].contains("**Publishing**")).await;
    let fault = w.emulator.plan(Fault::on("GET", "/repos/*/*/actions/runs").answers(502));
    for _ in 0..10 {
        w.settle().await;
        w.minutes_pass(1);
    }
    assert!(w.emulator.fault_hits(fault) > 7, "{}", w.emulator.fault_hits(fault));
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("**Publishing**"), "{said}");
}
