//! Runs the project's own checks on the files of a release, before anybody sees them.
//!
//! Invariants: they run as those of a change do, in a fresh tree without network; the rules that
//! hold for what a model writes do not hold here, as no model wrote any of it.

use tokio_util::sync::CancellationToken;

use crate::core::conventions::Conventions;
use crate::core::event::IssueText;
use crate::core::job::{Kind, Planning};
use crate::core::patch::{Change, FileMode, Patch};
use crate::core::path::RepoPath;
use crate::core::policy::{Paths, Rules};
use crate::core::release::{
    Refusal, Release, ReleaseChecks, ReleaseFact, ReleaseStage, VersionPlan,
};
use crate::worker::checks::{CheckedChange, without_change};
use crate::worker::job_context::AttemptInput;
use crate::worker::packages::with_packages;
use crate::worker::steps::release::plan::planned_files;
use crate::worker::steps::release::release_rules;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
    stop: &CancellationToken,
) -> Result<ReleaseFact, WorkError> {
    let orders = release.orders;
    let ReleaseStage::Checking { plan } = &release.stage else {
        return Err(WorkError::bug("a release that is not planned is to be checked"));
    };
    let checked = match release_rules(ctx, &release.repo).await?.1 {
        Ok(rules) => checked(ctx, release, plan, rules, stop).await?,
        Err(why) => Err(why),
    };
    Ok(match checked {
        Ok(checks) => ReleaseFact::Checked { orders, checks },
        Err(why) => ReleaseFact::Refused { orders, why },
    })
}

async fn checked(
    ctx: &Context,
    release: &Release,
    plan: &VersionPlan,
    mut rules: Rules,
    stop: &CancellationToken,
) -> Result<Result<ReleaseChecks, Refusal>, WorkError> {
    let base = &plan.base;
    rules.paths = Paths::default();
    (rules.limits.files, rules.limits.patch_kib) = (u32::MAX, u32::MAX);
    let patch = as_patch(ctx, release, plan).await?;
    let job = ctx.of_base((&release.repo, &release.base, base), release.id.as_str()).await?;
    let (title, body) = (String::new(), String::new());
    let input = AttemptInput {
        kind: Kind::Fix,
        issue: &IssueText { title, body },
        request: "",
        number: release.subject,
        rules: &rules,
        conventions: &Conventions::default(),
        base,
        round: None,
        others_pull: None,
        update: None,
        reverts: None,
        planning: &Planning::default(),
        notes: &[],
        overrides: &[],
    };
    let nothing = Patch::default();
    let before = match with_packages(&input, &job, &nothing, stop).await? {
        Ok(before) => before,
        Err(why) => return Ok(Ok(ReleaseChecks::impossible(base.clone(), why))),
    };
    let with = match with_packages(&input, &job, &patch, stop).await? {
        Ok(with) => with,
        Err(why) => {
            let why = format!("with its files, packages cannot be fetched: {why}");
            return Ok(Ok(ReleaseChecks::impossible(base.clone(), why)));
        }
    };
    let logs = job.records.join(format!("o{}", release.orders));
    let known = without_change(&input, &before, &logs.join("base"), stop).await?;
    let change = CheckedChange { job: &input, ctx: &with, patch: &patch, logs: &logs, stop };
    let evidence = change.held_against(change.check().await?, &known).await?;
    Ok(ReleaseChecks::of(base.clone(), &evidence.checks, &known))
}

/// The files of a release as a change on its base.
async fn as_patch(
    ctx: &Context,
    release: &Release,
    plan: &VersionPlan,
) -> Result<Patch, WorkError> {
    let mirror = ctx.mirror_of(&release.repo, &plan.base).await?;
    let entries = mirror.list(&plan.base).await?;
    let mut patch = Patch::default();
    for (path, executable, content) in planned_files(ctx, release, plan).await?.files {
        let mode = if executable { FileMode::Executable } else { FileMode::File };
        let there = entries.iter().find(|entry| entry.path == path.as_bytes());
        let replaces = there.map(|entry| entry.oid.clone());
        let path: RepoPath = path.parse().map_err(|bad| WorkError::permanent(&bad))?;
        patch.changes.insert(path, Change::Write { mode, content, replaces });
    }
    Ok(patch)
}
