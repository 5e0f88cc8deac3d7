//! Gander dies at the worst moments, and the story ends the same.
//!
//! GitHub stays in this process; Gander runs in another one (this test program again), whose
//! memory kills it with SIGKILL just before or just after a chosen write. Time is a file that both
//! read. Then a new process takes over.

#![allow(clippy::disallowed_methods)] // starts itself, and is told by the environment where

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gander::app::App;
use gander::clock::Clock;
use gander::core::audit::{AuditEntry, AuditHead, AuditRow};
use gander::core::budget::{Accounts, Money, Payer};
use gander::core::check_history::CheckResult;
use gander::core::delivery::Delivery;
use gander::core::github::RepoRef;
use gander::core::id::{DeliveryId, JobId, Number, ReleaseId, RepoId, Timestamp};
use gander::core::job::Job;
use gander::core::judgement::JudgeRecord;
use gander::core::patch::PatchDigest;
use gander::core::release::Release;
use gander::core::task::{Sweep, Task};
use gander::model::Scripted;
use gander::store::{
    Accepted, Claim, Commit, JobQuery, KeptSince, Lease, ListedJob, LogLine, LogPlace,
    NumberedLine, Store, StoreError, StoreFigures, Stored, WaitingTask,
};
use gander_emulator::{AppCredentials, DeliveryFault, Emulator, Fault};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::crash_review::two_points;
use crate::world::{self, Gander, REPO, World, good_fix, off_by_one};

const PLAN: &str = "GANDER_CRASH_PLAN";
const LEASE_MS: i64 = 21_000;

/// Whatever happened on the way: everything is there, and nothing twice.
fn ended_well(emulator: &Emulator, story: &str) {
    let timeline = || {
        let lines = emulator.timeline(REPO);
        lines.iter().map(|line| format!("{line}\n")).collect::<String>()
    };
    let pulls = emulator.pulls(REPO);
    assert_eq!(pulls.len(), 1, "{story}: one pull request\n{}", timeline());
    assert_eq!(pulls[0].state, "open", "{story}");
    assert_eq!(pulls[0].labels, ["gander:ai-generated", "gander:unproven"], "{story}");
    let branches: Vec<_> = emulator.branches(REPO).into_iter().collect();
    let head = (pulls[0].head_branch.clone(), pulls[0].head_sha.clone());
    assert_eq!(branches.len(), 2, "{story}: one branch beside main\n{}", timeline());
    assert!(branches.contains(&head), "{story}");
    let main = emulator.branches(REPO)["main"].clone();
    assert_eq!(emulator.commit(REPO, &head.1).unwrap().parents, [main], "{story}");
    let issue = emulator.issue(REPO, 1).unwrap();
    let ours: Vec<_> = issue.comments.iter().filter(|c| c.author == "gander[bot]").collect();
    assert_eq!(ours.len(), 2, "{story}: a status and an announcement\n{}", timeline());
    let status = ours.iter().filter(|c| c.body.starts_with("**Ready for review**: #2"));
    assert_eq!(status.count(), 1, "{story}\n{}", timeline());
    let told = ours.iter().filter(|c| c.body.starts_with("@mona #2 is ready"));
    assert_eq!(told.count(), 1, "{story}\n{}", timeline());
    let eyes = issue.comments.iter().flat_map(|c| &c.reactions).count();
    assert_eq!(eyes, 1, "{story}: one reaction\n{}", timeline());
    assert_eq!(issue.labels, [] as [&str; 0], "{story}");
    assert_eq!(emulator.check_runs(REPO, &head.1).len(), 1, "{story}: one check run");
    assert_eq!(emulator.unknown_routes(), [] as [&str; 0], "{story}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_or_after_any_write_the_story_ends_the_same() {
    // How many writes there are, seen in a run in which nobody dies.
    let undisturbed = Scene::new().await;
    let writes = undisturbed.play("undisturbed", &["never"]).await;
    assert!(writes > 20, "only {writes} writes");
    for write in 1..=writes {
        for side in ["before", "after"] {
            let story = format!("{side}:{write}");
            let scene = Scene::new().await;
            scene.play(&story, &[&story, "never"]).await;
        }
    }
}

/// The seed is the moment: a request of the fix's life, a little later, and once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_the_story_ends_the_same() {
    let rounds = std::env::var("GANDER_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = rounds.unwrap_or(20_u32);
    let mut deaths = 0;
    for seed in 0..u64::from(rounds) {
        deaths += dies_at_random(seed, |_, _| {}).await;
    }
    assert!(deaths > rounds / 2, "only {deaths} deaths in {rounds} rounds");
}

/// All faults at once: deaths, refusals, answers that are cut off, webhooks that do not arrive or
/// come twice. For longer by hand: `GANDER_SOAK_MINUTES=30`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_all_faults_at_once_the_story_ends_the_same() {
    let minutes = std::env::var("GANDER_SOAK_MINUTES").ok().and_then(|it| it.parse().ok());
    let until = minutes.map(|minutes: u64| Instant::now() + Duration::from_secs(minutes * 60));
    let more = |seed| until.map_or(seed < 6, |until| Instant::now() < until);
    let (mut seed, mut deaths) = (0, 0);
    while more(seed) {
        deaths += dies_at_random(seed + 1_000, |scene, random| {
            for _ in 0..=random.below(3) {
                let fault = Fault::on_mutation(1 + random.below(20) as usize);
                scene.emulator.plan(match random.below(5) {
                    0 => fault.cut_before(),
                    1 => fault.cut_after(),
                    2 => fault.answers(502),
                    3 => fault.answers(429).with_header("retry-after", "30"),
                    _ => fault.answers(500),
                });
            }
            let webhook = match random.below(3) {
                0 => DeliveryFault::Drop,
                1 => DeliveryFault::Duplicate,
                _ => return,
            };
            scene.emulator.plan_delivery(webhook);
        })
        .await;
        seed += 1;
    }
    println!("{seed} stories, {deaths} deaths");
}

