//! Attacks on approving and releasing, as SECURITY.md lists them (A01 to A14): those in which
//! people and webhooks race with Gander. The others stand in `approval.rs` and in `action`.

use gander_emulator::{DeliveryFault, Requirement, Verdict};

use crate::approval::in_review;
use crate::release_proposed::proposed;
use crate::world::{REPO, World};

const SNEAKED: [(&str, Option<&str>); 1] = [("SNEAK.md", Some("nobody looked at this\n"))];

fn merges(w: &World) -> usize {
    w.timeline().lines().filter(|line| line.contains(" merged #")).count()
}

#[tokio::test]
async fn a01_what_is_pushed_between_looking_and_approving_is_not_merged() {
    let (w, _, pull) = in_review().await;
    let (seen, branch) = (w.only_pull().head_sha, w.only_pull().head_branch);
    let head = w.maintainer().pushes(REPO, &branch, "Sneak", &SNEAKED).unwrap();
    w.owner().comments(REPO, pull, &format!("/gander approve {}", &seen[..12])).unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    let said = w.last_words(pull);
    assert!(said.contains(&format!("`{}` is not the head", &seen[..12])), "{said}");
    assert!(said.contains(&format!("/gander approve {}", &head[..12])), "{said}");
    w.owner().comments(REPO, pull, &format!("/gander approve {}", &head[..12])).unwrap();
    w.settle().await;
    assert!(w.only_pull().merged, "the line to paste is good");
    w.ends().await;
}

#[tokio::test]
async fn a02_what_is_pushed_between_the_approval_and_the_merge_is_not_released() {
    for way in ["push", "force-push", "another branch of that name"] {
        let (w, issue, pull) = proposed().await;
        w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
        w.until("it is being merged", |w| w.comments(issue)[0].contains("**Merging**")).await;
        let (mona, branch) = (w.maintainer(), &pull.head_branch);
        match way {
            "push" => drop(mona.pushes(REPO, branch, "Sneak", &SNEAKED).unwrap()),
            "force-push" => {
                let other = mona.pushes(REPO, "elsewhere", "Sneak", &SNEAKED).unwrap();
                mona.force_pushes(REPO, branch, &other).unwrap();
            }
            _ => {
                mona.deletes_branch(REPO, branch).unwrap();
                mona.pushes(REPO, branch, "Sneak", &SNEAKED).unwrap();
            }
        }
        w.settle().await;
        assert_eq!(merges(&w), 0, "{way}: {}", w.timeline());
        assert!(!w.comments(issue)[0].contains("[x] merge it"), "{way}: {}", w.comments(issue)[0]);
    }
}

#[tokio::test]
async fn a04_an_approval_that_nobody_told_us_of_counts_only_for_what_stands_there_now() {
    let (w, issue, pull) = proposed().await;
    for _ in 0..12 {
        w.emulator.plan_delivery(DeliveryFault::Lose);
    }
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.maintainer().pushes(REPO, &pull.head_branch, "Sneak", &SNEAKED).unwrap();
    w.emulator.deliver_all().await;
    w.worker.begin_sweeps().await.unwrap();
    for _ in 0..40 {
        w.step().await;
    }
    assert_eq!(merges(&w), 0, "{}", w.timeline());
    let status = &w.comments(issue)[0];
    assert!(status.contains("acme approved") && status.contains("Approve that one"), "{status}");
}

#[tokio::test]
async fn a06_two_clicks_at_once_merge_once() {
    let (w, _, pull) = in_review().await;
    let head = w.only_pull().head_sha;
    let words = format!("/gander approve {}", &head[..12]);
    for _ in 0..2 {
        w.owner().comments(REPO, pull, &words).unwrap();
        w.owner().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    }
    w.settle().await;
    assert_eq!(merges(&w), 1, "{}", w.timeline());
    // Said again later, it is about nothing any more.
    w.owner().comments(REPO, pull, &words).unwrap();
    w.settle().await;
    assert_eq!(merges(&w), 1, "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a06_an_approval_of_one_version_is_none_of_another() {
    let (w, issue, pull) = proposed().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert_eq!(merges(&w), 0, "ci has not spoken");
    w.owner_says(issue, "/gander release 2.0.0").await;
    let head = w.only_pull().head_sha;
    w.ci_says(&head, "ci", "success");
    w.settle().await;
    assert_eq!(merges(&w), 0, "{}", w.timeline());
    assert!(w.comments(issue)[0].contains("acme approved"), "{}", w.comments(issue)[0]);
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert_eq!(merges(&w), 1, "{}", w.timeline());
}

#[tokio::test]
async fn a07_a_release_that_brings_another_workflow_is_not_merged_by_gander() {
    let (w, issue, pull) = proposed().await;
    let files = [(".github/workflows/gander-release.yml", Some("on: push\njobs: {}\n"))];
    w.pushed(&pull.head_branch, "Rather this workflow", &files).await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert_eq!(merges(&w), 0, "{}", w.timeline());
    let status = &w.comments(issue)[0];
    assert!(status.contains("It is not merged as it stands: it changes .github"), "{status}");
    // Without it, it goes on.
    let files = [(".github/workflows/gander-release.yml", None)];
    w.pushed(&pull.head_branch, "Rather not", &files).await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert_eq!(merges(&w), 1, "{}", w.timeline());
}
