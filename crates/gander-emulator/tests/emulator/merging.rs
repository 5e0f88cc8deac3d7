//! Merging, and what keeps GitHub from it.

use gander_emulator::{
    CheckOutcome, Demand, LineNote, MergeMethod, RequiredCheck, Requirement, Verdict,
};
use serde_json::{Value, json};

use crate::client::Client;
use crate::graphql::ask;
use crate::reviews::a_pull;
use crate::{REPO, World, commits, spec};

async fn refusal(client: &Client, pull: u64, body: Value) -> String {
    let words = client.put(&merge_of(pull), body).await.expect(405);
    words["message"].as_str().unwrap().to_owned()
}

fn merge_of(pull: u64) -> String {
    format!("/repos/{REPO}/pulls/{pull}/merge")
}

async fn state_of(client: &Client, pull: u64) -> (Value, String) {
    let path = format!("/repos/{REPO}/pulls/{pull}");
    client.get(&path).await.expect(200);
    let seen = client.get(&path).await.expect(200);
    (seen["mergeable"].clone(), seen["mergeable_state"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_app_merges_with_its_own_words_and_the_head_as_guard() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let one = format!("/repos/{REPO}/pulls/{pull}");
    assert_eq!(client.get(&one).await.expect(200)["merge_commit_sha"], Value::Null);
    let test_merge = client.get(&one).await.expect(200)["merge_commit_sha"].clone();
    let test_merge = world.emulator.commit(REPO, test_merge.as_str().unwrap()).unwrap();
    assert_eq!(test_merge.parents, [world.tip("main"), head.clone()]);
    client.get(&merge_of(pull)).await.expect(404);
    client.put(&merge_of(pull), json!({ "sha": "0".repeat(40) })).await.expect(409);
    let wish = json!({
        "sha": head,
        "merge_method": "squash",
        "commit_title": "Two more",
        "commit_message": "As asked.",
    });
    let done = client.put(&merge_of(pull), wish).await.expect(200);
    let sha = done["sha"].as_str().unwrap();
    assert_eq!(world.tip("main"), sha);
    let commit = world.emulator.commit(REPO, sha).unwrap();
    assert_eq!((commit.message.as_str(), commit.verified), ("Two more\n\nAs asked.", true));
    assert!(commit.author.starts_with("hubot "), "{}", commit.author);
    let seen = client.get(&one).await.expect(200);
    assert_eq!((&seen["merged"], &seen["merge_commit_sha"]), (&json!(true), &json!(sha)));
    assert_eq!(seen["merged_by"]["login"], "gander[bot]");
    client.get(&merge_of(pull)).await.expect(204);
    assert_eq!(refusal(&client, pull, json!({})).await, "Pull Request is not mergeable");
    let branch = format!("/repos/{REPO}/git/refs/heads/work");
    client.delete(&branch).await.expect(204);
}

#[tokio::test]
async fn what_is_not_ready_is_not_merged() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    let (pull, _) = a_pull(&world);
    mona.closes(REPO, pull).unwrap();
    assert_eq!(refusal(&client, pull, json!({})).await, "Pull Request is not mergeable");
    mona.reopens(REPO, pull).unwrap();
    mona.pushes(REPO, "main", "Clash", &[("src/lib.rs", Some("other\n"))]).unwrap();
    assert_eq!(state_of(&client, pull).await, (json!(false), "dirty".to_owned()));
    assert_eq!(refusal(&client, pull, json!({})).await, "Pull Request is not mergeable");

    mona.pushes(REPO, "later", "Later", &[("a", Some("1\n"))]).unwrap();
    let draft = json!({ "title": "Later", "head": "later", "base": "main", "draft": true });
    let draft = client.post(&format!("/repos/{REPO}/pulls"), draft).await.expect(201);
    let draft = draft["number"].as_u64().unwrap();
    assert_eq!(state_of(&client, draft).await, (json!(true), "draft".to_owned()));
    assert_eq!(refusal(&client, draft, json!({})).await, "Pull Request is still a draft");
    mona.marks_ready(REPO, draft).unwrap();
    assert_eq!(state_of(&client, draft).await, (json!(true), "clean".to_owned()));
    world.emulator.allow_merge_methods(REPO, &[MergeMethod::Squash]).unwrap();
    let words = refusal(&client, draft, json!({ "merge_method": "rebase" })).await;
    assert_eq!(words, "Rebase merges are not allowed on this repository.");
    assert!(mona.merges(REPO, draft, MergeMethod::Merge).is_err());
    assert!(world.emulator.person("hubot").merges(REPO, draft, MergeMethod::Squash).is_err());
    mona.merges(REPO, draft, MergeMethod::Squash).unwrap();
}

/// Each with the words that the API has answered to others, in the form of a ruleset's or not.
#[tokio::test]
async fn what_a_branch_demands_is_told_by_rules_and_refused_until_it_is_there() {
    let to = Demand::Deployments(&["staging"]);
    let only = Demand::Methods(&[MergeMethod::Squash]);
    for (demand, kind, how, words) in [
        (
            Demand::MergeQueue,
            "merge_queue",
            "squash",
            "Changes must be made through the merge queue",
        ),
        (only, "pull_request", "merge", "Merge commits are not allowed on this repository."),
        (
            Demand::LinearHistory,
            "required_linear_history",
            "merge",
            "This branch must not contain merge commits.",
        ),
        (
            Demand::Signatures,
            "required_signatures",
            "rebase",
            "Commits must have verified signatures.",
        ),
        (
            Demand::Signatures,
            "required_signatures",
            "squash",
            "Commits must have verified signatures.",
        ),
        (to, "required_deployments", "squash", "Missing successful active staging deployment."),
        (
            Demand::Conversations,
            "pull_request",
            "squash",
            "A conversation must be resolved before this pull request can be merged.",
        ),
    ] {
        let world = World::new().await;
        let client = world.client().await;
        let (pull, head) = a_pull(&world);
        let note = LineNote { path: "src/lib.rs", line: 1, start_line: None, body: "why?" };
        let mona = world.emulator.person("mona");
        mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[note]).unwrap();
        for by in [Requirement::Protection, Requirement::Ruleset] {
            world.emulator.demand(REPO, "main", demand, by).unwrap();
            let said = refusal(&client, pull, json!({ "merge_method": how })).await;
            assert!(said.contains(words), "{demand:?}: {said}");
            let rules = client.get(&format!("/repos/{REPO}/rules/branches/main")).await.expect(200);
            let told = rules.as_array().unwrap().iter().any(|rule| rule["type"] == kind);
            assert_eq!(told, by == Requirement::Ruleset, "{demand:?}: {rules}");
        }
        match demand {
            Demand::Deployments(_) => world.emulator.deploys(REPO, &head, "staging").unwrap(),
            Demand::Conversations => {
                let path = format!("/repos/{REPO}/pulls/{pull}/comments");
                let comments = client.get(&path).await.expect(200);
                mona.resolves_thread(REPO, comments[0]["id"].as_u64().unwrap()).unwrap();
            }
            Demand::Methods(_) => {
                client.put(&merge_of(pull), json!({ "merge_method": "squash" })).await.expect(200);
                continue;
            }
            _ => world.emulator.demand_nothing(REPO, "main").unwrap(),
        }
        client.put(&merge_of(pull), json!({ "merge_method": how })).await.expect(200);
    }
}

