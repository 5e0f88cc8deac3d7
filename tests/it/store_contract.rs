//! What every store promises, told as stories. A new kind of store joins with one line:
//! `conformance!(name, how_to_open_it);` at the bottom of the list, with a name for more stories if
//! what it keeps survives its process.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::needless_pass_by_value)]

use std::collections::HashSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use gander::core::budget::{Accounts, Money, Payer};
use gander::core::check_history::CheckResult;
use gander::core::delivery::{Content, Delivery, Id, Payload, WebhookIssue, WebhookRepository};
use gander::core::github::{PullRef, RepoRef};
use gander::core::id::{
    DeliveryId, HookId, InstallationId, JobId, Number, RepoId, Timestamp, UserId,
};
use gander::core::job::{
    Job, JobEnding, JobOrder, JobStage, JobStep, Kind, PushedRound, ReviewState,
};
use gander::core::judgement::{JudgeRecord, PastPulls};
use gander::core::patch::PatchDigest;
use gander::core::slack::{SlackEntry, SlackRecord};
use gander::core::task::{Sweep, Task};
use gander::store::{
    Accepted, Claim, Commit, LEASE_SECONDS, LONGEST_PAUSE_SECONDS, LedgerEntry, LogLine, Store,
    StoreError, Write,
};

#[path = "store_contract/memory.rs"]
mod in_memory;
mod machines;
mod moving;
#[path = "store_contract/postgres.rs"]
mod only_postgres;
#[path = "store_contract/sqlite.rs"]
mod only_sqlite;
mod operator;
mod power;
mod process;
mod releases;
mod slack;

type Opened = Arc<dyn Store>;
type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// A memory of its own for one story. Opening it twice is what two processes would do.
struct Memory {
    kind: &'static str,
    directory: tempfile::TempDir,
    open: fn(PathBuf) -> Opening,
}

impl Memory {
    fn new(kind: &'static str, open: fn(PathBuf) -> Opening) -> Self {
        Self { kind, directory: tempfile::tempdir().unwrap(), open }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn open(&self) -> Opened {
        (self.open)(self.path().to_owned()).await
    }
}

macro_rules! conformance {
    ($kind:ident, $open:path, $durable:ident) => {
        conformance! { $kind, $open }
        mod $durable {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "the other process of a story"]
            async fn accepts_until_killed() {
                super::process::accept_until_killed($open).await;
            }

            conformance! { @stories $durable, $open,
                an_acknowledged_delivery_survives_the_death_of_the_process
            }
        }
    };
    ($kind:ident, $open:path) => {
        mod $kind {
            conformance! { @stories $kind, $open,
                the_same_delivery_a_hundred_times_at_once_is_new_once
                the_same_body_under_a_hundred_guids_is_new_once
                the_same_guid_from_another_webhook_is_another_delivery
                of_two_bodies_under_one_guid_the_new_one_is_told_so_and_queued
                quarantined_and_unwanted_deliveries_are_recorded_but_never_queued
                a_delivery_is_queued_as_it_came
                everything_is_still_there_after_opening_it_again
                tasks_of_one_lane_come_in_order_and_lanes_go_side_by_side
                a_postponed_task_holds_up_its_own_lane_only
                nothing_is_claimed_before_it_is_due
                thirty_two_workers_in_two_processes_never_have_the_same_task
                a_worker_that_lost_its_lease_can_write_nothing
                a_heartbeat_prolongs_the_lease
                a_lease_that_ran_out_still_counts_until_somebody_else_claims
                a_task_handed_back_is_as_if_it_had_never_been_taken
                a_postponed_task_counts_one_more_try
                only_one_job_on_a_subject_is_live
                a_change_must_build_on_the_version_that_was_read
                all_of_a_commit_is_there_afterwards
                a_refused_commit_leaves_nothing_behind
                a_job_is_made_once
                an_act_is_answered_once
                one_refused_commit_does_not_take_its_neighbours_along
                a_level_triggered_task_waits_once
                after_a_start_nothing_waits_for_a_clock_that_was_wrong
                a_sweep_is_remembered_by_when_it_was_last_done
                one_that_waits_for_later_comes_as_soon_as_it_is_asked_for_again
                what_follows_and_can_wait_is_done_later_or_with_what_cannot
                without_a_free_slot_what_needs_none_is_taken_all_the_same
                for_slots_repositories_take_turns_and_what_has_begun_goes_first
                a_repository_that_moved_is_known_by_its_new_name_everywhere
                the_ledger_sums_by_whose_money_and_since_when
                what_past_jobs_came_to_is_known_without_those_under_way
                what_checks_came_to_lately_is_known_newest_first_by_name_or_of_all
                forgetting_keeps_jobs_money_and_log
                jobs_are_found_by_issue_and_by_pull_request
                only_jobs_with_an_open_pull_request_count_as_open
                what_became_of_judged_pull_requests_is_counted_when_they_are_over
                the_next_due_time_is_that_of_a_task_that_could_be_claimed
                releases::one_release_is_under_way_on_a_branch_and_one_may_wait
                releases::a_release_changes_from_the_version_that_was_read
                releases::a_release_is_found_by_its_pull_request_and_the_newest_come_first
                releases::what_a_release_learns_is_written_with_its_next_tasks_or_not_at_all
                operator::jobs_are_listed_by_where_they_stand_and_found_by_how_their_id_begins
                operator::what_waits_is_counted_and_told_with_what_went_wrong
                operator::in_a_pause_only_the_operator_and_missed_deliveries_come
                operator::the_audit_log_holds_what_each_commit_changed_and_nothing_of_a_refused_one
                operator::what_was_kept_long_enough_goes_with_its_log_and_patches
                operator::a_forgotten_repository_leaves_nothing_and_the_audit_log_still_holds
                operator::the_log_is_read_on_from_where_it_was_left
                slack::what_is_known_of_slack_is_written_with_a_commit_found_and_forgotten
            }
        }
    };
    (@stories $kind:ident, $open:path, $($story:ident $(:: $inner:ident)?)*) => {
        $( conformance! { @story $kind, $open, $story $($inner)? } )*
    };
    (@story $kind:ident, $open:path, $story:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            super::$story(super::Memory::new(stringify!($kind), $open)).await;
        }
    };
    (@story $kind:ident, $open:path, $file:ident $story:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            super::$file::$story(super::Memory::new(stringify!($kind), $open)).await;
        }
    };
}

