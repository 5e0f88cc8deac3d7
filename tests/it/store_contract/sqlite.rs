//! What only the SQLite store promises: its file, its limits and its migrations.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gander::core::budget::{Money, Payer};
use gander::core::delivery::{Content, Delivery, Payload};
use gander::core::evidence::Evidence;
use gander::core::id::{DeliveryId, JobId, Number, RepoId, Sha, Timestamp};
use gander::core::job::{Base, Job, JobStage, JobStep, Prepared, Proposal, ProposedChange};
use gander::core::policy::Rules;
use gander::core::task::{CommandReply, Sweep, Task};
use gander::store::{Accepted, Commit, JobQuery, Sqlite, Store, StoreError, Write};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::process::{another_process, memory};
use super::{
    Opened, Opening, accounts, at, delivery, delivery_id, finish, job, live, payload, step_of, take,
};

pub(crate) fn open(directory: PathBuf) -> Opening {
    Box::pin(async move { Arc::new(Sqlite::open(&file(&directory)).await.unwrap()) as Opened })
}

fn file(directory: &Path) -> PathBuf {
    directory.join("gander.db")
}

/// The file behind the store's back.
pub(super) async fn raw(directory: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file(directory)).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn unavailable<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn only_its_owner_can_read_the_file_its_log_and_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("var/gander");
    let store = Sqlite::open(&file(&deep)).await.unwrap();
    store.accept(&delivery(1), true, at(0)).await.unwrap();
    for (name, mode) in [("", 0o700), ("gander.db", 0o600), ("gander.db-wal", 0o600)] {
        let metadata = std::fs::metadata(deep.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name:?}");
    }
}

#[tokio::test]
async fn closing_leaves_one_file_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&file(directory.path())).await.unwrap();
    store.ping().await.unwrap();
    store.accept(&delivery(1), true, at(0)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);

    unavailable(store.accept(&delivery(2), true, at(0)).await);
    unavailable(store.queue_length().await);
    unavailable(store.ping().await);
    unavailable(store.close().await);
    let store = Sqlite::open(&file(directory.path())).await.unwrap();
    assert_eq!(store.accept(&delivery(1), true, at(0)).await.unwrap(), Accepted::Known);
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path());
    std::fs::write(&path, "this is a letter, not a database. ".repeat(100)).unwrap();
    let outcome = Sqlite::open(&path).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt { what: "its file", .. })), "{outcome:?}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"));

    unavailable(Sqlite::open(&path.join("below/a/file")).await);
}

#[tokio::test]
async fn a_database_that_another_process_keeps_locked_is_unavailable_until_it_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&file(directory.path())).await.unwrap();
    let mut other = raw(directory.path()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (first, second) = (delivery(1), delivery(2));
    let (first, second, ping) = tokio::join!(
        store.accept(&first, true, at(0)),
        store.accept(&second, true, at(0)),
        store.ping(),
    );
    unavailable(first);
    unavailable(second);
    unavailable(ping);
    assert_eq!(store.queue_length().await.unwrap(), 0, "reading goes on");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(store.accept(&delivery(1), true, at(0)).await.unwrap(), Accepted::New);
}

#[tokio::test]
async fn on_a_full_disk_nothing_acknowledged_is_lost_and_work_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let test = "only_sqlite::accepts_until_the_disk_is_full";
    let output = another_process(test, directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged: Vec<DeliveryId> = said.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(acknowledged.len() > 10, "{said}");

    let store = Sqlite::open(&file(directory.path())).await.unwrap();
    assert_eq!(store.known(&acknowledged).await.unwrap(), acknowledged);
    assert_eq!(store.queue_length().await.unwrap(), acknowledged.len() as u64, "and no more");
}

