//! The brute-force walk: every state reachable by any sequence of facts keeps the promises.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]

use std::collections::{HashMap, HashSet, VecDeque};

use strum::VariantArray as _;

use super::*;
use crate::core::approval::{
    Approval, ApprovalCriteria, NotApproved, Stance, Vote, VoteSource, judge,
};
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Verdict};
use crate::core::github::{Actor, Role};
use crate::core::id::{CommentId, Login, RepoId, ReviewId, Timestamp, UserId};
use crate::core::judgement::SecondOpinion;
use crate::core::machine::{Machine, OnFailure};
use crate::core::policy::Requester;
use crate::core::proof::{Proof, ProofOutcome};

fn order() -> JobOrder {
    JobOrder {
        comment_id: Some(CommentId(9)),
        ..JobOrder::new(Kind::Fix, (UserId(2), "mona".parse().unwrap()), Timestamp(0))
    }
}

pub(super) fn new_job() -> Job {
    let repo = RepoRef {
        installation_id: crate::core::id::InstallationId(3),
        repo_id: crate::core::id::RepoId(1),
        name: "acme/widgets".parse().unwrap(),
    };
    Job::new(JobId::of_trigger("1/comment/9"), repo, Number(7), order())
}

fn sha(letter: &str) -> Sha {
    letter.repeat(40).parse().unwrap()
}

fn digest(letter: &str) -> PatchDigest {
    PatchDigest::of_bytes([letter.as_bytes()[0]; 32])
}

fn evidence(base: &str, patch: &str, outcome: Option<CheckOutcome>) -> Evidence {
    let checks = outcome.map(|outcome| Check {
        name: "cargo test".into(),
        kind: CheckKind::Command,
        outcome,
        tests: None,
        tests_before: None,
        failed_tests: None,
        results: None,
        millis: 1,
    });
    Evidence {
        base: sha(base),
        patch: digest(patch),
        checks: checks.into_iter().collect(),
        packages: Vec::new(),
        tools: Vec::new(),
        proof: None,
        blocked_by: Vec::new(),
        oversize: Vec::new(),
    }
}

pub(super) fn person(id: u64) -> Actor {
    Actor { id: UserId(id), login: format!("person-{id}").parse().unwrap(), person: true }
}

/// A maintainer's approval of a head.
fn approval(head: &str) -> Approval {
    let (head, base) = (sha(head), "main".parse().unwrap());
    let criteria = ApprovalCriteria {
        repo_id: RepoId(1),
        pull: Number(8),
        head: &head,
        base: &base,
        rules: "r",
        role: Role::Maintain,
        requester: Requester::Never,
        asked_by: &[],
        pushed_by: &[],
        pushers_known: true,
        holders: None,
        since: Timestamp(0),
        flagged: &[],
    };
    let vote = Vote {
        by: person(5),
        role: Role::Maintain,
        stance: Stance::Approves,
        commit: head.clone(),
        source: VoteSource::Review(ReviewId(50)),
        at: Timestamp(1),
    };
    judge(&criteria, &[vote]).unwrap()
}

/// A look at the pull request: nobody has said anything, and all is green.
pub(super) fn open(head: &str) -> OpenPull {
    OpenPull {
        at: Timestamp(10),
        head: sha(head),
        base: "main".parse().unwrap(),
        rules: Ok(rules_of_review()),
        rules_digest: "r".to_owned(),
        requests: vec![],
        ci: Ci::Green,
        consent: Err(NotApproved::Nobody),
        since: Timestamp(0),
        mergeable: Some(true),
        clean: true,
        terms: MergeTerms::default(),
        skipped: false,
    }
}

fn request(review: u64, role: Role) -> ChangeRequest {
    let by = person(review);
    ChangeRequest { review_id: ReviewId(review), by, role, at: Timestamp(2), points: 1 }
}

fn rules_of_review() -> Rules {
    Rules::parse("[agent]\nattempts = 1\n[limits]\nrounds = 1\nci_repairs = 1").unwrap()
}

fn red(because: RedBecause) -> Ci {
    Ci::Red { check: "ci".into(), page: None, because }
}

fn flaky(again: RunAgain) -> RedBecause {
    RedBecause::Flaky { why: "why".into(), again }
}

fn approved(head: &str) -> OpenPull {
    OpenPull { consent: Ok(approval(head)), ..open(head) }
}

/// What ends it from outside, at any moment.
fn ends() -> Vec<JobFact> {
    let broke = |step| JobFact::Broke { step, why: "why".into() };
    vec![
        broke(JobStep::Start { round: 2 }),
        broke(JobStep::Fix { round: 2, attempt: 1 }),
        broke(JobStep::Publish { round: 2 }),
        broke(JobStep::Answer { round: 2 }),
        broke(JobStep::Merge { head: sha("c") }),
        broke(JobStep::CheckHead { head: sha("e") }),
        JobFact::Cancelled { by: Some(person(2).login) },
        JobFact::Closed { by: None, merged: true },
    ]
}

