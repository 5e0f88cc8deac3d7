//! What whoever runs the server asks of a store.

use futures_util::future::join_all;
use gander::core::audit::{AuditEntry, BrokenChain, ChainCheck};
use gander::core::id::{Number, RepoId, Timestamp};
use gander::core::job::{Job, JobStage, JobStep};
use gander::core::patch::PatchDigest;
use gander::core::task::{OperatorOrder, Sweep, Task};
use gander::store::{
    Commit, JobQuery, KeptSince, LedgerEntry, LogPlace, StoreError, StoreFigures, Write,
};

use super::{
    Memory, Opened, accounts, at, cents, commit, commit_at, delivery, digest, done, finish,
    full_commit, job, job_id, live, pull, repo, step_of, take, write,
};

fn said(what: &str, repo: u64) -> AuditEntry {
    let repo = Some(RepoId(repo));
    AuditEntry { who: "mona".into(), what: what.into(), repo, ..AuditEntry::default() }
}

/// Every row is looked at; the number of rows and of those that were taken out.
pub(super) async fn chain(store: &Opened) -> Result<(i64, u64), BrokenChain> {
    let mut check = ChainCheck::default();
    for row in store.audit_rows(0, 10_000).await.unwrap() {
        check.next(&row)?;
    }
    check.ends_at(&store.audit_head().await.unwrap())?;
    Ok((check.head.seq, check.taken_out))
}

async fn listed(store: &Opened, which: JobQuery) -> Vec<String> {
    let jobs = store.list_jobs(&which, 10).await.unwrap();
    jobs.into_iter().map(|it| it.stored.machine.id.to_string()).collect()
}

pub(super) async fn jobs_are_listed_by_where_they_stand_and_found_by_how_their_id_begins(
    memory: Memory,
) {
    let store = memory.open().await;
    let reviewed = Job { stage: JobStage::InReview { round: 1 }, ..job(3, 9) };
    for it in [live(&job(1, 7)), job(2, 8), Job { pull: Some(pull(4)), ..reviewed }] {
        commit_at(&store, &Commit { job: Some(Write::New(it)), ..Commit::default() }, at(5))
            .await
            .unwrap();
    }
    write(&store, Write::New(done(&job(4, 10)))).await.unwrap();
    let id = |n| job_id(n).to_string();
    assert_eq!(listed(&store, JobQuery::NotOver).await, [id(3), id(2), id(1)]);
    assert_eq!(listed(&store, JobQuery::All).await, [id(4), id(3), id(2), id(1)]);
    assert_eq!(listed(&store, JobQuery::Named(id(2)[..6].into())).await, [id(2)]);
    for nobodys in ["", "%", "_", "zzzzzzzzzzzz0"] {
        assert!(listed(&store, JobQuery::Named(nobodys.into())).await.is_empty(), "{nobodys}");
    }
    let first = store.list_jobs(&JobQuery::NotOver, 1).await.unwrap();
    assert_eq!((first.len(), first[0].since), (1, at(5)));
    // One that ends is listed no more.
    let stored = store.job(&job_id(1)).await.unwrap().unwrap();
    write(&store, Write::Change(done(&stored.machine), stored.version)).await.unwrap();
    assert_eq!(listed(&store, JobQuery::NotOver).await, [id(3), id(2)]);
    let figures = store.figures(at(10), at(0)).await.unwrap();
    assert_eq!(figures.jobs.len(), 2, "{figures:?}");
    assert!(figures.jobs.contains(&("in_review".into(), 1)), "{figures:?}");
    assert_eq!(figures.merged, 2);
}

pub(super) async fn what_waits_is_counted_and_told_with_what_went_wrong(memory: Memory) {
    let store = memory.open().await;
    let it = live(&job(1, 7));
    write(&store, Write::New(it.clone())).await.unwrap();
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    store.enqueue(&step_of(1, JobStep::Show), at(900)).await.unwrap();
    store.enqueue(&step_of(2, JobStep::Prepare), at(3)).await.unwrap();
    let claim = take(&store, at(2)).await;
    store.postpone(&claim.lease, at(4), "GitHub is away").await.unwrap();
    let tasks = store.waiting(&Task::lanes_of(&it)).await.unwrap();
    let [prepare, show] = &tasks[..] else { panic!("{tasks:?}") };
    assert_eq!((prepare.due, prepare.tries, prepare.taken), (at(4), 1, false));
    assert_eq!(show.due, at(900));
    take(&store, at(3)).await;
    let figures = store.figures(at(10), at(0)).await.unwrap();
    let expected = StoreFigures {
        waiting: 1,
        taken: 1,
        later: 1,
        oldest_due: Some(at(4)),
        jobs: vec![("preparing".into(), 1)],
        ..StoreFigures::default()
    };
    assert_eq!(figures, expected);
}

