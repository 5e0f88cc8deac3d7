//! The judge sees what is wrong: what GitHub describes, spoiled in one place at a time.

use gander_contract::client::Client;
use gander_contract::{Contract, Part, Violation};
use gander_emulator::{DeliveryView, Exchange, Record, ServerKind};
use serde_json::{Value, json};

use crate::{BASE, NOW, REPO, world};

/// A comment is made, and told of; all as GitHub describes it.
async fn a_comment() -> Record {
    let world = world().await;
    let client = Client::app(&world.emulator, &world.app, NOW);
    let client = client.installation(world.installation, json!({})).await;
    world.emulator.person("mona").opens_issue(REPO, "Broken", "", &[]).unwrap();
    let path = format!("{BASE}/issues/1/comments");
    for _ in 0..3 {
        client.post(&path, json!({ "body": "hi" })).await.expect(201);
    }
    client.get(&format!("{path}?per_page=2")).await.expect(200);
    client.get(&format!("{BASE}/commits/main/check-runs?per_page=2")).await.expect(200);
    world.emulator.deliver_all().await;
    world.emulator.record()
}

fn last<'r>(record: &'r Record, method: &str, end: &str) -> &'r Exchange {
    let mut all = record.exchanges.iter().rev();
    all.find(|one| one.method == method && one.path.ends_with(end)).unwrap()
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: Option<&str>) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

/// One finding, of this part and in these words.
fn names(found: &[Violation], part: Part, words: &str) {
    let named = found.iter().any(|one| one.part == part && one.message.contains(words));
    assert!(named, "no {part:?} with {words:?} in {found:?}");
}

#[tokio::test]
async fn what_is_wrong_with_addresses_and_bodies_is_found() {
    let Some(contract) = Contract::from_environment() else { return };
    let record = a_comment().await;
    let good = last(&record, "POST", "/comments");
    assert_eq!(contract.check(good), []);
    let spoiled = |part: Part, words: &str, spoil: &dyn Fn(&mut Exchange)| {
        let mut exchange = good.clone();
        spoil(&mut exchange);
        names(&contract.check(&exchange), part, words);
    };
    spoiled(Part::Route, "no such operation", &|one| one.path.push_str("/nowhere"));
    spoiled(Part::PathParameter, "issue_number=one", &|one| {
        one.path = one.path.replace('1', "one")
    });
    spoiled(Part::Query, "page_size is not described", &|one| one.query = "page_size=3".to_owned());
    spoiled(Part::RequestBody, "there is none", &|one| one.request_body = None);
    let body = |part: Part, words: &str, body: Value| {
        spoiled(part, words, &|one| one.request_body = Some(body.clone()));
    };
    body(Part::RequestBody, "\"body\" is a required", json!({ "text": "hi" }));
    body(Part::RequestBody, "/body: 1", json!({ "body": 1 }));
    body(Part::RequestBody, "/silent is not", json!({ "body": "hi", "silent": true }));
    let answer = |words: &str, at: &str, value: Value| {
        spoiled(Part::ResponseBody, words, &|one| {
            one.response_body.as_mut().unwrap()[at] = value.clone();
        });
    };
    answer("/id: \"1\"", "id", json!("1"));
    answer("/mood is not described", "mood", json!("ok"));
    answer("/user", "user", json!({ "login": null }));
    spoiled(Part::ResponseBody, "\"url\" is a required", &|one| {
        one.response_body.as_mut().unwrap().as_object_mut().unwrap().remove("url");
    });
    let list = last(&record, "GET", "/comments");
    for (query, words) in [("page=two", "page=two does not fit"), ("mood=ok", "mood is not")] {
        let wrong = Exchange { query: query.to_owned(), ..list.clone() };
        names(&contract.check(&wrong), Part::Query, words);
    }
}

