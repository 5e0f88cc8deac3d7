//! A small world to tell stories in: a GitHub emulator, Gander beside it, people, and time.
//!
//! Nothing sleeps: `settle` delivers what waits and does what is due until neither is left; time
//! passes when a story says so. A world that ends looks behind itself: no work left, no process, no
//! directory, no secret in anything that left.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gander::app::{App, SlackWiring, Wiring, egress_to, sandbox};
use gander::clock::Clock;
use gander::core::budget::Money;
use gander::core::command::Address;
use gander::core::id::{Number, RepoId, Timestamp};
use gander::core::job::JobStage;
use gander::core::leak::KnownSecrets;
use gander::core::slack::SlackPins;
use gander::egress::PrivateAddresses;
use gander::forge::{AppKey, Forge, ForgeConfig, Pace, SignIn};
use gander::model::{Model, ModelError, ModelReply, Price, Request, Scripted, ScriptedTurn};
use gander::sandbox::Sandbox;
use gander::server::{AppState, WebhookSecrets, serve};
use gander::slack::{SigningSecret, Slack, SlackConfig};
use gander::store::{Sqlite, Store};
use gander::worker::{SlackVisits, Worker, WorkerSettings};
use gander_emulator::{
    Actor, AppCredentials, AppSpec, CheckOutcome, CheckReport, Emulator, IssueView, Options,
    PullView, RepositorySpec, SlackSpec, SlackWorkspace, Verdict,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

/// 2026-01-05 12:00 UTC, a Monday.
pub const BEGINNING: i64 = 1_767_614_400_000;
pub const REPO: &str = "acme/widgets";

pub struct World {
    pub emulator: Emulator,
    pub app: AppCredentials,
    pub model: Arc<Words>,
    pub store: Arc<dyn Store>,
    pub worker: Worker,
    pub webhook_url: url::Url,
    pub intake: AppState,
    pub now: Arc<AtomicI64>,
    /// How far Gander's machine shows another time than it is.
    jump: Arc<AtomicI64>,
    directory: TempDir,
    /// Whether it began as the copy of another, whose story is looked at instead.
    is_copy: bool,
    /// Where people ask, too, if the story has one.
    slack: Option<SlackWorkspace>,
    _server: DropGuard,
}

/// What one process of Gander is made of.
pub struct Gander<'a> {
    pub api: url::Url,
    pub web: url::Url,
    pub app_id: u64,
    pub key: &'a str,
    pub secret: &'a str,
    pub clock: Clock,
    pub data: PathBuf,
    pub store: Arc<dyn Store>,
    pub model: Arc<dyn Model>,
    /// Where the story goes on in Slack, too.
    pub slack: Option<SlackWiring>,
}

/// The permissions and events that app-manifest.json asks for.
pub fn app_spec() -> AppSpec {
    let manifest: serde_json::Value =
        serde_json::from_str(include_str!("../../app-manifest.json")).unwrap();
    let permissions = manifest["default_permissions"].as_object().unwrap();
    let events = manifest["default_events"].as_array().unwrap();
    AppSpec {
        slug: "gander".to_owned(),
        webhook_url: None,
        webhook_secret: "a webhook secret nobody guesses".to_owned(),
        permissions: permissions
            .iter()
            .map(|(name, level)| (name.clone(), level.as_str().unwrap().to_owned()))
            .collect(),
        events: events.iter().map(|event| event.as_str().unwrap().to_owned()).collect(),
    }
}

/// A project whose test is a shell script: quick to check, and wrong by one.
pub fn off_by_one() -> Vec<(&'static str, &'static str)> {
    vec![
        ("README.md", "# Widgets\n"),
        ("count.sh", "#!/bin/sh\n# Prints how many widgets there are.\necho $(( $1 - 1 ))\n"),
        (
            "check.sh",
            "#!/bin/sh\ngot=$(sh count.sh 3)\n[ \"$got\" = 3 ] || { echo \"FAIL: expected 3, got $got\"; exit 1; }\necho ok\n",
        ),
        (".github/gander.toml", "[verify]\ncommands = [\"sh check.sh\"]\n"),
    ]
}