conformance!(sqlite, super::only_sqlite::open, durable_sqlite);
conformance!(postgres, super::only_postgres::open, durable_postgres);
conformance!(memory, super::in_memory::open);

// ---- deliveries ----

async fn the_same_delivery_a_hundred_times_at_once_is_new_once(memory: Memory) {
    let store = memory.open().await;
    let answers = accept_at_once(&store, vec![delivery(1); 100]).await;
    assert_eq!(new_ones(&answers), 1);
    assert_eq!(store.accept(&delivery(1), true, at(9)).await.unwrap(), Accepted::Known);
    assert_eq!(store.queue_length().await.unwrap(), 1);
}

async fn the_same_body_under_a_hundred_guids_is_new_once(memory: Memory) {
    let store = memory.open().await;
    let replays = (0..100).map(|n| Delivery { id: delivery_id(n), ..delivery(1) }).collect();
    let answers = accept_at_once(&store, replays).await;
    assert_eq!(new_ones(&answers), 1);
    assert_eq!(store.queue_length().await.unwrap(), 1);
}

async fn the_same_guid_from_another_webhook_is_another_delivery(memory: Memory) {
    let store = memory.open().await;
    let other = Delivery { hook_id: HookId(u64::MAX), id: delivery_id(1), ..delivery(2) };
    assert_eq!(store.accept(&delivery(1), true, at(0)).await.unwrap(), Accepted::New);
    assert_eq!(store.accept(&other, true, at(0)).await.unwrap(), Accepted::New);
    assert_eq!(store.accept(&other, true, at(0)).await.unwrap(), Accepted::Known);
    let again = Delivery { hook_id: HookId(u64::MAX), id: delivery_id(1), ..delivery(3) };
    assert_eq!(store.accept(&again, true, at(0)).await.unwrap(), Accepted::Known);
}

async fn of_two_bodies_under_one_guid_the_new_one_is_told_so_and_queued(memory: Memory) {
    let store = memory.open().await;
    store.accept(&delivery(1), false, at(0)).await.unwrap();
    for n in 0..50 {
        let replay = Delivery { id: delivery_id(100 + n), ..delivery(1) };
        let fresh = Delivery { id: delivery_id(100 + n), ..delivery(100 + n) };
        let answers = accept_at_once(&store, vec![replay, fresh]).await;
        assert_eq!(answers, [Accepted::Known, Accepted::New]);
        let claim = take(&store, at(0)).await;
        assert_eq!(claim.task.lane(), format!("subject:1/{}", 100 + n));
        finish(&store, &claim).await;
    }
}

async fn quarantined_and_unwanted_deliveries_are_recorded_but_never_queued(memory: Memory) {
    let store = memory.open().await;
    let odd = Delivery { content: Content::Quarantined("no issue".into()), ..delivery(1) };
    assert_eq!(store.accept(&odd, true, at(0)).await.unwrap(), Accepted::New);
    assert_eq!(store.accept(&delivery(2), false, at(0)).await.unwrap(), Accepted::New);
    assert_eq!(store.queue_length().await.unwrap(), 0);
    let asked: Vec<_> = (0..250).map(delivery_id).collect();
    let known = store.known(&asked).await.unwrap();
    assert_eq!(known, [delivery_id(1), delivery_id(2)]);
    assert_eq!(store.accept(&odd, true, at(1)).await.unwrap(), Accepted::Known);
}

async fn a_delivery_is_queued_as_it_came(memory: Memory) {
    let store = memory.open().await;
    store.accept(&delivery(7), true, at(3)).await.unwrap();
    assert!(store.claim(at(2)).await.unwrap().is_none(), "due when it was received");
    let claim = take(&store, at(3)).await;
    let Content::Kept(payload) = delivery(7).content else { unreachable!() };
    let task = Task::Delivery { id: delivery_id(7), event: "issue_comment".into(), payload };
    assert_eq!((claim.task, claim.tries), (task, 0));
}

async fn an_acknowledged_delivery_survives_the_death_of_the_process(memory: Memory) {
    // It is there before the other process looks for it.
    drop(memory.open().await);
    for life in 0..4 {
        let child = format!("{}::accepts_until_killed", memory.kind);
        let acknowledged = process::kill_after(30 + 13 * life, &child, memory.path());
        let store = memory.open().await;
        let known = store.known(&acknowledged).await.unwrap();
        assert_eq!(known, acknowledged, "life {life}");
        // Recorded and queued are one: all that was recorded can be worked on.
        let mut queued = HashSet::new();
        while let Some(claim) = store.claim(at(0)).await.unwrap() {
            let Task::Delivery { id, .. } = &claim.task else { panic!("{claim:?}") };
            queued.insert(id.clone());
            finish(&store, &claim).await;
        }
        assert!(acknowledged.iter().all(|id| queued.contains(id)), "life {life}");
    }
}

async fn everything_is_still_there_after_opening_it_again(memory: Memory) {
    let store = memory.open().await;
    store.accept(&delivery(1), true, at(0)).await.unwrap();
    store.accept(&delivery(2), true, at(0)).await.unwrap();
    let held = take(&store, at(0)).await;
    drop(store);
    let store = memory.open().await;
    assert_eq!(store.queue_length().await.unwrap(), 2);
    store.heartbeat(&held.lease, at(1)).await.expect("the lease survives too");
    assert_ne!(take(&store, at(1)).await.lease.task, held.lease.task);
    assert_eq!(store.accept(&delivery(2), true, at(1)).await.unwrap(), Accepted::Known);
}

// ---- the queue ----

async fn tasks_of_one_lane_come_in_order_and_lanes_go_side_by_side(memory: Memory) {
    let store = memory.open().await;
    for n in 0..6 {
        // Issues 0 and 1 in turn, each with three deliveries.
        let content = Content::Kept(Box::new(payload(n % 2)));
        store.accept(&Delivery { content, ..delivery(n) }, true, at(0)).await.unwrap();
    }
    let id_of = |claim: &Claim| match &claim.task {
        Task::Delivery { id, .. } => id.clone(),
        other => panic!("{other:?}"),
    };
    for round in 0..3 {
        let (even, odd) = (take(&store, at(1)).await, take(&store, at(1)).await);
        assert_eq!(id_of(&even), delivery_id(2 * round));
        assert_eq!(id_of(&odd), delivery_id(2 * round + 1));
        assert!(store.claim(at(1)).await.unwrap().is_none(), "both lanes are taken");
        finish(&store, &odd).await;
        finish(&store, &even).await;
    }
    assert_eq!(store.queue_length().await.unwrap(), 0);
}

