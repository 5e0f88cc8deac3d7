//! Whoever runs the server, by command beside it.

#![allow(clippy::disallowed_methods)] // starts the program

use std::process::{Command, Stdio};

use gander::core::job::{JobEnding, JobStage};
use gander::store::JobQuery;
use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::postgres_server::shared;
use crate::program::{fails_saying, gander, said};
use crate::world::{World, good_fix, off_by_one, owned};

fn beside(w: &World, words: &[&str]) -> Command {
    let mut command = gander();
    command.args(words).env("GANDER_DATA", w.data());
    command
}

/// What it says, all being well.
fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The same of one that waits for the server to do something.
async fn told_while_it_works(w: &World, words: &[&str]) -> String {
    let mut command = beside(w, words);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while process.try_wait().unwrap().is_none() {
        w.minutes_pass(1);
        while w.step().await {}
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

async fn only_job(w: &World) -> gander::core::job::Job {
    let mut jobs = w.store.list_jobs(&JobQuery::All, 9).await.unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0).stored.machine
}

#[tokio::test]
async fn an_operator_sees_stops_and_repeats_a_job_beside_the_running_server() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    assert!(told(&mut beside(&w, &["jobs"])).contains("No job is under way."));
    let issue = w.reported();
    w.maintainer().comments(crate::world::REPO, issue, "/gander fix").unwrap();
    w.emulator.deliver_all().await;
    let fixing = JobStage::Fixing { round: 1, attempt: 1 };
    loop {
        let jobs = w.store.list_jobs(&JobQuery::NotOver, 9).await.unwrap();
        if jobs.iter().any(|it| it.stored.machine.stage == fixing) {
            break;
        }
        assert!(w.step().await, "at rest before it is worked on");
    }
    let id = only_job(&w).await.id.to_string();
    let list = told(&mut beside(&w, &["jobs"]));
    assert!(list.contains(&id) && list.contains("acme/widgets#1"), "{list}");
    assert!(
        list.contains("fixing, attempt 1") && list.contains("waits for a free worker"),
        "{list}"
    );
    let list: Value = serde_json::from_str(&told(&mut beside(&w, &["jobs", "--json"]))).unwrap();
    assert_eq!((&list[0]["stage"], &list[0]["issue"]), (&"fixing".into(), &1.into()), "{list}");

    let shown = told(&mut beside(&w, &["jobs", "show", &id[..5]]));
    assert!(shown.contains("asked for by mona") && shown.contains("$3.00"), "{shown}");
    fails_saying(&mut beside(&w, &["jobs", "show", "nothing"]), "there is no job \"nothing\"");

    let cancelled = told_while_it_works(&w, &["jobs", "cancel", &id]).await;
    assert_eq!(cancelled, format!("{id}: Cancelled by whoever runs this server.\n"));
    w.settle().await;
    let ending = only_job(&w).await.stage;
    assert_eq!(ending, JobStage::Done(JobEnding::Cancelled { by: None }));
    let shown = w.comments(issue).concat();
    assert!(shown.contains("**Cancelled** by whoever runs this server"), "{shown}");
    w.nothing_was_published();
    fails_saying(&mut beside(&w, &["jobs", "cancel", &id]), "is over already (Cancelled by");
    let followed = told(&mut beside(&w, &["jobs", "follow", &id]));
    assert!(followed.ends_with("cancelled → done\n"), "{followed}");

    let again = told_while_it_works(&w, &["jobs", "retry", &id]).await;
    assert!(again.contains(&format!("takes up {id}, for mona")), "{again}");
    w.settle().await;
    let pull = w.only_pull();
    let new = again.split_whitespace().next().unwrap();
    assert!(pull.head_branch.contains(new), "{again}: {}", pull.head_branch);
    fails_saying(&mut beside(&w, &["jobs", "retry", new]), "is under way (in review)");
    fails_saying(&mut beside(&w, &["jobs", "retry", &id]), "another job is under way");

    let audit = told(&mut beside(&w, &["audit", "--last", "500"]));
    for row in ["the operator: cancelled → done", "the operator: asked for again, after"] {
        assert!(audit.contains(row), "{row}: {audit}");
    }
    let rows = told(&mut beside(&w, &["audit", "--last", "500", "--json"]));
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let opened =
        rows.iter().find(|row| row["request"] == "POST /repos/acme/widgets/pulls").unwrap();
    assert_eq!((&opened["who"], &opened["scope"]), (&"mona".into(), &"push".into()));
    assert_eq!(opened["commit"], Value::from(pull.head_sha.clone()));
    assert_eq!(opened["policy"].as_str().unwrap().len(), 64);
    assert!(opened["request_id"].is_string(), "{opened}");
    let issue_text = "I have 3 widgets and it says 2.";
    assert!(!audit.contains(issue_text), "no text of people stands in it");
    w.ends().await;
}

