//! A check that is red without a fault of the change is run again, or told; nobody pays for a
//! repair of it.

use gander_emulator::{AppSpec, Fault, JobEnd, Requirement, Verdict, WorkflowSpec};
use insta::assert_snapshot;

use crate::red_ci::repair;
use crate::world::{REPO, World, app_spec, good_fix, off_by_one, owned};

/// The App as people have it who let it run jobs again.
fn may_rerun() -> AppSpec {
    let mut spec = app_spec();
    spec.permissions.insert("actions".to_owned(), "write".to_owned());
    spec
}

/// A fix stands, and waits for a check `test`, which is green on the base.
async fn waits_for_test(spec: AppSpec) -> (World, u64, u64) {
    let w = World::with_spec(owned(off_by_one()), spec).await;
    w.emulator.require_checks(REPO, "main", &["test"], Requirement::Ruleset).unwrap();
    w.model.will_in_rounds(vec![good_fix(), repair()]);
    ends(&w, starts(&w, "main"), "success");
    let issue = w.fixed().await;
    let pull = w.only_pull().number;
    (w, issue, pull)
}

/// The workflow begins on a branch as it stands; its only job is called `test`.
fn starts(w: &World, branch: &str) -> u64 {
    w.minutes_pass(1);
    let sha = w.emulator.branches(REPO)[branch].clone();
    let path = ".github/workflows/ci.yml";
    let branch = Some(branch);
    let spec = WorkflowSpec { name: "ci", path, event: "push", branch, sha: &sha, jobs: &["test"] };
    w.maintainer().starts_workflow(REPO, &spec).unwrap()
}

fn ends(w: &World, run: u64, conclusion: &str) {
    w.minutes_pass(1);
    let end = JobEnd { name: "test", conclusion, log: "not ok\n", annotations: &[] };
    w.emulator.job_ends(REPO, run, &end).unwrap();
}

/// Somebody's branch with a commit of its own.
fn branch(w: &World, name: &str) {
    let files = [(name, Some("something\n"))];
    w.maintainer().pushes(REPO, name, "Some work", &files).unwrap();
}

/// A pull request of somebody on which the check comes to this.
fn pull_that_is(w: &World, name: &str, conclusion: &str) {
    branch(w, name);
    w.maintainer().opens_pull(REPO, "Some work", "", name, "main").unwrap();
    ends(w, starts(w, name), conclusion);
}

/// On a branch of somebody else the check failed, and passed when it was run again.
async fn was_flaky(w: &World) {
    was_flaky_on(w, "topic").await;
}

async fn was_flaky_on(w: &World, name: &str) {
    branch(w, name);
    let run = starts(w, name);
    ends(w, run, "failure");
    w.maintainer().reruns_jobs(REPO, run, &["test"]).unwrap();
    ends(w, run, "success");
    w.settle().await;
}

/// On the head of the pull request it fails. Says the run.
async fn fails_here(w: &World) -> u64 {
    let run = starts(w, &w.our_pull().head_branch);
    ends(w, run, "failure");
    w.settle().await;
    run
}

