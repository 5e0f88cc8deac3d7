//! Does what a release asks for.
//!
//! What holds: as for jobs, everything may be done twice; a step that the release has left behind does
//! nothing; waiting for a run goes back to the queue.

use super::{Fault, Outcome, Worker};
use crate::core::event::RepoRef;
use crate::core::fault::FaultKind;
use crate::core::id::{Branch, ReleaseId, RepoId};
use crate::core::machine::{Failure, Machine};
use crate::core::policy::{RULES_PATH, Rules, Show};
use crate::core::release::{Ending, Fact, FactKind, Plan, Refusal, Release, Stage, Step, advance};
use crate::core::report::Setting;
use crate::core::task::Task;
use crate::publish::release::{self as pen, Proposed};
use crate::publish::talk::acknowledge;
use crate::store::{Claim, Commit, Lease, ReleaseWrite, StoreError, StoredRelease};

mod look;
mod plan;
mod publication;

/// A fact about a release.
pub(super) struct LearntOfRelease {
    pub(super) release: ReleaseId,
    pub(super) fact: Fact,
}

impl Worker {
    pub(super) async fn release_step(
        &self,
        id: &ReleaseId,
        step: &Step,
        claim: &Claim,
    ) -> Result<Outcome, Fault> {
        let Some(stored) = self.parts.store.release(id).await? else {
            return Err(Fault::bug("a task names a release that does not exist"));
        };
        let release = stored.release;
        let (forge, setting) = (&self.parts.forge, self.release_setting());
        let awaited = step.spec().failure == Failure::Awaited;
        if awaited && release.step().as_ref() != Some(step) {
            // The release has moved on meanwhile: there is nothing left to do for this task.
            return Ok(Outcome::Done);
        }
        let place = &release.place;
        let fact = match step {
            Step::Acknowledge => {
                let (subject, comment) = (release.subject, release.order.comment);
                acknowledge(forge, place, subject, comment).await.map(|()| None)?
            }
            Step::Show => pen::show(forge, &release, &setting).await.map(|()| None)?,
            Step::Announce => pen::announce(forge, &release, &setting).await.map(|()| None)?,
            Step::TellIssues => pen::tell_issues(forge, &release).await.map(|()| None)?,
            Step::Undo => {
                let undone = pen::undo(forge, &release).await;
                forge.revoke_push_token(place).await;
                undone.map(|()| None)?
            }
            Step::CleanUp => {
                let cleaned = pen::clean_up(forge, &release).await;
                forge.revoke_push_token(place).await;
                cleaned.map(|()| None)?
            }
            Step::Plan { .. } => Some(self.plan_release(&release).await?),
            Step::Propose { .. } => {
                self.still_held(claim).await?;
                let proposed = self.propose_release(&release).await;
                forge.revoke_push_token(place).await;
                Some(proposed?)
            }
            Step::Refresh { base } => {
                self.still_held(claim).await?;
                let refreshed = self.refresh_release(&release, base).await;
                forge.revoke_push_token(place).await;
                Some(refreshed?)
            }
            Step::Look => self.look_by_stage(&release).await?,
            Step::Merge { head } => {
                self.still_held(claim).await?;
                let merged = self.merge_release(&release, head).await;
                forge.revoke_push_token(place).await;
                Some(merged?)
            }
            Step::Dispatch { attempt } => {
                self.still_held(claim).await?;
                let dispatched = self.dispatch_release(&release, *attempt).await;
                forge.revoke_push_token(place).await;
                Some(dispatched?)
            }
            Step::Follow { .. } => {
                Some(self.follow_release(&release, claim.tries).await.map_err(patient)?)
            }
            // A task of its own: `Task::NextRelease`.
            Step::StartNext => None,
        };
        Ok(match fact {
            Some(fact) => learnt(&release, fact),
            None => Outcome::Done,
        })
    }

    /// What there is to look at depends on where it stands.
    async fn look_by_stage(&self, release: &Release) -> Result<Option<Fact>, Fault> {
        match &release.stage {
            Stage::Proposed => self.look_at_release(release).await,
            Stage::Publishing => self.run_over(release).await,
            // One that we gave up may have gone on, or have been started again by hand.
            Stage::Done(Ending::Failed { .. }) if release.merged.is_some() => {
                let over = self.run_over(release).await?;
                Ok(over.filter(|fact| FactKind::from(fact) == FactKind::Published))
            }
            Stage::Done(Ending::Failed { .. }) => self.merged_by_hand(release).await,
            Stage::Queued
            | Stage::Planning
            | Stage::Proposing
            | Stage::Refreshing { .. }
            | Stage::Merging { .. }
            | Stage::Dispatching
            | Stage::Done(_) => Ok(None),
        }
    }

