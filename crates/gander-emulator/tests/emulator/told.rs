//! What an App is told of reviews, merging and CI, and in which form.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use gander_emulator::{MergeMethod, Verdict};
use serde_json::Value;

use crate::ci::{ends, starts_ci};
use crate::reviews::{a_pull, note};
use crate::{Mailbox, REPO, SECRET, World, spec};

const EVENTS: [&str; 9] = [
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "check_run",
    "check_suite",
    "status",
    "workflow_run",
];

/// Everything at once; says each event with what it told.
async fn a_lively_day() -> Vec<(String, Value)> {
    let mut world = World::new().await;
    let mut wanted = spec("listener");
    wanted.events = EVENTS.map(str::to_owned).to_vec();
    wanted.permissions.insert("actions".to_owned(), "read".to_owned());
    assert_eq!(wanted.webhook_secret, SECRET);
    world.app = world.emulator.create_app(wanted).unwrap();
    world.installation = world.emulator.install(world.app.app_id, &[REPO]).unwrap();
    let mailbox = Mailbox::of(&world).await;
    let mona = world.emulator.person("mona");
    let (pull, _) = a_pull(&world);
    mona.asks_for_review(REPO, pull, "mona").unwrap();
    let verdict = Verdict::RequestsChanges;
    let review = mona.reviews_lines(REPO, pull, verdict, "no", &[note(2, "why?")]).unwrap();
    mona.edits_review(REPO, review, "not yet").unwrap();
    let client = world.client().await;
    let comments = client.get(&format!("/repos/{REPO}/pulls/{pull}/comments")).await.expect(200);
    let comment = comments[0]["id"].as_u64().unwrap();
    mona.edits_review_comment(REPO, comment, "what for?").unwrap();
    mona.resolves_thread(REPO, comment).unwrap();
    mona.resolves_thread(REPO, comment).unwrap();
    mona.unresolves_thread(REPO, comment).unwrap();
    mona.dismisses_review(REPO, review).unwrap();
    let sha = mona.pushes(REPO, "work", "More", &[("b", Some("1\n"))]).unwrap();
    mona.reports_status(REPO, &sha, "unit", "success").unwrap();
    let run = starts_ci(&world, &sha);
    ends(&world.emulator, run, "unit", "success");
    ends(&world.emulator, run, "lint", "success");
    mona.pushes(REPO, "next", "Next", &[("n", Some("1\n"))]).unwrap();
    mona.retargets(REPO, pull, "next").unwrap();
    mona.closes(REPO, pull).unwrap();
    mona.reopens(REPO, pull).unwrap();
    mona.merges(REPO, pull, MergeMethod::Merge).unwrap();
    world.emulator.deliver_all().await;
    let bodies = mailbox.letters().into_iter().map(|(_, body)| serde_json::from_slice(&body));
    mailbox.events().into_iter().zip(bodies.map(Result::unwrap)).collect()
}

#[tokio::test]
async fn every_act_is_told_once_in_order() {
    let told = a_lively_day().await;
    let about: Vec<&str> = told
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("pull"))
        .collect();
    assert_eq!(
        about,
        [
            "pull_request opened",
            "pull_request review_requested",
            "pull_request_review submitted",
            "pull_request_review_comment created",
            "pull_request_review edited",
            "pull_request_review_comment edited",
            "pull_request_review_thread resolved",
            "pull_request_review_thread unresolved",
            "pull_request_review dismissed",
            "pull_request synchronize",
            "pull_request edited",
            "pull_request closed",
            "pull_request reopened",
            "pull_request closed",
        ]
    );
    let runs: Vec<&str> = told
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("work"))
        .collect();
    assert_eq!(
        runs,
        ["workflow_run requested", "workflow_run in_progress", "workflow_run completed"]
    );
    let body = |name: &str| &told.iter().rfind(|(told, _)| told == name).unwrap().1;
    assert_eq!(body("pull_request edited")["changes"]["base"]["ref"]["from"], "main");
    assert_eq!(body("pull_request_review submitted")["review"]["state"], "changes_requested");
    assert_eq!(body("pull_request_review edited")["changes"]["body"]["from"], "no");
    assert_eq!(body("pull_request_review dismissed")["review"]["state"], "dismissed");
    assert_eq!(body("pull_request_review_thread resolved")["thread"]["comments"][0]["line"], 2);
    let merged = &body("pull_request closed")["pull_request"];
    assert_eq!(
        (merged["merged"].as_bool(), merged["merged_by"]["login"].as_str()),
        (Some(true), Some("mona"))
    );
    assert_eq!(body("workflow_run completed")["workflow_run"]["conclusion"], "success");
    assert_eq!(body("status")["branches"][0]["name"], "work");
}

/// Says what GitHub's recorded webhooks hold at their top, by event; `None`, loudly, when
/// GANDER_WEBHOOK_EXAMPLES does not name them.
fn recorded() -> Option<BTreeMap<String, BTreeSet<String>>> {
    let Some(folder) = std::env::var_os("GANDER_WEBHOOK_EXAMPLES") else {
        // Past the test harness, which would swallow it.
        let words = "SKIPPED: GANDER_WEBHOOK_EXAMPLES is not set, so no webhook was compared\n";
        let _ = std::io::stderr().write_all(words.as_bytes());
        return None;
    };
    let path = std::path::Path::new(&folder).join("api.github.com/index.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in all.as_array().unwrap() {
        for example in event["examples"].as_array().unwrap() {
            let name = event["name"].as_str().unwrap();
            let name = match example["action"].as_str() {
                Some(action) => format!("{name} {action}"),
                None => name.to_owned(),
            };
            let here = example.as_object().unwrap().keys().cloned();
            keys.entry(name).or_default().extend(here);
        }
    }
    Some(keys)
}

#[tokio::test]
async fn what_is_told_has_the_form_of_what_github_told() {
    let Some(recorded) = recorded() else { return };
    // What GitHub's description has and the collection lacks.
    let newer = ["updated_at", "organization", "installation"];
    let mut compared = 0;
    for (name, body) in a_lively_day().await {
        let Some(known) = recorded.get(&name) else { continue };
        compared += 1;
        let told: BTreeSet<String> = body.as_object().unwrap().keys().cloned().collect();
        let more: Vec<_> =
            told.difference(known).filter(|key| !newer.contains(&key.as_str())).collect();
        assert!(more.is_empty(), "{name} tells {more:?}");
        let optional = ["organization", "installation"];
        let less: Vec<_> =
            known.difference(&told).filter(|key| !optional.contains(&key.as_str())).collect();
        assert!(less.is_empty(), "{name} does not tell {less:?}");
    }
    assert!(compared > 20, "{compared} webhooks compared");
}