async fn a_postponed_task_holds_up_its_own_lane_only(memory: Memory) {
    let store = memory.open().await;
    for step in [JobStep::Prepare, JobStep::Undo] {
        store.enqueue(&step_of(1, step), at(0)).await.unwrap();
    }
    store.enqueue(&step_of(2, JobStep::Prepare), at(0)).await.unwrap();
    let first = take(&store, at(0)).await;
    store.postpone(&first.lease, at(60), "GitHub is away").await.unwrap();
    let other = take(&store, at(1)).await;
    assert_eq!(other.task, step_of(2, JobStep::Prepare));
    finish(&store, &other).await;
    assert!(store.claim(at(59)).await.unwrap().is_none());
    let again = take(&store, at(60)).await;
    assert_eq!(again.task, step_of(1, JobStep::Prepare));
    finish(&store, &again).await;
    assert_eq!(take(&store, at(60)).await.task, step_of(1, JobStep::Undo));
}

async fn nothing_is_claimed_before_it_is_due(memory: Memory) {
    let store = memory.open().await;
    store.enqueue(&step_of(1, JobStep::Prepare), at(30)).await.unwrap();
    store.enqueue(&step_of(2, JobStep::Prepare), at(10)).await.unwrap();
    assert!(store.claim(at(9)).await.unwrap().is_none());
    assert_eq!(take(&store, at(40)).await.task, step_of(2, JobStep::Prepare), "first due first");
    assert_eq!(take(&store, at(40)).await.task, step_of(1, JobStep::Prepare));
}

async fn thirty_two_workers_in_two_processes_never_have_the_same_task(memory: Memory) {
    let stores = [memory.open().await, memory.open().await];
    let queued = (0..1000).map(|n| {
        let content = Content::Kept(Box::new(payload(n % 200)));
        Delivery { content, ..delivery(n) }
    });
    accept_at_once(&stores[0], queued.collect()).await;
    let lanes_held = Arc::new(std::sync::Mutex::new(HashSet::new()));
    let workers = (0..32).map(|n| {
        let (store, held) = (Arc::clone(&stores[n % 2]), Arc::clone(&lanes_held));
        tokio::spawn(async move {
            let mut done = Vec::new();
            while store.queue_length().await.unwrap() > 0 {
                let Some(claim) = store.claim(at(1)).await.unwrap() else {
                    // A store that never waits would keep those from going on who hold the rest.
                    tokio::task::yield_now().await;
                    continue;
                };
                let lane = claim.task.lane();
                assert!(held.lock().unwrap().insert(lane.clone()), "{lane} is held twice");
                tokio::task::yield_now().await;
                // Given up before the commit: as soon as that is done, the next may have it.
                held.lock().unwrap().remove(&lane);
                finish(&store, &claim).await;
                done.push(claim.lease.task);
            }
            done
        })
    });
    let done: Vec<i64> = join_all(workers).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(done.len(), 1000);
    assert_eq!(done.into_iter().collect::<HashSet<_>>().len(), 1000);
}

// ---- leases ----

async fn a_worker_that_lost_its_lease_can_write_nothing(memory: Memory) {
    let store = memory.open().await;
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    let slow = take(&store, at(0)).await;
    assert!(store.claim(at(LEASE_SECONDS - 1)).await.unwrap().is_none());
    let quick = take(&store, at(LEASE_SECONDS)).await;
    assert_eq!(quick.lease.task, slow.lease.task);
    assert!(quick.lease.fence > slow.lease.fence);
    assert_eq!((slow.tries, quick.tries), (0, 1));

    let now = at(LEASE_SECONDS + 1);
    lost(store.commit(&slow.lease, &full_commit(), now).await);
    lost(store.heartbeat(&slow.lease, now).await);
    lost(store.postpone(&slow.lease, now, "late").await);
    lost(store.hand_back(&slow.lease).await);
    nothing_of_a_full_commit(&store).await;

    finish(&store, &quick).await;
    lost(store.commit(&quick.lease, &Commit::default(), now).await);
    lost(store.heartbeat(&quick.lease, now).await);
}

async fn a_heartbeat_prolongs_the_lease(memory: Memory) {
    let store = memory.open().await;
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    let claim = take(&store, at(0)).await;
    store.heartbeat(&claim.lease, at(15)).await.unwrap();
    assert!(store.claim(at(14 + LEASE_SECONDS)).await.unwrap().is_none());
    let taken_over = take(&store, at(15 + LEASE_SECONDS)).await;
    assert_eq!((taken_over.tries, taken_over.abandoned), (1, 1));
}

async fn a_lease_that_ran_out_still_counts_until_somebody_else_claims(memory: Memory) {
    let store = memory.open().await;
    for n in [1, 2] {
        store.enqueue(&step_of(n, JobStep::Prepare), at(0)).await.unwrap();
    }
    let (first, second) = (take(&store, at(0)).await, take(&store, at(0)).await);
    let late = at(10 * LEASE_SECONDS);
    store.heartbeat(&first.lease, late).await.unwrap();
    store.commit(&second.lease, &Commit::default(), late).await.unwrap();
    assert!(store.claim(late).await.unwrap().is_none());
}

async fn a_task_handed_back_is_as_if_it_had_never_been_taken(memory: Memory) {
    let store = memory.open().await;
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    store.enqueue(&step_of(2, JobStep::Prepare), at(1)).await.unwrap();
    let claim = take(&store, at(5)).await;
    store.hand_back(&claim.lease).await.unwrap();
    lost(store.commit(&claim.lease, &Commit::default(), at(5)).await);
    lost(store.hand_back(&claim.lease).await);
    let again = take(&store, at(5)).await;
    assert_eq!((again.task, again.tries), (claim.task, 0), "first in line as before");
}

async fn a_postponed_task_counts_one_more_try(memory: Memory) {
    let store = memory.open().await;
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    for tries in 0..4 {
        let now = at(100 * i64::from(tries));
        let claim = take(&store, now).await;
        assert_eq!(claim.tries, tries);
        store.postpone(&claim.lease, now.plus_seconds(100), "no luck").await.unwrap();
        lost(store.postpone(&claim.lease, now, "twice").await);
        assert!(store.claim(now.plus_seconds(99)).await.unwrap().is_none());
    }
}

// ---- commits ----

