//! Reviews and threads, by people and by REST.

use gander_emulator::{LineNote, Verdict};
use serde_json::{Value, json};

use crate::{REPO, World};

const LIB: &str = "src/lib.rs";
const THREE: &str = "pub fn one() {}\npub fn two() {}\npub fn three() {}\n";

pub(crate) fn note<'a>(line: u64, body: &'a str) -> LineNote<'a> {
    LineNote { path: LIB, line, start_line: None, body }
}

/// A pull request of hubot's that adds two lines to `src/lib.rs`; says its number and head.
pub(crate) fn a_pull(world: &World) -> (u64, String) {
    let hubot = world.emulator.person("hubot");
    let head = hubot.pushes(REPO, "work", "Add two", &[(LIB, Some(THREE))]).unwrap();
    (hubot.opens_pull(REPO, "Fix", "", "work", "main").unwrap(), head)
}

fn path(pull: u64, tail: &str) -> String {
    format!("/repos/{REPO}/pulls/{pull}{tail}")
}

#[tokio::test]
async fn a_review_with_comments_is_read_back_as_it_was_written() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let mona = world.emulator.person("mona");
    let lines = [note(2, "why?"), LineNote { start_line: Some(2), ..note(3, "both") }];
    let verdict = Verdict::RequestsChanges;
    let review = mona.reviews_lines(REPO, pull, verdict, "not yet", &lines).unwrap();
    let seen = client.get(&path(pull, &format!("/reviews/{review}"))).await.expect(200);
    assert_eq!(
        (&seen["state"], &seen["body"], &seen["commit_id"], &seen["user"]["login"]),
        (&json!("CHANGES_REQUESTED"), &json!("not yet"), &json!(head), &json!("mona"))
    );
    let comments = client.get(&path(pull, &format!("/reviews/{review}/comments"))).await;
    let comments = comments.expect(200);
    let (one, two) = (&comments[0], &comments[1]);
    assert_eq!(
        (&one["path"], &one["line"], &one["side"]),
        (&json!(LIB), &json!(2), &json!("RIGHT"))
    );
    assert_eq!((&two["start_line"], &two["line"]), (&json!(2), &json!(3)));
    assert_eq!(one["original_commit_id"], head);
    assert_eq!(one["diff_hunk"], "@@ -1 +1,3 @@\n pub fn one() {}\n+pub fn two() {}");
    assert_eq!(one["pull_request_review_id"], review);
    let all = client.get(&path(pull, "/comments?per_page=1")).await;
    assert!(all.header("link").contains("rel=\"next\""));
    assert_eq!(client.get(&path(pull, "")).await.expect(200)["review_comments"], 2);
    // Only what the pull request changes can be commented on.
    assert!(mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[note(9, "?")]).is_err());
    let elsewhere = LineNote { path: "README.md", ..note(1, "?") };
    assert!(mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[elsewhere]).is_err());
}

#[tokio::test]
async fn a_reply_stands_in_its_thread_and_in_a_review_of_its_own() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    let review = mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[note(2, "why?")]).unwrap();
    let first = client.get(&path(pull, "/comments")).await.expect(200)[0]["id"].clone();
    let replies = path(pull, &format!("/comments/{first}/replies"));
    let reply = client.post(&replies, json!({ "body": "because" })).await.expect(201);
    assert_eq!((&reply["in_reply_to_id"], &reply["user"]["type"]), (&first, &json!("Bot")));
    assert_ne!(reply["pull_request_review_id"], review);
    assert_eq!((&reply["path"], &reply["line"]), (&json!(LIB), &json!(2)));
    mona.replies(REPO, reply["id"].as_u64().unwrap(), "I see").unwrap();
    let all = client.get(&path(pull, "/comments")).await.expect(200);
    assert_eq!(all[2]["in_reply_to_id"], first);
    // A reply is no place to reply to.
    let replies = path(pull, &format!("/comments/{}/replies", reply["id"]));
    client.post(&replies, json!({ "body": "again" })).await.expect(404);
    let narrow = json!({ "permissions": { "pull_requests": "read" } });
    let reader = world.as_app().installation(world.installation, narrow).await;
    let replies = path(pull, &format!("/comments/{first}/replies"));
    reader.post(&replies, json!({ "body": "no" })).await.expect(403);
}

