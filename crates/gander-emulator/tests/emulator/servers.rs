//! Servers that are not github.com.

use gander_emulator::ServerKind;
use serde_json::{Value, json};

use crate::{Client, Mailbox, REPO, World};

#[tokio::test]
async fn an_enterprise_server_says_its_version_and_counts_no_requests() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    world.emulator.becomes(ServerKind::Enterprise);
    let client = world.client().await;
    let issue = world.emulator.person("mona").opens_issue(REPO, "Broken", "", &[]).unwrap();
    for n in 0..3 {
        world.emulator.person("mona").comments(REPO, issue, &format!("{n}")).unwrap();
    }
    let list = client.get(&format!("/repos/{REPO}/issues/{issue}/comments?per_page=2")).await;
    assert_eq!(list.header("x-github-enterprise-version"), "3.19.0");
    assert_eq!(list.header("x-ratelimit-remaining"), "");
    let own = format!("<{}/repos/", world.emulator.api_url());
    assert!(list.header("link").starts_with(&own), "{}", list.header("link"));
    let limits = client.get("/rate_limit").await.expect(404);
    assert_eq!(limits["message"], "Rate limiting is not enabled.");
    let digest = "0".repeat(64);
    let attestations = format!("/repos/{REPO}/attestations/sha256:{digest}");
    client.get(&attestations).await.expect(404);

    world.emulator.deliver_all().await;
    let (headers, _) = mailbox.letters().pop().unwrap();
    assert_eq!(headers["x-github-enterprise-version"], "3.19.0");
    assert_eq!(headers["x-github-enterprise-host"], "127.0.0.1");
}

#[tokio::test]
async fn where_only_what_must_be_there_is_sent_the_rest_is_gone_at_every_depth() {
    let world = World::new().await;
    let mailbox = Mailbox::of(&world).await;
    let client = world.client().await;
    let number = world.emulator.person("mona").opens_issue(REPO, "Broken", "it is", &[]).unwrap();
    let path = format!("/repos/{REPO}/issues/{number}");
    let (whole, names) =
        (client.get(&path).await.expect(200), ["node_id", "performed_via_github_app"]);
    assert!(names.iter().all(|name| whole.get(name).is_some()), "{whole}");
    assert!(whole["user"].get("user_view_type").is_some(), "{whole}");

    world.emulator.becomes(ServerKind::RequiredOnly);
    let short = client.get(&path).await.expect(200);
    assert_eq!(names.map(|name| short.get(name).is_some()), [true, false], "{short}");
    assert!(short["user"].get("user_view_type").is_none(), "{short}");
    // What the description says in words stays, and an error need not say a thing.
    assert_eq!(short["body"], "it is");
    assert_eq!(client.get(&format!("/repos/{REPO}/issues/99")).await.expect(404), json!({}));

    world.emulator.person("mona").comments(REPO, number, "hi").unwrap();
    world.emulator.deliver_all().await;
    let (_, body) = mailbox.letters().pop().unwrap();
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert!(told["installation"]["id"].is_u64(), "{told}");
    assert_eq!(told["comment"]["user"].as_object().unwrap().len(), 2, "{told}");
}

#[tokio::test]
async fn github_itself_says_no_version_and_counts() {
    let world = World::new().await;
    let answer = Client::anonymous(&world.emulator).get(&format!("/repos/{REPO}")).await;
    assert_eq!(answer.header("x-github-enterprise-version"), "");
    assert_ne!(answer.header("x-ratelimit-remaining"), "");
}
