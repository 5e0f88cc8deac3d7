//! Whoever runs the server, by command beside it.

#![allow(clippy::disallowed_methods)] // starts the program

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gander::core::delivery::{Content, Delivery};
use gander::core::id::{DeliveryId, HookId, Timestamp};
use gander::core::job::{JobEnding, JobStage};
use gander::store::JobQuery;
use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::postgres_server::shared;
use crate::program::{fails_saying, gander, said};
use crate::world::{Gander, World, good_fix, off_by_one, open, owned};

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
    let newest = "DELETE FROM _sqlx_migrations
                  WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::raw_sql(newest).execute(&mut owner).await.unwrap();
    fails_saying(&mut jobs(), "its tables are those of an older version of Gander");
    gander::store::Store::close(&store).await.unwrap();
}

/// One that is recorded and leads to nothing.
fn recorded(n: u64) -> Delivery {
    let id: DeliveryId = format!("00000000-0000-4000-8000-{n:012x}").parse().unwrap();
    let mut body_digest = [0; 32];
    body_digest[..8].copy_from_slice(&n.to_be_bytes());
    let content = Content::Quarantined("for the story".to_owned());
    Delivery { id, hook_id: HookId(1), event: "issues".into(), body_digest, content }
}

fn restoring(file: &Path, data: &Path) -> Command {
    let mut command = gander();
    command.arg("restore").arg(file).env("GANDER_DATA", data);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_restored_elsewhere_and_nothing_is_lost_or_done_twice() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.maintainer().comments(crate::world::REPO, issue, "/gander fix").unwrap();
    w.until("an attempt", |w| w.model.heard().len() > 1).await;

    // A server under load: what it acknowledged before the copy was begun has to be in it.
    let (store, going) = (Arc::clone(&w.store), Arc::new(AtomicBool::new(true)));
    let goes_on = Arc::clone(&going);
    let load = tokio::spawn(async move {
        let mut many = 0;
        while goes_on.load(Ordering::SeqCst) {
            store.accept(&recorded(many), false, Timestamp(0)).await.unwrap();
            many += 1;
        }
        many
    });
    while w.store.known(&[recorded(200).id]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("gander.backup");
    let words = ["backup", "--transcripts", file.to_str().unwrap()];
    let made = told(&mut beside(&w, &words));
    going.store(false, Ordering::SeqCst);
    assert!(load.await.unwrap() > 200);
    assert!(made.contains("rows of") && made.contains("files of jobs"), "{made}");
    fails_saying(&mut beside(&w, &words), "is there already, and is not overwritten");
    let left: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    // The job goes on to its pull request, and then the machine is gone.
    w.settle().await;
    assert_eq!(w.our_branches().len(), 1);
    let comments = w.issue(issue).comments.len();
    let data = elsewhere.path().join("data");
    let put = told(&mut restoring(&file, &data));
    assert!(put.starts_with("Put back into"), "{put}");
    fails_saying(&mut restoring(&file, &data), "is there already, and is not overwritten");
    assert!(std::fs::read_dir(data.join("jobs")).unwrap().count() > 0, "its transcripts are there");
    let mut audit = gander();
    assert!(told(audit.args(["audit", "verify"]).env("GANDER_DATA", &data)).contains("each as it"));

    let store = open(&data).await;
    let all: Vec<DeliveryId> = (0..=200).map(|n| recorded(n).id).collect();
    assert_eq!(store.known(&all).await.unwrap(), all, "nothing is lost");
    let now = Timestamp(w.now() + 60_000);
    let model: Arc<dyn gander::model::Model> = Arc::clone(&w.model) as _;
    let app = Gander {
        api: w.emulator.api_url(),
        web: w.emulator.web_url(),
        app_id: w.app.app_id,
        key: &w.app.private_key_pem,
        secret: &w.app.webhook_secret,
        clock: gander::clock::Clock::from_fn(move || now),
        data: data.clone(),
        store: Arc::clone(&store),
        model,
        slack: None,
    };
    let app = app.app();
    let never = tokio_util::sync::CancellationToken::new();
    while app.worker.step(&never).await.unwrap() {}
    let jobs = store.list_jobs(&JobQuery::All, 9).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert!(jobs[0].stored.machine.stage.is_in_review(), "{:?}", jobs[0].stored.machine.stage);
    assert_eq!(w.only_pull().number, w.our_pull().number, "nothing is done twice");
    assert_eq!(w.issue(issue).comments.len(), comments, "{}", w.timeline());
    store.close().await.unwrap();
    w.ends().await;
}

#[tokio::test]
async fn a_damaged_backup_is_found_out_and_nothing_is_put_in_place() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    w.fixed().await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup");
    told(&mut beside(&w, &["backup", file.to_str().unwrap()]));
    let refused = |words: &str| {
        let data = place.path().join("data");
        let output = restoring(&file, &data).output().unwrap();
        let told = said(&output);
        assert!(output.status.code() == Some(1) && told.contains(words), "{told}");
        let left = std::fs::read_dir(&data).unwrap().map(|it| it.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["lock"], "nothing is left");
    };
    let options = SqliteConnectOptions::new().filename(&file);
    let mut copy = SqliteConnection::connect_with(&options).await.unwrap();
    let spoilt = "UPDATE jobs SET state = replace(state, 'mona', 'lisa')";
    sqlx::raw_sql(spoilt).execute(&mut copy).await.unwrap();
    copy.close().await.unwrap();
    refused("the rows of jobs are not those that were copied");
    std::fs::write(&file, "a letter").unwrap();
    refused("it is no file that `gander backup` made");
    let mut postgres = gander();
    postgres.args(["backup", "x"]).env("GANDER_DATABASE", "postgres://g@localhost/g");
    fails_saying(&mut postgres, "pg_dump --format=custom");
    w.ends().await;
}