/// "To view merge-related settings, you must have the `contents:read` and `contents:write`
/// permissions": GitHub's API description. GraphQL shows them to whoever sees the repository.
#[tokio::test]
async fn a_token_that_may_only_read_sees_the_ways_to_merge_by_graphql_alone() {
    let world = World::new().await;
    let (pull, _) = a_pull(&world);
    world.emulator.allow_merge_methods(REPO, &[MergeMethod::Squash]).unwrap();
    world.emulator.demand(REPO, "main", Demand::MergeQueue, Requirement::Protection).unwrap();
    let client = world.client().await;
    let path = format!("/repos/{REPO}");
    assert_eq!(client.get(&path).await.expect(200)["allow_rebase_merge"], false);
    let read = json!({ "contents": "read", "pull_requests": "read" });
    let app = world.as_app();
    let reader = app.installation(world.installation, json!({ "permissions": read })).await;
    assert_eq!(reader.get(&path).await.expect(200)["allow_rebase_merge"], Value::Null);
    let query = "query($n: Int!) { repository(owner: \"acme\", name: \"widgets\") {
        mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed
        pullRequest(number: $n) { isMergeQueueEnabled } } }";
    let answer = ask(&world, &reader, query, json!({ "n": pull })).await;
    let told = &answer["data"]["repository"];
    assert_eq!(
        told,
        &json!({
            "mergeCommitAllowed": false,
            "squashMergeAllowed": true,
            "rebaseMergeAllowed": false,
            "pullRequest": { "isMergeQueueEnabled": true },
        })
    );
}