fn seen(pulls: Vec<OpenPull>) -> Vec<JobFact> {
    pulls.into_iter().map(seen_open).collect()
}

fn seen_open(pull: OpenPull) -> JobFact {
    JobFact::Seen(PullSnapshot::Open(Box::new(pull)))
}

/// Rounds: what people and CI ask for, and how a round can go.
fn facts_of_rounds() -> Vec<JobFact> {
    let base = Base { branch: "main".parse().unwrap(), sha: sha("c") };
    let mut facts = seen(vec![
        open("c"),
        OpenPull { requests: vec![request(1, Role::Write)], ..open("c") },
        OpenPull { ci: red(RedBecause::Change), ..open("c") },
        OpenPull { ci: red(RedBecause::Touched), ..open("c") },
    ]);
    for round in 2..=3 {
        let (task, threads, budget) = (String::new(), vec![], Money::ZERO);
        let base = base.clone();
        facts.extend([
            JobFact::RoundReady { round, base, task, threads, budget },
            JobFact::RoundRefused { round, why: Declined::Skipped },
            JobFact::Answered { round },
            JobFact::NothingToFix {
                round,
                attempt: 1,
                why: String::new(),
                cost: Money::ZERO,
                notes_read: 0,
            },
            JobFact::CannotCheck { round, attempt: 1, why: String::new(), cost: Money::ZERO },
            JobFact::Proposed {
                round,
                attempt: 1,
                proposal: proposal("1"),
                cost: Money::ZERO,
                notes_read: 0,
            },
        ]);
    }
    facts.extend([
        published("c"),
        JobFact::HeadMoved { head: sha("c") },
        JobFact::Verified(evidence("c", "1", Some(CheckOutcome::Passed))),
        JobFact::Verified(evidence("c", "1", Some(CheckOutcome::Failed("red".into())))),
    ]);
    facts
}

/// Approving and merging, while people push and checks come and go.
fn facts_of_merging() -> Vec<JobFact> {
    let missing = MissingChecks { not_run: vec!["ci".into()], silent: vec![] };
    let mut facts = seen(vec![
        open("c"),
        approved("c"),
        approved("e"),
        OpenPull { consent: Ok(approval("f")), ..open("c") },
        OpenPull { ci: Ci::Pending { names: vec!["ci".into()] }, ..approved("c") },
        OpenPull { ci: red(RedBecause::AlsoOnBase), ..approved("c") },
        OpenPull { ci: red(RedBecause::NeverOnBase), ..approved("c") },
        OpenPull { base: "other".parse().unwrap(), ..approved("c") },
        OpenPull { mergeable: Some(false), ..approved("c") },
        OpenPull { skipped: true, ..approved("c") },
        OpenPull { terms: MergeTerms { draft: true, ..Default::default() }, ..approved("c") },
        OpenPull { terms: MergeTerms { queue: true, ..Default::default() }, ..open("c") },
        OpenPull { ci: Ci::Missing(missing), ..approved("c") },
        OpenPull { rules: Err("bad".into()), ..approved("c") },
        OpenPull { requests: vec![request(2, Role::Read)], ..approved("c") },
    ]);
    facts.extend([
        JobFact::Seen(PullSnapshot::Ended(PullEnd::Merged { by: None })),
        JobFact::Seen(PullSnapshot::Ended(PullEnd::Closed { by: None })),
        published("c"),
        JobFact::HeadChecked { head: sha("e"), failed: None },
        JobFact::HeadChecked { head: sha("e"), failed: Some("red".into()) },
        JobFact::Merged { by: None },
        JobFact::NotMerged { why: "blocked".into() },
    ]);
    facts
}

/// Red checks that are not this change's fault.
fn facts_of_reruns() -> Vec<JobFact> {
    let mut facts = seen(vec![
        OpenPull { ci: red(RedBecause::ForEverybody { pulls: vec![] }), ..open("c") },
        OpenPull { ci: red(flaky(RunAgain::ByUs { run: 1, attempt: 1 })), ..open("c") },
        OpenPull { ci: red(flaky(RunAgain::ByUs { run: 1, attempt: 2 })), ..open("c") },
        OpenPull { ci: red(flaky(RunAgain::ByPerson)), ..open("c") },
    ]);
    let step = JobStep::Rerun { head: sha("c"), run: 1, attempt: 1 };
    facts.extend([
        published("c"),
        JobFact::RerunRefused,
        JobFact::Broke { step, why: "GitHub is away".into() },
    ]);
    facts
}