async fn only_one_job_on_a_subject_is_live(memory: Memory) {
    let store = memory.open().await;
    let (first, second) = (job(1, 7), job(2, 7));
    write(&store, Write::New(first.clone())).await.unwrap();
    write(&store, Write::New(second.clone())).await.expect("two may wait");
    write(&store, Write::Change(live(&first), 1)).await.unwrap();
    conflict(write(&store, Write::Change(live(&second), 1)).await);
    conflict(write(&store, Write::New(live(&job(3, 7)))).await);
    write(&store, Write::New(live(&job(4, 8)))).await.expect("another issue");
    let elsewhere = Job { repo: repo(RepoId(2)), ..live(&job(5, 7)) };
    write(&store, Write::New(elsewhere)).await.expect("another repository");
    write(&store, Write::Change(done(&first), 2)).await.unwrap();
    write(&store, Write::Change(live(&second), 1)).await.expect("its turn came");
}

async fn a_change_must_build_on_the_version_that_was_read(memory: Memory) {
    let store = memory.open().await;
    conflict(write(&store, Write::Change(job(1, 7), 1)).await);
    write(&store, Write::New(job(1, 7))).await.unwrap();
    let read = store.job(&job_id(1)).await.unwrap().unwrap();
    assert_eq!(read.machine, job(1, 7));
    let changed = Job { spent: cents(5), ..read.machine };
    write(&store, Write::Change(changed.clone(), read.version)).await.unwrap();
    conflict(write(&store, Write::Change(live(&changed), read.version)).await);
    let again = store.job(&job_id(1)).await.unwrap().unwrap();
    assert!(again.version > read.version);
    assert_eq!(again.machine, changed);
}

async fn all_of_a_commit_is_there_afterwards(memory: Memory) {
    let store = memory.open().await;
    store.enqueue(&step_of(9, JobStep::Prepare), at(0)).await.unwrap();
    let claim = take(&store, at(0)).await;
    store.commit(&claim.lease, &full_commit(), at(5)).await.unwrap();
    let stored = store.job(&job_id(1)).await.unwrap().unwrap();
    assert_eq!(stored.machine, job(1, 7));
    let Some((digest, bytes)) = full_commit().patch else { unreachable!() };
    assert_eq!(store.patch(&digest).await.unwrap(), Some(bytes));
    let line = LogLine { at: at(5), text: "asked".into() };
    assert_eq!(store.log(&job_id(1)).await.unwrap(), [line]);
    assert_eq!(
        store.spent(Payer::Repository, &accounts(1, 0, 0), at(0)).await.unwrap(),
        cents(100)
    );
    for task in full_commit().tasks {
        let claim = take(&store, at(5)).await;
        assert_eq!(claim.task, task);
        finish(&store, &claim).await;
    }
    assert_eq!(store.queue_length().await.unwrap(), 0);

    // A commit that names no job writes to the log of the job whose task it was.
    store.enqueue(&step_of(1, JobStep::Acknowledge), at(6)).await.unwrap();
    let claim = take(&store, at(6)).await;
    let commit = Commit { log: Some("acknowledged".into()), ..Commit::default() };
    store.commit(&claim.lease, &commit, at(6)).await.unwrap();
    let log = store.log(&job_id(1)).await.unwrap();
    assert_eq!(log.last().unwrap(), &LogLine { at: at(6), text: "acknowledged".into() });
    assert_eq!(log.len(), 2);
}

async fn a_refused_commit_leaves_nothing_behind(memory: Memory) {
    let store = memory.open().await;
    let once = Commit { once: full_commit().once, ..Commit::default() };
    commit(&store, &once).await.unwrap();
    write(&store, Write::New(job(2, 7))).await.unwrap();

    // Refused for the act, for the job that exists, for the version, for the second live job.
    write(&store, Write::New(live(&job(3, 8)))).await.unwrap();
    let with = |once: Option<&str>, job| Commit {
        once: once.map(str::to_owned),
        job: Some(job),
        ..full_commit()
    };
    let answered = full_commit();
    let exists = with(Some("other"), Write::New(job(2, 7)));
    let stale = with(Some("other"), Write::Change(job(2, 7), 5));
    let second = with(Some("other"), Write::New(live(&job(1, 8))));
    store.enqueue(&step_of(9, JobStep::Undo), at(0)).await.unwrap();
    store.enqueue(&step_of(9, JobStep::Prepare), at(0)).await.unwrap();
    let claim = take(&store, at(0)).await;
    for refused in [answered, exists, stale, second] {
        let refusal = store.commit(&claim.lease, &refused, at(0)).await.unwrap_err();
        assert!(
            matches!(refusal, StoreError::AlreadyDone | StoreError::Conflict),
            "{refusal:?} for {refused:?}"
        );
        nothing_of_a_full_commit(&store).await;
        assert_eq!(store.queue_length().await.unwrap(), 2);
        store.heartbeat(&claim.lease, at(0)).await.expect("the task is still held");
    }
    let other = Commit { once: Some("other".into()), ..Commit::default() };
    store.commit(&claim.lease, &other, at(0)).await.expect("the key was not used up");
}

async fn a_job_is_made_once(memory: Memory) {
    let store = memory.open().await;
    write(&store, Write::New(job(1, 7))).await.unwrap();
    already_done(write(&store, Write::New(job(1, 7))).await);
    write(&store, Write::Change(live(&job(1, 7)), 1)).await.unwrap();
    already_done(write(&store, Write::New(live(&job(1, 7)))).await);
}

async fn an_act_is_answered_once(memory: Memory) {
    let store = memory.open().await;
    let answer = Commit { once: Some("1/comment/7".into()), ..Commit::default() };
    commit(&store, &answer).await.unwrap();
    already_done(commit(&store, &answer).await);
    let other = Commit { once: Some("1/comment/8".into()), ..Commit::default() };
    commit(&store, &other).await.unwrap();
}

async fn one_refused_commit_does_not_take_its_neighbours_along(memory: Memory) {
    let store = memory.open().await;
    let mut held = Vec::new();
    for n in 0..60 {
        store.enqueue(&step_of(n, JobStep::Prepare), at(0)).await.unwrap();
        held.push(take(&store, at(0)).await);
    }
    // Thirty acts, each answered by two workers at once.
    let answers = held.into_iter().zip(0..).map(|(claim, n)| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let commit = Commit {
                once: Some(format!("act {}", n / 2)),
                tasks: vec![step_of(1000 + n / 2, JobStep::Prepare)],
                ..Commit::default()
            };
            store.commit(&claim.lease, &commit, at(0)).await
        })
    });
    let answers = join_all(answers).await.into_iter().map(Result::unwrap);
    let (done, refused): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (30, 30));
    refused.into_iter().for_each(already_done);
    assert_eq!(store.queue_length().await.unwrap(), 30 + 30, "thirty follow, thirty are held");
}

