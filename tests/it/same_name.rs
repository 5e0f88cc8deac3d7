//! Two workflows have a job of the same name: neither speaks for the other.

use gander_emulator::{Fault, JobEnd, RequiredCheck, Requirement, Verdict, WorkflowSpec};

use crate::approval::with_rules;
use crate::release_proposed::proposed;
use crate::world::{REPO, World};

/// Nothing red is repaired in these stories.
const NO_REPAIRS: &str = "[limits]\nci_repairs = 0\n";

/// Somebody's workflow begins on a commit; its only job is called `test`. Says the run.
fn starts(w: &World, workflow: &str, sha: &str) -> u64 {
    starts_jobs(w, workflow, sha, &["test"])
}

fn starts_jobs(w: &World, name: &str, sha: &str, jobs: &[&str]) -> u64 {
    w.minutes_pass(1);
    let path = format!(".github/workflows/{name}.yml");
    let spec = WorkflowSpec { name, path: &path, event: "push", branch: None, sha, jobs };
    w.maintainer().starts_workflow(REPO, &spec).unwrap()
}

fn ends(w: &World, run: u64, conclusion: &str) {
    w.minutes_pass(1);
    let end = JobEnd { name: "test", conclusion, log: "not ok\n", annotations: &[] };
    w.emulator.job_ends(REPO, run, &end).unwrap();
}

/// A workflow begins and ends.
fn says(w: &World, workflow: &str, sha: &str, conclusion: &str) -> u64 {
    let run = starts(w, workflow, sha);
    ends(w, run, conclusion);
    run
}

/// A fix whose checks nobody requires, and one whose `test` is required.
async fn fixes() -> Vec<(World, u64, u64)> {
    let free = with_rules(NO_REPAIRS).await;
    let bound = with_rules(NO_REPAIRS).await;
    bound.0.emulator.require_checks(REPO, "main", &["test"], Requirement::Ruleset).unwrap();
    vec![free, bound]
}

#[tokio::test]
async fn a_red_check_is_not_hidden_by_a_newer_green_one_of_another_workflow() {
    for (w, _, pull) in fixes().await {
        let head = w.only_pull().head_sha;
        says(&w, "ci", &head, "failure");
        says(&w, "nightly", &head, "success");
        w.approved().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        assert!(
            w.last_words(pull).contains("`test` is red, and it never ran on the base"),
            "{}",
            w.last_words(pull)
        );
        w.ends().await;
    }
}

#[tokio::test]
async fn a_running_check_is_not_hidden_by_a_newer_green_one_of_another_workflow() {
    for (w, issue, _) in fixes().await {
        let head = w.only_pull().head_sha;
        let older = starts(&w, "ci", &head);
        says(&w, "nightly", &head, "success");
        w.approved().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        assert!(w.comments(issue)[0].contains("waits for test"), "{}", w.comments(issue)[0]);
        ends(&w, older, "success");
        w.settle().await;
        assert!(w.only_pull().merged, "{}", w.timeline());
        w.ends().await;
    }
}

#[tokio::test]
async fn a_release_stops_at_a_red_check_behind_a_newer_green_one() {
    for required in [false, true] {
        let (w, issue, pull) = proposed().await;
        if required {
            w.emulator.require_checks(REPO, "main", &["test"], Requirement::Ruleset).unwrap();
        }
        let older = starts(&w, "ci", &pull.head_sha);
        says(&w, "nightly", &pull.head_sha, "success");
        w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
        w.settle().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        assert!(w.comments(issue)[0].contains("it waits for test"), "{}", w.comments(issue)[0]);
        ends(&w, older, "failure");
        w.settle().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        assert!(w.comments(issue)[0].contains("check test is red"), "{}", w.comments(issue)[0]);
        w.maintainer().reruns_jobs(REPO, older, &["test"]).unwrap();
        ends(&w, older, "success");
        w.until("it is merged", |w| w.only_pull().merged).await;
    }
}

/// What another workflow said before does not make a red check look flaky.
#[tokio::test]
async fn a_red_check_is_not_called_flaky_for_what_another_workflow_said() {
    let (w, _, pull) = with_rules(NO_REPAIRS).await;
    let head = w.only_pull().head_sha;
    says(&w, "nightly", &head, "success");
    says(&w, "ci", &head, "failure");
    w.settle().await;
    assert!(
        w.last_words(pull).contains("`test` is red, and it never ran on the base"),
        "{}",
        w.last_words(pull)
    );
    w.ends().await;
}

