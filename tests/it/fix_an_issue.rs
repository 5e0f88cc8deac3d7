//! A maintainer comments `/gander fix`, and gets a pull request.

use gander_emulator::{Exchange, ReactionView};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, visible};

#[tokio::test]
async fn a_comment_becomes_a_verified_pull_request() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;

    assert_snapshot!(w.timeline(), @"
    hubot-fan opened issue #1: Count is one too low
    mona commented on #1: /gander fix
    gander[bot] reacted with eyes to a comment on #1
    gander[bot] commented on #1: **Reading** the rules and the code
    gander[bot] created branch gander/1-vfuxini2iztf with 1 commit
    gander[bot] opened pull request #2: fix: Count is one too low (#1) (gander/1-vfuxini2iztf into main)
    gander[bot] labeled #2 gander:ai-generated
    gander[bot] labeled #2 gander:unproven
    gander[bot] edited a comment on #1: **Ready for review**: #2
    gander[bot] finished check Gander: success
    gander[bot] commented on #1: @mona #2 is ready for your review.
    ");
    assert_snapshot!(w.comments(issue).join("\n=====\n"), @"
    **Ready for review**: #2

    - [x] read the rules and the code (`main` at `ae4e166cd1d0`)
    - [x] write the change
    - [x] check it in a fresh copy
    - [x] open the pull request

    <sub>$0.00 of $3.00 · scripted · Gander 0.1.0 · job vfuxini2iztf · 12:00 UTC</sub>
    =====
    @mona #2 is ready for your review.
    ");
    assert_eq!(w.issue(issue).labels, [] as [&str; 0]);
    w.ends().await;
}

#[tokio::test]
async fn the_pull_request_says_what_changed_and_how_it_was_checked() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;

    let pull = w.only_pull();
    assert_eq!((pull.title.as_str(), pull.draft), ("fix: Count is one too low (#1)", false));
    assert_eq!((pull.author.as_str(), pull.base_branch.as_str()), ("gander[bot]", "main"));
    assert_eq!(pull.labels, ["gander:ai-generated", "gander:unproven"]);
    assert_snapshot!(visible(&pull.body), @"
    Approving `79de9957d068` merges it into `main`. It does not release.

    **Expected review: short**: 2 lines in 1 file.

    ### What changed
    1 file, +1 −1. In the model's words:

    ```text
    The count was one too low: a leftover `- 1`. It is removed.
    ```

    ### Not proven
    It was not tried: what single tests came to is not known. Gander reads it of cargo test, cargo nextest, pytest, unittest, node --test, jest, vitest, mocha, tape, go test, gotestsum, PHPUnit, RSpec and ctest, where a check is that one command and what it prints adds up.

    ### Checks passed
    Run by Gander in a fresh copy of the base commit with this change:

    | check | result | time |
    |---|---|---|
    | paths and size of the change | passed | TIME |
    | `sh check.sh` | passed | TIME |

    ### Not checked
    That the tests fail without the change, and whatever the checks above do not cover.

    Fixes #1

    ---
    <sub>Asked for by mona. Want it otherwise? Request changes in a review, comment `/gander revise` with what to do, or push to this branch. $0.00 of $3.00 · scripted · Gander 0.1.0 · job vfuxini2iztf · 12:00 UTC</sub>
    ");
    let [check] = w.emulator.check_runs(REPO, &pull.head_sha).try_into().unwrap();
    assert_eq!((check.app.as_str(), check.status.as_str()), ("gander", "completed"));
    assert_eq!(check.conclusion.as_deref(), Some("success"));
    assert_snapshot!(visible(&check.summary.unwrap()), @"
    | check | result | time |
    |---|---|---|
    | paths and size of the change | passed | TIME |
    | `sh check.sh` | passed | TIME |
    ");
    w.ends().await;
}

#[tokio::test]
async fn the_branch_is_the_base_and_the_fix_and_nothing_else() {
    let w = World::with_project(off_by_one()).await;
    let mut words = good_fix();
    // A touched file is not a changed one.
    words.insert(1, crate::world::run("touch -d 2001-01-01 README.md"));
    w.model.will(words);
    w.fixed().await;

    let pull = w.only_pull();
    let commit = w.emulator.commit(REPO, &pull.head_sha).unwrap();
    assert_eq!(commit.parents, [w.emulator.branches(REPO)["main"].clone()]);
    assert!(commit.verified, "GitHub signs what its API makes");
    assert_eq!(commit.author, "gander[bot] <1002+gander[bot]@users.noreply.github.com>");
    assert_snapshot!(commit.message, @"
    fix: Count is one too low (#1)

    Requested-by: mona <1004+mona@users.noreply.github.com>
    Assisted-by: Gander 0.1.0 (scripted)
    ");
    let mut expected: Vec<(String, Vec<u8>)> = off_by_one()
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.replace("$1 - 1", "$1").into_bytes()))
        .collect();
    expected.sort();
    let mut paths = w.emulator.files(REPO, &pull.head_sha);
    paths.sort();
    let there = paths.into_iter().map(|path| {
        let content = w.emulator.file(REPO, &pull.head_sha, &path).unwrap();
        (path, content)
    });
    assert_eq!(there.collect::<Vec<_>>(), expected);
    assert_eq!(w.our_branches(), [pull.head_branch]);
    w.ends().await;
}

#[tokio::test]
async fn the_command_is_acknowledged_before_anything_else() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    let comment = w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.emulator.deliver_all().await;

    // The decision, and then at once the reaction.
    assert!(w.step().await && w.step().await);
    let eyes = ReactionView { author: "gander[bot]".to_owned(), content: "eyes".to_owned() };
    let reactions = w.issue(issue).comments.into_iter().find(|c| c.id == comment);
    assert_eq!(reactions.unwrap().reactions, [eyes]);
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn every_token_is_for_one_repository_and_one_purpose_and_the_writing_one_is_given_back() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;

    let exchanges = w.emulator.exchanges();
    let minted: Vec<&Value> = exchanges
        .iter()
        .filter(|exchange| exchange.path.ends_with("/access_tokens"))
        .map(|exchange| exchange.request_body.as_ref().unwrap())
        .collect();
    for request in &minted {
        assert_eq!(request["repository_ids"].as_array().unwrap().len(), 1);
    }
    let permissions: Vec<&Value> = minted.iter().map(|request| &request["permissions"]).collect();
    let push = json!({"contents": "write", "metadata": "read", "pull_requests": "write"});
    assert_eq!(
        permissions,
        [
            &json!({"contents": "read", "issues": "read", "metadata": "read", "pull_requests": "read"}),
            &json!({"checks": "write", "issues": "write", "metadata": "read", "pull_requests": "write"}),
            &push,
            &json!({"actions": "read", "checks": "read", "metadata": "read", "statuses": "read"}),
        ]
    );
    let given_back = |exchange: &Exchange| {
        (exchange.method.as_str(), exchange.path.as_str()) == ("DELETE", "/installation/token")
    };
    let wrote =
        |exchange: &Exchange| token(exchange) == "installation-token #3" && !given_back(exchange);
    let last = exchanges.iter().rposition(wrote).unwrap();
    let returned = exchanges.iter().position(given_back).unwrap();
    assert!(returned > last, "used at {last}, given back at {returned}");
    assert_eq!(exchanges[returned].status, 204);
    // What holds `contents: write` was used for git objects and the pull request alone.
    for exchange in exchanges.iter().filter(|exchange| wrote(exchange)) {
        let known = exchange.path.contains("/git/") || exchange.path.ends_with("/pulls");
        assert!(known, "{} {}", exchange.method, exchange.path);
    }
    w.ends().await;
}

/// GitHub counts what an App changes and asks, and people wait for each answer.
#[tokio::test]
async fn a_job_changes_github_ten_times_and_asks_it_little() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;
    let exchanges = w.emulator.exchanges();
    let of_git = |it: &&Exchange| !it.path.contains("/access_tokens") && it.path != "/graphql";
    let changes = exchanges.iter().filter(of_git).filter(|it| {
        it.method != "GET" && !(it.method == "DELETE" && it.path == "/installation/token")
    });
    let changes: Vec<String> = changes
        .map(|it| format!("{} {}", it.method, it.path.replace("/repos/acme/widgets", "")))
        .collect();
    assert_snapshot!(changes.join("\n"), @"
    POST /issues/comments/3100000001/reactions
    POST /issues/1/comments
    POST /git/trees
    POST /git/commits
    POST /git/refs
    POST /pulls
    POST /issues/2/labels
    PATCH /issues/comments/3100000002
    POST /check-runs
    POST /issues/1/comments
    ");
    let until_pull =
        exchanges.iter().position(|it| it.method == "POST" && it.path.ends_with("/pulls"));
    // Two more, the first time: who Gander is.
    assert_eq!(until_pull.unwrap() + 1, 27);
    w.ends().await;
}

#[tokio::test]
async fn a_label_is_as_good_as_a_comment_and_is_taken_off() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().labels(REPO, issue, "gander:fix").unwrap();
    w.settle().await;

    assert_eq!(w.only_pull().state, "open");
    assert_eq!(w.issue(issue).labels, [] as [&str; 0]);
    assert_eq!(w.issue(issue).reactions.len(), 1, "the issue itself gets the reaction");
    w.ends().await;
}

