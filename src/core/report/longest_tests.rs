//! The longest texts about a job: GitHub refuses what is too long, after the push.

use super::*;
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence};
use crate::core::github::{PullRef, RepoRef};
use crate::core::id::{InstallationId, RepoId, Timestamp, UserId};
use crate::core::job::{
    HeadProof, JobOrder, Kind, Outsider, Proposal, ProposedChange, PushedRound, WaitingFor,
};
use crate::core::judgement::{Concern, JudgeRecord, Judgement, Opinion, SecondOpinion};
use crate::core::patch::Patch;

/// Words that need the most room: a box around them has ends of the same length.
fn ticks(count: usize) -> String {
    "`".repeat(count)
}

fn setting() -> ReportContext {
    ReportContext {
        prefix: "/gander".into(),
        model: "m".repeat(100),
        version: "0.1.0".into(),
        show: Show::default(),
        now: "12:03 UTC".into(),
        kept: String::new(),
        unverified: "`".repeat(50_000),
        web: "https://github.com".into(),
    }
}

fn opinion() -> SecondOpinion {
    let concern = |_| Concern { path: "é".repeat(4000), line: 1, what: ticks(600) };
    SecondOpinion::Given(Judgement {
        model: "m".repeat(100),
        opinion: Opinion::No,
        summary: ticks(2000),
        concerns: (0..8).map(concern).collect(),
        concerns_left: 9,
        unseen: (0..1000).map(|n| format!("{n}{}", ticks(200))).collect(),
        look_first: (0..1000).collect(),
        record: JudgeRecord::default(),
    })
}

fn longest() -> (Job, VerifiedPatch) {
    let repo = RepoRef {
        installation_id: InstallationId(3),
        repo_id: RepoId(1),
        name: "acme/widgets".parse().unwrap(),
    };
    let order = JobOrder {
        issue: crate::core::event::IssueText { title: "@x ".repeat(200), body: String::new() },
        ..JobOrder::new(Kind::Fix, (UserId(2), "mona".parse().unwrap()), Timestamp(1))
    };
    let mut job = Job::new(JobId::of_trigger("1/comment/9"), repo, Number(7), order);
    let head: Sha = "c".repeat(40).parse().unwrap();
    let patch = Patch::default();
    let check = |n| Check {
        name: format!("{n} {}", "é".repeat(2000)),
        kind: CheckKind::Command,
        outcome: CheckOutcome::Passed,
        tests: None,
        tests_before: None,
        failed_tests: None,
        results: None,
        millis: 1,
    };
    let evidence = Evidence {
        base: "a".repeat(40).parse().unwrap(),
        packages: Vec::new(),
        tools: Vec::new(),
        proof: None,
        blocked_by: Vec::new(),
        oversize: Vec::new(),
        patch: patch.digest(),
        checks: (0..1000).map(check).collect(),
    };
    let verified = evidence.verified(patch.clone()).unwrap();
    let proposal = Proposal {
        patch: patch.digest(),
        summary: ticks(9000),
        flags: (0..1000).map(|n| format!("{n}: {}", "@a ".repeat(300))).collect(),
        size: (1, 1, 1),
        answers: vec![],
        no_test: None,
        area: None,
        reading: Vec::new(),
    };
    let opinion = Some(opinion());
    job.change = Some(ProposedChange { proposal, evidence: Some(evidence), opinion });
    let pushed = |round| PushedRound {
        round,
        size: (1, 1, 1),
        summary: ticks(1000),
        proof: None,
        patch: None,
        merges_base: false,
        warned: Some(true),
    };
    job.review.pushed = (1..100).map(pushed).collect();
    job.review.risks = (0..1000).map(|n| format!("{n} {}", "@a ".repeat(300))).collect();
    job.review.held = ticks(100_000);
    job.review.held_files = (0..1000).map(|n| format!("+1 -0 {n}{}", ticks(200))).collect();
    let outsider = |n| Outsider {
        review_id: crate::core::id::ReviewId(n),
        login: "x".repeat(39).parse().unwrap(),
        points: 1,
    };
    job.review.outsiders = (0..1000).map(outsider).collect();
    job.review.waiting = Some(WaitingFor::BadRules { problem: ticks(9000) });
    job.review.proof = Some(HeadProof { head: head.clone(), ours: true, failed: None });
    let branch = job.branch();
    job.pull = Some(PullRef { number: Number(8), branch, head });
    job.stage = JobStage::Holding { round: 100 };
    (job, verified)
}

#[test]
fn the_longest_texts_fit_end_with_their_marker_and_say_how_much_is_left_out() {
    let (mut job, verified) = longest();
    let head = job.pull.as_ref().unwrap().head.clone();
    let body = pull_body(&job, &head, &verified, &setting());
    for part in [
        "### Second opinion",
        "> - and 980 more",
        "94 rounds before these",
        "and 950 more",
        "Fixes #7",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let held = status_comment(&job, &setting());
    assert!(held.contains("and 980 more") && held.contains("more lines, more than GitHub takes"));
    job.stage = JobStage::InReview { round: 100 };
    let explained = explanation(&job, &setting()).unwrap();
    let status = status_comment(&job, &setting());
    for text in [body, held, status, signed(&explained, &marker("job", "explain"))] {
        assert!(text.chars().count() <= 65_536, "{}", text.chars().count());
        assert!(text.trim_end().ends_with("-->"), "its marker is gone");
    }
    let (title_of_check, summary) = check_run(&job);
    assert!(summary.len() <= 65_535 && summary.contains("and 950 more"), "{summary}");
    assert!(title_of_check.chars().count() <= 256);
    assert!(title(&job).chars().count() <= 256, "{}", title(&job));
}
