//! The emulator keeps to GitHub's own description, on every route it has; and the judge sees what
//! is wrong.
// A test reads its own environment, and unwraps.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

#[path = "emulator/spoiled.rs"]
mod spoiled;

use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use gander_contract::client::Client;
use gander_contract::{Contract, skipped};
use gander_emulator::{
    Annotation, AppCredentials, AppSpec, CheckOutcome, Emulator, Foreign, JobEnd, MergeMethod,
    Options, Record, RepositorySpec, Requirement, RulesetSpec, Runner, ServerKind, Setup, Verdict,
    WorkflowSpec,
};
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600_000;
const REPO: &str = "acme/widgets";
const BASE: &str = "/repos/acme/widgets";

/// Everything GitHub lets an App of this kind do.
const PERMISSIONS: [(&str, &str); 7] = [
    ("actions", "write"),
    ("metadata", "read"),
    ("contents", "write"),
    ("issues", "write"),
    ("pull_requests", "write"),
    ("checks", "write"),
    ("statuses", "write"),
];

/// What GitHub tells an App of this kind.
const EVENTS: [&str; 10] = [
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "status",
    "workflow_run",
];

struct World {
    emulator: Emulator,
    app: AppCredentials,
    installation: u64,
    repository: u64,
    mona: u64,
    folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("github")).unwrap();
    let options = Options { root: folder.path().join("github"), clock: Arc::new(|| NOW) };
    let emulator = Emulator::start(options).await.unwrap();
    emulator.create_organization("acme");
    let mona = emulator.create_user("mona");
    emulator.create_user("hubot");
    let files = [("README.md", "# Widgets\n"), ("src/lib.rs", "pub fn one() {}\n")];
    let spec = RepositorySpec::new("acme", "widgets", &files);
    let repository = emulator.create_repository(spec).unwrap();
    emulator.set_permission(REPO, "mona", "admin").unwrap();
    let (app, installation) = installed(&emulator, "gander", &PERMISSIONS, &EVENTS);
    World { emulator, app, installation, repository, mona, folder }
}