#[tokio::test]
async fn a_feature_is_built_like_a_bug_is_fixed() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.stranger().opens_issue(REPO, "Count everything", "", &[]).unwrap();
    w.says(issue, "/gander build base=main all of the widgets").await;

    let pull = w.only_pull();
    assert_eq!(pull.title, "feat: Count everything (#1)");
    assert!(pull.body.contains("Closes #1"), "{}", pull.body);
    assert!(w.model.heard()[0].contains("all of the widgets"));
    w.ends().await;
}

#[tokio::test]
async fn merging_ends_the_job_and_says_who_did_it() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    let pull = w.only_pull();
    w.maintainer().merges(REPO, pull.number, gander_emulator::MergeMethod::Squash).unwrap();
    w.settle().await;

    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Merged** by mona\n"), "{}", comments[0]);
    assert_eq!(comments.len(), 2, "merging notifies nobody again");
    w.ends().await;
}

#[tokio::test]
async fn without_a_test_command_the_pull_request_says_that_no_test_was_run() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let w = World::with_project(files).await;
    let more = vec![edit("README.md", "Widgets", "All widgets"), finish("It says all.")];
    w.model.will_in_rounds(vec![good_fix(), more]);
    let issue = w.fixed().await;

    let pull = w.only_pull();
    assert_eq!(pull.labels, ["gander:ai-generated", "gander:unproven"]);
    assert!(pull.body.contains("> **Checks passed, no test was run.**"), "{}", pull.body);
    assert!(pull.body.contains("### Checks passed, no test was run\n"), "{}", pull.body);
    let step = "- [x] check it in a fresh copy: checks passed, no test was run";
    assert!(w.comments(issue)[0].contains(step), "{}", w.comments(issue)[0]);
    let [check] = w.emulator.check_runs(REPO, &pull.head_sha).try_into().unwrap();
    assert!(check.summary.unwrap().starts_with("Checks passed, no test was run.\n"));

    w.says(pull.number, "/gander revise name all of them").await;
    let round = w.comments(pull.number).pop().unwrap();
    assert!(round.contains("`. Checks passed, no test was run."), "{round}");
    w.ends().await;
}

