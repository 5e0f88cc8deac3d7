//! The emulator keeps to GitHub's own description, on every route it has; and the judge sees what
//! is wrong.
// A test reads its own environment, and unwraps.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use gander::emulator::{
    AppCredentials, AppSpec, CheckOutcome, Emulator, Exchange, MergeMethod, Options,
    RepositorySpec, Requirement, Verdict,
};
use gander_contract::client::Client;
use gander_contract::{Contract, Part};
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600_000;
const REPO: &str = "acme/widgets";
const BASE: &str = "/repos/acme/widgets";

/// Everything GitHub lets an App of this kind do.
const PERMISSIONS: [(&str, &str); 6] = [
    ("metadata", "read"),
    ("contents", "write"),
    ("issues", "write"),
    ("pull_requests", "write"),
    ("checks", "write"),
    ("statuses", "write"),
];

struct World {
    emulator: Emulator,
    app: AppCredentials,
    installation: u64,
    repository: u64,
    mona: u64,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { root: folder.path().to_owned(), clock: Arc::new(|| NOW) };
    let emulator = Emulator::start(options).await.unwrap();
    emulator.create_organization("acme");
    let mona = emulator.create_user("mona");
    let files = [("README.md", "# Widgets\n"), ("src/lib.rs", "pub fn one() {}\n")];
    let spec = RepositorySpec::new("acme", "widgets", &files);
    let repository = emulator.create_repository(spec).unwrap();
    emulator.set_permission(REPO, "mona", "admin").unwrap();
    let permissions = PERMISSIONS.iter().map(|(name, level)| ((*name).into(), (*level).into()));
    let spec = AppSpec {
        slug: "gander".to_owned(),
        webhook_url: Some("http://127.0.0.1:9/hook".parse().unwrap()),
        webhook_secret: "secret".to_owned(),
        permissions: permissions.collect(),
        events: vec!["issues".to_owned(), "issue_comment".to_owned()],
    };
    let app = emulator.create_app(spec).unwrap();
    let installation = emulator.install(app.app_id, &[REPO]).unwrap();
    World { emulator, app, installation, repository, mona, _folder: folder }
}

/// The App, its webhooks and its tokens.
async fn visits_the_app(world: &World) {
    let app = Client::app(&world.emulator, &world.app, NOW);
    let one = format!("/app/installations/{}", world.installation);
    for path in ["/app", "/app/installations?per_page=5", &one, "/app/hook/config"] {
        app.get(path).await.expect(200);
    }
    app.get(&format!("{BASE}/installation")).await.expect(200);
    let narrow = json!({ "repositories": ["widgets"], "permissions": { "contents": "read" } });
    let client = app.installation(world.installation, narrow).await;
    for path in ["/installation/repositories?page=1", "/rate_limit", BASE, "/users/mona"] {
        client.get(path).await.expect(200);
    }
    client.get(&format!("/repositories/{}", world.repository)).await.expect(200);
    client.get(&format!("/user/{}", world.mona)).await.expect(200);
    client.get(&format!("{BASE}/collaborators/mona/permission")).await.expect(200);
    client.delete("/installation/token").await.expect(204);

    world.emulator.deliver_all().await;
    let log = app.get("/app/hook/deliveries?per_page=1&status=failure").await.expect(200);
    let delivery = format!("/app/hook/deliveries/{}", log[0]["id"]);
    app.get(&delivery).await.expect(200);
    app.post(&format!("{delivery}/attempts"), json!({})).await.expect(202);
}