#[tokio::test]
#[ignore = "the other process of a story"]
async fn accepts_until_the_disk_is_full() {
    let Some(memory) = memory() else { return };
    let store = Sqlite::open(&file(&memory)).await.unwrap();
    let unlimited = getrlimit(Resource::Fsize);
    let full = Rlimit { current: Some(800_000), ..unlimited };
    setrlimit(Resource::Fsize, full).unwrap();

    // One that finds no room does not take those with it that came at the same moment.
    let huge = Payload { git_ref: Some("x".repeat(1_000_000)), ..payload(0) };
    let huge = Delivery { content: Content::Kept(Box::new(huge)), ..delivery(0) };
    let (one, other) = (delivery(1), delivery(2));
    let (before, refused, after) = tokio::join!(
        store.accept(&one, true, at(0)),
        store.accept(&huge, true, at(0)),
        store.accept(&other, true, at(0)),
    );
    unavailable(refused);
    assert_eq!((before.unwrap(), after.unwrap()), (Accepted::New, Accepted::New));
    println!("{}\n{}", one.id, other.id);

    let mut next = 3;
    loop {
        let some: Vec<_> = (next..next + 4).map(delivery).collect();
        let answers = some.iter().map(|delivery| store.accept(delivery, true, at(0)));
        let answers = futures_util::future::join_all(answers).await;
        let mut refused = 0;
        for (delivery, answer) in some.iter().zip(answers) {
            match answer {
                Ok(_) => println!("{}", delivery.id),
                Err(StoreError::Unavailable(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        next += 4;
        if refused == 4 {
            break;
        }
    }
    // The last pages are used up by the smallest write there is.
    let mut smallest = store.ping().await;
    for _ in 0..100 {
        smallest = store.ping().await;
    }
    unavailable(smallest);
    unavailable(store.claim(at(0)).await);
    assert_eq!(store.known(&[delivery_id(next - 1)]).await.unwrap(), []);
    setrlimit(Resource::Fsize, unlimited).unwrap();
    let again = delivery(next - 1);
    assert_eq!(store.accept(&again, true, at(0)).await.unwrap(), Accepted::New);
    println!("{}", again.id);
}

#[tokio::test]
async fn a_task_that_cannot_be_read_does_not_stop_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path().to_owned()).await;
    store.enqueue(&step_of(1, JobStep::Prepare), at(0)).await.unwrap();
    store.enqueue(&step_of(2, JobStep::Prepare), at(0)).await.unwrap();
    let mut other = raw(directory.path()).await;
    sqlx::query("UPDATE work SET task = '{}' WHERE id = 1").execute(&mut other).await.unwrap();
    let outcome = store.claim(at(0)).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt { what: "a task", .. })), "{outcome:?}");
    assert_eq!(take(&store, at(0)).await.task, step_of(2, JobStep::Prepare));
    assert!(store.claim(at(0)).await.unwrap().is_none());
}

// ---- migrations ----

/// As SQLx itself reads them, and not as the store lists them.
pub(super) async fn migrations() -> Migrator {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    Migrator::new(directory).await.unwrap()
}

/// For each migration, rows as that version wrote them. When you add a migration, add a file
/// with rows for the tables as they stand after it, and leave the older files as they are.
const FILLED: &[(i64, &str)] = &[
    (1, include_str!("filled_0001.sql")),
    (2, include_str!("filled_0002.sql")),
    (3, include_str!("filled_0003.sql")),
    (4, include_str!("filled_0004.sql")),
    (5, include_str!("filled_0005.sql")),
    (6, include_str!("filled_0006.sql")),
    (7, include_str!("filled_0007.sql")),
    (8, include_str!("filled_0008.sql")),
    (9, include_str!("filled_0009.sql")),
    (10, include_str!("filled_0010.sql")),
    (11, include_str!("filled_0011.sql")),
];

#[tokio::test]
async fn a_database_filled_by_any_former_version_is_brought_up_to_date() {
    let migrations = migrations().await;
    let newest = migrations.iter().map(|migration| migration.version).max();
    let filled = FILLED.last().map(|(version, _)| *version);
    assert_eq!(filled, newest, "the newest migration has no filled_NNNN.sql yet");
    for (version, rows) in FILLED {
        let directory = tempfile::tempdir().unwrap();
        let mut old = raw(directory.path()).await;
        migrations.run_to(*version, &mut old).await.unwrap();
        sqlx::raw_sql(*rows).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
        let store = open(directory.path().to_owned()).await;
        if *version >= 2 {
            super::releases::none_was_lost(&store).await;
        }
        if *version >= 4 {
            let swept = store.last_swept(Sweep::MissedDeliveries).await.unwrap();
            assert_eq!(swept, Some(Timestamp(1_700_000_000_000)));
        }
        if *version >= 10 {
            let rows = store.audit_rows(0, 9).await.unwrap();
            assert!(rows[0].body.is_some() && rows[1].body.is_none(), "{rows:?}");
            assert_eq!(store.audit_head().await.unwrap(), rows[1].head());
        }
        nothing_was_lost(&store).await;
    }
}

