//! The part of GraphQL that reviews need.

use gander_emulator::Verdict;
use serde_json::{Value, json};

use crate::client::Client;
use crate::reviews::{a_pull, note};
use crate::{REPO, World};

/// Sends a document to GraphQL's own address.
pub(crate) async fn ask(world: &World, client: &Client, query: &str, variables: Value) -> Value {
    let root = Client::anonymous_at(&world.emulator, "api/graphql");
    let client = root.with(&format!("Bearer {}", client.secret()));
    let body = json!({ "query": query, "variables": variables });
    client.post("", body).await.expect(200)
}

const THREADS: &str = "
    query Threads($owner: String!, $name: String!, $number: Int!, $after: String) {
      repository(owner: $owner, name: $name) {
        pullRequest(number: $number) {
          id headRefOid baseRefName merged mergeCommit { oid } reviewDecision
          reviewThreads(first: 1, after: $after) {
            nodes {
              id isResolved isOutdated path line startLine
              comments(first: 50) {
                nodes { ...Words pullRequestReview { databaseId } }
                pageInfo { hasNextPage }
              }
            }
            pageInfo { hasNextPage endCursor }
          }
        }
      }
    }
    fragment Words on PullRequestReviewComment {
      id databaseId body lastEditedAt createdAt author { login __typename }
    }";

#[allow(clippy::needless_pass_by_value, reason = "reads as it is said")]
fn variables(pull: u64, after: Value) -> Value {
    json!({ "owner": "acme", "name": "widgets", "number": pull, "after": after })
}

#[tokio::test]
async fn threads_are_read_page_by_page() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, head) = a_pull(&world);
    let mona = world.emulator.person("mona");
    let lines = [note(2, "why?"), note(3, "and this?")];
    let review = mona.reviews_lines(REPO, pull, Verdict::RequestsChanges, "", &lines).unwrap();
    let first = ask(&world, &client, THREADS, variables(pull, Value::Null)).await;
    assert_eq!(first.get("errors"), None, "{first}");
    let seen = &first["data"]["repository"]["pullRequest"];
    assert_eq!((&seen["headRefOid"], &seen["merged"]), (&json!(head), &json!(false)));
    assert_eq!(seen["reviewDecision"], "CHANGES_REQUESTED");
    let threads = &seen["reviewThreads"];
    assert_eq!(
        (&threads["nodes"][0]["line"], threads["nodes"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    let comment = &threads["nodes"][0]["comments"]["nodes"][0];
    assert_eq!((&comment["body"], &comment["lastEditedAt"]), (&json!("why?"), &Value::Null));
    assert_eq!(comment["author"], json!({ "login": "mona", "__typename": "User" }));
    assert_eq!(comment["pullRequestReview"]["databaseId"], review);
    assert_eq!(threads["pageInfo"]["hasNextPage"], true);
    let after = threads["pageInfo"]["endCursor"].clone();
    let second = ask(&world, &client, THREADS, variables(pull, after)).await;
    let threads = &second["data"]["repository"]["pullRequest"]["reviewThreads"];
    assert_eq!(
        (&threads["nodes"][0]["line"], &threads["pageInfo"]["hasNextPage"]),
        (&json!(3), &json!(false))
    );
}

const RESOLVE: &str = "mutation($thread: ID!) {
    resolveReviewThread(input: { threadId: $thread }) { thread { id isResolved } } }";

#[tokio::test]
async fn who_may_write_resolves_a_thread_and_others_may_not() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[note(2, "why?")]).unwrap();
    let seen = ask(&world, &client, THREADS, variables(pull, Value::Null)).await;
    let threads = &seen["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"];
    let thread = json!({ "thread": threads[0]["id"] });
    for permissions in [
        json!({ "pull_requests": "read", "contents": "write" }),
        json!({ "pull_requests": "write", "contents": "read" }),
    ] {
        let wanted = json!({ "permissions": permissions });
        let narrow = world.as_app().installation(world.installation, wanted).await;
        let refused = ask(&world, &narrow, RESOLVE, thread.clone()).await;
        assert_eq!(refused["errors"][0]["type"], "FORBIDDEN", "{refused}");
        assert_eq!(refused["data"], json!({ "resolveReviewThread": null }));
    }
    let done = ask(&world, &client, RESOLVE, thread.clone()).await;
    assert_eq!(done["data"]["resolveReviewThread"]["thread"]["isResolved"], true);
    let undo = RESOLVE.replace("resolve", "unresolve");
    let done = ask(&world, &client, &undo, thread).await;
    assert_eq!(done["data"]["unresolveReviewThread"]["thread"]["isResolved"], false);
    let nothing = ask(&world, &client, RESOLVE, json!({ "thread": "bm90aGluZw==" })).await;
    assert_eq!(nothing["errors"][0]["type"], "NOT_FOUND");
}