/// A story in which Gander dies once or twice, and more goes wrong; says how often it died.
async fn dies_at_random(seed: u64, goes_wrong: impl Fn(&Scene, &mut Random)) -> u32 {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut plans = Vec::new();
    for _ in 0..=random.below(2) {
        plans.push(format!("request:{}:{}", 1 + random.below(25), random.below(200_000)));
    }
    plans.push("never".to_owned());
    let plans: Vec<&str> = plans.iter().map(String::as_str).collect();
    let scene = Scene::new().await;
    goes_wrong(&scene, &mut random);
    scene.play(&format!("seed {seed} {plans:?}"), &plans).await;
    scene.deaths.load(Ordering::SeqCst)
}

#[tokio::test]
async fn an_answer_lost_at_any_effect_makes_nothing_twice_and_leaves_nothing_out() {
    let undisturbed = told(|_| None).await;
    let mutations = undisturbed.emulator.mutations();
    assert!(mutations.len() > 15, "{mutations:?}");
    for mutation in &mutations {
        let number = mutation.number;
        let after = told(|_| Some(Fault::on_mutation(number).cut_after())).await;
        let before = told(|_| Some(Fault::on_mutation(number).cut_before())).await;
        let failed = told(|_| Some(Fault::on_mutation(number).answers(502))).await;
        for (w, what) in [(after, "cut after"), (before, "cut before"), (failed, "502")] {
            let story = format!("{what} {number}: {} {}", mutation.method, mutation.path);
            ended_well(&w.emulator, &story);
            w.ends().await;
        }
    }
}

#[tokio::test]
async fn two_answers_lost_one_after_the_other_make_nothing_twice() {
    let all = told(|_| None).await.emulator.mutations().len();
    for first in (1..=all).step_by(2) {
        let w = told(|w| {
            w.emulator.plan(Fault::on_mutation(first + 1 + first % 3).cut_after());
            Some(Fault::on_mutation(first).cut_after())
        })
        .await;
        ended_well(&w.emulator, &format!("cut after {first} and soon again"));
        w.ends().await;
    }
}