#[tokio::test]
async fn a_wrong_header_is_found() {
    let Some(contract) = Contract::from_environment() else { return };
    let record = a_comment().await;
    let (made, list) = (last(&record, "POST", "/comments"), last(&record, "GET", "/comments"));
    assert_eq!(contract.check(list), []);
    for (name, value, words) in [
        ("user-agent", None, "no user-agent"),
        ("accept", Some("text/xml"), "accept: text/xml"),
        ("content-type", None, "a body without a content-type"),
        ("content-type", Some("text/plain"), "content-type: text/plain"),
        ("x-github-api-version", Some("2020-01-01"), "2020-01-01 is no version"),
    ] {
        let mut wrong = made.clone();
        set(&mut wrong.request_headers, name, value);
        names(&contract.check(&wrong), Part::RequestHeader, words);
    }
    let next = "<http://127.0.0.1:1/api/v3/repos/acme/widgets/issues/1/comments?page=2>; rel=";
    let answers: [(&Exchange, &str, Option<&str>, &str); 8] = [
        (made, "content-type", Some("text/html"), "content-type: text/html"),
        (made, "location", None, "there is no location"),
        (made, "location", Some("/here"), "location: /here is no address"),
        (made, "link", Some(&format!("{next}\"next\"")), "link is not described"),
        (list, "link", Some(&format!("{next}\"after\"")), "is none"),
        (list, "link", Some(&next.replace("issues/1", "issues/2")), "is none"),
        (list, "link", Some(&format!("{}\"next\"", next.replace("/1/", "/2/"))), "another list"),
        (list, "link", Some(&format!("{}\"next\"", next.replace("page", "at"))), "at is not"),
    ];
    for (good, name, value, words) in answers {
        let mut wrong = good.clone();
        set(&mut wrong.response_headers, name, value);
        names(&contract.check(&wrong), Part::ResponseHeader, words);
    }
    let runs = last(&record, "GET", "/check-runs");
    assert_eq!(contract.check(runs), []);
    let mut wrong = runs.clone();
    wrong.response_body.as_mut().unwrap()["total_count"] = json!(7);
    names(&contract.check(&wrong), Part::ResponseHeader, "0 of 7, and no link");
}

/// An error that the description does not list, one in another form, and one that is known.
#[tokio::test]
async fn a_wrong_error_is_found() {
    let Some(contract) = Contract::from_environment() else { return };
    let record = a_comment().await;
    let with = |status: u16, body: Value| {
        let mut exchange = last(&record, "POST", "/comments").clone();
        exchange.status = status;
        exchange.response_body = Some(body);
        contract.check(&exchange)
    };
    for (status, body, part, words) in [
        (200, json!({}), Part::Status, "200"),
        (409, json!({ "message": "Busy" }), Part::Status, "409 \"Busy\" is not described"),
        (401, json!({ "message": "Go away" }), Part::Status, "401 \"Go away\""),
        (401, json!({ "message": "Bad credentials", "mood": 1 }), Part::ResponseBody, "/mood"),
        (404, json!({ "error": "no" }), Part::ResponseBody, "/error is not described"),
        (404, json!({ "message": 4 }), Part::ResponseBody, "/message: 4"),
        (
            422,
            json!({ "message": "No" }),
            Part::ResponseBody,
            "\"documentation_url\" is a required",
        ),
    ] {
        names(&with(status, body), part, words);
    }
    assert_eq!(with(401, json!({ "message": "Bad credentials" })), []);
    let unneeded = contract.unneeded();
    assert!(!unneeded.iter().any(|row| row.starts_with("401 Bad credentials (")), "{unneeded:?}");
    assert!(unneeded.iter().any(|row| row.starts_with("404 Not Found (")), "{unneeded:?}");
}

