//! Who pushed a release is told of every commit only where those were people, or Gander itself:
//! which account that is, the workflow file can say. In each story hubot ordered the release, and
//! mona and octo maintain.

use gander_emulator::Verdict;

use super::publish::stops;
use super::world::{REPO, World};

/// A release that an App pushed and opened, approved by mona and built.
async fn opened_by(login: &str) -> World {
    let mut world = World::with_release().await;
    world.emulator.create_user("octo");
    world.emulator.set_permission(REPO, "octo", "maintain").unwrap();
    let (bot, branch) = (world.emulator.person(login), "gander/release-again");
    let hubot = world.emulator.create_user("hubot");
    let message = format!(
        "chore: release 1.2.0\n\nRequested-by: hubot <{hubot}+hubot@users.noreply.github.com>"
    );
    let files = [("CHANGELOG.md", Some("# Changelog\n\n## 1.2.0\n\n- the bounds (#7)\n"))];
    world.head = bot.pushes(REPO, branch, &message, &files).unwrap();
    world.pull = bot.opens_pull(REPO, "Release 1.2.0", "The plan", branch, "main").unwrap();
    world.ci_says("success");
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_another_app_than_the_named_one_needs_two_approvals() {
    let named = [("GANDER_INPUT_GANDER_LOGIN", "gander[bot]")];
    let world = opened_by("ci[bot]").await;
    let ran = world.publishes_with(&named).await;
    stops(&ran, &["mona approved #", "a second person has to", "does not say of every commit"]);
    world.nothing_is_published();
    world.reviews("octo", Verdict::Approves);
    assert_eq!(world.publishes_with(&named).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_the_named_app_needs_one_approval_and_so_does_any_where_none_is_named() {
    let world = opened_by("gander[bot]").await;
    let named = [("GANDER_INPUT_GANDER_LOGIN", "Gander[bot]")];
    assert_eq!(world.publishes_with(&named).await.code, Some(0));
    let world = opened_by("ci[bot]").await;
    assert_eq!(world.publishes().await.code, Some(0));
}