/// An App and its installation. Nobody answers its webhooks.
fn installed(
    emulator: &Emulator,
    slug: &str,
    permissions: &[(&str, &str)],
    events: &[&str],
) -> (AppCredentials, u64) {
    let permissions = permissions.iter().map(|(name, level)| ((*name).into(), (*level).into()));
    let spec = AppSpec {
        slug: slug.to_owned(),
        webhook_url: Some("http://127.0.0.1:9/hook".parse().unwrap()),
        webhook_secret: "secret".to_owned(),
        permissions: permissions.collect(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
    };
    let app = emulator.create_app(spec).unwrap();
    let installation = emulator.install(app.app_id, &[REPO]).unwrap();
    (app, installation)
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
    client.get(&format!("{BASE}/collaborators?permission=push")).await.expect(200);
    let ruleset = RulesetSpec {
        name: "old tags",
        target: "tag",
        enforcement: "active",
        include: &["refs/tags/old-*"],
        exclude: &[],
        rules: &["update", "deletion"],
    };
    let ruleset = world.emulator.add_ruleset(REPO, ruleset).unwrap();
    client.get(&format!("{BASE}/rulesets?per_page=5")).await.expect(200);
    client.get(&format!("{BASE}/rulesets/{ruleset}")).await.expect(200);
    client.delete("/installation/token").await.expect(204);

    let manifest = include_str!("../../../app-manifest.json");
    let code = world
        .emulator
        .create_app_from_manifest("mona", &manifest.replace("\"Gander\"", "\"Honk\""));
    let conversion = format!("/app-manifests/{}/conversions", code.unwrap());
    let anybody = Client::anonymous(&world.emulator);
    let made = anybody.send(reqwest::Method::POST, &conversion, &[], None).await.unwrap();
    assert_eq!(made.expect(201)["slug"], "honk");
    let slug = app.get("/app").await.expect(200)["slug"].as_str().unwrap().to_owned();
    anybody.get(&format!("/apps/{slug}")).await;
    anybody.send(reqwest::Method::POST, &conversion, &[], None).await.unwrap().expect(404);

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
    client.get(&format!("{BASE}/activity?ref=refs/heads/work&per_page=100")).await.expect(200);
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
    client.get(&format!("{one}/events")).await.expect(200);
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

/// Reviews, threads and replies, by REST and GraphQL.
async fn visits_the_reviews(world: &World, client: &Client) {
    let hubot = world.emulator.person("hubot");
    let text = "pub fn one() {}\npub fn two() {}\n";
    let files = [("src/lib.rs", Some(text))];
    let head = hubot.pushes(REPO, "reviewed", "Add two", &files).unwrap();
    let pull = hubot.opens_pull(REPO, "Two", "", "reviewed", "main").unwrap();
    let one = format!("{BASE}/pulls/{pull}");
    let line = json!({ "path": "src/lib.rs", "line": 2, "side": "RIGHT", "body": "why?" });
    let review = json!({ "event": "REQUEST_CHANGES", "body": "no", "comments": [line] });
    let review = client.post(&format!("{one}/reviews"), review).await.expect(200);
    let path = format!("{one}/reviews/{}", review["id"]);
    client.get(&path).await.expect(200);
    let comments = client.get(&format!("{path}/comments")).await.expect(200);
    client.put(&path, json!({ "body": "not yet" })).await.expect(200);
    let comment = &comments[0]["id"];
    let reply = format!("{one}/comments/{comment}/replies");
    client.post(&reply, json!({ "body": "because" })).await.expect(201);
    let line =
        json!({ "path": "src/lib.rs", "line": 2, "start_line": 1, "body": "x", "commit_id": head });
    client.post(&format!("{one}/comments"), line).await.expect(201);
    let nowhere = json!({ "path": "src/lib.rs", "line": 9, "body": "x", "commit_id": head });
    client.post(&format!("{one}/comments"), nowhere).await.expect(422);
    let single = format!("{BASE}/pulls/comments/{comment}");
    client.patch(&single, json!({ "body": "what for?" })).await.expect(200);
    let graphql = Client::anonymous_at(&world.emulator, "graphql");
    let graphql = graphql.with(&format!("Bearer {}", client.secret()));
    let mut threads = String::new();
    for (query, with_thread) in DOCUMENTS {
        let mut variables = json!({ "number": pull });
        if with_thread {
            variables = json!({ "thread": threads });
        }
        let sent = json!({ "query": query, "variables": variables });
        let seen = graphql.post("", sent).await.expect(200);
        assert_eq!(seen.get("errors"), None, "{seen}");
        let found = &seen["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"][0]["id"];
        threads = found.as_str().map_or(threads, str::to_owned);
    }
    hubot.pushes(REPO, "reviewed", "Undo", &[("src/lib.rs", Some("pub fn two() {}\n"))]).unwrap();
    client.get(&single).await.expect(200);
    let reactions = format!("{single}/reactions");
    client.post(&reactions, json!({ "content": "eyes" })).await.expect(201);
    client.get(&format!("{reactions}?content=eyes")).await.expect(200);
    client.get(&format!("{one}/comments?sort=created&direction=asc")).await.expect(200);
    client.put(&format!("{path}/dismissals"), json!({ "message": "done" })).await.expect(200);
    client.post(&format!("{one}/requested_reviewers"), json!({ "reviewers": ["mona"] })).await;
    let whom = Some(json!({ "reviewers": ["mona"] }));
    let asked = format!("{one}/requested_reviewers");
    client.send(reqwest::Method::DELETE, &asked, &[], whom).await.unwrap().expect(200);
}

/// What is asked of GraphQL, and whether it is about a thread.
const DOCUMENTS: [(&str, bool); 4] = [
    (
        "query($number: Int!) { repository(owner: \"acme\", name: \"widgets\") {
           id name nameWithOwner databaseId isPrivate
           pullRequest(number: $number) {
             id number title body url state isDraft merged mergedAt mergedBy { login } mergeable
             mergeCommit { oid } headRefOid headRefName baseRefOid baseRefName reviewDecision
             createdAt updatedAt author { login __typename ... on User { databaseId } }
             reviewThreads(first: 5) { totalCount nodes {
               id isResolved resolvedBy { login } isOutdated path line startLine originalLine
               originalStartLine diffSide pullRequest { id }
               comments(first: 5) {
                 nodes { ...Comment } pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
               } } }
             reviews(first: 5) { nodes {
               id databaseId fullDatabaseId url body state submittedAt createdAt updatedAt lastEditedAt
               includesCreatedEdit editor { login } author { login } commit { oid } pullRequest { id }
               comments(last: 1) { nodes { id } } } }
             comments(first: 5) { nodes {
               id databaseId fullDatabaseId url body createdAt updatedAt lastEditedAt
               includesCreatedEdit editor { login } author { login ... on Bot { databaseId } } } }
           } } }
         fragment Comment on PullRequestReviewComment {
           id databaseId fullDatabaseId url body createdAt updatedAt lastEditedAt includesCreatedEdit
           editor { login } author { login __typename } path line originalLine outdated diffHunk
           pullRequestReview { databaseId } replyTo { id } originalCommit { oid } }",
        false,
    ),
    (
        "mutation($thread: ID!) { resolveReviewThread(input: { threadId: $thread }) {
           clientMutationId thread { id isResolved resolvedBy { login } } } }",
        true,
    ),
    (
        "mutation($thread: ID!) { unresolveReviewThread(input: { threadId: $thread }) {
           thread { id isResolved } } }",
        true,
    ),
    (
        "mutation($thread: ID!) { addPullRequestReviewThreadReply(
           input: { pullRequestReviewThreadId: $thread, body: \"ok\" }) { comment { id body } } }",
        true,
    ),
];

