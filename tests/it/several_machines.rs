//! One server and several workers, each a process as an operator starts it, on one PostgreSQL.

#![allow(clippy::disallowed_methods)] // starts the program, and looks at the clock

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gander_emulator::{AppCredentials, Emulator};

use crate::postgres_server::shared;
use crate::program::gander;
use crate::world::{REPO, app_spec, github, off_by_one, owned};

/// The model thinks for three seconds, in which its worker can die.
const SCRIPT: &str = r#"{"attempts": [[
    {"calls": [{"tool": "run", "command": "sleep 3"}]},
    {"calls": [{"tool": "edit", "path": "count.sh", "old": "$1 - 1", "new": "$1"}]},
    {"calls": [{"tool": "verify"}]},
    {"calls": [{"tool": "finish", "summary": "The count was one too low."}]}
]]}"#;

/// A process with its log, killed at the end of the story.
struct Machine {
    process: Child,
    log: PathBuf,
    data: PathBuf,
}

impl Machine {
    fn start(home: &Path, name: &str, words: &[&str], with: impl Fn(&mut Command)) -> Self {
        let log = home.join(format!("{name}.log"));
        let data = home.join(name);
        let mut command = gander();
        command.args(words).env("GANDER_DATA", &data).stdout(Stdio::null());
        command.stderr(File::create(&log).unwrap());
        with(&mut command);
        Self { process: command.spawn().unwrap(), log, data }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn says(&self, words: &str) -> String {
        until(words, || self.said().contains(words)).await;
        self.said()
    }

    /// Whether it works, or worked, on an attempt.
    fn is_at_it(&self) -> bool {
        let jobs = std::fs::read_dir(self.data.join("jobs")).into_iter().flatten().flatten();
        jobs.into_iter().any(|job| job.path().join("r1-a1").exists())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn until(what: &str, come: impl Fn() -> bool) {
    let asked = Instant::now();
    while !come() {
        assert!(asked.elapsed() < Duration::from_secs(60), "it did not come to pass: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn github_with_a_bug(home: &Path) -> (Emulator, AppCredentials) {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    };
    github(home, Arc::new(now), owned(off_by_one()), app_spec()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_is_taken_over_by_another_within_half_a_minute() {
    let home = tempfile::tempdir().unwrap();
    let (emulator, app) = github_with_a_bug(home.path()).await;
    shared().does("CREATE DATABASE several_machines".to_owned()).await;
    let database = shared().address("postgres", "several_machines");
    let script = home.path().join("script.json");
    std::fs::write(&script, SCRIPT).unwrap();
    let with = |command: &mut Command| {
        command
            .env("GANDER_LISTEN", "127.0.0.1:0")
            .env("GANDER_DATABASE", &database)
            .env("GANDER_APP_ID", app.app_id.to_string())
            .env("GANDER_PRIVATE_KEY", &app.private_key_pem)
            .env("GANDER_WEBHOOK_SECRET", app_spec().webhook_secret)
            .env("GANDER_API_URL", emulator.api_url().as_str())
            .env("GANDER_WEB_URL", emulator.web_url().as_str())
            .env("GANDER_ALLOW_PRIVATE_ADDRESSES", "true")
            .env("GANDER_MODEL_SCRIPT", &script);
    };
    let server = Machine::start(home.path(), "server", &["serve", "--no-worker"], with);
    let told = server.says("listening").await;
    let address = told.split("address=").nth(1).unwrap().lines().next().unwrap().trim();
    let url = format!("http://{address}/github/webhook");
    emulator.set_webhook_url(app.app_id, url.parse().unwrap());
    emulator.auto_deliver();
    let mut workers =
        ["one", "other"].map(|name| Machine::start(home.path(), name, &["worker"], with));
    for worker in &workers {
        worker.says("working; webhooks are taken by").await;
    }

    let mona = emulator.person("mona");
    let issue = mona.opens_issue(REPO, "The count is one too low", "3 gives 2.", &[]).unwrap();
    mona.comments(REPO, issue, "/gander fix").unwrap();
    until("an attempt", || workers.iter().any(Machine::is_at_it)).await;
    let at_it = usize::from(workers[1].is_at_it());
    workers[at_it].process.kill().unwrap();
    let killed = Instant::now();
    let other = &workers[1 - at_it];
    until("the takeover", || other.is_at_it()).await;
    let after = killed.elapsed();
    assert!(after < Duration::from_secs(30), "taken over after {after:?}");
    println!("taken over after {after:?}");

    until("the pull request", || !emulator.pulls(REPO).is_empty()).await;
    let said = || emulator.issue(REPO, issue).unwrap().comments;
    until("the last word", || said().iter().any(|it| it.body.starts_with("@mona"))).await;
    assert_eq!(emulator.pulls(REPO).len(), 1);
    let announced = said().iter().filter(|it| it.body.starts_with("@mona")).count();
    assert_eq!((announced, said().len()), (1, 3), "{:?}", said());
    assert!(!server.data.exists(), "a server alone keeps nothing on its disk");
    for machine in [&server, other] {
        let log = machine.said();
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[tokio::test]
async fn a_half_alone_needs_a_database_that_others_can_share() {
    let home = tempfile::tempdir().unwrap();
    for words in [["serve", "--no-worker"].as_slice(), &["worker"]] {
        let mut command = gander();
        command
            .args(words)
            .env("GANDER_DATA", home.path().join("data"))
            .env("GANDER_APP_ID", "1")
            .env("GANDER_PRIVATE_KEY", "pem")
            .env("GANDER_WEBHOOK_SECRET", app_spec().webhook_secret)
            .env("GANDER_MODEL_KEY", "k");
        crate::program::fails_saying(
            &mut command,
            "several processes need one PostgreSQL database",
        );
    }
    assert!(!home.path().join("data").exists(), "nothing was begun");
}

#[tokio::test]
async fn two_workers_do_not_share_a_directory_and_what_is_wrong_with_a_database_is_said() {
    let home = tempfile::tempdir().unwrap();
    shared().does("CREATE DATABASE one_directory".to_owned()).await;
    let (emulator, app) = github_with_a_bug(home.path()).await;
    let script = home.path().join("script.json");
    std::fs::write(&script, SCRIPT).unwrap();
    let with = |database: String| {
        let (emulator, app, script) = (&emulator, &app, &script);
        move |command: &mut Command| {
            command
                .env("GANDER_DATABASE", &database)
                .env("GANDER_APP_ID", app.app_id.to_string())
                .env("GANDER_PRIVATE_KEY", &app.private_key_pem)
                .env("GANDER_WEBHOOK_SECRET", app_spec().webhook_secret)
                .env("GANDER_API_URL", emulator.api_url().as_str())
                .env("GANDER_WEB_URL", emulator.web_url().as_str())
                .env("GANDER_ALLOW_PRIVATE_ADDRESSES", "true")
                .env("GANDER_MODEL_SCRIPT", script);
        }
    };
    let database = shared().address("postgres", "one_directory");
    let first = Machine::start(home.path(), "data", &["worker"], with(database.clone()));
    first.says("working; webhooks are taken by").await;
    let mut second = gander();
    second.arg("worker").env("GANDER_DATA", &first.data);
    with(database)(&mut second);
    crate::program::fails_saying(&mut second, "another Gander works with the data directory");
    drop(first);
    let mut wrong = gander();
    wrong.arg("worker").env("GANDER_DATA", home.path().join("data"));
    with("postgres://gander:a-long-password@127.0.0.1:1/gander".to_owned())(&mut wrong);
    crate::program::fails_saying(&mut wrong, "PostgreSQL at 127.0.0.1:1 cannot be reached");
}
