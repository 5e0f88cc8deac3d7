//! The words as people read them, and what must hold of all of them.

use super::*;
use crate::core::github::{PullRef, RepoRef, Role};
use crate::core::id::{CommentId, InstallationId, Login, ReleaseId, RepoId, Timestamp, UserId};
use crate::core::policy::{MergeOn, Show};
use crate::core::release::{Merged, Refusal, ReleaseOrder};
use crate::core::release_tools::{FoundTool, ReleaseTool};
use crate::core::target::ReleaseTarget;

fn setting() -> ReportContext {
    ReportContext {
        prefix: "/gander".into(),
        model: String::new(),
        version: "0.1.0".into(),
        show: Show::default(),
        now: "12:03 UTC".into(),
        kept: String::new(),
        unverified: String::new(),
        web: "https://github.com".into(),
    }
}

fn sha(letter: &str) -> Sha {
    letter.repeat(40).parse().unwrap()
}

fn release(stage: ReleaseStage) -> Release {
    let repo = RepoRef {
        installation_id: InstallationId(3),
        repo_id: RepoId(1),
        name: "acme/widgets".parse().unwrap(),
    };
    let order = ReleaseOrder {
        by_id: UserId(2),
        login: "mona".parse().unwrap(),
        at: Timestamp(0),
        comment_id: Some(CommentId(9)),
        bump: None,
        on_merge: false,
        package: None,
    };
    let id = ReleaseId::of_trigger("1/comment/9");
    let mut release = Release::new(id, repo, Number(7), "main".parse().unwrap(), order);
    release.stage = stage;
    release.plan = Some(VersionPlan {
        checks: None,
        scope: Default::default(),
        moves_from: None,
        last_unknown: false,
        base: sha("a"),
        version: "1.2.0".into(),
        tag: "v1.2.0".into(),
        last: Some("v1.1.0".into()),
        why: "1.1.0 and something new".into(),
        date: "2026-01-31".into(),
        notes: "### Added\n\n- paging (#11, `@mona`)".into(),
        files: vec!["CHANGELOG.md".into(), "Cargo.toml".into()],
        left: vec!["`crates/own/Cargo.toml` holds a version of its own, not 1.1.0".into()],
        fixes: vec![],
        flagged: vec![],
        merge_on: MergeOn::Review,
        targets: Vec::new(),
    });
    release.pull = Some(PullRef { number: Number(12), branch: release.branch(), head: sha("b") });
    release
}

#[test]
fn the_pull_request_begins_with_what_approving_it_does() {
    let release = release(ReleaseStage::Proposed);
    let body = pull_body(&release, release.plan.as_ref().unwrap(), &sha("b"), &setting());
    assert_eq!(
        body.lines().next().unwrap(),
        "Approving `bbbbbbbbbbbb` merges it into `main` **and releases v1.2.0**."
    );
    let mut elsewhere = release.plan.clone().unwrap();
    elsewhere.targets = vec![ReleaseTarget::Crates, ReleaseTarget::Npm];
    let first = pull_body(&release, &elsewhere, &sha("b"), &setting());
    assert!(first.contains("**and releases v1.2.0 on GitHub, crates.io and npm**."), "{first}");
    for words in [
        "| version | **1.2.0** |",
        "| why | 1.1.0 and something new |",
        "| last release | `v1.1.0` |",
        "| made on | `main` at `aaaaaaaaaaaa` |",
        "| changes | `CHANGELOG.md`, `Cargo.toml` |",
        "> - `crates/own/Cargo.toml` holds a version of its own",
        "## What is in it\n\n### Added\n\n- paging (#11, `@mona`)",
        "`/gander release 1.2.3`",
    ] {
        assert!(body.contains(words), "{words}\n{body}");
    }
    assert!(body.trim_end().ends_with("-->"));
}

#[test]
fn a_commit_of_ours_is_known_by_its_tree_and_names_who_asked() {
    let release = release(ReleaseStage::Proposing);
    let plan = release.plan.as_ref().unwrap();
    let message = commit_message(&release, plan, &sha("d"), &setting());
    assert_eq!(
        message,
        format!(
            "chore(release): v1.2.0\n\nRequested-by: mona <2+mona@users.noreply.github.com>\n\
             Assisted-by: Gander 0.1.0\nGander-Release: {} {}\n",
            release.id,
            sha("d")
        )
    );
    assert!(!message.contains(&trailer(&release, &sha("e"))));
}

fn endings() -> Vec<ReleaseStage> {
    let login: Login = "mona".parse().unwrap();
    let mut endings = vec![
        ReleaseEnding::Published {
            url: "https://github.com/acme/widgets/releases/tag/v1.2.0".into(),
        },
        ReleaseEnding::Failed { why: "run 77 ended with failure".into() },
        ReleaseEnding::Closed { by: None },
        ReleaseEnding::NothingToRelease { last: Some("v1.1.0".into()) },
    ];
    endings.extend(refusals(login).into_iter().map(ReleaseEnding::Refused));
    endings.into_iter().map(ReleaseStage::Done).collect()
}

fn tool() -> FoundTool {
    FoundTool { tool: ReleaseTool::Changesets, file: ".changeset/config.json".into() }
}