async fn a_level_triggered_task_waits_once(memory: Memory) {
    let store = memory.open().await;
    let sweep = Task::Sweep(Sweep::MissedDeliveries);
    store.enqueue(&sweep, at(0)).await.unwrap();
    store.enqueue(&sweep, at(5)).await.unwrap();
    store.enqueue(&Task::Sweep(Sweep::OldRows), at(5)).await.unwrap();
    assert_eq!(store.queue_length().await.unwrap(), 2);
    let running = take(&store, at(0)).await;
    store.enqueue(&sweep, at(300)).await.expect("the one that runs may not see what changed");
    store.enqueue(&sweep, at(300)).await.unwrap();
    assert_eq!(store.queue_length().await.unwrap(), 3);
    let again = Commit { tasks: vec![sweep.clone(), sweep], ..Commit::default() };
    store.commit(&running.lease, &again, at(1)).await.unwrap();
    assert_eq!(store.queue_length().await.unwrap(), 2);

    for _ in 0..2 {
        store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    }
    assert_eq!(store.queue_length().await.unwrap(), 4, "other tasks are all kept");
}

async fn after_a_start_nothing_waits_for_a_clock_that_was_wrong(memory: Memory) {
    let store = memory.open().await;
    // Written a day ahead: one is leased, one waits.
    let day = 24 * 60 * 60;
    store.enqueue(&step_of(1, JobStep::Prepare), at(day)).await.unwrap();
    let leased = take(&store, at(day)).await;
    store.enqueue(&step_of(2, JobStep::Prepare), at(day + 300)).await.unwrap();
    store.enqueue(&step_of(3, JobStep::Prepare), at(30)).await.unwrap();
    store.bring_near(at(0)).await.unwrap();
    assert!(store.claim(at(LEASE_SECONDS - 1)).await.unwrap().is_none());
    let done = async |at: Timestamp| {
        let claim = take(&store, at).await;
        store.commit(&claim.lease, &Commit::default(), at).await.unwrap();
        claim.task
    };
    assert_eq!(done(at(LEASE_SECONDS)).await, leased.task);
    assert!(store.claim(at(29)).await.unwrap().is_none(), "what is near stays as it was");
    assert_eq!(done(at(30)).await, step_of(3, JobStep::Prepare));
    assert!(store.claim(at(LONGEST_PAUSE_SECONDS - 1)).await.unwrap().is_none());
    assert_eq!(done(at(LONGEST_PAUSE_SECONDS)).await, step_of(2, JobStep::Prepare));
}

async fn a_sweep_is_remembered_by_when_it_was_last_done(memory: Memory) {
    let store = memory.open().await;
    assert_eq!(store.last_swept(Sweep::OldRows).await.unwrap(), None);
    store.swept(Sweep::OldRows, at(1)).await.unwrap();
    store.swept(Sweep::OldRows, at(2)).await.unwrap();
    store.swept(Sweep::MissedDeliveries, at(3)).await.unwrap();
    assert_eq!(store.last_swept(Sweep::OldRows).await.unwrap(), Some(at(2)));
}

async fn what_follows_and_can_wait_is_done_later_or_with_what_cannot(memory: Memory) {
    let store = memory.open().await;
    let show = step_of(1, JobStep::Show);
    let waiting = Commit { later: vec![(show.clone(), 10)], ..Commit::default() };
    commit(&store, &waiting).await.unwrap();
    assert!(store.claim(at(9)).await.unwrap().is_none());
    let claim = take(&store, at(10)).await;
    assert_eq!(claim.task, show);
    finish(&store, &claim).await;

    commit(&store, &waiting).await.unwrap();
    let now = Commit { tasks: vec![show.clone()], ..Commit::default() };
    commit(&store, &now).await.unwrap();
    commit(&store, &waiting).await.unwrap();
    let claim = take(&store, at(1)).await;
    assert_eq!(claim.task, show);
    finish(&store, &claim).await;
    assert_eq!(store.queue_length().await.unwrap(), 0, "three times asked for, once done");
}

async fn one_that_waits_for_later_comes_as_soon_as_it_is_asked_for_again(memory: Memory) {
    let store = memory.open().await;
    let sweep = Task::Sweep(Sweep::MissedDeliveries);
    store.enqueue(&sweep, at(300)).await.unwrap();
    store.enqueue(&sweep, at(5)).await.unwrap();
    store.enqueue(&sweep, at(400)).await.unwrap();
    assert!(store.claim(at(4)).await.unwrap().is_none());
    assert_eq!(take(&store, at(5)).await.task, sweep);
    assert_eq!(store.queue_length().await.unwrap(), 1);
}

async fn without_a_free_slot_what_needs_none_is_taken_all_the_same(memory: Memory) {
    let store = memory.open().await;
    let (slotted, unslotted) = (step_of(1, JobStep::Prepare), step_of(2, JobStep::Show));
    store.enqueue(&slotted, at(0)).await.unwrap();
    store.enqueue(&unslotted, at(1)).await.unwrap();
    let taken = store.claim_unslotted(at(1)).await.unwrap().unwrap();
    assert_eq!(taken.task, unslotted);
    assert!(store.claim_unslotted(at(1)).await.unwrap().is_none());
    assert_eq!(take(&store, at(1)).await.task, slotted, "the oldest first, where a slot is free");
}

/// Fifty jobs of one repository delay the job of another by one step, and its own first one by none.
async fn for_slots_repositories_take_turns_and_what_has_begun_goes_first(memory: Memory) {
    let store = memory.open().await;
    for n in 1..=50 {
        let tasks = vec![step_of(n, JobStep::Prepare)];
        let job = Some(Write::New(live(&job(n, n))));
        commit(&store, &Commit { job, tasks, ..Commit::default() }).await.unwrap();
    }
    let first = take(&store, at(1)).await;
    assert_eq!(first.task, step_of(1, JobStep::Prepare));
    let other = Job { repo: repo(RepoId(2)), ..live(&job(51, 1)) };
    let tasks = vec![step_of(51, JobStep::Prepare)];
    let job = Some(Write::New(other));
    commit(&store, &Commit { job, tasks, ..Commit::default() }).await.unwrap();
    // With a second slot free, that goes to who holds none.
    let second = take(&store, at(2)).await;
    assert_eq!(second.task, step_of(51, JobStep::Prepare));
    let fix = |n| step_of(n, JobStep::Fix { round: 1, attempt: 1 });
    let then = |n| Commit { tasks: vec![fix(n)], ..Commit::default() };
    store.commit(&first.lease, &then(1), at(3)).await.unwrap();
    store.commit(&second.lease, &then(51), at(3)).await.unwrap();
    // Whose turn was longer ago; and of the many what has begun.
    let third = take(&store, at(4)).await;
    assert_eq!(third.task, fix(1));
    assert_eq!(take(&store, at(4)).await.task, fix(51));
    store.commit(&third.lease, &Commit::default(), at(5)).await.unwrap();
    assert_eq!(take(&store, at(6)).await.task, step_of(2, JobStep::Prepare));
}

