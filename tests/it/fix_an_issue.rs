//! A maintainer comments `/gander fix`, and gets a pull request.

use crate::world::{REPO, World, good_fix, off_by_one};

#[tokio::test]
async fn a_comment_becomes_a_verified_pull_request() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w
        .stranger()
        .opens_issue(REPO, "Count is one too low", "I have 3 widgets and it says 2.", &[])
        .unwrap();
    let comment = w.maintainer().comments(REPO, issue, "/gander fix the count").unwrap();
    w.settle().await;

    eprintln!("{}", w.timeline());
    for c in w.comments(issue) {
        eprintln!("---\n{c}");
    }
    let pull = w.pull(2);
    eprintln!("{}", pull.body);
    assert_eq!(pull.state, "open");
    let _ = comment;
    w.ends().await;
}