fn asked_on_pull() -> Job {
    Job { order: JobOrder { on_pull: true, ..order() }, ..new_job() }
}

/// What becomes of the pull request of others.
fn facts_of_others_pulls() -> Vec<JobFact> {
    let base = Base { branch: "main".parse().unwrap(), sha: sha("a") };
    let prepared_for = |fork: Option<&str>| {
        let pull = OthersPull {
            branch: "theirs".parse().unwrap(),
            target: sha("b"),
            fork: fork.map(str::to_owned),
            about: String::new(),
        };
        let prepared = prepared(base.clone(), rules_of_review());
        JobFact::Prepared(Prepared { others_pull: Some(Box::new(pull)), ..prepared })
    };
    let shown = |patch| {
        let (files, diff) = (Vec::new(), String::new());
        JobFact::Suggested { patch: digest(patch), files, diff, on_lines: OnLines::default() }
    };
    vec![
        JobFact::TurnCame,
        prepared_for(None),
        prepared_for(Some("fan/widgets")),
        JobFact::Proposed {
            round: 1,
            attempt: 1,
            proposal: proposal("1"),
            cost: Money::ZERO,
            notes_read: 0,
        },
        green(),
        JobFact::Verified(evidence("a", "1", Some(CheckOutcome::Failed("red".into())))),
        JobFact::HeadMoved { head: sha("e") },
        published("c"),
        shown("1"),
        shown("2"),
    ]
}

/// What becomes of an update.
fn facts_of_updates() -> Vec<JobFact> {
    let (login, words) = (person(2).login, String::new());
    let ask = ReviseRequest { by_id: UserId(2), login, words, comment_id: None };
    let conflict = OpenPull { mergeable: Some(false), ..open("c") };
    let cost = Money::ZERO;
    let mut facts = seen(vec![open("c"), open("d"), conflict]);
    facts.extend([
        published("c"),
        published("d"),
        JobFact::UpdateAsked(ask),
        update_ready(2),
        JobFact::RoundRefused { round: 2, why: Declined::Update(NoUpdate::UpToDate) },
        JobFact::Proposed { round: 2, attempt: 1, proposal: proposal("1"), cost, notes_read: 0 },
        JobFact::Verified(evidence("b", "1", Some(CheckOutcome::Passed))),
        JobFact::Verified(evidence("b", "1", Some(CheckOutcome::Failed("red".into())))),
        JobFact::Verified(evidence("a", "1", Some(CheckOutcome::Passed))),
        JobFact::HeadMoved { head: sha("e") },
        JobFact::Answered { round: 2 },
    ]);
    facts
}

fn update_ready(round: u32) -> JobFact {
    let base = Base { branch: "main".parse().unwrap(), sha: sha("b") };
    let update = Update {
        head: sha("c"),
        origin: sha("a"),
        merged: digest("1"),
        conflicts: Vec::new(),
        task: String::new(),
    };
    JobFact::UpdateReady { round, base, update: Box::new(update), budget: Money::ZERO }
}

/// What is asked by command, and what waits for somebody to take it up.
fn facts_of_commands() -> Vec<JobFact> {
    let words = "more".to_owned();
    let ask = ReviseRequest { by_id: UserId(2), login: person(2).login, words, comment_id: None };
    let (until, by_login) = (Timestamp(5), person(5).login);
    let taken = TakenReviews { login: person(2).login, until, by_id: UserId(5), by_login };
    let outsider = OpenPull { requests: vec![request(2, Role::Read)], ..open("c") };
    let mut facts = seen(vec![open("c"), outsider]);
    facts.extend([
        published("c"),
        judged("1"),
        judged("2"),
        JobFact::Broke { step: JobStep::Judge { round: 1 }, why: "why".into() },
        JobFact::Asked(ask.clone()),
        JobFact::Noted(ask),
        JobFact::Taken(taken),
        JobFact::RoundRefused { round: 2, why: Declined::Skipped },
        JobFact::RoundRefused { round: 2, why: Declined::Update(NoUpdate::UpToDate) },
        JobFact::Answered { round: 2 },
        JobFact::Held {
            patch: digest("1"),
            risks: vec![],
            touches: vec![],
            files: vec![],
            diff: String::new(),
        },
        JobFact::Overridden(RuleOverride {
            rule: "tautology".into(),
            reason: "why".into(),
            by: person(5).login,
        }),
        JobFact::Go { patch: digest("1") },
        JobFact::Go { patch: digest("2") },
    ]);
    facts
}

