//! The brute-force walk: every state reachable by any sequence of facts keeps the promises.

use std::collections::{HashMap, VecDeque};

use super::*;
use crate::core::evidence::{Check, CheckKind, Outcome};

fn order() -> Order {
    Order {
        kind: Kind::Fix,
        by: UserId(2),
        login: "mona".parse().unwrap(),
        at: Timestamp(0),
        comment: Some(CommentId(9)),
        request: String::new(),
        issue: IssueText::default(),
        budget: None,
        base: None,
        model: None,
    }
}

fn new_job() -> Job {
    let place = Place {
        installation: crate::core::id::InstallationId(3),
        repo: crate::core::id::RepoId(1),
        name: "acme/widgets".parse().unwrap(),
    };
    Job::new(JobId::of_trigger("1/comment/9"), place, Number(7), order())
}

fn sha(letter: &str) -> Sha {
    letter.repeat(40).parse().unwrap()
}

fn digest(letter: &str) -> PatchDigest {
    PatchDigest::of_bytes([letter.as_bytes()[0]; 32])
}

fn evidence(base: &str, patch: &str, outcome: Option<Outcome>) -> Evidence {
    let checks = outcome.map(|outcome| Check {
        name: "cargo test".into(),
        kind: CheckKind::Command,
        outcome,
        millis: 1,
    });
    Evidence { base: sha(base), patch: digest(patch), checks: checks.into_iter().collect() }
}

/// Every fact, in versions that fit and that come from another attempt, patch or base.
fn all_facts() -> Vec<Fact> {
    let login: Login = "mona".parse().unwrap();
    let base = Base { branch: "main".parse().unwrap(), sha: sha("a") };
    let why = || "why".to_owned();
    let rules = Rules::parse("[agent]\nattempts = 2").unwrap();
    let mut facts = vec![
        Fact::TurnCame,
        Fact::Prepared { base, rules, budget: Money::ZERO },
        Fact::Declined(Declined::EmptyRepository),
        Fact::Published {
            pull: Pull { number: Number(8), branch: "gander/7-x".parse().unwrap(), head: sha("c") },
        },
        Fact::Closed { by: None, merged: true },
        Fact::Closed { by: None, merged: false },
        Fact::Cancelled { by: login },
        Fact::OutOfBudget { why: why(), cost: Money::ZERO },
        Fact::Broke { why: why() },
    ];
    for attempt in 1..=3 {
        for patch in ["1", "2"] {
            let proposal = Proposal {
                patch: digest(patch),
                summary: String::new(),
                flags: vec![],
                size: (1, 1, 1),
            };
            facts.push(Fact::Proposed { round: 1, attempt, proposal, cost: Money::ZERO });
        }
        facts.push(Fact::NothingToFix { round: 1, attempt, why: why(), cost: Money::ZERO });
        facts.push(Fact::AttemptFailed { round: 1, attempt, why: why(), cost: Money::ZERO });
    }
    for base in ["a", "b"] {
        for patch in ["1", "2"] {
            for outcome in [
                Some(Outcome::Passed),
                Some(Outcome::Failed("red".into())),
                Some(Outcome::Inconclusive("?".into())),
                None,
            ] {
                facts.push(Fact::Verified(evidence(base, patch, outcome)));
            }
        }
    }
    facts
}

/// Before, what was learnt, after, what to do then.
type Step = (Job, Fact, Job, Vec<Effect>);

/// All reachable jobs, and all steps between them.
fn walk() -> (Vec<Job>, Vec<Step>) {
    let facts = all_facts();
    let mut seen: HashMap<String, Job> = HashMap::new();
    let mut steps = Vec::new();
    let mut frontier = VecDeque::from([new_job()]);
    while let Some(job) = frontier.pop_front() {
        let key = serde_json::to_string(&job).unwrap();
        if seen.insert(key, job.clone()).is_some() {
            continue;
        }
        for fact in &facts {
            if let Some((next, effects)) = advance(&job, fact) {
                steps.push((job.clone(), fact.clone(), next.clone(), effects));
                frontier.push_back(next);
            }
        }
    }
    (seen.into_values().collect(), steps)
}

