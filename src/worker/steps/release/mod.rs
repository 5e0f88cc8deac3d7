//! The steps of a release: one file each, and the table that finds them.

pub(in crate::worker) mod clean_up;
pub(in crate::worker) mod dispatch;
pub(in crate::worker) mod follow;
pub(in crate::worker) mod look;
pub(in crate::worker) mod merge;
pub(in crate::worker) mod plan;
pub(in crate::worker) mod propose;
pub(in crate::worker) mod refresh;
pub(in crate::worker) mod undo;

use crate::core::fault::FaultKind;
use crate::core::github::RepoRef;
use crate::core::id::ReleaseId;
use crate::core::machine::Failure;
use crate::core::policy::{RULES_PATH, Rules};
use crate::core::release::{Ending, Fact, FactKind, Plan, Refusal, Release, Stage, Step};
use crate::publish::release as publisher;
use crate::publish::talk::acknowledge;
use crate::store::Claim;
use crate::worker::commit::Outcome;
use crate::worker::steps::release::follow::run_over;
use crate::worker::steps::release::look::merged_by_hand;
use crate::worker::{Context, Fault};

/// Does one step of a release.
pub(in crate::worker) async fn perform(
    ctx: &Context,
    (id, step): (&ReleaseId, &Step),
    claim: &Claim,
) -> Result<Outcome, Fault> {
    let Some(stored) = ctx.store.release(id).await? else {
        return Err(Fault::bug("a task names a release that does not exist"));
    };
    let release = &stored.machine;
    let awaited = step.spec().failure == Failure::Awaited;
    if awaited && release.step().as_ref() != Some(step) {
        // The release has moved on meanwhile: there is nothing left to do for this task.
        return Ok(Outcome::Done);
    }
    let (forge, setting) = (&ctx.forge, ctx.release_setting());
    match step {
        Step::Plan { .. } => learnt(release, plan::run(ctx, release).await),
        Step::Propose { .. } => learnt(release, propose::run(ctx, release, claim).await),
        Step::Refresh { base } => learnt(release, refresh::run(ctx, release, base, claim).await),
        Step::Merge { head } => learnt(release, merge::run(ctx, release, head, claim).await),
        &Step::Dispatch { attempt } => {
            learnt(release, dispatch::run(ctx, release, attempt, claim).await)
        }
        Step::Follow { .. } => learnt(release, follow::run(ctx, release, claim).await),
        Step::Look => {
            let fact = look_by_stage(ctx, release).await?;
            Ok(fact.map_or(Outcome::Done, |fact| Outcome::of_release(release, fact)))
        }
        Step::Acknowledge => {
            let (place, comment) = (&release.place, release.order.comment);
            done(acknowledge(forge, place, release.subject, comment).await)
        }
        Step::Show => done(publisher::show(forge, release, &setting).await),
        Step::Announce => done(publisher::announce(forge, release, &setting).await),
        Step::TellIssues => done(publisher::tell_issues(forge, release).await),
        Step::Undo => done(undo::run(ctx, release).await),
        Step::CleanUp => done(clean_up::run(ctx, release).await),
        // A task of its own: `Task::NextRelease`.
        Step::StartNext => Ok(Outcome::Done),
    }
}

fn learnt(release: &Release, fact: Result<Fact, Fault>) -> Result<Outcome, Fault> {
    fact.map(|fact| Outcome::of_release(release, fact))
}

fn done<E>(done: Result<(), E>) -> Result<Outcome, Fault>
where
    Fault: From<E>,
{
    done?;
    Ok(Outcome::Done)
}

/// What there is to look at depends on where it stands.
async fn look_by_stage(ctx: &Context, release: &Release) -> Result<Option<Fact>, Fault> {
    match &release.stage {
        Stage::Proposed => look::run(ctx, release).await,
        Stage::Publishing => run_over(ctx, release).await,
        // One that we gave up may have gone on, or have been started again by hand.
        Stage::Done(Ending::Failed { .. }) if release.merged.is_some() => {
            let over = run_over(ctx, release).await?;
            Ok(over.filter(|fact| FactKind::from(fact) == FactKind::Published))
        }
        Stage::Done(Ending::Failed { .. }) => merged_by_hand(ctx, release).await,
        Stage::Queued
        | Stage::Planning
        | Stage::Proposing
        | Stage::Refreshing { .. }
        | Stage::Merging { .. }
        | Stage::Dispatching
        | Stage::Done(_) => Ok(None),
    }
}

/// The rules on the default branch, which is named beside them.
pub(in crate::worker) async fn release_rules(
    ctx: &Context,
    place: &RepoRef,
) -> Result<(String, Result<Rules, Refusal>), Fault> {
    let forge = &ctx.forge;
    let default = forge.repository(place).await?.default_branch;
    let text = forge.file(place, &default, RULES_PATH).await?;
    let rules = Rules::parse(&text.unwrap_or_default());
    Ok((default, rules.map_err(|bad| Refusal::BadConfig { problem: bad.to_string() })))
}

pub(in crate::worker) fn planned(release: &Release) -> Result<&Plan, Fault> {
    release.plan.as_ref().ok_or_else(|| Fault::bug("the release has no plan"))
}

/// Comes again later, without a fault.
pub(in crate::worker) fn wait(seconds: u64, text: &str) -> Fault {
    Fault { kind: FaultKind::Retry { after_seconds: Some(seconds) }, text: text.to_owned() }
}
