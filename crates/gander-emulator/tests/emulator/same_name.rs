//! Two workflows may have jobs of one name: each run stands for itself.

use std::collections::BTreeSet;

use gander_emulator::{JobEnd, RequiredCheck, Requirement, WorkflowSpec};
use serde_json::{Value, json};

use crate::client::Client;
use crate::reviews::a_pull;
use crate::{REPO, World};

/// Starts a workflow whose only job is `test`; says its run.
fn starts(world: &World, file: &str, sha: &str) -> u64 {
    let path = format!(".github/workflows/{file}.yml");
    let spec = WorkflowSpec {
        name: file,
        path: &path,
        event: "push",
        branch: Some("work"),
        sha,
        jobs: &["test"],
    };
    world.emulator.person("mona").starts_workflow(REPO, &spec).unwrap()
}

fn ends(world: &World, run: u64, conclusion: &str) {
    let end = JobEnd { name: "test", conclusion, log: "", annotations: &[] };
    world.emulator.job_ends(REPO, run, &end).unwrap();
}

fn requires(world: &World, app: Option<u64>) {
    let asked = [RequiredCheck { name: "test", app }];
    world.emulator.require_checks_of(REPO, "main", &asked, Requirement::Protection).unwrap();
}

async fn runs(client: &Client, sha: &str, filter: &str) -> Vec<Value> {
    let path = format!("/repos/{REPO}/commits/{sha}/check-runs?filter={filter}");
    let seen = client.get(&path).await.expect(200);
    seen["check_runs"].as_array().unwrap().clone()
}

async fn refusal(client: &Client, pull: u64) -> String {
    let words =
        client.put(&format!("/repos/{REPO}/pulls/{pull}/merge"), json!({})).await.expect(405);
    words["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_required_name_must_be_green_in_every_workflow_that_has_it() {
    for app in [None, Some(15_368)] {
        let world = World::new().await;
        let client = world.client().await;
        let (pull, head) = a_pull(&world);
        requires(&world, app);
        let (older, newer) = (starts(&world, "ci", &head), starts(&world, "nightly", &head));
        ends(&world, newer, "success");
        let running = "Required status check \"test\" is in progress.";
        assert_eq!(refusal(&client, pull).await, running);
        ends(&world, older, "failure");
        let failing = "Required status check \"test\" is failing.";
        assert_eq!(refusal(&client, pull).await, failing);
        let latest = runs(&client, &head, "latest").await;
        assert_eq!(latest.len(), 2, "the newest of each workflow");
        assert_ne!(latest[0]["check_suite"]["id"], latest[1]["check_suite"]["id"]);
    }
}

#[tokio::test]
async fn a_job_that_is_run_again_replaces_its_own_run_and_no_other() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    requires(&world, None);
    let (ci, nightly) = (starts(&world, "ci", &head), starts(&world, "nightly", &head));
    let mona = world.emulator.person("mona");
    assert!(mona.reruns_jobs(REPO, ci, &["test"]).is_err(), "it is not over");
    ends(&world, ci, "failure");
    ends(&world, nightly, "success");
    let failing = "Required status check \"test\" is failing.";
    mona.reruns_jobs(REPO, nightly, &["test"]).unwrap();
    ends(&world, nightly, "success");
    assert_eq!(refusal(&client, pull).await, failing, "the other one ran again");
    mona.reruns_jobs(REPO, ci, &["test"]).unwrap();
    let running = "Required status check \"test\" is in progress.";
    assert_eq!(refusal(&client, pull).await, running);
    ends(&world, ci, "success");
    let (latest, all) = (runs(&client, &head, "latest").await, runs(&client, &head, "all").await);
    assert_eq!((latest.len(), all.len()), (2, 4));
    let suites: BTreeSet<_> = all.iter().map(|run| run["check_suite"]["id"].as_u64()).collect();
    assert_eq!(suites.len(), 2, "a run keeps its suite");
    client.put(&format!("/repos/{REPO}/pulls/{pull}/merge"), json!({})).await.expect(200);
}

#[tokio::test]
async fn a_job_says_which_attempt_of_its_run_it_is_of() {
    let world = World::new().await;
    let client = crate::ci::reader(&world).await;
    let (_, head) = a_pull(&world);
    let ci = starts(&world, "ci", &head);
    ends(&world, ci, "failure");
    world.emulator.person("mona").reruns_jobs(REPO, ci, &["test"]).unwrap();
    ends(&world, ci, "success");
    let path = format!("/repos/{REPO}/actions/runs/{ci}");
    let run = client.get(&path).await.expect(200);
    assert_eq!((&run["run_attempt"], &run["conclusion"]), (&json!(2), &json!("success")));
    for (filter, attempts) in [("latest", vec![2]), ("all", vec![1, 2])] {
        let jobs = client.get(&format!("{path}/jobs?filter={filter}")).await.expect(200);
        let jobs = jobs["jobs"].as_array().unwrap();
        let seen: Vec<_> = jobs.iter().map(|job| job["run_attempt"].as_u64().unwrap()).collect();
        assert_eq!(seen, attempts, "{filter}");
    }
}

#[tokio::test]
async fn statuses_are_told_a_page_at_a_time() {
    let world = World::new().await;
    let client = world.client().await;
    let (_, head) = a_pull(&world);
    for number in 0..3 {
        let context = format!("check/{number}");
        world.emulator.person("mona").reports_status(REPO, &head, &context, "success").unwrap();
    }
    let path = format!("/repos/{REPO}/commits/{head}/status?per_page=2");
    let first = client.get(&path).await;
    assert!(first.header("link").contains("rel=\"next\""), "{}", first.header("link"));
    let first = first.expect(200);
    assert_eq!((&first["total_count"], &first["state"]), (&json!(3), &json!("success")));
    assert_eq!(first["statuses"].as_array().unwrap().len(), 2);
    let second = client.get(&format!("{path}&page=2")).await.expect(200);
    assert_eq!(second["statuses"].as_array().unwrap().len(), 1);
}
