//! Where pushing would run workflows with secrets, the change is shown first.

use insta::assert_snapshot;

use crate::world::{REPO, World, good_fix, off_by_one};

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
    - [x] prove it in a fresh copy
    - [ ] open the pull request

    The change is verified, but not pushed yet. Pushing it would let workflows of this repository run on it with rights:

    - .github/workflows/ci.yml, job deploy: gets the secret DEPLOY\_KEY

    Look at the change below, then comment `/gander go` to push it, or `/gander cancel`.

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
    @mona The change is verified, but not pushed yet. Pushing it would let workflows of this repository run on it with rights:

    - .github/workflows/ci.yml, job deploy: gets the secret DEPLOY\_KEY

    Look at the change below, then comment `/gander go` to push it, or `/gander cancel`.
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