/// The story of one fix, with something going wrong.
async fn told(fault: impl Fn(&World) -> Option<Fault>) -> World {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.reported();
    w.settle().await;
    let planned = fault(&w).map(|fault| w.emulator.plan(fault));
    w.says(issue, "/gander fix").await;
    if let Some(planned) = planned {
        assert_eq!(w.emulator.fault_hits(planned), 1, "nothing went wrong, so nothing was shown");
    }
    w
}

/// Looks whether a story ended as it should; says where it was cut off.
type Ending = Box<dyn Fn(&Emulator, &str)>;

/// GitHub with something that waits to be delivered; no Gander yet.
pub struct Scene {
    pub emulator: Emulator,
    app: AppCredentials,
    directory: TempDir,
    deaths: AtomicU32,
    ended_well: Ending,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        set_time(directory.path(), world::BEGINNING);
        let clock = clock_in(directory.path());
        let (files, spec) = (world::owned(off_by_one()), world::app_spec());
        let (emulator, app) = world::github(directory.path(), clock, files, spec).await;
        std::fs::write(directory.path().join("key.pem"), &app.private_key_pem).unwrap();
        // Until somebody listens.
        emulator.set_webhook_url(app.app_id, "http://127.0.0.1:9/".parse().unwrap());
        let deaths = AtomicU32::new(0);
        let scene = Self { emulator, app, directory, deaths, ended_well: Box::new(ended_well) };
        let stranger = scene.emulator.person("hubot-fan");
        stranger.opens_issue(REPO, "Count is one too low", "", &[]).unwrap();
        scene.emulator.person("mona").comments(REPO, 1, "/gander fix").unwrap();
        scene
    }

    /// What a world at rest has come to, with nobody at work.
    pub async fn of(w: &World, ended_well: impl Fn(&Emulator, &str) + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        set_time(directory.path(), w.now());
        let emulator = w.github_copied(directory.path(), clock_in(directory.path())).await;
        let app = w.app.clone();
        std::fs::write(directory.path().join("key.pem"), &app.private_key_pem).unwrap();
        emulator.set_webhook_url(app.app_id, "http://127.0.0.1:9/".parse().unwrap());
        let deaths = AtomicU32::new(0);
        Self { emulator, app, directory, deaths, ended_well: Box::new(ended_well) }
    }

    /// Lets one process after another live by its plan; returns the writes of the last one.
    pub async fn play(&self, story: &str, plans: &[&str]) -> u32 {
        let mut writes = 0;
        for plan in plans {
            let mut process = Process::start(self, plan);
            if let Some(url) = process.hears() {
                self.emulator.set_webhook_url(self.app.app_id, url.parse().unwrap());
                writes = self.live(&mut process, plan).await;
            }
            let killed = process.was_killed();
            self.deaths.fetch_add(killed.into(), Ordering::SeqCst);
            let certain = ["before:", "after:", "effect:"].iter().any(|it| plan.starts_with(it));
            assert!(killed || !certain, "{story}: nobody died");
            // The dead one's leases run out.
            set_time(self.directory.path(), time(self.directory.path()) + LEASE_MS);
        }
        (self.ended_well)(&self.emulator, story);
        self.nothing_left(story);
        writes
    }

    /// Until it dies or all is quiet.
    async fn live(&self, process: &mut Process, plan: &str) -> u32 {
        let at = plan.strip_prefix("request:").map(|when| self.kill_at(process, when));
        let on = plan.strip_prefix("effect:").map(|number| self.kill_on(process, number));
        let mut writes = 0;
        // A delivery that found nobody is fetched from GitHub's log minutes later.
        for minutes in [0, 6, 6] {
            set_time(self.directory.path(), time(self.directory.path()) + minutes * 60_000);
            loop {
                let delivered = self.emulator.deliver_all().await.len();
                process.say("settle");
                let Some(answer) = tokio::task::block_in_place(|| process.hears()) else {
                    return writes;
                };
                writes = answer.parse().unwrap();
                if delivered == 0 && self.emulator.waiting_deliveries() == 0 {
                    break;
                }
            }
        }
        drop((at, on));
        writes
    }

    /// Kills the process when so many changes were asked of GitHub since it lives, and a little
    /// later.
    fn kill_at(&self, process: &Process, when: &str) -> Killer {
        let (requests, later) = when.split_once(':').unwrap();
        let (requests, later): (usize, u32) = (requests.parse().unwrap(), later.parse().unwrap());
        let emulator = self.emulator.clone();
        let from = emulator.mutations().len();
        Killer::new(process, later, move || emulator.mutations().len() >= from + requests)
    }

    /// Lets GitHub do as asked with the change of this number, and kills the process before it
    /// hears of that.
    fn kill_on(&self, process: &Process, number: &str) -> Killer {
        let emulator = self.emulator.clone();
        let planned = emulator.plan(Fault::on_mutation(number.parse().unwrap()).hangs_after());
        Killer::new(process, 0, move || emulator.fault_hits(planned) > 0)
    }

    fn nothing_left(&self, story: &str) {
        let scratch = self.directory.path().join("data/scratch");
        let left = std::fs::read_dir(scratch).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{story}: a directory of a dead process is left");
    }
}