/// Runs of workflows, annotations, and what brings branches together.
async fn visits_ci_and_merges(world: &World, client: &Client) {
    let mona = world.emulator.person("mona");
    let sha = mona.pushes(REPO, "ci", "CI", &[("ci", Some("1\n"))]).unwrap();
    let spec = WorkflowSpec {
        name: "CI",
        path: ".github/workflows/ci.yml",
        event: "push",
        branch: Some("ci"),
        sha: &sha,
        jobs: &["unit"],
    };
    let run = mona.starts_workflow(REPO, &spec).unwrap();
    let line = Annotation { path: "ci", line: 1, level: "warning", message: "hm" };
    let end = JobEnd { name: "unit", conclusion: "failure", log: "no\n", annotations: &[line] };
    let runs = format!("{BASE}/actions/runs");
    client.get(&format!("{runs}/{run}")).await.expect(200);
    world.emulator.job_ends(REPO, run, &end).unwrap();
    client.get(&format!("{runs}?head_sha={sha}&status=failure")).await.expect(200);
    client.get(&format!("{runs}/{run}")).await.expect(200);
    let jobs = client.get(&format!("{runs}/{run}/jobs?filter=latest")).await.expect(200);
    let id = &jobs["jobs"][0]["id"];
    client.get(&format!("{BASE}/actions/jobs/{id}")).await.expect(200);
    assert_eq!(client.get(&format!("{BASE}/actions/jobs/{id}/logs")).await.status, 302);
    client.get(&format!("{BASE}/check-runs/{id}/annotations")).await.expect(200);

    for (head, status) in [("ci", 201), ("ci", 204)] {
        mona.pushes(REPO, "into", "More", &[("more", Some(head))]).unwrap();
        let wish = json!({ "base": "into", "head": head, "commit_message": "Bring it in" });
        assert_eq!(client.post(&format!("{BASE}/merges"), wish).await.status, status);
    }
    mona.pushes(REPO, "beside", "More", &[("more", Some("x"))]).unwrap();
    let pull = mona.opens_pull(REPO, "CI", "", "ci", "beside").unwrap();
    let one = format!("{BASE}/pulls/{pull}");
    client.patch(&one, json!({ "base": "main" })).await.expect(200);
    mona.pushes(REPO, "main", "Ahead", &[("ahead", Some("1\n"))]).unwrap();
    let guard = json!({ "expected_head_sha": sha });
    client.put(&format!("{one}/update-branch"), guard).await.expect(202);
    client.get(&format!("{BASE}/commits/{sha}/pulls")).await.expect(200);
    client.put(&format!("{one}/merge"), json!({})).await.expect(405);
    world.emulator.require_checks(REPO, "main", &[], Requirement::Ruleset).unwrap();
    world.emulator.require_approvals(REPO, "main", 1, Requirement::Ruleset).unwrap();
    client.get(&format!("{BASE}/rules/branches/main")).await.expect(200);
    client.put(&format!("{one}/merge"), json!({})).await.expect(405);
    world.emulator.require_approvals(REPO, "main", 0, Requirement::Ruleset).unwrap();
    client.get(&one).await.expect(200);
    client.get(&one).await.expect(200);
    client.put(&format!("{one}/merge"), json!({ "merge_method": "squash" })).await.expect(200);
    client.get(&format!("{one}/merge")).await.expect(204);
}