fn prepared(base: Base, rules: Rules) -> Prepared {
    Prepared {
        base,
        rules,
        budget: Money::ZERO,
        estimate: None,
        others_pull: None,
        reverts: None,
        conventions: Box::default(),
    }
}

fn proposal(patch: &str) -> Proposal {
    proposal_of(digest(patch))
}

pub(super) fn proposal_of(patch: PatchDigest) -> Proposal {
    Proposal {
        area: None,
        reading: Vec::new(),
        patch,
        summary: String::new(),
        flags: vec![],
        size: (1, 1, 1),
        answers: vec![],
        no_test: None,
    }
}

fn judged(patch: &str) -> JobFact {
    let opinion = SecondOpinion::Missing("why".into());
    JobFact::Judged { round: 1, patch: digest(patch), opinion, cost: Money::ZERO }
}

fn published(head: &str) -> JobFact {
    let branch = "gander/7-x".parse().unwrap();
    JobFact::Published { pull: PullRef { number: Number(8), branch, head: sha(head) } }
}

/// Every fact, in versions that fit and that come from another attempt, patch or base.
fn all_facts() -> Vec<JobFact> {
    let login: Login = "mona".parse().unwrap();
    let base = Base { branch: "main".parse().unwrap(), sha: sha("a") };
    let why = || "why".to_owned();
    let rules = Rules::parse("[agent]\nattempts = 2").unwrap();
    let mut facts = vec![
        JobFact::TurnCame,
        JobFact::Prepared(prepared(base, rules)),
        JobFact::Declined(Declined::EmptyRepository),
        published("c"),
        published("d"),
        JobFact::Closed { by: None, merged: true },
        JobFact::Closed { by: None, merged: false },
        JobFact::Cancelled { by: Some(login) },
        JobFact::OutOfBudget { why: why(), cost: Money::ZERO },
        JobFact::Withheld { why: why() },
        JobFact::Broke { step: JobStep::Prepare, why: why() },
        JobFact::Broke { step: JobStep::Fix { round: 1, attempt: 2 }, why: why() },
        JobFact::Broke { step: JobStep::Verify { round: 1, attempt: 1 }, why: why() },
        JobFact::Broke { step: JobStep::Publish { round: 1 }, why: why() },
    ];
    for attempt in 1..=3 {
        for patch in ["1", "2"] {
            let proposal = proposal(patch);
            facts.push(JobFact::Proposed {
                round: 1,
                attempt,
                proposal,
                cost: Money::ZERO,
                notes_read: 0,
            });
        }
        facts.push(JobFact::NothingToFix {
            round: 1,
            attempt,
            why: why(),
            cost: Money::ZERO,
            notes_read: 0,
        });
        facts.push(JobFact::CannotCheck { round: 1, attempt, why: why(), cost: Money::ZERO });
        let left = UnfinishedAttempt { why: why(), patch: None };
        facts.push(JobFact::AttemptFailed { round: 1, attempt, left, cost: Money::ZERO });
    }
    for base in ["a", "b"] {
        for patch in ["1", "2"] {
            for outcome in [
                Some(CheckOutcome::Passed),
                Some(CheckOutcome::Failed("red".into())),
                Some(CheckOutcome::Inconclusive("?".into())),
                None,
            ] {
                facts.push(JobFact::Verified(evidence(base, patch, outcome)));
            }
        }
    }
    facts
}

/// Green evidence that shows this much.
fn shown(patch: &str, outcome: ProofOutcome) -> JobFact {
    let proof = Some(Proof::of(outcome));
    JobFact::Verified(Evidence { proof, ..evidence("a", patch, Some(CheckOutcome::Passed)) })
}

/// Green changes that no test shows, and what becomes of the extra attempt.
fn facts_of_doubt() -> Vec<JobFact> {
    let wavers = ProofOutcome::Unstable { test: "t".into(), runs: 3 };
    let proofs = [ProofOutcome::GreenOnBase, ProofOutcome::NoTest, ProofOutcome::Proven, wavers];
    let mut facts = all_facts();
    for patch in ["1", "2"] {
        facts.extend(proofs.iter().map(|proof| shown(patch, proof.clone())));
    }
    facts
}

/// Before, what was learnt, after, what to do then.
type Transition = (Job, JobFact, Job, Vec<JobStep>);

