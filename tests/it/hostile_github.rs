//! GitHub is slow, full, forgetful or gone, and nothing is lost, doubled or asked in a loop.

use gander_emulator::{Fault, LimitPlan};
use serde_json::json;

use crate::world::{REPO, World, good_fix, off_by_one};

async fn world() -> World {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w
}

fn one_of_each(w: &World, issue: u64) {
    assert_eq!(w.only_pull().state, "open");
    assert_eq!(w.our_branches().len(), 1);
    assert_eq!(w.comments(issue).len(), 2, "{}", w.timeline());
}

/// Lets time pass until nothing is left, at most so many minutes; says how many it took.
async fn minutes_until_rest(w: &World, most: i64) -> i64 {
    let begun = w.now();
    while w.now() < begun + most * 60_000 {
        w.settle().await;
        if w.store.queue_length().await.unwrap() == 0 {
            return (w.now() - begun) / 60_000;
        }
        w.minutes_pass(1);
    }
    panic!("not at rest after {most} minutes: {}", w.timeline());
}

#[tokio::test]
async fn when_github_says_wait_nothing_is_asked_until_then() {
    let secondary = json!({
        "message": "You have exceeded a secondary rate limit.",
        "documentation_url":
            "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
    });
    for (what, fault, seconds) in [
        ("403", Fault::on("POST", "**").nth(3).answers(403).with_header("retry-after", "90"), 90),
        ("429", Fault::on("PATCH", "**").nth(1).answers(429).with_header("retry-after", "90"), 90),
        ("429 alone", Fault::on("PATCH", "**").nth(1).answers(429), 60),
        ("secondary", Fault::on("PATCH", "**").nth(1).answers(403).with_body(secondary), 60),
    ] {
        let w = world().await;
        let issue = w.reported();
        w.settle().await;
        let fault = w.emulator.plan(fault);
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        w.until(what, |w| w.emulator.fault_hits(fault) == 1).await;
        let (asked, since) = (w.emulator.exchanges().len(), w.now());
        while w.step().await {}
        let later = w.emulator.exchanges().split_off(asked);
        let as_installation = later.iter().filter(|exchange| !exchange.path.starts_with("/app/"));
        assert_eq!(as_installation.count(), 0, "{what}: asked while told to wait");
        let due = w.store.next_due().await.unwrap().unwrap().0;
        assert!(due >= since + seconds * 1000, "{what}: due after {} ms", due - since);
        w.settle().await;
        one_of_each(&w, issue);
        w.ends().await;
    }
}

#[tokio::test]
async fn a_used_up_hour_is_waited_out() {
    let w = world().await;
    let issue = w.reported();
    w.settle().await;
    w.emulator.set_limits(LimitPlan { requests_per_hour: 25, ..LimitPlan::default() });
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    let minutes = minutes_until_rest(&w, 240).await;
    assert!((55..200).contains(&minutes), "{minutes} minutes");
    one_of_each(&w, issue);
    let refused = w.emulator.exchanges().iter().filter(|e| matches!(e.status, 403 | 429)).count();
    // What is asked side by side as an hour ends is refused together.
    let hours = usize::try_from(minutes / 60).unwrap() + 1;
    assert!(refused <= 2 * hours, "{refused} refusals in {hours} hours: it asked although it knew");
    w.ends().await;
}

#[tokio::test]
async fn githubs_own_limits_are_never_met() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(vec![crate::world::finish("none")]);
    // More to do at once than GitHub takes in a minute.
    let mut issues = Vec::new();
    for _ in 0..12 {
        let issue = w.reported();
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        issues.push(issue);
    }
    minutes_until_rest(&w, 60).await;
    let refused = w.emulator.exchanges().iter().filter(|e| matches!(e.status, 403 | 429)).count();
    assert_eq!(refused, 0);
    for issue in issues {
        assert_eq!(w.comments(issue).len(), 2);
    }
    w.ends().await;
}

#[tokio::test]
async fn a_github_that_is_down_is_asked_again_and_again_but_seldom() {
    let w = world().await;
    let issue = w.reported();
    w.settle().await;
    let fault = w.emulator.plan(Fault::on("*", "**").answers(502));
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    for _ in 0..10 {
        w.settle().await;
        w.minutes_pass(1);
    }
    let asked = w.emulator.fault_hits(fault);
    assert!((3..60).contains(&asked), "asked {asked} times in ten minutes");
    w.emulator.cancel(fault);
    minutes_until_rest(&w, 30).await;
    one_of_each(&w, issue);
    w.ends().await;
}

#[tokio::test]
async fn a_token_that_dies_between_two_steps_is_replaced() {
    // At each request of the story in turn, GitHub knows the token no more.
    let undisturbed = world().await;
    undisturbed.fixed().await;
    let writes = undisturbed.emulator.mutations().len();
    for number in 1..=writes {
        let w = world().await;
        let issue = w.reported();
        w.settle().await;
        let fault = w.emulator.plan(Fault::on_mutation(number).answers(401));
        w.says(issue, "/gander fix").await;
        minutes_until_rest(&w, 30).await;
        assert_eq!(w.emulator.fault_hits(fault), 1);
        one_of_each(&w, issue);
        w.ends().await;
    }
}

