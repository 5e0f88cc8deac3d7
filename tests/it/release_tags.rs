//! The release before is found by its tag, wherever it stands, or it is said that it is not known.

use insta::assert_snapshot;

use crate::release_proposed::QUICK;
use crate::world::{REPO, World};

const MANIFEST: &str = "[package]\nname = \"widgets\"\nversion = \"1.1.0\"\nedition = \"2024\"\n";

/// A project with these rules, whose first commit has these tags, and a fix since.
async fn with_tags(rules: &str, tags: &[&str]) -> (World, u64) {
    let rules = format!("{rules}{QUICK}");
    let files =
        vec![("Cargo.toml", MANIFEST), ("src/lib.rs", ""), (".github/gander.toml", &*rules)];
    let w = World::with_project(files).await;
    let first = w.emulator.branches(REPO)["main"].clone();
    for tag in tags {
        w.maintainer().tags(REPO, tag, &first).unwrap();
    }
    w.pushed("main", "fix: the crash", &[("src/lib.rs", Some("// mended\n"))]).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    (w, issue)
}

#[tokio::test]
async fn higher_tags_on_another_branch_do_not_hide_the_last_release() {
    let (w, issue) = with_tags("", &["v1.0.0", "v1.1.0"]).await;
    let next = w.pushed("next", "feat!: all new", &[("src/lib.rs", Some("// new\n"))]).await;
    for minor in 0..9 {
        w.maintainer().tags(REPO, &format!("v2.{minor}.0"), &next).unwrap();
    }
    w.owner_says(issue, "/gander release").await;
    assert_eq!(w.only_pull().title, "chore(release): v1.1.1");
    assert!(!w.only_pull().body.contains("first release"), "{}", w.only_pull().body);
    w.owner().closes(REPO, w.only_pull().number).unwrap();
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn tags_of_another_pattern_are_named_and_it_is_never_called_the_first_release() {
    for (tags, said) in [
        (&["1.0.0", "1.1.0"][..], "`[release] tag = \"{version}\"`"),
        (&["widgets-v1.1.0"], "`[release] tag = \"widgets-v{version}\"`"),
        (&["v1.1"], "Set `[release] tag` in"),
    ] {
        let (w, issue) = with_tags("", tags).await;
        w.owner_says(issue, "/gander release").await;
        let words = w.last_words(issue);
        assert!(words.contains(said) && words.contains(tags[0]), "{words}");
        assert!(w.emulator.pulls(REPO).is_empty() && !words.contains("first release"), "{words}");

        // Named, it is made.
        w.owner_says(issue, "/gander release 1.1.1").await;
        assert_eq!(w.only_pull().title, "chore(release): v1.1.1");
        assert!(w.only_pull().body.contains("| last release | not known |"));
        w.owner().closes(REPO, w.only_pull().number).unwrap();
        w.settle().await;
        w.ends().await;
    }
}

#[tokio::test]
async fn tags_of_the_pattern_that_the_rules_name_are_read() {
    let rules = "[release]\ntag = \"widgets-v{version}\"\n";
    let (w, issue) = with_tags(rules, &["widgets-v1.1.0", "other-v3.0.0"]).await;
    w.owner_says(issue, "/gander release").await;
    assert_eq!(w.only_pull().title, "chore(release): widgets-v1.1.1");
    w.owner().closes(REPO, w.only_pull().number).unwrap();
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn where_no_tag_is_in_the_history_a_version_is_asked_for() {
    let (w, issue) = with_tags("", &[]).await;
    let next = w.pushed("next", "feat!: all new", &[("src/lib.rs", Some("// new\n"))]).await;
    w.maintainer().tags(REPO, "v2.0.0", &next).unwrap();
    w.owner_says(issue, "/gander release").await;
    assert_snapshot!(w.last_words(issue), @"
    @acme Not released

    There are tags of releases (`v2.0.0`), and none is in the history of this branch, so the release before is not known. Name the version: `/gander release 1.2.0`. If other tags are meant, set `[release] tag` in `.github/gander.toml`.
    ");
    assert!(w.emulator.pulls(REPO).is_empty());
    w.ends().await;
}
