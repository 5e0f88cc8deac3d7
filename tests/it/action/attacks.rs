//! Attacks on the Action, as SECURITY.md lists them (A01 to A14). More stand in `publish.rs`.

use gander_emulator::{MergeMethod, Verdict};
use serde_json::json;

use super::client::Client;
use super::publish::stops;
use super::world::{REPO, World};

const WORKFLOW: &str = include_str!("../../../action/examples/gander-release.yml");

#[tokio::test(flavor = "multi_thread")]
async fn a02_a_branch_that_was_forced_or_made_anew_needs_a_new_approval() {
    for way in ["force-push", "another pull request of that branch"] {
        let mut world = World::with_release().await;
        world.reviews("mona", Verdict::Approves);
        let bot = world.emulator.person("gander[bot]");
        let changelog = "# Changelog\n\n## 1.2.0\n\n- evil\n";
        let files = [("CHANGELOG.md", Some(changelog)), ("evil", Some("1\n"))];
        if way == "force-push" {
            let hubot = world.emulator.create_user("hubot");
            let message =
                format!("Evil\n\nRequested-by: hubot <{hubot}+hubot@users.noreply.github.com>");
            let other = bot.pushes(REPO, "elsewhere", &message, &files).unwrap();
            bot.force_pushes(REPO, "gander/release", &other).unwrap();
            world.head = other;
        } else {
            bot.deletes_branch(REPO, "gander/release").unwrap();
            world.opens_release("gander/release", "main");
            world.head = bot.pushes(REPO, "gander/release", "Evil", &files).unwrap();
        }
        world.ci_says("success");
        world.commit =
            world.emulator.person("mona").merges(REPO, world.pull, MergeMethod::Squash).unwrap();
        world.given();
        world.builds().await;
        stops(&world.publishes().await, &["approved"]);
        world.nothing_is_published();
    }
}

/// The lines of one job of the workflow that we ship, without comments.
fn job(name: &str) -> Vec<&'static str> {
    let lines = WORKFLOW.lines().skip_while(|line| *line != format!("  {name}:")).skip(1);
    let own = lines.take_while(|line| line.is_empty() || line.starts_with("   "));
    own.map(|line| line.split(" #").next().unwrap_or_default().trim()).collect()
}

#[test]
fn a10_the_jobs_that_run_the_repositorys_code_have_nothing_to_steal() {
    for name in ["test", "build"] {
        let lines = job(name);
        let rights = lines.iter().skip_while(|line| **line != "permissions:").skip(1);
        let rights: Vec<_> = rights.take_while(|line| **line != "steps:").collect();
        let rights: Vec<_> = rights.into_iter().take_while(|line| **line != "outputs:").collect();
        assert_eq!(rights, [&"contents: read"], "{name}");
        assert!(lines.contains(&"persist-credentials: false"), "{name}");
        let has = |part: &str| lines.iter().any(|line| line.contains(part));
        assert!(!has("token") && !has("secrets") && !has("cache"), "{name}: {lines:?}");
    }
    let publish = job("publish");
    assert!(publish.contains(&"contents: write"));
    for part in ["checkout", "cache", "run:"] {
        assert!(!publish.iter().any(|line| line.contains(part)), "{part}");
    }
}

/// Not ours to stop: GitHub lets the App's key do it, and SECURITY.md says so.
#[tokio::test(flavor = "multi_thread")]
async fn a14_a_thief_of_the_apps_key_can_push_a_tag_and_a_release_and_we_say_so() {
    let world = World::with_release().await;
    let now = chrono::Utc::now().timestamp_millis();
    let thief = Client::app(&world.emulator, &world.app, now);
    let thief = thief.installation(world.installation, json!({})).await;
    let base = "/repos/acme/widgets";
    let tag = json!({ "ref": "refs/tags/v9.9.9", "sha": world.head });
    thief.post(&format!("{base}/git/refs"), tag).await.expect(201);
    let release = json!({ "tag_name": "v9.9.9", "name": "v9.9.9", "body": "evil" });
    thief.post(&format!("{base}/releases"), release).await.expect(201);
    let said =
        include_str!("../../../SECURITY.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("write tags and releases where no ruleset forbids it"), "{said}");
}