pub fn read(path: &str) -> ScriptedTurn {
    ScriptedTurn::call("read", json!({"path": path}))
}

pub fn edit(path: &str, old: &str, new: &str) -> ScriptedTurn {
    ScriptedTurn::call("edit", json!({"path": path, "old": old, "new": new}))
}

pub fn run(command: &str) -> ScriptedTurn {
    ScriptedTurn::call("run", json!({"command": command}))
}

pub fn write(path: &str, text: &str) -> ScriptedTurn {
    ScriptedTurn::call("edit", json!({"path": path, "action": "create", "new": text}))
}

pub fn verify() -> ScriptedTurn {
    ScriptedTurn::call("verify", json!({}))
}

pub fn finish(summary: &str) -> ScriptedTurn {
    ScriptedTurn::call("finish", json!({"summary": summary}))
}

/// Finishes a round with an answer to each thread.
pub fn finish_with(summary: &str, answers: &[(u32, bool, &str)]) -> ScriptedTurn {
    let answers: Vec<_> = answers
        .iter()
        .map(|(thread, fixed, words)| json!({"thread": thread, "fixed": fixed, "words": words}))
        .collect();
    ScriptedTurn::call("finish", json!({"summary": summary, "answers": answers}))
}

/// What fixes [`off_by_one`].
pub fn good_fix() -> Vec<ScriptedTurn> {
    vec![
        read("count.sh"),
        edit("count.sh", "$1 - 1", "$1"),
        verify(),
        finish("The count was one too low: a leftover `- 1`. It is removed."),
    ]
}

impl World {
    pub async fn with_project(files: Vec<(&str, &str)>) -> Self {
        Self::with_files(owned(files)).await
    }

    pub async fn with_files(files: Vec<(String, Vec<u8>)>) -> Self {
        Self::with_spec(files, app_spec()).await
    }

    pub async fn with_spec(files: Vec<(String, Vec<u8>)>, spec: AppSpec) -> Self {
        Self::beginning_at(BEGINNING, files, spec).await
    }

    /// For stories in which other processes look at their own clock.
    pub async fn beginning_today(files: Vec<(String, Vec<u8>)>) -> Self {
        Self::beginning_at(Clock::system().now().0, files, app_spec()).await
    }

