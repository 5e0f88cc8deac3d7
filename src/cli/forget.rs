//! `gander forget`: nothing of a repository is kept.

use std::process::ExitCode;
use std::time::Duration;

use super::beside::{Beside, BesideServer, by_operator};
use super::{AnyError, CommandResult, say};
use crate::core::audit::AuditEntry;
use crate::core::github::RepoRef;
use crate::core::id::RepoName;
use crate::store::StoreError;
use crate::workspace::remove::remove_aside;

/// Remove all that is known of a repository
#[derive(Debug, clap::Args)]
pub struct ForgetCommand {
    /// As GitHub writes it
    #[arg(value_name = "OWNER/REPO")]
    repository: RepoName,
    /// Do it; without this it is only told what would go
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    beside: BesideServer,
}

/// How long the removal of one directory may take.
const REMOVAL: Duration = Duration::from_secs(60);

/// Runs the subcommand.
///
/// # Errors
/// When nothing is known of it, or a job of it is not over.
pub fn run(command: &ForgetCommand) -> CommandResult {
    command.beside.with_store(async |beside| {
        let known = beside.store.repositories().await?;
        let name = command.repository.to_string();
        let known = known.into_iter().find(|it| it.name.to_string().eq_ignore_ascii_case(&name));
        let Some(repo) = known else {
            return Err(format!("nothing is known of a repository {name}").into());
        };
        match command.yes {
            true => forget(beside, &repo).await,
            false => {
                say(format!(
                    "All jobs and releases of {} go, with their logs, changes, costs and \
                     transcripts, its mirror on this machine, and what the audit log says of it. \
                     None of it comes back.\n\n  gander forget {} --yes",
                    repo.name, repo.name
                ));
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

async fn forget(beside: &Beside, repo: &RepoRef) -> CommandResult {
    // Its number stays: by that it is known what is missing, and nobody can read its name.
    let entry = by_operator(format!("forgot the repository with the number {}", repo.repo_id));
    let entry = AuditEntry { repo: None, ..entry };
    let now = beside.clock.steady();
    let jobs = match beside.store.forget_repository(repo.repo_id, &entry, now).await {
        Err(StoreError::Conflict) => {
            return Err(format!(
                "a job or a release of {} is not over: `gander jobs` lists them, `gander jobs \
                 cancel JOB` stops one. Then take the App away from the repository on GitHub",
                repo.name
            )
            .into());
        }
        other => other?,
    };
    let files = remove_files(beside, repo, &jobs).await?;
    say(format!("{}: {} jobs and {files} directories are gone.", repo.name, jobs.len()));
    if beside.place.database.is_some() {
        say("What other workers keep of it on their disks goes after 30 days, or with their data \
             directories.");
    }
    say(
        "Builds and packages are kept without a name: they go as room is needed, or with `builds` in \
         the data directory while Gander is stopped. Backups hold what they held.",
    );
    Ok(ExitCode::SUCCESS)
}

/// What lies on this machine: how many directories.
async fn remove_files(beside: &Beside, repo: &RepoRef, jobs: &[String]) -> Result<usize, AnyError> {
    let data = &beside.place.data;
    let number = repo.repo_id.to_string();
    let mut paths: Vec<_> = jobs.iter().map(|id| data.join("jobs").join(id)).collect();
    paths.push(data.join("base-checks").join(&number));
    paths.push(data.join("mirrors").join(format!("{number}.git")));
    let mut removed = 0;
    for path in paths.iter().filter(|path| path.exists()) {
        remove_aside(path, REMOVAL).await?;
        removed += 1;
    }
    for end in ["lock", "trust"] {
        // A mirror that is made anew makes them, too.
        let _ = std::fs::remove_file(data.join("mirrors").join(format!("{number}.{end}")));
    }
    Ok(removed)
}
