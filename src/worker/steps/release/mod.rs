//! The steps of a release: one file each, and the table that finds them.

pub(in crate::worker) mod check;
pub(in crate::worker) mod clean_up;
pub(in crate::worker) mod dispatch;
mod files;
pub(in crate::worker) mod follow;
pub(in crate::worker) mod look;
pub(in crate::worker) mod merge;
pub(in crate::worker) mod plan;
pub(in crate::worker) mod propose;
pub(in crate::worker) mod refresh;
pub(in crate::worker) mod undo;

use tokio_util::sync::CancellationToken;

use crate::core::fault::ErrorKind;
use crate::core::github::RepoRef;
use crate::core::id::{ReleaseId, Sha};
use crate::core::machine::OnFailure;
use crate::core::path_rules::PathRules;
use crate::core::policy::{RULES_PATH, ReleaseScope, Rules};
use crate::core::release::{
    Refusal, Release, ReleaseEnding, ReleaseFact, ReleaseFactKind, ReleaseStage, ReleaseStep,
    VersionPlan,
};
use crate::core::target::PackageNames;
use crate::publish::release as publisher;
use crate::publish::talk::acknowledge;
use crate::release::manifests::package_names;
use crate::store::Claim;
use crate::worker::commit::TaskOutcome;
use crate::worker::steps::done;
use crate::worker::steps::release::follow::run_over;
use crate::worker::steps::release::look::merged_by_hand;
use crate::worker::{Context, WorkError};

/// Does one step of a release.
pub(in crate::worker) async fn perform(
    ctx: &Context,
    id: &ReleaseId,
    step: &ReleaseStep,
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<TaskOutcome, WorkError> {
    let Some(stored) = ctx.store.release(id).await? else {
        return Err(WorkError::bug("a task names a release that does not exist"));
    };
    let release = &stored.machine;
    let awaited = step.spec().failure == OnFailure::Awaited;
    if awaited && release.step().as_ref() != Some(step) {
        // The release has moved on meanwhile: there is nothing left to do for this task.
        return Ok(TaskOutcome::Done);
    }
    let (forge, setting) = (&ctx.forge, ctx.release_report_context());
    match step {
        ReleaseStep::Plan { .. } => learnt(release, plan::run(ctx, release).await),
        ReleaseStep::Check { .. } => {
            learnt(release, Box::pin(check::run(ctx, release, stop)).await)
        }
        ReleaseStep::Propose { .. } => learnt(release, propose::run(ctx, release, claim).await),
        ReleaseStep::Refresh { base } => {
            learnt(release, refresh::run(ctx, release, base, claim).await)
        }
        ReleaseStep::Merge { head } => learnt(release, merge::run(ctx, release, head, claim).await),
        &ReleaseStep::Dispatch { attempt } => {
            learnt(release, dispatch::run(ctx, release, attempt, claim).await)
        }
        ReleaseStep::Follow { .. } => learnt(release, follow::run(ctx, release, claim).await),
        ReleaseStep::Look => {
            let fact = look_by_stage(ctx, release).await?;
            Ok(fact.map_or(TaskOutcome::Done, |fact| TaskOutcome::of_release(release, fact)))
        }
        ReleaseStep::Acknowledge => {
            let (repo, comment) = (&release.repo, release.order.comment_id);
            done(acknowledge(forge, repo, release.subject, comment).await)
        }
        ReleaseStep::Show => done(publisher::show(forge, release, &setting).await),
        ReleaseStep::Announce => done(publisher::announce(forge, release, &setting).await),
        ReleaseStep::TellIssues => done(publisher::tell_issues(forge, release).await),
        ReleaseStep::Undo => done(undo::run(ctx, release).await),
        ReleaseStep::CleanUp => done(clean_up::run(ctx, release).await),
        // A task of its own: `Task::NextRelease`.
        ReleaseStep::StartNext => Ok(TaskOutcome::Done),
    }
}

fn learnt(
    release: &Release,
    fact: Result<ReleaseFact, WorkError>,
) -> Result<TaskOutcome, WorkError> {
    fact.map(|fact| TaskOutcome::of_release(release, fact))
}

/// What there is to look at depends on where it stands.
async fn look_by_stage(ctx: &Context, release: &Release) -> Result<Option<ReleaseFact>, WorkError> {
    match &release.stage {
        ReleaseStage::Proposed => look::run(ctx, release).await,
        ReleaseStage::Publishing => run_over(ctx, release).await,
        // One that we gave up may have gone on, or have been started again by hand.
        ReleaseStage::Done(ReleaseEnding::Failed { .. }) if release.merged.is_some() => {
            let over = run_over(ctx, release).await?;
            Ok(over.filter(|fact| ReleaseFactKind::from(fact) == ReleaseFactKind::Published))
        }
        ReleaseStage::Done(ReleaseEnding::Failed { .. }) => merged_by_hand(ctx, release).await,
        ReleaseStage::Queued
        | ReleaseStage::Planning
        | ReleaseStage::Checking { .. }
        | ReleaseStage::Proposing
        | ReleaseStage::Refreshing { .. }
        | ReleaseStage::Merging { .. }
        | ReleaseStage::Dispatching
        | ReleaseStage::Done(_) => Ok(None),
    }
}

/// The rules on the default branch, which is named beside them.
pub(in crate::worker) async fn release_rules(
    ctx: &Context,
    repo: &RepoRef,
) -> Result<(String, Result<Rules, Refusal>), WorkError> {
    let forge = &ctx.forge;
    let default = ctx.repository(repo).await?.default_branch;
    let text = forge.file(repo, &default, RULES_PATH).await?;
    let rules = Rules::parse(&text.unwrap_or_default());
    Ok((default, rules.map_err(|bad| Refusal::BadConfig { problem: bad.to_string() })))
}

/// What the packages are called at a commit.
pub(in crate::worker) async fn packages_at(
    ctx: &Context,
    repo: &RepoRef,
    at: &Sha,
    scope: ReleaseScope,
) -> Result<PackageNames, WorkError> {
    let there = files::files_at(ctx, repo, at, scope).await?;
    Ok(package_names(&there.files, &there.scope))
}

/// The repository's own additions to the paths that people should look at.
pub(in crate::worker) fn path_rules(rules: &Rules) -> Result<PathRules, WorkError> {
    PathRules::new(&rules.paths.protected, &rules.paths.flagged)
        .map_err(|bad| WorkError::permanent(&bad))
}

pub(in crate::worker) fn planned(release: &Release) -> Result<&VersionPlan, WorkError> {
    release.plan.as_ref().ok_or_else(|| WorkError::bug("the release has no plan"))
}

/// Comes again later, without a fault.
pub(in crate::worker) fn wait(seconds: u64, text: &str) -> WorkError {
    WorkError { kind: ErrorKind::Retry { after_seconds: Some(seconds) }, text: text.to_owned() }
}