/// Releases, their files and tags.
async fn visits_the_releases(client: &Client) {
    let releases = format!("{BASE}/releases");
    let draft = json!({
        "tag_name": "v1.0.0",
        "target_commitish": "main",
        "name": "1.0.0",
        "body": "First",
        "draft": true,
        "prerelease": false,
    });
    let draft = client.post(&releases, draft).await.expect(201);
    let one = format!("{releases}/{}", draft["id"]);
    let uploads = draft["upload_url"].as_str().unwrap().replace("{?name,label}", "");
    let first = client.upload(&format!("{uploads}?name=a.txt&label=A"), b"a").await.expect(201);
    client.upload(&format!("{uploads}?name=a.txt"), b"b").await.expect(422);
    let second = client.upload(&format!("{uploads}?name=b.txt"), b"b").await.expect(201);
    client.get(&format!("{releases}?per_page=1")).await.expect(200);
    client.get(&one).await.expect(200);
    client.get(&format!("{one}/assets")).await.expect(200);
    client.get(&format!("{releases}/assets/{}", first["id"])).await.expect(200);
    client.delete(&format!("{releases}/assets/{}", second["id"])).await.expect(204);
    client.patch(&one, json!({ "draft": false })).await.expect(200);
    client.get(&format!("{releases}/latest")).await.expect(200);
    client.get(&format!("{releases}/tags/v1.0.0")).await.expect(200);
    client.get(&format!("{BASE}/tags")).await.expect(200);
    client.post(&releases, json!({ "tag_name": "v1.0.0" })).await.expect(422);
    client.delete(&one).await.expect(204);
}

/// What the workflow of `visits_the_runs` says.
const WORKFLOW: &str = r#"
on: { repository_dispatch: { types: [ship] }, workflow_dispatch: {} }
run-name: ship ${{ github.event.client_payload.id }}
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - run: echo hi > file
      - uses: actions/upload-artifact@1111111111111111111111111111111111111111
        with: { path: file }
"#;