#[tokio::test]
async fn a_required_check_of_one_app_is_not_met_by_another() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let ci = world.emulator.create_app(spec("ci")).unwrap();
    world.emulator.install(ci.app_id, &[REPO]).unwrap();
    let asked = [RequiredCheck { name: "unit", app: Some(ci.app_id) }];
    world.emulator.require_checks_of(REPO, "main", &asked, Requirement::Ruleset).unwrap();
    let rules = client.get(&format!("/repos/{REPO}/rules/branches/main")).await.expect(200);
    let told = &rules[0]["parameters"]["required_status_checks"][0];
    assert_eq!(told, &json!({ "context": "unit", "integration_id": ci.app_id }));
    let own = json!({ "name": "unit", "head_sha": head, "conclusion": "success" });
    client.post(&format!("/repos/{REPO}/check-runs"), own).await.expect(201);
    assert_eq!(state_of(&client, pull).await, (json!(true), "blocked".to_owned()));
    let words = refusal(&client, pull, json!({})).await;
    let rule = "Repository rule violations found\n\n";
    assert_eq!(words, format!("{rule}Required status check \"unit\" is expected.\n\n"));
    let bot = world.emulator.person("ci[bot]");
    bot.check_run(REPO, &head, "unit", CheckOutcome::Completed("failure")).unwrap();
    assert!(refusal(&client, pull, json!({})).await.contains("\"unit\" is failing"));
    bot.check_run(REPO, &head, "unit", CheckOutcome::Completed("success")).unwrap();
    bot.check_run(REPO, &head, "lint", CheckOutcome::Completed("failure")).unwrap();
    assert_eq!(state_of(&client, pull).await, (json!(true), "unstable".to_owned()));
    client.put(&merge_of(pull), json!({})).await.expect(200);
}

#[tokio::test]
async fn required_approvals_count_the_last_word_of_those_who_may_write() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    world.emulator.create_user("passer-by");
    let by = Requirement::Protection;
    world.emulator.require_approvals(REPO, "main", 1, by).unwrap();
    world.emulator.dismiss_stale_approvals(REPO, "main", by).unwrap();
    let asked = "At least 1 approving review is required by reviewers with write access.";
    assert_eq!(refusal(&client, pull, json!({})).await, asked);
    let passer = world.emulator.person("passer-by");
    passer.reviews(REPO, pull, Verdict::Approves, "").unwrap();
    assert_eq!(refusal(&client, pull, json!({})).await, asked);
    assert!(world.emulator.person("hubot").reviews(REPO, pull, Verdict::Approves, "").is_err());
    mona.reviews(REPO, pull, Verdict::Approves, "").unwrap();
    mona.reviews(REPO, pull, Verdict::RequestsChanges, "wait").unwrap();
    let words = refusal(&client, pull, json!({})).await;
    assert_eq!(words, "Changes requested by reviewers with write access.");
    mona.reviews(REPO, pull, Verdict::Approves, "").unwrap();
    // A push takes the approval back.
    world.emulator.person("hubot").pushes(REPO, "work", "More", &[("b", Some("1\n"))]).unwrap();
    assert_eq!(refusal(&client, pull, json!({})).await, asked);
    mona.reviews(REPO, pull, Verdict::Approves, "").unwrap();
    client.put(&merge_of(pull), json!({})).await.expect(200);
}

