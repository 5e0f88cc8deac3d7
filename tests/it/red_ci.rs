//! A red required check on Gander's own commit is repaired; one it did not cause is not.

use gander_emulator::Requirement;
use insta::assert_snapshot;

use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, verify};

fn repair() -> Vec<gander::model::ScriptedTurn> {
    vec![
        edit("count.sh", "echo $(( $1 ))", "echo \"$(( $1 ))\""),
        verify(),
        finish("The lint wants quotes."),
    ]
}

async fn with_ci(rounds: Vec<Vec<gander::model::ScriptedTurn>>) -> (World, u64) {
    let w = World::with_project(off_by_one()).await;
    w.emulator.require_checks(REPO, "main", &["lint"], Requirement::Ruleset).unwrap();
    w.model.will_in_rounds([vec![good_fix()], rounds].concat());
    w.fixed().await;
    let pull = w.only_pull().number;
    (w, pull)
}

fn lint(w: &World, sha: &str, conclusion: &str) {
    w.ci_says(sha, "lint", conclusion);
}

fn main_head(w: &World) -> String {
    w.emulator.branches(REPO)["main"].clone()
}

#[tokio::test]
async fn a_check_that_is_red_here_and_green_on_the_base_is_repaired() {
    let (w, pull) = with_ci(vec![repair()]).await;
    lint(&w, &main_head(&w), "success");
    let head = w.only_pull().head_sha;
    lint(&w, &head, "failure");
    w.settle().await;
    assert_ne!(w.only_pull().head_sha, head);
    assert!(w.model.heard().join("\n").contains("Double quote to prevent globbing"));
    assert_snapshot!(w.comments(pull).join("\n=====\n").replace(&w.only_pull().head_sha[..12], "HEAD"), @"
    **Round 2**: `lint` is red here and green on the base.

    Done in `HEAD`, and checked. [Changes since](https://github.test/acme/widgets/compare/79de9957d068...HEAD)
    ");
    w.ends().await;
}

#[tokio::test]
async fn two_repairs_are_made_and_then_a_person_is_asked() {
    let again = |from: &str, to: &str| vec![edit("count.sh", from, to), finish("Again.")];
    let rounds = vec![repair(), again("# Prints", "# Shows")];
    let (w, pull) = with_ci(rounds).await;
    lint(&w, &main_head(&w), "success");
    for _ in 0..3 {
        lint(&w, &w.only_pull().head_sha, "failure");
        w.settle().await;
    }
    assert_snapshot!(w.last_words(pull), @"**`lint` is still red after 2 repairs** (`[limits] ci_repairs` in `.github/gander.toml`). `/gander revise` with a hint tries again.");
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_is_red_on_the_base_too_is_said_not_fixed() {
    let (w, pull) = with_ci(vec![]).await;
    lint(&w, &main_head(&w), "failure");
    lint(&w, &w.only_pull().head_sha, "failure");
    w.settle().await;
    assert_snapshot!(w.last_words(pull), @"**`lint` is red, and it is red on the base too**, so this change did not cause it. It has to be mended there first.");
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_passed_on_the_same_commit_before_is_called_flaky() {
    let (w, pull) = with_ci(vec![]).await;
    lint(&w, &main_head(&w), "success");
    let head = w.only_pull().head_sha;
    lint(&w, &head, "success");
    lint(&w, &head, "failure");
    w.settle().await;
    assert_eq!(w.only_pull().head_sha, head);
    assert_snapshot!(w.last_words(pull), @"**`lint` is red, and looks flaky**: it passed on this very commit before. Please run it again; Gander changes nothing for it.");
    w.ends().await;
}

#[tokio::test]
async fn red_on_a_persons_commit_is_left_to_the_person() {
    let (w, pull) = with_ci(vec![]).await;
    lint(&w, &main_head(&w), "success");
    let branch = w.only_pull().head_branch;
    let files = [("NOTES.md", Some("by hand\n"))];
    let head = w.maintainer().pushes(REPO, &branch, "Add notes", &files).unwrap();
    w.settle().await;
    lint(&w, &head, "failure");
    w.settle().await;
    assert_eq!(w.only_pull().head_sha, head);
    assert!(w.last_words(pull).contains("a commit that a person made"), "{}", w.last_words(pull));
    w.ends().await;
}