/// Workflow runs, their jobs and artifacts.
async fn visits_the_runs(world: &World, client: &Client) {
    let mona = world.emulator.person("mona");
    let files = [(".github/workflows/ship.yml", Some(WORKFLOW))];
    let main = mona.pushes(REPO, "main", "Add a workflow", &files).unwrap();
    let dispatch = json!({ "event_type": "ship", "client_payload": { "id": "x" } });
    client.post(&format!("{BASE}/dispatches"), dispatch).await.expect(204);
    let workflow = format!("{BASE}/actions/workflows/ship.yml");
    let by_hand = json!({ "ref": "main", "inputs": {} });
    client.post(&format!("{workflow}/dispatches"), by_hand).await.expect(204);
    client.get(&format!("{workflow}/runs?status=queued")).await.expect(200);
    let work = world.folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let hash = "1111111111111111111111111111111111111111".to_owned();
    let setup = Setup {
        foreign: vec![(Foreign::UploadArtifact, hash)],
        work,
        path: std::env::var_os("PATH").unwrap(),
        ..Setup::default()
    };
    let reports = Runner::new(&world.emulator, setup).run_queued().await.unwrap();
    assert!(reports.iter().all(|report| report.conclusion == "success"), "{reports:?}");
    let runs = format!("{BASE}/actions/runs");
    let list = client.get(&format!("{runs}?event=repository_dispatch&head_sha={main}")).await;
    let one = format!("{runs}/{}", list.expect(200)["workflow_runs"][0]["id"]);
    client.get(&one).await.expect(200);
    client.get(&format!("{one}/jobs?per_page=5")).await.expect(200);
    let artifacts = client.get(&format!("{one}/artifacts?name=artifact")).await.expect(200);
    assert_eq!(artifacts["total_count"], 1);
    let path = ".github/workflows/ci.yml";
    let (name, jobs) = ("ci", &["test"][..]);
    let spec = WorkflowSpec { name, path, event: "push", branch: Some("main"), sha: &main, jobs };
    let red = mona.starts_workflow(REPO, &spec).unwrap();
    let again = format!("{runs}/{red}/rerun-failed-jobs");
    let end = JobEnd { name: "test", conclusion: "failure", log: "no", annotations: &[] };
    world.emulator.job_ends(REPO, red, &end).unwrap();
    client.post(&again, json!({})).await.expect(201);
}

/// A day in the life of an App: every route once, each as it is meant.
async fn a_day() -> Record {
    let world = world().await;
    // The description of webhooks does not know all permissions and events that an App, which some
    // of them show, may have: another App has the rest.
    let more = [("pull_requests", "read"), ("attestations", "read")];
    let other = installed(&world.emulator, "other", &more, &["pull_request_review_thread"]);
    visits_the_app(&world).await;
    let app = Client::app(&world.emulator, &world.app, NOW);
    let client = app.installation(world.installation, json!({})).await;
    let sha = visits_the_code(&world, &client).await;
    visits_the_issues(&world, &client).await;
    visits_the_pulls(&world, &client, &sha).await;
    visits_the_reviews(&world, &client).await;
    visits_ci_and_merges(&world, &client).await;
    visits_the_releases(&client).await;
    visits_the_runs(&world, &client).await;
    let digest = "0".repeat(64);
    let attestations = format!("{BASE}/attestations/sha256:{digest}");
    let (other, installation) = other;
    let other =
        Client::app(&world.emulator, &other, NOW).installation(installation, json!({})).await;
    other.get(&attestations).await.expect(200);
    client.get(&format!("{BASE}/issues/99")).await.expect(404);
    Client::anonymous(&world.emulator).get(BASE).await.expect(404);
    Client::anonymous(&world.emulator).get("/app").await.expect(401);
    world.emulator.deliver_all().await;
    world.emulator.record()
}

#[tokio::test]
async fn every_route_keeps_to_githubs_description() {
    let Some(contract) = Contract::from_environment() else { return };
    let day = a_day().await;
    let seen: BTreeSet<String> = day
        .exchanges
        .iter()
        .filter(|exchange| exchange.status < 400)
        .filter_map(|exchange| Some(format!("{} {}", exchange.method, exchange.route.as_ref()?)))
        .collect();
    // Only whoever signed in by a browser may ask who that is: other stories do.
    let seen = |route: &String| seen.contains(route) || route == "GET /user";
    let missed: Vec<String> = Emulator::routes().into_iter().filter(|route| !seen(route)).collect();
    assert_eq!(missed, Vec::<String>::new(), "routes that nobody tried");
    let told: BTreeSet<&str> = day.deliveries.iter().map(|one| one.event.as_str()).collect();
    let all: BTreeSet<&str> =
        EVENTS.into_iter().chain(["installation", "pull_request_review_thread"]).collect();
    assert_eq!(told, all, "events that nobody caused");
    let found = contract.check_record(&day);
    let found: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    let list: Vec<&str> = found.iter().map(String::as_str).collect();
    assert!(found.is_empty(), "{}", list.join("\n"));
}

