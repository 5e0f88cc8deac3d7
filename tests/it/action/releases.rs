//! How releases behave in the emulator, told by a client that shares no code with the product.

use serde_json::{Value, json};

use super::client::Client;
use super::tokens::{github, job, tip};

const RELEASES: &str = "/repos/acme/widgets/releases";

fn uploads(release: &Value, name: &str) -> String {
    let address = release["upload_url"].as_str().unwrap().replace("{?name,label}", "");
    format!("{address}?name={name}")
}

async fn drafted(client: &Client, tag: &str) -> Value {
    let draft = json!({ "tag_name": tag, "name": tag, "body": "Notes", "draft": true });
    client.post(RELEASES, draft).await.expect(201)
}

#[tokio::test]
async fn a_draft_is_seen_by_writers_only_and_has_no_tag_until_it_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(&folder).await;
    let writer = job(&emulator, &[("contents", "write")]);
    let reader = job(&emulator, &[("contents", "read")]);
    let draft = drafted(&writer, "v1.0.0").await;
    let one = format!("{RELEASES}/{}", draft["id"]);
    assert_eq!(writer.get(RELEASES).await.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(reader.get(RELEASES).await.expect(200), json!([]));
    reader.get(&one).await.expect(404);
    reader.patch(&one, json!({ "draft": false })).await.expect(403);
    writer.get(&format!("{RELEASES}/tags/v1.0.0")).await.expect(404);
    assert!(emulator.tags("acme/widgets").is_empty());
    let published = writer.patch(&one, json!({ "draft": false })).await.expect(200);
    assert_eq!(published["author"]["login"], "github-actions[bot]");
    assert_eq!(emulator.tags("acme/widgets")["v1.0.0"], tip(&writer).await);
    reader.get(&format!("{RELEASES}/tags/v1.0.0")).await.expect(200);
}

#[tokio::test]
async fn a_tag_that_is_there_is_not_moved_by_a_release() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(&folder).await;
    let writer = job(&emulator, &[("contents", "write")]);
    let before = tip(&writer).await;
    let tag = json!({ "ref": "refs/tags/v1.0.0", "sha": before });
    writer.post("/repos/acme/widgets/git/refs", tag.clone()).await.expect(201);
    let refused = writer.post("/repos/acme/widgets/git/refs", tag).await.expect(422);
    assert_eq!(refused["message"], "Reference already exists");
    emulator.create_user("mona");
    let mona = emulator.person("mona");
    mona.pushes("acme/widgets", "main", "More", &[("x", Some("1"))]).unwrap();
    let draft = drafted(&writer, "v1.0.0").await;
    let one = format!("{RELEASES}/{}", draft["id"]);
    writer.patch(&one, json!({ "draft": false })).await.expect(200);
    assert_eq!(emulator.tags("acme/widgets")["v1.0.0"], before);
    let again = drafted(&writer, "v1.0.0").await;
    let again = format!("{RELEASES}/{}", again["id"]);
    let refused = writer.patch(&again, json!({ "draft": false })).await.expect(422);
    assert_eq!(refused["errors"][0]["code"], "already_exists");
}

#[tokio::test]
async fn a_file_of_a_release_says_its_digest_and_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(&folder).await;
    let writer = job(&emulator, &[("contents", "write")]);
    let draft = drafted(&writer, "v1.0.0").await;
    let file = writer.upload(&uploads(&draft, "a%20b.txt"), b"abc").await.expect(201);
    assert_eq!(file["name"], "a.b.txt");
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(file["digest"], digest);
    let refused = writer.upload(&uploads(&draft, "a.b.txt"), b"other").await.expect(422);
    assert_eq!(refused["errors"][0]["code"], "already_exists");
    // The API itself takes no files.
    let api = format!("{RELEASES}/{}/assets?name=c.txt", draft["id"]);
    writer.post(&api, json!({ "a": 1 })).await.expect(404);
    let path = format!("{RELEASES}/assets/{}", file["id"]);
    let content = writer.get_with(&path, &[("accept", "application/octet-stream")]).await;
    // It lies elsewhere, where everybody may have it for a minute.
    assert_eq!(content.status, 302);
    let place = content.header("location").to_owned();
    let there = reqwest::Client::builder().no_proxy().build().unwrap().get(place).send();
    assert_eq!(there.await.unwrap().text().await.unwrap(), "abc");
}

#[tokio::test]
async fn collaborators_are_listed_with_what_they_may_do() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(&folder).await;
    for (login, role) in [("mona", "maintain"), ("hubot", "write"), ("octo", "admin")] {
        emulator.create_user(login);
        emulator.set_permission("acme/widgets", login, role).unwrap();
    }
    let client = job(&emulator, &[]);
    let logins = async |query: &str| -> Vec<String> {
        let all = client.get(&format!("/repos/acme/widgets/collaborators{query}")).await;
        let all = all.expect(200);
        let all = all.as_array().unwrap().iter();
        all.map(|one| one["login"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(logins("").await, ["mona", "hubot", "octo"]);
    assert_eq!(logins("?permission=maintain").await, ["mona", "octo"]);
}
