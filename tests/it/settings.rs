//! Settings on GitHub that keep a pull request from being merged: each is said, once, with the way
//! out, and mended it goes on.

use gander_emulator::{CheckOutcome, Demand, LineNote, MergeMethod, Requirement, Verdict};
use insta::{allow_duplicates, assert_snapshot};

use crate::approval::{in_review, with_rules};
use crate::release_proposed::proposed;
use crate::world::{REPO, World};

/// The number that the first comment on a line gets.
const FIRST_LINE_NOTE: u64 = 2_700_000_001;

/// How often GitHub was asked to merge.
fn merges_asked(w: &World) -> usize {
    let exchanges = w.emulator.exchanges();
    exchanges.iter().filter(|it| it.method == "PUT" && it.path.ends_with("/merge")).count()
}

/// The words with the head's name taken out; each setting is told once.
fn told_once(w: &World, pull: u64) -> String {
    let words = w.last_words(pull);
    let same = w.comments(pull).iter().filter(|other| **other == words).count();
    assert_eq!(same, 1, "{words}");
    words.replace(&w.only_pull().head_sha[..12], "HEAD")
}

/// Five minutes later every pull request is looked at, whatever was heard of it.
async fn is_swept(w: &World) {
    w.minutes_pass(5);
    w.worker.begin_sweeps().await.unwrap();
    w.settle().await;
}

#[tokio::test]
async fn a_draft_is_not_merged_and_goes_on_once_it_is_ready() {
    let (w, issue, pull) = in_review().await;
    w.owner().converts_to_draft(REPO, pull).unwrap();
    w.settle().await;
    assert_snapshot!(told_once(&w, pull), @"**Not merged as it stands**: it is a draft. Mark it as ready for review, and it goes on.");
    w.approved().await;
    is_swept(&w).await;
    assert_eq!(merges_asked(&w), 0);
    assert!(w.comments(issue)[0].contains("it is a draft"), "{}", w.comments(issue)[0]);
    told_once(&w, pull);
    w.owner().marks_ready(REPO, pull).unwrap();
    w.settle().await;
    assert!(w.only_pull().merged);
}

#[tokio::test]
async fn a_merge_queue_is_told_before_anybody_approves_and_people_use_it() {
    for by in [Requirement::Ruleset, Requirement::Protection] {
        let (w, issue, pull) = in_review().await;
        w.emulator.demand(REPO, "main", Demand::MergeQueue, by).unwrap();
        is_swept(&w).await;
        allow_duplicates! { assert_snapshot!(told_once(&w, pull), @"**Not merged as it stands**: `main` has a merge queue, and Gander puts nothing into one, because it merges exactly what was approved. Approve it and use GitHub's button, which puts it into the queue."); }
        w.approved().await;
        is_swept(&w).await;
        assert_eq!(merges_asked(&w), 0, "{by:?}");
        told_once(&w, pull);
        // As the queue does.
        w.emulator.demand_nothing(REPO, "main").unwrap();
        w.owner().merges(REPO, pull, MergeMethod::Squash).unwrap();
        w.settle().await;
        assert!(w.comments(issue)[0].starts_with("**Merged**"), "{}", w.comments(issue)[0]);
    }
}

#[tokio::test]
async fn a_way_to_merge_that_is_not_allowed_is_told_when_the_pull_request_is_opened() {
    let (w, _, pull) = in_review().await;
    w.emulator.allow_merge_methods(REPO, &[MergeMethod::Merge, MergeMethod::Rebase]).unwrap();
    is_swept(&w).await;
    assert_snapshot!(told_once(&w, pull), @"**Not merged as it stands**: the settings of this repository or the rules of `main` allow only `merge` and `rebase`, and `[merge] method` in `.github/gander.toml` is `squash`. Change either, and it goes on.");
    w.approved().await;
    is_swept(&w).await;
    assert_eq!(merges_asked(&w), 0, "GitHub would refuse it");
    w.emulator.allow_merge_methods(REPO, &[MergeMethod::Squash]).unwrap();
    is_swept(&w).await;
    assert!(w.only_pull().merged, "{}", w.last_words(pull));
}

