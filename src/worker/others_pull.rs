//! A pull request that Gander did not open: what it is about.

use std::fmt::Write as _;

use super::steps::job::start::told_by;
use super::{Context, WorkError};
use crate::core::checks::CheckState;
use crate::core::job::{Base, Declined, Job, OthersPull};

/// So many red checks are told.
const MOST_CHECKS: usize = 3;

/// The pull request of a job, and the head that the job builds on.
pub(super) async fn read(
    ctx: &Context,
    job: &Job,
) -> Result<Result<(Base, OthersPull), Declined>, WorkError> {
    let (forge, repo) = (&ctx.forge, &job.repo);
    let detail = forge.pull(repo, job.subject).await?.filter(|it| it.state == "open");
    let Some(detail) = detail else { return Ok(Err(Declined::SubjectClosed)) };
    let parsed = |name: &str| name.parse().map_err(|bad| WorkError::permanent(&bad));
    let fork = match &detail.head.repo {
        Some(from) if from.id == repo.repo_id.0 => None,
        Some(from) => Some(from.full_name.clone()),
        None => Some("a repository that is gone".to_owned()),
    };
    let (files, checks) = tokio::try_join!(
        forge.pull_files(repo, job.subject),
        forge.checks(repo, &detail.head.sha)
    )?;
    let mut about = String::from("Its files:\n");
    for file in &files {
        let _ = writeln!(about, "- {} ({})", file.filename, file.status);
    }
    let red: Vec<_> = checks.iter().filter(|it| it.state == CheckState::Red).collect();
    for check in red.iter().take(MOST_CHECKS) {
        let _ = write!(about, "\nThe check \"{}\" is red on it.\n", check.name);
        about.push_str(&told_by(ctx, repo, check).await?);
    }
    if red.is_empty() {
        about.push_str("\nNo check is red on it.\n");
    }
    let base = Base { branch: parsed(&detail.base.branch)?, sha: detail.head.sha };
    let (branch, target) = (parsed(&detail.head.branch)?, detail.base.sha);
    Ok(Ok((base, OthersPull { branch, target, fork, about })))
}