/// Files, trees, commits and branches; says a commit on branch `work`.
async fn visits_the_code(world: &World, client: &Client) -> String {
    let main = world.emulator.branches(REPO)["main"].clone();
    for path in ["contents", "contents/README.md?ref=main", "contents/src", "branches"] {
        client.get(&format!("{BASE}/{path}")).await.expect(200);
    }
    let git = format!("{BASE}/git");
    let blob = json!({ "content": "eA==", "encoding": "base64" });
    let blob = client.post(&format!("{git}/blobs"), blob).await.expect(201);
    let sha = blob["sha"].as_str().unwrap();
    client.get(&format!("{git}/blobs/{sha}")).await.expect(200);
    let entry = |path: &str, sha: &Value| json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha });
    let entries = [entry("a/b", &blob["sha"]), entry("README.md", &Value::Null)];
    let base = client.get(&format!("{git}/trees/{main}?recursive=1")).await.expect(200);
    let tree = json!({ "base_tree": base["sha"], "tree": entries });
    let tree = client.post(&format!("{git}/trees"), tree).await.expect(201);
    let commit = json!({ "message": "Change", "tree": tree["sha"], "parents": [main] });
    let commit = client.post(&format!("{git}/commits"), commit).await.expect(201);
    let sha = commit["sha"].as_str().unwrap().to_owned();
    client.get(&format!("{git}/commits/{sha}")).await.expect(200);
    let branch = json!({ "ref": "refs/heads/work", "sha": main });
    client.post(&format!("{git}/refs"), branch.clone()).await.expect(201);
    client.post(&format!("{git}/refs"), branch).await.expect(422);
    let forward = json!({ "sha": sha, "force": false });
    client.patch(&format!("{git}/refs/heads/work"), forward).await.expect(200);
    client.get(&format!("{git}/ref/heads/work")).await.expect(200);
    client.get(&format!("{git}/matching-refs/heads/wo")).await.expect(200);
    let other = json!({ "ref": "refs/heads/gone", "sha": main });
    client.post(&format!("{git}/refs"), other).await.expect(201);
    client.delete(&format!("{git}/refs/heads/gone")).await.expect(204);

    let commits = client.get(&format!("{BASE}/commits?sha=work&per_page=1")).await.expect(200);
    assert_eq!(commits[0]["sha"], sha);
    client.get(&format!("{BASE}/commits/{sha}")).await.expect(200);
    client.get(&format!("{BASE}/compare/main...work")).await.expect(200);
    for asked_by in [Requirement::Protection, Requirement::Ruleset] {
        world.emulator.require_checks(REPO, "main", &["unit"], asked_by).unwrap();
        client.get(&format!("{BASE}/branches/main")).await.expect(200);
        client.get(&format!("{BASE}/rules/branches/main")).await.expect(200);
    }
    sha
}

/// Issues, comments, reactions and labels.
async fn visits_the_issues(world: &World, client: &Client) {
    let issue = json!({ "title": "Broken", "body": "It is.", "labels": ["bug"] });
    client.post(&format!("{BASE}/issues"), issue).await.expect(201);
    client.post(&format!("{BASE}/issues"), json!({ "title": "" })).await.expect(422);
    let one = format!("{BASE}/issues/1");
    client.get(&format!("{BASE}/issues?state=all&labels=bug&sort=updated")).await.expect(200);
    client.get(&one).await.expect(200);
    let comment = client.post(&format!("{one}/comments"), json!({ "body": "hi" })).await;
    let comment = comment.expect(201);
    let path = format!("{BASE}/issues/comments/{}", comment["id"]);
    client.get(&format!("{one}/comments?per_page=1")).await.expect(200);
    client.get(&format!("{BASE}/issues/comments?since=2026-01-01T00:00:00Z")).await.expect(200);
    client.get(&path).await.expect(200);
    client.patch(&path, json!({ "body": "hello" })).await.expect(200);
    for target in [&one, &path] {
        let content = json!({ "content": "eyes" });
        let reaction = client.post(&format!("{target}/reactions"), content.clone()).await;
        let reaction = reaction.expect(201);
        client.post(&format!("{target}/reactions"), content).await.expect(200);
        client.get(&format!("{target}/reactions?content=eyes")).await.expect(200);
        client.delete(&format!("{target}/reactions/{}", reaction["id"])).await.expect(204);
    }
    client.delete(&path).await.expect(204);

    let label = json!({ "name": "gander:fix", "color": "00ff00", "description": "Fix it" });
    client.post(&format!("{BASE}/labels"), label).await.expect(201);
    client.get(&format!("{BASE}/labels")).await.expect(200);
    client.get(&format!("{BASE}/labels/gander:fix")).await.expect(200);
    let labels = format!("{one}/labels");
    client.post(&labels, json!({ "labels": ["gander:fix"] })).await.expect(200);
    client.get(&labels).await.expect(200);
    client.delete(&format!("{labels}/gander:fix")).await.expect(200);
    client.put(&labels, json!({ "labels": ["bug"] })).await.expect(200);
    let close = json!({ "state": "closed", "state_reason": "completed" });
    client.patch(&one, close).await.expect(200);
    world.emulator.person("mona").opens_issue(REPO, "Gone", "", &[]).unwrap();
    world.emulator.author_vanishes(REPO, 2).unwrap();
    client.get(&format!("{BASE}/issues/2")).await.expect(200);
}

