//! The brute-force walk: every state reachable by any sequence of facts keeps the promises.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::LazyLock;

use strum::VariantArray as _;

use super::*;
use crate::core::approval::{ApprovalCriteria, MergeAttempt, Stance, Vote, VoteSource, judge};
use crate::core::github::{Actor, PullRef, RepoRef, Role};
use crate::core::id::{
    CommentId, InstallationId, Login, Number, ReleaseId, RepoId, ReviewId, RunId, Timestamp, UserId,
};
use crate::core::policy::{MergeOn, Requester};
use crate::core::release::*;

fn login() -> Login {
    "mona".parse().unwrap()
}

fn order(bump: Option<Bump>) -> ReleaseOrder {
    ReleaseOrder {
        by_id: UserId(2),
        login: login(),
        at: Timestamp(0),
        comment_id: Some(CommentId(9)),
        bump,
        on_merge: false,
        package: None,
    }
}

fn new_release() -> Release {
    let repo = RepoRef {
        installation_id: InstallationId(3),
        repo_id: RepoId(1),
        name: "acme/widgets".parse().unwrap(),
    };
    let id = ReleaseId::of_trigger("1/comment/9");
    Release::new(id, repo, Number(7), "main".parse().unwrap(), order(None))
}

fn sha(letter: &str) -> Sha {
    letter.repeat(40).parse().unwrap()
}

fn pull(head: &str) -> PullRef {
    PullRef {
        number: Number(12),
        branch: "gander/release-main-x".parse().unwrap(),
        head: sha(head),
    }
}

fn plan(base: &str) -> VersionPlan {
    VersionPlan {
        moves_from: None,
        last_unknown: false,
        base: sha(base),
        version: "1.2.0".into(),
        tag: "v1.2.0".into(),
        last: None,
        why: String::new(),
        date: "2026-01-31".into(),
        notes: String::new(),
        files: vec![],
        left: vec![],
        fixes: vec![Number(5)],
        flagged: vec![],
        merge_on: MergeOn::Review,
        targets: Vec::new(),
        checks: None,
        scope: Default::default(),
    }
}

fn checks(base: &str) -> ReleaseChecks {
    let commands = vec![("make test".to_owned(), ReleaseCheckOutcome::Passed)];
    ReleaseChecks { base: sha(base), commands, problem: None }
}

fn approval(number: u64, head: &str, base: &str) -> Approval {
    let (head, base) = (sha(head), base.parse().unwrap());
    let criteria = ApprovalCriteria {
        repo_id: RepoId(1),
        pull: Number(number),
        head: &head,
        base: &base,
        rules: "r",
        role: Role::Maintain,
        requester: Requester::Allowed,
        asked_by: &[],
        pushed_by: &[],
        pushers_known: true,
        holders: None,
        since: Timestamp(0),
        flagged: &[],
    };
    let vote = Vote {
        by: Actor { id: UserId(4), login: "hubot".parse().unwrap(), person: true },
        role: Role::Admin,
        stance: Stance::Approves,
        commit: head.clone(),
        source: VoteSource::Review(ReviewId(1)),
        at: Timestamp(1),
    };
    judge(&criteria, &[vote]).unwrap()
}

/// What GitHub is asked on: another moment may show it clean.
fn tried(clean: bool) -> MergeAttempt {
    MergeAttempt { source: VoteSource::Review(ReviewId(1)), rules: "r".into(), clean }
}

