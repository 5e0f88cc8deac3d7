//! A merged pull request is taken back by another one, and nobody is paid for it where git can.

use gander_emulator::{MergeMethod, Verdict};
use insta::assert_snapshot;

use crate::world::{REPO, World, edit, finish, off_by_one, verify, visible};

/// A project that is right, and prints its count by one script.
fn counts() -> Vec<(&'static str, &'static str)> {
    let mut files = off_by_one();
    files[1].1 = "#!/bin/sh\n# Prints how many widgets there are.\necho $(( $1 ))\n";
    files
}

/// Somebody's pull request with these commits, merged so.
fn merged(w: &World, commits: &[&[(&str, &str)]], how: MergeMethod) -> u64 {
    let maintainer = w.maintainer();
    for (at, files) in commits.iter().enumerate() {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        maintainer.pushes(REPO, "topic", &format!("Step {}", at + 1), &files).unwrap();
    }
    let pull = maintainer.opens_pull(REPO, "Greet people", "Hello.", "topic", "main").unwrap();
    maintainer.merges(REPO, pull, how).unwrap();
    pull
}

/// A test goes with what it tests, and that is no cheat.
const TEST: &str = "def test_two():\n    assert 1 + 1 == 2\n";

/// The files of a branch, by path.
fn files(w: &World, branch: &str) -> Vec<(String, Vec<u8>)> {
    let paths = w.emulator.files(REPO, branch);
    let of = |path: String| {
        let content = w.emulator.file(REPO, branch, &path).unwrap();
        (path, content)
    };
    paths.into_iter().map(of).collect()
}

