//! Does what stands in the queue: claim → perform → advance → commit.
//!
//! What holds: nothing is remembered here between two tasks; what follows from a task is written in
//! one transaction with its removal; while a task is performed its lease is kept alive, and a lost
//! lease or a stopped job ends the work; waiting for people or GitHub holds no worker.

#![warn(clippy::wildcard_enum_match_arm)]

use crate::core::machine::{Failure, Machine, Place};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::core::budget::Money;
use crate::core::command::Address;
use crate::core::fault::FaultKind;
use crate::core::id::{JobId, PatchDigest};
use crate::core::job::{Fact, Job, Stage, Step, advance};
use crate::core::policy::Show;
use crate::core::report::Setting;
use crate::core::task::Task;
use crate::forge::Forge;
use crate::model::Model;
use crate::sandbox::Sandbox;
use crate::store::{Claim, Commit, JobWrite, Lease, Store, StoreError, Stored};
use crate::workspace::scratch::Scratch;

mod ci;
mod fault;
mod fix;
mod landing;
mod ledger;
mod look;
mod perform;
mod readback;
mod release;
mod round;
mod route;
mod route_release;
mod route_review;
mod sweep;

pub use fault::Fault;
pub use fix::{Attempt, AttemptEnd, AttemptResult, Job as LocalJob, Rooms, attempt, check};

/// What the worker works with.
#[derive(Clone)]
pub struct Parts {
    /// The memory.
    pub store: Arc<dyn Store>,
    /// The door to GitHub.
    pub forge: Forge,
    /// The walls.
    pub sandbox: Arc<dyn Sandbox>,
    /// The operator's list; the first is the default.
    pub models: Vec<Arc<dyn Model>>,
    /// The time.
    pub clock: Clock,
    /// Woken when something new stands in the queue. A hint only: the queue is looked at anyway.
    pub wake: Arc<Notify>,
    /// The operator's choices.
    pub settings: Settings,
}

/// The operator's choices.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How people address Gander.
    pub address: Address,
    /// Mirrors, scratch trees, transcripts, logs.
    pub data: PathBuf,
    /// No job may cost more.
    pub most_per_job: Money,
    /// No installation may cost more in a day.
    pub installation_day: Money,
    /// Steps of jobs done side by side.
    pub workers: usize,
    /// First pause before asking an overloaded model again.
    pub model_pause: Duration,
    /// How long a head must have stood before silence counts as "no checks", where none is required.
    pub settle: Duration,
}

/// The worker.
#[derive(Clone)]
pub struct Worker {
    parts: Parts,
    /// For steps of jobs.
    places: Arc<Semaphore>,
}

/// What performing a task led to.
enum Outcome {
    /// Something was learnt about a job.
    Learnt(Box<Learnt>),
    /// Something was learnt about a release.
    LearntOfRelease(Box<release::LearntOfRelease>),
    /// A commit that is ready to be written.
    Ready(Box<Commit>),
    /// Nothing follows.
    Done,
}

/// A fact about a job, and the patch it speaks of, if that is to be kept.
struct Learnt {
    job: JobId,
    fact: Fact,
    patch: Option<(PatchDigest, Vec<u8>)>,
}

const HEARTBEAT: Duration = Duration::from_secs(5);
/// Loops beside those that steps of jobs can hold.
const HANDS_BESIDE: usize = 16;
/// How often the queue is looked at without a hint.
const IDLE: Duration = Duration::from_secs(1);
/// Tries of something that only shows or answers, before it is dropped.
const MOST_TRIES_OF_WORDS: u32 = 30;
/// Tries of a step of a job, before the job ends with the failure.
const MOST_TRIES_OF_STEPS: u32 = 6;
/// Waits that the other side asked for, before even those end.
const MOST_WAITS: u32 = 100;
const LONGEST_PAUSE_SECONDS: u64 = 600;
/// A job that changes while its fact is written is read again; this often at most.
const MOST_CONFLICTS: u32 = 20;

impl Worker {
    /// A worker that has not begun.
    pub fn new(parts: Parts) -> Self {
        let places = Arc::new(Semaphore::new(parts.settings.workers.max(1)));
        Self { parts, places }
    }