async fn a_repository_that_moved_is_known_by_its_new_name_everywhere(memory: Memory) {
    let store = memory.open().await;
    let elsewhere = Job { repo: repo(RepoId(2)), ..job(3, 7) };
    for job in [job(1, 7), done(&job(2, 8)), elsewhere.clone()] {
        write(&store, Write::New(job)).await.unwrap();
    }
    let moved = RepoRef {
        installation_id: InstallationId(77),
        name: "umbrella/gadgets".parse().unwrap(),
        ..repo(RepoId(1))
    };
    let before = store.job(&job_id(1)).await.unwrap().unwrap();
    store.relocate(&moved).await.unwrap();
    for id in [1, 2] {
        assert_eq!(store.job(&job_id(id)).await.unwrap().unwrap().machine.repo, moved);
    }
    assert_eq!(store.job(&job_id(3)).await.unwrap().unwrap().machine, elsewhere);
    let late = write(&store, Write::Change(before.machine, before.version)).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    let version = store.job(&job_id(1)).await.unwrap().unwrap().version;
    store.relocate(&moved).await.unwrap();
    assert_eq!(store.job(&job_id(1)).await.unwrap().unwrap().version, version, "nothing is new");
}

async fn the_ledger_sums_by_whose_money_and_since_when(memory: Memory) {
    let store = memory.open().await;
    let entry = |repo, person, installation, amount| LedgerEntry {
        job_id: job_id(1),
        accounts: accounts(repo, person, installation),
        micros: cents(amount).micros(),
        what: "attempt 1".into(),
    };
    for (moment, entries) in [
        (10, vec![entry(1, 2, 3, 1), entry(1, 20, 3, 10)]),
        (20, vec![entry(1, 2, 30, 100)]),
        (30, vec![entry(10, 2, 3, 1000)]),
    ] {
        store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
        let claim = take(&store, at(0)).await;
        let booked = Commit { ledger: entries, ..Commit::default() };
        store.commit(&claim.lease, &booked, at(moment)).await.unwrap();
    }
    for (payer, whose, since, sum) in [
        (Payer::Repository, 1, 0, 111),
        (Payer::Repository, 1, 20, 100),
        (Payer::Person, 2, 0, 1101),
        (Payer::Person, 2, 20, 1100),
        (Payer::Installation, 3, 0, 1011),
        (Payer::Installation, 3, 30, 1000),
        (Payer::Installation, 3, 31, 0),
        (Payer::Installation, 4, 0, 0),
    ] {
        let accounts = accounts(whose, whose, whose);
        let spent = store.spent(payer, &accounts, at(since)).await.unwrap();
        assert_eq!(spent, cents(sum), "{payer:?} {whose} since {since}");
    }
}

async fn what_past_jobs_came_to_is_known_without_those_under_way(memory: Memory) {
    let store = memory.open().await;
    let entry = |job, micros| LedgerEntry {
        job_id: job_id(job),
        accounts: accounts(1, 2, 3),
        micros,
        what: "attempt 1".into(),
    };
    // Reserved, and given back in part; one that cost nothing; one under way; one long ago.
    for (moment, write, entries) in [
        (5, done(&job(9, 9)), vec![entry(9, 7)]),
        (20, done(&job(1, 7)), vec![entry(1, 300), entry(1, -100)]),
        (30, done(&job(2, 8)), vec![entry(2, 50), entry(2, -50)]),
        (40, done(&job(3, 8)), vec![entry(3, 90)]),
        (45, done(&job(5, 11)), vec![entry(5, 60)]),
        (50, live(&job(4, 10)), vec![entry(4, 1000)]),
    ] {
        let booked = Commit { job: Some(Write::New(write)), ledger: entries, ..Commit::default() };
        commit_at(&store, &booked, at(moment)).await.unwrap();
    }
    let costs = store.past_costs(RepoId(1), at(10)).await.unwrap();
    assert_eq!(costs, [60, 90, 200].map(Money::from_micros));
    assert!(store.past_costs(RepoId(2), at(0)).await.unwrap().is_empty());
    for (repo, since, count, micros) in
        [(1, 10, 4, 350), (1, 41, 1, 60), (1, 46, 0, 0), (2, 0, 0, 0)]
    {
        let merged = store.merged_pulls(RepoId(repo), at(since)).await.unwrap();
        assert_eq!(merged, (count, Money::from_micros(micros)), "{repo} since {since}");
    }
}

async fn what_checks_came_to_lately_is_known_newest_first_by_name_or_of_all(memory: Memory) {
    let store = memory.open().await;
    let status = CheckResult { app: None, suite: None, red: false, ..check_result("lint", 30) };
    let elsewhere = CheckResult { repo_id: RepoId(2), ..check_result("lint", 30) };
    for result in
        [check_result("lint", 20), check_result("test", 40), status.clone(), elsewhere.clone()]
    {
        let commit = Commit { check: Some(result), ..Commit::default() };
        commit_at(&store, &commit, at(50)).await.unwrap();
    }
    let known =
        async |repo, since, name| store.check_results(RepoId(repo), at(since), name).await.unwrap();
    let (lint, test) = (check_result("lint", 20), check_result("test", 40));
    assert_eq!(known(1, 0, None).await, [test.clone(), status.clone(), lint.clone()]);
    assert_eq!(known(1, 0, Some("lint")).await, [status.clone(), lint]);
    assert_eq!(known(1, 30, Some("lint")).await, [status]);
    assert_eq!(known(2, 0, None).await, [elsewhere]);
    assert!(known(3, 0, None).await.is_empty());
    assert_eq!(store.forget(at(40)).await.unwrap(), 3);
    assert_eq!(known(1, 0, None).await, [test]);
}

