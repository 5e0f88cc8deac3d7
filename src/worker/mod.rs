//! Does what stands in the queue: claim → perform → advance → commit.
//!
//! Invariants: nothing is remembered here between two tasks; what follows from a task is written in
//! one transaction with its removal; while a task is performed its lease is kept alive, and a lost
//! lease or a stopped job ends the work; waiting for people or GitHub holds no worker.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::commit::{Learnt, OutcomeWriter, TaskOutcome};
use crate::agent::HeldSlot;
use crate::core::fault::ErrorKind;
use crate::core::id::Timestamp;
use crate::core::machine::{Machine, OnFailure, WorkerSlot};
use crate::core::task::Task;
use crate::core::{job, release};
use crate::forge::Effect;
use crate::store::{Claim, LONGEST_PAUSE_SECONDS, StoreError};

mod attempt;
mod audit;
mod budget;
mod checks;
mod ci;
mod commit;
mod consent;
mod context;
mod conventions;
mod fault;
mod job_context;
mod local;
mod missed;
mod notes;
mod old_files;
mod operator;
mod others_pull;
mod packages;
mod patches;
mod pictures;
mod proof;
mod pull;
mod red_check;
mod route;
mod slack;
mod steps;
mod survey;
mod sweep;
mod to_read;
mod turn;
mod update;
mod workflow;
mod workflow_risks;

pub use attempt::{Attempt, attempt};
pub use context::{Context, SlackVisits, WorkerSettings};
pub use conventions::conventions;
pub use fault::WorkError;
pub use job_context::{AttemptInput, JobContext};
pub use local::{LocalEnd, LocalFault, LocalJob};
pub use missed::Reach;
pub use pull::{PULL_PAUSE, Pulled};
pub use survey::{Survey, survey};
pub use workflow::{Decided, Handover, NextPart, decide, fetch, push, work};
pub use workflow_risks::workflow_risks_of;

/// The worker.
#[derive(Clone)]
pub struct Worker {
    ctx: Context,
    /// For steps of jobs that may take minutes: to work on this machine.
    slots: Arc<Semaphore>,
    /// The same: to be under way at all. More of them, since most of the time of a step that asks a
    /// model is spent waiting for its replies.
    places: Arc<Semaphore>,
    /// Counts the looks at the queue, and the heartbeats of what is under way, answered or refused.
    pulse: watch::Sender<u64>,
}

const HEARTBEAT: Duration = Duration::from_secs(5);
/// Loops beside those that steps of jobs can hold.
const LOOPS_BESIDE: usize = 16;
/// How often the queue is looked at without a hint.
const IDLE: Duration = Duration::from_secs(1);
/// Tries of something that only shows or answers, before it is dropped.
const MOST_TRIES_OF_WORDS: u32 = 30;
/// Tries of a step of a job, before the job ends with the failure.
const MOST_TRIES_OF_STEPS: u32 = 6;
/// Times that Gander may end, or get stuck, while it works on one task: what that task is about may
/// be the cause. Each takes a lease's time.
const MOST_ABANDONED: u32 = 20;
/// Waits that the other side asked for, before even those end.
const MOST_WAITS: u32 = 100;

/// How many steps that take a slot may be under way.
fn places_of(settings: &WorkerSettings) -> usize {
    settings.models.max(settings.workers).max(1)
}

impl Worker {
    /// A worker that has not begun.
    pub fn new(ctx: Context) -> Self {
        let slots = Arc::new(Semaphore::new(ctx.settings.workers.max(1)));
        let places = Arc::new(Semaphore::new(places_of(&ctx.settings)));
        Self { ctx, slots, places, pulse: watch::Sender::new(0) }
    }

    /// A number that grows as long as the worker goes round, whatever its queue answers.
    pub fn pulse(&self) -> watch::Receiver<u64> {
        self.pulse.subscribe()
    }

    /// Queues the first sweeps. Done again at every start; each is queued once.
    ///
    /// # Errors
    /// When the queue cannot be used.
    pub async fn begin_sweeps(&self) -> Result<(), WorkError> {
        sweep::begin_sweeps(&self.ctx).await
    }

    /// Reads GitHub's own log of deliveries until `shutdown`, instead of waiting for webhooks.
    pub async fn pull(&self, shutdown: CancellationToken) {
        pull::pull(&self.ctx, &shutdown).await;
    }

    /// Reads it once.
    ///
    /// # Errors
    /// When GitHub does not answer, or nothing can be remembered.
    pub async fn pull_once(&self, reach: Reach) -> Result<Pulled, WorkError> {
        pull::round(&self.ctx, reach).await
    }

