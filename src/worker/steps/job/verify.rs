//! Checks the proposed change in a tree of its own.

use tokio_util::sync::CancellationToken;

use crate::core::evidence::{Evidence, Verdict};
use crate::core::job::{Job, JobFact};
use crate::core::patch::Patch;
use crate::core::policy::ProofMode;
use crate::verify::ProofDepth;
use crate::worker::checks::CheckedChange;
use crate::worker::job_context::{AttemptInput, JobContext};
use crate::worker::packages::with_packages;
use crate::worker::proof::WholeChange;
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, checks, packages, patches};

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    round: u32,
    number: u32,
    stop: &CancellationToken,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let patch = patches::proposed(ctx.store.as_ref(), job).await?;
    let logs = ctx.records.join(format!("r{round}-a{number}"));
    let input = about(job, rules, base);
    let of_change = match with_packages(&input, ctx, &patch, stop).await? {
        Ok(of_change) => of_change,
        Err(why) => return Ok(JobFact::Verified(packages::cannot_be_had(&input, &patch, why))),
    };
    let change = CheckedChange { job: &input, ctx: &of_change, patch: &patch, logs: &logs, stop };
    let evidence = change.check().await?;
    // Most often it is known by now.
    let of_base = with_packages(&input, ctx, &Patch::default(), stop).await?;
    let of_base = of_base.map_err(WorkError::later)?;
    let checks = checks::without_change(&input, &of_base, &logs.join("base"), stop).await?;
    // What is red on the pull request of others is what is to be mended: only what is red on the
    // branch that it goes into is no fault of it.
    let evidence = match job.others_pull() {
        Some(pull) => {
            let target = AttemptInput { base: &pull.target, ..input.clone() };
            let there = with_packages(&target, ctx, &Patch::default(), stop).await?;
            let there = there.map_err(WorkError::later)?;
            let known = checks::without_change(&target, &there, &logs.join("target"), stop).await?;
            change.held_against(evidence, &known).await?
        }
        None => change.held_against(evidence, &checks).await?,
    };
    let whole = WholeChange { base: &base.sha, checks: &checks, patch: &patch };
    // A merge of the base is the whole pull request, as its first round was.
    let evidence = match round == 1 || input.update.is_some() {
        true => change.proven(evidence, Some(whole), ProofDepth::Whole).await?,
        false => with_earlier_rounds(job, &change, evidence).await?,
    };
    Ok(JobFact::Verified(evidence.without_results()))
}

/// Shows that all rounds together are needed, as that is what will be approved.
async fn with_earlier_rounds(
    job: &Job,
    change: &CheckedChange<'_>,
    evidence: Evidence,
) -> Result<Evidence, WorkError> {
    let &CheckedChange { ctx, logs, stop, .. } = change;
    let tries =
        evidence.verdict() == Verdict::Green && change.job.rules.proof.mode != ProofMode::Off;
    // What the first round took back took its tests along.
    let tries = tries && job.reverts().is_none();
    let Some((begins_at, pushed)) = job.pushed_since().filter(|_| tries) else {
        return change.proven(evidence, None, ProofDepth::Whole).await;
    };
    let nothing = Patch::default();
    let of_base = match ctx.mirror.has(begins_at).await {
        true => {
            let input = AttemptInput { base: begins_at, ..change.job.clone() };
            with_packages(&input, ctx, &nothing, stop).await?.ok().map(|ctx| (input, ctx))
        }
        false => None,
    };
    let Some((input, of_base)) = of_base else {
        return change.proven(evidence, None, ProofDepth::Whole).await;
    };
    // Known since the first round, most often.
    let checks = checks::without_change(&input, &of_base, &logs.join("begin"), stop).await?;
    let mut patch = nothing;
    for digest in pushed {
        let Some(earlier) = patches::kept(ctx.store.as_ref(), digest).await? else {
            // Too large for where it would have been kept: this round is shown alone.
            return change.proven(evidence, None, ProofDepth::Whole).await;
        };
        patch = patch.then(earlier);
    }
    let patch = patch.then(change.patch.clone());
    let whole = WholeChange { base: begins_at, checks: &checks, patch: &patch };
    change.proven(evidence, Some(whole), ProofDepth::Whole).await
}