pub(super) async fn in_a_pause_only_the_operator_and_missed_deliveries_come(memory: Memory) {
    let store = memory.open().await;
    let cancel = Task::Operator(OperatorOrder::Cancel { job_id: job_id(1) });
    store.accept(&delivery(1), true, at(0)).await.unwrap();
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    store.enqueue(&Task::Sweep(Sweep::OpenPulls), at(0)).await.unwrap();
    assert_eq!(store.paused().await.unwrap(), None);
    store.set_pause(Some(at(1)), &said("paused", 1), at(1)).await.unwrap();
    assert_eq!(store.paused().await.unwrap(), Some(at(1)));
    assert!(store.claim(at(9)).await.unwrap().is_none());
    assert!(store.claim_unslotted(at(9)).await.unwrap().is_none());
    store.accept(&delivery(2), true, at(2)).await.unwrap();
    assert!(store.claim(at(9)).await.unwrap().is_none(), "it is written down, and waits");
    for goes_on in [cancel, Task::Sweep(Sweep::MissedDeliveries)] {
        store.enqueue(&goes_on, at(3)).await.unwrap();
        let claim = take(&store, at(9)).await;
        assert_eq!(claim.task, goes_on);
        finish(&store, &claim).await;
    }
    store.set_pause(None, &said("resumed", 1), at(4)).await.unwrap();
    for _ in 0..4 {
        let claim = take(&store, at(9)).await;
        finish(&store, &claim).await;
    }
    assert_eq!(store.queue_length().await.unwrap(), 0, "nothing was lost");
    assert_eq!(chain(&store).await, Ok((2, 0)));
}

pub(super) async fn the_audit_log_holds_what_each_commit_changed_and_nothing_of_a_refused_one(
    memory: Memory,
) {
    let store = memory.open().await;
    assert_eq!(chain(&store).await, Ok((0, 0)));
    let with = |what: &str, once: &str| Commit {
        once: Some(once.into()),
        audit: vec![said(what, 1), said("and told", 1)],
        ..Commit::default()
    };
    commit(&store, &with("opened", "a")).await.unwrap();
    assert!(commit(&store, &with("opened twice", "a")).await.is_err());
    let many = (0..20).map(|n| {
        let store = &store;
        async move { store.record(&[said(&format!("act {n}"), 2)], at(n)).await.unwrap() }
    });
    join_all(many).await;
    assert_eq!(chain(&store).await, Ok((22, 0)));
    let rows = store.audit_rows(0, 2).await.unwrap();
    let body: AuditEntry = serde_json::from_str(rows[0].body.as_deref().unwrap()).unwrap();
    assert_eq!(body, said("opened", 1));
    assert_eq!(store.audit_rows(20, 100).await.unwrap().len(), 2);
}

fn with_patch(n: u64, issue: u64, patch: &PatchDigest) -> Commit {
    Commit {
        job: Some(Write::New(done(&job(n, issue)))),
        patch: Some((patch.clone(), b"---".to_vec())),
        ledger: vec![LedgerEntry {
            job_id: job_id(n),
            accounts: accounts(1, 2, 3),
            micros: cents(7).micros(),
            what: "attempt 1".into(),
        }],
        log: Some("asked".into()),
        audit: vec![said("opened", 1)],
        ..Commit::default()
    }
}