    /// Works until `shutdown`, then hands back what it holds.
    ///
    /// Steps of jobs take minutes, and are claimed only while one of a few slots is free; deciding,
    /// answering and showing go on beside them, so that a `cancel` reaches the job it is about.
    /// Each loop is a task of its own: whatever one does, the others go on.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut loops = JoinSet::new();
        for _ in 0..places_of(&self.ctx.settings) + LOOPS_BESIDE {
            self.begin_loop(&mut loops, &shutdown);
        }
        let (worker, until) = (self.clone(), shutdown.clone());
        let ticking = tokio::spawn(async move { worker.tick(&until).await });
        let (ctx, until) = (self.ctx.clone(), shutdown.clone());
        tokio::spawn(async move { operator::tell_of_pauses(&ctx, &until).await });
        let (ctx, until) = (self.ctx.clone(), shutdown.clone());
        let tidying = tokio::spawn(async move { old_files::look_after(&ctx, &until).await });
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
        if let Err(broke) = tidying.await {
            tracing::error!(error = %broke, "old files are not looked after any more");
        }
    }

    fn begin_loop(&self, loops: &mut JoinSet<()>, shutdown: &CancellationToken) {
        let (worker, until) = (self.clone(), shutdown.clone());
        loops.spawn(async move { worker.work(&until).await });
    }

    /// Looks at the queue now and then, should a hint have been missed or something become due.
    async fn tick(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            self.ctx.wake.notify_one();
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                () = self.ctx.store.news() => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn work(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            // On the heap, so that a loop that waits holds nothing of the steps it could do.
            match Box::pin(self.step(shutdown)).await {
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
            () = self.ctx.wake.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Does one due task. `false`: nothing is due.
    pub async fn step(&self, shutdown: &CancellationToken) -> Result<bool, StoreError> {
        // Both come before the claim: nothing begins that could not be worked on. Slots that are
        // waited for by what has begun are not free.
        let place = self.places.try_acquire().ok();
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok();
        let both = place.zip(slot);
        let now = self.ctx.clock.steady();
        let claim = match both {
            Some(_) => self.ctx.store.claim(now).await,
            None => self.ctx.store.claim_unslotted(now).await,
        };
        // A queue that says no is no reason to be started again: that would end what is at hand.
        self.pulse.send_modify(|beats| *beats += 1);
        let Some(claim) = claim? else { return Ok(false) };
        let (_place, slot) = both.filter(|_| claim.task.takes_slot()).unzip();
        let slot = slot.map_or_else(HeldSlot::default, |slot| {
            HeldSlot::new(Arc::clone(&self.slots), slot, Arc::clone(&self.ctx.wake))
        });
        // There may be more: let another loop look.
        self.ctx.wake.notify_one();
        let stop = shutdown.child_token();
        let begun = self.ctx.clock.steady();
        let ctx = self.ctx.for_task(claim.task.is_urgent(), slot);
        let performed = if claim.abandoned >= MOST_ABANDONED {
            Some(Err(WorkError::abandoned(claim.abandoned)))
        } else {
            let mut work = steps::performing(&ctx, &claim, &stop);
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
        self.count(&claim.task, begun, performed.as_ref());
        self.written(&claim, performed, ctx.forge.take_effects(), shutdown).await?;
        self.ctx.wake.notify_one();
        Ok(true)
    }

    /// Does a task that nobody else could take, and writes what follows.
    async fn do_alone(&self, claim: Claim) -> Result<(), StoreError> {
        let stop = CancellationToken::new();
        let performed = steps::performing(&self.ctx, &claim, &stop).await;
        self.written(&claim, Some(performed), Vec::new(), &stop).await
    }

    /// Writes what became of a task. On the heap, so that the steps have the stack for themselves.
    fn written<'a>(
        &'a self,
        claim: &'a Claim,
        performed: Option<Result<TaskOutcome, WorkError>>,
        effects: Vec<Effect>,
        shutdown: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let writer = OutcomeWriter {
                store: self.ctx.store.as_ref(),
                clock: &self.ctx.clock,
                lease: &claim.lease,
                audit: audit::entries(&self.ctx, &claim.task, effects).await,
                metrics: Some(&self.ctx.metrics),
            };
            match performed {
                Some(performed) => self.write(claim, performed, &writer).await,
                None if shutdown.is_cancelled() => {
                    writer.record().await?;
                    ignore_lost(self.ctx.store.hand_back(&claim.lease).await)
                }
                // The job is over or somebody else has the task: nothing follows from our half of
                // it.
                None => ignore_lost(writer.acknowledge().await),
            }
        })
    }

    /// How long a step took. One that was cut off is not counted.
    fn count(
        &self,
        task: &Task,
        begun: Timestamp,
        performed: Option<&Result<TaskOutcome, WorkError>>,
    ) {
        let (of, step) = match task {
            Task::Step { step, .. } => ("job", format!("{step:?}")),
            Task::Release { step, .. } => ("release", format!("{step:?}")),
            Task::Delivery { .. }
            | Task::ReleaseOf { .. }
            | Task::NextRelease { .. }
            | Task::Reply(_)
            | Task::NextOn { .. }
            | Task::Sweep(_)
            | Task::Operator(_)
            | Task::Slack(_) => return,
        };
        let Some(performed) = performed else { return };
        // Without what it is about.
        let name = step.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
        let took = self.ctx.clock.steady().0 - begun.0;
        let seconds = Duration::from_millis(u64::try_from(took).unwrap_or(0)).as_secs_f64();
        self.ctx.metrics.step(of, name, seconds, performed.is_err());
    }

    /// Prolongs the lease. Not ours any more: it was lost, or the job has ended meanwhile.
    async fn still_ours(&self, claim: &Claim) -> bool {
        let prolonged = self.ctx.store.heartbeat(&claim.lease, self.ctx.clock.steady()).await;
        self.pulse.send_modify(|beats| *beats += 1);
        match prolonged {
            Err(StoreError::LeaseLost) => return false,
            Err(error) => tracing::warn!(error = %fault::chain(&error), "a heartbeat was missed"),
            Ok(()) => {}
        }
        match &claim.task {
            Task::Step { job_id, step } if step.spec().failure == OnFailure::Awaited => {
                let job = self.ctx.store.job(job_id).await;
                !matches!(job, Ok(Some(stored)) if stored.machine.is_done())
            }
            // What runs for minutes is not run for an order that no longer stands.
            Task::Release { release_id, step } if step.spec().slot == WorkerSlot::Taken => {
                let release = self.ctx.store.release(release_id).await;
                !matches!(release, Ok(Some(stored)) if stored.machine.step().as_ref() != Some(step))
            }
            Task::Step { .. }
            | Task::Release { .. }
            | Task::Delivery { .. }
            | Task::NextOn { .. }
            | Task::ReleaseOf { .. }
            | Task::NextRelease { .. }
            | Task::Reply(_)
            | Task::Sweep(_)
            | Task::Operator(_)
            | Task::Slack(_) => true,
        }
    }

    async fn write(
        &self,
        claim: &Claim,
        performed: Result<TaskOutcome, WorkError>,
        writer: &OutcomeWriter<'_>,
    ) -> Result<(), StoreError> {
        ignore_lost(match performed {
            Ok(outcome) => writer.write(outcome).await,
            Err(fault) => self.failed(claim, fault, writer).await,
        })
    }

    async fn failed(
        &self,
        claim: &Claim,
        fault: WorkError,
        writer: &OutcomeWriter<'_>,
    ) -> Result<(), StoreError> {
        let failure = claim.task.spec().map_or(OnFailure::Dropped, |spec| spec.failure);
        let is_fact = failure != OnFailure::Dropped;
        let most = match failure {
            OnFailure::Awaited => MOST_TRIES_OF_STEPS,
            OnFailure::Told | OnFailure::Dropped => MOST_TRIES_OF_WORDS,
        };
        if let ErrorKind::Retry { after_seconds } = fault.kind
            && (claim.tries < most || after_seconds.is_some() && claim.tries < MOST_WAITS)
        {
            let pause = after_seconds.unwrap_or(1 << claim.tries.min(9));
            let pause = i64::try_from(pause).unwrap_or(i64::MAX).min(LONGEST_PAUSE_SECONDS);
            tracing::warn!(fault = %fault.text, pause, "trying again later");
            let due = self.ctx.clock.steady().plus_seconds(pause);
            writer.record().await?;
            return self.ctx.store.postpone(&claim.lease, due, &fault.text).await;
        }
        tracing::error!(fault = %fault.text, task = ?claim.task.lane(), "given up");
        // People on GitHub are not told where on our disk things lie.
        let data = self.ctx.settings.data.display().to_string();
        let why = fault.text.replace(&data, "[data]");
        let learnt = match &claim.task {
            Task::Step { job_id: job, .. } if fault.kind == ErrorKind::Withheld => Learnt::OfJob {
                id: job.clone(),
                fact: Box::new(job::JobFact::Withheld { why }),
                patch: None,
            },
            Task::Step { job_id: job, step } if is_fact => {
                let fact = job::JobFact::Broke { step: step.clone(), why };
                Learnt::OfJob { id: job.clone(), fact: Box::new(fact), patch: None }
            }
            Task::Release { release_id: release, step } if is_fact => {
                let fact = release::ReleaseFact::Broke { step: step.clone(), why };
                Learnt::OfRelease { id: release.clone(), fact: Box::new(fact) }
            }
            Task::Step { .. }
            | Task::Release { .. }
            | Task::Delivery { .. }
            | Task::ReleaseOf { .. }
            | Task::NextRelease { .. }
            | Task::Reply(_)
            | Task::NextOn { .. }
            | Task::Sweep(_)
            | Task::Operator(_)
            | Task::Slack(_) => return writer.acknowledge().await,
        };
        writer.learn(&learnt).await
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_waits_holds_nothing_of_the_steps_it_could_do() {
        fn size<F: Future>(_: impl Fn(&'static Worker, &'static CancellationToken) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(|worker, stop| worker.work(stop)) < 1024);
        assert!(size(|worker, stop| worker.step(stop)) > 1024, "else it need not be boxed");
    }
}
