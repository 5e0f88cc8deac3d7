//! What a job's token may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use gander_emulator::{Emulator, Options, RepositorySpec};
use serde_json::json;

use super::client::Client;

const REPO: &str = "acme/widgets";

pub(crate) async fn github(folder: &tempfile::TempDir) -> Emulator {
    let options = Options { root: folder.path().to_owned(), clock: Arc::new(|| 1_767_225_600_000) };
    let emulator = Emulator::start(options).await.unwrap();
    emulator.create_organization("acme");
    let files = [("README.md", "# Widgets\n")];
    emulator.create_repository(RepositorySpec::new("acme", "widgets", &files)).unwrap();
    emulator.create_repository(RepositorySpec::new("acme", "secrets", &files)).unwrap();
    emulator
}

pub(crate) fn job(emulator: &Emulator, permissions: &[(&str, &str)]) -> Client {
    let permissions: BTreeMap<String, String> =
        permissions.iter().map(|(name, level)| ((*name).into(), (*level).into())).collect();
    let token = emulator.job_token(REPO, &permissions).unwrap();
    Client::anonymous(emulator).with(&format!("Bearer {token}"))
}

pub(crate) async fn tip(client: &Client) -> String {
    let main = client.get("/repos/acme/widgets/git/ref/heads/main").await.expect(200);
    main["object"]["sha"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_may_do_what_its_permissions_say_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(&folder).await;
    let reader = job(&emulator, &[("contents", "read"), ("pull-requests", "read")]);
    let sha = tip(&reader).await;
    let tag = json!({ "ref": "refs/tags/v1", "sha": sha });
    reader.post("/repos/acme/widgets/git/refs", tag.clone()).await.expect(403);
    reader.get("/repos/acme/widgets/pulls").await.expect(200);
    reader.get("/repos/acme/widgets/issues").await.expect(403);
    let writer = job(&emulator, &[("contents", "write")]);
    writer.post("/repos/acme/widgets/git/refs", tag).await.expect(201);
}

#[tokio::test]
async fn a_job_reaches_its_own_repository_only_and_only_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(&folder).await;
    let client = job(&emulator, &[("contents", "write"), ("issues", "write")]);
    client.get("/repos/acme/secrets/git/ref/heads/main").await.expect(404);
    let issue = json!({ "title": "From a workflow" });
    let made = client.post("/repos/acme/widgets/issues", issue).await.expect(201);
    assert_eq!(made["user"]["login"], "github-actions[bot]");
    assert_eq!(made["user"]["type"], "Bot");
    emulator.end_job(client.secret());
    client.get("/repos/acme/widgets/git/ref/heads/main").await.expect(401);
}