#[tokio::test]
async fn a_red_check_is_red_on_the_base_too_only_if_the_same_workflow_is() {
    for (ci, nightly, same) in [("failure", "success", true), ("success", "failure", false)] {
        let (w, _, pull) = with_rules(NO_REPAIRS).await;
        let (main, head) = (w.emulator.branches(REPO)["main"].clone(), w.only_pull().head_sha);
        says(&w, "ci", &main, ci);
        says(&w, "nightly", &main, nightly);
        says(&w, "ci", &head, "failure");
        w.settle().await;
        let words = w.last_words(pull);
        assert_eq!(words.contains("it is red on the base too"), same, "{words}");
        w.ends().await;
    }
}

#[tokio::test]
async fn a_workflow_that_is_run_again_turns_its_own_red_to_green() {
    for (w, _, _) in fixes().await {
        let head = w.only_pull().head_sha;
        let ci = says(&w, "ci", &head, "failure");
        says(&w, "nightly", &head, "success");
        w.approved().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        w.maintainer().reruns_jobs(REPO, ci, &["test"]).unwrap();
        w.settle().await;
        assert!(!w.only_pull().merged, "it runs again: {}", w.timeline());
        ends(&w, ci, "success");
        w.settle().await;
        assert!(w.only_pull().merged, "{}", w.timeline());
        w.ends().await;
    }
}

#[tokio::test]
async fn a_workflow_that_is_run_again_does_not_hide_the_red_one_of_another() {
    for (w, _, _) in fixes().await {
        let head = w.only_pull().head_sha;
        says(&w, "ci", &head, "failure");
        let nightly = says(&w, "nightly", &head, "failure");
        w.maintainer().reruns_jobs(REPO, nightly, &["test"]).unwrap();
        ends(&w, nightly, "success");
        w.approved().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        w.ends().await;
    }
}

/// Two jobs of one workflow may have one name, and one machine runs them one after the other.
#[tokio::test]
async fn a_red_job_is_not_hidden_by_a_later_green_one_of_its_name_in_the_same_run() {
    for (w, _, _) in fixes().await {
        let head = w.only_pull().head_sha;
        let ci = starts_jobs(&w, "ci", &head, &["test", "build"]);
        ends(&w, ci, "failure");
        w.emulator.job_begins(REPO, ci, "test").unwrap();
        ends(&w, ci, "success");
        let built = JobEnd { name: "build", conclusion: "success", log: "", annotations: &[] };
        w.emulator.job_ends(REPO, ci, &built).unwrap();
        w.approved().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        w.ends().await;
    }
}

/// Two jobs of one name are taken for one that was run again only where GitHub says so.
#[tokio::test]
async fn a_red_job_counts_where_github_does_not_say_which_attempt_it_is_of() {
    for status in [403, 404] {
        let (w, _, _) = with_rules(NO_REPAIRS).await;
        let silence = Fault::on("GET", "/repos/*/*/actions/jobs/*").times(usize::MAX);
        w.emulator.plan(silence.answers(status));
        let head = w.only_pull().head_sha;
        let ci = starts_jobs(&w, "ci", &head, &["test", "build"]);
        ends(&w, ci, "failure");
        w.emulator.job_begins(REPO, ci, "test").unwrap();
        ends(&w, ci, "success");
        let built = JobEnd { name: "build", conclusion: "success", log: "", annotations: &[] };
        w.emulator.job_ends(REPO, ci, &built).unwrap();
        w.approved().await;
        assert!(!w.only_pull().merged, "{}", w.timeline());
        w.ends().await;
    }
}

/// A green job that is red when it is run again is flaky, not the fault of the change.
#[tokio::test]
async fn a_job_that_was_green_before_it_was_run_again_is_called_flaky() {
    let (w, _, pull) = with_rules(NO_REPAIRS).await;
    let head = w.only_pull().head_sha;
    let ci = says(&w, "ci", &head, "success");
    w.maintainer().reruns_jobs(REPO, ci, &["test"]).unwrap();
    ends(&w, ci, "failure");
    w.settle().await;
    assert!(w.last_words(pull).contains("looks flaky"), "{}", w.last_words(pull));
    w.ends().await;
}

/// Ends a job of any name.
fn ends_job(w: &World, run: u64, name: &str, conclusion: &str) {
    w.minutes_pass(1);
    let end = JobEnd { name, conclusion, log: "not ok\n", annotations: &[] };
    w.emulator.job_ends(REPO, run, &end).unwrap();
}

/// A matrix names its jobs after its values; a reusable workflow puts its caller's name in front.
const FAMILIES: [[&str; 2]; 2] =
    [["test (1.80)", "test (stable)"], ["linux / test", "windows / test"]];

