//! What people should look at since the last release: it is named, and takes one person who says so
//! or two who approve. acme and, where a story says so, mona may approve.

use gander_emulator::{PullView, Verdict};

use crate::release_proposed::QUICK;
use crate::world::{REPO, World};

const MANIFEST: &str = "[package]\nname = \"widgets\"\nversion = \"1.1.0\"\n";

/// A release 1.2.0 is proposed; v1.1.0 is out, and this changed since.
async fn proposed_after(path: &str, text: &str) -> (World, u64, PullView) {
    let w = World::with_project(vec![
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", ""),
        (".github/gander.toml", QUICK),
    ])
    .await;
    let first = w.emulator.branches(REPO)["main"].clone();
    w.owner().tags(REPO, "v1.1.0", &first).unwrap();
    w.pushed("main", "fix: the crash", &[(path, Some(text))]).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.2.0").await;
    let pull = w.only_pull();
    (w, issue, pull)
}

#[tokio::test]
async fn a_release_names_what_people_should_look_at_and_waits_for_one_who_says_so() {
    let (w, issue, pull) = proposed_after("Makefile", "test:\n\ttrue\n").await;
    let head = &pull.head_sha[..12];
    let line = format!("/gander approve {head} flagged");
    let first = format!("Commenting `{line}`, or two approvals, merges it into `main`");
    assert!(pull.body.starts_with(&first), "{}", pull.body);
    assert!(pull.body.contains("- Makefile: changes how the project is built"), "{}", pull.body);
    assert!(!pull.body.contains("Cargo.toml:"), "the version alone is no news: {}", pull.body);
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    w.owner_says(pull.number, &format!("/gander approve {head}")).await;
    w.owner_says(pull.number, &format!("> {line}")).await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("acme approved `") && said.contains("Makefile"), "{said}");
    assert!(said.contains(&line), "{said}");
    // Who may not approve at all does not do it by a word more.
    w.says(pull.number, &line).await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    w.owner().comments(REPO, pull.number, &line).unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
}

#[tokio::test]
async fn two_approvals_are_enough_for_what_people_should_look_at() {
    let (w, _, pull) = proposed_after("Makefile", "test:\n\ttrue\n").await;
    for person in ["hubot-fan", "mona"] {
        w.emulator.set_permission(REPO, person, "maintain").unwrap();
    }
    w.maintainer().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    w.stranger().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
}

#[tokio::test]
async fn a_dependency_that_somebody_puts_on_the_release_branch_is_looked_at() {
    let (w, issue, pull) = proposed_after("src/lib.rs", "// mended\n").await;
    assert!(pull.body.starts_with("Approving `"), "{}", pull.body);
    let manifest =
        format!("{}\n[dependencies]\nevil = \"1\"\n", MANIFEST.replace("1.1.0", "1.2.0"));
    w.pushed(&pull.head_branch, "One more", &[("Cargo.toml", Some(&manifest))]).await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    assert!(w.comments(issue)[0].contains("Cargo.toml"), "{}", w.comments(issue)[0]);
}

#[tokio::test]
async fn a_release_of_plain_files_takes_one_approval() {
    let (w, _, pull) = proposed_after("src/lib.rs", "// mended\n").await;
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
}

/// GitHub lists three hundred files of a comparison, and does not say that there are more.
#[tokio::test]
async fn a_release_of_more_files_than_github_lists_is_looked_at() {
    let w = World::with_project(vec![
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", ""),
        (".github/gander.toml", QUICK),
    ])
    .await;
    let first = w.emulator.branches(REPO)["main"].clone();
    w.owner().tags(REPO, "v1.1.0", &first).unwrap();
    let names: Vec<String> = (0..300).map(|n| format!("docs/{n}.txt")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), Some("x"))).collect();
    w.pushed("main", "docs: many", &files).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.2.0").await;
    let pull = w.only_pull();
    assert!(pull.body.contains("more files changed than GitHub lists"), "{}", pull.body);
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
}
