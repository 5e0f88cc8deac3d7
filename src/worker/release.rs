//! Does what a release asks for.
//!
//! What holds: as for jobs, everything may be done twice; a step that the release has left behind does
//! nothing; waiting for a run goes back to the queue.

use super::{Fault, Outcome, Worker};
use crate::core::event::Place;
use crate::core::fault::FaultKind;
use crate::core::id::{Branch, ReleaseId, RepoId};
use crate::core::policy::{RULES_PATH, Rules, Show};
use crate::core::release::{Effect, Ending, Fact, Plan, Refusal, Release, Stage, advance};
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
    pub(super) async fn release_effect(
        &self,
        id: &ReleaseId,
        effect: &Effect,
        claim: &Claim,
    ) -> Result<Outcome, Fault> {
        let Some(stored) = self.parts.store.release(id).await? else {
            return Err(Fault::bug("a task names a release that does not exist"));
        };
        let release = stored.release;
        let (forge, setting) = (&self.parts.forge, self.release_setting());
        let fact = match (effect, &release.stage) {
            (Effect::Acknowledge, _) => {
                let (subject, comment) = (release.subject, release.order.comment);
                acknowledge(forge, &release.place, subject, comment).await?;
                None
            }
            (Effect::Show, _) => pen::show(forge, &release, &setting).await.map(|()| None)?,
            (Effect::Announce, _) => {
                pen::announce(forge, &release, &setting).await.map(|()| None)?
            }
            (Effect::TellIssues, _) => pen::tell_issues(forge, &release).await.map(|()| None)?,
            (Effect::Undo, _) => {
                let undone = pen::undo(forge, &release).await;
                forge.revoke_push_token(&release.place).await;
                undone.map(|()| None)?
            }
            (Effect::CleanUp, _) => {
                let cleaned = pen::clean_up(forge, &release).await;
                forge.revoke_push_token(&release.place).await;
                cleaned.map(|()| None)?
            }
            (Effect::Plan { orders }, Stage::Planning) if *orders == release.orders => {
                Some(self.plan_release(&release).await?)
            }
            (Effect::Propose { orders }, Stage::Proposing) if *orders == release.orders => {
                self.still_held(claim).await?;
                let proposed = self.propose_release(&release).await;
                forge.revoke_push_token(&release.place).await;
                Some(proposed?)
            }
            (Effect::Refresh { base }, Stage::Refreshing { base: b }) if base == b => {
                self.still_held(claim).await?;
                let refreshed = self.refresh_release(&release, base).await;
                forge.revoke_push_token(&release.place).await;
                Some(refreshed?)
            }
            (Effect::Look, Stage::Proposed) => self.look_at_release(&release).await?,
            (Effect::Look, Stage::Publishing) => self.run_over(&release).await?,
            // One that we gave up may have gone on, or have been started again by hand.
            (Effect::Look, Stage::Done(Ending::Failed { .. })) if release.merged.is_some() => {
                let over = self.run_over(&release).await?;
                over.filter(|fact| matches!(fact, Fact::Published { .. }))
            }
            (Effect::Look, Stage::Done(Ending::Failed { .. })) => {
                self.merged_by_hand(&release).await?
            }
            (Effect::Merge { head }, Stage::Merging { head: h }) if head == h => {
                self.still_held(claim).await?;
                let merged = self.merge_release(&release, head).await;
                forge.revoke_push_token(&release.place).await;
                Some(merged?)
            }
            (Effect::Dispatch { attempt }, Stage::Dispatching) if *attempt == release.tries => {
                self.still_held(claim).await?;
                let dispatched = self.dispatch_release(&release, *attempt).await;
                forge.revoke_push_token(&release.place).await;
                Some(dispatched?)
            }
            (Effect::Follow { attempt }, Stage::Publishing) if *attempt == release.tries => {
                Some(self.follow_release(&release, claim.tries).await.map_err(patient)?)
            }
            // The release has moved on meanwhile: there is nothing left to do for this task.
            _ => None,
        };
        Ok(match fact {
            Some(fact) => learnt(&release, fact),
            None => Outcome::Done,
        })
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
        place: &Place,
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
pub(super) fn broke(release: &ReleaseId, step: &Effect, why: String) -> LearntOfRelease {
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
        _ => fault,
    }
}

/// The commit that follows from a fact. `None`: it changes nothing.
pub(super) fn release_advanced(stored: &StoredRelease, fact: &Fact) -> Option<Commit> {
    let (release, effects) = advance(&stored.release, fact)?;
    let tasks = effects.into_iter().map(|effect| task_of(&release, effect)).collect();
    Some(Commit {
        log: Some(format!("{} → {}", stored.release.stage.name(), release.stage.name())),
        tasks,
        release: Some(ReleaseWrite::Change(release, stored.version)),
        ..Commit::default()
    })
}

fn task_of(release: &Release, effect: Effect) -> Task {
    match effect {
        Effect::StartNext => {
            Task::NextRelease { repo: release.place.repo, base: release.base.clone() }
        }
        effect => Task::Release { release: release.id.clone(), effect },
    }
}

/// Whether an effect is a step of the release, so that its failure is a fact about it.
pub(super) fn is_release_step(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Plan { .. }
            | Effect::Propose { .. }
            | Effect::Refresh { .. }
            | Effect::Merge { .. }
            | Effect::Dispatch { .. }
            | Effect::Follow { .. }
    )
}