/// Pull requests, checks and statuses.
async fn visits_the_pulls(world: &World, client: &Client, sha: &str) {
    let pulls = format!("{BASE}/pulls");
    let pull = json!({ "title": "Fix", "head": "work", "base": "main", "draft": false });
    let pull = client.post(&pulls, pull.clone()).await.expect(201);
    let one = format!("{pulls}/{}", pull["number"]);
    client.get(&format!("{pulls}?head=acme:work&state=open")).await.expect(200);
    client.get(&one).await.expect(200);
    client.get(&one).await.expect(200);
    client.get(&format!("{BASE}/issues/{}", pull["number"])).await.expect(200);
    client.patch(&one, json!({ "title": "Fix it", "body": "Fixes #1" })).await.expect(200);
    let asked = json!({ "reviewers": ["mona"] });
    client.post(&format!("{one}/requested_reviewers"), asked).await.expect(201);
    let mona = world.emulator.person("mona");
    let number = pull["number"].as_u64().unwrap();
    mona.reviews(REPO, number, Verdict::Approves, "good").unwrap();
    for part in ["files", "commits", "reviews", "requested_reviewers"] {
        client.get(&format!("{one}/{part}")).await.expect(200);
    }

    let runs = format!("{BASE}/check-runs");
    let output = json!({ "title": "Working", "summary": "soon" });
    let run = json!({
        "name": "gander",
        "head_sha": sha,
        "status": "in_progress",
        "external_id": "job-1",
        "output": output,
    });
    let run = client.post(&runs, run).await.expect(201);
    let path = format!("{runs}/{}", run["id"]);
    client.patch(&path, json!({ "conclusion": "success" })).await.expect(200);
    client.get(&path).await.expect(200);
    let status = json!({ "state": "success", "context": "unit", "description": "fine" });
    client.post(&format!("{BASE}/statuses/{sha}"), status).await.expect(201);
    world
        .emulator
        .person("gander[bot]")
        .check_run(REPO, sha, "other", CheckOutcome::InProgress)
        .unwrap();
    for part in ["check-runs?filter=all", "check-suites", "status", "statuses"] {
        client.get(&format!("{BASE}/commits/{sha}/{part}")).await.expect(200);
    }

    client.put(&format!("{one}/merge"), json!({ "sha": sha })).await.expect(200);
    client.get(&one).await.expect(200);
    let more = mona.pushes(REPO, "more", "More", &[("x", Some("1\n"))]).unwrap();
    mona.reports_status(REPO, &more, "unit", "success").unwrap();
    let other = mona.opens_pull(REPO, "More", "", "more", "main").unwrap();
    mona.merges(REPO, other, MergeMethod::Rebase).unwrap();
    client.get(&format!("{pulls}?state=closed")).await.expect(200);
}

/// A day in the life of an App: every route once, each as it is meant.
async fn a_day() -> Vec<Exchange> {
    let world = world().await;
    visits_the_app(&world).await;
    let app = Client::app(&world.emulator, &world.app, NOW);
    let client = app.installation(world.installation, json!({})).await;
    let sha = visits_the_code(&world, &client).await;
    visits_the_issues(&world, &client).await;
    visits_the_pulls(&world, &client, &sha).await;
    client.get(&format!("{BASE}/issues/99")).await.expect(404);
    Client::anonymous(&world.emulator).get(BASE).await.expect(404);
    Client::anonymous(&world.emulator).get("/app").await.expect(401);
    world.emulator.exchanges()
}