    async fn beginning_at(at: i64, files: Vec<(String, Vec<u8>)>, spec: AppSpec) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(at));
        let (emulator, app) = github(directory.path(), shown(&now), files, spec).await;
        Self::around(directory, now, (emulator, app), None).await
    }

    /// The same with a Slack, in which mona has an account of her own.
    pub async fn with_slack(files: Vec<(&str, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(BEGINNING));
        let github = github(directory.path(), shown(&now), owned(files), app_spec()).await;
        let spec = slack_spec();
        let slack = SlackWorkspace::start(spec, shown(&now)).await.unwrap();
        Self::around(directory, now, github, Some(slack)).await
    }

    /// The story's Slack.
    pub fn slack(&self) -> &SlackWorkspace {
        self.slack.as_ref().unwrap()
    }

    /// Another world at rest, in which everything happened that happened here.
    pub async fn copied(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(self.now()));
        let github = self.github_copied(directory.path(), shown(&now)).await;
        let mut copy = Self::around(directory, now, (github, self.app.clone()), None).await;
        copy.is_copy = true;
        copy
    }

    /// Its GitHub and its memory, copied into a directory.
    pub async fn github_copied(&self, directory: &Path, clock: gander_emulator::Clock) -> Emulator {
        let root = directory.join("github");
        std::fs::create_dir(&root).unwrap();
        copy_files(&self.data(), &directory.join("data"));
        self.emulator.copy(Options { root, clock }).await.unwrap()
    }

    async fn around(
        directory: TempDir,
        now: Arc<AtomicI64>,
        (emulator, app): (Emulator, AppCredentials),
        slack: Option<SlackWorkspace>,
    ) -> Self {
        let model = Arc::new(Words::default());
        let data = directory.path().join("data");
        let store = open(&data).await;
        let shown = Arc::clone(&now);
        let jump = Arc::new(AtomicI64::new(0));
        let wall = (Arc::clone(&now), Arc::clone(&jump));
        let wall = move || wall.0.load(Ordering::SeqCst) + wall.1.load(Ordering::SeqCst);
        let gander = Gander {
            api: emulator.api_url(),
            web: emulator.web_url(),
            app_id: app.app_id,
            key: &app.private_key_pem,
            secret: &app.webhook_secret,
            clock: Clock::from_fn(move || Timestamp(shown.load(Ordering::SeqCst)))
                .with_wall(move || Timestamp(wall())),
            data,
            store: Arc::clone(&store),
            model: Arc::clone(&model) as Arc<dyn Model>,
            slack: slack.as_ref().map(|slack| slack_wiring(slack, &emulator, &app)),
        };
        let App { intake, worker } = gander.app();
        let (webhook_url, server) = listen(intake.clone()).await;
        emulator.set_webhook_url(app.app_id, webhook_url.clone());
        if let Some(slack) = &slack {
            slack.set_receiver(webhook_url.join("/slack/").unwrap());
        }
        Self {
            emulator,
            app,
            model,
            store,
            worker,
            webhook_url,
            intake,
            now,
            jump,
            directory,
            is_copy: false,
            slack,
            _server: server,
        }
    }

    /// Someone with write access.
    pub fn maintainer(&self) -> Actor {
        self.emulator.person("mona")
    }

    /// Someone without.
    pub fn stranger(&self) -> Actor {
        self.emulator.person("hubot-fan")
    }

    /// Delivers what waits and does what is due, until neither is left. People have the patience
    /// of two minutes: what is put off for longer stays.
    pub async fn settle(&self) {
        let never = CancellationToken::new();
        let patience = self.now() + 2 * 60_000;
        for _ in 0..2000 {
            let mut delivered = !self.emulator.deliver_all().await.is_empty();
            if let Some(slack) = &self.slack {
                delivered |= !slack.deliver_all().await.is_empty();
            }
            let worked = self.worker.step(&never).await.unwrap();
            if delivered || worked {
                continue;
            }
            match self.store.next_due().await.unwrap() {
                Some(due) if due.0 <= patience => {
                    self.now.fetch_max(due.0, Ordering::SeqCst);
                }
                _ => return,
            }
        }
        let queue = self.store.queue_length().await;
        panic!("the world does not come to rest: {queue:?}\n{}", self.timeline());
    }

    /// Does one due task.
    pub async fn step(&self) -> bool {
        self.worker.step(&CancellationToken::new()).await.unwrap()
    }

    /// Delivers and steps until `happened`, and stops right there.
    pub async fn until(&self, what: &str, happened: impl Fn(&Self) -> bool) {
        self.emulator.deliver_all().await;
        while !happened(self) {
            assert!(self.step().await, "at rest before: {what}");
        }
    }

    /// Delivers and steps until the last job on an issue is where it is waited for, and stops right
    /// there: what passes within seconds, people are not shown.
    pub async fn until_stage(&self, issue: u64, reached: impl Fn(&JobStage) -> bool) {
        self.emulator.deliver_all().await;
        let repo = self.emulator.deliveries()[0].payload["repository"]["id"].as_u64().unwrap();
        loop {
            let jobs = self.store.jobs_on(RepoId(repo), Number(issue)).await.unwrap();
            if jobs.last().is_some_and(|stored| reached(&stored.machine.stage)) {
                return;
            }
            let at = jobs.last().map(|stored| stored.machine.stage.name());
            assert!(self.step().await, "at rest at {at:?}");
        }
    }

    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// A stranger reports what is wrong with [`off_by_one`].
    pub fn reported(&self) -> u64 {
        let words = "I have 3 widgets and it says 2.";
        self.stranger().opens_issue(REPO, "Count is one too low", words, &[]).unwrap()
    }

    /// The maintainer comments, and the world comes to rest.
    pub async fn says(&self, number: u64, words: &str) -> u64 {
        let comment = self.maintainer().comments(REPO, number, words).unwrap();
        self.settle().await;
        comment
    }

    /// Comes to rest. When the model is asked for this reply, the first being 1, `act` happens, and
    /// all that follows from it beside the model's own work.
    pub async fn settle_while(&self, request: usize, act: impl FnOnce(&Self)) {
        let (asked, go) = self.model.waits_at(request);
        let beside = async {
            asked.await.expect("the model was never asked for that");
            act(self);
            self.emulator.deliver_all().await;
            if let Some(slack) = &self.slack {
                slack.deliver_all().await;
            }
            while self.step().await {}
            go.send(()).unwrap();
        };
        tokio::join!(self.settle(), beside);
    }

    /// Reported, commanded, done.
    pub async fn fixed(&self) -> u64 {
        let issue = self.reported();
        self.says(issue, "/gander fix").await;
        issue
    }

    /// The owner of the repository: whoever may approve.
    pub fn owner(&self) -> Actor {
        self.emulator.person("acme")
    }

    /// The owner approves what stands there, and the world comes to rest.
    pub async fn approved(&self) -> u64 {
        let pull = self.only_pull().number;
        let review = self.owner().reviews(REPO, pull, Verdict::Approves, "").unwrap();
        self.settle().await;
        review
    }

    /// Gander's last words on an issue or pull request.
    pub fn last_words(&self, number: u64) -> String {
        self.comments(number).pop().unwrap_or_default()
    }

    /// Another App reports on a commit.
    pub fn ci_says(&self, sha: &str, name: &str, conclusion: &str) {
        self.app_says("ci", sha, name, CheckOutcome::Completed(conclusion));
    }

    /// Some App reports on a commit.
    pub fn app_says(&self, app: &str, sha: &str, name: &str, outcome: CheckOutcome<'_>) {
        let report = CheckReport {
            name,
            outcome,
            title: "1 problem",
            summary: "count.sh:3: error: Double quote to prevent globbing",
            annotations: &[],
        };
        let bot = format!("{app}[bot]");
        if self.emulator.person(&bot).reports_check(REPO, sha, &report).is_err() {
            let spec = AppSpec {
                slug: app.to_owned(),
                webhook_url: None,
                webhook_secret: "a secret of another App".to_owned(),
                permissions: [("checks".to_owned(), "write".to_owned())].into(),
                events: vec![],
            };
            let app = self.emulator.create_app(spec).unwrap();
            self.emulator.install(app.app_id, &[REPO]).unwrap();
            self.emulator.person(&bot).reports_check(REPO, sha, &report).unwrap();
        }
    }

    /// The only pull request that Gander opened.
    pub fn our_pull(&self) -> PullView {
        let mut pulls = self.emulator.pulls(REPO);
        pulls.retain(|pull| pull.author == "gander[bot]");
        assert_eq!(pulls.len(), 1);
        pulls.remove(0)
    }

    /// The only pull request there is.
    pub fn only_pull(&self) -> PullView {
        let mut pulls = self.emulator.pulls(REPO);
        assert_eq!(pulls.len(), 1, "{}", self.timeline());
        pulls.remove(0)
    }

    /// The branches Gander made.
    pub fn our_branches(&self) -> Vec<String> {
        let branches = self.emulator.branches(REPO).into_keys();
        branches.filter(|branch| branch.starts_with("gander/")).collect()
    }

    /// Nothing was made in the repository: no branch, no pull request.
    pub fn nothing_was_published(&self) {
        assert_eq!(self.emulator.pulls(REPO), [], "{}", self.timeline());
        assert_eq!(self.our_branches(), [] as [&str; 0]);
    }

    /// Where everything of this world lies.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Where Gander keeps its things.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn minutes_pass(&self, minutes: i64) {
        self.now.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }

    /// Somebody sets the clock of Gander's machine wrong by so much.
    pub fn clock_is_wrong_by(&self, minutes: i64) {
        self.jump.store(minutes * 60_000, Ordering::SeqCst);
    }

    pub fn issue(&self, number: u64) -> IssueView {
        self.emulator.issue(REPO, number).unwrap()
    }

    /// The comments Gander wrote on an issue or pull request, without their hidden markers.
    pub fn comments(&self, number: u64) -> Vec<String> {
        let comments = self.issue(number).comments;
        let ours = comments.into_iter().filter(|comment| comment.author == "gander[bot]");
        // The address of the emulator is another each time.
        let web = self.emulator.web_url();
        let web = web.as_str().trim_end_matches('/');
        ours.map(|comment| visible(&comment.body).replace(web, "https://github.test")).collect()
    }

    /// Everything people could see happen, one line each.
    pub fn timeline(&self) -> String {
        let lines = self.emulator.timeline(REPO);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Ends the story: nothing may be left over, and no secret may have left.
    pub async fn ends(mut self) {
        let left = self.store.queue_length().await.unwrap();
        assert_eq!(left, 0, "work is left in the queue");
        let scratch = self.directory.path().join("data/scratch");
        if let Ok(entries) = std::fs::read_dir(&scratch) {
            assert_eq!(entries.count(), 0, "a directory is left in {}", scratch.display());
        }
        self.is_copy = false;
    }

    /// Where `make test` says so, everything that was sent, answered and told is kept, to be held
    /// against GitHub's own description of its API (tests/contract).
    #[allow(clippy::disallowed_methods)] // a test asks its caller
    fn keep_exchanges(&self) {
        let Some(folder) = std::env::var_os("GANDER_EXCHANGES") else { return };
        let name = std::thread::current().name().unwrap_or("story").replace("::", "-");
        let port = self.emulator.web_url().port().unwrap();
        let file = PathBuf::from(folder).join(format!("{name}-{port}.json"));
        let record = serde_json::to_vec(&self.emulator.record()).unwrap();
        std::fs::write(file, record).unwrap();
    }

    fn no_secret_has_left(&self) {
        let key_line = self.app.private_key_pem.lines().nth(1).unwrap();
        let secrets = [self.app.webhook_secret.as_str(), key_line, "ghs_"];
        for exchange in self.emulator.exchanges() {
            let sent =
                format!("{} {:?} {:?}", exchange.path, exchange.query, exchange.request_body);
            for secret in secrets {
                let found = holds(sent.as_bytes(), secret);
                assert!(!found, "a secret left with {}", exchange.path);
            }
        }
        for file in files_below(&self.directory.path().join("data")) {
            let bytes = std::fs::read(&file).unwrap_or_default();
            for secret in secrets {
                let found = holds(&bytes, secret);
                assert!(!found, "a secret is kept in {}", file.display());
            }
        }
    }
}