#[tokio::test]
async fn a_job_longer_than_a_token_lives_goes_on() {
    let w = world().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until("the agent works", |w| !w.model.heard().is_empty()).await;
    w.minutes_pass(61);
    w.step().await;
    w.minutes_pass(61);
    w.settle().await;
    one_of_each(&w, issue);
    assert!(!w.emulator.exchanges().iter().any(|exchange| exchange.status == 401));
    w.ends().await;
}

#[tokio::test]
async fn an_app_that_is_removed_while_it_works_stops_in_peace() {
    for suspend in [true, false] {
        let w = world().await;
        let issue = w.reported();
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        w.until("the agent works", |w| !w.model.heard().is_empty()).await;
        let installation = w.emulator.install(w.app.app_id, &[REPO]).unwrap();
        if suspend {
            w.emulator.suspend(installation);
        } else {
            w.emulator.uninstall(installation);
        }
        let asked = w.emulator.exchanges().len();
        minutes_until_rest(&w, 24 * 60).await;
        let asked = w.emulator.exchanges().len() - asked;
        assert!(asked < 200, "{asked} requests to a GitHub that said no");
        w.nothing_was_published();
        w.ends().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_asked_for_again() {
    for (what, fault) in [
        (
            "no permission",
            Fault::on("GET", "/repos/*/*/collaborators/*/permission")
                .nth(1)
                .answers(200)
                .with_body(json!("<html>")),
        ),
        (
            "no issue",
            Fault::on("GET", "/repos/*/*/issues/*").nth(1).answers(200).with_body(json!([])),
        ),
        (
            "no tree",
            Fault::on("POST", "/repos/*/*/git/trees").nth(1).answers(201).with_body(json!({})),
        ),
        (
            "no comments",
            Fault::on("GET", "/repos/*/*/issues/*/comments")
                .nth(2)
                .answers(200)
                .with_body(json!({"a": 1})),
        ),
    ] {
        let w = world().await;
        let issue = w.reported();
        w.settle().await;
        let fault = w.emulator.plan(fault);
        w.says(issue, "/gander fix").await;
        minutes_until_rest(&w, 30).await;
        assert_eq!(w.emulator.fault_hits(fault), 1, "{what}");
        one_of_each(&w, issue);
        w.ends().await;
    }
}

#[tokio::test]
async fn what_was_just_made_may_not_be_found_yet() {
    for path in ["/repos/*/*/git/ref/**", "/repos/*/*/pulls", "/repos/*/*/git/commits/*"] {
        let w = world().await;
        let issue = w.reported();
        w.settle().await;
        w.emulator.plan(Fault::on("GET", path).nth(2).answers(404));
        w.says(issue, "/gander fix").await;
        minutes_until_rest(&w, 30).await;
        // Either it went on, or it ended with words; never a second branch or pull request.
        assert!(w.emulator.pulls(REPO).len() <= 1, "{path}");
        assert!(w.our_branches().len() <= 1, "{path}");
        assert_eq!(w.comments(issue).len(), 2, "{path}");
        w.ends().await;
    }
}

/// A webhook may be faster than what GitHub shows: a command is looked for again.
#[tokio::test]
async fn a_command_that_github_does_not_show_yet_is_carried_out_all_the_same() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let lag =
        w.emulator.plan(Fault::on("GET", "/repos/*/*/issues/comments/*").times(2).answers(404));
    w.fixed().await;
    for _ in 0..3 {
        w.minutes_pass(1);
        w.settle().await;
    }
    assert_eq!(w.emulator.fault_hits(lag), 2);
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

fn ours(w: &World, issue: u64) -> usize {
    let comments = w.issue(issue).comments;
    comments.iter().filter(|it| it.author.ends_with("[bot]")).count()
}

#[tokio::test]
async fn a_server_that_does_not_say_by_which_app_a_comment_is_gets_one_status_comment_all_the_same()
{
    let w = world().await;
    w.emulator.leave_out(&["performed_via_github_app"]);
    let issue = w.fixed().await;

    one_of_each(&w, issue);
    assert_eq!(ours(&w, issue), 2, "one status, one announcement: {}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a_long_list_is_read_to_its_end_though_its_links_name_the_server_otherwise() {
    let w = world().await;
    w.emulator.goes_by("github.internal.example").unwrap();
    let issue = w.reported();
    for n in 0..120 {
        w.stranger().comments(REPO, issue, &format!("me too, the {n}th")).unwrap();
    }
    w.says(issue, "/gander fix").await;

    assert_eq!(w.only_pull().state, "open");
    assert_eq!(ours(&w, issue), 2, "one status, one announcement: {}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a_pull_request_that_github_does_not_show_any_more_is_told_about_once() {
    let w = world().await;
    w.fixed().await;
    let pull = w.only_pull().number;
    let fault = w.emulator.plan(Fault::on("GET", "/repos/*/*/pulls/*").answers(403));
    for _ in 0..4 {
        w.worker.begin_sweeps().await.unwrap();
        w.settle().await;
    }
    let told = |w: &World| {
        let words = w.comments(pull);
        words.iter().filter(|it| it.contains("does not show this pull request")).count()
    };
    assert_eq!(told(&w), 1, "{:?}", w.comments(pull));
    w.emulator.cancel(fault);
    w.approved().await;
    assert!(w.only_pull().merged, "{}", w.timeline());
}
