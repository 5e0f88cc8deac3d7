//! The project's own checks run on the files of a release before anybody is asked to approve them.

use crate::world::{REPO, World};

const MANIFEST: &str = "[package]\nname = \"widgets\"\nversion = \"1.1.0\"\n";
const RULES: &str = "[verify]\ncommands = [\"sh check.sh\"]\n";

async fn ordered(check: &str) -> (World, u64) {
    let files = vec![("Cargo.toml", MANIFEST), (".github/gander.toml", RULES), ("check.sh", check)];
    let w = World::with_project(files).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.2.0").await;
    (w, issue)
}

fn row(body: &str) -> &str {
    body.lines().find(|line| line.starts_with("| checked |")).unwrap_or("no row")
}

#[tokio::test]
async fn a_release_that_breaks_a_check_of_the_project_is_not_proposed_until_it_is_mended() {
    let old = "grep -q 1.1.0 Cargo.toml || { echo 'the version is not 1.1.0'; exit 1; }\n";
    let (w, issue) = ordered(old).await;
    insta::assert_snapshot!(w.last_words(issue), @r#"
    @acme Not released

    With the files of the release, `sh check.sh` fails, and without them it does not, so nothing was proposed:

    ```text
    exit code 1
    the version is not 1.1.0
    ```

    Often a test holds the old version. Mend it on the branch, then comment `/gander release` again.
    "#);
    w.nothing_was_published();
    w.pushed("main", "test: any version", &[("check.sh", Some("grep -q version Cargo.toml\n"))])
        .await;
    w.owner_says(issue, "/gander release 1.2.0").await;
    assert_eq!(row(&w.only_pull().body), "| checked | `sh check.sh` passes |");
    w.ends().await;
}

#[tokio::test]
async fn what_was_red_before_is_told_and_keeps_no_release_back() {
    let (w, _) = ordered("exit 1\n").await;
    let row = row(&w.only_pull().body).to_owned();
    assert_eq!(row, "| checked | `sh check.sh` fails, as it does without these files |");
    w.ends().await;
}

#[tokio::test]
async fn where_nothing_tests_anything_the_pull_request_says_so() {
    let w = World::with_project(vec![("README.md", "# Widgets\n")]).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.2.0").await;
    let row = row(&w.only_pull().body).to_owned();
    assert_eq!(row, "| checked | not yet: no command was found that tests anything here |");
    w.ends().await;
}

#[tokio::test]
async fn a_base_that_moves_is_left_to_the_checks_on_github_and_another_version_is_checked_anew() {
    let (w, issue) = ordered("exit 0\n").await;
    assert_eq!(row(&w.only_pull().body), "| checked | `sh check.sh` passes |");
    let before = w.emulator.branches(REPO)["main"].clone();
    w.pushed("main", "test: red", &[("check.sh", Some("exit 1\n"))]).await;
    let moved = w.only_pull();
    let said = format!("| checked | `sh check.sh` passes (on `{}`) |", &before[..12]);
    assert_eq!(row(&moved.body), said);
    w.owner_says(issue, "/gander release 2.0.0").await;
    let anew = w.only_pull();
    assert_eq!(anew.title, "chore(release): v2.0.0");
    let said = "| checked | `sh check.sh` fails, as it does without these files |";
    assert_eq!(row(&anew.body), said);
    w.ends().await;
}