/// All jobs reachable before people look at the pull request, and after.
fn walk() -> &'static (Vec<Job>, Vec<Transition>) {
    static WALK: std::sync::OnceLock<(Vec<Job>, Vec<Transition>)> = std::sync::OnceLock::new();
    WALK.get_or_init(|| {
        let (mut jobs, mut transitions) = walk_from(new_job(), &facts_of_doubt());
        let warn = Rules::parse("[agent]\nattempts = 1\n[judge]\nmode = \"warn\"").unwrap();
        for (start, facts) in [
            (publishing(), facts_of_rounds()),
            (publishing(), facts_of_merging()),
            (publishing(), facts_of_reruns()),
            (publishing(), facts_of_commands()),
            (asked_to_plan(), facts_of_plans()),
            (publishing(), facts_of_updates()),
            (asked_on_pull(), facts_of_others_pulls()),
            (verifying(warn), [facts_of_commands(), vec![green()]].concat()),
        ] {
            let (more, also) = walk_from(start, &[facts, ends()].concat());
            jobs.extend(more);
            transitions.extend(also);
        }
        (jobs, transitions)
    })
}

fn asked_to_plan() -> Job {
    Job { order: JobOrder { plan_first: true, ..order() }, ..new_job() }
}

/// What becomes of plans.
fn facts_of_plans() -> Vec<JobFact> {
    let ask = |words: &str| {
        let (login, words) = (person(2).login, words.to_owned());
        ReviseRequest { by_id: UserId(2), login, words, comment_id: None }
    };
    let base = Base { branch: "main".parse().unwrap(), sha: sha("a") };
    let (cost, why) = (Money::ZERO, || "why".to_owned());
    let mut facts =
        vec![JobFact::TurnCame, JobFact::Prepared(prepared(base, rules_of_review())), green()];
    facts.extend([Declined::Skipped].map(JobFact::Declined));
    facts.push(JobFact::OutOfBudget { why: why(), cost });
    facts.push(JobFact::Noted(ask("more")));
    for version in 1..=2 {
        let plan = Plan {
            what: format!("plan {version}"),
            files: Vec::new(),
            shown_by: String::new(),
            left_out: String::new(),
        };
        let mut learn = |news| facts.push(JobFact::OfPlan { version, news });
        learn(PlanNews::Made { plan, cost });
        for why in [NoPlan::NothingToFix(why()), NoPlan::Failed(why()), NoPlan::CannotCheck(why())]
        {
            learn(PlanNews::NotMade { why, cost });
        }
        learn(PlanNews::Agreed(ask("and this")));
        let (step, why) = (JobStep::Plan { version }, why());
        facts.push(JobFact::Broke { step, why });
    }
    facts.push(JobFact::OfPlan { version: 1, news: PlanNews::Refused(ask("otherwise")) });
    let proposal = proposal("1");
    facts.push(JobFact::Proposed { round: 1, attempt: 1, proposal, cost, notes_read: 1 });
    facts
}

/// A job that is about to publish. One attempt a round, so that the walk stays small.
fn publishing() -> Job {
    advance(&verifying(rules_of_review()), &green()).unwrap().0
}

/// A job whose first change is checked.
fn verifying(rules: Rules) -> Job {
    let base = Base { branch: "main".parse().unwrap(), sha: sha("a") };
    let way = [
        JobFact::TurnCame,
        JobFact::Prepared(prepared(base, rules)),
        JobFact::Proposed {
            round: 1,
            attempt: 1,
            proposal: proposal("1"),
            cost: Money::ZERO,
            notes_read: 0,
        },
    ];
    way.iter().fold(new_job(), |job, fact| advance(&job, fact).unwrap().0)
}

fn green() -> JobFact {
    JobFact::Verified(evidence("a", "1", Some(CheckOutcome::Passed)))
}

/// All reachable jobs, and all transitions between them.
fn walk_from(start: Job, facts: &[JobFact]) -> (Vec<Job>, Vec<Transition>) {
    let mut seen: HashMap<String, Job> = HashMap::new();
    let mut transitions = Vec::new();
    let mut frontier = VecDeque::from([start]);
    while let Some(job) = frontier.pop_front() {
        let key = serde_json::to_string(&job).unwrap();
        if seen.insert(key, job.clone()).is_some() {
            continue;
        }
        assert!(seen.len() < 3_000, "the walk does not end");
        for fact in facts {
            if let Some((next, steps)) = advance(&job, fact) {
                transitions.push((job.clone(), fact.clone(), next.clone(), steps));
                frontier.push_back(next);
            }
        }
    }
    (seen.into_values().collect(), transitions)
}

#[test]
fn publishing_only_ever_follows_a_green_verdict_on_that_very_patch_and_base() {
    let (jobs, transitions) = walk();
    assert!(jobs.len() > 50, "the walk reached only {} states", jobs.len());
    for (before, _, after, steps) in transitions {
        if steps.iter().any(|step| matches!(step, JobStep::Publish { .. })) {
            let evidence = after.evidence().expect("published without evidence");
            assert_eq!(evidence.verdict(), Verdict::Green, "published red");
            assert_eq!(evidence.patch, after.proposal().unwrap().patch);
            assert_eq!(evidence.base, before.base().unwrap().sha);
        }
        if let JobStage::Publishing { .. } | JobStage::Holding { .. } = after.stage {
            let evidence = after.evidence().expect("no evidence kept");
            assert_eq!(evidence.verdict(), Verdict::Green);
            assert_eq!(evidence.patch, after.proposal().unwrap().patch);
        }
    }
}