    /// Works until `shutdown`, then hands back what it holds.
    ///
    /// Steps of jobs take minutes and wait for one of a few places; deciding, answering and showing
    /// go on beside them, so that a `cancel` reaches the job it is about. Each loop is a task of its
    /// own: whatever one does, the others go on.
    pub async fn run(&self, shutdown: CancellationToken) {
        let places = self.parts.settings.workers.max(1);
        let mut loops = JoinSet::new();
        for _ in 0..places + HANDS_BESIDE {
            self.begin_loop(&mut loops, &shutdown);
        }
        let (worker, until) = (self.clone(), shutdown.clone());
        let ticking = tokio::spawn(async move { worker.tick(&until).await });
        self.scratch().empty_trash(&shutdown).await;
        while let Some(ended) = loops.join_next().await {
            if let Err(broke) = ended {
                // Its task comes back when the lease is over.
                tracing::error!(error = %broke, "a loop of the worker broke; another begins");
                self.begin_loop(&mut loops, &shutdown);
            }
        }
        if let Err(broke) = ticking.await {
            tracing::error!(error = %broke, "the worker's clock broke");
        }
    }

    fn begin_loop(&self, loops: &mut JoinSet<()>, shutdown: &CancellationToken) {
        let (worker, until) = (self.clone(), shutdown.clone());
        loops.spawn(async move { worker.work(&until).await });
    }

    /// Where trees of jobs are.
    fn scratch(&self) -> Scratch {
        Scratch::below(&self.parts.settings.data)
    }

    /// Looks at the queue now and then, should a hint have been missed or something become due.
    async fn tick(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            self.parts.wake.notify_one();
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn work(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.step(shutdown).await {
                Ok(true) => {}
                Ok(false) => self.idle(shutdown).await,
                Err(error) => {
                    tracing::error!(error = %fault::chain(&error), "the queue cannot be used");
                    self.idle(shutdown).await;
                }
            }
        }
    }

