//! The same thing said twice, or in another order, is said once.

use futures_util::future::join_all;
use gander_emulator::{DeliveryFault, Verdict};

use crate::wire::{Post, guid};
use crate::world::{REPO, World, good_fix, off_by_one};

/// A world in which the maintainer has commented, and that delivery as it would be sent.
async fn commanded() -> (World, u64, Post) {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.settle().await;
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.emulator.plan_delivery(DeliveryFault::Lose);
    w.emulator.deliver_all().await;
    let lost = w.emulator.deliveries().pop().unwrap();
    let post =
        Post::new(&w, &lost.event, lost.payload.to_string()).with("X-GitHub-Delivery", lost.guid);
    (w, issue, post)
}

fn one_of_each(w: &World, issue: u64) {
    assert_eq!(w.only_pull().state, "open");
    assert_eq!(w.our_branches().len(), 1);
    assert_eq!(w.comments(issue).len(), 2, "one status, one announcement: {}", w.timeline());
    let eyes = w.issue(issue).comments.iter().map(|comment| comment.reactions.len()).sum::<usize>();
    assert_eq!(eyes + w.issue(issue).reactions.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_delivery_a_hundred_times_at_once_starts_one_job() {
    let (w, issue, post) = commanded().await;
    let statuses = join_all((0..100).map(|_| post.send(&w))).await;
    assert_eq!(statuses, [202; 100]);
    assert_eq!(w.store.queue_length().await.unwrap(), 1);
    w.settle().await;

    one_of_each(&w, issue);
    w.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_captured_delivery_replayed_under_a_hundred_new_names_does_nothing_more() {
    let (w, issue, post) = commanded().await;
    let posts: Vec<Post> =
        (1..=100).map(|n| post.clone().with("X-GitHub-Delivery", guid(n))).collect();
    let statuses = join_all(posts.iter().map(|post| post.send(&w))).await;
    assert_eq!(statuses, [202; 100]);
    w.settle().await;
    for post in &posts {
        assert_eq!(post.send(&w).await, 202);
    }
    w.settle().await;

    one_of_each(&w, issue);
    w.ends().await;
}

#[tokio::test]
async fn the_same_comment_told_in_other_words_starts_nothing_more() {
    // Not the same bytes: only the comment's number says that it is the same act.
    let (w, issue, post) = commanded().await;
    for n in 0..5 {
        let mut again = post.body.clone();
        again.extend(std::iter::repeat_n(b' ', n));
        let again = Post::new(&w, "issue_comment", again);
        let again = again.with("X-GitHub-Delivery", guid(u32::try_from(n).unwrap() + 1));
        assert_eq!(again.send(&w).await, 202);
        w.settle().await;
    }
    one_of_each(&w, issue);
    w.ends().await;
}

#[tokio::test]
async fn a_signed_body_under_another_event_name_is_put_aside() {
    let (w, issue, post) = commanded().await;
    for (n, event) in
        ["issues", "pull_request", "pull_request_review", "push"].into_iter().enumerate()
    {
        let guid = guid(u32::try_from(n).unwrap() + 1);
        let forged = post.clone().with("X-GitHub-Event", event).with("X-GitHub-Delivery", guid);
        assert_eq!(forged.send(&w).await, 202, "{event}");
        assert_eq!(w.store.queue_length().await.unwrap(), 0, "{event}");
    }
    let aside = "SELECT count(*) FROM deliveries WHERE quarantine IS NOT NULL";
    let database = format!("sqlite://{}?mode=ro", w.data().join("gander.db").display());
    let database = sqlx::SqlitePool::connect(&database).await.unwrap();
    let kept: i64 = sqlx::query_scalar(aside).fetch_one(&database).await.unwrap();
    assert_eq!(kept, 4, "each is kept for a person to look at");
    database.close().await;
    w.settle().await;
    assert_eq!(w.comments(issue), [] as [&str; 0]);
    w.nothing_was_published();
    w.ends().await;
}

#[tokio::test]
async fn a_forgery_does_not_keep_the_true_delivery_out() {
    let (w, issue, post) = commanded().await;
    let forged = post.clone().with("X-GitHub-Event", "push").with("X-GitHub-Delivery", guid(1));
    assert_eq!(forged.send(&w).await, 202);
    assert_eq!(post.send(&w).await, 202);
    w.settle().await;

    one_of_each(&w, issue);
    w.ends().await;
}

#[tokio::test]
async fn an_issue_born_with_two_labels_starts_exactly_one_job() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let labels = ["bug", "gander:fix"];
    let issue = w.maintainer().opens_issue(REPO, "Count is one too low", "", &labels).unwrap();
    w.settle().await;

    one_of_each(&w, issue);
    assert_eq!(w.issue(issue).labels, ["bug"]);
    w.ends().await;
}

#[tokio::test]
async fn two_people_asking_at_once_get_one_job_after_the_other() {
    let w = World::with_project(off_by_one()).await;
    w.emulator.set_permission(REPO, "hubot-fan", "maintain").unwrap();
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.stranger().comments(REPO, issue, "/gander fix").unwrap();
    w.settle().await;

    assert_eq!(w.only_pull().state, "open");
    let waiting = w.comments(issue).iter().filter(|text| text.starts_with("**Waiting**")).count();
    assert_eq!(waiting, 1, "{:#?}", w.comments(issue));
    w.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_on_many_issues_do_each_thing_once() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issues: Vec<u64> = (0..4).map(|_| w.reported()).collect();
    for issue in &issues {
        w.maintainer().comments(REPO, *issue, "/gander fix").unwrap();
    }
    w.emulator.deliver_all().await;
    let worker = || async { while w.step().await {} };
    join_all([worker(), worker(), worker(), worker()]).await;
    w.minutes_pass(1);
    w.settle().await;

    assert_eq!(w.emulator.pulls(REPO).len(), issues.len(), "{}", w.timeline());
    assert_eq!(w.our_branches().len(), issues.len());
    for issue in issues {
        assert_eq!(w.comments(issue).len(), 2, "{}", w.timeline());
    }
    w.ends().await;
}

/// What is delivered about one issue, in whatever order, ends the same.
#[tokio::test]
async fn whatever_the_order_of_arrival_the_end_is_the_same() {
    for order in orders() {
        let w = World::with_project(off_by_one()).await;
        w.model.will(good_fix());
        let issue = w.reported();
        let command = w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        w.maintainer().edits_comment(REPO, command, "/gander fix\n\nPlease.").unwrap();
        w.stranger().comments(REPO, issue, "me too").unwrap();
        let parcels = lost(&w).await;
        assert_eq!(parcels.len(), 4);
        for at in order {
            assert_eq!(parcels[at].send(&w).await, 202);
            w.settle().await;
        }
        one_of_each(&w, issue);
        w.ends().await;
    }
}

/// The issue was closed after the command: whatever arrives first, nothing is published, since
/// GitHub is asked how things stand.
#[tokio::test]
async fn a_closed_issue_stays_closed_whatever_arrives_first() {
    for order in orders() {
        let w = World::with_project(off_by_one()).await;
        w.model.will(good_fix());
        let issue = w.reported();
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        w.maintainer().labels(REPO, issue, "bug").unwrap();
        w.maintainer().closes(REPO, issue).unwrap();
        let parcels = lost(&w).await;
        assert_eq!(parcels.len(), 4);
        for at in order {
            assert_eq!(parcels[at].send(&w).await, 202);
        }
        w.settle().await;
        w.nothing_was_published();
        assert_eq!(w.model.heard().len(), 0);
        assert!(w.comments(issue).len() <= 2, "{:#?}", w.comments(issue));
        w.ends().await;
    }
}

#[tokio::test]
async fn merged_told_twice_and_then_closed_is_merged() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    let pull = w.only_pull().number;
    w.maintainer().reviews(REPO, pull, Verdict::Approves, "looks good").unwrap();
    w.emulator.plan_delivery(DeliveryFault::Duplicate);
    w.emulator.plan_delivery(DeliveryFault::Reorder);
    w.maintainer().merges(REPO, pull, gander_emulator::MergeMethod::Merge).unwrap();
    w.settle().await;

    assert!(w.comments(issue)[0].starts_with("**Merged** by mona\n"), "{}", w.comments(issue)[0]);
    w.ends().await;
}

/// Takes all that waits away from GitHub, to be delivered by hand.
async fn lost(w: &World) -> Vec<Post> {
    let before = w.emulator.deliveries().len() - w.emulator.waiting_deliveries();
    for _ in 0..w.emulator.waiting_deliveries() {
        w.emulator.plan_delivery(DeliveryFault::Lose);
    }
    w.emulator.deliver_all().await;
    let lost = w.emulator.deliveries().split_off(before);
    let wanted = lost.into_iter().filter(|delivery| delivery.event.starts_with("issue"));
    wanted
        .map(|delivery| {
            let post = Post::new(w, &delivery.event, delivery.payload.to_string());
            post.with("X-GitHub-Delivery", delivery.guid)
        })
        .collect()
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for n in 0..256 {
        let order = [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3];
        if (0..4).all(|at| order.contains(&at)) {
            orders.push(order);
        }
    }
    assert_eq!(orders.len(), 24);
    orders
}
