//! Whoever pushed to a release's branch cannot approve the release alone: the Action asks as the
//! App does. In each story hubot ordered the release and mona maintains.

use gander_emulator::{Fault, Verdict};
use serde_json::json;

use super::publish::stops;
use super::world::{REPO, World};

const LOG: &str = "# Changelog\n\n## 1.2.0\n\n- the bounds, mended\n";

/// A release whose head mona pushed under this name, approved by these people and built.
async fn pushed_by_mona(author: &str, maintainers: &[&str], approved_by: &[&str]) -> World {
    let mut world = World::with_release().await;
    for login in maintainers {
        world.emulator.create_user(login);
        world.emulator.set_permission(REPO, login, "maintain").unwrap();
    }
    let mona = world.emulator.person("mona");
    let edit = [("CHANGELOG.md", Some(LOG))];
    world.head = mona.pushes_as(author, REPO, "gander/release", &edit).unwrap();
    world.ci_says("success");
    for login in approved_by {
        world.reviews(login, Verdict::Approves);
    }
    world.merges();
    world.builds().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_a_release_that_somebody_pushed_under_ganders_name_needs_somebody_else() {
    let world = pushed_by_mona("gander[bot]", &["hubot", "octo"], &["mona"]).await;
    stops(&world.publishes().await, &["mona ordered this release or wrote some of it"]);
    world.nothing_is_published();
    world.reviews("octo", Verdict::Approves);
    assert_eq!(world.publishes().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_where_all_who_could_approve_had_a_hand_in_the_release_two_of_them_do() {
    let world = pushed_by_mona("mona", &["hubot"], &["mona"]).await;
    stops(&world.publishes().await, &["mona approved #", "a second person has to", "Everybody"]);
    world.nothing_is_published();
    world.reviews("hubot", Verdict::Approves);
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    assert!(ran.summary.contains("approved by hubot and mona"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_github_does_not_say_who_pushed_a_release_two_approve() {
    let world = pushed_by_mona("hubot", &["octo"], &["octo"]).await;
    let silence = Fault::on("GET", "/repos/*/*/activity").times(usize::MAX).answers(404);
    let silent = world.emulator.plan(silence);
    stops(&world.publishes().await, &["octo approved #", "does not say of every commit"]);
    world.nothing_is_published();
    world.emulator.cancel(silent);
    assert_eq!(world.publishes().await.code, Some(0), "mona pushed it, and octo is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_person_with_the_role_may_push_and_approve() {
    let world = pushed_by_mona("mona", &[], &["mona"]).await;
    assert_eq!(world.publishes().await.code, Some(0));
}

/// Gander commits on top of the first plan, and its commit says who ordered that.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_ordered_the_release_anew_asked_for_it_too() {
    let mut world = World::with_release().await;
    for login in ["hubot", "octo"] {
        world.emulator.create_user(login);
        world.emulator.set_permission(REPO, login, "maintain").unwrap();
    }
    let mona = world.emulator.create_user("mona");
    let message = format!("Rather so\n\nRequested-by: mona <{mona}+mona@users.noreply.github.com>");
    let bot = world.emulator.person("gander[bot]");
    let edit = [("CHANGELOG.md", Some(LOG))];
    world.head = bot.pushes(REPO, "gander/release", &message, &edit).unwrap();
    world.ci_says("success");
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["mona ordered this release"]);
    world.nothing_is_published();
    world.reviews("octo", Verdict::Approves);
    assert_eq!(world.publishes().await.code, Some(0));
}

/// An objection needs less than an approval: no commit, no time that can be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_changes_without_a_commit_or_a_time_still_stands() {
    let world = World::with_approved_release().await;
    world.emulator.create_user("octo");
    world.emulator.set_permission(REPO, "octo", "maintain").unwrap();
    let person = |login: &str| json!({ "id": world.emulator.create_user(login), "login": login, "type": "User" });
    let reviews = json!([
        { "id": 1, "user": person("octo"), "state": "CHANGES_REQUESTED", "commit_id": null },
        {
            "id": 2,
            "user": person("mona"),
            "state": "APPROVED",
            "commit_id": world.head,
            "submitted_at": chrono::Utc::now().to_rfc3339(),
        },
    ]);
    let told = Fault::on("GET", "/repos/*/*/pulls/*/reviews").times(usize::MAX);
    let told = world.emulator.plan(told.answers(200).with_body(reviews));
    stops(&world.publishes().await, &["octo requested changes"]);
    world.nothing_is_published();
    world.emulator.cancel(told);
    assert_eq!(world.publishes().await.code, Some(0));
}