    async fn idle(&self, shutdown: &CancellationToken) {
        tokio::select! {
            () = self.parts.wake.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Does one due task. `false`: nothing is due.
    pub async fn step(&self, shutdown: &CancellationToken) -> Result<bool, StoreError> {
        let Some(claim) = self.parts.store.claim(self.parts.clock.now()).await? else {
            return Ok(false);
        };
        // There may be more: let another loop look.
        self.parts.wake.notify_one();
        let stop = shutdown.child_token();
        let performed = {
            let work = async {
                let _place = match claim.task.spec().map(|spec| spec.place) {
                    Some(Place::Worker) => self.places.acquire().await.ok(),
                    Some(Place::Free) | None => None,
                };
                self.perform(&claim, &stop).await
            };
            tokio::pin!(work);
            loop {
                tokio::select! {
                    // A stopping worker hands back, whatever its work says of being stopped.
                    biased;
                    () = shutdown.cancelled() => break None,
                    performed = &mut work => break Some(performed),
                    () = tokio::time::sleep(HEARTBEAT) => {
                        if !self.still_ours(&claim).await {
                            stop.cancel();
                            break None;
                        }
                    }
                }
            }
        };
        stop.cancel();
        match performed {
            Some(performed) => self.write(claim, performed).await?,
            None if shutdown.is_cancelled() => {
                ignore_lost(self.parts.store.hand_back(&claim.lease).await)?;
            }
            // The job is over or somebody else has the task: nothing follows from our half of it.
            None => ignore_lost(self.acknowledge(&claim.lease).await)?,
        }
        self.parts.wake.notify_one();
        Ok(true)
    }

    /// Prolongs the lease. Not ours any more: it was lost, or the job has ended meanwhile.
    async fn still_ours(&self, claim: &Claim) -> bool {
        match self.parts.store.heartbeat(&claim.lease, self.parts.clock.now()).await {
            Err(StoreError::LeaseLost) => return false,
            Err(error) => tracing::warn!(error = %fault::chain(&error), "a heartbeat was missed"),
            Ok(()) => {}
        }
        let Task::Step { job, step } = &claim.task else { return true };
        if step.spec().failure == Failure::Dropped {
            return true;
        }
        let job = self.parts.store.job(job).await;
        !matches!(job, Ok(Some(stored)) if stored.job.is_done())
    }

    async fn write(
        &self,
        claim: Claim,
        performed: Result<Outcome, Fault>,
    ) -> Result<(), StoreError> {
        let written = match performed {
            Ok(Outcome::Done) => self.acknowledge(&claim.lease).await,
            Ok(Outcome::Ready(commit)) => self.commit(&claim.lease, &commit).await,
            Ok(Outcome::Learnt(learnt)) => self.learn(&claim.lease, &learnt).await,
            Ok(Outcome::LearntOfRelease(learnt)) => {
                self.learn_of_release(&claim.lease, &learnt).await
            }
            Err(fault) => self.failed(&claim, fault).await,
        };
        ignore_lost(written)
    }

    async fn failed(&self, claim: &Claim, fault: Fault) -> Result<(), StoreError> {
        let awaited = claim.task.spec().is_some_and(|spec| spec.failure == Failure::Awaited);
        let most = if awaited { MOST_TRIES_OF_STEPS } else { MOST_TRIES_OF_WORDS };
        if let FaultKind::Retry { after_seconds } = fault.kind
            && (claim.tries < most || after_seconds.is_some() && claim.tries < MOST_WAITS)
        {
            let pause = after_seconds.unwrap_or(1 << claim.tries.min(9));
            let pause = i64::try_from(pause.min(LONGEST_PAUSE_SECONDS)).unwrap_or(i64::MAX);
            tracing::warn!(fault = %fault.text, pause, "trying again later");
            let due = self.parts.clock.now().plus_seconds(pause);
            return self.parts.store.postpone(&claim.lease, due, &fault.text).await;
        }
        tracing::error!(fault = %fault.text, task = ?claim.task.lane(), "given up");
        // People on GitHub are not told where on our disk things lie.
        let data = self.parts.settings.data.display().to_string();
        let why = fault.text.replace(&data, "[data]");
        match &claim.task {
            Task::Step { job, step } if awaited => {
                let fact = Fact::Broke { step: step.clone(), why };
                let learnt = Learnt { job: job.clone(), fact, patch: None };
                self.learn(&claim.lease, &learnt).await
            }
            Task::Release { release, step } if awaited => {
                let learnt = release::broke(release, step, why);
                self.learn_of_release(&claim.lease, &learnt).await
            }
            Task::Step { .. }
            | Task::Release { .. }
            | Task::Delivery { .. }
            | Task::NextRelease { .. }
            | Task::Reply(_)
            | Task::NextOn { .. }
            | Task::Sweep(_) => self.acknowledge(&claim.lease).await,
        }
    }

    /// Writes what a fact changes about its job, reading it anew while others change it too.
    async fn learn(&self, lease: &Lease, learnt: &Learnt) -> Result<(), StoreError> {
        let Learnt { job, fact, patch } = learnt;
        for _ in 0..MOST_CONFLICTS {
            let Some(stored) = self.parts.store.job(job).await? else {
                return self.acknowledge(lease).await;
            };
            let Some(mut commit) = advanced(&stored, fact) else {
                return self.acknowledge(lease).await;
            };
            commit.patch.clone_from(patch);
            match self.parts.store.commit(lease, &commit, self.parts.clock.now()).await {
                Err(StoreError::Conflict) => {}
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StoreError> {
        match self.parts.store.commit(lease, commit, self.parts.clock.now()).await {
            // Answered before under another delivery: this one has no consequence.
            Err(StoreError::AlreadyDone) => self.acknowledge(lease).await,
            // Somebody changed the job meanwhile: decide again on what is there now.
            Err(StoreError::Conflict) => {
                let now = self.parts.clock.now();
                self.parts.store.postpone(lease, now, "the job changed meanwhile").await
            }
            other => other,
        }
    }

    async fn acknowledge(&self, lease: &Lease) -> Result<(), StoreError> {
        self.parts.store.commit(lease, &Commit::default(), self.parts.clock.now()).await
    }

    /// What is told around a job.
    fn setting(&self, job: &Job) -> Setting {
        Setting {
            prefix: self.parts.settings.address.prefix.clone(),
            model: self.model_of(job).map_or_else(String::new, |model| model.name().to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            show: job.rules.as_ref().map_or_else(Show::default, |rules| rules.show.clone()),
            now: self.parts.clock.time_of_day(),
            web: self.parts.forge.web_address(),
        }
    }

    /// The asked-for model, else the repository's, else the operator's first.
    fn model_of(&self, job: &Job) -> Option<&Arc<dyn Model>> {
        let configured = job.rules.as_ref().and_then(|rules| rules.agent.model.as_ref());
        match job.order.model.as_ref().or(configured) {
            Some(name) => self.parts.models.iter().find(|model| model.name() == name),
            None => self.parts.models.first(),
        }
    }
}

/// The commit that follows from a fact. `None`: it changes nothing.
fn advanced(stored: &Stored, fact: &Fact) -> Option<Commit> {
    let (job, steps) = advance(&stored.job, fact)?;
    let tasks = steps.into_iter().map(|step| task_of(&job, step)).collect();
    Some(Commit {
        log: Some(format!("{} → {}", name_of(fact), stage_name(&job.stage))),
        ledger: ledger::entry(&stored.job, &job).into_iter().collect(),
        tasks,
        job: Some(JobWrite::Change(job, stored.version)),
        ..Commit::default()
    })
}

fn task_of(job: &Job, step: Step) -> Task {
    if step == Step::StartNext {
        return Task::NextOn { repo: job.place.repo, number: job.subject };
    }
    Task::Step { job: job.id.clone(), step }
}

fn ignore_lost(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::LeaseLost) => {
            tracing::info!("a task was taken over by another worker");
            Ok(())
        }
        other => other,
    }
}

fn name_of(fact: &Fact) -> &'static str {
    match fact {
        Fact::TurnCame => "its turn came",
        Fact::Prepared { .. } => "prepared",
        Fact::Declined(_) => "declined",
        Fact::Proposed { .. } => "a change was proposed",
        Fact::NothingToFix { .. } => "nothing to fix",
        Fact::AttemptFailed { .. } => "the attempt failed",
        Fact::Verified(_) => "checked",
        Fact::Published { .. } => "published",
        Fact::HeadMoved { .. } => "a person pushed meanwhile",
        Fact::Held { .. } => "held back",
        Fact::Go { .. } => "let out by a person",
        Fact::Seen(_) => "looked at",
        Fact::Asked(_) => "changes were asked for",
        Fact::Taken(_) => "a review was taken up",
        Fact::RoundReady { .. } => "a round is ready",
        Fact::RoundRefused { .. } => "a round was refused",
        Fact::Answered { .. } => "answered",
        Fact::HeadChecked { .. } => "a person's commit was checked",
        Fact::Merged { .. } => "merged",
        Fact::NotMerged { .. } => "not merged",
        Fact::Closed { .. } => "closed by people",
        Fact::Cancelled { .. } => "cancelled",
        Fact::OutOfBudget { .. } => "out of budget",
        Fact::Broke { .. } => "broke",
    }
}

fn stage_name(stage: &Stage) -> String {
    match stage {
        Stage::Queued => "queued".to_owned(),
        Stage::Preparing => "preparing".to_owned(),
        Stage::Fixing { attempt, .. } => format!("fixing, attempt {attempt}"),
        Stage::Verifying { attempt, .. } => format!("verifying, attempt {attempt}"),
        Stage::Publishing { .. } => "publishing".to_owned(),
        Stage::Holding { .. } => "held back".to_owned(),
        Stage::Starting { round } => format!("starting round {round}"),
        Stage::Answering { round } => format!("answering, round {round}"),
        Stage::Merging { .. } => "merging".to_owned(),
        Stage::InReview { .. } => "in review".to_owned(),
        Stage::Done(_) => "done".to_owned(),
    }
}
