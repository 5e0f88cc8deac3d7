//! Where pushing would run workflows with secrets, the change is shown first.

use insta::assert_snapshot;

use gander::core::job::JobStage;

use crate::world::{REPO, World, good_fix, off_by_one, run, write};

const WITH_SECRETS: &str = "\
on: push
permissions:
  contents: read
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - run: ./deploy
        env:
          KEY: ${{ secrets.DEPLOY_KEY }}
";
const HARMLESS: &str = "\
on: [push, pull_request]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: ./check.sh
";

async fn with_workflow(text: &str) -> (World, u64) {
    let mut files = off_by_one();
    files.push((".github/workflows/ci.yml", text));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    (w, issue)
}

#[tokio::test]
async fn a_workflow_with_secrets_holds_the_change_back_until_somebody_says_go() {
    let (w, issue) = with_workflow(WITH_SECRETS).await;
    w.nothing_was_published();
    assert_snapshot!(w.comments(issue).join("\n=====\n"), @r"
    **Waiting for your word** before it is pushed

    - [x] read the rules and the code (`main` at `e71a4ca0af33`)
    - [x] write the change
    - [x] check it in a fresh copy
    - [ ] open the pull request

    The change is verified, but not pushed yet. Pushing it would let CI of this repository run on it with rights:

    - .github/workflows/ci.yml, job deploy: gets the secret DEPLOY\_KEY

    Look at the change below, then comment `/gander go` to push it, or `/gander cancel`.

    ```text
    +1 -1 count.sh
    ```

    ```text
    diff --git a/count.sh b/count.sh
    --- a/count.sh
    +++ b/count.sh
    @@ -1,3 +1,3 @@
     #!/bin/sh
     # Prints how many widgets there are.
    -echo $(( $1 - 1 ))
    +echo $(( $1 ))
    ```

    <sub>$0.00 of $3.00 · scripted · Gander 0.1.0 · job vfuxini2iztf · 12:00 UTC</sub>
    =====
    @mona The change is verified, but not pushed yet. Pushing it would let CI of this repository run on it with rights:

    - .github/workflows/ci.yml, job deploy: gets the secret DEPLOY\_KEY

    Look at [the change](https://github.test/acme/widgets/issues/1#issuecomment-3100000002), then comment `/gander go` to push it, or `/gander cancel`.
    ");
    assert_eq!(w.issue(issue).labels, ["gander:needs-human"]);

    w.stranger().comments(REPO, issue, "/gander go").unwrap();
    w.settle().await;
    w.nothing_was_published();

    w.says(issue, "/gander go").await;
    assert_eq!(w.only_pull().state, "open");
    assert_eq!(w.issue(issue).labels, [] as [&str; 0]);
    w.ends().await;
}

#[tokio::test]
async fn a_harmless_workflow_holds_nothing_back() {
    let (w, _) = with_workflow(HARMLESS).await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

#[tokio::test]
async fn the_rules_can_hold_everything_back_and_cancel_leaves_nothing() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[publish]\nmode = \"hold\"\n";
    files.push((".github/gander.toml", rules));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    w.nothing_was_published();
    assert!(w.comments(issue)[0].contains("mode = \"hold\""), "{}", w.comments(issue)[0]);
    w.says(issue, "/gander cancel").await;
    w.nothing_was_published();
    assert!(w.comments(issue)[0].starts_with("**Cancelled**"));
    w.ends().await;
}

/// A long first file must not push what matters out of sight.
#[tokio::test]
async fn every_file_of_a_held_change_is_listed_and_a_cut_is_said() {
    let long = "a line of no interest\n".repeat(2_000);
    let mut turns = vec![crate::world::write("AAA.md", &long)];
    turns.extend(good_fix());
    let mut files = off_by_one();
    files.push((".github/workflows/ci.yml", WITH_SECRETS));
    let w = World::with_project(files).await;
    w.model.will(turns);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let shown = w.comments(issue)[0].clone();
    assert!(shown.contains("[cut here]"), "{shown}");
    assert!(shown.contains("+2000 -0 AAA.md\n+1 -1 count.sh\n"), "{shown}");
    w.says(issue, "/gander cancel").await;
    w.ends().await;
}

/// Between the comment and its reading the change can be another: only what was seen is let out.
#[tokio::test]
async fn a_go_that_was_said_before_the_change_was_shown_lets_nothing_out() {
    let mut files = off_by_one();
    files.push((".github/workflows/ci.yml", WITH_SECRETS));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until("the change is held", |w| w.timeline().contains("Waiting for your word")).await;
    w.maintainer().comments(REPO, issue, "/gander go").unwrap();
    w.emulator.plan_delivery(gander_emulator::DeliveryFault::Lose);
    w.emulator.deliver_all().await;
    let early = w.emulator.deliveries().pop().unwrap();
    w.settle().await;
    let post = crate::wire::Post::new(&w, &early.event, early.payload.to_string());
    assert_eq!(post.with("X-GitHub-Delivery", early.guid).send(&w).await, 202);
    w.settle().await;
    w.nothing_was_published();
    assert_snapshot!(w.last_words(issue), @"What waits here was shown only after that. Look at it, then comment `/gander go` again.");
    w.says(issue, "/gander go").await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

/// Nobody can say what it would do: that is a reason to ask, not to give up a paid change.
#[tokio::test]
async fn a_workflow_too_large_to_read_holds_the_change_back() {
    let large = format!("{HARMLESS}{}", "# filler\n".repeat(30_000));
    let (w, issue) = with_workflow(&large).await;
    w.nothing_was_published();
    let shown = w.comments(issue)[0].clone();
    assert!(shown.contains(".github/workflows/ci.yml: too large to be read"), "{shown}");
    w.says(issue, "/gander go").await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

/// GitHub takes some workflows from the base as it stands when we push, not as it was when we read
/// it.
#[tokio::test]
async fn a_workflow_that_came_to_the_base_meanwhile_holds_the_change_back() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until_stage(issue, |stage| matches!(stage, JobStage::Fixing { .. })).await;
    let files = [(".github/workflows/ci.yml", Some(WITH_SECRETS))];
    w.owner().pushes(REPO, "main", "Deploy", &files).unwrap();
    w.settle().await;
    w.nothing_was_published();
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("gets the secret DEPLOY"), "{said}");
    w.says(issue, "/gander cancel").await;
    w.ends().await;
}

/// A box around backticks needs more of them for its ends: all together was more than GitHub takes.
#[tokio::test]
async fn a_held_change_full_of_backticks_is_shown_as_far_as_github_takes_it() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[publish]\nmode = \"hold\"\n";
    files.push((".github/gander.toml", rules));
    let w = World::with_project(files).await;
    let mut turns = vec![
        write("AAA.md", &"`".repeat(30_000)),
        run(&format!("for i in $(seq 10 89); do echo x > {}$i; done", "a".repeat(100))),
    ];
    turns.extend(good_fix());
    w.model.will(turns);
    let issue = w.fixed().await;
    let status = w.comments(issue)[0].clone();
    assert!(status.starts_with("**Waiting for your word**"), "{}", &status[..300]);
    assert!(status.contains("more lines, more than GitHub takes in one text"), "it says so");
    w.says(issue, "/gander go").await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

/// What other CI systems hand to a branch, GitHub does not show.
#[tokio::test]
async fn another_ci_system_holds_the_change_back_and_is_named() {
    let mut files = off_by_one();
    files.push((".circleci/config.yml", "version: 2.1\n"));
    files.push(("Jenkinsfile", "pipeline {}\n"));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    w.nothing_was_published();
    let said = w.comments(issue)[0].clone();
    for words in [
        ".circleci/config.yml: CircleCI may run it, with secrets that GitHub does not show to Apps",
        "Jenkinsfile: Jenkins may run it",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    w.says(issue, "/gander go").await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

#[tokio::test]
async fn a_change_that_brings_another_ci_system_is_held_back() {
    let w = World::with_project(off_by_one()).await;
    let mut turns = good_fix();
    turns.insert(0, write(".travis.yml", "script: sh check.sh\n"));
    w.model.will(turns);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let said = w.comments(issue)[0].clone();
    assert!(said.contains(".travis.yml: Travis CI may run it"), "{said}");
    w.ends().await;
}

#[tokio::test]
async fn words_behind_go_are_the_next_round() {
    let (w, issue) = with_workflow(WITH_SECRETS).await;
    let quoted = vec![
        crate::world::edit("count.sh", "echo $(( $1 ))", "echo \"$(( $1 ))\""),
        crate::world::finish("Quoted."),
    ];
    w.model.will_in_rounds(vec![vec![], quoted]);
    w.says(issue, "/gander go and quote the argument afterwards").await;
    assert_eq!(w.only_pull().state, "open");
    let heard = w.model.heard().join("\n");
    assert!(heard.contains("quote the argument afterwards"), "{}", w.timeline());
    w.ends().await;
}
