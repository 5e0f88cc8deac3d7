//! Makes branch, commit and pull request of a verified change, unless it has to wait for a word.

use crate::core::job::{Base, Job, JobFact};
use crate::core::leak::{SecretsBefore, foreign_secrets};
use crate::core::patch::{Change, Patch};
use crate::publish::{self, PatchedBase, Published};
use crate::store::Claim;
use crate::worker::steps::job::hold::held_back;
use crate::worker::steps::job::{asked_by, permission_lost, rules_and_base, suggest};
use crate::worker::{Context, WorkError, checks, patches};
use crate::workspace::diff;

pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    claim: &Claim,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let asker = asked_by(job);
    let has = ctx.forge.permission(&job.repo, &asker).await?;
    if let Some(lost) = permission_lost(&asker, rules, has) {
        return Ok(JobFact::Declined(lost));
    }
    let patch = patches::proposed(ctx.store.as_ref(), job).await?;
    let verified = job.evidence().and_then(|evidence| evidence.verified(patch));
    let verified = verified
        .ok_or_else(|| WorkError::bug("publishing was asked for without a green verdict"))?;
    let is_fork = job.others_pull().is_some_and(|pull| pull.fork.is_some());
    // What is only shown runs nowhere.
    if is_fork {
        ctx.still_held(claim).await?;
        return suggest::run(ctx, job, base, verified.patch()).await;
    }
    if let Some(held) = held_back(ctx, job, rules, base, verified.patch()).await? {
        return Ok(held);
    }
    let before = PatchedBase {
        tree: ctx.mirror(job, &base.sha).await?.tree_of(&base.sha).await?,
        secrets: secrets_before(ctx, job, base, verified.patch()).await?,
    };
    ctx.still_held(claim).await?;
    let setting = ctx.report_context(job);
    let pull = publish::pull_request(&ctx.forge, job, &verified, &before, &setting).await;
    ctx.forge.revoke_push_token(&job.repo).await;
    Ok(match pull? {
        Published::Open(pull) => JobFact::Published { pull },
        Published::Ended { merged } => JobFact::Closed { by: None, merged },
        Published::Moved { head } => JobFact::HeadMoved { head },
    })
}

/// What looked like secrets in the changed files as they were on the base. They are read only where
/// something in the patch looks like one.
async fn secrets_before(
    ctx: &Context,
    job: &Job,
    base: &Base,
    patch: &Patch,
) -> Result<SecretsBefore, WorkError> {
    let mut before = SecretsBefore::default();
    let suspicious = patch.changes.values().any(|change| match change {
        Change::Write { content, .. } => foreign_secrets(content).next().is_some(),
        Change::Delete { .. } => false,
    });
    if !suspicious {
        return Ok(before);
    }
    let mirror = ctx.mirror(job, &base.sha).await?;
    let entries = mirror.list(&base.sha).await?;
    let patch = patch.clone();
    let files = checks::blocking(move || diff::base_files(&mirror, &entries, &patch)).await??;
    files.values().for_each(|file| before.add(&file.content));
    Ok(before)
}