#[tokio::test]
async fn where_the_commands_ran_no_test_the_pull_request_says_so() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let none = "[verify]\ncommands = [\"echo '  0 passing (1ms)'\"]\n";
    files.push((".github/gander.toml", none));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    w.fixed().await;

    let body = w.only_pull().body;
    let said = "> **Checks passed, no test was run.** The commands below ran and succeeded, but by \
                their own account they ran no test.";
    assert!(body.contains(said), "{body}");
    assert!(body.contains("### Checks passed, no test was run\n"), "{body}");
    assert!(body.contains("| passed, no test was run |"), "{body}");
    w.ends().await;
}

fn token(exchange: &Exchange) -> &str {
    let header = exchange.request_headers.iter().find(|(name, _)| name == "authorization");
    header.map_or("none", |(_, value)| value)
}

/// A server in front of GitHub may join equal headers, and then none of them means anything.
#[tokio::test]
async fn every_request_names_gander_and_sends_each_header_once() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;
    w.approved().await;
    assert!(w.only_pull().merged);
    let exchanges = w.emulator.exchanges();
    assert!(exchanges.len() > 20, "{}", exchanges.len());
    for exchange in exchanges {
        let mut names: Vec<_> = exchange.request_headers.iter().map(|(name, _)| name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{:?}", exchange.request_headers);
        let header = |wanted: &str| {
            let found = exchange.request_headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(header("x-github-api-version"), Some("2022-11-28"), "{}", exchange.path);
        let version = concat!("gander/", env!("CARGO_PKG_VERSION"));
        assert_eq!(header("user-agent"), Some(version), "{}", exchange.path);
    }
    w.ends().await;
}
