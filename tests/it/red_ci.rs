//! A red required check on Gander's own commit is repaired; one it did not cause is not.

use gander_emulator::{
    Annotation, CheckOutcome, CheckReport, Fault, JobEnd, Requirement, WorkflowSpec,
};
use insta::assert_snapshot;

use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, verify};

pub fn repair() -> Vec<gander::model::ScriptedTurn> {
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

/// A workflow of the repository runs on a commit and ends like this.
fn workflow(w: &World, sha: &str, conclusion: &str, log: &str) {
    let (path, jobs) = (".github/workflows/ci.yml", ["lint"].as_slice());
    let spec = WorkflowSpec { name: "CI", path, event: "push", branch: None, sha, jobs };
    let run = w.maintainer().starts_workflow(REPO, &spec).unwrap();
    let end = JobEnd { name: "lint", conclusion, log, annotations: &[] };
    w.emulator.job_ends(REPO, run, &end).unwrap();
}

/// GitHub keeps logs elsewhere, and says where for a minute.
#[tokio::test]
async fn what_a_workflow_wrote_before_it_failed_reaches_the_model() {
    let (w, _) = with_ci(vec![repair()]).await;
    workflow(&w, &main_head(&w), "success", "all is well\n");
    let head = w.only_pull().head_sha;
    workflow(&w, &head, "failure", "count.sh:3: error: Double quote to prevent globbing\n");
    w.settle().await;
    assert_ne!(w.only_pull().head_sha, head);
    let heard = w.model.heard().join("\n");
    assert!(heard.contains("Double quote to prevent globbing"), "{heard}");
    w.ends().await;
}

#[tokio::test]
async fn a_log_that_leads_elsewhere_is_not_followed_there() {
    let (w, _) = with_ci(vec![repair()]).await;
    workflow(&w, &main_head(&w), "success", "all is well\n");
    let head = w.only_pull().head_sha;
    let elsewhere = Fault::on("GET", "/repos/*/*/actions/jobs/*/logs").times(9);
    w.emulator.plan(elsewhere.answers(302).with_header("location", "http://203.0.113.7/log"));
    workflow(&w, &head, "failure", "count.sh:3: error: Double quote to prevent globbing\n");
    w.settle().await;
    // Without the log it tries all the same.
    assert_ne!(w.only_pull().head_sha, head);
    assert!(!w.model.heard().join("\n").contains("Double quote"));
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
    assert_snapshot!(w.last_words(pull), @"**`lint` is red, and looks flaky**: it passed on this very commit before. Please [run it again](https://github.test/acme/widgets/runs/53000000004); Gander changes nothing for it.");
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

#[tokio::test]
async fn a_check_that_never_ran_on_the_base_is_told_and_no_round_is_paid_for_it_alone() {
    let (w, pull) = with_ci(vec![repair()]).await;
    let head = w.only_pull().head_sha;
    let asked = w.model.heard().len();
    w.app_says("ci", &head, "lint", CheckOutcome::Completed("failure"));
    w.settle().await;

    assert_eq!(w.only_pull().head_sha, head);
    assert_eq!(w.model.heard().len(), asked, "nobody pays for a guess");
    assert_snapshot!(w.last_words(pull), @"**`lint` is red, and it never ran on the base**, so nobody knows whether this change caused it. If it did, comment `/gander revise` and say what to do.");
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_waits_for_a_person_is_waited_for_and_nothing_is_repaired() {
    let (w, pull) = with_ci(vec![repair()]).await;
    lint(&w, &main_head(&w), "success");
    let head = w.only_pull().head_sha;
    lint(&w, &head, "action_required");
    w.approved().await;

    assert_eq!(w.only_pull().head_sha, head);
    assert!(!w.only_pull().merged);
    assert!(!w.comments(pull).join("\n").contains("red"), "{:?}", w.comments(pull));
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_never_ran_on_the_base_and_points_at_the_change_is_repaired() {
    let (w, pull) = with_ci(vec![repair()]).await;
    let head = w.only_pull().head_sha;
    w.ci_says(&head, "other", "success");
    let at = Annotation { path: "count.sh", line: 3, level: "failure", message: "quote it" };
    let report = CheckReport {
        name: "lint",
        outcome: CheckOutcome::Completed("failure"),
        title: "1 problem",
        summary: "Double quote to prevent globbing",
        annotations: &[at],
    };
    w.emulator.person("ci[bot]").reports_check(REPO, &head, &report).unwrap();
    w.settle().await;

    assert_ne!(w.only_pull().head_sha, head);
    let told = w.model.heard().join("\n");
    assert!(told.contains("never ran without it") && !told.contains("green without it"), "{told}");
    let words = w.comments(pull).join("\n");
    assert!(words.contains("points at what changed. It never ran on the base."), "{words}");
    w.ends().await;
}
