//! The principal stories on servers that are not github.com: one that sends only what GitHub's
//! description requires, and an Enterprise Server. What went to and fro is held against the
//! description of that server (tests/contract).

use gander_emulator::{Emulator, Requirement, ServerKind, Verdict};

use crate::red_ci::repair;
use crate::release_published::Shop;
use crate::review::NOTE;
use crate::world::{REPO, World, edit, finish, finish_with, good_fix, off_by_one};

const BOTH: [ServerKind; 2] = [ServerKind::RequiredOnly, ServerKind::Enterprise];

fn main_of(emulator: &Emulator) -> String {
    emulator.branches(REPO)["main"].clone()
}

impl Shop {
    /// The lint of another App ends well on the newest pull request.
    async fn lint_passes(&self) {
        let head = self.w.emulator.pulls(REPO).pop().unwrap().head_sha;
        self.w.ci_says(&head, "lint", "success");
        self.settle().await;
    }
}

/// Fixed, repaired, reviewed, approved, merged; a release ordered, approved and published.
async fn an_issue_becomes_a_release_on(server: ServerKind) {
    let shop = Shop::opened().await;
    let w = &shop.w;
    w.emulator.becomes(server);
    let asked = ["Test", "lint"];
    w.emulator.require_checks(REPO, "main", &asked, Requirement::Ruleset).unwrap();
    w.ci_says(&main_of(&w.emulator), "lint", "success");
    let explained = vec![
        edit("count.sh", "# Prints", "# Its argument is quoted. Prints"),
        finish_with("Said so.", &[(1, true, "It is quoted, and the script says so.")]),
    ];
    w.model.will_in_rounds(vec![good_fix(), repair(), explained]);
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    shop.settle().await;

    let fixed = w.only_pull();
    w.ci_says(&fixed.head_sha, "lint", "failure");
    shop.settle().await;
    let repaired = w.only_pull();
    assert_ne!(repaired.head_sha, fixed.head_sha, "{server:?}: {}", w.timeline());

    shop.lint_passes().await;
    let verdict = Verdict::RequestsChanges;
    w.owner().reviews_lines(REPO, repaired.number, verdict, "Nearly there.", &[NOTE]).unwrap();
    shop.settle().await;
    let reviewed = w.only_pull();
    assert_ne!(reviewed.head_sha, repaired.head_sha, "{server:?}: {}", w.timeline());
    assert!(w.timeline().contains("resolved a thread on #2"), "{}", w.timeline());

    shop.lint_passes().await;
    shop.approves().await;
    assert!(w.only_pull().merged, "{server:?}: {}", w.timeline());
    assert_eq!(w.issue(issue).state, "closed");

    w.ci_says(&main_of(&w.emulator), "lint", "success");
    let wish = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    shop.says(wish, "/gander release").await;
    shop.lint_passes().await;
    shop.approves().await;
    let releases = w.emulator.releases(REPO);
    assert_eq!(releases.len(), 1, "{server:?}: {}", w.timeline());
    assert_eq!((releases[0].tag.as_str(), releases[0].draft), ("v1.1.0", false));
    assert!(w.last_words(issue).starts_with("Shipped in [v1.1.0]("), "{}", w.last_words(issue));
    one_status_each(w, &[issue, wish]);
    shop.w.ends().await;
}

/// Gander knows its own comments again: no status is written twice.
fn one_status_each(w: &World, threads: &[u64]) {
    for thread in threads {
        let status = |text: &&String| text.contains(" · Gander 0.1.0 · ");
        let comments = w.comments(*thread);
        assert_eq!(comments.iter().filter(status).count(), 1, "{comments:?}");
    }
}

#[tokio::test]
async fn an_issue_becomes_a_release_where_only_what_must_be_there_is_there() {
    an_issue_becomes_a_release_on(ServerKind::RequiredOnly).await;
}

#[tokio::test]
async fn an_issue_becomes_a_release_on_an_enterprise_server() {
    an_issue_becomes_a_release_on(ServerKind::Enterprise).await;
}

#[tokio::test]
async fn a_job_is_cancelled_in_review_and_nothing_is_left_of_it() {
    for server in BOTH {
        let w = World::with_project(off_by_one()).await;
        w.emulator.becomes(server);
        w.model.will(good_fix());
        let issue = w.fixed().await;
        let pull = w.only_pull().number;
        w.says(pull, "/gander cancel").await;

        assert_eq!((w.only_pull().state.as_str(), w.only_pull().merged), ("closed", false));
        assert_eq!(w.our_branches(), [] as [&str; 0], "{server:?}");
        assert_eq!(w.issue(issue).labels, [] as [&str; 0], "{server:?}");
        assert!(w.comments(issue)[0].starts_with("**Cancelled**"), "{:?}", w.comments(issue));
        w.ends().await;
    }
}

#[tokio::test]
async fn a_job_that_failed_is_tried_again_in_the_renamed_repository_and_merged() {
    for server in BOTH {
        let w = World::with_project(off_by_one()).await;
        w.emulator.becomes(server);
        let tries = vec![edit("count.sh", "$1 - 1", "$1 - 2"), finish("tests passed")];
        let again = vec![finish("tests passed")];
        w.model.will_try(vec![tries, again.clone(), again]);
        let issue = w.fixed().await;
        w.nothing_was_published();
        w.model.will(vec![edit("count.sh", "$1 - 2", "$1"), finish("as hinted")]);
        w.emulator.rename_repository(REPO, "gadgets").unwrap();
        let renamed = "acme/gadgets";
        w.maintainer().comments(renamed, issue, "/gander retry").unwrap();
        w.settle().await;

        let pulls = w.emulator.pulls(renamed);
        assert_eq!(pulls.len(), 1, "{server:?}: {:?}", w.emulator.timeline(renamed));
        w.emulator.rename_repository(renamed, "things").unwrap();
        let renamed = "acme/things";
        w.owner().reviews(renamed, pulls[0].number, Verdict::Approves, "").unwrap();
        w.settle().await;
        assert!(w.emulator.pull(renamed, pulls[0].number).unwrap().merged, "{server:?}");
        w.ends().await;
    }
}

/// A list of more than a page, whose links name the server itself.
#[tokio::test]
async fn a_long_talk_is_read_to_its_end() {
    for server in BOTH {
        let w = World::with_project(off_by_one()).await;
        w.emulator.becomes(server);
        w.model.will(good_fix());
        let issue = w.reported();
        for n in 0..120 {
            w.stranger().comments(REPO, issue, &format!("me too, the {n}th")).unwrap();
        }
        w.says(issue, "/gander fix").await;

        assert_eq!(w.only_pull().state, "open", "{server:?}");
        one_status_each(&w, &[issue]);
        w.ends().await;
    }
}
