//! A release is published when GitHub itself says that it was approved, and never otherwise.

use gander_emulator::{CheckOutcome, Fault, MergeMethod, Verdict, Workload};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use super::client::Client;
use super::world::{HOUR, REPO, RULES, Ran, World};

/// How often a release of two files changes something.
const EFFECTS: usize = 7;

impl World {
    /// Publishing begins, and is killed when it asks for this effect.
    async fn is_killed_at(&self, effect: usize, changed: &[(&str, &str)]) {
        let number = self.emulator.mutations().len() + effect;
        let fault = self.emulator.plan(Fault::on_mutation(number).hangs());
        let mut job = self.starts_publishing(changed);
        while self.emulator.fault_hits(fault) == 0 {
            tokio::task::yield_now().await;
        }
        job.dies().await;
        self.emulator.cancel(fault);
    }

    /// Has signed what publishing would find; says where the bundle lies.
    async fn signs(&self) -> String {
        self.signs_as(|_| {}).await
    }

    /// The same, of what somebody makes of it.
    async fn signs_as(&self, change: impl FnOnce(&mut Value)) -> String {
        let ran = self.publishes_with(&[("GANDER_INPUT_ONLY_CHECK", "true")]).await;
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
        let predicate = std::fs::read(&ran.outputs["predicate"]).unwrap();
        let sums = std::fs::read_to_string(self.release_directory().join("SHA256SUMS")).unwrap();
        let file = |line: &str| {
            let (sha256, name) = line.split_once("  ").unwrap();
            json!({ "name": name, "digest": { "sha256": sha256 } })
        };
        let mut statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": sums.lines().map(file).collect::<Vec<_>>(),
            "predicateType": ran.outputs["predicate-type"],
            "predicate": serde_json::from_slice::<Value>(&predicate).unwrap(),
        });
        change(&mut statement);
        let workload = Workload {
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            workflow: "https://github.test/acme/widgets/.github/workflows/x.yml@main".to_owned(),
            repository: "https://github.test/acme/widgets".to_owned(),
            repository_id: self.repository,
            commit: self.commit.clone(),
            branch: "refs/heads/main".to_owned(),
            trigger: "repository_dispatch".to_owned(),
            run: "https://github.test/acme/widgets/actions/runs/9001/attempts/1".to_owned(),
            runner: "github-hosted".to_owned(),
        };
        let text = statement.to_string();
        let bundle = self.emulator.signing().attest(text.as_bytes(), &workload, 1_767_225_600);
        let path = std::path::PathBuf::from(&ran.outputs["predicate"]).with_file_name("bundle");
        std::fs::write(&path, bundle.unwrap()).unwrap();
        path.display().to_string()
    }
}

