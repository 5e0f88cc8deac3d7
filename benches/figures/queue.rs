//! A full queue, while models take their time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gander::clock::Clock;
use gander::forge::Pace;
use gander::model::{Model, ModelError, ModelReply, Price, Request, Scripted};
use gander_emulator::LimitPlan;

use super::agent::five_turns;
use super::journey::{Whole, until};
use super::sample::Sample;
use super::served::REPO;
use super::table::{Table, Wanted};

const JOBS: usize = 20;
const REPLY: Duration = Duration::from_millis(500);
const RUNS: usize = 2;

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // Both in turns. With as many places as slots a step holds its slot while it waits.
    let (mut before, mut now) = (Vec::new(), Vec::new());
    for n in 0..RUNS {
        for (models, all) in [(2, &mut before), (16, &mut now)] {
            let home = home.join(format!("queue-{n}-{models}"));
            all.push(runtime.block_on(run(&home, models)));
            std::fs::remove_dir_all(home).unwrap();
        }
    }
    for (what, runs) in [("2 under way", before), ("16 under way", now)] {
        let (first, last): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let of = format!("{JOBS} jobs, 0.5 s a reply, 2 workers, {what}");
        table.sample(&format!("{of}: first PR"), "ms", &Sample::of_times(first), Wanted::Nothing);
        table.sample(&format!("{of}: all"), "ms", &Sample::of_times(last), Wanted::Nothing);
    }
}

/// When the first and the last pull request of jobs that were asked for at once is open.
async fn run(home: &Path, models: usize) -> (Duration, Duration) {
    let slow = Arc::new(Slow(Scripted::from_turns(five_turns())));
    let whole = Whole::start(home, Clock::system(), slow, (2, models), Pace::FREE).await;
    let (emulator, mona) = (&whole.github.emulator, whole.github.emulator.person("mona"));
    // As on an Enterprise Server: here it is about the queue, and not about GitHub's pace.
    emulator.set_limits(LimitPlan {
        requests_per_hour: u32::MAX,
        content_per_minute: usize::MAX,
        content_per_hour: usize::MAX,
        points_per_minute: u32::MAX,
    });
    let rules = "[limits]\nopen_pulls = 100\nopen_per_reviewer = 100\n[budget]\nrepository_day = \"$1000\"\nperson_day = \"$1000\"\n[verify]\ncommands = [\"sh check.sh\"]\n";
    let files = [(".github/gander.toml", Some(rules))];
    mona.pushes(REPO, "main", "chore: rules", &files).unwrap();
    let issue = |n| mona.opens_issue(REPO, &format!("Count {n} is one too low"), "", &[]).unwrap();
    let issues: Vec<u64> = (0..JOBS).map(issue).collect();
    until(|| emulator.waiting_deliveries() == 0).await;
    let began = Instant::now();
    for issue in issues {
        mona.comments(REPO, issue, "/gander fix").unwrap();
    }
    until(|| !emulator.pulls(REPO).is_empty()).await;
    let first = began.elapsed();
    until(|| emulator.pulls(REPO).len() == JOBS).await;
    let last = began.elapsed();
    whole.shutdown.cancel();
    whole.running.await.unwrap().unwrap();
    (first, last)
}

/// Thinks for a while before each reply.
struct Slow(Scripted);

#[async_trait]
impl Model for Slow {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn price(&self) -> Price {
        self.0.price()
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        tokio::time::sleep(REPLY).await;
        self.0.respond(request).await
    }
}