async fn forgetting_keeps_jobs_money_and_log(memory: Memory) {
    let store = memory.open().await;
    commit(&store, &full_commit()).await.unwrap();
    let many = (0..2500).map(delivery).collect();
    accept_at_once(&store, many).await;
    store.accept(&delivery(5000), true, at(50)).await.unwrap();
    let queued = store.queue_length().await.unwrap();

    let act = Commit { once: full_commit().once, ..Commit::default() };
    already_done(commit_at(&store, &act, at(50)).await);
    // With the one result of a check.
    assert_eq!(store.forget(at(50)).await.unwrap(), 2500 + 1 + 1);
    assert_eq!(store.forget(at(50)).await.unwrap(), 0);
    assert_eq!(
        store.known(&[delivery_id(1), delivery_id(5000)]).await.unwrap(),
        [delivery_id(5000)]
    );
    assert!(store.queue_length().await.unwrap() >= queued, "what waits is not forgotten");
    commit_at(&store, &act, at(50)).await.expect("the act's key was forgotten");

    assert!(store.job(&job_id(1)).await.unwrap().is_some());
    assert_eq!(store.log(&job_id(1)).await.unwrap().len(), 1);
    assert_eq!(
        store.spent(Payer::Repository, &accounts(1, 0, 0), at(0)).await.unwrap(),
        cents(100)
    );
    assert!(store.patch(&digest()).await.unwrap().is_some());
}

// ---- reads ----

async fn jobs_are_found_by_issue_and_by_pull_request(memory: Memory) {
    let store = memory.open().await;
    let with_pull = |job: Job, number| Job { pull: Some(pull(number)), ..live(&job) };
    write(&store, Write::New(done(&job(9, 7)))).await.unwrap();
    write(&store, Write::New(with_pull(job(2, 7), 8))).await.unwrap();
    write(&store, Write::New(job(1, 8))).await.unwrap();
    write(&store, Write::New(Job { repo: repo(RepoId(2)), ..job(3, 7) })).await.unwrap();
    let on = async |number| -> Vec<JobId> {
        let jobs = store.jobs_on(RepoId(1), Number(number)).await.unwrap();
        jobs.into_iter().map(|stored| stored.machine.id).collect()
    };
    assert_eq!(on(7).await, [job_id(9), job_id(2)], "oldest first");
    assert_eq!(on(8).await, [job_id(2), job_id(1)], "by pull request and by issue");
    assert!(on(9).await.is_empty());
    assert!(store.job(&job_id(77)).await.unwrap().is_none());
}

async fn only_jobs_with_an_open_pull_request_count_as_open(memory: Memory) {
    let store = memory.open().await;
    for (n, number) in [(1, 11), (2, 12), (3, 13)] {
        let reviewed = Job {
            pull: Some(pull(100 + number)),
            stage: JobStage::InReview { round: 1 },
            ..job(n, number)
        };
        write(&store, Write::New(reviewed)).await.unwrap();
    }
    write(&store, Write::New(live(&job(4, 14)))).await.unwrap();
    write(&store, Write::New(job(5, 15))).await.unwrap();
    let open = async |repo| store.open_jobs(Some(RepoId(repo))).await.unwrap().len();
    let under_way = async |repo| -> Vec<JobId> {
        let jobs = store.jobs_under_way(RepoId(repo)).await.unwrap();
        jobs.into_iter().map(|stored| stored.machine.id).collect()
    };
    assert_eq!((open(1).await, under_way(1).await), (3, vec![job_id(4)]));
    let stored = store.job(&job_id(2)).await.unwrap().unwrap();
    write(&store, Write::Change(done(&stored.machine), stored.version)).await.unwrap();
    write(&store, Write::New(live(&job(6, 16)))).await.unwrap();
    assert_eq!((open(1).await, under_way(1).await), (2, vec![job_id(4), job_id(6)]));
    assert_eq!((open(2).await, under_way(2).await), (0, vec![]));
}

async fn what_became_of_judged_pull_requests_is_counted_when_they_are_over(memory: Memory) {
    let store = memory.open().await;
    let round = |round, warned| PushedRound {
        round,
        size: (1, 1, 1),
        summary: String::new(),
        proof: None,
        patch: None,
        merges_base: false,
        warned,
    };
    let merged = || JobStage::Done(JobEnding::Merged { by: None });
    let closed = || JobStage::Done(JobEnding::Closed { by: None });
    for (n, pushed, stage, foreign) in [
        (1, vec![round(1, Some(true))], closed(), false),
        (2, vec![round(1, Some(true)), round(2, Some(false))], merged(), false),
        (3, vec![round(1, Some(true))], merged(), false),
        (4, vec![round(1, Some(true))], JobStage::InReview { round: 1 }, false),
        (5, vec![round(1, Some(false))], merged(), false),
        (6, vec![round(1, Some(false))], merged(), true),
        (7, vec![round(1, None)], merged(), false),
    ] {
        let new = job(n, 20 + n);
        write(&store, Write::New(new.clone())).await.unwrap();
        let review = ReviewState { pushed, foreign, ..ReviewState::default() };
        let reviewed = Job { pull: Some(pull(100 + n)), stage, review, ..new };
        write(&store, Write::Change(reviewed, 1)).await.unwrap();
    }
    let record = store.judge_record(RepoId(1)).await.unwrap();
    assert_eq!(record.warned, PastPulls { over: 3, otherwise: 2 });
    assert_eq!(record.not_warned, PastPulls { over: 2, otherwise: 1 });
    assert_eq!(store.judge_record(RepoId(2)).await.unwrap(), JudgeRecord::default());
}

async fn the_next_due_time_is_that_of_a_task_that_could_be_claimed(memory: Memory) {
    let store = memory.open().await;
    assert_eq!(store.next_due().await.unwrap(), None);
    store.enqueue(&step_of(1, JobStep::Prepare), at(50)).await.unwrap();
    store.enqueue(&step_of(1, JobStep::Undo), at(10)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(50)), "the second waits for the first");
    store.enqueue(&step_of(2, JobStep::Prepare), at(60)).await.unwrap();
    let claim = take(&store, at(50)).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(60)));
    store.postpone(&claim.lease, at(55), "again").await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(55)));
    take(&store, at(60)).await;
    take(&store, at(60)).await;
    assert_eq!(store.next_due().await.unwrap(), None, "all is leased");
    assert_eq!(store.queue_length().await.unwrap(), 3);
}

// ---- words the stories use ----

fn at(seconds: i64) -> Timestamp {
    Timestamp(1_700_000_000_000).plus_seconds(seconds)
}