pub(crate) fn stops(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    for word in words {
        assert!(ran.summary.contains(word), "no {word:?} in:\n{}", ran.summary);
    }
    assert!(ran.log.starts_with("::error title=Not released::"), "{}", ran.log);
    assert!(ran.summary.starts_with("## Not released\n"), "{}", ran.summary);
    assert!(ran.outputs.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_release_is_published_with_its_files_notes_and_tag() {
    let world = World::with_approved_release().await;
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    let release = world.the_release();
    assert_eq!(release.author, "github-actions[bot]");
    assert_eq!((release.name.as_str(), release.prerelease), ("v1.2.0", false));
    assert!(release.body.starts_with("### Fixed\n\n- the bounds (#7)\n"), "{}", release.body);
    assert!(!release.body.contains("old"));
    assert_eq!(ran.outputs["tag"], "v1.2.0");
    assert!(ran.outputs["url"].ends_with("/acme/widgets/releases/tag/v1.2.0"));
    assert!(ran.summary.contains("approved by mona"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_publishing_twice_is_publishing_once_even_days_later() {
    let world = World::with_approved_release().await;
    assert_eq!(world.publishes().await.code, Some(0));
    let before = world.emulator.mutations().len();
    // A day later the approval starts nothing new, but nothing new is asked for.
    let late = [("GANDER_INPUT_APPROVAL_HOURS", "1"), ("GITHUB_RUN_ATTEMPT", "2")];
    let again = world.publishes_with(&late).await;
    assert_eq!(again.code, Some(0), "{}", again.summary);
    assert!(again.summary.contains("is published already"), "{}", again.summary);
    assert_eq!(world.emulator.mutations().len(), before);
    world.the_release();
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_check_only_it_says_what_it_would_do_and_does_nothing() {
    let world = World::with_approved_release().await;
    let ran = world.publishes_with(&[("GANDER_INPUT_ONLY_CHECK", "true")]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.summary);
    assert!(ran.summary.contains("v1.2.0 may be released"), "{}", ran.summary);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_after_any_effect_leaves_one_of_each() {
    let world = World::with_approved_release().await;
    let before = world.emulator.mutations().len();
    assert_eq!(world.publishes().await.code, Some(0));
    let effects = world.emulator.mutations().len() - before;
    assert_eq!(effects, EFFECTS, "draft, three files, how it came about, tag, publication");
    for effect in 1..=effects {
        let world = World::with_approved_release().await;
        let number = world.emulator.mutations().len() + effect;
        let fault = world.emulator.plan(Fault::on_mutation(number).cut_after());
        let ran = world.publishes().await;
        assert_eq!(ran.code, Some(0), "effect {effect}: {}\n{}", ran.log, ran.summary);
        assert_eq!(world.emulator.fault_hits(fault), 1);
        world.the_release();
    }
}

/// GitHub answers 502 and keeps the name, which nothing else can have until it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_at_github_is_made_anew_by_the_same_job() {
    for broken in [1, 4] {
        let world = World::with_approved_release().await;
        world.emulator.break_uploads(broken);
        let ran = world.publishes().await;
        assert_eq!(ran.code, Some(0), "{broken}: {}\n{}", ran.log, ran.summary);
        world.the_release();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_killed_after_any_effect_is_finished_by_the_next() {
    for effect in 1..=EFFECTS {
        let world = World::with_approved_release().await;
        world.is_killed_at(effect, &[]).await;
        let ran = world.publishes().await;
        assert_eq!(ran.code, Some(0), "effect {effect}: {}\n{}", ran.log, ran.summary);
        world.the_release();
    }
}

/// Each try has a certificate of its own, so no two bundles are the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_release_is_finished_by_the_next_try_with_another_signature() {
    for effect in 1..=EFFECTS {
        let world = World::with_approved_release().await;
        let first = world.signs().await;
        let sign = [("GANDER_INPUT_ATTEST", "sign"), ("GANDER_INPUT_BUNDLE", &*first)];
        world.is_killed_at(effect, &sign).await;
        let second = world.signs().await;
        assert_ne!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        let sign = [("GANDER_INPUT_ATTEST", "sign"), ("GANDER_INPUT_BUNDLE", &*second)];
        let ran = world.publishes_with(&sign).await;
        assert_eq!(ran.code, Some(0), "effect {effect}: {}\n{}", ran.log, ran.summary);
        let release = world.emulator.releases(REPO).remove(0);
        let mut names: Vec<&str> = release.assets.iter().map(|it| it.0.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["SHA256SUMS", "gander-release.sigstore.json", "tool", "tool.1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_without_a_signature_that_was_asked_for_or_with_one_of_something_else()
{
    let world = World::with_approved_release().await;
    let ran = world.publishes_with(&[("GANDER_INPUT_ATTEST", "sign")]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.summary.contains("say `attest: off`"), "{}", ran.summary);
    let bundle = world.signs_as(|statement| statement["predicate"]["approvals"] = json!([])).await;
    let sign = [("GANDER_INPUT_ATTEST", "sign"), ("GANDER_INPUT_BUNDLE", &*bundle)];
    let ran = world.publishes_with(&sign).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.summary.contains("it does not say what this job found"), "{}", ran.summary);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_put_into_the_draft_in_its_place_stops_the_release() {
    let world = World::with_approved_release().await;
    let refused = world.emulator.plan(Fault::on("POST", "/repos/*/*/git/refs").answers(403));
    assert_eq!(world.publishes().await.code, Some(1));
    world.emulator.cancel(refused);
    let app = Client::app(&world.emulator, &world.app, chrono::Utc::now().timestamp_millis());
    let app = app.installation(world.installation, json!({})).await;
    let draft = app.get("/repos/acme/widgets/releases").await.expect(200)[0].clone();
    let name = "gander-release.intoto.json";
    let ours = draft["assets"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    let content = world.emulator.releases(REPO)[0].assets.iter().find(|it| it.0 == name).cloned();
    app.delete(&format!("/repos/acme/widgets/releases/assets/{}", ours["id"])).await.expect(204);
    let address = draft["upload_url"].as_str().unwrap().replace("{?name,label}", "");
    app.upload(&format!("{address}?name={name}"), &content.unwrap().1).await.expect(201);
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(1), "{}", ran.summary);
    assert!(ran.summary.contains("that no try of this workflow left there"), "{}", ran.summary);
    assert!(world.emulator.releases(REPO)[0].draft);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approving_comment_is_as_good_as_a_review() {
    let mut world = World::with_release().await;
    world.ci_says("success");
    let words = format!("/gander approve {}\n\nGo!", &world.head[..12]);
    world.emulator.person("mona").comments(REPO, world.pull, &words).unwrap();
    world.merges();
    world.builds().await;
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    world.the_release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_nobody_with_the_role_approved_is_not_published() {
    let mut world = World::with_release().await;
    world.ci_says("success");
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["Nobody with the maintain role has approved"]);
    world.reviews("ci[bot]", Verdict::Approves);
    stops(&world.publishes().await, &["ci[bot] is a program; programs approve nothing"]);
    world.reviews("hubot", Verdict::Approves);
    stops(&world.publishes().await, &["hubot approved", "has write permission now"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_an_approval_counts_while_its_giver_has_the_role_and_stands_by_it() {
    let world = World::with_approved_release().await;
    world.emulator.set_permission(REPO, "mona", "write").unwrap();
    stops(&world.publishes().await, &["mona approved", "needs maintain"]);
    world.emulator.set_permission(REPO, "mona", "maintain").unwrap();
    world.emulator.set_permission(REPO, "hubot", "maintain").unwrap();
    world.reviews("hubot", Verdict::RequestsChanges);
    stops(&world.publishes().await, &["hubot requested changes", "still stands"]);
    world.emulator.set_permission(REPO, "hubot", "write").unwrap();
    world.reviews("mona", Verdict::RequestsChanges);
    stops(&world.publishes().await, &["Nobody with the maintain role has approved"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_approval_is_none() {
    let mut world = World::with_release().await;
    world.ci_says("success");
    let review = world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    world.emulator.person("mona").dismisses_review(REPO, review).unwrap();
    stops(&world.publishes().await, &["Nobody with the maintain role"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a05_whoever_ordered_the_release_does_not_approve_it_alone() {
    let world = World::with_approved_release().await;
    world.emulator.set_permission(REPO, "hubot", "maintain").unwrap();
    world.reviews("hubot", Verdict::Approves);
    let never = [("GANDER_INPUT_REQUESTER", "never")];
    world.emulator.set_permission(REPO, "mona", "read").unwrap();
    stops(&world.publishes_with(&never).await, &["hubot approved #", "nobody is left"]);
    world.nothing_is_published();
    assert_eq!(world.publishes().await.code, Some(0), "alone with the role, they may");
}

#[tokio::test(flavor = "multi_thread")]
async fn a02_a_push_after_the_approval_needs_a_new_one() {
    let mut world = World::with_release().await;
    world.reviews("mona", Verdict::Approves);
    let bot = world.emulator.person("gander[bot]");
    let files = [("build.sh", Some("mkdir dist && printf evil > dist/tool\n"))];
    world.head = bot.pushes(REPO, "gander/release", "More", &files).unwrap();
    world.ci_says("success");
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["mona approved", "was merged with the head"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a03_what_the_base_brought_in_between_was_approved_by_nobody() {
    let mut world = World::with_release().await;
    world.ci_says("success");
    world.reviews("mona", Verdict::Approves);
    let files = [("evil", Some("1\n"))];
    world.emulator.person("hubot").pushes(REPO, "main", "Sneak", &files).unwrap();
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["holds other files", "Nobody approved what"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a12_the_event_is_only_a_hint() {
    let mut world = World::with_approved_release().await;
    let good = world.inputs.clone();
    // Another commit of the default branch.
    let mona = world.emulator.person("mona");
    world.commit = mona.pushes(REPO, "main", "Later", &[("later", Some("1\n"))]).unwrap();
    world.given();
    world.builds().await;
    stops(&world.publishes().await, &["was merged as"]);
    // A commit that is on no branch that counts.
    world.commit = mona.pushes(REPO, "side", "Side", &[("side", Some("1\n"))]).unwrap();
    world.given();
    world.builds().await;
    stops(&world.publishes().await, &["was merged as"]);
    // A pull request that is not merged, and one that is none of Gander's.
    let branches = [
        ("gander/release-next", "main", false, "is not merged"),
        ("gander/releasemore", "main", true, "a release pull request comes from"),
        ("topic", "main", true, "a release pull request comes from"),
        ("gander/release-old", "side", true, "releases are made from `main`"),
    ];
    for (branch, base, merged, words) in branches {
        world.opens_release(branch, base);
        world.given();
        if merged {
            let files = [("CHANGELOG.md", Some("## 1.2.0\n")), ("new", Some(branch))];
            world.emulator.person("mona").pushes(REPO, branch, "x", &files).unwrap();
            world.commit = mona.merges(REPO, world.pull, MergeMethod::Merge).unwrap();
            world.given();
        }
        world.builds().await;
        stops(&world.publishes().await, &[words]);
    }
    // A number that is no pull request.
    world.inputs = good;
    world.inputs.insert("PULL".into(), "999".into());
    world.inputs.insert("RELEASE".into(), "999.1".into());
    stops(&world.publishes().await, &["There is no pull request #999"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_taken_off_the_default_branch_is_not_released() {
    let world = World::with_approved_release().await;
    let mona = world.emulator.person("mona");
    mona.force_pushes(REPO, "main", &world.first).unwrap();
    stops(&world.publishes().await, &["is not on `main`"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn required_checks_are_green_by_the_app_that_the_workflow_file_names() {
    let mut world = World::with_release().await;
    world.reviews("mona", Verdict::Approves);
    let gander = world.emulator.person("gander[bot]");
    gander.check_run(REPO, &world.head, "Test", CheckOutcome::Completed("success")).unwrap();
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["was never reported"]);
    let own = format!("Test@{}", world.app.app_id);
    let ran = world.publishes_with(&[("GANDER_INPUT_REQUIRED_CHECKS", &own)]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.summary);
    assert!(ran.summary.contains("Gander's own check, which never counts"), "{}", ran.summary);
    let ci = world.emulator.person("ci[bot]");
    ci.check_run(REPO, &world.head, "Test", CheckOutcome::InProgress).unwrap();
    stops(&world.publishes().await, &["has not finished"]);
    world.ci_says("skipped");
    stops(&world.publishes().await, &["was skipped on the head of #1, which is no evidence"]);
    world.nothing_is_published();
    world.ci_says("success");
    assert_eq!(world.publishes().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_red_check_stops_a_release_and_none_has_to_be_said() {
    let mut world = World::with_release().await;
    world.reviews("mona", Verdict::Approves);
    world.ci_says("failure");
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["is red"]);
    let ran = world.publishes_with(&[("GANDER_INPUT_REQUIRED_CHECKS", "")]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.summary);
    assert!(ran.summary.contains("or say `none`"), "{}", ran.summary);
    world.nothing_is_published();
    let none = [("GANDER_INPUT_REQUIRED_CHECKS", "none")];
    assert_eq!(world.publishes_with(&none).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_an_old_approval_starts_nothing_new() {
    let mut world = World::with_release().await;
    world.ci_says("success");
    world.ahead.store(-25 * HOUR, Ordering::SeqCst);
    world.reviews("mona", Verdict::Approves);
    world.ahead.store(0, Ordering::SeqCst);
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["is older than 24 hours"]);
    world.nothing_is_published();
    let patient = [("GANDER_INPUT_APPROVAL_HOURS", "48")];
    assert_eq!(world.publishes_with(&patient).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a09_only_the_files_of_this_very_build_are_published() {
    let world = World::with_approved_release().await;
    let directory = world.release_directory();
    let tool = directory.join("tool");
    std::fs::write(&tool, "evil").unwrap();
    stops(&world.publishes().await, &["`tool` is not the file that was built"]);
    std::fs::remove_file(&tool).unwrap();
    stops(&world.publishes().await, &["`tool` is in the manifest, but not among"]);
    std::fs::write(&tool, "tool").unwrap();
    std::fs::write(directory.join("more"), "x").unwrap();
    stops(&world.publishes().await, &["the build did not make it"]);
    std::fs::remove_file(directory.join("more")).unwrap();
    let other_run = [("GITHUB_RUN_ID", "9002")];
    stops(&world.publishes_with(&other_run).await, &["built for another run"]);
    let other_repository = [("GITHUB_REPOSITORY_ID", "1")];
    let ran = world.publishes_with(&other_repository).await;
    assert_ne!(ran.code, Some(0));
    std::fs::remove_file(&tool).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &tool).unwrap();
    assert_eq!(world.publishes().await.code, Some(1));
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a08_a_tag_or_release_that_is_there_is_never_replaced() {
    let world = World::with_approved_release().await;
    let thief = Client::app(&world.emulator, &world.app, chrono::Utc::now().timestamp_millis());
    let thief = thief.installation(world.installation, json!({})).await;
    let base = "/repos/acme/widgets";
    let tag = json!({ "ref": "refs/tags/v1.2.0", "sha": world.head });
    thief.post(&format!("{base}/git/refs"), tag).await.expect(201);
    stops(&world.publishes().await, &["The tag `v1.2.0` exists already"]);
    assert_eq!(world.emulator.tags(REPO)["v1.2.0"], world.head);
    assert_eq!(world.emulator.releases(REPO), []);
    thief.delete(&format!("{base}/git/refs/tags/v1.2.0")).await.expect(204);
    // A draft with our mark in it, but not from a workflow.
    let manifest = std::fs::read(world.release_directory().join("SHA256SUMS")).unwrap();
    let digest = gander::core::manifest::Digest::of(&manifest);
    let body = format!("Hi\n\n<!-- gander release {} {digest} -->\n", world.commit);
    let draft = json!({ "tag_name": "v1.2.0", "body": body, "draft": true });
    let draft = thief.post(&format!("{base}/releases"), draft).await.expect(201);
    stops(&world.publishes().await, &["by `gander[bot]`", "did not make"]);
    assert!(world.emulator.releases(REPO)[0].draft);
    thief.delete(&format!("{base}/releases/{}", draft["id"])).await.expect(204);
    assert_eq!(world.publishes().await.code, Some(0));
    world.the_release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a08_a_foreign_file_in_our_draft_is_a_full_stop() {
    for (name, words) in [("tool", "with other content"), ("more", "was not built here")] {
        let world = World::with_approved_release().await;
        let number = world.emulator.mutations().len() + 2;
        let fault = world.emulator.plan(Fault::on_mutation(number).hangs());
        let mut job = world.starts_publishing(&[]);
        while world.emulator.fault_hits(fault) == 0 {
            tokio::task::yield_now().await;
        }
        job.dies().await;
        world.emulator.cancel(fault);
        let now = chrono::Utc::now().timestamp_millis();
        let thief = Client::app(&world.emulator, &world.app, now);
        let thief = thief.installation(world.installation, json!({})).await;
        let all = thief.get("/repos/acme/widgets/releases").await.expect(200);
        let uploads = all[0]["upload_url"].as_str().unwrap().replace("{?name,label}", "");
        thief.upload(&format!("{uploads}?name={name}"), b"evil").await.expect(201);
        stops(&world.publishes().await, &[words]);
        let releases = world.emulator.releases(REPO);
        assert!(releases.len() == 1 && releases[0].draft);
        assert!(world.emulator.tags(REPO).is_empty());
    }
}

/// With the App's key one can write much, but nothing that publish takes for an approval.
#[tokio::test(flavor = "multi_thread")]
async fn a13_a_thief_of_the_apps_key_cannot_get_the_action_to_publish() {
    let mut world = World::with_release().await;
    let mona = world.emulator.person("mona");
    let comment = mona.comments(REPO, world.pull, "Looks interesting.").unwrap();
    let now = chrono::Utc::now().timestamp_millis();
    let thief = Client::app(&world.emulator, &world.app, now);
    let thief = thief.installation(world.installation, json!({})).await;
    let base = "/repos/acme/widgets";
    let bot = world.emulator.person("gander[bot]");
    let files = [("build.sh", Some("mkdir dist && printf evil > dist/tool\n"))];
    world.head = bot.pushes(REPO, "gander/release", "Rather so", &files).unwrap();
    let words = json!({ "body": format!("/gander approve {}", world.head) });
    thief.patch(&format!("{base}/issues/comments/{comment}"), words).await.expect(200);
    let run = json!({
        "name": "Test",
        "head_sha": world.head,
        "status": "completed",
        "conclusion": "success",
    });
    thief.post(&format!("{base}/check-runs"), run).await.expect(201);
    let review = json!({ "event": "APPROVE", "commit_id": world.head });
    thief.post(&format!("{base}/pulls/{}/reviews", world.pull), review).await;
    let merge = json!({ "merge_method": "squash" });
    let merged = thief.put(&format!("{base}/pulls/{}/merge", world.pull), merge).await.expect(200);
    world.commit = merged["sha"].as_str().unwrap().to_owned();
    world.given();
    world.builds().await;
    stops(&world.publishes().await, &["was never reported"]);
    let none = [("GANDER_INPUT_REQUIRED_CHECKS", "none")];
    stops(&world.publishes_with(&none).await, &["was edited after it was written"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_changes_workflows_is_not_published() {
    let mut world = World::with_release().await;
    let files = [(".github/workflows/release.yml", Some("on: push\njobs: {}\n"))];
    let bot = world.emulator.person("hubot");
    world.head = bot.pushes(REPO, "gander/release", "Rather so", &files).unwrap();
    world.ci_says("success");
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["leaves everything in `.github` alone"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_of_who_ordered_it_nobody_can_tell_who_may_not_approve_it() {
    let mut world = World::with_release().await;
    let files = [("CHANGELOG.md", Some("# Changelog\n\n## 1.2.0\n\n- by hand\n"))];
    let mona = world.emulator.person("mona");
    world.head = mona.pushes(REPO, "gander/release-2", "chore: release 1.2.0", &files).unwrap();
    let title = "Release 1.2.0";
    world.pull = mona.opens_pull(REPO, title, "", "gander/release-2", "main").unwrap();
    world.ci_says("success");
    world.emulator.set_permission(REPO, "hubot", "maintain").unwrap();
    world.reviews("hubot", Verdict::Approves);
    world.merges();
    world.builds().await;
    stops(&world.publishes().await, &["Nobody can tell who ordered", "`requester: allowed`"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wrote_some_of_a_release_does_not_approve_it_alone() {
    let mut world = World::with_release().await;
    world.emulator.set_permission(REPO, "hubot", "maintain").unwrap();
    let log = "# Changelog\n\n## 1.2.0\n\n- the bounds, mended\n";
    let mona = world.emulator.person("mona");
    let edit = [("CHANGELOG.md", Some(log))];
    world.head = mona.pushes(REPO, "gander/release", "Rather so", &edit).unwrap();
    world.ci_says("success");
    world.reviews("mona", Verdict::Approves);
    world.merges();
    world.builds().await;
    let never = [("GANDER_INPUT_REQUESTER", "never")];
    stops(&world.publishes_with(&never).await, &["mona approved #", "nobody is left"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_a_rule_forbids_is_told_with_githubs_words_and_the_next_step() {
    let world = World::with_approved_release().await;
    let words = json!({"message": "Repository rule violations found: Cannot create ref"});
    let refusal = Fault::on("POST", "/repos/*/*/git/refs").answers(422).with_body(words);
    let fault = world.emulator.plan(refusal);
    let ran = world.publishes().await;
    assert_eq!(ran.code, Some(1), "{}", ran.log);
    for word in ["Cannot create ref", "bypass the tag ruleset", "does not let this workflow"] {
        assert!(ran.summary.contains(word), "no {word:?} in {}", ran.summary);
    }
    assert!(!ran.summary.contains("who moved it"), "{}", ran.summary);
    world.emulator.cancel(fault);
    assert_eq!(world.publishes().await.code, Some(0));
    world.the_release();
}

/// The name of a job says nothing of the workflow it is in.
#[tokio::test(flavor = "multi_thread")]
async fn a_red_check_is_not_hidden_by_a_green_one_of_another_workflow() {
    let mut world = World::with_release().await;
    world.reviews("mona", Verdict::Approves);
    let older = world.starts_workflow("ci");
    let newer = world.starts_workflow("nightly");
    world.merges();
    world.builds().await;
    let actions = [("GANDER_INPUT_REQUIRED_CHECKS", "Test@15368")];
    world.job_ends(newer, "success");
    stops(&world.publishes_with(&actions).await, &["Test", "has not finished"]);
    world.job_ends(older, "failure");
    stops(&world.publishes_with(&actions).await, &["Test", "is red"]);
    world.nothing_is_published();
    world.reruns(newer);
    world.job_ends(newer, "success");
    stops(&world.publishes_with(&actions).await, &["Test", "is red"]);
    world.reruns(older);
    stops(&world.publishes_with(&actions).await, &["Test", "has not finished"]);
    world.nothing_is_published();
    world.job_ends(older, "success");
    assert_eq!(world.publishes_with(&actions).await.code, Some(0));
}

/// Two jobs of one workflow may have one name, and one machine runs them one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_red_job_is_not_hidden_by_a_later_green_one_of_its_name_in_the_same_run() {
    let mut world = World::with_release().await;
    world.reviews("mona", Verdict::Approves);
    let run = world.starts_workflow("ci");
    world.emulator.job_begins(REPO, run, "Build").unwrap();
    world.job_ends(run, "failure");
    world.emulator.job_begins(REPO, run, "Test").unwrap();
    world.job_ends(run, "success");
    world.merges();
    world.builds().await;
    let actions = [("GANDER_INPUT_REQUIRED_CHECKS", "Test@15368")];
    stops(&world.publishes_with(&actions).await, &["Test", "is red"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_red_job_was_run_again_counts_only_where_github_says_so() {
    let mut world = World::with_release().await;
    world.reviews("mona", Verdict::Approves);
    let run = world.starts_workflow("ci");
    world.job_ends(run, "failure");
    world.reruns(run);
    world.job_ends(run, "success");
    world.merges();
    world.builds().await;
    let actions = [("GANDER_INPUT_REQUIRED_CHECKS", "Test@15368")];
    // So GitHub answers a token without `actions: read`.
    let refusal = Fault::on("GET", "/repos/*/*/actions/jobs/*").times(usize::MAX).answers(403);
    let refused = world.emulator.plan(refusal);
    let ran = world.publishes_with(&actions).await;
    stops(&ran, &["Test", "is red", "give this job `actions: read`"]);
    world.nothing_is_published();
    world.emulator.cancel(refused);
    assert_eq!(world.publishes_with(&actions).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_job_is_no_obstacle_where_another_run_of_its_workflow_is_green() {
    for (workflow, published) in [("ci", true), ("nightly", false)] {
        let mut world = World::with_release().await;
        world.reviews("mona", Verdict::Approves);
        for (name, conclusion) in [("ci", "success"), (workflow, "skipped")] {
            let run = world.starts_workflow(name);
            world.job_ends(run, conclusion);
        }
        world.merges();
        world.builds().await;
        let actions = [("GANDER_INPUT_REQUIRED_CHECKS", "Test@15368")];
        let ran = world.publishes_with(&actions).await;
        if published {
            assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
        } else {
            stops(&ran, &["Test", "was skipped"]);
            world.nothing_is_published();
        }
    }
}

#[tokio::test]
async fn a_file_without_content_is_no_release() {
    let build = "mkdir dist && : > dist/tool\n";
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with_release_of(folder, RULES, build).await;
    world.ci_says("success");
    world.reviews("mona", Verdict::Approves);
    world.merges();
    let tree = world.checkout();
    let ran = world.runs("build", &tree, &[]).await;
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.log, ran.summary);
    assert!(ran.log.contains("`dist/tool` is empty"), "{}", ran.log);
    world.nothing_is_published();
}
