//! A live installation goes on with PostgreSQL: all of it, or nothing.

use std::path::Path;
use std::process::Command;

use gander::clock::Clock;
use gander::core::id::{Number, RepoId};
use gander::store::{Postgres, Sqlite, Store};
use sqlx::Connection;

use super::only_sqlite::{migrations, nothing_was_lost, raw};
use super::{Opened, accept_at_once, at, delivery, delivery_id, new_ones};
use crate::postgres_server::shared;
use crate::program::{gander, said};

/// A SQLite file as the newest version fills it, with a row in each table.
async fn filled(directory: &Path) {
    let mut file = raw(directory).await;
    migrations().await.run(&mut file).await.unwrap();
    sqlx::raw_sql(include_str!("filled_0011.sql")).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
}

fn moving(directory: &Path, address: &str) -> Command {
    let mut command = gander();
    command.args(["db", "move"]).arg(directory.join("gander.db")).arg(address);
    command
}

/// Refused in these words; what is logged stands before them.
fn refused(command: &mut Command, words: &str) {
    let output = command.output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("gander: ") && told.contains(words), "{told}");
}

/// An empty database.
async fn database(name: &str) -> String {
    shared().does(format!("CREATE DATABASE {name}")).await;
    shared().address("postgres", name)
}

async fn opened(address: &str) -> Opened {
    std::sync::Arc::new(Postgres::open(address, &Clock::system()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_with_all_that_it_remembers() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let sqlite: Opened =
        std::sync::Arc::new(Sqlite::open(&directory.path().join("gander.db")).await.unwrap());
    // More than is written in one statement.
    let many: Vec<_> = (1000..2200).map(delivery).collect();
    let mut unqueued = Vec::new();
    for delivery in &many {
        unqueued.push(sqlite.accept(delivery, false, at(0)).await.unwrap());
    }
    assert_eq!(new_ones(&unqueued), 1200);
    sqlite.close().await.unwrap();
    let before = std::fs::read(directory.path().join("gander.db")).unwrap().len();

    let address = database("moved_to").await;
    let output = moving(directory.path(), &address).output().unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1202  deliveries") && told.contains("1  releases"), "{told}");
    assert!(told.contains(&format!("database = \"{address}\"")), "{told}");
    let store = opened(&address).await;
    super::releases::none_was_lost(&store).await;
    nothing_was_lost(&store).await;
    let threads = store.slack_threads(RepoId(1), Number(7)).await.unwrap();
    assert_eq!(threads, ["thread/C0WIDGETS/1700000000.000001"]);
    assert!(store.slack(&threads[0], at(0)).await.unwrap().is_some());
    let known: Vec<_> = (1000..2200).map(delivery_id).collect();
    assert_eq!(store.known(&known).await.unwrap(), known);
    // It goes on: what comes gets numbers that nothing had.
    let answers = accept_at_once(&store, vec![delivery(1000), delivery(5000)]).await;
    assert_eq!(new_ones(&answers), 1);
    let after = std::fs::read(directory.path().join("gander.db")).unwrap().len();
    assert_eq!(before, after, "the file stays as it was");
    refused(&mut moving(directory.path(), &address), "there is something in it already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_moved_whole_is_not_moved_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let address = database("not_moved_to").await;
    refused(&mut moving(directory.path(), &address), "there is no file");
    filled(directory.path()).await;
    refused(&mut moving(directory.path(), "mysql://g@h/d"), "GANDER_DATABASE cannot be used");

    // A server that runs holds the file.
    let running = Sqlite::open(&directory.path().join("gander.db")).await.unwrap();
    running.ping().await.unwrap();
    refused(&mut moving(directory.path(), &address), "another process has");
    running.close().await.unwrap();
    let lock = gander::app::lock(directory.path()).unwrap();
    refused(&mut moving(directory.path(), &address), "another Gander works with");
    // Said aloud: a process that begins at this moment holds what is only closed.
    lock.unlock().unwrap();
    drop(lock);

    // The jobs come after the queue, so that something is written before it fails.
    let mut file = raw(directory.path()).await;
    let spoilt = "UPDATE jobs SET state = replace(state, '\"stage\"', '\"stag\"')";
    sqlx::raw_sql(spoilt).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    refused(&mut moving(directory.path(), &address), "something unreadable in a job");
    let store = opened(&address).await;
    assert_eq!(store.queue_length().await.unwrap(), 0);
    store.close().await.unwrap();

    let mut file = raw(directory.path()).await;
    let mended = "UPDATE jobs SET state = replace(state, '\"stag\"', '\"stage\"')";
    sqlx::raw_sql(mended).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    let output = moving(directory.path(), &address).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    nothing_was_lost(&opened(&address).await).await;
}
