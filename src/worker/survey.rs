//! What Gander finds on a commit, and what its checks come to there, without any change.

use tokio_util::sync::CancellationToken;

use super::WorkError;
use super::checks::{found_commands, without_change};
use super::job_context::{AttemptInput, JobContext};
use super::packages::with_packages;
use crate::core::evidence::Check;
use crate::core::patch::Patch;
use crate::core::policy::RULES_PATH;
use crate::environment::Environment;
use crate::verify::detect::FoundCommand;

/// What was found on a commit.
pub struct Survey {
    /// The packages that were fetched, each as `cargo, from Cargo.lock`; or why they cannot be
    /// had.
    pub packages: Result<Vec<String>, String>,
    /// The compilers and interpreters that it asks for.
    pub tools: Vec<String>,
    /// What would check a change.
    pub commands: Vec<FoundCommand>,
    /// What that comes to. Nothing, where packages cannot be had.
    pub checks: Vec<Check>,
}

/// Looks at a commit as a job would.
///
/// # Errors
/// When the mirror cannot be read, or the sandbox or the disk fails.
pub async fn survey(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    stop: &CancellationToken,
) -> Result<Survey, WorkError> {
    let entries = ctx.mirror.list(job.base).await?;
    let paths = entries.iter().filter_map(|entry| String::from_utf8(entry.path.clone()).ok());
    let paths: Vec<String> = paths.collect();
    let configured = &job.rules.verify.commands;
    let commands = match configured.is_empty() {
        true => found_commands(job, ctx, paths).await?,
        false => {
            let named =
                |line: &String| FoundCommand { line: line.clone(), from: RULES_PATH.into() };
            configured.iter().map(named).collect()
        }
    };
    let ctx = match with_packages(job, ctx, &Patch::default(), stop).await? {
        Ok(ctx) => ctx,
        Err(why) => {
            let (tools, checks) = (Vec::new(), Vec::new());
            return Ok(Survey { packages: Err(why), tools, commands, checks });
        }
    };
    let checks = without_change(job, &ctx, &ctx.records, stop).await?;
    let Environment { found, tools, .. } = ctx.packages;
    Ok(Survey { packages: Ok(found), tools, commands, checks })
}
