//! What only the PostgreSQL store promises: which servers and databases it takes, and what it is like
//! when they are away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gander::clock::Clock;
use gander::store::{Accepted, Commit, LEASE_SECONDS, Postgres, Store, StoreError};
use sqlx::Connection;

use super::{Opened, Opening, Timestamp, at, commit, delivery, step_of, take};
use crate::postgres_server::shared;

/// The schema that belongs to this directory, made where there is none yet: the other process of a
/// story finds it there.
pub(crate) fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let address = address_in(&directory).await;
        Arc::new(Postgres::open(&address, &Clock::system()).await.unwrap()) as Opened
    })
}

async fn address_in(directory: &Path) -> String {
    let kept = directory.join("address");
    match std::fs::read_to_string(&kept) {
        Ok(address) => address,
        Err(_) => {
            let address = shared().schema().await;
            std::fs::write(kept, &address).unwrap();
            address
        }
    }
}

async fn opened(address: &str) -> Result<Postgres, StoreError> {
    Postgres::open(address, &Clock::system()).await
}

async fn refusal(address: &str) -> String {
    match opened(address).await.unwrap_err() {
        StoreError::Unsuitable(why) => why,
        StoreError::Unavailable(why) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_said_with_the_next_step() {
    let server = shared();
    server.does("CREATE DATABASE foreign_tables".to_owned()).await;
    let mut owner = server.owner("foreign_tables").await;
    sqlx::raw_sql("CREATE TABLE invoices (id int); CREATE TABLE orders (id int)")
        .execute(&mut owner)
        .await
        .unwrap();
    server.does("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0".to_owned()).await;
    server.does("CREATE ROLE guest LOGIN".to_owned()).await;
    let unreachable = "postgres://gander@127.0.0.1:1/gander";
    for (address, told, next) in [
        (unreachable.to_owned(), "PostgreSQL at 127.0.0.1:1 cannot be reached", "Start it"),
        (
            "postgres://gander@localhost/gander?host=/nowhere".to_owned(),
            "PostgreSQL at the socket in /nowhere cannot be reached",
            "correct `database`",
        ),
        (server.address("nobody", "postgres"), "does not let the user \"nobody\" in", "Correct"),
        (server.address("guest", "absent"), "has no database \"absent\"", "createdb --owner=guest"),
        (server.address("guest", "postgres"), "may not make tables", "GRANT CREATE, USAGE"),
        (
            server.address("postgres", "foreign_tables"),
            "holds something else (invoices, orders)",
            "give Gander one of its own",
        ),
        (server.address("postgres", "latin"), "is encoded as LATIN1", "createdb"),
    ] {
        let said = refusal(&address).await;
        assert!(said.contains(told) && said.contains(next), "{address}: {said}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let server = shared();
    server.does("CREATE DATABASE newer".to_owned()).await;
    let address = server.address("postgres", "newer");
    opened(&address).await.unwrap().close().await.unwrap();
    let mut owner = server.owner("newer").await;
    let step =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, '\\x00', 0)";
    sqlx::raw_sql(step).execute(&mut owner).await.unwrap();
    let said = refusal(&address).await;
    assert!(said.contains("of a newer version of Gander (step 9999)"), "{said}");
}

#[tokio::test]
async fn tables_that_belong_to_somebody_else_are_named() {
    let server = shared();
    server.does("CREATE DATABASE others_tables".to_owned()).await;
    let address = server.address("postgres", "others_tables");
    opened(&address).await.unwrap().close().await.unwrap();
    let mut owner = server.owner("others_tables").await;
    let guest = "CREATE ROLE visitor LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO visitor;
         GRANT SELECT, INSERT ON _sqlx_migrations TO visitor";
    sqlx::raw_sql(guest).execute(&mut owner).await.unwrap();
    let said = refusal(&server.address("visitor", "others_tables")).await;
    assert!(
        said.contains(
            "may not read and write _sqlx_migrations, acts, audit, audit_head, check_results"
        ),
        "{said}"
    );
}

#[tokio::test]
async fn a_closed_store_says_that_it_is_closed() {
    let store = opened(&shared().schema().await).await.unwrap();
    store.accept(&delivery(1), true, at(0)).await.unwrap();
    store.ping().await.unwrap();
    store.close().await.unwrap();
    for asked in [store.claim(at(0)).await.map(drop), store.ping().await, store.close().await] {
        assert!(matches!(asked, Err(StoreError::Unavailable(_))), "{asked:?}");
    }
}

#[tokio::test]
async fn a_text_with_a_character_that_is_not_stored_is_kept_but_for_that() {
    let store: Opened = Arc::new(opened(&shared().schema().await).await.unwrap());
    let odd = Commit {
        log: Some("a\0b".into()),
        job: Some(gander::store::Write::New(super::job(1, 7))),
        ..Commit::default()
    };
    commit(&store, &odd).await.unwrap();
    assert_eq!(store.log(&super::job_id(1)).await.unwrap()[0].text, "a\u{fffd}b");
}

/// A machine whose clock runs a day ahead holds a task, and would take over another's at once.
#[tokio::test]
async fn no_moment_counts_that_the_databases_clock_has_not_reached() {
    let address = shared().schema().await;
    let [store, ahead] = [opened(&address).await.unwrap(), opened(&address).await.unwrap()];
    let now = || store.clock().steady();
    let a_day_later = || now().plus_seconds(24 * 60 * 60);
    store.enqueue(&step_of(1, super::JobStep::Prepare), now()).await.unwrap();
    let held = store.claim(now()).await.unwrap().unwrap();
    assert!(ahead.claim(a_day_later()).await.unwrap().is_none(), "nothing is taken over early");
    ahead.enqueue(&step_of(2, super::JobStep::Prepare), now().plus_seconds(60)).await.unwrap();
    assert!(ahead.claim(a_day_later()).await.unwrap().is_none(), "nor before it is due");
    // What it holds, it holds for a lease and no longer.
    store.hand_back(&held.lease).await.unwrap();
    ahead.claim(a_day_later()).await.unwrap().unwrap();
    let mut owner = sqlx::PgConnection::connect(&address).await.unwrap();
    let until: i64 = sqlx::query_scalar("SELECT max(lease_until) FROM work")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert!(until <= now().plus_seconds(LEASE_SECONDS).0, "{until}");
}

/// This machine's own clock lags by an hour, and its leases hold all the same.
#[tokio::test]
async fn a_machine_with_a_wrong_clock_works_by_the_databases() {
    let address = shared().schema().await;
    let right = Clock::system();
    let lagging = {
        let right = right.clone();
        Clock::from_fn(move || right.steady().plus_seconds(-3600))
    };
    let store = Postgres::open(&address, &lagging).await.unwrap();
    let (told, expected) = (store.clock().steady().0, right.steady().0);
    assert!((told - expected).abs() < 1000, "{told} {expected}");
    assert!(store.clock().now().0 < expected - 3_500_000, "what people are shown is its own");
}

#[tokio::test]
async fn what_one_machine_queues_wakes_the_others() {
    let address = shared().schema().await;
    let [here, there] = [opened(&address).await.unwrap(), opened(&address).await.unwrap()];
    let patience = std::time::Duration::from_secs(10);
    // The first word of a listener is its own: look, for something may have been missed.
    tokio::time::timeout(patience, there.news()).await.unwrap();
    let mut heard = false;
    for n in 0..20 {
        here.enqueue(&step_of(n, super::JobStep::Prepare), Timestamp(0)).await.unwrap();
        let second = std::time::Duration::from_millis(500);
        heard |= tokio::time::timeout(second, there.news()).await.is_ok();
        if heard {
            break;
        }
    }
    assert!(heard);
}

#[tokio::test]
async fn a_task_that_cannot_be_read_does_not_stop_the_others() {
    let address = shared().schema().await;
    let store: Opened = Arc::new(opened(&address).await.unwrap());
    store.enqueue(&step_of(1, super::JobStep::Prepare), at(0)).await.unwrap();
    store.enqueue(&step_of(2, super::JobStep::Prepare), at(0)).await.unwrap();
    let mut owner = sqlx::PgConnection::connect(&address).await.unwrap();
    sqlx::query("UPDATE work SET task = '{}' WHERE id = 1").execute(&mut owner).await.unwrap();
    let outcome = store.claim(at(0)).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt { what: "a task", .. })), "{outcome:?}");
    assert_eq!(take(&store, at(0)).await.task, step_of(2, super::JobStep::Prepare));
    assert!(store.claim(at(0)).await.unwrap().is_none());
}

/// Two that change one lane at the same moment: whatever the order, one head is left, and none of it
/// waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_many_change_at_once_always_has_one_head() {
    let address = shared().schema().await;
    let store: Opened = Arc::new(opened(&address).await.unwrap());
    let adding = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..25 {
                store.enqueue(&step_of(1, super::JobStep::Prepare), at(0)).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    let adding: Vec<_> = adding.collect();
    let mut done = 0;
    while done < 200 {
        if let Some(claim) = store.claim(at(1)).await.unwrap() {
            super::finish(&store, &claim).await;
            done += 1;
        } else if adding.iter().all(tokio::task::JoinHandle::is_finished) {
            assert_eq!(store.queue_length().await.unwrap(), 0, "after {done}");
        }
    }
    assert_eq!(store.accept(&delivery(1), true, at(0)).await.unwrap(), Accepted::New);
}