#[test]
fn a_doubtful_change_is_sent_back_once_and_only_a_run_says_that_a_bug_is_not_there() {
    let (_, transitions) = walk();
    let (mut not_reproducible, mut as_before) = (0, 0);
    for (before, fact, after, _) in transitions {
        if let JobStage::Done(JobEnding::NotReproducible { .. }) = &after.stage {
            not_reproducible += 1;
            let green_on_base = |evidence: &Evidence| {
                evidence.proof.as_ref().map(|it| &it.outcome) == Some(&ProofOutcome::GreenOnBase)
            };
            assert!(after.evidence().is_some_and(green_on_base), "{fact:?}");
        }
        if before.doubt.is_some() {
            let is_second = matches!(before.stage, JobStage::Fixing { attempt: 2, .. })
                || matches!(before.stage, JobStage::Verifying { attempt: 2, .. });
            assert!(is_second, "{:?}", before.stage);
            let open = matches!(after.stage, JobStage::Verifying { .. }) || after.is_done();
            as_before += usize::from(!open);
            assert!(open || matches!(after.stage, JobStage::Publishing { .. }), "{fact:?}");
        }
    }
    assert!(not_reproducible > 5 && as_before > 5, "{not_reproducible} {as_before}");
}

#[test]
fn a_second_opinion_stops_nothing_whatever_comes_of_it() {
    let (_, transitions) = walk();
    let mut asked = 0;
    for (before, fact, after, steps) in transitions {
        let JobStage::Judging { round } = before.stage else { continue };
        asked += 1;
        let by_people = matches!(fact, JobFact::Cancelled { .. } | JobFact::Closed { .. });
        let goes_on = after.stage == JobStage::Publishing { round };
        let stays = after.stage == before.stage;
        assert!(by_people || stays || goes_on, "{fact:?}");
        assert!(!goes_on || steps.contains(&JobStep::Publish { round }), "{fact:?}");
    }
    assert!(asked > 3, "{asked}");
}

#[test]
fn every_ending_is_shown_told_and_frees_the_subject() {
    let (_, transitions) = walk();
    let mut endings = 0;
    for (before, _, after, steps) in transitions {
        if let JobStage::Done(ending) = &after.stage {
            endings += 1;
            assert!(steps.contains(&JobStep::Show), "{ending:?} is not shown");
            let by_people = matches!(ending, JobEnding::Merged { .. } | JobEnding::Closed { .. });
            let told = !by_people || !after.review.asks.is_empty();
            assert_eq!(steps.contains(&JobStep::Announce), told, "{ending:?}");
            assert_eq!(steps.contains(&JobStep::StartNext), before.stage != JobStage::Queued);
        }
    }
    assert!(endings > 50);
}

#[test]
fn done_absorbs_and_a_fact_told_twice_changes_nothing_the_second_time() {
    let (jobs, transitions) = walk();
    for job in jobs.iter().filter(|job| job.is_done()) {
        assert!(all_facts().iter().all(|fact| advance(job, fact).is_none()));
    }
    for (_, fact, after, _) in transitions {
        assert_eq!(advance(after, fact), None, "{fact:?} twice");
    }
}

#[test]
fn from_every_open_state_a_person_can_stop_it_and_someone_moves_it() {
    let (jobs, transitions) = walk();
    let merging = |job: &Job| matches!(job.stage, JobStage::Merging { .. });
    let key = |job: &Job| serde_json::to_string(job).unwrap();
    let moves = transitions.iter().filter(|(before, _, after, _)| after.stage != before.stage);
    let moved: HashSet<String> = moves.map(|(before, ..)| key(before)).collect();
    for job in jobs.iter().filter(|job| !job.is_done() && !merging(job)) {
        let stop = JobFact::Cancelled { by: Some("mona".parse().unwrap()) };
        assert!(advance(job, &stop).unwrap().0.is_done());
        assert!(moved.contains(&key(job)));
    }
    for (before, _, after, steps) in transitions {
        // A person's commit is checked while the pull request is in review.
        let works = steps.iter().filter(|step| {
            step.spec().failure == OnFailure::Awaited && !matches!(step, JobStep::CheckHead { .. })
        });
        let expected = usize::from(after.stage.is_ours() && after.stage != before.stage);
        assert_eq!(works.count(), expected, "{:?} {steps:?}", after.stage);
    }
}