/// However a story ends: what was asked of GitHub is GitHub's, and no secret has left.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() || self.is_copy {
            return;
        }
        assert!(self.emulator.unknown_routes().is_empty(), "{:?}", self.emulator.unknown_routes());
        self.no_secret_has_left();
        self.keep_exchanges();
    }
}

/// The world's time, as the emulator is told it.
fn shown(now: &Arc<AtomicI64>) -> gander_emulator::Clock {
    let now = Arc::clone(now);
    Arc::new(move || now.load(Ordering::SeqCst))
}

/// Whether a text stands somewhere in these bytes. It leaps from one of its first bytes to the
/// next, for to look at each place takes a third of a story.
fn holds(mut bytes: &[u8], text: &str) -> bool {
    let (first, rest) = text.as_bytes().split_first().unwrap();
    assert!(!rest.is_empty(), "{text:?} is too short to be looked for");
    while bytes.skip_until(*first).unwrap() > 0 {
        if bytes.starts_with(rest) {
            return true;
        }
    }
    false
}

#[test]
fn what_is_looked_for_is_found_wherever_it_stands() {
    for bytes in ["ghs_", "xghs_", "ghs_x", "gghs_", "ghs ghs_", "\u{0}\u{1}ghs_\n"] {
        assert!(holds(bytes.as_bytes(), "ghs_"), "{bytes:?}");
    }
    for bytes in ["", "g", "ghs", "hs_", "gh s_", "gggggg"] {
        assert!(!holds(bytes.as_bytes(), "ghs_"), "{bytes:?}");
    }
}

