//! What every store promises about releases.

use gander::core::id::{CommentId, ReleaseId};
use gander::core::release::{Release, ReleaseEnding, ReleaseOrder, ReleaseStage, ReleaseStep};
use gander::store::{StoreError, Stored, Write};

use super::*;

fn id(n: u64) -> ReleaseId {
    ReleaseId::of_trigger(&n.to_string())
}

fn release(n: u64, base: &str) -> Release {
    let order = ReleaseOrder {
        by_id: UserId(2),
        login: "mona".parse().unwrap(),
        at: at(0),
        comment_id: Some(CommentId(n)),
        bump: Some("minor".parse().unwrap()),
        on_merge: false,
        package: None,
    };
    Release::new(id(n), repo(RepoId(1)), Number(n), base.parse().unwrap(), order)
}

fn live(release: &Release) -> Release {
    Release { stage: ReleaseStage::Proposed, pull: Some(super::pull(12)), ..release.clone() }
}

fn over(release: &Release) -> Release {
    let ending = ReleaseEnding::Closed { by: None };
    Release { stage: ReleaseStage::Done(ending), ..release.clone() }
}

async fn write(store: &Opened, release: Write<Release>) -> Result<(), StoreError> {
    commit(store, &Commit { release: Some(release), ..Commit::default() }).await
}

fn names(stored: &[Stored<Release>]) -> Vec<&ReleaseId> {
    stored.iter().map(|stored| &stored.machine.id).collect()
}

pub(super) async fn one_release_is_under_way_on_a_branch_and_one_may_wait(memory: Memory) {
    let store = memory.open().await;
    let (first, second) = (release(1, "main"), release(2, "main"));
    write(&store, Write::New(first.clone())).await.unwrap();
    conflict(write(&store, Write::New(second.clone())).await);
    write(&store, Write::Change(live(&first), 1)).await.unwrap();
    write(&store, Write::New(second.clone())).await.expect("one may wait");
    conflict(write(&store, Write::Change(live(&second), 1)).await);
    write(&store, Write::New(live(&release(3, "develop")))).await.expect("another branch");
    let mut package = live(&release(5, "main"));
    package.order.package = Some("core".into());
    write(&store, Write::New(package.clone())).await.expect("a package beside it");
    package.id = id(6);
    conflict(write(&store, Write::New(package)).await);
    let elsewhere = Release { repo: repo(RepoId(2)), ..live(&release(4, "main")) };
    write(&store, Write::New(elsewhere)).await.expect("another repository");
    let open = store.open_releases(Some(RepoId(1))).await.unwrap();
    assert_eq!(names(&open), [&id(1), &id(2), &id(3), &id(5)]);
    let everywhere = store.open_releases(None).await.unwrap();
    assert_eq!(names(&everywhere), [&id(1), &id(2), &id(3), &id(5), &id(4)]);
    write(&store, Write::Change(over(&first), 2)).await.unwrap();
    write(&store, Write::Change(live(&second), 1)).await.expect("its turn came");
    let open = store.open_releases(Some(RepoId(1))).await.unwrap();
    assert_eq!(names(&open), [&id(2), &id(3), &id(5)]);
}

pub(super) async fn a_release_changes_from_the_version_that_was_read(memory: Memory) {
    let store = memory.open().await;
    conflict(write(&store, Write::Change(release(1, "main"), 1)).await);
    write(&store, Write::New(release(1, "main"))).await.unwrap();
    already_done(write(&store, Write::New(release(1, "main"))).await);
    let read = store.release(&id(1)).await.unwrap().unwrap();
    assert_eq!(read.machine, release(1, "main"));
    write(&store, Write::Change(live(&read.machine), read.version)).await.unwrap();
    conflict(write(&store, Write::Change(over(&read.machine), read.version)).await);
    let again = store.release(&id(1)).await.unwrap().unwrap();
    assert!(again.version > read.version);
    assert_eq!(again.machine, live(&read.machine));
    assert_eq!(store.release(&id(9)).await.unwrap(), None);
}

pub(super) async fn a_release_is_found_by_its_pull_request_and_the_newest_come_first(
    memory: Memory,
) {
    let store = memory.open().await;
    for n in 1..=3 {
        write(&store, Write::New(over(&live(&release(n, "main"))))).await.unwrap();
    }
    let pull = super::pull(40);
    let other = Release { pull: Some(pull), ..over(&release(4, "main")) };
    write(&store, Write::New(other)).await.unwrap();
    let of = |number| store.release_of_pull(RepoId(1), Number(number));
    assert_eq!(of(12).await.unwrap().unwrap().machine.id, id(3), "the newest");
    assert_eq!(of(40).await.unwrap().unwrap().machine.id, id(4));
    assert_eq!(of(41).await.unwrap(), None);
    let last = store.last_releases(RepoId(1), 2).await.unwrap();
    assert_eq!(names(&last), [&id(4), &id(3)]);
    assert!(store.last_releases(RepoId(2), 2).await.unwrap().is_empty());
    assert!(store.open_releases(Some(RepoId(1))).await.unwrap().is_empty());
}

pub(super) async fn what_a_release_learns_is_written_with_its_next_tasks_or_not_at_all(
    memory: Memory,
) {
    let store = memory.open().await;
    let task = |step| Task::Release { release_id: id(1), step };
    let made = Commit {
        once: Some("1/comment/1".into()),
        release: Some(Write::New(release(1, "main"))),
        tasks: vec![task(ReleaseStep::Look), task(ReleaseStep::Look)],
        log: Some("ordered".into()),
        ..Commit::default()
    };
    commit(&store, &made).await.unwrap();
    let line = LogLine { at: at(0), text: "ordered".into() };
    assert_eq!(store.release_log(&id(1)).await.unwrap(), [line]);
    assert_eq!(store.queue_length().await.unwrap(), 1, "looking twice is looking once");

    let stale = Commit {
        release: Some(Write::Change(live(&release(1, "main")), 7)),
        tasks: vec![task(ReleaseStep::Dispatch { attempt: 1 })],
        log: Some("never".into()),
        ..Commit::default()
    };
    conflict(commit(&store, &stale).await);
    assert_eq!(store.queue_length().await.unwrap(), 1);
    assert_eq!(store.release_log(&id(1)).await.unwrap().len(), 1);
    assert_eq!(store.release(&id(1)).await.unwrap().unwrap().machine, release(1, "main"));

    // A commit that names no release writes to the log of the one whose task it was.
    let claim = take(&store, at(1)).await;
    let commit = Commit { log: Some("looked".into()), ..Commit::default() };
    store.commit(&claim.lease, &commit, at(1)).await.unwrap();
    assert_eq!(store.release_log(&id(1)).await.unwrap().len(), 2);
}

/// The release that `filled_0002.sql` holds.
pub(super) async fn none_was_lost(store: &Opened) {
    let stored = store.release(&"rrrrssssttt2".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.version, 3);
    assert_eq!(stored.machine.stage, ReleaseStage::Proposed);
    assert_eq!(stored.machine.plan.as_ref().unwrap().tag, "v1.2.0");
    let of_pull = store.release_of_pull(RepoId(1), Number(12)).await.unwrap();
    assert_eq!(of_pull.as_ref(), Some(&stored));
    assert_eq!(store.open_releases(Some(RepoId(1))).await.unwrap(), std::slice::from_ref(&stored));
    assert_eq!(store.release_log(&stored.machine.id).await.unwrap().len(), 1);
}