/// Every fact, in versions that fit and that come from another order, head, base or try.
fn all_facts() -> Vec<ReleaseFact> {
    let why = || "why".to_owned();
    let mut facts = vec![
        ReleaseFact::TurnCame,
        ReleaseFact::Ordered(order(Some(Bump::Minor))),
        ReleaseFact::Closed { by: None },
        ReleaseFact::Cancelled { by: login() },
        ReleaseFact::Merged(Merged { commit: sha("f"), by: None }),
        ReleaseFact::Retried { by: login() },
        ReleaseFact::Approved(approval(12, "c", "develop"), tried(false)),
        ReleaseFact::Approved(approval(13, "c", "main"), tried(false)),
    ];
    for orders in 1..=2 {
        facts.push(ReleaseFact::NothingToRelease { orders, last: None });
        facts.push(ReleaseFact::Refused { orders, why: Refusal::OwnTool });
        for letter in ["a", "b"] {
            facts.push(ReleaseFact::Planned { orders, plan: plan(letter) });
            facts.push(ReleaseFact::Checked { orders, checks: checks(letter) });
        }
        facts.push(ReleaseFact::Proposed { orders, pull: pull("c") });
        facts.push(ReleaseFact::Proposed { orders, pull: pull("d") });
    }
    let steps = [
        ReleaseStep::Plan { orders: 1 },
        ReleaseStep::Check { orders: 1 },
        ReleaseStep::Propose { orders: 2 },
        ReleaseStep::Refresh { base: sha("b") },
        ReleaseStep::Merge { head: sha("c") },
        ReleaseStep::Dispatch { attempt: 1 },
        ReleaseStep::Follow { attempt: 2 },
    ];
    facts.extend(steps.into_iter().map(|step| ReleaseFact::Broke { step, why: why() }));
    for base in ["a", "b"] {
        facts.push(ReleaseFact::BaseMoved { base: sha(base) });
        let version = Some(("1.3.0".to_owned(), "v1.3.0".to_owned()));
        facts.push(ReleaseFact::Refreshed { base: sha(base), head: sha("e"), version });
        facts.push(ReleaseFact::Refreshed { base: sha(base), head: sha("e"), version: None });
        facts.push(ReleaseFact::Stuck { base: sha(base) });
    }
    for head in ["c", "d", "e"] {
        facts.push(ReleaseFact::Approved(approval(12, head, "main"), tried(false)));
        facts.push(ReleaseFact::Approved(approval(12, head, "main"), tried(true)));
        facts.push(ReleaseFact::Free { head: sha(head) });
        let pull = Number(12);
        facts.push(ReleaseFact::HeadMoved { pull, head: sha(head), version: None });
        let version = Some(("1.3.0".to_owned(), "v1.3.0".to_owned()));
        facts.push(ReleaseFact::HeadMoved { pull, head: sha(head), version });
        facts
            .push(ReleaseFact::NotMerged { head: sha(head), why: Blocked::Refused { why: why() } });
        facts.push(ReleaseFact::NotMerged {
            head: sha(head),
            why: Blocked::InTheWay { why: why() },
        });
        facts.push(ReleaseFact::NotMerged {
            head: sha(head),
            why: Blocked::Setting(crate::core::job::Obstacle::Draft),
        });
    }
    for attempt in 1..=2 {
        facts.push(ReleaseFact::Dispatched { attempt });
        facts.push(ReleaseFact::RunSeen { attempt, run: RunId(77) });
        facts.push(ReleaseFact::Published { attempt, url: why() });
        facts.push(ReleaseFact::RunFailed { attempt, why: why() });
    }
    facts
}

struct Transition {
    before: Release,
    fact: ReleaseFact,
    after: Release,
    steps: Vec<ReleaseStep>,
}

/// All reachable releases, and all transitions between them. Orders and tries are counted without
/// end, so the walk ends where they pass what the facts above speak of.
static WALK: LazyLock<(Vec<Release>, Vec<Transition>)> = LazyLock::new(walked);

fn walk() -> (&'static [Release], &'static [Transition]) {
    (&WALK.0, &WALK.1)
}

