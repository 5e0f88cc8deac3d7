//! A repository is renamed or changes hands while Gander works in it.

use gander_emulator::{DeliveryFault, RepositorySpec, Verdict};

use crate::world::{REPO, World, edit, finish, good_fix, off_by_one};

const RENAMED: &str = "acme/gadgets";

async fn renamed_in_review() -> (World, u64) {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;
    let pull = w.only_pull().number;
    w.emulator.rename_repository(REPO, "gadgets").unwrap();
    (w, pull)
}

#[tokio::test]
async fn a_pull_request_is_merged_under_the_name_that_its_repository_has_by_now() {
    let (w, pull) = renamed_in_review().await;
    w.owner().reviews(RENAMED, pull, Verdict::Approves, "").unwrap();
    w.settle().await;

    assert!(w.emulator.pull(RENAMED, pull).unwrap().merged);
    w.ends().await;
}

#[tokio::test]
async fn it_is_merged_too_where_no_webhook_told_of_the_new_name() {
    let (w, pull) = renamed_in_review().await;
    w.emulator.plan_delivery(DeliveryFault::Lose);
    w.owner().reviews(RENAMED, pull, Verdict::Approves, "").unwrap();
    w.worker.begin_sweeps().await.unwrap();
    w.settle().await;

    assert!(w.emulator.pull(RENAMED, pull).unwrap().merged, "{:?}", w.emulator.timeline(RENAMED));
}

#[tokio::test]
async fn another_repository_that_took_the_name_is_left_alone() {
    let (w, pull) = renamed_in_review().await;
    let files = [("README.md", "Something else.\n")];
    w.emulator.create_repository(RepositorySpec::new("acme", "widgets", &files)).unwrap();
    w.emulator.plan_delivery(DeliveryFault::Lose);
    w.owner().reviews(RENAMED, pull, Verdict::Approves, "").unwrap();
    w.worker.begin_sweeps().await.unwrap();
    w.settle().await;

    assert!(w.emulator.pull(RENAMED, pull).unwrap().merged);
    assert_eq!(w.emulator.timeline(REPO).len(), 0);
}

#[tokio::test]
async fn a_fix_that_waits_for_its_turn_is_made_in_the_renamed_repository() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.emulator.deliver_all().await;
    w.emulator.rename_repository(REPO, "gadgets").unwrap();
    w.settle().await;

    let pulls = w.emulator.pulls(RENAMED);
    assert_eq!(pulls.len(), 1, "{:?}", w.emulator.timeline(RENAMED));
    w.ends().await;
}

#[tokio::test]
async fn retry_after_a_rename_works_where_the_repository_is_now() {
    let w = World::with_project(off_by_one()).await;
    let tries = vec![edit("count.sh", "$1 - 1", "$1 - 2"), finish("tests passed")];
    let again = vec![finish("tests passed")];
    w.model.will_try(vec![tries, again.clone(), again]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    w.model.will(vec![edit("count.sh", "$1 - 2", "$1"), finish("as hinted")]);
    w.emulator.rename_repository(REPO, "gadgets").unwrap();
    w.maintainer().comments(RENAMED, issue, "/gander retry").unwrap();
    w.settle().await;

    assert_eq!(w.emulator.pulls(RENAMED).len(), 1);
    w.ends().await;
}