#[tokio::test]
async fn of_a_matrix_or_a_reusable_workflow_each_job_is_judged_by_its_own_past() {
    for [first, second] in FAMILIES {
        let (w, _, pull) = with_rules(NO_REPAIRS).await;
        let (main, head) = (w.emulator.branches(REPO)["main"].clone(), w.only_pull().head_sha);
        let on_main = starts_jobs(&w, "ci", &main, &[first, second]);
        ends_job(&w, on_main, first, "success");
        ends_job(&w, on_main, second, "failure");
        let ci = starts_jobs(&w, "ci", &head, &[first, second]);
        ends_job(&w, ci, first, "failure");
        ends_job(&w, ci, second, "success");
        w.settle().await;
        let red = format!("`{first}` is still red after 0 repairs");
        assert!(w.last_words(pull).contains(&red), "{}", w.last_words(pull));
        w.maintainer().reruns_jobs(REPO, ci, &[first]).unwrap();
        ends_job(&w, ci, first, "failure");
        w.settle().await;
        let flaky = w.comments(pull).iter().any(|words| words.contains("flaky"));
        assert!(!flaky, "only the other was ever green: {:?}", w.comments(pull));
        w.ends().await;
    }
}

#[tokio::test]
async fn of_a_matrix_or_a_reusable_workflow_a_job_that_wavers_is_named() {
    for [first, second] in FAMILIES {
        let (w, _, pull) = with_rules(NO_REPAIRS).await;
        let head = w.only_pull().head_sha;
        let ci = starts_jobs(&w, "ci", &head, &[first, second]);
        ends_job(&w, ci, first, "success");
        ends_job(&w, ci, second, "success");
        w.maintainer().reruns_jobs(REPO, ci, &[first, second]).unwrap();
        ends_job(&w, ci, first, "success");
        ends_job(&w, ci, second, "failure");
        w.settle().await;
        let flaky = format!("`{second}` is red, and looks flaky");
        assert!(w.last_words(pull).contains(&flaky), "{}", w.last_words(pull));
        w.ends().await;
    }
}

/// All jobs of a matrix may have one name: what one of them said is not what another did.
#[tokio::test]
async fn a_job_of_a_matrix_is_not_called_flaky_because_its_twin_was_green() {
    let (w, _, pull) = with_rules(NO_REPAIRS).await;
    let head = w.only_pull().head_sha;
    let ci = starts_jobs(&w, "ci", &head, &["test", "test"]);
    ends(&w, ci, "failure");
    ends(&w, ci, "success");
    w.maintainer().reruns_jobs(REPO, ci, &["test", "test"]).unwrap();
    ends(&w, ci, "success");
    ends(&w, ci, "failure");
    w.settle().await;
    let flaky = w.comments(pull).iter().any(|words| words.contains("flaky"));
    assert!(!flaky, "which of them was run again, nobody says: {:?}", w.comments(pull));
    assert!(w.last_words(pull).contains("never ran on the base"), "{}", w.last_words(pull));
    w.ends().await;
}

#[tokio::test]
async fn jobs_of_one_name_that_were_all_green_before_are_called_flaky() {
    let (w, _, pull) = with_rules(NO_REPAIRS).await;
    let head = w.only_pull().head_sha;
    let ci = starts_jobs(&w, "ci", &head, &["test", "test"]);
    ends(&w, ci, "success");
    ends(&w, ci, "success");
    w.maintainer().reruns_jobs(REPO, ci, &["test", "test"]).unwrap();
    ends(&w, ci, "success");
    ends(&w, ci, "failure");
    w.settle().await;
    assert!(w.last_words(pull).contains("looks flaky"), "{}", w.last_words(pull));
    w.ends().await;
}

/// One of two jobs of one name is red on the base: one red here may be that one, two are not.
#[tokio::test]
async fn of_jobs_of_one_name_as_many_may_be_red_as_are_red_on_the_base() {
    for (second, told) in [("success", "it is red on the base too"), ("failure", "is still red")] {
        let (w, _, pull) = with_rules(NO_REPAIRS).await;
        let (main, head) = (w.emulator.branches(REPO)["main"].clone(), w.only_pull().head_sha);
        let on_main = starts_jobs(&w, "ci", &main, &["test", "test"]);
        ends(&w, on_main, "success");
        ends(&w, on_main, "failure");
        let ci = starts_jobs(&w, "ci", &head, &["test", "test"]);
        ends(&w, ci, "failure");
        ends(&w, ci, second);
        w.settle().await;
        assert!(w.last_words(pull).contains(told), "{second}: {}", w.last_words(pull));
        w.ends().await;
    }
}