fn walked() -> (Vec<Release>, Vec<Transition>) {
    let facts = all_facts();
    let mut seen: HashMap<String, Release> = HashMap::new();
    let mut transitions = Vec::new();
    let mut frontier = VecDeque::from([new_release()]);
    while let Some(release) = frontier.pop_front() {
        let key = serde_json::to_string(&release).unwrap();
        if release.orders > 2 || release.tries > 2 || seen.insert(key, release.clone()).is_some() {
            continue;
        }
        for fact in &facts {
            if let Some((next, steps)) = advance(&release, fact) {
                frontier.push_back(next.clone());
                transitions.push(Transition {
                    before: release.clone(),
                    fact: fact.clone(),
                    after: next,
                    steps,
                });
            }
        }
    }
    (seen.into_values().collect(), transitions)
}

fn commits(step: &ReleaseStep) -> bool {
    matches!(
        step,
        ReleaseStep::Plan { .. } | ReleaseStep::Propose { .. } | ReleaseStep::Refresh { .. }
    )
}

#[test]
fn merging_only_ever_follows_an_approval_of_that_very_head() {
    let (releases, transitions) = walk();
    assert!(releases.len() > 200, "the walk reached only {} states", releases.len());
    let mut merges = 0;
    for transition in transitions {
        for step in &transition.steps {
            let ReleaseStep::Merge { head } = step else { continue };
            merges += 1;
            let ReleaseFact::Approved(approval, _) = &transition.fact else {
                panic!("merged on {:?}", transition.fact)
            };
            let pull = transition.before.pull.as_ref().unwrap();
            assert_eq!((approval.head(), approval.pull()), (head, pull.number));
            assert_eq!(head, &pull.head);
            assert_eq!(approval.base(), &transition.before.base);
            assert_eq!(transition.before.stage, ReleaseStage::Proposed);
        }
        if let ReleaseStage::Merging { head } = &transition.after.stage {
            assert_eq!(
                head,
                &transition.after.pull.as_ref().unwrap().head,
                "{:?}",
                transition.fact
            );
        }
    }
    assert!(merges > 5);
}

#[test]
fn from_an_approval_to_its_merge_no_commit_is_made() {
    for transition in walk().1 {
        if matches!(
            transition.after.stage,
            ReleaseStage::Merging { .. } | ReleaseStage::Dispatching | ReleaseStage::Publishing
        ) {
            assert!(
                !transition.steps.iter().any(commits),
                "{:?}: {:?}",
                transition.fact,
                transition.steps
            );
        }
        // What makes a commit leaves the approval behind: another is needed before the next merge.
        if matches!(transition.before.stage, ReleaseStage::Merging { .. })
            && transition.steps.iter().any(commits)
        {
            assert!(
                matches!(transition.fact, ReleaseFact::BaseMoved { .. }),
                "{:?}",
                transition.fact
            );
            assert!(matches!(
                transition.after.stage,
                ReleaseStage::Planning | ReleaseStage::Refreshing { .. }
            ));
        }
    }
}

#[test]
fn dispatching_only_ever_follows_a_merge_and_each_try_has_its_own_number() {
    let (releases, transitions) = walk();
    let mut dispatches = 0;
    for transition in transitions {
        for step in &transition.steps {
            let ReleaseStep::Dispatch { attempt } = step else { continue };
            dispatches += 1;
            assert!(transition.after.merged.is_some());
            assert!(
                matches!(transition.fact, ReleaseFact::Merged(_) | ReleaseFact::Retried { .. }),
                "{:?}",
                transition.fact
            );
            assert_eq!(*attempt, transition.before.tries + 1);
        }
        if let Some(merged) = &transition.before.merged {
            assert_eq!(transition.after.merged.as_ref(), Some(merged), "the merge was forgotten");
            assert!(!transition.steps.iter().any(commits));
        }
    }
    assert!(dispatches > 5);
    for release in releases.iter().filter(|release| release.tries > 0) {
        assert!(release.merged.is_some() && release.dispatch_id(release.tries).is_some());
    }
}