#[tokio::test]
async fn a_check_that_was_flaky_elsewhere_is_run_again_and_nobody_is_bothered() {
    let (w, issue, pull) = waits_for_test(may_rerun()).await;
    was_flaky(&w).await;
    let (head, comments) = (w.only_pull().head_sha, w.comments(pull).len());
    let asked = w.model.heard().len();

    let run = fails_here(&w).await;
    let status = w.comments(issue)[0].clone();
    assert!(status.contains("Gander runs it again"), "{status}");
    ends(&w, run, "success");
    w.approved().await;

    assert!(w.only_pull().merged, "{}", w.timeline());
    assert_eq!(w.only_pull().head_sha, head, "nothing was changed for it");
    let sent = w.emulator.record().exchanges;
    let at = sent.iter().position(|it| it.path.ends_with("/rerun-failed-jobs")).unwrap();
    let after = (sent[at + 1].method.as_str(), sent[at + 1].path.as_str());
    assert_eq!(after, ("DELETE", "/installation/token"), "the token is given back at once");
    assert_eq!(w.model.heard().len(), asked, "nothing was paid for it");
    assert_eq!(w.comments(pull).len(), comments, "{:?}", w.comments(pull));
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_stays_red_three_times_more_is_the_fault_of_the_change_after_all() {
    let (w, _, pull) = waits_for_test(may_rerun()).await;
    was_flaky(&w).await;
    let head = w.only_pull().head_sha;
    let run = fails_here(&w).await;
    for again in 1..=3 {
        assert_eq!(w.only_pull().head_sha, head, "run again {again} times");
        ends(&w, run, "failure");
        w.settle().await;
    }
    assert_ne!(w.only_pull().head_sha, head, "{}", w.timeline());
    assert!(w.comments(pull)[0].contains("`test` is red here and green on the base"));
    w.ends().await;
}

#[tokio::test]
async fn without_the_permission_a_person_is_asked_and_their_run_decides() {
    let (w, _, pull) = waits_for_test(app_spec()).await;
    was_flaky_on(&w, "one").await;
    was_flaky_on(&w, "two").await;
    let head = w.only_pull().head_sha;
    let run = fails_here(&w).await;
    assert_snapshot!(w.last_words(pull), @"**`test` is red, and looks flaky**: on eb1428b78daf it came to red and to green (2026-01-05 12:08 UTC). Please [run it again](https://github.test/acme/widgets/runs/53000000007); Gander changes nothing for it.");
    assert_eq!(w.only_pull().head_sha, head);

    w.maintainer().reruns_jobs(REPO, run, &["test"]).unwrap();
    ends(&w, run, "failure");
    w.settle().await;
    assert_ne!(w.only_pull().head_sha, head, "red again, so it is repaired: {}", w.timeline());
    w.ends().await;
}

/// A person's time is worth more than a run: one accident in two weeks is not enough to ask for it.
#[tokio::test]
async fn without_the_permission_one_accident_elsewhere_keeps_nothing_from_being_repaired() {
    let (w, _, _) = waits_for_test(app_spec()).await;
    was_flaky(&w).await;
    let head = w.only_pull().head_sha;
    fails_here(&w).await;
    assert_ne!(w.only_pull().head_sha, head, "{}", w.timeline());
    w.ends().await;
}

/// Somebody may have stopped it, and whatever hangs would hang again.
#[tokio::test]
async fn a_check_that_was_cut_off_is_left_to_a_person() {
    for how in ["timed_out", "cancelled"] {
        let (w, _, pull) = waits_for_test(may_rerun()).await;
        let head = w.only_pull().head_sha;
        let run = starts(&w, &w.only_pull().head_branch);
        ends(&w, run, how);
        w.settle().await;
        assert_eq!(w.only_pull().head_sha, head);
        let words = w.last_words(pull);
        assert!(words.contains("cut off before it had a result. Please [run it again]"), "{words}");
        assert!(!w.timeline().contains("ran workflow ci again"), "{}", w.timeline());
        w.ends().await;
    }
}

#[tokio::test]
async fn where_github_runs_nothing_again_a_person_is_asked_once() {
    let (w, _, pull) = waits_for_test(may_rerun()).await;
    was_flaky(&w).await;
    let old = Fault::on("POST", "/repos/*/*/actions/runs/*/rerun-failed-jobs").times(usize::MAX);
    w.emulator.plan(old.answers(403));
    fails_here(&w).await;
    let words = w.last_words(pull);
    assert!(words.contains("Please [run it again](http"), "{words}");
    let comments = w.comments(pull).len();
    w.maintainer().reviews(REPO, pull, Verdict::Comments, "Hm.").unwrap();
    w.settle().await;
    assert_eq!(w.comments(pull).len(), comments);
    w.ends().await;
}

const FIVE: [&str; 5] = ["one", "two", "three", "four", "five"];

#[tokio::test]
async fn a_check_that_is_red_for_everybody_is_said_once_and_nothing_is_changed_for_it() {
    let (w, _, pull) = waits_for_test(may_rerun()).await;
    FIVE.iter().for_each(|name| pull_that_is(&w, name, "failure"));
    let head = w.our_pull().head_sha;
    fails_here(&w).await;
    assert_eq!(w.our_pull().head_sha, head);
    assert_snapshot!(w.last_words(pull), @"**`test` is red on 5 other pull requests too** (#3, #4, #5, #6 and #7), all within a day, and green on none since, so it seems to be broken for everybody. Nothing is changed for it here: it has to be mended where it is broken, and then run again.");

    // A sixth changes nothing of what was said.
    let comments = w.comments(pull).len();
    pull_that_is(&w, "six", "failure");
    w.maintainer().reviews(REPO, pull, Verdict::Comments, "Hm.").unwrap();
    w.settle().await;
    assert_eq!(w.comments(pull).len(), comments, "{:?}", w.comments(pull));
    w.ends().await;
}

/// Others fail for reasons of their own every day.
#[tokio::test]
async fn a_check_that_few_others_met_or_that_is_green_since_or_was_red_yesterday_is_repaired() {
    for (what, names, then, hours) in [
        ("few", &FIVE[..4], None, 0),
        ("green since", &FIVE[..], Some("success"), 0),
        ("yesterday", &FIVE[..], None, 25),
    ] {
        let (w, _, _) = waits_for_test(may_rerun()).await;
        names.iter().for_each(|name| pull_that_is(&w, name, "failure"));
        then.iter().for_each(|conclusion| pull_that_is(&w, "six", conclusion));
        w.settle().await;
        w.minutes_pass(hours * 60);
        let head = w.our_pull().head_sha;
        fails_here(&w).await;
        assert_ne!(w.our_pull().head_sha, head, "{what}: {}", w.timeline());
        w.ends().await;
    }
}

/// Of two that are red the change is to blame for one: that is not hidden by the other.
#[tokio::test]
async fn a_flaky_check_does_not_hide_one_that_is_to_be_repaired() {
    let (w, _, pull) = waits_for_test(may_rerun()).await;
    w.emulator.require_checks(REPO, "main", &["test", "lint"], Requirement::Ruleset).unwrap();
    was_flaky(&w).await;
    w.ci_says(&w.emulator.branches(REPO)["main"], "lint", "success");
    let head = w.only_pull().head_sha;
    w.ci_says(&head, "lint", "failure");
    fails_here(&w).await;
    assert_ne!(w.only_pull().head_sha, head, "{}", w.timeline());
    assert!(w.comments(pull)[0].contains("`lint` is red here and green on the base"));
    w.ends().await;
}

/// Two jobs of one name in one run, one red and one green, are two jobs.
#[tokio::test]
async fn two_jobs_of_one_name_do_not_make_a_check_flaky() {
    let (w, _, _) = waits_for_test(may_rerun()).await;
    branch(&w, "topic");
    let run = starts(&w, "topic");
    w.emulator.job_begins(REPO, run, "test").unwrap();
    ends(&w, run, "failure");
    ends(&w, run, "success");
    w.settle().await;
    let head = w.only_pull().head_sha;
    fails_here(&w).await;
    assert_ne!(w.only_pull().head_sha, head, "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn anybody_may_ask_which_checks_were_red_lately() {
    let (w, _, pull) = waits_for_test(app_spec()).await;
    was_flaky(&w).await;
    w.ci_says(&w.only_pull().head_sha, "lint", "success");
    w.settle().await;
    w.maintainer().comments(REPO, pull, "/gander status checks").unwrap();
    w.settle().await;
    assert_snapshot!(w.last_words(pull), @"
    **Checks that were red** in the last 14 days, on all branches:

    | check | red | red and green on one commit | red today |
    |---|---|---|---|
    | `test` | 1 of 3 | 1 | on 1 branch |

    One that was red and green on one commit may be flaky: where it is red on a pull request of Gander's, GitHub is asked whether it is, and then it is run again before anything is changed for it.
    ");
    w.ends().await;
}