fn refusals(login: Login) -> Vec<Refusal> {
    vec![
        Refusal::NotHigher { version: "1.0.0".into(), last: "1.1.0".into() },
        Refusal::TagExists { tag: "v1.2.0".into() },
        Refusal::BadTag { version: "1.2.0".into() },
        Refusal::InChangelog { version: "1.2.0".into() },
        Refusal::BadConfig { problem: "line 2".into() },
        Refusal::OwnTool,
        Refusal::WhichTool(tool()),
        Refusal::ExistingTool { tool: tool(), pull: Some(Number(7)) },
        Refusal::PermissionLost { login, why: "it is read now.".into() },
        Refusal::NoCommit { branch: "main".parse().unwrap() },
        Refusal::OtherTags {
            tags: vec!["1.1.0".into(), "1.0.0".into()],
            pattern: "v{version}".into(),
            meant: Some("{version}".into()),
        },
        Refusal::LastNotFound { tags: vec!["v2.0.0".into()], cut: true },
    ]
}

#[test]
fn every_refusal_says_the_next_step_and_every_end_is_told_once_to_whoever_asked() {
    for why in refusals("mona".parse().unwrap()) {
        let words = refusal(&why, "/gander", None);
        let step = ["`/gander release", "RULES", RULES_PATH, "nothing to release"];
        assert!(step.iter().any(|step| words.contains(step)), "{words}");
    }
    for stage in endings() {
        let release = release(stage.clone());
        let status = status_comment(&release, &setting());
        assert!(status.starts_with(&headline(&release)), "{status}");
        assert!(!status.contains('@'), "a status notifies nobody: {status}");
        match announcement(&release, &setting()) {
            Some((text, marker)) => {
                assert!(text.starts_with("@mona "), "{text}");
                assert_eq!(text.matches('@').count(), 1, "{text}");
                assert!(text.ends_with(&marker));
            }
            None => assert!(matches!(stage, ReleaseStage::Done(ReleaseEnding::Closed { .. }))),
        }
    }
}

#[test]
fn what_is_out_is_told_to_the_issues_it_fixed() {
    let url = "https://github.com/acme/widgets/releases/tag/v1.2.0".to_owned();
    let out = release(ReleaseStage::Done(ReleaseEnding::Published { url: url.clone() }));
    let (text, marker) = shipped(&out).unwrap();
    assert_eq!(text, format!("Shipped in [v1.2.0]({url}).\n\n{marker}"));
    assert_eq!(shipped(&release(ReleaseStage::Proposed)), None);
    // Whoever waits for it learns where to install it from.
    let mut elsewhere = out;
    elsewhere.plan.as_mut().unwrap().targets = vec![ReleaseTarget::Pypi];
    let (text, _) = shipped(&elsewhere).unwrap();
    assert!(text.starts_with(&format!("Shipped in [v1.2.0]({url}) on GitHub and PyPI.")), "{text}");
    let status = status_reply(&[elsewhere], &setting());
    assert!(status.contains(&format!("v1.2.0 on GitHub and PyPI: {url}")), "{status}");
}

#[test]
fn what_stands_in_the_way_names_the_person_and_the_next_step() {
    let login: Login = "hubot".parse().unwrap();
    for (why, words) in [
        (
            NotApproved::OtherCommit { login: login.clone(), approved: sha("c") },
            "hubot approved `cccccccccccc`, and the head is `bbbbbbbbbbbb` by now. Approve that one: `/gander approve bbbbbbbbbbbb`.",
        ),
        (
            NotApproved::NeedsRole {
                login: login.clone(),
                has: Role::Write,
                needed: Role::Maintain,
            },
            "hubot has write access, and maintain access is needed to approve (see `[approval]` in `.github/gander.toml`).",
        ),
        (
            NotApproved::Objection { login },
            "hubot wants changes. Once they approve, or the review is dismissed, it goes on.",
        ),
    ] {
        let mut release = release(ReleaseStage::Proposed);
        release.blocked = Some(Blocked::NotApproved(why));
        let status = status_comment(&release, &setting());
        assert!(status.starts_with("**Not yet**: v1.2.0 in #12\n"), "{status}");
        assert!(status.contains(words), "{status}");
    }
}

#[test]
fn a_failure_after_the_merge_says_what_is_done_and_how_to_go_on() {
    let mut failed =
        release(ReleaseStage::Done(ReleaseEnding::Failed { why: "run 77 ended".into() }));
    assert!(!status_comment(&failed, &setting()).contains("approved again"));
    failed.merged = Some(Merged { commit: sha("f"), by: None });
    let status = status_comment(&failed, &setting());
    assert!(
        status.contains("`ffffffffffff` is merged. When it is mended, `/gander release retry`")
    );
    assert!(status.contains("`/gander release retry` goes on from there"), "{status}");
}

/// A text that is too long is refused by GitHub, after the branch was pushed.
#[test]
fn the_longest_plan_fits_into_a_pull_request_and_says_what_is_left_out() {
    let mut release = release(ReleaseStage::Proposed);
    let plan = release.plan.as_mut().unwrap();
    plan.tag = format!("v1.2.0-{}", "a".repeat(300));
    plan.notes = format!("- {}\n", "word ".repeat(30)).repeat(800);
    plan.files = (0..1000).map(|n| format!("crates/member-{n}/Cargo.toml")).collect();
    plan.left =
        (0..1000).map(|n| format!("`crates/other-{n}/Cargo.toml` names no version")).collect();
    let plan = release.plan.as_ref().unwrap();
    let body = pull_body(&release, plan, &sha("b"), &setting());
    assert!(body.chars().count() <= 65_536, "{}", body.chars().count());
    for part in ["and 980 more", "more lines, more than GitHub takes", "Want another version?"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(body.ends_with(&marker(release.id.as_str(), "release")));
    assert!(title(plan).chars().count() <= 256);
}
