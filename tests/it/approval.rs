//! Approving exactly one commit merges it; everything else is explained.

use gander_emulator::{AppSpec, Demand, Fault, Requirement, Verdict};
use insta::assert_snapshot;
use serde_json::json;

use crate::world::{REPO, World, good_fix, off_by_one};

pub async fn in_review() -> (World, u64, u64) {
    with_rules("").await
}

pub async fn with_rules(rules: &str) -> (World, u64, u64) {
    let mut files = off_by_one();
    let text = format!("[verify]\ncommands = [\"sh check.sh\"]\n{rules}");
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((".github/gander.toml", &text));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    let pull = w.only_pull().number;
    (w, issue, pull)
}

#[tokio::test]
async fn an_approving_review_of_the_head_merges_it() {
    let (w, issue, pull) = in_review().await;
    assert!(w.only_pull().body.starts_with("Approving `"), "{}", w.only_pull().body);
    let before = w.timeline();
    w.approved().await;

    assert!(w.only_pull().merged);
    let since = w.timeline().strip_prefix(&before).unwrap().to_owned();
    assert_snapshot!(since, @"
    acme reviewed #2: approved
    gander[bot] merged #2 into main
    gander[bot] closed #1
    gander[bot] pushed 1 commit to main
    gander[bot] edited a comment on #1: **Merged**, approved by acme
    gander[bot] deleted branch gander/1-vfuxini2iztf
    ");
    assert_eq!(w.issue(issue).state, "closed");
    assert_eq!(w.our_branches(), [] as [&str; 0]);
    assert!(w.comments(issue)[0].starts_with("**Merged**, approved by acme"));
    assert_eq!(w.comments(pull), [] as [&str; 0], "a merge needs no words");
    w.ends().await;
}

#[tokio::test]
async fn the_command_approves_the_commit_it_names_and_no_other() {
    let (w, _, pull) = in_review().await;
    let head = w.only_pull().head_sha;
    w.owner().comments(REPO, pull, "/gander approve").unwrap();
    w.settle().await;
    assert!(w.last_words(pull).contains(&format!("/gander approve {}", &head[..12])));
    w.owner().comments(REPO, pull, "/gander approve 0123456789ab").unwrap();
    w.settle().await;
    assert_snapshot!(w.last_words(pull).replace(&head[..12], "HEAD"), @"
    `0123456789ab` is not the head of this branch. To approve what stands here now:

    ```text
    /gander approve HEAD
    ```
    ");
    assert!(!w.only_pull().merged);
    w.owner().comments(REPO, pull, &format!("/gander approve {}", &head[..11])).unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "eleven digits are too few");
    w.owner().comments(REPO, pull, &format!("/gander approve {}", &head[..12])).unwrap();
    w.settle().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a05_whoever_asked_may_not_approve_unless_alone() {
    let (w, _, pull) = in_review().await;
    w.emulator.set_permission(REPO, "mona", "maintain").unwrap();
    w.maintainer().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    assert_snapshot!(w.last_words(pull), @"**Not merged**: mona asked for this change, and somebody else has to approve it (`[approval] requester` in `.github/gander.toml`).");
    w.ends().await;
}

#[tokio::test]
async fn a05_too_small_a_role_is_told_what_is_needed() {
    let (w, _, pull) = with_rules("[approval]\nrequester = \"allowed\"\n").await;
    w.maintainer().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    assert_snapshot!(w.last_words(pull), @"**Not merged**: mona approved with write access, and maintain access is needed (`[approval] role` in `.github/gander.toml`). Someone with maintain access can approve `0af056392223`.");
    // A role given later counts: permission is asked for when it is used.
    w.emulator.set_permission(REPO, "mona", "maintain").unwrap();
    w.minutes_pass(1);
    w.says(pull, "/gander status").await;
    w.emulator.person("acme").comments(REPO, pull, "good").unwrap();
    w.ends().await;
}

#[tokio::test]
async fn a02_a_push_after_the_approval_voids_it() {
    let (w, _, pull) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    w.approved().await;
    assert!(!w.only_pull().merged, "ci has not spoken");
    let branch = w.only_pull().head_branch;
    let files = [("NOTES.md", Some("more\n"))];
    let head = w.maintainer().pushes(REPO, &branch, "Add notes", &files).unwrap();
    w.settle().await;
    ci(&w, &head, "success");
    w.settle().await;
    assert!(!w.only_pull().merged, "the approval was for another commit");
    assert_snapshot!(hidden(&w, &w.last_words(pull)), @"**Not merged**: acme approved `79de9957d068`, and the branch stands at `HEAD` now. Look at what changed and approve again, or comment `/gander approve HEAD`.");
    w.approved().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn it_waits_for_the_required_checks_and_merges_when_they_are_green() {
    let (w, issue, _) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Protection).unwrap();
    w.approved().await;
    assert!(w.comments(issue)[0].contains("waits for ci"), "{}", w.comments(issue)[0]);
    let head = w.only_pull().head_sha;
    ci(&w, &head, "success");
    w.settle().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_skipped_required_check_is_no_evidence() {
    let (w, _, _) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    let head = w.only_pull().head_sha;
    ci(&w, &head, "skipped");
    w.approved().await;
    assert!(!w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_dismissed_approval_is_none() {
    let (w, _, _) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    let review = w.approved().await;
    w.owner().dismisses_review(REPO, review).unwrap();
    let head = w.only_pull().head_sha;
    ci(&w, &head, "success");
    w.settle().await;
    assert!(!w.only_pull().merged);
    w.ends().await;
}

/// What a version before wrote as the name of the default rules: a hash of their Rust form.
const NAME_BEFORE_DOCUMENTS: &str = "2e2272be41dc2394";

#[tokio::test]
async fn an_approval_that_waits_while_gander_is_upgraded_is_asked_for_again() {
    let (w, _, pull) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    w.approved().await;
    assert!(!w.only_pull().merged, "its check is missing");
    let before = "UPDATE jobs SET state = json_set(state, '$.review.binding.rules', ?)
                  WHERE json_extract(state, '$.review.binding.rules') IS NOT NULL";
    let database = format!("sqlite://{}", w.data().join("gander.db").display());
    let database = sqlx::SqlitePool::connect(&database).await.unwrap();
    let done = sqlx::query(before).bind(NAME_BEFORE_DOCUMENTS).execute(&database).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    database.close().await;
    w.minutes_pass(1);
    ci(&w, &w.only_pull().head_sha, "success");
    w.settle().await;
    assert!(!w.only_pull().merged, "nobody has approved it under the rules as they are read now");
    let asked = w.last_words(pull);
    assert!(asked.contains("Approve again, or comment `/gander approve "), "{asked}");
    w.minutes_pass(1);
    w.approved().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a03_a_retargeted_pull_request_needs_a_new_approval() {
    let (w, _, pull) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    w.approved().await;
    w.owner().pushes(REPO, "next", "Begin", &[("NEXT.md", Some("next\n"))]).unwrap();
    w.minutes_pass(1);
    w.owner().retargets(REPO, pull, "next").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "it was approved for main");
    assert_snapshot!(hidden(&w, &w.last_words(pull)), @"**Not merged**: acme approved before the base branch or the rules for merging changed. Approve again, or comment `/gander approve HEAD`.");
    w.minutes_pass(1);
    w.approved().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_standing_request_for_changes_outweighs_an_approval() {
    let (w, _, pull) = with_rules("[limits]\nrounds = 1\n[approval]\nrole = \"write\"\n").await;
    w.maintainer().reviews(REPO, pull, Verdict::RequestsChanges, "Not like this.").unwrap();
    w.settle().await;
    w.approved().await;
    assert!(!w.only_pull().merged);
    assert!(w.last_words(pull).contains("still asks for changes"), "{}", w.last_words(pull));
    w.ends().await;
}

/// An objection needs less than an approval: no commit, no time that can be read.
#[tokio::test]
async fn a_request_for_changes_without_a_commit_or_a_time_still_stands() {
    let (w, _, pull) = with_rules("[limits]\nrounds = 1\n").await;
    w.emulator.set_permission(REPO, "mona", "maintain").unwrap();
    let person = |login: &str| json!({ "id": w.emulator.create_user(login), "login": login, "type": "User" });
    let head = w.only_pull().head_sha;
    let reviews = json!([
        { "id": 1, "user": person("mona"), "state": "CHANGES_REQUESTED", "commit_id": null },
        {
            "id": 2,
            "user": person("acme"),
            "state": "APPROVED",
            "commit_id": head,
            "submitted_at": "2026-01-05T12:00:00Z",
        },
    ]);
    let told = Fault::on("GET", "/repos/*/*/pulls/*/reviews").times(usize::MAX);
    let told = w.emulator.plan(told.answers(200).with_body(reviews));
    w.owner().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    assert!(w.last_words(pull).contains("still asks for changes"), "{}", w.last_words(pull));
    w.emulator.cancel(told);
    w.ends().await;
}

#[tokio::test]
async fn a05_an_approval_by_a_program_counts_for_nothing() {
    let (w, _, pull) = in_review().await;
    let rights = [("pull_requests".to_owned(), "write".to_owned())].into();
    let spec = AppSpec { slug: "reviewer".to_owned(), permissions: rights, ..AppSpec::default() };
    let other = w.emulator.create_app(spec).unwrap();
    w.emulator.install(other.app_id, &[REPO]).unwrap();
    let bot = w.emulator.person("reviewer[bot]");
    bot.reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    assert!(w.last_words(pull).contains("reviewer[bot] is a program"), "{}", w.last_words(pull));
    w.approved().await;
    assert!(w.only_pull().merged, "a person's counts");
    w.ends().await;
}

#[tokio::test]
async fn an_edited_comment_is_no_approval() {
    let (w, _, pull) = in_review().await;
    let head = w.only_pull().head_sha;
    let comment = w.owner().comments(REPO, pull, "Looks good.").unwrap();
    w.minutes_pass(1);
    let command = format!("/gander approve {head}");
    w.owner().edits_comment(REPO, comment, &command).unwrap();
    ci(&w, &head, "success");
    w.settle().await;
    assert!(!w.only_pull().merged);
    w.ends().await;
}

/// REST's times are whole seconds: within one, only GraphQL knows of the edit.
#[tokio::test]
async fn a_comment_edited_within_the_second_is_no_approval_either() {
    let (w, _, pull) = in_review().await;
    let head = w.only_pull().head_sha;
    let comment = w.owner().comments(REPO, pull, "Looks good.").unwrap();
    let command = format!("/gander approve {head}");
    w.maintainer().edits_comment(REPO, comment, &command).unwrap();
    ci(&w, &head, "success");
    w.settle().await;
    assert!(!w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn people_may_keep_merging_to_themselves() {
    let (w, _, pull) = with_rules("[merge]\non = \"never\"\n").await;
    assert!(w.only_pull().body.starts_with("Merging `"), "{}", w.only_pull().body);
    w.approved().await;
    assert!(!w.only_pull().merged);
    assert_snapshot!(w.last_words(pull), @r#"**Approved and green.** Merging is left to you, by `[merge] on = "never"` in `.github/gander.toml`, or because Gander works without a server here."#);
    w.ends().await;
}

#[tokio::test]
async fn the_rules_may_want_the_command() {
    let (w, _, pull) = with_rules("[merge]\non = \"command\"\n").await;
    w.approved().await;
    assert!(!w.only_pull().merged);
    let head = w.only_pull().head_sha;
    assert!(w.last_words(pull).contains(&format!("/gander approve {}", &head[..12])));
    w.owner().comments(REPO, pull, &format!("/gander approve {head}")).unwrap();
    w.settle().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_conflict_is_said_and_nothing_is_forced() {
    let (w, _, pull) = in_review().await;
    let files = [("count.sh", Some("#!/bin/sh\necho 4\n"))];
    w.owner().pushes(REPO, "main", "Count otherwise", &files).unwrap();
    w.approved().await;
    assert!(!w.only_pull().merged);
    assert!(w.last_words(pull).contains("conflicts"), "{}", w.last_words(pull));
    w.ends().await;
}

#[tokio::test]
async fn what_github_refuses_is_passed_on() {
    let (w, _, pull) = in_review().await;
    w.emulator.require_approvals(REPO, "main", 2, Requirement::Protection).unwrap();
    w.approved().await;
    assert!(!w.only_pull().merged);
    assert_snapshot!(hidden(&w, &w.last_words(pull)), @"
    **GitHub does not merge `HEAD`**: At least 2 approving reviews are required by reviewers with write access.

    Gander tries again when GitHub says that the way is free, or when somebody approves it anew.
    ");
    w.ends().await;
}

/// GitHub calls it clean and refuses all the same: asking again and again would use up our writes.
#[tokio::test]
async fn what_github_refuses_though_nothing_seems_in_the_way_is_not_asked_again() {
    let (w, _, pull) = with_rules("[merge]\nmethod = \"merge\"\n").await;
    w.emulator.demand(REPO, "main", Demand::LinearHistory, Requirement::Protection).unwrap();
    w.approved().await;
    assert_eq!(merges_asked(&w), 1);
    assert_snapshot!(hidden(&w, &w.last_words(pull)), @"
    **GitHub does not merge `HEAD`**: This branch must not contain merge commits.

    Gander tries again when GitHub says that the way is free, or when somebody approves it anew.
    ");
    w.says(pull, "Why not?").await;
    assert_eq!(merges_asked(&w), 1, "a comment changes nothing");
    w.emulator.demand_nothing(REPO, "main").unwrap();
    w.minutes_pass(1);
    w.approved().await;
    assert!(w.only_pull().merged, "a new approval is tried");
    w.ends().await;
}

/// An App may not bring in what people pushed below `.github/workflows`.
#[tokio::test]
async fn a_head_that_touches_workflows_is_left_to_people() {
    let (w, _, pull) = in_review().await;
    let branch = w.only_pull().head_branch;
    let files = [(".github/workflows/ci.yml", Some("on: push\njobs: {}\n"))];
    w.maintainer().pushes(REPO, &branch, "Add CI", &files).unwrap();
    w.settle().await;
    w.approved().await;
    assert_eq!(merges_asked(&w), 1);
    assert!(w.last_words(pull).contains("not accessible by integration"), "{}", w.last_words(pull));
    w.ends().await;
}

#[tokio::test]
async fn the_skip_label_stops_an_approved_merge_and_rounds_until_it_is_taken_off() {
    let (w, issue, pull) = in_review().await;
    w.maintainer().labels(REPO, pull, "gander:skip").unwrap();
    w.approved().await;
    assert!(!w.only_pull().merged);
    assert_snapshot!(w.last_words(pull), @"**The label `gander:skip` stands here**, so nothing is merged and no round begins. Take it off, and Gander goes on.");
    assert!(w.comments(issue)[0].contains("`gander:skip`"), "{}", w.comments(issue)[0]);
    w.says(pull, "/gander revise Quote the argument.").await;
    assert_eq!(w.comments(pull).len(), 1, "no round begins: {:?}", w.comments(pull));
    w.says(pull, "/gander cancel").await;
    w.ends().await;

    let (w, _, pull) = in_review().await;
    w.maintainer().labels(REPO, pull, "gander:skip").unwrap();
    w.approved().await;
    w.maintainer().unlabels(REPO, pull, "gander:skip").unwrap();
    w.settle().await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_cancel_that_comes_while_it_is_merged_is_told_so() {
    let (w, issue, pull) = in_review().await;
    w.owner().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.until_stage(issue, |stage| stage.merging().is_some()).await;
    w.maintainer().comments(REPO, pull, "/gander cancel").unwrap();
    let fault = w.emulator.plan(Fault::on("PUT", "/repos/*/*/pulls/*/merge").answers(502));
    w.emulator.deliver_all().await;
    for _ in 0..3 {
        w.step().await;
    }
    w.emulator.cancel(fault);
    w.settle().await;
    assert!(w.only_pull().merged);
    assert_snapshot!(w.last_words(pull), @"Too late to stop: #2 is being merged at this moment.");
    w.ends().await;
}

fn merges_asked(w: &World) -> usize {
    let exchanges = w.emulator.exchanges();
    exchanges.iter().filter(|it| it.method == "PUT" && it.path.ends_with("/merge")).count()
}

fn ci(w: &World, head: &str, conclusion: &str) {
    w.ci_says(head, "ci", conclusion);
}

/// A text without the names of commits.
fn hidden(w: &World, text: &str) -> String {
    text.replace(&w.only_pull().head_sha[..12], "HEAD")
}