#[tokio::test]
async fn a_repository_is_forgotten_when_its_jobs_are_over() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    w.fixed().await;
    let forget = ["forget", "acme/widgets", "--yes"];
    fails_saying(&mut beside(&w, &["forget", "acme/nothing"]), "nothing is known of a repository");
    assert!(told(&mut beside(&w, &forget[..2])).contains("None of it comes back"));
    fails_saying(&mut beside(&w, &forget), "is not over: `gander jobs` lists them");
    w.approved().await;
    assert!(w.only_pull().merged, "{}", w.timeline());
    assert!(w.data().join("jobs").read_dir().unwrap().count() > 0);
    let gone = told(&mut beside(&w, &forget));
    assert!(gone.contains("acme/widgets: 1 jobs and"), "{gone}");
    assert_eq!(told(&mut beside(&w, &["jobs", "--all"])), "There was no job yet.\n");
    assert_eq!(w.data().join("jobs").read_dir().unwrap().count(), 0);
    assert_eq!(w.data().join("mirrors").read_dir().unwrap().count(), 0);
    let verified = told(&mut beside(&w, &["audit", "verify"]));
    assert!(verified.contains("the content was taken out"), "{verified}");
    let audit = told(&mut beside(&w, &["audit", "--last", "2000"]));
    assert!(audit.contains("forgot the repository with the number"), "{audit}");
    assert!(!audit.contains("mona") && !audit.contains("acme"), "{audit}");
    w.ends().await;
}

#[tokio::test]
async fn prometheus_reads_what_happened_and_no_name_of_anybody() {
    let w = World::beginning_today(owned(off_by_one())).await;
    w.model.will(good_fix());
    w.fixed().await;
    w.approved().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let state = gander::server::MetricsState {
        metrics: Arc::clone(&w.intake.metrics),
        store: Arc::clone(&w.store),
        clock: w.intake.clock.clone(),
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn(gander::server::serve_metrics(listener, state, stop.clone()));
    let read = async || reqwest::get(&url).await.unwrap().text().await.unwrap();
    let text = read().await;
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("gander_deliveries_total{result=\"accepted\"}") >= 2.0, "{text}");
    assert!(value("gander_job_endings_total{ending=\"merged\"}") == 1.0, "{text}");
    assert!(value("gander_step_seconds_count{of=\"job\",step=\"Fix\"}") == 1.0, "{text}");
    assert!(value("gander_model_replies_total{model=\"scripted\",result=\"reply\"}") == 4.0);
    assert!(value("gander_merged_30d_pulls") == 1.0 && value("gander_paused") == 0.0, "{text}");
    assert!(value("gander_store_up") == 1.0 && value("gander_queue_oldest_seconds") >= 0.0);
    assert!(!text.contains("gander_jobs{"), "no job is left: {text}");
    for name in ["acme", "widgets", "mona", "hubot"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
    // What every family promises, its samples keep.
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: Vec<&str> = families.filter_map(|it| it.split(' ').next()).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(families.iter().any(|family| name.starts_with(family)), "{line}");
    }
    w.store.close().await.unwrap();
    w.minutes_pass(1);
    assert!(read().await.contains("gander_store_up 0"), "what was counted is told all the same");
    stop.cancel();
    serving.await.unwrap().unwrap();
}