pub(super) async fn what_was_kept_long_enough_goes_with_its_log_and_patches(memory: Memory) {
    let store = memory.open().await;
    let (old, new): (PatchDigest, PatchDigest) =
        ("1".repeat(64).parse().unwrap(), "2".repeat(64).parse().unwrap());
    commit_at(&store, &with_patch(1, 7, &old), at(0)).await.unwrap();
    commit_at(&store, &with_patch(2, 8, &new), at(100)).await.unwrap();
    commit_at(&store, &with_patch(3, 9, &old), at(0)).await.unwrap();
    write(&store, Write::New(live(&job(4, 10)))).await.unwrap();
    // One of them has something left to do.
    store.enqueue(&step_of(3, JobStep::Show), at(0)).await.unwrap();
    let kept = |jobs, ledger| KeptSince { jobs, ledger };
    assert_eq!(store.thin(&kept(None, None)).await.unwrap(), 0);
    assert_eq!(store.thin(&kept(Some(at(50)), None)).await.unwrap(), 1);
    assert!(store.job(&job_id(1)).await.unwrap().is_none());
    assert!(store.log(&job_id(1)).await.unwrap().is_empty());
    for stays in [2, 3, 4] {
        assert!(store.job(&job_id(stays)).await.unwrap().is_some(), "{stays}");
    }
    finish(&store, &take(&store, at(60)).await).await;
    assert_eq!(store.thin(&kept(Some(at(50)), None)).await.unwrap(), 1);
    assert!(store.patch(&old).await.unwrap().is_none());
    assert!(store.patch(&new).await.unwrap().is_some());
    let spent = async || {
        let whose = accounts(1, 2, 3);
        store.spent(gander::core::budget::Payer::Repository, &whose, Timestamp(0)).await.unwrap()
    };
    assert_eq!(spent().await, cents(21), "the ledger goes by its own time");
    assert_eq!(store.thin(&kept(None, Some(at(50)))).await.unwrap(), 2);
    assert_eq!(spent().await, cents(7));
    assert_eq!(chain(&store).await, Ok((3, 0)), "the audit log is kept");
}

pub(super) async fn a_forgotten_repository_leaves_nothing_and_the_audit_log_still_holds(
    memory: Memory,
) {
    let store = memory.open().await;
    let audit = vec![said("opened", 1)];
    commit(&store, &Commit { audit, ..full_commit() }).await.unwrap();
    let other = Job { repo: repo(RepoId(12)), ..done(&job(2, 7)) };
    let audit = vec![said("opened", 12)];
    commit(&store, &Commit { job: Some(Write::New(other)), audit, ..Commit::default() })
        .await
        .unwrap();
    let mut known = store.repositories().await.unwrap();
    known.sort_by_key(|it| it.repo_id.0);
    assert_eq!(known, [repo(RepoId(1)), repo(RepoId(12))]);

    let forget = said("forgot a repository", 1);
    let forget = AuditEntry { repo: None, ..forget };
    let refused = store.forget_repository(RepoId(1), &forget, at(9)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "a job is not over: {refused:?}");
    let stored = store.job(&job_id(1)).await.unwrap().unwrap();
    write(&store, Write::Change(done(&stored.machine), stored.version)).await.unwrap();
    let gone = store.forget_repository(RepoId(1), &forget, at(9)).await.unwrap();
    assert_eq!(gone, [job_id(1).to_string()]);
    super::nothing_of_a_full_commit(&store).await;
    assert!(store.jobs_on(RepoId(1), Number(7)).await.unwrap().is_empty());
    assert_eq!(store.queue_length().await.unwrap(), 0);
    assert!(store.patch(&digest()).await.unwrap().is_none());
    assert!(store.job(&job_id(2)).await.unwrap().is_some(), "that of others stays");
    assert_eq!(chain(&store).await, Ok((3, 1)));
    let rows = store.audit_rows(0, 9).await.unwrap();
    assert!(rows[0].body.is_none() && rows[0].repo.is_none() && rows[1].body.is_some());
    // The same act may be answered anew.
    commit(&store, &full_commit()).await.unwrap();
}

pub(super) async fn the_log_is_read_on_from_where_it_was_left(memory: Memory) {
    let store = memory.open().await;
    for n in 1..=3 {
        let log = Some(format!("line {n}"));
        let job = Some(Write::New(job(n, n)));
        commit(&store, &Commit { job, log, ..Commit::default() }).await.unwrap();
    }
    let all = store.log_lines(LogPlace::After(0), None).await.unwrap();
    assert_eq!(all.len(), 3);
    let last = store.log_lines(LogPlace::Last(2), None).await.unwrap();
    assert_eq!(last, all[1..]);
    let rest = store.log_lines(LogPlace::After(all[1].number), None).await.unwrap();
    assert_eq!(rest, all[2..]);
    let of_one = store.log_lines(LogPlace::Last(9), Some(&job_id(2))).await.unwrap();
    assert_eq!(of_one, all[1..2]);
}