/// Ends with the process it waits to kill.
struct Killer {
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Killer {
    fn new(process: &Process, later: u32, due: impl Fn() -> bool + Send + 'static) -> Self {
        let id = process.child.id();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            while !due() {
                if stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected) {
                    return;
                }
                // Watching in a circle would take a processor from the one that is watched.
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
            for _ in 0..later {
                std::hint::spin_loop();
            }
            let id = rustix::process::Pid::from_raw(id.cast_signed()).unwrap();
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One life of Gander.
struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Process {
    fn start(scene: &Scene, plan: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::the_process_that_dies", "--ignored", "--nocapture"])
            .env(PLAN, plan)
            .env("GANDER_CRASH_DIRECTORY", scene.directory.path())
            .env("GANDER_CRASH_GITHUB", scene.emulator.web_url().as_str())
            .env("GANDER_CRASH_APP", scene.app.app_id.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, to, from: BufReader::new(from) }
    }

    fn say(&mut self, word: &str) {
        let _ = writeln!(self.to, "{word}");
    }

    /// The next thing it says; nothing when it is dead.
    fn hears(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((_, said)) = line.split_once("gander says ") {
                return Some(said.trim().to_owned());
            }
        }
    }

    /// Waits for its end, which comes by itself when nothing more is said to it.
    fn was_killed(mut self) -> bool {
        drop(self.to);
        self.child.wait().unwrap().signal() == Some(9)
    }
}

/// Not a story: what runs in the other process.
#[test]
#[ignore = "started by the stories above"]
fn the_process_that_dies() {
    let Ok(plan) = std::env::var(PLAN) else { return };
    let variable = |name: &str| std::env::var(format!("GANDER_CRASH_{name}")).unwrap();
    let directory = PathBuf::from(variable("DIRECTORY"));
    let github: url::Url = variable("GITHUB").parse().unwrap();
    let app_id = variable("APP").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(live(&plan, &directory, &github, app_id));
}

async fn live(plan: &str, directory: &Path, github: &url::Url, app_id: u64) {
    let data = directory.join("data");
    // As the composition root does at every start.
    let _ = std::fs::remove_dir_all(data.join("scratch"));
    let store = Arc::new(Mortal::new(world::open(&data).await, plan));
    let shown = directory.to_owned();
    let key = std::fs::read_to_string(directory.join("key.pem")).unwrap();
    let gander = Gander {
        slack: None,
        api: github.join("/api/v3").unwrap(),
        web: github.clone(),
        app_id,
        key: &key,
        secret: &world::app_spec().webhook_secret,
        clock: Clock::from_fn(move || Timestamp(time(&shown))),
        data,
        store: Arc::clone(&store) as Arc<dyn Store>,
        model: Arc::new(Scripted::from_rounds(vec![vec![good_fix()], vec![two_points()]])),
    };
    let App { intake, worker } = gander.app();
    worker.begin_sweeps().await.unwrap();
    let (url, _listening) = world::listen(intake).await;
    println!("\ngander says {url}");
    // To read it here would hold up the only thread.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().try_for_each(|line| tell.send(line)));
    while let Some(line) = told.recv().await {
        assert_eq!(line.unwrap(), "settle");
        let patience = time(directory) + 2 * 60_000;
        let never = CancellationToken::new();
        loop {
            if worker.step(&never).await.unwrap() {
                continue;
            }
            match store.next_due().await.unwrap() {
                Some(due) if due.0 <= patience => set_time(directory, due.0.max(time(directory))),
                _ => break,
            }
        }
        println!("\ngander says {}", store.writes.load(Ordering::SeqCst));
    }
}

fn clock_in(directory: &Path) -> gander_emulator::Clock {
    let directory = directory.to_owned();
    Arc::new(move || time(&directory))
}

fn set_time(directory: &Path, now: i64) {
    let next = directory.join("now.next");
    std::fs::write(&next, now.to_string()).unwrap();
    std::fs::rename(next, directory.join("now")).unwrap();
}

fn time(directory: &Path) -> i64 {
    std::fs::read_to_string(directory.join("now")).unwrap().parse().unwrap()
}

/// A memory that kills its process at one write.
struct Mortal {
    inner: Arc<dyn Store>,
    writes: AtomicU32,
    before: Option<u32>,
    after: Option<u32>,
}

impl Mortal {
    fn new(inner: Arc<dyn Store>, plan: &str) -> Self {
        let at = |side: &str| plan.strip_prefix(side)?.strip_prefix(':')?.parse().ok();
        Self { inner, writes: AtomicU32::new(0), before: at("before"), after: at("after") }
    }

    async fn write<T>(&self, write: impl Future<Output = T>) -> T {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.before == Some(number) {
            die();
        }
        let written = write.await;
        if self.after == Some(number) {
            die();
        }
        written
    }
}

fn die() {
    let me = rustix::process::getpid();
    rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
    // The signal may take a moment; nothing more is to happen in it.
    loop {
        std::thread::park();
    }
}

#[async_trait]
impl Store for Mortal {
    async fn accept(
        &self,
        delivery: &Delivery,
        wanted: bool,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        self.write(self.inner.accept(delivery, wanted, now)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    // A claim leaves the same behind as dying right after the commit before it, but for the lease.
    async fn claim(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        self.inner.claim(now).await
    }

    async fn claim_unslotted(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        self.inner.claim_unslotted(now).await
    }

    async fn heartbeat(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        self.inner.heartbeat(lease, now).await
    }

    async fn commit(
        &self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(self.inner.commit(lease, commit, now)).await
    }

    async fn postpone(&self, lease: &Lease, due: Timestamp, fault: &str) -> Result<(), StoreError> {
        self.write(self.inner.postpone(lease, due, fault)).await
    }

    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError> {
        self.write(self.inner.hand_back(lease)).await
    }

    async fn enqueue(&self, task: &Task, due: Timestamp) -> Result<(), StoreError> {
        self.write(self.inner.enqueue(task, due)).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Stored<Job>>, StoreError> {
        self.inner.job(id).await
    }

    async fn jobs_on(&self, repo: RepoId, number: Number) -> Result<Vec<Stored<Job>>, StoreError> {
        self.inner.jobs_on(repo, number).await
    }

    async fn jobs_under_way(&self, repo: RepoId) -> Result<Vec<Stored<Job>>, StoreError> {
        self.inner.jobs_under_way(repo).await
    }
    async fn open_jobs(&self, repo: Option<RepoId>) -> Result<Vec<Stored<Job>>, StoreError> {
        self.inner.open_jobs(repo).await
    }

    async fn relocate(&self, repo: &RepoRef) -> Result<(), StoreError> {
        self.inner.relocate(repo).await
    }

    async fn judge_record(&self, repo: RepoId) -> Result<JudgeRecord, StoreError> {
        self.inner.judge_record(repo).await
    }

    async fn release(&self, id: &ReleaseId) -> Result<Option<Stored<Release>>, StoreError> {
        self.inner.release(id).await
    }

    async fn open_releases(
        &self,
        repo: Option<RepoId>,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        self.inner.open_releases(repo).await
    }

    async fn release_of_pull(
        &self,
        repo: RepoId,
        pull: Number,
    ) -> Result<Option<Stored<Release>>, StoreError> {
        self.inner.release_of_pull(repo, pull).await
    }

    async fn last_releases(
        &self,
        repo: RepoId,
        most: u32,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        self.inner.last_releases(repo, most).await
    }

    async fn release_log(&self, id: &ReleaseId) -> Result<Vec<LogLine>, StoreError> {
        self.inner.release_log(id).await
    }

    async fn patch(&self, digest: &PatchDigest) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.patch(digest).await
    }

    async fn spent(
        &self,
        payer: Payer,
        accounts: &Accounts,
        since: Timestamp,
    ) -> Result<Money, StoreError> {
        self.inner.spent(payer, accounts, since).await
    }

    async fn past_costs(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<Vec<Money>, StoreError> {
        self.inner.past_costs(repo_id, since).await
    }

    async fn merged_pulls(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<(u32, Money), StoreError> {
        self.inner.merged_pulls(repo_id, since).await
    }

    async fn slack(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<gander::core::slack::SlackRecord>, StoreError> {
        self.inner.slack(key, now).await
    }

    async fn slack_threads(&self, repo: RepoId, number: Number) -> Result<Vec<String>, StoreError> {
        self.inner.slack_threads(repo, number).await
    }

    async fn check_results(
        &self,
        repo: RepoId,
        since: Timestamp,
        name: Option<&str>,
    ) -> Result<Vec<CheckResult>, StoreError> {
        self.inner.check_results(repo, since, name).await
    }

    async fn known(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        self.inner.known(ids).await
    }

    async fn log(&self, job: &JobId) -> Result<Vec<LogLine>, StoreError> {
        self.inner.log(job).await
    }

    async fn bring_near(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(self.inner.bring_near(now)).await
    }

    async fn swept(&self, sweep: Sweep, at: Timestamp) -> Result<(), StoreError> {
        self.write(self.inner.swept(sweep, at)).await
    }

    async fn last_swept(&self, sweep: Sweep) -> Result<Option<Timestamp>, StoreError> {
        self.inner.last_swept(sweep).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due().await
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        self.inner.queue_length().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(self.inner.forget(before)).await
    }

    async fn list_jobs(&self, which: &JobQuery, most: u32) -> Result<Vec<ListedJob>, StoreError> {
        self.inner.list_jobs(which, most).await
    }

    async fn waiting(&self, lanes: &[String]) -> Result<Vec<WaitingTask>, StoreError> {
        self.inner.waiting(lanes).await
    }

    async fn log_lines(
        &self,
        from: LogPlace,
        job: Option<&JobId>,
    ) -> Result<Vec<NumberedLine>, StoreError> {
        self.inner.log_lines(from, job).await
    }

    async fn set_pause(
        &self,
        since: Option<Timestamp>,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(self.inner.set_pause(since, audit, now)).await
    }

    async fn paused(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.paused().await
    }

    async fn record(&self, entries: &[AuditEntry], now: Timestamp) -> Result<(), StoreError> {
        self.write(self.inner.record(entries, now)).await
    }

    async fn audit_rows(&self, after: i64, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.inner.audit_rows(after, most).await
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.inner.audit_head().await
    }

    async fn figures(&self, now: Timestamp, since: Timestamp) -> Result<StoreFigures, StoreError> {
        self.inner.figures(now, since).await
    }

    async fn repositories(&self) -> Result<Vec<RepoRef>, StoreError> {
        self.inner.repositories().await
    }

    async fn thin(&self, kept: &KeptSince) -> Result<u64, StoreError> {
        self.write(self.inner.thin(kept)).await
    }

    async fn forget_repository(
        &self,
        repo: RepoId,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.write(self.inner.forget_repository(repo, audit, now)).await
    }
}

/// Enough chance for a test, the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