#[tokio::test]
async fn a_merge_needs_leave_for_what_it_brings_in() {
    let world = World::new().await;
    let client = world.client().await;
    let hubot = world.emulator.person("hubot");
    let file = ".github/workflows/ci.yml";
    hubot.pushes(REPO, "flow", "Flow", &[(file, Some("on: push\n"))]).unwrap();
    let pull = hubot.opens_pull(REPO, "Flow", "", "flow", "main").unwrap();
    let refused = client.put(&merge_of(pull), json!({})).await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "workflows=write");
    refused.expect(403);
    let merges = format!("/repos/{REPO}/merges");
    client.post(&merges, json!({ "base": "main", "head": "flow" })).await.expect(403);
    let narrow = json!({ "permissions": { "pull_requests": "write", "contents": "read" } });
    let reader = world.as_app().installation(world.installation, narrow).await;
    reader.put(&merge_of(pull), json!({})).await.expect(403);
}

#[tokio::test]
async fn a_merge_closes_what_the_text_names_on_the_default_branch_only() {
    let world = World::new().await;
    let mona = world.emulator.person("mona");
    let names = |text: &str| mona.opens_issue(REPO, text, "", &[]).unwrap();
    let (one, two, three) = (names("one"), names("two"), names("three"));
    mona.pushes(REPO, "next", "Next", &[("n", Some("1\n"))]).unwrap();
    mona.pushes(REPO, "a", "A", &[("a", Some("1\n"))]).unwrap();
    mona.pushes(REPO, "b", "B", &[("b", Some("1\n"))]).unwrap();
    let text = format!("Fixes #{one}, closes acme/widgets#{two}.");
    let side = mona.opens_pull(REPO, "A", &text, "a", "next").unwrap();
    mona.merges(REPO, side, MergeMethod::Merge).unwrap();
    assert_eq!(world.emulator.issue(REPO, one).unwrap().state, "open");
    let main = mona.opens_pull(REPO, "B", &text, "b", "main").unwrap();
    mona.merges(REPO, main, MergeMethod::Merge).unwrap();
    let state = |number: u64| world.emulator.issue(REPO, number).unwrap().state;
    assert_eq!(
        (state(one), state(two), state(three)),
        ("closed".into(), "closed".into(), "open".into())
    );
}

#[tokio::test]
async fn a_squash_of_many_names_them_and_their_authors() {
    let world = World::new().await;
    let mona = world.emulator.person("mona");
    let (pull, _) = a_pull(&world);
    mona.pushes(REPO, "work", "Polish\n\nA little.", &[("b", Some("1\n"))]).unwrap();
    let sha = mona.merges(REPO, pull, MergeMethod::Squash).unwrap();
    let message = world.emulator.commit(REPO, &sha).unwrap().message;
    assert!(
        message.starts_with(&format!("Fix (#{pull})\n\n* Add two\n\n* Polish\n\nA little.")),
        "{message}"
    );
    assert!(message.contains("Co-authored-by: mona <"), "{message}");
}

#[tokio::test]
async fn one_branch_is_merged_into_another() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    let merges = format!("/repos/{REPO}/merges");
    let wish = |base: &str, head: &str| json!({ "base": base, "head": head });
    let head = mona.pushes(REPO, "work", "Work", &[("a", Some("1\n"))]).unwrap();
    let base = mona.pushes(REPO, "main", "Main", &[("b", Some("1\n"))]).unwrap();
    let done = client.post(&merges, wish("main", "work")).await.expect(201);
    assert_eq!(done["commit"]["message"], "Merge work into main");
    assert_eq!(world.tip("main"), done["sha"].as_str().unwrap());
    let parents = world.emulator.commit(REPO, "main").unwrap().parents;
    assert_eq!(parents, [base, head.clone()]);
    assert_eq!(client.post(&merges, wish("main", &head)).await.status, 204);
    mona.pushes(REPO, "clash", "Clash", &[("a", Some("2\n"))]).unwrap();
    mona.pushes(REPO, "main", "Change", &[("a", Some("3\n"))]).unwrap();
    client.post(&merges, wish("main", "clash")).await.expect(409);
    client.post(&merges, wish("main", "nowhere")).await.expect(404);
    client.post(&merges, wish("nowhere", "work")).await.expect(404);
    world.emulator.require_checks(REPO, "main", &["unit"], Requirement::Protection).unwrap();
    mona.pushes(REPO, "fresh", "Fresh", &[("c", Some("1\n"))]).unwrap();
    client.post(&merges, wish("main", "fresh")).await.expect(403);
}