    /// Lets the release that waits on a branch begin, unless one is under way there.
    pub(super) async fn next_release(&self, repo: RepoId, base: &Branch) -> Result<Outcome, Fault> {
        let open = self.parts.store.open_releases(Some(repo)).await?;
        let here = || open.iter().filter(|stored| stored.release.base == *base);
        if here().any(|stored| stored.release.is_live()) {
            return Ok(Outcome::Done);
        }
        let first = here().find(|stored| stored.release.stage == Stage::Queued);
        Ok(match first.and_then(|stored| release_advanced(stored, &Fact::TurnCame)) {
            Some(commit) => Outcome::Ready(Box::new(commit)),
            None => Outcome::Done,
        })
    }

    /// Writes what a fact changes about its release, reading it anew while others change it too.
    pub(super) async fn learn_of_release(
        &self,
        lease: &Lease,
        learnt: &LearntOfRelease,
    ) -> Result<(), StoreError> {
        for _ in 0..super::MOST_CONFLICTS {
            let Some(stored) = self.parts.store.release(&learnt.release).await? else {
                return self.acknowledge(lease).await;
            };
            let Some(commit) = release_advanced(&stored, &learnt.fact) else {
                return self.acknowledge(lease).await;
            };
            match self.parts.store.commit(lease, &commit, self.parts.clock.now()).await {
                Err(StoreError::Conflict) => {}
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn propose_release(&self, release: &Release) -> Result<Fact, Fault> {
        let plan = planned(release)?;
        let files = self.planned_files(release, plan).await?;
        let setting = self.release_setting();
        let done = pen::propose(&self.parts.forge, release, plan, &files, &setting).await?;
        Ok(match done {
            Proposed::Open(pull) => Fact::Proposed { orders: release.orders, pull },
            Proposed::Edited(pull, head) => {
                let version = self.version_at(release, &head).await?;
                Fact::HeadMoved { pull, head, version }
            }
            Proposed::Ended(number) => self.ended_release(release, number).await?,
        })
    }

    /// The rules on the default branch, which is named beside them.
    pub(super) async fn release_rules(
        &self,
        place: &RepoRef,
    ) -> Result<(String, Result<Rules, Refusal>), Fault> {
        let forge = &self.parts.forge;
        let default = forge.repository(place).await?.default_branch;
        let text = forge.file(place, &default, RULES_PATH).await?;
        let rules = Rules::parse(&text.unwrap_or_default());
        Ok((default, rules.map_err(|bad| Refusal::BadConfig { problem: bad.to_string() })))
    }

    /// What is told around a release.
    pub(super) fn release_setting(&self) -> Setting {
        Setting {
            prefix: self.parts.settings.address.prefix.clone(),
            model: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            show: Show::default(),
            now: self.parts.clock.time_of_day(),
            web: self.parts.forge.web_address(),
        }
    }
}

fn learnt(release: &Release, fact: Fact) -> Outcome {
    Outcome::LearntOfRelease(Box::new(LearntOfRelease { release: release.id.clone(), fact }))
}

/// A step that failed for good.
pub(super) fn broke(release: &ReleaseId, step: &Step, why: String) -> LearntOfRelease {
    LearntOfRelease { release: release.clone(), fact: Fact::Broke { step: step.clone(), why } }
}

fn planned(release: &Release) -> Result<&Plan, Fault> {
    release.plan.as_ref().ok_or_else(|| Fault::bug("the release has no plan"))
}

/// Comes again later, without a fault.
fn wait(seconds: u64, text: &str) -> Fault {
    Fault { kind: FaultKind::Retry { after_seconds: Some(seconds) }, text: text.to_owned() }
}

/// A run that cannot be asked about for a moment goes on all the same: its looks are no failed tries.
fn patient(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::Retry { after_seconds: None } => wait(publication::PAUSE_SECONDS, &fault.text),
        FaultKind::Retry { after_seconds: Some(_) } | FaultKind::Permanent | FaultKind::Bug => {
            fault
        }
    }
}

/// The commit that follows from a fact. `None`: it changes nothing.
pub(super) fn release_advanced(stored: &StoredRelease, fact: &Fact) -> Option<Commit> {
    let (release, steps) = advance(&stored.release, fact)?;
    let tasks = steps.into_iter().map(|step| task_of(&release, step)).collect();
    Some(Commit {
        log: Some(format!("{} → {}", stored.release.stage.name(), release.stage.name())),
        tasks,
        release: Some(ReleaseWrite::Change(release, stored.version)),
        ..Commit::default()
    })
}

fn task_of(release: &Release, step: Step) -> Task {
    if step == Step::StartNext {
        return Task::NextRelease { repo: release.place.repo, base: release.base.clone() };
    }
    Task::Release { release: release.id.clone(), step }
}
