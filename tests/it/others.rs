//! Somebody else is at the issue already: nothing is spent before a person says so.

use crate::world::{REPO, World, good_fix, off_by_one};

#[tokio::test]
async fn an_open_pull_request_that_closes_the_issue_is_named_and_go_works_all_the_same() {
    let w = World::with_project(off_by_one()).await;
    let issue = w.reported();
    let files = [("notes.txt", Some("x\n"))];
    w.maintainer().pushes(REPO, "mend", "mend", &files).unwrap();
    let body = format!("Fixes #{issue}");
    let theirs = w.maintainer().opens_pull(REPO, "Mend", &body, "mend", "main").unwrap();
    w.says(issue, "/gander fix").await;
    let words = w.comments(issue).join("\n");
    assert!(words.contains(&format!("#{theirs} by `mona` is open and closes it")), "{words}");
    assert!(words.contains("nothing was spent. `/gander go` works on it all the same"), "{words}");
    assert_eq!(w.model.heard().len(), 0);

    w.model.will(good_fix());
    w.says(issue, "/gander go").await;
    let ours = w.emulator.pulls(REPO).into_iter().filter(|pull| pull.author == "gander[bot]");
    assert_eq!(ours.count(), 1, "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a_branch_that_is_named_after_the_issue_is_asked_about_until_its_pull_request_is_over() {
    let w = World::with_project(off_by_one()).await;
    let issue = w.reported();
    let branch = format!("{issue}-count-from-one");
    w.maintainer().pushes(REPO, &branch, "wip", &[("notes.txt", Some("x\n"))]).unwrap();
    w.says(issue, "/gander fix").await;
    let words = w.comments(issue).join("\n");
    assert!(words.contains(&format!("the branch {branch} is named after it")), "{words}");
    assert_eq!(w.model.heard().len(), 0);

    // Its pull request was closed: nobody is at it any more.
    let pull = w.maintainer().opens_pull(REPO, "Wip", "", &branch, "main").unwrap();
    w.maintainer().closes(REPO, pull).unwrap();
    w.model.will(good_fix());
    w.says(issue, "/gander retry").await;
    assert_eq!(w.our_branches().len(), 1, "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn what_only_mentions_the_issue_or_closes_another_asks_nothing() {
    let w = World::with_project(off_by_one()).await;
    let issue = w.reported();
    w.maintainer().pushes(REPO, "other", "x", &[("notes.txt", Some("x\n"))]).unwrap();
    let body = format!("See #{issue}. Fixes #{}", issue + 100);
    w.maintainer().opens_pull(REPO, "Other", &body, "other", "main").unwrap();
    w.maintainer().pushes(REPO, &format!("{issue}0-other"), "x", &[("b", Some("x"))]).unwrap();
    w.model.will(good_fix());
    w.says(issue, "/gander fix").await;
    assert_eq!(w.our_branches().len(), 1, "{}", w.timeline());
    w.ends().await;
}

/// A model whose one reply costs some cents, and which gives up.
const GIVES_UP: &str = r#"{
    "price": {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"},
    "attempts": [[{"calls": [{"tool": "finish", "summary": "x", "nothing_to_fix": true}],
                   "usage": {"input_tokens": 10000, "output_tokens": 15000}}]]}"#;

#[tokio::test]
async fn who_asks_is_told_what_jobs_here_usually_come_to() {
    let w = World::with_project(off_by_one()).await;
    for past in 0..4 {
        let issue = w.reported();
        w.model.play(GIVES_UP.parse().unwrap());
        w.says(issue, "/gander fix").await;
        let status = w.comments(issue).join("\n");
        let told = "(of 3 jobs here half cost $0.26 or less, nine of ten $0.26)";
        assert_eq!(status.contains(told), past == 3, "{status}");
    }
    w.ends().await;
}