#[tokio::test]
async fn a_branch_is_brought_up_to_date_with_its_base() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    let (pull, head) = a_pull(&world);
    let update = format!("/repos/{REPO}/pulls/{pull}/update-branch");
    client.put(&update, json!({})).await.expect(422);
    let base = mona.pushes(REPO, "main", "Main", &[("b", Some("1\n"))]).unwrap();
    let by = Requirement::Ruleset;
    world.emulator.require_up_to_date(REPO, "main", by).unwrap();
    assert_eq!(state_of(&client, pull).await, (json!(true), "behind".to_owned()));
    assert!(refusal(&client, pull, json!({})).await.contains("out of date"));
    client.put(&update, json!({ "expected_head_sha": base })).await.expect(422);
    client.put(&update, json!({ "expected_head_sha": head })).await.expect(202);
    assert_eq!(world.emulator.commit(REPO, "work").unwrap().parents, [head, base]);
    assert_eq!(state_of(&client, pull).await.1, "clean");
    let range = format!("/repos/{REPO}/compare/main...work");
    let seen = client.get(&range).await.expect(200);
    assert_eq!(
        (&seen["status"], &seen["ahead_by"], &seen["behind_by"]),
        (&json!("ahead"), &json!(2), &json!(0))
    );
}

#[tokio::test]
async fn a_pull_request_is_led_elsewhere_and_opened_again_only_on_its_own_branch() {
    let world = World::new().await;
    let client = world.client().await;
    let mona = world.emulator.person("mona");
    let (pull, head) = a_pull(&world);
    mona.pushes(REPO, "next", "Next", &[("n", Some("1\n"))]).unwrap();
    mona.retargets(REPO, pull, "next").unwrap();
    mona.renames(REPO, pull, "Better").unwrap();
    let seen = client.get(&format!("/repos/{REPO}/pulls/{pull}")).await.expect(200);
    assert_eq!((&seen["base"]["ref"], &seen["title"]), (&json!("next"), &json!("Better")));
    assert!(mona.retargets(REPO, pull, "nowhere").is_err());
    mona.deletes_branch(REPO, "work").unwrap();
    assert_eq!(world.emulator.pull(REPO, pull).unwrap().state, "closed");
    let open = json!({ "state": "open" });
    let one = format!("/repos/{REPO}/pulls/{pull}");
    client.patch(&one, open.clone()).await.expect(422);
    mona.pushes(REPO, "work", "Anew", &[("a", Some("1\n"))]).unwrap();
    client.patch(&one, open.clone()).await.expect(422);
    assert!(mona.reopens(REPO, pull).is_err());
    mona.force_pushes(REPO, "work", &head).unwrap();
    client.patch(&one, open).await.expect(200);
    assert_eq!(world.emulator.pull(REPO, pull).unwrap().head_sha, head);
}

#[tokio::test]
async fn a_commit_knows_its_pull_requests() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let of = |sha: &str| format!("/repos/{REPO}/commits/{sha}/pulls");
    assert_eq!(client.get(&of(&head)).await.expect(200)[0]["number"], pull);
    let other = commits(&client, &world.tip("main"), "x", "1", json!({})).await;
    assert_eq!(client.get(&of(other["sha"].as_str().unwrap())).await.expect(200), json!([]));
    let mona = world.emulator.person("mona");
    let squashed = mona.merges(REPO, pull, MergeMethod::Squash).unwrap();
    assert_eq!(client.get(&of(&squashed)).await.expect(200)[0]["number"], pull);
}
