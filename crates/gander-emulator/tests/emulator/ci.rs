//! Checks, statuses and runs of workflows, as CI makes them.

use gander_emulator::{
    Annotation, CheckOutcome, CheckReport, Emulator, JobEnd, Requirement, WorkflowSpec,
};
use serde_json::json;

use crate::client::Client;
use crate::{REPO, World, spec};

pub(crate) const BAD_LINE: Annotation<'static> =
    Annotation { path: "src/lib.rs", line: 1, level: "failure", message: "wrong" };

/// Starts the workflow `CI` with two jobs on a commit; says its run.
pub(crate) fn starts_ci(world: &World, sha: &str) -> u64 {
    let spec = WorkflowSpec {
        name: "CI",
        path: ".github/workflows/ci.yml",
        event: "push",
        branch: Some("work"),
        sha,
        jobs: &["unit", "lint"],
    };
    world.emulator.person("mona").starts_workflow(REPO, &spec).unwrap()
}

pub(crate) fn ends(emulator: &Emulator, run: u64, name: &str, conclusion: &str) {
    let log = "2026-01-01T00:00:00Z not ok\n";
    let end = JobEnd { name, conclusion, log, annotations: &[BAD_LINE] };
    emulator.job_ends(REPO, run, &end).unwrap();
}

/// A client that may read what CI did.
pub(crate) async fn reader(world: &World) -> Client {
    let mut wanted = spec("reader");
    wanted.permissions.insert("actions".to_owned(), "read".to_owned());
    let app = world.emulator.create_app(wanted).unwrap();
    let installation = world.emulator.install(app.app_id, &[REPO]).unwrap();
    Client::app(&world.emulator, &app, crate::NEW_YEAR).installation(installation, json!({})).await
}

#[tokio::test]
async fn a_check_says_what_is_wrong_and_where() {
    let world = World::new().await;
    let client = world.client().await;
    let ci = world.emulator.create_app(spec("ci")).unwrap();
    world.emulator.install(ci.app_id, &[REPO]).unwrap();
    let sha = world.tip("main");
    let report = CheckReport {
        name: "unit",
        outcome: CheckOutcome::Completed("failure"),
        title: "1 test failed",
        summary: "one",
        annotations: &[BAD_LINE],
    };
    let bot = world.emulator.person("ci[bot]");
    let run = bot.reports_check(REPO, &sha, &report).unwrap();
    let seen = client.get(&format!("/repos/{REPO}/check-runs/{run}")).await.expect(200);
    assert_eq!((&seen["app"]["id"], &seen["conclusion"]), (&json!(ci.app_id), &json!("failure")));
    assert_eq!(
        (&seen["output"]["title"], &seen["output"]["annotations_count"]),
        (&json!("1 test failed"), &json!(1))
    );
    let path = format!("/repos/{REPO}/check-runs/{run}/annotations");
    let told = client.get(&path).await.expect(200);
    assert_eq!(
        (&told[0]["path"], &told[0]["start_line"], &told[0]["message"]),
        (&json!("src/lib.rs"), &json!(1), &json!("wrong"))
    );
}

#[tokio::test]
async fn a_run_of_a_workflow_is_found_with_its_jobs_and_their_logs() {
    let world = World::new().await;
    let client = reader(&world).await;
    let mona = world.emulator.person("mona");
    let sha = mona.pushes(REPO, "work", "Work", &[("a", Some("1\n"))]).unwrap();
    let run = starts_ci(&world, &sha);
    let runs = format!("/repos/{REPO}/actions/runs");
    let found = client.get(&format!("{runs}?head_sha={sha}")).await.expect(200);
    let seen = &found["workflow_runs"][0];
    assert_eq!(
        (&seen["id"], &seen["status"], &seen["run_number"]),
        (&json!(run), &json!("in_progress"), &json!(1))
    );
    ends(&world.emulator, run, "unit", "failure");
    assert_eq!(client.get(&format!("{runs}/{run}")).await.expect(200)["status"], "in_progress");
    let jobs = client.get(&format!("{runs}/{run}/jobs")).await.expect(200);
    let job = |at: usize| format!("/repos/{REPO}/actions/jobs/{}", jobs["jobs"][at]["id"]);
    client.get(&format!("{}/logs", job(1))).await.expect(404);
    ends(&world.emulator, run, "lint", "success");
    let seen = client.get(&format!("{runs}/{run}")).await.expect(200);
    assert_eq!((&seen["status"], &seen["conclusion"]), (&json!("completed"), &json!("failure")));
    assert_eq!(client.get(&job(0)).await.expect(200)["conclusion"], "failure");
    let none = client.get(&format!("{runs}?event=repository_dispatch")).await.expect(200);
    assert_eq!(none["total_count"], 0);

    // The log lies elsewhere, for a minute, for whoever has the address.
    let logs = client.get(&format!("{}/logs", job(0))).await;
    let place = logs.header("location").replace(world.emulator.web_url().as_str(), "");
    assert_eq!(logs.status, 302);
    let nobody = Client::anonymous_at(&world.emulator, &place);
    assert_eq!(nobody.get("").await.text, "2026-01-01T00:00:00Z not ok\n");
    world.passes(60_000);
    nobody.get("").await.expect(404);

    let checks = client.get(&format!("/repos/{REPO}/commits/{sha}/check-runs")).await.expect(200);
    assert_eq!(checks["check_runs"][0]["app"]["slug"], "github-actions");
    assert_eq!(checks["total_count"], 2);
    world.client().await.get(&runs).await.expect(403);
}

#[tokio::test]
async fn a_required_status_must_be_green_and_the_newest_counts() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    let sha = mona.pushes(REPO, "work", "Work", &[("a", Some("1\n"))]).unwrap();
    let pull = mona.opens_pull(REPO, "Work", "", "work", "main").unwrap();
    world.emulator.require_checks(REPO, "main", &["unit"], Requirement::Protection).unwrap();
    let merge = format!("/repos/{REPO}/pulls/{pull}/merge");
    for (word, says) in [("pending", "in progress"), ("failure", "failing")] {
        mona.reports_status(REPO, &sha, "unit", word).unwrap();
        let words = client.put(&merge, json!({})).await.expect(405);
        assert_eq!(words["message"], format!("Required status check \"unit\" is {says}."));
    }
    mona.reports_status(REPO, &sha, "unit", "success").unwrap();
    let combined = client.get(&format!("/repos/{REPO}/commits/{sha}/status")).await.expect(200);
    assert_eq!((&combined["state"], &combined["total_count"]), (&json!("success"), &json!(1)));
    client.put(&merge, json!({})).await.expect(200);
}