#[tokio::test]
async fn what_a_ruleset_says_of_ways_to_merge_is_known_before() {
    let only = [MergeMethod::Rebase];
    for (rules, demand, left) in [
        ("", Demand::Methods(&only), "allow only `rebase`"),
        (
            "[merge]\nmethod = \"merge\"\n",
            Demand::LinearHistory,
            "allow only `squash` and `rebase`",
        ),
        ("[merge]\nmethod = \"rebase\"\n", Demand::Signatures, "allow only `merge` and `squash`"),
    ] {
        let (w, _, pull) = with_rules(rules).await;
        w.emulator.demand(REPO, "main", demand, Requirement::Ruleset).unwrap();
        w.approved().await;
        assert_eq!(merges_asked(&w), 0, "{demand:?}");
        let words = told_once(&w, pull);
        assert!(words.contains(left), "{words}");
        w.emulator.demand_nothing(REPO, "main").unwrap();
        is_swept(&w).await;
        assert!(w.only_pull().merged, "{demand:?}: {}", w.last_words(pull));
    }
}

/// GitHub does not show an App what classic protection asks for: then its refusal says it.
#[tokio::test]
async fn what_classic_protection_refuses_is_told_in_githubs_words_and_goes_on() {
    for (method, demand, words) in [
        ("merge", Demand::LinearHistory, "must not contain merge commits"),
        ("rebase", Demand::Signatures, "must have verified signatures"),
        ("squash", Demand::Deployments(&["staging"]), "Missing successful active staging"),
    ] {
        let (w, _, pull) = with_rules(&format!("[merge]\nmethod = \"{method}\"\n")).await;
        w.emulator.demand(REPO, "main", demand, Requirement::Protection).unwrap();
        w.approved().await;
        is_swept(&w).await;
        assert_eq!(merges_asked(&w), 1, "{demand:?}");
        let said = told_once(&w, pull);
        assert!(said.contains(words), "{said}");
        w.emulator.demand_nothing(REPO, "main").unwrap();
        w.minutes_pass(1);
        w.approved().await;
        assert!(w.only_pull().merged, "{demand:?}: {}", w.last_words(pull));
    }
}

#[tokio::test]
async fn a_branch_that_has_to_be_up_to_date_is_told_so_and_its_update_needs_an_approval() {
    let (w, _, pull) = in_review().await;
    w.emulator.require_up_to_date(REPO, "main", Requirement::Ruleset).unwrap();
    w.maintainer().pushes(REPO, "main", "Add a file", &[("NEWS.md", Some("new\n"))]).unwrap();
    // GitHub works out how it stands after it was asked for the first time.
    is_swept(&w).await;
    is_swept(&w).await;
    assert_snapshot!(told_once(&w, pull), @"**Not merged as it stands**: `main` has moved, and its rules want its newest commit in every pull request. Press GitHub's button *Update branch*: the new commit is checked, and needs an approval of its own. `/gander update` merges it in as well.");
    w.approved().await;
    assert_eq!(merges_asked(&w), 0);
    w.owner().updates_branch(REPO, pull).unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "nobody approved the new commit");
    w.minutes_pass(1);
    w.approved().await;
    assert!(w.only_pull().merged, "{}", w.last_words(pull));
}