#[tokio::test]
async fn a_wrong_webhook_is_found() {
    let Some(contract) = Contract::from_environment() else { return };
    let record = a_comment().await;
    let good = record.deliveries.iter().find(|one| one.event == "issue_comment").unwrap();
    assert_eq!(contract.check_webhook(good), []);
    let spoiled = |words: &str, spoil: &dyn Fn(&mut DeliveryView)| {
        let mut delivery = good.clone();
        spoil(&mut delivery);
        names(&contract.check_webhook(&delivery), Part::Webhook, words);
    };
    spoiled("no such event and action", &|one| one.event = "gossip".to_owned());
    spoiled("no such event and action", &|one| one.action = Some("whispered".to_owned()));
    spoiled("/action is Some(\"edited\")", &|one| one.payload["action"] = json!("edited"));
    spoiled("/comment/id: \"1\"", &|one| one.payload["comment"]["id"] = json!("1"));
    spoiled("/comment/mood is not described", &|one| one.payload["comment"]["mood"] = json!(1));
    spoiled("\"sender\" is a required", &|one| {
        one.payload.as_object_mut().unwrap().remove("sender");
    });
    spoiled("there is no x-github-delivery", &|one| {
        set(&mut one.request_headers, "x-github-delivery", None);
    });
    spoiled("x-github-event is not issue_comment", &|one| {
        set(&mut one.request_headers, "x-github-event", Some("issues"));
    });
    // A webhook of another server has other headers.
    let found = contract.of_enterprise().check_webhook(good);
    names(&found, Part::Webhook, "there is no x-github-enterprise-version");
}

#[tokio::test]
async fn what_need_not_be_there_is_found_where_only_what_must_be_there_is() {
    let Some(contract) = Contract::from_environment() else { return };
    let record = Record { server: ServerKind::RequiredOnly, ..a_comment().await };
    let found = contract.check_record(&record);
    names(&found, Part::ResponseBody, "/performed_via_github_app is not required");
    names(&found, Part::Webhook, "/repository/custom_properties is not required");
}

/// A judge that was not asked says so, and what that means.
#[test]
fn without_its_variables_the_judge_says_aloud_what_it_did_not_check() {
    for (variable, test) in [
        ("GANDER_OPENAPI", "every_route_keeps_to_githubs_description"),
        ("GANDER_EXCHANGES", "what_was_recorded_keeps_to_githubs_description"),
    ] {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.env_remove(variable).args(["--exact", test]);
        let said = again.output().unwrap().stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(&format!("SKIPPED: {variable} is not set, so no")), "{said}");
    }
}

/// What is asked of GraphQL, and what comes back, to be spoiled.
#[tokio::test]
async fn what_is_wrong_in_graphql_is_found() {
    let Some(contract) = Contract::from_environment() else { return };
    let mut exchange = last(&a_comment().await, "POST", "/comments").clone();
    let query = "query($number: Int!) { repository(owner: \"acme\", name: \"widgets\") {
        pullRequest(number: $number) { title state author { login __typename } } } }";
    let pull = json!({
        "title": "Fix",
        "state": "OPEN",
        "author": { "login": "mona", "__typename": "User" },
    });
    exchange.path = "/graphql".to_owned();
    exchange.status = 200;
    exchange.request_body = Some(json!({ "query": query, "variables": { "number": 1 } }));
    exchange.response_body = Some(json!({ "data": { "repository": { "pullRequest": pull } } }));
    assert_eq!(contract.check_all(&[exchange.clone()]), []);
    let mut spoiled = Vec::new();
    for (what, with) in [("title", "mood"), ("Int!", "String!"), ("pullRequest(", "pull(")] {
        let mut one = exchange.clone();
        one.request_body = Some(json!({
            "query": query.replace(what, with),
            "variables": { "number": 1 },
        }));
        spoiled.push(one);
    }
    for variables in [json!({}), json!({ "number": "one" })] {
        let mut one = exchange.clone();
        one.request_body = Some(json!({ "query": query, "variables": variables }));
        spoiled.push(one);
    }
    for (name, value) in [
        ("title", Value::Null),
        ("title", json!(1)),
        ("state", json!("DREAMING")),
        ("author", json!({ "login": "mona", "__typename": "Ghost" })),
        ("author", json!({ "login": "mona" })),
        ("mood", json!("fine")),
    ] {
        let mut one = exchange.clone();
        let answer = one.response_body.as_mut().unwrap();
        answer["data"]["repository"]["pullRequest"][name] = value;
        spoiled.push(one);
    }
    for (index, one) in spoiled.iter_mut().enumerate() {
        one.method = format!("no. {index}");
    }
    let found = contract.check_all(&spoiled);
    for one in &spoiled {
        let name = format!("{} {}", one.method, one.path);
        assert!(found.iter().any(|wrong| wrong.exchange == name), "{one:?}");
    }
    assert!(found.iter().all(|wrong| wrong.part == Part::Graphql));
}