#[test]
fn nothing_is_proposed_that_was_not_checked_first_and_a_moved_base_is_not_checked_again() {
    let mut proposals = [0, 0];
    for transition in walk().1 {
        let proposes = |e: &ReleaseStep| matches!(e, ReleaseStep::Propose { .. });
        if !transition.steps.iter().any(proposes) {
            continue;
        }
        let checks = transition.after.plan.as_ref().and_then(|plan| plan.checks.as_ref());
        match &transition.fact {
            ReleaseFact::Checked { orders, checks: seen } => {
                assert_eq!((*orders, Some(seen)), (transition.before.orders, checks));
                proposals[0] += 1;
            }
            ReleaseFact::Planned { .. } => {
                let before = transition.before.plan.as_ref().and_then(|it| it.checks.as_ref());
                assert!(checks.is_some() && checks == before && transition.before.pull.is_some());
                proposals[1] += 1;
            }
            ReleaseFact::Broke { step: ReleaseStep::Check { .. }, .. } => {
                assert!(checks.is_some_and(|checks| checks.problem.is_some()));
            }
            fact => panic!("proposed on {fact:?}"),
        }
    }
    assert!(proposals.iter().all(|all| *all > 5), "{proposals:?}");
}

#[test]
fn what_people_wrote_is_never_planned_anew() {
    for transition in walk().1 {
        let replaces =
            |e: &ReleaseStep| matches!(e, ReleaseStep::Plan { .. } | ReleaseStep::Propose { .. });
        if transition.before.edited {
            assert!(
                !transition.steps.iter().any(replaces),
                "{:?} in {:?}",
                transition.fact,
                transition.before.stage
            );
            assert!(transition.after.edited);
        }
    }
}

#[test]
fn every_ending_is_shown_told_and_lets_the_next_begin() {
    let mut endings = 0;
    for transition in walk().1 {
        let ReleaseStage::Done(ending) = &transition.after.stage else { continue };
        endings += 1;
        assert!(transition.steps.contains(&ReleaseStep::Show), "{ending:?} is not shown");
        assert!(transition.steps.contains(&ReleaseStep::StartNext), "{ending:?}");
        let closed = matches!(ending, ReleaseEnding::Closed { .. });
        assert_eq!(transition.steps.contains(&ReleaseStep::Announce), !closed, "{ending:?}");
        let out = matches!(ending, ReleaseEnding::Published { .. });
        assert_eq!(transition.steps.contains(&ReleaseStep::TellIssues), out, "{ending:?}");
    }
    assert!(endings > 50);
}

#[test]
fn what_is_cancelled_is_undone_and_what_is_merged_is_not_cancelled() {
    let mut cancelled = 0;
    for release in walk().0.iter().filter(|release| !release.is_done()) {
        let done = advance(release, &ReleaseFact::Cancelled { by: login() });
        let merging =
            matches!(release.stage, ReleaseStage::Merging { .. }) || release.merged.is_some();
        assert_eq!(done.is_none(), merging, "{:?}", release.stage);
        let Some((after, steps)) = done else { continue };
        cancelled += 1;
        assert_eq!(after.stage, ReleaseStage::Done(ReleaseEnding::Cancelled { by: login() }));
        let undone = steps.contains(&ReleaseStep::Undo);
        assert_eq!(undone, release.stage != ReleaseStage::Queued, "{:?}", release.stage);
    }
    assert!(cancelled > 20);
    for transition in walk().1 {
        let cleans = transition.steps.contains(&ReleaseStep::CleanUp);
        let merged = transition.before.merged.is_none() && transition.after.merged.is_some();
        assert_eq!(cleans, merged, "{:?}", transition.fact);
    }
}

