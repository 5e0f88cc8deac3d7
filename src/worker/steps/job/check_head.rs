//! Runs the project's checks on a commit that a person made.

use tokio_util::sync::CancellationToken;

use crate::core::evidence::Verdict;
use crate::core::id::Sha;
use crate::core::job::{Base, Job, JobFact};
use crate::core::patch::Patch;
use crate::worker::checks::CheckedChange;
use crate::worker::packages::with_packages;
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{Context, WorkError, checks};

/// Runs the project's checks on a commit that a person made.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    head: &Sha,
    stop: &CancellationToken,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let at = Base { branch: base.branch.clone(), sha: head.clone() };
    let (input, nothing) = (about(job, rules, &at), Patch::default());
    let at_head = ctx.of_job(job, &at).await?;
    let packages = with_packages(&input, &at_head, &nothing, stop).await?;
    let at_head = match packages {
        Ok(at_head) => at_head,
        // The commit may name what cannot be had.
        Err(why) => return Ok(JobFact::HeadChecked { head: head.clone(), failed: Some(why) }),
    };
    let logs = at_head.records.join(format!("head-{}", head.short()));
    let change = CheckedChange { job: &input, ctx: &at_head, patch: &nothing, logs: &logs, stop };
    let mut evidence = change.check().await?;
    if evidence.verdict() != Verdict::Green {
        // What the base fails in, too, is not this commit's.
        let (of_base, logs) = (ctx.of_job(job, base).await?, logs.join("base"));
        let before = about(job, rules, base);
        let packages = with_packages(&before, &of_base, &nothing, stop).await?;
        let of_base = packages.map_err(WorkError::later)?;
        let before = checks::without_change(&before, &of_base, &logs, stop).await?;
        evidence = change.held_against(evidence, &before).await?;
    }
    let failed = match evidence.verdict() {
        Verdict::Green => None,
        Verdict::Red | Verdict::Unknown => {
            let why = evidence.failures().next();
            Some(why.map_or_else(String::new, |(name, why)| format!("{name}: {why}")))
        }
    };
    Ok(JobFact::HeadChecked { head: head.clone(), failed })
}