fn accounts(repo: u64, person: u64, installation: u64) -> Accounts {
    let (installation, person) = (InstallationId(installation), UserId(person));
    Accounts { repo_id: RepoId(repo), installation_id: installation, person_id: person }
}

fn cents(amount: i64) -> Money {
    Money::from_micros(amount * 10_000)
}

fn delivery_id(n: u64) -> DeliveryId {
    format!("{:08x}-cc78-11e3-81ab-{:012x}", n & 0xffff_ffff, n >> 32).parse().unwrap()
}

/// The comment number `n`, on the issue number `n`.
fn delivery(n: u64) -> Delivery {
    let mut body_digest = [7; 32];
    body_digest[..8].copy_from_slice(&n.to_le_bytes());
    Delivery {
        id: delivery_id(n),
        hook_id: HookId(42),
        event: "issue_comment".into(),
        body_digest,
        content: Content::Kept(Box::new(payload(n))),
    }
}

fn payload(issue: u64) -> Payload {
    Payload {
        action: Some("created".into()),
        installation: Some(Id { id: 3 }),
        repository: Some(WebhookRepository { id: 1, full_name: "acme/widgets".into() }),
        issue: Some(WebhookIssue {
            id: 1000 + issue,
            number: issue,
            title: "one too low".into(),
            body: None,
            state: "open".into(),
            updated_at: None,
            pull_request: None,
        }),
        ..Payload::default()
    }
}

async fn accept_at_once(store: &Opened, deliveries: Vec<Delivery>) -> Vec<Accepted> {
    let answers = deliveries.into_iter().map(|delivery| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.accept(&delivery, true, at(0)).await.unwrap() })
    });
    join_all(answers).await.into_iter().map(Result::unwrap).collect()
}

fn new_ones(answers: &[Accepted]) -> usize {
    answers.iter().filter(|answer| **answer == Accepted::New).count()
}

async fn take(store: &Opened, now: Timestamp) -> Claim {
    store.claim(now).await.unwrap().expect("a task is due")
}

async fn finish(store: &Opened, claim: &Claim) {
    store.commit(&claim.lease, &Commit::default(), at(1)).await.unwrap();
}

/// Commits as the worker of some task that stands in nobody's way.
async fn commit(store: &Opened, commit: &Commit) -> Result<(), StoreError> {
    commit_at(store, commit, at(0)).await
}

async fn commit_at(store: &Opened, commit: &Commit, now: Timestamp) -> Result<(), StoreError> {
    // Long due, so that it is claimed before all others; a job of its own, so a lane of its own.
    let task = step_of(u64::MAX, JobStep::Prepare);
    store.enqueue(&task, Timestamp(0)).await?;
    let claim = take(store, now).await;
    assert_eq!(claim.task, task);
    let outcome = store.commit(&claim.lease, commit, now).await;
    if outcome.is_err() {
        finish(store, &claim).await;
    }
    outcome
}

async fn write(store: &Opened, job: Write<Job>) -> Result<(), StoreError> {
    commit(store, &Commit { job: Some(job), ..Commit::default() }).await
}

fn job_id(n: u64) -> JobId {
    JobId::of_trigger(&n.to_string())
}

fn step_of(job: u64, step: JobStep) -> Task {
    Task::Step { job_id: job_id(job), step }
}

fn repo(repo: RepoId) -> RepoRef {
    RepoRef {
        installation_id: InstallationId(3),
        repo_id: repo,
        name: "acme/widgets".parse().unwrap(),
    }
}

fn job(n: u64, issue: u64) -> Job {
    let order = JobOrder {
        request: "the bounds are off by one".into(),
        ..JobOrder::new(Kind::Fix, (UserId(2), "mona".parse().unwrap()), at(0))
    };
    Job::new(job_id(n), repo(RepoId(1)), Number(issue), order)
}

fn live(job: &Job) -> Job {
    Job { stage: JobStage::Preparing, ..job.clone() }
}

fn done(job: &Job) -> Job {
    Job { stage: JobStage::Done(JobEnding::Merged { by: None }), ..job.clone() }
}

fn pull(number: u64) -> PullRef {
    PullRef {
        number: Number(number),
        branch: "gander/7-abc".parse().unwrap(),
        head: "a".repeat(40).parse().unwrap(),
    }
}

fn digest() -> PatchDigest {
    "d".repeat(64).parse().unwrap()
}

/// One of everything, about job 1.
fn full_commit() -> Commit {
    Commit {
        once: Some("1/comment/1".into()),
        job: Some(Write::New(job(1, 7))),
        tasks: vec![step_of(1, JobStep::Prepare), step_of(1, JobStep::Show)],
        ledger: vec![LedgerEntry {
            job_id: job_id(1),
            accounts: accounts(1, 2, 3),
            micros: cents(100).micros(),
            what: "attempt 1".into(),
        }],
        patch: Some((digest(), b"--- a\n+++ b\n".to_vec())),
        check: Some(check_result("lint", 0)),
        log: Some("asked".into()),
        slack: vec![SlackEntry::kept("channel/C1".into(), SlackRecord::Channel(repo(RepoId(1))))],
        ..Commit::default()
    }
}

fn check_result(name: &str, second: i64) -> CheckResult {
    CheckResult {
        repo_id: RepoId(1),
        name: name.into(),
        app: Some(15_368),
        suite: Some(7),
        sha: "a".repeat(40).parse().unwrap(),
        place: "#12".into(),
        red: true,
        at: at(second),
    }
}

async fn nothing_of_a_full_commit(store: &Opened) {
    assert!(store.check_results(RepoId(1), at(0), None).await.unwrap().is_empty());
    assert!(store.job(&job_id(1)).await.unwrap().is_none());
    assert!(store.patch(&digest()).await.unwrap().is_none());
    assert!(store.log(&job_id(1)).await.unwrap().is_empty());
    assert!(store.slack("channel/C1", at(0)).await.unwrap().is_none());
    assert_eq!(
        store.spent(Payer::Repository, &accounts(1, 0, 0), at(0)).await.unwrap(),
        Money::ZERO
    );
}

fn lost(outcome: Result<(), StoreError>) {
    assert!(matches!(outcome, Err(StoreError::LeaseLost)), "{outcome:?}");
}

fn conflict(outcome: Result<(), StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
}

fn already_done(outcome: Result<(), StoreError>) {
    assert!(matches!(outcome, Err(StoreError::AlreadyDone)), "{outcome:?}");
}