#[test]
fn after_the_end_only_a_failure_goes_on_by_people_or_by_being_out_after_all() {
    for release in walk().0.iter().filter(|release| release.is_done()) {
        for fact in all_facts() {
            let failed = matches!(release.stage, ReleaseStage::Done(ReleaseEnding::Failed { .. }));
            let counts = match &fact {
                ReleaseFact::Retried { .. } => true,
                ReleaseFact::Merged(_) => release.pull.is_some() && release.merged.is_none(),
                ReleaseFact::Published { attempt, .. } => {
                    release.run_id.is_some() && *attempt == release.tries
                }
                _ => false,
            };
            assert_eq!(advance(release, &fact).is_some(), failed && counts, "{fact:?}");
        }
    }
}

#[test]
fn a_fact_told_twice_changes_nothing_the_second_time() {
    for transition in walk().1 {
        // A second order is another act; that one act is heard once is the store's promise.
        if !matches!(transition.fact, ReleaseFact::Ordered(_)) {
            assert_eq!(
                advance(&transition.after, &transition.fact),
                None,
                "{:?} twice",
                transition.fact
            );
        }
    }
}

#[test]
fn every_open_state_is_moved_by_one_effect_or_by_people() {
    let (releases, transitions) = walk();
    let mut left: HashMap<&'static str, bool> = HashMap::new();
    for transition in transitions {
        let works = transition.steps.iter().filter(|step| {
            commits(step)
                || matches!(
                    step,
                    ReleaseStep::Check { .. }
                        | ReleaseStep::Merge { .. }
                        | ReleaseStep::Dispatch { .. }
                        | ReleaseStep::Follow { .. }
                )
        });
        let same_stage = transition.before.stage == transition.after.stage
            && !matches!(transition.fact, ReleaseFact::Ordered(_));
        let seen = matches!(transition.fact, ReleaseFact::RunSeen { .. });
        let expected = usize::from(transition.after.step().is_some() && (!same_stage || seen));
        assert_eq!(works.count(), expected, "{:?} {:?}", transition.fact, transition.steps);
        if transition.before.stage != transition.after.stage {
            left.insert(transition.before.stage.name(), true);
        }
    }
    for release in releases.iter().filter(|release| !release.is_done()) {
        assert!(left.contains_key(release.stage.name()), "{:?} is never left", release.stage);
        let merged = ReleaseFact::Merged(Merged { commit: sha("f"), by: None });
        let over = release.merged.is_some();
        let open = release.pull.is_some() && !over;
        assert_eq!(advance(release, &merged).is_some(), open, "{:?}", release.stage);
    }
}

#[test]
fn what_github_refused_is_asked_again_only_when_something_is_new() {
    let mut refused = 0;
    for transition in walk().1 {
        let Some(Blocked::Refused { .. }) = transition.before.blocked else { continue };
        let ReleaseFact::Approved(_, on) = &transition.fact else { continue };
        refused += 1;
        let before = transition.before.tried.as_ref();
        let merges = matches!(transition.after.stage, ReleaseStage::Merging { .. });
        let news = before.is_none_or(|before| on.is_news_after(before));
        assert_eq!(merges, news, "{on:?} after {before:?}");
    }
    assert!(refused > 5, "{refused}");
}

/// The Action would refuse it after the merge: what people left without a version stays unmerged
/// until they, another order or the moved base give it one.
#[test]
fn what_has_no_version_is_not_merged_by_forgetting_that() {
    let mut without = 0;
    for transition in walk().1.iter().filter(|it| it.before.blocked == Some(Blocked::NoVersion)) {
        without += 1;
        let ended = transition.after.is_done() || transition.after.merged.is_some();
        let renewed = matches!(
            transition.fact,
            ReleaseFact::HeadMoved { .. }
                | ReleaseFact::Refreshed { .. }
                | ReleaseFact::Stuck { .. }
        );
        let kept = transition.after.blocked == Some(Blocked::NoVersion);
        assert!(kept || ended || renewed, "{:?} in {:?}", transition.fact, transition.before.stage);
    }
    assert!(without > 20, "{without}");
}