#[tokio::test]
async fn an_edited_comment_says_who_edited_it() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    let comment = mona.comments(REPO, pull, "hm").unwrap();
    let review = mona.reviews(REPO, pull, Verdict::Comments, "hm").unwrap();
    world.passes(1_000);
    let path = format!("/repos/{REPO}/issues/comments/{comment}");
    client.patch(&path, json!({ "body": "/gander approve" })).await.expect(200);
    mona.edits_review(REPO, review, "oh").unwrap();
    let query = "query($number: Int!) { repository(owner: \"acme\", name: \"widgets\") {
        pullRequest(number: $number) {
          comments(last: 5) { nodes { id databaseId body createdAt lastEditedAt includesCreatedEdit
            author { login __typename ... on User { databaseId } } editor { login } } pageInfo { hasNextPage } }
          approvals: reviews(first: 5, states: [APPROVED]) { nodes { id } }
          reviews(first: 5) { nodes { databaseId state body submittedAt lastEditedAt author { login }
            commit { oid } } }
        } } }";
    let seen = ask(&world, &client, query, json!({ "number": pull })).await;
    assert_eq!(seen.get("errors"), None, "{seen}");
    let pulled = &seen["data"]["repository"]["pullRequest"];
    let words = &pulled["comments"]["nodes"][0];
    assert_eq!(
        (&words["databaseId"], &words["includesCreatedEdit"]),
        (&json!(comment), &json!(true))
    );
    assert_eq!(words["lastEditedAt"], "2026-01-01T00:00:01Z");
    assert_eq!(
        (&words["author"]["login"], &words["editor"]["login"]),
        (&json!("mona"), &json!("gander"))
    );
    assert_eq!(pulled["approvals"]["nodes"], json!([]));
    assert_eq!(pulled["reviews"]["nodes"][0]["lastEditedAt"], "2026-01-01T00:00:01Z");
    let node =
        "query($id: ID!) { node(id: $id) { ... on IssueComment { body editor { login } } } }";
    let one = ask(&world, &client, node, json!({ "id": words["id"] })).await;
    assert_eq!(
        one["data"]["node"],
        json!({ "body": "/gander approve", "editor": { "login": "gander" } })
    );
}

#[tokio::test]
async fn a_reply_by_graphql_is_one_by_rest() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let mona = world.emulator.person("mona");
    mona.reviews_lines(REPO, pull, Verdict::Comments, "", &[note(2, "why?")]).unwrap();
    let seen = ask(&world, &client, THREADS, variables(pull, Value::Null)).await;
    let threads = &seen["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"];
    let input = json!({ "pullRequestReviewThreadId": threads[0]["id"], "body": "because" });
    let reply = "mutation($input: AddPullRequestReviewThreadReplyInput!) {
        addPullRequestReviewThreadReply(input: $input) { comment { databaseId body } } }";
    let done = ask(&world, &client, reply, json!({ "input": input })).await;
    let made = &done["data"]["addPullRequestReviewThreadReply"]["comment"];
    let listed = client.get(&format!("/repos/{REPO}/pulls/{pull}/comments")).await.expect(200);
    assert_eq!((&listed[1]["id"], &listed[1]["body"]), (&made["databaseId"], &json!("because")));
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error_without_data() {
    let world = World::new().await;
    let client = world.client().await;
    let (pull, _) = a_pull(&world);
    let inside = |what: &str| {
        format!(
            "{{ repository(owner: \"acme\", name: \"widgets\") {{ pullRequest(number: {pull}) {{ {what} }} }} }}"
        )
    };
    for (query, words) in [
        ("{ repository(".to_owned(), "Parse error"),
        (inside("mood"), "Field 'mood' doesn't exist on type 'PullRequest'"),
        (inside("comments(first: 1, mood: 1) { totalCount }"), "doesn't accept argument 'mood'"),
        (inside("mergeCommit"), "must have selections"),
        (inside("merged { at }"), "can't have selections"),
        (inside("...Nothing"), "Fragment Nothing was used, but not defined"),
        (inside("title @include(if: true)"), "no directives"),
        ("query($n: Int!) { repository(owner: \"acme\", name: \"widgets\") { pullRequest(number: $n) { id } } }".to_owned(), "Variable $n"),
    ] {
        let answer = ask(&world, &client, &query, Value::Null).await;
        let said = answer["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{query}: {answer}");
        assert_eq!(answer.get("data"), None, "{query}");
    }
    let unbound = ask(&world, &client, &inside("comments { totalCount }"), Value::Null).await;
    assert_eq!(unbound["errors"][0]["type"], "MISSING_PAGINATION_BOUNDARIES");
    let other = "{ repository(owner: \"acme\", name: \"nothing\") { id } }";
    let missing = ask(&world, &client, other, Value::Null).await;
    assert_eq!(missing["errors"][0]["type"], "NOT_FOUND");
    assert_eq!(missing["data"], json!({ "repository": null }));
    // An Enterprise Server has GraphQL beside the REST API, not below it.
    client.post("/graphql", json!({ "query": "{ __typename }" })).await.expect(501);
    Client::anonymous_at(&world.emulator, "graphql").post("", json!({})).await.expect(401);
}
