//! A check that is red without a fault of the change is run again, or told; nobody pays for a
//! repair of it.

use gander_emulator::{AppSpec, Fault, JobEnd, Requirement, WorkflowSpec};
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

/// On a branch of somebody else the check failed, and passed when it was run again.
async fn was_flaky(w: &World) {
    branch(w, "topic");
    let run = starts(w, "topic");
    ends(w, run, "failure");
    w.maintainer().reruns_jobs(REPO, run, &["test"]).unwrap();
    ends(w, run, "success");
    w.settle().await;
}

/// On the head of the pull request it fails. Says the run.
async fn fails_here(w: &World) -> u64 {
    let run = starts(w, &w.only_pull().head_branch);
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
    was_flaky(&w).await;
    let head = w.only_pull().head_sha;
    let run = fails_here(&w).await;
    assert_snapshot!(w.last_words(pull), @"**`test` is red, and looks flaky**: on ae522a639a7f it came to red and to green (2026-01-05 12:05 UTC). Please [run it again](https://github.test/acme/widgets/runs/53000000005); Gander changes nothing for it.");
    assert_eq!(w.only_pull().head_sha, head);

    w.maintainer().reruns_jobs(REPO, run, &["test"]).unwrap();
    ends(&w, run, "failure");
    w.settle().await;
    assert_ne!(w.only_pull().head_sha, head, "red again, so it is repaired: {}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_was_cut_off_is_run_again_until_that_is_no_use() {
    let (w, _, pull) = waits_for_test(may_rerun()).await;
    let head = w.only_pull().head_sha;
    let run = starts(&w, &w.only_pull().head_branch);
    for _ in 0..4 {
        ends(&w, run, "timed_out");
        w.settle().await;
    }
    assert_eq!(w.only_pull().head_sha, head);
    assert_snapshot!(w.last_words(pull), @"**`test` is red, and looks flaky**: it was cut off before it had a result. It was run again 3 times, and is no better. Please [look at it](https://github.test/acme/widgets/runs/53000000006); Gander changes nothing for it.");
    w.ends().await;
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
    w.minutes_pass(30);
    w.settle().await;
    assert_eq!(w.comments(pull).len(), comments);
    w.ends().await;
}

#[tokio::test]
async fn a_check_that_is_red_for_everybody_is_said_and_nothing_is_changed_for_it() {
    let (w, _, pull) = waits_for_test(may_rerun()).await;
    for name in ["one", "two", "three", "four", "five"] {
        branch(&w, name);
        ends(&w, starts(&w, name), "failure");
    }
    let head = w.only_pull().head_sha;
    fails_here(&w).await;
    assert_eq!(w.only_pull().head_sha, head);
    assert_snapshot!(w.last_words(pull), @"**`test` is red on 5 other pull requests or branches too** (`five`, `four`, `three`, `two` and `one`), all within a day, so it seems to be broken for everybody. Nothing is changed for it here: it has to be mended where it is broken, and then run again.");
    w.ends().await;
}

/// What four others met does not make it everybody's fault, and a day later nobody's.
#[tokio::test]
async fn a_check_that_was_red_on_few_others_or_yesterday_is_repaired_here() {
    for (names, hours) in
        [(&["one", "two", "three", "four"][..], 0), (&["a", "b", "c", "d", "e"][..], 25)]
    {
        let (w, _, _) = waits_for_test(may_rerun()).await;
        for name in names {
            branch(&w, name);
            ends(&w, starts(&w, name), "failure");
        }
        w.settle().await;
        w.minutes_pass(hours * 60);
        let head = w.only_pull().head_sha;
        fails_here(&w).await;
        assert_ne!(w.only_pull().head_sha, head, "{names:?} {hours} hours ago: {}", w.timeline());
        w.ends().await;
    }
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

    One that was red and green on one commit is flaky: where it is red on a pull request of Gander's, it is run again before anything is changed for it.
    ");
    w.ends().await;
}