#[test]
fn attempts_are_counted_and_end() {
    let (jobs, _) = walk();
    let most = jobs.iter().filter_map(|job| match job.stage {
        JobStage::Fixing { attempt, .. } => Some(attempt),
        _ => None,
    });
    assert_eq!(most.max(), Some(2));
}

#[test]
fn a_job_is_read_back_as_it_was_written_and_has_a_good_branch_name() {
    for job in &walk().0 {
        let text = serde_json::to_string(job).unwrap();
        assert_eq!(&serde_json::from_str::<Job>(&text).unwrap(), job);
        let branch = job.branch();
        assert!(branch.as_str().starts_with("gander/7-"));
        assert_eq!(branch.as_str().parse::<Branch>().unwrap(), branch);
    }
}

#[test]
fn merging_only_ever_follows_a_persons_approval_of_that_very_head_with_green_checks() {
    let (_, transitions) = walk();
    let mut merges = 0;
    for (before, fact, after, steps) in transitions {
        let Some(JobStep::Merge { head }) =
            steps.iter().find(|step| matches!(step, JobStep::Merge { .. }))
        else {
            assert!(
                !matches!(after.stage, JobStage::Merging { .. })
                    || matches!(before.stage, JobStage::Merging { .. })
            );
            continue;
        };
        merges += 1;
        let JobFact::Seen(PullSnapshot::Open(pull)) = fact else { panic!("merged after {fact:?}") };
        let approval = pull.consent.as_ref().expect("merged without consent");
        assert_eq!((approval.head(), approval.base()), (head, &pull.base));
        assert_eq!((&pull.head, &pull.ci), (head, &Ci::Green));
        assert!(!pull.skipped, "merged under gander:skip");
        let proof = after.review.proof.as_ref().expect("merged an unchecked head");
        assert_eq!((&proof.head, &proof.failed), (head, &None));
        assert!(pull.requests.iter().all(|it| after.review.answered.contains(&it.review_id)
            || after.review.outsiders.iter().any(|waits| waits.review_id == it.review_id)));
    }
    assert!(merges > 10, "the walk merged only {merges} times");
}

/// Whatever GitHub's answer, asking again takes something new: else it would go round in circles.
#[test]
fn a_refused_merge_is_tried_again_only_when_something_changed() {
    let (_, transitions) = walk();
    let mut refused = 0;
    for (_, fact, merging, steps) in transitions {
        let (JobFact::Seen(PullSnapshot::Open(pull)), JobStage::Merging { head, .. }) =
            (fact, &merging.stage)
        else {
            continue;
        };
        assert!(steps.contains(&JobStep::Merge { head: head.clone() }));
        let why = "why".to_owned();
        let step = JobStep::Merge { head: head.clone() };
        for answer in [JobFact::NotMerged { why: why.clone() }, JobFact::Broke { step, why }] {
            let told = advance(merging, &answer).unwrap().0;
            let again = advance(&told, fact);
            assert!(again.is_none(), "the same look merges again: {:?}", again.unwrap().1);
            let freed = |clean| seen_open(OpenPull { clean, ..(**pull).clone() });
            let not_clean = advance(&told, &freed(false)).map_or(told.clone(), |it| it.0);
            assert!(matches!(not_clean.stage, JobStage::InReview { .. }));
            let clean = advance(&not_clean, &freed(true)).unwrap().0;
            assert_eq!(clean.stage, merging.stage, "the way is free, and nothing happens");
            let rules_digest = "other".to_owned();
            let rules = seen_open(OpenPull { rules_digest, ..(**pull).clone() });
            let look = advance(&told, &rules).unwrap();
            assert_eq!(look.1, [JobStep::Show, JobStep::Look], "an approval under other rules");
            refused += 1;
        }
    }
    assert!(refused > 10, "the walk was refused only {refused} times");
}

#[test]
fn whatever_becomes_of_a_round_the_pull_request_stays_and_people_are_told() {
    let (_, transitions) = walk();
    let mut ended = 0;
    for (before, fact, after, steps) in transitions {
        let in_round = before.stage.round().is_some_and(|round| round > 1);
        let by_people = matches!(
            fact,
            JobFact::Cancelled { .. }
                | JobFact::Closed { .. }
                | JobFact::Seen(_)
                | JobFact::Merged { .. }
        );
        // A secret that was about to leave ends everything but the pull request.
        let withheld = matches!(fact, JobFact::Withheld { .. });
        assert!(!withheld || before.pull.is_none() || !steps.contains(&JobStep::Undo));
        let by_people = by_people || withheld;
        assert!(!in_round || by_people || !after.is_done(), "{fact:?} ended a round's job");
        if let (JobStage::Answering { .. }, JobStage::InReview { .. }) =
            (&before.stage, &after.stage)
        {
            ended += 1;
            assert!(steps.contains(&JobStep::Announce) && steps.contains(&JobStep::Look));
        }
    }
    assert!(ended > 10);
}