#[tokio::test]
async fn an_open_conversation_is_named_and_once_resolved_it_is_merged() {
    let (w, _, pull) = in_review().await;
    w.emulator.demand(REPO, "main", Demand::Conversations, Requirement::Ruleset).unwrap();
    let note = LineNote { path: "count.sh", line: 1, start_line: None, body: "Why?" };
    w.owner().reviews_lines(REPO, pull, Verdict::Comments, "", &[note]).unwrap();
    w.settle().await;
    w.approved().await;
    assert_snapshot!(told_once(&w, pull), @"
    **GitHub does not merge `HEAD`**: Repository rule violations found: A conversation must be resolved before this pull request can be merged. The rules of the branch ask for resolved conversations (resolve the open ones).

    Gander tries again when GitHub says that the way is free, or when somebody approves it anew.
    ");
    assert_eq!(merges_asked(&w), 1);
    w.owner().resolves_thread(REPO, FIRST_LINE_NOTE).unwrap();
    is_swept(&w).await;
    assert!(w.only_pull().merged, "{}", w.last_words(pull));
}

#[tokio::test]
async fn a_deployment_that_is_missing_is_named_and_once_made_it_is_merged() {
    let (w, _, pull) = in_review().await;
    let to = Demand::Deployments(&["staging"]);
    w.emulator.demand(REPO, "main", to, Requirement::Ruleset).unwrap();
    w.approved().await;
    assert_snapshot!(told_once(&w, pull), @"
    **GitHub does not merge `HEAD`**: Repository rule violations found: Missing successful active staging deployment. The rules of the branch ask for a deployment to staging (Gander deploys nothing: deploy this commit).

    Gander tries again when GitHub says that the way is free, or when somebody approves it anew.
    ");
    w.emulator.deploys(REPO, &w.only_pull().head_sha, "staging").unwrap();
    is_swept(&w).await;
    assert!(w.only_pull().merged, "{}", w.last_words(pull));
}

#[tokio::test]
async fn a_commit_of_a_person_without_the_signature_that_is_asked_for_is_told() {
    let (w, _, pull) = in_review().await;
    w.emulator.demand(REPO, "main", Demand::Signatures, Requirement::Ruleset).unwrap();
    let branch = w.only_pull().head_branch;
    w.maintainer().pushes(REPO, &branch, "Add notes", &[("NOTES.md", Some("x\n"))]).unwrap();
    w.settle().await;
    w.approved().await;
    assert_snapshot!(told_once(&w, pull), @"
    **GitHub does not merge `HEAD`**: Repository rule violations found: Commits must have verified signatures. The rules of the branch ask for verified signatures (sign every commit on the branch).

    Gander tries again when GitHub says that the way is free, or when somebody approves it anew.
    ");
    w.ends().await;
}

/// GitHub counts it as passed; nothing was checked.
#[tokio::test]
async fn a_required_check_that_did_not_run_is_told_and_one_that_runs_later_merges() {
    for conclusion in ["skipped", "neutral"] {
        let (w, issue, pull) = in_review().await;
        w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
        let head = w.only_pull().head_sha;
        w.ci_says(&head, "ci", conclusion);
        w.settle().await;
        assert_eq!(w.comments(pull), [] as [&str; 0], "nobody has approved it yet");
        w.approved().await;
        assert!(!w.only_pull().merged);
        allow_duplicates! { assert_snapshot!(told_once(&w, pull), @"**Approved, but `ci` did not run on `HEAD`** (skipped or neutral). GitHub counts that as passed; for Gander it is no evidence. Let it run on this commit, and it goes on, or merge with GitHub's button."); }
        is_swept(&w).await;
        told_once(&w, pull);
        let status = &w.comments(issue)[0];
        assert!(status.contains("`ci` did not run on"), "{status}");
        w.minutes_pass(1);
        w.ci_says(&head, "ci", "success");
        w.settle().await;
        assert!(w.only_pull().merged, "{}", w.last_words(pull));
    }
}

#[tokio::test]
async fn a_required_check_that_nobody_reports_is_told_after_an_hour() {
    let (w, _, pull) = in_review().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Protection).unwrap();
    w.approved().await;
    assert_eq!(w.comments(pull), [] as [&str; 0], "it may still begin");
    w.minutes_pass(56);
    is_swept(&w).await;
    assert_snapshot!(told_once(&w, pull), @"**Approved, but nobody has reported `ci` on `HEAD`** for more than an hour, and GitHub waits for it, too. Start what reports it, and it goes on, or take it off the required checks of the branch and of `.github/gander.toml`.");
    w.app_says("ci", &w.only_pull().head_sha, "ci", CheckOutcome::Completed("success"));
    w.settle().await;
    assert!(w.only_pull().merged, "{}", w.last_words(pull));
}

#[tokio::test]
async fn a_release_says_which_setting_keeps_it_from_being_merged_and_goes_on() {
    let (w, issue, pull) = proposed().await;
    w.emulator.allow_merge_methods(REPO, &[MergeMethod::Rebase]).unwrap();
    is_swept(&w).await;
    let said = w.comments(issue).join("\n");
    assert!(said.contains("allow only `rebase`"), "before anybody approves: {said}");
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert_eq!(merges_asked(&w), 0);
    w.emulator.allow_merge_methods(REPO, &[MergeMethod::Squash]).unwrap();
    w.minutes_pass(5);
    w.worker.begin_sweeps().await.unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
}

#[tokio::test]
async fn a_release_whose_required_check_did_not_run_says_so() {
    let (w, issue, pull) = proposed().await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    w.ci_says(&pull.head_sha, "ci", "skipped");
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    let said = w.comments(issue).join("\n");
    assert!(said.contains("`ci` did not run on `"), "{said}");
    w.minutes_pass(1);
    w.ci_says(&pull.head_sha, "ci", "success");
    w.until("it is merged", |w| w.only_pull().merged).await;
}