#[tokio::test]
async fn a_merged_pull_request_is_taken_back_without_a_model_and_proposed_as_another() {
    let w = World::with_project(counts()).await;
    let before = files(&w, "main");
    let steps: [&[(&str, &str)]; 1] = [&[("README.md", "# Hello\n"), ("new.txt", "new\n")]];
    let pull = merged(&w, &steps, MergeMethod::Squash);
    let maintainer = w.maintainer();
    maintainer.pushes(REPO, "main", "Go on", &[("later.txt", Some("later\n"))]).unwrap();
    w.settle().await;
    w.says(pull, "/gander revert it annoys people").await;
    assert_eq!(w.model.heard().len(), 0, "nobody is paid");
    let ours = w.our_pull();
    assert_eq!(ours.title, "revert: Greet people (#1)");
    let body = visible(&ours.body);
    let merge = w.emulator.branches(REPO)["main"].clone();
    let parent = w.emulator.commit(REPO, &merge).unwrap().parents[0].clone();
    let body = body.replace(&ours.head_sha[..12], "HEAD").replace(&parent[..12], "MERGED");
    assert_snapshot!(body, @"
    Approving `HEAD` merges it into `main`. It does not release.

    **Expected review: short**: 3 lines in 2 files. Read in this order: `new.txt` +0 −1, `README.md` +1 −1.

    ### What changed
    2 files, +1 −2. What #1 brought is taken back as git does it (it was merged as `MERGED`), and no model wrote any of it.

    Why, in the words of whoever asked:

    ```text
    it annoys people
    ```

    ### Checks passed
    Run by Gander in a fresh copy of the base commit with this change:

    | check | result | time |
    |---|---|---|
    | paths and size of the change | passed | TIME |
    | `sh check.sh` | passed | TIME |

    ### Not checked
    That the tests fail without the change, and whatever the checks above do not cover.

    Reverts #1

    ---
    <sub>Asked for by mona. Want it otherwise? Request changes in a review, comment `/gander revise` with what to do, or push to this branch. $0.00 of $3.00 · scripted · Gander 0.1.0 · job vfuxini2iztf · 12:00 UTC</sub>
    ");
    let mut after = files(&w, &ours.head_branch);
    after.retain(|(path, _)| path != "later.txt");
    assert_eq!(after, before);
    let head = w.emulator.commit(REPO, &ours.head_sha).unwrap();
    assert!(head.message.contains("\nAssisted-by: Gander 0.1.0\n"), "{}", head.message);
    assert!(head.message.contains("\n\nThis reverts commit "), "{}", head.message);
    assert_snapshot!(w.last_words(pull), @"@mona #2 is ready for your review.");
    w.owner().reviews(REPO, ours.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert_eq!(w.emulator.file(REPO, "main", "README.md").unwrap(), b"# Widgets\n");
    // What is gone cannot be taken back again.
    w.says(pull, "/gander revert").await;
    assert_snapshot!(w.last_words(pull), @"
    @mona Not started

    Nothing of what it brought is left on the branch: it was taken back already.
    ");
    w.ends().await;
}

#[tokio::test]
async fn all_commits_of_a_pull_request_are_taken_back_however_it_was_merged() {
    for how in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let w = World::with_project(counts()).await;
        let before = files(&w, "main");
        let steps: [&[(&str, &str)]; 3] =
            [&[("one.txt", "1\n")], &[("test_two.py", TEST)], &[("one.txt", "1 and more\n")]];
        let pull = merged(&w, &steps, how);
        w.settle().await;
        w.says(pull, "/gander revert").await;
        assert_eq!(files(&w, &w.our_pull().head_branch), before, "{how:?}");
        w.ends().await;
    }
}

#[tokio::test]
async fn what_was_changed_since_is_named_and_left_alone() {
    let w = World::with_project(counts()).await;
    let steps: [&[(&str, &str)]; 1] = [&[("README.md", "# Hello\n")]];
    let pull = merged(&w, &steps, MergeMethod::Squash);
    w.maintainer().pushes(REPO, "main", "On", &[("README.md", Some("# Hello, all\n"))]).unwrap();
    w.settle().await;
    w.says(pull, "/gander revert").await;
    assert_snapshot!(w.last_words(pull), @"
    @mona Not started

    What it brought was changed since, so it does not come off by itself: README.md. Nothing was done, and nothing was spent. Take it back by hand. Or open an issue that says what is to be undone, and comment `/gander fix` there.
    ");
    assert_eq!(w.our_branches(), Vec::<String>::new());
    w.ends().await;
}

#[tokio::test]
async fn what_is_not_merged_or_not_gander_to_write_is_not_taken_back() {
    let w = World::with_project(counts()).await;
    let steps: [&[(&str, &str)]; 1] = [&[(".github/workflows/ci.yml", "on: push\njobs: {}\n")]];
    let pull = merged(&w, &steps, MergeMethod::Squash);
    w.settle().await;
    w.says(pull, "/gander revert").await;
    assert!(w.last_words(pull).contains("people may change and Gander may not"));
    assert!(w.last_words(pull).contains(".github/workflows/ci.yml"), "{}", w.last_words(pull));
    let issue = w.reported();
    w.says(issue, "/gander revert").await;
    assert_snapshot!(w.last_words(issue), @"`/gander revert` takes back a merged pull request, and this is none. Comment it there.");
    w.maintainer().pushes(REPO, "open", "x", &[("x", Some("x\n"))]).unwrap();
    let open = w.maintainer().opens_pull(REPO, "Open", "", "open", "main").unwrap();
    w.says(open, "/gander revert").await;
    assert!(w.last_words(open).contains("takes back a merged pull request"));
    w.ends().await;
}

#[tokio::test]
async fn a_reverse_patch_that_breaks_the_checks_is_mended_by_the_model() {
    let w = World::with_project(counts()).await;
    let steps: [&[(&str, &str)]; 1] =
        [&[("lib.sh", "count() { echo $(( $1 )); }\n"), ("extra.txt", "extra\n")]];
    let pull = merged(&w, &steps, MergeMethod::Squash);
    let uses = "#!/bin/sh\n# Prints how many widgets there are.\n. ./lib.sh\ncount $1\n";
    w.maintainer().pushes(REPO, "main", "Use it", &[("count.sh", Some(uses))]).unwrap();
    w.settle().await;
    let mends = vec![
        edit("count.sh", ". ./lib.sh\ncount $1", "echo $(( $1 ))"),
        verify(),
        finish("It counts by itself again."),
    ];
    w.model.will_try(vec![Vec::new(), mends]);
    w.says(pull, "/gander revert").await;
    let ours = w.our_pull();
    let names: Vec<String> = files(&w, &ours.head_branch).into_iter().map(|it| it.0).collect();
    assert!(!names.iter().any(|it| it == "lib.sh" || it == "extra.txt"), "{names:?}");
    let heard = w.model.heard().join("\n");
    assert!(heard.contains("Take back what the pull request below brought"), "{heard}");
    w.ends().await;
}