/// A text as people see it: without the hidden marker, and without how long things took.
pub fn visible(body: &str) -> String {
    let text = body.rsplit_once("\n\n<!-- gander ").map_or(body, |(text, _)| text);
    let lines = text.lines().map(|line| match line.strip_suffix(" s |") {
        Some(row) => {
            let (row, _) = row.rsplit_once(' ').unwrap_or((row, ""));
            format!("{row} TIME |")
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_files(&entry.path(), &to);
        // The index over SQLite's log is made anew from the log.
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Every file below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

impl Gander<'_> {
    /// Puts Gander together.
    pub fn app(self) -> App {
        let egress =
            egress_to([self.api.clone(), self.web.clone()], PrivateAddresses::AllowLoopback);
        let forge_config = ForgeConfig {
            api: self.api,
            web: self.web,
            app_id: self.app_id,
            key: AppKey::from_pem(self.key.as_bytes()).unwrap(),
            pace: Pace::GITHUB,
            known_secrets: Arc::new(
                KnownSecrets::new([
                    ("the App's private key", self.key),
                    ("the webhook secret", self.secret),
                ])
                .unwrap(),
            ),
        };
        App::new(Wiring {
            store: self.store,
            forge: Forge::new(forge_config, egress.unwrap(), self.clock.clone()),
            sandbox: Arc::new(sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander")))
                as Arc<dyn Sandbox>,
            models: vec![self.model],
            secrets: WebhookSecrets::new(self.secret.into(), None).unwrap(),
            proxies: Vec::new(),
            clock: self.clock,
            slack: self.slack,
            registries: None,
            settings: WorkerSettings {
                retention: gander::core::retention::Retention::default(),
                address: Address { mention: Some("@gander".to_owned()), ..Address::default() },
                data: self.data,
                most_per_job: Money::from_micros(10_000_000),
                installation_day: Money::from_micros(100_000_000),
                workers: 1,
                models: 4,
                model_pause: Duration::ZERO,
                settle: Duration::ZERO,
            },
        })
    }
}

fn slack_spec() -> SlackSpec {
    SlackSpec {
        app_id: "A0GANDER".to_owned(),
        team_id: "T0ACME".to_owned(),
        bot_token: "xoxb-a-token-nobody-guesses".to_owned(),
        signing_secret: "a signing secret nobody guesses".to_owned(),
    }
}

/// Where GitHub leads those who show who they are.
pub const LINKED: &str = "http://127.0.0.1:9/slack/linked";

fn slack_wiring(slack: &SlackWorkspace, github: &Emulator, app: &AppCredentials) -> SlackWiring {
    let spec = slack_spec();
    let way = |to: &[url::Url]| egress_to(to.to_vec(), PrivateAddresses::AllowLoopback).unwrap();
    let known = [
        ("Slack's bot token", spec.bot_token.as_str()),
        ("Slack's signing secret", &spec.signing_secret),
    ];
    let config = SlackConfig {
        api: slack.api_url(),
        token: spec.bot_token.as_str().into(),
        known_secrets: Arc::new(KnownSecrets::new(known).unwrap()),
    };
    let redirect: url::Url = LINKED.parse().unwrap();
    github.set_callback_urls(app.app_id, vec![redirect.clone()]);
    let (api, web) = (github.api_url(), github.web_url());
    let sign_in = SignIn {
        egress: way(&[api.clone(), web.clone()]),
        api,
        web,
        client_id: app.client_id.clone(),
        client_secret: app.client_secret.clone().into(),
    };
    let secret = SigningSecret::new(spec.signing_secret.into()).unwrap();
    let pins = SlackPins { app_id: spec.app_id, team_id: spec.team_id };
    let client = Slack::new(config, way(&[slack.api_url()]));
    SlackWiring::new(client, secret, pins, Some(SlackVisits { sign_in, redirect }))
}

/// A GitHub with one repository, a maintainer, a stranger and the App.
pub async fn github(
    directory: &Path,
    clock: gander_emulator::Clock,
    files: Vec<(String, Vec<u8>)>,
    spec: AppSpec,
) -> (Emulator, AppCredentials) {
    let root = directory.join("github");
    std::fs::create_dir(&root).unwrap();
    let emulator = Emulator::start(Options { root, clock }).await.unwrap();
    let app = emulator.create_app(spec).unwrap();
    for person in ["acme", "mona", "hubot-fan"] {
        emulator.create_user(person);
    }
    emulator
        .create_repository(RepositorySpec {
            owner: "acme".to_owned(),
            name: "widgets".to_owned(),
            private: false,
            default_branch: "main".to_owned(),
            files,
        })
        .unwrap();
    emulator.set_permission(REPO, "mona", "write").unwrap();
    emulator.install(app.app_id, &[REPO]).unwrap();
    (emulator, app)
}

/// Files as bytes.
pub fn owned(files: Vec<(&str, &str)>) -> Vec<(String, Vec<u8>)> {
    files.into_iter().map(|(path, text)| (path.to_owned(), text.into())).collect()
}

/// Opens the memory in a data directory.
pub async fn open(data: &Path) -> Arc<dyn Store> {
    Arc::new(Sqlite::open(&data.join("gander.db")).await.unwrap())
}

/// Listens for webhooks until the guard is dropped.
pub async fn listen(intake: AppState) -> (url::Url, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(listener, intake, shutdown.clone()));
    (format!("http://{address}/github/webhook").parse().unwrap(), shutdown.drop_guard())
}

/// The model's words, set by the story; and what it was told.
#[derive(Default)]
pub struct Words {
    script: Mutex<Option<Arc<Scripted>>>,
    heard: Mutex<Vec<String>>,
    waits_at: Mutex<Option<Wait>>,
    /// Whether it answers with a refusal when it is shown a picture.
    pub refuses_pictures: AtomicBool,
}

/// Before which reply the model waits, whom it tells, and for what it waits.
type Wait = (usize, oneshot::Sender<()>, oneshot::Receiver<()>);

impl Words {
    /// It waits before this reply: when it does, and how it goes on.
    pub fn waits_at(&self, request: usize) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((tell, asked), (go, wait)) = (oneshot::channel(), oneshot::channel());
        *self.waits_at.lock().unwrap() = Some((request, tell, wait));
        (asked, go)
    }

    /// What it says in the first attempt.
    pub fn will(&self, turns: Vec<ScriptedTurn>) {
        self.will_try(vec![turns]);
    }

    /// What it says in each attempt.
    pub fn will_try(&self, attempts: Vec<Vec<ScriptedTurn>>) {
        self.play(Scripted::from_attempts(attempts));
    }

    /// What it says in each round, in one attempt each.
    pub fn will_in_rounds(&self, rounds: Vec<Vec<ScriptedTurn>>) {
        let rounds = rounds.into_iter().map(|turns| vec![turns]).collect();
        self.play(Scripted::from_rounds(rounds));
    }

    pub fn play(&self, script: Scripted) {
        *self.script.lock().unwrap() = Some(Arc::new(script));
    }

    /// The whole conversation at each request, oldest first.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn script(&self) -> Arc<Scripted> {
        let script = self.script.lock().unwrap().clone();
        script.unwrap_or_else(|| Arc::new(Scripted::from_attempts(vec![])))
    }
}

#[async_trait]
impl Model for Words {
    fn name(&self) -> &str {
        "scripted"
    }

    fn price(&self) -> Price {
        self.script().price()
    }

    fn sees(&self) -> bool {
        true
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        let count = {
            let mut heard = self.heard.lock().unwrap();
            let shown: Vec<_> = request.pictures.iter().map(|it| format!(" {it:?}")).collect();
            heard.push(format!("{:?}{}", request.messages, shown.concat()));
            heard.len()
        };
        if !request.pictures.is_empty() && self.refuses_pictures.load(Ordering::Relaxed) {
            let detail = "could not process image".to_owned();
            return Err(ModelError::Rejected { status: 400, detail });
        }
        let waits = self.waits_at.lock().unwrap().take_if(|(at, ..)| *at == count);
        if let Some((_, tell, wait)) = waits {
            tell.send(()).unwrap();
            wait.await.unwrap();
        }
        self.script().respond(request).await
    }
}