#[test]
fn a_base_that_could_not_be_followed_is_followed_again_only_when_something_is_new() {
    let mut stuck = 0;
    for release in walk().0 {
        let blocked = matches!(
            release.blocked,
            Some(Blocked::Conflict | Blocked::NothingLeft | Blocked::Order(_))
        );
        let Some(followed) = release.followed.clone().filter(|_| blocked) else { continue };
        stuck += 1;
        assert_eq!(
            advance(release, &ReleaseFact::BaseMoved { base: followed }),
            None,
            "{release:?}"
        );
    }
    assert!(stuck > 5, "{stuck}");
}

#[test]
fn a_pull_request_that_people_were_faster_with_is_known_by_its_number() {
    let proposing =
        walk().0.iter().find(|it| it.stage == ReleaseStage::Proposing && it.pull.is_none());
    let moved = ReleaseFact::HeadMoved { pull: Number(12), head: sha("d"), version: None };
    let (stands, steps) = advance(proposing.unwrap(), &moved).unwrap();
    assert_eq!(stands.stage, ReleaseStage::Proposed);
    assert_eq!(stands.pull.map(|pull| (pull.number, pull.head)), Some((Number(12), sha("d"))));
    assert!(stands.edited && steps.contains(&ReleaseStep::Announce));
    let (closed, _) = advance(proposing.unwrap(), &ReleaseFact::Closed { by: None }).unwrap();
    assert!(matches!(closed.stage, ReleaseStage::Done(ReleaseEnding::Closed { .. })));
}

#[test]
fn only_the_failure_of_the_step_it_is_at_ends_a_release() {
    let mut broken = 0;
    for transition in walk().1 {
        let ReleaseFact::Broke { step: failed, .. } = &transition.fact else { continue };
        broken += 1;
        assert_eq!(transition.before.step().as_ref(), Some(failed));
        // What could not be checked is proposed, and told.
        if matches!(failed, ReleaseStep::Check { .. }) {
            assert_eq!(transition.after.stage, ReleaseStage::Proposing);
            continue;
        }
        assert!(matches!(transition.after.stage, ReleaseStage::Done(ReleaseEnding::Failed { .. })));
    }
    assert!(broken > 5);
}

#[test]
fn a_release_is_read_back_as_it_was_written() {
    for release in walk().0 {
        let text = serde_json::to_string(&release).unwrap();
        assert_eq!(&serde_json::from_str::<Release>(&text).unwrap(), release);
    }
}

#[test]
fn a_bump_is_a_step_or_a_version_and_nothing_else() {
    for (text, shown) in [("Minor", "minor"), ("v1.2.0", "1.2.0"), ("1.2.0-rc.1", "1.2.0-rc.1")] {
        assert_eq!(text.parse::<Bump>().unwrap().to_string(), shown);
    }
    for bad in ["", "now", "1.2", "--force", "1.2.0;rm"] {
        assert!(bad.parse::<Bump>().is_err(), "{bad}");
    }
}

#[test]
fn the_walk_learns_every_kind_of_fact_and_does_every_kind_of_step() {
    let (_, transitions) = walk();
    let learnt: HashSet<ReleaseFactKind> =
        transitions.iter().map(|it| ReleaseFactKind::from(&it.fact)).collect();
    let done: HashSet<ReleaseStepKind> =
        transitions.iter().flat_map(|it| it.steps.iter().map(ReleaseStepKind::from)).collect();
    let missing = ReleaseFactKind::VARIANTS.iter().filter(|kind| !learnt.contains(kind));
    assert_eq!(missing.collect::<Vec<_>>(), [] as [&ReleaseFactKind; 0]);
    // Queued by whoever takes up the command, and by no fact.
    let queued = [ReleaseStepKind::Acknowledge];
    let missing = ReleaseStepKind::VARIANTS.iter().filter(|kind| !done.contains(kind));
    let missing: Vec<_> = missing.filter(|kind| !queued.contains(kind)).collect();
    assert_eq!(missing, [] as [&ReleaseStepKind; 0]);
}
