//! `/gander explain` and `/gander status`: why things are as they are, and what they cost.

use gander_emulator::MergeMethod;
use insta::assert_snapshot;

use crate::world::{REPO, World, good_fix, off_by_one};

#[tokio::test]
async fn who_asks_why_is_told_the_rules_and_facts_behind_the_last_decision() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    w.says(issue, "/gander explain").await;
    assert_snapshot!(w.last_words(issue), @"
    **Ready for review: #2**

    #### Facts
    - asked for by mona (#1)
    - built on `main` at `ae4e166cd1d0`
    - the last change: Checks passed
    - the pull request stands at `79de9957d068`
    - $0.00 of $3.00 spent

    #### Rules
    - by default: `trigger.role` write · `approval.role` maintain · `approval.requester` if-alone · `merge.on` review · `merge.method` squash · `update.on` command · `publish.mode` not set · `proof.mode` preferred · `judge.mode` off · `agent.attempts` 3 · `limits.rounds` 10 · `limits.ci_repairs` 2 · `budget.run` `$3.00`

    #### What happened
    - 2026-01-05 12:00 UTC: asked for by mona
    - 2026-01-05 12:00 UTC: its turn came → preparing
    - 2026-01-05 12:00 UTC: prepared → fixing, attempt 1
    - 2026-01-05 12:00 UTC: a change was proposed → verifying, attempt 1
    - 2026-01-05 12:00 UTC: checked → publishing
    - 2026-01-05 12:00 UTC: published → in review
    - 2026-01-05 12:00 UTC: looked at → in review
    ");
    let other = w.reported();
    w.says(other, "/gander explain").await;
    assert_snapshot!(w.last_words(other), @"There is nothing to explain: no job of Gander was here. `/gander fix` starts one.");
    w.ends().await;
}

#[tokio::test]
async fn a_stopped_job_is_explained_with_its_reason() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((
        ".github/gander.toml",
        "[limits]\nopen_per_reviewer = 1\n[verify]\ncommands = [\"sh check.sh\"]\n",
    ));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    w.fixed().await;
    let second = w.reported();
    w.says(second, "/gander fix").await;
    w.says(second, "/gander explain").await;
    let words = w.last_words(second);
    assert!(words.contains("1 pull request that mona asked for wait here for a review"), "{words}");
    assert!(words.contains("declined → done"), "{words}");
    w.ends().await;
}

#[tokio::test]
async fn status_says_what_a_merged_pull_request_costs_here() {
    let w = World::with_project(off_by_one()).await;
    let script = r#"{
        "price": {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"},
        "attempts": [[
            {"calls": [{"tool": "edit", "path": "count.sh", "old": "$1 - 1", "new": "$1"}],
             "usage": {"input_tokens": 10000, "output_tokens": 15000}},
            {"calls": [{"tool": "finish", "summary": "x"}]}]]}"#;
    w.model.play(script.parse().unwrap());
    let issue = w.fixed().await;
    let pull = w.only_pull().number;
    w.says(issue, "/gander status").await;
    assert!(!w.last_words(issue).contains("was merged in"), "{}", w.last_words(issue));
    w.maintainer().merges(REPO, pull, MergeMethod::Squash).unwrap();
    w.settle().await;
    w.says(pull, "/gander status").await;
    assert_snapshot!(w.last_words(pull), @"
    - Merged by mona · $0.26 of $3.00

    Of Gander's pull requests in this repository 1 was merged in the last 90 days. Each cost $0.26, counting the jobs that came to nothing.
    ");
    w.ends().await;
}