/// Before the third migration a job named its repository `place`, and held apart what it now
/// holds together.
#[tokio::test]
async fn a_job_of_the_second_version_keeps_its_rules_its_change_and_what_was_found_out() {
    let (base, patch): (Sha, _) = ("a".repeat(40).parse().unwrap(), "b".repeat(64));
    let evidence = Evidence {
        base: base.clone(),
        patch: patch.parse().unwrap(),
        checks: vec![],
        packages: vec![],
        tools: vec![],
        proof: None,
        blocked_by: Vec::new(),
        oversize: Vec::new(),
    };
    let proposal = Proposal {
        area: None,
        reading: Vec::new(),
        patch: patch.parse().unwrap(),
        summary: "stop at the last element".into(),
        flags: vec!["touches a workflow".into()],
        size: (1, 2, 3),
        answers: vec![],
        no_test: None,
    };
    let prepared = Prepared {
        base: Base { branch: "develop".parse().unwrap(), sha: base },
        rules: Rules::parse("[limits]\nrounds = 7").unwrap(),
        budget: Money::from_micros(2_500_000),
        estimate: None,
        others_pull: None,
        reverts: None,
        conventions: Box::default(),
    };
    let known = Job {
        prepared: Some(prepared),
        change: Some(ProposedChange { proposal, evidence: Some(evidence), opinion: None }),
        ..live(&job(1, 7))
    };
    let reply = CommandReply {
        repo: known.repo.clone(),
        number: Number(7),
        comment_id: None,
        thread_comment_id: None,
        key: "1/7".into(),
        text: "no".into(),
    };
    let mut former = serde_json::to_value(&known).unwrap();
    let mut task = serde_json::to_value(Task::Reply(Box::new(reply.clone()))).unwrap();
    {
        let state = former.as_object_mut().unwrap();
        let repo = state.remove("repo").unwrap();
        state.insert("place".into(), repo.clone());
        for together in ["prepared", "change"] {
            let serde_json::Value::Object(parts) = state.remove(together).unwrap() else {
                panic!("{together} is no object")
            };
            state.extend(parts);
        }
        let reply = task["reply"].as_object_mut().unwrap();
        reply.remove("repo");
        reply.insert("place".into(), repo);
    }

    let directory = tempfile::tempdir().unwrap();
    let mut old = raw(directory.path()).await;
    migrations().await.run_to(2, &mut old).await.unwrap();
    sqlx::query(
        "INSERT INTO jobs (id, repo, number, live, state, version, created, updated)
         VALUES (?, 1, 7, 1, ?, 1, 0, 0)",
    )
    .bind(known.id.to_string())
    .bind(former.to_string())
    .execute(&mut old)
    .await
    .unwrap();
    sqlx::query("INSERT INTO work (lane, task, due) VALUES ('reply:1/7', ?, 0)")
        .bind(task.to_string())
        .execute(&mut old)
        .await
        .unwrap();
    old.close().await.unwrap();

    let store = open(directory.path().to_owned()).await;
    assert_eq!(store.job(&known.id).await.unwrap().unwrap().machine, known);
    assert_eq!(take(&store, at(0)).await.task, Task::Reply(Box::new(reply)));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut newer = raw(directory.path()).await;
    migrations().await.run(&mut newer).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut newer)
    .await
    .unwrap();
    newer.close().await.unwrap();
    let outcome = Sqlite::open(&file(directory.path())).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt { .. })), "{outcome:?}");
}

/// Reads everything that each `filled_NNNN.sql` holds.
pub(super) async fn nothing_was_lost(store: &Opened) {
    let now = Timestamp(1_700_000_010_000);
    let ids: [DeliveryId; 2] =
        ["8", "9"].map(|end| format!("72d3162e-cc78-11e3-81ab-4c9367dc095{end}").parse().unwrap());
    assert_eq!(store.known(&ids).await.unwrap(), ids);

    let job: JobId = "aaaabbbbcccc".parse().unwrap();
    let stored = store.job(&job).await.unwrap().unwrap();
    assert_eq!(stored.machine.stage, JobStage::Fixing { round: 1, attempt: 2 });
    assert_eq!(store.jobs_on(RepoId(1), Number(7)).await.unwrap(), std::slice::from_ref(&stored));
    assert_eq!(store.log(&job).await.unwrap().len(), 1);
    let open = store.list_jobs(&JobQuery::NotOver, 9).await.unwrap();
    assert_eq!(open.iter().map(|it| &it.stored).collect::<Vec<_>>(), [&stored]);
    assert_eq!(store.figures(now, now).await.unwrap().jobs, [("fixing".to_owned(), 1)]);
    let spent = store.spent(Payer::Repository, &accounts(1, 0, 0), Timestamp(0)).await.unwrap();
    assert_eq!(spent, Money::from_micros(250_000));
    let digest = "d".repeat(64).parse().unwrap();
    assert_eq!(store.patch(&digest).await.unwrap().unwrap(), b"---");

    // The first task of the lane was being worked on when the old version stopped.
    let sweep = take(store, now).await;
    assert_eq!(sweep.task, Task::Sweep(Sweep::OldRows));
    assert!(store.claim(now).await.unwrap().is_none());
    let first = take(store, Timestamp(1_700_000_020_000)).await;
    assert!(matches!(first.task, Task::Delivery { .. }));
    assert_eq!((first.tries, first.lease.fence), (1, 2));
    finish(store, &first).await;
    let next = take(store, now).await;
    assert_eq!(next.task, Task::NextOn { repo_id: RepoId(1), number: Number(7) });

    let answered = Commit { once: Some("1/comment/9".into()), ..Commit::default() };
    let refused = store.commit(&next.lease, &answered, now).await;
    assert!(matches!(refused, Err(StoreError::AlreadyDone)), "{refused:?}");
    let change = Write::Change(stored.machine, stored.version);
    let change = Commit { job: Some(change), ..Commit::default() };
    store.commit(&next.lease, &change, now).await.unwrap();
}