#[tokio::test]
async fn every_route_keeps_to_githubs_description() {
    let Some(contract) = Contract::from_environment() else { return };
    let exchanges = a_day().await;
    let seen: BTreeSet<String> = exchanges
        .iter()
        .filter(|exchange| exchange.status < 300)
        .filter_map(|exchange| Some(format!("{} {}", exchange.method, exchange.route.as_ref()?)))
        .collect();
    let missed: Vec<String> =
        Emulator::routes().into_iter().filter(|route| !seen.contains(route)).collect();
    assert_eq!(missed, Vec::<String>::new(), "routes that nobody tried");
    let found: BTreeSet<String> = exchanges
        .iter()
        .flat_map(|exchange| contract.check(exchange))
        .map(|violation| violation.to_string())
        .collect();
    let list: Vec<&str> = found.iter().map(String::as_str).collect();
    assert!(found.is_empty(), "{}", list.join("\n"));
}

/// What other tests wrote down: `GANDER_EXCHANGES` names a folder of JSON files, each a list of
/// exchanges.
#[test]
fn what_was_recorded_keeps_to_githubs_description() {
    let Some(folder) = std::env::var_os("GANDER_EXCHANGES") else { return };
    let Some(contract) = Contract::from_environment() else { return };
    let mut found = BTreeSet::new();
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let exchanges: Vec<Exchange> = serde_json::from_str(&text).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for exchange in &exchanges {
            checked += 1;
            found.extend(contract.check(exchange).iter().map(|one| format!("{name}: {one}")));
        }
    }
    assert!(checked > 0, "no exchange in {}", folder.display());
    let list: Vec<&str> = found.iter().map(String::as_str).collect();
    assert!(found.is_empty(), "{}", list.join("\n"));
}

/// An exchange that GitHub describes, to be spoiled.
async fn good_comment() -> Exchange {
    let world = world().await;
    let client = Client::app(&world.emulator, &world.app, NOW);
    let client = client.installation(world.installation, json!({})).await;
    world.emulator.person("mona").opens_issue(REPO, "Broken", "", &[]).unwrap();
    let path = format!("{BASE}/issues/1/comments");
    client.post(&path, json!({ "body": "hi" })).await.expect(201);
    world.emulator.exchanges().pop().unwrap()
}

#[tokio::test]
async fn what_is_wrong_is_found() {
    let Some(contract) = Contract::from_environment() else { return };
    let good = good_comment().await;
    assert_eq!(contract.check(&good), []);
    let spoiled = |part: Part, spoil: &dyn Fn(&mut Exchange)| {
        let mut exchange = good.clone();
        spoil(&mut exchange);
        let found = contract.check(&exchange);
        assert!(found.iter().any(|one| one.part == part), "{part:?} in {found:?}");
    };
    spoiled(Part::Route, &|one| one.path.push_str("/nowhere"));
    spoiled(Part::Query, &|one| one.query = "page_size=3".to_owned());
    spoiled(Part::RequestBody, &|one| one.request_body = None);
    spoiled(Part::RequestBody, &|one| one.request_body = Some(json!({ "text": "hi" })));
    spoiled(Part::RequestBody, &|one| one.request_body = Some(json!({ "body": 1 })));
    spoiled(Part::RequestBody, &|one| {
        one.request_body = Some(json!({ "body": "hi", "silent": true }));
    });
    spoiled(Part::Status, &|one| one.status = 200);
    spoiled(Part::ResponseBody, &|one| one.response_body.as_mut().unwrap()["id"] = json!("1"));
    spoiled(Part::ResponseBody, &|one| one.response_body.as_mut().unwrap()["mood"] = json!("ok"));
    spoiled(Part::ResponseBody, &|one| {
        one.response_body.as_mut().unwrap()["user"]["login"] = Value::Null;
    });
    spoiled(Part::ResponseBody, &|one| {
        one.response_body.as_mut().unwrap().as_object_mut().unwrap().remove("url");
    });
    spoiled(Part::ResponseBody, &|one| {
        one.status = 404;
        one.response_body = Some(json!({ "error": "no" }));
    });
}
