//! `gander doctor`: whether an installation is safe and ready, and the next step where it is not.
//!
//! Invariants: it changes nothing, on GitHub or here; no secret is shown; what could not be looked
//! at is told as unknown.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::{CommandResult, say, say_json, start_logging, unprivileged};
use crate::core::checklist::{ChecklistItem, has_failed, summary};
use crate::core::id::RepoName;

mod app;
mod examination;
mod machine;
mod model;
mod repository;

pub(super) use examination::{Examination, examine};

/// See whether an installation is safe and ready
#[derive(Debug, clap::Args)]
pub struct DoctorCommand {
    /// Repositories to look at: rulesets, workflows, who can approve, whether checks would run
    #[arg(value_name = "OWNER/REPO")]
    repositories: Vec<RepoName>,
    /// The operator's configuration, that of `gander serve`; variables come before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Gander is started with `gander serve --pull`, so GitHub need not reach it
    #[arg(long)]
    pull: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Started as root: the user that `gander serve` runs as
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Exit code when something is red.
const SOMETHING_FAILED: u8 = 3;

/// Runs the subcommand.
///
/// # Errors
/// When it cannot look at all.
pub fn run(command: &DoctorCommand) -> CommandResult {
    if unprivileged::is_root() {
        let Some(user) = &command.user else {
            return Err(
                "what root sees says nothing of what Gander will see: start it as the user \
                        of `gander serve`, or add `--user NAME` and it becomes that user"
                    .into(),
            );
        };
        let arguments = std::env::args_os().skip(1);
        match unprivileged::rerun_unprivileged(arguments, Some(user), &[])? {}
    }
    start_logging("error", Arc::default());
    let examination = Examination {
        config: command.config.clone(),
        repositories: command.repositories.clone(),
        pull: command.pull,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let seen: Arc<Mutex<Vec<ChecklistItem>>> = Arc::default();
    let (kept, quiet) = (Arc::clone(&seen), command.json);
    let tell = Arc::new(move |item: ChecklistItem| {
        if !quiet {
            say(item.line());
        }
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    });
    runtime.block_on(examine(examination, tell));
    let items = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    let failed = has_failed(&items);
    match command.json {
        true => say_json(&json!({ "ok": !failed, "items": items }))?,
        false => say(format!("\n{}", summary(&items))),
    }
    Ok(if failed { ExitCode::from(SOMETHING_FAILED) } else { ExitCode::SUCCESS })
}