#[test]
fn publishing_only_ever_follows_a_green_verdict_on_that_very_patch_and_base() {
    let (jobs, steps) = walk();
    assert!(jobs.len() > 50, "the walk reached only {} states", jobs.len());
    for (before, fact, after, effects) in &steps {
        if effects.iter().any(|effect| matches!(effect, Effect::Publish { .. })) {
            let Fact::Verified(evidence) = fact else { panic!("published after {fact:?}") };
            let Verdict::Green(patch) = evidence.verdict() else { panic!("published red") };
            assert_eq!(patch.patch(), &before.proposal.as_ref().unwrap().patch);
            assert_eq!(patch.base(), &before.base.as_ref().unwrap().sha);
        }
        if let Stage::Publishing { .. } | Stage::InReview { .. } = after.stage {
            let evidence = after.evidence.as_ref().expect("no evidence kept");
            assert!(matches!(evidence.verdict(), Verdict::Green(_)));
            assert_eq!(evidence.patch, after.proposal.as_ref().unwrap().patch);
        }
    }
}

#[test]
fn every_ending_is_shown_told_and_frees_the_subject() {
    let (_, steps) = walk();
    let mut endings = 0;
    for (before, _, after, effects) in &steps {
        if let Stage::Done(ending) = &after.stage {
            endings += 1;
            assert!(effects.contains(&Effect::Show), "{ending:?} is not shown");
            let by_people = matches!(ending, Ending::Merged { .. } | Ending::Closed { .. });
            assert_eq!(effects.contains(&Effect::Announce), !by_people, "{ending:?}");
            assert_eq!(effects.contains(&Effect::StartNext), before.stage != Stage::Queued);
        }
    }
    assert!(endings > 50);
}

#[test]
fn done_absorbs_and_a_fact_told_twice_changes_nothing_the_second_time() {
    let (jobs, steps) = walk();
    for job in jobs.iter().filter(|job| job.is_done()) {
        assert!(all_facts().iter().all(|fact| advance(job, fact).is_none()));
    }
    for (_, fact, after, _) in &steps {
        assert_eq!(advance(after, fact), None, "{fact:?} twice");
    }
}

#[test]
fn from_every_open_state_a_person_can_stop_it_and_someone_moves_it() {
    let (jobs, steps) = walk();
    for job in jobs.iter().filter(|job| !job.is_done()) {
        let stop = Fact::Cancelled { by: "mona".parse().unwrap() };
        assert!(advance(job, &stop).unwrap().0.is_done());
        assert!(
            steps.iter().any(|(before, _, after, _)| before == job && after.stage != job.stage)
        );
    }
    for (_, _, after, effects) in &steps {
        let works = effects.iter().filter(|e| {
            matches!(
                e,
                Effect::Prepare
                    | Effect::Fix { .. }
                    | Effect::Verify { .. }
                    | Effect::Publish { .. }
            )
        });
        let expected = usize::from(after.stage.is_ours());
        assert_eq!(works.count(), expected, "{:?} {effects:?}", after.stage);
    }
}

#[test]
fn attempts_are_counted_and_end() {
    let (jobs, _) = walk();
    let most = jobs.iter().filter_map(|job| match job.stage {
        Stage::Fixing { attempt, .. } => Some(attempt),
        _ => None,
    });
    assert_eq!(most.max(), Some(2));
}

#[test]
fn a_job_is_read_back_as_it_was_written_and_has_a_good_branch_name() {
    for job in walk().0 {
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
        let branch = job.branch();
        assert!(branch.as_str().starts_with("gander/7-"));
        assert_eq!(branch.as_str().parse::<Branch>().unwrap(), branch);
    }
}