#[tokio::test]
async fn a_pause_writes_down_what_comes_and_begins_nothing_until_it_is_over() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    let paused = told(&mut beside(&w, &["pause"]));
    assert!(paused.starts_with("Paused."), "{paused}");
    assert!(told(&mut beside(&w, &["pause"])).contains("already"));
    let issue = w.reported();
    w.maintainer().comments(crate::world::REPO, issue, "/gander fix").unwrap();
    w.emulator.deliver_all().await;
    assert!(w.store.queue_length().await.unwrap() > 0, "it is written down");
    w.minutes_pass(1);
    assert!(!w.step().await, "and nothing of it is begun");
    assert!(w.comments(issue).is_empty(), "{}", w.timeline());
    let list = told(&mut beside(&w, &["jobs"]));
    assert!(list.contains("nothing new begins (`gander pause --resume`)"), "{list}");
    let health = w.webhook_url.join("/healthz").unwrap();
    let health = reqwest::get(health).await.unwrap().text().await.unwrap();
    assert!(health.starts_with("ok, but: paused since 20"), "{health}");

    assert_eq!(told(&mut beside(&w, &["pause", "--resume"])), "It goes on.\n");
    assert_eq!(told(&mut beside(&w, &["pause", "--resume"])), "There is no pause.\n");
    w.settle().await;
    assert_eq!(w.our_branches().len(), 1, "{}", w.timeline());
    let audit = told(&mut beside(&w, &["audit", "--last", "2000"]));
    assert!(audit.contains("the operator: paused") && audit.contains("the operator: resumed"));
    w.ends().await;
}

#[tokio::test]
async fn whoever_changes_the_audit_log_is_found_out_with_the_row() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    w.fixed().await;
    let good = told(&mut beside(&w, &["audit", "verify"]));
    let noted = good.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(good.contains("each as it was written") && noted.len() == 64, "{good}");
    let verified = |words: &[&str]| {
        let output = beside(&w, &[&["audit", "verify"], words].concat()).output().unwrap();
        (output.status.code(), said(&output))
    };
    assert_eq!(verified(&["--noted", &noted]).0, Some(0));
    let (code, other) = verified(&["--noted", &"0".repeat(64)]);
    assert!(code == Some(3) && other.contains("none of them has the hash"), "{other}");

    let file = SqliteConnectOptions::new().filename(w.data().join("gander.db"));
    let mut file = SqliteConnection::connect_with(&file).await.unwrap();
    for change in ["UPDATE audit SET body = '{}' WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"]
    {
        let refused = sqlx::raw_sql(change).execute(&mut file).await.unwrap_err().to_string();
        assert!(refused.contains("the audit log keeps"), "{refused}");
    }
    let keepers = "DROP TRIGGER audit_keeps_its_rows; DROP TRIGGER audit_keeps_what_it_says";
    sqlx::raw_sql(keepers).execute(&mut file).await.unwrap();
    for (change, told) in [
        (
            "UPDATE audit SET body = replace(body, 'mona', 'lisa') WHERE seq = 3",
            "row 3 was changed",
        ),
        ("DELETE FROM audit WHERE seq = 3", "row 3 is gone"),
        ("DELETE FROM audit WHERE seq > 3", "is gone"),
        (
            "UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE seq END; \
          UPDATE audit SET seq = -seq WHERE seq < 0",
            "row 2 was changed or moved",
        ),
    ] {
        sqlx::raw_sql("BEGIN; CREATE TEMP TABLE was AS SELECT * FROM audit; COMMIT")
            .execute(&mut file)
            .await
            .unwrap();
        sqlx::raw_sql(change).execute(&mut file).await.unwrap();
        let (code, words) = verified(&[]);
        assert!(code == Some(3) && words.contains(told), "{change}: {words}");
        let back = "BEGIN; DELETE FROM audit; INSERT INTO audit SELECT * FROM was; COMMIT; \
                    DROP TABLE was";
        sqlx::raw_sql(back).execute(&mut file).await.unwrap();
    }
    assert_eq!(verified(&[]).0, Some(0));
    file.close().await.unwrap();
    w.ends().await;
}

#[tokio::test]
async fn a_command_beside_the_server_makes_no_database_and_changes_none() {
    let home = tempfile::tempdir().unwrap();
    let mut nowhere = gander();
    nowhere.arg("jobs").env("GANDER_DATA", home.path().join("data"));
    fails_saying(&mut nowhere, "there is no file");
    assert!(!home.path().join("data").exists());

    shared().does("CREATE DATABASE beside_nobody".to_owned()).await;
    let address = shared().address("postgres", "beside_nobody");
    let jobs = || {
        let mut command = gander();
        command.arg("jobs").env("GANDER_DATABASE", &address);
        command
    };
    fails_saying(&mut jobs(), "nothing of Gander's is in it yet");
    let clock = gander::clock::Clock::system();
    let store = gander::store::Postgres::open(&address, &clock).await.unwrap();
    assert_eq!(told(&mut jobs()), "No job is under way.\n");
    let mut owner = shared().owner("beside_nobody").await;
    sqlx::raw_sql("DELETE FROM _sqlx_migrations WHERE version = 2")
        .execute(&mut owner)
        .await
        .unwrap();
    fails_saying(&mut jobs(), "its tables are those of an older version of Gander");
    gander::store::Store::close(&store).await.unwrap();
}
