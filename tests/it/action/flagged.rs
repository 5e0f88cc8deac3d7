//! What people should look at since the last release is released when one of them says so, or two
//! approve. In each story hubot ordered the release, and mona maintains.

use gander_emulator::Verdict;

use super::publish::stops;
use super::world::{REPO, World};

/// A green release after v1.1.0, since which this file changed on the default branch.
async fn since_which_changed(path: &str) -> World {
    let mut world = World::with_release().await;
    let mona = world.emulator.person("mona");
    mona.tags(REPO, "v1.1.0", &world.first).unwrap();
    mona.pushes(REPO, "main", "chore: mend", &[(path, Some("all:\n"))]).unwrap();
    world.opens_release("gander/release-again", "main");
    world.ci_says("success");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_should_look_at_is_not_published_by_one_silent_approval() {
    let mut world = since_which_changed("Makefile").await;
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    let head = world.head[..12].to_owned();
    let flagged = format!("/gander approve {head} flagged");
    stops(&world.publishes().await, &["mona approved #", "Makefile", &flagged]);
    let silent = format!("/gander approve {head}");
    world.emulator.person("mona").comments(REPO, world.pull, &silent).unwrap();
    stops(&world.publishes().await, &["Makefile", &flagged]);
    assert_eq!(world.emulator.releases(REPO), []);
    world.emulator.person("mona").comments(REPO, world.pull, &flagged).unwrap();
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    // The tag that this run made is not the release before.
    let again = world.publishes_with(&[("GITHUB_RUN_ATTEMPT", "2")]).await;
    assert_eq!(again.code, Some(0), "{}\n{}", again.log, again.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_publish_what_people_should_look_at() {
    let mut world = since_which_changed("Makefile").await;
    world.emulator.create_user("octo");
    world.emulator.set_permission(REPO, "octo", "maintain").unwrap();
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["mona approved #", "Makefile"]);
    world.reviews("octo", Verdict::Approves);
    assert_eq!(world.publishes().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_approval_publishes_what_is_plain() {
    let mut world = since_which_changed("notes.txt").await;
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_last_one_is_not_in_its_history_is_looked_at() {
    let mut world = since_which_changed("notes.txt").await;
    let mona = world.emulator.person("mona");
    let elsewhere = mona.pushes(REPO, "elsewhere", "Elsewhere", &[("a", Some("b"))]).unwrap();
    mona.tags(REPO, "v1.1.0", &elsewhere).unwrap();
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["what changed is not known"]);
}