#[test]
fn rounds_and_repairs_are_counted_and_end() {
    let (jobs, _) = walk();
    // One that people may ask for, one repair.
    assert_eq!(jobs.iter().filter_map(|job| job.stage.round()).max(), Some(3));
    assert!(jobs.iter().all(|job| job.review.repairs <= 1));
}

#[test]
fn the_pull_request_of_others_gets_a_commit_or_a_patch_and_nothing_else() {
    let (_, transitions) = walk();
    let mut ended = HashSet::new();
    for (_, _, after, steps) in transitions.iter().filter(|it| it.0.order.on_pull) {
        assert!(after.pull.is_none() && !after.stage.is_in_review());
        let takes_back = [JobStep::Undo, JobStep::CleanUp];
        assert!(!steps.iter().any(|step| takes_back.contains(step)), "{steps:?}");
        ended.extend(after.stage.ending().map(std::mem::discriminant));
    }
    for ending in [JobEnding::Pushed { head: sha("c") }, JobEnding::Suggested] {
        assert!(ended.contains(&std::mem::discriminant(&ending)));
    }
}

#[test]
fn what_an_update_pushes_is_the_merge_that_was_read() {
    let (_, transitions) = walk();
    let mut pushed = 0;
    for (before, fact, after, _) in transitions {
        let (JobFact::Published { .. }, Some(update)) = (fact, before.update()) else { continue };
        pushed += 1;
        assert_eq!(before.evidence().unwrap().base, before.base().unwrap().sha);
        assert_eq!(before.review.round.as_ref().unwrap().from.as_ref(), Some(&update.head));
        assert!(after.review.pushed.last().unwrap().merges_base);
        assert_eq!(after.review.updates, 1);
    }
    assert!(pushed > 0);
}

#[test]
fn where_a_plan_was_asked_for_nothing_is_begun_before_a_person_agrees() {
    let (_, transitions) = walk();
    let mut begun = 0;
    for (before, fact, after, _) in transitions.iter().filter(|it| it.0.order.plan_first) {
        if let JobStage::Fixing { .. } = after.stage {
            begun += 1;
            assert!(after.planning.agreed_plan().is_some(), "begun after {fact:?}");
        }
        if before.planning.agreed.is_none() && after.planning.agreed.is_some() {
            let JobFact::OfPlan { version, news: PlanNews::Agreed(_) } = fact else {
                panic!("agreed by {fact:?}")
            };
            assert_eq!(before.stage, JobStage::PlanReady { version: *version });
        }
    }
    assert!(begun > 0);
}

#[test]
fn what_is_held_back_is_pushed_only_by_a_word_on_that_very_change() {
    let (_, transitions) = walk();
    let mut let_out = 0;
    for (before, fact, after, _) in transitions {
        if let (JobStage::Holding { .. }, JobStage::Publishing { .. }) =
            (&before.stage, &after.stage)
        {
            let_out += 1;
            let JobFact::Go { patch } = fact else { panic!("pushed after {fact:?}") };
            assert_eq!(Some(patch), before.proposal().map(|it| &it.patch));
        }
    }
    assert!(let_out > 0);
}

#[test]
fn the_walk_learns_every_kind_of_fact_and_does_every_kind_of_step() {
    let (_, transitions) = walk();
    let learnt: HashSet<JobFactKind> =
        transitions.iter().map(|(_, fact, ..)| JobFactKind::from(fact)).collect();
    let done: HashSet<JobStepKind> =
        transitions.iter().flat_map(|(.., steps)| steps.iter().map(JobStepKind::from)).collect();
    let missing = JobFactKind::VARIANTS.iter().filter(|kind| !learnt.contains(kind));
    assert_eq!(missing.collect::<Vec<_>>(), [] as [&JobFactKind; 0]);
    // These are queued by whoever takes up a command or a hint, and by no fact.
    let queued = [
        JobStepKind::Acknowledge,
        JobStepKind::React,
        JobStepKind::ReactInThread,
        JobStepKind::Wake,
    ];
    let missing = JobStepKind::VARIANTS.iter().filter(|kind| !done.contains(kind));
    let missing: Vec<_> = missing.filter(|kind| !queued.contains(kind)).collect();
    assert_eq!(missing, [] as [&JobStepKind; 0]);
}
