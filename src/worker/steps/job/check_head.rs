//! Runs the project's checks on a commit that a person made.

use tokio_util::sync::CancellationToken;

use crate::core::evidence::Verdict;
use crate::core::id::Sha;
use crate::core::job::{Base, Job, JobFact};
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
    let before = ctx.of_job(job, base).await?;
    let ctx = ctx.of_job(job, &at).await?;
    let logs = ctx.records.join(format!("head-{}", head.short()));
    let (of_head, of_base) = (about(job, rules, &at), about(job, rules, base));
    let evidence = checks::check_commit(&of_head, &ctx, (&of_base, &before), &logs, stop).await?;
    let failed = match evidence.verdict() {
        Verdict::Green => None,
        Verdict::Red | Verdict::Unknown => {
            let why = evidence.failures().next();
            Some(why.map_or_else(String::new, |(name, why)| format!("{name}: {why}")))
        }
    };
    Ok(JobFact::HeadChecked { head: head.clone(), failed })
}