/// What one workflow did not do is not done, though another with a job of that name did it.
#[tokio::test]
async fn a_required_check_that_one_workflow_skipped_is_waited_for() {
    let (w, issue, _) = with_rules(NO_REPAIRS).await;
    w.emulator.require_checks(REPO, "main", &["test"], Requirement::Ruleset).unwrap();
    let head = w.only_pull().head_sha;
    says(&w, "ci", &head, "skipped");
    says(&w, "nightly", &head, "success");
    w.approved().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    assert!(w.comments(issue)[0].contains("`test` did not run on"), "{}", w.comments(issue)[0]);
    w.ends().await;
}

/// A workflow for pushes and for pull requests, of which each job wants only one of the two.
#[tokio::test]
async fn a_required_check_may_be_skipped_in_one_run_of_the_workflow_that_ran_it_in_another() {
    for [first, second] in [["success", "skipped"], ["skipped", "success"]] {
        let (w, _, _) = with_rules(NO_REPAIRS).await;
        w.emulator.require_checks(REPO, "main", &["test"], Requirement::Ruleset).unwrap();
        let head = w.only_pull().head_sha;
        says(&w, "ci", &head, first);
        says(&w, "ci", &head, second);
        w.approved().await;
        assert!(w.only_pull().merged, "{}", w.timeline());
        w.ends().await;
    }
}

#[tokio::test]
async fn a_required_check_that_was_skipped_is_waited_for_where_nobody_says_by_which_workflow() {
    let (w, issue, _) = with_rules(NO_REPAIRS).await;
    w.emulator.require_checks(REPO, "main", &["test"], Requirement::Ruleset).unwrap();
    let silence = Fault::on("GET", "/repos/*/*/actions/runs").times(usize::MAX).answers(404);
    w.emulator.plan(silence);
    let head = w.only_pull().head_sha;
    says(&w, "ci", &head, "success");
    says(&w, "ci", &head, "skipped");
    w.approved().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    assert!(w.comments(issue)[0].contains("`test` did not run on"), "{}", w.comments(issue)[0]);
    w.ends().await;
}

#[tokio::test]
async fn a_red_status_of_a_required_name_stops_though_the_check_run_is_green() {
    let (w, _, pull) = with_rules(NO_REPAIRS).await;
    let asked = [RequiredCheck { name: "test", app: Some(15_368) }];
    w.emulator.require_checks_of(REPO, "main", &asked, Requirement::Ruleset).unwrap();
    let head = w.only_pull().head_sha;
    says(&w, "ci", &head, "success");
    w.maintainer().reports_status(REPO, &head, "test", "failure").unwrap();
    w.approved().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    assert!(
        w.last_words(pull).contains("`test` is red, and it never ran on the base"),
        "{}",
        w.last_words(pull)
    );
    w.ends().await;
}

/// A name in the rules of the repository is anybody's, though the branch asks one App for it.
#[tokio::test]
async fn a_name_that_the_rules_ask_for_must_be_green_by_whoever_reports_it() {
    let (w, _, _) = with_rules("[checks]\nrequired = [\"test\"]\n[limits]\nci_repairs = 0\n").await;
    let asked = [RequiredCheck { name: "test", app: Some(15_368) }];
    w.emulator.require_checks_of(REPO, "main", &asked, Requirement::Ruleset).unwrap();
    let head = w.only_pull().head_sha;
    says(&w, "ci", &head, "success");
    w.ci_says(&head, "test", "failure");
    w.approved().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    w.ci_says(&head, "test", "success");
    w.settle().await;
    assert!(w.only_pull().merged, "{}", w.timeline());
    w.ends().await;
}

/// A run that was cut off is no reason to say nothing of a red one beside it.
#[tokio::test]
async fn a_red_check_is_told_rather_than_one_that_was_cut_off() {
    let (w, _, pull) = with_rules(NO_REPAIRS).await;
    let head = w.only_pull().head_sha;
    let ci = starts(&w, "ci", &head);
    ends(&w, ci, "failure");
    says(&w, "nightly", &head, "cancelled");
    w.settle().await;
    assert!(
        w.last_words(pull).contains("`test` is red, and it never ran on the base"),
        "{}",
        w.last_words(pull)
    );
    w.ends().await;
}

/// GitHub tells a hundred at a time.
#[tokio::test]
async fn a_red_status_behind_a_hundred_green_ones_is_seen() {
    let (w, _, _) = with_rules(NO_REPAIRS).await;
    let head = w.only_pull().head_sha;
    w.maintainer().reports_status(REPO, &head, "first", "failure").unwrap();
    for number in 0..100 {
        let context = format!("more/{number}");
        w.maintainer().reports_status(REPO, &head, &context, "success").unwrap();
    }
    w.approved().await;
    assert!(!w.only_pull().merged, "{}", w.timeline());
    w.ends().await;
}