/// What other tests wrote down: `GANDER_EXCHANGES` names a folder of JSON files, each a record.
#[tokio::test]
async fn what_was_recorded_keeps_to_githubs_description() {
    let Some(folder) = std::env::var_os("GANDER_EXCHANGES") else {
        let consequence = "no exchange and no webhook of the stories was checked against GitHub's \
                           description (`make test` sets it)";
        return skipped("GANDER_EXCHANGES", consequence);
    };
    let Some(contract) = Contract::from_environment() else { return };
    let mut enterprise = None;
    let mut found = BTreeSet::new();
    let (mut servers, mut told, mut judged) = (BTreeSet::new(), BTreeSet::new(), Seen::default());
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = judged.plain(&std::fs::read_to_string(&path).unwrap());
        let mut record: Record = serde_json::from_str(&text).unwrap();
        servers.insert(record.server);
        told.extend(record.deliveries.iter().map(|one| one.event.clone()));
        judged.leave_new(&mut record);
        let wrong = match record.server {
            ServerKind::Enterprise => {
                enterprise.get_or_insert_with(|| contract.of_enterprise()).check_record(&record)
            }
            ServerKind::GitHub | ServerKind::RequiredOnly => contract.check_record(&record),
        };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let wrong = wrong.iter().map(|one| format!("{name}: {one}"));
        found.extend(wrong);
    }
    let list: Vec<&str> = found.iter().map(String::as_str).collect();
    assert!(found.is_empty(), "{}", list.join("\n"));

    let folder = folder.display();
    let all = [ServerKind::GitHub, ServerKind::RequiredOnly, ServerKind::Enterprise];
    assert_eq!(servers, all.into(), "servers of which GANDER_EXCHANGES={folder} has a story");
    let manifest: Value = serde_json::from_str(include_str!("../../../app-manifest.json")).unwrap();
    let events = manifest["default_events"].as_array().unwrap().iter();
    let untold: Vec<_> = events.filter(|name| !told.contains(name.as_str().unwrap())).collect();
    assert!(untold.is_empty(), "no story in GANDER_EXCHANGES={folder} was told of {untold:?}");
    contract.check_record(&a_day().await);
    let unneeded = contract.unneeded();
    assert!(unneeded.is_empty(), "rows of known.rs that nothing needs:\n{}", unneeded.join("\n"));
}

/// What was judged already: many stories begin alike, each on a port of its own.
#[derive(Default)]
struct Seen(HashSet<u64>);

impl Seen {
    /// A record's text, its address made the same as all others'.
    fn plain(&self, text: &str) -> String {
        let mut parts = text.split("127.0.0.1:");
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            plain.push_str("127.0.0.1:1");
            plain.push_str(rest);
        }
        plain
    }

    /// Leaves what is not known yet.
    fn leave_new(&mut self, record: &mut Record) {
        let server = record.server;
        let changing = ["x-github-request-id", "x-ratelimit-", "date", "etag"];
        record.exchanges.retain(|one| {
            let mut one = one.clone();
            one.response_headers
                .retain(|(name, _)| !changing.iter().any(|known| name.starts_with(known)));
            self.is_new(&json!([server, one]))
        });
        record.deliveries.retain(|one| {
            let headers: Vec<&str> =
                one.request_headers.iter().map(|(name, _)| name.as_str()).collect();
            self.is_new(&json!([server, one.event, one.action, headers, one.payload]))
        });
    }

    fn is_new(&mut self, what: &Value) -> bool {
        let mut hasher = std::hash::DefaultHasher::new();
        what.to_string().hash(&mut hasher);
        self.0.insert(hasher.finish())
    }
}

/// `make required` writes the table anew: `GANDER_WRITE_REQUIRED` is set then.
#[test]
fn the_emulator_knows_which_members_the_description_requires() {
    let Some(contract) = Contract::from_environment() else { return };
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/gander-emulator/src/profile/required.txt"
    );
    let table = contract.required_members();
    if std::env::var_os("GANDER_WRITE_REQUIRED").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap();
    assert!(known == table, "{path} is out of date: `make required` makes it anew");
}