#[tokio::test]
async fn an_app_may_review_but_not_its_own_and_its_user_is_a_bot() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let approval = json!({ "event": "APPROVE", "body": "good", "commit_id": head });
    let review = client.post(&path(pull, "/reviews"), approval.clone()).await.expect(200);
    assert_eq!((&review["state"], &review["user"]["type"]), (&json!("APPROVED"), &json!("Bot")));
    let main = world.tip("main");
    let other = json!({ "event": "COMMENT", "body": "x", "commit_id": "0".repeat(40) });
    client.post(&path(pull, "/reviews"), other).await.expect(422);
    client.post(&path(pull, "/reviews"), json!({ "event": "COMMENT" })).await.expect(422);
    client.post(&path(pull, "/reviews"), json!({ "body": "later" })).await.expect(501);
    let line = json!({ "path": LIB, "line": 40, "body": "?" });
    let nowhere = json!({ "event": "COMMENT", "comments": [line] });
    let words = client.post(&path(pull, "/reviews"), nowhere).await.expect(422);
    assert_eq!(words["errors"], json!(["Line could not be resolved"]));

    let branch = json!({ "ref": "refs/heads/mine", "sha": head });
    client.post(&format!("/repos/{REPO}/git/refs"), branch).await.expect(201);
    let mine = json!({ "title": "Mine", "head": "mine", "base": "main" });
    let mine = client.post(&format!("/repos/{REPO}/pulls"), mine).await.expect(201);
    let own = path(mine["number"].as_u64().unwrap(), "/reviews");
    let words = client.post(&own, approval).await.expect(422);
    assert_eq!(words["errors"], json!(["Can not approve your own pull request"]));
    assert_eq!(world.tip("main"), main);
}

#[tokio::test]
async fn a_dismissed_review_has_no_verdict_any_more() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    let review = mona.reviews(REPO, pull, Verdict::RequestsChanges, "no").unwrap();
    let dismissals = path(pull, &format!("/reviews/{review}/dismissals"));
    client.put(&dismissals, json!({})).await.expect(422);
    let done = client.put(&dismissals, json!({ "message": "settled" })).await.expect(200);
    assert_eq!(done["state"], "DISMISSED");
    client.put(&dismissals, json!({ "message": "settled" })).await.expect(422);
    let other = mona.reviews(REPO, pull, Verdict::Approves, "").unwrap();
    mona.dismisses_review(REPO, other).unwrap();
    let all = client.get(&path(pull, "/reviews")).await.expect(200);
    assert_eq!(all[1]["state"], "DISMISSED");
}

#[tokio::test]
async fn reviewers_are_asked_again_and_taken_back() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    let asked = path(pull, "/requested_reviewers");
    let whom = |login: &str| json!({ "reviewers": [login] });
    client.post(&asked, whom("mona")).await.expect(201);
    mona.reviews(REPO, pull, Verdict::Comments, "hm").unwrap();
    assert_eq!(client.get(&asked).await.expect(200)["users"], json!([]));
    client.post(&asked, whom("mona")).await.expect(201);
    assert_eq!(client.get(&asked).await.expect(200)["users"][0]["login"], "mona");
    let words = client.post(&asked, whom("hubot")).await.expect(422);
    assert_eq!(words["message"], "Review cannot be requested from pull request author.");
    let left = client.send(reqwest::Method::DELETE, &asked, &[], Some(whom("mona"))).await;
    assert_eq!(left.unwrap().expect(200)["requested_reviewers"], json!([]));
}

#[tokio::test]
async fn a_comment_follows_its_line_until_the_line_changes() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let mona = world.emulator.person("mona");
    mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[note(2, "a"), note(3, "b")]).unwrap();
    let text = "// new\npub fn one() {}\npub fn two() {}\npub fn tree() {}\n";
    let next = mona.pushes(REPO, "work", "Change", &[(LIB, Some(text))]).unwrap();
    let seen = client.get(&path(pull, "/comments")).await.expect(200);
    let (kept, gone) = (&seen[0], &seen[1]);
    assert_eq!((&kept["line"], &kept["original_line"]), (&json!(3), &json!(2)));
    assert_eq!((&kept["commit_id"], &kept["original_commit_id"]), (&json!(next), &json!(head)));
    assert_eq!((&gone["line"], &gone["position"]), (&Value::Null, &Value::Null));
    assert_eq!((&gone["commit_id"], &gone["original_line"]), (&json!(head), &json!(3)));
}

#[tokio::test]
async fn an_edit_by_another_moves_the_comment_and_is_recorded() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    mona.reviews_lines(REPO, pull, Verdict::Comments, "so", &[note(2, "why?")]).unwrap();
    let comment = client.get(&path(pull, "/comments")).await.expect(200)[0].clone();
    world.passes(60_000);
    let one = format!("/repos/{REPO}/pulls/comments/{}", comment["id"]);
    let edited = client.patch(&one, json!({ "body": "approved" })).await.expect(200);
    assert_eq!((&edited["body"], &edited["user"]["login"]), (&json!("approved"), &json!("mona")));
    assert_ne!(edited["updated_at"], comment["updated_at"]);
    assert_eq!(edited["created_at"], comment["created_at"]);
    assert!(world.timeline().iter().any(|line| line.starts_with("gander[bot] edited a review")));
}
