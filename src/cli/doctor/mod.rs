//! `gander doctor`: whether an installation is safe and ready, and the next step where it is not.
//!
//! Invariants: it changes nothing, on GitHub or here; no secret is shown; what could not be looked
//! at is told as unknown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::{CommandResult, say, say_json, start_logging, unprivileged};
use crate::clock::Clock;
use crate::config::{Config, variable};
use crate::core::checklist::{ChecklistItem, has_failed, summary};
use crate::core::id::RepoName;
use crate::server::operator_link;

mod app;
mod causes;
mod examination;
mod machine;
mod model;
mod repository;

pub(super) use examination::{Examination, examiner};

use examination::examine;

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
    /// Only print a link to the same list on a page of the server that runs; it works once
    #[arg(long, conflicts_with_all = ["json", "pull", "repositories", "user"])]
    link: bool,
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
    if command.link {
        return print_link(command.config.as_deref());
    }
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

/// A link to the page of the running server, for whoever can read its key.
fn print_link(config: Option<&Path>) -> CommandResult {
    let config = Config::load(config, &|name| variable(name))?;
    let link = operator_link(&config.github.private_key, Clock::system().now());
    let (address, port) = (config.listen, config.listen.port());
    say(format!(
        "Open this in your browser. It works once, for ten minutes:\n\n  http://{address}{link}\n"
    ));
    say(format!("The browser is on another machine? There: ssh -L {port}:{address} THIS-MACHINE"));
    Ok(ExitCode::SUCCESS)
}
